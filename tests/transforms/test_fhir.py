"""FHIR Observations: what each element means, what is rejected and why; all ways of reading agree."""

import json
import random
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.transforms.observations import bundle, loinc, ndjson, observation, observations, quantity
from transforms.counts import fhir_template
from transforms.counts.fhir import parse_fhir_bundle, parse_fhir_ndjson
from transforms.counts.formats import kind_of_counts_file
from transforms.findings import UnreadableFileError
from transforms.schemas.counts import LABORATORY_RESULTS

REAL = Path(__file__).parents[3] / "shared" / "data"
UUID = "urn:uuid:0c1f6d2e-0000-4000-8000-000000000001"


def read(*resources):
    return parse_fhir_ndjson(ndjson(*resources))


def field(name, *without, **other):
    return read(observation(*without, **other)).rows[name].item()


def rule(*without, **other):
    parsed = read(observation(*without, **other))
    assert parsed.rows.is_empty()
    return parsed.rejected["rule"].item()


def test_a_whole_observation_becomes_a_row():
    parsed = read(observation())
    assert parsed.rows.schema == LABORATORY_RESULTS
    assert parsed.rows.row(0) == (
        1,
        "north",
        "p-1",
        "r-1",
        "final",
        datetime(2024, 3, 4, 23, 30),
        date(2024, 3, 5),
        datetime(2024, 3, 5, 11),
        "731-0",
        0.57,
        None,
        "10*3/uL",
        1.1,
        "10*3/uL",
    )
    assert (parsed.n_records, parsed.n_other, len(parsed.rejected)) == (1, 0, 0)


@pytest.mark.parametrize(
    ("written", "at", "on"),
    [
        ("2024-03-05", datetime(2024, 3, 5), date(2024, 3, 5)),
        ("2024-03-05T23:30:00Z", datetime(2024, 3, 5, 23, 30), date(2024, 3, 5)),
        ("2024-03-05T23:30:00-05:00", datetime(2024, 3, 6, 4, 30), date(2024, 3, 5)),
        ("2024-03-05T00:30:00.250+09:00", datetime(2024, 3, 4, 15, 30, 0, 250000), date(2024, 3, 5)),
        ("2024-03-05T08:30", datetime(2024, 3, 5, 8, 30), date(2024, 3, 5)),
    ],
)
def test_moments_are_utc_and_the_day_is_as_written(written, at, on):
    row = read(observation(effectiveDateTime=written)).rows
    assert (row["collected_at"].item(), row["collected_on"].item()) == (at, on)


def test_the_draw_may_stand_in_a_period_or_an_instant():
    start = {"start": "2024-03-05", "end": "2024-03-06"}
    assert field("collected_on", "effectiveDateTime", effectivePeriod=start) == date(2024, 3, 5)
    assert field("collected_on", "effectiveDateTime", effectiveInstant="2024-03-05") == date(2024, 3, 5)


@pytest.mark.parametrize("written", ["2008", "2008-12", "2008-13-01", "5 March", "", None])
def test_a_moment_that_is_no_day_is_rejected(written):
    assert rule(effectiveDateTime=written) == "value_is_a_date_time"


def test_a_month_without_its_day_is_called_so():
    found = read(observation(effectiveDateTime="2008-12")).rejected["found"].item()
    assert found == "a date without its day"


@pytest.mark.parametrize("status", ["registered", "cancelled"])
def test_a_result_that_is_not_given_out_is_rejected_with_its_status(status):
    parsed = read(observation(status=status))
    assert parsed.rejected["rule"].item() == "result_is_given_out"
    assert status in parsed.rejected["found"].item()


@pytest.mark.parametrize("status", ["preliminary", "amended", "corrected", "appended", "unknown"])
def test_other_statuses_are_kept(status):
    assert field("status", status=status) == status


def test_a_withdrawal_is_kept_without_a_value_and_a_date():
    row = read(observation("valueQuantity", "effectiveDateTime", status="entered-in-error")).rows
    assert row.select("status", "result_id", "value").row(0) == ("entered-in-error", "r-1", None)


