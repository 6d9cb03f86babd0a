"""What radiotherapy (RT) does to the simulated patients' lymphocytes and IL-7, week by week and after.

Here: ASL, the nadir, every count, IL-7 at the end of RT. Not here: who the patients are
(`models.simulation.patients`). Called by `models.simulation.cohort`.
"""

from dataclasses import dataclass, fields

import numpy as np
from scipy.special import expit

from models.simulation.patients import Codes, Flags, Floats, Margin, Patients
from models.simulation.survival import DAYS_PER_MONTH, FollowUp
from models.simulation.truth import AslTruth

ASL_BELOW_CELLS_PER_UL = 200.0
POST_RT_IL7_PG_ML = Margin(2.20, 0.62, 0.62, 0.20, 7.33)


@dataclass(frozen=True)
class Depletion:
    """How deep the counts fall: `depth` above 0 is ASL, and the further from 0 the further from 200."""

    asl_probability: Floats
    depth: Floats
    nadir_cells_per_ul: Floats

    @property
    def has_asl(self) -> Flags:
        """Whether the nadir is below 200 cells/uL."""
        return self.depth > 0


@dataclass(frozen=True)
class Counts:
    """One entry a count: the patient's index, day from the first day of RT, minute of that day, the count.

    `may_be_missed` is true of the weekly counts other than the nadir: a site that leaves out some of these
    changes neither baseline nor nadir nor ASL.
    """

    patient: Codes
    day: Codes
    minute: Codes
    tlc_cells_per_ul: Floats
    may_be_missed: Flags

    def keep(self, kept: Flags) -> "Counts":
        """Return the counts that are true in `kept`."""
        return Counts(*(getattr(self, field.name)[kept] for field in fields(self)))


@dataclass(frozen=True)
class Month:
    """A visit after RT: the month, its median count at a median baseline, the share of patients who come."""

    month: int
    median_cells_per_ul: float
    share: float


# Figure 1A: over 100 % of baseline at 2 months, 60 to 70 % from 3 to 6; visits every 1 to 3 months.
MONTHS = (
    Month(2, 1060, 0.98),
    Month(3, 695, 0.75),
    Month(4, 675, 0.60),
    Month(5, 590, 0.55),
    Month(6, 640, 0.75),
    Month(7, 700, 0.25),
    Month(8, 710, 0.25),
    Month(9, 720, 0.70),
    Month(10, 730, 0.20),
    Month(12, 750, 0.70),
)


def draw_depletion(rng: np.random.Generator, patients: Patients, truth: AslTruth) -> Depletion:
    """Draw ASL from its logistic model, and the nadir from the same draw.

    A logistic variable plus the log odds is above 0 with exactly the model's probability; how far it is
    above or below 0 sets the nadir, so larger volumes, low baselines and low IL-7 go with deeper ones.
    """
    log_odds = (
        truth.intercept
        + truth.hepatitis_viral * patients.has_viral_hepatitis
        + truth.baseline_lymphopenia * patients.has_baseline_lymphopenia
        + truth.ptv_per_100_cm3 * patients.ptv_cm3 / 100
        + truth.pre_rt_il7_per_pg_ml * patients.pre_rt_il7_pg_ml
    )
    depth = log_odds + rng.logistic(size=patients.n)
    baseline = patients.baseline_tlc_cells_per_ul
    shallow = 200 + (0.7 * baseline - 200).clip(0) * -np.expm1(np.minimum(depth, 0) / 6.6)
    deep = 200 * np.exp(-np.maximum(depth, 0) / 5.0)
    nadir = np.where(depth > 0, _tens(deep).clip(30, 190), np.floor(shallow / 10) * 10)
    return Depletion(expit(log_odds), depth, nadir)


def draw_post_rt_il7(rng: np.random.Generator, patients: Patients, depletion: Depletion) -> Floats:
    """Draw IL-7 (pg/mL) at the end of RT: it follows IL-7 before, and rises where lymphocytes are gone."""
    before = np.log(patients.pre_rt_il7_pg_ml / 2.22) / 0.62
    lack = np.tanh(depletion.depth / 4)
    score = 0.45 * before + 0.55 * lack + 0.8 * rng.standard_normal(patients.n)
    return POST_RT_IL7_PG_ML.at(score).round(3)


