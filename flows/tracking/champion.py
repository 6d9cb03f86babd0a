"""Which version of the predictor is in use: MLflow's alias `champion`.

Here: reading it, giving it, loading what it names. Not here: who deserves it (`models.promotion`). Called by
`flows.steps`.
"""

import tempfile
from datetime import date
from pathlib import Path

import mlflow
from mlflow import MlflowClient
from mlflow.entities.model_registry import ModelVersion

from flows import model_card
from flows.tracked import MODEL_NAME, Champion, TrackingStore, recorded_performance
from flows.tracking.connection import reaching, use
from models.prediction.predictor import read_estimator
from transforms.errors import NadirError

CHAMPION = "champion"


def champion(store: TrackingStore) -> Champion | None:
    """Return the version behind the alias `champion`, None where there is none yet."""
    with reaching(store) as client:
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
    with reaching(store) as client:
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
    """Return the champion's estimator for `score`, read by skops with our own list of types.

    MLflow's loader would trust the types that the stored model names itself. `NadirError` where there is no
    champion, or where its model is no skops file.
    """
    with reaching(store) as client, tempfile.TemporaryDirectory() as folder:
        if _champion_version(client) is None:
            raise NadirError(f"{MODEL_NAME}: no version has the alias {CHAMPION} yet. Run a night first.")
        use(store)
        uri = f"models:/{MODEL_NAME}@{CHAMPION}"
        model = Path(mlflow.artifacts.download_artifacts(artifact_uri=uri, dst_path=folder)) / "model.skops"
        if not model.is_file():
            raise NadirError(
                f"{uri}: found no model.skops. It was saved another way; register a new version."
            )
        return read_estimator(model.read_bytes())


def _champion_version(client: MlflowClient) -> ModelVersion | None:
    models = client.search_registered_models(f"name = '{MODEL_NAME}'")
    if not models or CHAMPION not in models[0].aliases:
        return None
    return client.get_model_version(MODEL_NAME, models[0].aliases[CHAMPION])
