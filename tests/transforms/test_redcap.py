"""Rows from a REDCap project: what each kind of field becomes, which lines make a row, what is rejected."""

import csv
import io
from datetime import date
from decimal import Decimal
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import complete, draw
from transforms import redcap
from transforms.findings import FINDING_SCHEMA, Finding, UnreadableFileError
from transforms.redcap.rows import ParsedRedcap, parse_redcap
from transforms.schemas import FOLLOW_UP, PATIENTS, TOXICITIES

FIXTURES = Path(__file__).parents[1] / "fixtures" / "redcap"
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "redcap-redcapr"
EXPORT = (FIXTURES / "registry.csv").read_bytes()
DICTIONARY = (FIXTURES / "registry.dictionary.csv").read_bytes()
EXAMPLE = (Path(redcap.__file__).parent / "example.mapping.toml").read_bytes()
LINED = {"line": pl.Int64()}

# A small project for one thing at a time.
HEADER = (
    "field_name,form_name,field_type,select_choices_or_calculations,"
    "text_validation_type_or_show_slider_number,identifier"
)
FIELDS = (
    "id,base,text,,,",
    "mrn,base,text,,,y",
    'sex,base,radio,"1, Male | 2, Female",,',
    "pvtt,base,truefalse,,,",
    'ill,base,checkbox,"1, Cirrhosis | 2, Diabetes | -8, None",,',
    "size,base,text,,number,",
    "start,base,text,,date_dmy,",
    "seen,visit,text,,datetime_mdy,",
    'nausea,visit,radio,"0, None | 1, Mild | 2, Moderate",,',
    'fatigue,visit,radio,"0, None | 1, Mild | 2, Moderate",,',
)
FACTS = ("sex", "pvtt", "ill___1", "ill___2", "ill____8", "base_complete", "size", "start")
PATIENT_MAPPING = """
    [project]
    site = "A"
    missing_codes = ["-99"]
    [patients]
    rt_start_date = "start"
    sex = {field = "sex", choices = {1 = "male", 2 = "female"}}
    pvtt = {field = "pvtt", choices = {1 = "yes", 0 = "no"}}
    cirrhosis = {checkbox = "ill", any_of = ["1"], yes = "yes", no = "no"}
    tumor_size_cm = {field = "size", scale = 0.1}
"""
VISIT_MAPPING = """
    [project]
    site = "A"
    [[toxicities]]
    needs = ["ctcae_grade"]
    term = {value = "Nausea"}
    onset_date = "seen"
    ctcae_grade = {field = "nausea", choices = {0 = "", 1 = "1", 2 = "2"}}
    [[toxicities]]
    needs = ["ctcae_grade"]
    term = {value = "Fatigue"}
    onset_date = "seen"
    ctcae_grade = {field = "fatigue", choices = {0 = "", 1 = "1", 2 = "2"}}
"""


def small(mapping: str, *rows: dict[str, str], columns: tuple[str, ...] = ("id", *FACTS)) -> ParsedRedcap:
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    dictionary = "\n".join((HEADER, *FIELDS, ""))
    return parse_redcap(text.getvalue().encode(), dictionary=dictionary.encode(), mapping=mapping.encode())


def patient(mapping: str = PATIENT_MAPPING, **facts: str) -> dict[str, object]:
    parsed = small(mapping, {"id": "1", "start": "2024-03-04"} | facts).tables["patients"]
    assert parsed.rejected.is_empty(), parsed.rejected
    return parsed.rows.row(0, named=True)


def rejected(parsed: ParsedRedcap) -> list[tuple[object, ...]]:
    return parsed.rejected.select("line", "column", "rule").rows()


# The whole: the shipped example on a project with everything


