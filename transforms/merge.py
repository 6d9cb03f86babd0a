"""What a file's rows change in a table: new, changed, the same, or at odds with one another.

Here: the comparison by key. Not here: the writing (`flows.warehouse`). A changed row replaces the former
one, which is kept as history. Called by `flows.load_tables`, one file after the other in the order they came.
"""

from dataclasses import dataclass

import polars as pl

from transforms.findings import FINDING_SCHEMA
from transforms.schemas import Table


@dataclass(frozen=True)
class Merge:
    """The outcome for one file; every row of the file is in one of `loaded`, `unchanged`, `rejected`.

    `loaded` holds new and changed rows, `replaced` the rows of the table that `loaded` corrects,
    `unchanged` the rows that the table holds already or the file repeats, `rejected` the findings.
    """

    loaded: pl.DataFrame
    replaced: pl.DataFrame
    unchanged: pl.DataFrame
    rejected: pl.DataFrame


def merge_rows(current: pl.DataFrame, incoming: pl.DataFrame, table: Table) -> Merge:
    """Compare the rows of one file with the table as it stands.

    Both frames hold the table's columns; `incoming` has `line` as well, `current` may have more columns.
    Two rows of one file that give one key different contents are rejected both: nobody here knows which is
    right.
    """
    key, names = list(table.key), list(table.column_names)
    is_at_odds = pl.struct(names).n_unique().over(key) > 1
    at_odds = incoming.filter(is_at_odds)
    agreed = incoming.filter(~is_at_odds)
    held = current.select(names).with_columns(is_held=True)
    compared = agreed.join(held, on=names, how="left", nulls_equal=True, maintain_order="left")
    is_new = pl.col("is_held").is_null() & pl.struct(names).is_first_distinct()
    loaded = compared.filter(is_new).drop("is_held")
    unchanged = compared.filter(~is_new).drop("is_held")
    replaced = current.join(loaded.select(key), on=key, how="semi", nulls_equal=True)
    return Merge(loaded=loaded, replaced=replaced, unchanged=unchanged, rejected=_at_odds(at_odds, key))


def _at_odds(rows: pl.DataFrame, key: list[str]) -> pl.DataFrame:
    return rows.select(
        pl.col("line"),
        pl.lit(", ".join(key)).alias("column"),
        pl.lit("rows_of_one_key_agree").alias("rule"),
        pl.lit("another row of this file with the same key and other contents").alias("found"),
        pl.lit(f"one row for each {', '.join(key)}").alias("expected"),
        pl.lit("Keep the right row and send the file again").alias("remedy"),
    ).match_to_schema(FINDING_SCHEMA)
