"""How much each patient moves the coefficients of a logistic regression.

Here: dfbetas as R's `dfbetas(glm(...))`, and exact refits without a patient. Not here: the summary
(`models.influence_summary`), Cox's model (`models.survival.influence`). Called by `models.study`.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.special import expit, log_expit

from models.design import is_doubtful, read_design, refuse_one_outcome, refuse_separated_outcome
from models.estimate import Flags, Floats
from models.influence_summary import Influence, sum_up_influence
from models.likelihood import inverse_of, maximise
from models.logistic_likelihood import LogisticLikelihood
from transforms.errors import NotEstimableError

# Nearer to 1 than this, a patient's leverage leaves nothing to compare the patient with.
LARGEST_LEVERAGE = 1 - 1e-10


@dataclass(frozen=True, eq=False)
class LogisticInfluence:
    """`dfbetas` (n, p): each patient's pull on each coefficient in standard errors; and their summary."""

    dfbetas: Floats
    coefficients: tuple[Influence, ...]


def measure_logistic_influence(covariates: pl.DataFrame, outcome: Flags) -> LogisticInfluence:
    """Return how far single patients move each coefficient; `covariates` has one finite row a patient.

    Raises `NotEstimableError` where the model, or the influence of one patient, cannot be estimated.
    """
    coefficients = _fit(covariates, outcome)
    likelihood = LogisticLikelihood(covariates.cast(pl.Float64).to_numpy(), outcome)
    dfbetas = logistic_dfbetas(likelihood, coefficients)

    def refit(row: int) -> Floats:
        others = np.arange(len(outcome)) != row
        return _fit(covariates.filter(others), outcome[others], start=coefficients)[1:]

    return LogisticInfluence(dfbetas, sum_up_influence(dfbetas, names=covariates.columns, refit=refit))


def logistic_dfbetas(likelihood: LogisticLikelihood, coefficients: Floats) -> Floats:
    """Return each patient's dfbetas (n, p), the intercept's left out, at the fitted (p + 1,) coefficients.

    One Newton step from the fit, of the deviance residual, in standard errors with the residual deviance that
    is left without the patient in place of a dispersion of 1: R's `dfbetas`, for which a glm is a weighted
    linear model at its end (Williams 1987). Raises `NotEstimableError` where a patient alone fixes the fit.
    """
    inverse = inverse_of(likelihood.evaluate(coefficients).information)
    predictor = likelihood.design @ coefficients
    root_weight = np.sqrt(expit(predictor) * expit(-predictor))
    moved = likelihood.design @ inverse
    leverage = root_weight**2 * np.einsum("ij,ij->i", moved, likelihood.design)
    if leverage.max() > LARGEST_LEVERAGE:
        raise NotEstimableError("one patient alone fixes a coefficient, so no influence can be told")
    residual = likelihood.signs * np.sqrt(-2 * log_expit(likelihood.signs * predictor))
    spread = _spread_without(residual, leverage, n_coefficients=likelihood.n_coefficients)
    step = root_weight * residual / (1 - leverage) / spread
    dfbetas: Floats = (step[:, None] * moved[:, 1:]) / np.sqrt(np.diag(inverse)[1:])
    return dfbetas


def _spread_without(residual: Floats, leverage: Floats, *, n_coefficients: int) -> Floats:
    """The residual standard deviation without each patient (n,), as R's `lm.influence` has it."""
    left = float((residual**2).sum()) - residual**2 / (1 - leverage)
    degrees_of_freedom = len(residual) - n_coefficients - 1
    if degrees_of_freedom < 1 or not (left > 0).all():
        raise NotEstimableError("without one of the patients nothing is left to judge influence by")
    spread: Floats = np.sqrt(left / degrees_of_freedom)
    return spread


def _fit(covariates: pl.DataFrame, outcome: Flags, *, start: Floats | None = None) -> Floats:
    refuse_one_outcome(outcome)
    matrix = read_design(covariates, len(outcome))
    likelihood = LogisticLikelihood(matrix, outcome)
    try:
        coefficients = maximise(likelihood, start=start).coefficients
    except NotEstimableError:
        refuse_separated_outcome(covariates, outcome)
        raise
    if is_doubtful(matrix, coefficients[1:]):
        refuse_separated_outcome(covariates, outcome)
    return coefficients
