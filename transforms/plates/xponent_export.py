"""Writes a simulated plate as an xPONENT 4.2 file that the reader, and any other tool, takes for one.

Here: the layout of the file and the arithmetic that the instrument prints (net medians, means, recoveries,
checksum). Not here: drawing the values, fitting the curve. Called by the simulator and by tests; the header
says in four places that the plate is simulated.
"""

import zlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import chain
from statistics import fmean, stdev

SIMULATED = "simulated"
PLATE_ROWS = "ABCDEFGH"
N_BEADS_ASKED_FOR = 50
ANALYSIS_TYPE = "Logistic 5P Weighted"

Row = Sequence[str]


@dataclass(frozen=True)
class ExportWell:
    """A well: medians and bead counts in the order of the plate's analytes; `results` as printed, or none."""

    well: str
    sample: str
    medians: tuple[float, ...]
    n_beads: tuple[int, ...]
    dilution_factor: float = 1.0
    results: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportLevel:
    """A standard or a control: expected concentrations in the order of the plate's analytes."""

    sample: str
    expected: tuple[float, ...]


@dataclass(frozen=True)
class ExportCurve:
    """The five coefficients of one analyte's curve and its weighted R squared."""

    a: float
    b: float
    c: float
    d: float
    f: float
    r_squared: float


@dataclass(frozen=True)
class ExportPlate:
    """A plate to write: wells named Background0 are its background; results and curves come all or none."""

    batch: str
    lot: str
    started_at: datetime
    analytes: tuple[str, ...]
    wells: tuple[ExportWell, ...]
    standards: tuple[ExportLevel, ...]
    controls: tuple[ExportLevel, ...] = ()
    unit: str = "pg/ml"
    curves: tuple[ExportCurve, ...] = ()

    @cached_property
    def background(self) -> tuple[float, ...]:
        """Mean median of the background wells for each analyte; 0 where the plate has none."""
        medians = [well.medians for well in self.wells if is_background(well.sample)]
        return tuple(map(fmean, zip(*medians, strict=True))) or (0.0,) * len(self.analytes)


def write_xponent(plate: ExportPlate) -> bytes:
    """Return the plate as the bytes of an xPONENT 4.2 file: CRLF, every field quoted, a checksum that holds.

    The sections made from results (Result, Avg Result, %CV Replicates, % Recovery, Comments) and the
    coefficients are written where the wells carry results and the plate carries curves.

    Raises:
        ValueError: where a well, a level or the curves do not have one entry for each analyte.
    """
    _check_lengths(plate)
    sections = chain(_measured(plate), _analysed(plate), _expected(plate), _analysis(plate), _closing(plate))
    body = _lines(chain(_header(plate), *([*section, ()] for section in sections)))
    return body + b"-- CRC --\r\n" + f"CRC32: {zlib.crc32(body):08X}".encode()


def is_background(sample: str) -> bool:
    """Whether a sample name is the instrument's name of a background well (Background0)."""
    return sample.strip().lower().startswith("background")


def _check_lengths(plate: ExportPlate) -> None:
    for well in plate.wells:
        for values in (well.medians, well.n_beads, well.results or plate.analytes):
            _check_length(values, of=f"well {well.well}", plate=plate)
    for level in (*plate.standards, *plate.controls):
        _check_length(level.expected, of=f"level {level.sample}", plate=plate)
    _check_length(plate.curves or plate.analytes, of="the curves", plate=plate)


def _check_length(values: Sequence[object], *, of: str, plate: ExportPlate) -> None:
    if len(values) != len(plate.analytes):
        raise ValueError(
            f"plate {plate.batch}, {of}: {len(values)} values for {len(plate.analytes)} analytes. "
            "Give one value for each analyte."
        )


def _lines(rows: Iterable[Row]) -> bytes:
    return "".join(",".join(_quoted(field) for field in row) + "\r\n" for row in rows).encode()


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'


def _number(value: float) -> str:
    # 15 digits and no exponent for what fits: how the instrument prints.
    return f"{value + 0.0:.15g}"


def _clock(moment: datetime) -> str:
    hour, half = _hour(moment).split(" ")
    return f"{_day(moment)} {hour}:{moment:%S} {half}"


def _hour(moment: datetime) -> str:
    return f"{moment.hour % 12 or 12}:{moment:%M} {'AM' if moment.hour < 12 else 'PM'}"


def _day(moment: datetime) -> str:
    return f"{moment.month}/{moment.day}/{moment.year}"


