"""How much single patients move a Cox model's hazard ratios.

Here: dfbetas of every patient, and the refits without one; nothing names a patient. Not here: their summary
(`models.influence_summary`), logistic models. Called by `models.study`'s guards.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.design import read_design, refuse_no_events
from models.estimate import Flags, Floats
from models.influence_summary import Influence, sum_up_influence
from models.likelihood import Maximum, inverse_of
from models.survival.partial_likelihood import PartialLikelihood, Ties
from models.survival.partial_maximum import maximise_partial_likelihood


@dataclass(frozen=True, eq=False)
class CoxInfluence:
    """`dfbetas` (n, p): each patient's pull on each coefficient in standard errors; and their summary."""

    dfbetas: Floats
    coefficients: tuple[Influence, ...]


def measure_influence(
    covariates: pl.DataFrame, durations: Floats, events: Flags, *, ties: Ties = "efron"
) -> CoxInfluence:
    """Return what single patients do to a Cox model's coefficients.

    dfbetas are R's `residuals(type = "dfbetas")`: score residuals times the inverse information, over the
    standard errors; so they approximate. The ratios without a patient are exact fits, of the few patients
    that `sum_up_influence` takes for the most influential. Raises `NotEstimableError` as `fit_cox` does.
    """
    refuse_no_events(events)
    matrix = read_design(covariates, len(durations))
    likelihood = PartialLikelihood(matrix, durations, events, ties)
    maximum = maximise_partial_likelihood(covariates, likelihood)
    dfbetas = _dfbetas(likelihood, maximum)

    def refit(patient: int) -> Floats:
        return _coefficients_without(patient, covariates, likelihood, start=maximum.coefficients)

    return CoxInfluence(dfbetas, sum_up_influence(dfbetas, names=covariates.columns, refit=refit))


def _dfbetas(likelihood: PartialLikelihood, maximum: Maximum) -> Floats:
    inverse = inverse_of(maximum.at.information)
    dfbetas: Floats = likelihood.score_residuals(maximum.coefficients) @ inverse / np.sqrt(np.diag(inverse))
    return dfbetas


def _coefficients_without(
    patient: int, covariates: pl.DataFrame, likelihood: PartialLikelihood, *, start: Floats
) -> Floats:
    is_kept = np.arange(len(likelihood.stop)) != patient
    kept, events = covariates.filter(is_kept), likelihood.events[is_kept]
    refuse_no_events(events)
    matrix = read_design(kept, kept.height)
    fewer = PartialLikelihood(matrix, likelihood.stop[is_kept], events, likelihood.ties)
    return maximise_partial_likelihood(kept, fewer, start=start).coefficients
