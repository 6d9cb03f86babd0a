"""Logistic fits that a predictor needs many times over: with a penalty, after Firth, and on a given slope.

Here: coefficients on the columns as they come, by Newton's method (`models.likelihood`). Not here: intervals
and tests (`models.regression`, `models.firth`), which columns. Called by `models.prediction.candidates`.
"""

from dataclasses import dataclass

import numpy as np
from scipy.optimize import brentq
from scipy.special import expit, logit

from models.design import refuse_one_outcome
from models.estimate import Flags, Floats, Integers
from models.firth import maximise_firth_logistic
from models.likelihood import Evaluation, Likelihood, maximise
from models.logistic_likelihood import LogisticLikelihood
from transforms.errors import NotEstimableError

# What earlier columns leave of a column, as a share of its spread; below, it says nothing of its own.
SMALLEST_SHARE_OF_SPREAD = 1e-6
# A log odds ratio between the ends of the data beyond which classes are separated.
LARGEST_LOG_ODDS = 30.0


@dataclass(frozen=True, eq=False)
class LinearPredictor:
    """Log odds: `intercept` plus `coefficients` (p,) times the columns."""

    intercept: float
    coefficients: Floats


def fit_ridge_path(
    matrix: Floats, outcome: Flags, *, variances: tuple[float, ...]
) -> tuple[LinearPredictor, ...]:
    """Fit by L2-penalised maximum likelihood, for each of some prior variances of a standardised slope.

    A variance is scikit-learn's C; the intercept is not penalised. Each fit starts from the last. A constant
    column gets 0. Raises `NotEstimableError` with one outcome only.
    """
    spread = _spread(matrix)
    likelihood = LogisticLikelihood(matrix / spread, outcome)
    point, path = likelihood.null_coefficients(), []
    for variance in variances:
        point = maximise(_Ridge(likelihood, variance), start=point).coefficients
        path.append(LinearPredictor(likelihood.intercept_at_zero(point), point[1:] / spread))
    return tuple(path)


def fit_on_score(score: Floats, outcome: Flags) -> LinearPredictor:
    """Fit intercept and slope of the outcome on a given log odds (n,), as Cox 1958 recalibrates.

    Raises `NotEstimableError` where the score separates the outcome, or is the same for all.
    """
    path = LogisticLikelihood(score[:, None] / _spread(score[:, None]), outcome)
    point = maximise(path, start=path.null_coefficients()).coefficients
    slope = point[1:] / _spread(score[:, None])
    if abs(slope[0]) * np.ptp(score) > LARGEST_LOG_ODDS:
        raise NotEstimableError("the score separates the outcome")
    return LinearPredictor(path.intercept_at_zero(point), slope)


def fit_intercept(score: Floats, outcome: Flags) -> float:
    """Return the intercept with which log odds (n,) expect as many events as there are.

    Raises `NotEstimableError` with one outcome only.
    """
    refuse_one_outcome(outcome)
    share = float(outcome.mean())
    # All patients at the lowest score would need the one, all at the highest the other.
    low, high = float(logit(share)) - score.max(), float(logit(share)) - score.min()
    return float(
        brentq(lambda intercept: expit(intercept + score).mean() - share, low - 1, high + 1, xtol=1e-13)
    )


def fit_firth(matrix: Floats, outcome: Flags) -> LinearPredictor:
    """Fit by Firth's penalised likelihood (`models.firth`), then the intercept by plain maximum likelihood.

    Firth's intercept pulls probabilities towards one half, the second fit puts their mean right (FLIC: Puhr
    and others 2017, Statistics in Medicine 36:2302). Columns that earlier ones tell get 0.
    """
    kept = independent_columns(matrix)
    spread = _spread(matrix[:, kept])
    likelihood = LogisticLikelihood(matrix[:, kept] / spread, outcome)
    slopes = np.zeros(matrix.shape[1])
    slopes[kept] = maximise_firth_logistic(likelihood).coefficients[1:] / spread
    return LinearPredictor(fit_intercept(matrix @ slopes, outcome), slopes)


def independent_columns(matrix: Floats) -> Integers:
    """Return the columns that neither are constant nor follow from those before them."""
    centred = (matrix - matrix.mean(axis=0)) / _spread(matrix)
    left = np.abs(np.diag(np.linalg.qr(centred, mode="r"))) / np.sqrt(len(matrix))
    return np.flatnonzero(left > SMALLEST_SHARE_OF_SPREAD)


def _spread(matrix: Floats) -> Floats:
    """Standard deviations of the columns, 1 for a constant one."""
    spread: Floats = np.where(np.ptp(matrix, axis=0) > 0, matrix.std(axis=0), 1.0)
    return np.where(spread > 0, spread, 1.0)


@dataclass(frozen=True, eq=False)
class _Ridge(Likelihood):
    """A log-likelihood less half the sum of squared slopes over their prior variance."""

    likelihood: LogisticLikelihood
    variance: float

    @property
    def n_coefficients(self) -> int:
        return self.likelihood.n_coefficients

    def evaluate(self, coefficients: Floats) -> Evaluation:
        at = self.likelihood.evaluate(coefficients)
        pull = np.append(0.0, coefficients[1:]) / self.variance
        curve = np.append(0.0, np.full(len(coefficients) - 1, 1 / self.variance))
        return Evaluation(
            at.log_likelihood - float(pull @ coefficients) / 2,
            at.score - pull,
            at.information + np.diag(curve),
        )
