"""What the guards mend: naive and guarded estimates side by side, on simulated cohorts with known truth.

Run by `python -m tests.benchmarks.guards --cohorts 200`: prints a markdown table. It ends with 1 where a
guarded 95 % interval covers the truth less often than 91 % by more than two Monte-Carlo errors. A cohort in
which an estimate does not exist is counted in the table, not dropped in silence. Pytest does not collect it.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, astuple, dataclass, replace
from functools import cache, partial
from math import log
from typing import Any

import numpy as np
import polars as pl

from models import variables
from models.estimate import Estimate, Flags
from models.firth import fit_firth_logistic
from models.regression import fit_logistic
from models.simulation.immortal_time import (
    IMMORTAL_TIME_TRUTH,
    ImmortalTimeTruth,
    simulate_palliative,
)
from models.simulation.truth import TRUTH
from models.study.immortal_time import estimate_immortal_time
from models.study.likelihoods import discrimination_of
from models.study.missing_data import impute
from models.study.options import StudyOptions
from models.study.rows import Row
from models.study.selected_model import COX_OS, LOGIT_ASL, SelectedModel, select_model
from models.study.selection_stability import tell_selection_stability
from models.survival.competing_risks import estimate_cumulative_incidence
from models.survival.kaplan_meier import estimate_kaplan_meier
from tests.benchmarks.coverage import OF_ASL, simulate_cohort
from transforms.clinical import derive_cohort, derive_count_course, derive_monthly_counts
from transforms.errors import NotEstimableError

LEAST = 91.0
N_OF_STUDY = 98
OPTIONS = StudyOptions()


@dataclass(frozen=True)
class Quantity:
    """What is estimated twice, and the two ways: the naive one and the guarded one."""

    name: str
    naive: str
    guarded: str


@dataclass(frozen=True)
class Judged:
    """An estimate in one cohort: None where it does not exist, `is_covered` None where it has no interval."""

    seed: int
    quantity: str
    way: str
    is_guarded: bool
    truth: float | None
    value: float | None
    is_covered: bool | None


NOT_ESTIMATED = Estimate(None)


def judge(
    quantity: Quantity, seed: int, *, truth: float | None, naive: Estimate, guarded: Estimate
) -> Iterator[Judged]:
    for way, found, is_guarded in ((quantity.naive, naive, False), (quantity.guarded, guarded, True)):
        yield Judged(seed, quantity.name, way, is_guarded, truth, found.value, covers(found, truth))


def covers(found: Estimate, truth: float | None) -> bool | None:
    """Whether the interval holds the truth; a limit that the data do not reach is infinitely far."""
    if truth is None or (found.ci_low is None and found.ci_high is None):
        return None
    return (found.ci_low is None or found.ci_low <= truth) and (
        found.ci_high is None or truth <= found.ci_high
    )


def estimate(compute: Callable[[], Estimate]) -> Estimate:
    try:
        return compute()
    except NotEstimableError:
        return NOT_ESTIMATED


def log_of(ratio: Estimate) -> Estimate:
    return Estimate(*(None if part is None else log(part) for part in astuple(ratio)))


def told(rows: list[Row], *topic: str) -> dict[str, float | None]:
    """The night's statistics of one topic: group, variable, level."""
    return {row.statistic: row.value for row in rows if (row.group, row.variable, row.level) == topic}


def told_log_ratio(rows: list[Row], *topic: str, ratio: str = "hr") -> Estimate:
    values = told(rows, *topic)
    return log_of(Estimate(values[ratio], values["ci_low"], values["ci_high"]))


# Immortal time


def palliative_cohort(n: int, seed: int, truth: ImmortalTimeTruth = IMMORTAL_TIME_TRUTH) -> pl.DataFrame:
    """A cohort as the night derives it, from rows as they were drawn."""
    drawn = simulate_palliative(n, seed=seed, truth=truth)
    course = derive_count_course(drawn.counts, drawn.patients)
    return derive_cohort(
        drawn.patients,
        course,
        derive_monthly_counts(course),
        cytokines=drawn.cytokines,
        follow_up=drawn.follow_up,
    )


