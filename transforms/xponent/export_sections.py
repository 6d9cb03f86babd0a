"""The sections of an export that is written: what the instrument prints of a plate, and its arithmetic.

Here: rows of fields, a section each. Not here: the plate (`transforms.xponent.export_plate`), header and
bytes (`transforms.xponent.export`, which alone calls this).
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from statistics import fmean, stdev

from transforms.xponent.export_plate import ExportLevel, ExportPlate, ExportWell
from transforms.xponent.names import is_background_name

PLATE_ROWS = "ABCDEFGH"
N_BEADS_ASKED_FOR = 50
ANALYSIS_TYPE = "Logistic 5P Weighted"

Row = Sequence[str]


def sections_of(plate: ExportPlate) -> list[list[Row]]:
    """Return the rows of each section, in the instrument's order.

    The sections made from results (Result, Avg Result, %CV Replicates, % Recovery, Comments) and the
    coefficients are there where the wells carry results and the plate carries curves.
    """
    parts = (_measured, _analysed, _expected, _analysis, _closing)
    return list(chain.from_iterable(part(plate) for part in parts))


def samples_of(plate: ExportPlate) -> list[str]:
    """Return the names of the samples, in the order of their first wells."""
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
    for sample in samples_of(plate):
        wells = [well for well in plate.wells if well.sample == sample]
        if not is_background_name(sample):
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
    if len({well.results[analyte] for well in wells}) == 1 < len(wells):
        # So too where all of them are the same limit.
        return "0"
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
        *_controls(plate),
        [("DataType:", "Per Bead Count"), *_per_bead(plate, "Per Bead:", str(N_BEADS_ASKED_FOR))],
        _dilutions(plate),
    ]


def _controls(plate: ExportPlate) -> list[list[Row]]:
    lists = {
        "Control Expected Concentration": plate.controls,
        "Control Range - Low": [ExportLevel(one.sample, one.low) for one in plate.controls if one.low],
        "Control Range - High": [ExportLevel(one.sample, one.high) for one in plate.controls if one.high],
    }
    return [_levels(plate, name, levels) for name, levels in lists.items() if levels]


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
        if well.sample in undiluted or is_background_name(well.sample)
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


def _number(value: float) -> str:
    # 15 digits and no exponent for what fits: how the instrument prints.
    return f"{value + 0.0:.15g}"
