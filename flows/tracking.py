"""What goes to MLflow and comes back: runs of analyses, the registered predictor, its champion.

Here: all calls of mlflow. Not here: words (`flows.model_card`), statistics and verdict (`models`), retries: a
disk, network or server at fault is a `WorldError`, and the caller tries again. Called by `flows.nightly`.
"""

import json
import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version as installed_version
from pathlib import Path

import polars as pl

# MLflow reads these as it is imported. Its own retries would hide a dead server for four minutes.
os.environ.setdefault("MLFLOW_LOGGING_LEVEL", "WARNING")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "30")

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param, Run
from mlflow.entities.model_registry import ModelVersion
from mlflow.exceptions import MlflowException
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec
from sqlalchemy.exc import SQLAlchemyError

from flows import model_card
from flows.tracked import (
    MODEL_NAME,
    Champion,
    LoggedRun,
    RegisteredPredictor,
    RunOrigin,
    TrackingStore,
    estimate_metrics,
    predictor_files,
    predictor_metrics,
    predictor_params,
    recorded_performance,
    without_password,
)
from models.predictor import (
    EXAMPLE_INPUT,
    FEATURE_NAMES,
    PROCEDURE,
    TRUSTED_TYPES,
    TrainedPredictor,
    read_estimator,
)
from transforms.content_hash import frame_sha256
from transforms.errors import NadirError, UsageError, WorldError
from transforms.published import estimates_csv
from transforms.schemas import ESTIMATES

