"""Tables 2 and 3 and supplementary table 1: hazard and odds ratios, alone and together.

Here: rows of texts, and the numbers of a forest plot. Not here: what guards say of the same models
(`transforms.tables.alternatives`, `transforms.tables.assumptions`). Called by `flows.report`.
"""

import polars as pl

from transforms.tables.analysis import (
    Analysis,
    Estimate,
    Row,
    first_or_reasons,
    n_text,
    p_text,
    text_frame,
    why_missing,
)
from transforms.wording import NOTHING, covariate_label_of, step_of, write_number, write_ratio

MODELS = ("univariate", "multivariate")


def compare_models(estimates: pl.DataFrame, analysis_name: str) -> pl.DataFrame:
    """Return Table 2 (`cox_os`) or 3 (`logit_asl`): univariate and multivariate side by side.

    Also supplementary table 1 (`logit_asl_liver_dose`). Columns variable, n, univariate, univariate_p,
    univariate_q, multivariate, multivariate_p, note; `n` is "events of
    patients" of the univariate model. A variable outside the multivariate model has a dash there.
    """
    analysis = Analysis(estimates, analysis_name)
    set_aside = Analysis(estimates, f"{analysis_name}_elimination")
    ratio = ratio_of(analysis_name)
    rows: list[Row] = []
    for variable in analysis.variables("univariate"):
        found = {model: analysis.find(model, variable, ratio) for model in MODELS}
        tests = {f"{model}_p": p_text(analysis.find(model, variable, "p")) for model in MODELS}
        tests["univariate_q"] = p_text(analysis.find("univariate", variable, "q"))
        cells = {model: ratio_text(analysis, model, variable) for model in MODELS}
        rows.append(
            {"variable": covariate_label_of(variable), "n": n_text(found["univariate"]), **cells, **tests}
            | {"note": _model_notes(analysis, variable, set_aside.find("set_aside", variable, ratio))}
        )
    columns = (
        *("variable", "n", "univariate", "univariate_p", "univariate_q"),
        *("multivariate", "multivariate_p", "note"),
    )
    return text_frame(rows, columns)


def list_ratios(estimates: pl.DataFrame, analysis_name: str) -> pl.DataFrame:
    """Return the ratios that could be estimated, for a forest plot: label, model, ratio, ci_low, ci_high.

    A ratio is of the step its label names (AFP per 10,000 ng/mL), as in `compare_models`.
    """
    analysis = Analysis(estimates, analysis_name)
    rows = []
    for variable in analysis.variables("univariate"):
        for model in MODELS:
            numbers = _ratio(analysis, model, variable)
            if all(number is not None and 0 < number < float("inf") for number in numbers):
                label = covariate_label_of(variable, is_multivariate=model == "multivariate")
                rows.append((label, model, *numbers))
    schema = {"label": pl.String, "model": pl.String} | dict.fromkeys(
        ("ratio", "ci_low", "ci_high"), pl.Float64
    )
    return pl.DataFrame(rows, schema=schema, orient="row")


def ratio_of(analysis_name: str) -> str:
    """Return the statistic that an analysis' ratios stand under: hr for Cox, or for logistic regression."""
    return "hr" if analysis_name.startswith("cox") else "or"


def _ratio(analysis: Analysis, model: str, variable: str) -> tuple[float | None, ...]:
    names = (ratio_of(analysis.name), "ci_low", "ci_high")
    return tuple(per_step(analysis.value(model, variable, name), variable) for name in names)


def per_step(ratio: float | None, variable: str) -> float | None:
    """Return a ratio for the step that the covariate's label names; infinite where it is too large."""
    try:
        return None if ratio is None else ratio ** step_of(variable)
    except OverflowError:
        return float("inf")


def ratio_text(analysis: Analysis, group: str, variable: str, *, level: str = "", statistic: str = "") -> str:
    """Write a ratio with its interval, for the step its label names; a dash where it was never asked for."""
    statistic = statistic or ratio_of(analysis.name)
    if not analysis.find(group, variable, statistic, level=level).is_made:
        return NOTHING
    numbers = (
        per_step(analysis.value(group, variable, name, level=level), variable)
        for name in (statistic, "ci_low", "ci_high")
    )
    return write_ratio(*numbers)


def ratio_reasons(
    analysis: Analysis, group: str, variable: str, *, level: str = "", statistic: str = ""
) -> Estimate:
    """Return the ratio that `ratio_text` writes; where it or a limit of it is null, the reasons for that."""
    names = (statistic or ratio_of(analysis.name), "ci_low", "ci_high")
    return first_or_reasons(*(analysis.find(group, variable, name, level=level) for name in names))


def _model_notes(analysis: Analysis, variable: str, set_aside: Estimate) -> str:
    reasons = {model: why_missing(ratio_reasons(analysis, model, variable)) for model in MODELS}
    reasons["multivariate"] = reasons["multivariate"] or why_missing(set_aside)
    notes = [f"{model.capitalize()}: {reason}" for model, reason in reasons.items() if reason]
    found = analysis.find("multivariate", variable, ratio_of(analysis.name))
    if "ordinal" in (found.definition or ""):
        notes.append("Multivariate: stage as an ordinal number (II, III, IV), for one stage more")
    return ". ".join(notes)


def describe_multivariate(estimates: pl.DataFrame, analysis_name: str) -> str:
    """Return in a sentence or two what the multivariate model rests on, or why there is none."""
    analysis = Analysis(estimates, analysis_name)
    kept = analysis.find("multivariate", "model", "n_retained")
    if kept.value is None:
        return f"No multivariate model: {why_missing(kept) or 'it was not estimated'}."
    n, events, left_out, candidates = (
        write_number(analysis.value("multivariate", "model", name), 0)
        for name in ("n", "events", "n_left_out", "n_candidates")
    )
    ratio = write_number(analysis.value("multivariate", "model", "events_per_candidate"), 1)
    return (
        f"Multivariate model: {n} patients with {events} events ({left_out} left out for a missing value). "
        f"Backward elimination kept {kept.value:.0f} of {candidates} candidates ({ratio} events a candidate)."
    )
