"""A Luminex xPONENT export as frames: one row a well and analyte, the standards, the controls, the units.

Here: which sections are needed, what they mean, which wells are standards, controls, background or unknowns.
Not here: bytes and text (`transforms.plates.xponent_text`), fitting (`models.curves.standard_curve`). Called
by the night and by `nadir plate`. Operator names, serial numbers and computer names stay behind in the text.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import takewhile

import polars as pl

from transforms.plates.xponent_text import (
    EXPORT_AGAIN,
    Record,
    Section,
    UnreadablePlateError,
    XponentText,
    find_decimal_mark,
    parse_number,
    take_apart,
    with_point,
)

__all__ = [
    "LEVELS",
    "UNITS",
    "WELLS",
    "UnreadablePlateError",
    "XponentPlate",
    "parse_xponent",
    "standard_analyte_name",
]

MEDIAN, NET_MFI, COUNT, RESULT = "Median", "Net MFI", "Count", "Result"
DILUTION, UNIT_SECTION = "Dilution Factor", "Units"
STANDARDS, CONTROLS = "Standard Expected Concentration", "Control Expected Concentration"
READ_SECTIONS = (MEDIAN, NET_MFI, COUNT, RESULT, DILUTION, UNIT_SECTION, STANDARDS, CONTROLS)
# The order of sections is fixed: one of these shows that a file without its end was not cut before it.
LATE_SECTIONS = (DILUTION, "Analysis Types", "Analysis Coefficients", "R^2", "Audit Logs", "Warnings/Errors")
MOST_BEADS = 1_000_000

WELLS = pl.Schema(
    {
        "location": pl.Int64(),
        "well": pl.String(),
        "sample": pl.String(),
        "kind": pl.String(),
        "analyte": pl.String(),
        "median_fi": pl.Float64(),
        "net_mfi": pl.Float64(),
        "n_beads": pl.Int64(),
        "dilution_factor": pl.Float64(),
        "expected_concentration": pl.Float64(),
        "instrument_result": pl.String(),
    }
)
LEVELS = pl.Schema(
    {
        "sample": pl.String(),
        "analyte": pl.String(),
        "expected_concentration": pl.Float64(),
        "unit": pl.String(),
    }
)
UNITS = pl.Schema({"analyte": pl.String(), "unit": pl.String()})

_WELLS_AS_READ = pl.Schema(
    {name: dtype for name, dtype in WELLS.items() if name not in ("kind", "expected_concentration")}
)
_LOCATION = re.compile(r"(\d{1,4})\s*\(\s*(\d{1,3})\s*[,;]\s*([A-Pa-p])0?([1-9]\d?)\s*\)")
_BACKGROUND = re.compile(r"background\d*")
_IL7 = re.compile(
    r"(?:[(\[]?\d{1,3}[)\]]?[\s_-]+)?(?:human|hu|h|rh)?[\s_-]*(?:il|interleukin)[\s_-]*7(?:[\s_-]*[(\[]\s*\d{1,3}\s*[)\]])?",
    re.IGNORECASE,
)


@dataclass(frozen=True, eq=False)
class XponentPlate:
    """One plate, as its export has it.

    wells: schema `WELLS`, one row a well and analyte, in the file's order and the file's units. `kind` is
        'background', 'standard', 'control' or 'unknown'; `net_mfi` is the file's own, null where it has none;
        `dilution_factor` is 1 where the file has none; `instrument_result` is as printed, but for its
        decimal mark, which is a point.
    standards, controls: schema `LEVELS`, one row a level and analyte.
    units: schema `UNITS`, one row an analyte, null where the file gives none.
    checksum: 'ok', 'fails' or 'absent'.
    unread_sections: sections of the file that nothing here reads.
    """

    batch: str
    program: str
    build: str
    kit_lot: str | None
    checksum: str
    wells: pl.DataFrame
    standards: pl.DataFrame
    controls: pl.DataFrame
    units: pl.DataFrame
    unread_sections: tuple[str, ...]


@dataclass(frozen=True)
class _Reading:
    """What every section is read with: the plate's analytes (as printed, in order) and the decimal mark."""

    analytes: tuple[str, ...]
    decimal_mark: str


