"""The raw export of a REDCap project: flat CSV, one row a record, event and instance, codes not labels.

Here: its columns as text by line, and the names REDCap gives to columns. Not here: what they mean for us
(`transforms.redcap.cells`). Called by `transforms.redcap.rows`.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.findings import Finding, UnreadableFileError, findings_frame
from transforms.redcap.delimited import Delimited, split_delimited

EVENT = "redcap_event_name"
REPEAT_INSTRUMENT = "redcap_repeat_instrument"
_ONE_VALUE_A_ROW = {"record", "field_name", "value"}


@dataclass(frozen=True)
class Export:
    """An export: the names of its columns, its records, and notes for people."""

    text: Delimited

    @property
    def header(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return self.text.header

    @property
    def rejected(self) -> pl.DataFrame:
        """Findings (schema `FINDING_SCHEMA`) on records that have more or fewer fields than the header."""
        return findings_frame(
            Finding(
                rule="row_has_every_field",
                found=f"{len(fields)} fields",
                expected=f"{len(self.header)} fields, as many as the header has",
                remedy="The row is cut short or has a delimiter too many: export the project again",
                line=line,
            )
            for line, fields in self.text.ragged
        )

    def columns(self, names: Iterable[str]) -> pl.DataFrame:
        """Return `line` and the named columns as text, empty cells null, each named by `cell_name`."""
        wanted = list(dict.fromkeys(names))
        series = [
            pl.Series(
                cell_name(name), [fields[place] or None for _, fields in self.text.records], dtype=pl.String
            )
            for name, place in ((name, self.header.index(name)) for name in wanted)
        ]
        lines = pl.Series("line", [line for line, _ in self.text.records], dtype=pl.Int64)
        return pl.DataFrame([lines, *series])


def parse_export(data: bytes) -> Export:
    """Return the raw export of a project. Raises `UnreadableFileError` where no record can be trusted."""
    text = split_delimited(data, name="the export")
    if _ONE_VALUE_A_ROW.issubset(text.header):
        raise UnreadableFileError(
            Finding(
                rule="export_is_flat",
                found="an export of one value a row (EAV)",
                expected="a flat export: a column for each field",
                remedy="Export the records with the type flat",
                line=1,
            )
        )
    return Export(text)


def cell_name(column: str) -> str:
    """Return the name that a column of the export has among ours, so that none is taken for one of ours."""
    return f"export.{column}"


def checkbox_column(field: str, code: str, header: Sequence[str]) -> str | None:
    """Return the column of a checkbox's choice, None where the export has none.

    REDCap writes codes in lower case, a minus sign as an underscore; a full stop became one only later, and
    was left out before.
    """
    lower = code.casefold().replace("-", "_")
    spellings = (re.sub(r"[^a-z0-9_]", "", text) for text in (lower.replace(".", "_"), lower))
    return next((name for text in spellings if (name := f"{field}___{text}") in header), None)


def completion_column(form: str) -> str:
    """Return the column that says whether a form is complete: 0 incomplete, 1 unverified, 2 complete."""
    return f"{form}_complete"
