"""The maximum of a partial likelihood, or the plain reason why there is none.

Here: what every fit of Cox's model is refused for. Not here: the climb (`models.likelihood`), the tables of
coefficients (`models.survival.cox`). Called by the siblings that fit and check, and by resampling.
"""

import numpy as np
import polars as pl

from models.design import DOUBTFUL_LOG_RATIO, is_doubtful, refuse_monotone_likelihood
from models.estimate import Flags, Floats
from models.likelihood import Maximum, inverse_of, maximise
from models.survival.monotone import refuse_monotone_likelihood_with_entry
from models.survival.partial_likelihood import PartialLikelihood
from transforms.errors import NotEstimableError

# A smaller eigenvalue of the information, coefficients in standard errors, means that a column says nothing
# new about those at risk.
SMALLEST_EIGENVALUE = 1e-10
# The same for one column: its variance among those at risk against its variance in the data.
SMALLEST_SHARE_OF_VARIANCE = 1e-12
# Far out on ground that only seems flat, standard errors are millions of times the coefficients.
SMALLEST_Z_FAR_OUT = 1e-4
# Seven digits are left of sums over those at risk, were the highest hazard not among them.
LARGEST_SPREAD_WITH_LATE_ENTRY = 20.0
DOES_NOT_CONVERGE = "the Cox model does not converge: its hazard ratios grow beyond all bounds"


def maximise_partial_likelihood(
    covariates: pl.DataFrame, likelihood: PartialLikelihood, *, start: Floats | None = None
) -> Maximum:
    """Return the maximum of the `likelihood` of `covariates`, climbing from `start` (by default 0).

    Raises `NotEstimableError`: a column that does not vary among those at risk, or follows from others there,
    or a monotone likelihood.
    """
    refuse_no_information(covariates, likelihood)
    try:
        maximum = maximise(likelihood, start=start)
    except NotEstimableError as failure:
        refuse_monotone(covariates, likelihood)
        raise NotEstimableError(DOES_NOT_CONVERGE) from failure
    if is_far_out(likelihood.matrix, maximum.coefficients):
        refuse_monotone(covariates, likelihood)
        _refuse_flat_ground(maximum)
        _refuse_lost_digits(likelihood, maximum)
    return maximum


def is_far_out(matrix: Floats, coefficients: Floats) -> bool:
    """Whether one variable, or all together, make hazards of patients differ beyond belief."""
    return is_doubtful(matrix, coefficients) or bool(np.ptp(matrix @ coefficients) > DOUBTFUL_LOG_RATIO)


def _refuse_flat_ground(maximum: Maximum) -> None:
    """What the linear programme's tolerance lets pass: a climb that ended where no slope is left to see."""
    errors = np.sqrt(np.diag(inverse_of(maximum.at.information)))
    if (np.abs(maximum.coefficients / errors) < SMALLEST_Z_FAR_OUT).all():
        raise NotEstimableError(DOES_NOT_CONVERGE)


def _refuse_lost_digits(likelihood: PartialLikelihood, maximum: Maximum) -> None:
    """With late entry, sums over those at risk are differences, which lose as many digits as hazards span."""
    spread = np.ptp(likelihood.matrix @ maximum.coefficients)
    if likelihood.start is not None and spread > LARGEST_SPREAD_WITH_LATE_ENTRY:
        raise NotEstimableError("one hazard is more than e^20 times another, too much to compute with")


def refuse_no_information(covariates: pl.DataFrame, likelihood: PartialLikelihood) -> None:
    """Raise `NotEstimableError` naming the columns that those at risk together do not differ in."""
    information = likelihood.evaluate(np.zeros(covariates.width)).information
    variances = np.diag(information)
    spread = covariates.cast(pl.Float64).to_numpy().var(axis=0) * covariates.height
    flat = variances <= SMALLEST_SHARE_OF_VARIANCE * spread
    if flat.any():
        names = _names(covariates, flat)
        raise NotEstimableError(f"{names}: the same value in all who are at risk together when events happen")
    scale = np.sqrt(variances)
    values, vectors = np.linalg.eigh(information / np.outer(scale, scale))
    if values[0] < SMALLEST_EIGENVALUE:
        names = _names(covariates, np.abs(vectors[:, 0]) > 1e-6)
        raise NotEstimableError(f"{names}: collinear among those at risk, one follows from the others")


def refuse_monotone(covariates: pl.DataFrame, likelihood: PartialLikelihood) -> None:
    """Raise `NotEstimableError` where the likelihood grows without end along some direction."""
    if likelihood.start is None:
        refuse_monotone_likelihood(covariates, likelihood.stop, likelihood.events)
    else:
        refuse_monotone_likelihood_with_entry(covariates, likelihood)


def _names(covariates: pl.DataFrame, chosen: Flags) -> str:
    return ", ".join(np.array(covariates.columns)[chosen])
