"""Tables 2 and 3 and supplementary table 1: each variable alone, and together after backward elimination.

Here: their rows. Not here: the models and the elimination (`models.study.selected_model`), checks of them
(`models.study.assumptions`, `models.study.small_samples`). Called by `models.study.analyses`.
"""

from functools import partial

import polars as pl

from models.estimate import Coefficient
from models.study.options import StudyOptions
from models.study.rows import Finding, Row, Topic, tell
from models.study.selected_model import REMOVED_BY, ModelFit, Regression, SelectedModel, complete_rows
from models.survival.partial_likelihood import Ties
from models.variables import Variable, with_ordinal_stage

MODEL_TESTS = ("wald", "score", "degrees_of_freedom", "p_wald", "p_score", "p_likelihood_ratio")
MODEL_STATISTICS = (
    "n",
    "events",
    "n_left_out",
    "n_candidates",
    "n_retained",
    "events_per_candidate",
    "log_likelihood",
    "likelihood_ratio",
    *MODEL_TESTS,
)
ALONE_STATISTICS = ("p_likelihood_ratio", "p_score")


def tell_regression(cohort: pl.DataFrame, selected: SelectedModel, options: StudyOptions) -> list[Row]:
    """Return the rows of each candidate alone, of the model that elimination leaves, and of its steps."""
    regression = selected.regression
    rows: list[Row] = []
    for variable in regression.candidates:
        topic = Topic(regression.analysis, "univariate", variable.word)
        statistics = (*regression.statistics, *ALONE_STATISTICS)
        rows += tell(
            topic, statistics, partial(_found_alone, cohort, regression, variable, ties=options.ties)
        )
    return rows + _tell_together(selected, options, n_patients=cohort.height)


def _found_alone(cohort: pl.DataFrame, regression: Regression, variable: Variable, *, ties: Ties) -> Finding:
    fit = regression.fit(*complete_rows(cohort, regression, (variable,)), ties)
    found = found_coefficient(fit.coefficients[0], fit, f"{variable.meaning}. {regression.told(ties)}")
    tests = {"p_likelihood_ratio": fit.tests.likelihood_ratio.p, "p_score": fit.tests.score.p}
    return Finding({**found.numbers, **tests}, found.definition, n=found.n, events=found.events)


def found_coefficient(coefficient: Coefficient, fit: ModelFit, definition: str) -> Finding:
    """Lay out a coefficient; statistics `Regression.statistics`, under either name of the ratio."""
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


def _tell_together(selected: SelectedModel, options: StudyOptions, *, n_patients: int) -> list[Row]:
    return [
        *_tell_retained(selected, options),
        *_tell_model(selected, options, n_patients=n_patients),
        *_tell_set_aside(selected),
        *_tell_steps(selected, options),
    ]


def meanings_of(regression: Regression) -> dict[str, str]:
    """Return what each variable of the multivariate model means, by word."""
    return {variable.word: variable.meaning for variable in with_ordinal_stage(regression.candidates)}


def _tell_retained(selected: SelectedModel, options: StudyOptions) -> list[Row]:
    regression, elimination = selected.regression, selected.elimination
    if elimination is None or elimination.fit is None:
        return []
    meanings, method = meanings_of(regression), regression.told(options.ties)
    rows: list[Row] = []
    for coefficient in elimination.fit.coefficients:
        topic = Topic(regression.analysis, "multivariate", coefficient.name)
        definition = f"{meanings[coefficient.name]}. Together with the retained variables. {method}"
        finding = found_coefficient(coefficient, elimination.fit, definition)
        rows += tell(topic, regression.statistics, partial(_itself, finding))
    return rows


def _itself(finding: Finding) -> Finding:
    return finding


def _tell_model(selected: SelectedModel, options: StudyOptions, *, n_patients: int) -> list[Row]:
    regression, outcome = selected.regression, selected.outcome
    n_events = selected.n_events
    n_retained, n_candidates = len(selected.retained), selected.covariates.width - len(selected.set_aside)
    numbers = {
        "n": outcome.height,
        "events": n_events,
        "n_left_out": n_patients - outcome.height,
        "n_candidates": n_candidates,
        "n_retained": n_retained if selected.elimination else None,
        "events_per_candidate": n_events / n_candidates if n_candidates else None,
        **_numbers_of_fit(selected.elimination.fit if selected.elimination else None),
    }
    definition = (
        f"Backward elimination while {REMOVED_BY[options.removal_test]} exceeds {options.removal_p}; "
        "patients with any candidate missing are left out; likelihood_ratio is the chi-square against no "
        "variables. "
        f"{regression.told(options.ties)}"
    )
    reasons = dict.fromkeys(MODEL_STATISTICS, str(selected.reason or "elimination left no variable"))
    finding = Finding(numbers, definition, n=outcome.height, events=n_events, reasons=reasons)
    return tell(Topic(regression.analysis, "multivariate", "model"), MODEL_STATISTICS, lambda: finding)


def _numbers_of_fit(fit: ModelFit | None) -> dict[str, float | None]:
    if fit is None:
        return dict.fromkeys(("log_likelihood", "likelihood_ratio", *MODEL_TESTS))
    tests = fit.tests
    return {
        "log_likelihood": fit.log_likelihood,
        "likelihood_ratio": tests.likelihood_ratio.chi_square,
        "wald": tests.wald.chi_square,
        "score": tests.score.chi_square,
        "degrees_of_freedom": float(tests.wald.degrees_of_freedom),
        "p_wald": tests.wald.p,
        "p_score": tests.score.p,
        "p_likelihood_ratio": tests.likelihood_ratio.p,
    }


def _tell_set_aside(selected: SelectedModel) -> list[Row]:
    regression = selected.regression
    rows: list[Row] = []
    n, n_events = selected.outcome.height, selected.n_events
    for name, reason in selected.set_aside.items():
        topic = Topic(f"{regression.analysis}_elimination", "set_aside", name)
        statistics = (regression.ratio, "p")
        finding = Finding(
            dict.fromkeys(statistics),
            f"Set aside before elimination, alone among the {n:,} patients who have every candidate",
            n=n,
            events=n_events,
            reasons=dict.fromkeys(statistics, str(reason)),
        )
        rows += tell(topic, statistics, partial(_itself, finding))
    return rows


def _tell_steps(selected: SelectedModel, options: StudyOptions) -> list[Row]:
    regression, outcome = selected.regression, selected.outcome
    n_events = selected.n_events
    removed_by = REMOVED_BY[options.removal_test].removeprefix("the largest ")
    rows: list[Row] = []
    for step in selected.elimination.steps if selected.elimination else ():
        topic = Topic(f"{regression.analysis}_elimination", f"step_{step.number:02d}", step.removed.name)
        finding = Finding(
            {regression.ratio: step.removed.ratio.value, "p": step.p},
            f"Removed at this step: its {removed_by} was the largest and above {options.removal_p}; "
            f"{step.n_left} left",
            n=outcome.height,
            events=n_events,
        )
        rows += tell(topic, (regression.ratio, "p"), partial(_itself, finding))
    return rows
