"""MLflow for real, on SQLite in a temporary folder: what is logged, what only once, and what never."""

import json
import math
import os
import pickle
import shutil
import subprocess
import sys
import zipfile
from dataclasses import replace
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from flows.tracked import METRICS, MODEL_NAME, RunOrigin
from flows.tracking import connection
from flows.tracking.analyses import ANALYSES, log_analyses
from flows.tracking.champion import champion, load_champion, set_champion
from flows.tracking.predictor import register_predictor
from flows.tracking.store import open_tracking
from models.prediction.predictor import FEATURE_NAMES, predictor_features, score, train_predictor
from models.study.analyses import estimate_study
from tests.models.study_data import QUICK, study_data
from tests.models.synthetic_cohort import make_cohort
from transforms.errors import NadirError, UsageError, WorldError
from transforms.schemas import ESTIMATES

# Through our own door, which sets MLflow's switches before it is imported.
mlflow, MlflowClient = connection.mlflow, connection.MlflowClient

SWITCHES = ("PYTEST", "MLFLOW", "DO_NOT_TRACK", "CI")
ROOT = Path(__file__).parents[2]
NIGHT = date(2026, 11, 23)
ORIGIN = RunOrigin(
    night=NIGHT,
    data_origin="simulated",
    snapshot_sha256="5" * 64,
    cohort_sha256="c" * 64,
    code_version="0.1.0",
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg" width="9" height="9"/>'
FIGURES = {"roc.svg": SVG, "calibration.svg": SVG}
ROWS = [
    ("cox_os", "univariate", "asl", "", "hr", 2.87),
    ("cox_os", "univariate", "asl", "", "ci_high", math.inf),
    ("cox_os", "univariate", "female", "", "hr", None),
    ("logit_asl", "univariate", "pvtt", "", "or", math.nan),
    ("describe", "all", "uicc_stage", "III/IV", "percent", 72.4),
]


# Everybody's RT is over by then.
AFTER_ALL = date(2030, 1, 1)


@pytest.fixture(scope="module")
def empty_database(tmp_path_factory):
    """A database with MLflow's tables and nothing in them: making one takes seconds."""
    folder = tmp_path_factory.mktemp("mlflow")
    open_tracking(folder)
    return folder / "mlflow.db"


@pytest.fixture
def store(empty_database, tmp_path):
    folder = tmp_path / "a höme #1"
    folder.mkdir()
    shutil.copy(empty_database, folder)
    return open_tracking(folder)


@pytest.fixture
def client(store):
    return MlflowClient(store.address, store.address)


def marked_cohort(seed: int = 3) -> pl.DataFrame:
    """A cohort whose identifiers and values can be found again wherever they were written."""
    row = pl.int_range(pl.len())
    return make_cohort(98, seed)[0].with_columns(
        site=pl.lit("HOSPITALMARK"),
        patient_id=pl.format("PATIENTMARK{}", row),
        ptv_cm3=pl.col("ptv_cm3") + 0.0123,
        pre_rt_il7_pg_ml=pl.col("pre_rt_il7_pg_ml") + 0.00456,
    )


@pytest.fixture(scope="module")
def cohort():
    return marked_cohort()


@pytest.fixture(scope="module")
def trained(cohort):
    return train_predictor(cohort, as_of=AFTER_ALL, seed=7)


@pytest.fixture(scope="module")
def retrained():
    return train_predictor(marked_cohort(seed=4), as_of=AFTER_ALL, seed=7)


def estimates(rows=ROWS):
    return pl.DataFrame([(*row, 98, 41, "") for row in rows], schema=ESTIMATES.polars_schema, orient="row")


def log(store, *, origin=ORIGIN, rows=ROWS, figures=FIGURES):
    return log_analyses(
        store,
        origin,
        estimates=estimates(rows),
        files={f"figures/{n}": svg for n, svg in figures.items()},
        params={"seed": 7, "n_patients": 98},
    )


def register(store, trained, *, origin=ORIGIN):
    return register_predictor(store, trained, origin=origin, figures=FIGURES)


def test_only_finite_estimates_become_metrics(store, client):
    metrics = client.get_run(log(store).run_id).data.metrics
    assert metrics == {"hazard_ratio_of_asl/univariate": 2.87}


def test_every_metric_is_an_estimate_of_a_night():
    made = {tuple(key) for key in estimate_study(study_data(), QUICK).estimates.select(ESTIMATES.key).rows()}
    # What elimination left out tonight is missing tonight.
    asked = {key for key in METRICS.values() if key[1] != "multivariate"}
    assert asked <= made


def test_more_nights_than_a_batch_holds_are_all_logged(store, client):
    rows = [(*key, 1.0) for key in METRICS.values()]
    for day in range(1, 31):
        last = log(store, origin=replace(ORIGIN, night=date(2026, 10, day)), rows=rows)
    assert len(client.get_metric_history(last.run_id, "accrued/deaths")) == 30


def test_a_night_is_a_run_with_its_origin_tables_and_figures(store, client):
    logged = log(store)
    run = client.get_run(logged.run_id)
    assert run.info.run_name == "night 2026-11-23"
    assert run.info.status == "FINISHED"
    assert run.data.params == {"seed": "7", "n_patients": "98"}
    assert {name: run.data.tags[name] for name in ORIGIN.tags} == ORIGIN.tags
    assert "simulated" in run.data.tags["mlflow.note.content"]
    assert {item.path for item in client.list_artifacts(logged.run_id)} == {"figures", "tables"}
    kept = client.download_artifacts(logged.run_id, "tables/estimates.csv")
    assert pl.read_csv(kept, infer_schema=False).height == len(ROWS)


def test_the_same_night_is_logged_once(store, client):
    first, again = log(store), log(store)
    assert (first.is_new, again.is_new) == (True, False)
    assert again.run_id == first.run_id
    assert len(client.search_runs([first.experiment_id])) == 1


@pytest.mark.parametrize("change", [{"night": date(2026, 11, 24)}, {"cohort_sha256": "d" * 64}])
def test_another_night_or_cohort_is_another_run(store, change):
    assert log(store).run_id != log(store, origin=replace(ORIGIN, **change)).run_id


def test_a_night_run_again_on_other_numbers_says_which_run_counts(store, client):
    def superseded_by(run):
        return client.get_run(run.run_id).data.tags.get("nadir.superseded_by")

    first = log(store)
    second = log(store, rows=ROWS[:1])
    assert (superseded_by(first), superseded_by(second)) == (second.run_id, None)
    assert log(store).run_id == first.run_id
    assert (superseded_by(first), superseded_by(second)) == (None, first.run_id)


def test_metrics_are_drawn_over_the_nights(store, client):
    key = ("cox_os", "univariate", "asl", "", "hr")
    for day, ratio in ((20, 2.1), (23, 2.3), (21, 2.2)):
        log(store, origin=replace(ORIGIN, night=date(2026, 11, day)), rows=[(*key, ratio)])
    newest = log(store, origin=replace(ORIGIN, night=date(2026, 11, 24)), rows=[(*key, 2.4)])
    history = client.get_metric_history(newest.run_id, "hazard_ratio_of_asl/univariate")
    assert [(point.step, point.value) for point in history] == [(0, 2.1), (1, 2.2), (3, 2.3), (4, 2.4)]
    assert client.get_run(newest.run_id).data.metrics["hazard_ratio_of_asl/univariate"] == 2.4


def test_metrics_leave_out_what_was_superseded_and_data_of_another_kind(store, client):
    key = ("cox_os", "univariate", "asl", "", "hr")
    log(store, rows=[(*key, 9.9)])
    log(store, rows=[(*key, 2.0)])
    log(store, origin=replace(ORIGIN, night=date(2026, 11, 22), data_origin="landed"), rows=[(*key, 7.7)])
    newest = log(store, origin=replace(ORIGIN, night=date(2026, 11, 24)), rows=[(*key, 2.4)])
    history = client.get_metric_history(newest.run_id, "hazard_ratio_of_asl/univariate")
    assert [point.value for point in history] == [2.0, 2.4]


def test_a_night_without_a_number_leaves_a_gap(store, client):
    night = log(store, rows=[("cox_os", "univariate", "asl", "", "hr", None)])
    assert client.get_run(night.run_id).data.metrics == {}


def test_a_run_that_broke_off_is_marked_and_not_taken_for_the_nights(store, client):
    with pytest.raises(TypeError):
        log(store, figures={"km.svg": "no bytes"})
    broken = client.search_runs([client.get_experiment_by_name(ANALYSES.name).experiment_id])
    assert [run.info.status for run in broken] == ["FAILED"]
    assert log(store).is_new


def test_a_registered_predictor_shows_how_good_it_is(store, client, trained):
    registered = register(store, trained)
    assert (registered.version, registered.run.is_new) == (1, True)
    run = client.get_run(registered.run.run_id)
    assert run.data.metrics["cross_validated/auc"] == trained.cross_validated.auc
    assert run.data.metrics["apparent/auc"] == trained.apparent_auc
    assert run.data.params["seed"] == "7"
    version = client.get_model_version(MODEL_NAME, "1")
    assert version.tags["nadir.training_sha256"] == trained.training_sha256
    assert f"AUC {trained.cross_validated.auc:.2f}" in version.description
    assert "simulated" in version.description
    assert "clinician's judgement" in client.get_registered_model(MODEL_NAME).description
    assert {item.path for item in client.list_artifacts(registered.run.run_id, "figures")} == {
        "figures/roc.svg",
        "figures/calibration.svg",
    }


def test_the_training_data_are_named_by_hash_source_columns_and_size(store, client, trained):
    run = client.get_run(register(store, trained).run.run_id)
    [used] = run.inputs.dataset_inputs
    assert used.dataset.digest == trained.training_sha256[:12]
    assert ORIGIN.snapshot_sha256 in used.dataset.source
    assert json.loads(used.dataset.profile)["num_rows"] == 98
    columns = json.loads(used.dataset.schema)["mlflow_colspec"]
    assert [column["name"] for column in columns] == [*FEATURE_NAMES, "has_asl"]


def test_the_model_is_served_by_name_and_scores_as_it_was_trained(store, trained, cohort):
    set_champion(store, register(store, trained).version, night=NIGHT)
    served = mlflow.pyfunc.load_model(f"models:/{MODEL_NAME}@champion")
    assert served.metadata.signature.inputs.input_names() == list(FEATURE_NAMES)
    assert served.input_example is not None
    found = served.predict(predictor_features(cohort).to_pandas())[:, 1]
    expected = score(trained.estimator, cohort)["asl_probability"].to_list()
    assert found.tolist() == pytest.approx(expected, abs=1e-9)


def test_the_same_training_data_make_no_second_version(store, client, trained, cohort):
    first = register(store, trained)
    shuffled = train_predictor(cohort.sample(fraction=1.0, shuffle=True, seed=2), as_of=AFTER_ALL, seed=7)
    again = register(store, shuffled, origin=replace(ORIGIN, night=date(2026, 11, 24)))
    assert (again.version, again.run.run_id, again.run.is_new) == (first.version, first.run.run_id, False)
    assert len(client.search_model_versions(f"name = '{MODEL_NAME}'")) == 1
    assert len(client.search_runs([first.run.experiment_id])) == 1


def test_other_training_data_make_another_version(store, trained, retrained):
    assert register(store, trained).version == 1
    assert register(store, retrained).version == 2


def test_there_is_no_champion_before_one_is_set(store, trained):
    assert champion(store) is None
    register(store, trained)
    assert champion(store) is None
    with pytest.raises(NadirError, match="no version has the alias champion yet"):
        load_champion(store)


def test_the_champion_comes_back_with_the_figures_it_was_recorded_with(store, trained):
    registered = register(store, trained)
    set_champion(store, registered.version, night=NIGHT)
    found = champion(store)
    assert (found.version, found.run_id, found.since) == (1, registered.run.run_id, "2026-11-23")
    assert found.performance == trained.cross_validated


def test_the_history_of_champions_stays_in_the_tags(store, client, trained, retrained):
    for night, one in ((NIGHT, trained), (date(2026, 12, 1), retrained)):
        set_champion(store, register(store, one).version, night=night)
    tags = {n: client.get_model_version(MODEL_NAME, n).tags for n in ("1", "2")}
    assert tags["1"]["nadir.champion_before"] == "none"
    assert tags["1"]["nadir.champion_since"] == "2026-11-23"
    assert tags["1"]["nadir.champion_until"] == tags["2"]["nadir.champion_since"] == "2026-12-01"
    assert tags["2"]["nadir.champion_before"] == "1"
    assert champion(store).version == 2
    assert "version 2" in client.get_registered_model(MODEL_NAME).description


def test_setting_the_champion_again_changes_nothing(store, client, trained):
    version = register(store, trained).version
    set_champion(store, version, night=NIGHT)
    before = client.get_model_version(MODEL_NAME, str(version)).tags
    set_champion(store, version, night=date(2026, 12, 1))
    assert client.get_model_version(MODEL_NAME, str(version)).tags == before


def test_the_champion_is_loaded_and_scores_as_it_was_trained(store, trained, cohort):
    set_champion(store, register(store, trained).version, night=NIGHT)
    loaded = load_champion(store)
    assert score(loaded, cohort).equals(score(trained.estimator, cohort))


def test_a_model_file_swapped_for_a_pickle_is_refused(store, trained):
    set_champion(store, register(store, trained).version, night=NIGHT)
    [model] = store.artifact_root.rglob("model.skops")
    model.write_bytes(pickle.dumps(trained.coefficients.to_dict(as_series=False)))
    with pytest.raises(NadirError, match="no readable skops model"):
        load_champion(store)


def test_types_that_a_stored_model_trusts_by_itself_are_still_refused(store, trained):
    set_champion(store, register(store, trained).version, night=NIGHT)
    [model] = store.artifact_root.rglob("model.skops")
    with zipfile.ZipFile(model) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["schema.json"] = parts["schema.json"].replace(b'"StandardScaler"', b'"CompletedProcess"')
    parts["schema.json"] = parts["schema.json"].replace(b'"sklearn.preprocessing._data"', b'"subprocess"')
    with zipfile.ZipFile(model, "w") as archive:
        for name, content in parts.items():
            archive.writestr(name, content)
    card = model.with_name("MLmodel")
    card.write_text(
        card.read_text().replace("- numpy.dtype", "- numpy.dtype\n    - subprocess.CompletedProcess")
    )
    with pytest.raises(NadirError, match="not trusted"):
        load_champion(store)


def test_no_file_holds_a_patients_identifier_or_value(store, trained, cohort):
    set_champion(store, register(store, trained).version, night=NIGHT)
    log(store)
    files = [path for path in store.artifact_root.parent.rglob("*") if path.is_file()]
    assert {"MLmodel", "input_example.json", "mlflow.db", "coefficients.csv"} <= {path.name for path in files}
    values = [str(value) for name in ("ptv_cm3", "pre_rt_il7_pg_ml") for value in cohort[name].unique()]
    for path in files:
        content = b"".join(_contents(path))
        assert b"PATIENTMARK" not in content, path.name
        assert b"HOSPITALMARK" not in content, path.name
        assert [value for value in values if value.encode() in content] == [], path.name


def _contents(path):
    if not zipfile.is_zipfile(path):
        return [path.read_bytes()]
    with zipfile.ZipFile(path) as archive:
        return [archive.read(name) for name in archive.namelist()]


def test_nothing_is_reported_to_mlflows_makers():
    script = "from flows.tracking.connection import mlflow; print(mlflow.telemetry.get_telemetry_client())"
    outside_tests = {name: value for name, value in os.environ.items() if not name.startswith(SWITCHES)}
    told = subprocess.run(
        [sys.executable, "-c", script],
        env=outside_tests,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.split() == ["None"]


def test_a_dead_server_is_the_worlds_fault_and_the_password_stays_unsaid(tmp_path):
    with pytest.raises(WorldError) as raised:
        open_tracking(tmp_path, server="http://nadir:SECRET@127.0.0.1:9")
    assert "http://127.0.0.1:9" in str(raised.value)
    assert "Check that the server runs" in str(raised.value)
    assert "SECRET" not in str(raised.value)


def test_a_damaged_database_is_the_worlds_fault(tmp_path):
    (tmp_path / "mlflow.db").write_bytes(b"no database" * 1000)
    with pytest.raises(WorldError, match=r"mlflow\.db"):
        open_tracking(tmp_path)


def test_an_address_that_is_none_is_refused(tmp_path):
    with pytest.raises(UsageError, match="http://"):
        open_tracking(tmp_path, server="localhost:5000")


def test_a_deleted_experiment_says_how_to_restore_it(store, client):
    client.delete_experiment(log(store).experiment_id)
    with pytest.raises(WorldError, match="mlflow experiments restore"):
        log(store)


def test_pages_are_where_mlflow_shows_them(store, trained):
    registered = register(store, trained)
    assert registered.page.startswith("#/models/asl-predictor/versions/1")
    assert registered.run.page.startswith(
        f"#/experiments/{registered.run.experiment_id}/runs/{registered.run.run_id}"
    )
