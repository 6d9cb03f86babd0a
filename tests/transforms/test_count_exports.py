"""Counts written as CSV, FHIR lines, a FHIR Bundle and OMOP come back as one and the same table."""

import json

import polars as pl
import pytest

from models.simulation.cohort import simulate_patients
from models.simulation.sites import list_sites, write_counts_as
from transforms.counts.fhir import parse_fhir_bundle, parse_fhir_ndjson
from transforms.counts.fhir_export import write_fhir_bundle, write_fhir_ndjson
from transforms.counts.formats import kind_of_counts_file
from transforms.counts.omop import parse_omop
from transforms.counts.omop_export import write_omop
from transforms.counts.results import from_landed_csv, tidy_results
from transforms.landed_csv import parse_landed_csv
from transforms.schemas import COUNTS as LANDED_COUNTS

LANDED = [column.name for column in LANDED_COUNTS.landed_columns]
# How a result came: each source has its own names for results, and a CSV has none.
OF_THE_SOURCE = ("line", "result_id", "known_at")


def by_csv(counts):
    return from_landed_csv(parse_landed_csv(counts.write_csv().encode(), LANDED_COUNTS).rows)


def by_omop(counts):
    measurement, person = write_omop(counts)
    return parse_omop(measurement, person=person).rows.with_columns(site=pl.lit(counts["site"].item(0)))


READ_BACK = {
    "FHIR lines": lambda counts: parse_fhir_ndjson(write_fhir_ndjson(counts)).rows,
    "FHIR Bundle": lambda counts: parse_fhir_bundle(write_fhir_bundle(counts)).rows,
    "OMOP": by_omop,
}


@pytest.fixture(scope="module")
def simulated():
    """The counts of 98 patients as each of four sites writes them."""
    counts = next(simulate_patients(98, seed=1, n_sites=4)).counts
    return [
        write_counts_as(site, counts.filter(pl.col("site") == site.name)).select(LANDED)
        for site in list_sites(4)
    ]


def one(**other):
    made = {
        "site": "A",
        "patient_id": "p-1",
        "collected_at": "2024-03-05",
        "code": "731-0",
        "value": "0.57",
        "unit": "10*3/uL",
    }
    return pl.DataFrame([made | other], schema=dict.fromkeys(LANDED, pl.String()))


@pytest.mark.parametrize("way", READ_BACK)
def test_the_same_patients_give_the_identical_counts_in_every_form(simulated, way):
    for counts in simulated:
        expected, found = tidy_results(by_csv(counts)), tidy_results(READ_BACK[way](counts))
        assert len(expected.counts) == len(counts)
        assert found.counts.drop(OF_THE_SOURCE).equals(expected.counts.drop(OF_THE_SOURCE))
        assert found.rejected.is_empty()


@pytest.mark.parametrize("way", READ_BACK)
@pytest.mark.parametrize(
    "other",
    [
        {"site": 'St. "Mary", B', "patient_id": "환자-1"},
        {"collected_at": "2024-03-05 23:30"},
        {"collected_at": "2024-03-05T00:30:00+09:00", "unit": "cells/uL", "value": "570"},
        {"code": "26478-8", "value": "21.5", "unit": "%"},
    ],
)
def test_names_moments_and_units_of_any_kind_come_back(way, other):
    expected, found = tidy_results(by_csv(one(**other))), tidy_results(READ_BACK[way](one(**other)))
    for name in ("counts", "parts"):
        left, right = getattr(found, name), getattr(expected, name)
        assert left.drop(OF_THE_SOURCE).equals(right.drop(OF_THE_SOURCE))


def test_an_observation_has_the_shape_of_fhir_r4():
    resource = json.loads(write_fhir_ndjson(one(collected_at="2024-03-05 08:30")))
    assert resource["effectiveDateTime"] == "2024-03-05T08:30:00Z"
    assert resource["valueQuantity"] == {
        "value": 0.57,
        "unit": "10*3/uL",
        "system": "http://unitsofmeasure.org",
        "code": "10*3/uL",
    }
    assert {"id", "status", "category", "code", "subject", "performer"} <= set(resource)


@pytest.mark.parametrize("value", ["<0.1", "", None, "1e5", "n/a"])
def test_a_value_that_is_no_number_is_written_as_no_number_and_rejected(value):
    counts = one(value=value)
    assert parse_fhir_ndjson(write_fhir_ndjson(counts)).rows.is_empty()
    assert len(parse_fhir_bundle(write_fhir_bundle(counts)).rejected) == 1


def test_a_result_has_the_same_name_in_every_file_and_another_has_another():
    def names(data):
        return parse_fhir_ndjson(data).rows["result_id"].to_list()

    both = pl.concat([one(patient_id="p-2"), one()])
    assert names(write_fhir_ndjson(one())) == names(write_fhir_ndjson(both))[1:]
    assert len(set(names(write_fhir_ndjson(both)))) == 2
    assert names(write_fhir_ndjson(one())) == names(write_fhir_ndjson(one(value="0.6")))


def test_every_form_is_told_from_its_first_bytes(simulated):
    counts = simulated[0]
    measurement, person = write_omop(counts)
    written = {
        "csv": counts.write_csv().encode(),
        "fhir_ndjson": write_fhir_ndjson(counts),
        "fhir_bundle": write_fhir_bundle(counts),
        "omop_csv": measurement,
        "omop_person": person,
    }
    assert {kind: kind_of_counts_file("counts", data[:4096]) for kind, data in written.items()} == {
        kind: kind for kind in written
    }


@pytest.mark.parametrize(
    ("name", "head", "kind"),
    [
        ("a.json", b'{"resourceType": "Observation"}', "fhir_bundle"),
        ("a.json", b'\xef\xbb\xbf[{"resourceType": "Observation"}]', "fhir_bundle"),
        ("a.json", b'{\n  "resourceType": "Bundle"', "fhir_bundle"),
        ("a.json", b'{"resourceType": "Observation"}\n{"resourceType": "Observation"}', "fhir_ndjson"),
        ("a.ndjson", b'{"resourceType": "Observation"}', "fhir_ndjson"),
        ("person.parquet", b"PAR1", "omop_person"),
        ("a.csv", b"", None),
        ("a.csv", b"site;patient_id", "csv"),
    ],
)
def test_odd_files_are_told_too(name, head, kind):
    assert kind_of_counts_file(name, head) == kind
