"""What a past night knew: a correction changes tonight's estimates; the night before answers as it did."""

import io
from datetime import date, timedelta
from pathlib import Path

import duckdb
import polars as pl
import pytest

from flows.as_of import ask
from flows.cli import main
from flows.night import Night, Results
from flows.settings import Settings
from flows.simulate import Delivery, write_landing
from flows.steps import analyse, derive, finish_warehouse, load_landing, publish_snapshot
from flows.warehouse import Warehouse
from tests.flows.landing_builder import (
    COUNTS_HEADER,
    PATIENTS_HEADER,
    count,
    patient,
    write_good_landing,
    write_table,
)
from tests.transforms.observations import loinc, ndjson, observation, quantity
from transforms.errors import UsageError
from transforms.published import estimates_csv
from transforms.schemas import COUNTS, ESTIMATES

FIRST, SECOND, THIRD = (date(2026, 1, day) for day in (15, 16, 17))


def publish_night(landing: Path, day: date) -> Results:
    """Run the steps of a night that touch the warehouse, and write its estimates."""
    night = Night(day, Settings(landing=landing, home=landing.parent / "home"))
    loaded = load_landing(night)
    derived = derive(night, loaded)
    results = Results(loaded, derived, analyse(night, loaded, derived))
    publish_snapshot(night, finish_warehouse(night, results))
    return results


def published(results: Results) -> str:
    return estimates_csv(results.analysed.study.estimates)


def current_of(landing: Path) -> Path:
    return landing.parent / "home" / "warehouse" / "current.duckdb"


def frame(csv: str) -> pl.DataFrame:
    return pl.read_csv(io.StringIO(csv), schema=ESTIMATES.polars_schema)


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Results]]:
    """Three patients; on the second night P1 falls below 200, on the third nothing comes."""
    landing = write_good_landing(tmp_path_factory.mktemp("as_of") / "landing")
    nights = [publish_night(landing, FIRST)]
    write_table(landing, "counts/late.csv", count("P1", "2024-01-29", 140), header=COUNTS_HEADER)
    return landing, [*nights, publish_night(landing, SECOND), publish_night(landing, THIRD)]


@pytest.mark.parametrize("place", range(3))
def test_every_night_answers_with_the_estimates_that_it_published(small, place):
    landing, nights = small
    assert ask(current_of(landing), (FIRST, SECOND, THIRD)[place]).csv == published(nights[place])


def test_the_estimates_of_the_two_nights_differ(small):
    _, nights = small
    assert published(nights[0]) != published(nights[1])
    assert published(nights[1]) == published(nights[2])


@pytest.mark.parametrize("table", ["cohort", "monthly_counts", "weekly_counts", "definition_classes"])
def test_every_derived_table_answers_as_the_night_had_it(small, table):
    landing, nights = small
    derived = nights[0].derived
    told = ask(current_of(landing), FIRST, table=table)
    had = getattr(derived.data if table in ("cohort", "monthly_counts") else derived.frames, table)
    assert told.csv == had.write_csv()
    assert "The cohort is the one that the night published." in told.told


def test_a_count_has_the_value_that_it_had_on_the_night(small):
    landing, _ = small
    values = [
        pl.read_csv(io.StringIO(ask(current_of(landing), night, table="counts").csv))
        .filter(patient_id="P1", collected_on="2024-01-29")["tlc_cells_per_ul"]
        .to_list()
        for night in (FIRST, SECOND)
    ]
    assert values == [[410], [140]]


def test_the_sentence_says_from_how_many_rows(small):
    landing, _ = small
    told = ask(current_of(landing), FIRST).told
    assert "3 of patients, 6 of counts, 0 of count_parts, 3 of follow_up, 1 of toxicities" in told
    assert told.startswith(f"As of {FIRST}: ")


def test_a_night_that_never_published_names_the_nearest_that_did(small):
    landing, _ = small
    with pytest.raises(UsageError, match=f"The nearest are {THIRD}: ask"):
        ask(current_of(landing), THIRD + timedelta(days=9))
    with pytest.raises(UsageError, match=f"The nearest are {FIRST}: ask"):
        ask(current_of(landing), FIRST - timedelta(days=9))


