"""The result of the search as frames: patients with dates and words, and their counts.

Here: everything that no regression decides: dates, identifiers, viral type, BCLC stage, counts. Not here: the
columns that the searches settle. Called by `models.reconstruction.search`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.reconstruction import counts as tlc
from models.reconstruction.blocks import BY_IL7, N_PATIENTS, Rows
from models.reconstruction.columns import order_by_volume
from models.reconstruction.polish import CHILD_PUGH_B, CIRRHOSIS, DAYS, DIED, STAGE
from models.reconstruction.targets import Bools, Floats, Printed
from models.reconstruction.times import LAST_ENROLLED
from models.reconstruction.volumes import HEPATITIS, LYMPHOPENIA, VOLUME

SITE = "reconstructed"
# Table 4: hepatitis C and BCLC stages A, B, C in the low and the high IL-7 group.
HEPATITIS_C = (3, 2)
BCLC = ((15, 12, 26), (9, 14, 22))
FIRST_START, LAST_START, LAST_CONTACT = date(2016, 7, 4), date(2018, 10, 31), date(2020, 2, 5)
RT_DAYS = (32, 33, 34, 35)
FRACTIONS = 25
FRIDAY = 4
SHARE_MEASURED, SHARE_MEASURED_LATE = 0.9, 0.7
FEWEST_AFTER_RT = 120.0


@dataclass(frozen=True)
class Settled:
    """What the searches settled, row by row of the blocks.

    volumes (98, 3), il7 (98, 2), joint (98, 5), progression days (98,), recovery (98,) and further columns by
    name.
    """

    volumes: Floats
    il7: Floats
    joint: Floats
    progression_days: Floats
    has_recovered: Bools
    columns: Mapping[str, Floats]


def patients_frame(settled: Settled, identifiers: Rows, *, rng: np.random.Generator) -> pl.DataFrame:
    """Return the patients: the columns of `Reconstruction.patients`, in the order of the blocks."""
    columns, joint, volume = settled.columns, settled.joint, settled.volumes[:, VOLUME]
    viral_type = _viral_type(settled.volumes[:, HEPATITIS] > 0, rng)
    bclc = _bclc_stage(columns["pvtt"] > 0, joint[:, STAGE] + columns["multiple_tumors"] / 2, rng)
    size = order_by_volume(columns["tumor_size_cm"], volume, rng=rng)
    liver_dose = order_by_volume(columns["mean_liver_dose_gy"], volume, rng=rng)
    days, died = joint[:, DAYS].astype(int), joint[:, DIED] > 0
    starts = [
        _start_date(int(n), has_died=bool(is_dead), rng=rng) for n, is_dead in zip(days, died, strict=True)
    ]
    ends = [_next_weekday(start + timedelta(days=int(rng.choice(RT_DAYS)))) for start in starts]
    return pl.DataFrame(
        {
            "site": [SITE] * N_PATIENTS,
            "patient_id": [f"PSEUDO-{number:03d}" for number in identifiers + 1],
            "sex": np.where(columns["female"] > 0, "female", "male"),
            "age_years": columns["age_years"].astype(int),
            "viral_type": viral_type,
            "child_pugh": np.where(joint[:, CHILD_PUGH_B] > 0, "B", "A"),
            "cirrhosis": _yes_no(joint[:, CIRRHOSIS]),
            "tumor_size_cm": size.round(1),
            "tumor_number": np.where(columns["multiple_tumors"] > 0, "multiple", "single"),
            "uicc_stage": np.array(["II", "III", "IV"])[joint[:, STAGE].astype(int) - 2],
            "bclc_stage": bclc,
            "pvtt": _yes_no(columns["pvtt"]),
            "afp_ng_ml": columns["afp_ng_ml"].round(1),
            "pivka_ii_mau_ml": columns["pivka_ii_mau_ml"].astype(int),
            "previous_treatment": _yes_no(columns["previous_treatment"]),
            "combined_treatment": np.where(
                columns["combined_therapy"] > 0, "chemoradiotherapy", "radiotherapy_alone"
            ),
            "rt_start_date": starts,
            "rt_end_date": ends,
            "fractions": [FRACTIONS] * N_PATIENTS,
            "dose_gy": columns["dose_gy"].round(1),
            "ptv_cm3": volume.astype(int),
            "mean_liver_dose_gy": liver_dose.round(1),
            "il7_pre": settled.il7[:, 0].round(2),
            "il7_post": settled.il7[:, 1].round(2),
            "last_contact_date": _after(starts, days, np.ones(N_PATIENTS, bool)),
            "death_date": _after(starts, days, died),
            "progression_date": _after(starts, settled.progression_days, settled.progression_days < days),
        }
    )


def _yes_no(column: Floats) -> NDArray[np.str_]:
    return np.where(column > 0, "yes", "no")


def _after(starts: list[date], days: NDArray[np.generic], happened: Bools) -> list[date | None]:
    return [
        start + timedelta(days=int(n)) if has_happened else None
        for start, n, has_happened in zip(starts, days, happened, strict=True)
    ]


def _viral_type(has_hepatitis: Bools, rng: np.random.Generator) -> list[str]:
    viral_type = np.where(has_hepatitis, "hbv", "none")
    for rows, n in zip(BY_IL7, HEPATITIS_C, strict=True):
        viral_type[rng.choice(rows[has_hepatitis[rows]], n, replace=False)] = "hcv"
    return [str(word) for word in viral_type]


def _bclc_stage(has_pvtt: Bools, extent: Floats, rng: np.random.Generator) -> list[str]:
    """Stage C with every PVTT, the rest by extent: the widest first."""
    stage = np.full(N_PATIENTS, "C")
    for rows, (n_a, n_b, _) in zip(BY_IL7, BCLC, strict=True):
        others = rows[~has_pvtt[rows]]
        ranked = others[np.argsort(extent[others] + rng.random(len(others)))]
        stage[ranked[:n_a]], stage[ranked[n_a : n_a + n_b]] = "A", "B"
    return [str(letter) for letter in stage]


def _start_date(follow_up_days: int, *, has_died: bool, rng: np.random.Generator) -> date:
    """Draw a weekday on which RT started, so that a survivor's follow-up ends near the last contact."""
    latest = min(LAST_START, LAST_CONTACT - timedelta(days=follow_up_days))
    is_free = has_died or follow_up_days < LAST_ENROLLED
    earliest = (
        FIRST_START if is_free else max(FIRST_START, LAST_CONTACT - timedelta(days=follow_up_days + 75))
    )
    earliest = min(earliest, latest)
    drawn = earliest + timedelta(days=int(rng.integers(0, (latest - earliest).days + 1)))
    while drawn.weekday() > FRIDAY and drawn > earliest:
        drawn -= timedelta(days=1)
    return _next_weekday(drawn)


