"""How much is missing, and the study's models with it imputed, to stand beside those of complete patients.

Here: the rows of the analyses `missing_data` and `multiple_imputation`. Not here: the imputation and Rubin's
rules (`models.imputation`), the models of complete patients. Called by `models.study.analyses`.
"""

import math
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
import polars as pl

from models.estimate import Floats
from models.imputation import Drawn, cumulative_hazard, impute_chained, pool, refuse_imputing
from models.resampling import SubsetFits, refuse_many, standardised
from models.study.likelihoods import has_durations, likelihood_of, outcome_of, separation_of
from models.study.options import StudyOptions
from models.study.rows import Finding, Row, Topic, tell, tell_failure
from models.study.selected_model import Regression, SelectedModel
from models.variables import UICC_III_IV, Variable, derive_variables, with_ordinal_stage
from transforms import schemas
from transforms.errors import NotEstimableError

MISSING = "missing_data"
IMPUTATION = "multiple_imputation"
MISSING_STATISTICS = ("n_missing", "percent")
COMPLETE_STATISTICS = ("n_complete", "percent_complete")
MODEL_STATISTICS = ("imputations", "imputations_converged")
IL7_CENSORED = "IL-7 that is known by its limit alone counts as missing"
NOTHING_MISSING = "nothing is missing"
HOW = (
    "Multiple imputation by chained equations, predictive mean matching with 5 donors; all candidates and "
    "the outcome (a survival time by its cumulative hazard) are among the predictors; patients without the "
    f"outcome are left out. {IL7_CENSORED}"
)


def tell_missing(cohort: pl.DataFrame, *regressions: Regression) -> list[Row]:
    """Return how many patients lack each candidate, a word once, and have all of a regression's."""
    variables = {variable.word: variable for regression in regressions for variable in regression.candidates}
    rows: list[Row] = []
    for word, variable in variables.items():
        compute = partial(_found_missing, cohort, variable)
        rows += tell(Topic(MISSING, "all", word), MISSING_STATISTICS, compute)
    for regression in regressions:
        topic = Topic(MISSING, regression.analysis, "model")
        rows += tell(topic, COMPLETE_STATISTICS, partial(_found_complete, cohort, regression))
    return rows


def _found_missing(cohort: pl.DataFrame, variable: Variable) -> Finding:
    n_missing = derive_variables(cohort, (variable,))[variable.word].null_count()
    numbers = {"n_missing": n_missing, "percent": _percent(n_missing, cohort.height)}
    definition = f"Patients without a value. {variable.meaning}. {IL7_CENSORED}"
    return Finding(numbers, definition, n=cohort.height, reasons={"percent": "no patients"})


def _found_complete(cohort: pl.DataFrame, regression: Regression) -> Finding:
    candidates = derive_variables(cohort, with_ordinal_stage(regression.candidates))
    n_complete = candidates.hstack(cohort.select(regression.outcome)).drop_nulls().height
    numbers = {"n_complete": n_complete, "percent_complete": _percent(n_complete, cohort.height)}
    definition = f"Patients with the outcome and every candidate of the multivariate model. {IL7_CENSORED}"
    return Finding(numbers, definition, n=cohort.height, reasons={"percent_complete": "no patients"})


def _percent(count: int, n: int) -> float | None:
    return 100 * count / n if n else None


def impute(cohort: pl.DataFrame, selected: SelectedModel, options: StudyOptions) -> list[Row]:
    """Return the regression's ratios with what is missing imputed: each alone, and the retained together.

    selected: what elimination made of the complete patients, with these options. Where nothing is missing,
    nothing is imputed. Made for at most `models.resampling.MOST_PATIENTS` patients; beyond, its rows say so.
    """
    regression = selected.regression
    # Rows are taken by their place: only sorted do the same draws come whatever order the cohort has.
    patients = cohort.sort(schemas.COHORT.key).drop_nulls(list(regression.outcome))
    study = _Imputation(regression, patients, options)
    rows: list[Row] = []
    for variable in regression.candidates:
        topic = Topic(IMPUTATION, regression.analysis, variable.word, "univariate")
        rows += tell(topic, study.statistics, partial(_found_alone, study, variable))
    return rows + _tell_together(study, selected)


