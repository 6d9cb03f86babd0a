"""The study's models: Cox's of overall survival and the logistic ones of ASL, from candidates to what stays.

Here: which models, on which patients, and what was left. Not here: their rows (`models.study.regression`),
the fits (`models.survival.cox`, `models.regression`), the elimination (`models.selection`).
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from models.regression import LogisticFit, fit_logistic
from models.selection import Elimination, RemovalTest, eliminate_backward
from models.study.options import StudyOptions
from models.survival.cox import CoxFit, fit_cox
from models.survival.partial_likelihood import Ties
from models.variables import (
    ASL_VARIABLES,
    LIVER_DOSE_VARIABLES,
    SURVIVAL_VARIABLES,
    Variable,
    derive_variables,
    with_ordinal_stage,
)
from transforms.errors import NotEstimableError
from transforms.schemas import PATIENT_KEY

ModelFit = CoxFit | LogisticFit
TIES: dict[Ties, str] = {"efron": "Efron's ties", "breslow": "Breslow's ties"}
REMOVED_BY: dict[RemovalTest, str] = {
    "wald": "the largest Wald p",
    "likelihood_ratio": "the largest likelihood-ratio p",
}


@dataclass(frozen=True)
class Regression:
    """A model of the study: its words, candidates, outcome columns, fit, and how to read it.

    `fit` takes (covariates, outcome), both complete, one row a patient, and how ties are taken.
    """

    analysis: str
    ratio: str
    candidates: tuple[Variable, ...]
    outcome: tuple[str, ...]
    fit: Callable[[pl.DataFrame, pl.DataFrame, Ties], ModelFit]
    method: str

    @property
    def statistics(self) -> tuple[str, ...]:
        """What each coefficient tells."""
        return (self.ratio, "ci_low", "ci_high", "p", "coefficient", "standard_error", "z")

    def count_events(self, outcome: pl.DataFrame) -> int:
        """Return how many of the rows with this regression's outcome columns have the event."""
        return int(outcome[self.outcome[-1]].sum())

    def told(self, ties: Ties) -> str:
        """Return the method in words."""
        return self.method.format(ties=TIES[ties])


def _fit_overall_survival(covariates: pl.DataFrame, outcome: pl.DataFrame, ties: Ties) -> CoxFit:
    return fit_cox(covariates, outcome["os_months"].to_numpy(), outcome["has_died"].to_numpy(), ties=ties)


def _fit_asl(covariates: pl.DataFrame, outcome: pl.DataFrame, _ties: Ties) -> LogisticFit:
    return fit_logistic(covariates, outcome["has_asl"].to_numpy())


COX_OS = Regression(
    analysis="cox_os",
    ratio="hr",
    candidates=SURVIVAL_VARIABLES,
    outcome=("os_months", "has_died"),
    fit=_fit_overall_survival,
    method="Cox, {ties}, Wald's p and 95 % interval; overall survival from the start of RT",
)
LOGIT_ASL = Regression(
    analysis="logit_asl",
    ratio="or",
    candidates=ASL_VARIABLES,
    outcome=("has_asl",),
    fit=_fit_asl,
    method="Logistic regression of ASL, Wald's p and 95 % interval",
)
LOGIT_ASL_LIVER_DOSE = Regression(
    analysis="logit_asl_liver_dose",
    ratio="or",
    candidates=LIVER_DOSE_VARIABLES,
    outcome=("has_asl",),
    fit=_fit_asl,
    method="Logistic regression of ASL, mean liver dose in place of the volume, Wald's p and 95 % interval",
)