def _next_weekday(day: date) -> date:
    while day.weekday() > FRIDAY:
        day += timedelta(days=1)
    return day


def counts_frame(
    settled: Settled, patients: pl.DataFrame, printed: Printed, *, rng: np.random.Generator
) -> pl.DataFrame:
    """Return the counts: patient_id, day_offset from the start of RT, cells_per_ul."""
    days = settled.joint[:, DAYS]
    baseline = tlc.baseline_counts(
        settled.volumes[:, LYMPHOPENIA] > 0, mean=tlc.month_mean(printed, 0), rng=rng
    )
    trough = tlc.trough_counts(baseline, settled.il7[:, 0], mean=tlc.month_mean(printed, 1), rng=rng)
    weeks = tlc.weekly_counts(baseline, trough, rng=rng)
    second = tlc.recovery_counts(settled.has_recovered, settled.il7[:, 1], rng=rng)
    everyone = np.arange(N_PATIENTS)
    parts = [(everyone, -rng.integers(0, 5, N_PATIENTS), baseline)]
    parts += [
        (everyone, np.full(N_PATIENTS, day), weeks[:, week]) for week, day in enumerate(tlc.WEEKLY_DAYS)
    ]
    parts.append((everyone, 61 + rng.integers(-3, 4, N_PATIENTS), second))
    for month, day in list(tlc.MONTHLY_DAYS.items())[1:]:
        rows = np.flatnonzero((days > day + 8) & (rng.random(N_PATIENTS) < SHARE_MEASURED))
        mean = tlc.month_mean(printed, month)
        later = tlc.later_counts(baseline[rows], len(rows), mean=mean, rng=rng)
        parts.append((rows, day + rng.integers(-5, 6, len(rows)), later))
    for day in tlc.AFTER_SIX_MONTHS:
        rows = np.flatnonzero((days > day + 10) & (rng.random(N_PATIENTS) < SHARE_MEASURED_LATE))
        late = np.maximum(np.round(rng.normal(800, 200, len(rows)) / 10) * 10, FEWEST_AFTER_RT)
        parts.append((rows, day + rng.integers(-6, 7, len(rows)), late))
    rows, offsets, values = (np.concatenate(column) for column in zip(*parts, strict=True))
    return pl.DataFrame(
        {
            "patient_id": patients["patient_id"].to_numpy()[rows],
            "day_offset": offsets.astype(int),
            "cells_per_ul": values.astype(int),
        }
    ).sort("patient_id", "day_offset")
