"""The figures of survival: Kaplan-Meier curves by ASL and by recovery.

Here: which groups and tests, and wording. Not here: drawing (`flows.drawing.courses`), the curves
(`models.study.survival`). Called by `flows.report.figures`.
"""

from dataclasses import dataclass

import polars as pl

from flows.drawing.courses import draw_survival
from flows.drawing.heading import Heading
from flows.report.context import ReportContext
from flows.report.figure import FigureMaker, ReportFigure
from transforms.figure_frames import space_at_risk, thin_curves
from transforms.tables.analysis import Analysis
from transforms.tables.courses import list_survival
from transforms.wording import group_of, write_p


@dataclass(frozen=True)
class _Survival:
    """A comparison of survival curves: which groups of which analysis, and the test that goes with them."""

    name: str
    title: str
    endpoint: str
    groups: tuple[str, ...]
    tests: tuple[tuple[str, str], ...]
    caption: str


_BY_ASL = (("asl_vs_no_asl", ""),)
_OS_BY_ASL = _Survival(
    "os_by_asl",
    "Overall survival by ASL",
    "os",
    ("no_asl", "asl"),
    _BY_ASL,
    "Kaplan-Meier, 95% log-log bands, from the start of RT. ASL arises during RT, after time 0: "
    "whoever has it lived long enough to be counted, so the difference is no pure effect of ASL.",
)
_PFS_BY_ASL = _Survival(
    "pfs_by_asl",
    "Progression-free survival by ASL",
    "pfs",
    ("no_asl", "asl"),
    _BY_ASL,
    "Progression or death, whichever came first; otherwise as overall survival.",
)
_OS_WITH_ASL = _Survival(
    "os_with_asl_by_recovery",
    "Overall survival with ASL, by recovery",
    "os",
    ("asl_recovered", "asl_not_recovered"),
    (("recovered_vs_not_recovered", ""),),
    "Recovered: above 1,000 cells/µL at 2 months. They had to live 2 months to be classed, which makes "
    "recovery look better than it is (immortal time); the guarded comparison is further down.",
)
_OS_BY_RECOVERY = _Survival(
    "os_by_recovery",
    "Overall survival by recovery",
    "os",
    ("no_asl", "asl_recovered", "asl_not_recovered"),
    (("recovered_vs_not_recovered", "recovered vs not"), ("recovered_vs_no_asl", "recovered vs no ASL")),
    "The same beside patients without ASL.",
)


def _os_by_asl(context: ReportContext) -> ReportFigure:
    return _survival(context, _OS_BY_ASL)


def _pfs_by_asl(context: ReportContext) -> ReportFigure:
    return _survival(context, _PFS_BY_ASL)


def _os_with_asl(context: ReportContext) -> ReportFigure:
    return _survival(context, _OS_WITH_ASL)


def _os_by_recovery(context: ReportContext) -> ReportFigure:
    return _survival(context, _OS_BY_RECOVERY)


def _survival(context: ReportContext, what: _Survival) -> ReportFigure:
    is_shown = (pl.col("analysis") == f"km_{what.endpoint}") & pl.col("group").is_in(what.groups)
    label = {"os": "Overall survival", "pfs": "Progression-free survival"}[what.endpoint]
    svg = draw_survival(
        thin_curves(context.survival_curves.filter(is_shown)),
        space_at_risk(context.numbers_at_risk.filter(is_shown)),
        heading=Heading(what.title, context.stamp),
        y_label=label,
        p_text=_log_rank_text(context.estimates, what),
    )
    return ReportFigure(what.name, svg, alt=_survival_in_words(context, what, label), caption=what.caption)


def _log_rank_text(estimates: pl.DataFrame, what: _Survival) -> str:
    analysis = Analysis(estimates, f"logrank_{what.endpoint}")
    tests = [
        f"p {write_p(test.value)}" + (f", {words}" if words else "")
        for contrast, words in what.tests
        if (test := analysis.find(contrast, what.endpoint, "p")).value is not None
    ]
    return "Log-rank " + "\n".join(tests) if tests else ""


def _survival_in_words(context: ReportContext, what: _Survival, label: str) -> str:
    words = {group_of(group) for group in what.groups}
    rows = list_survival(context.estimates, what.endpoint).filter(pl.col("group").is_in(words))
    told = [
        f"{row['group']}: n {row['n']}, median {row['median']} months, 24-month rate {row['rate_24m']}%."
        for row in rows.iter_rows(named=True)
    ]
    return " ".join([f"Kaplan-Meier curves, {label.lower()}.", *told])


SURVIVAL_FIGURES: tuple[FigureMaker, ...] = (_os_by_asl, _pfs_by_asl, _os_with_asl, _os_by_recovery)
