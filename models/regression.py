"""Logistic regression: the only home of statsmodels.

Here: the maximum-likelihood fit of a binary outcome with Wald's intervals. Not here: which outcome and
variables a study uses (`models.study.regression`), nor prediction (`models.predictor`).
"""

import warnings
from dataclasses import dataclass

import numpy as np
import polars as pl
from statsmodels.genmod.families import Binomial
from statsmodels.genmod.generalized_linear_model import GLM, GLMResults

from models.design import is_doubtful, read_design, refuse_separated_outcome
from models.estimate import Coefficient, Flags
from transforms.errors import NotEstimableError

# On the deviance. Newton's steps halve the exponent of the error, so the coefficients end beyond R's 1e-8.
DEVIANCE_TOLERANCE = 1e-12
MAX_ITERATIONS = 100


@dataclass(frozen=True)
class LogisticFit:
    """A logistic model; `events` counts the outcome, `coefficients` follow the covariates' order."""

    n: int
    events: int
    intercept: Coefficient
    coefficients: tuple[Coefficient, ...]
    log_likelihood: float
    likelihood_ratio: float


def fit_logistic(covariates: pl.DataFrame, outcome: Flags) -> LogisticFit:
    """Fit a logistic regression; `covariates` has one finite row a patient.

    Raises `NotEstimableError`: one outcome only, too few rows, a constant or collinear column, separation.
    """
    _refuse_one_outcome(outcome)
    matrix = read_design(covariates, len(outcome))
    design = np.column_stack([np.ones(len(outcome)), matrix])
    with warnings.catch_warnings(), np.errstate(all="ignore"):
        warnings.simplefilter("ignore")
        fitted = GLM(outcome.astype(np.float64), design, family=Binomial()).fit(
            tol=DEVIANCE_TOLERANCE, maxiter=MAX_ITERATIONS
        )
    if not fitted.converged or is_doubtful(matrix, fitted.params[1:]):
        refuse_separated_outcome(covariates, outcome)
    if not (fitted.converged and np.isfinite(fitted.bse).all()):
        raise NotEstimableError("the logistic model does not converge")
    return _logistic_fit(fitted, names=covariates.columns, outcome=outcome)


def _refuse_one_outcome(outcome: Flags) -> None:
    if outcome.all() or not outcome.any():
        raise NotEstimableError(f"all {len(outcome)} complete patients have the same outcome")


def _logistic_fit(fitted: GLMResults, *, names: list[str], outcome: Flags) -> LogisticFit:
    intercept, *coefficients = (
        Coefficient(name, float(value), float(error))
        for name, value, error in zip(["intercept", *names], fitted.params, fitted.bse, strict=True)
    )
    return LogisticFit(
        n=len(outcome),
        events=int(outcome.sum()),
        intercept=intercept,
        coefficients=tuple(coefficients),
        log_likelihood=float(fitted.llf),
        likelihood_ratio=2 * (float(fitted.llf) - _null_log_likelihood(outcome)),
    )


def _null_log_likelihood(outcome: Flags) -> float:
    n, share = len(outcome), outcome.mean()
    return float(n * (share * np.log(share) + (1 - share) * np.log1p(-share)))
