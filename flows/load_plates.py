"""Loading cytokine plates: an export, its layout and its exclusions into wells and concentrations.

Here: parse, measure, validate, merge, write and account, for all new plates of a night at once. Not here: the
reader (`transforms.xponent`), fits and rules (`models.curves.measured_plates`). Called by `flows.steps`.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

from expectations.validation import Validation, validate_rows
from flows.accounts import Account, Book, Fresh, close_books, settle_known
from flows.landed import Landed, LandedFile, plate_id_of
from flows.load_tables import LoadedSource, with_patient_facts
from flows.warehouse import Warehouse
from models.curves.measured_plates import MeasuredPlates, ParsedPlate, measure_plates
from transforms.findings import FINDING_SCHEMA, Finding, UnreadableFileError, findings_frame
from transforms.merge import merge_rows
from transforms.plates.exclusions import REPEATED, parse_exclusions
from transforms.plates.layout import LAYOUT, parse_layout
from transforms.plates.wells import summarise_replicates
from transforms.schemas import CYTOKINES, EXCLUSIONS, PLATE_TABLES, PLATES, Table
from transforms.xponent.reader import XponentPlate, parse_xponent

_SAMPLE = ["site", "patient_id", "timepoint"]
_TABLES_OF_A_PLATE = tuple(table for table in PLATE_TABLES if table is not CYTOKINES)


@dataclass(frozen=True)
class StagedPlate:
    """A plate as it landed: its export, its layout (`LAYOUT`), its exclusions (`EXCLUSIONS`).

    A plate that is refused whole has no `plate` and no lines; `rejected` then says why, without a line.
    """

    fresh: Fresh
    plate_id: str
    plate: XponentPlate | None
    layout: pl.DataFrame
    exclusions: pl.DataFrame
    rejected: pl.DataFrame

    @property
    def file_id(self) -> str:
        """The name of the plate's files, together."""
        return self.fresh.landed.file_id


def load_plates(warehouse: Warehouse, files: tuple[LandedFile, ...], *, night: date) -> LoadedSource:
    """Load the plates into the working copy; their rows are the lines of their layouts.

    Raises `OSError` where a file cannot be read, `NadirError` where a line is not accounted for.
    """
    settled, fresh = _settle(warehouse, [file.read() for file in files])
    staged = [_stage(one, night=night) for one in fresh]
    measured = measure_plates(
        [ParsedPlate(one.plate_id, one.plate, one.exclusions) for one in staged if one.plate is not None]
    )
    of_curves = _validate_plates("plate_curves", measured.curves, staged, night=night)
    of_wells = _validate_plates("plate_wells", measured.wells, staged, night=night)
    summaries = [_summarise(one, of_wells.passed, measured.findings) for one in staged]
    of_samples = _validate_samples(warehouse, [cytokines for cytokines, _ in summaries], night=night)
    validations = [of_curves, of_wells, of_samples]
    books = []
    for one, (_, rejected) in zip(staged, summaries, strict=True):
        rows = _rows_of(one, measured, wells=of_wells.passed, curves=of_curves.passed)
        book = _merge(warehouse, one, validations, rejected=rejected, night=night)
        book.notes += _told(rows["plate_findings"])
        books.append(book)
        _write_plate(warehouse, one, rows, night=night)
    accounts, quarantine = close_books(books, night)
    return LoadedSource(settled + accounts, quarantine, validations)


def _settle(warehouse: Warehouse, landed: list[Landed]) -> tuple[list[Account], list[Fresh]]:
    """Account for the plates that are known; one whose layout or exclusions are as they once were is not.

    Of several files of one plate the last one counts.
    """
    newest = {plate_id_of(one.content): one.file_id for one in landed}
    held = dict(warehouse.read("plates").select("plate_id", "file_id").iter_rows())

    def is_out_of_date(one: Landed) -> bool:
        plate_id = plate_id_of(one.content)
        return newest[plate_id] == one.file_id != held.get(plate_id)

    return settle_known(warehouse, landed, is_out_of_date=is_out_of_date)


