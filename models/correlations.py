"""Correlation of two variables: Pearson's with its interval, and Spearman's on ranks.

Here: pairs in, frozen results out. Not here: which pairs a study looks at (`models.study.correlations`, which
calls this). Intervals are 95 %.
"""

import math
from dataclasses import dataclass

import numpy as np
from scipy import stats

from models.estimate import Z_95, Estimate, Floats
from transforms.errors import NotEstimableError

FEWEST_PAIRS = 4


@dataclass(frozen=True)
class Correlation:
    """A coefficient from -1 to 1 with the two-sided p of no association; Spearman's has no interval."""

    n: int
    coefficient: Estimate
    p: float


def correlate_pearson(first: Floats, second: Floats) -> Correlation:
    """Return Pearson's r with Fisher's interval (Fisher, Metron 1921;1:3-32) and the p of its t test.

    Raises `NotEstimableError` with fewer than four pairs, or where either variable does not vary. Equal to
    R's cor.test.
    """
    _refuse_too_little(first, second)
    r, p = _pearson(first, second)
    reach = Z_95 / math.sqrt(len(first) - 3)
    # Fisher's z has no end at 1 and -1: there the interval is the coefficient itself.
    z = math.copysign(math.inf, r) if abs(r) == 1 else math.atanh(r)
    return Correlation(len(first), Estimate(r, math.tanh(z - reach), math.tanh(z + reach)), p)


def correlate_spearman(first: Floats, second: Floats) -> Correlation:
    """Return Spearman's rho, of equal values the mean rank, and the p of its t approximation.

    Raises as `correlate_pearson` does. Equal to R's cor.test(method="spearman", exact=FALSE).
    """
    _refuse_too_little(first, second)
    rho, p = _pearson(stats.rankdata(first), stats.rankdata(second))
    return Correlation(len(first), Estimate(rho), p)


def _refuse_too_little(first: Floats, second: Floats) -> None:
    if len(first) != len(second) or not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("a correlation needs pairs of finite numbers")
    if len(first) < FEWEST_PAIRS:
        raise NotEstimableError(f"a correlation needs {FEWEST_PAIRS} pairs; there is/are {len(first)}")
    if any(np.ptp(values) <= 1e-12 * np.abs(values).max() for values in (first, second)):
        raise NotEstimableError("one of the two does not vary, so there is no correlation")


def _pearson(first: Floats, second: Floats) -> tuple[float, float]:
    """Return r and the two-sided p of t = r sqrt((n - 2) / (1 - r^2)) with n - 2 degrees of freedom."""
    r = min(1.0, max(-1.0, float(_of_length_one(first) @ _of_length_one(second))))
    degrees_of_freedom = len(first) - 2
    t = math.inf if abs(r) == 1 else abs(r) * math.sqrt(degrees_of_freedom / (1 - r**2))
    return r, float(2 * stats.t.sf(t, degrees_of_freedom))


def _of_length_one(values: Floats) -> Floats:
    # Scaled first, so that no square of a large number overflows.
    deviations = values / np.abs(values).max()
    deviations = deviations - deviations.mean()
    return np.asarray(deviations / np.linalg.norm(deviations), dtype=np.float64)