def test_the_command_prints_csv_alone_on_standard_output(small, capsys):
    landing, nights = small
    assert main(["as-of", str(FIRST), "--home", str(landing.parent / "home")]) == 0
    out, err = capsys.readouterr()
    assert out == published(nights[0])
    assert err.startswith("As of 2026-01-15: ")


def test_a_table_that_is_none_and_a_home_without_a_warehouse_are_bad_usage(small, tmp_path, capsys):
    landing, _ = small
    home = str(landing.parent / "home")
    assert main(["as-of", str(FIRST), "--home", home, "--table", "nights"]) == 2
    assert "expected one of estimates, cohort" in capsys.readouterr().err
    assert main(["as-of", str(FIRST), "--home", str(tmp_path)]) == 2
    assert "Run a night first" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_warehouse_of_an_older_version_asks_for_a_night_first(small, tmp_path):
    landing, _ = small
    older = tmp_path / "current.duckdb"
    older.write_bytes(current_of(landing).read_bytes())
    with duckdb.connect(str(older)) as connection:
        connection.execute("DROP TABLE count_parts_history")
    with pytest.raises(UsageError, match=r"count_parts and its history.*Run a night first"):
        ask(older, FIRST)


def test_what_a_night_loaded_and_replaced_itself_never_stood(tmp_path):
    rows = pl.DataFrame(
        [{"site": "a", "patient_id": "P1", "code": "731-0", "value": value} for value in (1.0, 2.0, 3.0)]
    ).match_to_schema(COUNTS.polars_schema, missing_columns="insert")
    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        former = warehouse.read("counts")
        for place, night in enumerate((FIRST, SECOND, SECOND)):
            warehouse.correct(COUNTS, rows[place], former, file_id=f"f{place}", night=night)
            former = warehouse.read("counts")
        values = [
            warehouse.read_as_of("counts", night)["value"].to_list()
            for night in (FIRST - timedelta(days=1), FIRST, SECOND, THIRD)
        ]
    assert values == [[], [1.0], [3.0], [3.0]]


def test_a_count_that_was_derived_on_the_night_is_derived_again(tmp_path):
    landing = write_good_landing(tmp_path / "landing")
    of_p1 = {"subject": {"reference": "Patient/P1"}, "performer": [{"reference": "Organization/a"}]}
    parts = (
        observation("referenceRange", id="w", code=loinc("6690-2"), **of_p1),
        observation("referenceRange", id="p", code=loinc("736-9"), **of_p1)
        | {"valueQuantity": quantity(25, unit="%", code="%")},
    )
    (landing / "counts" / "parts.ndjson").write_bytes(ndjson(*parts))
    first = publish_night(landing, FIRST)
    measured = observation("referenceRange", id="m", **of_p1)
    (landing / "counts" / "measured.ndjson").write_bytes(ndjson(measured))
    second = publish_night(landing, SECOND)
    for night, results in ((FIRST, first), (SECOND, second)):
        assert ask(current_of(landing), night).csv == published(results)
        course = results.derived.frames.count_course
        assert ask(current_of(landing), night, table="count_course").csv == course.write_csv()
    methods = [
        pl.read_csv(io.StringIO(ask(current_of(landing), night, table="counts").csv))["method"]
        for night in (FIRST, SECOND)
    ]
    assert [(one == "derived").sum() for one in methods] == [1, 0]


def test_whom_the_night_left_out_of_the_cohort_is_left_out(tmp_path):
    landing = write_good_landing(tmp_path / "landing")
    publish_night(landing, FIRST)
    contradicted = patient("P3", rt_start="2025-12-01", rt_end="2025-12-20")
    write_table(landing, "patients/moved.csv", contradicted, header=PATIENTS_HEADER)
    results = publish_night(landing, SECOND)
    first, second = (
        ask(current_of(landing), night, table="cohort").csv.splitlines() for night in (FIRST, SECOND)
    )
    assert second == results.derived.cohort.write_csv().splitlines()
    assert (len(first), len(second)) == (1 + 3, 1 + 2)


# A correction among many patients


