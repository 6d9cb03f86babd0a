"""Logistic regression: the only home of statsmodels.

Here: the maximum-likelihood fit of a binary outcome with Wald's intervals, and the tests of the whole model.
Not here: which outcome and variables a study uses (`models.study`), nor prediction (`models.prediction`).
"""

import warnings
from dataclasses import dataclass

import numpy as np
import polars as pl
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM, GLMResults

from models.design import is_doubtful, read_design, refuse_one_outcome, refuse_separated_outcome
from models.estimate import Coefficient, Flags, Floats
from models.likelihood import Evaluation, inverse_of
from models.logistic_likelihood import LogisticLikelihood
from models.model_tests import ModelTests, compare_with_nothing
from transforms.errors import NotEstimableError

# On the deviance. Newton's steps halve the exponent of the error, so the coefficients end beyond R's 1e-8.
DEVIANCE_TOLERANCE = 1e-12
MAX_ITERATIONS = 100


@dataclass(frozen=True)
class LogisticFit:
    """A logistic model; `events` counts the outcome, `coefficients` follow the covariates' order.

    tests: Wald's, the score and the likelihood-ratio test that all coefficients but the intercept are 0.
    """

    n: int
    events: int
    intercept: Coefficient
    coefficients: tuple[Coefficient, ...]
    log_likelihood: float
    likelihood_ratio: float
    tests: ModelTests


def fit_logistic(covariates: pl.DataFrame, outcome: Flags) -> LogisticFit:
    """Fit a logistic regression; `covariates` has one finite row a patient.

    Raises `NotEstimableError`: one outcome only, too few rows, a constant or collinear column, separation.
    """
    refuse_one_outcome(outcome)
    matrix = read_design(covariates, len(outcome))
    likelihood = LogisticLikelihood(matrix, outcome)
    fitted = _iterate(np.column_stack([np.ones(len(outcome)), matrix]), outcome)
    if not fitted.converged or is_doubtful(matrix, fitted.params[1:]):
        refuse_separated_outcome(covariates, outcome)
    if not (fitted.converged and np.isfinite(fitted.bse).all()):
        raise NotEstimableError("the logistic model does not converge")
    return _logistic_fit(fitted, names=covariates.columns, likelihood=likelihood)


def _iterate(design: Floats, outcome: Flags) -> GLMResults:
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        return GLM(outcome.astype(np.float64), design, family=Binomial()).fit(
            tol=DEVIANCE_TOLERANCE, maxiter=MAX_ITERATIONS
        )


def _logistic_fit(fitted: GLMResults, *, names: list[str], likelihood: LogisticLikelihood) -> LogisticFit:
    intercept, *coefficients = (
        Coefficient(name, float(value), float(error))
        for name, value, error in zip(["intercept", *names], fitted.params, fitted.bse, strict=True)
    )
    log_likelihood, tests = _test_against_nothing(likelihood, fitted.params)
    return LogisticFit(
        n=len(likelihood.outcome),
        events=int(likelihood.outcome.sum()),
        intercept=intercept,
        coefficients=tuple(coefficients),
        log_likelihood=log_likelihood,
        likelihood_ratio=tests.likelihood_ratio.chi_square,
        tests=tests,
    )


def _test_against_nothing(likelihood: LogisticLikelihood, fitted: Floats) -> tuple[float, ModelTests]:
    """The fit's log-likelihood and tests, by arithmetic that no large linear predictor overflows."""
    slopes = fitted[1:]
    centred = np.concatenate([[fitted[0] + likelihood.means @ slopes], slopes])
    at = _of_slopes(likelihood.evaluate(centred))
    at_nothing = _of_slopes(likelihood.evaluate(likelihood.null_coefficients()))
    return at.log_likelihood, compare_with_nothing(slopes, at=at, at_nothing=at_nothing)


def _of_slopes(at: Evaluation) -> Evaluation:
    """The same with the intercept, which is at its best, taken out."""
    return Evaluation(at.log_likelihood, at.score[1:], inverse_of(inverse_of(at.information)[1:, 1:]))
