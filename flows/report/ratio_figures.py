"""The figures of ratios: forest plots of the hazard of death and the odds of ASL.

Here: choice and wording. Not here: drawing (`flows.drawing.models`), the ratios
(`transforms.tables.regressions`). Called by `flows.report.figures`.
"""

from flows.drawing.heading import Heading
from flows.drawing.models import draw_forest
from flows.report.context import ReportContext
from flows.report.figure import FigureMaker, ReportFigure
from transforms.tables.regressions import list_ratios
from transforms.wording import write_ratio


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


RATIO_FIGURES: tuple[FigureMaker, ...] = (_hazards, _odds)