def _header(plate: ExportPlate) -> list[Row]:
    stopped_at = plate.started_at + timedelta(minutes=56)
    calibrated_at = plate.started_at - timedelta(days=1)
    return [
        ("Program", "xPONENT", "", "MAGPIX"),
        ("Build", "4.2.1705.0"),
        ("Date", _day(plate.started_at), _hour(plate.started_at)),
        (),
        ("SN", SIMULATED),
        ("Batch", plate.batch),
        ("Version", "1"),
        ("Operator", SIMULATED),
        ("ComputerName", SIMULATED),
        ("Country Code", "409"),
        ("ProtocolName", "Human cytokines"),
        ("ProtocolVersion", "1"),
        ("ProtocolDescription", ""),
        ("ProtocolDevelopingCompany", ""),
        ("SampleWash", "Off"),
        ("SampleVolume", "50 uL"),
        ("BatchStartTime", _clock(plate.started_at)),
        ("BatchStopTime", _clock(stopped_at)),
        ("BatchDescription", "simulated plate: no patient's blood was measured"),
        ("ProtocolPlate", "Name", "Current 96-well plate", "Type", "96", "Plates", "1"),
        ("ProtocolMicrosphere", "Map", "BP 50 regions", "Type", "MagPlex", "Count", str(len(plate.analytes))),
        ("ProtocolAnalysis", "Type", "Quan", "Mode", "FitOfAllStandards"),
        ("NormBead", "None"),
        ("ProtocolHeater", "Off"),
        (),
        ("Most Recent Calibration and Verification Results:",),
        ("Last CAL Calibration", f"Passed {_clock(calibrated_at)}"),
        ("Last VER Verification", f"Passed {_clock(calibrated_at)}"),
        ("Last Fluidics Test", f"Passed {_clock(calibrated_at)}"),
        ("",),
        ("AssayLotInfo:",),
        ("KitName", "LotNumber", "ExpirationDate", "Manufacturer"),
        ("Human cytokines", plate.lot, _day(plate.started_at + timedelta(days=365)), SIMULATED),
        (),
        ("Samples", str(len(_samples(plate))), "Min Events", str(N_BEADS_ASKED_FOR), "Per Bead"),
        (),
        ("Results",),
        (),
    ]


def _samples(plate: ExportPlate) -> list[str]:
    return list(dict.fromkeys(well.sample for well in plate.wells))


def _location(well: ExportWell) -> str:
    number = (int(well.well[1:]) - 1) * len(PLATE_ROWS) + PLATE_ROWS.index(well.well[0]) + 1
    return f"{number}(1,{well.well})"


def _by_well(plate: ExportPlate, name: str, values: Callable[[ExportWell], Iterable[str]]) -> list[Row]:
    rows = [(_location(well), well.sample, *values(well), str(sum(well.n_beads))) for well in plate.wells]
    return [("DataType:", name), ("Location", "Sample", *plate.analytes, "Total Events"), *rows]


def _measured(plate: ExportPlate) -> list[list[Row]]:
    return [
        _by_well(plate, "Median", lambda well: map(_number, well.medians)),
        _by_well(plate, "Net MFI", lambda well: map(_number, _net_medians(plate, well))),
        _by_well(plate, "Count", lambda well: map(str, well.n_beads)),
    ]


def _net_medians(plate: ExportPlate, well: ExportWell) -> list[float]:
    return [median - mean for median, mean in zip(well.medians, plate.background, strict=True)]


def _analysed(plate: ExportPlate) -> list[list[Row]]:
    if not all(well.results for well in plate.wells):
        return [_by_sample(plate, "Avg Net MFI", _mean_net_median)]
    return [
        _by_well(plate, "Result", lambda well: well.results),
        _by_well(plate, "Range", lambda well: [""] * len(well.results)),
        _by_sample(plate, "Avg Net MFI", _mean_net_median),
        _by_sample(plate, "Avg Result", _mean_result),
        _by_sample(plate, "%CV Replicates", _cv_of_results),
        _recoveries(plate),
        _comments(plate),
    ]


def _by_sample(
    plate: ExportPlate, name: str, summarise: Callable[[ExportPlate, list[ExportWell], int], str]
) -> list[Row]:
    rows = []
    for sample in _samples(plate):
        wells = [well for well in plate.wells if well.sample == sample]
        if not is_background(sample):
            rows.append((sample, *(summarise(plate, wells, i) for i in range(len(plate.analytes)))))
    return [("DataType:", name), ("Sample", *plate.analytes), *rows]


def _mean_net_median(plate: ExportPlate, wells: list[ExportWell], analyte: int) -> str:
    return _number(fmean(well.medians[analyte] - plate.background[analyte] for well in wells))


