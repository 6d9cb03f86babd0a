"""The data dictionary of a REDCap project: its fields with form, type, choices and validation.

Here: reading it, in both spellings of its header. Not here: the export (`transforms.redcap.export`), what our
columns are made of (`transforms.redcap.mapping`). Called by `transforms.redcap.rows`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from transforms.findings import Finding, UnreadableFileError
from transforms.redcap.delimited import Delimited, split_delimited

# As the project's page writes them, and as its interface for programs does.
_SPELLINGS = {
    "name": ("variable / field name", "field_name"),
    "form": ("form name", "form_name"),
    "type": ("field type", "field_type"),
    "choices": (
        "choices, calculations, or slider labels",
        "choices or calculations",
        "select_choices_or_calculations",
    ),
    "validation": (
        "text validation type or show slider number",
        "text_validation_type_or_show_slider_number",
    ),
    "identifier": ("identifier?", "identifier"),
}
_NOTHING = ("", "NA")
_FIXED_CHOICES = {"yesno": {"1": "Yes", "0": "No"}, "truefalse": {"1": "True", "0": "False"}}
_TYPES_WITH_CHOICES = ("radio", "dropdown", "checkbox")


@dataclass(frozen=True)
class Field:
    """A field of the project. `choices` are labels by code; fields that are not coded have none."""

    name: str
    form: str
    type: str
    choices: Mapping[str, str]
    validation: str = ""
    is_identifier: bool = False

    @property
    def is_coded(self) -> bool:
        """Whether one of several codes is stored, as for radio buttons and yes-no questions."""
        return bool(self.choices) and self.type != "checkbox"

    @property
    def is_checkbox(self) -> bool:
        """Whether each choice has a column of its own in the export."""
        return self.type == "checkbox"

    @property
    def has_decimal_comma(self) -> bool:
        """Whether its numbers are typed with a comma."""
        return self.validation.endswith("comma_decimal")


# Columns that REDCap adds to an export and to no dictionary.
_SYSTEM_FIELDS = {
    name: Field(name, form="", type="system", choices={})
    for name in (
        "redcap_event_name",
        "redcap_repeat_instrument",
        "redcap_repeat_instance",
        "redcap_data_access_group",
    )
}


@dataclass(frozen=True)
class Dictionary:
    """The project's fields by name, in order; the first one is the record's identifier."""

    fields: Mapping[str, Field]

    def field(self, name: str) -> Field | None:
        """Return the field of that name, REDCap's own columns among them; None where there is none."""
        return self.fields.get(name) or _SYSTEM_FIELDS.get(name)

    @property
    def record_id(self) -> str:
        """Name of the field that identifies a record."""
        return next(iter(self.fields))

    @property
    def forms(self) -> tuple[str, ...]:
        """Names of the forms (instruments), in order."""
        return tuple(dict.fromkeys(field.form for field in self.fields.values()))


def parse_dictionary(data: bytes) -> Dictionary:
    """Return the fields of a data dictionary. Raises `UnreadableFileError` where it cannot be trusted."""
    text = split_delimited(data, name="the dictionary")
    places = _places(text)
    if text.ragged or not text.records:
        raise UnreadableFileError(_not_whole(text))
    fields = [
        _field({part: record[place] for part, place in places.items()}, line) for line, record in text.records
    ]
    _refuse_repeated([field.name for field in fields])
    return Dictionary({field.name: field for field in fields})


def _places(text: Delimited) -> dict[str, int]:
    header = [name.casefold() for name in text.header]
    places = {
        part: header.index(spelling)
        for part, spellings in _SPELLINGS.items()
        for spelling in spellings
        if spelling in header
    }
    missing = [f"'{spellings[0]}'" for part, spellings in _SPELLINGS.items() if part not in places]
    if missing:
        raise UnreadableFileError(
            Finding(
                rule="dictionary_has_every_column",
                found=f"no column {', '.join(missing)} in the dictionary",
                expected="a data dictionary as REDCap writes it, with 'Variable / Field Name' or field_name",
                remedy="Download the data dictionary of the project again",
                line=1,
            )
        )
    return places


def _field(cells: Mapping[str, str], line: int) -> Field:
    kind = cells["type"].casefold()
    choices = _FIXED_CHOICES.get(kind, {})
    if kind in _TYPES_WITH_CHOICES:
        choices = _choices(cells["choices"])
        if not choices:
            raise UnreadableFileError(_without_choices(cells["name"], kind, line))
    return Field(
        name=cells["name"],
        form=cells["form"],
        type=kind,
        choices=choices,
        validation="" if cells["validation"] in _NOTHING else cells["validation"].casefold(),
        is_identifier=cells["identifier"].casefold() == "y",
    )


def _choices(text: str) -> dict[str, str]:
    """Take apart '1, Male | 2, Female'; a label may hold commas, a code may not."""
    if text in _NOTHING:
        return {}
    pairs = [choice.partition(",") for choice in text.replace("\n", "|").split("|")]
    return {code.strip(): label.strip() for code, _, label in pairs if code.strip()}


def _without_choices(name: str, kind: str, line: int) -> Finding:
    return Finding(
        rule="dictionary_gives_choices",
        found=f"the field {name} of the type {kind} without choices in the dictionary",
        expected="choices like '1, Male | 2, Female'",
        remedy="Download the data dictionary of the project again",
        line=line,
    )


def _not_whole(text: Delimited) -> Finding:
    line = text.ragged[0][0] if text.ragged else 1
    return Finding(
        rule="dictionary_is_whole",
        found="a line of the dictionary with more or fewer cells than its header"
        if text.ragged
        else "a dictionary without fields",
        expected="a line for each field, with as many cells as the header",
        remedy="Download the data dictionary of the project again",
        line=line,
    )


def _refuse_repeated(names: list[str]) -> None:
    wrong = sorted({f"{name} more than once" for name in names if name and names.count(name) > 1})
    wrong += ["without a name"] if "" in names else []
    if wrong:
        raise UnreadableFileError(
            Finding(
                rule="dictionary_names_a_field_once",
                found=f"a field {', '.join(wrong)} in the dictionary",
                expected="each field once, with its name",
                remedy="Download the data dictionary of the project again",
            )
        )
