"""Loading cytokine plates: an instrument's export and its layout into wells, curves and concentrations.

Here: parse, fit, validate, merge, write and account, for all new plates of a night at once. Not here: the
reader (`transforms.xponent`), the fit (`models.standard_curve`). Called by `flows.steps`.
"""

import hashlib
from dataclasses import dataclass
from datetime import date

import polars as pl

from expectations.validation import Validation, validate_rows
from flows.accounts import Account, Fresh, quarantine_rows, settle_known
from flows.landing import LandedFile
from flows.load_tables import LoadedSource, with_patient_facts
from flows.warehouse import Warehouse
from models.standard_curve import concentrations, fit_standard_curves
from transforms.findings import FINDING_SCHEMA, UnreadableFileError, findings_frame
from transforms.merge import merge_rows
from transforms.plates import LAYOUT, TIDY_WELLS, parse_layout, summarise_replicates, tidy_wells
from transforms.schemas import CYTOKINES, PLATE_CURVES, PLATE_WELLS, QUARANTINE
from transforms.xponent import parse_xponent

_SAMPLE = ["site", "patient_id", "timepoint"]


@dataclass(frozen=True)
class StagedPlate:
    """A parsed plate: its wells (`TIDY_WELLS`), its layout (`LAYOUT`) and what was rejected so far.

    `layout` is empty where the plate is refused whole; `rejected` then says why, without a line.
    """

    fresh: Fresh
    plate_id: str
    wells: pl.DataFrame
    layout: pl.DataFrame
    rejected: pl.DataFrame
    is_refused: bool = False
    note: str | None = None


def load_plates(warehouse: Warehouse, files: tuple[LandedFile, ...], *, night: date) -> LoadedSource:
    """Load the plates into the working copy; their rows are the lines of their layouts.

    Raises `OSError` where a file cannot be read, `NadirError` where a line is not accounted for.
    """
    accounts, fresh = settle_known(warehouse, files)
    staged = [_stage(one) for one in fresh]
    tidy = pl.concat([pl.DataFrame(schema=TIDY_WELLS), *(one.wells for one in staged)]).unique(
        PLATE_WELLS.key, keep="first", maintain_order=True
    )
    curves = fit_standard_curves(tidy)
    wells = concentrations(curves, tidy)
    summaries = [_summarise(one, wells) for one in staged]
    validation = _validate(warehouse, [cytokines for cytokines, _ in summaries], night=night)
    quarantine = [pl.DataFrame(schema=QUARANTINE.polars_schema)]
    for one, (_, rejected) in zip(staged, summaries, strict=True):
        account, findings = _merge(warehouse, one, validation, rejected=rejected, night=night)
        accounts.append(account)
        quarantine.append(quarantine_rows(one.fresh.landed, findings, night))
        _write_plate(warehouse, one, wells=wells, curves=curves, night=night)
    handled = [one.landed.file_id for one in fresh]
    return LoadedSource(accounts, pl.concat(quarantine), [validation], handled)


def _stage(fresh: Fresh) -> StagedPlate:
    landed = fresh.landed
    plate_id = hashlib.sha256(landed.content).hexdigest()[:16]
    try:
        plate = parse_xponent(landed.content)
        layout = parse_layout(landed.layout or b"")
    except UnreadableFileError as error:
        refusal = findings_frame([error.refusal])
        nothing = pl.DataFrame(schema=TIDY_WELLS), pl.DataFrame(schema=LAYOUT)
        return StagedPlate(fresh, plate_id, *nothing, refusal, is_refused=True)
    wells = tidy_wells(plate, plate_id=plate_id)
    note = "the checksum fails: the file was changed after export" if plate.checksum == "fails" else None
    return StagedPlate(fresh, plate_id, wells, layout.rows, layout.rejected, note=note)


def _summarise(staged: StagedPlate, wells: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the plate's cytokines with `line` and `file_id`, and everything rejected so far."""
    summary = summarise_replicates(wells.filter(pl.col("plate_id") == staged.plate_id), staged.layout)
    cytokines = summary.cytokines.with_columns(file_id=pl.lit(staged.fresh.landed.file_id))
    return cytokines, pl.concat([staged.rejected, summary.rejected.match_to_schema(FINDING_SCHEMA)])


def _validate(warehouse: Warehouse, cytokines: list[pl.DataFrame], *, night: date) -> Validation:
    schema = {**CYTOKINES.polars_schema, "line": pl.Int64(), "file_id": pl.String()}
    frame = pl.concat([pl.DataFrame(schema=schema), *(one.select(list(schema)) for one in cytokines)])
    return validate_rows("cytokines", with_patient_facts(warehouse, frame), night=night)


def _merge(
    warehouse: Warehouse, staged: StagedPlate, validation: Validation, *, rejected: pl.DataFrame, night: date
) -> tuple[Account, pl.DataFrame]:
    file_id = staged.fresh.landed.file_id
    is_of_file = pl.col("file_id") == file_id
    passed = validation.passed.filter(is_of_file).select(*CYTOKINES.column_names, "line")
    current = warehouse.read_matching("cytokines", passed.select(CYTOKINES.key))
    merge = merge_rows(current, passed, CYTOKINES)
    replaced = pl.concat([merge.replaced, _no_longer_said(warehouse, staged, passed)])
    warehouse.correct(CYTOKINES, merge.loaded, replaced, file_id=file_id, night=night)
    failed = validation.failed.filter(is_of_file).select(FINDING_SCHEMA.names())
    findings = pl.concat([rejected, failed, merge.rejected])
    return _account(staged, findings, passed=passed, loaded=merge.loaded), findings


def _no_longer_said(warehouse: Warehouse, staged: StagedPlate, passed: pl.DataFrame) -> pl.DataFrame:
    """Concentrations that this plate gave under a former layout and gives no longer."""
    plate = pl.DataFrame({"plate_id": [staged.plate_id]})
    former = warehouse.read_matching("cytokines", plate)
    return former.join(passed, on=CYTOKINES.key, how="anti")


def _account(
    staged: StagedPlate, findings: pl.DataFrame, *, passed: pl.DataFrame, loaded: pl.DataFrame
) -> Account:
    """Account for the layout's lines: a line is loaded where its sample gave a new concentration."""
    landed = staged.fresh.landed
    if staged.is_refused or staged.layout.is_empty():
        n_loaded = n_unchanged = 0
    else:
        lines = staged.layout.join(findings.select("line").drop_nulls(), on="line", how="anti")
        n_loaded = len(lines.join(loaded, on=_SAMPLE, how="semi"))
        n_unchanged = len(lines.join(passed, on=_SAMPLE, how="semi")) - n_loaded
    return Account(
        landed.file.source,
        landed.file.name,
        landed.file_id,
        landed.n_rows,
        loaded=n_loaded,
        unchanged=n_unchanged,
        quarantined=landed.n_rows - n_loaded - n_unchanged,
        note=staged.note,
    )


def _write_plate(
    warehouse: Warehouse, staged: StagedPlate, *, wells: pl.DataFrame, curves: pl.DataFrame, night: date
) -> None:
    """Put the plate's wells and curves in the place of what the warehouse holds of that plate."""
    plate = pl.DataFrame({"plate_id": [staged.plate_id]})
    for table, rows in ((PLATE_WELLS, wells), (PLATE_CURVES, curves)):
        tonight = rows.filter(pl.col("plate_id") == staged.plate_id).select(table.column_names)
        former = warehouse.read_matching(table.name, plate)
        if not tonight.equals(former.select(table.column_names)):
            warehouse.correct(table, tonight, former, file_id=staged.fresh.landed.file_id, night=night)
