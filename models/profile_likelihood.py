"""Profile-likelihood intervals and the likelihood-ratio test of one coefficient, for any likelihood.

Here: where twice the profile log-likelihood has fallen by chi-square's 95 % point. Not here: the likelihoods,
nor their maximum (`models.likelihood`). Called by `models.firth` and by
`models.study.small_samples`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from models.estimate import Estimate, Flags, Floats, exponential
from models.likelihood import NEWTON_DECREMENT, Likelihood, Maximum, inverse_of, maximise
from models.model_tests import ModelTest, chi_square_test
from transforms.errors import NotEstimableError

# The 95 % point of chi-square with one degree of freedom, and its root.
CHI_SQUARE_95 = 3.841458820694124
ROOT_95 = math.sqrt(CHI_SQUARE_95)
# In standard errors: the limits hold ten digits.
STEP_TOLERANCE = 1e-11
# A log-likelihood is known to about this share of itself.
ROUNDING = 1e-15
MAX_STEPS = 50
MAX_FAILURES = 12
MAX_CLIMBS = 100


@dataclass(frozen=True)
class Profile:
    """A coefficient on its log scale with its profile-likelihood 95 % interval and likelihood-ratio test.

    A limit is None where the likelihood falls too little for one, `reason` says on which side and why.
    """

    name: str
    estimate: float
    ci_low: float | None
    ci_high: float | None
    test: ModelTest
    reason: str | None = None

    @property
    def p(self) -> float:
        """Two-sided p of the likelihood-ratio test."""
        return self.test.p

    @property
    def ratio(self) -> Estimate:
        """The exponential of the coefficient and of its interval."""
        limits = (None if limit is None else exponential(limit) for limit in (self.ci_low, self.ci_high))
        return Estimate(exponential(self.estimate), *limits)


def profile_coefficients(
    likelihood: Likelihood, names: Sequence[str], *, top: Maximum | None = None
) -> tuple[Profile, ...]:
    """Return a profile for each of the last coefficients, as many as `names` (an intercept stands before).

    top: the maximum over all, which is found where it is not given. Source: Venzon and Moolgavkar 1988.
    Raises `NotEstimableError` where there is no maximum over all coefficients; what seems to be one where
    data are separated is for whoever fits to refuse (`models.design`).
    """
    highest = maximise(likelihood) if top is None else top
    first = likelihood.n_coefficients - len(names)
    with np.errstate(all="ignore"):
        return tuple(
            _profile(_Ridge(likelihood, highest, first + place), name) for place, name in enumerate(names)
        )


def climb_to_the_end(likelihood: Likelihood, *, start: Floats, free: Flags) -> Maximum:
    """Maximise, and again from there while that still comes nearer.

    `maximise` takes steps that no longer shrink by half for rounding; with a penalty, whose curvature is not
    exactly known, they may be just slow.
    """
    top, left = maximise(likelihood, start=start, free=free), math.inf
    for _ in range(MAX_CLIMBS):
        before, left = left, _still_to_climb(top, free)
        if left < NEWTON_DECREMENT or left > 0.95 * before:
            break
        top = maximise(likelihood, start=top.coefficients, free=free)
    return top


def _still_to_climb(top: Maximum, free: Flags) -> float:
    """Half the squared Newton step in standard errors."""
    if not free.any():
        return 0.0
    score = top.at.score[free]
    return float(score @ inverse_of(top.at.information[np.ix_(free, free)]) @ score) / 2


def likelihood_ratio(likelihood: Likelihood, top: Maximum, place: int) -> ModelTest:
    """Return the likelihood-ratio test that the coefficient at `place` is 0."""
    return _Ridge(likelihood, top, place).test


@dataclass(eq=False)
class _Ridge:
    """The highest points of a likelihood with the coefficient at `place` held at one value after another."""

    likelihood: Likelihood
    top: Maximum
    place: int
    last: Maximum = field(init=False)

    def __post_init__(self) -> None:
        self.last = self.top

    @cached_property
    def is_free(self) -> Flags:
        free = np.full(self.likelihood.n_coefficients, True)
        free[self.place] = False
        return free

    @property
    def estimate(self) -> float:
        return float(self.top.coefficients[self.place])

    @cached_property
    def test(self) -> ModelTest:
        self.last = self.top
        return chi_square_test(self.fall_to(self.at(0.0)), 1)

    def at(self, value: float) -> Maximum:
        """Climb from the neighbour last found, moved along the tangent of the ridge."""
        start = self.last.coefficients.copy()
        start[self.is_free] += self._tangent() * (value - start[self.place])
        start[self.place] = value
        try:
            self.last = climb_to_the_end(self.likelihood, start=start, free=self.is_free)
        except NotEstimableError:
            start[self.is_free] = self.top.coefficients[self.is_free]
            self.last = climb_to_the_end(self.likelihood, start=start, free=self.is_free)
        return self.last

    def fall_to(self, point: Maximum) -> float:
        """Twice the loss of log-likelihood from the top."""
        return max(0.0, 2 * (self.top.at.log_likelihood - point.at.log_likelihood))

    def _tangent(self) -> Floats:
        information, free = self.last.at.information, self.is_free
        if not free.any():
            return np.zeros(0)
        tangent: Floats = -inverse_of(information[np.ix_(free, free)]) @ information[free, self.place]
        return tangent


def _profile(ridge: _Ridge, name: str) -> Profile:
    low, no_low = _try_limit(ridge, -1.0)
    high, no_high = _try_limit(ridge, 1.0)
    reasons = [f"no {side} limit: {why}" for side, why in (("lower", no_low), ("upper", no_high)) if why]
    return Profile(name, ridge.estimate, low, high, ridge.test, "; ".join(reasons) or None)


def _try_limit(ridge: _Ridge, side: float) -> tuple[float | None, str | None]:
    try:
        return _limit(ridge, side), None
    except NotEstimableError as failure:
        return None, str(failure)


def _limit(ridge: _Ridge, side: float) -> float:
    """Newton's method on the root of the fall, which is nearly a straight line; halved where it leaves.

    `inside` and `outside` bracket the limit, as distances from the estimate.
    """
    ridge.last = ridge.top
    step = _walds_reach(ridge)
    enough = step * (STEP_TOLERANCE + ROUNDING * abs(ridge.top.at.log_likelihood))
    inside, outside, distance, n_failures = 0.0, math.inf, step, 0
    for _ in range(MAX_STEPS):
        try:
            point = ridge.at(ridge.estimate + side * distance)
        except NotEstimableError:
            # Too far for one climb: from a place nearer by it may be reached.
            distance, n_failures = (inside + distance) / 2, n_failures + 1
            if n_failures > MAX_FAILURES:
                raise
            continue
        fall = ridge.fall_to(point)
        inside, outside = (inside, distance) if fall > CHI_SQUARE_95 else (distance, outside)
        move = _newton_move(fall, -side * float(point.at.score[ridge.place]))
        if abs(move) <= enough:
            return ridge.estimate + side * (distance + move)
        if outside - inside <= enough:
            break
        distance = _kept_between(inside, outside, distance + move)
    raise NotEstimableError("the likelihood hardly falls on that side")


def _walds_reach(ridge: _Ridge) -> float:
    return ROOT_95 * float(np.sqrt(inverse_of(ridge.top.at.information)[ridge.place, ridge.place]))


def _newton_move(fall: float, slope: float) -> float:
    """How much further out the root of the fall reaches its 95 % point, by its tangent; infinite if flat."""
    root = math.sqrt(fall)
    return (ROOT_95 - root) * root / slope if root > 0 and slope > 0 else math.inf


def _kept_between(inside: float, outside: float, distance: float) -> float:
    if math.isinf(outside):
        return min(distance, 4 * inside)
    return distance if inside < distance < outside else (inside + outside) / 2
