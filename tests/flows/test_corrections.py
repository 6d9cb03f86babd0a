"""Corrections: a result is counted once, in its newest version, and every former one stays in the history."""

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from flows.steps import derive, load_landing
from tests.flows.landing_builder import COUNTS_HEADER, write_good_landing, write_table
from tests.flows.test_load import account, load, night_of, table
from tests.transforms.observations import ndjson, observation, quantity

FIRST, SECOND, THIRD, FOURTH = (date(2026, 1, day) for day in (15, 16, 17, 18))
MOMENT, MOVED = "2024-01-10T08:00:00Z", "2024-01-17T08:00:00Z"
WITHDRAWN = "entered-in-error"
OF_ANOTHER_EXPORT = {"meta": {"versionId": "1"}}


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return write_good_landing(tmp_path / "landing")


def result(value: float = 640, *, issued: int = 10, status: str = "final", **other: object) -> dict:
    """P1's result r-1, as the laboratory gave it out on a day of January 2024."""
    elements = {
        "status": status,
        "subject": {"reference": "Patient/P1"},
        "performer": [{"reference": "Organization/a"}],
        "effectiveDateTime": MOMENT,
        "issued": f"2024-01-{issued}T12:00:00Z",
        "valueQuantity": quantity(value, unit="/uL", code="/uL"),
    }
    return observation("referenceRange", **(elements | other))


def send(landing: Path, name: str, *results: dict) -> None:
    (landing / "counts" / f"{name}.ndjson").write_bytes(ndjson(*results))


def send_and_load(landing: Path, night: date, *results: dict) -> None:
    send(landing, f"of_{night}", *results)
    load(landing, night)


def counts_of_r1(landing: Path) -> list[float]:
    """P1's counts of FHIR; those of the CSV have no lines of January 10 to 20."""
    days = pl.col("collected_on").is_between(date(2024, 1, 5), date(2024, 1, 25))
    return table(landing, "counts").filter(days, patient_id="P1")["tlc_cells_per_ul"].to_list()


def history(landing: Path, name: str = "counts", of: str = "tlc_cells_per_ul") -> list[tuple]:
    kept = table(landing, f"{name}_history").sort("loaded_night", "replaced_night", of)
    return kept.select(of, "loaded_night", "replaced_night").rows()


def test_the_same_result_sent_twice_counts_once(landing: Path):
    send_and_load(landing, FIRST, result())
    send(landing, "again", result(**OF_ANOTHER_EXPORT))
    loaded = load(landing, SECOND)
    assert counts_of_r1(landing) == [640]
    assert account(loaded, "counts/again.ndjson") == (1, 0, 1, 0)
    assert history(landing) == []


def test_a_result_twice_in_one_file_counts_once(landing: Path):
    send_and_load(landing, FIRST, result(), result())
    assert counts_of_r1(landing) == [640]


def test_a_corrected_result_replaces_the_earlier_one_and_both_say_when_they_were_known(landing: Path):
    send_and_load(landing, FIRST, result(640, issued=10))
    send_and_load(landing, SECOND, result(150, issued=12, status="corrected"))
    assert counts_of_r1(landing) == [150]
    assert history(landing) == [(640, FIRST, SECOND)]
    known_at = table(landing, "laboratory_names")["known_at"].to_list()
    assert known_at == [datetime(2024, 1, 12, 12)]
    assert history(landing, "laboratory_names", "known_at") == [(datetime(2024, 1, 10, 12), FIRST, SECOND)]


def test_both_versions_in_one_file_come_to_the_newer_one_whatever_their_order(landing: Path):
    send_and_load(landing, FIRST, result(150, issued=12, status="corrected"), result(640, issued=10))
    assert counts_of_r1(landing) == [150]
    assert history(landing) == [(640, FIRST, FIRST)]


def test_a_version_that_comes_after_a_newer_one_changes_nothing_and_is_kept(landing: Path):
    send_and_load(landing, FIRST, result(150, issued=12, status="corrected"))
    send_and_load(landing, SECOND, result(640, issued=10))
    assert counts_of_r1(landing) == [150]
    assert history(landing) == [(640, SECOND, SECOND)]
    assert history(landing, "laboratory_names", "known_at") == [(datetime(2024, 1, 10, 12), SECOND, SECOND)]


def test_a_correction_of_the_moment_moves_the_count(landing: Path):
    send_and_load(landing, FIRST, result(640, issued=10))
    send_and_load(landing, SECOND, result(640, issued=18, effectiveDateTime=MOVED))
    assert counts_of_r1(landing) == [640]
    assert table(landing, "counts").filter(collected_on=date(2024, 1, 17)).height == 1
    assert history(landing) == [(640, FIRST, SECOND)]


def test_a_version_with_the_former_moment_does_not_move_the_count_back(landing: Path):
    send_and_load(landing, FIRST, result(640, issued=18, effectiveDateTime=MOVED))
    send_and_load(landing, SECOND, result(640, issued=10))
    assert table(landing, "counts").filter(collected_on=date(2024, 1, 17)).height == 1
    assert counts_of_r1(landing) == [640]
    assert history(landing) == [(640, SECOND, SECOND)]


