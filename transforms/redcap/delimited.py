"""From the bytes of a delimited file to its header and records, whatever program saved it last.

Here: encoding, delimiter, quoted line ends, records of another length. Not here: what a column means. Called
by `transforms.redcap.export` and `transforms.redcap.dictionary`.
"""

import csv
import io
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from dataclasses import dataclass

from transforms.findings import Finding, UnreadableFileError

_DELIMITER_NAMES = {",": "commas", ";": "semicolons", "\t": "tabs"}
# The delimiter is what stands after the first name of the header.
_FIRST_NAME = re.compile(r'\s*(?:"(?:[^"]|"")*"|[^",;\t\r\n]*) *([,;\t])')


@dataclass(frozen=True)
class Delimited:
    """A delimited file: its header, the whole records and the ragged ones, each with the line it starts on.

    `ragged` holds (line, fields) of the records with another number of fields than the header.
    """

    header: tuple[str, ...]
    records: tuple[tuple[int, list[str]], ...]
    ragged: tuple[tuple[int, list[str]], ...]
    notes: tuple[str, ...]


def split_delimited(data: bytes, *, name: str) -> Delimited:
    """Return the header and records of a file that `name` names in messages ('the export').

    The delimiter is the comma, semicolon or tab after the first name of the header; the text is UTF-8, or
    else Latin-1. Cells are stripped, blank lines left out. Raises `UnreadableFileError` where there is
    nothing to read.
    """
    text, is_utf_8 = _decode(data, name)
    records = list(_records(text, _delimiter(text, name), name))
    header = tuple(records[0][1])
    return Delimited(
        header=header,
        records=tuple(record for record in records[1:] if len(record[1]) == len(header)),
        ragged=tuple(record for record in records[1:] if len(record[1]) != len(header)),
        notes=_notes(text, name, is_utf_8=is_utf_8),
    )


def _decode(data: bytes, name: str) -> tuple[str, bool]:
    body = data.removeprefix(BOM_UTF8)
    if not body.strip():
        raise UnreadableFileError(
            Finding(
                rule="file_is_not_empty",
                found=f"{name} is empty",
                expected="a header line and rows",
                remedy="Export it again",
            )
        )
    if b"\0" in body:
        raise UnreadableFileError(
            Finding(
                rule="file_is_text",
                found=f"bytes in {name} that are no text (a spreadsheet, or UTF-16?)",
                expected="a CSV file in UTF-8 or Latin-1",
                remedy="Export it again as CSV",
            )
        )
    try:
        return body.decode(), True
    except UnicodeDecodeError:
        return body.decode("latin-1"), False


def _delimiter(text: str, name: str) -> str:
    first = _FIRST_NAME.match(text)
    if first is None:
        raise UnreadableFileError(
            Finding(
                rule="file_has_a_delimiter",
                found=f"a first line of {name} without {', '.join(_DELIMITER_NAMES.values())}",
                expected="a header of several names, separated by one of these",
                remedy="Export it again as CSV",
                line=1,
            )
        )
    return first[1]


def _records(text: str, delimiter: str, name: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    line = 1
    try:
        for fields in reader:
            stripped = [field.strip() for field in fields]
            if any(stripped):
                yield line, stripped
            line = reader.line_num + 1
    except csv.Error as error:
        raise UnreadableFileError(
            Finding(
                rule="file_is_csv",
                found=f"a record of {name} from line {line} on that is no CSV (a quotation mark that never "
                "closes?)",
                expected=f"fields separated by {_DELIMITER_NAMES[delimiter]}, quotation marks in pairs",
                remedy="It may be cut short or damaged: export it again",
                line=line,
            )
        ) from error


def _notes(text: str, name: str, *, is_utf_8: bool) -> tuple[str, ...]:
    latin = f"{name} is not UTF-8 and was read as Latin-1: check letters with accents"
    unended = f"the last line of {name} has no line end: check that it is not cut short"
    return (() if is_utf_8 else (latin,)) + (() if text.endswith(("\n", "\r")) else (unended,))
