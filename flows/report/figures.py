"""The report's figures: which are drawn from the night, their captions, and what they show in words.

Here: choice and wording. Not here: drawing (`flows.drawing`), summing up (`transforms.figure_frames`).
Called by `flows.report.page`; the same SVG files can go into MLflow.
"""

from collections.abc import Callable
from dataclasses import dataclass

import polars as pl

from flows.drawing.control_chart import draw_control_chart
from flows.drawing.courses import draw_mean_counts, draw_survival
from flows.drawing.distributions import draw_histogram, draw_pairs, draw_shares
from flows.drawing.heading import Heading
from flows.drawing.models import MarkedPoint, draw_calibration, draw_forest, draw_roc
from flows.drawing.reason import draw_reason
from flows.report.context import PredictorReport, ReportContext
from transforms.figure_frames import (
    bin_by_group,
    bin_nadirs,
    pair_il7,
    share_asl_by_il7,
    space_at_risk,
    summarise_months,
    summarise_months_by_asl,
    thin_curves,
    thin_roc,
)
from transforms.tables import Analysis, list_ratios, list_survival
from transforms.wording import group_of, write_interval, write_number, write_p, write_ratio


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the page: its file's name, its SVG, its words for who cannot see it, its caption."""

    name: str
    svg: bytes
    alt: str
    caption: str


def draw_figures(context: ReportContext) -> dict[str, ReportFigure]:
    """Draw every figure of the report, by name; what cannot be drawn is a figure that says why."""
    makers: tuple[Callable[[ReportContext], ReportFigure], ...] = (
        _counts,
        _counts_by_asl,
        _nadirs,
        _os_by_asl,
        _pfs_by_asl,
        _os_by_recovery,
        _hazards,
        _odds,
        _il7_roc,
        _il7_pairs,
        _il7_shares,
        _control_chart,
        _predictor_roc,
        _predictor_calibration,
    )
    figures = [make(context) for make in makers]
    return {figure.name: figure for figure in figures}


def _counts(context: ReportContext) -> ReportFigure:
    summary = summarise_months(context.monthly_counts)
    return ReportFigure(
        "counts",
        draw_mean_counts(summary, heading=Heading("Lymphocytes over time", context.stamp)),
        alt=f"Mean lymphocyte count by month, cells/µL. {_means_in_words(summary)}",
        caption="Mean with SD by month from the start of RT; month 0 is the last count before RT. Grey bands "
        "are CTCAE v4.0 grades.",
    )


def _counts_by_asl(context: ReportContext) -> ReportFigure:
    summary = summarise_months_by_asl(context.monthly_counts, context.cohort)
    return ReportFigure(
        "counts_by_asl",
        draw_mean_counts(summary, heading=Heading("Lymphocytes over time, by ASL", context.stamp)),
        alt=f"Mean lymphocyte count by month with and without ASL, cells/µL. {_means_in_words(summary)}",
        caption="The same, for patients with and without acute severe lymphopenia (ASL: any count below "
        "200 cells/µL during RT).",
    )


def _means_in_words(summary: pl.DataFrame) -> str:
    if summary.is_empty():
        return "Empty: no count falls in a month yet."
    courses = summary.group_by("group", maintain_order=True).agg("month", "mean")
    return " ".join(
        f"{group_of(group)}: "
        + ", ".join(f"month {at} {write_number(mean, 0)}" for at, mean in zip(months, means, strict=True))
        + "."
        for group, months, means in courses.rows()
    )


def _nadirs(context: ReportContext) -> ReportFigure:
    bins = bin_nadirs(context.cohort)
    heading = Heading("Lowest count during RT", context.stamp)
    n_below = bins.filter(pl.col("high") <= 200)["n"].sum()
    return ReportFigure(
        "nadirs",
        draw_histogram(bins, heading=heading, x_label="Lowest count during RT, cells/µL", marked=200),
        alt=f"Histogram of the lowest count during RT of {bins['n'].sum():,} patients; {n_below:,} lie below "
        "200 cells/µL.",
        caption="Each patient's lowest count during RT, in steps of 50 cells/µL; the last bar takes all from "
        "950 up. The dashed line is the limit of ASL.",
    )


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
_OS_BY_RECOVERY = _Survival(
    "os_by_recovery",
    "Overall survival by recovery",
    "os",
    ("no_asl", "asl_recovered", "asl_not_recovered"),
    (("recovered_vs_not_recovered", "recovered vs not"), ("recovered_vs_no_asl", "recovered vs no ASL")),
    "Recovered: above 1,000 cells/µL at 2 months, among those with ASL. They had to live 2 months to be "
    "classed, which makes recovery look better than it is (immortal time).",
)


