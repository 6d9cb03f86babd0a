"""Plates from their exports to curves, concentrations and findings: one way for the night and the command.

Here: the order of the steps, for all plates of a night at once. Not here: any of them. Called by
`flows.load_plates` and `flows.check_plate`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from models.curves.standard_curve import concentrations, fit_standard_curves
from transforms.plates.arithmetic import check_arithmetic
from transforms.plates.findings import PLATE_FINDING_SCHEMA
from transforms.plates.quality import CONTROLS, check_quality
from transforms.plates.wells import TIDY_WELLS, tidy_wells
from transforms.schemas import PLATE_FINDINGS, PLATE_WELLS, PLATES
from transforms.xponent.reader import XponentPlate


@dataclass(frozen=True, eq=False)
class ParsedPlate:
    """A parsed export with its name and what somebody excluded (`EXCLUDED_WELLS`)."""

    plate_id: str
    plate: XponentPlate
    exclusions: pl.DataFrame | None = None


@dataclass(frozen=True, eq=False)
class MeasuredPlates:
    """What plates say: frames of `PLATES`, `PLATE_WELLS`, `PLATE_CURVES` and `PLATE_FINDINGS`."""

    plates: pl.DataFrame
    wells: pl.DataFrame
    curves: pl.DataFrame
    findings: pl.DataFrame


def measure_plates(parsed: Sequence[ParsedPlate], *, in_units_of_the_file: bool = False) -> MeasuredPlates:
    """Fit the curves of any number of plates, and check what every rule says of them.

    Concentrations are in pg/mL, or in each file's own units. Of a plate that comes twice the last counts.
    """
    once = {one.plate_id: one for one in parsed}.values()
    tidy = [
        tidy_wells(
            one.plate,
            plate_id=one.plate_id,
            exclusions=one.exclusions,
            in_units_of_the_file=in_units_of_the_file,
        )
        for one in once
    ]
    wells = pl.concat([pl.DataFrame(schema=TIDY_WELLS), *tidy])
    curves = fit_standard_curves(wells)
    measured = concentrations(curves, wells)
    of_files = [
        check_arithmetic(one.plate).select(
            pl.lit(one.plate_id).alias("plate_id"), *PLATE_FINDING_SCHEMA.names()
        )
        for one in once
    ]
    empty = pl.DataFrame(schema=PLATE_FINDINGS.polars_schema)
    controls = pl.concat([pl.DataFrame(schema=CONTROLS), *(_controls(one) for one in once)])
    of_curves = check_quality(measured, curves, controls=controls)
    findings = pl.concat([empty, *of_files, of_curves.select(empty.columns)])
    plates = pl.DataFrame([_plate_row(one) for one in once], schema=PLATES.polars_schema)
    return MeasuredPlates(plates, measured.select(PLATE_WELLS.column_names), curves, findings)


def _controls(one: ParsedPlate) -> pl.DataFrame:
    return one.plate.controls.select(pl.lit(one.plate_id).alias("plate_id"), pl.all()).select(
        CONTROLS.names()
    )


def _plate_row(one: ParsedPlate) -> dict[str, object]:
    known = {name: getattr(one.plate, name, None) for name in PLATES.column_names}
    return known | {"plate_id": one.plate_id, "n_wells": one.plate.wells["well"].n_unique()}
