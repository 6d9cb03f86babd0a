"""The curve of an immunoassay, y = A + (B - A) / (1 + (x / C)^D)^F with D below zero: inverse and slopes.

Here: the formula. Not here: fitting it (`models.curves.fit`). Called by the modules beside it. Arrays of
coefficients are (n, 5): A, B, C, D, F; F is 1 where a curve has four parameters.
"""

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
COEFFICIENTS = ("a", "b", "c", "d", "f")


def inverse(y: Floats, coefficients: Floats) -> Floats:
    """Return the concentrations (n,) at signals y (n,).

    0 where the signal is at or under A, infinite where it is at or over B, not a number where one is missing.
    """
    a, b, c, d, f = np.asarray(coefficients, dtype=np.float64).T
    with np.errstate(all="ignore"):
        ratio = np.log((b - a) / (y - a)) / f
        # Far under C the power overflows before its root is taken.
        root = np.where(ratio > 1, ratio + np.log1p(-np.exp(-ratio)), np.log(np.expm1(ratio))) / d
        x = np.exp(np.log(c) + root)
    is_known = np.isfinite(y) & np.isfinite(a)
    return np.asarray(np.select([~is_known, y <= a, y >= b], [np.nan, 0.0, np.inf], default=x))


def signal(x: Floats, coefficients: Floats) -> Floats:
    """Return the signals (n, ...) at concentrations x (n, ...), the lower asymptote at 0."""
    a, b, _, _, _ = _spread(coefficients, x)
    return np.asarray(a + (b - a) * _shape(x, coefficients)[0])


def slopes(x: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    """Return dy / d log x (n, ...) and dy by A, B, log C, log -D and log F (n, ..., 5), at C = K F^(1 / D).

    C moves with D and F (K stays): on K, the curve has a limit as F goes to infinity, and the derivatives do
    not all become one. A covariance is the same on either.
    """
    a, b, _, d, f = _spread(coefficients, x)
    g, softplus, share, log_odds = _shape(x, coefficients)
    is_dose = np.asarray(x) > 0
    with np.errstate(all="ignore"):
        rise = np.where(is_dose, (b - a) * f * share * g, 0.0)
        by_slope = np.where(is_dose, -(log_odds + np.log(f)) * rise, 0.0)
        by_asymmetry = np.where(is_dose, rise - (b - a) * f * softplus * g, 0.0)
    return -d * rise, np.stack([1 - g, g, d * rise, by_slope, by_asymmetry], axis=-1)


def _spread(coefficients: Floats, x: Floats) -> Floats:
    """Return the coefficients (5, n, ...) with as many axes as x has."""
    turned = np.asarray(coefficients, dtype=np.float64).T
    return turned.reshape(*turned.shape, *[1] * (np.ndim(x) - 1))


def _shape(x: Floats, coefficients: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Return g = (1 + u)^-F, log(1 + u), u / (1 + u) and log u, where u = (x / C)^D."""
    _, _, c, d, f = _spread(coefficients, x)
    with np.errstate(all="ignore"):
        log_odds = d * (np.log(x) - np.log(c))
        softplus = np.logaddexp(0.0, log_odds)
        return np.exp(-f * softplus), softplus, np.exp(log_odds - softplus), log_odds
