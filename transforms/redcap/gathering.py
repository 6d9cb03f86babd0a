"""One row a record from several lines of an export: what they agree on, and where they do not.

Here: the gathering alone. Not here: which lines and cells (`transforms.redcap.rows`, which calls it).
"""

from collections.abc import Iterable, Mapping

import polars as pl

from transforms.findings import FINDING_SCHEMA
from transforms.schemas import Column

RECORD_FINDINGS = pl.Schema({"record": pl.String(), **FINDING_SCHEMA})


def row_lines(lines: pl.DataFrame) -> pl.DataFrame:
    """Return the first line of each record, from (`record`, `line`)."""
    return lines.group_by("record", maintain_order=True).agg(pl.col("line").min())


def gather_records(
    rows: pl.DataFrame, columns: Iterable[Column], *, takes: Mapping[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return one row a record, and findings on records whose lines differ (schema `RECORD_FINDINGS`).

    rows: `record`, `line` and the columns. takes: 'earliest' or 'latest' for days that may differ. A record
    with a finding has a row too, which nobody should use.
    """
    columns = list(columns)
    groups = rows.sort("line", maintain_order=True).group_by("record", maintain_order=True)
    gathered = groups.agg(_value(column.name, takes.get(column.name)) for column in columns)
    at_odds = [_at_odds(rows, column.name) for column in columns if column.name not in takes]
    return gathered, pl.concat([pl.DataFrame(schema=RECORD_FINDINGS), *at_odds])


def _value(name: str, take: str | None) -> pl.Expr:
    given = pl.col(name).drop_nulls()
    match take:
        case "earliest":
            return given.min()
        case "latest":
            return given.max()
        case _:
            return given.first()


def _at_odds(rows: pl.DataFrame, name: str) -> pl.DataFrame:
    lines = pl.col("line").unique().sort()
    by_record = (
        rows.filter(pl.col(name).is_not_null())
        .group_by("record", maintain_order=True)
        .agg(n=pl.col(name).n_unique(), line=lines.first(), on=lines.cast(pl.String).str.join(", "))
        .filter(pl.col("n") > 1)
    )
    return by_record.select(
        "record",
        "line",
        pl.lit(name).alias("column"),
        pl.lit("record_has_one_value").alias("rule"),
        pl.format("{} different values in one record, on lines {}", "n", "on").alias("found"),
        pl.lit("one value, or the same on every line").alias("expected"),
        pl.lit(
            "Correct the record, or say in the mapping which event counts (events), or which day (take)"
        ).alias("remedy"),
    ).match_to_schema(RECORD_FINDINGS)
