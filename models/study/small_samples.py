"""What few events do to a regression: separation, and intervals that do not lean on large samples.

Here: the rows of `separation`, `firth` and `profile_likelihood`, of each candidate alone and of those that
stay together. Not here: the fits (`models.firth`, `models.profile_likelihood`). Called by
`models.study.analyses`.
"""

from dataclasses import dataclass
from functools import partial
from typing import Protocol

import numpy as np
import polars as pl

from models.design import monotone_columns, read_design, separating_columns
from models.firth import fit_firth_cox, fit_firth_logistic
from models.profile_likelihood import Profile, profile_coefficients
from models.study.likelihoods import has_durations, likelihood_of, outcome_of
from models.study.options import StudyOptions
from models.study.regression import meanings_of
from models.study.rows import Finding, Row, Topic, tell, tell_failure
from models.study.selected_model import Regression, SelectedModel, complete_rows
from models.survival.partial_likelihood import Ties
from models.variables import Variable
from transforms.errors import NotEstimableError

IS_SEPARATED = ("is_separated",)
BY_FIRTH = (
    "Firth's penalised likelihood (Firth 1993, Heinze and Schemper 2002), which has an estimate where data "
    "are separated and is less biased where events are few; profile interval and likelihood-ratio p"
)
BY_PROFILE = (
    "Profile-likelihood 95 % interval and likelihood-ratio p; where Wald's are far from them, trust these"
)
OF_SEPARATION = (
    "Whether the variable alone, or all candidates together (model), part those with the event from those "
    "without, wholly or at the edge: then the likelihood has no finite ratio. 1 yes, 0 no; exact, by a "
    "linear programme (Konis 2007; for Cox, whether the partial likelihood is monotone)"
)
TOGETHER = "Together with the retained variables, or with all where elimination has no model"
# Beyond, Wald's intervals hold, and the linear programme takes minutes.
MOST_PATIENTS = 20_000


class Fitted(Protocol):
    """A fit by one of the guards."""

    def __call__(
        self, regression: Regression, covariates: pl.DataFrame, outcome: pl.DataFrame, *, ties: Ties
    ) -> tuple[Profile, ...]:
        """Return a profile for each covariate."""


@dataclass(frozen=True)
class Guard:
    """A way to fit that does not lean on large samples: its analysis, statistics, method and fit."""

    analysis: str
    statistics: tuple[str, ...]
    told: str
    fit: Fitted


def _fit_firth(
    regression: Regression, covariates: pl.DataFrame, outcome: pl.DataFrame, *, ties: Ties
) -> tuple[Profile, ...]:
    durations, events = outcome_of(regression, outcome)
    if has_durations(regression):
        return fit_firth_cox(covariates, durations, events, ties=ties).coefficients
    return fit_firth_logistic(covariates, events).coefficients


def _profile(
    regression: Regression, covariates: pl.DataFrame, outcome: pl.DataFrame, *, ties: Ties
) -> tuple[Profile, ...]:
    # The plain fit says why where there is none; a profile alone might climb without end.
    regression.fit(covariates, outcome, ties)
    likelihood = likelihood_of(regression, outcome, ties=ties)(
        covariates.to_numpy(), np.arange(outcome.height)
    )
    return profile_coefficients(likelihood, covariates.columns)


FIRTH = Guard("firth", ("ratio", "ci_low", "ci_high", "p", "coefficient"), BY_FIRTH, _fit_firth)
PROFILE = Guard("profile_likelihood", ("ci_low", "ci_high", "p"), BY_PROFILE, _profile)


def guard_small_samples(cohort: pl.DataFrame, selected: SelectedModel, options: StudyOptions) -> list[Row]:
    """Return the rows of `separation`, `firth` and `profile_likelihood` for a regression of the study."""
    rows = _tell_separation(cohort, selected)
    for guard in (FIRTH, PROFILE):
        rows += _tell_alone(guard, cohort, selected.regression, ties=options.ties)
        rows += _tell_together(guard, selected, ties=options.ties)
    return rows


def _refuse_many(n: int) -> None:
    if n > MOST_PATIENTS:
        raise NotEstimableError(
            f"not made beyond {MOST_PATIENTS:,} patients, here {n:,}: with so many, Wald's intervals hold"
        )


def _tell_separation(cohort: pl.DataFrame, selected: SelectedModel) -> list[Row]:
    regression = selected.regression
    topic = partial(Topic, "separation", regression.analysis)
    rows: list[Row] = []
    for variable in regression.candidates:
        rows += tell(topic(variable.word), IS_SEPARATED, partial(_found_alone, cohort, regression, variable))
    return rows + tell(topic("model"), IS_SEPARATED, partial(_found_together, selected))


