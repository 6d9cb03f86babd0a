"""Whether a regression may be trusted: what its numbers rest on, its assumptions, single patients.

Here: rows of texts on events, separation, proportional hazards, functional form, influence. Not here: other
fits (`transforms.tables.alternatives`), selection (`transforms.tables.stability`). Called by `flows.report`.
"""

import polars as pl

from transforms.tables.analysis import (
    Analysis,
    Estimate,
    Row,
    count_text,
    first_or_reasons,
    join_reasons,
    number_text,
    p_text,
    text_frame,
    why_missing,
)
from transforms.tables.regressions import per_step, ratio_of, ratio_reasons, ratio_text
from transforms.wording import (
    NOT_ESTIMATED,
    NOTHING,
    candidate_label_of,
    covariate_label_of,
    model_of,
    write_limits,
)

REGRESSIONS = ("cox_os", "logit_asl")


def list_events(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return model, n, events, candidates, per_candidate, separated, note: what each regression rests on.

    A model that could not be fitted has its row too, and says why there is none.
    """
    separation = Analysis(estimates, "separation")
    rows: list[Row] = []
    for name in (*REGRESSIONS, "logit_asl_liver_dose"):
        analysis = Analysis(estimates, name)
        ratio = analysis.find("multivariate", "model", "events_per_candidate")
        kept = analysis.find("multivariate", "model", "n_retained")
        if ratio.is_made or kept.is_made:
            counts = {
                words: count_text(analysis, "multivariate", "model", statistic=statistic)
                for words, statistic in (("n", "n"), ("events", "events"), ("candidates", "n_candidates"))
            }
            rows.append(
                {"model": model_of(name), **counts, "per_candidate": number_text(ratio, 1)}
                | {
                    "separated": _separated_text(separation, name),
                    "note": join_reasons(
                        {
                            "Events a candidate": ratio,
                            "No model": kept,
                            "Separation": separation.find(name, "model", "is_separated"),
                        }
                    ),
                }
            )
    return text_frame(rows, ("model", "n", "events", "candidates", "per_candidate", "separated", "note"))


def separated_variables(separation: Analysis, name: str) -> list[str]:
    """Return the words of the variables that alone separate the outcome of a regression."""
    found = (one for one in separation.variables(name) if separation.value(name, one, "is_separated"))
    return [candidate_label_of(variable) for variable in found if variable != "model"]


def _separated_text(separation: Analysis, name: str) -> str:
    whole = separation.find(name, "model", "is_separated")
    variables = separated_variables(separation, name)
    if variables:
        return "; ".join(variables)
    if whole.value:
        return "several together"
    tested = (separation.value(name, one, "is_separated") for one in separation.variables(name))
    if all(found is None for found in tested):
        return "not tested"
    return "nothing alone; together not tested" if whole.value is None else "nothing"


def list_proportional_hazards(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return variable, chi_square, degrees_of_freedom, p, note: tests of Schoenfeld's residuals."""
    analysis = Analysis(estimates, "proportional_hazards")
    rows = [_chi_square(analysis, "cox_os", variable) for variable in analysis.variables("cox_os")]
    return text_frame(rows, ("variable", "chi_square", "degrees_of_freedom", "p", "note"))


def list_functional_form(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return variable, is_level, chi_square, degrees_of_freedom, p, note: whether straight lines will do."""
    analysis = Analysis(estimates, "functional_form")
    cells = ("variable", "is_level", "chi_square", "degrees_of_freedom", "p", "note")
    rows: list[Row] = []
    for name in REGRESSIONS:
        told = [
            _chi_square(analysis, name, variable) | {"is_level": True}
            for variable in analysis.variables(name)
        ]
        rows += (
            [dict.fromkeys(cells, "") | {"variable": model_of(name), "is_level": False}, *told]
            if told
            else []
        )
    return text_frame(rows, cells)


def _chi_square(analysis: Analysis, group: str, variable: str) -> dict[str, object]:
    test = analysis.find(group, variable, "p")
    return {
        "variable": candidate_label_of(variable, is_multivariate=True),
        "chi_square": number_text(analysis.find(group, variable, "chi_square"), 2),
        "degrees_of_freedom": number_text(analysis.find(group, variable, "degrees_of_freedom"), 0),
        "p": p_text(test),
        "note": why_missing(test),
    }


def list_influence(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return variable, is_level, ratio, without, max_abs_dfbetas, n_influential, note.

    `without` are the lowest and highest ratio among the fits that leave out one patient: up to 200 patients
    each in turn, beyond that each of the ten who move the coefficient most.
    """
    analysis = Analysis(estimates, "influence")
    cells = ("variable", "is_level", "ratio", "without", "max_abs_dfbetas", "n_influential", "note")
    rows: list[Row] = []
    for name in REGRESSIONS:
        model = Analysis(estimates, name)
        told = [_influence(analysis, model, variable) for variable in analysis.variables(name)]
        rows += (
            [dict.fromkeys(cells, "") | {"variable": model_of(name), "is_level": False}, *told]
            if told
            else []
        )
    return text_frame(rows, cells)


def _influence(analysis: Analysis, model: Analysis, variable: str) -> Row:
    dfbetas = analysis.find(model.name, variable, "max_abs_dfbetas")
    limits = ratios_without_one(analysis, model.name, variable)
    is_told = model.find("multivariate", variable, ratio_of(model.name)).is_made
    return {
        "variable": covariate_label_of(variable, is_multivariate=True),
        "is_level": True,
        "ratio": ratio_text(model, "multivariate", variable) if is_told else NOTHING,
        "without": _without_text(limits, variable),
        "max_abs_dfbetas": number_text(dfbetas, 2),
        "n_influential": count_text(analysis, model.name, variable, statistic="n_influential"),
        "note": join_reasons(
            {
                "Ratio": ratio_reasons(model, "multivariate", variable),
                "Influence": dfbetas,
                "Ratio without one patient": first_or_reasons(*limits),
            }
        ),
    }


def _without_text(limits: tuple[Estimate, Estimate], variable: str) -> str:
    low, high = (per_step(limit.value, variable) for limit in limits)
    # Not an interval with an open end: where one fit fails, nothing is known of the lowest or highest.
    return NOT_ESTIMATED if low is None or high is None else write_limits(low, high)


def ratios_without_one(analysis: Analysis, name: str, variable: str) -> tuple[Estimate, Estimate]:
    """Return the lowest and highest ratio of a variable when one patient is left out."""
    low, high = (analysis.find(name, variable, f"ratio_without_{end}") for end in ("low", "high"))
    return low, high