@dataclass(frozen=True, eq=False)
class SelectedModel:
    """What elimination made of a regression's candidates.

    `covariates`, `outcome` and `patients` (their key) hold those who have every candidate and the outcome;
    `set_aside` the candidates that could not even alone be estimated, with the reason; `reason` says why
    there is no model.
    """

    regression: Regression
    covariates: pl.DataFrame
    outcome: pl.DataFrame
    patients: pl.DataFrame
    elimination: Elimination[ModelFit] | None
    set_aside: dict[str, NotEstimableError]
    reason: NotEstimableError | None = None

    @property
    def n_events(self) -> int:
        """How many of these patients have the event or the outcome."""
        return self.regression.count_events(self.outcome)

    @property
    def retained(self) -> tuple[str, ...]:
        """The words of the variables that stay."""
        return self.elimination.retained if self.elimination else ()

    def require_fit(self) -> ModelFit:
        """Return the last fit; raise the reason where there is none."""
        if self.reason is not None:
            raise self.reason
        if self.set_aside and len(self.set_aside) == self.covariates.width:
            raise next(iter(self.set_aside.values()))
        if self.elimination is None or self.elimination.fit is None:
            raise NotEstimableError("elimination left no variable")
        return self.elimination.fit


def complete_rows(
    cohort: pl.DataFrame, regression: Regression, variables: tuple[Variable, ...]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return covariates and outcome of the patients who have all of both (listwise deletion).

    Raises `NotEstimableError` where nobody has.
    """
    complete = _complete(cohort, regression, variables)
    return complete.select(variable.word for variable in variables), complete.select(regression.outcome)


def _complete(cohort: pl.DataFrame, regression: Regression, variables: tuple[Variable, ...]) -> pl.DataFrame:
    frame = derive_variables(cohort, variables).hstack(cohort.select(*PATIENT_KEY, *regression.outcome))
    complete = frame.drop_nulls()
    if complete.is_empty():
        worst = max(frame.columns, key=lambda column: frame[column].null_count())
        n_missing = frame[worst].null_count()
        raise NotEstimableError(
            f"no patient has all values; most often missing: {worst} ({n_missing} of {frame.height})"
        )
    return complete


def select_model(cohort: pl.DataFrame, regression: Regression, options: StudyOptions) -> SelectedModel:
    """Eliminate backward among the candidates, with stage as a number; a failure is kept as the reason.

    The patients come sorted by their key: who resamples them draws the same ones whatever order they had.
    """
    candidates = with_ordinal_stage(regression.candidates)
    complete, reason = _complete_or_reason(cohort.sort(PATIENT_KEY), regression, candidates)
    covariates = complete.select(variable.word for variable in candidates)
    outcome, patients = complete.select(regression.outcome), complete.select(PATIENT_KEY)
    if reason is not None:
        return SelectedModel(regression, covariates, outcome, patients, None, {}, reason)
    elimination, set_aside, reason = _eliminate(regression, covariates, outcome, options=options)
    return SelectedModel(regression, covariates, outcome, patients, elimination, set_aside, reason)


def _complete_or_reason(
    cohort: pl.DataFrame, regression: Regression, variables: tuple[Variable, ...]
) -> tuple[pl.DataFrame, NotEstimableError | None]:
    try:
        return _complete(cohort, regression, variables), None
    except NotEstimableError as reason:
        nobody = cohort.clear().select(*PATIENT_KEY, *regression.outcome)
        return derive_variables(cohort.clear(), variables).hstack(nobody), reason


Eliminated = tuple[Elimination[ModelFit] | None, dict[str, NotEstimableError], NotEstimableError | None]


def _eliminate(
    regression: Regression, covariates: pl.DataFrame, outcome: pl.DataFrame, *, options: StudyOptions
) -> Eliminated:
    """The elimination, the candidates set aside because not even alone they can be estimated, the reason why
    there is no model.

    One constant or separating candidate would otherwise cost the whole table.
    """

    def fit(names: tuple[str, ...]) -> ModelFit:
        return regression.fit(covariates.select(names), outcome, options.ties)

    def eliminate(names: tuple[str, ...]) -> Elimination[ModelFit]:
        return eliminate_backward(names, fit, removal_p=options.removal_p, removal_test=options.removal_test)

    names = tuple(covariates.columns)
    try:
        return eliminate(names), {}, None
    except NotEstimableError as reason:
        set_aside = _reasons_alone(names, fit)
        if not set_aside:
            return None, {}, reason
    try:
        return eliminate(tuple(name for name in names if name not in set_aside)), set_aside, None
    except NotEstimableError as reason:
        return None, set_aside, reason


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
