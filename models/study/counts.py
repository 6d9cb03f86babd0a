"""The course of the lymphocyte count: each month's mean, and its paired test against the baseline.

Here: section 2 of the study's results. Not here: how a count is given to a month (`transforms`). Called by
`models.study.analyses`.
"""

import polars as pl

from models.comparisons import adjust_bonferroni, compare_paired
from models.study.rows import T_TEST, Finding, Row, Topic, found_t_test, tell
from models.study.tables import describe_column, values_of
from transforms import schemas
from transforms.errors import NotEstimableError

COLUMN = "tlc_cells_per_ul"
MONTHS = (1, 2, 3, 4, 5, 6)
AGAINST_BASELINE = (
    "Paired t test against month 0 over the patients with both counts; difference is the month less month 0; "
    f"Bonferroni: p times {len(MONTHS)}, at most 1"
)


def follow_counts(monthly_counts: pl.DataFrame) -> list[Row]:
    """Return the rows of the course of counts, months 0 to 6; `monthly_counts` as in `schemas`."""
    by_month = {month: monthly_counts.filter(pl.col("month") == month) for month in (0, *MONTHS)}
    rows: list[Row] = []
    for month, counts in by_month.items():
        rows += _describe_month(month, counts)
    for month in MONTHS:
        rows += _share_of_baseline(month, baseline=by_month[0], counts=by_month[month])
        rows += _compare_with_baseline(month, baseline=by_month[0], counts=by_month[month])
    return rows


def _describe_month(month: int, counts: pl.DataFrame) -> list[Row]:
    described = describe_column(counts, Topic("tlc_trajectory", f"month_{month}", COLUMN), COLUMN)
    return [row for row in described if row.statistic != "n_missing"]


def _share_of_baseline(month: int, *, baseline: pl.DataFrame, counts: pl.DataFrame) -> list[Row]:
    topic = Topic("tlc_trajectory", f"month_{month}", COLUMN)
    return tell(topic, ("percent_of_baseline",), lambda: _found_share(baseline, counts))


def _found_share(baseline: pl.DataFrame, counts: pl.DataFrame) -> Finding:
    before, now = values_of(baseline, COLUMN), values_of(counts, COLUMN)
    if len(before) == 0 or len(now) == 0:
        raise NotEstimableError("no counts at the baseline or in this month")
    percent = 100 * float(now.mean() / before.mean())
    return Finding({"percent_of_baseline": percent}, "This month's mean over month 0's mean", n=len(now))


def _compare_with_baseline(month: int, *, baseline: pl.DataFrame, counts: pl.DataFrame) -> list[Row]:
    pairs = counts.join(baseline, on=schemas.PATIENT_KEY, suffix="_month_0")
    topic = Topic("tlc_trajectory", f"month_{month}_vs_0", COLUMN)
    return tell(topic, ("p_bonferroni", *T_TEST), lambda: _found_comparison(pairs))


def _found_comparison(pairs: pl.DataFrame) -> Finding:
    test = compare_paired(pairs[COLUMN].to_numpy(), pairs[f"{COLUMN}_month_0"].to_numpy())
    found = found_t_test(test, AGAINST_BASELINE)
    numbers = {**found.numbers, "p_bonferroni": adjust_bonferroni(test.p, len(MONTHS))}
    return Finding(numbers, AGAINST_BASELINE, n=found.n)
