"""Lymphocyte counts of the pseudo-patients.

Before RT, weekly during it, monthly after it, whole tens of cells/uL.

Here: counts that give the printed monthly means, the ASL of each patient, its baseline lymphopenia and its
recovery. Not here: who has them (the other stages). Called by `models.reconstruction.search`.
"""

import numpy as np
from numpy.typing import NDArray

from models.reconstruction.blocks import HAS_ASL, N_PATIENTS
from models.reconstruction.targets import Floats, Printed

WEEKLY_DAYS = (7, 14, 21, 28, 35)
MONTHLY_DAYS = {2: 61, 3: 91, 4: 122, 5: 152, 6: 183}
AFTER_SIX_MONTHS = (213, 274, 335)
STEP = 10.0
SEVERE, LOWER_LIMIT = 200.0, 1000.0
MEAN_AT_TWO_MONTHS = 1167.0
# The trough of counts lies in the fourth week; a week's count is this share of the way down from the
# baseline.
FALL = (0.45, 0.75, 0.92, 1.0, 0.95)


def shift_to_mean(values: Floats, *, mean: float, low: Floats, high: Floats) -> Floats:
    """Return `values` moved by tens, inside `low` and `high`, until their mean is nearest to `mean`."""
    moved = np.clip(np.round(values / STEP) * STEP, low, high)
    for _ in range(200):
        lacking = np.round((mean * len(moved) - moved.sum()) / STEP)
        if lacking == 0:
            break
        room = np.flatnonzero((moved < high) if lacking > 0 else (moved > low))
        chosen = room[:: max(1, len(room) // int(min(abs(lacking), len(room))))][: int(abs(lacking))]
        moved[chosen] = np.clip(moved[chosen] + np.sign(lacking) * STEP, low[chosen], high[chosen])
    return moved


def baseline_counts(is_lymphopenic: NDArray[np.bool_], *, mean: float, rng: np.random.Generator) -> Floats:
    """Return baseline counts (98,): 1,000 or less in the lymphopenic, above it in the others."""
    drawn = np.where(is_lymphopenic, rng.normal(760, 150, N_PATIENTS), rng.normal(1470, 260, N_PATIENTS))
    low = np.where(is_lymphopenic, 320.0, 1010.0)
    high = np.where(is_lymphopenic, 1000.0, 2600.0)
    return shift_to_mean(drawn, mean=mean, low=low, high=high)


def trough_counts(baseline: Floats, pre_il7: Floats, *, mean: float, rng: np.random.Generator) -> Floats:
    """Return the counts of day 28 (98,): below 200 with ASL, rising with IL-7, mean as printed."""
    asl = 90 + 12 * np.clip(pre_il7, 0, 6) + rng.normal(0, 22, N_PATIENTS)
    rest = 270 + 0.10 * (baseline - 900) + 22 * pre_il7 + rng.normal(0, 45, N_PATIENTS)
    low = np.where(HAS_ASL, 30.0, 200.0)
    high = np.where(HAS_ASL, 190.0, 900.0)
    return shift_to_mean(np.where(HAS_ASL, asl, rest), mean=mean, low=low, high=high)


def recovery_counts(
    has_recovered: NDArray[np.bool_], post_il7: Floats, *, rng: np.random.Generator
) -> Floats:
    """Return the counts of day 61 (98,): above 1,000 where ASL recovered, more with more IL-7 after RT."""
    drawn = 1030 + 90 * post_il7 + rng.normal(0, 260, N_PATIENTS)
    low = np.where(has_recovered, 1010.0, np.where(HAS_ASL, 240.0, 320.0))
    high = np.where(has_recovered | ~HAS_ASL, 3200.0, 1000.0)
    return shift_to_mean(drawn, mean=MEAN_AT_TWO_MONTHS, low=low, high=high)


def later_counts(baseline: Floats, n: int, *, mean: float, rng: np.random.Generator) -> Floats:
    """Return the counts of a later month for the `n` patients of `baseline` (n,), mean as printed."""
    drawn = mean * (0.45 + 0.55 * baseline / 1122.0) + rng.normal(0, 150, n)
    return shift_to_mean(drawn, mean=mean, low=np.full(n, 150.0), high=np.full(n, 2400.0))


def weekly_counts(baseline: Floats, trough: Floats, *, rng: np.random.Generator) -> Floats:
    """Return the counts of `WEEKLY_DAYS` (98, 5): a fall to the trough on day 28; non-ASL never below 200."""
    fallen = baseline[:, None] - np.array(FALL) * (baseline - trough)[:, None]
    drawn = fallen * np.exp(rng.normal(0, 0.08, fallen.shape))
    floor = np.where(HAS_ASL, 30.0, 200.0)[:, None]
    weeks = np.maximum(np.round(drawn / STEP) * STEP, floor)
    weeks[:, WEEKLY_DAYS.index(28)] = trough
    return np.asarray(weeks)


def month_mean(printed: Printed, month: int) -> float:
    """Return the printed mean count of that month."""
    return float(printed[("tlc_trajectory", f"month_{month}", "tlc_cells_per_ul", "", "mean")])