def parse_xponent(data: bytes) -> XponentPlate:
    """Return the plate in an xPONENT 3.1 to 4.3 export.

    Takes any encoding, delimiter, decimal mark and line end that an instrument or a spreadsheet writes.

    Raises:
        UnreadablePlateError: where the file is empty, no xPONENT export, cut, or has an impossible value.
    """
    text = take_apart(data)
    _check_sections(text)
    reading = _Reading(_analytes(text.sections[MEDIAN]), _decimal_mark(text))
    _check_wells(text)
    units = _units(text.sections.get(UNIT_SECTION), reading)
    standards = _levels(text.sections.get(STANDARDS), reading, units)
    controls = _levels(text.sections.get(CONTROLS), reading, units)
    return XponentPlate(
        batch=_header_value(text, "Batch") or "",
        program=_header_value(text, "Program") or "",
        build=_header_value(text, "Build") or "",
        kit_lot=_kit_lot(text),
        checksum=text.checksum,
        wells=_with_kinds(_wells(text, reading), standards, controls),
        standards=standards,
        controls=controls,
        units=units,
        unread_sections=tuple(name for name in text.sections if name not in READ_SECTIONS),
    )


def standard_analyte_name(name: str) -> str:
    """Return the platform's spelling of an analyte: 'IL-7' for IL7, 'IL-7 (33)', 'Human IL-7', interleukin 7.

    Other names stay as they came, with single spaces.
    """
    tidy = " ".join(name.translate(str.maketrans("‐‑‒–−", "-----")).split())
    return "IL-7" if _IL7.fullmatch(tidy) else tidy


def _check_sections(text: XponentText) -> None:
    if not text.has_end and not set(LATE_SECTIONS) & set(text.sections):
        last = next(reversed(text.sections), "header")
        raise UnreadablePlateError(
            f"section {last}", found="the end of the file", expected="the sections up to Dilution Factor"
        )
    for name in _needed_sections(text):
        if name not in text.sections:
            raise UnreadablePlateError("whole file", found=f"no section {name}", expected=f"a section {name}")


def _needed_sections(text: XponentText) -> tuple[str, ...]:
    is_quantified = RESULT in text.sections or "Quan" in _header_fields(text, "ProtocolAnalysis")
    return (MEDIAN, COUNT, STANDARDS) if is_quantified else (MEDIAN, COUNT)


def _header_fields(text: XponentText, key: str) -> tuple[str, ...]:
    return next(
        (record.fields[1:] for record in text.header if record.fields[0].casefold() == key.casefold()), ()
    )


def _header_value(text: XponentText, key: str) -> str | None:
    return next(iter(_header_fields(text, key)), None)


def _kit_lot(text: XponentText) -> str | None:
    names = [record.fields[0] for record in text.header]
    if "KitName" not in names[:-1]:
        return None
    kit = text.header[names.index("KitName") + 1].fields
    return kit[1] if len(kit) > 1 else None


def _analytes(median: Section) -> tuple[str, ...]:
    names = list(takewhile(lambda name: name.casefold() != "total events", median.header[2:]))
    spelled = [standard_analyte_name(name) for name in names]
    is_header = [field.casefold() for field in median.header[:2]] == ["location", "sample"]
    if not is_header or not names or not all(names) or len(set(spelled)) < len(spelled):
        raise UnreadablePlateError(
            f"section {MEDIAN}, line {median.line + 1}",
            found="no analytes, or an analyte twice",
            expected="Location, Sample and each analyte once",
        )
    return tuple(names)


def _decimal_mark(text: XponentText) -> str:
    sections = [text.sections[name] for name in (MEDIAN, NET_MFI, COUNT) if name in text.sections]
    levels = [text.sections[name] for name in (STANDARDS, CONTROLS) if name in text.sections]
    cells = [cell for section in sections for record in section.records for cell in record.fields[2:]]
    cells += [cell for section in levels for record in section.records for cell in record.fields[1:]]
    return find_decimal_mark(cells, delimiter=text.delimiter)