def test_a_missing_status_is_rejected():
    assert rule("status") == "status_is_known"


def test_the_value_and_its_unit_may_each_be_wrong():
    assert rule("valueQuantity") == "result_has_a_value"
    assert rule("valueQuantity", valueString="few") == "value_is_a_quantity"
    assert rule(valueQuantity=quantity("0.57")) == "value_is_a_number"
    assert rule(valueQuantity=quantity(True)) == "value_is_a_number"
    assert rule(valueQuantity=quantity(0.5, comparator="ad")) == "comparator_is_known"
    assert field("unit", valueQuantity={"value": 1}) is None


def test_an_absent_value_is_rejected_with_the_reason_that_fhir_has_a_word_for():
    absent = {"coding": [{"code": "not-performed"}]}
    found = read(observation("valueQuantity", dataAbsentReason=absent)).rejected["found"].item()
    assert found == "no value; the reason given: not-performed"
    secret = read(observation("valueQuantity", dataAbsentReason={"coding": [{"code": "Ms Kim moved"}]}))
    assert "Kim" not in str(secret.rejected.rows())


def test_a_limit_keeps_its_comparator():
    assert field("comparator", valueQuantity=quantity(0.1, comparator="<")) == "<"


def test_the_unit_is_the_ucum_code_where_there_is_one():
    assert field("unit", valueQuantity=quantity(1, unit="Thou/uL")) == "10*3/uL"
    assert field("unit", valueQuantity=quantity(1, unit="Thou/uL", system="http://local")) == "Thou/uL"
    assert field("unit", valueQuantity={"value": 1, "code": "10*3/uL"}) == "10*3/uL"


def test_of_several_codings_the_loinc_code_that_is_known_is_taken():
    local = {"system": "http://local", "code": "LYM"}
    other, known = loinc("718-7")["coding"][0], loinc("731-0")["coding"][0]
    assert field("code", code={"coding": [local, other, known]}) == "731-0"
    assert field("code", code={"coding": [local, other]}) == "718-7"
    assert rule(code={"text": "Lymphocytes"}) == "result_has_a_code"


def test_a_code_of_another_system_is_never_taken_for_loinc():
    assert (
        field("code", code={"coding": [{"system": "http://local", "code": "731-0"}]}) == "http://local|731-0"
    )


@pytest.mark.parametrize(
    ("subject", "patient"),
    [
        ({"reference": "Patient/p-7"}, "p-7"),
        ({"reference": "https://hospital.org/fhir/Patient/p-7"}, "p-7"),
        ({"reference": "Patient/p-7/_history/3"}, "p-7"),
        ({"identifier": {"value": "MRN 7"}}, "MRN 7"),
    ],
)
def test_the_patient_is_named_by_address_or_identifier(subject, patient):
    assert field("patient_id", subject=subject) == patient


@pytest.mark.parametrize(
    "subject", [None, {}, {"reference": "Group/7"}, {"reference": UUID}, {"display": "x"}]
)
def test_a_result_of_nobody_is_rejected(subject):
    assert rule(subject=subject) == "result_names_its_patient"


def test_a_temporary_address_leads_to_the_patient_of_the_same_bundle():
    numbers = [{"value": "insurance"}, {"value": "MRN 7", "type": {"coding": [{"code": "MR"}]}}]
    patient = {"resourceType": "Patient", "id": "p-7", "identifier": numbers}
    entries = [
        {"resource": observation(subject={"reference": UUID})},
        {"fullUrl": UUID, "resource": patient},
    ]
    parsed = parse_fhir_bundle(bundle(entry=entries))
    assert parsed.rows["patient_id"].to_list() == ["MRN 7"]
    assert (parsed.n_records, parsed.n_other) == (2, 1)
    del patient["identifier"]
    assert parse_fhir_bundle(bundle(entry=entries)).rows["patient_id"].to_list() == ["p-7"]


def test_a_contained_patient_is_named_by_its_identifier():
    patient = {"resourceType": "Patient", "id": "p", "identifier": [{"value": "MRN 7"}]}
    assert field("patient_id", subject={"reference": "#p"}, contained=[patient]) == "MRN 7"


