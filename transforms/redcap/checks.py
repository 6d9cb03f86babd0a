"""Whether a mapping fits our tables, the project's dictionary and the columns of its export.

Here: every complaint before a row is read. Not here: how the file is written (`mapping_shape`) nor what is
wrong with a record (`cells`, `rows`). Called by `transforms.redcap.rows`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from transforms.findings import Finding
from transforms.landed_csv import type_rows
from transforms.redcap.cells import ProjectFiles, columns_read, is_number, words_of
from transforms.redcap.dictionary import Field
from transforms.redcap.export import EVENT, REPEAT_INSTRUMENT, checkbox_column
from transforms.redcap.mapping import (
    CheckboxSource,
    ConstantSource,
    FieldSource,
    Section,
    Source,
)
from transforms.redcap.mapping_shape import nearest
from transforms.schemas import PATIENT_ID, PATIENT_KEY, SITE, Column, Table

_CORRECT = "Correct the mapping file"
_NO_VALUES = ("file", "descriptive", "signature")


@dataclass(frozen=True)
class _Mapped:
    """A line of the mapping file: its place, the column it fills, and from what."""

    place: str
    column: Column
    source: Source
    section: Section | None = None


def check_mapping(files: ProjectFiles) -> list[Finding]:
    """Return every complaint about a mapping; the finding's column is the place in the mapping file."""
    sections = files.mapping.sections
    findings = [*_check_required(sections), *_check_takes(sections)]
    for mapped in _mapped_columns(files):
        unfit = list(_check_against_dictionary(mapped, files))
        findings += unfit or _check_against_export(mapped, files)
        findings += _check_words(mapped, files)
        findings += _check_form(mapped, files)
    for section in sections:
        findings += _check_section(section, files)
    return findings


def _mapped_columns(files: ProjectFiles) -> Iterator[_Mapped]:
    project = files.project
    site_key = "site" if isinstance(project.site, ConstantSource) else "site_field"
    yield _Mapped(f"project.{site_key}", SITE, project.site)
    yield _Mapped("project.record_id", PATIENT_ID, FieldSource(files.record_id))
    if project.patient_id:
        yield _Mapped("project.patient_id", PATIENT_ID, FieldSource(project.patient_id))
    for section in files.mapping.sections:
        for name, source in section.columns.items():
            yield _Mapped(f"{section.place}.{name}", section.table.column(name), source, section)


# Against our tables


def is_one_row_a_patient(table: Table) -> bool:
    """Return whether a table has one row a patient, gathered from all rows of the record."""
    return table.key == PATIENT_KEY


def _check_required(sections: Iterable[Section]) -> Iterator[Finding]:
    together: dict[str, tuple[Table, set[str]]] = {}
    for section in sections:
        place = section.table.name if is_one_row_a_patient(section.table) else section.place
        _, names = together.setdefault(place, (section.table, set()))
        names.update(section.columns)
    for place, (table, names) in together.items():
        wanted = [column for column in table.landed_columns if column.required]
        for column in wanted:
            if column.name not in names and column.name not in PATIENT_KEY:
                yield Finding(
                    rule="mapping_has_required_columns",
                    found=f"no {column.name}, without which no row can be used",
                    expected=f"{column.name} = a field ({column.meaning})",
                    remedy="Add it to the mapping file",
                    column=place,
                )


def _words(mapped: _Mapped, files: ProjectFiles) -> list[str]:
    match source := mapped.source:
        case ConstantSource():
            return [source.value]
        case CheckboxSource():
            return [source.yes, *([source.no] if source.no else [])]
        case FieldSource():
            field = files.dictionary.field(source.field)
            words = words_of(source, field, mapped.column) if field else source.choices
            return [word for word in (words or {}).values() if word]


