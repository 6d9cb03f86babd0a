"""The steps of a night, each whole and safe to run again.

Here: one plain function a step. Not here: their order, retries and pages in Prefect (`flows.nightly`), what
they hand on (`flows.night`), statistics (`models`), rules (`expectations`).
"""

import json
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path

import polars as pl

from expectations.rule import Rule
from expectations.validation import broken_rules, validate_tables, write_data_docs
from flows.accounts import (
    DERIVED_SOURCE,
    record_accounts,
    record_derived_findings,
    record_quarantine,
    refused_entries,
)
from flows.derivation import READ_FROM, DerivedFrames, check_cohort, derive_frames, derived_to_write
from flows.files import write_whole
from flows.landing import ORIGIN_FILE, Listing, list_landing
from flows.load_counts import load_counts
from flows.load_plates import load_plates
from flows.load_redcap import load_redcap
from flows.load_tables import LoadedSource, load_table
from flows.night import CODE_VERSION, Analysed, Derived, Loaded, Night, Recorded, Results, Snapshot
from flows.night_changes import with_changes
from flows.night_estimates import estimate_night
from flows.plate_review import review_plates
from flows.reconstruction import write_reconstructed_landing
from flows.report.context import ReportContext
from flows.report.figures import ReportFigure
from flows.report.page import write_report
from flows.tracked import Champion, RunOrigin
from flows.tracking.analyses import log_analyses
from flows.tracking.champion import champion, set_champion
from flows.tracking.predictor import register_predictor
from flows.tracking.store import open_tracking
from flows.warehouse import Warehouse, copy_of_published, drop_old_snapshots, file_sha256, publish
from models.prediction.predictor import train_predictor
from models.promotion import Decision, judge
from transforms.content_hash import frame_sha256
from transforms.errors import FatalDataError, NotEstimableError, UsageError
from transforms.origin import LANDED
from transforms.published import estimates_csv
from transforms.schemas import (
    COHORT,
    COUNTS,
    CYTOKINES,
    FOLLOW_UP,
    LANDED_TABLES,
    NIGHTS,
    PATIENTS,
    QUARANTINE,
    TOXICITIES,
    Table,
)

Figures = Mapping[str, ReportFigure]
_LANDED = tuple(table.name for table in LANDED_TABLES)
COMPARED_WITH = ("estimates", "cytokines", "cohort", "nights", "changes")


def ensure_landing(night: Night) -> None:
    """Write the reconstructed cohort as landing files where no folder was named and the home has none."""
    landing = night.settings.landing_folder
    if night.settings.landing is None and not landing.exists():
        write_reconstructed_landing(landing)


def load_landing(night: Night) -> Loaded:
    """Load the landing folder into a fresh working copy of the published warehouse.

    Raises `UsageError` without a landing folder, `OSError` where a file cannot be read, `NadirError` where a
    row is not accounted for.
    """
    landing = night.settings.landing_folder
    listing = list_landing(landing)
    working = copy_of_published(night.paths.current, night.name)
    with Warehouse(working) as warehouse:
        rows_before = {table.name: warehouse.n_rows(table.name) for table in LANDED_TABLES}
        former = {name: warehouse.read(name) for name in COMPARED_WITH}
        warehouse.begin()
        sources = _load_sources(warehouse, listing, night)
        accounts = [account for source in sources for account in source.accounts]
        record_accounts(warehouse, accounts, night.day)
        found = [refused_entries(listing, night.day), *(source.quarantine for source in sources)]
        record_quarantine(warehouse, pl.concat(found), night.day)
        quarantine = warehouse.read("quarantine")
        warehouse.commit()
        return Loaded(
            working=working,
            origin=read_origin(landing),
            accounts=tuple(accounts),
            quarantine=quarantine,
            validations=tuple(one for source in sources for one in source.validations),
            rows_before=rows_before,
            former=former,
            has_changed=warehouse.has_changed,
        )


def _load_sources(warehouse: Warehouse, listing: Listing, night: Night) -> list[LoadedSource]:
    """Load source after source; patients come first, wherever they come from, for all others need them."""

    def load_csv(table: Table) -> LoadedSource:
        return load_table(warehouse, listing.of(table.name), table=table, night=night.day)

    return [
        load_csv(PATIENTS),
        load_redcap(warehouse, listing.of("redcap"), night=night.day),
        load_counts(warehouse, listing.of("counts"), night=night.day),
        load_csv(FOLLOW_UP),
        load_csv(TOXICITIES),
        load_plates(warehouse, listing.of("plates"), night=night.day),
    ]


def read_origin(landing: Path) -> str:
    """Say where the data come from: `landed`, or what the landing folder's own note calls them."""
    note = landing / ORIGIN_FILE
    if not note.is_file():
        return LANDED
    try:
        return str(json.loads(note.read_text("utf-8"))["origin"])
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(
            f'{note}: expected a note like {{"origin": "{LANDED}"}}, found something else. Mend or remove it.'
        ) from error


