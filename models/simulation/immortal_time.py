"""Palliative patients of whom many die early: acute severe lymphopenia (ASL) and recovery need time to live.

Here: weekly counts that end at death, and a hazard that ASL raises from its onset on and recovery never
touches. Not here: who the patients are (`models.simulation.cohort`), whose truth lets ASL act from the start
and nobody die in the first weeks. Called by whoever checks that immortal time bites the naive estimates.
"""

from dataclasses import dataclass
from math import log

import numpy as np
import polars as pl

from models.simulation.cohort import SimulatedChunk, simulate_patients
from models.simulation.course import ASL_BELOW_CELLS_PER_UL
from models.simulation.patients import Codes, Flags, Floats
from models.simulation.survival import DAYS_PER_MONTH
from transforms.schemas import COUNTS, FOLLOW_UP, PATIENT_KEY

N_WEEKS = 13
_NEVER_DAY = 1_000_000


@dataclass(frozen=True)
class ImmortalTimeTruth:
    """What is true of these patients; hazards are per month and constant before and after `early_months`.

    `asl` is the log hazard ratio of death from the day of the first count below 200 cells/uL during RT on.
    Recovery has none: it changes no hazard. Progression has one hazard of its own until death. Follow-up
    ends between `follow_up_months`, whatever the patient's state.
    """

    asl: float = log(2.0)
    early_months: float = 3.0
    early_hazard: float = 0.15
    later_hazard: float = 0.05
    progression_hazard: float = 0.06
    follow_up_months: tuple[float, float] = (18.0, 48.0)


IMMORTAL_TIME_TRUTH = ImmortalTimeTruth()


@dataclass(frozen=True)
class PalliativeCohort:
    """Frames of the landing tables (`cytokines` as in `SimulatedChunk`), and what only a simulator knows.

    `outcomes`: site, patient_id, asl_onset_day (from the first day of RT; null for who dies before or never
    has a count below 200 cells/uL during RT).
    """

    patients: pl.DataFrame
    counts: pl.DataFrame
    cytokines: pl.DataFrame
    follow_up: pl.DataFrame
    outcomes: pl.DataFrame


def simulate_palliative(
    n: int, *, seed: int, truth: ImmortalTimeTruth = IMMORTAL_TIME_TRUTH
) -> PalliativeCohort:
    """Simulate `n` patients of one site. Raises `ValueError` where `n` is below one or the seed negative."""
    drawn = next(simulate_patients(n, seed=seed, n_sites=1, chunk_size=n))
    # Four numbers: a stream of neither the patients, which have two, nor of the plates (three).
    rng = np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0, 0, 0, 0)))
    last_rt_day = _days(drawn.patients["rt_end_date"] - drawn.patients["rt_start_date"])
    day, tlc = _draw_course(rng, last_rt_day)
    onset = _onset(day, tlc, last_rt_day)
    death = _draw_death(rng, onset, truth)
    progression = _whole_days(rng.exponential(1 / truth.progression_hazard, n))
    last_seen = _whole_days(rng.uniform(*truth.follow_up_months, n))
    until = np.minimum(death, last_seen)
    return PalliativeCohort(
        patients=drawn.patients,
        counts=_counts(drawn, day, tlc=tlc, until=until),
        cytokines=drawn.cytokines,
        follow_up=_follow_up(drawn.patients, death, progression=progression, last_seen=last_seen),
        outcomes=drawn.patients.select(
            *PATIENT_KEY, asl_onset_day=pl.when(pl.Series(onset < until)).then(pl.Series(onset))
        ),
    )


def _days(lengths: pl.Series) -> Codes:
    days: Codes = lengths.dt.total_days().to_numpy()
    return days


