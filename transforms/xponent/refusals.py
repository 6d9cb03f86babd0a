"""What a file is that is no xPONENT export, and what to export in its place.

Here: the error of the reader, and how other files are told by their first bytes or lines. Not here: reading
exports (`transforms.xponent.text`). Called by `transforms.xponent.text`.
"""

import re
from dataclasses import dataclass

from transforms.findings import Finding, UnreadableFileError

EXPORT_AGAIN = (
    "Export the batch again from xPONENT as CSV, with all sections, and do not save it from another program."
)
EXPORT_BATCH = "In xPONENT open the results of the batch, export them as CSV with all sections, send that."
_SAVED_AS_CSV = "Send the CSV file as xPONENT wrote it, not a copy saved by another program."
_FROM_THE_INSTRUMENT = "Export the batch from the instrument's own xPONENT as CSV, with all sections."
_FROM_INTELLIFLEX = "Export the batch from INTELLIFLEX again in the xPONENT CSV layout, with all sections."
_TO_ITS_FOLDER = "Send the instrument's export under this name, and this file in the folder where it belongs."
_BESIDE_IT = "Send the export of the instrument as NAME.csv and this file beside it as NAME.layout.csv."


class UnreadablePlateError(UnreadableFileError):
    """A file that gives no plate; the finding's column is the place in it.

    Its rule is 'export_is_whole' where the file is an xPONENT export that is damaged, and
    'file_is_an_xponent_export' where it is none.
    """

    def __init__(
        self, place: str, *, found: str, expected: str, remedy: str = EXPORT_AGAIN, is_ours: bool = True
    ) -> None:
        rule = "export_is_whole" if is_ours else "file_is_an_xponent_export"
        super().__init__(Finding(rule, found, expected, remedy, column=place))
        self.args = (f"{place}: {self}",)

    @property
    def is_ours(self) -> bool:
        """Whether the file is an xPONENT export at all."""
        return self.finding.rule == "export_is_whole"


@dataclass(frozen=True)
class _Kind:
    """A kind of file: what it is called, what it starts with, what to send in its place."""

    found: str
    start: re.Pattern[bytes]
    remedy: str


@dataclass(frozen=True)
class _TextKind:
    """A kind of text: `start` is searched in its first 4,000 characters."""

    found: str
    start: re.Pattern[str]
    remedy: str


def _bytes_of(pattern: bytes) -> re.Pattern[bytes]:
    return re.compile(pattern, re.IGNORECASE | re.DOTALL)


_BINARIES = (
    _Kind("an OpenDocument spreadsheet", _bytes_of(rb"PK\x03\x04.{0,200}opendocument"), _SAVED_AS_CSV),
    _Kind("an Excel workbook", _bytes_of(rb"PK\x03\x04.{0,4000}(content_types|xl/|_rels)"), _SAVED_AS_CSV),
    _Kind("a spreadsheet or another packed file", _bytes_of(rb"PK\x03\x04"), _SAVED_AS_CSV),
    _Kind("an old Excel workbook", _bytes_of(rb"\xd0\xcf\x11\xe0"), _SAVED_AS_CSV),
    _Kind("a bead-level file (LXB) of one well", _bytes_of(rb"FCS\d\.\d"), EXPORT_BATCH),
    _Kind("a PDF file", _bytes_of(rb"%PDF-"), EXPORT_BATCH),
    _Kind("a picture", _bytes_of(rb"\x89PNG|\xff\xd8\xff|GIF8"), EXPORT_BATCH),
    _Kind("a packed file", _bytes_of(rb"\x1f\x8b|7z\xbc\xaf|Rar!"), "Unpack it and send the CSV file alone."),
    _Kind("a database", _bytes_of(rb"SQLite format 3|.{8}DUCK|PAR1"), EXPORT_BATCH),
)


def _text_of(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern, re.IGNORECASE)


_TEXTS = (
    _TextKind(
        "a Bio-Plex Manager file",
        _text_of(r"bio-?plex|reader serial number|^\W*type\W{1,3}well\W{1,3}(outlier|description)\b"),
        _FROM_THE_INSTRUMENT,
    ),
    _TextKind(
        "a Belysa or MILLIPLEX Analyst file", _text_of(r"belysa|milliplex analyst"), _FROM_THE_INSTRUMENT
    ),
    _TextKind("a spreadsheet or report in XML", _text_of(r"^\s*<\?xml"), _SAVED_AS_CSV),
    _TextKind("a web page", _text_of(r"^\s*<(!doctype|html|table)"), _SAVED_AS_CSV),
    _TextKind("a JSON file", _text_of(r'^\s*[{\[]\s*["{\[\]}]'), EXPORT_BATCH),
    _TextKind(
        "a bead-level file of one well",
        _text_of(r"^\W*sample id:|\beventno\b|\brid\b\W{1,3}(\w{2,3}\W{1,3}){0,4}(rp1|cl1|dd)\b"),
        EXPORT_BATCH,
    ),
    _TextKind(
        "a flat INTELLIFLEX file, one row a well",
        _text_of(r"^[^\r\n]*(\bplate start\b[^\r\n]*\btotal events\b|\br\d+ analyte name\b|\brp1 median\b)"),
        _FROM_INTELLIFLEX,
    ),
    _TextKind(
        "a layout file of this platform",
        _text_of(r"^(?=[^\r\n]*\bwell\b)(?=[^\r\n]*\bpatient_id\b)"),
        _BESIDE_IT,
    ),
    _TextKind("another file of this platform", _text_of(r"^[^\r\n]*\bpatient_id\b"), _TO_ITS_FOLDER),
    _TextKind("the export of another program", _text_of(r"^\W*program\W{1,3}\w"), _FROM_THE_INSTRUMENT),
)


def refuse_other_bytes(data: bytes) -> None:
    """Raise `UnreadablePlateError` where the bytes are empty, or those of a file that is no text."""
    if not data.strip(b" \t\r\n\0"):
        raise _none_of_ours("whole file", "an empty file")
    kind = next((kind for kind in _BINARIES if kind.start.match(data)), None)
    if kind is not None:
        raise _none_of_ours("whole file", kind.found, remedy=kind.remedy)


def name_other_text(text: str) -> UnreadablePlateError:
    """Return the error for a text that does not start as an xPONENT export: named where it can be told."""
    start = text[:4000]
    kind = next((kind for kind in _TEXTS if kind.start.search(start)), None)
    if kind is None:
        return _none_of_ours("first line", "no xPONENT header")
    return _none_of_ours("first line", kind.found, remedy=kind.remedy)


def _none_of_ours(place: str, found: str, *, remedy: str = EXPORT_BATCH) -> UnreadablePlateError:
    return UnreadablePlateError(
        place, found=found, expected="an xPONENT export as CSV", remedy=remedy, is_ours=False
    )
