"""A landed CSV file from bytes to typed rows, each row accounted for.

Here: encoding, records, header, types. Not here: what values mean (`expectations.rules`) and counts' units
(`transforms.counts.units`). Nothing is sniffed: the table says the columns and types. Called by the loaders.
"""

import csv
import io
import re
from codecs import BOM_UTF8
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

import polars as pl

from transforms.findings import (
    FINDING_SCHEMA,
    Finding,
    UnreadableFileError,
    findings_frame,
)
from transforms.moments import in_calendar, parse_moment
from transforms.schemas import Column, Table

_NUMBER = r"^[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?$"
_INTEGER = r"^[+-]?\d+(\.0*)?$"
_ISO_DATE = r"^\d{4}-\d{2}-\d{2}$"
# A quotation mark opens a field only where the field starts; elsewhere it is a letter like any other.
_QUOTED_FIELD = re.compile(rb'(\A|[,\r\n])"([^"]*+(?:""[^"]*+)*+)"')
_BLANK = " \t\r\n"
_KINDS = {
    pl.Float64: ("a number", "value_is_a_number", "not a number"),
    pl.Int64: ("a whole number", "value_is_a_whole_number", "not a whole number"),
    pl.Date: ("an ISO date, YYYY-MM-DD", "value_is_a_date", "no such date"),
    pl.Datetime: (
        "an ISO date or date-time, YYYY-MM-DD or YYYY-MM-DDTHH:MM:SS",
        "value_is_a_date_time",
        "no such date or time",
    ),
}


@dataclass(frozen=True)
class ParsedFile:
    """What became of a file: every record is in `rows` or has a line in `rejected`.

    `rows` has the table's landed columns and `line`; `rejected` is a frame of `FINDING_SCHEMA`, a row for
    each broken cell; `rows_in` counts the records; `notes` are for people and lose nothing.
    """

    rows: pl.DataFrame
    rejected: pl.DataFrame
    rows_in: int
    notes: tuple[str, ...] = ()


def parse_landed_csv(data: bytes, table: Table) -> ParsedFile:
    """Parse a landed CSV file into typed rows of `table`.

    Records with a missing field or a cell that is not of its column's type are rejected, each with its
    line. Raises `UnreadableFileError` where no record can be trusted: empty, not UTF-8, columns missing.
    """
    text = _decode(data)
    records = _records(text)
    header = _header(records, table)
    whole, ragged = _split_ragged(records, n_fields=len(header))
    raw = _raw_frame(whole, header, table)
    rows, mistyped = type_rows(raw, table)
    return ParsedFile(
        rows=rows,
        rejected=pl.concat([findings_frame(ragged), mistyped]),
        rows_in=len(whole) + len(ragged),
        notes=_notes(data, header, table),
    )


def count_records(data: bytes) -> int:
    """Count the records below the header from the bytes alone, independently of the parser."""
    on_one_line = _QUOTED_FIELD.sub(_without_line_ends, data.removeprefix(BOM_UTF8))
    n_records = sum(bool(line.strip(b" \t")) for line in on_one_line.splitlines())
    return max(n_records - 1, 0)


def _without_line_ends(quoted: re.Match[bytes]) -> bytes:
    return quoted[1] + (b"x" if quoted[2].strip(_BLANK.encode()) else b"")


def _decode(data: bytes) -> str:
    body = data.removeprefix(BOM_UTF8)
    if not body.strip():
        raise UnreadableFileError(
            Finding(
                rule="file_is_not_empty",
                found="the file is empty",
                expected="a header line and rows",
                remedy="Export the file again, or remove it",
            )
        )
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise UnreadableFileError(_not_utf_8(body, error.start)) from error
    if "\0" in text:
        raise UnreadableFileError(_not_utf_8(body, body.index(b"\0")))
    return text


def _not_utf_8(body: bytes, place: int) -> Finding:
    line = len((body[:place] + b".").splitlines())
    return Finding(
        rule="file_is_utf_8",
        found=f"bytes on line {line} that are not UTF-8 text",
        expected="a file in UTF-8",
        remedy="Export the file again as UTF-8",
        line=line,
    )


