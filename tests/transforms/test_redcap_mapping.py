"""A mapping file that does not fit is refused before a record is read: each complaint says its place."""

import re
from pathlib import Path

import pytest

from transforms import redcap
from transforms.findings import Finding, UnreadableFileError
from transforms.redcap.mapping import RefusedProjectError
from transforms.redcap.rows import parse_redcap

FIXTURES = Path(__file__).parents[1] / "fixtures" / "redcap"
EXPORT = (FIXTURES / "registry.csv").read_text(encoding="utf-8-sig")
DICTIONARY = (FIXTURES / "registry.dictionary.csv").read_text()
EXAMPLE = (Path(redcap.__file__).parent / "example.mapping.toml").read_text()


def changed(text: str, old: str, new: str) -> str:
    assert old in text, f"the test changes what is not there: {old}"
    return text.replace(old, new)


def complaints(
    *, mapping: str = EXAMPLE, dictionary: str = DICTIONARY, export: str = EXPORT
) -> tuple[Finding, ...]:
    with pytest.raises(RefusedProjectError) as caught:
        parse_redcap(export.encode(), dictionary=dictionary.encode(), mapping=mapping.encode())
    for one in caught.value.findings:
        assert f"{one.column}: {one.found}. Expected: {one.expected}. {one.remedy}" in str(caught.value)
    return caught.value.findings


def said(findings: tuple[Finding, ...]) -> list[tuple[str | None, str]]:
    return [(one.column, one.found) for one in findings]


# How the file is written


def test_text_that_is_no_toml_is_refused_with_its_line():
    (one,) = complaints(mapping='[project]\nsite = "A\n')
    assert (one.column, one.rule, one.line) == ("mapping file", "mapping_is_toml", 2)


def test_bytes_that_are_no_text_are_refused():
    with pytest.raises(RefusedProjectError, match="no TOML of the mapping file"):
        parse_redcap(EXPORT.encode(), dictionary=DICTIONARY.encode(), mapping=b"\xff\xfe[")


@pytest.mark.parametrize(
    ("old", "new", "place", "found"),
    [
        (
            "[follow_up]",
            "[followup]",
            "mapping file",
            "the key followup, which means nothing there (did you mean follow_up?)",
        ),
        (
            "decimal_mark",
            "decimal",
            "project",
            "the key decimal, which means nothing there (did you mean decimal_mark?)",
        ),
        (
            "age_years",
            "age_year",
            "patients",
            "the key age_year, which means nothing there (did you mean age_years?)",
        ),
        ("events", "event", "patients", "the key event, which means nothing there (did you mean events?)"),
        (
            "any_of",
            "anyof",
            "patients.previous_treatment",
            "the key anyof, which means nothing there (did you mean any_of?)",
        ),
        ("scale", "factor", "patients.tumor_size_cm", "the key factor, which means nothing there"),
        ('age_years = "age"', 'site = "A"', "patients", "the key site, which means nothing there"),
    ],
)
def test_a_key_that_is_not_known_is_a_complaint_with_the_nearest_one(old, new, place, found):
    mapping = re.sub(
        f"^{re.escape(old)}|(?<=[{{ ]){re.escape(old)}", new, EXAMPLE, count=0, flags=re.MULTILINE
    )
    assert (place, found) in said(complaints(mapping=mapping))


@pytest.mark.parametrize(
    ("old", "new", "place", "expected"),
    [
        (
            'decimal_mark = "dictionary"',
            'decimal_mark = "comma"',
            "project.decimal_mark",
            '"dictionary" or "." or ","',
        ),
        (
            'date_format = "YYYY-MM-DD"',
            'date_format = "YYYY-DD-MM"',
            "project.date_format",
            '"YYYY-MM-DD" or "YYYY/MM/DD"',
        ),
        (
            'missing_codes = ["-99", "UNK"]',
            'missing_codes = "-99"',
            "project.missing_codes",
            'a list like ["1", "2"]',
        ),
        ('patient_id = "study_id"', "patient_id = 7", "project.patient_id", "text"),
        (
            'patient_id = "study_id"',
            'site = "A"',
            "project.site",
            'either site = "the hospital" or site_field',
        ),
        (
            'choices = { north = "North Hospital", south = "South Hospital" }',
            "take = 1",
            "project.site_field.take",
            '"earliest" or "latest"',
        ),
        (
            'age_years = "age"',
            "age_years = 61",
            "patients.age_years",
            "a field's name, or a table with field",
        ),
        ('1 = "male"', "1 = true", "patients.sex.choices", "a table of words by code"),
        ("scale = 0.1", "scale = 0", "patients.tumor_size_cm.scale", "a number above 0"),
        ("scale = 0.1", "scale = nan", "patients.tumor_size_cm.scale", "a number above 0"),
        ('any_of = ["1", "2", "-8"]', "any_of = []", "patients.previous_treatment.any_of", "a list like"),
        ('any_of = ["1", "2", "-8"], ', "", "patients.previous_treatment", "any_of beside checkbox"),
        ('yes = "yes", no', "no", "patients.previous_treatment", "yes beside checkbox"),
        (
            '{ value = "radiotherapy_alone" }',
            "{ }",
            "patients.combined_treatment",
            "a table with field or checkbox or value, one of them",
        ),
        (
            '{ value = "radiotherapy_alone" }',
            '{ value = "a", field = "age" }',
            "patients.combined_treatment",
            "a table with field or checkbox or value, one of them",
        ),
        (
            'repeat_instrument = "adverse_event"',
            "repeat_instrument = []",
            "toxicities.repeat_instrument",
            "text",
        ),
    ],
)
def test_a_value_of_another_kind_is_a_complaint(old, new, place, expected):
    found = [(one.column, one.expected) for one in complaints(mapping=changed(EXAMPLE, old, new))]
    assert place in dict(found)
    assert dict(found)[place].startswith(expected)


