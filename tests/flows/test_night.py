"""The whole night, as a user starts it: one command, its results, its exit codes."""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import pytest

from flows.warehouse import ALL_TABLES, Warehouse
from tests.flows.landing_builder import COUNTS_HEADER, count, write_good_landing, write_table

pytestmark = pytest.mark.slow
ESTIMATES = ("analysis", "group", "variable", "level", "statistic", "value", "n", "events")


@dataclass(frozen=True)
class Home:
    """A home folder and the last summary that a night printed there."""

    path: Path
    summary: dict

    def table(self, name: str) -> pl.DataFrame:
        with Warehouse(self.path / "warehouse" / "current.duckdb", read_only=True) as warehouse:
            return warehouse.read(name)


def nadir(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NADIR_", "PREFECT_"))}
    return subprocess.run(
        [sys.executable, "-m", "flows.cli", *map(str, arguments)],
        capture_output=True,
        text=True,
        env=clean | environment,
        check=False,
    )


def run_night(home: Path, night: str, *more: object) -> Home:
    done = nadir("nightly", "--home", home, "--night", night, "--json", *more)
    assert done.returncode == 0, done.stderr[-3000:]
    return Home(home, json.loads(done.stdout))


@pytest.fixture(scope="module")
def first(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A night in an empty home folder without a landing folder."""
    return run_night(tmp_path_factory.mktemp("night") / "home", "2026-01-15")


@pytest.fixture(scope="module")
def second(first: Home) -> dict[str, object]:
    """What the same night left when it ran a second time: tables, summary, published file."""
    tables = {name: first.table(name) for name in ALL_TABLES}
    again = run_night(first.path, "2026-01-15")
    return {"before": tables, "after": {name: again.table(name) for name in ALL_TABLES}, "home": again}


def test_everything_the_night_promises_is_there(first: Home):
    where = first.summary["where"]
    for name in ("warehouse", "estimates", "report", "data docs", "summary"):
        assert Path(where[name]).is_file(), name
    assert json.loads(Path(where["summary"]).read_text())["status"] == "published"


def test_98_pseudo_patients_go_in_and_come_out(first: Home):
    assert first.summary["origin"] == "reconstructed"
    assert len(first.table("cohort")) == 98
    assert first.table("cohort")["pre_rt_il7_pg_ml"].null_count() == 0
    assert "no real patient" in first.summary["headline"]


def test_rows_in_are_accounted_for_in_each_source(first: Home):
    for source, rows in first.summary["sources"].items():
        assert rows["rows_in"] == rows["loaded"] + rows["unchanged"] + rows["quarantined"], source
        assert rows["rows_in"] > 0 or source in ("toxicities", "redcap")


def test_the_estimates_have_the_columns_of_the_contract_and_finite_numbers(first: Home):
    estimates = pl.read_csv(first.summary["where"]["estimates"], infer_schema_length=None)
    assert tuple(estimates.columns[: len(ESTIMATES)]) == ESTIMATES
    assert estimates["value"].drop_nulls().is_finite().all()
    asked = {"describe", "cox_os", "logit_asl", "km_os", "km_pfs", "logrank_os", "roc", "il7_by_asl"}
    assert asked <= set(estimates["analysis"])


def test_at_least_410_of_the_study_s_numbers_come_out_to_the_printed_decimals(first: Home):
    side_by_side = pl.read_csv(
        Path(first.summary["where"]["summary"]).parent / "published_vs_ours.csv", infer_schema_length=None
    )
    assert len(side_by_side) == 425
    assert side_by_side["is_equal"].sum() >= 410


def test_a_version_of_the_predictor_is_champion(first: Home):
    assert first.summary["champion"] == {"version": 1, "since": "2026-01-15"}
    assert first.summary["gate"]["verdict"] == "PROMOTE"


def test_every_step_is_timed_and_orchestration_apart(first: Home):
    timings = first.summary["timings_seconds"]
    assert {"load and validate", "analyse and train", "record", "publish", "report"} <= set(timings)
    assert timings["orchestration"] > 0
    parts = sum(seconds for name, seconds in timings.items() if name != "total")
    assert parts == pytest.approx(timings["total"], abs=0.1)


def test_the_same_night_again_changes_no_row(second: dict):
    for name, before in second["before"].items():
        assert before.equals(second["after"][name]), name


def test_the_same_night_again_registers_no_second_version_and_logs_no_second_run(first: Home, second: dict):
    assert second["home"].summary["champion"]["version"] == 1
    assert second["home"].summary["mlflow"] == first.summary["mlflow"]
    assert second["home"].summary["snapshot_sha256"] == first.summary["snapshot_sha256"]


def test_no_patient_and_no_value_stands_in_what_people_pass_around(first: Home):
    patients = first.table("patients")["patient_id"].to_list()
    pages = [
        path
        for path in (first.path / "nights").rglob("*")
        if path.suffix in {".html", ".json", ".csv", ".svg"}
    ]
    assert pages
    for path in pages:
        text = path.read_text("utf-8")
        assert not [one for one in patients if one in text], path


def test_a_small_landing_folder_with_too_few_patients_is_published_all_the_same(tmp_path: Path):
    landing = write_good_landing(tmp_path / "landing")
    write_table(landing, "counts/bad.csv", count("P1", "2024-01-12", "many"), header=COUNTS_HEADER)
    home = run_night(tmp_path / "home", "2026-01-15", "--landing", landing)
    assert home.summary["gate"]["verdict"] == "NOT TRAINED"
    assert home.summary["sources"]["counts"] == {
        "files": 2, "rows_in": 7, "loaded": 6, "unchanged": 0, "quarantined": 1,
    }  # fmt: skip
    assert home.table("cohort")["has_asl"].to_list() == [False, True, False]


def test_a_fatal_check_publishes_nothing_and_exits_with_3(tmp_path: Path):
    (tmp_path / "landing").mkdir()
    done = nadir("nightly", "--landing", tmp_path / "landing", "--home", tmp_path / "home")
    assert done.returncode == 3, done.stderr[-2000:]
    assert "nothing is published" in done.stderr
    assert not (tmp_path / "home" / "warehouse" / "current.duckdb").exists()


def test_a_refused_night_says_which_file_is_to_blame(tmp_path: Path):
    landing = tmp_path / "landing"
    write_table(landing, "patients/p.csv", "a,P1", header="site,patient_id")
    done = nadir("nightly", "--landing", landing, "--home", tmp_path / "home", "--night", "2026-01-15")
    assert done.returncode == 3
    assert "patients/p.csv" in done.stderr
    assert "age_years" in (tmp_path / "home" / "nights" / "2026-01-15" / "quarantine.csv").read_text()


def test_a_failure_after_publishing_does_not_say_that_nothing_was_published(tmp_path: Path):
    landing = write_good_landing(tmp_path / "landing")
    folder = tmp_path / "home" / "nights" / "2026-01-15"
    folder.mkdir(parents=True)
    (folder / "report").write_text("a file where a folder should be")
    done = nadir("nightly", "--landing", landing, "--home", tmp_path / "home", "--night", "2026-01-15")
    summary = json.loads((folder / "summary.json").read_text())
    assert (done.returncode, summary["exit_code"], summary["status"]) == (4, 4, "published_incomplete")
    assert (tmp_path / "home" / "warehouse" / "current.duckdb").is_file()


@pytest.mark.parametrize(("name", "value"), [("NADIR_TIMEZONE", "Mars/X"), ("NADIR_SNAPSHOTS_KEPT", "0")])
def test_a_setting_that_cannot_be_taken_is_named_and_exits_with_2(name: str, value: str):
    done = nadir("nightly", **{name: value})
    assert done.returncode == 2
    assert name in done.stderr


def test_a_landing_folder_that_is_not_there_exits_with_2(tmp_path: Path):
    done = nadir("nightly", "--landing", tmp_path / "nowhere", "--home", tmp_path / "home")
    assert done.returncode == 2
    assert "expected a landing folder" in done.stderr


@pytest.mark.parametrize(
    "arguments", [("nightly", "--night", "tomorrow"), ("nightly", "--what"), ("dream",), ()]
)
def test_bad_usage_exits_with_2(arguments: tuple[str, ...]):
    assert nadir(*arguments).returncode == 2


def test_a_home_folder_that_cannot_be_written_exits_with_4(tmp_path: Path):
    (tmp_path / "home").write_text("a file where the home folder should be")
    done = nadir("nightly", "--home", tmp_path / "home", "--night", "2026-01-15")
    assert done.returncode == 4, done.stderr[-2000:]
