"""What a past night knew: its tables rebuilt from the rows that stood on it, and answered as CSV.

Here: which night is meant, and the answer with the sentence beside it. Not here: the derivations
(`flows.derivation`), the analyses (`models.study`), the history (`flows.warehouse`). Called by `flows.cli`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import polars as pl

from flows.accounts import DERIVED_SOURCE
from flows.derivation import READ_FROM, CheckedCohort, DerivedFrames, check_cohort, derive_frames
from flows.night_estimates import estimate_night
from flows.warehouse import ALL_TABLES, LOADED_TABLES, Warehouse
from models.study.options import StudyOptions
from transforms.content_hash import frame_sha256
from transforms.errors import UsageError
from transforms.published import estimates_csv
from transforms.schemas import COHORT, COUNTS, DERIVED_TABLES, ESTIMATES

_LOADED = tuple(table.name for table in LOADED_TABLES)
ANSWERED = (ESTIMATES.name, *(table.name for table in DERIVED_TABLES), *_LOADED)


@dataclass(frozen=True)
class Answer:
    """A table as CSV, and a sentence that says what it is and what it was made of."""

    csv: str
    told: str


def ask(current: Path, night: date, *, table: str = ESTIMATES.name) -> Answer:
    """Answer with a table as the night knew it; estimates come byte for byte as they were published.

    current: the published warehouse, which is only read. Counts that nobody measured are derived anew, with
    the options that the night had. Raises `UsageError` for a table that is none, a home without a warehouse
    and a night that never published.
    """
    if table not in ANSWERED:
        raise UsageError(f"--table {table}: expected one of {', '.join(ANSWERED)}. Name one of them.")
    if not current.is_file():
        raise UsageError(
            f"{current}: expected a published warehouse, found none. Run a night first, or name its --home."
        )
    with Warehouse(current, read_only=True) as warehouse:
        published = _published(warehouse.read("nights"), night)
        if table in _LOADED and table != COUNTS.name:
            rows = warehouse.read_as_of(table, night)
            return Answer(rows.write_csv(), f"{_told(table, rows, night)}, as loaded by then.")
        known = read_known(warehouse, night)
    frames = derive_frames(known, night=night)
    checked = check_cohort(frames, known, night=night)
    if table == ESTIMATES.name:
        options = StudyOptions.from_json(published["study_options"])
        study, _ = estimate_night(checked.data, options, origin=published["origin"])
        rows, csv = study.estimates, estimates_csv(study.estimates)
    else:
        rows = _table_of(table, frames, checked, known=known)
        csv = rows.write_csv()
    sources = ", ".join(f"{len(frame):,} of {name}" for name, frame in known.items())
    agrees = _told_agreement(checked.data.cohort, published)
    return Answer(csv, f"{_told(table, rows, night)}, from the rows it knew: {sources}. {agrees}")


def read_known(warehouse: Warehouse, night: date) -> dict[str, pl.DataFrame]:
    """Return the tables of `READ_FROM` as the night knew them, without the counts that were derived."""
    known = {name: warehouse.read_as_of(name, night) for name in READ_FROM}
    return known | {"counts": known["counts"].filter(pl.col("method").ne_missing("derived"))}


def _table_of(
    table: str,
    frames: DerivedFrames,
    checked: CheckedCohort,
    *,
    known: Mapping[str, pl.DataFrame],
) -> pl.DataFrame:
    if table == COUNTS.name:
        derived = frames.derived_counts.with_columns(file_id=pl.lit(DERIVED_SOURCE))
        return pl.concat([known["counts"], derived], how="diagonal").select(ALL_TABLES["counts"].column_names)
    rows: pl.DataFrame = getattr(checked.data if table in ("cohort", "monthly_counts") else frames, table)
    return rows


def _published(nights: pl.DataFrame, night: date) -> dict[str, Any]:
    """Return the night's row of `nights`; where it never published, name the nights around it."""
    row = nights.filter(pl.col("night") == night)
    if len(row):
        return row.row(0, named=True)
    before, after = (
        nights.filter(is_there)["night"].sort()
        for is_there in (pl.col("night") < night, pl.col("night") > night)
    )
    nearest = " and ".join(str(one) for one in (*before.tail(1), *after.head(1)))
    raise UsageError(
        f"{night}: expected a night that published, found none of that name. "
        + (f"The nearest are {nearest}: ask for one of them." if nearest else "Run a night first.")
    )


def _told(table: str, rows: pl.DataFrame, night: date) -> str:
    return f"As of {night}: {len(rows):,} rows of {table}"


def _told_agreement(cohort: pl.DataFrame, published: Mapping[str, Any]) -> str:
    if frame_sha256(cohort, COHORT.key) == published["cohort_sha256"]:
        return "The cohort is the one that the night published."
    return (
        f"The cohort is NOT the one that the night published, by Nadir {published['code_version']}: either "
        "definitions and rules have changed since, or a night ran after a later one."
    )
