"""When simulated patients progress, die or are last seen, and which toxicities they have.

Here: times from exact proportional hazards with the known coefficients. Not here: the coefficients
(`models.simulation.truth`). Called by `models.simulation.cohort`, after ASL has been drawn.
"""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from models.simulation.patients import Codes, Days, Flags, Floats, Patients
from models.simulation.truth import HazardTruth, Truth

DAYS_PER_MONTH = 30.4375
# The study's longest follow-up is 42.2 months; half of its patients have 20.5 or more, so none of those who
# started last can have been cut off much earlier.
DATA_CUT_OFF = np.datetime64("2020-06-30", "D")
LONGEST_FOLLOW_UP_DAYS = 1285
SHARE_LOST_A_YEAR = 0.02
SHARE_LINKED = 0.5
_NEVER_DAY = 1_000_000


@dataclass(frozen=True)
class FollowUp:
    """Days from the first day of RT; `death_day` and `progression_day` are -1 where they were not seen.

    `survival_score` is the normal score of how long a patient lives for his hazard: what other draws may
    lean on without touching the hazard ratios.
    """

    last_contact_day: Codes
    death_day: Codes
    progression_day: Codes
    survival_score: Floats


@dataclass(frozen=True)
class Toxicity:
    """A CTCAE v4.0 term with the share of patients who have it and the days on which it starts."""

    term: str
    share: float
    first_day: int
    last_day: int


TOXIC_EFFECTS = (
    Toxicity("Fatigue", 0.35, 7, 60),
    Toxicity("Anorexia", 0.28, 7, 50),
    Toxicity("Nausea", 0.25, 3, 45),
    Toxicity("Vomiting", 0.08, 3, 45),
    Toxicity("Gastric ulcer", 0.04, 40, 180),
    Toxicity("Duodenal ulcer", 0.04, 40, 180),
    Toxicity("Alanine aminotransferase increased", 0.22, 14, 120),
    Toxicity("Blood bilirubin increased", 0.15, 14, 120),
    Toxicity("Ascites", 0.10, 30, 180),
)
_GRADE_SHARES = (0.6, 0.9)


def draw_follow_up(rng: np.random.Generator, patients: Patients, *, has_asl: Flags, truth: Truth) -> FollowUp:
    """Draw deaths, progressions and last contacts, all in whole days from the first day of RT.

    Both overall and progression-free survival follow their hazards exactly: the hazard of progression is the
    difference of the two. In a share of the patients one draw gives both times, so that early progression
    goes with early death; either way each time alone keeps its distribution.
    """
    n = patients.n
    risk, own_risk = rng.exponential(size=(2, n))
    death_rate, either_rate = (
        np.exp(_log_ratio(hazard, patients, has_asl)) / hazard.scale_months**truth.weibull_shape
        for hazard in (truth.overall_survival, truth.progression_free_survival)
    )
    is_linked = rng.random(n) < SHARE_LINKED
    scaled_risk = np.where(
        is_linked, risk / either_rate, own_risk / np.maximum(either_rate - death_rate, 1e-12)
    )
    death, progression = _day(truth, risk / death_rate), _day(truth, scaled_risk)
    last_seen = _last_seen(rng, patients.rt_start)
    return FollowUp(
        last_contact_day=np.minimum(death, last_seen),
        death_day=np.where(death <= last_seen, death, -1),
        progression_day=np.where(progression <= np.minimum(death - 1, last_seen), progression, -1),
        survival_score=ndtri(np.clip(-np.expm1(-risk), 1e-9, 1 - 1e-9)),
    )


def _log_ratio(hazard: HazardTruth, patients: Patients, has_asl: Flags) -> Floats:
    log_ratio: Floats = (
        hazard.cirrhosis * patients.has_cirrhosis
        + hazard.child_pugh_b * patients.has_child_pugh_b
        + hazard.uicc_iii_iv * (patients.uicc_stage - 2)
        + hazard.asl * has_asl
    )
    return log_ratio


def _day(truth: Truth, scaled_risk: Floats) -> Codes:
    """Return the whole day on which the cumulative hazard reaches the risk that was drawn."""
    months = truth.quiet_months + scaled_risk ** (1 / truth.weibull_shape)
    return np.minimum(np.ceil(months * DAYS_PER_MONTH), _NEVER_DAY).astype(np.int64)


def _last_seen(rng: np.random.Generator, rt_start: Days) -> Codes:
    """Return the day of the last visit: within 60 days of the end of follow-up, or earlier where lost."""
    end = np.minimum((DATA_CUT_OFF - rt_start).astype(np.int64), LONGEST_FOLLOW_UP_DAYS)
    lost = 90 + rng.exponential(365.25 / SHARE_LOST_A_YEAR, len(rt_start))
    return np.minimum(end - rng.integers(0, 61, len(rt_start)), lost.astype(np.int64))


def draw_toxicities(
    rng: np.random.Generator, patients: Patients, last_contact_day: Codes
) -> tuple[Codes, Codes, Codes, Codes]:
    """Draw toxicities, one a row: patient's index, index into `TOXIC_EFFECTS`, day of onset, grade 1 to 3.

    They depend on nothing but Child-Pugh class, so that a test against IL-7 or ASL has a true null.
    """
    share = np.array([toxicity.share for toxicity in TOXIC_EFFECTS])
    first = np.array([toxicity.first_day for toxicity in TOXIC_EFFECTS])
    last = np.array([toxicity.last_day for toxicity in TOXIC_EFFECTS])
    shape = (patients.n, len(TOXIC_EFFECTS))
    share_of_patient = share * np.where(patients.has_child_pugh_b, 1.3, 1.0)[:, None]
    onset = rng.integers(first, last + 1, size=shape)
    has_it = (rng.random(shape) < share_of_patient) & (onset <= last_contact_day[:, None])
    grade = np.searchsorted(_GRADE_SHARES, rng.random(shape)) + 1
    patient, toxicity = np.nonzero(has_it)
    return patient, toxicity, onset[has_it], grade[has_it]