def _os_by_asl(context: ReportContext) -> ReportFigure:
    return _survival(context, _OS_BY_ASL)


def _pfs_by_asl(context: ReportContext) -> ReportFigure:
    return _survival(context, _PFS_BY_ASL)


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


def _hazards(context: ReportContext) -> ReportFigure:
    return _forest(context, "hazards", analysis="cox_os", words=("Hazard of death", "Hazard ratio (95% CI)"))


def _odds(context: ReportContext) -> ReportFigure:
    return _forest(context, "odds", analysis="logit_asl", words=("Odds of ASL", "Odds ratio (95% CI)"))


def _forest(context: ReportContext, name: str, *, analysis: str, words: tuple[str, str]) -> ReportFigure:
    rows = list_ratios(context.estimates, analysis)
    title, x_label = words
    told = [
        f"{label}: {write_ratio(*numbers)}."
        for label, model, *numbers in rows.rows()
        if model == "multivariate"
    ]
    return ReportFigure(
        name,
        draw_forest(rows, heading=Heading(title, context.stamp), x_label=x_label),
        alt=" ".join([f"Forest plot. {x_label}, multivariate:", *told] if told else ["Forest plot."])
        + " All numbers are in the table beside it.",
        caption="Each variable alone (open circles), and together after backward elimination (filled "
        "diamonds). Logarithmic axis; an interval that leaves it ends in an arrow.",
    )


def _il7_roc(context: ReportContext) -> ReportFigure:
    analysis, variable = Analysis(context.estimates, "roc"), "pre_rt_il7_pg_ml"
    numbers = {
        name: analysis.value("all", variable, name)
        for name in ("auc", "auc_ci_low", "auc_ci_high", "youden_cutoff", "sensitivity", "specificity")
    }
    auc = write_interval(numbers["auc"], numbers["auc_ci_low"], numbers["auc_ci_high"], decimals=2)
    marked = _youden_point(numbers)
    return ReportFigure(
        "il7_roc",
        draw_roc(
            thin_roc(context.roc_points),
            heading=Heading("IL-7 before RT as a test for ASL", context.stamp),
            auc_text=f"AUC {auc}",
            marked=marked,
        ),
        alt=f"ROC curve of IL-7 before RT for ASL. AUC {auc}. "
        + (f"Youden's cut-off {marked.text}.".replace("\n", " ") if marked else ""),
        caption="Low IL-7 tests positive. The dot is Youden's cut-off, chosen on these same patients, so its "
        "sensitivity and specificity are too good for new ones.",
    )


def _youden_point(numbers: dict[str, float | None]) -> MarkedPoint | None:
    cutoff, sensitivity, specificity = (
        numbers[name] for name in ("youden_cutoff", "sensitivity", "specificity")
    )
    if cutoff is None or sensitivity is None or specificity is None:
        return None
    text = f"≤ {cutoff:.4g} pg/mL:\nsensitivity {sensitivity:.0%},\nspecificity {specificity:.0%}"
    return MarkedPoint(sensitivity, specificity, text)


