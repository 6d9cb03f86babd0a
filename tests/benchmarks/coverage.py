"""How often 95 % intervals cover the truth: simulated cohorts, the platform's definitions and regressions.

Run by `make bench`, or `python -m tests.benchmarks.coverage --cohorts 200`: prints a markdown table. It ends
with 1 where the coverage of all coefficients together is out of bounds, or that of one by more than two
Monte-Carlo errors. Pytest does not collect it. IL-7 is as drawn, not read from plates.
"""

import argparse
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

import polars as pl

from models import variables
from models.estimate import Z_95, Coefficient
from models.regression import fit_logistic
from models.simulation.cohort import simulate_patients
from models.simulation.truth import TRUTH
from models.survival.cox import fit_cox
from models.variables import Variable, derive_variables
from transforms.clinical import derive_cohort, derive_count_course, derive_monthly_counts
from transforms.errors import NotEstimableError

LEAST, MOST = 91.0, 98.0
Fit = Callable[[pl.DataFrame, pl.DataFrame], tuple[Coefficient, ...]]


@dataclass(frozen=True)
class Model:
    """A model of the simulator, its true coefficients by name, and how the platform estimates it."""

    name: str
    truth: dict[str, Any]
    covariates: tuple[Variable, ...]
    fit: Fit


def fit_asl(covariates: pl.DataFrame, cohort: pl.DataFrame) -> tuple[Coefficient, ...]:
    fitted = fit_logistic(covariates, cohort["has_asl"].to_numpy())
    return (fitted.intercept, *fitted.coefficients)


def fit_os(covariates: pl.DataFrame, cohort: pl.DataFrame) -> tuple[Coefficient, ...]:
    return fit_cox(covariates, cohort["os_months"].to_numpy(), cohort["has_died"].to_numpy()).coefficients


def fit_pfs(covariates: pl.DataFrame, cohort: pl.DataFrame) -> tuple[Coefficient, ...]:
    durations, events = cohort["pfs_months"].to_numpy(), cohort["has_progressed_or_died"].to_numpy()
    return fit_cox(covariates, durations, events).coefficients


OF_ASL = (variables.HEPATITIS, variables.BASELINE, variables.PTV, variables.PRE_IL7)
OF_SURVIVAL = (variables.CIRRHOSIS, variables.CHILD_PUGH_B, variables.UICC_ORDINAL, variables.ASL)
MODELS = (
    Model("ASL, logistic", asdict(TRUTH.asl), OF_ASL, fit_asl),
    Model("overall survival, Cox", asdict(TRUTH.overall_survival), OF_SURVIVAL, fit_os),
    Model("progression-free survival, Cox", asdict(TRUTH.progression_free_survival), OF_SURVIVAL, fit_pfs),
)


def simulate_cohort(n_patients: int, seed: int) -> pl.DataFrame:
    """A cohort as the night derives it, from rows as they were drawn."""
    drawn = next(simulate_patients(n_patients, seed=seed, n_sites=1))
    course = derive_count_course(drawn.counts, drawn.patients)
    return derive_cohort(
        drawn.patients,
        course,
        derive_monthly_counts(course),
        cytokines=drawn.cytokines,
        follow_up=drawn.follow_up,
    )


def judge(cohort: pl.DataFrame, seed: int) -> Iterator[dict[str, Any]]:
    """A row for each coefficient that could be estimated."""
    for model in MODELS:
        try:
            coefficients = model.fit(derive_variables(cohort, model.covariates), cohort)
        except NotEstimableError:
            continue
        for one in coefficients:
            error = one.estimate - model.truth[one.name]
            yield {
                "seed": seed,
                "model": model.name,
                "coefficient": one.name,
                "truth": float(model.truth[one.name]),
                "estimate": one.estimate,
                "is_covered": abs(error) <= Z_95 * one.standard_error,
            }


def coverage(judged: pl.DataFrame) -> pl.DataFrame:
    """Coverage in percent with its binomial Monte-Carlo error, a row for each coefficient."""
    share = pl.col("is_covered").mean()
    return judged.group_by("model", "coefficient", maintain_order=True).agg(
        pl.col("truth").first(),
        mean_estimate=pl.col("estimate").mean(),
        n=pl.len(),
        coverage=100 * share,
        error=100 * (share * (1 - share) / pl.len()).sqrt(),
    )


def pooled(judged: pl.DataFrame) -> tuple[float, float]:
    """Coverage of all in percent, and its error, which counts cohorts: coefficients of one go together."""
    of_cohorts = judged.group_by("seed").agg(
        n_covered=pl.col("is_covered").sum().cast(pl.Float64), n=pl.len().cast(pl.Float64)
    )
    n_covered, n = of_cohorts["n_covered"], of_cohorts["n"]
    share = n_covered.sum() / n.sum()
    residual = n_covered - share * n
    return 100 * share, 100 * float((residual**2).sum()) ** 0.5 / n.sum()


def as_markdown(table: pl.DataFrame, judged: pl.DataFrame) -> str:
    lines = [
        "| model | coefficient | truth | mean estimate | cohorts | coverage, % | Monte-Carlo error |",
        "| --- | --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for model, coefficient, truth, mean, n, percent, error in table.iter_rows():
        lines.append(
            f"| {model} | {coefficient} | {truth:.3f} | {mean:.3f} | {n} | {percent:.1f} | {error:.1f} |"
        )
    share, error = pooled(judged)
    lines.append(
        f"| all | all {table.height} | | | {judged['seed'].n_unique()} | {share:.1f} | {error:.1f} |"
    )
    return "\n".join(lines)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.coverage", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=200, metavar="N", help="cohorts (default: 200)")
    parser.add_argument("--patients", type=int, default=98, metavar="N", help="of each (default: 98)")
    parser.add_argument(
        "--first-seed", type=int, default=1, metavar="K", help="seeds K, K + 1... (default: 1)"
    )
    options = parser.parse_args()
    rows: list[dict[str, Any]] = []
    for i in range(options.cohorts):
        seed = options.first_seed + i
        rows += judge(simulate_cohort(options.patients, seed), seed)
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{i + 1} of {options.cohorts} cohorts")
    judged = pl.DataFrame(rows)
    table = coverage(judged)
    sys.stdout.write(as_markdown(table, judged) + "\n")
    return 0 if is_honest(table, judged) else 1


def is_honest(table: pl.DataFrame, judged: pl.DataFrame) -> bool:
    """Tell whether the intervals cover the truth as often as they say, as far as chance lets one see."""
    percent, slack = pl.col("coverage"), 2 * pl.col("error")
    each = table.select(((percent + slack >= LEAST) & (percent - slack <= MOST)).all()).item()
    return bool(each) and LEAST <= pooled(judged)[0] <= MOST


if __name__ == "__main__":
    sys.exit(main())
