"""The figure of the cytokine plates: controls and curves over plates in time.

Here: choice and wording. Not here: drawing (`flows.drawing.control_chart`). Called by `flows.report.figures`.
"""

from flows.drawing.control_chart import draw_control_chart
from flows.drawing.heading import Heading
from flows.report.context import ReportContext
from flows.report.figure import FigureMaker, ReportFigure, figure_of_reason


def _control_chart(context: ReportContext) -> ReportFigure:
    plates = context.plates
    heading = Heading("Controls and curves over plates", context.stamp)
    if plates is None:
        return figure_of_reason("control_chart", heading, "There is no plate yet.")
    of = plates.course_of or "no kit lot"
    n_out = plates.course.filter(verdict="out of control")["plate_id"].n_unique()
    return ReportFigure(
        "control_chart",
        draw_control_chart(plates.course, heading=heading),
        alt=f"Levey-Jennings charts of {of}: {n_out:,} plates out of control.",
        caption=f"Of {of}: SD from the mean of the lot's guide set, on log10. Lines at 0, ±2 and ±3 SD; "
        "squares are out of control by Westgard's rules.",
    )


PLATE_FIGURES: tuple[FigureMaker, ...] = (_control_chart,)
