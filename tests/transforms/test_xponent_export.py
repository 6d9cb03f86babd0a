"""A simulated plate is written as an instrument writes one, and the reader reads back what was written."""

import re
import zlib
from dataclasses import replace
from datetime import datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.xponent.export import ExportCurve, ExportLevel, ExportPlate, ExportWell, write_xponent
from transforms.xponent.reader import parse_xponent

GOLDEN = Path(__file__).parents[1] / "fixtures" / "plate.csv"

LEVELS = [(0.64 * 4**i, 3.2 * 5**i) for i in range(7)]
SIGNALS = [
    (4.0, 9.0),
    (13.5, 38.0),
    (51.0, 171.5),
    (196.0, 798.0),
    (760.5, 3590.0),
    (2890.0, 13702.5),
    (9875.0, 31020.0),
]
UNKNOWNS = {
    "A3": ("S001", (29.0, 15.0), (76, 88), ("2.51", "0.9")),
    "B3": ("S001", (30.5, 15.5), (71, 93), ("2.72", "1")),
    "C3": ("Hypoxia Control 1", (12.0, 1210.0), (64, 51), ("< 0.64", "112.4")),
    "D3": ("Hypoxia Control 1", (12.5, 1198.5), (28, 66), ("< 0.64", "111.3")),
}


def golden_plate() -> ExportPlate:
    """Two analytes; 7 standards, one control and two samples in duplicate; two background wells."""
    wells = [ExportWell("A1", "Background0", (12.0, 14.0), (90, 101), results=("NaN", "NaN"))]
    wells.append(ExportWell("B1", "Background0", (13.0, 14.5), (85, 97), results=("NaN", "NaN")))
    for i, (level, signal) in enumerate(zip(LEVELS, SIGNALS, strict=True)):
        for replicate in range(2):
            place = 2 + 2 * i + replicate
            medians = (signal[0] + 12.5 + replicate, signal[1] + 14.0 - replicate)
            name, column = "ABCDEFGH"[place % 8], place // 8 + 1
            results = tuple(f"{x:.6g}" for x in level)
            wells.append(
                ExportWell(f"{name}{column}", f"Standard{i + 1}", medians, (70, 80), results=results)
            )
    for well, (sample, medians, beads, results) in UNKNOWNS.items():
        wells.append(ExportWell(well, sample, medians, beads, dilution_factor=2.0, results=results))
    wells.append(ExportWell("E3", "Control1", (110.5, 412.0), (77, 79), results=("12.1", "38.2")))
    return ExportPlate(
        batch="golden",
        lot="L-1",
        started_at=datetime(2024, 3, 5, 20, 45),
        analytes=("IL7", "IL-6"),
        wells=tuple(wells),
        standards=tuple(ExportLevel(f"Standard{i + 1}", level) for i, level in enumerate(LEVELS)),
        controls=(ExportLevel("Control1", (12.0, 40.0), low=(8.0, 28.0), high=(16.0, 52.0)),),
        curves=(ExportCurve(0.5, 40000, 9000, -1, 1, 0.99), ExportCurve(1.5, 45000, 9000, -1.2, 1.1, 0.98)),
    )


def section_rows(data: bytes, name: str) -> list[str]:
    return data.decode().split(f'"DataType:","{name}"\r\n')[1].split("\r\n\r\n")[0].split("\r\n")


def test_the_golden_plate_is_written_byte_for_byte():
    assert write_xponent(golden_plate()) == GOLDEN.read_bytes()


def test_the_checksum_printed_is_that_of_the_bytes_before_it():
    body, printed = write_xponent(golden_plate()).split(b"-- CRC --\r\n")
    assert printed == f"CRC32: {zlib.crc32(body):08X}".encode()


def test_lines_end_as_the_instrument_ends_them_and_every_field_is_quoted():
    data = write_xponent(golden_plate())
    body = data.split(b"-- CRC --")[0].decode()
    assert "\n" not in body.replace("\r\n", "")
    assert all(re.fullmatch(r'("[^"]*"(,"[^"]*")*)?', line) for line in body.split("\r\n"))


def test_the_header_says_that_the_plate_is_simulated():
    header = write_xponent(golden_plate()).split(b'"Results"')[0].decode()
    for key in ("Operator", "SN", "ComputerName"):
        assert f'"{key}","simulated"' in header
    assert '"BatchDescription","simulated plate' in header


def test_net_medians_are_the_medians_less_the_mean_of_the_background_wells():
    rows = section_rows(write_xponent(golden_plate()), "Net MFI")
    assert rows[1] == '"1(1,A1)","Background0","-0.5","-0.25","191"'
    assert rows[17] == '"17(1,A3)","S001","16.5","0.75","164"'