CHAMPION = "champion"
SOURCE_NAME = "nadir nightly"
PINNED_PACKAGES = ("mlflow", "scikit-learn", "skops", "numpy", "scipy", "pandas")
OUR_MISTAKES = (
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
)


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment: its name, the folder of its artifacts, its note."""

    name: str
    folder: str
    note: str


ANALYSES = Experiment("Nadir survival and lymphopenia analyses", "analyses", model_card.ANALYSES_NOTE)
PREDICTOR = Experiment("Nadir ASL predictor", "asl-predictor", model_card.PREDICTOR_NOTE)


def open_tracking(folder: Path, *, server: str | None = None) -> TrackingStore:
    """Open the MLflow store: a server's where an address is given, else a SQLite database in `folder`.

    The first call in an empty folder takes some seconds, for MLflow then makes its tables.
    """
    if server is not None and not server.startswith(("http://", "https://")):
        raise UsageError("MLflow's address: http://... or https://... was expected. Correct the setting.")
    if server is None:
        store = TrackingStore(f"sqlite:///{folder.resolve() / 'mlflow.db'}", folder.resolve() / "artifacts")
    else:
        store = TrackingStore(server, None)
    with _reaching(store) as client:
        if store.artifact_root is not None:
            store.artifact_root.mkdir(parents=True, exist_ok=True)
        client.search_experiments(max_results=1)
    return store


def log_analyses(
    store: TrackingStore,
    origin: RunOrigin,
    *,
    estimates: pl.DataFrame,
    figures: Mapping[str, bytes],
    params: Mapping[str, object],
) -> LoggedRun:
    """Log a night's estimates (`schemas.ESTIMATES`) as one run; figures are named bytes (`km_os.svg`).

    Metrics are the finite estimates, named analysis/group/variable/level/statistic. The same night with the
    same cohort and estimates is logged once; another run of the same night is tagged as superseded.
    """
    tags = origin.tags | {"nadir.estimates_sha256": frame_sha256(estimates, ESTIMATES.key)}
    metrics = estimate_metrics(estimates)
    with _reaching(store) as client:
        experiment_id = _experiment_id(client, store, ANALYSES)
        logged = _finished_run(client, experiment_id, tags)
        if logged is None:
            note = model_card.analyses_note(
                night=origin.night.isoformat(),
                data_origin=origin.data_origin,
                n_estimates=estimates.height,
                n_not_estimable=estimates.height - len(metrics),
            )
            with _run(client, experiment_id, _run_tags(f"night {origin.night}", note, tags)) as run_id:
                _log_params(client, run_id, params)
                _log_metrics(client, run_id, metrics)
                _log_files(client, run_id, {"tables/estimates.csv": estimates_csv(estimates).encode()})
                _log_files(client, run_id, {f"figures/{name}": content for name, content in figures.items()})
            logged = LoggedRun(run_id, experiment_id, is_new=True)
        _mark_superseded(client, logged, origin)
    return logged


def register_predictor(
    store: TrackingStore, trained: TrainedPredictor, *, origin: RunOrigin, figures: Mapping[str, bytes]
) -> RegisteredPredictor:
    """Log a trained predictor as a run and register it as a new version of `asl-predictor`.

    Where a version was trained by the same procedure on the same rows, that one is returned. No patient's row
    is stored: the training data go as name, hash, schema and size; the input example is invented.
    """
    tags = origin.tags | {"nadir.training_sha256": trained.training_sha256, "nadir.procedure": PROCEDURE}
    with _reaching(store) as client:
        experiment_id = _experiment_id(client, store, PREDICTOR)
        known = _version_of(client, trained)
        if known is not None:
            run = LoggedRun(known.run_id, experiment_id, is_new=False)
            return RegisteredPredictor(int(known.version), run)
        page = model_card.version_page(
            trained, night=origin.night.isoformat(), data_origin=origin.data_origin
        )
        with _run(
            client, experiment_id, _run_tags(f"ASL predictor, night {origin.night}", page, tags)
        ) as run_id:
            _log_params(client, run_id, predictor_params(trained))
            _log_files(client, run_id, predictor_files(trained, figures))
            data = _log_training_data(client, run_id, trained=trained, origin=origin)
            _use(store)
            model_id = _log_model(run_id, trained, tags=tags | {"mlflow.note.content": page})
            _log_metrics(client, run_id, predictor_metrics(trained), model_id=model_id, data=data)
            version = _create_version(client, run_id, model_id, page=page, tags=tags)
    return RegisteredPredictor(int(version.version), LoggedRun(run_id, experiment_id, is_new=True))


def champion(store: TrackingStore) -> Champion | None:
    """Return the version behind the alias `champion`, None where there is none yet."""
    with _reaching(store) as client:
        version = _champion_version(client)
        if version is None:
            return None
        metrics = client.get_run(version.run_id).data.metrics
    return Champion(
        version=int(version.version),
        run_id=version.run_id,
        since=version.tags.get("nadir.champion_since", ""),
        performance=recorded_performance(metrics),
    )


def set_champion(store: TrackingStore, version: int, *, night: date) -> None:
    """Point the alias `champion` at a version; nothing changes where it points there already.

    Tags of the versions keep the history, which MLflow itself does not: `nadir.champion_since`,
    `nadir.champion_until` and `nadir.champion_before` (the version that held it before).
    """
    with _reaching(store) as client:
        before = _champion_version(client)
        if before is not None and int(before.version) == version:
            return
        tags = {"since": night.isoformat(), "before": "none" if before is None else before.version}
        for name, value in tags.items():
            client.set_model_version_tag(MODEL_NAME, str(version), f"nadir.champion_{name}", value)
        if before is not None:
            client.set_model_version_tag(MODEL_NAME, before.version, "nadir.champion_until", tags["since"])
        origin = client.get_model_version(MODEL_NAME, str(version)).tags["nadir.data_origin"]
        client.update_registered_model(MODEL_NAME, model_card.model_page(origin, version))
        # Last: a crash before this leaves the former champion in use, and the next call repairs the tags.
        client.set_registered_model_alias(MODEL_NAME, CHAMPION, str(version))


def load_champion(store: TrackingStore) -> object:
    """Return the champion's estimator for `models.predictor.score`, read by skops with our own list of types.

    MLflow's loader would trust the types that the stored model names itself. `NadirError` where there is no
    champion, or where its model is no skops file.
    """
    with _reaching(store) as client, tempfile.TemporaryDirectory() as folder:
        if _champion_version(client) is None:
            raise NadirError(f"{MODEL_NAME}: no version has the alias {CHAMPION} yet. Run a night first.")
        _use(store)
        uri = f"models:/{MODEL_NAME}@{CHAMPION}"
        model = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)) / "model.skops"
        if not model.is_file():
            raise NadirError(
                f"{uri}: found no model.skops. It was saved another way; register a new version."
            )
        return read_estimator(model.read_bytes())


@contextmanager
def _reaching(store: TrackingStore) -> Iterator[MlflowClient]:
    """Give a client; turn what the world does wrong into a `WorldError`, let our own mistakes through."""
    try:
        yield MlflowClient(store.address, store.address)
    except (SQLAlchemyError, OSError, json.JSONDecodeError) as error:
        raise _world_error(store, error) from error
    except MlflowException as error:
        if error.error_code in OUR_MISTAKES:
            raise
        raise _world_error(store, error) from error


def _world_error(store: TrackingStore, error: Exception) -> WorldError:
    found = without_password(str(error)).partition("\n")[0][:300].rstrip(". ")
    remedy = (
        "Check that the server runs and that the address is right"
        if store.artifact_root is None
        else "Check the folder's disk space and rights, and that no other program holds the database"
    )
    return WorldError(f"MLflow at {store.shown_address}: {found}. {remedy}, then run the night again.")


def _use(store: TrackingStore) -> None:
    # Logging and loading of models know only the process's own address.
    mlflow.set_tracking_uri(store.address)
    mlflow.set_registry_uri(store.address)


def _experiment_id(client: MlflowClient, store: TrackingStore, experiment: Experiment) -> str:
    found = client.get_experiment_by_name(experiment.name)
    if found is not None and found.lifecycle_stage != "active":
        raise WorldError(
            f"MLflow at {store.shown_address}: the experiment {experiment.name} was deleted. "
            f"Restore it: mlflow experiments restore --experiment-id {found.experiment_id}"
        )
    if found is not None:
        return str(found.experiment_id)
    root = store.artifact_root
    location = None if root is None else (root / experiment.folder).as_uri()
    # The kind makes MLflow's pages show runs and models, not traces of language models.
    tags = {"mlflow.note.content": experiment.note, "mlflow.experimentKind": "custom_model_development"}
    return str(client.create_experiment(experiment.name, location, tags))


def _run_tags(name: str, note: str, tags: dict[str, str]) -> dict[str, str]:
    shown = {"mlflow.runName": name, "mlflow.note.content": note, "mlflow.source.name": SOURCE_NAME}
    return tags | shown


@contextmanager
def _run(client: MlflowClient, experiment_id: str, tags: dict[str, str]) -> Iterator[str]:
    """Record a run that ends as FINISHED, or as FAILED with whatever went wrong inside."""
    run_id = client.create_run(experiment_id, tags=tags).info.run_id
    try:
        yield run_id
    except BaseException:
        with suppress(MlflowException, SQLAlchemyError):
            client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


def _finished_run(client: MlflowClient, experiment_id: str, tags: dict[str, str]) -> LoggedRun | None:
    names = ("nadir.night", "nadir.cohort_sha256", "nadir.estimates_sha256")
    conditions = [f"tags.`{name}` = '{tags[name]}'" for name in names]
    found = _search_runs(client, experiment_id, conditions)
    return LoggedRun(found[0].info.run_id, experiment_id, is_new=False) if found else None


def _search_runs(client: MlflowClient, experiment_id: str, conditions: list[str]) -> list[Run]:
    query = " and ".join([*conditions, "attributes.status = 'FINISHED'"])
    return list(client.search_runs([experiment_id], filter_string=query))


def _mark_superseded(client: MlflowClient, logged: LoggedRun, origin: RunOrigin) -> None:
    """Tag the other runs of the same night, so that its page says which one counts."""
    for run in _search_runs(client, logged.experiment_id, [f"tags.`nadir.night` = '{origin.night}'"]):
        tag = run.data.tags.get("nadir.superseded_by")
        if run.info.run_id != logged.run_id:
            client.set_tag(run.info.run_id, "nadir.superseded_by", logged.run_id)
        elif tag is not None:
            client.delete_tag(logged.run_id, "nadir.superseded_by")


def _log_params(client: MlflowClient, run_id: str, params: Mapping[str, object]) -> None:
    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in params.items()])


def _log_metrics(
    client: MlflowClient,
    run_id: str,
    metrics: Mapping[str, float],
    *,
    model_id: str | None = None,
    data: Dataset | None = None,
) -> None:
    """Log metrics, where given as those of a model on a data set."""
    now = round(time.time() * 1000)
    of_data = {} if data is None else {"dataset_name": data.name, "dataset_digest": data.digest}
    entities = [
        Metric(name, value, now, 0, model_id=model_id, run_id=run_id, **of_data)
        for name, value in metrics.items()
    ]
    client.log_batch(run_id, metrics=entities)


def _log_files(client: MlflowClient, run_id: str, files: Mapping[str, bytes]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        client.log_artifacts(run_id, folder)


def _log_training_data(
    client: MlflowClient, run_id: str, *, trained: TrainedPredictor, origin: RunOrigin
) -> Dataset:
    """Name the training data by hash, source, columns and size; their rows stay in the warehouse."""
    schema = Schema([*_input_columns(), ColSpec("boolean", "has_asl")])
    source = {"warehouse snapshot (sha256)": origin.snapshot_sha256, "table": "cohort"}
    size = {"num_rows": trained.training.height, "num_elements": trained.training.height * len(schema.inputs)}
    data = Dataset(
        name="asl-predictor-training",
        digest=trained.training_sha256[:12],
        source_type="code",
        source=json.dumps({"tags": source}),
        schema=json.dumps({"mlflow_colspec": schema.to_dict()}),
        profile=json.dumps(size),
    )
    client.log_inputs(run_id, [DatasetInput(data, [InputTag("mlflow.data.context", "training")])])
    return data


def _input_columns() -> list[ColSpec]:
    return [ColSpec("double", name) for name in FEATURE_NAMES]


def _log_model(run_id: str, trained: TrainedPredictor, *, tags: dict[str, str]) -> str:
    """Save the estimator with skops and return MLflow's id of it."""
    probabilities = Schema([TensorSpec(np.dtype("float64"), (-1, 2))])
    with mlflow.start_run(run_id=run_id):
        logged = mlflow.sklearn.log_model(
            trained.estimator,
            name=MODEL_NAME,
            signature=ModelSignature(Schema(_input_columns()), probabilities),
            input_example=EXAMPLE_INPUT.to_pandas(),
            pyfunc_predict_fn="predict_proba",
            serialization_format="skops",
            skops_trusted_types=list(TRUSTED_TYPES),
            pip_requirements=[f"{name}=={installed_version(name)}" for name in PINNED_PACKAGES],
            tags=tags | {"mlflow.source.name": SOURCE_NAME},
        )
    return str(logged.model_id)