def _check_wells(text: XponentText) -> None:
    wells = [_location(MEDIAN, record)[1] for record in text.sections[MEDIAN].records]
    if len(set(wells)) < len(wells) or not wells:
        raise UnreadablePlateError(
            f"section {MEDIAN}",
            found="no wells, or a well twice",
            expected="each well of one plate once",
            remedy="Export each plate into a file of its own.",
        )
    for name in (NET_MFI, COUNT, RESULT, DILUTION):
        others = [_location(name, record)[1] for record in _records(text, name)]
        if name in text.sections and sorted(others) != sorted(wells):
            raise UnreadablePlateError(
                f"section {name}",
                found=f"{len(others)} wells",
                expected=f"the {len(wells)} wells of {MEDIAN}",
            )
    _check_number_of_samples(text, len(wells))


def _records(text: XponentText, name: str) -> tuple[Record, ...]:
    return text.sections[name].records if name in text.sections else ()


def _check_number_of_samples(text: XponentText, n_wells: int) -> None:
    printed = _header_value(text, "Samples") or ""
    if text.checksum != "ok" and re.fullmatch(r"\d{1,4}", printed) and int(printed) > n_wells:
        raise UnreadablePlateError(
            f"section {MEDIAN}",
            found=f"{n_wells} wells",
            expected=f"at least the {printed} samples of the header",
        )


def _location(section: str, record: Record) -> tuple[int, str]:
    match = _LOCATION.fullmatch(record.fields[0])
    if match is None:
        raise UnreadablePlateError(
            f"section {section}, line {record.line}", found="no well", expected="a location like 1(1,A1)"
        )
    return int(match[1]), f"{match[3].upper()}{match[4]}"


def _wells(text: XponentText, reading: _Reading) -> pl.DataFrame:
    cells = {
        name: _cells(text.sections.get(name), reading.analytes) for name in (MEDIAN, NET_MFI, COUNT, RESULT)
    }
    dilutions = _cells(text.sections.get(DILUTION), (DILUTION,))
    rows = []
    for record in text.sections[MEDIAN].records:
        location, well = _location(MEDIAN, record)
        sample = record.fields[1] if len(record.fields) > 1 else ""
        dilution = _dilution(dilutions.get((well, DILUTION), ""), reading, well=well)
        for analyte in reading.analytes:
            printed = {name: cells[name].get((well, analyte), "") for name in cells}
            known = {"location": location, "well": well, "sample": sample, "dilution_factor": dilution}
            rows.append(
                known | _measurement(printed, reading, well=well, analyte=standard_analyte_name(analyte))
            )
    return pl.DataFrame(rows, schema=_WELLS_AS_READ)


def _measurement(
    printed: Mapping[str, str], reading: _Reading, *, well: str, analyte: str
) -> dict[str, str | float | None]:
    numbers = {
        name: _number(printed[name], reading, place=f"section {name}, well {well}, {analyte}")
        for name in (MEDIAN, NET_MFI, COUNT)
    }
    return {
        "analyte": analyte,
        "median_fi": numbers[MEDIAN],
        "net_mfi": numbers[NET_MFI],
        "n_beads": _bead_count(numbers[COUNT], place=f"section {COUNT}, well {well}, {analyte}"),
        "instrument_result": with_point(printed[RESULT], decimal_mark=reading.decimal_mark) or None,
    }


def _cells(section: Section | None, columns: Iterable[str]) -> Mapping[tuple[str, str], str]:
    if section is None:
        return {}
    places = {name: section.header.index(name) for name in columns if name in section.header}
    missing = [name for name in columns if name not in places]
    if missing:
        raise UnreadablePlateError(
            f"section {section.name}, line {section.line + 1}",
            found=f"no column {missing[0]}",
            expected="the columns of the section Median",
        )
    cells = {}
    for record in section.records:
        _check_width(section, record)
        _, well = _location(section.name, record)
        for name, place in places.items():
            cells[well, name] = record.fields[place] if place < len(record.fields) else ""
    return cells


def _check_width(section: Section, record: Record) -> None:
    if len(record.fields) > len(section.header):
        raise UnreadablePlateError(
            f"section {section.name}, line {record.line}",
            found=f"{len(record.fields)} fields",
            expected=f"at most {len(section.header)}, as in the line with the names",
        )