def _draw_course(rng: np.random.Generator, last_rt_day: Codes) -> tuple[Codes, Floats]:
    """Return days and counts (n, weeks) as they would be without death: a fall, a floor, a rise.

    The logarithm is linear between the first day, the end of the fall, the last day of RT and the end of the
    rise; half of the patients are back above 1,000 cells/uL near 2 months.
    """
    n = len(last_rt_day)
    day = 7 * np.arange(N_WEEKS + 1) + rng.integers(-1, 2, (n, N_WEEKS + 1))
    day[:, 0] = 0
    baseline, floor, top = (
        median * np.exp(sd * rng.standard_normal((n, 1)))
        for median, sd in ((1100, 0.35), (190, 0.45), (1300, 0.20))
    )
    fallen = rng.uniform(12, 28, (n, 1))
    risen = last_rt_day[:, None] + rng.uniform(14, 44, (n, 1))
    fall = (day / fallen).clip(0, 1)
    rise = ((day - last_rt_day[:, None]) / (risen - last_rt_day[:, None])).clip(0, 1)
    level = np.log(baseline) + fall * np.log(floor / baseline) + rise * np.log(top / floor)
    tlc: Floats = np.rint(np.exp(level + 0.12 * rng.standard_normal(day.shape)) / 10) * 10
    return day, tlc.clip(20)


def _onset(day: Codes, tlc: Floats, last_rt_day: Codes) -> Codes:
    """Return the day of the first count below 200 cells/uL during RT, whether or not it is lived to see."""
    is_low: Flags = (tlc < ASL_BELOW_CELLS_PER_UL) & (day <= last_rt_day[:, None])
    onset: Codes = np.where(is_low, day, _NEVER_DAY).min(axis=1)
    return onset


def _draw_death(rng: np.random.Generator, onset: Codes, truth: ImmortalTimeTruth) -> Codes:
    """Return the day on which the cumulative hazard, constant between its steps, reaches a drawn risk."""
    n = len(onset)
    steps = np.column_stack([np.zeros(n), np.full(n, truth.early_months), onset / DAYS_PER_MONTH])
    starts = np.sort(steps, axis=1)
    rate = np.where(starts < truth.early_months, truth.early_hazard, truth.later_hazard)
    rate = rate * np.where(starts >= steps[:, 2:], np.exp(truth.asl), 1.0)
    reached = np.column_stack([np.zeros(n), np.cumsum(np.diff(starts, axis=1) * rate[:, :-1], axis=1)])
    risk = rng.exponential(size=n)
    last = (np.arange(n), (reached <= risk[:, None]).sum(axis=1) - 1)
    return _whole_days(starts[last] + (risk - reached[last]) / rate[last])


def _whole_days(months: Floats) -> Codes:
    return np.minimum(np.ceil(months * DAYS_PER_MONTH), _NEVER_DAY).astype(np.int64)


def _counts(drawn: SimulatedChunk, day: Codes, *, tlc: Floats, until: Codes) -> pl.DataFrame:
    """Return the counts taken before the patient dies or is last seen, as a frame of `COUNTS`."""
    patient, week = np.nonzero(day < until[:, None])
    taken = drawn.patients[patient].select(
        *PATIENT_KEY,
        collected_on=pl.col("rt_start_date") + pl.duration(days=pl.lit(pl.Series(day[patient, week]))),
    )
    cells = pl.Series(tlc[patient, week])
    return (
        taken.with_columns(
            collected_at=pl.col("collected_on").cast(pl.Datetime("us")).dt.offset_by("8h"),
            code=pl.lit("731-0"),
            value=cells,
            unit=pl.lit("cells/uL"),
            tlc_cells_per_ul=cells,
            comparator=pl.lit(None),
            method=pl.lit("measured"),
            lower_limit_cells_per_ul=pl.lit(None),
            status=pl.lit("final"),
        )
        .select(COUNTS.column_names)
        .cast(COUNTS.polars_schema)
    )


def _follow_up(patients: pl.DataFrame, death: Codes, *, progression: Codes, last_seen: Codes) -> pl.DataFrame:
    last_contact = np.minimum(death, last_seen)
    is_seen = {
        "last_contact_date": (last_contact, np.full(len(death), True)),
        "death_date": (death, death <= last_seen),
        "progression_date": (progression, progression <= np.minimum(death - 1, last_seen)),
    }
    return patients.select(
        *PATIENT_KEY,
        **{
            name: pl.when(pl.Series(seen)).then(
                pl.col("rt_start_date") + pl.duration(days=pl.lit(pl.Series(day)))
            )
            for name, (day, seen) in is_seen.items()
        },
    ).cast(FOLLOW_UP.polars_schema)