# The estimates judged take nothing from the elimination, so that no time goes into one.
ASL_ALONE = replace(COX_OS, candidates=(variables.ASL,))


ASL_RATIO = Quantity("ASL, log hazard ratio", "from the start", "time-dependent")
RECOVERY_RATIOS = (
    Quantity("recovery, log hazard ratio (month-2 count known)", "from the start", "landmark at 2 months"),
    Quantity("recovery, the same (early deaths: not recovered)", "from the start", "landmark at 2 months"),
)


def judge_immortal_time(seed: int, n: int) -> Iterator[Judged]:
    known = palliative_cohort(n, seed)
    # Who classes every patient takes those who died before a count of month 2 as not recovered.
    has_recovered = pl.when("has_asl").then(pl.col("has_recovered").fill_null(value=False))
    told_of = [
        partial(
            told_log_ratio, estimate_immortal_time(cohort, select_model(cohort, ASL_ALONE, OPTIONS), OPTIONS)
        )
        for cohort in (known, known.with_columns(has_recovered=has_recovered))
    ]
    naive, guarded = (told_of[0](group, "asl", "univariate") for group in ("naive", "time_dependent"))
    yield from judge(ASL_RATIO, seed, truth=IMMORTAL_TIME_TRUTH.asl, naive=naive, guarded=guarded)
    for quantity, told_ratio in zip(RECOVERY_RATIOS, told_of, strict=True):
        naive, guarded = (told_ratio(group, "recovered", "univariate") for group in ("naive", "landmark_2m"))
        yield from judge(quantity, seed, truth=0.0, naive=naive, guarded=guarded)


# Selection

# The mean of the optimism over cohorts does not depend on how many resamples each has.
FEW_RESAMPLES = replace(OPTIONS, resamples=40)


@cache
def new_patients() -> pl.DataFrame:
    return simulate_cohort(20_000, seed=1_000_000)


def true_discrimination(selected: SelectedModel) -> Estimate:
    """What the selected model reaches in patients it has never seen."""
    regression, patients = selected.regression, new_patients()
    candidates = variables.with_ordinal_stage(regression.candidates)
    covariates = variables.derive_variables(patients, candidates).select(selected.retained)
    weights = np.array([one.estimate for one in selected.require_fit().coefficients])
    discrimination = discrimination_of(regression, patients.select(regression.outcome))
    return Estimate(discrimination(covariates.to_numpy() @ weights, np.arange(patients.height)))


SELECTED = (
    (Quantity("selected model of ASL, AUC", "apparent", "less optimism"), LOGIT_ASL),
    (Quantity("selected model of death, concordance", "apparent", "less optimism"), COX_OS),
)


def judge_selection(seed: int, n: int) -> Iterator[Judged]:
    """As many patients as the study has, whatever `n`: the fewer, the more a selection flatters itself."""
    cohort = simulate_cohort(min(n, N_OF_STUDY), seed)
    for quantity, regression in SELECTED:
        rows = tell_selection_stability(select_model(cohort, regression, FEW_RESAMPLES), FEW_RESAMPLES)
        found = told(rows, regression.analysis, "model", "")
        truth = estimate(partial(true_discrimination, select_model(cohort, regression, OPTIONS))).value
        naive, guarded = (Estimate(found[name]) for name in ("apparent", "corrected"))
        yield from judge(quantity, seed, truth=truth, naive=naive, guarded=guarded)


# Separation

N_EXPOSED, TRUE_LOG_ODDS, N_WITH_RARE = 5, log(6.0), 100


def draw_rare(seed: int) -> tuple[pl.DataFrame, Flags]:
    """100 patients of whom 5 are exposed; half or so have the outcome."""
    rng = np.random.default_rng((seed, 4))
    exposed, age = np.arange(N_WITH_RARE) < N_EXPOSED, rng.standard_normal(N_WITH_RARE)
    odds = np.exp(-0.4 + TRUE_LOG_ODDS * exposed + 0.5 * age)
    has_outcome: Flags = rng.random(N_WITH_RARE) < odds / (1 + odds)
    return pl.DataFrame({"exposed": exposed, "age": age}).cast(pl.Float64), has_outcome


