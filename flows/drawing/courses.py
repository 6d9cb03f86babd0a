"""What happens over time: mean counts and survival by group.

Here: drawing alone. Called by `flows.report.figures`.
"""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, PercentFormatter

from flows.drawing.heading import Heading
from flows.drawing.reason import draw_reason
from flows.drawing.style import (
    MARKS,
    MUTED,
    SMALL,
    axes_above_rows,
    dot_of,
    in_order,
    line_of,
    styled,
    svg_of,
    write_rows,
)
from transforms.wording import GROUPS

# CTCAE v4.0, lymphocyte count decreased: lower and upper limit in cells/uL, and the band's grey.
GRADE_BANDS = (
    (4, 0, 200, "#DCE1E6"),
    (3, 200, 500, "#E8EBEF"),
    (2, 500, 800, "#F1F3F5"),
    (1, 800, 1000, "#F8F9FA"),
)


@styled
def draw_mean_counts(summary: pl.DataFrame, *, heading: Heading) -> bytes:
    """Draw mean counts (cells/uL) with their SD by month from the start of RT, on CTCAE grade bands.

    `summary`: group, month, n, mean, sd (`figure_frames.summarise_months`); n stands under the axis.
    """
    if summary.is_empty():
        return draw_reason(heading, "No count falls in a month yet.")
    groups = in_order(summary)
    figure, axes, below = axes_above_rows(len(groups), height=3.5)
    top = 1.05 * max(1240.0, *(summary["mean"] + summary["sd"].fill_null(0)).to_list())
    _shade_grades(axes, top=top)
    for place, group in enumerate(groups):
        _draw_means(axes, summary.filter(group=group), shift=0.12 * (place - (len(groups) - 1) / 2))
    months = summary["month"].unique().sort().to_list()
    axes.set(
        ylim=(0, top),
        xlim=(months[0] - 0.4, months[-1] + 0.8 + 0.18 * len(months)),
        xlabel="Months from the start of RT",
    )
    axes.set_ylabel("Lymphocytes, cells/µL (mean, SD)")
    axes.xaxis.set_major_locator(FixedLocator(months))
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    if len(groups) > 1:
        axes.legend(loc="upper right", ncols=2)
    write_rows(below, summary.select("group", at="month", n="n"), title="Patients with a count")
    return svg_of(figure, heading)


def _shade_grades(axes: Axes, *, top: float) -> None:
    for grade, low, high, grey in GRADE_BANDS:
        axes.axhspan(low, min(high, top), color=grey, linewidth=0, zorder=0)
        axes.text(
            0.99, (low + high) / 2, f"Grade {grade}", transform=axes.get_yaxis_transform(),
            ha="right", va="center", fontsize=SMALL, color=MUTED,
        )  # fmt: skip


def _draw_means(axes: Axes, summary: pl.DataFrame, *, shift: float) -> None:
    mark = MARKS[summary["group"][0]]
    at = (summary["month"] + shift).to_list()
    mean, sd = summary["mean"], summary["sd"].fill_null(0)
    # A count is never below zero, though its mean less its SD may be.
    down = pl.select(pl.min_horizontal(sd, mean)).to_series()
    bars = [down.to_list(), sd.to_list()]
    axes.errorbar(at, mean.to_list(), yerr=bars, fmt="none", ecolor=mark.colour, elinewidth=1.1, capsize=2.5)
    axes.plot(at, mean.to_list(), label=GROUPS[summary["group"][0]], **line_of(mark), **dot_of(mark))


@styled
def draw_survival(
    curves: pl.DataFrame, at_risk: pl.DataFrame, *, heading: Heading, y_label: str, p_text: str = ""
) -> bytes:
    """Draw Kaplan-Meier curves with 95% bands and the numbers at risk under the axis.

    `curves`: group, time_months, survival_percent, ci_low_percent, ci_high_percent; `at_risk`: group, month,
    n_at_risk, as `models.study.survival` makes them; its months are the axis' ticks.
    """
    if curves.is_empty() or at_risk.is_empty():
        return draw_reason(heading, "No patient has follow-up for this comparison yet.")
    groups = in_order(curves)
    figure, axes, below = axes_above_rows(len(groups), height=3.4)
    for group in groups:
        _draw_steps(axes, curves.filter(group=group).sort("time_months"))
    ticks = at_risk["month"].unique().sort().to_list()
    axes.set(ylim=(0, 102), xlim=(0, max(1, ticks[-1])), ylabel=y_label, xlabel="Months from the start of RT")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(PercentFormatter(100, decimals=0))
    axes.legend(loc="upper right")
    write_rows(below, at_risk.select("group", at="month", n="n_at_risk"), title="Number at risk")
    # Under the axis: within it there is no corner that every night's curves leave free.
    below.set_title(p_text, loc="right", fontsize=SMALL, pad=2)
    return svg_of(figure, heading)


def _draw_steps(axes: Axes, curve: pl.DataFrame) -> None:
    group = curve["group"][0]
    months, survival = curve["time_months"].to_list(), curve["survival_percent"].to_list()
    axes.step(months, survival, where="post", label=GROUPS[group], **line_of(MARKS[group]))
    band = curve.drop_nulls(["ci_low_percent", "ci_high_percent"])
    axes.fill_between(
        band["time_months"].to_list(), band["ci_low_percent"].to_list(), band["ci_high_percent"].to_list(),
        step="post", color=MARKS[group].colour, alpha=0.13, linewidth=0,
    )  # fmt: skip