def test_a_report_gives_the_results_that_it_contains():
    report = {
        "resourceType": "DiagnosticReport",
        "subject": {"reference": "Patient/p-9"},
        "contained": [observation("subject")],
    }
    assert read(report).rows["patient_id"].to_list() == ["p-9"]


def test_the_site_is_the_organization_among_the_performers():
    practitioner = {"reference": "Practitioner/1", "display": "Dr"}
    by_identifier = {"type": "Organization", "identifier": {"value": "North"}}
    assert field("site", performer=[practitioner, by_identifier]) == "North"
    assert field("site", performer=[practitioner]) is None
    assert field("site", "performer") is None


def test_the_result_is_named_by_its_id_or_else_its_identifier():
    assert field("result_id", "id", identifier=[{"value": "A-1"}]) == "A-1"
    assert field("result_id", "id") is None


def test_when_it_was_known_is_when_it_was_issued_or_else_last_updated():
    updated = {"lastUpdated": "2024-03-07T00:00:00Z"}
    assert field("known_at", meta=updated) == datetime(2024, 3, 5, 11)
    assert field("known_at", "issued", meta=updated) == datetime(2024, 3, 7)
    assert field("known_at", issued="soon") is None


def test_the_lower_limit_is_that_of_the_normal_range():
    critical = {"type": {"coding": [{"code": "critical"}]}, "low": {"value": 0.2, "unit": "10*3/uL"}}
    normal = {"type": {"coding": [{"code": "normal"}]}, "low": {"value": 900, "unit": "/uL"}}
    row = read(observation(referenceRange=[critical, normal])).rows
    assert row.select("lower_limit", "lower_limit_unit").row(0) == (900.0, "/uL")
    assert field("lower_limit", referenceRange=[critical]) is None


def test_a_panel_gives_a_row_for_each_component_and_none_for_itself():
    parts = [
        {"code": loinc("6690-2"), "valueQuantity": quantity(5)},
        {"code": loinc("736-9"), "valueQuantity": quantity(10, code="%")},
        {"code": loinc("737-7"), "valueString": "few"},
    ]
    parsed = read(observation("valueQuantity", code=loinc("58410-2"), component=parts))
    assert parsed.rows["code"].to_list() == ["6690-2", "736-9"]
    assert parsed.rejected["rule"].to_list() == ["value_is_a_quantity"]


def test_resources_of_other_kinds_and_headings_are_counted_and_passed_over():
    patient = {"resourceType": "Patient", "id": "x"}
    heading = observation("valueQuantity", hasMember=[{"reference": "Observation/r-1"}])
    parsed = read(patient, heading, observation())
    assert (len(parsed.rows), len(parsed.rejected), parsed.n_records, parsed.n_other) == (1, 0, 3, 2)


def test_an_observation_of_stu3_or_dstu2_is_read():
    old = observation(
        "performer", referenceRange=[{"low": {"value": 1}, "meaning": {"coding": [{"code": "normal"}]}}]
    )
    old |= {"performer": {"reference": "Organization/south"}, "related": [], "comments": "x"}
    assert read(old).rows.select("site", "lower_limit").row(0) == ("south", 1.0)


# Damaged files


DAMAGED = [
    b"{",
    b'{"resourceType": "Observation", "id": "r-',
    b"x",
    b'"text"',
    b"7",
    b"[]",
    b"null",
    b"{}",
    b'{"resourceType": 7}',
    b'{"resourceType": "Observation", "resourceType": "Observation"}',
    b'{"resourceType": "Bundle", "entry": []}',
    b'{"a": NaN}',
    b'{"a": Infinity}',
    b'{"a": ' + b"9" * 5000 + b"}",
    b"[" * 100_000,
    b'{"a":' * 100_000,
    b"\xff\xfe",
    b'{"resourceType": "Observation\x00"}',
]


@pytest.mark.parametrize("line", DAMAGED, ids=range(len(DAMAGED)))
def test_a_damaged_line_is_rejected_alone_with_its_number(line):
    parsed = parse_fhir_ndjson(ndjson(observation()) + line + b"\n" + ndjson(observation(id="r-2")))
    assert parsed.rows["line"].to_list() == [1, 3]
    assert parsed.rejected["line"].to_list() == [2]
    assert parsed.n_records == 3