RARE_RATIO = Quantity("rare exposure, log odds ratio", "maximum likelihood", "Firth")


def judge_separation(seed: int, _n: int) -> Iterator[Judged]:
    covariates, outcome = draw_rare(seed)
    naive, guarded = (
        estimate(lambda fit=fit: log_of(fit(covariates, outcome).coefficients[0].ratio))
        for fit in (fit_logistic, fit_firth_logistic)
    )
    yield from judge(RARE_RATIO, seed, truth=TRUE_LOG_ODDS, naive=naive, guarded=guarded)


# Missing data

# Four variables of known log odds, none of them removed.
KNOWN_ASL = replace(LOGIT_ASL, candidates=OF_ASL)
KEEP_ALL = replace(OPTIONS, removal_p=1.0)


def lose_il7(cohort: pl.DataFrame, seed: int) -> pl.DataFrame:
    """Lose IL-7 of 7 in 10 who came lymphopenic and had ASL, of 1 in 10 others: at random given both."""
    chance = np.where((cohort["has_asl"] & cohort["has_baseline_lymphopenia"]).to_numpy(), 0.7, 0.1)
    is_lost = pl.Series(np.random.default_rng((seed, 5)).random(cohort.height) < chance)
    return cohort.with_columns(pre_rt_il7_pg_ml=pl.when(~is_lost).then("pre_rt_il7_pg_ml"))


ODDS_RATIOS = {
    "baseline_lymphopenia": "baseline lymphopenia, log odds ratio of ASL",
    "pre_rt_il7_per_pg_ml": "IL-7 (partly lost), log odds ratio of ASL",
}


def judge_missing_data(seed: int, n: int) -> Iterator[Judged]:
    cohort = lose_il7(simulate_cohort(n, seed), seed)
    complete = select_model(cohort, KNOWN_ASL, KEEP_ALL)
    rows = impute(cohort, select_model(cohort, KNOWN_ASL, KEEP_ALL), KEEP_ALL)

    def complete_case(word: str) -> Estimate:
        return log_of(next(one.ratio for one in complete.require_fit().coefficients if one.name == word))

    for word, name in ODDS_RATIOS.items():
        yield from judge(
            Quantity(name, "complete cases", "multiple imputation"),
            seed,
            truth=asdict(TRUTH.asl)[word],
            naive=estimate(partial(complete_case, word)),
            guarded=told_log_ratio(rows, "logit_asl", word, "multivariate", ratio="or"),
        )


# Competing risks

AT_MONTHS = 24.0
NO_EFFECT = ImmortalTimeTruth(asl=0.0)


def true_incidence(truth: ImmortalTimeTruth, months: float) -> float:
    """Progression by then, death taking patients before: closed, since ASL changes nothing here."""
    incidence, alive = 0.0, 1.0
    for start, end, death in (
        (0.0, min(months, truth.early_months), truth.early_hazard),
        (truth.early_months, months, truth.later_hazard),
    ):
        either = death + truth.progression_hazard
        left = alive * np.exp(-either * max(end - start, 0.0))
        incidence += (alive - left) * truth.progression_hazard / either
        alive = left
    return incidence


INCIDENCE = Quantity("progressed by 24 months, share", "1 less Kaplan-Meier", "Aalen-Johansen")


