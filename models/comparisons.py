"""Descriptions of a variable and tests between groups: t tests, chi-square, Fisher's exact; many tests.

Here: arrays in, frozen results out, by scipy. Not here: survival (`models.survival`) or which groups a
study compares (`models.study.tables`). Intervals are 95 %.
"""

import warnings
from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
import numpy.typing as npt
from scipy import stats

from models.estimate import Estimate, Floats, Integers
from transforms.errors import NotEstimableError

# Equal: Student's t test; unequal: Welch's.
Variances = Literal["equal", "unequal"]


@dataclass(frozen=True)
class Description:
    """Location and spread of one variable; `sd` has n - 1 below, None for a single value."""

    n: int
    mean: float
    sd: float | None
    median: float
    minimum: float
    maximum: float


@dataclass(frozen=True)
class TTest:
    """A two-sided t test; `difference` is first less second."""

    n: int
    t: float
    degrees_of_freedom: float
    p: float
    difference: Estimate


class _ScipyTTest(Protocol):
    """What is read of scipy's result, whose class has no public name."""

    statistic: float
    df: float
    pvalue: float

    def confidence_interval(self, confidence_level: float) -> tuple[float, float]:
        """Return the limits of the difference of means."""


@dataclass(frozen=True)
class ChiSquare:
    """Pearson's chi-square test without continuity correction."""

    n: int
    chi_square: float
    degrees_of_freedom: int
    p: float
    smallest_expected: float


@dataclass(frozen=True)
class FisherExact:
    """Fisher's exact test of a 2 x 2 table, two-sided."""

    n: int
    p: float


def describe(values: Floats) -> Description:
    """Describe the values; `NotEstimableError` where there is none."""
    if len(values) == 0:
        raise NotEstimableError("no values")
    return Description(
        n=len(values),
        mean=float(values.mean()),
        sd=float(values.std(ddof=1)) if len(values) > 1 else None,
        median=float(np.median(values)),
        minimum=float(values.min()),
        maximum=float(values.max()),
    )


def compare_means(first: Floats, second: Floats, *, variances: Variances = "equal") -> TTest:
    """Compare two independent groups by Student's t test, or Welch's where variances may differ.

    Raises `NotEstimableError` with fewer than two values in a group, or no spread in either.
    """
    smaller = min(len(first), len(second))
    if smaller < 2:
        raise NotEstimableError(f"a t test needs two values in each group; one group has {smaller}")
    _refuse_no_spread(first, second)
    with warnings.catch_warnings():
        # One group alone may be constant, a prescribed dose for instance: scipy fears for its digits.
        warnings.filterwarnings("ignore", message="Precision loss", category=RuntimeWarning)
        result = stats.ttest_ind(first, second, equal_var=variances == "equal")
    difference = float(first.mean() - second.mean())
    return _t_test(result, n=len(first) + len(second), difference=difference)


def compare_paired(first: Floats, second: Floats) -> TTest:
    """Compare two measurements of the same patients by the paired t test.

    Raises `NotEstimableError` with fewer than two pairs, or the same difference in all.
    """
    if len(first) < 2:
        raise NotEstimableError(f"a paired t test needs two pairs; there is/are {len(first)}")
    differences = first - second
    _refuse_no_spread(differences)
    return _t_test(stats.ttest_rel(first, second), n=len(first), difference=float(differences.mean()))


def _refuse_no_spread(*groups: Floats) -> None:
    if all(np.ptp(group) <= 1e-12 * np.abs(group).max() for group in groups):
        raise NotEstimableError("the values do not vary, so a t test has no standard error")


def _t_test(result: _ScipyTTest, *, n: int, difference: float) -> TTest:
    low, high = result.confidence_interval(0.95)
    return TTest(
        n=n,
        t=float(result.statistic),
        degrees_of_freedom=float(result.df),
        p=float(result.pvalue),
        difference=Estimate(difference, float(low), float(high)),
    )


def compare_proportions(counts: Integers) -> ChiSquare:
    """Test a (levels, groups) table of counts; levels that nobody has are left out.

    Raises `NotEstimableError` where fewer than two levels or two groups have patients.
    """
    table: npt.NDArray[np.int64] = counts[counts.sum(axis=1) > 0][:, counts.sum(axis=0) > 0]
    if min(table.shape) < 2:
        raise NotEstimableError("a chi-square test needs two levels and two groups with patients")
    result = stats.chi2_contingency(table, correction=False)
    return ChiSquare(
        n=int(table.sum()),
        chi_square=float(result.statistic),
        degrees_of_freedom=int(result.dof),
        p=float(result.pvalue),
        smallest_expected=float(result.expected_freq.min()),
    )


def compare_proportions_exactly(counts: Integers) -> FisherExact:
    """Test a 2 x 2 table of counts by Fisher's exact test: all tables no likelier than the one seen count.

    Raises `NotEstimableError` where a row or a column has nobody, `ValueError` for a table of another shape.
    Equal to R's fisher.test.
    """
    if counts.shape != (2, 2):
        raise ValueError(f"Fisher's exact test is given a table of {counts.shape}; it needs 2 x 2")
    if not (counts.any(axis=0).all() and counts.any(axis=1).all()):
        raise NotEstimableError("Fisher's exact test needs two levels and two groups with patients")
    return FisherExact(n=int(counts.sum()), p=float(stats.fisher_exact(counts).pvalue))


def adjust_bonferroni(p: float, n_comparisons: int) -> float:
    """Return `p` times the number of comparisons, at most 1."""
    return min(1.0, p * n_comparisons)


def adjust_fdr(p_values: Floats) -> Floats:
    """Return the q of each p of a family, in the order given: the false discovery rate.

    Benjamini and Hochberg, J R Stat Soc B 1995;57:289-300. Of those with a q of 0.05 or less, 5 % may be
    expected to be false. `ValueError` for what is no p: leave out before what was not estimated. Equal to
    R's p.adjust(method="BH").
    """
    if not ((p_values >= 0) & (p_values <= 1)).all():
        raise ValueError("p_values: each must be a number from 0 to 1")
    downwards = np.argsort(p_values)[::-1]
    ranks = np.arange(len(p_values), 0, -1)
    # No q is above that of a larger p.
    q_values = np.empty(len(p_values))
    q_values[downwards] = np.minimum.accumulate(p_values[downwards] * (len(p_values) / ranks))
    return q_values
