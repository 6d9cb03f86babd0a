"""Validation splits rows and says why, and never says what a value was."""

import random
from dataclasses import asdict
from datetime import date, datetime

import polars as pl
import pytest
from staged_rows import NIGHT, staged

from expectations.rules import ROW_RULES
from expectations.validation import FAILED_SCHEMA, broken_rules, validate_rows, validate_tables
from transforms.errors import NadirError

GOOD: dict[str, object] = {}
LOW = {"tlc_cells_per_ul": -417.25}
UNKNOWN = {"is_known_patient": False, "rt_start_date": None, "patient_id": "P-SECRET"}


def test_a_broken_row_is_told_with_file_line_column_rule_and_remedy():
    failed = validate_rows("counts", staged("counts", [GOOD, LOW]), night=NIGHT).failed
    assert failed.schema == FAILED_SCHEMA
    (row,) = failed.rows(named=True)
    assert row == {
        "file_id": "f" * 64,
        "line": 3,
        "column": "tlc_cells_per_ul",
        "rule": "tlc_is_between_0_and_20000_cells_per_ul",
        "found": "a value outside the range",
        "expected": "0 to 20,000 cells/uL",
        "remedy": "Check value and unit, correct them and send the file again",
    }


def test_a_row_that_breaks_two_rules_is_told_twice_and_leaves_once():
    validation = validate_rows("counts", staged("counts", [GOOD, LOW | UNKNOWN, GOOD]), night=NIGHT)
    assert validation.failed["line"].to_list() == [3, 3]
    assert validation.passed["line"].to_list() == [2, 4]


@pytest.mark.parametrize("seed", range(5))
def test_rows_in_are_rows_passed_and_rows_failed(seed):
    dice = random.Random(seed)
    frame = staged("counts", [dice.choice((GOOD, LOW, UNKNOWN)) for _ in range(dice.randrange(60))])
    validation = validate_rows("counts", frame, night=NIGHT)
    lines = pl.concat([validation.passed["line"], validation.failed["line"].unique()])
    assert sorted(lines) == frame["line"].to_list()


def test_failed_rows_come_in_the_order_of_the_frame():
    frame = staged("counts", [UNKNOWN, LOW, UNKNOWN, LOW])
    assert validate_rows("counts", frame, night=NIGHT).failed["line"].to_list() == [2, 3, 4, 5]


def test_passed_rows_keep_their_columns_and_types():
    frame = staged("counts", [GOOD, LOW]).with_columns(extra=pl.lit("kept"))
    assert validate_rows("counts", frame, night=NIGHT).passed.equals(frame.head(1))


def test_the_frame_that_was_given_is_not_written_into():
    frame = staged("counts", [GOOD, LOW])
    before = frame.clone()
    validate_rows("counts", frame, night=NIGHT)
    assert frame.equals(before)


@pytest.mark.parametrize("table", ROW_RULES)
def test_an_empty_frame_passes(table):
    validation = validate_rows(table, staged(table, []), night=NIGHT)
    assert (validation.passed.height, validation.failed.height) == (0, 0)
    assert validation.failed.schema == FAILED_SCHEMA


def test_a_column_of_nothing_but_empty_cells_passes_where_it_may():
    frame = staged("patients", [{"tumor_size_cm": None, "fractions": None, "rt_end_date": None}])
    assert validate_rows("patients", frame, night=NIGHT).failed.is_empty()


def test_a_derived_row_has_neither_file_nor_line():
    cohort = staged("cohort", [{"nadir_grade": 7}]).drop("file_id", "line")
    (row,) = validate_rows("cohort", cohort, night=NIGHT).failed.rows(named=True)
    assert (row["file_id"], row["line"]) == (None, None)


def test_a_row_of_a_whole_file_keeps_its_empty_line():
    frame = staged("cytokines", [{"n_wells": 0, "line": None}])
    (row,) = validate_rows("cytokines", frame, night=NIGHT).failed.rows(named=True)
    assert (row["file_id"], row["line"]) == ("f" * 64, None)


def test_neither_findings_nor_reports_show_a_value_or_an_identifier():
    planted = [
        LOW
        | UNKNOWN
        | {
            "site": "S-PLANTED",
            "collected_at": datetime(2061, 11, 23, 4, 5),
            "collected_on": date(2061, 11, 23),
        },
        {"code": None, "unit": "PLANTED-UNIT"},
    ]
    validation = validate_rows("counts", staged("counts", planted), night=NIGHT)
    told = str(validation.failed.rows()) + str(asdict(validation.report))
    assert not [word for word in ("417", "P-SECRET", "PLANTED", "2061") if word in told]


@pytest.mark.parametrize("column", ["is_known_patient", "rt_start_date", "tlc_cells_per_ul", "value", "site"])
def test_a_missing_column_is_named(column):
    with pytest.raises(NadirError, match=f"no column {column}"):
        validate_rows("counts", staged("counts", [GOOD]).drop(column), night=NIGHT)


def test_a_table_without_rules_is_an_error():
    with pytest.raises(NadirError, match="No rules for a table 'nothing'"):
        validate_rows("nothing", pl.DataFrame(), night=NIGHT)


def test_a_rule_that_cannot_run_is_an_error_without_a_value():
    frame = staged("counts", [GOOD]).with_columns(tlc_cells_per_ul=pl.lit("PLANTED"))
    with pytest.raises(NadirError, match="could not run tlc_is_between") as raised:
        validate_rows("counts", frame, night=NIGHT)
    assert "PLANTED" not in str(raised.value)


def test_a_date_is_not_moved_by_pandas():
    days = [{"last_contact_date": date(2024, 6, 30)}, {"last_contact_date": date(2024, 7, 1)}]
    assert validate_rows("follow_up", staged("follow_up", days), night=NIGHT).failed["line"].to_list() == [3]


def test_whole_numbers_with_gaps_stay_whole_numbers():
    rows = [{"fractions": None}, {"fractions": 60}, {"fractions": 61}]
    assert validate_rows("patients", staged("patients", rows), night=NIGHT).failed["line"].to_list() == [4]


def test_an_audit_names_what_stops_the_night():
    patients = pl.DataFrame({"site": ["S1", "S1"], "patient_id": ["1", "1"]})
    audits = validate_tables({"patients": patients}, night=NIGHT, former_rows={"patients": 3})
    assert [rule.name for rule in broken_rules(audits)] == [
        "patients_has_one_row_for_each_key",
        "patients_has_no_fewer_rows_than_last_published",
    ]


def test_a_cohort_that_lost_a_patient_stops_the_night():
    patients = pl.DataFrame({"site": ["S1", "S1"], "patient_id": ["1", "2"]})
    audits = validate_tables({"patients": patients, "cohort": patients.head(1)}, night=NIGHT, former_rows={})
    assert [rule.name for rule in broken_rules(audits)] == ["cohort_has_as_many_rows_as_patients"]


def test_tables_without_patients_are_an_error():
    with pytest.raises(NadirError, match="No table patients"):
        validate_tables({}, night=NIGHT, former_rows={})


def test_nothing_is_printed(capfd):
    validate_rows("counts", staged("counts", [GOOD, LOW]), night=NIGHT)
    assert capfd.readouterr() == ("", "")
