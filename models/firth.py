"""Firth's penalised logistic regression and Cox model, which have estimates where data are separated.

Here: the likelihood times the root of the information's determinant, its maximum and profiles. Not here:
plain fits (`models.regression`, `models.survival.cox`). Called by `models.study`.
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace

import numpy as np
import polars as pl
from scipy.special import expit

from models.design import read_design, refuse_one_outcome
from models.estimate import Flags, Floats, Integers
from models.likelihood import Evaluation, Likelihood, Maximum, inverse_of
from models.logistic_likelihood import LogisticLikelihood
from models.profile_likelihood import Profile, climb_to_the_end, profile_coefficients
from models.survival.partial_likelihood import PartialLikelihood, Ties
from transforms.errors import NotEstimableError

STEPS_OF_PLAIN_NEWTON = 30
# In standard errors: a shorter step tells rounding, and a smaller share of its length tells nothing new.
SHORTEST_TELLING_STEP = 1e-9
LEAST_TELLING = 1e-3
LARGEST_PROPORTION = 100.0


@dataclass(frozen=True)
class FirthFit:
    """A model by Firth's penalised likelihood; `coefficients` follow the covariates' order.

    Intervals and p are those of the profile of the penalised likelihood, as R's logistf and coxphf have them.
    """

    n: int
    events: int
    coefficients: tuple[Profile, ...]
    penalised_log_likelihood: float


def fit_firth_logistic(covariates: pl.DataFrame, outcome: Flags) -> FirthFit:
    """Fit a logistic regression after Firth (1993) and Heinze and Schemper (2002), separated or not.

    covariates: one finite row a patient. The penalty always holds the whole information, the intercept's and
    that of a coefficient under test included. Raises `NotEstimableError`: one outcome only, too few rows, a
    constant or collinear column.
    """
    refuse_one_outcome(outcome)
    likelihood = LogisticLikelihood(read_design(covariates, len(outcome)), outcome)
    return _fit(_penalised_logistic(likelihood), covariates.columns, events=outcome)


def maximise_firth_logistic(likelihood: LogisticLikelihood) -> Maximum:
    """Return the maximum of Firth's penalised likelihood alone, for who fits too often for profiles.

    Raises `NotEstimableError` where the climb does not end.
    """
    with np.errstate(all="ignore"):
        return _highest(_penalised_logistic(likelihood))


def _penalised_logistic(likelihood: LogisticLikelihood) -> "_Penalised":
    return _Penalised(likelihood, lambda *point: _logistic_slope(likelihood, *point))


def fit_firth_cox(
    covariates: pl.DataFrame, durations: Floats, events: Flags, *, ties: Ties = "efron"
) -> FirthFit:
    """Fit Cox's model after Heinze and Schemper (2001), whether or not its likelihood is monotone.

    The tied deaths' share is Efron's or Breslow's in the likelihood, the information and so in the penalty.
    Raises `NotEstimableError`: no events, too few rows, a constant or collinear column.
    """
    likelihood = PartialLikelihood(read_design(covariates, len(durations)), durations, events, ties=ties)
    penalised = _Penalised(likelihood, lambda *point: _partial_slope(likelihood, *point))
    return _fit(penalised, covariates.columns, events=events)


def _fit(penalised: "_Penalised", names: list[str], *, events: Flags) -> FirthFit:
    with np.errstate(all="ignore"):
        top = _highest(penalised)
        profiles = profile_coefficients(penalised, names, top=top)
    return FirthFit(
        n=len(events),
        events=int(events.sum()),
        coefficients=profiles,
        penalised_log_likelihood=top.at.log_likelihood,
    )


def _highest(penalised: "_Penalised") -> Maximum:
    """The higher of the tops reached from 0 and from the best place on the way to the plain maximum.

    With a column of long tails a penalised likelihood may have two: beside the one near 0 a higher one where
    the column separates.
    """
    way, free = _way_to_plain_maximum(penalised.likelihood), np.full(penalised.n_coefficients, True)
    tops = [climb_to_the_end(penalised, start=way[0], free=free)]
    start = max(way, key=penalised.height)
    if penalised.height(start) > penalised.height(np.zeros(len(start))):
        with suppress(NotEstimableError):
            tops.append(climb_to_the_end(penalised, start=start, free=free))
    return max(tops, key=lambda top: top.at.log_likelihood)


def _way_to_plain_maximum(likelihood: Likelihood) -> list[Floats]:
    """Points of Newton's method on the plain likelihood, where data are separated until they leave sight."""
    way = [np.zeros(likelihood.n_coefficients)]
    with suppress(NotEstimableError):
        for _ in range(STEPS_OF_PLAIN_NEWTON):
            here = likelihood.evaluate(way[-1])
            way.append(way[-1] + inverse_of(here.information) @ here.score)
    return way


