"""Loading cytokine plates: an instrument's export and its layout into wells, curves and concentrations.

Here: parse, fit, validate, merge, write and account, for all new plates of a night at once. Not here: the
reader (`transforms.plates.xponent`), the fit (`models.curves.standard_curve`). Called by `flows.steps`.
"""

import hashlib
from dataclasses import dataclass
from datetime import date

import polars as pl

from expectations.validation import Validation, validate_rows
from flows.accounts import Account, Fresh, account_of, quarantine_rows, settle_known
from flows.landing import LandedFile
from flows.load_tables import LoadedSource, with_patient_facts
from flows.warehouse import Warehouse
from models.curves.standard_curve import concentrations, fit_standard_curves
from transforms.findings import FINDING_SCHEMA, Finding, UnreadableFileError, findings_frame
from transforms.merge import merge_rows
from transforms.plates.wells import LAYOUT, TIDY_WELLS, parse_layout, summarise_replicates, tidy_wells
from transforms.plates.xponent import parse_xponent
from transforms.schemas import CYTOKINES, PLATE_CURVES, PLATE_WELLS, QUARANTINE

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
    of_curves = _validate_plates("plate_curves", curves, staged, night=night)
    of_wells = _validate_plates("plate_wells", wells, staged, night=night)
    summaries = [_summarise(one, of_wells.passed) for one in staged]
    of_samples = _validate(warehouse, [cytokines for cytokines, _ in summaries], night=night)
    validations = [of_curves, of_wells, of_samples]
    quarantine = [pl.DataFrame(schema=QUARANTINE.polars_schema)]
    for one, (_, rejected) in zip(staged, summaries, strict=True):
        account, findings = _merge(warehouse, one, validations, rejected=rejected, night=night)
        accounts.append(account)
        quarantine.append(quarantine_rows(one.fresh.landed, findings, night))
        _write_plate(warehouse, one, wells=of_wells.passed, curves=of_curves.passed, night=night)
    return LoadedSource(accounts, pl.concat(quarantine), validations)


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


def _validate_plates(
    table_name: str, frame: pl.DataFrame, staged: list[StagedPlate], *, night: date
) -> Validation:
    """Check wells or curves; what breaks a rule points to the plate's file."""
    owners = pl.DataFrame(
        [(one.plate_id, one.fresh.landed.file_id, None) for one in staged],
        schema={"plate_id": pl.String(), "file_id": pl.String(), "line": pl.Int64()},
        orient="row",
    ).unique("plate_id", keep="first")
    return validate_rows(table_name, frame.join(owners, on="plate_id", maintain_order="left"), night=night)


def _validate(warehouse: Warehouse, cytokines: list[pl.DataFrame], *, night: date) -> Validation:
    schema = {**CYTOKINES.polars_schema, "line": pl.Int64(), "file_id": pl.String()}
    frame = pl.concat([pl.DataFrame(schema=schema), *(one.select(list(schema)) for one in cytokines)])
    return validate_rows("cytokines", with_patient_facts(warehouse, frame), night=night)


def _merge(
    warehouse: Warehouse,
    staged: StagedPlate,
    validations: list[Validation],
    *,
    rejected: pl.DataFrame,
    night: date,
) -> tuple[Account, pl.DataFrame]:
    file_id = staged.fresh.landed.file_id
    is_of_file = pl.col("file_id") == file_id
    passed = validations[-1].passed.filter(is_of_file).select(*CYTOKINES.column_names, "line")
    current = warehouse.read_matching("cytokines", passed.select(CYTOKINES.key))
    merge = merge_rows(current, passed, CYTOKINES)
    replaced = pl.concat([merge.replaced, _no_longer_said(warehouse, staged, passed)])
    warehouse.correct(CYTOKINES, merge.loaded, replaced, file_id=file_id, night=night)
    failed = [one.failed.filter(is_of_file).select(FINDING_SCHEMA.names()) for one in validations]
    findings = pl.concat([rejected, *failed, merge.rejected])
    return _account(staged, findings, passed=passed, loaded=merge.loaded)


def _no_longer_said(warehouse: Warehouse, staged: StagedPlate, passed: pl.DataFrame) -> pl.DataFrame:
    """Concentrations that this plate gave under a former layout and gives no longer."""
    plate = pl.DataFrame({"plate_id": [staged.plate_id]})
    former = warehouse.read_matching("cytokines", plate)
    return former.join(passed, on=CYTOKINES.key, how="anti")


def _account(
    staged: StagedPlate, findings: pl.DataFrame, *, passed: pl.DataFrame, loaded: pl.DataFrame
) -> tuple[Account, pl.DataFrame]:
    """Account for the layout's lines; a line is loaded where its sample gave a new concentration.

    A line without a concentration is in quarantine and has a finding, if only that it gave none.
    """
    has_finding = staged.layout.join(findings.select("line").drop_nulls(), on="line", how="semi")
    gave = staged.layout.join(passed, on=_SAMPLE, how="semi").join(has_finding, on="line", how="anti")
    gave_new = gave.join(loaded, on=_SAMPLE, how="semi")
    gave_nothing = staged.layout.join(pl.concat([gave, has_finding]), on="line", how="anti")
    findings = pl.concat([findings, _no_concentration(gave_nothing)])
    rows_in = staged.fresh.landed.n_rows
    n_held = rows_in if staged.is_refused else findings["line"].drop_nulls().n_unique()
    account = account_of(
        staged.fresh.landed,
        rows_in=rows_in,
        loaded=len(gave_new),
        unchanged=len(gave) - len(gave_new),
        quarantined=n_held,
        note=staged.note,
    )
    return account, findings


def _no_concentration(lines: pl.DataFrame) -> pl.DataFrame:
    return findings_frame(
        Finding(
            rule="sample_gives_a_concentration",
            found="a sample without a usable well",
            expected="at least one well with a curve, enough beads and a signal",
            remedy="Look at the plate's other findings; export it again once it is mended",
            line=line,
            column="well",
        )
        for line in lines["line"]
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
