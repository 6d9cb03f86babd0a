"""The quarantine as a reader needs it: how many rows of which file broke which rule, and what to do.

Here: counts from `schemas.QUARANTINE`, never a line, a value or an identifier. Not here: what is put there
(`flows.accounts`). Called by the night's flow and by the report.
"""

import polars as pl

SUMMARY_SCHEMA = pl.Schema(
    {
        "source": pl.String(),
        "file": pl.String(),
        "rule": pl.String(),
        "rows": pl.Int64(),
        "expected": pl.String(),
        "remedy": pl.String(),
    }
)


def summarise_quarantine(quarantine: pl.DataFrame) -> pl.DataFrame:
    """Sum up `schemas.QUARANTINE`: source, file, rule, rows (null for a whole file), expected, remedy."""
    n_rows = pl.when(pl.col("line").is_null().any()).then(None).otherwise(pl.col("line").n_unique())
    return (
        quarantine.group_by("source", "file", "rule", maintain_order=True)
        .agg(rows=n_rows.cast(pl.Int64), expected=pl.col("expected").first(), remedy=pl.col("remedy").first())
        .select(SUMMARY_SCHEMA.names())
        .sort("source", "file", "rule")
    )


def count_by_rule(summary: pl.DataFrame) -> pl.DataFrame:
    """Return source, rule, files, rows, expected, remedy: rows that broke a rule, whole files left out."""
    return (
        summary.drop_nulls("rows")
        .group_by("source", "rule")
        .agg(
            files=pl.len(),
            rows=pl.col("rows").sum(),
            expected=pl.col("expected").first(),
            remedy=pl.col("remedy").first(),
        )
        .sort(["rows", "source", "rule"], descending=[True, False, False])
    )


def list_refused_files(summary: pl.DataFrame) -> pl.DataFrame:
    """Return source, file, rule, expected, remedy of the files that were refused as a whole."""
    return summary.filter(pl.col("rows").is_null()).drop("rows").sort("source", "file", "rule")