def test_the_example_reads_patients_from_codes_checkboxes_decimal_commas_and_millimetres():
    expected = draw(
        {**PATIENTS.polars_schema, **LINED},
        """
        site           | patient_id | sex    | age_years | viral_type | cirrhosis | tumor_size_cm | line
        ---------------+------------+--------+-----------+------------+-----------+---------------+-----
        North Hospital | N-001      | male   | 61        | hbv        | yes       | 5.75          | 2
        South Hospital | S-001      | female |           |            | no        | 0.07          | 8
        North Hospital | N-002      |        | 70        | none       |           | 3.1           | 11
        South Hospital | S-003      | male   | 55        | none       | yes       | 10.23         | 16
        """,
    )
    rest = draw(
        PATIENTS.polars_schema,
        """
        tumor_number | afp_ng_ml | previous_treatment | rt_start_date | rt_end_date | fractions | dose_gy
        -------------+-----------+--------------------+---------------+-------------+-----------+--------
        single       | 1234.5    | yes                | 2024-03-04    | 2024-04-12  | 28        | 50.4
        multiple     | 8         | no                 | 2024-03-11    |             | 25        | 50
        single       | 12        |                    | 2024-04-02    |             | 5         | 40
        multiple     | 0.9       |                    | 2024-05-06    | 2024-06-07  | 25        | 55
        """,
        combined_treatment="radiotherapy_alone",
    )
    parsed = parse_redcap(EXPORT, dictionary=DICTIONARY, mapping=EXAMPLE).tables["patients"]
    drawn = pl.concat([expected, rest], how="horizontal")
    assert parsed.rows.equals(complete(drawn, {**PATIENTS.polars_schema, **LINED}))
    assert parsed.rows.schema == {**PATIENTS.polars_schema, **LINED}


def test_the_example_reads_one_follow_up_a_patient_from_repeating_visits():
    expected = draw(
        {**FOLLOW_UP.polars_schema, **LINED},
        """
        site           | patient_id | last_contact_date | death_date | progression_date | line
        ---------------+------------+-------------------+------------+------------------+-----
        North Hospital | N-001      | 2024-09-02        |            | 2024-08-30       | 4
        North Hospital | N-002      | 2024-10-01        |            |                  | 13
        """,
    )
    parsed = parse_redcap(EXPORT, dictionary=DICTIONARY, mapping=EXAMPLE).tables["follow_up"]
    assert parsed.rows.equals(expected)
    assert parsed.rows.schema == expected.schema


def test_the_example_reads_one_toxicity_an_instance_of_the_repeating_form():
    expected = draw(
        {**TOXICITIES.polars_schema, **LINED},
        """
        site           | patient_id | onset_date | term    | ctcae_grade | line
        ---------------+------------+------------+---------+-------------+-----
        North Hospital | N-001      | 2024-03-18 | Fatigue | 2           | 6
        North Hospital | N-001      | 2024-03-25 | Nausea  | 1           | 7
        """,
    )
    parsed = parse_redcap(EXPORT, dictionary=DICTIONARY, mapping=EXAMPLE).tables["toxicities"]
    assert parsed.rows.equals(expected)
    assert parsed.rows.schema == expected.schema


def test_the_example_says_of_every_line_that_gives_no_row_why():
    parsed = parse_redcap(EXPORT, dictionary=DICTIONARY, mapping=EXAMPLE)
    assert rejected(parsed) == [
        (9, "follow_up.death_date", "record_has_one_value"),
        (12, "toxicities.ctcae_grade", "choice_is_known"),
        (12, "toxicities.onset_date", "value_is_a_date"),
        (14, "patients.sex", "choice_is_a_code"),
        (14, "patients.tumor_size_cm", "number_has_the_decimal_mark"),
        (14, "patients.age_years", "value_is_a_number"),
    ]
    assert {name: table.rows_in for name, table in parsed.tables.items()} == {
        "patients": 5,
        "follow_up": 3,
        "toxicities": 3,
    }
    assert parsed.rejected.schema == FINDING_SCHEMA
    assert parsed.n_records == 6


def test_what_the_mapping_does_not_name_goes_nowhere_and_is_counted():
    parsed = parse_redcap(EXPORT, dictionary=DICTIONARY, mapping=EXAMPLE)
    assert parsed.unread_fields == ("family_name", "dose_fraction", "remarks")
    everything = "\n".join(table.rows.write_csv() for table in parsed.tables.values()) + str(parsed.notes)
    assert not [name for name in ("Ånglund", "Example", "Muster", "cold") if name in everything]
    assert parsed.notes == (
        "3 fields of the dictionary are not read: the mapping does not name them",
        "5 of 6 records have something for patients",
        "read although the dictionary marks them as identifiers: rt_start",
    )


