"""How models and tests judge: ROC curves, calibration, ratios with their intervals.

Here: drawing alone. Called by `flows.report.figures`.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator, PercentFormatter

from flows.drawing.heading import Heading
from flows.drawing.reason import draw_reason
from flows.drawing.style import (
    FAINT,
    INK,
    MARKS,
    MUTED,
    NORMAL,
    PALE_BOX,
    SMALL,
    WIDTH_INCHES,
    stack_bins,
    styled,
    svg_of,
)

RATIO_LIMITS = (0.05, 50.0)
RATIO_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
LONGEST_LABEL = 24


@dataclass(frozen=True)
class MarkedPoint:
    """A point of an ROC curve worth naming (0 to 1), and the words beside it."""

    sensitivity: float
    specificity: float
    text: str


@styled
def draw_roc(
    points: pl.DataFrame, *, heading: Heading, auc_text: str, marked: MarkedPoint | None = None
) -> bytes:
    """Draw an ROC curve. `points`: sensitivity, specificity (0 to 1), in the order of the curve."""
    if points.height < 2:
        return draw_reason(heading, "Patients with and without ASL are both needed for an ROC curve.")
    figure = Figure(figsize=(WIDTH_INCHES, 4.3))
    axes = figure.subplots()
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
    across, up = (1 - points["specificity"]).to_list(), points["sensitivity"].to_list()
    axes.plot(across, up, color=INK, linewidth=1.9, clip_on=False)
    if marked is not None:
        _name_point(axes, marked)
    axes.text(0.98, 0.04, auc_text, ha="right", va="bottom", fontsize=NORMAL)
    axes.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    axes.set(xlabel="False positives, % of those without ASL", ylabel="Sensitivity, % of those with ASL")
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0, symbol=""))
    return svg_of(figure, heading)


def _name_point(axes: Axes, marked: MarkedPoint) -> None:
    at = (1 - marked.specificity, marked.sensitivity)
    axes.plot(*at, "o", color=INK, markersize=7, zorder=5, clip_on=False)
    axes.annotate(
        marked.text, at, xytext=(10, -6), textcoords="offset points", ha="left", va="top", fontsize=SMALL,
        bbox=PALE_BOX,
    )  # fmt: skip


@styled
def draw_calibration(points: pl.DataFrame, bins: pl.DataFrame, *, heading: Heading) -> bytes:
    """Draw observed against predicted risk with 95% intervals, over a histogram of the predictions.

    `points`: predicted, observed, observed_low, observed_high (0 to 1), as `models.prediction` makes them;
    `bins`: group, low, high, n (`figure_frames.bin_by_group`).
    """
    if points.is_empty():
        return draw_reason(heading, "There is no cross-validated prediction to compare with what happened.")
    figure = Figure(figsize=(WIDTH_INCHES, 5.2))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(3.2, 1))
    axes.plot([0, 1], [0, 1], color=MUTED, linewidth=0.9, linestyle=(0, (2, 2)))
    seen = points["observed"]
    reach = [(seen - points["observed_low"]).to_list(), (points["observed_high"] - seen).to_list()]
    across = points["predicted"].to_list()
    axes.errorbar(
        across, seen.to_list(), yerr=reach, fmt="o", color=INK, elinewidth=1.1, capsize=2.5, clip_on=False
    )
    axes.set(xlim=(0, 1), ylim=(0, 1), ylabel="Patients with ASL")
    stack_bins(below, bins)
    below.set(xlabel="Predicted risk of ASL", ylabel="Patients, n")
    axes.legend(*below.get_legend_handles_labels(), loc="upper left")
    for axis in (axes.yaxis, below.xaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return svg_of(figure, heading)


@styled
def draw_forest(rows: pl.DataFrame, *, heading: Heading, x_label: str) -> bytes:
    """Draw ratios with their 95% intervals on a log axis; an interval that leaves the axis ends in an arrow.

    `rows`: label, model (univariate, multivariate), ratio, ci_low, ci_high (`tables.list_ratios`).
    """
    if rows.is_empty():
        return draw_reason(heading, "No ratio could be estimated from tonight's patients.")
    labels = rows["label"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(WIDTH_INCHES, 1.3 + 0.34 * len(labels)))
    axes = figure.subplots()
    axes.axvline(1, color=MUTED, linewidth=0.9)
    for model, shift in (("univariate", -0.14), ("multivariate", 0.14)):
        _draw_ratios(axes, rows.filter(model=model), at={label: i + shift for i, label in enumerate(labels)})
    axes.set(xscale="log", xlim=RATIO_LIMITS, ylim=(len(labels) - 0.5, -0.5), xlabel=x_label)
    axes.set_yticks(range(len(labels)), [_two_lines(label) for label in labels])
    axes.xaxis.set_major_locator(FixedLocator(RATIO_TICKS))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axes.grid(axis="x", color=FAINT, linewidth=0.6)
    axes.legend(loc="lower right", bbox_to_anchor=(1.02, 0.995), ncols=2, handletextpad=0.2, columnspacing=1)
    return svg_of(figure, heading)


def _draw_ratios(axes: Axes, rows: pl.DataFrame, *, at: Mapping[str, float]) -> None:
    if rows.is_empty():
        return
    mark = MARKS[rows["model"][0]]
    low, high = RATIO_LIMITS
    for row in rows.iter_rows(named=True):
        y = at[row["label"]]
        axes.plot(
            [max(row["ci_low"], low), min(row["ci_high"], high)], [y, y], color=mark.colour, linewidth=1.3
        )
        for limit, is_beyond, arrow in ((low, row["ci_low"] < low, "<"), (high, row["ci_high"] > high, ">")):
            if is_beyond:
                axes.plot(limit, y, arrow, color=mark.colour, markersize=5, clip_on=False)
    shown = rows.filter(pl.col("ratio").is_between(low, high))
    axes.plot(
        shown["ratio"].to_list(), [at[label] for label in shown["label"]], mark.marker, color=mark.colour,
        markerfacecolor="white" if rows["model"][0] == "univariate" else mark.colour, markersize=5,
        label=rows["model"][0].capitalize(),
    )  # fmt: skip


def _two_lines(label: str) -> str:
    if len(label) <= LONGEST_LABEL:
        return label
    return label.replace(", per", ",\nper", 1) if ", per" in label else label.replace(" (", "\n(", 1)
