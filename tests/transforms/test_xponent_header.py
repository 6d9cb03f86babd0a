"""The header of an export says when, on what and with which kit, in any computer's way of printing dates."""

from datetime import date, datetime
from pathlib import Path

import pytest

from transforms.xponent.reader import XponentPlate, parse_xponent

TEXT = (Path(__file__).parents[1] / "fixtures" / "plate.csv").read_bytes().decode()
REAL = Path(__file__).parents[2].parent / "shared" / "data"
STARTED, STOPPED = "3/5/2024 8:45:00 PM", "3/5/2024 9:41:00 PM"
EXPIRES, CALIBRATED = "3/31/2025", "3/4/2024 8:45:00 PM"
DAY = "3/5/2024"


def plate_with(started: str, *, stopped: str = "", expires: str = "", calibrated: str = "") -> XponentPlate:
    text = TEXT.replace(STARTED, started).replace(STOPPED, stopped).replace(EXPIRES, expires)
    return parse_xponent(
        text.replace(CALIBRATED, calibrated).replace(f'"Date","{DAY}"', '"Date",""').encode()
    )


def test_the_header_of_the_plate_is_kept():
    plate = parse_xponent(TEXT.encode())
    assert (plate.batch, plate.program, plate.instrument) == ("golden", "xPONENT", "MAGPIX")
    assert (plate.build, plate.kit_name, plate.kit_lot) == ("4.2.1705.0", "Human cytokines", "L-1")
    assert (plate.acquired_at, plate.kit_expires_on) == (datetime(2024, 3, 5, 20, 45), date(2025, 3, 31))