@pytest.mark.parametrize("value", ["sixty", "44.0", "2024-04-31", "2024-06-30", "S-001", "Muster", "Male"])
def test_no_finding_shows_a_value(value):
    parsed = parse_redcap(EXPORT, dictionary=DICTIONARY, mapping=EXAMPLE)
    assert value not in parsed.rejected.write_csv() + str(parsed.notes)


# How an export comes back from other programs


def rewritten(delimiter: str, encoding: str, line_end: str = "\n") -> bytes:
    rows = csv.reader(io.StringIO(EXPORT.decode("utf-8-sig"), newline=""), delimiter=";")
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator=line_end, quoting=csv.QUOTE_ALL).writerows(rows)
    return text.getvalue().encode(encoding)


@pytest.mark.parametrize(
    "export",
    [
        rewritten(",", "utf-8"),
        rewritten("\t", "utf-8-sig"),
        rewritten(";", "latin-1"),
        rewritten(",", "utf-8", "\r\n"),
    ],
    ids=["commas", "tabs and a mark", "latin-1", "CRLF"],
)
def test_delimiter_encoding_quotes_and_line_ends_do_not_change_a_row(export):
    before = parse_redcap(EXPORT, dictionary=DICTIONARY, mapping=EXAMPLE)
    after = parse_redcap(export, dictionary=DICTIONARY, mapping=EXAMPLE)
    assert all(after.tables[name].rows.equals(table.rows) for name, table in before.tables.items())
    assert after.rejected.equals(before.rejected)


def test_an_export_that_is_not_utf_8_is_read_and_noted():
    export = rewritten(";", "latin-1").replace(b"N-001", b"N-\xc5")
    parsed = parse_redcap(export, dictionary=DICTIONARY, mapping=EXAMPLE)
    assert parsed.tables["patients"].rows["patient_id"][0] == "N-Å"
    assert "the export is not UTF-8 and was read as Latin-1: check letters with accents" in parsed.notes


# One field at a time


@pytest.mark.parametrize(("cell", "word"), [("1", "male"), ("2", "female"), ("", None), ("-99", None)])
def test_a_code_becomes_our_word_and_a_missing_code_nothing(cell, word):
    assert patient(sex=cell)["sex"] == word


@pytest.mark.parametrize(("cell", "word"), [("1", "yes"), ("0", "no"), ("TRUE", "yes"), ("False", "no")])
def test_true_and_false_are_1_and_0_saved_again(cell, word):
    assert patient(pvtt=cell)["pvtt"] == word


@pytest.mark.parametrize(
    ("facts", "word"),
    [
        ({"ill___1": "1", "ill___2": "1"}, "yes"),
        ({"ill___1": "TRUE"}, "yes"),
        ({"ill___1": "0", "ill___2": "1"}, "no"),
        ({"ill___1": "0", "ill____8": "1"}, "no"),
        ({"ill___1": "0", "ill___2": "0", "base_complete": "2"}, "no"),
        ({"ill___1": "0", "ill___2": "0", "base_complete": "0"}, None),
        ({"ill___1": "0", "ill___2": "0", "base_complete": "1"}, None),
        ({}, None),
    ],
)
def test_a_box_that_nobody_looked_at_is_not_a_no(facts, word):
    assert patient(**facts)["cirrhosis"] == word


def test_answered_by_says_which_field_shows_that_a_checkbox_was_answered():
    mapping = PATIENT_MAPPING.replace('no = "no"', 'no = "no", answered_by = "size"')
    assert patient(mapping, ill___1="0", size="40")["cirrhosis"] == "no"
    assert patient(mapping, ill___1="0", base_complete="2")["cirrhosis"] is None


@pytest.mark.parametrize(("cell", "size_cm"), [("57", 5.7), ("3", 0.3), ("7e1", 7.0), ("+1.1", 0.11)])
def test_a_scale_is_exact(cell, size_cm):
    assert patient(size=cell)["tumor_size_cm"] == size_cm


@pytest.mark.parametrize(("mark", "cell"), [(",", "57,5"), (".", "57.5"), (",", "575e-1")])
def test_the_mapping_may_say_the_decimal_mark_of_all_fields(mark, cell):
    mapping = PATIENT_MAPPING.replace('site = "A"', f'site = "A"\ndecimal_mark = "{mark}"')
    assert patient(mapping, size=cell)["tumor_size_cm"] == 5.75


