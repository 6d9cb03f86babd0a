"""Cells of an export's sections: by well, by sample, by standard or control, by analyte.

Here: the sections' names, which lines and columns of a section can be read, and the names of those that
nobody reads. Not here: the frames made of them (`transforms.xponent.frames`, which calls this).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import takewhile

from transforms.xponent.decimals import find_decimal_mark
from transforms.xponent.names import plain_name, standard_analyte_name
from transforms.xponent.refusals import UnreadablePlateError
from transforms.xponent.text import Record, Section, XponentText

MEDIAN, NET_MFI, COUNT, RESULT, DILUTION = "Median", "Net MFI", "Count", "Result", "Dilution Factor"
RECOVERY, COMMENTS = "% Recovery", "Comments"
AVG_NET_MFI, AVG_RESULT, CV = "Avg Net MFI", "Avg Result", "%CV Replicates"
UNITS_SECTION, BEADS = "Units", "Per Bead Count"
STANDARDS, CONTROLS = "Standard Expected Concentration", "Control Expected Concentration"
RANGE_LOW, RANGE_HIGH = "Control Range - Low", "Control Range - High"
TYPES, COEFFICIENTS, R_SQUARED = "Analysis Types", "Analysis Coefficients", "R^2"

BY_WELL = (MEDIAN, NET_MFI, COUNT, RESULT, RECOVERY, COMMENTS)
BY_SAMPLE = (AVG_NET_MFI, AVG_RESULT, CV)
BY_LEVEL = (STANDARDS, CONTROLS, RANGE_LOW, RANGE_HIGH)
BY_ANALYTE = (UNITS_SECTION, BEADS, TYPES, COEFFICIENTS, R_SQUARED)
READ_SECTIONS = (*BY_WELL, DILUTION, *BY_SAMPLE, *BY_LEVEL, *BY_ANALYTE)
# What is computed with: a line or column of them that cannot be read refuses the plate. The others inform:
# what cannot be read there is left out and reported.
NEEDED_SECTIONS = (MEDIAN, NET_MFI, COUNT, RESULT, DILUTION, UNITS_SECTION, STANDARDS, CONTROLS)

_LOCATION = re.compile(r"(\d{1,4})\s*\(\s*(\d{1,3})\s*[,;]\s*([A-Pa-p])0?([1-9]|1\d|2[0-4])\s*\)", re.ASCII)
_KEYS = ("location", "sample", "reagent", "analyte:", "analyte")
_WELL_KEYS = ["location", "sample"]
_ROWS = {
    UNITS_SECTION: ("units:",),
    BEADS: ("perbead:",),
    TYPES: ("analysistype",),
    COEFFICIENTS: tuple(f"coefficient{letter}" for letter in "abcdf"),
    R_SQUARED: ("value",),
}


@dataclass(frozen=True)
class Reading:
    """What every section is read with: the plate's analytes, in order, and the decimal mark."""

    analytes: tuple[str, ...]
    decimal_mark: str


@dataclass(frozen=True)
class Line:
    """A line of a section: where it is, its keys (well, sample; or one name) and a cell for each analyte."""

    place: str
    well: str
    name: str
    cells: tuple[str, ...]


def reading_of(text: XponentText) -> Reading:
    """Return the analytes that the section Median names, and the decimal mark that its numbers use.

    Raises:
        UnreadablePlateError: where Median has no line of names or an analyte twice, where numbers use both
            marks, and where a line of names or wells shows that the mark between two sections was lost.
    """
    reading = Reading(_analytes(text.sections[MEDIAN]), _decimal_mark(text))
    for section in text.sections.values():
        _check_one_section(section, reading)
    return reading


def _analytes(median: Section) -> tuple[str, ...]:
    names = [standard_analyte_name(name) for name in _names_of_values(median)]
    if _keys(median) != _WELL_KEYS or not names or not all(names) or len(set(names)) < len(names):
        raise UnreadablePlateError(
            f"section {MEDIAN}, line {median.line + 1}",
            found="no analytes, or an analyte twice",
            expected="Location, Sample and each analyte once",
        )
    return tuple(names)


def _names_of_values(section: Section) -> list[str]:
    return list(takewhile(lambda name: name.casefold() != "total events", section.header[2:]))


def _keys(section: Section) -> list[str]:
    return [name.casefold() for name in section.header[:2]]


def _decimal_mark(text: XponentText) -> str:
    for names in ((MEDIAN, NET_MFI, COUNT, STANDARDS, CONTROLS), (RESULT, DILUTION, AVG_NET_MFI, AVG_RESULT)):
        cells = [cell for name in names for cell in _value_cells(text.sections.get(name))]
        if any("." in cell or "," in cell for cell in cells):
            return find_decimal_mark(cells, delimiter=text.delimiter)
    return "."


def _value_cells(section: Section | None) -> Iterator[str]:
    if section is not None:
        n_keys = sum(name in _KEYS for name in _keys(section))
        for record in section.records:
            yield from record.fields[n_keys:]


def _check_one_section(section: Section, reading: Reading) -> None:
    for record in section.records:
        first, *rest = record.fields
        is_names = first.casefold() in _KEYS and bool(rest) and _is_column(rest[0], reading)
        is_well = section.name in (*BY_LEVEL, *BY_ANALYTE) and _LOCATION.fullmatch(first) is not None
        if is_names or is_well:
            raise UnreadablePlateError(
                f"section {section.name}, line {record.line}",
                found="a second line of names" if is_names else "the line of a well",
                expected="one section, and a line with the name of the next",
            )


def _is_column(name: str, reading: Reading) -> bool:
    return name.casefold() == "sample" or standard_analyte_name(name) in reading.analytes


