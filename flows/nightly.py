"""The night as Prefect runs it: what happens, in what order, what is retried and what people see of it.

Here: the flow, its tasks and artifacts; the only home of Prefect. Not here: the steps themselves
(`flows.steps`). Run by `nadir nightly`, and by deployments as `flows.nightly.nightly`.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any, ParamSpec, TypeVar, cast
from zoneinfo import ZoneInfo

from prefect import flow, get_run_logger, task
from prefect.artifacts import create_link_artifact, create_markdown_artifact, create_table_artifact
from prefect.cache_policies import NO_CACHE
from prefect.events import emit_event
from prefect.runtime import flow_run

from flows import outcome, steps
from flows.night import Night, Results
from flows.outcome import Summary
from flows.report.figures import draw_figures
from flows.report.page import study_files, write_nights_index
from flows.settings import Settings
from flows.stopwatch import Stopwatch
from flows.warehouse import only_writer
from transforms.errors import DamagedFileError, WorldError

# An automation can tell somebody.
DRIFT_EVENT = "nadir.plates.out-of-control"
RETRY_AFTER_SECONDS = (2, 10, 30)
Given = ParamSpec("Given")
Made = TypeVar("Made")


def _is_the_world(_task: object, _run: object, state: Any) -> bool:  # noqa: ANN401 (Prefect's type stays here)
    """Retry what may pass: the disk, a lock, the network. Bad data and bugs do not get better."""
    error = state.result(raise_on_failure=False)
    return isinstance(error, OSError | WorldError) and not isinstance(error, DamagedFileError)


def _step(step: Callable[Given, Made], name: str, *, minutes: float) -> Callable[Given, Made]:
    """Make a step that reads or writes a task: retried when the world fails, ended when it hangs."""
    options: dict[str, Any] = {
        "retries": len(RETRY_AFTER_SECONDS),
        "retry_delay_seconds": list(RETRY_AFTER_SECONDS),
        "retry_condition_fn": _is_the_world,
        "timeout_seconds": 60 * minutes,
        "cache_policy": NO_CACHE,
        "persist_result": False,
    }
    return cast("Callable[Given, Made]", task(name=name, **options)(step))


load_landing = _step(steps.load_landing, "load landing files", minutes=60)
finish_warehouse = _step(steps.finish_warehouse, "finish the warehouse", minutes=30)
record_in_mlflow = _step(steps.record_in_mlflow, "record in MLflow", minutes=30)
publish_snapshot = _step(steps.publish_snapshot, "publish", minutes=10)
promote_predictor = _step(steps.promote_predictor, "set the champion", minutes=5)
write_pages = _step(steps.write_pages, "write report and Data Docs", minutes=30)


def _run_name() -> str:
    named = (flow_run.parameters or {}).get("night")
    return f"night {named or _scheduled_day(Settings.with_folders())}"


@flow(name="nightly", flow_run_name=_run_name, persist_result=False)
def nightly(night: date | None = None, landing: str | None = None, home: str | None = None) -> Summary:
    """Run one night and return its summary.

    `night` is its name, by default the scheduled day in the platform's time zone; `landing` and `home` are
    folders, by default those of the settings. Raises `FatalDataError` where nothing may be published.
    """
    settings = Settings.with_folders(landing=landing, home=home)
    tonight = Night(night or _scheduled_day(settings), settings)
    watch = Stopwatch()
    with only_writer(tonight.paths.warehouse), _failure_told(tonight, watch):
        summary = _run(tonight, watch)
    _show(summary)
    return summary


def _scheduled_day(settings: Settings) -> date:
    scheduled = flow_run.scheduled_start_time or datetime.now(UTC)
    day = scheduled.astimezone(ZoneInfo(settings.timezone))
    # Prefect's moments are of a class of its own, and so are their days.
    return date(day.year, day.month, day.day)


@contextmanager
def _failure_told(night: Night, watch: Stopwatch) -> Iterator[None]:
    try:
        yield
    except Exception as error:
        outcome.write_failure(night, error, timings=watch.seconds, is_published="promote" in watch.seconds)
        write_nights_index(night.paths.nights)
        raise


def _run(night: Night, watch: Stopwatch) -> Summary:
    log = get_run_logger()
    with watch.step("write default landing"):
        steps.ensure_landing(night)
    with watch.step("load and validate"):
        loaded = load_landing(night)
    log.info("Loaded %s", night.settings.landing_folder)
    with watch.step("derive"):
        derived = steps.derive(night, loaded)
    log.info("Derived %d patients; every fatal check holds", len(derived.cohort))
    with watch.step("analyse and train"):
        analysed = steps.analyse(night, loaded, derived)
    results = Results(loaded, derived, analysed)
    with watch.step("draw"):
        drawn = outcome.describe_night(night, results)
        figures = draw_figures(drawn)
        files = study_files(drawn, figures)
    with watch.step("finish"):
        snapshot = finish_warehouse(night, results)
    with watch.step("record"):
        recorded = record_in_mlflow(night, snapshot, results=results, figures=figures, files=files)
    with watch.step("publish"):
        publish_snapshot(night, snapshot)
    log.info("Published %s", night.paths.current)
    with watch.step("promote"):
        champion = promote_predictor(night, recorded)
    context = outcome.describe_night(
        night, results, recorded=recorded, champion=champion, timings=watch.rounded()
    )
    with watch.step("report"):
        write_pages(night, results=results, context=context, figures=figures)
    summary = outcome.summarise(
        night, results=results, context=context, snapshot=snapshot, recorded=recorded, champion=champion
    )
    summary["timings_seconds"] = watch.rounded()
    outcome.write_summary(night, summary)
    write_nights_index(night.paths.nights)
    log.info(summary["headline"])
    return summary


def _show(summary: Summary) -> None:
    """Leave on the run's page in Prefect what its reader asks first; drift of plates becomes an event."""
    rows = [{"source": source, **counts} for source, counts in summary["sources"].items()]
    create_table_artifact(
        rows, key="rows-by-source", description="Rows in = loaded + unchanged + quarantined"
    )
    create_markdown_artifact(outcome.told_in_markdown(summary), key="night", description=summary["headline"])
    for key, name in (("report", "report"), ("data-docs", "data docs")):
        create_link_artifact(Path(summary["where"][name]).as_uri(), key=key, link_text=name)
    for drift in summary["plates"]["out_of_control"]:
        resource = f"nadir.kit-lot.{drift['kit_lot']}.{drift['analyte']}"
        emit_event(DRIFT_EVENT, resource={"prefect.resource.id": resource}, payload=drift)
    create_link_artifact(
        summary["where"]["analyses"], key="mlflow", link_text="The night's analyses in MLflow"
    )


def run_here(settings: Settings, *, night: date | None, started: float) -> Summary:
    """Run a night in this process and add to its summary what orchestration took.

    `started` is the process's clock (`time.perf_counter`) when the command began.
    """
    imported = time.perf_counter()
    summary = nightly(
        night=night,
        landing=str(settings.landing) if settings.landing else None,
        home=str(settings.home),
    )
    total = time.perf_counter() - started
    steps_took = sum(summary["timings_seconds"].values())
    imports = imported - started
    summary["timings_seconds"] |= {
        "imports": round(imports, 3),
        "orchestration": round(total - steps_took - imports, 3),
        "total": round(total, 3),
    }
    outcome.write_summary(Night(date.fromisoformat(summary["night"]), settings), summary)
    return summary
