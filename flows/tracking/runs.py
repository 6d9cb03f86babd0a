"""Experiments and runs: how one is found, begun and ended, and how numbers and files are logged to it.

Here: what a run of the analyses and one of the predictor share. Called by its siblings alone, for its types
are MLflow's.
"""

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

from mlflow import MlflowClient
from mlflow.entities import Dataset, Metric, Param, Run
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from flows.tracked import TrackingStore
from transforms.errors import WorldError

SOURCE_NAME = "nadir nightly"


@dataclass(frozen=True)
class Experiment:
    """An MLflow experiment: its name, the folder of its artifacts, its note."""

    name: str
    folder: str
    note: str


def experiment_id_of(client: MlflowClient, store: TrackingStore, experiment: Experiment) -> str:
    """Return the experiment's id; it is made where it is not there yet."""
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


def run_tags(name: str, note: str, tags: dict[str, str]) -> dict[str, str]:
    """Return a run's tags, with those that MLflow shows as its name, note and source."""
    shown = {"mlflow.runName": name, "mlflow.note.content": note, "mlflow.source.name": SOURCE_NAME}
    return tags | shown


@contextmanager
def run_of(client: MlflowClient, experiment_id: str, tags: dict[str, str]) -> Iterator[str]:
    """Record a run that ends as FINISHED, or as FAILED with whatever went wrong inside."""
    run_id = client.create_run(experiment_id, tags=tags).info.run_id
    try:
        yield run_id
    except BaseException:
        with suppress(MlflowException, SQLAlchemyError):
            client.set_terminated(run_id, "FAILED")
        raise
    client.set_terminated(run_id, "FINISHED")


def search_runs_of(client: MlflowClient, experiment_id: str, conditions: list[str]) -> list[Run]:
    """Return the finished runs that meet every condition."""
    query = " and ".join([*conditions, "attributes.status = 'FINISHED'"])
    return list(client.search_runs([experiment_id], filter_string=query))


def log_params(client: MlflowClient, run_id: str, params: Mapping[str, object]) -> None:
    """Log parameters, as text."""
    client.log_batch(run_id, params=[Param(name, str(value)) for name, value in params.items()])


def log_metrics(
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


def log_by_night(client: MlflowClient, run_id: str, by_night: Mapping[date, Mapping[str, float]]) -> None:
    """Log the same metrics for several nights: steps count days from the first, times are the nights'."""
    first = min(by_night)
    entities = [
        Metric(name, value, _milliseconds(night), (night - first).days, run_id=run_id)
        for night, metrics in sorted(by_night.items())
        for name, value in metrics.items()
    ]
    client.log_batch(run_id, metrics=entities)


def _milliseconds(night: date) -> int:
    return round(datetime(night.year, night.month, night.day, tzinfo=UTC).timestamp() * 1000)


def log_files(client: MlflowClient, run_id: str, files: Mapping[str, bytes]) -> None:
    """Log files under their names, folders included."""
    with tempfile.TemporaryDirectory() as folder:
        for name, content in files.items():
            path = Path(folder, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        client.log_artifacts(run_id, folder)