@dataclass(eq=False)
class _Penalised:
    """A log-likelihood plus half the log determinant of its information.

    slope: the gradient (p,) of that log determinant, from coefficients and the inverse of the information.
    The information returned is the likelihood's own less what the last evaluations tell of the penalty's
    second derivative, where that leaves it positive: it sets the steps of the climb, not its end. Without it
    the climb is slow just where data are separated.
    """

    likelihood: Likelihood
    slope: Callable[[Floats, Floats], Floats]
    curvature: Floats = field(init=False)
    last: tuple[Floats, Floats] | None = None

    def __post_init__(self) -> None:
        self.curvature = np.zeros((self.n_coefficients, self.n_coefficients))

    @property
    def n_coefficients(self) -> int:
        return self.likelihood.n_coefficients

    def height(self, coefficients: Floats) -> float:
        """The penalised log-likelihood; minus infinity where it cannot be told."""
        height = self.evaluate(coefficients).log_likelihood
        return height if np.isfinite(height) else -np.inf

    def evaluate(self, coefficients: Floats) -> Evaluation:
        at = self.likelihood.evaluate(coefficients)
        try:
            information = _Information(at.information, inverse_of(at.information))
        except NotEstimableError:
            # So flat that its determinant is lost to rounding: the climb turns back from here.
            return Evaluation(-np.inf, at.score, at.information)
        gradient = self.slope(coefficients, information.inverse) / 2
        self._learn(coefficients, gradient, information)
        return Evaluation(
            at.log_likelihood + information.log_determinant / 2,
            at.score + gradient,
            at.information - self.curvature,
        )

    def _learn(self, coefficients: Floats, gradient: Floats, at: "_Information") -> None:
        """Update the penalty's curvature by the symmetric rank-one secant, of what the step has shown.

        Source: Dennis, Gay and Welsch 1981, who add to a known part of a second derivative in this way. A
        curvature that is out of all proportion is forgotten: steps would end where no top is.
        """
        before, self.last = self.last, (coefficients.copy(), gradient)
        if before is None:
            return
        step = coefficients - before[0]
        missing = gradient - before[1] - self.curvature @ step
        along, length = float(missing @ step), float(step @ at.matrix @ step)
        tells = along**2 > LEAST_TELLING**2 * length * float(missing @ at.inverse @ missing)
        if tells and length > SHORTEST_TELLING_STEP**2:
            self.curvature = self.curvature + np.outer(missing, missing) / along
        if not at.is_in_proportion(self.curvature):
            self.curvature = np.zeros_like(at.matrix)


@dataclass(frozen=True, eq=False)
class _Information:
    """An information matrix and its inverse."""

    matrix: Floats
    inverse: Floats

    @property
    def log_determinant(self) -> float:
        """That of the matrix, taken in units in which its diagonal is 1, which saves digits."""
        spread = np.sqrt(np.diag(self.matrix))
        correlation = self.matrix / np.outer(spread, spread)
        return float(np.linalg.slogdet(correlation)[1] + 2 * np.log(spread).sum())

    def is_in_proportion(self, curvature: Floats) -> bool:
        """Whether the matrix less the curvature is positive, and neither far smaller nor far larger."""
        spread = np.sqrt(np.diag(self.inverse))
        root = np.linalg.cholesky(self.inverse / np.outer(spread, spread))
        left = root.T @ ((self.matrix - curvature) * np.outer(spread, spread)) @ root
        shares = np.linalg.eigvalsh(left)
        return bool(shares[0] > 1 / LARGEST_PROPORTION and shares[-1] < LARGEST_PROPORTION)


