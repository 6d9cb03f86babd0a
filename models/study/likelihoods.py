"""Which likelihood and which measure of discrimination belong to a regression of the study.

Here: the wiring, by the regression's outcome. Not here: the likelihoods. Called by the guards of this folder,
which fit far too often for whole fits.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from models.design import monotone_columns, separating_columns
from models.estimate import Flags, Floats, Integers
from models.likelihood import Likelihood
from models.logistic_likelihood import LogisticLikelihood
from models.study.selected_model import Regression
from models.survival.concordance import count_concordance
from models.survival.partial_likelihood import PartialLikelihood, Ties


def has_durations(regression: Regression) -> bool:
    """Return whether the outcome is (duration, event), and not a flag alone."""
    return len(regression.outcome) == 2


def likelihood_of(
    regression: Regression, outcome: pl.DataFrame, *, ties: Ties
) -> Callable[[Floats, Integers], Likelihood]:
    """Return what makes the likelihood of covariates (r, k) for the patients in r rows of `outcome`."""
    durations, events = outcome_of(regression, outcome)
    if has_durations(regression):
        return lambda matrix, rows: PartialLikelihood(matrix, durations[rows], events[rows], ties)
    return lambda matrix, rows: LogisticLikelihood(matrix, events[rows])


def separation_of(regression: Regression, outcome: pl.DataFrame) -> Callable[[Floats, Integers], bool]:
    """Return what tells whether covariates (r, k) separate the outcome of the patients in r rows, exactly."""
    durations, events = outcome_of(regression, outcome)
    if has_durations(regression):
        return lambda matrix, rows: bool(monotone_columns(_named(matrix), durations[rows], events[rows]))
    return lambda matrix, rows: bool(separating_columns(_named(matrix), events[rows]))


def _named(matrix: Floats) -> pl.DataFrame:
    return pl.DataFrame(matrix, schema=[f"column_{i}" for i in range(matrix.shape[1])], orient="row")


def discrimination_of(regression: Regression, outcome: pl.DataFrame) -> Callable[[Floats, Integers], float]:
    """Return what judges scores (r,) of the patients in r rows: Harrell's concordance, or the ROC's area."""
    durations, events = outcome_of(regression, outcome)
    return lambda scores, rows: count_concordance(scores, durations[rows], events[rows]).value


def outcome_of(regression: Regression, outcome: pl.DataFrame) -> tuple[Floats, Flags]:
    """Return durations and events (n,); a flag alone is an event at 0 against none until 1."""
    events = outcome[regression.outcome[-1]].to_numpy().astype(np.bool_)
    if has_durations(regression):
        return outcome[regression.outcome[0]].to_numpy().astype(np.float64), events
    # The area under the ROC curve is the concordance of these two durations.
    return (~events).astype(np.float64), events
