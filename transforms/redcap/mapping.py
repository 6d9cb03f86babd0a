"""The mapping file: which field of a REDCap project is which column of our tables, as people write it.

Here: what can be written, and reading it (TOML). Not here: whether it fits our tables, the dictionary and the
export (`transforms.redcap.checks`). `example.mapping.toml` explains it to its writers. Called by
`transforms.redcap.rows`.
"""

import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from transforms.findings import Finding, UnreadableFileError
from transforms.redcap.mapping_shape import (
    DECIMAL_MARKS,
    ISO_DATE,
    SECTION_KEYS,
    check_keys_of_project,
    check_keys_of_section,
)
from transforms.schemas import FOLLOW_UP, PATIENTS, TOXICITIES, Table

MAPPED_TABLES = (PATIENTS, FOLLOW_UP, TOXICITIES)


@dataclass(frozen=True)
class FieldSource:
    """A column that a field fills. `choices` are our words by the field's code; '' leaves it empty.

    `uses_labels`: the dictionary's labels are the words. `scale` multiplies numbers, exactly. `take` says
    which of several days of one record counts: earliest or latest.
    """

    field: str
    choices: Mapping[str, str] | None = None
    uses_labels: bool = False
    scale: Decimal | None = None
    date_format: str | None = None
    take: str | None = None


@dataclass(frozen=True)
class CheckboxSource:
    """A column that a checkbox fills: `yes` where any of the codes is ticked, else `no` or nothing.

    Boxes that nobody looked at are exported as not ticked. `no` therefore needs a sign that the question was
    answered: another box ticked, the form marked complete, or a value in the field `answered_by`.
    """

    checkbox: str
    any_of: tuple[str, ...]
    yes: str
    no: str | None = None
    answered_by: str | None = None


@dataclass(frozen=True)
class ConstantSource:
    """A column that is the same in every row."""

    value: str


Source = FieldSource | CheckboxSource | ConstantSource


@dataclass(frozen=True)
class Section:
    """One source of a table's rows: what fills each column, from which rows of the export.

    `place` is its name in messages; `needs` are columns without which a row is none.
    """

    table: Table
    place: str
    columns: Mapping[str, Source]
    events: tuple[str, ...] = ()
    repeat_instrument: str | None = None
    needs: tuple[str, ...] = ()


@dataclass(frozen=True)
class Project:
    """What holds for the whole project. `decimal_mark` is None where the dictionary says it of each field.

    `record_id` and `patient_id` are fields; None means the dictionary's first field, and the record's.
    """

    site: FieldSource | ConstantSource
    record_id: str | None = None
    patient_id: str | None = None
    decimal_mark: str | None = None
    date_format: str = ISO_DATE
    missing_codes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ProjectMapping:
    """A mapping file, taken apart."""

    project: Project
    sections: tuple[Section, ...]


class RefusedProjectError(UnreadableFileError):
    """A mapping that does not fit: nothing of the project loads; `findings` are all there is to mend.

    The findings' column is the place in the mapping file.
    """

    def __init__(self, findings: Sequence[Finding]) -> None:
        super().__init__(findings[0])
        self.findings = tuple(findings)
        self.args = (
            "\n".join(
                f"{one.column}: {one.found}. Expected: {one.expected}. {one.remedy}" for one in findings
            ),
        )


def parse_mapping(data: bytes) -> ProjectMapping:
    """Return a mapping file taken apart.

    Raises `RefusedProjectError` with every key that is not known or not of its kind.
    """
    document = _toml(data)
    findings = list(_check_shape(document))
    if findings:
        raise RefusedProjectError(findings)
    sections = (
        _section(table, place, body)
        for table in MAPPED_TABLES
        for place, body in _sections_of(document, table.name)
    )
    return ProjectMapping(_project(document["project"]), tuple(sections))


def _toml(data: bytes) -> dict[str, Any]:
    try:
        # A scale of 0.1 is a tenth, and not the double next to it.
        return tomllib.loads(data.decode("utf-8-sig").replace("\r\n", "\n"), parse_float=Decimal)
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        place = re.search(r"line (\d+)", str(error))
        finding = Finding(
            rule="mapping_is_toml",
            found=f"text that is no TOML{f' on line {place[1]}' if place else ''} of the mapping file",
            expected="TOML in UTF-8, as in example.mapping.toml",
            remedy="Correct the mapping file: text stands in quotation marks, a key only once in its table",
            line=int(place[1]) if place else None,
            column="mapping file",
        )
        raise RefusedProjectError([finding]) from error


def _check_shape(document: dict[str, Any]) -> Iterator[Finding]:
    yield from check_keys_of_project(document, [table.name for table in MAPPED_TABLES])
    for table in MAPPED_TABLES:
        for place, body in _sections_of(document, table.name):
            yield from check_keys_of_section(place, body, table=table)


def _sections_of(document: dict[str, Any], name: str) -> list[tuple[str, Any]]:
    """Return (place, content) of [name], or of each [[name]]."""
    body = document.get(name)
    if not isinstance(body, list):
        return [] if body is None else [(name, body)]
    return [(f"{name}[{number}]", one) for number, one in enumerate(body, start=1)]


def _project(body: dict[str, Any]) -> Project:
    return Project(
        site=ConstantSource(body["site"]) if "site" in body else _field_source(body["site_field"]),
        record_id=body.get("record_id"),
        patient_id=body.get("patient_id"),
        decimal_mark=DECIMAL_MARKS[body.get("decimal_mark", "dictionary")],
        date_format=body.get("date_format", ISO_DATE),
        missing_codes=_texts(body.get("missing_codes", [])),
    )


def _section(table: Table, place: str, body: dict[str, Any]) -> Section:
    return Section(
        table=table,
        place=place,
        columns={column: _source(spec) for column, spec in body.items() if column not in SECTION_KEYS},
        events=_texts(body.get("events", [])),
        repeat_instrument=body.get("repeat_instrument"),
        needs=_texts(body.get("needs", [])),
    )


def _source(spec: str | dict[str, Any]) -> Source:
    if isinstance(spec, str) or "field" in spec:
        return _field_source(spec)
    if "value" in spec:
        return ConstantSource(str(spec["value"]))
    return CheckboxSource(
        checkbox=spec["checkbox"],
        any_of=_texts(spec["any_of"]),
        yes=str(spec["yes"]),
        no=str(spec["no"]) if "no" in spec else None,
        answered_by=spec.get("answered_by"),
    )


def _field_source(spec: str | dict[str, Any]) -> FieldSource:
    if isinstance(spec, str):
        return FieldSource(spec)
    choices = spec.get("choices")
    return FieldSource(
        field=spec["field"],
        choices={code: str(word) for code, word in choices.items()} if isinstance(choices, dict) else None,
        uses_labels=choices == "labels",
        scale=Decimal(spec["scale"]) if "scale" in spec else None,
        date_format=spec.get("date_format"),
        take=spec.get("take"),
    )


def _texts(values: Sequence[object]) -> tuple[str, ...]:
    return tuple(str(value) for value in values)
