"""A Luminex xPONENT export as a plate: its wells, standards, controls, curves and what its header says.

Here: the plate, which sections it needs, the order of the steps. Not here: bytes and text
(`transforms.xponent.text`), sections and frames (`sections`, `frames`), the header (`header`), fitting
(`models.curves.standard_curve`). Called by the night and by `nadir plate`.
"""

import re
from dataclasses import dataclass
from datetime import date, datetime
from itertools import chain

import polars as pl

from transforms.xponent.frames import (
    AVERAGES,
    CONTROL_LEVELS,
    CURVES,
    LEVELS,
    UNITS,
    WELLS,
    averages_frame,
    controls_frame,
    curves_frame,
    standards_frame,
    units_frame,
    wells_frame,
)
from transforms.xponent.header import CALIBRATIONS, header_fields, read_header, unread_in_header
from transforms.xponent.names import plain_name, standard_analyte_name
from transforms.xponent.refusals import UnreadablePlateError
from transforms.xponent.sections import (
    COEFFICIENTS,
    COUNT,
    DILUTION,
    MEDIAN,
    NET_MFI,
    R_SQUARED,
    READ_SECTIONS,
    RESULT,
    STANDARDS,
    TYPES,
    Reading,
    location,
    reading_of,
    unread_in_sections,
)
from transforms.xponent.text import XponentText, take_apart

__all__ = [
    "AVERAGES",
    "CALIBRATIONS",
    "CONTROL_LEVELS",
    "CURVES",
    "LEVELS",
    "UNITS",
    "WELLS",
    "UnreadablePlateError",
    "XponentPlate",
    "parse_xponent",
    "standard_analyte_name",
]

# The order of sections is fixed: one of these shows that a file without its end was not cut before it.
LATE_SECTIONS = (DILUTION, TYPES, COEFFICIENTS, R_SQUARED, "Audit Logs", "Warnings/Errors")


@dataclass(frozen=True, eq=False)
class XponentPlate:
    """One plate, as its export has it.

    instrument: its kind, 'MAGPIX' for instance; none where the file does not say.
    acquired_at: when reading began, by the instrument's clock; none where the file's own dates do not tell
        for certain which of day and month comes first. kit_expires_on likewise.
    checksum: 'ok', 'fails' or 'absent'.
    calibrations: schema `CALIBRATIONS`; `outcome` is 'passed', 'failed' or 'other'.
    wells: schema `WELLS`, one row a well and analyte, in the file's order and the file's units. `kind` is
        'background', 'standard', 'control' or 'unknown'; `net_mfi` is the file's own, null where it has none;
        `dilution_factor` is 1 where the file has none; `instrument_result` is as printed, but for its
        decimal mark, which is a point; `instrument_comment` is null where there is none.
    standards: schema `LEVELS`, one row a standard and analyte. controls: schema `CONTROL_LEVELS`.
    averages: schema `AVERAGES`, one row a group of replicates and analyte, empty where the file has none.
    curves: schema `CURVES`, one row an analyte that the instrument fitted.
    units: schema `UNITS`, one row an analyte, null where the file gives none.
    unread: names of header fields, sections and columns that nothing reads, and the places of lines that
        could not be read and hold nothing that is computed with.
    """

    batch: str
    program: str
    instrument: str | None
    build: str
    acquired_at: datetime | None
    kit_name: str | None
    kit_lot: str | None
    kit_expires_on: date | None
    checksum: str
    calibrations: pl.DataFrame
    wells: pl.DataFrame
    standards: pl.DataFrame
    controls: pl.DataFrame
    averages: pl.DataFrame
    curves: pl.DataFrame
    units: pl.DataFrame
    unread: tuple[str, ...]


def parse_xponent(data: bytes) -> XponentPlate:
    """Return the plate in an xPONENT 3.1 to 4.3 export.

    Takes any encoding, delimiter, decimal mark and line end that an instrument or a spreadsheet writes.

    Raises:
        UnreadablePlateError: where the file is empty, no xPONENT export, cut, or has an impossible value.
    """
    text = take_apart(data, known_sections=READ_SECTIONS)
    _check_sections(text)
    reading = reading_of(text)
    _check_wells(text)
    header = read_header(text)
    units = units_frame(text, reading)
    standards = standards_frame(text, reading, units)
    controls = controls_frame(text, reading, units)
    wells = wells_frame(text, reading, levels={"control": controls, "standard": standards})
    return XponentPlate(
        **vars(header),
        checksum=text.checksum,
        wells=wells,
        standards=standards,
        controls=controls,
        averages=averages_frame(text, reading, samples=wells["sample"].unique()),
        curves=curves_frame(text, reading),
        units=units,
        unread=_unread(text, reading),
    )


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
    is_quantified = RESULT in text.sections or "Quan" in header_fields(text, "ProtocolAnalysis")
    return (MEDIAN, COUNT, STANDARDS) if is_quantified else (MEDIAN, COUNT)


def _check_wells(text: XponentText) -> None:
    wells = _wells_of(text, MEDIAN)
    if len(set(wells)) < len(wells) or not wells:
        raise UnreadablePlateError(
            f"section {MEDIAN}",
            found="no wells, or a well twice",
            expected="each well of one plate once",
            remedy="Export each plate into a file of its own.",
        )
    for name in (NET_MFI, COUNT, RESULT, DILUTION):
        if name in text.sections and sorted(others := _wells_of(text, name)) != sorted(wells):
            raise UnreadablePlateError(
                f"section {name}",
                found=f"{len(others)} wells",
                expected=f"the {len(wells)} wells of {MEDIAN}",
            )
    _check_number_of_samples(text, len(wells))


def _wells_of(text: XponentText, name: str) -> list[str]:
    return [location(name, record)[1] for record in text.sections[name].records]


def _check_number_of_samples(text: XponentText, n_wells: int) -> None:
    printed = next(iter(header_fields(text, "Samples")), "")
    if text.checksum != "ok" and re.fullmatch(r"\d{1,4}", printed) and int(printed) > n_wells:
        raise UnreadablePlateError(
            f"section {MEDIAN}",
            found=f"{n_wells} wells",
            expected=f"at least the {printed} samples of the header",
        )


def _unread(text: XponentText, reading: Reading) -> tuple[str, ...]:
    samples = {plain_name("".join(record.fields[1:2])) for record in text.sections[MEDIAN].records}
    names = dict.fromkeys(
        # A damaged file may have a sample where a name should be: the number of its line stands in for it.
        f"line {line}" if plain_name(name.split(", ", 1)[-1]) in samples else name
        for name, line in chain(unread_in_header(text), unread_in_sections(text, reading))
    )
    return tuple(names)
