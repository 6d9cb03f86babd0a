"""The predictor in MLflow: its run, its model and its version in the registry.

Here: what a training leaves behind. Not here: which version is in use (`flows.tracking.champion`). Called by
`flows.steps`.
"""

import json
from collections.abc import Mapping
from importlib.metadata import version as installed_version

import mlflow
import numpy as np
from mlflow import MlflowClient
from mlflow.entities import Dataset, DatasetInput, InputTag
from mlflow.entities.model_registry import ModelVersion
from mlflow.models import ModelSignature
from mlflow.types import ColSpec, Schema, TensorSpec

from flows import model_card
from flows.tracked import (
    MODEL_NAME,
    LoggedRun,
    RegisteredPredictor,
    RunOrigin,
    TrackingStore,
    predictor_files,
    predictor_metrics,
    predictor_params,
)
from flows.tracking.connection import reaching, use
from flows.tracking.runs import (
    SOURCE_NAME,
    Experiment,
    experiment_id_of,
    log_files,
    log_metrics,
    log_params,
    run_of,
    run_tags,
)
from models.prediction.predictor import (
    EXAMPLE_INPUT,
    FEATURE_NAMES,
    PROCEDURE,
    TRUSTED_TYPES,
    TrainedPredictor,
)

PINNED_PACKAGES = ("mlflow", "scikit-learn", "skops", "numpy", "scipy", "pandas")
PREDICTOR = Experiment("Nadir ASL predictor", "asl-predictor", model_card.PREDICTOR_NOTE)


def register_predictor(
    store: TrackingStore, trained: TrainedPredictor, *, origin: RunOrigin, figures: Mapping[str, bytes]
) -> RegisteredPredictor:
    """Log a trained predictor as a run and register it as a new version of `asl-predictor`.

    Where a version was trained by the same procedure on the same rows, that one is returned. No patient's row
    is stored: the training data go as name, hash, schema and size; the input example is invented.
    """
    tags = origin.tags | {"nadir.training_sha256": trained.training_sha256, "nadir.procedure": PROCEDURE}
    with reaching(store) as client:
        experiment_id = experiment_id_of(client, store, PREDICTOR)
        known = _version_of(client, trained)
        if known is not None:
            run = LoggedRun(known.run_id, experiment_id, is_new=False)
            return RegisteredPredictor(int(known.version), run)
        page = model_card.version_page(
            trained, night=origin.night.isoformat(), data_origin=origin.data_origin
        )
        with run_of(
            client, experiment_id, run_tags(f"ASL predictor, night {origin.night}", page, tags)
        ) as run_id:
            log_params(client, run_id, predictor_params(trained))
            log_files(client, run_id, predictor_files(trained, figures))
            data = _log_training_data(client, run_id, trained=trained, origin=origin)
            use(store)
            model_id = _log_model(run_id, trained, tags=tags | {"mlflow.note.content": page})
            log_metrics(client, run_id, predictor_metrics(trained), model_id=model_id, data=data)
            version = _create_version(client, run_id, model_id, page=page, tags=tags)
    return RegisteredPredictor(int(version.version), LoggedRun(run_id, experiment_id, is_new=True))


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
