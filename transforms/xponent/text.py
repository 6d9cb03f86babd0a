"""From the bytes of an xPONENT export to its header records and named sections, whatever saved it last.

Here: encodings, delimiters, quotes, blank and padded lines, the checksum. Not here: numbers, what a section
means (`transforms.xponent.sections`), what other files are (`transforms.xponent.refusals`). Called by
`transforms.xponent.reader`.
"""

import csv
import re
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from transforms.xponent.names import plain_name
from transforms.xponent.refusals import (
    EXPORT_AGAIN,
    UnreadablePlateError,
    name_other_text,
    refuse_other_bytes,
)

_SECTION_MARK = re.compile(r"datatype:?", re.IGNORECASE)
_END_MARK = re.compile(r"-- ?CRC ?--", re.IGNORECASE)
_CHECKSUM_LINE = re.compile(r"CRC32:.*", re.IGNORECASE)
_FIRST_LINE = re.compile(r'[\ufeff\s,;"]*Program"?[ \t]*([,;\t])[^\r\n]*xponent', re.IGNORECASE)
_DELIMITER_LINE = re.compile(r"\ufeff?\"?sep=.\"?[,;\t]*[\r\n]+", re.IGNORECASE)
# What the instrument writes, to the byte: a copy that differs here is another file.
_WRITTEN_END = re.compile(rb"^-- CRC --(\r\n|\n)CRC32: ?([0-9A-F]{8})(?:\1)*\Z", re.MULTILINE)
_TRACE_OF_END = re.compile(rb"CRC32|-- ?CRC ?--", re.IGNORECASE)
_BOM_8, _BOMS_16 = b"\xef\xbb\xbf", (b"\xff\xfe", b"\xfe\xff")


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
    """An export taken apart: header, sections by name, whether its end is there, its checksum's status.

    `sections` are found by the names of `sections`, however the file spaces and capitalises them.
    """

    header: tuple[Record, ...]
    sections: dict[str, Section]
    has_end: bool
    checksum: str
    delimiter: str


def take_apart(data: bytes, *, known_sections: Sequence[str] = ()) -> XponentText:
    """Return the header and the sections of an export.

    `checksum` is 'ok', 'fails' or 'absent'; it is computed over the bytes before the line `-- CRC --`.

    Raises:
        UnreadablePlateError: where the bytes are empty or are no xPONENT export.
    """
    refuse_other_bytes(data)
    text = decode(data)
    named = _DELIMITER_LINE.match(text)
    text = text[named.end() :] if named else text
    delimiter = _delimiter(text)
    records = tuple(split_records(text, delimiter))
    ends = [i for i, record in enumerate(records) if _END_MARK.fullmatch(record.fields[0])]
    if ends:
        _check_end(records[ends[0] + 1 :])
    header, sections = _split_sections(records[: ends[0]] if ends else records, known_sections)
    return XponentText(header, sections, bool(ends), _checksum(data, text), delimiter)


def decode(data: bytes) -> str:
    """Return the text of bytes in UTF-8, UTF-16 (both with or without a mark), Windows-1252 or latin-1.

    Single damaged bytes do not change the encoding of the others: they become replacement characters.
    """
    utf_16 = _utf_16(data)
    if utf_16:
        return data.decode(utf_16, errors="replace").lstrip("\ufeff")
    body = data.removeprefix(_BOM_8)
    text = body.decode("utf-8", errors="replace")
    n_damaged = text.count("\ufffd") - body.count("\ufffd".encode())
    n_sound = len(re.findall(r"[^\x00-\x7f\ufffd]", text))
    if not n_damaged or n_sound > n_damaged:
        return text
    try:
        return body.decode("cp1252")
    except UnicodeDecodeError:
        return body.decode("latin-1")


def _utf_16(data: bytes) -> str | None:
    if data.startswith(_BOMS_16):
        return "utf-16-le" if data.startswith(_BOMS_16[0]) else "utf-16-be"
    even, odd = data[0:400:2].count(0), data[1:400:2].count(0)
    if max(even, odd) > len(data[:400]) // 5:
        return "utf-16-be" if even > odd else "utf-16-le"
    return None