def judge_competing_risks(seed: int, n: int) -> Iterator[Judged]:
    cohort = palliative_cohort(n, seed, NO_EFFECT)
    months, has_progressed = cohort["pfs_months"].to_numpy(), cohort["has_progressed"].to_numpy()
    has_died_first = cohort["has_progressed_or_died"].to_numpy() & ~has_progressed

    def one_minus_kaplan_meier() -> Estimate:
        survival = estimate_kaplan_meier(months, has_progressed).survival_at(AT_MONTHS)
        parts = (survival.value, survival.ci_high, survival.ci_low)
        return Estimate(*(None if part is None else 1 - part for part in parts))

    def aalen_johansen() -> Estimate:
        status = has_progressed + 2 * has_died_first
        curves = estimate_cumulative_incidence(months, status, causes=("progression", "death"))
        return curves.incidence_at(AT_MONTHS, "progression")

    naive, guarded = estimate(one_minus_kaplan_meier), estimate(aalen_johansen)
    truth = true_incidence(NO_EFFECT, AT_MONTHS)
    yield from judge(INCIDENCE, seed, truth=truth, naive=naive, guarded=guarded)


GUARDS = {
    "immortal-time": judge_immortal_time,
    "selection": judge_selection,
    "separation": judge_separation,
    "missing-data": judge_missing_data,
    "competing-risks": judge_competing_risks,
}


# The table


def summarise(judged: pl.DataFrame) -> pl.DataFrame:
    """A row for each quantity and way: mean with its Monte-Carlo error, coverage in percent with its own.

    The truth is that of the cohorts that have an estimate: a selected model's own differs between cohorts.
    """
    value, share, n = pl.col("value"), pl.col("is_covered").mean(), pl.col("is_covered").count()
    return judged.group_by("quantity", "way", "is_guarded", maintain_order=True).agg(
        truth=pl.col("truth").filter(value.is_not_null()).mean(),
        n_cohorts=pl.len(),
        n_estimated=value.count(),
        mean=value.mean(),
        mean_error=value.std() / value.count().sqrt(),
        coverage=100 * share,
        coverage_error=100 * (share * (1 - share) / n).sqrt(),
    )


def told_mean(row: dict[str, Any]) -> str:
    if row["mean"] is None:
        return f"{row['way']}: none"
    lacking = row["n_cohorts"] - row["n_estimated"]
    note = f" (none in {lacking} of {row['n_cohorts']})" if lacking else ""
    return f"{row['way']}: {row['mean']:.3f} ± {row['mean_error']:.3f}{note}"


def told_coverage(row: dict[str, Any]) -> str:
    return "-" if row["coverage"] is None else f"{row['coverage']:.1f} ± {row['coverage_error']:.1f}"


def as_markdown(table: pl.DataFrame) -> str:
    lines = [
        "| quantity | truth | naive, mean | covers, % | guarded, mean | covers, % |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for (quantity,), pair in table.group_by("quantity", maintain_order=True):
        naive, guarded = pair.sort("is_guarded").rows(named=True)
        cells = (told_mean(naive), told_coverage(naive), told_mean(guarded), told_coverage(guarded))
        truth = "-" if guarded["truth"] is None else f"{guarded['truth']:.3f}"
        lines.append(f"| {quantity} | {truth} | {' | '.join(cells)} |")
    return "\n".join(lines)


def is_honest(table: pl.DataFrame) -> bool:
    """Whether the guarded intervals cover the truth as often as they say, as far as chance lets one see."""
    guarded = table.filter("is_guarded").drop_nulls("coverage")
    return bool((guarded["coverage"] + 2 * guarded["coverage_error"] >= LEAST).all())


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.guards", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=200, metavar="N", help="cohorts (default: 200)")
    parser.add_argument("--patients", type=int, default=300, metavar="N", help="of each (default: 300)")
    parser.add_argument(
        "--first-seed", type=int, default=1, metavar="K", help="seeds K, K + 1... (default: 1)"
    )
    parser.add_argument(
        "--guards", nargs="+", choices=list(GUARDS), default=list(GUARDS), help="default: all"
    )
    options = parser.parse_args()
    judged: list[Judged] = []
    for guard in options.guards:
        for seed in range(options.first_seed, options.first_seed + options.cohorts):
            judged += GUARDS[guard](seed, options.patients)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{guard}: seed {seed}  ")
    table = summarise(pl.DataFrame(judged))
    sys.stdout.write(as_markdown(table) + "\n")
    return 0 if is_honest(table) else 1


if __name__ == "__main__":
    sys.exit(main())
