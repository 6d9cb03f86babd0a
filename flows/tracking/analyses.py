"""The night's analyses in MLflow: one run a night.

Here: its metrics, tables and figures. Not here: their names (`flows.tracked`). Called by `flows.steps`.
"""

from collections.abc import Mapping
from datetime import date

import polars as pl
from mlflow import MlflowClient

from flows import model_card
from flows.tracked import (
    METRICS,
    LoggedRun,
    RunOrigin,
    TrackingStore,
    night_metrics,
)
from flows.tracking.connection import reaching
from flows.tracking.runs import (
    Experiment,
    experiment_id_of,
    log_by_night,
    log_files,
    log_params,
    run_of,
    run_tags,
    search_runs_of,
)
from transforms.content_hash import frame_sha256
from transforms.published import estimates_csv
from transforms.schemas import ESTIMATES

# A run keeps its earlier nights; without a limit the store would grow with their square.
NIGHTS_SHOWN = 180
ANALYSES = Experiment("Nadir survival and lymphopenia analyses", "analyses", model_card.ANALYSES_NOTE)


def log_analyses(
    store: TrackingStore,
    origin: RunOrigin,
    *,
    estimates: pl.DataFrame,
    files: Mapping[str, bytes],
    params: Mapping[str, object],
) -> LoggedRun:
    """Log a night's estimates (`schemas.ESTIMATES`) as one run; `files` are named with their folders.

    Metrics are those of `METRICS`, of this and of the earlier nights, so that MLflow draws them over time;
    every estimate is in `tables/estimates.csv`. The same night with the same cohort and estimates is logged
    once; another run of the same night is tagged as superseded.
    """
    tags = origin.tags | {"nadir.estimates_sha256": frame_sha256(estimates, ESTIMATES.key)}
    with reaching(store) as client:
        experiment_id = experiment_id_of(client, store, ANALYSES)
        logged = _finished_run(client, experiment_id, tags)
        if logged is None:
            note = model_card.analyses_note(
                night=origin.night.isoformat(),
                data_origin=origin.data_origin,
                n_estimates=estimates.height,
                n_not_estimable=estimates["value"].null_count(),
            )
            by_night = _metrics_by_night(client, experiment_id, origin)
            by_night[origin.night] = night_metrics(estimates)
            with run_of(client, experiment_id, run_tags(f"night {origin.night}", note, tags)) as run_id:
                log_params(client, run_id, params)
                log_by_night(client, run_id, by_night)
                log_files(
                    client, run_id, {"tables/estimates.csv": estimates_csv(estimates).encode(), **files}
                )
            logged = LoggedRun(run_id, experiment_id, is_new=True)
        _mark_superseded(client, logged, origin)
    return logged


def _metrics_by_night(
    client: MlflowClient, experiment_id: str, origin: RunOrigin
) -> dict[date, dict[str, float]]:
    """What the earlier nights of the same kind of data said, of each night the run that counts."""
    same_data = [f"tags.`nadir.data_origin` = '{origin.data_origin}'"]
    runs = search_runs_of(client, experiment_id, same_data)
    by_night = {
        date.fromisoformat(run.data.tags["nadir.night"]): {
            name: value for name, value in run.data.metrics.items() if name in METRICS
        }
        for run in runs
        if "nadir.superseded_by" not in run.data.tags
    }
    earlier = sorted(night for night in by_night if night < origin.night)
    return {night: by_night[night] for night in earlier[-NIGHTS_SHOWN:]}


def _finished_run(client: MlflowClient, experiment_id: str, tags: dict[str, str]) -> LoggedRun | None:
    names = ("nadir.night", "nadir.cohort_sha256", "nadir.estimates_sha256")
    conditions = [f"tags.`{name}` = '{tags[name]}'" for name in names]
    found = search_runs_of(client, experiment_id, conditions)
    return LoggedRun(found[0].info.run_id, experiment_id, is_new=False) if found else None


def _mark_superseded(client: MlflowClient, logged: LoggedRun, origin: RunOrigin) -> None:
    """Tag the other runs of the same night, so that its page says which one counts."""
    for run in search_runs_of(client, logged.experiment_id, [f"tags.`nadir.night` = '{origin.night}'"]):
        tag = run.data.tags.get("nadir.superseded_by")
        if run.info.run_id != logged.run_id:
            client.set_tag(run.info.run_id, "nadir.superseded_by", logged.run_id)
        elif tag is not None:
            client.delete_tag(logged.run_id, "nadir.superseded_by")
