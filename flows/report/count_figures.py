"""The figures of lymphocyte counts: over time, over time by ASL, the lowest during RT.

Here: choice and wording. Not here: drawing (`flows.drawing`), summing up (`transforms.figure_frames`).
Called by `flows.report.figures`.
"""

import polars as pl

from flows.drawing.courses import draw_mean_counts
from flows.drawing.distributions import draw_histogram
from flows.drawing.heading import Heading
from flows.report.context import ReportContext
from flows.report.figure import FigureMaker, ReportFigure
from transforms.figure_frames import bin_nadirs, summarise_months, summarise_months_by_asl
from transforms.wording import group_of, write_number


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


COUNT_FIGURES: tuple[FigureMaker, ...] = (_counts, _counts_by_asl, _nadirs)