def _stage(fresh: Fresh, *, night: date) -> StagedPlate:
    landed, plate_id = fresh.landed, plate_id_of(fresh.landed.content)
    nothing = pl.DataFrame(schema=LAYOUT), pl.DataFrame(schema=EXCLUSIONS.polars_schema)
    try:
        plate = parse_xponent(landed.content)
        layout = parse_layout(landed.beside["layout"])
        exclusions = _exclusions(landed, plate, night=night)
    except UnreadableFileError as error:
        return StagedPlate(fresh, plate_id, None, *nothing, findings_frame([error.refusal]))
    return StagedPlate(
        fresh,
        plate_id,
        plate,
        layout.rows,
        exclusions.with_columns(plate_id=pl.lit(plate_id)).match_to_schema(EXCLUSIONS.polars_schema),
        layout.rejected,
    )


def _exclusions(landed: Landed, plate: XponentPlate, *, night: date) -> pl.DataFrame:
    """Return a plate's exclusions; a line that cannot be followed refuses the plate until it is mended.

    Fitting the plate without it would publish, as new, what somebody meant to leave out; what the plate gave
    before stays until the line is mended. A line that says again what an earlier one says is no reason to.
    """
    if "exclusions" not in landed.beside:
        return pl.DataFrame(schema=EXCLUSIONS.polars_schema)
    parsed = parse_exclusions(landed.beside["exclusions"], wells=plate.wells, night=night)
    rejected = parsed.rejected.filter(pl.col("rule") != REPEATED.rule)
    for line, column, rule, found, expected, remedy in rejected.select(FINDING_SCHEMA.names()).rows():
        place = f"exclusions, line {line}, {column}"
        raise UnreadableFileError(Finding(rule, found, expected, remedy, line=line, column=place))
    return parsed.rows.with_columns(plate_id=pl.lit(None, pl.String)).select(EXCLUSIONS.column_names)


def _summarise(
    staged: StagedPlate, wells: pl.DataFrame, findings: pl.DataFrame
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the plate's cytokines with `line` and `file_id`, and everything rejected so far."""
    is_of_plate = pl.col("plate_id") == staged.plate_id
    unused = findings.filter(is_of_plate & (pl.col("severity") == "not used"))
    summary = summarise_replicates(wells.filter(is_of_plate), staged.layout, unused=unused)
    cytokines = summary.cytokines.with_columns(file_id=pl.lit(staged.file_id))
    return cytokines, pl.concat([staged.rejected, summary.rejected])


def _validate_plates(
    table_name: str, frame: pl.DataFrame, staged: list[StagedPlate], *, night: date
) -> Validation:
    """Check wells or curves; what breaks a rule points to the plate's file."""
    owners = pl.DataFrame(
        [(one.plate_id, one.file_id, None) for one in staged],
        schema={"plate_id": pl.String(), "file_id": pl.String(), "line": pl.Int64()},
        orient="row",
    ).unique("plate_id", keep="last")
    return validate_rows(table_name, frame.join(owners, on="plate_id", maintain_order="left"), night=night)


def _validate_samples(warehouse: Warehouse, cytokines: list[pl.DataFrame], *, night: date) -> Validation:
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
) -> Book:
    is_of_file = pl.col("file_id") == staged.file_id
    passed = validations[-1].passed.filter(is_of_file).select(*CYTOKINES.column_names, "line")
    current = warehouse.read_matching("cytokines", passed.select(CYTOKINES.key))
    merge = merge_rows(current, passed, CYTOKINES)
    replaced = pl.concat([merge.replaced, _no_longer_said(warehouse, staged, passed)])
    warehouse.correct(CYTOKINES, merge.loaded, replaced, file_id=staged.file_id, night=night)
    failed = [one.failed.filter(is_of_file).select(FINDING_SCHEMA.names()) for one in validations]
    findings = pl.concat([rejected, *failed, merge.rejected])
    return _book(staged, findings, passed=passed, loaded=merge.loaded)


