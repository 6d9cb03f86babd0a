"""Survival by ASL and by recovery: Kaplan-Meier rates and medians, log-rank tests, length of follow-up.

Here: section 3 of the study's results, with the curves for its figures. Not here: the estimators
(`models.survival`), Cox regression (`models.study.regression`). Called by `models.study.analyses`.
"""

from dataclasses import dataclass
from functools import partial

import polars as pl

from models.comparisons import describe
from models.study.rows import DESCRIPTION, Finding, Row, Topic, found_description, tell, tell_failure
from models.study.tables import DESCRIBED_AS, values_of
from models.survival.kaplan_meier import KaplanMeier, estimate_kaplan_meier
from models.survival.log_rank import compare_log_rank
from transforms.errors import NotEstimableError

RATE_MONTHS = 24.0
AT_RISK_EVERY_MONTHS = 6


@dataclass(frozen=True)
class Endpoint:
    """A time to event: its word in the study, its columns in the cohort, what it means."""

    word: str
    months: str
    happened: str
    meaning: str


OS = Endpoint("os", "os_months", "has_died", "Overall survival from the start of RT")
PFS = Endpoint(
    "pfs", "pfs_months", "has_progressed_or_died", "Progression-free survival from the start of RT"
)

_ASL, _RECOVERED = pl.col("has_asl"), pl.col("has_recovered")
GROUPS = {
    "all": pl.lit(True),
    "asl": _ASL,
    "no_asl": ~_ASL,
    "asl_recovered": _ASL & _RECOVERED,
    "asl_not_recovered": _ASL & ~_RECOVERED,
}
CURVES = (
    *((OS, group) for group in GROUPS),
    *((PFS, group) for group in ("all", "asl", "no_asl")),
)
CONTRASTS = (
    (OS, "asl_vs_no_asl", ("asl", "no_asl")),
    (OS, "recovered_vs_not_recovered", ("asl_recovered", "asl_not_recovered")),
    (OS, "recovered_vs_no_asl", ("asl_recovered", "no_asl")),
    (PFS, "asl_vs_no_asl", ("asl", "no_asl")),
)

CURVE_STATISTICS = (
    "n",
    "events",
    "rate_24m",
    "rate_24m_ci_low",
    "rate_24m_ci_high",
    "n_at_risk_24m",
    "median_months",
    "median_months_ci_low",
    "median_months_ci_high",
)
LOG_RANK_STATISTICS = ("p", "chi_square", "degrees_of_freedom")
REVERSED_STATISTICS = (
    "reverse_km_median_months",
    "reverse_km_median_months_ci_low",
    "reverse_km_median_months_ci_high",
)

KM_METHOD = (
    "Kaplan-Meier, log-log 95 % intervals; median is the first time at or below one half, "
    "and where the curve lies on one half the middle of that stretch"
)
# ASL arises during RT and recovery is seen at 2 months, yet survival counts from the first day: said with
# every such number, because whoever reads it alone would take it for an effect.
IMMORTAL_TIME = "the groups form after time 0, so immortal time favours those who had to live to be classed"
CURVES_SCHEMA = pl.Schema(
    {
        "analysis": pl.String(),
        "group": pl.String(),
        "time_months": pl.Float64(),
        "survival_percent": pl.Float64(),
        "ci_low_percent": pl.Float64(),
        "ci_high_percent": pl.Float64(),
        "n_at_risk": pl.Int64(),
        "n_events": pl.Int64(),
        "n_censored": pl.Int64(),
    }
)
AT_RISK_SCHEMA = pl.Schema(
    {"analysis": pl.String(), "group": pl.String(), "month": pl.Int64(), "n_at_risk": pl.Int64()}
)


@dataclass(frozen=True)
class SurvivalStudy:
    """The rows of survival, and for the figures the curves and the numbers at risk every 6 months."""

    rows: list[Row]
    curves: pl.DataFrame
    numbers_at_risk: pl.DataFrame


def estimate_survival(cohort: pl.DataFrame) -> SurvivalStudy:
    """Estimate every curve and test of the study; a group without patients has rows with the reason."""
    rows: list[Row] = []
    curves, at_risk = [CURVES_SCHEMA.to_frame()], [AT_RISK_SCHEMA.to_frame()]
    for endpoint, group in CURVES:
        topic = Topic(f"km_{endpoint.word}", group, endpoint.word)
        try:
            curve = _estimate_curve(cohort, endpoint, group)
        except NotEstimableError as reason:
            rows += tell_failure(topic, CURVE_STATISTICS, reason)
            continue
        rows += tell(topic, CURVE_STATISTICS, partial(_found_curve, curve, endpoint, group))
        curves.append(_curve_frame(curve, topic))
        at_risk.append(_at_risk_frame(curve, topic))
    for endpoint, contrast, groups in CONTRASTS:
        rows += _test_contrast(cohort, endpoint, contrast=contrast, groups=groups)
    return SurvivalStudy(rows, pl.concat(curves), pl.concat(at_risk))


