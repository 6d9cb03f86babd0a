"""An export reads the same however it was saved, and what is no whole export is refused with its place."""

import re
from dataclasses import fields
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.findings import Finding
from transforms.xponent.decimals import find_decimal_mark, parse_number
from transforms.xponent.export import ExportLevel, ExportPlate, ExportWell, write_xponent
from transforms.xponent.reader import (
    WELLS,
    UnreadablePlateError,
    XponentPlate,
    parse_xponent,
    standard_analyte_name,
)

FIXTURES = Path(__file__).parents[1] / "fixtures"
REAL = Path(__file__).parents[2].parent / "shared" / "data"
STANDARDS = "Standard Expected Concentration"
PLATE = (FIXTURES / "plate.csv").read_bytes()
TEXT = PLATE.decode()


def real(name: str) -> bytes:
    path = REAL / name
    if not path.exists():
        pytest.skip("the real exports are not beside the checkout")
    return path.read_bytes()


def without(section: str, text: str = TEXT) -> bytes:
    start = text.index(f'"DataType:","{section}"')
    return (text[:start] + text[text.index('"DataType:"', start + 5) :]).encode()


def changed(old: str, new: str) -> bytes:
    assert old in TEXT
    return TEXT.replace(old, new).encode()


def cut_after(mark: str) -> bytes:
    return TEXT[: TEXT.index(mark) + len(mark)].encode()


def refusal(data: bytes) -> Finding:
    with pytest.raises(UnreadablePlateError) as caught:
        parse_xponent(data)
    finding = caught.value.refusal
    assert str(caught.value).startswith(f"{finding.column}: {finding.found}. Expected: {finding.expected}. ")
    return finding


# How an export comes back from other programs.


def unquoted(text: str) -> str:
    rows = [re.findall(r'"([^"]*)"', line) if line.startswith('"') else [line] for line in text.split("\r\n")]
    return "\r\n".join(",".join(f'"{f}"' if "," in f else f for f in row) for row in rows)


def with_decimal_commas(text: str) -> str:
    return re.sub(r'(?<=")([<>]? ?-?\d+)\.(\d+)(?=")', r"\1,\2", text).replace('","', '";"')


def padded(text: str) -> str:
    lines = unquoted(text).split("\r\n")
    return "\r\n".join(line + "," * (12 - line.count(",")) for line in lines)


VARIANTS = {
    "with a byte-order mark": b"\xef\xbb\xbf" + PLATE,
    "UTF-16 with a mark": TEXT.encode("utf-16"),
    "UTF-16 without a mark": TEXT.encode("utf-16-le"),
    "UTF-16, the other way round": b"\xfe\xff" + TEXT.encode("utf-16-be"),
    "latin-1": TEXT.replace('"SampleWash","Off"', '"SampleWash","f\xfcr \xb5L"').encode("latin-1"),
    "line feeds": TEXT.replace("\r\n", "\n").encode(),
    "carriage returns": TEXT.replace("\r\n", "\r").encode(),
    "unquoted": unquoted(TEXT).encode(),
    "unquoted, locations split": unquoted(TEXT).replace('"', "").encode(),
    "padded by a spreadsheet": padded(TEXT).encode(),
    "semicolons": TEXT.replace('","', '";"').encode(),
    "semicolons and decimal commas": with_decimal_commas(TEXT).encode(),
    "decimal commas in quotes": with_decimal_commas(TEXT).replace('";"', '","').encode(),
    "tabs": TEXT.replace('","', '"\t"').encode(),
    "a line that names the delimiter": b"sep=,\r\n" + PLATE,
    "section names in capitals": TEXT.replace('"Net MFI"', '"NET  MFI"').encode(),
    "blank lines lost": re.sub(r"(\r\n)+", "\r\n", TEXT).encode(),
    "blank lines added": TEXT.replace("\r\n", "\r\n\r\n").encode(),
    "an unknown section": TEXT.replace(
        '"DataType:","Count"', '"DataType:","Colour"\r\n"a"\r\n"b"\r\n\r\n"DataType:","Count"'
    ).encode(),
    "an unknown column": TEXT.replace('"Total Events"', '"Total Events","Colour"').encode(),
}


