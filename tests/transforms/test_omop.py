"""OMOP MEASUREMENT and PERSON: concepts, source values, moments, and what is rejected and why."""

import io
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from transforms.counts.formats import kind_of_counts_file
from transforms.counts.omop import parse_omop
from transforms.counts.results import tidy_results
from transforms.findings import UnreadableFileError
from transforms.schemas.counts import LABORATORY_RESULTS

REAL = Path(__file__).parents[3] / "shared" / "data" / "omop-synthea27nj"
HEADER = (
    "measurement_id,person_id,measurement_concept_id,measurement_date,measurement_datetime,operator_concept_id,"
    "value_as_number,unit_concept_id,range_low,measurement_source_value,unit_source_value"
)
WHOLE = {
    "measurement_id": "11",
    "person_id": "7",
    "measurement_concept_id": "3004327",
    "measurement_date": "2024-03-05",
    "measurement_datetime": "2024-03-05 08:30:00",
    "operator_concept_id": "0",
    "value_as_number": "0.57",
    "unit_concept_id": "8848",
    "range_low": "1.1",
    "measurement_source_value": "731-0",
    "unit_source_value": "10*3/uL",
}
PERSON = b"person_id,person_source_value\n7,MRN 7\n8,\n"


def table(*rows: dict, header: str = HEADER) -> bytes:
    lines = [",".join((WHOLE | row)[name.lower()] for name in HEADER.split(",")) for row in rows]
    return "\n".join([header, *lines, ""]).encode()


def row(**other) -> dict:
    return parse_omop(table(other), person=PERSON).rows.row(0, named=True)


def rule(**other) -> str:
    parsed = parse_omop(table(other), person=PERSON)
    assert parsed.rows.is_empty()
    return parsed.rejected["rule"].item()


def test_a_whole_measurement_becomes_a_row():
    parsed = parse_omop(table({}), person=PERSON)
    assert parsed.rows.schema == LABORATORY_RESULTS
    assert parsed.rows.row(0) == (
        2,
        None,
        "MRN 7",
        "11",
        "final",
        datetime(2024, 3, 5, 8, 30),
        date(2024, 3, 5),
        None,
        "731-0",
        0.57,
        None,
        "10*3/uL",
        1.1,
        None,
    )
    assert parsed.n_records == 1


def test_without_person_the_patient_is_the_person_s_number():
    assert parse_omop(table({})).rows["patient_id"].to_list() == ["7"]


@pytest.mark.parametrize("person_id", ["8", "9"])
def test_a_person_without_a_name_in_person_is_rejected(person_id):
    assert rule(person_id=person_id) == "result_names_its_patient"


@pytest.mark.parametrize(
    ("source", "concept", "code"),
    [
        ("26474-7", "3004327", "26474-7"),
        ("LYM#", "3019198", "26474-7"),
        ("", "3003215", "732-8"),
        ("", "3000905", "6690-2"),
        ("", "3037511.0", "736-9"),
        ("29463-7", "3025315", "omop|3025315"),
    ],
)
def test_the_code_is_the_source_s_loinc_code_or_else_the_concept_s(source, concept, code):
    assert row(measurement_source_value=source, measurement_concept_id=concept)["code"] == code


@pytest.mark.parametrize(
    ("source", "concept", "unit"),
    [
        ("x10^9/L", "8848", "x10^9/L"),
        ("K", "8848", "10*3/uL"),
        ("", "8784", "{cells}/uL"),
        ("odd", "0", "odd"),
    ],
)
def test_the_unit_is_the_source_s_where_it_is_known_or_else_the_concept_s(source, concept, unit):
    assert row(unit_source_value=source, unit_concept_id=concept)["unit"] == unit


@pytest.mark.parametrize(
    ("operator", "comparator"),
    [
        ("0", None),
        ("", None),
        ("4172703", None),
        ("4171756", "<"),
        ("4171754", "<="),
        ("4172704", ">"),
        ("4171755", ">="),
    ],
)
def test_the_operator_is_the_comparator(operator, comparator):
    assert row(operator_concept_id=operator)["comparator"] == comparator


