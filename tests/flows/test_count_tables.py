"""The report on counts: weeks seen of weeks due, sites that are not signed off, definitions side by side."""

from datetime import date

import polars as pl

from flows.report.context import CountsReport
from flows.report.count_tables import lay_out_count_tables, tell_silent
from tests.tables import complete, draw
from transforms.counts.completeness import SILENT_SITES
from transforms.definitions import AGREEMENT
from transforms.schemas import SITE_FEED, WEEKLY_COUNTS

WEEKLY = complete(
    draw(
        WEEKLY_COUNTS.polars_schema,
        """
        site | patient_id | rt_week | is_expected | state
        -----+------------+---------+-------------+------------
        a    | 1          | 1       | T           | seen
        a    | 1          | 2       | T           | missing
        a    | 2          | 1       | T           | seen
        a    | 2          | 2       | F           | not yet due
        b    | 1          | 1       | T           | seen
        """,
    ),
    WEEKLY_COUNTS.polars_schema,
)
FEED = complete(
    draw(
        SITE_FEED.polars_schema,
        """
        site | week_start_date | state
        -----+-----------------+-------
        a    | 2026-11-09      | usual
        a    | 2026-11-16      | silent
        b    | 2026-11-16      | usual
        """,
    ),
    SITE_FEED.polars_schema,
)
SILENT = pl.DataFrame([("a", date(2026, 11, 10), 9, 12.4)], schema=SILENT_SITES, orient="row")
AGREE = pl.DataFrame([("x@1", "y@1", 3, 1, 0, 5, 2, None)], schema=AGREEMENT, orient="row")
REPORT = CountsReport(WEEKLY, FEED, SILENT, AGREE)


def rows_of(name: str, report: CountsReport = REPORT) -> list[dict[str, object]]:
    (table,) = [table for table in lay_out_count_tables(report) if table.name == name]
    return [dict(row) for row in table.rows]


def test_a_week_that_is_not_due_is_neither_seen_nor_missing():
    at_a, at_b = rows_of("completeness")
    assert (at_a["due"], at_a["seen"], at_a["missing"]) == ("3", "2 (66.7%)", "1")
    assert (at_b["due"], at_b["seen"], at_b["missing"]) == ("1", "1 (100.0%)", "0")


def test_a_silent_site_is_not_signed_off_and_the_others_are():
    assert [row["signed"] for row in rows_of("completeness")] == ["no", "yes"]
    assert [row["feed"] for row in rows_of("completeness")] == ["silent", "usual"]


def test_a_silent_site_is_told_with_the_day_of_its_last_count():
    (sentence,) = tell_silent(REPORT)
    assert sentence.startswith("a is not signed off: no count has come since 2026-11-10, where 12 ")


def test_nothing_is_told_where_every_feed_sends():
    assert tell_silent(CountsReport(WEEKLY, FEED, SILENT.clear(), AGREE)) == ()


def test_definitions_that_cannot_be_compared_by_chance_have_no_kappa():
    (row,) = rows_of("agreement")
    assert (row["n_both"], row["n_only_first"], row["n_unknown"], row["kappa"]) == ("3", "1", "2", "–")