def test_means_and_variation_are_those_of_the_results():
    data = write_xponent(golden_plate())
    assert '"S001","2.615","0.95"' in section_rows(data, "Avg Result")
    # 2.51 and 2.72: the standard deviation is 0.148492, the mean 2.615
    assert '"S001","5.67848657931837"' in "\n".join(section_rows(data, "%CV Replicates"))


def test_a_mean_of_results_below_the_range_is_printed_as_below_and_never_as_a_number():
    rows = section_rows(write_xponent(golden_plate()), "Avg Result")
    assert '"Hypoxia Control 1","< 0.64","111.85"' in rows


def test_recoveries_are_printed_for_standards_and_controls_only():
    rows = section_rows(write_xponent(golden_plate()), "% Recovery")
    assert len(rows) == 1 + 14 + 1
    assert rows[-1] == '"21(1,E3)","Control1","100.83","95.50"'


def test_a_plate_without_results_has_no_section_made_of_them():
    plain = replace(
        golden_plate(), curves=(), wells=tuple(replace(well, results=()) for well in golden_plate().wells)
    )
    data = write_xponent(plain).decode()
    names = re.findall(r'"DataType:","([^"]+)"', data)
    assert not {"Result", "Avg Result", "% Recovery", "Analysis Coefficients"} & set(names)
    assert {"Median", "Net MFI", "Count", "Standard Expected Concentration", "Dilution Factor"} <= set(names)


def test_wells_of_few_beads_are_listed_among_the_warnings():
    rows = section_rows(write_xponent(golden_plate()), "Warnings/Errors")
    assert [row.split(",")[1] for row in rows[1:]] == ['D3"']


def test_a_well_with_too_few_values_is_refused():
    broken = replace(golden_plate(), wells=(ExportWell("A1", "S1", (1.0,), (50, 50)),))
    with pytest.raises(ValueError, match="well A1: 1 values for 2 analytes"):
        write_xponent(broken)


halves = st.integers(min_value=0, max_value=200_000).map(lambda n: n / 2)
names = st.text(st.characters(codec="utf-8", categories=["L", "N", "P", "Zs"]), min_size=1, max_size=12).map(
    lambda text: " ".join(text.split()) or "x"
)


@st.composite
def plates(draw: st.DrawFn) -> ExportPlate:
    """Plates with one to three analytes, awkward sample names, up to nine wells."""
    n_analytes = draw(st.integers(1, 3))
    places = draw(
        st.lists(
            st.sampled_from([f"{r}{c}" for r in "ABCDEFGH" for c in range(1, 13)]), unique=True, max_size=8
        )
    )
    wells = [
        ExportWell(
            place,
            draw(names),
            tuple(draw(halves) for _ in range(n_analytes)),
            tuple(draw(st.integers(0, 500)) for _ in range(n_analytes)),
            dilution_factor=draw(st.sampled_from([1.0, 2.0, 4.5])),
        )
        for place in ["A1", *(place for place in places if place != "A1")]
    ]
    return ExportPlate(
        batch="law",
        lot="1",
        started_at=datetime(2024, 1, 1),
        analytes=("IL-7", "IL-6", "TNFa")[:n_analytes],
        wells=tuple(wells),
        standards=(ExportLevel("a standard of its own", tuple(1.0 for _ in range(n_analytes))),),
    )


@given(plates())
@settings(max_examples=150, deadline=None)
def test_the_reader_reads_back_what_was_written(plate: ExportPlate):
    read = parse_xponent(write_xponent(plate))
    written = [
        (well.well, analyte, well.medians[i], well.n_beads[i])
        for well in plate.wells
        for i, analyte in enumerate(plate.analytes)
    ]
    assert read.wells.select("well", "analyte", "median_fi", "n_beads").rows() == written
    assert read.wells["sample"].to_list() == [well.sample for well in plate.wells for _ in plate.analytes]
    assert read.checksum == "ok"
    unknown = read.wells.filter(pl.col("kind") == "unknown")
    factors = {well.well: well.dilution_factor for well in plate.wells}
    assert all(
        factors[well] == factor for well, factor in unknown.select("well", "dilution_factor").iter_rows()
    )


def test_identical_limits_vary_by_nothing_and_average_to_themselves():
    data = write_xponent(golden_plate())
    assert '"Hypoxia Control 1","0","0.695411228703807"' in section_rows(data, "%CV Replicates")


def test_the_kit_expires_on_a_day_that_tells_the_order_of_the_files_other_dates():
    for month in range(1, 13):
        plate = parse_xponent(write_xponent(replace(golden_plate(), started_at=datetime(2024, month, 5, 9))))
        assert plate.acquired_at == datetime(2024, month, 5, 9)


def test_ranges_of_controls_are_written_where_there_are_any():
    without = replace(golden_plate(), controls=(ExportLevel("Control1", (12.0, 40.0)),))
    assert b"Control Range" not in write_xponent(without)
    assert parse_xponent(write_xponent(golden_plate())).controls["range_high"].to_list() == [16.0, 52.0]
