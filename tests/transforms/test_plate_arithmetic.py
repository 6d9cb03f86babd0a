"""What a plate's file must satisfy by itself: a good plate is silent, and each altered number is named."""

import math
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date, datetime, timedelta
from pathlib import Path

import polars as pl
import pytest

from transforms.plates.arithmetic import check_arithmetic
from transforms.plates.findings import PLATE_FINDING_SCHEMA
from transforms.plates.run_record import check_run_record
from transforms.xponent.export import (
    ExportCurve,
    ExportLevel,
    ExportPlate,
    ExportWell,
    write_xponent,
)
from transforms.xponent.reader import UnreadablePlateError, XponentPlate, parse_xponent

REAL = Path(__file__).parents[2].parent / "shared" / "data"
FIXTURE = (Path(__file__).parents[1] / "fixtures" / "plate.csv").read_bytes()
CURVES = {
    "IL-7": ExportCurve(0.4, 21000.0, 300.0, -0.9, 1.1, 0.99),
    "IL-6": ExportCurve(-0.3, 30000.0, 500.0, -1.1, 0.9, 0.98),
}
LEVELS = tuple(0.64 * 4**i for i in range(7))
BACKGROUND = {"IL-7": (12.0, 13.0, 14.5), "IL-6": (20.0, 21.0, 19.5)}


# A plate whose every number follows, made by the instrument's rules.


def signal(curve: ExportCurve, x: float) -> float:
    return curve.a + (curve.b - curve.a) / (1 + (x / curve.c) ** curve.d) ** curve.f


def result(curve: ExportCurve, y: float, *, dilution: float = 1.0) -> str:
    if y <= curve.a:
        return f"< {LEVELS[0]:.15g}"
    if y >= curve.b:
        return f"> {LEVELS[-1]:.15g}"
    x = curve.c * math.expm1(math.log((curve.b - curve.a) / (y - curve.a)) / curve.f) ** (1 / curve.d)
    return f"{dilution * x:.15g}"


def export_well(well: str, sample: str, levels: tuple[float, float], *, dilution: float = 1.0) -> ExportWell:
    background = {analyte: sum(values) / 3 for analyte, values in BACKGROUND.items()}
    medians = [
        round(2 * (background[a] + signal(curve, x))) / 2 if x > 0 else 0.5
        for (a, curve), x in zip(CURVES.items(), levels, strict=True)
    ]
    net = [y - background[a] for a, y in zip(CURVES, medians, strict=True)]
    results = [result(c, y, dilution=dilution) for c, y in zip(CURVES.values(), net, strict=True)]
    return ExportWell(well, sample, tuple(medians), (80, 90), dilution, tuple(results))


def good_export() -> ExportPlate:
    wells = [
        ExportWell(
            f"{'ABC'[i]}1",
            "Background0",
            (BACKGROUND["IL-7"][i], BACKGROUND["IL-6"][i]),
            (80, 90),
            1,
            ("NaN",) * 2,
        )
        for i in range(3)
    ]
    for i, level in enumerate(LEVELS):
        for column, shift in ((2, 0.97), (3, 1.04)):
            wells.append(export_well(f"{'ABCDEFG'[i]}{column}", f"Standard{i + 1}", (level * shift,) * 2))
    wells.append(export_well("A4", "Control1", (30.0, 60.0)))
    for i, levels in enumerate([(2.1, 7.0), (2.6, -1.0), (900.0, 55.0), (-1.0, 8.0)]):
        wells.append(export_well(f"{'ABCD'[i]}5", f"S{i // 2}", levels, dilution=4.0))
    return ExportPlate(
        batch="good",
        lot="L-1",
        started_at=datetime(2024, 3, 25, 20, 45),
        analytes=tuple(CURVES),
        wells=tuple(wells),
        standards=tuple(ExportLevel(f"Standard{i + 1}", (x, x)) for i, x in enumerate(LEVELS)),
        controls=(ExportLevel("Control1", (30.0, 60.0)),),
        curves=tuple(CURVES.values()),
    )


