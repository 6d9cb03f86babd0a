"""Laboratory results of any source to lymphocyte counts, to what counts are derived from, and to withdrawals.

Here: which test a result is, its value in cells/uL or percent, what a limit is good for. Not here: any
source's form (`transforms.counts.fhir`, `.omop`, `transforms.landed_csv`). Called by `flows` after each
reader.
"""

from dataclasses import dataclass

import polars as pl

from transforms.counts.codes import KIND_OF_CODE, LYMPHOCYTE_CODES, LYMPHOCYTE_PERCENT, LYMPHOCYTES
from transforms.counts.laboratory_results import WITHDRAWN
from transforms.counts.units import CELLS, PERCENT, in_unit
from transforms.line_rules import LineRule, sift_lines
from transforms.schemas.counts import COUNT_PARTS, COUNTS, LABORATORY_RESULTS, WITHDRAWN_RESULTS
from transforms.schemas.table import Table

# Below the first and above the second every definition knows the class of a count, and a limit is as good as
# a number: 200 cells/uL bounds grade 4 and acute severe lymphopenia, 1,000 is the usual lower limit of
# normal.
LOWEST_CUT_OFF_CELLS_PER_UL = 200.0
HIGHEST_CUT_OFF_CELLS_PER_UL = 1000.0
# The resolution that values are kept in.
_NEXT = 1e-6

_CORRECT = "Correct it at the source and send it again"

ANOTHER_TEST = "result_is_a_lymphocyte_count"
_IS_OURS = LineRule(
    column="code",
    rule=ANOTHER_TEST,
    holds=pl.col("kind").is_not_null(),
    found="another test",
    expected=f"a lymphocyte count: LOINC {', '.join(LYMPHOCYTE_CODES)}; or leukocytes and lymphocyte percent",
    remedy="Nothing to do where the source sends other tests as well: they are not read",
)
_COUNT_HAS_A_KNOWN_UNIT = LineRule(
    column="unit",
    rule="unit_is_known",
    holds=pl.col("cells_per_ul").is_not_null() | pl.col("unit").is_null() | pl.col("value").is_null(),
    found="a unit that is not known here",
    expected="a count per volume: cells/uL, 10*3/uL, 10*9/L or a common spelling of these",
    remedy=_CORRECT,
)
_LIMIT_TELLS_THE_CLASS = LineRule(
    column="value",
    rule="limit_tells_the_class_of_the_count",
    holds=pl.col("comparator").is_null()
    | pl.when(pl.col("comparator").is_in(["<", "<="]))
    .then(pl.col("tlc_cells_per_ul") < LOWEST_CUT_OFF_CELLS_PER_UL)
    .otherwise(
        (pl.col("tlc_cells_per_ul") > HIGHEST_CUT_OFF_CELLS_PER_UL)
        & (pl.col("tlc_cells_per_ul") >= pl.col("lower_limit_cells_per_ul").fill_null(0))
    ),
    found="only a limit, on both sides of which there are grades",
    expected="a number, a limit that the count lies below up to 200 cells/uL, or above from 1,000 on",
    remedy="Ask the laboratory for the number",
)
_PART_HAS_A_VALUE = LineRule(
    column="value",
    rule="value_is_present",
    holds=pl.col("value").is_not_null(),
    found="no value",
    expected="a number",
    remedy=_CORRECT,
)
_PART_HAS_A_KNOWN_UNIT = LineRule(
    column="unit",
    rule="unit_is_known",
    holds=pl.col("amount").is_not_null() | pl.col("value").is_null(),
    found="no unit, or one that is not known here",
    expected="leukocytes as a count per volume, lymphocytes in %",
    remedy=_CORRECT,
)
_PART_IS_A_NUMBER = LineRule(
    column="value",
    rule="part_of_a_count_is_a_number",
    holds=pl.col("comparator").is_null(),
    found="only a limit",
    expected="a number: counts are not derived from limits",
    remedy="Ask the laboratory for the number",
)
_PERCENT_IS_ONE = LineRule(
    column="value",
    rule="lymphocyte_percent_is_0_to_100",
    holds=pl.col("amount").is_between(0, 100)
    | (pl.col("part") != LYMPHOCYTE_PERCENT)
    | pl.col("amount").is_null(),
    found="a percentage below 0 or above 100",
    expected="lymphocytes in percent of leukocytes, 0 to 100",
    remedy=_CORRECT,
)
_RULES_OF_COUNTS = (_COUNT_HAS_A_KNOWN_UNIT, _LIMIT_TELLS_THE_CLASS)
_RULES_OF_PARTS = (_PART_HAS_A_VALUE, _PART_HAS_A_KNOWN_UNIT, _PART_IS_A_NUMBER, _PERCENT_IS_ONE)


