"""Laboratory results as a source writes them, whatever the test, to typed rows.

Here: their texts, their moments, what became of a file. Not here: any source's own form
(`transforms.counts.fhir`, `transforms.counts.omop`, which call it), units and codes
(`transforms.counts.results`).
"""

from dataclasses import dataclass

import polars as pl

from transforms.findings import FINDING_SCHEMA
from transforms.moments import to_days, to_moments
from transforms.schemas.counts import LABORATORY_RESULTS

WITHDRAWN = "entered-in-error"

# LABORATORY_RESULTS with its moments still as text: `collected` and `known`.
RESULT_TEXTS = pl.Schema(
    {
        "line": pl.Int64(),
        "site": pl.String(),
        "patient_id": pl.String(),
        "result_id": pl.String(),
        "status": pl.String(),
        "collected": pl.String(),
        "known": pl.String(),
        "code": pl.String(),
        "value": pl.Float64(),
        "comparator": pl.String(),
        "unit": pl.String(),
        "lower_limit": pl.Float64(),
        "lower_limit_unit": pl.String(),
    }
)


@dataclass(frozen=True)
class ParsedResults:
    """What became of a file: each record's line is in `rows`, in `rejected`, or counted in `n_other`.

    `rows` is a frame of `LABORATORY_RESULTS`, any test among them; `rejected` of `FINDING_SCHEMA`;
    `n_records` counts records, `n_other` those that are no results at all (a Patient, a panel's heading).
    `n_lines` counts lines, blank ones too, where FHIR comes in lines: the next part starts so many lines on.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame
    n_records: int
    n_other: int = 0
    n_lines: int = 0


def typed_results(texts: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split results of `RESULT_TEXTS` into rows of `LABORATORY_RESULTS` and findings on their moments.

    A result that was withdrawn needs no moment; a moment given out that is none is taken as not told. Where
    `texts` has a column `day`, that is the day of the draw; else it is the day as `collected` has it.
    """
    typed = texts.with_columns(
        to_moments(texts["collected"]).alias("collected_at"),
        _days(texts).alias("collected_on"),
        to_moments(texts["known"]).alias("known_at"),
    )
    is_undated = pl.col("collected_at").is_null() & pl.col("status").ne_missing(WITHDRAWN)
    undated = typed.filter(is_undated)
    dated = typed.filter(~is_undated) if undated.height else typed
    return dated.select(LABORATORY_RESULTS.names()), _undated(undated)


def _days(texts: pl.DataFrame) -> pl.Series:
    return texts["day"] if "day" in texts.columns else to_days(texts["collected"])


def _undated(texts: pl.DataFrame) -> pl.DataFrame:
    collected = pl.col("collected")
    return texts.select(
        "line",
        column=pl.lit("collected_at"),
        rule=pl.lit("value_is_a_date_time"),
        found=pl.when(collected.is_null())
        .then(pl.lit("no date of the draw"))
        .when(collected.str.contains(r"^[0-9]{4}(-[0-9]{2})?$"))
        .then(pl.lit("a date without its day"))
        .otherwise(pl.lit("no such date or time")),
        expected=pl.lit("the day of the draw, or the day and time, as ISO 8601"),
        remedy=pl.lit("Correct it at the source and send it again"),
    ).match_to_schema(FINDING_SCHEMA)