GOOD = write_xponent(good_export())
GOOD_PLATE = parse_xponent(GOOD)


def changed(
    section: str, row: str, analyte: str, change: Callable[[str], str], data: bytes = GOOD
) -> XponentPlate:
    """The plate with one cell of a section changed; the checksum is made whole again."""
    lines = data.decode().split("\r\n")
    start = lines.index(f'"DataType:","{section}"')
    i = next(j for j in range(start + 2, len(lines)) if row in lines[j].split('","')[0])
    cells = lines[i].strip('"').split('","')
    place = lines[start + 1].strip('"').split('","').index(analyte)
    cells[place] = change(cells[place])
    lines[i] = ",".join(f'"{cell}"' for cell in cells)
    return replace(parse_xponent("\r\n".join(lines).encode()), checksum="ok")


def without_mark(printed: str) -> str:
    """The number without its decimal mark; ten times the number where it has none."""
    return printed.replace(".", "") if "." in printed else printed + "0"


def broken(plate: XponentPlate) -> list[tuple[str, str, str | None, str | None]]:
    findings = check_arithmetic(plate)
    assert findings.schema == PLATE_FINDING_SCHEMA
    assert not findings.select("code", "place", "analyte").is_duplicated().any()
    of_note = findings.filter(pl.col("code") != "P16")
    return list(of_note.select("code", "severity", "place", "analyte").iter_rows())


def codes(plate: XponentPlate) -> set[str]:
    return {code for code, *_ in broken(plate)}


def standard_wells(plate: XponentPlate = GOOD_PLATE) -> Iterator[tuple[str, str, str]]:
    rows = plate.wells.filter(kind="standard").select("location", "well", "sample", "analyte")
    yield from ((f"({1},{well})", sample, analyte) for _, well, sample, analyte in rows.iter_rows())


def test_a_good_plate_breaks_no_rule():
    assert GOOD_PLATE.wells["instrument_result"].str.contains("<").any()
    assert broken(GOOD_PLATE) == []


# P01


def test_a_flipped_byte_anywhere_before_the_checksum_is_flagged():
    end = GOOD.index(b"-- CRC --")
    for place in [*range(40), *range(40, end, 37)]:
        for bit in (1, 0x20):
            data = GOOD[:place] + bytes([GOOD[place] ^ bit]) + GOOD[place + 1 :]
            try:
                findings = check_run_record(parse_xponent(data))
            except UnreadablePlateError:
                continue
            assert ("P01", "told") in list(findings.select("code", "severity").iter_rows()), place


def test_a_file_without_a_checksum_is_a_note():
    assert broken(replace(GOOD_PLATE, checksum="absent")) == [("P01", "note", None, None)]


# P03


def test_a_standard_without_an_expected_concentration_is_told():
    plate = changed("Standard Expected Concentration", "Standard3", "IL-6", lambda _: "")
    assert broken(plate) == [("P03", "told", "standard Standard3", "IL-6")]


def test_a_standard_that_the_list_lacks_is_told():
    line = next(line for line in GOOD.decode().split("\r\n") if line.startswith('"Standard7","2621.44"'))
    plate = replace(parse_xponent(GOOD.replace(f"{line}\r\n".encode(), b"")), checksum="ok")
    assert {("P03", "told", "G2", None), ("P03", "told", "G3", None)} <= set(broken(plate))


def test_a_sample_named_like_a_standard_is_a_sample():
    plate = replace(parse_xponent(GOOD.replace(b'"S1"', b'"Standard deviation 1"')), checksum="ok")
    assert "P03" not in codes(plate)


# P02, P04 to P08: every number of every standard.


def test_a_lost_decimal_mark_in_any_expected_concentration_is_flagged():
    for i in range(1, 8):
        for analyte in CURVES:
            plate = changed("Standard Expected Concentration", f"Standard{i}", analyte, without_mark)
            assert ("P02", "not used", f"standard Standard{i}", analyte) in broken(plate)