def derive(night: Night, loaded: Loaded) -> Derived:
    """Derive courses and cohort, leave out what contradicts itself, and check the whole tables.

    A count that cannot be of its course, and a patient whose parts contradict each other, have a finding that
    points to the row they came from. Raises `FatalDataError` with every fatal rule that is broken.
    """
    with Warehouse(loaded.working) as warehouse:
        tables = {name: warehouse.read(name) for name in {*_LANDED, *READ_FROM}}
        files = warehouse.read("loads").select("file_id", "file").unique("file_id")
        plates = review_plates(warehouse, night=night.day)
        n_taken_back = _n_taken_back(warehouse, night)
    frames = derive_frames(tables, night=night.day)
    audited = {name: tables[name] for name in (*_LANDED, "cytokines")}
    audited |= {"cohort": frames.cohort, "monthly_counts": frames.monthly_counts}
    former_rows = {**loaded.rows_before, "counts": loaded.rows_before["counts"] - n_taken_back}
    audits = validate_tables(audited, night=night.day, former_rows=former_rows)
    _stop_at(broken_rules(audits), night, loaded)
    checked = check_cohort(frames, tables, night=night.day)
    row_checks = (*frames.checks, checked.validation)
    return Derived(
        frames=frames,
        data=checked.data,
        cohort_sha256=frame_sha256(checked.data.cohort, COHORT.key),
        left_out=pl.concat([_set_aside(one.failed, files, night) for one in row_checks]).unique(
            maintain_order=True
        ),
        plates=plates,
        cytokines=tables["cytokines"].select(CYTOKINES.column_names),
        checks=(*row_checks, *audits),
    )


def _n_taken_back(warehouse: Warehouse, night: Night) -> int:
    """Counts that left the table tonight for the history, and that no other took the place of."""
    gone = warehouse.read("counts_history").filter(pl.col("replaced_night") == night.day)
    is_former = gone.filter(pl.col("loaded_night") < night.day)
    return len(is_former.join(warehouse.read("counts"), on=COUNTS.key, how="anti").unique(COUNTS.key))


def _stop_at(broken: list[Rule], night: Night, loaded: Loaded) -> None:
    """Raise where a fatal rule is broken; the quarantine is written first, for it tells why."""
    if broken:
        quarantine = write_quarantine(night, loaded.quarantine)
        reasons = "; ".join(
            f"{rule.table}: {rule.found}, expected {rule.expected}. {rule.remedy}" for rule in broken
        )
        first = loaded.quarantine.head(3).iter_rows(named=True)
        told = "".join(f"\n  {row['file']}: {row['found']}. {row['remedy']}." for row in first)
        raise FatalDataError(
            f"A fatal check failed, so nothing is published. {reasons}.{told}\n"
            f"  {len(loaded.quarantine)} findings are in {quarantine}"
        )


def write_quarantine(night: Night, quarantine: pl.DataFrame) -> Path:
    """Write the findings into the night's folder, for who has no access to the warehouse; return the file."""
    return write_whole(night.folder / "quarantine.csv", quarantine.write_csv())


def _set_aside(failed: pl.DataFrame, files: pl.DataFrame, night: Night) -> pl.DataFrame:
    """Turn broken rules of derived rows into rows of `QUARANTINE`: the file and line they came from.

    A derived count comes from two rows; its finding names neither.
    """
    return (
        failed.join(files, on="file_id", how="left", maintain_order="left")
        .with_columns(
            pl.col("file").fill_null("derived counts"),
            source=pl.lit(DERIVED_SOURCE),
            first_night=pl.lit(night.day),
        )
        .select(QUARANTINE.column_names)
    )


def analyse(night: Night, loaded: Loaded, derived: Derived) -> Analysed:
    """Run the study's analyses and train the predictor; what cannot be estimated says why.

    On the reconstructed cohort the study's printed numbers are set beside ours. What is otherwise than the
    night before is told.
    """
    study, side_by_side = estimate_night(derived.data, night.settings.study, origin=loaded.origin)
    try:
        trained, reason = train_predictor(derived.cohort, as_of=night.day, seed=night.settings.seed), ""
    except NotEstimableError as error:
        trained, reason = None, str(error)
    tonight = {"estimates": study.estimates, "cytokines": derived.cytokines, "cohort": derived.cohort}
    changes = with_changes(loaded.former, tonight, night=night.day)
    return Analysed(study, trained, changes, not_trained=reason, side_by_side=side_by_side)