def _found_alone(cohort: pl.DataFrame, regression: Regression, variable: Variable) -> Finding:
    return _found_separation(regression, *complete_rows(cohort, regression, (variable,)))


def _found_together(selected: SelectedModel) -> Finding:
    return _found_separation(selected.regression, _varying(selected.covariates), selected.outcome)


def _found_separation(regression: Regression, covariates: pl.DataFrame, outcome: pl.DataFrame) -> Finding:
    _refuse_many(outcome.height)
    parting = _separating(regression, covariates, outcome)
    by = f". Parted by: {', '.join(parting)}" if parting else ""
    n_events = regression.count_events(outcome)
    return Finding(
        {"is_separated": float(bool(parting))}, f"{OF_SEPARATION}{by}", n=outcome.height, events=n_events
    )


def _separating(regression: Regression, covariates: pl.DataFrame, outcome: pl.DataFrame) -> tuple[str, ...]:
    durations, events = outcome_of(regression, outcome)
    read_design(covariates, outcome.height)
    if has_durations(regression):
        return monotone_columns(covariates, durations, events)
    return separating_columns(covariates, events)


def _tell_alone(guard: Guard, cohort: pl.DataFrame, regression: Regression, *, ties: Ties) -> list[Row]:
    rows: list[Row] = []
    for variable in regression.candidates:
        topic = Topic(guard.analysis, regression.analysis, variable.word, "univariate")
        rows += tell(
            topic,
            _words(guard, regression),
            partial(_found_one, guard, cohort, regression, variable=variable, ties=ties),
        )
    return rows


def _words(guard: Guard, regression: Regression) -> tuple[str, ...]:
    return tuple(regression.ratio if word == "ratio" else word for word in guard.statistics)


def _found_one(
    guard: Guard, cohort: pl.DataFrame, regression: Regression, *, variable: Variable, ties: Ties
) -> Finding:
    covariates, outcome = complete_rows(cohort, regression, (variable,))
    _refuse_many(outcome.height)
    (profile,) = guard.fit(regression, covariates, outcome, ties=ties)
    return _found(guard, profile, regression, outcome=outcome, meaning=f"{variable.meaning}. ", ties=ties)


def _tell_together(guard: Guard, selected: SelectedModel, *, ties: Ties) -> list[Row]:
    regression, words = selected.regression, _words(guard, selected.regression)
    topic = partial(Topic, guard.analysis, regression.analysis, level="multivariate")
    try:
        profiles = _fit_together(guard, selected, ties)
    except NotEstimableError as reason:
        return tell_failure(topic("model"), words, reason)
    meanings = meanings_of(regression)
    rows: list[Row] = []
    for one in profiles:
        meaning = f"{meanings[one.name]}. {TOGETHER}. "
        found = partial(_found, guard, one, regression, outcome=selected.outcome, meaning=meaning, ties=ties)
        rows += tell(topic(one.name), words, found)
    return rows


def _fit_together(guard: Guard, selected: SelectedModel, ties: Ties) -> tuple[Profile, ...]:
    _refuse_many(selected.outcome.height)
    return guard.fit(selected.regression, _together(guard, selected), selected.outcome, ties=ties)


def _together(guard: Guard, selected: SelectedModel) -> pl.DataFrame:
    """The variables that stay; for Firth, where separation leaves no model, all that vary."""
    if guard is FIRTH and selected.elimination is None and selected.covariates.height:
        return _varying(selected.covariates)
    selected.require_fit()
    return selected.covariates.select(selected.retained)


def _varying(covariates: pl.DataFrame) -> pl.DataFrame:
    return covariates.drop(name for name in covariates.columns if covariates[name].n_unique() < 2)


def _found(
    guard: Guard, profile: Profile, regression: Regression, *, outcome: pl.DataFrame, meaning: str, ties: Ties
) -> Finding:
    ratio = profile.ratio
    numbers = {
        regression.ratio: ratio.value,
        "ci_low": ratio.ci_low,
        "ci_high": ratio.ci_high,
        "p": profile.p,
        "coefficient": profile.estimate,
    }
    reasons = dict.fromkeys(("ci_low", "ci_high"), profile.reason or "")
    n_events = regression.count_events(outcome)
    # The method's last words are Wald's, which this is not.
    method = regression.told(ties).replace(", Wald's p and 95 % interval", "")
    definition = f"{meaning}{guard.told}. {method}"
    return Finding(numbers, definition, n=outcome.height, events=n_events, reasons=reasons)