def _il7_pairs(context: ReportContext) -> ReportFigure:
    pairs, tests = pair_il7(context.cohort), Analysis(context.estimates, "il7_paired")
    found = {group: tests.find(group, "pre_vs_post_rt_il7", "p") for group in ("no_asl", "asl")}
    notes = {group: f"paired p {write_p(test.value)}" for group, test in found.items() if test.is_made}
    medians = pairs.group_by("group").median().sort("group", descending=True)
    told = [
        f"{group_of(group)}: median {write_number(before, 2)} before, {write_number(after, 2)} after."
        for group, before, after in medians.rows()
    ]
    return ReportFigure(
        "il7_pairs",
        draw_pairs(
            pairs,
            heading=Heading("IL-7 before and after RT", context.stamp),
            y_label="IL-7, pg/mL",
            notes=notes,
        ),
        alt=" ".join(["IL-7 before and after RT by ASL, pg/mL.", *told]),
        caption="Boxes are quartiles, whiskers reach 1.5 interquartile ranges.",
    )


def _il7_shares(context: ReportContext) -> ReportFigure:
    shares = share_asl_by_il7(context.cohort)
    told = [
        f"{group_of(row['group'])}: {row['events']} of {row['n']} ({row['share']:.0%})."
        for row in shares.iter_rows(named=True)
    ]
    return ReportFigure(
        "il7_shares",
        draw_shares(
            shares,
            heading=Heading("ASL by IL-7 before RT", context.stamp),
            x_label="Patients with ASL (95% CI)",
        ),
        alt=" ".join(["Share of patients with ASL by IL-7 before RT.", *told]),
        caption="High IL-7: above 2.495 pg/mL before RT, the study's cut-off. Wilson intervals.",
    )


def _control_chart(context: ReportContext) -> ReportFigure:
    plates = context.plates
    heading = Heading("Controls and curves over plates", context.stamp)
    if plates is None:
        return _reason("control_chart", heading, "There is no plate yet.")
    of = plates.course_of or "no kit lot"
    n_out = plates.course.filter(verdict="out of control")["plate_id"].n_unique()
    return ReportFigure(
        "control_chart",
        draw_control_chart(plates.course, heading=heading),
        alt=f"Levey-Jennings charts of {of}: {n_out:,} plates out of control.",
        caption=f"Of {of}: SD from the mean of the lot's guide set, on log10. Lines at 0, ±2 and ±3 SD; "
        "squares are out of control by Westgard's rules.",
    )


def _predictor_roc(context: ReportContext) -> ReportFigure:
    heading = Heading("The predictor's ROC curve", context.stamp)
    if context.predictor is None:
        return _no_predictor(context, "predictor_roc", heading)
    found = context.predictor.cross_validated
    auc = write_interval(found.auc, found.auc_low, found.auc_high, decimals=2)
    return ReportFigure(
        "predictor_roc",
        draw_roc(thin_roc(context.predictor.roc), heading=heading, auc_text=f"AUC {auc}"),
        alt=f"ROC curve of the predictor's cross-validated probabilities. AUC {auc}.",
        caption="Every probability comes from models that had not seen that patient.",
    )


def _predictor_calibration(context: ReportContext) -> ReportFigure:
    heading = Heading("The predictor's calibration", context.stamp)
    if context.predictor is None:
        return _no_predictor(context, "predictor_calibration", heading)
    points = context.predictor.calibration
    told = [
        f"{predicted:.0%} predicted, {seen:.0%} seen."
        for predicted, seen in points.select("predicted", "observed").rows()
    ]
    return ReportFigure(
        "predictor_calibration",
        draw_calibration(points, _bin_predictions(context.predictor), heading=heading),
        alt=" ".join(["Predicted against observed risk of ASL.", *told]),
        caption="Groups of equal size by predicted risk, with Wilson intervals; below, how many patients "
        "have each predicted risk. On the dashed line predictions are right.",
    )


def _bin_predictions(predictor: PredictorReport) -> pl.DataFrame:
    group = pl.when("has_asl").then(pl.lit("asl")).otherwise(pl.lit("no_asl"))
    return bin_by_group(predictor.out_of_fold.select(group=group, value="probability"), width=0.1, last=1.0)


def _no_predictor(context: ReportContext, name: str, heading: Heading) -> ReportFigure:
    return _reason(name, heading, context.predictor_note)


def _reason(name: str, heading: Heading, note: str) -> ReportFigure:
    return ReportFigure(name, draw_reason(heading, note), alt=f"Empty: {note}", caption="")