def assert_same(found: XponentPlate, expected: XponentPlate) -> None:
    for field in fields(expected):
        one, other = getattr(found, field.name), getattr(expected, field.name)
        if isinstance(other, pl.DataFrame):
            assert one.equals(other), field.name
        elif field.name not in ("checksum", "unread"):
            assert one == other, field.name


@pytest.mark.parametrize("data", VARIANTS.values(), ids=VARIANTS.keys())
def test_another_spelling_of_the_same_data_gives_the_same_frame(data: bytes):
    assert data != PLATE
    expected, found = parse_xponent(PLATE), parse_xponent(data)
    assert_same(found, expected)


def test_the_golden_plate_reads_as_its_golden_frame():
    golden = pl.read_csv(FIXTURES / "plate.wells.csv", schema=WELLS, null_values=[""])
    assert parse_xponent(PLATE).wells.equals(golden)


def test_the_units_and_the_standards_of_the_plate_are_kept():
    plate = parse_xponent(PLATE)
    assert plate.units.rows() == [("IL-7", "pg/ml", 50), ("IL-6", "pg/ml", 50)]
    assert plate.standards.filter(analyte="IL-7")["expected_concentration"].to_list()[:3] == [
        0.64,
        2.56,
        10.24,
    ]
    assert plate.controls.rows() == [
        ("Control1", "IL-7", 12.0, "pg/ml", 8.0, 16.0),
        ("Control1", "IL-6", 40.0, "pg/ml", 28.0, 52.0),
    ]


def test_the_instruments_own_averages_and_curves_are_kept():
    plate = parse_xponent(PLATE)
    of_sample = plate.averages.filter(sample="S001", analyte="IL-7").row(0)[2:]
    assert of_sample == (17.25, "2.615", 5.67848657931837)
    assert plate.averages.filter(sample="Hypoxia Control 1")["avg_result"].to_list() == ["< 0.64", "111.85"]
    assert plate.curves.row(0) == ("IL-7", "Logistic 5P Weighted", 0.5, 40000.0, 9000.0, -1.0, 1.0, 0.99)


def test_recoveries_and_comments_stand_beside_their_wells():
    wells = parse_xponent(PLATE).wells
    assert wells.filter(well="E3")["instrument_recovery_percent"].to_list() == [100.83, 95.5]
    assert wells.filter(well="A3")["instrument_comment"].to_list() == [None, "Extrapolated"]


def test_a_plate_printed_abroad_with_awkward_names_reads_as_its_golden_frame():
    plate = parse_xponent((FIXTURES / "plate_abroad.csv").read_bytes())
    golden = pl.read_csv(FIXTURES / "plate_abroad.wells.csv", schema=WELLS)
    assert plate.wells.equals(golden.with_columns(pl.col("sample").fill_null("")))
    assert plate.standards["expected_concentration"].min() == 0.0
    assert (plate.checksum, plate.kit_expires_on) == ("ok", date(2015, 2, 28))
    assert "Standard10" in plate.averages["sample"]


def test_a_plate_saved_by_a_spreadsheet_reads_as_the_plate_it_was():
    saved = parse_xponent((FIXTURES / "plate_saved.csv").read_bytes())
    assert_same(saved, parse_xponent(PLATE))
    assert saved.checksum == "fails"


def test_without_the_informing_sections_a_plate_has_empty_frames():
    data = PLATE
    for section in (
        "Avg Net MFI",
        "Avg Result",
        "%CV Replicates",
        "Analysis Types",
        "Analysis Coefficients",
        "R^2",
    ):
        data = without(section, data.decode())
    plate = parse_xponent(data)
    assert plate.averages.is_empty()
    assert plate.curves.is_empty()


def test_a_sample_that_is_averaged_twice_has_two_rows():
    data = TEXT.replace('"Control1","98","397.75"', '"S001","98","397.75"').encode()
    of_sample = parse_xponent(data).averages.filter(sample="S001", analyte="IL-7")
    assert of_sample["avg_net_mfi"].to_list() == [17.25, 98.0]


