"""The descent to the best shape of many standard curves at once, by Levenberg and Marquardt's method.

Here: the levels of standards as arrays, and the search from given starts. Not here: the starts, and what is
made of the ends (`models.curves.fit`, which calls this).
"""

from dataclasses import dataclass, fields
from typing import Self

import numpy as np
from numpy.typing import NDArray

from models.curves.logistic import Floats

Bools = NDArray[np.bool_]
Limits = tuple[Floats, Floats]

_MOST_STEPS, _PLAIN_STEPS, _EQUAL_STEPS = 150, 25, 4
_FIRST_DAMPING, _LEAST_DAMPING, _MOST_DAMPING = 1e-2, 1e-10, 1e12
_PROBE, _DIFFERENCE = 0.1, 1e-5
_RIDGE, _LEAST_PIVOT = 1e-9, 1e-14
_FLAT = 1e-8
_ROUNDING, _LEAST_LEFT, _LEAST_SHARE_LEFT = 1e-15, 1e-12, 1e-16
_SHARE_TO_DROP = 0.2


@dataclass(frozen=True)
class Arrays:
    """Arrays whose last axis counts the same curves."""

    def take(self, curves: NDArray[np.intp] | Bools) -> Self:
        """Return some of the curves."""
        return type(self)(*(getattr(self, field.name)[..., curves] for field in fields(self)))

    def put(self, curves: NDArray[np.intp] | Bools, others: Self) -> None:
        """Write others in the place of some of the curves."""
        for field in fields(self):
            getattr(self, field.name)[..., curves] = getattr(others, field.name)


@dataclass(frozen=True)
class Levels(Arrays):
    """The levels of standards of n curves, padded to m with weight 0: (m, n) and, the last three, (n,).

    Wells at one concentration stand as their weighted mean, which leaves the best curve where it is.
    `direction` is the root of the weights as a unit vector, `along` and `signal` the weighted signal along it
    and at right angles to it.
    """

    log_x: Floats
    dose_weight: Floats
    direction: Floats
    signal: Floats
    along: Floats
    length: Floats
    squares_within: Floats


@dataclass(frozen=True)
class Response(Arrays):
    """The curve without A and B, weighted (m, n): g and what its derivatives need."""

    slope: Floats
    asymmetry: Floats
    lever: Floats
    share: Floats
    softplus: Floats
    g: Floats


@dataclass(frozen=True)
class _Point(Arrays):
    """A theta (3, n) and what the best A and B leave: residual (m, n), squares (n,), jacobian (3, m, n)."""

    theta: Floats
    residual: Floats
    squares: Floats
    jacobian: Floats


@dataclass(frozen=True)
class _Normal(Arrays):
    """Gradient, scale and correlations (12, 13, 23) of a point's normal equations, all (3, n)."""

    gradient: Floats
    scale: Floats
    correlation: Floats


@dataclass(frozen=True)
class _Search(Arrays):
    """Curves on their way down: where they are, how cautious the next step is, how often none was lower."""

    curve: NDArray[np.intp]
    low: Floats
    high: Floats
    damping: Floats
    n_equal: Floats


def descend(levels: Levels, theta: Floats, *, limits: Limits) -> tuple[Floats, Floats, Floats]:
    """Return the lowest points that Levenberg-Marquardt finds: theta (3, n), squares and flatness (n,).

    Curves that have arrived leave the arrays. The last few, whose valley is all but level, go on with the
    second derivatives of the squares in place of Gauss and Newton's.
    """
    n = theta.shape[1]
    theta_found, squares, flatness = theta.copy(), np.full(n, np.inf), np.full(n, np.inf)
    search = _Search(np.arange(n), *limits, np.full(n, _FIRST_DAMPING), np.zeros(n))
    here = _point(levels, theta)
    for n_steps in range(_MOST_STEPS + 1):
        normal = _normal(here, search)
        flat = _flatness(levels, here, normal=normal)
        is_done = (flat <= _FLAT) | (search.damping >= _MOST_DAMPING) | (search.n_equal >= _EQUAL_STEPS)
        is_done |= n_steps == _MOST_STEPS
        if is_done.all() or is_done.mean() > _SHARE_TO_DROP:
            arrived, going = search.curve[is_done], np.flatnonzero(~is_done)
            theta_found[:, arrived] = here.theta[:, is_done]
            squares[arrived], flatness[arrived] = here.squares[is_done], flat[is_done]
            if not len(going):
                break
            levels, here = levels.take(going), here.take(going)
            normal, search = normal.take(going), search.take(going)
        if n_steps < _PLAIN_STEPS or n_steps % 2:
            stride = _stride(levels, here, normal=normal, damping=search.damping)
        else:
            stride = _second_order_stride(levels, here, normal=normal, damping=search.damping)
        _move(levels, here, search=search, stride=stride)
    return theta_found, squares, flatness


