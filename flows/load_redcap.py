"""Loading REDCap projects: patients, follow-up and toxicities from one export, each line accounted for once.

Here: validate, merge, write and account, table after table over all projects. Not here: reading a project
(`transforms.redcap`), tables that arrive as CSV (`flows.load_tables`). Called by `flows.steps`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import date

import polars as pl

from expectations.validation import Validation, validate_rows
from flows.accounts import Book, Fresh, close_books, settle_known
from flows.landed import Landed, LandedFile
from flows.load_tables import LoadedSource, Staged, frame_to_validate, merge_passed
from flows.warehouse import Warehouse
from transforms.findings import UnreadableFileError, findings_frame, no_findings
from transforms.merge import Merge
from transforms.redcap.export import parse_export
from transforms.redcap.mapping import MAPPED_TABLES, RefusedProjectError
from transforms.redcap.rows import ParsedRedcap, parse_redcap
from transforms.schemas import Table


@dataclass
class _Project:
    """A project that is tried tonight, and what became of its lines so far.

    `rows` holds each table's rows that are tried, `lines` every line of the export that is a record.
    """

    fresh: Fresh
    lines: pl.Series
    rows: Mapping[str, pl.DataFrame]
    findings: list[pl.DataFrame]
    notes: list[str] = field(default_factory=list)
    loaded: list[pl.Series] = field(default_factory=list)
    unchanged: list[pl.Series] = field(default_factory=list)

    def enter(self, table: Table, merge: Merge, findings: pl.DataFrame) -> None:
        """Enter what became of a table's rows; a column is named with its table."""
        column = pl.concat_str(pl.lit(table.name), "column", separator=".", ignore_nulls=True)
        self.findings.append(findings.with_columns(column.alias("column")))
        self.loaded.append(merge.loaded["line"])
        self.unchanged.append(merge.unchanged["line"])

    def book(self) -> Book:
        """Account for every line: one with a finding is in quarantine, whatever else it gave."""
        found = pl.concat(self.findings)["line"]
        quarantined = set(self.lines) if found.has_nulls() else set(found)
        loaded = _lines_in(self.loaded) - quarantined
        tried = _lines_in([frame["line"] for frame in self.rows.values()])
        unchanged = _lines_in(self.unchanged) | (set(self.lines) - tried)
        return Book(
            self.fresh.landed,
            rows_in=len(self.lines),
            loaded=len(loaded),
            unchanged=len(unchanged - loaded - quarantined),
            quarantined=len(quarantined),
            notes=self.notes,
            findings=self.findings,
        )


def load_redcap(warehouse: Warehouse, files: tuple[LandedFile, ...], *, night: date) -> LoadedSource:
    """Load REDCap projects into the working copy: their patients first, whom follow-up and toxicities need.

    Raises `OSError` where a file cannot be read, `NadirError` where a line is not accounted for.
    """
    settled, fresh = settle_known(warehouse, (file.read() for file in files))
    projects = [_read_project(warehouse, one) for one in fresh]
    checked = [_load_rows(warehouse, projects, table, night=night) for table in MAPPED_TABLES]
    accounts, quarantine = close_books([project.book() for project in projects], night)
    verdicts = [validation for validation in checked if validation is not None]
    return LoadedSource(settled + accounts, quarantine, verdicts)


def _read_project(warehouse: Warehouse, fresh: Fresh) -> _Project:
    """Read a project; one that is refused has every complaint, and no rows."""
    landed = fresh.landed
    try:
        parsed = parse_redcap(
            landed.content, dictionary=landed.beside["dictionary"], mapping=landed.beside["mapping"]
        )
    except UnreadableFileError as error:
        return _Project(fresh, _lines_of_refused(landed), {}, [_refusal(error)])
    lines = _lines_of(landed)
    rows = {name: _to_try(warehouse, fresh, one.rows, name=name) for name, one in parsed.tables.items()}
    notes = [*parsed.notes, *_note_on_lines(parsed, lines)]
    return _Project(fresh, lines, rows, [fresh.to_try(parsed.rejected)], notes)


def _refusal(error: UnreadableFileError) -> pl.DataFrame:
    """Return every complaint, those on one place in one finding: the quarantine holds a rule once a place."""
    complaints = error.findings if isinstance(error, RefusedProjectError) else (error.finding,)
    whole = findings_frame(replace(finding, line=None) for finding in complaints)
    together = pl.col("found", "expected", "remedy").unique(maintain_order=True).str.join("; ")
    by_place = whole.group_by("line", "column", "rule", maintain_order=True)
    return by_place.agg(together).select(whole.columns)


def _lines_of(landed: Landed) -> pl.Series:
    text = parse_export(landed.content).text
    lines = [line for line, _ in (*text.records, *text.ragged)]
    return pl.Series("line", lines, dtype=pl.Int64)


def _lines_of_refused(landed: Landed) -> pl.Series:
    try:
        return _lines_of(landed)
    except UnreadableFileError:
        return pl.Series("line", range(landed.n_rows), dtype=pl.Int64)


def _to_try(warehouse: Warehouse, fresh: Fresh, rows: pl.DataFrame, *, name: str) -> pl.DataFrame:
    """Keep a table's rows that are to be tried tonight: of a known file, those that wait in this table.

    A line gives rows of several tables. One that loaded must not come again with another that waits, or it
    would undo what has corrected it since.
    """
    if fresh.retried is None:
        return rows
    of_file = pl.DataFrame({"file_id": [fresh.landed.file_id]})
    waiting = warehouse.read_matching("quarantine", of_file).filter(
        pl.col("column").str.starts_with(f"{name}.")
    )
    return rows.join(waiting, on="line", how="semi", maintain_order="left")


def _note_on_lines(parsed: ParsedRedcap, lines: pl.Series) -> list[str]:
    speaking = _lines_in([one.rows["line"] for one in parsed.tables.values()]) | set(parsed.rejected["line"])
    n_silent = len(set(lines) - speaking)
    told = (
        f"{n_silent} of {len(lines)} lines have no row of their own: they add to another of their record, or "
        "belong to no table of the mapping"
    )
    return [told] if n_silent else []


def _load_rows(
    warehouse: Warehouse, projects: list[_Project], table: Table, *, night: date
) -> Validation | None:
    """Load what the projects have of a table; return the rules' verdict, where there was a row to check."""
    of_table = [project for project in projects if table.name in project.rows]
    staged = [Staged(project.fresh, project.rows[table.name], no_findings()) for project in of_table]
    frame = frame_to_validate(warehouse, staged, table)
    if frame.is_empty():
        return None
    validation = validate_rows(table.name, frame, night=night)
    for project in of_table:
        merge, findings = merge_passed(warehouse, project.fresh.landed, validation, table=table, night=night)
        project.enter(table, merge, findings)
    return validation


def _lines_in(series: list[pl.Series]) -> set[int]:
    return {line for one in series for line in one}
