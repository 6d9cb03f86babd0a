"""Tables 2 and 3: Cox regression of overall survival and logistic regression of ASL, each variable alone and
together after backward elimination.

Here: which models, and their rows. Not here: the fits (`models.survival`, `models.regression`), the
elimination (`models.selection`), the variables (`models.variables`). Called by `models.study.analyses`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import polars as pl

from models.estimate import Coefficient
from models.regression import LogisticFit, fit_logistic
from models.selection import REMOVAL_P, Elimination, eliminate_backward
from models.study.rows import Finding, Row, Topic, tell, tell_failure
from models.survival import CoxFit, fit_cox
from models.variables import (
    ASL_VARIABLES,
    SURVIVAL_VARIABLES,
    Variable,
    derive_variables,
    with_ordinal_stage,
)
from transforms.errors import NotEstimableError

ModelFit = CoxFit | LogisticFit
MODEL_STATISTICS = (
    "n",
    "events",
    "n_left_out",
    "n_candidates",
    "n_retained",
    "events_per_candidate",
    "log_likelihood",
    "likelihood_ratio",
)


@dataclass(frozen=True)
class Regression:
    """A table of regressions: its words, candidates, outcome columns, fit, and how to read it.

    `fit` takes (covariates, outcome), both complete, one row a patient.
    """

    analysis: str
    ratio: str
    candidates: tuple[Variable, ...]
    outcome: tuple[str, ...]
    fit: Callable[[pl.DataFrame, pl.DataFrame], ModelFit]
    method: str

    @property
    def statistics(self) -> tuple[str, ...]:
        """What each coefficient tells."""
        return (self.ratio, "ci_low", "ci_high", "p", "coefficient", "standard_error", "z")


def _fit_overall_survival(covariates: pl.DataFrame, outcome: pl.DataFrame) -> CoxFit:
    return fit_cox(covariates, outcome["os_months"].to_numpy(), outcome["has_died"].to_numpy())


def _fit_asl(covariates: pl.DataFrame, outcome: pl.DataFrame) -> LogisticFit:
    return fit_logistic(covariates, outcome["has_asl"].to_numpy())


COX_OS = Regression(
    analysis="cox_os",
    ratio="hr",
    candidates=SURVIVAL_VARIABLES,
    outcome=("os_months", "has_died"),
    fit=_fit_overall_survival,
    method="Cox, Efron's ties, Wald's p and 95 % interval; overall survival from the start of RT",
)
LOGIT_ASL = Regression(
    analysis="logit_asl",
    ratio="or",
    candidates=ASL_VARIABLES,
    outcome=("has_asl",),
    fit=_fit_asl,
    method="Logistic regression of ASL, Wald's p and 95 % interval",
)


def regress(cohort: pl.DataFrame, regression: Regression) -> list[Row]:
    """Return the rows of each candidate alone, of the model that elimination leaves, and of its steps."""
    rows: list[Row] = []
    for variable in regression.candidates:
        topic = Topic(regression.analysis, "univariate", variable.word)
        rows += tell(topic, regression.statistics, partial(_found_alone, cohort, regression, variable))
    return rows + _regress_together(cohort, regression)


def _complete(
    cohort: pl.DataFrame, regression: Regression, variables: tuple[Variable, ...]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Covariates and outcome of the patients who have all of both (listwise deletion)."""
    frame = derive_variables(cohort, variables).hstack(cohort.select(regression.outcome))
    complete = frame.drop_nulls()
    if complete.is_empty():
        worst = max(frame.columns, key=lambda column: frame[column].null_count())
        n_missing = frame[worst].null_count()
        raise NotEstimableError(
            f"no patient has all values; most often missing: {worst} ({n_missing} of {frame.height})"
        )
    return complete.select(variable.word for variable in variables), complete.select(regression.outcome)


def _found_alone(cohort: pl.DataFrame, regression: Regression, variable: Variable) -> Finding:
    fit = regression.fit(*_complete(cohort, regression, (variable,)))
    return _found_coefficient(fit.coefficients[0], fit, f"{variable.meaning}. {regression.method}")


def _found_coefficient(coefficient: Coefficient, fit: ModelFit, definition: str) -> Finding:
    ratio = coefficient.ratio
    numbers = {
        "hr": ratio.value,
        "or": ratio.value,
        "ci_low": ratio.ci_low,
        "ci_high": ratio.ci_high,
        "p": coefficient.p,
        "coefficient": coefficient.estimate,
        "standard_error": coefficient.standard_error,
        "z": coefficient.z,
    }
    return Finding(numbers, definition, n=fit.n, events=fit.events)