def _move(levels: Levels, here: _Point, *, search: _Search, stride: Floats) -> None:
    """Go where the squares are lower, and be bolder next time; be more cautious where they are not."""
    there = _point(levels, np.clip(here.theta + stride, search.low, search.high))
    is_lower = there.squares < here.squares
    # At the bottom rounding decides which is lower; a few steps more bring the rest of the digits.
    is_equal = ~is_lower & (there.squares <= here.squares + _ROUNDING * dot(levels.signal, levels.signal))
    has_moved = is_lower | is_equal
    search.n_equal[:] = np.where(is_lower, 0, search.n_equal + is_equal)
    search.damping[:] = np.maximum(search.damping * np.where(has_moved, 0.2, 4.0), _LEAST_DAMPING)
    here.put(has_moved, there.take(has_moved))


def encoded(log_k: Floats, log_slope: Floats, log_f: Floats) -> Floats:
    """Return theta (3, n): log K, log of -D F / (1 + F), and (F - 1) / (F + 1); K is C F^(-1 / D).

    On these, the limits of the curve as F goes to infinity (exp(-(x / K)^D)) or to 0 (two straight lines in
    logarithms) lie at a finite place, where a descent arrives in a few steps.
    """
    return np.stack(np.broadcast_arrays(log_k, log_slope - np.logaddexp(0.0, -log_f), np.tanh(log_f / 2)))


def decoded(theta: Floats) -> tuple[Floats, Floats, Floats]:
    """Return log K, log of -D and log F (n,) at theta."""
    log_f = 2 * np.arctanh(theta[2])
    return theta[0], theta[1] + np.logaddexp(0.0, -log_f), log_f


def response(levels: Levels, theta: Floats) -> Response:
    """Return g = (1 + (x / C)^D)^-F at theta, weighted."""
    log_k, log_slope, log_f = decoded(theta)
    slope, asymmetry = np.exp(log_slope), np.exp(log_f)
    lever = slope * (log_k - levels.log_x)
    log_odds = lever - log_f
    odds = np.exp(-np.abs(log_odds))
    softplus = np.maximum(log_odds, 0.0) + np.log1p(odds)
    share = np.where(log_odds > 0, 1.0, odds) / (1 + odds)
    return Response(
        slope, asymmetry, lever, share, softplus, levels.dose_weight * np.exp(-asymmetry * softplus)
    )


def remainder(levels: Levels, g: Floats) -> tuple[Floats, Floats, Floats]:
    """Return what the best A and B leave (m, n), the best B - A (n,), and g at right angles to the level."""
    bent = g - dot(levels.direction, g) * levels.direction
    height = dot(bent, levels.signal) / dot(bent, bent)
    return levels.signal - height * bent, height, bent


def _point(levels: Levels, theta: Floats) -> _Point:
    """Solve for A and B at theta, and differentiate what they leave.

    The curve is linear in A and B, y = A + (B - A) g, so that only three parameters need a search: variable
    projection (Golub and Pereyra 1973) with Kaufman's Jacobian (1975).
    """
    one = response(levels, theta)
    residual, height, bent = remainder(levels, one.g)
    rise = one.asymmetry * one.g * one.share
    jacobian = np.empty((3, *one.g.shape))
    np.multiply(rise, -one.slope, out=jacobian[0])
    np.multiply(rise, -one.lever, out=jacobian[1])
    np.multiply(one.asymmetry * one.g, one.share - one.softplus, out=jacobian[2])
    jacobian[2] -= jacobian[1] / (1 + one.asymmetry)
    jacobian[2] *= (1 + one.asymmetry) ** 2 / (2 * one.asymmetry)
    before = _squares(jacobian)
    for direction in (levels.direction, bent / np.sqrt(dot(bent, bent))):
        jacobian -= _along(jacobian, direction)[:, None] * direction
    # What A and B can do as well leaves only rounding errors.
    is_left = _squares(jacobian) > _LEAST_SHARE_LEFT * before
    jacobian *= np.where(is_left, -height, 0.0)[:, None]
    return _Point(theta, residual, dot(residual, residual), jacobian)


def dot(first: Floats, second: Floats) -> Floats:
    """Return the sums of products over the levels: (m, n) and (m, n) give (n,)."""
    return np.asarray(np.einsum("mn,mn->n", first, second))