@pytest.mark.parametrize("value", ["1e400", "-1e400", "9" * 400, "NaN", "1.", "01", '"1"', "[1]", "{}"])
def test_a_number_that_is_none_is_rejected(value):
    line = ndjson(observation()).replace(b"0.57", value.encode())
    assert len(parse_fhir_ndjson(line).rejected) == 1


def test_half_a_surrogate_pair_is_no_name():
    line = ndjson(observation()).replace(b'"r-1"', rb'"\ud800"')
    assert parse_fhir_ndjson(line).rows["result_id"].to_list() == [None]


def test_marks_and_line_ends_of_any_system_are_read_and_blank_lines_keep_their_number():
    line = ndjson(observation()).rstrip()
    parsed = parse_fhir_ndjson(b"\xef\xbb\xbf" + line + b"\r\n\r\n  \n" + line, first_line=11)
    assert parsed.rows["line"].to_list() == [11, 14]
    assert (parsed.n_records, parsed.n_lines, len(parsed.rejected)) == (2, 4, 0)


@pytest.mark.parametrize("data", [b"", b"\n", b"\r\n"])
def test_an_empty_chunk_has_no_records(data):
    parsed = parse_fhir_ndjson(data)
    assert (parsed.n_records, len(parsed.rows), len(parsed.rejected)) == (0, 0, 0)


@pytest.mark.parametrize("data", [b"", b"{", b"7", b'{"a": 1}', b"\xff"])
def test_a_bundle_that_cannot_be_read_is_refused_whole(data):
    with pytest.raises(UnreadableFileError):
        parse_fhir_bundle(data)


@pytest.mark.parametrize("entry", [None, 7, {}, [None], [7], [{}], [{"resource": []}], [{"resource": None}]])
def test_entries_of_a_wrong_type_never_stop_a_bundle(entry):
    parsed = parse_fhir_bundle(bundle(entry=entry))
    assert parsed.rows.is_empty()
    assert len(parsed.rejected) == parsed.n_records


@pytest.mark.parametrize("make", [json.dumps, lambda one: json.dumps([one])])
def test_a_single_resource_and_a_list_are_read_as_a_bundle_is(make):
    assert parse_fhir_bundle(make(observation()).encode()).rows.equals(read(observation()).rows)


def test_bytes_changed_at_random_never_crash_and_every_record_is_accounted_for():
    draw, line = random.Random(1), ndjson(observation())
    for _ in range(300):
        spoilt = bytearray(line * 3)
        for _ in range(draw.randint(1, 4)):
            spoilt[draw.randrange(len(spoilt))] = draw.randrange(256)
        check_books(parse_fhir_ndjson(bytes(spoilt)))


def check_books(parsed):
    lines = {*parsed.rows["line"], *parsed.rejected["line"]}
    assert len(lines) + parsed.n_other == parsed.n_records


# No way of reading differs from another


@settings(max_examples=60, deadline=None)
@given(st.lists(observations(), max_size=4))
def test_lines_and_a_bundle_of_the_same_resources_give_the_same_rows(resources):
    by_line, by_entry = read(*resources), parse_fhir_bundle(bundle(*resources))
    assert by_line.rows.equals(by_entry.rows)
    assert by_line.rejected.equals(by_entry.rejected)
    check_books(by_line)


def one_by_one(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fhir_template, "_FEWEST_LINES", 10**9)
        return parse_fhir_ndjson(data)


def all_at_once(data):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fhir_template, "_FEWEST_LINES", 2)
        patch.setattr(fhir_template, "_LINES_A_KIND", 0)
        return parse_fhir_ndjson(data)


def check_same(data):
    fast, exact = all_at_once(data), one_by_one(data)
    assert fast.rows.equals(exact.rows)
    assert fast.rejected.equals(exact.rejected)
    assert (fast.n_records, fast.n_other) == (exact.n_records, exact.n_other)


