"""From the bytes of an xPONENT export to its header records and named sections, whatever saved it last.

Here: encodings, delimiters, quotes, decimal marks, blank and padded lines, the checksum, refusing what is no
export. Not here: what a section means (`transforms.plates.xponent`). Called by `transforms.plates.xponent`,
and by `transforms.plates.wells` for layout files.
"""

import csv
import math
import re
import zlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transforms.findings import Finding, UnreadableFileError

EXPORT_AGAIN = (
    "Export the batch again from xPONENT as CSV, with all sections, and do not save it from another program."
)

_SECTION_MARK = re.compile(r"datatype:?", re.IGNORECASE)
_END_MARK = re.compile(r"-- ?CRC ?--", re.IGNORECASE)
_END_MARK_BYTES = re.compile(rb'^"?-- CRC --', re.MULTILINE)
_CHECKSUM = re.compile(rb"CRC32:\s*\"?([0-9A-Fa-f]{8})\b")
_FIRST_FIELD = re.compile(r'\s*"?Program"?\s*([,;\t])', re.IGNORECASE)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?")
_MISSING = frozenset({"", "nan", "n/a", "na", "***", "-"})
_ZIP, _OLD_OFFICE = b"PK\x03\x04", b"\xd0\xcf\x11\xe0"


class UnreadablePlateError(UnreadableFileError):
    """A file that is no whole xPONENT export; the finding's column is the place in it."""

    def __init__(self, place: str, *, found: str, expected: str, remedy: str = EXPORT_AGAIN) -> None:
        super().__init__(Finding("export_is_whole", found, expected, remedy, column=place))
        self.args = (f"{place}: {self}",)


@dataclass(frozen=True)
class Record:
    """A line of a delimited file: its number from 1 and its fields, stripped, without trailing empty ones."""

    line: int
    fields: tuple[str, ...]


@dataclass(frozen=True)
class Section:
    """A section of an export: the record below its name and the records below that."""

    name: str
    line: int
    header: tuple[str, ...]
    records: tuple[Record, ...]


@dataclass(frozen=True)
class XponentText:
    """An export taken apart: header, sections by name, whether its end is there, its checksum's status."""

    header: tuple[Record, ...]
    sections: dict[str, Section]
    has_end: bool
    checksum: str
    delimiter: str


def take_apart(data: bytes) -> XponentText:
    """Return the header and the sections of an export.

    `checksum` is 'ok', 'fails' or 'absent'; it is computed over the bytes before the line `-- CRC --`.

    Raises:
        UnreadablePlateError: where the bytes are empty or are no xPONENT export.
    """
    text = decode(data)
    delimiter = _delimiter(text)
    records = split_records(text, delimiter)
    header, sections, has_end = _split_sections(records)
    return XponentText(header, sections, has_end, _checksum(data, has_end=has_end), delimiter)


def decode(data: bytes) -> str:
    """Return the text of a delimited file in UTF-8, UTF-16 (both with or without a mark) or latin-1.

    Raises:
        UnreadablePlateError: where there is no text, or the bytes are a spreadsheet.
    """
    if not data.strip():
        raise UnreadablePlateError("whole file", found="an empty file", expected="text")
    if data.startswith((_ZIP, _OLD_OFFICE)):
        raise UnreadablePlateError("whole file", found="a spreadsheet", expected="a CSV file")
    for encoding in _encodings(data):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    return data.decode("latin-1")


def _encodings(data: bytes) -> tuple[str, ...]:
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return ("utf-16",)
    even, odd = data[0:400:2].count(0), data[1:400:2].count(0)
    if max(even, odd) > len(data[:400]) // 5:
        return ("utf-16-be",) if even > odd else ("utf-16-le",)
    return ("utf-8-sig",)


def split_records(text: str, delimiter: str) -> tuple[Record, ...]:
    """Return the lines of a delimited text that hold anything.

    Each line is read by itself, so that a lost quotation mark costs one line and not the rest of the file.

    Raises:
        UnreadablePlateError: where a line cannot be split into fields.
    """
    lines = enumerate(re.split(r"\r\n|\r|\n", text), start=1)
    records = (Record(number, _fields(line, delimiter, number)) for number, line in lines)
    return tuple(record for record in records if record.fields)


def _fields(line: str, delimiter: str, number: int) -> tuple[str, ...]:
    try:
        fields = [field.strip() for field in next(csv.reader([line], delimiter=delimiter), [])]
    except csv.Error as error:
        raise UnreadablePlateError(f"line {number}", found="no delimited text", expected="fields") from error
    while fields and not fields[-1]:
        fields.pop()
    return tuple(fields)