def _along(jacobian: Floats, rows: Floats) -> Floats:
    return np.asarray(np.einsum("kmn,mn->kn", jacobian, rows))


def _squares(jacobian: Floats) -> Floats:
    return np.asarray(np.einsum("kmn,kmn->kn", jacobian, jacobian))


def _normal(here: _Point, search: _Search) -> _Normal:
    """Return the normal equations, without the parameters that a limit holds back."""
    gradient = _along(here.jacobian, here.residual)
    is_held = ((here.theta <= search.low) & (gradient > 0)) | ((here.theta >= search.high) & (gradient < 0))
    squares = _squares(here.jacobian)
    is_free = ~is_held & (squares > 0)
    scale = np.where(is_free, 1 / np.sqrt(squares), 0.0)
    first, second, third = here.jacobian
    products = np.stack([dot(first, second), dot(first, third), dot(second, third)])
    return _Normal(np.where(is_free, gradient, 0.0), scale, products * _pairs(scale))


def _pairs(scale: Floats) -> Floats:
    return scale[[0, 0, 1]] * scale[[1, 2, 2]]


def _solve(correlation: Floats, right: Floats, *, ridge: Floats | float) -> tuple[Floats, Floats]:
    """Solve 3 x 3 systems with 1 + ridge on the diagonal by Cholesky: solution (3, n), squared norm (n,)."""
    top = np.sqrt(1 + ridge)
    l21, l31 = correlation[0] / top, correlation[1] / top
    l22 = np.sqrt(np.maximum(1 + ridge - l21**2, _LEAST_PIVOT))
    l32 = (correlation[2] - l31 * l21) / l22
    l33 = np.sqrt(np.maximum(1 + ridge - l31**2 - l32**2, _LEAST_PIVOT))
    y1 = right[0] / top
    y2 = (right[1] - l21 * y1) / l22
    y3 = (right[2] - l31 * y1 - l32 * y2) / l33
    x3 = y3 / l33
    x2 = (y2 - l32 * x3) / l22
    return np.stack([(y1 - l21 * x2 - l31 * x3) / top, x2, x3]), y1**2 + y2**2 + y3**2


def _flatness(levels: Levels, here: _Point, *, normal: _Normal) -> Floats:
    """Return the cosine between the residual and what a free step could change: 0 at the optimum."""
    gain = _solve(normal.correlation, normal.scale * normal.gradient, ridge=_RIDGE)[1]
    left = here.squares + levels.squares_within + _LEAST_LEFT * dot(levels.signal, levels.signal)
    return np.where(np.isfinite(gain), np.sqrt(gain / left), np.inf)


def _stride(levels: Levels, here: _Point, *, normal: _Normal, damping: Floats) -> Floats:
    """Return the damped Gauss-Newton step with geodesic acceleration (Transtrum and Sethna 2012).

    The valley of these curves is long and bent: without the second-order term a descent takes ten times the
    steps.
    """
    step = -normal.scale * _solve(normal.correlation, normal.scale * normal.gradient, ridge=damping)[0]
    ahead = remainder(levels, response(levels, here.theta + _PROBE * step).g)[0]
    along = np.einsum("kmn,kn->mn", here.jacobian, step)
    curvature = 2 / _PROBE * ((ahead - here.residual) / _PROBE - along)
    right = normal.scale * _along(here.jacobian, curvature)
    bend = -normal.scale * _solve(normal.correlation, right, ridge=damping)[0]
    is_small = dot(bend, bend) < 1.5**2 * dot(step, step)
    return step + np.where(is_small, bend / 2, 0.0)


def _second_order_stride(levels: Levels, here: _Point, *, normal: _Normal, damping: Floats) -> Floats:
    """Return the damped Newton step, by central differences of the gradient."""
    columns = []
    for offset in _DIFFERENCE * np.eye(3)[:, :, None]:
        after, before = (_point(levels, here.theta + sign * offset) for sign in (1, -1))
        change = _along(after.jacobian, after.residual) - _along(before.jacobian, before.residual)
        columns.append(change / (2 * _DIFFERENCE))
    hessian = np.moveaxis(np.stack(columns) * normal.scale[:, None] * normal.scale, 2, 0)
    values, vectors = np.linalg.eigh(np.nan_to_num((hessian + np.swapaxes(hessian, 1, 2)) / 2))
    values = np.maximum(np.abs(values), _LEAST_PIVOT) + np.minimum(damping, 1 / damping)[:, None]
    turned = np.swapaxes(vectors, 1, 2) @ (normal.scale * normal.gradient).T[..., None]
    return np.asarray(-normal.scale * (vectors @ (turned / values[..., None]))[..., 0].T)