def _regress_together(cohort: pl.DataFrame, regression: Regression) -> list[Row]:
    variables = with_ordinal_stage(regression.candidates)
    try:
        covariates, outcome = _complete(cohort, regression, variables)
        elimination, set_aside = _eliminate(regression, covariates, outcome)
    except NotEstimableError as reason:
        return tell_failure(Topic(regression.analysis, "multivariate", "model"), MODEL_STATISTICS, reason)
    return [
        *_tell_retained(regression, variables, elimination),
        *_tell_model(regression, elimination, outcome, n_patients=cohort.height),
        *_tell_set_aside(regression, set_aside),
        *_tell_steps(regression, elimination, outcome),
    ]


def _eliminate(
    regression: Regression, covariates: pl.DataFrame, outcome: pl.DataFrame
) -> tuple[Elimination[ModelFit], dict[str, NotEstimableError]]:
    """The elimination, and the candidates set aside because not even alone they can be estimated.

    One constant or separating candidate would otherwise cost the whole table.
    """

    def fit(names: tuple[str, ...]) -> ModelFit:
        return regression.fit(covariates.select(names), outcome)

    names = tuple(covariates.columns)
    try:
        return eliminate_backward(names, fit), {}
    except NotEstimableError:
        set_aside = _reasons_alone(names, fit)
        if not set_aside:
            raise
    return eliminate_backward(tuple(name for name in names if name not in set_aside), fit), set_aside


def _reasons_alone(
    names: tuple[str, ...], fit: Callable[[tuple[str, ...]], ModelFit]
) -> dict[str, NotEstimableError]:
    reasons = {}
    for name in names:
        try:
            fit((name,))
        except NotEstimableError as reason:
            reasons[name] = reason
    return reasons


def _tell_retained(
    regression: Regression, variables: tuple[Variable, ...], elimination: Elimination[ModelFit]
) -> list[Row]:
    if elimination.fit is None:
        return []
    meanings = {variable.word: variable.meaning for variable in variables}
    rows: list[Row] = []
    for coefficient in elimination.fit.coefficients:
        topic = Topic(regression.analysis, "multivariate", coefficient.name)
        definition = (
            f"{meanings[coefficient.name]}. Together with the retained variables. {regression.method}"
        )
        finding = _found_coefficient(coefficient, elimination.fit, definition)
        rows += tell(topic, regression.statistics, partial(_itself, finding))
    return rows


def _itself(finding: Finding) -> Finding:
    return finding


def _tell_model(
    regression: Regression, elimination: Elimination[ModelFit], outcome: pl.DataFrame, *, n_patients: int
) -> list[Row]:
    fit, n_events = elimination.fit, int(outcome[regression.outcome[-1]].sum())
    n_candidates = len(elimination.steps) + len(elimination.retained)
    numbers = {
        "n": outcome.height,
        "events": n_events,
        "n_left_out": n_patients - outcome.height,
        "n_candidates": n_candidates,
        "n_retained": len(elimination.retained),
        "events_per_candidate": n_events / n_candidates if n_candidates else None,
        "log_likelihood": fit.log_likelihood if fit else None,
        "likelihood_ratio": fit.likelihood_ratio if fit else None,
    }
    definition = (
        f"Backward elimination while the largest Wald p exceeds {REMOVAL_P}; patients with any candidate "
        f"missing are left out; likelihood_ratio is the chi-square against no variables. {regression.method}"
    )
    reasons = dict.fromkeys(("log_likelihood", "likelihood_ratio"), "elimination left no variable")
    finding = Finding(numbers, definition, n=outcome.height, events=n_events, reasons=reasons)
    topic = Topic(regression.analysis, "multivariate", "model")
    return tell(topic, MODEL_STATISTICS, lambda: finding)


def _tell_set_aside(regression: Regression, set_aside: dict[str, NotEstimableError]) -> list[Row]:
    rows: list[Row] = []
    for name, reason in set_aside.items():
        topic = Topic(f"{regression.analysis}_elimination", "set_aside", name)
        rows += tell_failure(topic, (regression.ratio, "p"), reason)
    return rows


def _tell_steps(
    regression: Regression, elimination: Elimination[ModelFit], outcome: pl.DataFrame
) -> list[Row]:
    n_events = int(outcome[regression.outcome[-1]].sum())
    rows: list[Row] = []
    for step in elimination.steps:
        topic = Topic(f"{regression.analysis}_elimination", f"step_{step.number:02d}", step.removed.name)
        finding = Finding(
            {regression.ratio: step.removed.ratio.value, "p": step.removed.p},
            f"Removed at this step: its Wald p was the largest and above {REMOVAL_P}; {step.n_left} left",
            n=outcome.height,
            events=n_events,
        )
        rows += tell(topic, (regression.ratio, "p"), partial(_itself, finding))
    return rows
