"""From the fields of a REDCap export to the cells of our columns, as text, with the rules of a line.

Here: one column's cell from one line: codes, checkboxes, decimal marks, units, days. Not here: which lines
make a row (`transforms.redcap.rows`). Called by it, and by `transforms.redcap.checks`.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal, DecimalException

import polars as pl

from transforms.line_rules import LineRule
from transforms.redcap.dictionary import Dictionary, Field
from transforms.redcap.export import cell_name, checkbox_column, completion_column
from transforms.redcap.mapping import (
    CheckboxSource,
    ConstantSource,
    FieldSource,
    Project,
    ProjectMapping,
    Source,
)
from transforms.redcap.mapping_shape import DATE_FORMATS, ISO_DATE
from transforms.schemas import Column

_MARK_NAMES = {".": "point", ",": "comma"}
_TIME_OF_DAY = r"[T ]\d{1,2}:\d{2}(:\d{2})?$"
_TICKED, _NOT_TICKED = ("1", "true"), ("0", "false")
# What programs that know true and false make of the codes 1 and 0 when they save the file again.
_SAVED_AGAIN = {"TRUE": "1", "True": "1", "true": "1", "FALSE": "0", "False": "0", "false": "0"}
_COMPLETE = "2"


@dataclass(frozen=True)
class ProjectFiles:
    """What the three files say before a record is read: mapping, dictionary, the export's header."""

    mapping: ProjectMapping
    dictionary: Dictionary
    header: tuple[str, ...]

    @property
    def project(self) -> Project:
        """What the mapping says of the whole project."""
        return self.mapping.project

    @property
    def record_id(self) -> str:
        """The field that identifies a record."""
        return self.project.record_id or self.dictionary.record_id

    def given(self, name: str) -> pl.Expr:
        """Return a column of the export with missing-data codes empty."""
        cell = pl.col(cell_name(name))
        return pl.when(~cell.is_in(list(self.project.missing_codes))).then(cell)


@dataclass(frozen=True)
class Cell:
    """A column's cell as text, and the rules that a line must keep for it to be trusted."""

    text: pl.Expr
    rules: tuple[LineRule, ...] = ()

    @property
    def is_broken(self) -> pl.Expr:
        """Whether a line breaks one of the rules."""
        return ~pl.all_horizontal(pl.lit(True), *(rule.holds.fill_null(value=False) for rule in self.rules))

    @property
    def is_given(self) -> pl.Expr:
        """Whether a line says anything here, right or wrong."""
        return self.text.is_not_null() | self.is_broken


def is_number(column: Column) -> bool:
    """Return whether a column holds numbers."""
    return column.dtype.is_numeric()


def words_of(source: FieldSource, field: Field, column: Column) -> Mapping[str, str] | None:
    """Return our words by the field's code; None where the field's text is taken as it stands."""
    if source.uses_labels:
        return field.choices
    if source.choices is None and field.is_coded and is_number(column):
        return {code: code for code in field.choices}
    return source.choices


def columns_read(source: Source, files: ProjectFiles) -> list[str]:
    """Return the columns that a source reads; of a checkbox's, those that the export has."""
    match source:
        case FieldSource():
            return [source.field]
        case CheckboxSource():
            field = files.dictionary.fields[source.checkbox]
            boxes = _boxes(field, (*field.choices, *files.project.missing_codes), files)
            beside = [completion_column(field.form)] if completion_column(field.form) in files.header else []
            return [*boxes.values(), *beside, *([source.answered_by] if source.answered_by else [])]
        case _:
            return []


def cell_of(source: Source | None, column: Column, files: ProjectFiles) -> Cell:
    """Return how a column is filled from a line of the export; without a source it is empty."""
    match source:
        case FieldSource():
            return _field_cell(source, column, files)
        case CheckboxSource():
            return _checkbox_cell(source, column, files)
        case ConstantSource():
            return Cell(pl.lit(source.value))
        case None:
            return Cell(pl.lit(None, pl.String))


def _field_cell(source: FieldSource, column: Column, files: ProjectFiles) -> Cell:
    field = files.dictionary.field(source.field) or Field(source.field, form="", type="system", choices={})
    raw = files.given(source.field)
    words = words_of(source, field, column)
    if words is not None:
        return _coded(raw, words, field=field, column=column)
    if is_number(column):
        mark = files.project.decimal_mark or ("," if field.has_decimal_comma else ".")
        return _number(raw, mark, column=column, scale=source.scale)
    if column.dtype == pl.Date:
        day = raw.str.replace(_TIME_OF_DAY, "") if field.validation.startswith("datetime") else raw
        return _day(day, source.date_format or files.project.date_format, column)
    return Cell(raw)


