"""Who the simulated patients are: characteristics with the study's margins and plausible correlations.

Here: everything known before radiotherapy (RT), and the plan of RT. Not here: what happens afterwards
(`models.simulation.course`, `models.simulation.survival`). Called by `models.simulation.cohort`.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.special import ndtr, ndtri

Floats = npt.NDArray[np.float64]
Codes = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]
Days = npt.NDArray[np.datetime64]

FIRST_RT_DAY, LAST_RT_DAY = np.datetime64("2016-07-01", "D"), np.datetime64("2018-10-31", "D")
TLC_STEP_CELLS_PER_UL = 10.0


@dataclass(frozen=True)
class Margin:
    """A skewed distribution within bounds: its median, and log standard deviations below and above it."""

    median: float
    sd_below: float
    sd_above: float
    low: float
    high: float

    def at(self, z: Floats) -> Floats:
        """Return the values at the normal scores `z`; half of them lie below the median, all in bounds."""
        below = self._half(np.minimum(z, 0.0), sd=self.sd_below, bound=self.low)
        above = self._half(-np.maximum(z, 0.0), sd=-self.sd_above, bound=self.high)
        values: Floats = self.median * np.exp(np.where(z < 0, below, above))
        return values

    def _half(self, z: Floats, *, sd: float, bound: float) -> Floats:
        tail = ndtr(np.log(bound / self.median) / sd)
        scores: Floats = sd * ndtri(tail + (0.5 - tail) * ndtr(z) / 0.5)
        return scores


# Medians and ranges: the study's Table 1 and section 4. Spreads: from its means and SDs (Table 4, Figure 1).
AGE_YEARS = Margin(61, 0.23, 0.2, 33, 80)
TUMOR_SIZE_CM = Margin(6.5, 0.72, 1.05, 1.3, 21.0)
PTV_CM3 = Margin(594, 1.15, 2.0, 37, 5156)
MEAN_LIVER_DOSE_GY = Margin(39.5, 0.72, 0.58, 4, 95)
AFP_NG_ML = Margin(64.4, 2.2, 5.2, 1.7, 268408)
PIVKA_II_MAU_ML = Margin(1616, 2.4, 3.6, 15, 75000)
PRE_RT_IL7_PG_ML = Margin(2.22, 0.62, 0.62, 0.24, 9.79)
BASELINE_TLC_CELLS_PER_UL = Margin(1015, 0.45, 0.46, 310, 3500)


@dataclass(frozen=True)
class Patients:
    """One entry a patient, in order; `pvtt` is portal vein tumour thrombosis, `uicc_stage` is 2, 3 or 4."""

    is_female: Flags
    age_years: Floats
    viral_type: Codes
    has_child_pugh_b: Flags
    has_cirrhosis: Flags
    tumor_size_cm: Floats
    has_multiple_tumors: Flags
    uicc_stage: Codes
    bclc_stage: Codes
    has_pvtt: Flags
    afp_ng_ml: Floats
    pivka_ii_mau_ml: Floats
    has_previous_treatment: Flags
    has_combined_therapy: Flags
    rt_start: Days
    rt_end: Days
    fractions: Codes
    dose_gy: Floats
    ptv_cm3: Floats
    mean_liver_dose_gy: Floats
    baseline_tlc_cells_per_ul: Floats
    pre_rt_il7_pg_ml: Floats

    @property
    def has_viral_hepatitis(self) -> Flags:
        """Whether the viral type is HBV (0) or HCV (1); 2 is neither."""
        return self.viral_type < 2

    @property
    def has_baseline_lymphopenia(self) -> Flags:
        """Whether the count before RT is 1,000 cells/uL or less."""
        return self.baseline_tlc_cells_per_ul <= 1000

    @property
    def n(self) -> int:
        """Number of patients."""
        return len(self.age_years)


class _Scores:
    """Standard normal scores that share two factors: the tumour's burden and the liver's disease."""

    def __init__(self, rng: np.random.Generator, n: int) -> None:
        self._rng, self._n = rng, n
        self._burden, self._liver = rng.standard_normal((2, n))

    def draw(self, *, burden: float = 0.0, liver: float = 0.0) -> Floats:
        own = np.sqrt(1 - burden**2 - liver**2)
        noise = self._rng.standard_normal(self._n)
        score: Floats = burden * self._burden + liver * self._liver + own * noise
        return score

    def flag(self, share: float | Floats, *, burden: float = 0.0, liver: float = 0.0) -> Flags:
        """Return true for about `share` of the patients, more often the higher their factors are."""
        flags: Flags = ndtr(self.draw(burden=burden, liver=liver)) > 1 - np.asarray(share)
        return flags


def draw_patients(rng: np.random.Generator, n: int) -> Patients:
    """Draw `n` patients; the margins are those of the study's Table 1."""
    scores = _Scores(rng, n)
    has_pvtt = scores.flag(46 / 98, burden=0.65, liver=0.2)
    has_multiple_tumors, bclc_stage = _tumors(rng, scores, has_pvtt)
    has_cirrhosis = scores.flag(45 / 98, liver=0.75)
    rt_start, rt_end, fractions = _courses(rng, n)
    return Patients(
        is_female=scores.flag(20 / 98),
        age_years=np.rint(AGE_YEARS.at(scores.draw(burden=-0.50, liver=-0.35))),
        viral_type=np.searchsorted([72 / 98, 77 / 98], rng.random(n)),
        has_child_pugh_b=scores.flag(12 / 98, burden=0.15, liver=0.5),
        has_cirrhosis=has_cirrhosis,
        tumor_size_cm=TUMOR_SIZE_CM.at(scores.draw(burden=0.85)).round(1),
        has_multiple_tumors=has_multiple_tumors,
        uicc_stage=_stages(scores, has_pvtt),
        bclc_stage=bclc_stage,
        has_pvtt=has_pvtt,
        afp_ng_ml=AFP_NG_ML.at(scores.draw(burden=0.35)).round(1),
        pivka_ii_mau_ml=np.rint(PIVKA_II_MAU_ML.at(scores.draw(burden=0.5))),
        has_previous_treatment=scores.flag(47 / 98, burden=-0.55, liver=-0.2),
        has_combined_therapy=scores.flag(66 / 98, burden=0.65, liver=0.3),
        rt_start=rt_start,
        rt_end=rt_end,
        fractions=fractions,
        dose_gy=np.where(rng.random(n) < 91 / 98, 100.0, 60.0 + 5.0 * rng.integers(0, 7, n)),
        ptv_cm3=np.rint(PTV_CM3.at(scores.draw(burden=0.92))),
        mean_liver_dose_gy=MEAN_LIVER_DOSE_GY.at(scores.draw(burden=0.7)).round(1),
        baseline_tlc_cells_per_ul=_to_tens(
            BASELINE_TLC_CELLS_PER_UL.at(scores.draw(burden=-0.40, liver=-0.55))
        ),
        pre_rt_il7_pg_ml=PRE_RT_IL7_PG_ML.at(scores.draw(burden=0.15, liver=0.05)).round(3),
    )


