"""Loading the tables that arrive as CSV: patients, follow-up, toxicities.

Here: parse, validate, merge, write and account, file after file in the order they came. Not here: the parsers
and rules themselves, nor counts and plates (`flows.load_counts`, `flows.load_plates`). Called by
`flows.steps`.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

from expectations.validation import Validation, validate_rows
from flows.accounts import Account, Book, Fresh, close_books, n_in_quarantine, settle_known
from flows.landed import Landed, LandedFile
from flows.warehouse import Warehouse
from transforms.findings import FINDING_SCHEMA, UnreadableFileError, findings_frame
from transforms.landed_csv import parse_landed_csv
from transforms.merge import Merge, merge_rows
from transforms.schemas import PATIENT_KEY, PATIENTS, Table


@dataclass(frozen=True)
class LoadedSource:
    """What a source brought: an account of each file, rows of `QUARANTINE`, the rules' verdicts."""

    accounts: list[Account]
    quarantine: pl.DataFrame
    validations: list[Validation]


@dataclass(frozen=True)
class Staged:
    """A parsed file: `rows` still in the running, `rejected` findings, notes for people."""

    fresh: Fresh
    rows: pl.DataFrame
    rejected: pl.DataFrame
    notes: tuple[str, ...] = ()


def load_table(
    warehouse: Warehouse, files: tuple[LandedFile, ...], *, table: Table, night: date
) -> LoadedSource:
    """Load the files of one table into the working copy.

    Raises `OSError` where a file cannot be read, `NadirError` where a row is not accounted for.
    """
    settled, fresh = settle_known(warehouse, (file.read() for file in files))
    staged = [stage_file(one, table) for one in fresh]
    validation = validate_rows(table.name, frame_to_validate(warehouse, staged, table), night=night)
    books = [_merge(warehouse, one, validation, table=table, night=night) for one in staged]
    accounts, quarantine = close_books(books, night)
    return LoadedSource(settled + accounts, quarantine, [validation])


def stage_file(fresh: Fresh, table: Table) -> Staged:
    """Parse a file into the rows to be tried tonight; a file that cannot be read is rejected whole."""
    try:
        parsed = parse_landed_csv(fresh.landed.content, table)
    except UnreadableFileError as error:
        empty = pl.DataFrame(schema={**table.polars_schema, "line": pl.Int64()})
        return Staged(fresh, empty, findings_frame([error.refusal]))
    return Staged(fresh, fresh.to_try(parsed.rows), fresh.to_try(parsed.rejected), parsed.notes)


def frame_to_validate(warehouse: Warehouse, staged: list[Staged], table: Table) -> pl.DataFrame:
    """Put the files' rows of a table together, with what its rules need to know."""
    schema = {**table.polars_schema, "line": pl.Int64(), "file_id": pl.String()}
    rows = [one.rows.with_columns(file_id=pl.lit(one.fresh.landed.file_id)) for one in staged]
    frame = pl.concat([pl.DataFrame(schema=schema), *(row.select(list(schema)) for row in rows)])
    return frame if table is PATIENTS else with_patient_facts(warehouse, frame)


def with_patient_facts(warehouse: Warehouse, frame: pl.DataFrame) -> pl.DataFrame:
    """Add what rules need to know of each row's patient: `is_known_patient` and `rt_start_date`."""
    patients = warehouse.read("patients").select(*PATIENT_KEY, "rt_start_date", is_known_patient=True)
    return frame.join(patients, on=PATIENT_KEY, how="left", maintain_order="left").with_columns(
        pl.col("is_known_patient").fill_null(value=False)
    )


def _merge(
    warehouse: Warehouse, staged: Staged, validation: Validation, *, table: Table, night: date
) -> Book:
    landed = staged.fresh.landed
    merge, broken = merge_passed(warehouse, landed, validation, table=table, night=night)
    findings = pl.concat([staged.rejected, broken])
    rows_in = landed.n_rows
    n_settled = staged.fresh.n_settled(rows_in)
    return Book(
        landed,
        rows_in=rows_in,
        loaded=len(merge.loaded),
        unchanged=len(merge.unchanged) + n_settled,
        quarantined=n_in_quarantine(findings, n_tried=rows_in - n_settled),
        notes=list(staged.notes),
        findings=[findings],
    )


def merge_passed(
    warehouse: Warehouse, landed: Landed, validation: Validation, *, table: Table, night: date
) -> tuple[Merge, pl.DataFrame]:
    """Write a file's rows that passed; return what they changed, and the findings on the others."""
    is_of_file = pl.col("file_id") == landed.file_id
    passed = validation.passed.filter(is_of_file).select(*table.column_names, "line")
    merge = merge_rows(warehouse.read_matching(table.name, passed.select(table.key)), passed, table)
    warehouse.correct(table, merge.loaded, merge.replaced, file_id=landed.file_id, night=night)
    failed = validation.failed.filter(is_of_file).select(FINDING_SCHEMA.names())
    return merge, pl.concat([failed, merge.rejected])