@pytest.mark.parametrize(("mark", "cell"), [(",", "57.5"), (".", "57,5"), (",", "1.057,5"), (".", "1,057.5")])
def test_the_other_decimal_mark_is_a_finding_and_no_guess(mark, cell):
    mapping = PATIENT_MAPPING.replace('site = "A"', f'site = "A"\ndecimal_mark = "{mark}"')
    parsed = small(mapping, {"id": "1", "start": "2024-03-04", "size": cell})
    assert rejected(parsed) == [(2, "patients.tumor_size_cm", "number_has_the_decimal_mark")]
    assert parsed.tables["patients"].rows.is_empty()


@pytest.mark.parametrize(
    ("date_format", "cell"),
    [
        ("DD/MM/YYYY", "4/3/2024"),
        ("MM/DD/YYYY", "03/04/2024"),
        ("DD-MM-YYYY", "04-03-2024"),
        ("MM-DD-YYYY", "3-4-2024"),
        ("DD.MM.YYYY", "04.03.2024"),
        ("YYYY/MM/DD", "2024/03/04"),
        ("YYYY-MM-DD", "2024-03-04"),
    ],
)
def test_days_are_read_as_the_mapping_says_that_they_are_written(date_format, cell):
    mapping = PATIENT_MAPPING.replace('site = "A"', f'site = "A"\ndate_format = "{date_format}"')
    assert patient(mapping, start=cell)["rt_start_date"] == date(2024, 3, 4)


@pytest.mark.parametrize("cell", ["2024-03-04", "31/02/2024", "3/4/24", "soon", "4.3.2024"])
def test_a_day_that_is_written_another_way_is_a_finding(cell):
    mapping = PATIENT_MAPPING.replace('"start"', '{field = "start", date_format = "DD/MM/YYYY"}')
    parsed = small(mapping, {"id": "1", "start": cell})
    assert rejected(parsed) == [(2, "patients.rt_start_date", "value_is_a_date")]
    assert parsed.rejected["expected"].to_list() == ["a date, DD/MM/YYYY"]


def test_a_box_that_holds_a_word_is_a_finding():
    parsed = small(PATIENT_MAPPING, {"id": "1", "start": "2024-03-04", "ill___1": "Checked"})
    assert rejected(parsed) == [(2, "patients.cirrhosis", "box_is_ticked_or_not")]


# Which lines make a row


def test_values_of_one_record_are_gathered_from_its_lines():
    lines = ({"id": "1", "sex": "1"}, {"id": "2", "start": "2024-05-06"}, {"id": "1", "start": "2024-03-04"})
    rows = small(PATIENT_MAPPING, *lines).tables["patients"].rows
    assert rows.select("patient_id", "sex", "rt_start_date", "line").rows() == [
        ("1", "male", date(2024, 3, 4), 2),
        ("2", None, date(2024, 5, 6), 3),
    ]


def test_a_value_that_is_the_same_on_two_lines_is_one_value_however_it_is_written():
    lines = ({"id": "1", "start": "2024-03-04", "size": "50"}, {"id": "1", "size": "50.0"})
    assert small(PATIENT_MAPPING, *lines).tables["patients"].rows["tumor_size_cm"].to_list() == [5.0]


def test_two_values_of_one_record_are_a_finding_that_names_both_lines():
    lines = (
        {"id": "1", "start": "2024-03-04"},
        {"id": "2", "start": "2024-03-04"},
        {"id": "1", "start": "2024-03-05"},
    )
    parsed = small(PATIENT_MAPPING, *lines)
    assert parsed.tables["patients"].rows["patient_id"].to_list() == ["2"]
    finding = parsed.rejected.row(0, named=True)
    assert (finding["line"], finding["found"]) == (2, "2 different values in one record, on lines 2, 4")


def test_a_finding_on_a_later_line_of_a_record_stands_at_its_row_and_says_where():
    lines = ({"id": "1", "start": "2024-03-04"}, {"id": "1", "size": "large"})
    finding = small(PATIENT_MAPPING, *lines).rejected.row(0, named=True)
    assert (finding["line"], finding["found"]) == (2, "not a number (line 3)")