def _records(text: str) -> Iterator[tuple[int, list[str]]]:
    """Yield (line the record starts on, fields), blank lines left out."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line = 1
    try:
        for fields in reader:
            if len(fields) > 1 or any(field.strip(_BLANK) for field in fields):
                yield line, fields
            line = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableFileError(
            Finding(
                rule="file_is_csv",
                found=f"a record from line {line} on that is no CSV (a quotation mark that never closes?)",
                expected="fields separated by commas, quotation marks in pairs",
                remedy="The file may be cut short or damaged: export it again",
                line=line,
            )
        ) from error


def _header(records: Iterator[tuple[int, list[str]]], table: Table) -> list[str]:
    _, fields = next(records, (1, []))
    header = [field.strip() for field in fields]
    expected = [column.name for column in table.landed_columns]
    missing = [name for name in expected if name not in header]
    repeated = sorted(name for name, n in Counter(header).items() if n > 1 and name in expected)
    if missing or repeated:
        raise UnreadableFileError(_header_finding(header, expected, missing or repeated))
    return header


def _header_finding(header: list[str], expected: list[str], wrong: list[str]) -> Finding:
    known = [name for name in header if name in expected]
    unknown = [str(place) for place, name in enumerate(header, start=1) if name not in expected]
    repeated = [name for name in wrong if name in known]
    if repeated:
        found = f"the column {', '.join(repeated)} stands more than once"
    elif len(header) == 1 and ";" in header[0]:
        found = "a header separated by semicolons"
    else:
        found = f"no column {', '.join(wrong)}"
        # By place, not by name: where the header is missing, these are a patient's values.
        found += f"; column {', '.join(unknown)} of the header is not known here" if unknown else ""
    return Finding(
        rule="file_has_every_column",
        found=found,
        expected=f"a header line with {', '.join(expected)}, separated by commas",
        remedy="Name the columns as expected and send the file again",
        line=1,
    )


def _split_ragged(
    records: Iterator[tuple[int, list[str]]], n_fields: int
) -> tuple[list[tuple[int, list[str]]], list[Finding]]:
    whole: list[tuple[int, list[str]]] = []
    ragged: list[Finding] = []
    for line, fields in records:
        if len(fields) == n_fields:
            whole.append((line, fields))
        else:
            ragged.append(
                Finding(
                    rule="row_has_every_field",
                    found=f"{len(fields)} fields",
                    expected=f"{n_fields} fields, as many as the header has",
                    remedy="The row is cut short or has a comma too many: correct it and send the file again",
                    line=line,
                )
            )
    return whole, ragged


def _raw_frame(whole: list[tuple[int, list[str]]], header: list[str], table: Table) -> pl.DataFrame:
    """Return the landed columns as stripped text, empty cells as null, and `line`."""
    lines = pl.Series("line", [line for line, _ in whole], dtype=pl.Int64)
    columns = list(zip(*(fields for _, fields in whole), strict=True)) or [()] * len(header)
    texts = [
        pl.Series(column.name, columns[header.index(column.name)], dtype=pl.String)
        for column in table.landed_columns
    ]
    stripped = pl.all().str.strip_chars()
    return (
        pl.DataFrame(texts)
        .select(pl.when(stripped.str.len_bytes() > 0).then(stripped).name.keep())
        .with_columns(lines)
    )


def type_rows(raw: pl.DataFrame, table: Table) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows whose cells are all of their column's type, and findings on the others.

    raw: the table's landed columns as text, and `line`.
    """
    typed = raw.with_columns(_cast(column).alias(column.name) for column in table.landed_columns)
    broken = {
        column.name: raw[column.name].is_not_null() & typed[column.name].is_null()
        for column in table.landed_columns
    }
    findings = [
        _mistyped(raw.filter(is_broken)["line"], table.column(name))
        for name, is_broken in broken.items()
        if is_broken.any()
    ]
    rejected = pl.concat([pl.DataFrame(schema=FINDING_SCHEMA), *findings])
    is_whole = ~pl.any_horizontal(list(broken.values()))
    return typed.with_columns(_days_as_written(raw, table)).filter(is_whole), rejected


def _days_as_written(raw: pl.DataFrame, table: Table) -> list[pl.Series]:
    """Return `..._on` for each `..._at`: the day as the file writes it, which is the hospital's own."""
    return [
        raw[column.name].str.head(10).str.to_date("%Y-%m-%d", strict=False).alias(column.name[:-3] + "_on")
        for column in table.landed_columns
        if isinstance(column.dtype, pl.Datetime)
    ]


def _cast(column: Column) -> pl.Expr:
    text = pl.col(column.name)
    match column.dtype:
        case pl.Float64():
            number = pl.when(text.str.contains(_NUMBER)).then(text).cast(pl.Float64, strict=False)
            return pl.when(number.is_finite()).then(number)
        case pl.Int64():
            whole = pl.when(text.str.contains(_INTEGER)).then(text.str.replace(r"\.0*$", ""))
            return whole.cast(pl.Int64, strict=False)
        case pl.Date():
            day = pl.when(text.str.contains(_ISO_DATE)).then(text).str.to_date("%Y-%m-%d", strict=False)
            return in_calendar(day)
        case pl.Datetime():
            return parse_moment(text)
        case _:
            return text


def _mistyped(lines: pl.Series, column: Column) -> pl.DataFrame:
    expected, rule, found = _KINDS[type(column.dtype)]
    return lines.to_frame().select(
        "line",
        pl.lit(column.name).alias("column"),
        pl.lit(rule).alias("rule"),
        pl.lit(found).alias("found"),
        pl.lit(expected).alias("expected"),
        pl.lit("Correct the cell and send the file again").alias("remedy"),
    )


def _notes(data: bytes, header: list[str], table: Table) -> tuple[str, ...]:
    expected = {column.name for column in table.landed_columns}
    n_unread = sum(name not in expected for name in header)
    unread = (f"{n_unread} columns of the file are not read: only the {len(expected)} of {table.name} are",)
    unended = ("the last line has no line end: check that the file is not cut short",)
    return (unread if n_unread else ()) + (() if data.endswith((b"\n", b"\r")) else unended)
