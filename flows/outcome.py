"""What a night came to: the context of its report, its summary, and the words for people.

Here: gathering and wording. Not here: the pages (`flows.report.page`), Prefect's artifacts (`flows.nightly`).
Nothing here names a patient or shows a patient's value. Called by `flows.nightly` and `flows.cli`.
"""

import json
from collections.abc import Mapping
from typing import Any

import polars as pl

from flows.accounts import Account
from flows.files import write_whole
from flows.landing import SOURCES
from flows.night import Derived, Night, Recorded, Results, Snapshot
from flows.night_changes import tell_changes
from flows.plate_review import PlateReview
from flows.report.context import LINKS_BESIDE, CountsReport, PredictorReport, ReportContext
from flows.servers import mlflow_url
from flows.tracked import Champion
from models.prediction.predictor import TrainedPredictor
from transforms.errors import FatalDataError, NadirError, exit_code_of
from transforms.quarantine_tables import summarise_quarantine

COUNTED = ("files", "rows_in", "loaded", "unchanged", "quarantined")
Summary = dict[str, Any]


def sum_by_source(accounts: tuple[Account, ...]) -> pl.DataFrame:
    """Sum the accounts of files: source, files, rows_in, loaded, unchanged, quarantined, a row a source."""
    schema = {"source": pl.String(), **dict.fromkeys(COUNTED, pl.Int64())}
    rows = [(one.source, 1, one.rows_in, one.loaded, one.unchanged, one.quarantined) for one in accounts]
    sums = pl.DataFrame(rows, schema=schema, orient="row").group_by("source").sum()
    return pl.DataFrame({"source": SOURCES}).join(sums, on="source", how="left").fill_null(0)


def describe_night(
    night: Night,
    results: Results,
    *,
    recorded: Recorded | None = None,
    champion: Champion | None = None,
    timings: Mapping[str, float] | None = None,
) -> ReportContext:
    """Gather what the report and its figures show; the figures need nothing of what is recorded later."""
    loaded, derived, analysed = results.loaded, results.derived, results.analysed
    study = analysed.study
    return ReportContext(
        night=night.day,
        origin=loaded.origin,
        status="published",
        cohort=derived.cohort,
        monthly_counts=derived.data.monthly_counts,
        estimates=study.estimates,
        survival_curves=study.survival_curves,
        numbers_at_risk=study.numbers_at_risk,
        roc_points=study.roc_points,
        sources=sum_by_source(loaded.accounts),
        quarantine=summarise_quarantine(results.in_quarantine),
        timings=timings or {},
        links=dict(LINKS_BESIDE) | (_mlflow_links(night, recorded) if recorded else {}),
        predictor=_predictor(analysed.predictor, recorded, champion) if analysed.predictor else None,
        predictor_note=analysed.not_trained,
        notes=tuple(f"{one.file}: {one.note}" for one in loaded.accounts if one.note),
        side_by_side=analysed.side_by_side,
        plates=derived.plates.report,
        completeness=CountsReport(
            weekly=derived.frames.weekly_counts,
            feed=derived.frames.site_feed,
            silent=derived.frames.silent,
            agreement=derived.frames.agreement,
        ),
        changes=tell_changes(analysed.changes, night=night.day),
    )


def _predictor(
    trained: TrainedPredictor, recorded: Recorded | None, champion: Champion | None
) -> PredictorReport:
    return PredictorReport(
        cross_validated=trained.cross_validated,
        apparent_auc=trained.apparent_auc,
        calibration=trained.calibration,
        roc=trained.roc,
        out_of_fold=trained.out_of_fold.select("has_asl", "probability"),
        coefficients=trained.coefficients,
        verdict=recorded.verdict if recorded else None,
        champion=told_champion(champion),
        n_left_out=trained.n_left_out,
        sample_size=trained.sample_size,
    )


def told_champion(champion: Champion | None) -> str:
    """Say which version serves."""
    return f"version {champion.version}, since {champion.since}" if champion else "none yet"


def _mlflow_links(night: Night, recorded: Recorded) -> dict[str, str]:
    base = mlflow_address(night)
    links = {"The night's analyses in MLflow": f"{base}/{recorded.analyses.page}"}
    if recorded.registered:
        links["The predictor's version in MLflow"] = f"{base}/{recorded.registered.page}"
    return links


def mlflow_address(night: Night) -> str:
    """Address of MLflow's pages: the server that is set, or the one that `nadir up` starts."""
    uri = night.settings.mlflow_tracking_uri
    return uri.rstrip("/") if uri and uri.startswith("http") else mlflow_url(night.settings)


def summarise(
    night: Night,
    *,
    results: Results,
    context: ReportContext,
    snapshot: Snapshot,
    recorded: Recorded,
    champion: Champion | None,
) -> Summary:
    """Return the night's summary, as summary.json holds it."""
    loaded, derived = results.loaded, results.derived
    refused = context.quarantine.filter(pl.col("rows").is_null())
    return {
        "night": night.name,
        "status": "published",
        "exit_code": 0,
        "headline": told_headline(context),
        "origin": loaded.origin,
        "is_changed": snapshot.is_new,
        "sources": {row.pop("source"): row for row in context.sources.iter_rows(named=True)},
        "in_quarantine": len(results.in_quarantine),
        "files_refused": refused["file"].n_unique(),
        "notes": list(context.notes),
        "changes": list(context.changes),
        "cohort": {
            "patients": len(derived.cohort),
            "asl": derived.cohort["has_asl"].sum(),
            "deaths": derived.cohort["has_died"].sum(),
            "sha256": derived.cohort_sha256,
        },
        "sites": _sites(derived),
        "plates": {"held": derived.plates.report.n_plates, "out_of_control": _out_of_control(derived.plates)},
        "gate": _gate(recorded, context),
        "champion": {"version": champion.version, "since": champion.since} if champion else None,
        "mlflow": {
            "address": mlflow_address(night),
            "analyses_run": recorded.analyses.run_id,
            "predictor_version": recorded.registered.version if recorded.registered else None,
        },
        "snapshot_sha256": snapshot.sha256,
        "where": where(night, recorded),
    }


