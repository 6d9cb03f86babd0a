"""Confidence intervals of concentrations that were read off a fitted curve.

Here: the covariance of a fit and the intervals. Not here: the fit (`models.curves.fit`), frames of wells
(`models.curves.standard_curve`, which calls this).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.special import stdtrit

from models.curves.logistic import Floats, signal, slopes

_LEVEL = 0.975
# Below this a signal is 0 but for rounding, and has the weight 1.
_LEAST_SIGNAL = 1e-9
# A direction in which the standards say nothing: a concentration between them does not depend on it either.
_SMALLEST_SINGULAR = 1e-9


@dataclass(frozen=True)
class Scatter:
    """What n fits leave open: `spread` (n, 5, 5) times its transpose is the covariance over the variance.

    variance: of a well's signal, in units of its square (n,). degrees: of freedom (n,), not above 0 where the
    standards say nothing of the variance.
    """

    spread: Floats
    variance: Floats
    degrees: Floats


def scatter_of(
    x: Floats, y: Floats, *, weight: Floats, coefficients: Floats, n_parameters: Floats
) -> Scatter:
    """Return the scatter of weighted fits from their standard wells (n, m), weight 0 for padding.

    The covariance is that of weighted least squares at the fitted curve, by a singular value decomposition
    of the Jacobian with columns of one length. Without a fifth parameter, F is known.
    """
    root_weight = np.sqrt(weight)
    residual = root_weight * (y - signal(x, coefficients))
    degrees = np.sum(weight > 0, axis=1) - n_parameters
    jacobian = root_weight[..., None] * slopes(x, coefficients)[1]
    jacobian[n_parameters < 5, :, 4] = 0.0
    lengths = np.linalg.norm(jacobian, axis=1)
    scale = np.divide(1, lengths, out=np.zeros_like(lengths), where=lengths > 0)
    _, singular, turned = np.linalg.svd(np.nan_to_num(jacobian * scale[:, None, :]), full_matrices=False)
    is_seen = singular > _SMALLEST_SINGULAR * singular[:, :1]
    stretch = np.divide(1, singular, out=np.zeros_like(singular), where=is_seen)
    spread = scale[:, :, None] * np.swapaxes(turned, 1, 2) * stretch[:, None, :]
    variance = np.sum(residual**2, axis=1) / np.maximum(degrees, 1)
    return Scatter(spread, variance, degrees)


@np.errstate(all="ignore")
def interval(
    x: Floats, y: Floats, *, coefficients: Floats, scatter: Scatter, of: NDArray[np.intp]
) -> tuple[Floats, Floats]:
    """Return the 95 % confidence limits of concentrations x (k,) at signals y; coefficients (k, 5).

    Inverse prediction by the delta method on the logarithm: the variance of log x is that of a well's signal,
    s^2 y^2 as the fit's weights say (s^2 where y is 0), and that of the curve there, both over the square of
    its slope; Student's t with as many degrees of freedom as the fit leaves. `of` (k,) says which row of the
    scatter is each well's. Not a number where x is none, or where the fit leaves no degree of freedom.

    Sources: Findlay and Dillard 2007 (AAPS J 9: E260); Draper and Smith, Applied Regression Analysis, on
    inverse estimation.
    """
    slope, by_parameter = slopes(x, coefficients)
    of_curve = np.sum(np.einsum("kp,kpq->kq", by_parameter, scatter.spread[of]) ** 2, axis=1)
    of_well = np.where(np.abs(y) < _LEAST_SIGNAL, 1.0, y**2)
    error = np.sqrt(scatter.variance[of] * (of_curve + of_well)) / slope
    degrees = scatter.degrees[of]
    is_known = (degrees > 0) & (x > 0) & np.isfinite(x)
    reach = np.where(is_known, stdtrit(np.maximum(degrees, 1), _LEVEL) * error, np.nan)
    return x * np.exp(-reach), x * np.exp(reach)
