"""The frames of one export: wells, standards, controls, averages, curves, units.

Here: what each section's cells become. Not here: which lines and columns a section has
(`transforms.xponent.sections`). Called by `transforms.xponent.reader`.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain

import polars as pl

from transforms.xponent.decimals import parse_number, with_point
from transforms.xponent.names import is_background_name, plain_name
from transforms.xponent.refusals import EXPORT_AGAIN, UnreadablePlateError
from transforms.xponent.sections import (
    AVG_NET_MFI,
    AVG_RESULT,
    BEADS,
    BY_WELL,
    COEFFICIENTS,
    COMMENTS,
    CONTROLS,
    COUNT,
    CV,
    DILUTION,
    MEDIAN,
    NET_MFI,
    R_SQUARED,
    RANGE_HIGH,
    RANGE_LOW,
    RECOVERY,
    RESULT,
    STANDARDS,
    TYPES,
    UNITS_SECTION,
    Line,
    Reading,
    lines_of,
    location,
)
from transforms.xponent.text import XponentText

MOST_BEADS = 1_000_000
LETTERS = "abcdf"

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
        "instrument_recovery_percent": pl.Float64(),
        "instrument_comment": pl.String(),
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
CONTROL_LEVELS = pl.Schema({**LEVELS, "range_low": pl.Float64(), "range_high": pl.Float64()})
AVERAGES = pl.Schema(
    {
        "sample": pl.String(),
        "analyte": pl.String(),
        "avg_net_mfi": pl.Float64(),
        "avg_result": pl.String(),
        "cv_percent": pl.Float64(),
    }
)
CURVES = pl.Schema(
    {
        "analyte": pl.String(),
        "analysis_type": pl.String(),
        **dict.fromkeys([*LETTERS, "r_squared"], pl.Float64()),
    }
)
UNITS = pl.Schema({"analyte": pl.String(), "unit": pl.String(), "n_beads_wanted": pl.Int64()})

_NO_ANALYSIS = ("", "none", "off", "n/a", "qual")


def wells_frame(text: XponentText, reading: Reading, *, levels: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """Return one row a well and analyte (schema `WELLS`), in the order of the section Median.

    levels: the frames of standards and of controls, by the kind of well that their samples make.
    """
    cells = {
        name: {line.well: line for line in reversed(lines_of(text.sections.get(name), reading.analytes))}
        for name in BY_WELL
    }
    dilutions = {line.well: line for line in lines_of(text.sections.get(DILUTION), (DILUTION,))}
    kinds, expected = _listed(levels)
    empty = _empty_line(reading)
    columns: dict[str, list[object]] = {name: [] for name in WELLS}
    for at, well in (location(MEDIAN, record) for record in text.sections[MEDIAN].records):
        lines = {name: lines.get(well, empty) for name, lines in cells.items()}
        plain = plain_name(lines[MEDIAN].name)
        of_well = {
            "location": at,
            "well": well,
            "sample": lines[MEDIAN].name,
            "kind": kinds.get(plain) or ("background" if is_background_name(plain) else "unknown"),
            "dilution_factor": _dilution(dilutions.get(well), reading),
        }
        for name, value in of_well.items():
            columns[name] += [value] * len(reading.analytes)
        columns["analyte"] += reading.analytes
        columns["expected_concentration"] += [expected.get((plain, name)) for name in reading.analytes]
        for name, values in _measured(lines, reading).items():
            columns[name] += values
    return pl.DataFrame(columns, schema=WELLS)


def _listed(levels: Mapping[str, pl.DataFrame]) -> tuple[dict[str, str], dict[tuple[str, str], float]]:
    """Return the kind of each listed sample, and its expected concentrations, by its plain name."""
    kinds: dict[str, str] = {}
    expected: dict[tuple[str, str], float] = {}
    for kind, frame in levels.items():
        for sample, analyte, value in frame.select(LEVELS.names()[:3]).iter_rows():
            kinds[plain_name(sample)] = kind
            expected[plain_name(sample), analyte] = value
    return kinds, expected


def _empty_line(reading: Reading) -> Line:
    return Line("", "", "", ("",) * len(reading.analytes))


def _measured(lines: Mapping[str, Line], reading: Reading) -> dict[str, Sequence[object]]:
    return {
        "median_fi": _numbers(lines[MEDIAN], reading),
        "net_mfi": _numbers(lines[NET_MFI], reading),
        "n_beads": _whole_numbers(lines[COUNT], reading, what="a bead count"),
        "instrument_result": _as_printed(lines[RESULT], reading),
        "instrument_recovery_percent": _numbers(lines[RECOVERY], reading),
        "instrument_comment": [cell or None for cell in lines[COMMENTS].cells],
    }


def _numbers(line: Line, reading: Reading) -> list[float | None]:
    values: list[float | None] = []
    for cell in line.cells:
        try:
            values.append(parse_number(cell, decimal_mark=reading.decimal_mark))
        except ValueError as error:
            raise UnreadablePlateError(
                _place(line, reading.analytes[len(values)]),
                found="a value that is no number",
                expected="a number",
            ) from error
    return values


def _place(line: Line, column: str) -> str:
    # A well is a better place to look than a line.
    place = f"{line.place.split(',')[0]}, well {line.well}" if line.well else line.place
    return f"{place}, {column}"


def _whole_numbers(line: Line, reading: Reading, *, what: str) -> list[int | None]:
    values = _numbers(line, reading)
    for analyte, value in zip(reading.analytes, values, strict=True):
        if value is not None and not (0 <= value <= MOST_BEADS and value == int(value)):
            raise UnreadablePlateError(
                _place(line, analyte), found=f"{what} that is no whole number", expected="a whole number"
            )
    return [None if value is None else int(value) for value in values]


def _as_printed(line: Line, reading: Reading) -> list[str | None]:
    return [with_point(cell, decimal_mark=reading.decimal_mark) or None for cell in line.cells]


def _dilution(line: Line | None, reading: Reading) -> float:
    if line is None:
        return 1.0
    [factor] = _numbers(line, Reading((DILUTION,), reading.decimal_mark))
    if factor is not None and factor <= 0:
        raise UnreadablePlateError(
            _place(line, DILUTION), found="a dilution of zero or less", expected="a factor above zero"
        )
    return 1.0 if factor is None else factor


def standards_frame(text: XponentText, reading: Reading, units: pl.DataFrame) -> pl.DataFrame:
    """Return one row a standard and analyte (schema `LEVELS`); what the list leaves empty is null."""
    unit = dict(units.select("analyte", "unit").iter_rows())
    rows = [
        (name, analyte, value, unit[analyte])
        for (name, analyte), value in _levels(text, STANDARDS, reading).items()
    ]
    return pl.DataFrame(rows, schema=LEVELS, orient="row")


def controls_frame(text: XponentText, reading: Reading, units: pl.DataFrame) -> pl.DataFrame:
    """Return one row a control and analyte (schema `CONTROL_LEVELS`); what the lists leave empty is null."""
    expected, low, high = (_levels(text, name, reading) for name in (CONTROLS, RANGE_LOW, RANGE_HIGH))
    spelling = {plain_name(name): name for name, _ in chain(high, low, expected)}
    low, high = (
        {(spelling[plain_name(name)], analyte): value for (name, analyte), value in limits.items()}
        for limits in (low, high)
    )
    unit = dict(units.select("analyte", "unit").iter_rows())
    rows = [
        (*key, expected.get(key), unit[key[1]], low.get(key), high.get(key))
        for key in dict.fromkeys([*expected, *low, *high])
    ]
    return pl.DataFrame(rows, schema=CONTROL_LEVELS, orient="row")


def _levels(text: XponentText, name: str, reading: Reading) -> dict[tuple[str, str], float | None]:
    """Return the values of a list of standards or controls, by name and analyte."""
    lines = lines_of(text.sections.get(name), reading.analytes)
    if len({plain_name(line.name) for line in lines}) < len(lines):
        raise UnreadablePlateError(
            f"section {name}", found="the same name twice", expected="each standard or control once"
        )
    return {
        (line.name, analyte): _not_negative(value, place=_place(line, analyte))
        for line in lines
        for analyte, value in zip(reading.analytes, _numbers(line, reading), strict=True)
    }


def _not_negative(value: float | None, *, place: str) -> float | None:
    if value is not None and value < 0:
        raise UnreadablePlateError(
            place,
            found="a concentration below zero",
            expected="zero or more",
            remedy="Correct the standards in the protocol. " + EXPORT_AGAIN,
        )
    return value


def averages_frame(text: XponentText, reading: Reading, *, samples: Iterable[str]) -> pl.DataFrame:
    """Return one row a group of replicates and analyte (schema `AVERAGES`), in the file's order.

    A sample that the file lists twice has two groups, and its rows come twice. `sample` is spelled as the
    wells spell it.
    """
    spelling = {plain_name(sample): sample for sample in samples}
    groups: dict[tuple[str, int], dict[str, Line]] = {}
    for name in (AVG_NET_MFI, AVG_RESULT, CV):
        for key, line in _by_group(lines_of(text.sections.get(name), reading.analytes)).items():
            groups.setdefault(key, {})[name] = line
    columns: dict[str, list[object]] = {name: [] for name in AVERAGES}
    empty = _empty_line(reading)
    for (plain, _), found in groups.items():
        lines = {name: found.get(name, empty) for name in (AVG_NET_MFI, AVG_RESULT, CV)}
        columns["sample"] += [spelling.get(plain, plain)] * len(reading.analytes)
        columns["analyte"] += reading.analytes
        columns["avg_net_mfi"] += _numbers(lines[AVG_NET_MFI], reading)
        columns["avg_result"] += _as_printed(lines[AVG_RESULT], reading)
        columns["cv_percent"] += _numbers(lines[CV], reading)
    return pl.DataFrame(columns, schema=AVERAGES)


def _by_group(lines: Iterable[Line]) -> dict[tuple[str, int], Line]:
    groups: dict[tuple[str, int], Line] = {}
    seen: dict[str, list[tuple[str, ...]]] = {}
    for line in lines:
        plain = plain_name(line.name)
        former = seen.setdefault(plain, [])
        # Some builds print a group's averages once for each of its wells.
        if not line.well or line.cells not in former:
            groups[plain, len(former)] = line
            former.append(line.cells)
    return groups


def curves_frame(text: XponentText, reading: Reading) -> pl.DataFrame:
    """Return one row an analyte that the instrument fitted (schema `CURVES`), with its own coefficients."""
    types = _by_name(text, TYPES, reading).get("analysistype")
    squares = _by_name(text, R_SQUARED, reading).get("value")
    coefficients = _by_name(text, COEFFICIENTS, reading)
    empty = _empty_line(reading)
    columns = {
        "analyte": list(reading.analytes),
        "analysis_type": [cell or None for cell in (types or empty).cells],
        **{letter: _numbers(coefficients.get(f"coefficient{letter}", empty), reading) for letter in LETTERS},
        "r_squared": _numbers(squares or empty, reading),
    }
    is_analysed = ~pl.col("analysis_type").str.to_lowercase().fill_null("").is_in(_NO_ANALYSIS)
    is_fitted = pl.any_horizontal(pl.col(letter).is_not_null() for letter in LETTERS)
    return pl.DataFrame(columns, schema=CURVES).filter(is_analysed | is_fitted)


def units_frame(text: XponentText, reading: Reading) -> pl.DataFrame:
    """Return one row an analyte (schema `UNITS`): its unit, the beads asked for, null where not given."""
    units = _by_name(text, UNITS_SECTION, reading).get("units:")
    beads = _by_name(text, BEADS, reading).get("perbead:")
    empty = _empty_line(reading)
    columns = {
        "analyte": list(reading.analytes),
        "unit": [cell or None for cell in (units or empty).cells],
        "n_beads_wanted": _whole_numbers(beads or empty, reading, what="a number of beads"),
    }
    return pl.DataFrame(columns, schema=UNITS)


def _by_name(text: XponentText, section: str, reading: Reading) -> dict[str, Line]:
    lines = lines_of(text.sections.get(section), reading.analytes)
    return {plain_name(line.name): line for line in reversed(lines)}