def _to_tens(values: Floats) -> Floats:
    # The step that survives printing in thousands with two decimals, as some of the sites do.
    return np.rint(values / TLC_STEP_CELLS_PER_UL) * TLC_STEP_CELLS_PER_UL


def _tumors(rng: np.random.Generator, scores: _Scores, has_pvtt: Flags) -> tuple[Flags, Codes]:
    """Return multiple tumours and BCLC stage (0 A, 1 B, 2 C): C is PVTT or spread, A single, B multiple."""
    is_bclc_c = has_pvtt | (rng.random(len(has_pvtt)) < 2 / 52)
    # Less than 29 of 48 and more than 26 of 50: PVTT and the number of tumours share the burden.
    has_multiple = scores.flag(np.where(is_bclc_c, 0.5436, 0.5773), burden=0.3)
    return has_multiple, np.where(is_bclc_c, 2, has_multiple.astype(np.int64))


def _stages(scores: _Scores, has_pvtt: Flags) -> Codes:
    """Return stages 2 to 4: without PVTT 27, 10 and 15 of 98 patients, with PVTT none, 21 and 25."""
    rank = ndtr(scores.draw(burden=0.4))
    # Quantiles of `rank` with PVTT and without: both share the burden.
    with_pvtt = np.where(rank > 0.5444, 4, 3)
    without = np.searchsorted([0.4414, 0.6369], rank) + 2
    return np.where(has_pvtt, with_pvtt, without)


def _courses(rng: np.random.Generator, n: int) -> tuple[Days, Days, Codes]:
    """Return first day, last day and fractions of RT: working days only, one course in six with a break."""
    span = int((LAST_RT_DAY - FIRST_RT_DAY).astype(int)) + 1
    start = np.busday_offset(FIRST_RT_DAY + rng.integers(0, span, n), 0, roll="backward")
    start = np.maximum(start, np.busday_offset(FIRST_RT_DAY, 0, roll="forward"))
    fractions = np.where(rng.random(n) < 0.93, 25, 20)
    missed = np.where(rng.random(n) < 1 / 6, rng.integers(1, 6, n), 0)
    return start, np.busday_offset(start, fractions - 1 + missed), fractions
