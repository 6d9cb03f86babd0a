"""What other patients or whole records might have given: selection, missing data, competing risks.

Here: rows of texts. Not here: ratios under other fits (`transforms.tables.alternatives`). Called by
`flows.report`.
"""

import polars as pl

from transforms.tables.analysis import (
    Analysis,
    Estimate,
    Row,
    count_text,
    distinct,
    is_made,
    join_reasons,
    number_text,
    percent_text,
    text_frame,
    why_missing,
)
from transforms.tables.assumptions import REGRESSIONS
from transforms.tables.regressions import ratio_of
from transforms.wording import (
    NOTHING,
    candidate_label_of,
    group_of,
    label_of,
    model_of,
    write_interval,
    write_number,
)

MEASURES = {"cox_os": "Harrell's C", "logit_asl": "AUC"}
INCIDENCES = {24: ("progression", "death_before_progression"), 6: ("recovery", "death_before_recovery")}


def list_inclusion(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return variable, note and, for cox_os and logit_asl, _kept (yes, no), _inclusion (% of resamples)."""
    stability = Analysis(estimates, "selection_stability")
    models = {name: Analysis(estimates, name) for name in REGRESSIONS}
    variables = distinct(one for name in REGRESSIONS for one in stability.variables(name) if one != "model")
    rows: list[Row] = []
    for variable in variables:
        cells: dict[str, object] = {"variable": candidate_label_of(variable, is_multivariate=True)}
        found = {name: stability.find(name, variable, "inclusion_percent") for name in REGRESSIONS}
        for name, percent in found.items():
            is_kept = models[name].find("multivariate", variable, ratio_of(name)).is_made
            cells[f"{name}_kept"] = ("yes" if is_kept else "no") if percent.is_made else NOTHING
            cells[f"{name}_inclusion"] = percent_text(percent.value) if percent.is_made else NOTHING
        rows.append({**cells, "note": " ".join(distinct(map(why_missing, found.values()))).strip()})
    columns = tuple(f"{name}_{end}" for name in REGRESSIONS for end in ("kept", "inclusion"))
    return text_frame(rows, ("variable", *columns, "note"))


def list_optimism(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return model, measure, asked, converged, apparent, optimism, corrected, slope, note."""
    stability = Analysis(estimates, "selection_stability")
    rows: list[Row] = []
    for name in REGRESSIONS:
        corrected = stability.find(name, "model", "corrected")
        if corrected.is_made:
            numbers = {
                word: number_text(stability.find(name, "model", statistic), 3)
                for word, statistic in (
                    *((word, word) for word in ("apparent", "optimism", "corrected")),
                    ("slope", "calibration_slope"),
                )
            }
            asked, converged = (
                count_text(stability, name, "model", statistic=word)
                for word in ("resamples", "resamples_converged")
            )
            rows.append(
                {"model": model_of(name), "measure": MEASURES[name], "asked": asked, "converged": converged}
                | {**numbers, "note": join_reasons(_reasons(stability, name))}
            )
    columns = ("model", "measure", "asked", "converged", "apparent", "optimism", "corrected", "slope", "note")
    return text_frame(rows, columns)


def _reasons(stability: Analysis, name: str) -> dict[str, Estimate]:
    words = {
        "Apparent": "apparent",
        "Optimism": "optimism",
        "Corrected": "corrected",
        "Slope": "calibration_slope",
    }
    return {told: stability.find(name, "model", statistic) for told, statistic in words.items()}


def list_missing(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return variable, n_missing, percent, note: how many patients lack a candidate.

    Candidates that every patient has share the last row.
    """
    analysis = Analysis(estimates, "missing_data")
    variables = analysis.variables("all")
    lacking = [one for one in variables if analysis.value("all", one, "n_missing") != 0]
    rows: list[Row] = [
        {
            "variable": candidate_label_of(variable, is_multivariate=True),
            "n_missing": count_text(analysis, "all", variable, statistic="n_missing"),
            "percent": percent_text(analysis.value("all", variable, "percent"), 1),
            "note": why_missing(analysis.find("all", variable, "percent")),
        }
        for variable in lacking
    ]
    if n_others := len(variables) - len(lacking):
        words = f"{'The other' if lacking else 'All'} {n_others} candidates"
        rows.append({"variable": words, "n_missing": "0", "percent": percent_text(0.0, 1), "note": ""})
    return text_frame(rows, ("variable", "n_missing", "percent", "note"))


def describe_complete(estimates: pl.DataFrame) -> str:
    """Return how many patients have every candidate, and how many imputations stand beside them."""
    missing, imputed = (Analysis(estimates, name) for name in ("missing_data", "multiple_imputation"))
    told = []
    for name in REGRESSIONS:
        share = missing.find(name, "model", "percent_complete")
        if share.is_made:
            n = count_text(missing, name, "model", statistic="n_complete")
            told.append(f"{model_of(name)}: {n} patients ({percent_text(share.value, 1)}) are complete.")
        asked, converged = (
            imputed.find(name, "model", word) for word in ("imputations", "imputations_converged")
        )
        if asked.value is not None:
            told.append(f"{number_text(converged, 0)} of {number_text(asked, 0)} imputations gave a fit.")
    return " ".join(told)


def list_competing_risks(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return event, is_level, n, events, incidence (95% interval), one_minus_km, difference, note.

    A heading's row names the event and when; `incidence` is Aalen and Johansen's, in percent.
    """
    cells = ("event", "is_level", "n", "events", "incidence", "one_minus_km", "difference", "note")
    rows: list[Row] = []
    if not is_made(estimates, "competing_risks"):
        return text_frame(rows, cells)
    analysis = Analysis(estimates, "competing_risks")
    for months, variables in INCIDENCES.items():
        for variable in variables:
            told = [
                _incidence(analysis, group, variable, months=months)
                for group in analysis.groups()
                if analysis.find(group, variable, f"incidence_{months}m").is_made
            ]
            words = f"{label_of(variable)}, by {months} months"
            heading = dict.fromkeys(cells, "") | {"event": words, "is_level": False}
            rows += [heading, *told] if told else []
    return text_frame(rows, cells)


def _incidence(analysis: Analysis, group: str, variable: str, *, months: int) -> Row:
    names = (f"incidence_{months}m", f"incidence_{months}m_ci_low", f"incidence_{months}m_ci_high")
    numbers = [analysis.value(group, variable, name) for name in names]
    naive = analysis.find(group, variable, f"one_minus_km_{months}m")
    difference = None if None in (naive.value, numbers[0]) else (naive.value or 0) - (numbers[0] or 0)
    return {
        "event": group_of(group),
        "is_level": True,
        "n": count_text(analysis, group, variable),
        "events": count_text(analysis, group, variable, statistic="events"),
        "incidence": write_interval(numbers[0], numbers[1], numbers[2], decimals=1),
        "one_minus_km": number_text(naive, 1),
        "difference": NOTHING if difference is None else write_number(difference, 1),
        "note": join_reasons(
            {"Incidence": analysis.find(group, variable, names[0]), "1 − Kaplan-Meier": naive}
        ),
    }
