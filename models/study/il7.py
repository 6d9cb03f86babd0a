"""IL-7 against ASL: levels before, after and their difference, and IL-7 before RT as a test for ASL.

Here: section 4 of the study's results. Not here: Table 4 (`models.study.tables`). Called by
`models.study.analyses`.
"""

from dataclasses import dataclass

import polars as pl

from models.comparisons import Variances, compare_paired
from models.roc import Roc, estimate_roc
from models.study.rows import T_TEST, Finding, Row, Topic, found_t_test, tell, tell_failure
from models.study.tables import compare_values, describe_column, values_of
from models.variables import CYTOKINE
from transforms.errors import NotEstimableError

ASL_GROUPS = {"asl": pl.col("has_asl"), "no_asl": ~pl.col("has_asl")}
ROC_STATISTICS = (
    "youden_cutoff",
    "sensitivity",
    "specificity",
    "youden_index",
    "auc",
    "auc_ci_low",
    "auc_ci_high",
)
PAIRED = "Paired t test, two-sided; difference is after less before RT, 95 % interval"
ROC_MEANING = (
    "IL-7 at or below the cut-off tests positive for ASL; thresholds midway between neighbouring values; "
    "Youden's index is largest at the cut-off (of equals, the lowest); sensitivity and specificity from 0 to "
    "1, of the very patients the cut-off was chosen on; DeLong's 95 % interval of the AUC"
)
ROC_POINTS_SCHEMA = pl.Schema(
    {
        "analysis": pl.String(),
        "variable": pl.String(),
        "threshold": pl.Float64(),
        "sensitivity": pl.Float64(),
        "specificity": pl.Float64(),
    }
)


@dataclass(frozen=True)
class RocStudy:
    """The ROC's rows, and its points for the figure (no rows where it cannot be estimated)."""

    rows: list[Row]
    points: pl.DataFrame


def compare_il7_by_asl(cohort: pl.DataFrame, variances: Variances) -> list[Row]:
    """Return IL-7 before, after and their difference in those with and without ASL, and the t tests."""
    groups = {group: cohort.filter(member) for group, member in ASL_GROUPS.items()}
    rows: list[Row] = []
    for column in CYTOKINE:
        for group, frame in groups.items():
            rows += describe_column(frame, Topic("il7_by_asl", group, column), column)
        first, second = (values_of(frame, column) for frame in groups.values())
        rows += compare_values(
            Topic("il7_by_asl", "asl_vs_no_asl", column), first, second, variances=variances
        )
    return rows


def compare_il7_before_and_after(cohort: pl.DataFrame) -> list[Row]:
    """Return the paired t tests of IL-7 after against before RT, with ASL, without, and in all."""
    rows: list[Row] = []
    for group, member in {"all": pl.lit(True), **ASL_GROUPS}.items():
        pairs = cohort.filter(member).select("post_rt_il7_pg_ml", "pre_rt_il7_pg_ml").drop_nulls()
        rows += _compare_pairs(Topic("il7_paired", group, "pre_vs_post_rt_il7"), pairs)
    return rows


def _compare_pairs(topic: Topic, pairs: pl.DataFrame) -> list[Row]:
    after, before = (pairs[column].to_numpy() for column in pairs.columns)
    return tell(topic, T_TEST, lambda: found_t_test(compare_paired(after, before), PAIRED))


def judge_il7_as_test(cohort: pl.DataFrame) -> RocStudy:
    """Return the ROC of IL-7 before RT for ASL."""
    column = "pre_rt_il7_pg_ml"
    known = cohort.select(column, "has_asl").drop_nulls()
    topic = Topic("roc", "all", column)
    try:
        roc = estimate_roc(known[column].to_numpy(), known["has_asl"].to_numpy(), positive="low")
    except NotEstimableError as failure:
        return RocStudy(tell_failure(topic, ROC_STATISTICS, failure), ROC_POINTS_SCHEMA.to_frame())
    points = roc.points.with_columns(analysis=pl.lit("roc"), variable=pl.lit(column))
    return RocStudy(
        tell(topic, ROC_STATISTICS, lambda: _found_roc(roc)), points.select(ROC_POINTS_SCHEMA.names())
    )


def _found_roc(roc: Roc) -> Finding:
    numbers = {
        "youden_cutoff": roc.cutoff,
        "sensitivity": roc.sensitivity,
        "specificity": roc.specificity,
        "youden_index": roc.sensitivity + roc.specificity - 1,
        "auc": roc.auc.value,
        "auc_ci_low": roc.auc.ci_low,
        "auc_ci_high": roc.auc.ci_high,
    }
    return Finding(numbers, ROC_MEANING, n=roc.n, events=roc.events)