def _check_words(mapped: _Mapped, files: ProjectFiles) -> Iterator[Finding]:
    column, words = mapped.column, _words(mapped, files)
    raw = pl.DataFrame(
        {column.name: words, "line": range(len(words))}, {column.name: pl.String, "line": pl.Int64}
    )
    _, mistyped = type_rows(raw, Table("word", (), (column,)))
    wrong = [words[line] for line in mistyped["line"]]
    wrong += [word for word in words if column.allowed and word not in column.allowed]
    if wrong:
        yield Finding(
            rule="mapping_uses_the_words_of_the_column",
            found=f"the word {', '.join(wrong)}",
            expected=", ".join(column.allowed) or mistyped["expected"][0],
            remedy=f"{_CORRECT}; an empty word leaves the column empty",
            column=mapped.place,
        )


def _check_takes(sections: Iterable[Section]) -> Iterator[Finding]:
    takes: dict[tuple[str, str], str | None] = {}
    for section in sections:
        for name, source in section.columns.items():
            place, take = f"{section.place}.{name}", getattr(source, "take", None)
            is_day = section.table.column(name).dtype == pl.Date
            if take and not (is_day and is_one_row_a_patient(section.table)):
                yield _complaint(
                    place, f'take = "{take}"', "take only for a day of a table with one row a patient"
                )
            elif takes.setdefault((section.table.name, name), take) != take:
                yield _complaint(
                    place, "another take than for this column before", "the same take for one column"
                )


# Against the dictionary


def _check_against_dictionary(mapped: _Mapped, files: ProjectFiles) -> Iterator[Finding]:
    match source := mapped.source:
        case FieldSource():
            field = files.dictionary.field(source.field)
            if field is None:
                yield _no_such_field(mapped.place, source.field, files)
            else:
                yield from _check_field(mapped, source, field=field)
                yield from _check_choices(mapped, source, field=field, known=files.project.missing_codes)
        case CheckboxSource():
            yield from _check_checkbox(mapped.place, source, files)


def _no_such_field(place: str, name: str, files: ProjectFiles) -> Finding:
    return Finding(
        rule="mapping_names_a_field",
        found=f"{name}, which is no field of the dictionary{nearest(name, files.dictionary.fields)}",
        expected="a field of the project's data dictionary",
        remedy=f"{_CORRECT}, or put the project's present dictionary beside the export",
        column=place,
    )


def _check_field(mapped: _Mapped, source: FieldSource, *, field: Field) -> Iterator[Finding]:
    place, column = mapped.place, mapped.column
    if field.is_checkbox:
        yield _complaint(
            place,
            f"{field.name}, which is a checkbox with a column for each choice",
            f'{{checkbox = "{field.name}", any_of = ["code"], yes = "word", no = "word"}}',
        )
    if field.type in _NO_VALUES:
        yield _complaint(
            place, f"{field.name}, which holds no value ({field.type})", "a field that holds values"
        )
    if is_number(column) and field.validation.startswith("date"):
        yield _complaint(place, f"{field.name}, which holds dates", "a field that holds numbers")
    if column.dtype == pl.Date and field.validation.startswith(("number", "integer")):
        yield _complaint(place, f"{field.name}, which holds numbers", "a field that holds dates")
    if source.scale and (field.is_coded or source.choices or not is_number(column)):
        yield _complaint(place, "a scale on what is no measured number", "scale only for a column of numbers")
    if source.date_format and column.dtype != pl.Date:
        yield _complaint(
            place, "a date_format on a column without dates", "date_format only for a column of days"
        )


def _check_choices(
    mapped: _Mapped, source: FieldSource, *, field: Field, known: tuple[str, ...]
) -> Iterator[Finding]:
    place, words = mapped.place, words_of(source, field, mapped.column)
    if source.uses_labels and not field.is_coded:
        yield _complaint(place, f"the labels of {field.name}, which has no choices", "a field with choices")
    elif field.is_coded and words is None:
        codes = ", ".join(field.choices)
        yield _complaint(
            place,
            f"{field.name}, which holds codes ({codes}), without choices",
            'choices = {code = "word"} for every code, or choices = "labels"',
        )
    elif field.is_coded and words is not None:
        unknown = [code for code in words if code not in field.choices and code not in known]
        uncovered = [code for code in field.choices if code not in words and code not in known]
        if unknown:
            yield _complaint(
                place, _codes(unknown, "that the dictionary does not have", field), f"codes of {field.name}"
            )
        if uncovered:
            yield _complaint(
                place,
                f"no word for {_codes(uncovered, 'of the dictionary', field)}",
                'a word for every code, or "" where it leaves the column empty',
            )


