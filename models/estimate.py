"""The shapes that every statistic here is returned in: a number with its interval, a model's coefficient.

Not here: how they are computed (`models.survival`, `models.regression`, ...) or laid out as rows
(`models.study.rows`). Everything in `models` may use it.
"""

import math
from dataclasses import dataclass
from functools import cached_property
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Flags = npt.NDArray[np.bool_]
Integers = npt.NDArray[np.int64]

Z_95 = NormalDist().inv_cdf(0.975)


@dataclass(frozen=True)
class Estimate:
    """A number with its 95 % interval; None where the data do not reach it."""

    value: float | None
    ci_low: float | None = None
    ci_high: float | None = None

    def scaled(self, factor: float) -> "Estimate":
        """Return the same estimate in another unit, `factor` times as large."""
        parts = (self.value, self.ci_low, self.ci_high)
        return Estimate(*(None if part is None else part * factor for part in parts))


@dataclass(frozen=True)
class Coefficient:
    """One coefficient of a model on its log scale, with Wald's test and 95 % interval.

    `ratio` is the hazard ratio or odds ratio for one unit more of the variable.
    """

    name: str
    estimate: float
    standard_error: float

    @property
    def z(self) -> float:
        """Wald's statistic."""
        return self.estimate / self.standard_error

    @cached_property
    def p(self) -> float:
        """Two-sided p of Wald's statistic; `erfc` keeps its digits far out in the tail."""
        return math.erfc(abs(self.z) / math.sqrt(2))

    @property
    def ratio(self) -> Estimate:
        """The exponential of the coefficient and of its interval."""
        reach = Z_95 * self.standard_error
        return Estimate(*(exponential(self.estimate + step) for step in (0.0, -reach, reach)))


def exponential(x: float) -> float | None:
    """Return e to the power of x; None where that is too large to be a number."""
    try:
        return math.exp(x)
    except OverflowError:
        return None
