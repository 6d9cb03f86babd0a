"""What a table is: its columns with type, unit and meaning, and its key.

Here: the shape alone. Not here: any table (its siblings). Called by them.
"""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Column:
    """A column: its name carries the unit; `allowed` lists the words of a categorical column.

    A derived column is the platform's own: no landing file carries it.
    """

    name: str
    dtype: pl.DataType
    meaning: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    is_derived: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its columns in order and the key that names one row."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def landed_columns(self) -> tuple[Column, ...]:
        """The columns that a landing file carries."""
        return tuple(column for column in self.columns if not column.is_derived)

    @property
    def polars_schema(self) -> pl.Schema:
        """Names and polars types, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def column(self, name: str) -> Column:
        """Return the column of that name; `KeyError` where there is none."""
        return {column.name: column for column in self.columns}[name]


def text(name: str, meaning: str, *, required: bool = False, allowed: tuple[str, ...] = ()) -> Column:
    """Make a column of text; `allowed` lists its words."""
    return Column(name, pl.String(), meaning, required, allowed)


def number(name: str, meaning: str, *, required: bool = False) -> Column:
    """Make a column of numbers."""
    return Column(name, pl.Float64(), meaning, required)


def integer(name: str, meaning: str, *, required: bool = False) -> Column:
    """Make a column of whole numbers."""
    return Column(name, pl.Int64(), meaning, required)


def flag(name: str, meaning: str) -> Column:
    """Make a column of true and false."""
    return Column(name, pl.Boolean(), meaning)


def day(name: str, meaning: str, *, required: bool = False) -> Column:
    """Make a column of days."""
    return Column(name, pl.Date(), meaning, required)