@pytest.mark.parametrize(
    ("printed", "moment"),
    [
        ("10/16/2019 8:45:48 PM", datetime(2019, 10, 16, 20, 45, 48)),
        ("10/16/2019 12:05:00 AM", datetime(2019, 10, 16, 0, 5)),
        ("10/16/2019 20:45", datetime(2019, 10, 16, 20, 45)),
        ("26/02/2014 15:47:30", datetime(2014, 2, 26, 15, 47, 30)),
        ("26/02/2014 3:47:30 p. m.", datetime(2014, 2, 26, 15, 47, 30)),
        ("26-02-2014 15:47", datetime(2014, 2, 26, 15, 47)),
        ("26.02.2014 15:47:30", datetime(2014, 2, 26, 15, 47, 30)),
        ("3.9.2016 15:47", datetime(2016, 9, 3, 15, 47)),
        ("16.10.2019 20.45.48", datetime(2019, 10, 16, 20, 45, 48)),
        ("2024-10-18 11:36", datetime(2024, 10, 18, 11, 36)),
        ("2024-10-08T11:36:05.123", datetime(2024, 10, 8, 11, 36, 5)),
        ("2024/03/09 11:36:05", datetime(2024, 3, 9, 11, 36, 5)),
        ("3/3/2016 9:00:00", datetime(2016, 3, 3, 9)),
        ("3/9/2016 9:00:00", None),
        ("9-3-2016 9:00:00", None),
        ("31/31/2016 9:00:00", None),
        ("30/02/2016 9:00:00", None),
        ("3/9/16 9:00:00", None),
        ("3/9/2016 25:00:00", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_a_date_is_read_where_it_can_be_told_for_certain(printed: str, moment: datetime | None):
    assert plate_with(printed).acquired_at == moment


@pytest.mark.parametrize(
    ("others", "moment"),
    [
        ({"expires": "02/28/2017"}, datetime(2016, 3, 9, 9)),
        ({"expires": "28/02/2017"}, datetime(2016, 9, 3, 9)),
        ({"calibrated": "2/29/2016 10:00:00"}, datetime(2016, 3, 9, 9)),
        ({"calibrated": "29/08/2016 10:00:00"}, datetime(2016, 9, 3, 9)),
        # The run went past midnight: read the other way it takes a month.
        ({"stopped": "3/10/2016 0:10:00"}, datetime(2016, 3, 9, 9)),
        ({"stopped": "4/9/2016 0:10:00"}, datetime(2016, 9, 3, 9)),
        # The file contradicts itself.
        ({"calibrated": "2/29/2016 10:00:00", "expires": "28/02/2017"}, None),
        ({"calibrated": "2/3/2016 10:00:00", "expires": "1/2/2017"}, None),
    ],
)
def test_the_dates_of_the_file_together_tell_which_of_day_and_month_comes_first(
    others: dict[str, str], moment: datetime | None
):
    assert plate_with("3/9/2016 9:00:00", **others).acquired_at == moment


def test_dates_that_are_certain_by_themselves_stay_so_where_the_file_contradicts_itself():
    plate = plate_with("26/02/2014 15:00:00", expires="02/28/2015")
    assert (plate.acquired_at, plate.kit_expires_on) == (datetime(2014, 2, 26, 15), date(2015, 2, 28))


def calibrations(*lines: str) -> list[tuple[object, ...]]:
    old = TEXT[TEXT.index('"Last CAL') : TEXT.index('""\r\n"AssayLotInfo')]
    return parse_xponent(
        TEXT.replace(old, "".join(line + "\r\n" for line in lines)).encode()
    ).calibrations.rows()


def test_calibrations_have_a_name_an_outcome_and_a_time():
    assert calibrations(
        '"Last CAL Calibration","Passed 03/04/2024 15:47:30"',
        '"Last Calibration","Calibrated 10/18/2024 10:26"',
        '"Last Verification","Verified 10/18/2024 10:54"',
        '"Last VER Verification","Failed 10/15/2019 15:48:32"',
        '"Last Fluidics Test","Not run"',
        '"Last Thing"',
    ) == [
        ("Last CAL Calibration", "passed", datetime(2024, 3, 4, 15, 47, 30)),
        ("Last Calibration", "passed", datetime(2024, 10, 18, 10, 26)),
        ("Last Verification", "passed", datetime(2024, 10, 18, 10, 54)),
        ("Last VER Verification", "failed", datetime(2019, 10, 15, 15, 48, 32)),
        ("Last Fluidics Test", "other", None),
        ("Last Thing", "other", None),
    ]
    assert calibrations() == []


@pytest.mark.parametrize(
    ("kit", "expected"),
    [
        ('"Human, CYK","8062-13K","02/01/2022","Millipore"', ("Human, CYK", "8062-13K", date(2022, 2, 1))),
        ('"","8062-13K","",""', (None, "8062-13K", None)),
        ('"CYK"', ("CYK", None, None)),
        ('"","","",""', (None, None, None)),
        ('"Reagent","LotName","LotNumber"\r\n"Standard1","","9"', (None, None, None)),
    ],
)
def test_the_kit_is_the_line_below_its_names(kit: str, expected: tuple[str | None, str | None, date | None]):
    line = '"Human cytokines","L-1","3/31/2025","simulated"'
    text = TEXT.replace(line, kit).replace(STARTED, "10/16/2021 8:45:48 PM")
    plate = parse_xponent(text.encode())
    assert (plate.kit_name, plate.kit_lot, plate.kit_expires_on) == expected


def test_a_file_without_kit_calibrations_and_instrument_has_none():
    kit = TEXT[TEXT.index('"Most Recent') : TEXT.index('"Samples"')]
    plate = parse_xponent(TEXT.replace(kit, "").replace(',"","MAGPIX"', "").encode())
    assert (plate.instrument, plate.kit_name, plate.kit_lot, plate.kit_expires_on) == (None, None, None, None)
    assert plate.calibrations.is_empty()


def test_the_calibrators_of_the_instrument_are_named_as_one_and_not_shown():
    table = (
        '"CALInfo:"\r\n"Calibrator"\r\n"Lot","MachineSerialNo"\r\n"B62703","MAGPX17"\r\n\r\n"AssayLotInfo:"'
    )
    unread = parse_xponent(TEXT.replace('"AssayLotInfo:"', table).encode()).unread
    assert "CALInfo" in unread
    assert "B62703" not in str(unread)
    assert "MAGPX17" not in str(unread)


def test_a_value_that_lost_its_name_is_not_taken_for_one():
    for value in ('"Jane 7","x"', '"MAGPX17165724","x"', '"J. Doe","x"', '"Doe"'):
        unread = parse_xponent(TEXT.replace('"Operator","simulated"', value).encode()).unread
        assert not any("Jane" in name or "MAGPX" in name or "Doe" in name for name in unread)


@pytest.mark.parametrize(
    ("name", "instrument", "acquired_at"),
    [
        ("xponent-magpix-adabi/A549.csv", "MAGPIX", datetime(2019, 10, 16, 20, 45, 48)),
        ("xponent-allotropy/missing_optional_fields_full.csv", "Intelliflex", datetime(2024, 10, 18, 11, 36)),
        ("xponent-allotropy/example02_saved_full.csv", "FlexMAP 3D", datetime(2023, 5, 17, 18, 42, 29)),
    ],
)
def test_real_headers_are_read(name: str, instrument: str, acquired_at: datetime):
    path = REAL / name
    if not path.exists():
        pytest.skip("the real exports are not beside the checkout")
    plate = parse_xponent(path.read_bytes())
    assert (plate.instrument, plate.acquired_at) == (instrument, acquired_at)
    assert set(plate.calibrations["outcome"]) == {"passed"}
