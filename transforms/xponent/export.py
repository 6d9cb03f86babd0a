"""Writes a simulated plate as an xPONENT 4.2 file that the reader, and any other tool, takes for one.

Here: header, bytes, checksum. Not here: the plate (`export_plate`), the sections and their arithmetic
(`export_sections`), drawing the values, fitting the curve. Called by the simulator and by tests; the header
says in four places that the plate is simulated.
"""

import zlib
from collections.abc import Iterable
from datetime import date, datetime, timedelta
from itertools import chain

from transforms.xponent.export_plate import (
    ExportCurve,
    ExportLevel,
    ExportPlate,
    ExportWell,
    check_lengths,
)
from transforms.xponent.export_sections import (
    N_BEADS_ASKED_FOR,
    PLATE_ROWS,
    Row,
    samples_of,
    sections_of,
)

__all__ = ["PLATE_ROWS", "ExportCurve", "ExportLevel", "ExportPlate", "ExportWell", "write_xponent"]

SIMULATED = "simulated"


def write_xponent(plate: ExportPlate) -> bytes:
    """Return the plate as the bytes of an xPONENT 4.2 file: CRLF, every field quoted, a checksum that holds.

    Raises:
        ValueError: where a well, a level or the curves do not have one entry for each analyte.
    """
    check_lengths(plate)
    body = _lines(chain(_header(plate), *([*section, ()] for section in sections_of(plate))))
    return body + b"-- CRC --\r\n" + f"CRC32: {zlib.crc32(body):08X}".encode()


def _lines(rows: Iterable[Row]) -> bytes:
    return "".join(",".join(_quoted(field) for field in row) + "\r\n" for row in rows).encode()


def _quoted(field: str) -> str:
    return '"' + field.replace('"', '""') + '"'


def _clock(moment: datetime) -> str:
    hour, half = _hour(moment).split(" ")
    return f"{_day(moment)} {hour}:{moment:%S} {half}"


def _hour(moment: datetime) -> str:
    return f"{moment.hour % 12 or 12}:{moment:%M} {'AM' if moment.hour < 12 else 'PM'}"


def _day(moment: date) -> str:
    return f"{moment.month}/{moment.day}/{moment.year}"


def _header(plate: ExportPlate) -> list[Row]:
    stopped_at = plate.started_at + timedelta(minutes=56)
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
        ("Last CAL Calibration", f"Passed {_clock(plate.calibrated)}"),
        ("Last VER Verification", f"Passed {_clock(plate.calibrated)}"),
        ("Last Fluidics Test", f"Passed {_clock(plate.calibrated)}"),
        ("",),
        ("AssayLotInfo:",),
        ("KitName", "LotNumber", "ExpirationDate", "Manufacturer"),
        (plate.kit_name, plate.lot, _day(plate.expires_on), SIMULATED),
        (),
        ("Samples", str(len(samples_of(plate))), "Min Events", str(N_BEADS_ASKED_FOR), "Per Bead"),
        (),
        ("Results",),
        (),
    ]
