"""What the night would make of one export, said before it is dropped in the landing folder.

Here: the file read, the wells as CSV, the findings as lines, the exit code. Not here: reader, fits and rules
(`transforms.plates`, `models.curves.measured_plates`), which the night uses as well. Called by `flows.cli`.
"""

from dataclasses import dataclass
from pathlib import Path

import polars as pl

from flows.landed import plate_id_of
from models.curves.measured_plates import ParsedPlate, measure_plates
from transforms.errors import UsageError
from transforms.plates.findings import PLATE_FINDING_SCHEMA
from transforms.xponent.reader import UnreadablePlateError, XponentPlate, parse_xponent

WELLS_CLEAN, A_RULE_IS_BROKEN = 0, 3
COLUMNS = {
    "well": "well",
    "sample": "sample",
    "kind": "kind",
    "analyte": "analyte",
    "net_mfi": "net_mfi",
    "concentration_pg_ml": "concentration",
    "unit": "unit",
    "range": "range",
    "instrument_result": "instrument_result",
    "n_beads": "n_beads",
}


@dataclass(frozen=True, eq=False)
class CheckedPlate:
    """The wells as `COLUMNS` say, in the file's own units, and the findings (`PLATE_FINDING_SCHEMA`)."""

    wells: pl.DataFrame
    findings: pl.DataFrame

    @property
    def exit_code(self) -> int:
        """0 where the plate would load clean, 3 where a rule is broken."""
        is_clean = (self.findings["severity"] == "note").all()
        return WELLS_CLEAN if is_clean else A_RULE_IS_BROKEN


def check_plate(path: Path) -> CheckedPlate:
    """Check one export as the night would.

    Raises `UsageError` where the file cannot be read or is no export of ours.
    """
    content = _read(path)
    try:
        plate = parse_xponent(content)
    except UnreadablePlateError as error:
        if not error.is_ours:
            raise UsageError(f"{path.name}: {error}") from error
        return CheckedPlate(pl.DataFrame(schema=dict.fromkeys(COLUMNS.values(), pl.String)), _refusal(error))
    measured = measure_plates([ParsedPlate(plate_id_of(content), plate)], in_units_of_the_file=True)
    return CheckedPlate(_wells(measured.wells, plate), measured.findings.select(PLATE_FINDING_SCHEMA.names()))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path}: expected an export that can be read, found: {error.strerror}.") from error


def _refusal(error: UnreadablePlateError) -> pl.DataFrame:
    finding = error.refusal
    row = (
        "P00",
        finding.rule,
        "refused",
        finding.column,
        None,
        finding.found,
        finding.expected,
        finding.remedy,
    )
    return pl.DataFrame([row], schema=PLATE_FINDING_SCHEMA, orient="row")


def _wells(wells: pl.DataFrame, plate: XponentPlate) -> pl.DataFrame:
    units = plate.units.select("analyte", "unit")
    with_units = wells.join(units, on="analyte", how="left", maintain_order="left")
    return with_units.select(pl.col(ours).alias(shown) for ours, shown in COLUMNS.items())


def tell(checked: CheckedPlate, *, name: str) -> list[str]:
    """Return the findings as lines for a person, the worst first, and what they come to."""
    order = pl.col("severity").replace_strict({"refused": 0, "not used": 1, "told": 2, "note": 3})
    lines = [_line(row) for row in checked.findings.sort(order, "code", maintain_order=True).to_dicts()]
    n_broken = len(checked.findings.filter(pl.col("severity") != "note"))
    outcome = f"{_counted(n_broken, 'finding')} of broken rules" if n_broken else "it would load clean"
    return [*lines, f"{name}: {outcome}, {_counted(len(lines) - n_broken, 'note')}."]


def _counted(n: int, word: str) -> str:
    return f"{n} {word}" if n == 1 else f"{n} {word}s"


def _line(row: dict[str, str | None]) -> str:
    place = ", ".join(part for part in (row["place"], row["analyte"]) if part) or "the whole plate"
    return (
        f"{row['code']} {row['rule']} ({row['severity']}), {place}: {row['found']}. "
        f"Expected: {row['expected']}. {row['remedy']}"
    )