def test_thirty_analytes_with_any_names_are_read():
    names = tuple(f"{name} {i}" for i in range(10) for name in ("IL-1β/F2", "IFN-γ, total", 'A "b" (x)'))
    wells = (ExportWell("A1", "S1", tuple(range(30)), (60,) * 30),)
    plate = ExportPlate(
        "b", "l", datetime(2024, 1, 1), names, wells, (ExportLevel("Standard1", (1.0,) * 30),)
    )
    read = parse_xponent(write_xponent(plate)).wells
    assert read["analyte"].to_list() == list(names)
    assert read["median_fi"].to_list() == list(range(30))


def test_what_nobody_reads_is_reported_by_its_name():
    unread = parse_xponent(TEXT.replace('"DataType:","Comments"', '"DataType:","Colour"').encode()).unread
    assert {"Colour", "Range", "Operator", "SN", "Total Events", "Units, BeadID"} <= set(unread)
    assert not {"Median", "Batch", "BatchStartTime", "KitName"} & set(unread)


def test_a_line_that_informs_and_cannot_be_read_is_left_out_and_reported_by_its_number():
    data = TEXT.replace('"17(1,A3)","S001","","Extrapolated"', '"17","S001","","Extrapolated"').encode()
    line = next(i for i, text in enumerate(data.decode().split("\r\n"), 1) if text.startswith('"17",'))
    assert f"Comments, line {line}" in parse_xponent(data).unread


def test_another_sample_in_the_same_well_of_another_section_is_reported():
    count = TEXT.index('"DataType:","Count"')
    data = (TEXT[:count] + TEXT[count:].replace('"17(1,A3)","S001"', '"17(1,A3)","S002"', 1)).encode()
    assert any(re.fullmatch(r"Count, line \d+, sample", name) for name in parse_xponent(data).unread)


def everything_in(plate: XponentPlate) -> str:
    values = [getattr(plate, field.name) for field in fields(plate)]
    return "".join(value.write_csv() if isinstance(value, pl.DataFrame) else str(value) for value in values)


def test_operators_serial_numbers_and_computer_names_do_not_leave_the_reader():
    for key in ("Operator", "SN", "ComputerName"):
        data = TEXT.replace(f'"{key}","simulated"', f'"{key}","somebody"').encode()
        assert data != PLATE
        assert "somebody" not in everything_in(parse_xponent(data))


# Which well is what.


def kinds(data: bytes) -> dict[str, str]:
    return dict(parse_xponent(data).wells.select("sample", "kind").unique().iter_rows())


def test_what_a_well_is_comes_from_the_lists_of_the_file_and_not_from_words_in_names():
    found = kinds(PLATE)
    assert found["Background0"] == "background"
    assert found["Standard1"] == "standard"
    assert found["Control1"] == "control"
    assert found["Hypoxia Control 1"] == "unknown"


@pytest.mark.parametrize(
    "name", ["Normoxia Blank 1", "Standard deviation 1", "Background noise", "Control 11"]
)
def test_a_sample_with_a_misleading_name_is_an_unknown(name: str):
    assert kinds(TEXT.replace("Hypoxia Control 1", name).encode())[name] == "unknown"


def test_a_standard_may_be_spelt_apart_in_the_two_sections():
    # the list keeps 'Standard1', the wells have 'Standard 1'
    data = re.sub(r'(\(1,\w+\)"),"Standard1"', r'\1,"Standard 1"', TEXT).encode()
    wells = parse_xponent(data).wells.filter(sample="Standard 1", analyte="IL-7")
    assert wells.select("kind", "expected_concentration").unique().rows() == [("standard", 0.64)]


def test_a_background_well_on_the_list_of_standards_is_a_standard_of_that_concentration():
    data = TEXT.replace('"Standard1","0.64","3.2"\r\n', '"Background0","0","0"\r\n').encode()
    wells = parse_xponent(data).wells.filter(sample="Background0")
    assert wells.select("kind", "expected_concentration").unique().rows() == [("standard", 0.0)]


def test_values_that_were_not_measured_are_null():
    data = TEXT.replace('"S001","29","15"', '"S001","NaN",""').encode()
    first = parse_xponent(data).wells.filter(pl.col("well") == "A3")
    assert first["median_fi"].to_list() == [None, None]


def test_a_file_without_net_medians_and_results_has_none():
    wells = parse_xponent(without("Net MFI", without("Result").decode())).wells
    assert wells["net_mfi"].null_count() == wells.height
    assert wells["instrument_result"].null_count() == wells.height


