"""The night in a handful of numbers, at the top of the report.

Here: which numbers answer a reader's first question. Not here: how they are made (`models`) or shown
(`flows/report/templates`). Called by `flows.report.page`.
"""

from dataclasses import dataclass

import polars as pl

from flows.report.context import ReportContext
from transforms.tables.analysis import Analysis
from transforms.wording import NOTHING, write_number, write_p, write_ratio, write_share


@dataclass(frozen=True)
class KeyFigure:
    """A number that answers a reader's first question, with what it is and one line beside it."""

    words: str
    number: str
    detail: str


def tell_key_figures(context: ReportContext) -> tuple[KeyFigure, ...]:
    """Return the night in a handful of numbers."""
    return (
        _key_patients(context),
        _key_asl(context.estimates),
        _key_deaths(context.estimates),
        _key_hazard(context.estimates),
        _key_il7(context.estimates),
        _key_predictor(context),
        _key_rows(context.sources),
    )


def _key_patients(context: ReportContext) -> KeyFigure:
    follow_up = Analysis(context.estimates, "follow_up")
    median, low, high = (
        write_number(follow_up.value("all", "follow_up_months", name)) for name in ("median", "min", "max")
    )
    return KeyFigure(
        "Patients",
        f"{context.cohort.height:,}",
        f"followed for a median of {median} months ({low} to {high})",
    )


def _key_asl(estimates: pl.DataFrame) -> KeyFigure:
    analysis = Analysis(estimates, "describe")
    n, percent = (analysis.value("all", "asl", name, level="yes") for name in ("n", "percent"))
    detail = "acute severe lymphopenia: a count below 200 cells/µL during RT"
    return KeyFigure("ASL", write_share(n, percent), detail)


def _key_deaths(estimates: pl.DataFrame) -> KeyFigure:
    deaths, progressions = (
        Analysis(estimates, f"km_{endpoint}").value("all", endpoint, "events") for endpoint in ("os", "pfs")
    )
    detail = f"progression or death in {write_number(progressions, 0)}"
    return KeyFigure("Deaths", write_number(deaths, 0), detail)


def _key_hazard(estimates: pl.DataFrame) -> KeyFigure:
    analysis = Analysis(estimates, "cox_os")
    hazard, ci = _ratio_and_interval(analysis, "univariate")
    p = write_p(analysis.value("univariate", "asl", "p"))
    together = "not kept in the multivariate model"
    if analysis.find("multivariate", "asl", "hr").is_made:
        together = "multivariate {} ({})".format(*_ratio_and_interval(analysis, "multivariate"))
    return KeyFigure("Hazard ratio of death, ASL", hazard, f"95% CI {ci}, p {p}; {together}")


def _ratio_and_interval(analysis: Analysis, model: str) -> tuple[str, str]:
    ratio, low, high = (
        write_ratio(analysis.value(model, "asl", name), None, None) for name in ("hr", "ci_low", "ci_high")
    )
    return ratio, f"{low}–{high}"


def _key_il7(estimates: pl.DataFrame) -> KeyFigure:
    analysis, variable = Analysis(estimates, "roc"), "pre_rt_il7_pg_ml"
    auc, low, high = (
        write_number(analysis.value("all", variable, name), 2)
        for name in ("auc", "auc_ci_low", "auc_ci_high")
    )
    cutoff = analysis.value("all", variable, "youden_cutoff")
    at = "" if cutoff is None else f"; Youden's cut-off {cutoff:.4g} pg/mL"
    detail = f"95% CI {low}–{high}{at}"
    return KeyFigure("AUC of IL-7 before RT for ASL", auc, detail)


def _key_predictor(context: ReportContext) -> KeyFigure:
    words = "AUC of the ASL predictor"
    if context.predictor is None:
        return KeyFigure(words, NOTHING, context.predictor_note)
    found = context.predictor.cross_validated
    auc, low, high = (write_number(number, 2) for number in (found.auc, found.auc_low, found.auc_high))
    detail = f"95% CI {low}–{high}, cross-validated; champion: {context.predictor.champion}"
    return KeyFigure(words, auc, detail)


def _key_rows(sources: pl.DataFrame) -> KeyFigure:
    loaded, unchanged, quarantined = (
        write_number(sum(sources[name].to_list()), 0) for name in ("loaded", "unchanged", "quarantined")
    )
    return KeyFigure("Rows loaded", loaded, f"{unchanged} unchanged, {quarantined} in quarantine")
