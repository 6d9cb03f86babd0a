"""One truth in every form that hospitals send: the same counts, and files that nobody here wrote."""

import json
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from flows import landed, load_counts
from flows.count_writers import COUNT_FORMS, written_counts
from flows.derivation import READ_FROM, derive_frames
from flows.night import Loaded, Results
from flows.simulate import Delivery, write_landing
from flows.steps import analyse, derive, finish_warehouse, load_landing
from flows.warehouse import Warehouse
from tests.flows.landing_builder import PATIENTS_HEADER, patient, write_table
from tests.flows.test_load import DAY, load, night_of, table
from transforms.errors import UsageError
from transforms.schemas import COHORT, COUNTS

REAL = Path(__file__).parents[3] / "shared" / "data"
OMOP = ("MEASUREMENT", "PERSON")
OTHER_FORMS = COUNT_FORMS[1:]
OF_THE_FILE = ("file_id", "line", "loaded_night")


@pytest.fixture(scope="module")
def nights(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Loaded]]:
    """The same 98 patients of four sites, in each form: the landing folder, and what a night made of it."""
    root = tmp_path_factory.mktemp("forms")
    return dict(_load_each(root))


def _load_each(root: Path) -> Iterator[tuple[str, tuple[Path, Loaded]]]:
    for form in COUNT_FORMS:
        delivery = Delivery(counts_as=form, n_plate_patients=0)
        out = root / form / "landing"
        write_landing(out, n_patients=98, n_sites=4, seed=11, delivery=delivery)
        yield form, (out, load(out))


def counts_of(landing: Path) -> pl.DataFrame:
    return table(landing, "counts").drop(OF_THE_FILE).sort(COUNTS.key)


def accounts_of(loaded: Loaded, source: str = "counts") -> list[tuple[int, int, int, int]]:
    return [
        (one.rows_in, one.loaded, one.unchanged, one.quarantined)
        for one in loaded.accounts
        if one.source == source
    ]


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_every_form_gives_the_same_counts_row_for_row(nights, form):
    (by_csv, _), (by_form, _) = nights["csv"], nights[form]
    expected = counts_of(by_csv)
    assert expected.height > 1_000
    assert_frame_equal(counts_of(by_form), expected)


@pytest.mark.parametrize("form", OTHER_FORMS)
def test_every_form_gives_the_same_cohort(nights, form):
    cohorts = {
        name: derive_frames({one: table(nights[name][0], one) for one in READ_FROM}, night=DAY).cohort.sort(
            COHORT.key
        )
        for name in ("csv", form)
    }
    assert cohorts["csv"].height == 98
    assert_frame_equal(cohorts[form], cohorts["csv"])


@pytest.mark.parametrize("form", COUNT_FORMS)
def test_every_result_of_every_form_is_loaded_and_accounted_for(nights, form):
    landing, loaded = nights[form]
    assert loaded.quarantine.is_empty()
    accounts = accounts_of(loaded)
    assert len(accounts) == 4
    assert all(n_in == n_loaded for n_in, n_loaded, _, _ in accounts)
    assert sum(n_in for n_in, *_ in accounts) == counts_of(landing).height


def test_a_long_file_is_loaded_in_parts_and_gives_the_same_counts(nights, tmp_path, monkeypatch):
    whole, loaded = nights["fhir-ndjson"]
    in_parts = shutil.copytree(whole, tmp_path / "landing")
    monkeypatch.setattr(landed, "MOST_BYTES_HELD", 10_000)
    monkeypatch.setattr(load_counts, "ROWS_AT_ONCE", 100)
    again = load(in_parts)
    assert len(again.validations) > len(loaded.validations) + 5
    assert_frame_equal(counts_of(in_parts), counts_of(whole))
    assert sorted(accounts_of(again)) == sorted(accounts_of(loaded))