def _no_longer_said(warehouse: Warehouse, staged: StagedPlate, passed: pl.DataFrame) -> pl.DataFrame:
    """Concentrations that this plate gave under a former layout or fit and gives no longer.

    What a plate gave stays while the files beside it cannot be read.
    """
    plate = pl.DataFrame({"plate_id": [staged.plate_id]})
    former = warehouse.read_matching("cytokines", plate)
    return former.clear() if staged.plate is None else former.join(passed, on=CYTOKINES.key, how="anti")


def _book(staged: StagedPlate, findings: pl.DataFrame, *, passed: pl.DataFrame, loaded: pl.DataFrame) -> Book:
    """Account for the layout's lines; a line is loaded where its sample gave a new concentration.

    A line without a concentration is in quarantine and has a finding, if only that it gave none.
    """
    has_finding = staged.layout.join(findings.select("line").drop_nulls(), on="line", how="semi")
    gave = staged.layout.join(passed, on=_SAMPLE, how="semi").join(has_finding, on="line", how="anti")
    gave_new = gave.join(loaded, on=_SAMPLE, how="semi")
    gave_nothing = staged.layout.join(pl.concat([gave, has_finding]), on="line", how="anti")
    findings = pl.concat([findings, _no_concentration(gave_nothing)])
    landed = staged.fresh.landed
    rows_in = landed.n_rows
    # A finding without a line is on a curve or a well: it keeps no other line of the layout from loading.
    n_held = rows_in if staged.plate is None else findings["line"].drop_nulls().n_unique()
    return Book(
        landed,
        rows_in=rows_in,
        loaded=len(gave_new),
        unchanged=len(gave) - len(gave_new),
        quarantined=n_held,
        findings=[findings],
    )


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


def _told(findings: pl.DataFrame) -> list[str]:
    """Say in notes of the file which rules are broken though everything loads."""
    told = findings.filter(pl.col("severity") == "told").unique("code", keep="first", maintain_order=True)
    return [f"{code} {found}" for code, found in told.select("code", "found").rows()]


def _rows_of(
    staged: StagedPlate, measured: MeasuredPlates, *, wells: pl.DataFrame, curves: pl.DataFrame
) -> dict[str, pl.DataFrame]:
    """Return what the plate puts into each table of `_TABLES_OF_A_PLATE`."""
    frames = {
        "plates": measured.plates,
        "plate_wells": wells,
        "plate_curves": curves,
        "plate_findings": measured.findings,
        "exclusions": staged.exclusions,
    }
    is_of_plate = pl.col("plate_id") == staged.plate_id
    return {
        table.name: frames[table.name].filter(is_of_plate).select(table.column_names)
        for table in _TABLES_OF_A_PLATE
    }


def _write_plate(
    warehouse: Warehouse, staged: StagedPlate, rows: dict[str, pl.DataFrame], *, night: date
) -> None:
    """Put what the plate says in the place of what the warehouse holds of it; the former rows are kept."""
    if staged.plate is None:
        return
    for table in _TABLES_OF_A_PLATE:
        former = warehouse.read_matching(table.name, pl.DataFrame({"plate_id": [staged.plate_id]}))
        if not _is_as_before(rows[table.name], former, table, file_id=staged.file_id):
            warehouse.correct(table, rows[table.name], former, file_id=staged.file_id, night=night)


def _is_as_before(tonight: pl.DataFrame, former: pl.DataFrame, table: Table, *, file_id: str) -> bool:
    """Whether nothing is to be written; the row of `plates` says as well which files spoke last."""
    has_spoken = table is not PLATES or former["file_id"].to_list() == [file_id]
    return has_spoken and tonight.equals(former.select(table.column_names))