def test_two_moments_of_one_result_in_one_file_come_to_the_newer_one(landing: Path):
    send_and_load(landing, FIRST, result(640, issued=10), result(640, issued=18, effectiveDateTime=MOVED))
    assert table(landing, "counts").filter(collected_on=date(2024, 1, 17)).height == 1
    assert counts_of_r1(landing) == [640]


def test_a_result_entered_in_error_goes_and_stays_away_until_a_newer_version_comes(landing: Path):
    send_and_load(landing, FIRST, result(640, issued=10))
    send_and_load(landing, SECOND, result(issued=12, status=WITHDRAWN))
    assert counts_of_r1(landing) == []
    send_and_load(landing, THIRD, result(640, issued=10, **OF_ANOTHER_EXPORT))
    assert counts_of_r1(landing) == []
    send_and_load(landing, FOURTH, result(700, issued=14, status="corrected"))
    assert counts_of_r1(landing) == [700]
    assert history(landing) == [(640, FIRST, SECOND)]


def test_a_withdrawal_without_a_value_withdraws_too(landing: Path):
    send_and_load(landing, FIRST, result(640, issued=10))
    told = result(issued=12, status=WITHDRAWN)
    send_and_load(landing, SECOND, {name: told[name] for name in told if name != "valueQuantity"})
    assert counts_of_r1(landing) == []


def test_a_withdrawal_that_comes_before_its_result_keeps_it_away(landing: Path):
    send_and_load(landing, FIRST, result(issued=12, status=WITHDRAWN))
    send_and_load(landing, SECOND, result(640, issued=10))
    assert counts_of_r1(landing) == []


def test_a_withdrawal_does_not_take_back_what_was_given_out_after_it(landing: Path):
    send_and_load(landing, FIRST, result(640, issued=10))
    send_and_load(landing, SECOND, result(700, issued=14, status="corrected"))
    send_and_load(landing, THIRD, result(issued=12, status=WITHDRAWN))
    assert counts_of_r1(landing) == [700]


def test_a_withdrawal_and_the_version_after_it_in_one_file_come_to_that_version(landing: Path):
    send_and_load(landing, FIRST, result(640, issued=10))
    versions = (result(issued=12, status=WITHDRAWN), result(700, issued=14, status="corrected"))
    send_and_load(landing, SECOND, *versions)
    assert counts_of_r1(landing) == [700]
    assert history(landing) == [(640, FIRST, SECOND)]


def test_an_older_withdrawal_that_comes_late_does_not_stand_for_the_newer_one(landing: Path):
    send_and_load(landing, FIRST, result(issued=16, status=WITHDRAWN))
    send_and_load(landing, SECOND, result(issued=12, status=WITHDRAWN))
    send_and_load(landing, THIRD, result(700, issued=14, status="corrected"))
    assert counts_of_r1(landing) == []


def test_a_withdrawal_takes_back_one_result_of_its_patient_only(landing: Path):
    send_and_load(landing, FIRST, result(640), result(580, id="r-2", effectiveDateTime=MOVED))
    send_and_load(landing, SECOND, result(issued=12, status=WITHDRAWN))
    assert counts_of_r1(landing) == [580]


def test_a_night_that_only_takes_back_holds_every_fatal_rule(landing: Path):
    days = range(10, 22)
    results = [
        result(600, id=f"r-{day}", effectiveDateTime=f"2024-01-{day}T08:00:00Z", issued=22) for day in days
    ]
    send_and_load(landing, FIRST, *results)
    send(landing, "withdrawn", *(one | {"status": WITHDRAWN, "issued": "2024-01-25"} for one in results))
    night = night_of(landing, SECOND)
    derived = derive(night, load_landing(night))
    assert derived.cohort["n_counts_during_rt"].to_list() == [1, 1, 1]


def test_a_count_of_csv_that_a_later_file_corrects_is_in_the_history(landing: Path):
    write_table(landing, "counts/x.csv", "a,P1,2024-01-10,731-0,640,/uL", header=COUNTS_HEADER)
    load(landing, FIRST)
    write_table(landing, "counts/y.csv", "a,P1,2024-01-10,731-0,150,/uL", header=COUNTS_HEADER)
    load(landing, SECOND)
    assert counts_of_r1(landing) == [150]
    assert history(landing) == [(640, FIRST, SECOND)]


def test_two_tests_that_share_a_name_do_not_drive_each_other_out(landing: Path):
    leukocytes = {"code": {"coding": [{"system": "http://loinc.org", "code": "6690-2"}]}}
    send_and_load(landing, FIRST, result(640), result(4000, **leukocytes))
    send_and_load(landing, SECOND, result(650, issued=12, status="corrected"))
    assert counts_of_r1(landing) == [650]
    assert table(landing, "count_parts")["amount"].to_list() == [4000]