@dataclass(frozen=True, eq=False)
class _Imputation:
    """The patients whose outcome is known, and what is made of their candidates."""

    regression: Regression
    patients: pl.DataFrame
    options: StudyOptions

    @property
    def statistics(self) -> tuple[str, ...]:
        return (self.regression.ratio, "ci_low", "ci_high", "p", "fraction_missing_information")

    @cached_property
    def candidates(self) -> pl.DataFrame:
        """The multivariate model's candidates, some null."""
        return derive_variables(self.patients, with_ordinal_stage(self.regression.candidates))

    @cached_property
    def refused(self) -> dict[str, NotEstimableError]:
        """Candidates of which too few values are known."""
        refused = {}
        for word in self.candidates.columns:
            try:
                refuse_imputing(_with_nan(self.candidates[word]))
            except NotEstimableError as reason:
                refused[word] = reason
        return refused

    @cached_property
    def completed(self) -> list[pl.DataFrame]:
        """The candidates without gaps, once for each imputation; those refused are left out."""
        words = [word for word in self.candidates.columns if word not in self.refused]
        self._refuse_needless(words)
        columns = [_with_nan(self.candidates[word]) for word in words]
        matrix = np.column_stack([*columns, *self._outcome_predictors()])
        imputed = impute_chained(matrix, n_imputations=self.options.imputations, seed=self.options.seed)
        return [pl.DataFrame(one[:, : len(words)], schema=words) for one in imputed]

    def _refuse_needless(self, words: list[str]) -> None:
        if self.options.imputations == 0:
            raise NotEstimableError("no imputations are asked for")
        if self.patients.is_empty():
            raise NotEstimableError("no patient has the outcome")
        refuse_many(self.patients.height)
        if not self.candidates.select(words).null_count().sum_horizontal().sum():
            raise NotEstimableError(NOTHING_MISSING)

    def _outcome_predictors(self) -> list[Floats]:
        durations, events = outcome_of(self.regression, self.patients)
        flag = events.astype(np.float64)
        return [flag, cumulative_hazard(durations, events)] if has_durations(self.regression) else [flag]

    @cached_property
    def n_events(self) -> int:
        """How many have the event or the outcome."""
        return self.regression.count_events(self.patients)

    def complete_degrees_of_freedom(self, n_variables: int) -> float:
        """What complete data would leave, counted as R's mice does: from events for Cox's model."""
        if has_durations(self.regression):
            return max(self.n_events - n_variables, 1)
        return max(self.patients.height - n_variables - 1, 1)

    def draw(self, frame: pl.DataFrame) -> dict[str, Drawn]:
        """Fit one completed data set: its coefficients by word."""
        likelihood = likelihood_of(self.regression, self.patients, ties=self.options.ties)
        names, matrix = tuple(frame.columns), frame.to_numpy()
        scaled, spread = standardised(matrix), matrix.std(axis=0)
        everyone = np.arange(len(scaled))
        separates = separation_of(self.regression, self.patients)
        fits = SubsetFits(
            names, scaled, likelihood(scaled, everyone), separates=lambda: separates(scaled, everyone)
        )
        return {
            found.name: Drawn(found.estimate / unit, (found.standard_error / unit) ** 2)
            for found, unit in zip(fits.fit(names).coefficients, spread, strict=True)
        }

    def draw_all(self, frames: list[pl.DataFrame]) -> list[dict[str, Drawn]]:
        """Fit all completed data sets; those without a finite estimate are left out, but not all silently."""
        drawn, reason = [], None
        for frame in frames:
            try:
                drawn.append(self.draw(frame))
            except NotEstimableError as failure:
                reason = failure
        if reason is not None and not drawn:
            raise reason
        return drawn


