"""Plates that give known concentrations back: signals worked out from the curve of the plate's own standards.

Here: what stands in each well of the reconstructed cohort's plates, IL-7 alone. Not here: the export's format
(`transforms.xponent.export`), the fit (`models.curves.standard_curve`). Called by
`flows.reconstruction`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta

import numpy as np
import polars as pl

from models.curves.standard_curve import fit_standard_curves
from transforms.plates.wells import tidy_wells
from transforms.schemas import PATIENT_KEY, TIMEPOINTS
from transforms.xponent.export import PLATE_ROWS, ExportLevel, ExportPlate, ExportWell, write_xponent
from transforms.xponent.reader import parse_xponent

ANALYTE = "IL-7"
STANDARDS_PG_ML = (0.12, 0.49, 1.95, 7.81, 31.25, 125.0, 500.0)
N_SAMPLES_ON_A_PLATE = 40
BACKGROUND_MFI = 14.0
N_BEADS = 90
# Steep where IL-7 lies: half a unit of fluorescence, the instrument's finest step, is below 0.001 pg/mL.
_TRUE_CURVE = (0.0, 40_000.0, 20.0, -1.2, 1.0)


@dataclass(frozen=True)
class ReconstructedPlate:
    """A plate's name, its export, and its layout: well, site, patient_id, timepoint, collected_on."""

    name: str
    export: ExportPlate
    layout: pl.DataFrame


def samples_of(patients: pl.DataFrame) -> pl.DataFrame:
    """Return both samples of each patient in the order of the wells, as `lay_out_plates` takes them.

    patients: site, patient_id, rt_start_date, rt_end_date, il7_pre, il7_post (pg/mL).
    """
    before, after = (
        patients.select(*PATIENT_KEY, timepoint=pl.lit(timepoint), collected_on=day, concentration_pg_ml=il7)
        for timepoint, day, il7 in zip(
            TIMEPOINTS, ("rt_start_date", "rt_end_date"), ("il7_pre", "il7_post"), strict=True
        )
    )
    return pl.concat([before, after]).sort("patient_id", "timepoint", descending=[False, True])


def lay_out_plates(samples: pl.DataFrame) -> Iterator[ReconstructedPlate]:
    """Put samples on plates in duplicate, beside a blank and seven standards in duplicate.

    samples: site, patient_id, timepoint, collected_on, concentration_pg_ml, in the order of the wells.
    """
    for number, on_plate in enumerate(samples.iter_slices(N_SAMPLES_ON_A_PLATE), start=1):
        yield _plate(f"IL7-plate-{number:02d}", on_plate)


def _plate(name: str, samples: pl.DataFrame) -> ReconstructedPlate:
    read_at = datetime.combine(max(samples["collected_on"].to_list()) + timedelta(days=14), time(9, 30))
    standards = _standard_wells()
    bare = _export(name, read_at, standards)
    tidy = tidy_wells(parse_xponent(write_xponent(bare)), plate_id=name)
    curve = fit_standard_curves(tidy).select(*"abcdf").row(0)
    signals = [_pair(concentration, curve) for concentration in samples["concentration_pg_ml"]]
    wells = [_well(len(standards) + i) for i in range(2 * len(samples))]
    sampled = [
        ExportWell(well, f"S{i // 2 + 1:03d}", (signals[i // 2][i % 2],), (N_BEADS,))
        for i, well in enumerate(wells)
    ]
    twice = samples.select("site", "patient_id", "timepoint", "collected_on")[
        np.repeat(np.arange(len(samples)), 2)
    ]
    layout = twice.select(pl.Series("well", wells), pl.all())
    return ReconstructedPlate(name, _export(name, read_at, [*standards, *sampled]), layout)


def _export(name: str, read_at: datetime, wells: list[ExportWell]) -> ExportPlate:
    return ExportPlate(
        batch=name,
        lot="reconstructed",
        started_at=read_at,
        analytes=(ANALYTE,),
        wells=tuple(wells),
        standards=tuple(
            ExportLevel(f"Standard{i}", (level,)) for i, level in enumerate(STANDARDS_PG_ML, start=1)
        ),
    )


def _standard_wells() -> list[ExportWell]:
    names = ["Background0", *(f"Standard{i + 1}" for i in range(len(STANDARDS_PG_ML)))]
    medians = [BACKGROUND_MFI, *(_in_half_units(_signal(x, _TRUE_CURVE)) for x in STANDARDS_PG_ML)]
    return [
        ExportWell(_well(2 * i + replicate), name, (median,), (N_BEADS,))
        for i, (name, median) in enumerate(zip(names, medians, strict=True))
        for replicate in (0, 1)
    ]


def _pair(concentration_pg_ml: float, curve: tuple[float, ...]) -> tuple[float, float]:
    """Return the two half-unit signals around the exact one, so that the mean of both is nearest to it."""
    exact = _signal(concentration_pg_ml, curve) + BACKGROUND_MFI
    nearest = np.rint(exact * 4) / 4
    return float(np.floor(nearest * 2) / 2), float(np.ceil(nearest * 2) / 2)


def _in_half_units(signal: float) -> float:
    return float(np.rint((signal + BACKGROUND_MFI) * 2) / 2)


def _signal(concentration_pg_ml: float, curve: tuple[float, ...]) -> float:
    a, b, c, d, f = curve
    return float(a + (b - a) / (1 + (concentration_pg_ml / c) ** d) ** f)


def _well(index: int) -> str:
    return f"{PLATE_ROWS[index % len(PLATE_ROWS)]}{index // len(PLATE_ROWS) + 1}"