def finish_warehouse(night: Night, results: Results) -> Snapshot:
    """Write what was derived and estimated into the working copy and close it for good.

    A night that changes nothing leaves the published warehouse as it is, and its working copy goes.
    """
    loaded, derived, current = results.loaded, results.derived, night.paths.current
    with Warehouse(loaded.working) as warehouse:
        warehouse.begin()
        warehouse.replace_all("cohort", derived.cohort)
        warehouse.replace_all("monthly_counts", derived.data.monthly_counts)
        _write_derived_counts(warehouse, derived.frames, night)
        for name in ("count_course", "weekly_counts", "site_feed", "definition_classes"):
            warehouse.replace_all(name, getattr(derived.frames, name))
        warehouse.replace_all("estimates", results.analysed.study.estimates)
        warehouse.replace_all("influential_patients", results.analysed.study.influential_patients)
        warehouse.replace_all("guide_sets", derived.plates.guide_sets)
        warehouse.replace_all("control_chart", derived.plates.chart)
        warehouse.replace_all("changes", results.analysed.changes)
        record_derived_findings(warehouse, derived.left_out, night.day)
        warehouse.replace_all("nights", _nights_with(night, results, warehouse.read("nights")))
        warehouse.commit()
        warehouse.checkpoint()
        has_changed = loaded.has_changed or warehouse.has_changed
    if has_changed or not current.exists():
        return Snapshot(loaded.working, file_sha256(loaded.working), is_new=True)
    loaded.working.unlink()
    return Snapshot(current, file_sha256(current), is_new=False)


def _write_derived_counts(warehouse: Warehouse, frames: DerivedFrames, night: Night) -> None:
    new, gone = derived_to_write(frames.derived_counts, warehouse.read("counts"))
    warehouse.correct(COUNTS, new, gone, file_id=DERIVED_SOURCE, night=night.day)


def _nights_with(night: Night, results: Results, nights: pl.DataFrame) -> pl.DataFrame:
    row = {
        "night": night.day,
        "origin": results.loaded.origin,
        "cohort_sha256": results.derived.cohort_sha256,
        "code_version": CODE_VERSION,
        "study_options": night.settings.study.as_json(),
    }
    tonight = pl.DataFrame([row], schema=NIGHTS.polars_schema)
    return pl.concat([nights.filter(pl.col("night") != night.day), tonight]).sort("night")


def record_in_mlflow(
    night: Night,
    snapshot: Snapshot,
    *,
    results: Results,
    figures: Figures,
    files: Mapping[str, bytes],
) -> Recorded:
    """Log the analyses with their `files`, register the predictor, and judge it against the champion.

    What was logged before, from the same data, is found again and not logged twice.
    """
    store = open_tracking(night.paths.mlflow, server=night.settings.mlflow_tracking_uri)
    origin = RunOrigin(
        night=night.day,
        data_origin=results.loaded.origin,
        snapshot_sha256=snapshot.sha256,
        cohort_sha256=results.derived.cohort_sha256,
        code_version=CODE_VERSION,
    )
    analyses = log_analyses(
        store,
        origin,
        estimates=results.analysed.study.estimates,
        files=files,
        params={"patients": len(results.derived.cohort), **asdict(night.settings.study)},
    )
    predictor = results.analysed.predictor
    if predictor is None:
        return Recorded(analyses, None, None)
    registered = register_predictor(
        store,
        predictor,
        origin=origin,
        figures={
            f"{name}.svg": figure.svg for name, figure in figures.items() if name.startswith("predictor")
        },
    )
    before = champion(store)
    is_champion = before is not None and before.version == registered.version
    rival = None if before is None or is_champion else before.performance
    return Recorded(analyses, registered, judge(predictor.cross_validated, rival))


def publish_snapshot(night: Night, snapshot: Snapshot) -> None:
    """Swap the snapshot in as the published warehouse and keep the newest of the former ones."""
    if snapshot.is_new:
        publish(snapshot.path, night.paths.current, night.paths.snapshot(night.name))
        drop_old_snapshots(night.paths.warehouse, night.settings.snapshots_kept)


def promote_predictor(night: Night, recorded: Recorded) -> Champion | None:
    """Give the alias `champion` to the night's version where the verdict says so; return who has it now."""
    store = open_tracking(night.paths.mlflow, server=night.settings.mlflow_tracking_uri)
    verdict, registered = recorded.verdict, recorded.registered
    if registered is not None and verdict is not None and verdict.decision is Decision.PROMOTE:
        set_champion(store, registered.version, night=night.day)
    return champion(store)


def write_pages(night: Night, *, results: Results, context: ReportContext, figures: Figures) -> None:
    """Write the night's estimates, Data Docs and report into its folder."""
    write_whole(night.folder / "estimates.csv", estimates_csv(context.estimates))
    if context.side_by_side is not None:
        write_whole(night.folder / "published_vs_ours.csv", context.side_by_side.write_csv())
    write_quarantine(night, results.in_quarantine)
    of_night = results.analysed.changes.filter(pl.col("night") == night.day)
    write_whole(night.folder / "changes.csv", of_night.write_csv())
    checks = [*results.loaded.validations, *results.derived.checks]
    write_data_docs(checks, night.folder / "data_docs")
    write_report(context, figures, night.folder / "report")