def _sites(derived: Derived) -> dict[str, dict[str, object]]:
    """Say of each site whether its counts are signed off: a feed that went silent is not."""
    silent = dict(derived.frames.silent.select("site", "silent_since_date").iter_rows())
    return {
        site: {
            "signed_off": site not in silent,
            **({"silent_since": str(silent[site] or "ever")} if site in silent else {}),
        }
        for site in derived.cohort["site"].unique().sort()
    }


def _out_of_control(plates: PlateReview) -> list[dict[str, object]]:
    columns = ("kit_lot", "analyte", "quantity", "plate_id", "rules_broken")
    return plates.report.drift.select(columns).to_dicts()


def _gate(recorded: Recorded, context: ReportContext) -> dict[str, object]:
    if recorded.verdict is None:
        return {"verdict": "NOT TRAINED", "reasons": [context.predictor_note]}
    return {"verdict": recorded.verdict.decision.value, "reasons": list(recorded.verdict.reasons)}


def where(night: Night, recorded: Recorded) -> dict[str, str]:
    """Say where each thing is that the night made."""
    base = mlflow_address(night)
    model = f"{base}/#/models/asl-predictor" if recorded.registered else "no predictor was trained"
    return {
        "warehouse": str(night.paths.current),
        "estimates": str(night.folder / "estimates.csv"),
        "report": str(night.folder / "report" / "index.html"),
        "quarantine": str(night.folder / "quarantine.csv"),
        "changes": str(night.folder / "changes.csv"),
        "data docs": str(night.folder / "data_docs" / "index.html"),
        "summary": str(night.folder / "summary.json"),
        "mlflow": str(night.paths.mlflow),
        "analyses": f"{base}/{recorded.analyses.page}",
        "champion": model,
    }


def told_headline(context: ReportContext) -> str:
    """Tell the night in a line."""
    cohort, sources = context.cohort, context.sources
    n, n_asl = len(cohort), int(cohort["has_asl"].sum() or 0)
    share = f" ({100 * n_asl / n:.1f} %)" if n else ""
    rows = ", ".join(f"{sources[name].sum():,} {name.replace('_', ' ')}" for name in COUNTED[1:])
    stamp = f" {context.stamp}." if context.stamp else ""
    return f"Night {context.night} is published: {n:,} patients, {n_asl:,} with ASL{share}; {rows}.{stamp}"


def told_in_markdown(summary: Summary) -> str:
    """Tell the night on half a page: the headline, the gate, what to look at, where things are."""
    gate, champion = summary["gate"], summary["champion"]
    serves = f"version {champion['version']}, since {champion['since']}" if champion else "none yet"
    lines = [
        f"**{summary['headline']}**",
        f"In quarantine: {summary['in_quarantine']} findings; files refused: {summary['files_refused']}.",
        f"Predictor: **{gate['verdict']}**. Champion: {serves}.",
        *(f"- {reason}" for reason in gate["reasons"]),
        *(f"- **{site} is not signed off**" for site in _not_signed_off(summary)),
        *(f"- {change}" for change in summary["changes"]),
        *(f"- out of control: {_words(one)}" for one in summary["plates"]["out_of_control"]),
        *(f"- note: {note}" for note in summary["notes"]),
        *(f"- {name}: `{place}`" for name, place in summary["where"].items()),
    ]
    return "\n\n".join(lines[:3]) + "\n\n" + "\n".join(lines[3:])


def _not_signed_off(summary: Summary) -> list[str]:
    return [site for site, told in summary["sites"].items() if not told["signed_off"]]


def _words(drift: Mapping[str, str]) -> str:
    return "{analyte} of kit lot {kit_lot}, {quantity}: {rules_broken}".format(**drift)


def write_summary(night: Night, summary: Summary) -> None:
    """Write the night's summary.json; readers see the former or the new one, never a part."""
    write_whole(night.folder / "summary.json", json.dumps(summary, indent=2, ensure_ascii=False) + "\n")


def write_failure(
    night: Night, error: Exception, *, timings: Mapping[str, float], is_published: bool
) -> None:
    """Leave a summary of a night that failed: what happened, how it ended, and whether it had published.

    A night that was published whole before, and now failed without publishing, keeps its summary: its results
    stand.
    """
    before = night.folder / "summary.json"
    if before.is_file() and not is_published and json.loads(before.read_text("utf-8"))["exit_code"] == 0:
        return
    told = str(error) if isinstance(error, NadirError | OSError) else type(error).__name__
    outcome = "is published, but what follows failed" if is_published else "published nothing"
    summary = {
        "night": night.name,
        "status": _status(error, is_published=is_published),
        "exit_code": exit_code_of(error),
        "headline": f"Night {night.name} {outcome}: {told}",
        "timings_seconds": {name: round(seconds, 3) for name, seconds in timings.items()},
    }
    write_summary(night, summary)


def _status(error: Exception, *, is_published: bool) -> str:
    if is_published:
        return "published_incomplete"
    return "refused" if isinstance(error, FatalDataError) else "failed"