def split_records(text: str, delimiter: str) -> Iterator[Record]:
    """Yield the lines of a delimited text that hold anything.

    Each line is read by itself, so that a lost quotation mark costs one line and not the rest of the file.

    Raises:
        UnreadablePlateError: where a line cannot be split into fields.
    """
    for number, line in enumerate(re.split(r"\r\n|\r|\n", text), start=1):
        fields = [field.strip() for field in _split(line, delimiter, number)]
        while fields and not fields[-1]:
            fields.pop()
        if fields:
            yield Record(number, tuple(fields))


def _split(line: str, delimiter: str, number: int) -> list[str]:
    if '"' not in line:
        return line.split(delimiter)
    # Ten times as fast as csv, for lines as the instrument writes them.
    fields = line[1:-1].split(f'"{delimiter}"')
    if line[0] == line[-1] == '"' and line.count('"') == 2 * len(fields):
        return fields
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error as error:
        raise UnreadablePlateError(f"line {number}", found="no delimited text", expected="fields") from error


def _delimiter(text: str) -> str:
    first = _FIRST_LINE.match(text)
    if first is not None:
        return first.group(1)
    if re.search(r'^"?datatype:?"?[,;\t]"?median\b', text, re.IGNORECASE | re.MULTILINE) and not re.match(
        r'\W*program"?[ \t]*[,;\t]"?\w', text, re.IGNORECASE
    ):
        raise UnreadablePlateError("first line", found="no xPONENT header", expected="Program, xPONENT")
    raise name_other_text(text)


def _check_end(after: Sequence[Record]) -> None:
    more = [record for record in after if not _CHECKSUM_LINE.fullmatch(record.fields[0])]
    if more:
        raise UnreadablePlateError(
            f"line {more[0].line}",
            found="text after the end of an export",
            expected="one export in one file",
            remedy="Put each export in a file of its own. " + EXPORT_AGAIN,
        )


def _split_sections(
    body: Sequence[Record], known_sections: Sequence[str]
) -> tuple[tuple[Record, ...], dict[str, Section]]:
    known = {plain_name(name): name for name in known_sections}
    starts = [i for i, record in enumerate(body) if _SECTION_MARK.fullmatch(record.fields[0])]
    sections: dict[str, Section] = {}
    for start, stop in pairwise([*starts, len(body)]):
        printed = body[start].fields[1] if len(body[start].fields) > 1 else ""
        name = known.get(plain_name(printed), printed)
        if name in sections:
            raise UnreadablePlateError(
                f"line {body[start].line}",
                found=f"a second section {name}",
                expected="each section once",
                remedy="Put one export in one file. " + EXPORT_AGAIN,
            )
        sections[name] = _section(name, body[start].line, body[start + 1 : stop])
    return tuple(body[: starts[0]] if starts else body), sections


def _section(name: str, line: int, records: Sequence[Record]) -> Section:
    header = records[0].fields if records else ()
    return Section(name, line, header, tuple(_whole_location(record) for record in records[1:]))


def _whole_location(record: Record) -> Record:
    # Without quotes the comma in `1(1,A1)` splits the location in two.
    fields = record.fields
    if (
        len(fields) > 1
        and fields[1].endswith(")")
        and re.fullmatch(r"\d+\s*\(\s*\d+", fields[0])
        and re.fullmatch(r"\w+\)", fields[1])
    ):
        return Record(record.line, (f"{fields[0]},{fields[1]}", *fields[2:]))
    return record


def _checksum(data: bytes, text: str) -> str:
    data = data.removeprefix(_BOM_8)
    if _utf_16(data):
        data = text.encode("utf-8", errors="replace")
    end = _WRITTEN_END.search(data)
    if end is None:
        return "fails" if _TRACE_OF_END.search(data) else "absent"
    body = data[: end.start()]
    if end.group(1) == b"\n" and b"\r\n" not in body:
        # A copy that went through a system with other line ends: the content is the same.
        body = body.replace(b"\n", b"\r\n")
    return "ok" if zlib.crc32(body) == int(end.group(2), 16) else "fails"
