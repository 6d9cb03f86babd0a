"""Cytokine plates of simulated patients: bead signals whose curve, fitted again, gives the concentrations.

Here: what is in each well, and its signal. Not here: the export's format
(`transforms.xponent.export`), the fit of the standards, the files. Called by `flows.simulate`.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

import numpy as np
import polars as pl

from models.simulation.patients import Floats
from models.simulation.sites import Site
from transforms.xponent.export import PLATE_ROWS, ExportLevel, ExportPlate, ExportWell

N_STANDARDS = 7
N_PATIENTS_ON_A_PLATE = 19
TIMEPOINTS = ("pre_rt", "post_rt")
STANDARD_STEP = 4.0
# Controls lie between the standards, in duplicate as well: the top standard over these.
CONTROL_STEPS = (STANDARD_STEP**4.5, STANDARD_STEP**1.5)
CONTROL_REACH = 0.35
BACKGROUND_MFI = 14.0
WELL_CV, WELL_SD_MFI = 0.03, 0.4
DAYS_UNTIL_READ = 14


@dataclass(frozen=True)
class Analyte:
    """A bead region: its top standard (pg/mL), its true curve, and what the patients have of it.

    The curve is the instrument's, y = a + (b - a) / (1 + (x / c)^d)^f with a = 0 over the background; d is
    negative, since signals rise. `median_pg_ml` and `log_sd` are of the patients; IL-7 comes from the model.
    """

    name: str
    top_pg_ml: float
    b: float
    c: float
    d: float
    f: float
    median_pg_ml: float = 0.0
    log_sd: float = 0.0

    def signal(self, concentration_pg_ml: Floats, *, gain: float) -> Floats:
        """Return the signal over the background (MFI) at concentrations above 0; 0 gives 0."""
        x = np.maximum(concentration_pg_ml, 1e-12) / self.c
        above: Floats = gain * self.b / (1 + x**self.d) ** self.f
        return np.where(concentration_pg_ml > 0, above, 0.0)


# IL-2 lies below the lowest standard in a part of the patients, as it does on real plates.
ANALYTES = (
    Analyte("IL-7", 500.0, 21000.0, 140.0, -1.18, 0.92),
    Analyte("IL-2", 2000.0, 18000.0, 600.0, -1.10, 1.00, median_pg_ml=1.2, log_sd=0.9),
    Analyte("IL-6", 4000.0, 24000.0, 700.0, -1.05, 1.10, median_pg_ml=9.0, log_sd=0.9),
    Analyte("IL-10", 1500.0, 16000.0, 300.0, -1.15, 0.95, median_pg_ml=2.5, log_sd=0.7),
    Analyte("IL-15", 2500.0, 15000.0, 500.0, -1.20, 0.90, median_pg_ml=6.0, log_sd=0.6),
    Analyte("IFN-gamma", 3000.0, 19000.0, 650.0, -1.10, 1.05, median_pg_ml=8.0, log_sd=0.8),
)


@dataclass(frozen=True)
class SimulatedPlate:
    """A plate and its layout: well, site, patient_id, timepoint, collected_on for each well with a sample."""

    name: str
    read_on: date
    export: ExportPlate
    layout: pl.DataFrame


def draw_plates(
    il7: pl.DataFrame, *, site: Site, site_index: int, seed: int, monthly_from: date | None = None
) -> Iterator[SimulatedPlate]:
    """Put one site's samples on plates of 19 patients, in the order in which their RT ends.

    `il7` has site, patient_id, timepoint, collected_on and concentration_pg_ml of that site alone, two rows a
    patient. A plate is read two weeks after its last sample; of patients whose RT ends on `monthly_from` or
    later, a site runs a plate at the end of each month, full or not. Standards, controls and samples are in
    duplicate.
    """
    for number, samples in enumerate(_runs(il7, monthly_from), start=1):
        # Three numbers: no stream of the patients, which have two, is the same.
        rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, site_index, number)))
        yield _draw_plate(rng, samples, name=f"{site.name}-plate-{number:04d}", lot=site.kit_lot)


def _runs(il7: pl.DataFrame, monthly_from: date | None) -> Iterator[pl.DataFrame]:
    """Yield the samples of each plate: both timepoints of a patient, before RT first."""
    rt_end = pl.col("rt_end")
    is_monthly = rt_end >= (monthly_from or date.max)
    batches = (
        il7.with_columns(rt_end=pl.col("collected_on").max().over("patient_id"))
        .with_columns(month=pl.when(is_monthly).then(rt_end.dt.month_start()))
        .sort("month", "rt_end", "patient_id", pl.col("timepoint") != TIMEPOINTS[0], nulls_last=False)
        .partition_by("month", maintain_order=True, include_key=False)
    )
    for batch in batches:
        yield from batch.iter_slices(N_PATIENTS_ON_A_PLATE * len(TIMEPOINTS))


def _draw_plate(rng: np.random.Generator, samples: pl.DataFrame, *, name: str, lot: str) -> SimulatedPlate:
    names = [f"S{i + 1:03d}" for i in range(len(samples))]
    standards = [f"Standard{i + 1}" for i in range(N_STANDARDS)]
    controls = [f"Control{i + 1}" for i in range(len(CONTROL_STEPS))]
    known = np.vstack([np.zeros(len(ANALYTES)), _ladder(), _control_levels()])
    contents = np.vstack([known, _concentrations(rng, samples)])
    labels = ["Background0", *standards, *controls, *names]
    medians = _medians(rng, np.repeat(contents, 2, axis=0), lot=lot)
    beads = rng.integers(60, 160, medians.shape)
    read_on = max(samples["collected_on"].to_list()) + timedelta(days=DAYS_UNTIL_READ)
    wells = tuple(
        ExportWell(_well(i), label, tuple(medians[i].tolist()), tuple(beads[i].tolist()))
        for i, label in enumerate(label for label in labels for _ in range(2))
    )
    export = ExportPlate(
        batch=name,
        lot=lot,
        started_at=datetime.combine(read_on, time(9, 30)),
        analytes=tuple(analyte.name for analyte in ANALYTES),
        wells=wells,
        standards=tuple(
            ExportLevel(standard, tuple(level.tolist()))
            for standard, level in zip(standards, _ladder(), strict=True)
        ),
        controls=tuple(
            _control(control, level) for control, level in zip(controls, _control_levels(), strict=True)
        ),
    )
    return SimulatedPlate(name, read_on, export, _layout(samples, n_before=2 * len(known)))


def _ladder() -> Floats:
    """Return the standards' concentrations, a row a standard from the lowest up, a column an analyte."""
    tops = np.array([analyte.top_pg_ml for analyte in ANALYTES])
    steps = STANDARD_STEP ** -np.arange(N_STANDARDS - 1, -1, -1.0)
    ladder: Floats = np.outer(steps, tops)
    return ladder