def _logistic_slope(likelihood: LogisticLikelihood, coefficients: Floats, inverse: Floats) -> Floats:
    """The gradient of the log determinant: sum of pi (1 - pi) (1 - 2 pi) (x' M x) x over patients."""
    slope = np.zeros(likelihood.n_coefficients)
    for rows in likelihood.blocks():
        design = likelihood.design[rows]
        predictor = design @ coefficients
        weight = expit(predictor) * expit(-predictor) * -np.tanh(predictor / 2)
        slope += (weight * _quadratic(design, inverse)) @ design
    return slope


def _quadratic(rows: Floats, inverse: Floats) -> Floats:
    """x' M x of each row (n,)."""
    form: Floats = np.einsum("ij,ij->i", rows @ inverse, rows)
    return form


def _partial_slope(likelihood: PartialLikelihood, coefficients: Floats, inverse: Floats) -> Floats:
    """The gradient of the log determinant: third moments at the deaths, M upon two of the three.

    At a death with weights w over those at risk, mean m and h = x' M x it is
    E(h x) - E(h) m - 2 (E(x x' M m) - m m' M m). The sums over those at risk are taken over deaths first,
    so that nothing of the size p x p is kept for a death.
    """
    matrix = likelihood.centred
    predictor = matrix @ coefficients
    hazard = np.exp(predictor - predictor.max())
    form = _quadratic(matrix, inverse)
    deaths = _Deaths.of(likelihood, hazard)
    mean = deaths.mean(hazard[:, None] * matrix)
    pulled = mean @ inverse
    # One share a death, and M m: both summed over the deaths at which a patient is at risk.
    one_over_sum = deaths.one_over_sum[:, None]
    shares = deaths.seen_by_rows(np.hstack([one_over_sum, one_over_sum * pulled]))
    own = hazard * (form * shares[:, 0] - 2 * np.einsum("ij,ij->i", matrix, shares[:, 1:]))
    of_means = 2 * np.einsum("ij,ij->i", mean, pulled) - deaths.mean(hazard * form)
    slope: Floats = own @ matrix + of_means @ mean
    return slope


@dataclass(frozen=True, eq=False)
class _Deaths:
    """One row a death, in the order of time: the place of its time, and which share of its dead has left."""

    likelihood: PartialLikelihood
    time: Integers
    share: Floats
    one_over_sum: Floats

    @classmethod
    def of(cls, likelihood: PartialLikelihood, hazard: Floats) -> "_Deaths":
        time, share = likelihood.tied_shares
        bare = cls(likelihood, time, share, np.ones(len(time)))
        return replace(bare, one_over_sum=1 / bare.mean(hazard))

    def mean(self, by_row: Floats) -> Floats:
        """Average (n, ...) hazards times values over those at risk at each death, without what has left."""
        shape = (-1, *[1] * (by_row.ndim - 1))
        dying = self._of_times(by_row[self.likelihood.events], self.likelihood.event_places)
        at_risk = self.likelihood.over_rows_at_risk(by_row)
        left = at_risk[self.time] - self.share.reshape(shape) * dying[self.time]
        mean: Floats = left * self.one_over_sum.reshape(shape)
        return mean

    def seen_by_rows(self, by_death: Floats) -> Floats:
        """Sum (deaths, k) over the deaths at which each row is at risk, by what has not left: (n, k)."""
        summed = np.cumsum(self._of_times(by_death, self.time), axis=0)
        summed = np.concatenate([np.zeros((1, summed.shape[1])), summed])
        first, last = self.likelihood.stretches
        seen: Floats = summed[last] - summed[first]
        has_left = self._of_times(self.share[:, None] * by_death, self.time)
        seen[self.likelihood.events] -= has_left[self.likelihood.event_places]
        return seen

    def _of_times(self, values: Floats, places: Integers) -> Floats:
        summed = np.zeros((len(self.likelihood.event_times), *values.shape[1:]))
        np.add.at(summed, places, values)
        return summed
