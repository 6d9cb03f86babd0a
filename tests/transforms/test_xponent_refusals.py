"""A file that is no xPONENT export is called by its name, with what to export in its place."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from transforms.xponent.reader import UnreadablePlateError, parse_xponent

PLATE = (Path(__file__).parents[1] / "fixtures" / "plate.csv").read_bytes()
FLAT = '"PLATE NAME","PLATE START","WELL LOCATION","TOTAL EVENTS","R12 ANALYTE NAME","R12, RP1 MEDIAN"'


def packed(*names: str, content: str = "x") -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name in names:
            archive.writestr(name, content)
    return data.getvalue()


OTHERS = {
    "nothing": (b"", "an empty file"),
    "white space": (b" \r\n\r\n", "an empty file"),
    "xlsx": (packed("[Content_Types].xml", "xl/workbook.xml"), "an Excel workbook"),
    "ods": (
        packed("mimetype", content="application/vnd.oasis.opendocument.spreadsheet"),
        "an OpenDocument spreadsheet",
    ),
    "zip": (packed("plate.csv"), "a spreadsheet or another packed file"),
    "xls": (b"\xd0\xcf\x11\xe0\xa1\xb1" + b"\0" * 600, "an old Excel workbook"),
    "lxb": (b"FCS3.0         256    1545" + b"\0" * 99, "a bead-level file (LXB) of one well"),
    "pdf": (b"%PDF-1.7\n", "a PDF file"),
    "gzip": (b"\x1f\x8b\x08\x00rest", "a packed file"),
    "parquet": (b"PAR1\x15\x04", "a database"),
    "json": (json.dumps({"plate": [1, 2]}).encode(), "a JSON file"),
    "xml": (b'<?xml version="1.0"?>\n<Workbook/>', "a spreadsheet or report in XML"),
    "html": (b"<!DOCTYPE html>\n<table/>", "a web page"),
    "bead file": (
        b'Sample ID: C:\\x\\b_P1_A1.lxb b \n"EventNo","RID","RP1","CL1","CL2"\n"1","75","18","745","4968"\n',
        "a bead-level file of one well",
    ),
    "bead file without its first line": (
        b"RID,DD,CL1,CL2,RP1\n12,9000,1,2,3\n",
        "a bead-level file of one well",
    ),
    "flat INTELLIFLEX": (
        FLAT.encode() + b"\r\n1,2,A1,S1,200,IL-7,30\r\n",
        "a flat INTELLIFLEX file, one row a well",
    ),
    "Bio-Plex Manager": (
        b"File Name:,x.rbx\nReader Serial Number:,LX1\n\nType,Well,Outlier,Description,IL-7 (33)\n",
        "a Bio-Plex Manager file",
    ),
    "Belysa": (b"Belysa Immunoassay Curve Fitting Software\n", "a Belysa or MILLIPLEX Analyst file"),
    "layout": (
        b"well,site,patient_id,timepoint,collected_on\nA3,a,P1,pre_rt,2024-01-01\n",
        "a layout file of this platform",
    ),
    "patients": (b"site,patient_id,sex\nS1,P1,male\n", "another file of this platform"),
    "another program": (PLATE.replace(b'"xPONENT"', b'"MasterPlex"'), "the export of another program"),
    "a table": (b"a,b\r\n1,2\r\n", "no xPONENT header"),
    "noise": (bytes(range(256)) * 4, "no xPONENT header"),
}


def refusal(data: bytes) -> UnreadablePlateError:
    with pytest.raises(UnreadablePlateError) as caught:
        parse_xponent(data)
    return caught.value


@pytest.mark.parametrize(("data", "found"), OTHERS.values(), ids=OTHERS.keys())
def test_a_file_that_is_none_of_ours_is_called_by_its_name(data: bytes, found: str):
    error = refusal(data)
    assert not error.is_ours
    assert (error.finding.rule, error.finding.found) == ("file_is_an_xponent_export", found)
    assert error.finding.expected == "an xPONENT export as CSV"
    assert error.finding.remedy.endswith(".")


@pytest.mark.parametrize(
    "data", [FLAT.encode("utf-16"), FLAT.replace(",", ";").encode(), FLAT.replace('"', "").encode()]
)
def test_it_is_called_so_in_any_spelling(data: bytes):
    assert refusal(data).finding.found == "a flat INTELLIFLEX file, one row a well"


def test_a_damaged_export_is_ours_and_broken():
    for data in (PLATE[:3000], PLATE[200:], PLATE.replace(b"Program", b"\x00rogram")):
        error = refusal(data)
        assert error.is_ours
        assert error.finding.rule == "export_is_whole"


def test_what_to_export_is_said_for_each_kind():
    assert "xPONENT CSV layout" in refusal(FLAT.encode()).finding.remedy
    assert "NAME.layout.csv" in refusal(b"well,site,patient_id\n").finding.remedy
    assert "as CSV with all sections" in refusal(b"%PDF-1.7").finding.remedy