@settings(max_examples=60, deadline=None)
@given(st.lists(observations(), min_size=1, max_size=5), st.integers(1, 6))
def test_reading_alike_lines_at_once_gives_what_reading_one_by_one_gives(resources, times):
    check_same(ndjson(*resources * times))


@settings(max_examples=60, deadline=None)
@given(st.lists(observations(), min_size=3, max_size=8), st.data())
def test_it_does_so_too_where_lines_differ_in_one_text_or_number(resources, data):
    lines = [json.dumps(one, ensure_ascii=False) for one in resources for _ in range(3)]
    scalars = ['"p-1"', '"Patient/p-1"', "0.57", '"final"', '"731-0"', '"10*3/uL"', '"North"', "1.1", '"r-1"']
    for place in range(len(lines)):
        old = data.draw(st.sampled_from(scalars))
        new = data.draw(st.sampled_from([*scalars, '"a\\"b"', '"\\u0041"', "1e5", "-0", "null", '""', '"é"']))
        lines[place] = lines[place].replace(old, new)
    check_same("\n".join(lines).encode())


def varied(n):
    """Lines of one system: two kinds of test, limits, odd ones, names of people with quotation marks."""
    draw = random.Random(2)
    for i in range(n):
        made = observation(id=f"r-{i}", subject={"reference": f"Patient/p-{i % 7}", "display": f'P "{i}"'})
        made["effectiveDateTime"] = f"2024-03-{i % 28 + 1:02d}T08:{i % 60:02d}:00+09:00"
        made["valueQuantity"]["value"] = round(draw.uniform(0.05, 3), 2)
        made["code"] = loinc(draw.choice(["731-0", "26474-7", "718-7"]))
        made["status"] = draw.choice(["final", "final", "corrected", "entered-in-error"])
        made["performer"][0]["reference"] = f"Organization/{draw.choice(['north', 'süd'])}"
        if i % 50 == 0:
            made = draw.choice([{"resourceType": "Patient"}, observation("status"), observation(id='a"b')])
        yield made


def test_a_feed_of_several_kinds_is_nearly_all_read_at_once_and_no_differently():
    data = ndjson(*varied(1500))
    check_same(data)
    lines = pl.read_lines(data, name="text", row_index_name="line").with_columns(
        pl.col("line").cast(pl.Int64)
    )
    _, others = fhir_template.read_alike(lines)
    assert len(others) <= 60


def test_a_line_unlike_its_neighbours_is_seen_though_no_sample_shows_it():
    lines = [observation(id=f"r-{i}") for i in range(300)]
    lines[1]["status"] = "cancelled"
    lines[2]["code"]["coding"][0]["code"] = "718-7"
    parsed = read(*lines)
    assert parsed.rejected["line"].to_list() == [2]
    assert parsed.rows.filter(pl.col("line") == 3)["code"].item() == "718-7"


def test_an_escaped_name_of_an_element_is_no_way_round_it():
    lines = [
        ndjson(observation(id=f"r-{i}", status=status))
        for i, status in enumerate(["final", "cancelled"] * 20)
    ]
    check_same(b"".join(lines).replace(b'"status"', rb'"st\u0061tus"'))


# Real files


@pytest.mark.parametrize("place", ["fhir-us-core-cbc", "fhir-smart-stu3"])
def test_real_files_are_read_and_each_resource_is_accounted_for(place):
    files = sorted((REAL / place).glob("*.json"))
    if not files:
        pytest.skip(f"no real files at {place} beside the checkout")
    for file in files:
        assert kind_of_counts_file(file.name, file.read_bytes()[:4096]) == "fhir_bundle"
        check_books(parse_fhir_bundle(file.read_bytes()))


def test_a_real_leukocyte_count_is_read_whole():
    file = REAL / "fhir-us-core-cbc" / "observation-cbc-leukocytes.json"
    if not file.exists():
        pytest.skip("no real files beside the checkout")
    row = parse_fhir_bundle(file.read_bytes()).rows
    assert row.select("code", "value", "unit", "lower_limit").row(0) == ("6690-2", 10.0, "10*3/uL", 4.5)