def test_a_record_that_says_nothing_for_a_table_has_no_row_there():
    parsed = small(PATIENT_MAPPING, {"id": "1", "start": "2024-03-04"}, {"id": "2", "ill___1": "0"})
    assert parsed.tables["patients"].rows_in == 1
    assert "1 of 2 records have something for patients" in parsed.notes


def test_the_patients_identifier_of_one_form_holds_for_every_row_of_the_record():
    mapping = VISIT_MAPPING.replace('site = "A"', 'site = "A"\npatient_id = "mrn"')
    lines = ({"id": "1", "mrn": "P7"}, {"id": "1", "seen": "2024-03-04 10:30", "nausea": "2"})
    rows = (
        small(mapping, *lines, columns=("id", "mrn", "seen", "nausea", "fatigue")).tables["toxicities"].rows
    )
    assert rows.rows() == [("A", "P7", date(2024, 3, 4), "Nausea", 2, 3)]


def test_a_record_with_two_identifiers_of_its_patient_gives_no_row_at_all():
    mapping = VISIT_MAPPING.replace('site = "A"', 'site = "A"\npatient_id = "mrn"')
    lines = ({"id": "1", "mrn": "P7"}, {"id": "1", "mrn": "P8", "seen": "2024-03-04", "nausea": "2"})
    parsed = small(mapping, *lines, columns=("id", "mrn", "seen", "nausea", "fatigue"))
    assert parsed.tables["toxicities"].rows.is_empty()
    assert rejected(parsed) == [(3, "toxicities.patient_id", "record_has_one_value")]


def test_one_line_gives_a_toxicity_for_each_field_that_is_one():
    columns = ("id", "seen", "nausea", "fatigue")
    lines = (
        {"id": "1", "seen": "2024-03-04", "nausea": "1", "fatigue": "2"},
        {"id": "1", "seen": "2024-03-11", "nausea": "0", "fatigue": "1"},
        {"id": "1", "seen": "2024-03-18", "nausea": "0", "fatigue": ""},
    )
    parsed = small(VISIT_MAPPING, *lines, columns=columns).tables["toxicities"]
    assert parsed.rows.select("term", "ctcae_grade", "line").rows() == [
        ("Nausea", 1, 2),
        ("Fatigue", 2, 2),
        ("Fatigue", 1, 3),
    ]
    assert parsed.rows_in == 2


def test_take_chooses_among_days_that_differ():
    columns = ("id", "start", "seen")
    lines = ({"id": "1", "start": day, "seen": day} for day in ("2024-05-06", "2024-03-04", "2024-04-05"))
    mapping = """
        [project]
        site = "A"
        [follow_up]
        last_contact_date = {field = "seen", take = "latest"}
        progression_date = {field = "start", take = "earliest"}
    """
    (row,) = small(mapping, *lines, columns=columns).tables["follow_up"].rows.rows(named=True)
    assert (row["progression_date"], row["last_contact_date"]) == (date(2024, 3, 4), date(2024, 5, 6))


def test_a_repeat_instrument_leaves_out_the_lines_of_other_forms():
    line = {"id": "1", "seen": "2024-03-04", "nausea": "1"}
    lines = (line, line | {"redcap_repeat_instrument": "visit", "redcap_repeat_instance": "2"})
    columns = ("id", "redcap_repeat_instrument", "redcap_repeat_instance", "seen", "nausea", "fatigue")
    mapping = VISIT_MAPPING.replace("[[toxicities]]", '[[toxicities]]\nrepeat_instrument = "visit"')
    assert small(mapping, *lines, columns=columns).tables["toxicities"].rows["line"].to_list() == [3]


def test_a_code_that_nobody_explained_costs_its_row():
    columns = ("id", "seen", "nausea", "fatigue")
    parsed = small(VISIT_MAPPING, {"id": "1", "seen": "2024-03-04", "nausea": "7"}, columns=columns)
    assert rejected(parsed) == [(2, "toxicities.ctcae_grade", "choice_is_known")]
    assert parsed.tables["toxicities"].rows.is_empty()


