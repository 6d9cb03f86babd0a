"""The top of a log-likelihood: Newton's method, for all coefficients or with some of them held fast.

Here: the shape that a likelihood has, and its maximum. Not here: any likelihood (the partial likelihood in
`models.survival`, `models.logistic_likelihood`). Called by the fits, by profile intervals and by resampling.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from models.estimate import Flags, Floats
from transforms.errors import NotEstimableError

# Half the squared Newton step in standard errors: at 1e-20 coefficients hold ten digits and more. Where
# rounding keeps it above that (nearly collinear columns), it must be below 1e-12 and no longer fall.
NEWTON_DECREMENT = 1e-20
ROUNDING_DECREMENT = 1e-12
MAX_STEPS = 100
MAX_HALVINGS = 30
# What the other coefficients leave of one's information, as a share; R's `toler.chol` is of this size.
SMALLEST_SHARE_OF_INFORMATION = 1e-12


@dataclass(frozen=True, eq=False)
class Evaluation:
    """A log-likelihood at one point: its value, gradient (p,) and the negative of its Hessian (p, p)."""

    log_likelihood: float
    score: Floats
    information: Floats


class Likelihood(Protocol):
    """A concave log-likelihood of p coefficients."""

    @property
    def n_coefficients(self) -> int:
        """p."""

    def evaluate(self, coefficients: Floats) -> Evaluation:
        """Return value, gradient and information at (p,) coefficients."""


@dataclass(frozen=True, eq=False)
class Maximum:
    """Where a log-likelihood is highest, and what it is there."""

    coefficients: Floats
    at: Evaluation


def maximise(likelihood: Likelihood, *, start: Floats | None = None, free: Flags | None = None) -> Maximum:
    """Climb from `start` (by default 0) to the maximum over the `free` coefficients (by default all).

    A step that does not climb is halved. Raises `NotEstimableError` where the climb does not end, or where
    the data do not tell the coefficients apart. A likelihood without a top may seem to have one far out,
    where it is flat: whoever fits asks `models.design.is_doubtful`.
    """
    point = np.zeros(likelihood.n_coefficients) if start is None else start.astype(np.float64)
    is_free = np.full(len(point), True) if free is None else free
    here, last_decrement = likelihood.evaluate(point), np.inf
    for _ in range(MAX_STEPS):
        step = _newton_step(here, is_free)
        decrement = float(here.score @ step) / 2
        if decrement < NEWTON_DECREMENT or last_decrement / 2 < decrement < ROUNDING_DECREMENT:
            return Maximum(point, here)
        point, here = _climb(likelihood, point, step=step, here=here)
        last_decrement = decrement
    raise NotEstimableError("the likelihood has no maximum that Newton's method reaches")


def _newton_step(here: Evaluation, is_free: Flags) -> Floats:
    step = np.zeros(len(is_free))
    if is_free.any():
        step[is_free] = inverse_of(here.information[np.ix_(is_free, is_free)]) @ here.score[is_free]
    return step


def inverse_of(information: Floats) -> Floats:
    """Return the inverse of a (p, p) information matrix, whatever the units of its coefficients.

    Raises `NotEstimableError` where it has none: then the data do not tell the coefficients apart.
    """
    spread = np.sqrt(np.abs(np.diag(information)))
    if not (np.isfinite(information).all() and (spread > 0).all()):
        raise NotEstimableError("the data hold no information on a coefficient")
    scales = np.outer(spread, spread)
    try:
        root = np.linalg.cholesky(information / scales)
    except np.linalg.LinAlgError as failure:
        raise NotEstimableError("the data do not tell the coefficients apart") from failure
    if (np.diag(root) ** 2).min() < SMALLEST_SHARE_OF_INFORMATION:
        raise NotEstimableError("the data do not tell the coefficients apart")
    half = np.linalg.inv(root)
    inverse: Floats = half.T @ half / scales
    return inverse


def _climb(
    likelihood: Likelihood, point: Floats, *, step: Floats, here: Evaluation
) -> tuple[Floats, Evaluation]:
    """The first of the step and its halves that does not lose height, rounding aside."""
    slack = 1e-12 * (1 + abs(here.log_likelihood))
    for halving in range(MAX_HALVINGS):
        to = point + step / 2**halving
        there = likelihood.evaluate(to)
        if _is_sound(there) and there.log_likelihood >= here.log_likelihood - slack:
            return to, there
    raise NotEstimableError("the likelihood has no maximum that Newton's method reaches")


def _is_sound(there: Evaluation) -> bool:
    """Whether all of it is within the range of numbers, which a step too far leaves."""
    return bool(np.isfinite(there.log_likelihood) and np.isfinite(there.information).all())