@dataclass(frozen=True)
class TidyResults:
    """Results sorted out, each line in one of four frames, of which three have a table's columns and `line`.

    `counts` is of the table COUNTS, `parts` of COUNT_PARTS, both with the laboratory's `result_id` and
    `known_at` beside them; `withdrawn` is of WITHDRAWN_RESULTS; `rejected` is a frame of `FINDING_SCHEMA`, a
    row for each broken rule.
    """

    counts: pl.DataFrame
    parts: pl.DataFrame
    withdrawn: pl.DataFrame
    rejected: pl.DataFrame


def tidy_results(rows: pl.DataFrame) -> TidyResults:
    """Sort rows of `LABORATORY_RESULTS` into counts in cells/uL, parts, withdrawals and findings.

    A count without its value or unit, or a row without a code, is left to the rules on required columns.
    """
    named = rows.with_columns(kind=_kind())
    ours, others = sift_lines(named, [_IS_OURS])
    given, withdrawn = _measured(ours.filter(~_IS_WITHDRAWN)), ours.filter(_IS_WITHDRAWN)
    is_count = pl.col("kind") == LYMPHOCYTES
    counts, no_counts = sift_lines(given.filter(is_count), _RULES_OF_COUNTS)
    parts, no_parts = sift_lines(given.filter(~is_count), _RULES_OF_PARTS)
    return TidyResults(
        counts=_as_rows_of(COUNTS, counts, "result_id", "known_at"),
        parts=_as_rows_of(COUNT_PARTS, parts, "result_id", "known_at"),
        withdrawn=_as_rows_of(WITHDRAWN_RESULTS, withdrawn),
        rejected=pl.concat([others, no_counts, no_parts]).sort("line", maintain_order=True),
    )


def from_landed_csv(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of the design's counts CSV as `LABORATORY_RESULTS`: final results that have no name.

    rows: the landed columns of counts, `collected_on` and `line`.
    """
    told = {"status": "final"}
    missing = [name for name in LABORATORY_RESULTS if name not in rows.columns]
    return rows.with_columns(
        pl.lit(told.get(name), LABORATORY_RESULTS[name]).alias(name) for name in missing
    ).select(LABORATORY_RESULTS.names())


_IS_WITHDRAWN = pl.col("status").eq_missing(WITHDRAWN)


def _kind() -> pl.Expr:
    code = pl.col("code")
    known = code.replace_strict(KIND_OF_CODE, default=None, return_dtype=pl.String)
    return pl.when(code.is_null()).then(pl.lit(LYMPHOCYTES)).otherwise(known)


def _measured(ours: pl.DataFrame) -> pl.DataFrame:
    """Add the value in cells/uL and in percent, the lower limit of normal, method and part."""
    ours = ours.with_columns(limit_unit=pl.coalesce("lower_limit_unit", "unit"))
    amount = pl.when(pl.col("kind") == LYMPHOCYTE_PERCENT).then("percent").otherwise("cells_per_ul")
    return ours.with_columns(
        in_unit("value", ours["unit"], CELLS).alias("cells_per_ul"),
        in_unit("value", ours["unit"], PERCENT).alias("percent"),
        in_unit("lower_limit", ours["limit_unit"], CELLS).alias("lower_limit_cells_per_ul"),
        # It is one of the others, nobody says which: the least of them, which any other corrects.
        pl.col("status").replace("unknown", "preliminary").fill_null("final"),
        pl.lit("measured").alias("method"),
        pl.col("kind").alias("part"),
    ).with_columns(amount.alias("amount"), _beside_the_cut_off().alias("tlc_cells_per_ul"))


def _beside_the_cut_off() -> pl.Expr:
    """Return the count; a count that lies below 200, or above 1,000, is on its own side of the cut-off."""
    cells, comparator = pl.col("cells_per_ul"), pl.col("comparator")
    return (
        pl.when((comparator == "<") & (cells == LOWEST_CUT_OFF_CELLS_PER_UL))
        .then(cells - _NEXT)
        .when((comparator == ">") & (cells == HIGHEST_CUT_OFF_CELLS_PER_UL))
        .then(cells + _NEXT)
        .otherwise(cells)
    )


def _as_rows_of(table: Table, rows: pl.DataFrame, *beside: str) -> pl.DataFrame:
    return rows.select(*table.column_names, *beside, "line").cast(table.polars_schema)