def location(section: str, record: Record) -> tuple[int, str]:
    """Return a line's number and well, 1 and 'A1' for `1(1,A1)`.

    Raises:
        UnreadablePlateError: where the line does not start with a location.
    """
    match = _LOCATION.fullmatch(record.fields[0])
    if match is None:
        raise UnreadablePlateError(
            f"section {section}, line {record.line}", found="no well", expected="a location like 1(1,A1)"
        )
    return int(match[1]), f"{match[3].upper()}{match[4]}"


def lines_of(section: Section | None, columns: Sequence[str]) -> list[Line]:
    """Return the lines of a section that can be read, with a cell for each of the columns, in their order.

    Columns are found by the analytes' standard names; one that the section does not have gives empty cells.

    Raises:
        UnreadablePlateError: in `NEEDED_SECTIONS` where a column is missing or a line cannot be read.
    """
    if section is None or not (_has_keys(section) or section.name in NEEDED_SECTIONS):
        return []
    if section.name in NEEDED_SECTIONS:
        _check_needed(section, columns)
    names = [standard_analyte_name(name) for name in section.header]
    places = [names.index(column) if column in names else None for column in columns]
    is_by_well = _keys(section) == _WELL_KEYS
    return [
        Line(
            f"section {section.name}, line {record.line}",
            location(section.name, record)[1] if is_by_well else "",
            _field(record, 1 if is_by_well else 0),
            tuple(_field(record, place) for place in places),
        )
        for record in section.records
        if section.name in NEEDED_SECTIONS or _is_readable(section, record)
    ]


def _has_keys(section: Section) -> bool:
    keys = _keys(section)
    if section.name in (*BY_WELL, DILUTION):
        return keys == _WELL_KEYS
    if section.name in BY_SAMPLE:
        return keys[:1] == ["sample"] or keys == _WELL_KEYS
    return keys[:1] in (["reagent"], ["analyte:"], ["analyte"])


def _field(record: Record, place: int | None) -> str:
    return record.fields[place] if place is not None and place < len(record.fields) else ""


def _check_needed(section: Section, columns: Sequence[str]) -> None:
    wrong = _wrong_column(section, columns)
    if wrong or not _has_keys(section):
        raise UnreadablePlateError(
            f"section {section.name}, line {section.line + 1}",
            found=wrong or "no line of names",
            expected="the columns of the section Median",
        )
    for record in section.records:
        if len(record.fields) > len(section.header):
            raise UnreadablePlateError(
                f"section {section.name}, line {record.line}",
                found=f"{len(record.fields)} fields",
                expected=f"at most {len(section.header)}, as in the line with the names",
            )
    if section.name in _ROWS and not any(_is_row(section, record) for record in section.records):
        raise UnreadablePlateError(
            f"section {section.name}", found="no line of values", expected=f"a line {section.name}"
        )


def _wrong_column(section: Section, columns: Sequence[str]) -> str | None:
    names = [standard_analyte_name(name) for name in section.header]
    missing = [name for name in columns if name not in names]
    others = [standard_analyte_name(name) for name in _names_of_values(section)]
    more = [name for name in others if name not in columns] if section.name in BY_WELL else []
    twice = [name for name in columns if names.count(name) > 1]
    if missing or twice:
        return f"no column {missing[0]}" if missing else f"two columns {twice[0]}"
    return "a further column" if more else None


def _is_row(section: Section, record: Record) -> bool:
    return plain_name(record.fields[0]) in _ROWS[section.name]


def _is_readable(section: Section, record: Record) -> bool:
    has_well = _keys(section) != _WELL_KEYS or _LOCATION.fullmatch(record.fields[0]) is not None
    return has_well and len(record.fields) <= len(section.header)


def unread_in_sections(text: XponentText, reading: Reading) -> Iterator[tuple[str, int]]:
    """Yield the names of sections, columns and rows that nobody reads, and where they stand.

    A line that should have been read and cannot be is named by its number alone: it may hold values.
    """
    for name, section in text.sections.items():
        if name not in READ_SECTIONS:
            yield name, section.line
        elif not _has_keys(section):
            yield f"{name}, line {section.line + 1}", section.line + 1
        else:
            yield from _unread_columns(section, reading)
            yield from _unread_lines(section, wells=text.sections[MEDIAN])


def _unread_columns(section: Section, reading: Reading) -> Iterator[tuple[str, int]]:
    names = [standard_analyte_name(name) for name in section.header]
    for place, name in enumerate(names):
        is_key = place < 2 and name.casefold() in _KEYS
        is_read = name in (*reading.analytes, DILUTION) and names.index(name) == place
        if name and not is_key and not is_read:
            yield name if name == "Total Events" else f"{section.name}, {name}", section.line + 1


def _unread_lines(section: Section, *, wells: Section) -> Iterator[tuple[str, int]]:
    samples = {record.fields[0]: _field(record, 1) for record in wells.records}
    is_by_well = _keys(section) == _WELL_KEYS and section.name not in BY_SAMPLE
    for record in section.records:
        first = record.fields[0]
        is_read = section.name in NEEDED_SECTIONS or _is_readable(section, record)
        if section.name in _ROWS and not _is_row(section, record):
            yield f"{section.name}, {first.rstrip(':')}", record.line
        elif not is_read or (is_by_well and first not in samples):
            yield f"{section.name}, line {record.line}", record.line
        elif is_by_well and plain_name(samples[first]) != plain_name(_field(record, 1)):
            # The location tells which well it is; the name of another sample there is worth a look.
            yield f"{section.name}, line {record.line}, sample", record.line
