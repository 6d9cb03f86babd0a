"""The models that compete for each question, from a simple rule to gradient boosting.

Here: what they are, what they may tune, and how they are fitted to rows. Not here: choosing among them
(`models.prediction.procedure`), their stored form (`models.prediction.estimators`). Called by the procedure.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
from scipy.special import logit

from models.estimate import Floats
from models.prediction.estimators import LinearModel, Model, fit_boosting
from models.prediction.logistic_fits import (
    LinearPredictor,
    fit_firth,
    fit_intercept,
    fit_on_score,
    fit_ridge_path,
)
from models.prediction.question import Question
from models.prediction.terms import Terms, curved_terms, plain_terms, straight_terms
from models.prediction.training_rows import TrainingRows
from transforms.errors import NotEstimableError

LYMPHOPENIA = "has_baseline_lymphopenia"
# The study's multivariate odds ratios (its Table 3), each for one unit more of the input.
PUBLISHED_LOG_ODDS = {
    "has_viral_hepatitis": float(np.log(7.26)),
    LYMPHOPENIA: float(np.log(29.81)),
    "ptv_cm3": float(np.log(1.23)) / 100,
    "pre_rt_il7_pg_ml": float(np.log(0.39)),
}
# Prior variances of a log odds ratio per standard deviation (scikit-learn's C), the strongest penalty first.
PRIOR_VARIANCES = (0.01, 0.03, 0.1, 0.3, 1.0, 3.0, 10.0)
NUMBERS_OF_TREES = (15.0, 40.0)
NOTHING_TO_TUNE = (0.0,)

Fit = Callable[[TrainingRows, tuple[float, ...]], tuple[Model, ...]]


@dataclass(frozen=True)
class Candidate:
    """A way to make a predictor; of two that are equally good the one with the lower `rank` is simpler.

    `fit_settings` fits it to rows once for each setting, the simplest setting first; it may raise
    `NotEstimableError`.
    """

    name: str
    question: str
    rank: int
    meaning: str
    settings: tuple[float, ...]
    fit_settings: Fit = field(repr=False)


def list_candidates(question: Question) -> tuple[Candidate, ...]:
    """Return the question's candidates, the simplest first."""
    return _BEFORE_RT if question.name == "before_rt" else _DURING_RT


def fit_rule(rows: TrainingRows, _settings: tuple[float, ...]) -> tuple[Model, ...]:
    """Baseline lymphopenia alone: the share with ASL in patients with it, and in those without.

    Of k in n it is (k + 1) / (n + 2), Laplace's rule of succession, so that no share is 0 or 1.
    """
    terms = plain_terms(rows, LYMPHOPENIA)
    has_it = terms.columns(rows.matrix)[:, 0] > 0.5
    without, with_it = (
        logit((rows.outcome[kept].sum() + 1) / (kept.sum() + 2)) for kept in (~has_it, has_it)
    )
    return (LinearModel(terms, LinearPredictor(float(without), np.array([with_it - without]))),)


def fit_published(rows: TrainingRows, _settings: tuple[float, ...]) -> tuple[Model, ...]:
    """The published odds ratios, the intercept fitted."""
    terms, weights = _published(rows)
    intercept = fit_intercept(terms.columns(rows.matrix) @ weights, rows.outcome)
    return (LinearModel(terms, LinearPredictor(intercept, weights)),)


def fit_recalibrated(rows: TrainingRows, _settings: tuple[float, ...]) -> tuple[Model, ...]:
    """The published odds ratios all raised to one power: intercept and slope fitted (Cox 1958)."""
    terms, weights = _published(rows)
    found = fit_on_score(terms.columns(rows.matrix) @ weights, rows.outcome)
    return (LinearModel(terms, LinearPredictor(found.intercept, found.coefficients[0] * weights)),)


def fit_study_firth(rows: TrainingRows, _settings: tuple[float, ...]) -> tuple[Model, ...]:
    """The study's four variables by Firth's penalised likelihood."""
    terms = plain_terms(rows, *PUBLISHED_LOG_ODDS)
    return (LinearModel(terms, fit_firth(terms.columns(rows.matrix), rows.outcome)),)


def fit_penalised(rows: TrainingRows, settings: tuple[float, ...]) -> tuple[Model, ...]:
    """All inputs, L2-penalised; a setting is the prior variance."""
    return _ridge(straight_terms(rows), rows, settings)


def fit_splines(rows: TrainingRows, settings: tuple[float, ...]) -> tuple[Model, ...]:
    """All inputs and splines of those that are numbers, L2-penalised; a setting is the prior variance."""
    return _ridge(curved_terms(rows), rows, settings)


def fit_trees(rows: TrainingRows, settings: tuple[float, ...]) -> tuple[Model, ...]:
    """Gradient boosting; a setting is the number of trees."""
    _refuse_one_outcome(rows)
    return fit_boosting(rows, numbers_of_trees=tuple(round(n_trees) for n_trees in settings))


def _published(rows: TrainingRows) -> tuple[Terms, Floats]:
    return plain_terms(rows, *PUBLISHED_LOG_ODDS), np.array(list(PUBLISHED_LOG_ODDS.values()))


def _ridge(terms: Terms, rows: TrainingRows, settings: tuple[float, ...]) -> tuple[Model, ...]:
    path = fit_ridge_path(terms.columns(rows.matrix), rows.outcome, variances=settings)
    return tuple(LinearModel(terms, predictor) for predictor in path)


def _refuse_one_outcome(rows: TrainingRows) -> None:
    if rows.outcome.all() or not rows.outcome.any():
        raise NotEstimableError(f"all {len(rows.outcome)} rows have the same outcome")


def _candidates(question: str, *made: tuple[str, Fit, tuple[float, ...]]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(name, question, rank, (fit.__doc__ or "").split("\n", maxsplit=1)[0], settings, fit)
        for rank, (name, fit, settings) in enumerate(made, start=1)
    )


_FLEXIBLE: tuple[tuple[str, Fit, tuple[float, ...]], ...] = (
    ("penalised", fit_penalised, PRIOR_VARIANCES),
    ("splines", fit_splines, PRIOR_VARIANCES),
    ("boosting", fit_trees, NUMBERS_OF_TREES),
)
_BEFORE_RT = _candidates(
    "before_rt",
    ("rule", fit_rule, NOTHING_TO_TUNE),
    ("study", fit_published, NOTHING_TO_TUNE),
    ("study_recalibrated", fit_recalibrated, NOTHING_TO_TUNE),
    ("study_firth", fit_study_firth, NOTHING_TO_TUNE),
    *_FLEXIBLE,
)
_DURING_RT = _candidates("during_rt", *_FLEXIBLE)
