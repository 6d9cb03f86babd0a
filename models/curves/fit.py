"""Least squares for many standard curves at once: arrays in, arrays out.

Here: the standards as levels, the cold starts, the best curve of each. Not here: the way down from a start
(`models.curves.descent`), wells and frames (`models.curves.standard_curve`, which calls this).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.curves.descent import (
    Arrays,
    Bools,
    Levels,
    Limits,
    decoded,
    descend,
    dot,
    encoded,
    remainder,
    response,
)
from models.curves.logistic import Floats

# More curves share the overhead of a step; fewer keep to the cache.
CURVES_AT_ONCE = 8192

_STARTING_SLOPES = (0.6, 1.0, 1.6, 3.0)
_STARTING_ASYMMETRIES = (0.2, 0.5, 1.0, 2.5, 15.0)
_N_STARTING_SCALES = 5
_N_STARTS = 3
_LEAST_BEND = 1e-10
# The optimum of some curves lies at infinity. Within these limits the formula, taken as it stands, neither
# overflows nor loses more than eight digits, and a curve beyond them is the same to what a plate can show.
_REACH_DOWN, _REACH_UP, _LEAST_SLOPE, _LARGEST_SLOPE = 1e6, 1e20, 1 / 25, 20.0
_LEAST_ASYMMETRY, _LARGEST_ASYMMETRY = 1e-2, 1e8
# Beyond these a shape says no more than that; on such a curve the instrument stopped at an asymmetry of 144.
_EXTREME_REACH, _EXTREME_SLOPE, _EXTREME_ASYMMETRY = 1e4, 50.0, 150.0
_FLAT_ENOUGH = 1e-4


@dataclass(frozen=True)
class Fits(Arrays):
    """The best curves: coefficients, weighted squares and those about the mean, all (n,).

    `is_flat`: whether the squares have a minimum there. `is_extreme`: whether the shape is all but infinite.
    """

    a: Floats
    b: Floats
    c: Floats
    d: Floats
    f: Floats
    squares: Floats
    squares_about_mean: Floats
    is_flat: Bools
    is_extreme: Bools


def padded(at: tuple[NDArray[np.integer[Any]], NDArray[np.integer[Any]]], values: Floats) -> Floats:
    """Return values at rows and places of a rectangle with 0 elsewhere: (last row + 1, last place + 1)."""
    out = np.zeros([int(axis.max()) + 1 if len(axis) else 0 for axis in at])
    out[at] = values
    return out


def levels_of(x: Floats, *, signal: Floats, weight: Floats, squares_within: Floats) -> Levels:
    """Return levels from concentrations, mean signals and summed weights (m, n), weight 0 for padding."""
    is_dose = (x > 0) & (weight > 0)
    root_weight = np.sqrt(weight)
    length = np.sqrt(dot(root_weight, root_weight))
    direction = root_weight / length
    along = dot(direction, root_weight * signal)
    return Levels(
        log_x=np.log(x, out=np.zeros_like(x), where=is_dose),
        dose_weight=np.where(is_dose, root_weight, 0.0),
        direction=direction,
        signal=root_weight * signal - along * direction,
        along=along,
        length=length,
        squares_within=squares_within,
    )


@np.errstate(all="ignore")  # a start where the curve is a straight line gives no numbers, and loses
def fit_curves(levels: Levels, *, has_asymmetry: bool) -> Fits:
    """Return the curves of least weighted squares; F is 1 where they have no asymmetry.

    The search starts cold, from the best shapes of a coarse grid.
    """
    low, high = _limits(levels, has_asymmetry=has_asymmetry)
    starts = _starts(levels, (low, high))
    n, n_starts = len(levels.length), len(starts)
    each = np.tile(np.arange(n), n_starts)
    theta, squares, flatness = descend(
        levels.take(each), np.concatenate(starts, axis=1), limits=(low[:, each], high[:, each])
    )
    squares = np.where(np.isfinite(squares), squares, np.inf).reshape(n_starts, n)
    best = squares.argmin(axis=0) * n + np.arange(n)
    return _fits(levels, theta[:, best], is_flat=flatness[best] <= _FLAT_ENOUGH)


def _fits(levels: Levels, theta: Floats, *, is_flat: Bools) -> Fits:
    g = response(levels, theta).g
    residual, height, _ = remainder(levels, g)
    a = (levels.along - height * dot(levels.direction, g)) / levels.length
    log_k, log_slope, log_f = decoded(theta)
    lowest, highest = _ends(levels)
    bounds = np.log([_EXTREME_REACH, _EXTREME_SLOPE, _EXTREME_ASYMMETRY])
    beyond = np.stack([np.maximum(lowest - log_k, log_k - highest), np.abs(log_slope), np.abs(log_f)])
    return Fits(
        a=a,
        b=a + height,
        c=np.exp(log_k - log_f * np.exp(-log_slope)),
        d=-np.exp(log_slope),
        f=np.exp(log_f),
        squares=dot(residual, residual) + levels.squares_within,
        squares_about_mean=dot(levels.signal, levels.signal) + levels.squares_within,
        is_flat=is_flat,
        is_extreme=np.any(beyond >= bounds[:, None], axis=0),
    )


def _limits(levels: Levels, *, has_asymmetry: bool) -> Limits:
    lowest, highest = _ends(levels)
    each = np.ones_like(lowest)
    least, most = np.log([_LEAST_ASYMMETRY, _LARGEST_ASYMMETRY]) if has_asymmetry else np.zeros(2)
    low = encoded(lowest - np.log(_REACH_DOWN), each, least * each)
    high = encoded(highest + np.log(_REACH_UP), each, most * each)
    low[1], high[1] = np.log(_LEAST_SLOPE), np.log(_LARGEST_SLOPE)
    return low, high


def _ends(levels: Levels) -> tuple[Floats, Floats]:
    is_dose = levels.dose_weight > 0
    lowest = np.where(is_dose, levels.log_x, np.inf).min(axis=0)
    return lowest, np.where(is_dose, levels.log_x, -np.inf).max(axis=0)


def _starts(levels: Levels, limits: Limits) -> list[Floats]:
    """Return the best theta (3, n) of the grid at each asymmetry, the best first: `_N_STARTS` of them."""
    asymmetries = np.log(_STARTING_ASYMMETRIES) if limits[1][2].any() else np.zeros(1)
    lowest, highest = _ends(levels)
    best = [(np.full_like(lowest, np.inf), np.zeros((3, len(lowest)))) for _ in asymmetries]
    for log_c in np.linspace(lowest, highest, _N_STARTING_SCALES):
        for slope in _STARTING_SLOPES:
            softplus = np.log1p(np.exp(slope * (log_c - levels.log_x)))
            for (least, theta), log_f in zip(best, asymmetries, strict=True):
                squares = -_explained(levels, levels.dose_weight * np.exp(-np.exp(log_f) * softplus))
                is_lower = squares < least
                least[is_lower] = squares[is_lower]
                log_k = log_c[is_lower] + log_f / slope
                theta[:, is_lower] = encoded(log_k, np.full_like(log_k, np.log(slope)), log_f)
    order = np.argsort([least for least, _ in best], axis=0)[:_N_STARTS]
    thetas = np.stack([theta for _, theta in best])
    return [np.take_along_axis(thetas, rank[None, None], axis=0)[0] for rank in order]


def _explained(levels: Levels, g: Floats) -> Floats:
    """Return the squares that the best A and B take away (n,); rough where g is all but level."""
    along = dot(levels.direction, g)
    squares = dot(g, g)
    bend = squares - along**2
    return np.where(bend > _LEAST_BEND * squares, dot(g, levels.signal) ** 2 / bend, 0.0)