def _coded(raw: pl.Expr, words: Mapping[str, str], *, field: Field, column: Column) -> Cell:
    saved_again = _SAVED_AGAIN if set(words) <= {"0", "1"} else {}
    code = raw.replace(saved_again)
    labels = set(field.choices.values()) - set(words) - set(saved_again)
    word = code.replace_strict(
        {code: text or None for code, text in words.items()}, default=None, return_dtype=pl.String
    )
    rules = (
        LineRule(
            column.name,
            "choice_is_a_code",
            raw.is_null() | ~raw.is_in(list(labels)),
            "a choice's label in place of its code",
            "a code of the dictionary",
            "Export the raw data of the project, not the labels",
        ),
        LineRule(
            column.name,
            "choice_is_known",
            raw.is_null() | code.is_in(list(words)) | raw.is_in(list(labels)),
            "a code that the mapping does not have",
            f"one of the {len(words)} codes that the mapping has for {field.name}",
            "Add the code to the mapping's choices (or to missing_codes), or correct the record",
        ),
    )
    return Cell(word, rules)


def _number(raw: pl.Expr, mark: str, *, column: Column, scale: Decimal | None) -> Cell:
    wrong = "," if mark == "." else "."
    has_right_mark = raw.is_null() | ~raw.str.contains(wrong, literal=True)
    rule = LineRule(
        column.name,
        "number_has_the_decimal_mark",
        has_right_mark,
        f"a decimal {_MARK_NAMES[wrong]}",
        f"a decimal {_MARK_NAMES[mark]}, without marks between thousands",
        "Say in the mapping's decimal_mark how the export writes numbers, or correct the record",
    )
    number = raw.str.replace(",", ".", literal=True)
    scaled = number if scale is None else number.map_elements(_times(scale), return_dtype=pl.String)
    return Cell(pl.when(has_right_mark).then(scaled), (rule,))


def _times(scale: Decimal) -> Callable[[str], str]:
    """Return what multiplies a number written as text, digit by digit, and leaves other text as it is."""

    def scaled(text: str) -> str:
        try:
            product = Decimal(text) * scale
        except DecimalException:
            return text
        return str(product) if product.is_finite() else text

    return scaled


def _day(raw: pl.Expr, date_format: str, column: Column) -> Cell:
    if date_format == ISO_DATE:
        return Cell(raw)
    shape = re.sub(r"DD|MM", r"\\d{1,2}", re.escape(date_format).replace("YYYY", r"\d{4}"))
    day = (
        pl.when(raw.str.contains(f"^{shape}$")).then(raw).str.to_date(DATE_FORMATS[date_format], strict=False)
    )
    rule = LineRule(
        column.name,
        "value_is_a_date",
        raw.is_null() | day.is_not_null(),
        "no such date",
        f"a date, {date_format}",
        "Correct the record, or say in the mapping's date_format how the export writes days",
    )
    return Cell(day.dt.to_string("%Y-%m-%d"), (rule,))


def _boxes(field: Field, codes: tuple[str, ...], files: ProjectFiles) -> dict[str, str]:
    """Return the columns of the export by code, of those codes that have one."""
    columns = {code: checkbox_column(field.name, code, files.header) for code in codes}
    return {code: column for code, column in columns.items() if column}


def _checkbox_cell(source: CheckboxSource, column: Column, files: ProjectFiles) -> Cell:
    field = files.dictionary.fields[source.checkbox]
    boxes = _boxes(field, tuple(field.choices), files)
    asked = [name for code, name in boxes.items() if code in source.any_of]
    is_missing = _any_ticked(list(_boxes(field, files.project.missing_codes, files).values()))
    is_answered = _any_ticked([name for name in boxes.values() if name not in asked]) | _is_filled_in(
        source, field, files
    )
    text = (
        pl.when(_any_ticked(asked))
        .then(pl.lit(source.yes))
        .when(is_answered & ~is_missing)
        .then(pl.lit(source.no, pl.String))
    )
    return Cell(text, tuple(_box_rule(name, column) for name in asked))


def _any_ticked(names: list[str]) -> pl.Expr:
    ticked = (
        pl.col(cell_name(name)).str.to_lowercase().is_in(_TICKED).fill_null(value=False) for name in names
    )
    return pl.any_horizontal(pl.lit(False), *ticked)


def _is_filled_in(source: CheckboxSource, field: Field, files: ProjectFiles) -> pl.Expr:
    if source.answered_by:
        return files.given(source.answered_by).is_not_null()
    column = completion_column(field.form)
    if column not in files.header:
        return pl.lit(False)
    return (pl.col(cell_name(column)) == _COMPLETE).fill_null(value=False)


def _box_rule(name: str, column: Column) -> LineRule:
    text = pl.col(cell_name(name))
    return LineRule(
        column.name,
        "box_is_ticked_or_not",
        text.is_null() | text.str.to_lowercase().is_in((*_TICKED, *_NOT_TICKED)),
        "neither 0 nor 1 in the column of a checkbox",
        "0 or 1",
        "Export the raw data of the project, not the labels",
    )
