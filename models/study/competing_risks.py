"""Progression and recovery where death precludes them: cumulative incidence beside the naive number.

Here: which events compete, in which group, from when. Not here: the estimator
(`models.survival.competing_risks`), survival itself (`models.study.survival`). Called by
`models.study.analyses`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import polars as pl

from models.estimate import Estimate
from models.study.rows import Finding, Row, Topic, tell, tell_failure
from models.study.survival import IMMORTAL_TIME
from models.survival.competing_risks import CumulativeIncidence, estimate_cumulative_incidence
from models.survival.kaplan_meier import estimate_kaplan_meier
from transforms.clinical import DAYS_PER_MONTH
from transforms.errors import NotEstimableError

ANALYSIS = "competing_risks"
METHOD = (
    "Aalen-Johansen cumulative incidence in percent, 95 % interval on the log-log scale by the infinitesimal "
    "jackknife; beside it 1 less Kaplan-Meier with the competing event censored, which takes who had it for "
    "people who still may have this one, and so is too high"
)
INCIDENCE_SCHEMA = pl.Schema(
    {
        "analysis": pl.String(),
        "group": pl.String(),
        "cause": pl.String(),
        "time_months": pl.Float64(),
        "incidence_percent": pl.Float64(),
        "ci_low_percent": pl.Float64(),
        "ci_high_percent": pl.Float64(),
        "n_at_risk": pl.Int64(),
    }
)


@dataclass(frozen=True)
class Competition:
    """Causes that compete, the month at which they are told, and how a cohort becomes months and status.

    `follow`: frame of months and status (0 for nothing yet, else the place of its cause, from 1), no nulls.
    """

    causes: tuple[str, str]
    at_months: int
    meaning: str
    follow: Callable[[pl.DataFrame], pl.DataFrame]

    @property
    def statistics(self) -> tuple[str, ...]:
        """The words of the rows of each cause."""
        incidence = f"incidence_{self.at_months}m"
        naive = f"one_minus_km_{self.at_months}m"
        return ("n", "events", incidence, f"{incidence}_ci_low", f"{incidence}_ci_high", naive)


@dataclass(frozen=True)
class CompetingStudy:
    """The rows, and for the figures the incidences over time (`INCIDENCE_SCHEMA`)."""

    rows: list[Row]
    curves: pl.DataFrame


def _follow_progression(cohort: pl.DataFrame) -> pl.DataFrame:
    status = pl.when("has_progressed").then(1).when("has_progressed_or_died").then(2).otherwise(0)
    return (
        cohort.select("pfs_months", "has_progressed", "has_progressed_or_died")
        .drop_nulls()
        .select(months="pfs_months", status=status.cast(pl.Int64))
    )


def _follow_recovery(cohort: pl.DataFrame) -> pl.DataFrame:
    """A recovery after the last contact stands, as the count shows the patient alive; after a death not."""
    onset, recovery, os = (pl.col(name) for name in ("asl_onset_months", "recovery_months", "os_months"))
    has_recovered = recovery.is_not_null() & (~pl.col("has_died") | (recovery <= os))
    status = pl.when(has_recovered).then(1).when("has_died").then(2).otherwise(0)
    ends = pl.when(has_recovered).then(recovery).otherwise(os)
    # Whole days again, or two differences of the same length may not tie. Last contact may be before onset.
    days = ((ends - onset) * DAYS_PER_MONTH).round().clip(lower_bound=0)
    return cohort.filter(
        pl.all_horizontal(column.is_not_null() for column in (onset, os, pl.col("has_died")))
    ).select(months=days / DAYS_PER_MONTH, status=status.cast(pl.Int64))


PROGRESSION = Competition(
    causes=("progression", "death_before_progression"),
    at_months=24,
    meaning="Progression and death without it, from the start of RT; progression on the day of death counts "
    "as progression",
    follow=_follow_progression,
)
RECOVERY = Competition(
    causes=("recovery", "death_before_recovery"),
    at_months=6,
    meaning="Time runs from the onset of ASL (the first count below 200 cells/uL during RT), where a patient "
    "comes under risk, to the first count above 1,000 cells/uL, or death before it; who has neither is "
    "followed to the last contact. Recovery is dated by the count that shows it",
    follow=_follow_recovery,
)
_ASL = pl.col("has_asl")
GROUPS = {"all": pl.lit(value=True), "asl": _ASL, "no_asl": ~_ASL}
ESTIMATED = (*((PROGRESSION, group) for group in GROUPS), (RECOVERY, "asl"))


def estimate_competing_risks(cohort: pl.DataFrame) -> CompetingStudy:
    """Estimate every incidence; of `schemas.COHORT`. A group without patients has rows with the reason."""
    rows: list[Row] = []
    curves = [INCIDENCE_SCHEMA.to_frame()]
    for competition, group in ESTIMATED:
        topics = [Topic(ANALYSIS, group, cause) for cause in competition.causes]
        followed = competition.follow(cohort.filter(GROUPS[group]))
        try:
            curve = _estimate(followed, competition)
        except NotEstimableError as reason:
            rows += [row for topic in topics for row in tell_failure(topic, competition.statistics, reason)]
            continue
        for topic in topics:
            compute = partial(_found, curve, followed, topic=topic, competition=competition)
            rows += tell(topic, competition.statistics, compute)
        curves.append(_curve_frame(curve, group))
    return CompetingStudy(rows, pl.concat(curves))


def _estimate(followed: pl.DataFrame, competition: Competition) -> CumulativeIncidence:
    months, status = followed["months"].to_numpy(), followed["status"].to_numpy()
    return estimate_cumulative_incidence(months, status, causes=competition.causes)


def _found(
    curve: CumulativeIncidence, followed: pl.DataFrame, *, topic: Topic, competition: Competition
) -> Finding:
    cause, statistics = topic.variable, competition.statistics
    incidence = curve.incidence_at(competition.at_months, cause).scaled(100)
    naive = _naive(followed, cause=competition.causes.index(cause) + 1, at_months=competition.at_months)
    found = (curve.n, curve.events[cause], incidence.value, incidence.ci_low, incidence.ci_high, naive.value)
    # Recovery is counted from the onset of ASL itself, so nobody there had to live to be classed.
    bias = f"; {IMMORTAL_TIME}" if competition is PROGRESSION and topic.group != "all" else ""
    return Finding(
        dict(zip(statistics, found, strict=True)),
        f"{competition.meaning}. {METHOD}{bias}",
        n=curve.n,
        events=curve.events[cause],
        reasons=_reasons(competition),
    )


def _naive(followed: pl.DataFrame, *, cause: int, at_months: int) -> Estimate:
    had_it = (followed["status"] == cause).to_numpy()
    survival = estimate_kaplan_meier(followed["months"].to_numpy(), had_it).survival_at(at_months).value
    return Estimate(None if survival is None else 100 * (1 - survival))


def _reasons(competition: Competition) -> dict[str, str]:
    _, _, incidence, *limits, naive = competition.statistics
    no_value = f"follow-up ends before {competition.at_months} months"
    nobody_left = f"nobody is under risk as late as {competition.at_months} months"
    no_limit = "no limit where follow-up has ended, nobody or everybody has had the event"
    return {incidence: no_value, naive: nobody_left, **dict.fromkeys(limits, no_limit)}


def _curve_frame(curve: CumulativeIncidence, group: str) -> pl.DataFrame:
    return curve.points.select(
        analysis=pl.lit(ANALYSIS),
        group=pl.lit(group),
        cause="cause",
        time_months="time",
        incidence_percent=pl.col("incidence") * 100,
        ci_low_percent=pl.col("ci_low") * 100,
        ci_high_percent=pl.col("ci_high") * 100,
        n_at_risk="n_at_risk",
    )
