"""The ledger of champions: entries are appended, never rewritten, and say who served on any date.

Here: reading and lengthening the ledger (`schemas.prediction.PROMOTIONS`), as frames. Not here: the decision
(`models.prediction.promotion`), the warehouse, MLflow's alias. Called by `flows`.
"""

import json
from dataclasses import asdict, dataclass
from datetime import date

import polars as pl

from transforms.errors import DamagedFileError, NadirError, UsageError
from transforms.schemas.prediction import CROWNING, PROMOTE, PROMOTIONS, ROLLBACK

BY_NIGHT = "night"


@dataclass(frozen=True)
class Entry:
    """One line of the ledger, before it has its number; the fields are the table's columns."""

    question: str
    night: date
    challenger_version: int
    champion_before: int | None
    decision: str
    decided_by: str
    n_events_judged: int | None
    gates: str
    figures: str
    data_sha256: str
    definition: str
    code_version: str


@dataclass(frozen=True)
class PastJudgements:
    """How often a champion has been set beside a challenger, and how many new events the last time saw."""

    n: int = 0
    n_events: int = 0


def empty_ledger() -> pl.DataFrame:
    """Return a ledger without entries."""
    return pl.DataFrame(schema=PROMOTIONS.polars_schema)


def champion_on(ledger: pl.DataFrame, day: date, question: str) -> int | None:
    """Return the version that served at the end of that day, None where none did yet."""
    crowned = _entries_of(ledger, question).filter(pl.col("decision").is_in(CROWNING), pl.col("night") <= day)
    return None if crowned.is_empty() else int(crowned["challenger_version"][-1])


def reigns(ledger: pl.DataFrame, question: str) -> pl.DataFrame:
    """Return one row a reign, in order: version, since, until (null: still), decided_by."""
    crowned = _entries_of(ledger, question).filter(pl.col("decision").is_in(CROWNING))
    return crowned.select(
        version="challenger_version",
        since="night",
        until=pl.col("night").shift(-1),
        decided_by="decided_by",
    )


def past_judgements(ledger: pl.DataFrame, question: str, *, champion: int | None) -> PastJudgements:
    """Count the comparisons made against that champion (None: before there was any), whatever came of them.

    A comparison that a rollback undid counts as well: its patients have been looked at.
    """
    looks = _entries_of(ledger, question).filter(
        pl.col("n_events_judged").is_not_null(),
        pl.col("champion_before").eq_missing(pl.lit(champion, dtype=pl.Int64)),
    )
    return PastJudgements(looks.height, looks["n_events_judged"][-1] if looks.height else 0)


def with_entry(ledger: pl.DataFrame, entry: Entry) -> pl.DataFrame:
    """Return the ledger with one entry more, numbered.

    The same night run again over the same rows changes nothing: its first decision stands. `NadirError` for
    an entry dated before the last one of its question, for one that names another champion than the ledger
    has or promotes that one, and for a decision that is no word of the ledger; `UsageError` for a rollback to
    a version that never served, or that serves.
    """
    entries = _entries_of(ledger, entry.question)
    if _is_told_already(entries, entry):
        return ledger
    _refuse_an_earlier_night(entries, entry)
    _refuse_another_champion(entries, entry)
    _refuse_a_senseless_entry(entry)
    if entry.decision == ROLLBACK:
        _refuse_an_empty_rollback(entries, entry)
    row = {**asdict(entry), "entry": entries.height + 1}
    added = pl.DataFrame([row], schema_overrides=PROMOTIONS.polars_schema)
    return pl.concat([ledger, added.select(PROMOTIONS.column_names)])


def require_continuation(before: pl.DataFrame, after: pl.DataFrame) -> None:
    """Raise `DamagedFileError` where `after` is not `before` with entries added behind its own."""
    kept = before.join(after, on=PROMOTIONS.column_names, how="inner", nulls_equal=True).height
    for question in after["question"].unique().to_list():
        _refuse_gaps(_entries_of(after, question), question)
    if kept != before.height:
        raise DamagedFileError(
            f"ledger of champions: {before.height - kept} of {before.height} entries were changed or are "
            "gone. Entries are never rewritten; restore the warehouse from its backup."
        )


def _entries_of(ledger: pl.DataFrame, question: str) -> pl.DataFrame:
    return ledger.filter(pl.col("question") == question).sort("entry")


def _is_told_already(entries: pl.DataFrame, entry: Entry) -> bool:
    if entry.decided_by != BY_NIGHT:
        return False
    same = entries.filter(
        pl.col("decided_by") == BY_NIGHT,
        pl.col("night") == entry.night,
        pl.col("challenger_version") == entry.challenger_version,
        pl.col("data_sha256") == entry.data_sha256,
    )
    return not same.is_empty()


def _refuse_an_earlier_night(entries: pl.DataFrame, entry: Entry) -> None:
    if entries.height and entry.night < entries["night"][-1]:
        raise NadirError(
            f"ledger of champions, {entry.question}: an entry of {entry.night} came after one of "
            f"{entries['night'][-1]}. The past is not decided again; run a night that is not older."
        )


def _refuse_another_champion(entries: pl.DataFrame, entry: Entry) -> None:
    serving = champion_on(entries, entry.night, entry.question)
    if serving != entry.champion_before:
        raise NadirError(
            f"ledger of champions, {entry.question}: the entry was made against champion "
            f"{entry.champion_before}, the ledger has {serving}. Judge against the ledger's champion."
        )


def _refuse_a_senseless_entry(entry: Entry) -> None:
    if entry.decision == PROMOTE and entry.challenger_version == entry.champion_before:
        raise NadirError(
            f"ledger of champions, {entry.question}: version {entry.challenger_version} was promoted over "
            "itself. The champion is no challenger; judge a version that does not serve."
        )
    if entry.decision not in PROMOTIONS.column("decision").allowed or not entry.decided_by.strip():
        raise NadirError(
            f"ledger of champions, {entry.question}: found the decision {entry.decision!r} by "
            f"{entry.decided_by!r}; one of {PROMOTIONS.column('decision').allowed} by someone was expected."
        )
    try:
        json.loads(entry.gates), json.loads(entry.figures)
    except ValueError as error:
        raise NadirError(
            f"ledger of champions, {entry.question}: gates and figures must be JSON. Use those of a Verdict."
        ) from error


def _refuse_an_empty_rollback(entries: pl.DataFrame, entry: Entry) -> None:
    served = reigns(entries, entry.question)["version"].unique().sort().to_list()
    if entry.challenger_version not in served or entry.challenger_version == entry.champion_before:
        raise UsageError(
            f"rollback, {entry.question}: version {entry.challenger_version} was asked for; version "
            f"{entry.champion_before} serves, and versions {served} have served. Name an earlier champion."
        )


def _refuse_gaps(entries: pl.DataFrame, question: str) -> None:
    is_dense = entries["entry"].to_list() == list(range(1, entries.height + 1))
    if not is_dense or not entries["night"].is_sorted():
        raise DamagedFileError(
            f"ledger of champions, {question}: the entries are not numbered from 1 on in the order of their "
            "nights. Restore the warehouse from its backup."
        )