def _create_version(
    client: MlflowClient, run_id: str, model_id: str, *, page: str, tags: dict[str, str]
) -> ModelVersion:
    # Last of all: a version exists only once everything that it stands for has been written.
    if not client.search_registered_models(f"name = '{MODEL_NAME}'"):
        origin_page = model_card.model_page(tags["nadir.data_origin"], None)
        client.create_registered_model(MODEL_NAME, description=origin_page)
    version = client.create_model_version(
        MODEL_NAME, f"models:/{model_id}", run_id, tags=tags, description=page, model_id=model_id
    )
    link = [{"name": MODEL_NAME, "version": version.version}]
    client.set_logged_model_tags(model_id, {"mlflow.modelVersions": json.dumps(link)})
    return version


def _version_of(client: MlflowClient, trained: TrainedPredictor) -> ModelVersion | None:
    """The version that the same procedure made of the same rows."""
    same_data = f"name = '{MODEL_NAME}' and tag.`nadir.training_sha256` = '{trained.training_sha256}'"
    found = [v for v in client.search_model_versions(same_data) if v.tags.get("nadir.procedure") == PROCEDURE]
    return found[0] if found else None


def _champion_version(client: MlflowClient) -> ModelVersion | None:
    models = client.search_registered_models(f"name = '{MODEL_NAME}'")
    if not models or CHAMPION not in models[0].aliases:
        return None
    return client.get_model_version(MODEL_NAME, models[0].aliases[CHAMPION])