@pytest.fixture(scope="module")
def cohort_of_98(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Results]]:
    """98 simulated patients; the second night corrects one count by which its patient falls below 200."""
    landing = tmp_path_factory.mktemp("late") / "landing"
    write_landing(landing, n_patients=98, seed=3, delivery=Delivery(n_plate_patients=98))
    first = publish_night(landing, FIRST)
    corrected = (
        first.derived.frames.count_course.filter("is_during_rt")
        .join(first.derived.cohort.filter(has_asl=False), on=["site", "patient_id"], how="semi")
        .row(0, named=True)
    )
    header = "site,patient_id,collected_at,code,value,unit"
    moment = corrected["collected_at"].strftime("%Y-%m-%dT%H:%M:%SZ")
    row = f"{corrected['site']},{corrected['patient_id']},{moment},{corrected['code']},150,cells/uL"
    write_table(landing, "counts/zz_correction.csv", row, header=header)
    return landing, [first, publish_night(landing, SECOND)]


@pytest.mark.slow
def test_the_correction_changes_one_patient_of_98(cohort_of_98):
    _, (first, second) = cohort_of_98
    assert len(second.derived.cohort) == len(first.derived.cohort) == 98
    changed = second.derived.cohort.join(
        first.derived.cohort, on=first.derived.cohort.columns, how="anti", nulls_equal=True
    )
    assert changed["has_asl"].to_list() == [True]


@pytest.mark.slow
def test_the_night_before_the_correction_still_answers_with_the_old_estimates(cohort_of_98):
    landing, (first, second) = cohort_of_98
    assert ask(current_of(landing), FIRST).csv == published(first)
    assert ask(current_of(landing), SECOND).csv == published(second)


GUARDS = (
    "correlations",
    "cox_os_ties",
    "firth",
    "functional_form",
    "immortal_time",
    "influence",
    "multiple_imputation",
    "profile_likelihood",
    "proportional_hazards",
    "selection_stability",
    "separation",
)


def _hangs_on_counts() -> pl.Expr:
    """Estimates that has_asl or the nadir go into: of the groups with and without ASL, and of ASL itself."""
    analysis, group, variable = (pl.col(name) for name in ("analysis", "group", "variable"))
    is_of_asl = analysis.is_in(["asl_by_il7_group", "il7_by_asl", "il7_sensitivity", "roc"])
    is_regression = analysis.str.starts_with("logit_asl") | analysis.str.starts_with("cox_os_elimination")
    is_in_the_model = (analysis == "cox_os") & ((group == "multivariate") | (variable == "asl"))
    is_group = group.is_in(["asl", "no_asl"]) | group.str.contains("asl_|recovered")
    is_nadir = variable.is_in(["asl", "nadir_grade", "nadir_tlc_cells_per_ul"])
    # What checks the models that ASL is in, or is the outcome of; a rate counts in the p of ASL.
    is_guard = analysis.is_in(GUARDS) | (pl.col("statistic") == "q")
    return is_of_asl | is_regression | is_in_the_model | is_group | is_nadir | is_guard


@pytest.mark.slow
def test_only_estimates_that_hang_on_lymphocyte_counts_change(cohort_of_98):
    _, nights = cohort_of_98
    first, second = (frame(published(one)) for one in nights)
    others = first.filter(~_hangs_on_counts())
    assert others.equals(second.filter(~_hangs_on_counts()))
    assert {"follow_up", "compare_il7_groups", "describe", "cox_os", "km_os", "km_pfs", "il7_paired"} <= set(
        others["analysis"]
    )


@pytest.mark.slow
@pytest.mark.parametrize(
    ("analysis", "group", "variable"),
    [
        ("describe", "all", "asl"),
        ("cox_os", "univariate", "asl"),
        ("logit_asl", "univariate", "ptv_per_100_cm3"),
        ("km_os", "no_asl", "os"),
        ("logrank_pfs", "asl_vs_no_asl", "pfs"),
        ("il7_by_asl", "asl", "pre_rt_il7_pg_ml"),
        ("roc", "all", "pre_rt_il7_pg_ml"),
    ],
)
def test_estimates_that_hang_on_the_corrected_count_change(cohort_of_98, analysis, group, variable):
    _, nights = cohort_of_98
    first, second = (
        frame(published(one)).filter(analysis=analysis, group=group, variable=variable) for one in nights
    )
    assert len(first) == len(second) > 0
    assert not first.equals(second)
