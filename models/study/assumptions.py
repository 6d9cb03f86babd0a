"""Whether a model of the study may be read as it stands: proportional hazards, lines, single patients.

Here: the rows of the checks, and whose data the models lean on. Not here: the checks
(`models.survival.proportional_hazards`, `models.functional_form`, `models.influence_summary`). Called by
`models.study.analyses`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from models.functional_form import linearity_test
from models.influence_summary import Influence
from models.logistic_influence import LogisticInfluence, measure_logistic_influence
from models.model_tests import ModelTest
from models.study.likelihoods import has_durations, likelihood_of, outcome_of
from models.study.options import StudyOptions
from models.study.rows import Finding, Row, Topic, tell, tell_failure
from models.study.selected_model import SelectedModel
from models.survival.influence import CoxInfluence, measure_influence
from models.survival.partial_likelihood import Ties
from models.survival.proportional_hazards import check_proportional_hazards
from models.variables import CONTINUOUS_COVARIATES
from transforms.errors import NotEstimableError
from transforms.schemas import INFLUENTIAL_PATIENTS

TEST = ("chi_square", "degrees_of_freedom", "p")
INFLUENCE = ("max_abs_dfbetas", "n_influential", "ratio_without_low", "ratio_without_high")
ALL_TOGETHER = "global"
OF_HAZARDS = (
    "Whether the log hazard ratio changes with time, of the variables that elimination retained (Grambsch "
    "and Therneau 1994, time as 1 - Kaplan-Meier: R's cox.zph); a small p speaks against one ratio for all "
    "times"
)
OF_FORM = (
    "Whether a restricted cubic spline (knots at the 10th, 50th and 90th percentile) fits better than a "
    "straight line, beside the variables that elimination retained: likelihood-ratio test; a small p speaks "
    "against one ratio for each unit more"
)
# By whether the model is Cox's.
DFBETAS = {
    True: "score residual times inverse information (R's residuals of type dfbetas)",
    False: "one Newton step of the deviance residual, scaled by the deviance left (R's dfbetas of a glm)",
}
OF_INFLUENCE = (
    "dfbetas: about how many standard errors the coefficient moves without one patient, by {dfbetas}; "
    "influential: more than 2 / sqrt(n); ratio_without: the lowest and highest ratio of exact fits that "
    "leave out one patient (of more than 200 patients, one of the ten who pull it up or down most)"
)

MeasuredInfluence = CoxInfluence | LogisticInfluence


@dataclass(frozen=True, eq=False)
class Assumptions:
    """The rows of the checks, and whose data the model leans on (`schemas.INFLUENTIAL_PATIENTS`)."""

    rows: list[Row]
    influential: pl.DataFrame


def check_assumptions(selected: SelectedModel, options: StudyOptions) -> Assumptions:
    """Return the rows of `proportional_hazards` (of Cox's model), `functional_form` and `influence`."""
    hazards = _tell_hazards(selected, options.ties) if has_durations(selected.regression) else []
    influence, influential = _judge_influence(selected, options.ties)
    return Assumptions([*hazards, *_tell_forms(selected, options.ties), *influence], influential)


def _tell_hazards(selected: SelectedModel, ties: Ties) -> list[Row]:
    topic = partial(Topic, "proportional_hazards", selected.regression.analysis)
    try:
        selected.require_fit()
        months, has_died = outcome_of(selected.regression, selected.outcome)
        checked = check_proportional_hazards(_retained(selected), months, has_died, ties=ties)
    except NotEstimableError as reason:
        return tell_failure(topic(ALL_TOGETHER), TEST, reason)
    tests = {**checked.by_variable, ALL_TOGETHER: checked.all_together}
    told = f"{OF_HAZARDS}. {selected.regression.told(ties)}"
    rows: list[Row] = []
    for word, test in tests.items():
        rows += tell(topic(word), TEST, partial(_found_test, test, selected, told))
    return rows


def _retained(selected: SelectedModel) -> pl.DataFrame:
    return selected.covariates.select(selected.retained)


def _found_test(test: ModelTest, selected: SelectedModel, definition: str) -> Finding:
    numbers = {
        "chi_square": test.chi_square,
        "degrees_of_freedom": float(test.degrees_of_freedom),
        "p": test.p,
    }
    return _found(selected, numbers, definition)


def _found(selected: SelectedModel, numbers: Mapping[str, float | None], definition: str) -> Finding:
    return Finding(numbers, definition, n=selected.outcome.height, events=selected.n_events)


def _tell_forms(selected: SelectedModel, ties: Ties) -> list[Row]:
    regression = selected.regression
    rows: list[Row] = []
    for variable in regression.candidates:
        if variable.word in CONTINUOUS_COVARIATES:
            topic = Topic("functional_form", regression.analysis, variable.word)
            rows += tell(topic, TEST, partial(_found_form, selected, variable.word, ties))
    return rows


def _found_form(selected: SelectedModel, word: str, ties: Ties) -> Finding:
    if selected.reason is not None:
        raise selected.reason
    if word in selected.set_aside:
        raise selected.set_aside[word]
    beside = [name for name in selected.retained if name != word]
    make = likelihood_of(selected.regression, selected.outcome, ties=ties)
    everyone = np.arange(selected.outcome.height)
    test = linearity_test(
        selected.covariates.select(word, *beside).to_numpy(), 0, build=lambda matrix: make(matrix, everyone)
    )
    return _found_test(test, selected, f"{OF_FORM}. {selected.regression.told(ties)}")


def _judge_influence(selected: SelectedModel, ties: Ties) -> tuple[list[Row], pl.DataFrame]:
    """The rows of `influence` and the influential patients; without a model its reason, and nobody."""
    topic = partial(Topic, "influence", selected.regression.analysis)
    nobody = INFLUENTIAL_PATIENTS.polars_schema.to_frame()
    try:
        measured = _measure(selected, ties)
    except NotEstimableError as reason:
        return tell_failure(topic("model"), INFLUENCE, reason), nobody
    rows: list[Row] = []
    for influence in measured.coefficients:
        rows += tell(topic(influence.name), INFLUENCE, partial(_found_influence, influence, selected, ties))
    patients = [_influential(selected, measured, place) for place in range(len(measured.coefficients))]
    return rows, pl.concat([nobody, *patients])


def _measure(selected: SelectedModel, ties: Ties) -> MeasuredInfluence:
    selected.require_fit()
    durations, events = outcome_of(selected.regression, selected.outcome)
    if has_durations(selected.regression):
        return measure_influence(_retained(selected), durations, events, ties=ties)
    return measure_logistic_influence(_retained(selected), events)


def _found_influence(influence: Influence, selected: SelectedModel, ties: Ties) -> Finding:
    numbers = {name: getattr(influence, name) for name in INFLUENCE}
    definition = OF_INFLUENCE.format(dfbetas=DFBETAS[has_durations(selected.regression)])
    found = _found(selected, numbers, f"{definition}. {selected.regression.told(ties)}")
    reasons = dict.fromkeys(INFLUENCE, influence.reason or "")
    return Finding(found.numbers, found.definition, n=found.n, events=found.events, reasons=reasons)


def _influential(selected: SelectedModel, measured: MeasuredInfluence, place: int) -> pl.DataFrame:
    moved = measured.dfbetas[:, place]
    return (
        selected.patients.with_columns(
            analysis=pl.lit(selected.regression.analysis),
            variable=pl.lit(measured.coefficients[place].name),
            dfbetas=pl.Series(moved),
        )
        .filter(np.abs(moved) > 2 / np.sqrt(len(moved)))
        .sort(pl.col("dfbetas").abs(), descending=True)
        .select(INFLUENTIAL_PATIENTS.column_names)
    )
