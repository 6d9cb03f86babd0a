"""Tables drawn as text, for tests that read like a specification.

Here: from a drawing to a typed frame. Not here: what any table means. Called by tests only.

    draw(FOLLOW_UP.polars_schema, '''
        patient_id | last_contact_date | death_date
        -----------+-------------------+-----------
        1          | 2024-05-01        |
    ''', site="A")
"""

from collections.abc import Mapping

import polars as pl

_FLAGS = {"T": True, "F": False}


def draw(schema: Mapping[str, pl.DataType], drawing: str, **same: str) -> pl.DataFrame:
    """Return the drawn columns, typed by `schema`; an empty cell is null, T and F are booleans.

    `same` adds columns that have one value in every row. Raises `ValueError` where a row has another number
    of cells than the header, `KeyError` where a column is not in the schema.
    """
    header, *rows = [_cells(line) for line in drawing.splitlines() if line.strip(" -+|")]
    by_row = [dict(zip(header, row, strict=True)) | same for row in rows]
    names = (*header, *same)
    columns = {name: pl.Series([row[name] or None for row in by_row], dtype=pl.String) for name in names}
    return pl.DataFrame({name: _typed(column, schema[name]) for name, column in columns.items()})


def complete(frame: pl.DataFrame, schema: Mapping[str, pl.DataType]) -> pl.DataFrame:
    """Return the frame with all columns of `schema`; those that were not drawn are empty."""
    return pl.concat([pl.DataFrame(schema=schema), frame], how="diagonal")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.split("|")]


def _typed(texts: pl.Series, dtype: pl.DataType) -> pl.Series:
    if dtype == pl.Date:
        return texts.str.to_date("%Y-%m-%d")
    if dtype == pl.Datetime:
        return texts.str.to_datetime("%Y-%m-%d %H:%M", time_unit="us")
    if dtype == pl.Boolean:
        return texts.replace_strict(_FLAGS, return_dtype=pl.Boolean)
    return texts.cast(dtype)