@pytest.mark.parametrize(
    ("mapping", "place"),
    [
        ("", "project.site"),
        ('project = "A"', "project"),
        ('[project]\nsite = "A"', "mapping file"),
        ('patients = "x"\n[project]\nsite = "A"', "patients"),
        ('toxicities = ["x"]\n[project]\nsite = "A"', "toxicities[1]"),
    ],
)
def test_a_file_without_its_tables_is_refused(mapping, place):
    assert place in [one.column for one in complaints(mapping=mapping)]


# Against our tables


@pytest.mark.parametrize(
    ("line", "place", "found"),
    [
        ('rt_start_date = "rt_start"', "patients", "no rt_start_date, without which no row can be used"),
        (
            'last_contact_date = { field = "visit_date", take = "latest" }',
            "follow_up",
            "no last_contact_date, without which no row can be used",
        ),
        ('ctcae_grade = "ae_grade"', "toxicities", "no ctcae_grade, without which no row can be used"),
    ],
)
def test_a_required_column_that_nothing_fills_is_a_complaint(line, place, found):
    assert said(complaints(mapping=changed(EXAMPLE, f"\n{line}", ""))) == [(place, found)]


def test_each_of_several_tables_needs_its_required_columns_where_a_row_is_a_line():
    mapping = changed(EXAMPLE, "\n[toxicities]", "\n[[toxicities]]") + '\n[[toxicities]]\nterm = "ae_onset"\n'
    assert [one.column for one in complaints(mapping=mapping)] == ["toxicities[2]", "toxicities[2]"]


@pytest.mark.parametrize(
    ("old", "new", "place", "found"),
    [
        ('1 = "male"', '1 = "man"', "patients.sex", "the word man"),
        (
            'yes = "yes", no = "no"',
            'yes = "ja", no = "nein"',
            "patients.previous_treatment",
            "the word ja, nein",
        ),
        ('"radiotherapy_alone"', '"rt"', "patients.combined_treatment", "the word rt"),
        (
            'ctcae_grade = "ae_grade"',
            'ctcae_grade = { field = "ae_grade", choices = "labels" }',
            "toxicities.ctcae_grade",
            "the word Mild, Moderate, Severe, Life-threatening, Death",
        ),
        (
            'onset_date = "ae_onset"',
            'onset_date = { value = "4 March" }',
            "toxicities.onset_date",
            "the word 4 March",
        ),
    ],
)
def test_a_word_that_the_column_does_not_have_is_a_complaint(old, new, place, found):
    assert said(complaints(mapping=changed(EXAMPLE, old, new))) == [(place, found)]


@pytest.mark.parametrize(
    ("old", "new", "place"),
    [
        (
            'onset_date = "ae_onset"',
            'onset_date = { field = "ae_onset", take = "latest" }',
            "toxicities.onset_date",
        ),
        (
            'fractions = "fractions"',
            'fractions = { field = "fractions", take = "latest" }',
            "patients.fractions",
        ),
    ],
)
def test_take_is_for_days_of_tables_with_one_row_a_patient(old, new, place):
    assert [one.column for one in complaints(mapping=changed(EXAMPLE, old, new))] == [place]


def test_two_takes_for_one_column_are_a_complaint():
    mapping = changed(EXAMPLE, "\n[follow_up]", "\n[[follow_up]]") + (
        '\n[[follow_up]]\nlast_contact_date = { field = "death_date", take = "earliest" }\n'
    )
    assert said(complaints(mapping=mapping)) == [
        ("follow_up[2].last_contact_date", "another take than for this column before")
    ]


