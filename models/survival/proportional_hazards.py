"""Whether hazards are proportional: the score test of Grambsch and Therneau.

Here: the test as R's survival 3 has it (`cox.zph`), against a trend with the Kaplan-Meier scale of time. Not
here: the fit (`models.survival.cox`), functional form. Called by `models.study`'s guards.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.design import read_design, refuse_no_events
from models.estimate import Flags, Floats, Integers
from models.likelihood import inverse_of
from models.model_tests import ModelTest, chi_square_test
from models.survival.partial_likelihood import PartialLikelihood, Ties
from models.survival.partial_maximum import maximise_partial_likelihood
from transforms.errors import NotEstimableError


@dataclass(frozen=True)
class ProportionalHazards:
    """The test of each variable by its name, one degree of freedom each, and of all of them together."""

    by_variable: dict[str, ModelTest]
    all_together: ModelTest


def check_proportional_hazards(
    covariates: pl.DataFrame,
    durations: Floats,
    events: Flags,
    *,
    ties: Ties = "efron",
    start: Floats | None = None,
) -> ProportionalHazards:
    """Test whether each log hazard ratio changes with time, on the scale 1 - S(t-) of the Kaplan-Meier curve.

    `start`: when each row enters, where covariates change. Source: Grambsch and Therneau 1994 (Biometrika
    81:515), as the score test that R's survival computes since version 3. Raises `NotEstimableError` as
    `fit_cox` does, and where all events happen at one time.
    """
    refuse_no_events(events)
    matrix = read_design(covariates, len(durations))
    likelihood = PartialLikelihood(matrix, durations, events, ties, start)
    if len(likelihood.event_times) < 2:
        raise NotEstimableError("all events happen at one time, so no hazard ratio can change with time")
    fitted = maximise_partial_likelihood(covariates, likelihood).coefficients
    score, information = _of_trends(likelihood, fitted)
    own = np.arange(len(fitted))
    return ProportionalHazards(
        by_variable={
            name: _score_test(score, information, trends=own[[place]])
            for place, name in enumerate(covariates.columns)
        },
        all_together=_score_test(score, information, trends=own),
    )


def _of_trends(likelihood: PartialLikelihood, fitted: Floats) -> tuple[Floats, Floats]:
    """The score (p,) of p trends, which are 0, and the information (2 p, 2 p) of coefficients and trends."""
    time = _time_on_the_kaplan_meier_scale(likelihood)
    plain, linear = likelihood.evaluate(fitted), likelihood.evaluate(fitted, weights=time)
    square = likelihood.evaluate(fitted, weights=time**2)
    return linear.score, np.block(
        [[plain.information, linear.information], [linear.information, square.information]]
    )


def _time_on_the_kaplan_meier_scale(likelihood: PartialLikelihood) -> Floats:
    """1 - S just before each event time, less its mean, which changes no test and saves digits (m,)."""
    n_events = likelihood.n_events_at
    n_at_risk = likelihood.over_rows_at_risk(np.ones(len(likelihood.stop)))
    survival_after = np.cumprod(1 - n_events / n_at_risk)
    scale = 1 - np.append(1.0, survival_after[:-1])
    centred: Floats = scale - scale.mean()
    return centred


def _score_test(score: Floats, information: Floats, *, trends: Integers) -> ModelTest:
    """Test the chosen trends, the coefficients being estimated and the other trends held at 0."""
    n = len(score)
    kept = np.append(np.arange(n), n + trends)
    try:
        variance = inverse_of(information[np.ix_(kept, kept)])[n:, n:]
    except NotEstimableError as failure:
        raise NotEstimableError("the events are too few to tell a trend with time") from failure
    return chi_square_test(float(score[trends] @ variance @ score[trends]), len(trends))