def _delimiter(text: str) -> str:
    start = text.lstrip("\ufeff \r\n\t,;")
    first = _FIRST_FIELD.match(start)
    if first is None or "xponent" not in start.splitlines()[0].casefold():
        raise UnreadablePlateError("first line", found=_what_it_is(start), expected="Program, xPONENT")
    return first.group(1)


def _what_it_is(start: str) -> str:
    if "EventNo" in start[:2000] or start.startswith("Sample ID:"):
        return "a bead-level file of one well"
    if _FIRST_FIELD.match(start):
        return "the export of another program"
    return "no xPONENT header"


def _split_sections(records: Sequence[Record]) -> tuple[tuple[Record, ...], dict[str, Section], bool]:
    ends = [i for i, record in enumerate(records) if _END_MARK.fullmatch(record.fields[0])]
    body = records[: ends[0]] if ends else records
    starts = [i for i, record in enumerate(body) if _SECTION_MARK.fullmatch(record.fields[0])]
    sections: dict[str, Section] = {}
    for start, stop in pairwise([*starts, len(body)]):
        section = _section(body[start], body[start + 1 : stop])
        if section.name in sections:
            raise UnreadablePlateError(
                f"line {section.line}",
                found=f"a second section {section.name}",
                expected="each section once",
                remedy="Put one export in one file. " + EXPORT_AGAIN,
            )
        sections[section.name] = section
    header = tuple(body[: starts[0]] if starts else body)
    return header, sections, bool(ends)


def _section(mark: Record, records: Sequence[Record]) -> Section:
    name = mark.fields[1] if len(mark.fields) > 1 else ""
    header = records[0].fields if records else ()
    return Section(name, mark.line, header, tuple(_whole_location(record) for record in records[1:]))


def _whole_location(record: Record) -> Record:
    # Without quotes the comma in `1(1,A1)` splits the location in two.
    fields = record.fields
    if len(fields) > 1 and re.fullmatch(r"\d+\(\d+", fields[0]) and re.fullmatch(r"\w+\)", fields[1]):
        return Record(record.line, (f"{fields[0]},{fields[1]}", *fields[2:]))
    return record


def _checksum(data: bytes, *, has_end: bool) -> str:
    end = _END_MARK_BYTES.search(data)
    if end is None:
        return "fails" if has_end else "absent"
    printed = _CHECKSUM.search(data, end.start())
    if printed is None:
        return "absent"
    body = data[: end.start()]
    if b"\r\n" not in body:  # a copy that went through a system with other line ends: the content is the same
        body = body.replace(b"\n", b"\r\n")
    return "ok" if zlib.crc32(body) == int(printed.group(1), 16) else "fails"


def find_decimal_mark(cells: Iterable[str], *, delimiter: str) -> str:
    """Return the decimal mark of number cells, '.' or ','.

    Raises:
        UnreadablePlateError: where both are used.
    """
    cells = list(cells)
    has_point = any(_is_decimal(cell, mark=".") for cell in cells)
    has_comma = any(_is_decimal(cell, mark=",") for cell in cells)
    if has_point and has_comma:
        raise UnreadablePlateError(
            "numbers", found="decimal points and decimal commas", expected="one of them"
        )
    if has_point or has_comma:
        return "," if has_comma else "."
    return "," if delimiter == ";" and any("," in cell for cell in cells) else "."


def _is_decimal(cell: str, *, mark: str) -> bool:
    mark = re.escape(mark)
    is_number = re.fullmatch(rf"[-+]?\d*{mark}\d+([eE][-+]?\d+)?", cell)
    in_thousands = re.fullmatch(rf"[-+]?[1-9]\d{{0,2}}({mark}\d{{3}})+", cell)
    return bool(is_number) and not in_thousands


def with_point(cell: str, *, decimal_mark: str) -> str:
    """Return a printed number with a decimal point and without marks between thousands."""
    thousands = "." if decimal_mark == "," else ","
    if re.fullmatch(rf"[<>]?\s*[-+]?[\d{thousands}{decimal_mark}]+([eE][-+]?\d+)?", cell):
        return cell.replace(thousands, "").replace(decimal_mark, ".")
    return cell


def parse_number(cell: str, *, decimal_mark: str) -> float | None:
    """Return the number in a cell; none where it says that there is none (NaN, N/A, empty).

    Raises:
        ValueError: where the cell is no finite number.
    """
    if cell.casefold() in _MISSING:
        return None
    text = with_point(cell, decimal_mark=decimal_mark)
    if not _NUMBER.fullmatch(text) or not math.isfinite(float(text)):
        raise ValueError("no finite number")
    return float(text)