def _followed(cohort: pl.DataFrame, endpoint: Endpoint, group: str) -> pl.DataFrame:
    """The group's months and events, those without either left out."""
    members = cohort.filter(GROUPS[group])
    return members.select(months=endpoint.months, happened=endpoint.happened).drop_nulls()


def _estimate_curve(cohort: pl.DataFrame, endpoint: Endpoint, group: str) -> KaplanMeier:
    followed = _followed(cohort, endpoint, group)
    return estimate_kaplan_meier(followed["months"].to_numpy(), followed["happened"].to_numpy())


def _found_curve(curve: KaplanMeier, endpoint: Endpoint, group: str) -> Finding:
    rate, median = curve.survival_at(RATE_MONTHS).scaled(100), curve.median
    numbers = {
        "n": curve.n,
        "events": curve.events,
        "rate_24m": rate.value,
        "rate_24m_ci_low": rate.ci_low,
        "rate_24m_ci_high": rate.ci_high,
        "n_at_risk_24m": curve.n_at_risk_at(RATE_MONTHS),
        "median_months": median.value,
        "median_months_ci_low": median.ci_low,
        "median_months_ci_high": median.ci_high,
    }
    definition = f"{endpoint.meaning}; {KM_METHOD}" + ("" if group == "all" else f"; {IMMORTAL_TIME}")
    return Finding(numbers, definition, n=curve.n, events=curve.events, reasons=_curve_reasons())


def _curve_reasons() -> dict[str, str]:
    no_rate = "follow-up ends before 24 months"
    no_rate_limit = "no limit where follow-up has ended, nobody or everybody has had the event"
    no_median = "not reached, the curve stays above one half"
    return {
        "rate_24m": no_rate,
        **dict.fromkeys(("rate_24m_ci_low", "rate_24m_ci_high"), no_rate_limit),
        "median_months": no_median,
        **dict.fromkeys(
            ("median_months_ci_low", "median_months_ci_high"), "not reached by the curve's limit"
        ),
    }


def _curve_frame(curve: KaplanMeier, topic: Topic) -> pl.DataFrame:
    return curve.points.select(
        analysis=pl.lit(topic.analysis),
        group=pl.lit(topic.group),
        time_months="time",
        survival_percent=pl.col("survival") * 100,
        ci_low_percent=pl.col("ci_low") * 100,
        ci_high_percent=pl.col("ci_high") * 100,
        n_at_risk="n_at_risk",
        n_events="n_events",
        n_censored="n_censored",
    )


def _at_risk_frame(curve: KaplanMeier, topic: Topic) -> pl.DataFrame:
    months = range(0, int(curve.points["time"][-1]) + 1, AT_RISK_EVERY_MONTHS)
    rows = [(topic.analysis, topic.group, month, curve.n_at_risk_at(month)) for month in months]
    return pl.DataFrame(rows, schema=AT_RISK_SCHEMA, orient="row")


def _test_contrast(
    cohort: pl.DataFrame, endpoint: Endpoint, *, contrast: str, groups: tuple[str, str]
) -> list[Row]:
    members = [_followed(cohort, endpoint, group).with_columns(group=pl.lit(group)) for group in groups]
    topic = Topic(f"logrank_{endpoint.word}", contrast, endpoint.word)
    return tell(topic, LOG_RANK_STATISTICS, lambda: _found_log_rank(pl.concat(members), endpoint))


def _found_log_rank(followed: pl.DataFrame, endpoint: Endpoint) -> Finding:
    test = compare_log_rank(followed["months"].to_numpy(), followed["happened"].to_numpy(), followed["group"])
    numbers = {
        "p": test.p,
        "chi_square": test.chi_square,
        "degrees_of_freedom": float(test.degrees_of_freedom),
    }
    definition = f"Log-rank test, two-sided; {endpoint.meaning}; {IMMORTAL_TIME}"
    return Finding(numbers, definition, n=test.n, events=test.events)


def describe_follow_up(cohort: pl.DataFrame) -> list[Row]:
    """Return how long patients were followed: plainly, as the study does, and by reverse Kaplan-Meier."""
    topic = Topic("follow_up", "all", "follow_up_months")
    months = values_of(cohort, OS.months)
    plainly = f"Months from the start of RT to death or last contact. {DESCRIBED_AS}"
    rows = tell(topic, DESCRIPTION, lambda: found_description(describe(months), plainly))
    return rows + tell(topic, REVERSED_STATISTICS, lambda: _found_reversed(cohort))


def _found_reversed(cohort: pl.DataFrame) -> Finding:
    followed = _followed(cohort, OS, "all")
    curve = estimate_kaplan_meier(followed["months"].to_numpy(), ~followed["happened"].to_numpy())
    parts = (curve.median.value, curve.median.ci_low, curve.median.ci_high)
    numbers = dict(zip(REVERSED_STATISTICS, parts, strict=True))
    definition = f"Reverse Kaplan-Meier (deaths count as censored; Schemper and Smith 1996), {KM_METHOD}"
    reasons = dict.fromkeys(REVERSED_STATISTICS, "not reached, most patients have died")
    return Finding(numbers, definition, n=curve.n, events=curve.events, reasons=reasons)