def _number(cell: str, reading: _Reading, *, place: str) -> float | None:
    try:
        return parse_number(cell, decimal_mark=reading.decimal_mark)
    except ValueError as error:
        raise UnreadablePlateError(place, found="a value that is no number", expected="a number") from error


def _bead_count(value: float | None, *, place: str) -> int | None:
    if value is None:
        return None
    if value != int(value) or not 0 <= value <= MOST_BEADS:
        raise UnreadablePlateError(
            f"section {COUNT}, {place}",
            found="a bead count that is no whole number",
            expected="a whole number",
        )
    return int(value)


def _dilution(cell: str, reading: _Reading, *, well: str) -> float:
    place = f"section {DILUTION}, well {well}"
    factor = _number(cell, reading, place=place)
    if factor is not None and factor <= 0:
        raise UnreadablePlateError(place, found="a dilution of zero or less", expected="a factor above zero")
    return 1.0 if factor is None else factor


def _units(section: Section | None, reading: _Reading) -> pl.DataFrame:
    names: dict[str, str] = {}
    if section is not None:
        printed = next(
            (record.fields for record in section.records if record.fields[0].startswith("Units")), ()
        )
        names = {
            analyte: unit for analyte, unit in zip(section.header[1:], printed[1:], strict=False) if unit
        }
    rows = [(standard_analyte_name(analyte), names.get(analyte)) for analyte in reading.analytes]
    return pl.DataFrame(rows, schema=UNITS, orient="row")


def _levels(section: Section | None, reading: _Reading, units: pl.DataFrame) -> pl.DataFrame:
    if section is None:
        return pl.DataFrame(schema=LEVELS)
    names = [_plain(record.fields[0]) for record in section.records]
    if len(set(names)) < len(names):
        raise UnreadablePlateError(
            f"section {section.name}", found="the same name twice", expected="each standard or control once"
        )
    rows = []
    for record in section.records:
        _check_width(section, record)
        for analyte, cell in zip(section.header[1:], record.fields[1:], strict=False):
            if analyte in reading.analytes:
                place = f"section {section.name}, line {record.line}, {standard_analyte_name(analyte)}"
                value = _number(cell, reading, place=place)
                rows.append(
                    (record.fields[0], standard_analyte_name(analyte), _not_negative(value, place=place))
                )
    levels = pl.DataFrame(rows, schema=[*LEVELS.items()][:3], orient="row")
    return levels.drop_nulls().join(units, on="analyte", how="left", maintain_order="left")


def _not_negative(value: float | None, *, place: str) -> float | None:
    if value is not None and value < 0:
        raise UnreadablePlateError(
            place,
            found="a concentration below zero",
            expected="zero or more",
            remedy="Correct the standards in the protocol. " + EXPORT_AGAIN,
        )
    return value


def _plain(sample: str) -> str:
    # One file spells the same standard 'Standard 1' in one section and 'Standard1' in another.
    return "".join(sample.split()).casefold()


def _with_kinds(wells: pl.DataFrame, standards: pl.DataFrame, controls: pl.DataFrame) -> pl.DataFrame:
    names = dict.fromkeys(wells["sample"], "unknown")
    names |= {sample: "background" for sample in names if _BACKGROUND.fullmatch(_plain(sample))}
    for kind, levels in (("control", controls), ("standard", standards)):
        listed = {_plain(sample) for sample in levels["sample"]}
        names |= {sample: kind for sample in names if _plain(sample) in listed}
    expected = pl.concat([standards, controls]).select(
        pl.col("sample").map_elements(_plain, return_dtype=pl.String).alias("plain"),
        "analyte",
        "expected_concentration",
    )
    return (
        wells.with_columns(
            kind=pl.col("sample").replace_strict(names, return_dtype=pl.String),
            plain=pl.col("sample").map_elements(_plain, return_dtype=pl.String),
        )
        .join(
            expected.unique(["plain", "analyte"], keep="first"),
            on=["plain", "analyte"],
            how="left",
            maintain_order="left",
        )
        .select(WELLS.names())
    )