@pytest.mark.parametrize("section", ["Median", "Net MFI"])
@pytest.mark.parametrize("data", [GOOD, FIXTURE], ids=["good", "fixture"])
def test_a_lost_decimal_mark_in_any_standards_signal_keeps_its_analyte_from_use(data: bytes, section: str):
    names = (
        {"IL-7": "IL7", "IL-6": "IL-6"} if data is FIXTURE else dict.fromkeys(CURVES) | {a: a for a in CURVES}
    )
    for well, _, analyte in standard_wells(parse_xponent(data)):
        plate = changed(section, well, names[analyte], without_mark, data)
        assert ("P04", "not used", "standards", analyte) in broken(plate), (well, analyte)


@pytest.mark.parametrize(
    ("section", "rules"),
    [("Result", {"P05", "P06", "P07"}), ("% Recovery", {"P07"})],
)
def test_a_lost_decimal_mark_in_any_standards_result_or_recovery_is_told(section: str, rules: set[str]):
    for well, _, analyte in standard_wells():
        found = broken(changed(section, well, analyte, without_mark))
        assert rules <= {code for code, severity, _, about in found if (severity, about) == ("told", analyte)}


@pytest.mark.parametrize("section", ["Avg Net MFI", "Avg Result", "%CV Replicates"])
def test_a_lost_decimal_mark_in_any_standards_average_is_told(section: str):
    for _, sample, analyte in standard_wells():
        plate = changed(section, f'"{sample}', analyte, without_mark)
        assert broken(plate) == [("P05", "told", section, analyte)]


def test_a_samples_contradicting_median_keeps_its_well_from_use():
    assert ("P04", "not used", "A5", "IL-7") in broken(changed("Median", "(1,A5)", "IL-7", without_mark))


def test_a_controls_contradicting_median_is_told():
    assert ("P04", "told", "A4", "IL-7") in broken(changed("Median", "(1,A4)", "IL-7", without_mark))


def test_an_altered_background_well_keeps_its_analyte_from_use():
    found = broken(changed("Median", "(1,B1)", "IL-7", without_mark))
    assert ("P04", "not used", None, "IL-7") in found
    assert ("P04", "told", "B1", "IL-7") in found


def test_a_background_that_no_wells_explain_is_told():
    wells = GOOD_PLATE.wells.filter(kind="unknown")
    plate = replace(GOOD_PLATE, wells=wells, averages=GOOD_PLATE.averages.clear())
    assert set(broken(plate)) == {("P04", "told", None, "IL-7"), ("P04", "told", None, "IL-6")}
    as_they_are = plate.wells.with_columns(net_mfi="median_fi")
    assert "P04" not in codes(replace(plate, wells=as_they_are, curves=plate.curves.clear()))


def test_net_medians_are_compared_to_the_precision_they_are_printed_with():
    rounded = GOOD_PLATE.wells.with_columns(pl.col("net_mfi").round(1))
    assert "P04" not in codes(replace(GOOD_PLATE, wells=rounded, curves=GOOD_PLATE.curves.clear()))
    off = rounded.with_columns(
        pl.when(well="A5", analyte="IL-7").then(pl.col("net_mfi") + 0.1).otherwise("net_mfi")
    )
    assert ("P04", "not used", "A5", "IL-7") in broken(replace(GOOD_PLATE, wells=off))


def test_results_are_compared_to_the_seventh_digit():
    def nudged(by: float) -> XponentPlate:
        return changed("Result", "(1,C5)", "IL-7", lambda printed: f"{float(printed) * (1 + by):.15g}")

    assert "P06" not in codes(nudged(1e-8))
    assert ("P06", "told", None, "IL-7") in broken(nudged(1e-5))


