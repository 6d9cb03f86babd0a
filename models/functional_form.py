"""Whether a continuous variable's effect is a straight line: the test of a restricted cubic spline beside it.

Here: the spline's term and the likelihood-ratio test, for any likelihood. Not here: the likelihoods, nor
which variables are asked about (`models.study`).
"""

from collections.abc import Callable

import numpy as np

from models.design import DOUBTFUL_LOG_RATIO
from models.estimate import Floats
from models.likelihood import Likelihood, Maximum, maximise
from models.model_tests import ModelTest, chi_square_test
from transforms.errors import NotEstimableError

# Of three knots (Harrell 2015, Regression Modeling Strategies, table 2.3).
KNOTS_AT = (0.1, 0.5, 0.9)


def spline_term(values: Floats) -> Floats:
    """Return the non-linear term (n,) of Harrell's restricted cubic spline, which stands beside the values.

    Three knots, at the 10th, 50th and 90th percentile (R's quantile type 7); cubes over the squared distance
    of the outer knots, as in Hmisc (Stone and Koo 1985). Raises `NotEstimableError` where knots coincide.
    """
    low, middle, high = (float(knot) for knot in np.quantile(values, KNOTS_AT))
    # Of two values the median may lie between; a curve through two points is a straight line.
    if not low < middle < high or len(np.unique(values)) < 3:
        raise NotEstimableError(
            "too few distinct values for a curve: two of the 10th, 50th and 90th percentile are the same"
        )
    reach = high - low

    def beyond(knot: float) -> Floats:
        cubes: Floats = np.maximum((values - knot) / reach, 0.0) ** 3
        return cubes

    share = reach / (high - middle)
    term: Floats = reach * (beyond(low) - share * beyond(middle) + (share - 1) * beyond(high))
    return term


def linearity_test(matrix: Floats, place: int, *, build: Callable[[Floats], Likelihood]) -> ModelTest:
    """Return the likelihood-ratio test of the spline's term for the column at `place`, one degree of freedom.

    matrix: (n, p), all columns of the model, which stay in it. build: makes the likelihood of a matrix.
    Raises `NotEstimableError` where knots coincide or either model has no maximum.
    """
    with_term = np.column_stack([matrix, spline_term(matrix[:, place])])
    straight, curved = _highest(matrix, build), _highest(with_term, build)
    return chi_square_test(2 * (curved.at.log_likelihood - straight.at.log_likelihood), 1)


def _highest(matrix: Floats, build: Callable[[Floats], Likelihood]) -> Maximum:
    with np.errstate(all="ignore"):
        top = maximise(build(matrix))
    # A likelihood that grows without end seems to have a top far out; single columns may well cancel out.
    reach = np.ptp(matrix @ top.coefficients[-matrix.shape[1] :])
    if not reach < 2 * DOUBTFUL_LOG_RATIO:
        raise NotEstimableError("the curve's likelihood has no maximum that can be believed")
    return top
