"""Cox's model under both ways of taking tied times, side by side: Efron's, as R, and Breslow's, as SPSS.

Here: the rows of `cox_os_ties`. Not here: the fit (`models.survival.cox`). Called by `models.study.analyses`.
"""

from functools import partial

import polars as pl

from models.study.regression import found_coefficient, meanings_of
from models.study.rows import Finding, Row, Topic, tell, tell_failure
from models.study.selected_model import COX_OS, TIES, SelectedModel, complete_rows
from models.survival.partial_likelihood import Ties
from models.variables import Variable
from transforms.errors import NotEstimableError

STATISTICS = ("hr", "ci_low", "ci_high", "p", "coefficient", "standard_error")


def compare_ties(cohort: pl.DataFrame, selected: SelectedModel) -> list[Row]:
    """Return the hazard ratios of Table 2 under both rules, alone and of what elimination retained."""
    rows: list[Row] = []
    for ties in TIES:
        for variable in COX_OS.candidates:
            topic = Topic("cox_os_ties", ties, variable.word, "univariate")
            rows += tell(topic, STATISTICS, partial(_found_alone, cohort, variable, ties))
        rows += _tell_together(selected, ties)
    return rows


def _found_alone(cohort: pl.DataFrame, variable: Variable, ties: Ties) -> Finding:
    fit = COX_OS.fit(*complete_rows(cohort, COX_OS, (variable,)), ties)
    return found_coefficient(fit.coefficients[0], fit, f"{variable.meaning}. {COX_OS.told(ties)}")


def _tell_together(selected: SelectedModel, ties: Ties) -> list[Row]:
    topic = partial(Topic, "cox_os_ties", ties, level="multivariate")
    try:
        selected.require_fit()
        fit = COX_OS.fit(selected.covariates.select(selected.retained), selected.outcome, ties)
    except NotEstimableError as reason:
        return tell_failure(topic("model"), STATISTICS, reason)
    meanings = meanings_of(COX_OS)
    rows: list[Row] = []
    for one in fit.coefficients:
        definition = f"{meanings[one.name]}. Together with the retained variables. {COX_OS.told(ties)}"
        rows += tell(topic(one.name), STATISTICS, partial(found_coefficient, one, fit, definition))
    return rows
