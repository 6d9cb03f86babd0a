"""What a table of the report is: columns with words, rows of texts, footnotes.

Here: the shape, notes turned into footnotes, a table as CSV. Not here: any table (`flows.report.tables` and
its siblings, which call this), HTML (`flows/report/templates`).
"""

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from string import ascii_lowercase

import polars as pl

from flows.report.numbering import table_file, table_number
from transforms.wording import NOTHING


@dataclass(frozen=True)
class Column:
    """A column of a table: its name in the rows, the words over it and over its group of columns.

    An optional column is left out where no row has anything in it.
    """

    name: str
    words: str
    group: str = ""
    is_text: bool = False
    may_break: bool = False
    is_optional: bool = False


@dataclass(frozen=True)
class Table:
    """A table of the page: rows are texts by column, `marker` a footnote's letter, `is_level` an indent.

    `above` says in a sentence what the table is for, `below` how to read it.
    """

    name: str
    caption: str
    columns: tuple[Column, ...]
    rows: tuple[Mapping[str, object], ...]
    notes: tuple[tuple[str, str], ...] = ()
    below: str = ""
    above: str = ""

    @property
    def title(self) -> str:
        """The caption after the study's own number, where it has one."""
        return ". ".join(words for words in (table_number(self.name), self.caption) if words)

    @property
    def file(self) -> str:
        """The name of its files, without their ending."""
        return table_file(self.name)

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
    name: str,
    rows: pl.DataFrame,
    *,
    caption: str,
    columns: Sequence[Column],
    below: str = "",
    above: str = "",
) -> Table:
    """Give each distinct note of the rows a letter, and its rows the letter as a marker."""
    texts = [str(row.get("note") or "") for row in rows.iter_rows(named=True)]
    notes = {text: _letter(i) for i, text in enumerate(dict.fromkeys(text for text in texts if text))}
    marked = [
        {"is_level": False, **row, "marker": notes.get(text, "")}
        for row, text in zip(rows.iter_rows(named=True), texts, strict=True)
    ]
    shown = tuple(column for column in columns if not column.is_optional or _has_text(rows, column.name))
    letters = tuple((letter, text) for text, letter in notes.items())
    return Table(name, caption, shown, tuple(marked), letters, below, above)


def _has_text(rows: pl.DataFrame, name: str) -> bool:
    return not rows.filter(~pl.col(name).is_in(["", NOTHING])).is_empty()


def csv_of(table: Table, *, stamp: str = "") -> bytes:
    """Return a table as CSV with its words as header; a level stands after what it is a level of.

    The mark at the start tells spreadsheets that the text is UTF-8. A minus is a hyphen, so that numbers are
    read as such. `stamp` stands in every row, so that no row is taken for real patients'.
    """
    written = io.StringIO()
    lines = csv.writer(written, lineterminator="\n")
    notes = dict(table.notes)
    header = [": ".join(words for words in (one.group, one.words) if words) for one in table.columns]
    more = {"Note": bool(notes), "Data": bool(stamp)}
    lines.writerow([*header, *(words for words, is_there in more.items() if is_there)])
    first, heading = table.columns[0].name, ""
    for row in table.rows:
        cells = ["" if row[one.name] is None else str(row[one.name]) for one in table.columns]
        if row["is_level"]:
            cells[0] = f"{heading}: {cells[0]}"
        else:
            heading = str(row[first])
        told = {"Note": notes.get(str(row["marker"]), ""), "Data": stamp}
        cells += [text for words, text in told.items() if more[words]]
        lines.writerow([cell.replace("\N{MINUS SIGN}", "-") for cell in cells])
    return written.getvalue().encode("utf-8-sig")


def _letter(place: int) -> str:
    rounds, letter = divmod(place, len(ascii_lowercase))
    return ascii_lowercase[letter] * (rounds + 1)
