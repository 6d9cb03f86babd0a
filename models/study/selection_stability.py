"""How stable the study's backward eliminations are, and by how much their models flatter themselves.

Here: the rows of the analysis `selection_stability`. Not here: the bootstrap (`models.resampling`), the
eliminations themselves (`models.study.selected_model`). Called by `models.study.analyses`.
"""

import math
from functools import partial

from scipy.special import erfcinv

from models.resampling import SelectionProblem, SelectionStability, judge_selection, refuse_many
from models.study.likelihoods import discrimination_of, has_durations, likelihood_of, separation_of
from models.study.options import StudyOptions
from models.study.rows import Finding, Row, Topic, tell
from models.study.selected_model import REMOVED_BY, Regression, SelectedModel
from models.variables import with_ordinal_stage
from transforms.errors import NotEstimableError

STABILITY = "selection_stability"
INCLUSION = ("inclusion_percent",)
MODEL = ("resamples", "resamples_converged", "apparent", "optimism", "corrected", "calibration_slope")
MEASURES = {True: "Harrell's concordance", False: "Area under the ROC curve"}
NONE_CONVERGED = "the elimination converged in none of the resamples"
NO_SLOPE = "no resample converged on a model with a variable"


def tell_selection_stability(selected: SelectedModel, options: StudyOptions) -> list[Row]:
    """Return how often each candidate comes back, and how well the chosen model discriminates.

    selected: what elimination made of the candidates, with these options. Made for at most
    `models.resampling.MOST_PATIENTS` complete patients; beyond, its rows say so.
    """
    try:
        _refuse(selected, options)
        found = judge_selection(_problem(selected, options), n_resamples=options.resamples, seed=options.seed)
    except NotEstimableError as reason:
        return _tell_none(selected.regression, reason)
    return _tell_inclusion(selected, found, options) + _tell_model(selected, found, options)


def _refuse(selected: SelectedModel, options: StudyOptions) -> None:
    if options.resamples == 0:
        raise NotEstimableError("no resamples are asked for")
    refuse_many(selected.outcome.height)
    if selected.reason is not None:
        raise selected.reason


def _problem(selected: SelectedModel, options: StudyOptions) -> SelectionProblem:
    regression, outcome = selected.regression, selected.outcome
    covariates = selected.covariates.drop(selected.set_aside)
    if covariates.width == 0:
        raise NotEstimableError("no candidate can be estimated, not even alone")
    return SelectionProblem(
        names=tuple(covariates.columns),
        matrix=covariates.to_numpy(),
        likelihood_of=likelihood_of(regression, outcome, ties=options.ties),
        discrimination=discrimination_of(regression, outcome),
        separates=separation_of(regression, outcome),
        removal_p=options.removal_p,
        removal_test=options.removal_test,
    )


def _tell_none(regression: Regression, reason: NotEstimableError) -> list[Row]:
    def refuse() -> Finding:
        raise reason

    topic = partial(Topic, STABILITY, regression.analysis)
    rows: list[Row] = []
    for variable in regression.candidates:
        rows += tell(topic(variable.word), INCLUSION, refuse)
    return rows + tell(topic("model"), MODEL, refuse)


def _tell_inclusion(selected: SelectedModel, found: SelectionStability, options: StudyOptions) -> list[Row]:
    rows: list[Row] = []
    for variable in with_ordinal_stage(selected.regression.candidates):
        topic = Topic(STABILITY, selected.regression.analysis, variable.word)
        rows += tell(
            topic, INCLUSION, partial(_found_inclusion, selected, found, variable.word, options=options)
        )
    return rows


def _found_inclusion(
    selected: SelectedModel, found: SelectionStability, word: str, *, options: StudyOptions
) -> Finding:
    if word in selected.set_aside:
        raise selected.set_aside[word]
    definition = (
        f"Percent of the {found.n_converged} resamples that converged in which elimination kept the "
        f"variable; one without any effect comes back in about {percent_by_chance(options.removal_p):.0f} %, "
        f"since a resample repeats the luck of its patients. {_told(selected, options)}"
    )
    return _found(selected, {"inclusion_percent": found.inclusion_percent[word]}, definition)


def _tell_model(selected: SelectedModel, found: SelectionStability, options: StudyOptions) -> list[Row]:
    numbers = {
        "resamples": found.n_resamples,
        "resamples_converged": found.n_converged,
        "apparent": found.apparent,
        "optimism": found.optimism,
        "corrected": found.corrected,
        "calibration_slope": found.calibration_slope,
    }
    definition = (
        f"{MEASURES[has_durations(selected.regression)]} of the chosen model in its own patients (apparent), "
        "by how much it is higher on average in resamples than in all patients (optimism), the difference "
        "(corrected). Calibration slope: the mean slope of the outcome in all patients on the resamples' "
        "models. A resample in which a model has no finite estimate has not converged and is left out, so "
        f"where many have not, the true optimism is rather larger. {_told(selected, options)}"
    )
    topic = Topic(STABILITY, selected.regression.analysis, "model")
    return tell(topic, MODEL, lambda: _found(selected, numbers, definition))


def _found(selected: SelectedModel, numbers: dict[str, float | None], definition: str) -> Finding:
    outcome = selected.outcome
    n_events = selected.n_events
    reasons = {**dict.fromkeys((*INCLUSION, *MODEL), NONE_CONVERGED), "calibration_slope": NO_SLOPE}
    return Finding(numbers, definition, n=outcome.height, events=n_events, reasons=reasons)


def percent_by_chance(removal_p: float) -> float:
    """Return in what percent of resamples a variable without effect is expected to stay.

    A resample's z adds its own variance of 1 to the patients', so that z has variance 2.
    """
    return 100 * math.erfc(float(erfcinv(removal_p)) / math.sqrt(2))


def _told(selected: SelectedModel, options: StudyOptions) -> str:
    return (
        f"Bootstrap of the whole elimination (seed {options.seed}), while {REMOVED_BY[options.removal_test]} "
        f"exceeds {options.removal_p}. {selected.regression.told(options.ties)}"
    )
