"""Whether a mapping file is written as one: known keys, each with a value of its kind.

Here: the keys and kinds, without a look at dictionary or export (`transforms.redcap.checks`). Not here: what
they mean. Called by `transforms.redcap.mapping`.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from difflib import get_close_matches
from typing import Any

from transforms.findings import Finding
from transforms.schemas import PATIENT_KEY, Table

ISO_DATE = "YYYY-MM-DD"
DATE_FORMATS = {
    ISO_DATE: "%Y-%m-%d",
    "YYYY/MM/DD": "%Y/%m/%d",
    "DD/MM/YYYY": "%d/%m/%Y",
    "MM/DD/YYYY": "%m/%d/%Y",
    "DD-MM-YYYY": "%d-%m-%Y",
    "MM-DD-YYYY": "%m-%d-%Y",
    "DD.MM.YYYY": "%d.%m.%Y",
}
DECIMAL_MARKS = {"dictionary": None, ".": ".", ",": ","}
TAKES = ("earliest", "latest")


@dataclass(frozen=True)
class _Kind:
    words: str
    accepts: Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _is_word(value: object) -> bool:
    return isinstance(value, str | int) and not isinstance(value, bool)


def _is_list(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(_is_word(one) for one in value)


def _is_choices(value: object) -> bool:
    is_table = isinstance(value, dict) and bool(value) and all(_is_word(word) for word in value.values())
    return is_table or value == "labels"


def _is_scale(value: object) -> bool:
    is_number = isinstance(value, int | Decimal) and not isinstance(value, bool)
    return is_number and Decimal(str(value)).is_finite() and Decimal(str(value)) > 0


def _one_of(words: Iterable[str]) -> _Kind:
    known = tuple(words)
    return _Kind(" or ".join(f'"{word}"' for word in known), lambda value: value in known)


_TEXT = _Kind("text", _is_text)
_WORD = _Kind("a word or a whole number", _is_word)
_LIST = _Kind('a list like ["1", "2"]', _is_list)
_DATE_FORMAT = _one_of(DATE_FORMATS)
_FIELD = _Kind(
    "a field's name, or a table with field", lambda value: _is_text(value) or isinstance(value, dict)
)
_FIELD_KEYS = {
    "field": _TEXT,
    "choices": _Kind('a table of words by code like {1 = "male", 2 = "female"}, or "labels"', _is_choices),
    "scale": _Kind("a number above 0", _is_scale),
    "date_format": _DATE_FORMAT,
    "take": _one_of(TAKES),
}
_CHECKBOX_KEYS = {"checkbox": _TEXT, "any_of": _LIST, "yes": _WORD, "no": _WORD, "answered_by": _TEXT}
_CONSTANT_KEYS = {
    "value": _Kind("text or a whole number", lambda value: _is_text(str(value)) and _is_word(value))
}
_PROJECT_KEYS = {
    "site": _TEXT,
    "site_field": _FIELD,
    "record_id": _TEXT,
    "patient_id": _TEXT,
    "decimal_mark": _one_of(DECIMAL_MARKS),
    "date_format": _DATE_FORMAT,
    "missing_codes": _LIST,
}
SECTION_KEYS = {"events": _LIST, "repeat_instrument": _TEXT, "needs": _LIST}
_REQUIRED = {"checkbox": ("any_of", "yes")}


def check_keys_of_project(document: Mapping[str, Any], tables: Iterable[str]) -> Iterator[Finding]:
    """Yield what is wrong with the file's tables and with [project]."""
    known = ("project", *tables)
    yield from (_unknown("mapping file", key, known) for key in document if key not in known)
    project = document.get("project", {})
    if not isinstance(project, dict):
        yield _wrong_kind("project", "a table, [project]")
        return
    yield from _check_table("project", project, _PROJECT_KEYS)
    if ("site" in project) == ("site_field" in project):
        yield _wrong_kind("project.site", 'either site = "the hospital" or site_field = "a field"')
    if isinstance(site := project.get("site_field"), dict):
        yield from _check_source("project.site_field", site)
    if not any(document.get(name) for name in tables):
        yield _wrong_kind("mapping file", f"at least one of {', '.join(f'[{name}]' for name in tables)}")


def check_keys_of_section(place: str, body: object, *, table: Table) -> Iterator[Finding]:
    """Yield what is wrong with one [table] of the file, column by column."""
    if not isinstance(body, dict):
        yield _wrong_kind(place, f"a table, [{table.name}]")
        return
    columns = [column.name for column in table.landed_columns if column.name not in PATIENT_KEY]
    yield from _check_table(place, body, SECTION_KEYS | dict.fromkeys(columns, _FIELD))
    for name, spec in body.items():
        if name in columns and isinstance(spec, dict):
            yield from _check_source(f"{place}.{name}", spec)


def _check_source(place: str, spec: Mapping[str, Any]) -> Iterator[Finding]:
    kinds = {"field": _FIELD_KEYS, "checkbox": _CHECKBOX_KEYS, "value": _CONSTANT_KEYS}
    if place.startswith("project"):
        kinds = {"field": _FIELD_KEYS}
    named = [key for key in kinds if key in spec]
    if len(named) != 1:
        yield _wrong_kind(
            place, f"a table with {' or '.join(kinds)}" + (", one of them" if len(kinds) > 1 else "")
        )
        return
    yield from _check_table(place, spec, kinds[named[0]])
    for key in _REQUIRED.get(named[0], ()):
        if key not in spec:
            yield _wrong_kind(place, f"{key} beside {named[0]}")


def _check_table(place: str, table: Mapping[str, Any], kinds: Mapping[str, _Kind]) -> Iterator[Finding]:
    for key, value in table.items():
        if key not in kinds:
            yield _unknown(place, key, tuple(kinds))
        elif not kinds[key].accepts(value):
            yield _wrong_kind(f"{place}.{key}", kinds[key].words)


def nearest(name: str, known: Iterable[str]) -> str:
    """Return ' (did you mean X?)', or nothing where no known name is near."""
    near = get_close_matches(name, list(known), n=1)
    return f" (did you mean {near[0]}?)" if near else ""


def _unknown(place: str, key: str, known: tuple[str, ...]) -> Finding:
    is_of_project = key in ("site", "patient_id") and place != "project"
    return Finding(
        rule="mapping_has_known_keys",
        found=f"the key {key}, which means nothing there{nearest(key, known)}",
        expected="site and patient_id in [project] only" if is_of_project else f"only {', '.join(known)}",
        remedy="Correct or remove the key in the mapping file",
        column=place,
    )


def _wrong_kind(place: str, expected: str) -> Finding:
    return Finding(
        rule="mapping_values_are_of_their_kind",
        found="something else, or nothing",
        expected=expected,
        remedy="Correct it in the mapping file; example.mapping.toml shows each key",
        column=place,
    )