def test_needs_names_columns_that_the_table_fills():
    mapping = changed(EXAMPLE, "[toxicities]\n\n", '[toxicities]\nneeds = ["grade"]\n')
    assert said(complaints(mapping=mapping)) == [
        ("toxicities.needs", "grade, which [toxicities] does not fill")
    ]


# Against the dictionary


@pytest.mark.parametrize(
    ("old", "new", "place", "found"),
    [
        (
            'age_years = "age"',
            'age_years = "agee"',
            "patients.age_years",
            "agee, which is no field of the dictionary (did you mean age?)",
        ),
        (
            'patient_id = "study_id"',
            'patient_id = "mrn"',
            "project.patient_id",
            "mrn, which is no field of the dictionary",
        ),
        (
            'record_id = "record_id"',
            'record_id = "recordid"',
            "project.record_id",
            "recordid, which is no field of the dictionary (did you mean record_id?)",
        ),
        (
            '"redcap_data_access_group"',
            '"hospital"',
            "project.site_field",
            "hospital, which is no field of the dictionary",
        ),
        (
            'checkbox = "treatments"',
            'checkbox = "treatment"',
            "patients.previous_treatment",
            "treatment, which is no field of the dictionary (did you mean treatments?)",
        ),
        (
            'no = "no" }',
            'no = "no", answered_by = "asked" }',
            "patients.previous_treatment",
            "asked, which is no field of the dictionary",
        ),
        (
            'no = "no" }',
            'no = "no", answered_by = "treatments" }',
            "patients.previous_treatment",
            "answered_by treatments, which is a checkbox",
        ),
        (
            'age_years = "age"',
            'age_years = "treatments"',
            "patients.age_years",
            "treatments, which is a checkbox with a column for each choice",
        ),
        (
            'checkbox = "treatments"',
            'checkbox = "sex"',
            "patients.previous_treatment",
            "sex, which is no checkbox but radio",
        ),
        (
            '["1", "2", "-8"]',
            '["1", "8"]',
            "patients.previous_treatment",
            "the code 8 that the dictionary does not have (treatments has 1, 2, 3, -8)",
        ),
        (
            '{ field = "cirrhosis", choices = { 1 = "yes", 0 = "no" } }',
            '"cirrhosis"',
            "patients.cirrhosis",
            "cirrhosis, which holds codes (1, 0), without choices",
        ),
        (
            '2 = "female", 9 = ""',
            '2 = "female"',
            "patients.sex",
            "no word for the code 9 of the dictionary (sex has 1, 2, 9)",
        ),
        (
            '9 = ""',
            '9 = "", 3 = ""',
            "patients.sex",
            "the code 3 that the dictionary does not have (sex has 1, 2, 9)",
        ),
        (
            'term = { field = "ae_term", choices',
            'term = { field = "ae_onset", choices',
            "toxicities.term",
            "the labels of ae_onset, which has no choices",
        ),
        ('age_years = "age"', 'age_years = "rt_start"', "patients.age_years", "rt_start, which holds dates"),
        (
            'rt_end_date = "rt_end"',
            'rt_end_date = "fractions"',
            "patients.rt_end_date",
            "fractions, which holds numbers",
        ),
        (
            'rt_end_date = "rt_end"',
            'rt_end_date = { field = "rt_end", scale = 2 }',
            "patients.rt_end_date",
            "a scale on what is no measured number",
        ),
        (
            'age_years = "age"',
            'age_years = { field = "age", date_format = "DD.MM.YYYY" }',
            "patients.age_years",
            "a date_format on a column without dates",
        ),
        (
            '"adverse_event"',
            '"adverse_events"',
            "toxicities.repeat_instrument",
            "adverse_events, which is no form of the dictionary (did you mean adverse_event?)",
        ),
        (
            'onset_date = "ae_onset"',
            'onset_date = "visit_date"',
            "toxicities.onset_date",
            "visit_date of the form visit, whose values are on no row of adverse_event",
        ),
    ],
)
def test_what_the_dictionary_has_not_or_has_otherwise_is_a_complaint(old, new, place, found):
    assert said(complaints(mapping=changed(EXAMPLE, old, new))) == [(place, found)]


def test_a_field_that_holds_no_value_is_a_complaint():
    dictionary = changed(DICTIONARY, "fractions,radiotherapy,,text", "fractions,radiotherapy,,file")
    dictionary = changed(dictionary, "integer,,,,,,,,,,\n", ",,,,,,,,,,\n")
    assert said(complaints(dictionary=dictionary)) == [
        ("patients.fractions", "fractions, which holds no value (file)")
    ]


