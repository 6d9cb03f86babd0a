"""The figures of the predictor: its ROC curve and its calibration.

Here: choice and wording. Not here: drawing (`flows.drawing.models`), the predictor (`models.prediction`).
Called by `flows.report.figures`.
"""

import polars as pl

from flows.drawing.heading import Heading
from flows.drawing.models import draw_calibration, draw_roc
from flows.report.context import PredictorReport, ReportContext
from flows.report.figure import FigureMaker, ReportFigure, figure_of_reason
from transforms.figure_frames import bin_by_group, thin_roc
from transforms.wording import write_interval


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
    return figure_of_reason(name, heading, context.predictor_note)


PREDICTOR_FIGURES: tuple[FigureMaker, ...] = (_predictor_roc, _predictor_calibration)
