"""JSON as FHIR sends it, read without trust: any type may stand anywhere.

Here: strict parsing, and getters that give nothing where the type is wrong. Not here: what the elements mean
(`transforms.counts.fhir_resource`). Called by `transforms.counts.fhir` and its siblings.
"""

import json
import math
import re
from typing import Any

Json = dict[str, Any]

# Control characters and halves of surrogate pairs: no name or code has them, and few stores take them.
_UNPRINTABLE = re.compile(r"[\x00-\x1f\ud800-\udfff]")


class NotJsonError(ValueError):
    """The text is no JSON, or JSON that two readers would read differently (a name twice, NaN)."""


def parse_json(text: str | bytes) -> Any:  # noqa: ANN401
    """Parse one JSON document; raises `NotJsonError`, also for repeated names, NaN and endless nesting."""
    try:
        return json.loads(text, object_pairs_hook=_object, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise NotJsonError(_reason(error)) from error


def object_in(value: object, name: str) -> Json:
    """Return the object that stands under `name`; an empty one where none does."""
    found = value.get(name) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}


def objects_in(value: object, name: str) -> list[Json]:
    """Return the objects of the list under `name`; one object alone counts as a list of one."""
    found = value.get(name) if isinstance(value, dict) else None
    listed = found if isinstance(found, list) else [found]
    return [one for one in listed if isinstance(one, dict)]


def text_in(value: object, name: str) -> str | None:
    """Return the text under `name`, stripped; None for another type, for blanks and the unprintable."""
    found = value.get(name) if isinstance(value, dict) else None
    if not isinstance(found, str) or _UNPRINTABLE.search(found):
        return None
    return found.strip() or None


def number_in(value: object, name: str) -> float | None:
    """Return the number under `name`; None for another type and for numbers too large to be one."""
    found = value.get(name) if isinstance(value, dict) else None
    if isinstance(found, bool) or not isinstance(found, int | float):
        return None
    try:
        number = float(found)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _object(pairs: list[tuple[str, Any]]) -> Json:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise NotJsonError("a name that stands twice in one object")
    return found


def _refuse(_: str) -> None:
    raise NotJsonError("a number that is none (NaN or Infinity)")


def _reason(error: Exception) -> str:
    if isinstance(error, NotJsonError):
        return str(error)
    return "JSON nested too deeply" if isinstance(error, RecursionError) else "text that is no JSON"