def _codes(codes: list[str], which: str, field: Field) -> str:
    return f"the code {', '.join(codes)} {which} ({field.name} has {', '.join(field.choices)})"


def _check_checkbox(place: str, source: CheckboxSource, files: ProjectFiles) -> Iterator[Finding]:
    for name in (source.checkbox, source.answered_by):
        if name and not files.dictionary.field(name):
            yield _no_such_field(place, name, files)
    field = files.dictionary.fields.get(source.checkbox)
    beside = files.dictionary.field(source.answered_by) if source.answered_by else None
    if beside and beside.is_checkbox:
        yield _complaint(place, f"answered_by {beside.name}, which is a checkbox", "a field with one column")
    if field and not field.is_checkbox:
        yield _complaint(
            place,
            f"{field.name}, which is no checkbox but {field.type}",
            f'{{field = "{field.name}"}}, with choices where it holds codes',
        )
    elif field and (unknown := [code for code in source.any_of if code not in field.choices]):
        yield _complaint(
            place, _codes(unknown, "that the dictionary does not have", field), f"codes of {field.name}"
        )


def _check_form(mapped: _Mapped, files: ProjectFiles) -> Iterator[Finding]:
    form = mapped.section.repeat_instrument if mapped.section else None
    name = getattr(mapped.source, "field", None) or getattr(mapped.source, "checkbox", None)
    field = files.dictionary.fields.get(name) if name else None
    if field and form in files.dictionary.forms and field.form != form:
        yield _complaint(
            mapped.place,
            f"{field.name} of the form {field.form}, whose values are on no row of {form}",
            f"a field of the form {form}",
        )


def _check_section(section: Section, files: ProjectFiles) -> Iterator[Finding]:
    form, forms = section.repeat_instrument, files.dictionary.forms
    if form and form not in forms:
        yield _complaint(
            f"{section.place}.repeat_instrument",
            f"{form}, which is no form of the dictionary{nearest(form, forms)}",
            f"one of {', '.join(forms)}",
        )
    for key, is_used, column in (
        ("repeat_instrument", form, REPEAT_INSTRUMENT),
        ("events", section.events, EVENT),
    ):
        if is_used and column not in files.header:
            yield _missing_column(f"{section.place}.{key}", column)
    if unfilled := [name for name in section.needs if name not in section.columns]:
        yield _complaint(
            f"{section.place}.needs",
            f"{', '.join(unfilled)}, which [{section.place}] does not fill",
            f"columns of it: {', '.join(section.columns)}",
        )


# Against the export


def _check_against_export(mapped: _Mapped, files: ProjectFiles) -> Iterator[Finding]:
    place, source = mapped.place, mapped.source
    names = columns_read(source, files)
    if isinstance(source, CheckboxSource):
        codes = [code for code in source.any_of if not checkbox_column(source.checkbox, code, files.header)]
        names += [f"{source.checkbox}___{code}" for code in codes]
    for name in names:
        if name not in files.header:
            yield _missing_column(place, name)
        elif files.header.count(name) > 1:
            yield _complaint(
                place,
                f"the column {name} more than once in the export",
                "each column once",
                remedy="Export the project again",
            )


def _missing_column(place: str, name: str) -> Finding:
    return _complaint(
        place,
        f"no column {name} in the export",
        "a raw export with field names as header and every field that the mapping names",
        remedy="Export the project again with this field, as raw data, or correct the mapping file",
        rule="export_has_every_column",
    )


def _complaint(
    place: str,
    found: str,
    expected: str,
    *,
    remedy: str = _CORRECT,
    rule: str = "mapping_fits_tables_and_dictionary",
) -> Finding:
    return Finding(rule=rule, found=found, expected=expected, remedy=remedy, column=place)