def test_only_csv_takes_the_planted_faults(tmp_path):
    delivery = Delivery(has_mess=True, counts_as="omop")
    with pytest.raises(UsageError, match="cells of CSV files, not in omop"):
        write_landing(tmp_path / "landing", n_patients=5, delivery=delivery)


def test_a_form_that_nobody_writes_is_bad_usage(tmp_path):
    with pytest.raises(UsageError, match="'hl7': it must be csv, fhir-ndjson, fhir-bundle, omop"):
        write_landing(tmp_path / "landing", n_patients=5, delivery=Delivery(counts_as="hl7"))
    with pytest.raises(ValueError, match="No form 'hl7' of counts"):
        written_counts(pl.DataFrame(), "hl7")


# Files that nobody here wrote


def real_landing(folder: Path, *sources: str) -> Path:
    """Copy real files into a landing folder, with a patients file of everybody in them."""
    counts = folder / "counts"
    counts.mkdir(parents=True)
    for source in sources:
        files = [path for path in (REAL / source).glob("*") if path.suffix == ".json" or path.stem in OMOP]
        if not files:
            pytest.skip(f"no real files of {source} beside the checkout")
        for path in files:
            shutil.copyfile(path, counts / path.name)
    seen = sorted(set(_patients_of(counts)))
    rows = [patient(one, rt_start="2005-07-01", rt_end="2005-08-05") for one in seen]
    write_table(folder, "patients/p.csv", *rows, header=PATIENTS_HEADER)
    return folder


def _patients_of(counts: Path) -> Iterator[str]:
    for path in counts.glob("*.json"):
        for observation in _observations(json.loads(path.read_text("utf-8"))):
            yield observation["subject"]["reference"].removeprefix("Patient/")
    for path in counts.glob("PERSON.csv"):
        yield from pl.read_csv(path)["person_source_value"]


def _observations(document: dict[str, Any]) -> list[dict[str, Any]]:
    resources = [entry["resource"] for entry in document.get("entry", [{"resource": document}])]
    return [one for one in resources if one["resourceType"] == "Observation"]


def broken_rules_of(loaded: Loaded) -> set[str]:
    return set(loaded.quarantine.filter(pl.col("source") == "counts")["rule"])


def test_real_bundles_give_derived_counts(tmp_path):
    landing = real_landing(tmp_path / "landing", "fhir-smart-stu3")
    night = night_of(landing)
    loaded = load_landing(night)
    derived = derive(night, loaded)
    snapshot = finish_warehouse(night, Results(loaded, derived, analyse(night, loaded, derived)))
    with Warehouse(snapshot.path, read_only=True) as warehouse:
        counts = warehouse.read("counts")
    assert counts["method"].to_list() == ["derived", "derived"]
    assert counts.select("patient_id", "collected_on").sort("patient_id").rows() == [
        ("smart-1134281", date(2008, 12, 28)),
        ("smart-2042917", date(2009, 12, 28)),
    ]
    assert counts["tlc_cells_per_ul"].is_between(100, 20_000).all()


def test_real_blood_counts_load_or_say_what_is_no_lymphocyte_count(tmp_path):
    landing = real_landing(tmp_path / "landing", "fhir-us-core-cbc")
    loaded = load(landing)
    assert table(landing, "count_parts")["part"].to_list() == ["leukocytes"]
    assert sum(n_loaded for _, n_loaded, _, _ in accounts_of(loaded)) == 1
    assert sum(n_in for n_in, *_ in accounts_of(loaded)) == 8
    assert broken_rules_of(loaded) == {"result_is_a_lymphocyte_count"}


def test_real_omop_tables_load_or_say_what_is_no_lymphocyte_count(tmp_path):
    landing = real_landing(tmp_path / "landing", "omop-synthea27nj")
    loaded = load(landing)
    assert accounts_of(loaded) == [(10_040, 107, 0, 9_933)]
    assert broken_rules_of(loaded) == {"result_is_a_lymphocyte_count", "result_has_a_value"}