def test_the_dilution_is_one_where_the_file_has_none():
    data = TEXT.replace('"17(1,A3)","S001","2"\r\n', '"17(1,A3)","S001"\r\n').encode()
    wells = parse_xponent(data).wells.unique("well").sort("location")
    assert wells.filter(well="A3")["dilution_factor"].item() == 1.0
    assert wells.filter(well="B3")["dilution_factor"].item() == 2.0


@pytest.mark.parametrize(
    "name",
    [
        "IL7",
        "IL-7",
        "il 7",
        "IL-7 (33)",
        "Human IL-7",
        "hIL-7",
        "33 IL-7",
        "(33) IL-7",
        "Interleukin-7",
        "IL\u20117",
        " IL-7 ",
    ],
)
def test_every_spelling_of_interleukin_7_is_one(name: str):
    assert standard_analyte_name(name) == "IL-7"


@pytest.mark.parametrize(
    "name", ["IL-17", "IL-7R", "IL-7Ra", "sIL-7R", "IL-17A (33)", "IL-70", "MIL-7", "IL-6"]
)
def test_other_analytes_keep_their_names(name: str):
    assert standard_analyte_name(name) == name


# The checksum.


def test_the_checksum_is_ok_fails_or_is_absent():
    assert parse_xponent(PLATE).checksum == "ok"
    assert parse_xponent(PLATE.replace(b'"29","15"', b'"28","15"')).checksum == "fails"
    assert parse_xponent(PLATE[: PLATE.index(b"-- CRC --")]).checksum == "absent"


def test_one_flipped_byte_fails_the_checksum_or_is_refused():
    n_last = 40
    flips = [(place, 0) for place in range(0, len(PLATE) - n_last, 97)]
    flips += [(len(PLATE) - 1 - back, bit) for back in range(n_last) for bit in range(8)]
    for place, bit in flips:
        data = PLATE[:place] + bytes([PLATE[place] ^ 1 << bit]) + PLATE[place + 1 :]
        try:
            assert parse_xponent(data).checksum == "fails", (place, bit)
        except UnreadablePlateError:
            continue


@pytest.mark.parametrize("end", [b"-- CRC --\r\n", b"-- CRC --\r\nCRC32: 123", b"CRC32: 12345678"])
def test_a_checksum_that_is_not_whole_fails(end: bytes):
    assert parse_xponent(PLATE[: PLATE.index(b"-- CRC --")] + end).checksum == "fails"


def test_a_copy_with_other_line_ends_is_the_same_content():
    for data in (TEXT.replace("\r\n", "\n").encode(), b"\xef\xbb\xbf" + PLATE, TEXT.encode("utf-16")):
        assert parse_xponent(data).checksum == "ok"


# What is refused.