def test_a_code_that_is_new_in_the_dictionary_is_a_complaint_until_the_mapping_covers_it():
    dictionary = changed(DICTIONARY, "| 9, Not recorded", "| 9, Not recorded | 3, Diverse")
    assert said(complaints(dictionary=dictionary)) == [
        ("patients.sex", "no word for the code 3 of the dictionary (sex has 1, 2, 9, 3)")
    ]


def test_missing_codes_need_no_word():
    mapping = changed(changed(EXAMPLE, ', 9 = ""', ""), '["-99", "UNK"]', '["-99", "UNK", 9]')
    parsed = parse_redcap(EXPORT.encode(), dictionary=DICTIONARY.encode(), mapping=mapping.encode())
    assert parsed.tables["patients"].rows["sex"].to_list() == ["male", "female", None, "male"]


# Against the export


@pytest.mark.parametrize(
    ("column", "place"),
    [
        ("age", "patients.age_years"),
        ("record_id", "project.record_id"),
        ("study_id", "project.patient_id"),
        ("treatments____8", "patients.previous_treatment"),
        ("redcap_data_access_group", "project.site_field"),
        ("redcap_event_name", "patients.events"),
        ("redcap_repeat_instrument", "toxicities.repeat_instrument"),
    ],
)
def test_a_column_that_the_export_lacks_is_a_complaint(column, place):
    header = EXPORT.splitlines()[0]
    names = [("x" if name == column else name) for name in header.split(";")]
    (one,) = complaints(export=changed(EXPORT, header, ";".join(names)))
    assert (one.column, one.rule) == (place, "export_has_every_column")
    assert "in the export" in one.found


def test_a_column_that_the_export_has_twice_is_a_complaint():
    export = changed(EXPORT, ";family_name;", ";age;")
    assert said(complaints(export=export)) == [
        ("patients.age_years", "the column age more than once in the export")
    ]


def test_every_complaint_is_told_at_once():
    mapping = changed(changed(EXAMPLE, '"afp"', '"afpp"'), '1 = "single"', '1 = "one"')
    assert [one.column for one in complaints(mapping=mapping)] == [
        "patients.tumor_number",
        "patients.afp_ng_ml",
    ]


# Files that cannot be read at all


def refusal(*, export: bytes | None = None, dictionary: bytes | None = None) -> Finding:
    with pytest.raises(UnreadableFileError) as caught:
        parse_redcap(
            EXPORT.encode() if export is None else export,
            dictionary=DICTIONARY.encode() if dictionary is None else dictionary,
            mapping=EXAMPLE.encode(),
        )
    return caught.value.finding


@pytest.mark.parametrize(
    ("export", "rule"),
    [
        (b"", "file_is_not_empty"),
        (b"\xef\xbb\xbf \n", "file_is_not_empty"),
        (EXPORT.encode("utf-16"), "file_is_text"),
        (b"record_id\n1\n", "file_has_a_delimiter"),
        (EXPORT.encode() + b'"', "file_is_csv"),
        (b"record,field_name,value\n1,sex,2\n", "export_is_flat"),
        (DICTIONARY.encode(), "export_has_every_column"),
    ],
)
def test_an_export_that_cannot_be_trusted_is_refused_whole(export, rule):
    assert refusal(export=export).rule == rule


@pytest.mark.parametrize(
    ("dictionary", "rule"),
    [
        ("", "file_is_not_empty"),
        (EXPORT, "dictionary_has_every_column"),
        (DICTIONARY.splitlines()[0] + "\n", "dictionary_is_whole"),
        (DICTIONARY + "afp2,tumour\n", "dictionary_is_whole"),
        (DICTIONARY.replace("tumor_count,", "tumor_mm,"), "dictionary_names_a_field_once"),
        (DICTIONARY.replace("tumor_count,", ","), "dictionary_names_a_field_once"),
        (DICTIONARY.replace('"1, One | 2, Several"', ""), "dictionary_gives_choices"),
        (DICTIONARY.replace('"1, One | 2, Several"', "NA"), "dictionary_gives_choices"),
    ],
)
def test_a_dictionary_that_cannot_be_trusted_is_refused_whole(dictionary, rule):
    one = refusal(dictionary=dictionary.encode())
    assert one.rule == rule
    assert "dictionary" in one.found


def test_a_refusal_never_repeats_a_header_that_may_be_a_patients_row():
    headless = EXPORT[EXPORT.index("\n") + 1 :]
    with pytest.raises(RefusedProjectError) as caught:
        parse_redcap(headless.encode(), dictionary=DICTIONARY.encode(), mapping=EXAMPLE.encode())
    assert not re.search("N-001|Ånglund|57,5", str(caught.value))