def draw_counts(
    rng: np.random.Generator,
    patients: Patients,
    depletion: Depletion,
    *,
    follow_up: FollowUp,
    post_rt_il7_pg_ml: Floats,
) -> Counts:
    """Draw every count, by patient and in the order of time: baseline, weekly during RT, then by month."""
    during_day, during = _counts_during_rt(rng, patients, depletion)
    after_day, after = _counts_after_rt(
        rng, patients, follow_up=follow_up, post_rt_il7_pg_ml=post_rt_il7_pg_ml
    )
    day, tlc = np.hstack([during_day, after_day]), np.hstack([during, after])
    minute = rng.integers(7 * 60, 16 * 60, day.shape)
    is_weekly = (np.arange(day.shape[1]) > 0) & (np.arange(day.shape[1]) < during.shape[1])
    may_be_missed = is_weekly & (tlc != depletion.nadir_cells_per_ul[:, None])
    there = ~np.isnan(tlc)
    patient, _ = np.nonzero(there)
    return Counts(patient, day[there], minute[there], tlc[there], may_be_missed[there])


def _counts_during_rt(
    rng: np.random.Generator, patients: Patients, depletion: Depletion
) -> tuple[Codes, Floats]:
    """Return days and counts (NaN where none) of the baseline, up to six weeks and the last day of RT."""
    n, last = patients.n, (patients.rt_end - patients.rt_start).astype(np.int64)
    weekly = 7 * np.arange(1, 7) + rng.integers(-1, 2, (n, 6))
    weekly = np.where(weekly <= last[:, None] - 2, weekly, -1)
    lowest_day = _day_of_nadir(rng, weekly, last)
    day = np.column_stack([-rng.integers(0, 8, n), weekly, last])
    baseline, nadir = patients.baseline_tlc_cells_per_ul, depletion.nadir_cells_per_ul
    # Most of the fall comes in the first two weeks; the rest is noise around an exponential.
    share = -np.expm1(-day / 9.0) / -np.expm1(-lowest_day / 9.0)[:, None]
    path = baseline[:, None] * (nadir / baseline)[:, None] ** share.clip(0, 1)
    tlc = np.maximum(_tens(path * np.exp(0.15 * rng.standard_normal(day.shape))), nadir[:, None])
    tlc = np.where(day == lowest_day[:, None], nadir[:, None], tlc)
    tlc[:, 0] = baseline
    tlc[:, 1:-1][weekly < 0] = np.nan
    return day, tlc


def _day_of_nadir(rng: np.random.Generator, weekly: Codes, last: Codes) -> Codes:
    """Return the day of the lowest count: the last day of RT in half the patients, or the last weekly one."""
    return np.where(rng.random(len(last)) < 0.5, last, weekly.max(axis=1))


def _counts_after_rt(
    rng: np.random.Generator, patients: Patients, *, follow_up: FollowUp, post_rt_il7_pg_ml: Floats
) -> tuple[Codes, Floats]:
    """Return days and counts (NaN where none) of the months after RT, while the patient is seen."""
    n = patients.n
    of_baseline = np.log(patients.baseline_tlc_cells_per_ul / 1015)
    of_il7 = np.log(post_rt_il7_pg_ml / 2.2)
    own = 0.25 * follow_up.survival_score + 0.20 * rng.standard_normal(n)
    level = 0.30 * of_baseline + 0.35 * of_il7 + own
    months = np.array([month.month for month in MONTHS])
    medians = np.array([month.median_cells_per_ul for month in MONTHS])
    shares = np.array([month.share for month in MONTHS])
    shape = (n, len(MONTHS))
    day = np.rint(months * DAYS_PER_MONTH).astype(np.int64) + rng.integers(-6, 7, shape)
    tlc = _tens(medians * np.exp(level[:, None] + 0.30 * rng.standard_normal(shape))).clip(20)
    is_seen = (rng.random(shape) < shares) & (day < follow_up.last_contact_day[:, None])
    return day, np.where(is_seen, tlc, np.nan)


def _tens(values: Floats) -> Floats:
    # The step that survives printing in thousands with two decimals, as some of the sites do.
    rounded: Floats = np.rint(values / 10) * 10
    return rounded
