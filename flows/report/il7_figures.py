"""The figures of IL-7 as a test for ASL: its ROC curve, and how many had ASL at low and high IL-7.

Here: choice and wording. Not here: IL-7 by ASL and against counts (`flows.report.il7_course_figures`),
drawing (`flows.drawing`). Called by `flows.report.figures`.
"""

from flows.drawing.distributions import draw_shares
from flows.drawing.heading import Heading
from flows.drawing.models import MarkedPoint, draw_roc
from flows.report.context import ReportContext
from flows.report.figure import FigureMaker, ReportFigure
from transforms.figure_frames import share_asl_by_il7, thin_roc
from transforms.tables.analysis import Analysis
from transforms.wording import group_of, write_interval


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


IL7_FIGURES: tuple[FigureMaker, ...] = (_il7_roc, _il7_shares)