MEDIAN_NAMES = '"Median"\r\n"Location","Sample","IL7","IL-6","Total Events"\r\n'
COUNT_NAMES = '"Count"\r\n"Location","Sample","IL7"'
NO_COUNT = "a bead count that is no whole number"
REFUSED = {
    "a first line that is damaged": (changed('"Program"', '"Prog2am"'), "no xPONENT header"),
    "only a header": (cut_after('"Results"'), "the end of the file"),
    "the end after Median": (cut_after('"Control1","110.5","412","156"'), "the end of the file"),
    "the end in the standards": (cut_after('"Standard3","10.24"'), "the end of the file"),
    "the end in the dilutions": (cut_after('"14(1,F2)","Standard6"\r\n'), "14 wells"),
    "no Median": (without("Median"), "no section Median"),
    "no Count": (without("Count"), "no section Count"),
    "no standards": (without(STANDARDS), f"no section {STANDARDS}"),
    "no standards, but an analysis": (
        without(STANDARDS, without("Result").decode()),
        f"no section {STANDARDS}",
    ),
    "no standards, but results": (
        without(STANDARDS, TEXT.replace('"Quan"', '"Off"')),
        f"no section {STANDARDS}",
    ),
    "a renamed section": (changed('"Count"\r\n', '"Counts"\r\n'), "no section Count"),
    "Median twice": (changed('"DataType:","Count"', '"DataType:","Median"'), "a second section Median"),
    "a renamed column": (changed(COUNT_NAMES, COUNT_NAMES.replace("IL7", "X")), "no column IL-7"),
    "an analyte twice": (changed('"IL-6"', '"IL-7"'), "no analytes, or an analyte twice"),
    "an analyte more than in Median": (
        changed(COUNT_NAMES, COUNT_NAMES.replace('"IL7"', '"IL7","IL-8"')),
        "a further column",
    ),
    "a lost line between two sections": (
        changed('"DataType:","Per Bead Count"\r\n', ""),
        "a second line of names",
    ),
    "two exports in one": (PLATE + b"\r\n" + PLATE, "text after the end of an export"),
    "a comma in one dilution": (changed('"S001","2"\r\n', '"S001","2,5"\r\n'), "a value that is no number"),
    "a recovery that is no number": (changed('"100.83"', '"1OO.83"'), "a value that is no number"),
    "no unit": (changed('"Units:","pg/ml"', '"Units","x"'), "no line of values"),
    "no line of names": (changed(MEDIAN_NAMES, '"Median"\r\n'), "no analytes, or an analyte twice"),
    "no location": (changed('"17(1,A3)"', '"17"'), "no well"),
    "a word for a number": (changed('"S001","29"', '"S001","many"'), "a value that is no number"),
    "an infinite number": (changed('"S001","29"', '"S001","1e999"'), "a value that is no number"),
    "half a bead": (changed('"S001","76"', '"S001","76.5"'), NO_COUNT),
    "fewer than no beads": (changed('"S001","76"', '"S001","-7"'), NO_COUNT),
    "no dilution": (changed('"S001","2"', '"S001","0"'), "a dilution of zero or less"),
    "a field too many": (changed('"S001","29","15"', '"S001","29","15","1"'), "6 fields"),
    "a negative standard": (changed('"0.64","3.2"\r\n', '"-0.64","3.2"\r\n'), "a concentration below zero"),
    "both decimal marks": (changed('"16.5","23"', '"16,5","23"'), "decimal points and decimal commas"),
    "a well twice": (changed('"18(1,B3)"', '"17(1,A3)"'), "no wells, or a well twice"),
    "a standard twice": (changed('"Standard2","2.56"', '"Standard 1","2.56"'), "the same name twice"),
}


