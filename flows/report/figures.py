"""The report's figures: which are drawn from a night.

Here: the list. Not here: any figure (`flows.report.count_figures` and its siblings), their files' names
(`flows.report.numbering`). Called by the night's flow; the same SVG files go into MLflow.
"""

from flows.report.context import ReportContext
from flows.report.count_figures import COUNT_FIGURES
from flows.report.figure import ReportFigure
from flows.report.il7_course_figures import IL7_COURSE_FIGURES
from flows.report.il7_figures import IL7_FIGURES
from flows.report.plate_figures import PLATE_FIGURES
from flows.report.predictor_figures import PREDICTOR_FIGURES
from flows.report.ratio_figures import RATIO_FIGURES
from flows.report.survival_figures import SURVIVAL_FIGURES

__all__ = ("ReportFigure", "draw_figures")


def draw_figures(context: ReportContext) -> dict[str, ReportFigure]:
    """Draw every figure of the report, by name; what cannot be drawn is a figure that says why."""
    makers = (
        *COUNT_FIGURES,
        *SURVIVAL_FIGURES,
        *RATIO_FIGURES,
        *IL7_FIGURES,
        *IL7_COURSE_FIGURES,
        *PLATE_FIGURES,
        *PREDICTOR_FIGURES,
    )
    figures = [make(context) for make in makers]
    return {figure.name: figure for figure in figures}
