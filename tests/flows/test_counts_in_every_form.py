"""One truth in every form that hospitals send: the same counts, and files that nobody here wrote."""

import json
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from flows.count_writers import COUNT_FORMS, written_counts
from flows.derivation import READ_FROM, derive_frames
from flows.night import Loaded
from flows.simulate import Delivery, write_landing
from tests.flows.test_load import DAY, load, table
from transforms.errors import UsageError
from transforms.schemas import COHORT, COUNTS

REAL = Path(__file__).parents[3] / "shared" / "data"
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
        name: derive_frames(
            {one: table(nights[name][0], one) for one in READ_FROM}, night=DAY
        ).cohort.sort(COHORT.key)
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


def test_only_csv_takes_the_planted_faults(tmp_path):
    delivery = Delivery(has_mess=True, counts_as="omop")
    with pytest.raises(UsageError, match="cells of CSV files, not in omop"):
        write_landing(tmp_path / "landing", n_patients=5, delivery=delivery)


def test_a_form_that_nobody_writes_is_bad_usage(tmp_path):
    with pytest.raises(UsageError, match="'hl7': it must be csv, fhir-ndjson, fhir-bundle, omop"):
        write_landing(tmp_path / "landing", n_patients=5, delivery=Delivery(counts_as="hl7"))
    with pytest.raises(ValueError, match="No form 'hl7' of counts"):
        written_counts(pl.DataFrame(), "hl7")