def _control_levels() -> Floats:
    tops = np.array([analyte.top_pg_ml for analyte in ANALYTES])
    levels: Floats = tops / np.array(CONTROL_STEPS)[:, None]
    return levels


def _control(name: str, level: Floats) -> ExportLevel:
    low, high = ((1 + reach) * level for reach in (-CONTROL_REACH, CONTROL_REACH))
    return ExportLevel(name, tuple(level.tolist()), low=tuple(low.tolist()), high=tuple(high.tolist()))


def _concentrations(rng: np.random.Generator, samples: pl.DataFrame) -> Floats:
    medians = np.array([analyte.median_pg_ml for analyte in ANALYTES])
    log_sds = np.array([analyte.log_sd for analyte in ANALYTES])
    drawn: Floats = medians * np.exp(log_sds * rng.standard_normal((len(samples), len(ANALYTES))))
    drawn[:, 0] = samples["concentration_pg_ml"].to_numpy()
    return drawn


def _medians(rng: np.random.Generator, contents: Floats, *, lot: str) -> Floats:
    """Return the median signals in steps of 0.5; a kit lot has its own gain for each analyte."""
    gains = np.random.default_rng([ord(letter) for letter in lot]).uniform(0.85, 1.15, len(ANALYTES))
    signals = np.column_stack(
        [
            analyte.signal(contents[:, i], gain=gain)
            for i, (analyte, gain) in enumerate(zip(ANALYTES, gains, strict=True))
        ]
    )
    noisy = signals * np.exp(WELL_CV * rng.standard_normal(signals.shape))
    noisy += BACKGROUND_MFI + WELL_SD_MFI * rng.standard_normal(signals.shape)
    medians: Floats = np.rint(noisy * 2) / 2
    return medians


def _layout(samples: pl.DataFrame, *, n_before: int) -> pl.DataFrame:
    wells = [_well(n_before + i) for i in range(2 * len(samples))]
    twice = samples.select("site", "patient_id", "timepoint", "collected_on")[
        np.repeat(np.arange(len(samples)), 2)
    ]
    return twice.select(pl.Series("well", wells), pl.all())


def _well(index: int) -> str:
    return f"{PLATE_ROWS[index % len(PLATE_ROWS)]}{index // len(PLATE_ROWS) + 1}"