def test_without_a_time_the_day_is_its_midnight_and_the_day_is_that_of_measurement_date():
    assert row(measurement_datetime="")["collected_at"] == datetime(2024, 3, 5)
    late = row(measurement_datetime="2024-03-04 23:30:00")
    assert (late["collected_at"], late["collected_on"]) == (datetime(2024, 3, 4, 23, 30), date(2024, 3, 5))


@pytest.mark.parametrize(
    ("column", "cell", "expected"),
    [
        ("value_as_number", "", "result_has_a_value"),
        ("value_as_number", "few", "value_is_a_number"),
        ("value_as_number", "inf", "value_is_a_number"),
        ("operator_concept_id", "1", "comparator_is_known"),
        ("measurement_date", "05/03/2024", "value_is_a_date"),
        ("measurement_datetime", "morning", "value_is_a_date_time"),
    ],
)
def test_a_broken_cell_is_rejected_with_its_rule(column, cell, expected):
    assert rule(**{column: cell}) == expected


@pytest.mark.parametrize("header", [HEADER.upper(), HEADER.title(), "\ufeff" + HEADER])
def test_the_header_may_be_in_any_case(header):
    assert parse_omop(table({}, header=header)).rows["code"].to_list() == ["731-0"]


def test_other_columns_are_ignored_and_optional_ones_may_be_missing():
    data = (
        b"note,measurement_id,person_id,measurement_concept_id,measurement_date,value_as_number\n"
        b'"a, b",1,7,3019198,2024-03-05,0.5\n'
    )
    assert parse_omop(data).rows.select("code", "value", "unit").row(0) == ("26474-7", 0.5, None)


@pytest.mark.parametrize(
    "data", [b"a,b\n1,2\n", b"", HEADER.replace("person_id", "who").encode(), b"PAR1 cut short"]
)
def test_a_file_without_a_needed_column_is_refused_whole(data):
    with pytest.raises(UnreadableFileError):
        parse_omop(data)


def test_a_file_that_is_cut_short_loses_its_last_record_alone_and_says_so():
    parsed = parse_omop(table({}, {})[:-60])
    assert (parsed.rows["line"].to_list(), parsed.rejected["line"].to_list()) == ([2], [3])
    assert parsed.rejected["rule"].item() == "row_has_every_field"
    assert parsed.n_records == 2


def test_a_table_without_records_has_none():
    parsed = parse_omop(HEADER.encode())
    assert (parsed.n_records, len(parsed.rows), len(parsed.rejected)) == (0, 0, 0)


@pytest.mark.parametrize("zone", [None, "Asia/Seoul"])
def test_parquet_gives_the_rows_that_csv_gives(zone):
    data = table({}, {"value_as_number": ""}, {"measurement_id": "12", "unit_source_value": ""})
    frame = pl.read_csv(data, try_parse_dates=True)
    moment = pl.col("measurement_datetime").dt.replace_time_zone("UTC")
    if zone:
        frame = frame.with_columns(moment.dt.convert_time_zone(zone))
    file = io.BytesIO()
    frame.write_parquet(file)
    by_csv, by_parquet = parse_omop(data, person=PERSON), parse_omop(file.getvalue(), person=PERSON)
    assert by_parquet.rows.equals(by_csv.rows)
    assert by_parquet.rejected.equals(by_csv.rejected)
    assert kind_of_counts_file("measurement.parquet", file.getvalue()[:100]) == "omop_parquet"


def test_a_part_of_a_file_is_read_with_its_own_line_numbers():
    assert parse_omop(table({}, {}), first_line=502).rows["line"].to_list() == [502, 503]


def test_real_tables_load_and_say_what_is_no_lymphocyte_count():
    if not REAL.is_dir():
        pytest.skip("no real files beside the checkout")
    parsed = parse_omop((REAL / "MEASUREMENT.csv").read_bytes(), person=(REAL / "PERSON.csv").read_bytes())
    tidy = tidy_results(parsed.rows)
    assert parsed.n_records == len(parsed.rows) + len(parsed.rejected) == 10_040
    assert (len(tidy.counts), len(tidy.parts)) == (0, 107)
    assert tidy.rejected["rule"].unique().to_list() == ["result_is_a_lymphocyte_count"]
    assert parsed.rejected["rule"].unique().to_list() == ["result_has_a_value"]
