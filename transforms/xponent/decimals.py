"""Numbers as exports print them: decimal points or commas, marks between thousands, words for no number.

Here: cells. Not here: which cells a section has (`transforms.xponent.sections`, which calls this).
"""

import math
import re
from collections.abc import Iterable

from transforms.xponent.refusals import UnreadablePlateError

# The words for "not a number" are those of the languages in which instruments' computers run.
_MISSING = frozenset(
    {"", "nan", "n/a", "na", "***", "-", "n. def.", "n.def.", "non numérique", "neun", "não é um número"}
)
_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d{1,3})?", re.ASCII)
_PARTS = r"([<>]?\s*[-+]?)(\d*|[1-9]\d{{0,2}}(?:{thousands}\d{{3}})+)(?:{mark}(\d+))?([eE][-+]?\d{{1,3}})?"
_THOUSANDS = " '’\u00a0\u202f"
_PRINTED = {
    ".": re.compile(_PARTS.format(mark=r"\.", thousands=f"[,{_THOUSANDS}]"), re.ASCII),
    ",": re.compile(_PARTS.format(mark=",", thousands=rf"[.{_THOUSANDS}]"), re.ASCII),
}
_DECIMAL = {
    mark: re.compile(rf"[<>]?\s*[-+]?\d*{re.escape(mark)}\d+([eE][-+]?\d+)?", re.ASCII) for mark in ".,"
}
_IN_THOUSANDS = {
    mark: re.compile(rf"[<>]?\s*[-+]?[1-9]\d{{0,2}}({re.escape(mark)}\d{{3}})+", re.ASCII) for mark in ".,"
}


def find_decimal_mark(cells: Iterable[str], *, delimiter: str) -> str:
    """Return the decimal mark of number cells, '.' or ','.

    Raises:
        UnreadablePlateError: where both are used.
    """
    cells = list(cells)
    has_point, has_comma = (_has_mark(cells, mark) for mark in ".,")
    if has_point and has_comma:
        raise UnreadablePlateError(
            "numbers", found="decimal points and decimal commas", expected="one of them"
        )
    if has_point or has_comma:
        return "," if has_comma else "."
    return "," if delimiter == ";" and any("," in cell for cell in cells) else "."


def _has_mark(cells: Iterable[str], mark: str) -> bool:
    return any(
        mark in cell and _DECIMAL[mark].fullmatch(cell) and not _IN_THOUSANDS[mark].fullmatch(cell)
        for cell in cells
    )


def with_point(cell: str, *, decimal_mark: str) -> str:
    """Return a printed number, or a limit like `< 0,64`, with a decimal point and no marks in its thousands.

    Any other text is returned as it is.
    """
    match = _PRINTED[decimal_mark].fullmatch(cell)
    if match is None:
        return cell
    sign, whole, fraction, exponent = match.groups()
    digits = "".join(filter(str.isdigit, whole))
    return f"{sign}{digits}{'.' + fraction if fraction else ''}{exponent or ''}"


def parse_number(cell: str, *, decimal_mark: str) -> float | None:
    """Return the number in a cell; none where it says that there is none (NaN, N/A, empty).

    Raises:
        ValueError: where the cell is no finite number.
    """
    if decimal_mark == "." and _NUMBER.fullmatch(cell):
        text = cell
    else:
        text = with_point(cell, decimal_mark=decimal_mark)
    if _NUMBER.fullmatch(text):
        number = float(text)
        if math.isfinite(number):
            return number
    elif cell.casefold() in _MISSING:
        return None
    raise ValueError("no finite number")
