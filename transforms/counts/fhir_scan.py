"""The texts and numbers of a line of JSON, each with its path and its place.

Here: where they stand. Not here: what they mean. Called by `transforms.counts.fhir_template`.
"""

import re
from dataclasses import dataclass

from transforms.counts.fhir_json import NotJsonError, parse_json

Path = tuple[str | int, ...]

_TOKEN = re.compile(r'"((?:[^"\\]|\\.)*)"|(-?[0-9][0-9.eE+-]*)|([{}\[\],])')


@dataclass(frozen=True)
class Scalar:
    """A text (without its quotation marks) or a number: its path in the resource, its place in the line."""

    path: Path
    start: int
    end: int
    is_number: bool


def scan(line: str) -> list[Scalar]:
    """Return the texts and numbers of a line, in order; none where it is no JSON, or a name has an escape."""
    try:
        parse_json(line)
    except NotJsonError:
        return []
    scalars: list[Scalar] = []
    path: list[str | int | None] = []
    for token in _TOKEN.finditer(line):
        text, number, mark = token.groups()
        if mark:
            _step(path, mark)
        elif text is not None and path and path[-1] is None:
            if "\\" in text:
                return []
            path[-1] = text
        else:
            place = token.span(1 if number is None else 2)
            known = tuple(step for step in path if step is not None)
            scalars.append(Scalar(known, *place, is_number=number is not None))
    return scalars


def outline_of(line: str, scalars: list[Scalar]) -> str:
    """Return the line without its texts and numbers: lines of one outline have the same elements."""
    starts = [0, *(scalar.end for scalar in scalars)]
    ends = [*(scalar.start for scalar in scalars), len(line)]
    return "\0".join(line[start:end] for start, end in zip(starts, ends, strict=True))


def _step(path: list[str | int | None], mark: str) -> None:
    """Follow a bracket or comma: in an object the next text is a name (None), in a list the next place."""
    if mark == "{":
        path.append(None)
    elif mark == "[":
        path.append(0)
    elif mark != ",":
        path.pop()
    elif path:
        path[-1] = path[-1] + 1 if isinstance(path[-1], int) else None