@pytest.mark.parametrize(("data", "found"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_no_whole_export_is_refused_with_place_finding_expectation_and_remedy(
    data: bytes, found: str
):
    finding = refusal(data)
    assert (finding.rule, finding.found) == ("export_is_whole", found)
    assert finding.column
    assert finding.expected
    assert finding.remedy.endswith(".")


@pytest.mark.parametrize("section", ["Net MFI", "Count", "Result", "Dilution Factor"])
def test_a_section_that_lists_fewer_wells_than_the_medians_is_refused(section: str):
    start = TEXT.index(f'"DataType:","{section}"')
    line = TEXT.index('"13(1,E2)"', start)
    finding = refusal((TEXT[:line] + TEXT[TEXT.index("\r\n", line) + 2 :]).encode())
    assert finding.column == f"section {section}"
    assert (finding.found, finding.expected) == ("20 wells", "the 21 wells of Median")


def test_a_list_of_wells_shorter_than_the_number_of_samples_is_refused():
    few = re.sub(r'"(9|1\d|2\d)\(1,\w+\)".*\r\n', "", TEXT)
    assert refusal(few.encode()).expected == "at least the 11 samples of the header"


@pytest.mark.parametrize("share", [i / 40 for i in range(1, 39)])
def test_a_file_cut_anywhere_before_its_dilutions_end_is_refused(share: float):
    last_needed = TEXT.index('"21(1,E3)","Control1","1"')
    assert refusal(TEXT[: int(share * last_needed)].encode()).rule == "export_is_whole"


def test_a_refusal_shows_no_value_of_a_sample():
    finding = refusal(changed('"S001","29"', '"S001","secret"'))
    assert finding.column == "section Median, well A3, IL-7"
    assert "secret" not in str(finding)
    assert "S001" not in str(finding)


@given(st.data())
@settings(max_examples=400, deadline=None)
def test_a_damaged_file_gives_a_frame_or_a_refusal_and_nothing_else(data: st.DataObject):
    damaged = bytearray(PLATE)
    for _ in range(data.draw(st.integers(1, 4))):
        start = data.draw(st.integers(0, len(damaged)))
        stop = data.draw(st.integers(start, min(len(damaged), start + 200)))
        piece = st.sampled_from(
            [b"", b",", b'"', b"\r\n", b"\0", b"\xff", b'"DataType:","Median"', b"-- CRC --", b"9e99"]
        )
        damaged[start:stop] = data.draw(
            st.one_of(piece, st.binary(max_size=6), st.just(bytes(damaged[:300])))
        )
    try:
        plate = parse_xponent(bytes(damaged))
    except UnreadablePlateError:
        return
    assert plate.wells.schema == WELLS
    assert plate.wells.height > 0
    assert plate.checksum != "ok" or bytes(damaged)[: PLATE.index(b"CRC32")] == PLATE[: PLATE.index(b"CRC32")]


# Numbers.


@pytest.mark.parametrize(
    ("cell", "mark", "number"),
    [
        ("83.5", ".", 83.5),
        ("83,5", ",", 83.5),
        ("4,121.04", ".", 4121.04),
        ("4.121,04", ",", 4121.04),
        ("-0.5", ".", -0.5),
        ("1E-05", ".", 1e-5),
        ("1,234", ".", 1234.0),
        ("4 121,04", ",", 4121.04),
        ("4'121.04", ".", 4121.04),
        ("NaN", ".", None),
        ("n. def.", ",", None),
        ("", ".", None),
        ("N/A", ",", None),
    ],
)
def test_a_number_is_read_with_the_decimal_mark_of_its_file(cell: str, mark: str, number: float | None):
    assert parse_number(cell, decimal_mark=mark) == number


@pytest.mark.parametrize(
    "cell", ["1,5", "0,640", "12,34,567", "1.2.3", "1e999", "Infinity", "--1", "1 2", "²"]
)
def test_what_is_no_number_is_never_made_one(cell: str):
    with pytest.raises(ValueError, match="no finite number"):
        parse_number(cell, decimal_mark=".")


@pytest.mark.parametrize(
    ("cells", "mark"),
    [
        (["83.5", "12"], "."),
        (["83,5", "12"], ","),
        (["1,000", "12.5"], "."),
        (["1.000", "12,5"], ","),
        (["0,640", "12"], ","),
        (["1,000", "12"], "."),
        (["12", "NaN"], "."),
    ],
)
def test_the_decimal_mark_is_told_from_marks_between_thousands(cells: list[str], mark: str):
    assert find_decimal_mark(cells, delimiter=",") == mark


def test_between_semicolons_a_lone_comma_is_a_decimal_mark():
    assert find_decimal_mark(["1,250", "12"], delimiter=";") == ","


# Real files.


def test_a_real_export_and_its_copy_saved_by_a_spreadsheet_give_the_same_frame():
    written = parse_xponent(real("xponent-allotropy/example02_full.csv"))
    saved = parse_xponent(real("xponent-allotropy/example02_saved_full.csv"))
    assert written.wells.height == 96 * 21
    assert saved.wells.equals(written.wells)


def test_a_real_export_has_the_kinds_that_its_lists_say():
    plate = parse_xponent(real("xponent-magpix-adabi/A549.csv"))
    counts = dict(plate.wells.unique("well").group_by("kind").len().iter_rows())
    assert counts == {"background": 2, "standard": 12, "control": 4, "unknown": 76}
    assert plate.checksum == "ok"
    assert plate.kit_lot == "8062-13K"
    assert plate.standards.filter(analyte="TNFa")["expected_concentration"].to_list() == [
        3.2,
        16,
        80,
        400,
        2000,
        10000,
    ]


@pytest.mark.parametrize(
    ("name", "n_wells", "checksum"),
    [
        ("xponent-allotropy/missing_optional_fields_full.csv", 57, "fails"),
        ("xponent-serolyzer/Chul_IgG3_1.csv", 95, "ok"),
        ("xponent-serotrackr/example_MAGPIX_plate1.csv", 96, "fails"),
    ],
)
def test_real_exports_without_standards_are_read(name: str, n_wells: int, checksum: str):
    plate = parse_xponent(real(name))
    assert plate.wells["well"].n_unique() == n_wells
    assert plate.standards.is_empty()
    assert plate.checksum == checksum
