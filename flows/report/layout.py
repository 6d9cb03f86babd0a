"""What a table of the report is: columns with words, rows of texts, footnotes.

Here: the shape, and notes turned into footnotes. Not here: any table (`flows.report.tables`,
`flows.report.plate_tables`). Called by them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import polars as pl


@dataclass(frozen=True)
class Column:
    """A column of a table: its name in the rows, the words over it and over its group of columns."""

    name: str
    words: str
    group: str = ""
    is_text: bool = False
    may_break: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the page: rows are texts by column, `marker` a footnote's letter, `is_level` an indent."""

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, object], ...]
    notes: tuple[tuple[str, str], ...] = ()
    below: str = ""

    @property
    def groups(self) -> tuple[tuple[str, int], ...]:
        """Words over groups of columns with the columns each spans, in order; empty words for none."""
        spans: list[tuple[str, int]] = []
        for column in self.columns:
            if spans and column.group and spans[-1][0] == column.group:
                spans[-1] = (column.group, spans[-1][1] + 1)
            else:
                spans.append((column.group, 1))
        return tuple(spans)


def lay_out(
    name: str, rows: pl.DataFrame, *, caption: str, columns: Sequence[Column], below: str = ""
) -> Table:
    """Give each distinct note of the rows a letter, and its rows the letter as a marker."""
    texts = [str(row.get("note") or "") for row in rows.iter_rows(named=True)]
    notes = {text: _letter(i) for i, text in enumerate(dict.fromkeys(text for text in texts if text))}
    marked = [
        {"is_level": False, **row, "marker": notes.get(text, "")}
        for row, text in zip(rows.iter_rows(named=True), texts, strict=True)
    ]
    letters = tuple((letter, text) for text, letter in notes.items())
    return Table(name, caption, tuple(columns), tuple(marked), letters, below)


def _letter(place: int) -> str:
    rounds, letter = divmod(place, len(ascii_lowercase))
    return ascii_lowercase[letter] * (rounds + 1)
