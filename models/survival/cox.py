"""Cox's model of covariates known from the start.

Here: the fit with Wald's intervals and the three tests of the model, on our own likelihood: lifelines has
Efron's ties alone, no score test, and ends up to 1e-5 off (tests hold both equal). Not here: covariates that
change (`models.survival.time_dependent`), its assumptions (`models.survival.proportional_hazards`).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.design import read_design, refuse_no_events
from models.estimate import Coefficient, Flags, Floats
from models.likelihood import Maximum, inverse_of
from models.model_tests import ModelTests, compare_with_nothing
from models.survival.partial_likelihood import PartialLikelihood, Ties
from models.survival.partial_maximum import maximise_partial_likelihood


@dataclass(frozen=True)
class CoxFit:
    """A Cox model; `coefficients` in the order of the covariates, `tests` of all of them together.

    `n` counts patients, or rows where covariates change.
    """

    n: int
    events: int
    coefficients: tuple[Coefficient, ...]
    log_likelihood: float
    tests: ModelTests

    @property
    def likelihood_ratio(self) -> float:
        """The likelihood-ratio chi-square against no variables."""
        return self.tests.likelihood_ratio.chi_square


def fit_cox(covariates: pl.DataFrame, durations: Floats, events: Flags, *, ties: Ties = "efron") -> CoxFit:
    """Fit Cox's model, ties after Efron (1977) or Breslow (1974); `covariates` has one finite row a patient.

    Raises `NotEstimableError`: no events, too few rows, a constant or collinear column, monotone likelihood.
    """
    refuse_no_events(events)
    matrix = read_design(covariates, len(durations))
    likelihood = PartialLikelihood(matrix, durations, events, ties)
    return describe_fit(covariates, likelihood, maximise_partial_likelihood(covariates, likelihood))


def describe_fit(covariates: pl.DataFrame, likelihood: PartialLikelihood, maximum: Maximum) -> CoxFit:
    """Return what the `maximum` of the `likelihood` says of each of the `covariates`."""
    errors = np.sqrt(np.diag(inverse_of(maximum.at.information)))
    return CoxFit(
        n=len(likelihood.stop),
        events=int(likelihood.events.sum()),
        coefficients=tuple(
            Coefficient(name, float(value), float(error))
            for name, value, error in zip(covariates.columns, maximum.coefficients, errors, strict=True)
        ),
        log_likelihood=maximum.at.log_likelihood,
        tests=compare_with_nothing(
            maximum.coefficients,
            at=maximum.at,
            at_nothing=likelihood.evaluate(np.zeros(likelihood.n_coefficients)),
        ),
    )