def _with_nan(values: pl.Series) -> Floats:
    return values.cast(pl.Float64).fill_null(math.nan).to_numpy()


def _found_alone(study: _Imputation, variable: Variable) -> Finding:
    if variable.word in study.refused:
        raise study.refused[variable.word]
    frames = [_alone(completed, variable) for completed in study.completed]
    drawn = [one[variable.word] for one in study.draw_all(frames)]
    return _found(study, drawn, n_variables=1, meaning=variable.meaning)


def _alone(completed: pl.DataFrame, variable: Variable) -> pl.DataFrame:
    """The variable as it stands alone: stage is imputed as a number, and then grouped."""
    values = pl.col(variable.word)
    return completed.select((values >= 3).cast(pl.Float64) if variable is UICC_III_IV else values)


def _tell_together(study: _Imputation, selected: SelectedModel) -> list[Row]:
    topic = partial(Topic, IMPUTATION, study.regression.analysis)
    try:
        refuse_many(study.patients.height)
        _refuse_without_model(selected)
    except NotEstimableError as reason:
        return tell_failure(topic("model"), MODEL_STATISTICS, reason)
    together = _Together(study, selected.retained)
    rows: list[Row] = []
    for word in selected.retained:
        rows += tell(topic(word, "multivariate"), study.statistics, partial(_found_in_model, together, word))
    return rows + tell(topic("model"), MODEL_STATISTICS, partial(_found_model, together))


def _refuse_without_model(selected: SelectedModel) -> None:
    if selected.reason is not None:
        raise NotEstimableError(f"elimination among the complete patients: {selected.reason}")


@dataclass(frozen=True, eq=False)
class _Together:
    """The model of the variables that elimination retained."""

    study: _Imputation
    retained: tuple[str, ...]

    @cached_property
    def drawn(self) -> list[dict[str, Drawn]]:
        """Its coefficients in every completed data set in which it converges."""
        for word in self.retained:
            if word in self.study.refused:
                raise NotEstimableError(f"{word}: {self.study.refused[word]}")
        return self.study.draw_all([completed.select(self.retained) for completed in self.study.completed])


def _found_in_model(together: _Together, word: str) -> Finding:
    drawn = [one[word] for one in together.drawn]
    meanings = {v.word: v.meaning for v in with_ordinal_stage(together.study.regression.candidates)}
    meaning = f"{meanings[word]}. Together with the variables retained among complete patients"
    return _found(together.study, drawn, n_variables=len(together.retained), meaning=meaning)


def _found_model(together: _Together) -> Finding:
    if not together.retained:
        raise NotEstimableError("elimination left no variable")
    study = together.study
    numbers = {"imputations": len(study.completed), "imputations_converged": len(together.drawn)}
    definition = f"Imputations made, and those in which the model of the retained has finite estimates. {HOW}"
    return Finding(numbers, definition, n=study.patients.height, events=study.n_events)


def _found(study: _Imputation, drawn: list[Drawn], *, n_variables: int, meaning: str) -> Finding:
    pooled = pool(drawn, complete_degrees_of_freedom=study.complete_degrees_of_freedom(n_variables))
    ratio = pooled.ratio
    numbers = {
        study.regression.ratio: ratio.value,
        "ci_low": ratio.ci_low,
        "ci_high": ratio.ci_high,
        "p": pooled.p,
        "fraction_missing_information": pooled.fraction_missing_information,
    }
    definition = (
        f"{meaning}. Pooled over {pooled.n_imputations} of {study.options.imputations} imputations by "
        f"Rubin's rules, interval and p by t with Barnard and Rubin's degrees of freedom. {HOW}"
    )
    return Finding(numbers, definition, n=study.patients.height, events=study.n_events)