@pytest.mark.parametrize("letter", "ABCDF")
def test_an_altered_coefficient_is_told(letter: str):
    column = letter.lower()
    curves = GOOD_PLATE.curves.with_columns(
        pl.when(analyte="IL-7").then(pl.col(column) * 1.001).otherwise(column).alias(column)
    )
    assert broken(replace(GOOD_PLATE, curves=curves)) == [("P06", "told", None, "IL-7")]


def test_a_result_on_the_wrong_side_of_the_curve_is_told():
    plate = changed("Result", "(1,C5)", "IL-7", lambda _: "< 0.64")
    assert ("P06", "told", None, "IL-7") in broken(plate)


def test_a_limit_that_is_no_standards_is_told_and_that_of_another_standard_a_note():
    told = changed("Result", "(1,D5)", "IL-7", lambda _: "< 64")
    assert ("P08", "told", None, "IL-7") in broken(told)
    note = changed("Result", "(1,D5)", "IL-7", lambda _: "< 2.56")
    assert ("P08", "note", "limits of another standard", "IL-7") in broken(note)


# P11 to P14, P16: the record of the run.

CALIBRATED_AT = datetime(2024, 3, 24, 20, 45)


def calibrated(outcome: str = "passed", at: datetime | None = CALIBRATED_AT) -> XponentPlate:
    rows = [("Last CAL Calibration", outcome, at)]
    frame = pl.DataFrame(rows, schema=GOOD_PLATE.calibrations.schema, orient="row")
    return replace(GOOD_PLATE, calibrations=frame)


@pytest.mark.parametrize(
    ("plate", "severity"),
    [
        (calibrated("failed"), "told"),
        (calibrated("failed", None), "told"),
        (calibrated(at=CALIBRATED_AT + timedelta(days=2)), "told"),
        (calibrated("other"), "note"),
    ],
)
def test_a_calibration_that_failed_or_came_after_the_run_is_told(plate: XponentPlate, severity: str):
    assert broken(plate) == [("P11", severity, "Last CAL Calibration", None)]


def test_a_calibration_of_unknown_time_that_passed_is_no_breach():
    assert broken(calibrated(at=None)) == []
    assert broken(replace(calibrated(), acquired_at=None)) == []


def test_a_calibration_older_than_31_days_is_a_note():
    run = datetime(2024, 3, 25, 20, 45)
    assert broken(calibrated(at=run - timedelta(days=31))) == []
    assert broken(calibrated(at=run - timedelta(days=31, seconds=1))) == [
        ("P12", "note", "Last CAL Calibration", None)
    ]


def test_a_kit_without_a_lot_is_a_note_and_one_past_its_date_is_told():
    assert broken(replace(GOOD_PLATE, kit_lot=None)) == [("P13", "note", None, None)]
    assert broken(replace(GOOD_PLATE, kit_expires_on=date(2024, 3, 25))) == []
    assert broken(replace(GOOD_PLATE, kit_expires_on=date(2024, 3, 24))) == [("P14", "told", None, None)]


def test_what_nobody_reads_is_a_note():
    findings = check_arithmetic(replace(GOOD_PLATE, unread=("Colour", "Shape"))).filter(code="P16")
    assert findings.select("severity", "found").rows() == [("note", "not read: Colour, Shape")]
    assert "P16" not in set(check_arithmetic(replace(GOOD_PLATE, unread=()))["code"])


# Real files.


def test_an_untouched_real_plate_gives_only_notes():
    path = REAL / "xponent-magpix-adabi" / "A549.csv"
    if not path.exists():
        pytest.skip("the real exports are not beside the checkout")
    assert set(check_arithmetic(parse_xponent(path.read_bytes()))["severity"]) == {"note"}


def test_findings_do_not_show_samples_or_results():
    plate = changed("Result", "(1,C5)", "IL-7", without_mark)
    plate = replace(plate, wells=plate.wells.with_columns(pl.col("sample").replace("S1", "Jane Doe")))
    assert "Jane Doe" not in check_arithmetic(plate).write_csv()