def _mean_result(_plate: ExportPlate, wells: list[ExportWell], analyte: int) -> str:
    printed = {well.results[analyte] for well in wells}
    numbers = [_value(well.results[analyte]) for well in wells]
    known = [number for number in numbers if number is not None]
    if len(known) == len(numbers):
        return _number(fmean(known))
    return printed.pop() if len(printed) == 1 else "N/A"


def _cv_of_results(_plate: ExportPlate, wells: list[ExportWell], analyte: int) -> str:
    known = [number for well in wells if (number := _value(well.results[analyte])) is not None]
    if len(known) < max(len(wells), 2) or not fmean(known):
        return "NaN"
    return _number(100 * stdev(known) / fmean(known))


def _value(printed: str) -> float | None:
    try:
        return None if printed == "NaN" else float(printed)
    except ValueError:
        return None


def _recoveries(plate: ExportPlate) -> list[Row]:
    expected = {level.sample: level.expected for level in (*plate.standards, *plate.controls)}
    rows = [
        (_location(well), well.sample, *map(_recovery, well.results, expected[well.sample]))
        for well in plate.wells
        if well.sample in expected
    ]
    return [("DataType:", "% Recovery"), ("Location", "Sample", *plate.analytes), *rows]


def _recovery(printed: str, expected: float) -> str:
    value = _value(printed)
    return "N/A" if value is None or not expected else f"{100 * value / expected:,.2f}"


def _comments(plate: ExportPlate) -> list[Row]:
    levels = list(zip(*(level.expected for level in plate.standards), strict=True))
    rows = [
        (_location(well), well.sample, *(_comment(well, i, levels[i]) for i in range(len(plate.analytes))))
        for well in plate.wells
    ]
    return [("DataType:", "Comments"), ("Location", "Sample", *plate.analytes), *rows]


def _comment(well: ExportWell, analyte: int, levels: Sequence[float]) -> str:
    value = _value(well.results[analyte])
    if value is None or min(levels) <= value / well.dilution_factor <= max(levels):
        return ""
    return "Extrapolated"


def _expected(plate: ExportPlate) -> list[list[Row]]:
    return [
        [("DataType:", "Units"), *_per_bead(plate, "Units:", plate.unit)],
        _levels(plate, "Standard Expected Concentration", plate.standards),
        *([_levels(plate, "Control Expected Concentration", plate.controls)] if plate.controls else []),
        [("DataType:", "Per Bead Count"), *_per_bead(plate, "Per Bead:", str(N_BEADS_ASKED_FOR))],
        _dilutions(plate),
    ]


def _per_bead(plate: ExportPlate, label: str, value: str) -> list[Row]:
    beads = [str(12 + i) for i in range(len(plate.analytes))]
    return [("Analyte:", *plate.analytes), ("BeadID:", *beads), (label, *[value] * len(plate.analytes))]


def _levels(plate: ExportPlate, name: str, levels: Sequence[ExportLevel]) -> list[Row]:
    rows = [(level.sample, *map(_number, level.expected)) for level in levels]
    return [("DataType:", name), ("Reagent", *plate.analytes), *rows]


def _dilutions(plate: ExportPlate) -> list[Row]:
    undiluted = {level.sample for level in plate.standards}
    rows = [
        (_location(well), well.sample)
        if well.sample in undiluted or is_background(well.sample)
        else (_location(well), well.sample, _number(well.dilution_factor))
        for well in plate.wells
    ]
    return [("DataType:", "Dilution Factor"), ("Location", "Sample", "Dilution Factor"), *rows]


def _analysis(plate: ExportPlate) -> list[list[Row]]:
    analytes = ("Analyte:", *plate.analytes)
    types: list[Row] = [
        ("DataType:", "Analysis Types"),
        analytes,
        ("AnalysisType", *[ANALYSIS_TYPE] * len(plate.analytes)),
    ]
    if not plate.curves:
        return [types]
    coefficients = [
        (f"Coefficient {letter.upper()}", *(_number(getattr(curve, letter)) for curve in plate.curves))
        for letter in "abcdf"
    ]
    r_squared = ("Value", *(_number(curve.r_squared) for curve in plate.curves))
    return [
        types,
        [("DataType:", "Analysis Coefficients"), analytes, *coefficients],
        [("DataType:", "R^2"), analytes, r_squared],
    ]


def _closing(plate: ExportPlate) -> list[list[Row]]:
    warnings = [
        (f"1,{well.well}", "Warning", "Too few beads of at least one region.")
        for well in plate.wells
        if min(well.n_beads, default=0) < N_BEADS_ASKED_FOR
    ]
    return [
        [("DataType:", "Audit Logs"), ("UserId", "Date", "Message")],
        [("DataType:", "Warnings/Errors"), ("Location", "Status", "Message"), *warnings],
    ]