def test_a_line_without_a_record_and_a_ragged_line_are_rejected_and_the_others_read():
    export = b"id,seen,nausea,fatigue\n,2024-03-04,1,\n1,2024-03-04,1\n2,2024-03-04,1,\n"
    dictionary = "\n".join((HEADER, *FIELDS, "")).encode()
    parsed = parse_redcap(export, dictionary=dictionary, mapping=VISIT_MAPPING.encode())
    assert parsed.rejected_lines.select("line", "rule").rows() == [
        (2, "line_names_its_record"),
        (3, "row_has_every_field"),
    ]
    assert parsed.tables["toxicities"].rows["patient_id"].to_list() == ["2"]


def test_events_that_no_line_has_are_noted():
    mapping = EXAMPLE.replace(b"baseline_arm_1", b"base_arm_1")
    parsed = parse_redcap(EXPORT, dictionary=DICTIONARY, mapping=mapping)
    assert parsed.tables["patients"].rows_in == 0
    assert "no line of the export is of the event base_arm_1, which patients names" in parsed.notes


# Whatever comes


def parsed_or_refused(export: bytes) -> ParsedRedcap | Finding:
    try:
        return parse_redcap(export, dictionary=DICTIONARY, mapping=EXAMPLE)
    except UnreadableFileError as error:
        return error.finding


@settings(max_examples=60, deadline=None)
@given(
    st.integers(0, len(EXPORT)),
    st.integers(0, 40),
    st.binary(max_size=6) | st.sampled_from([b";", b'"', b"\n"]),
)
def test_a_damaged_export_gives_rows_that_add_up_or_a_clear_refusal(start, n_lost, damage):
    outcome = parsed_or_refused(EXPORT[:start] + damage + EXPORT[start + n_lost :])
    if isinstance(outcome, Finding):
        assert all((outcome.found, outcome.expected, outcome.remedy))
    else:
        for table in outcome.tables.values():
            rows, lines = table.rows["line"].to_list(), table.rejected["line"].to_list()
            assert table.rows_in == len({*rows, *lines}) == len(rows) + len(set(lines))


# Projects that nobody here made


def real(project: str, name: str) -> bytes:
    path = REAL / project / name
    if not path.exists():
        pytest.skip("the real REDCap projects are not beside the checkout")
    return path.read_bytes()


SIMPLE = b"""
    [project]
    site = "Elsewhere"
    [patients]
    sex = {field = "sex", choices = {0 = "female", 1 = "male"}}
    age_years = "age"
    pvtt = {checkbox = "race", any_of = ["5"], yes = "yes", no = "no"}
    tumor_size_cm = {field = "height", scale = 0.1}
    rt_start_date = "dob"
"""


@pytest.mark.parametrize("dictionary", ["dictionary.csv", "metadata.csv"])
def test_a_real_project_with_checkboxes_loads_with_either_spelling_of_its_dictionary(dictionary):
    export = real("simple", "data.csv")
    parsed = parse_redcap(export, dictionary=real("simple", dictionary), mapping=SIMPLE).tables["patients"]
    cells = list(csv.DictReader(io.StringIO(export.decode(), newline="")))
    assert parsed.rows.select("patient_id", "sex", "pvtt", "tumor_size_cm", "rt_start_date").rows() == [
        (
            cell["record_id"],
            {"TRUE": "male", "FALSE": "female"}[cell["sex"]],
            {"1": "yes", "0": "no"}[cell["race___5"]],
            float(Decimal(cell["height"]) / 10),
            date.fromisoformat(cell["dob"]),
        )
        for cell in cells
    ]
    assert parsed.rows["line"].to_list() == [2, 4, 6, 8, 13]
    assert parsed.rejected.is_empty()


def test_a_real_clinical_trial_loads_whole():
    mapping = b"""
        [project]
        site = "Elsewhere"
        [patients]
        sex = {field = "gender", choices = {0 = "female", 1 = "male"}}
        rt_start_date = "dob"
        tumor_size_cm = "height"
    """
    export, dictionary = real("clinical-trial-1", "data.csv"), real("clinical-trial-1", "dictionary.csv")
    parsed = parse_redcap(export, dictionary=dictionary, mapping=mapping)
    rows = parsed.tables["patients"].rows
    assert (parsed.n_records, len(rows), parsed.rejected.is_empty()) == (500, 500, True)
    assert rows.row(0, named=True)["rt_start_date"] == date(1991, 5, 13)
    assert set(rows["sex"].drop_nulls()) == {"female", "male"}
