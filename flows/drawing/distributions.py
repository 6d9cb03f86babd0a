"""How values and shares are spread over patients: histograms, pairs, shares.

Here: drawing alone. Called by `flows.report.figures`.
"""

from collections.abc import Mapping

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator, PercentFormatter

from flows.drawing.heading import Heading
from flows.drawing.reason import draw_reason
from flows.drawing.style import (
    INK,
    MARKS,
    WIDTH_INCHES,
    in_order,
    stack_bins,
    styled,
    svg_of,
)
from transforms.wording import GROUPS


@styled
def draw_histogram(
    bins: pl.DataFrame, *, heading: Heading, x_label: str, marked: float | None = None
) -> bytes:
    """Draw how many patients (n) fall into each bin, stacked by group; `marked` is a limit worth a line.

    `bins`: group, low, high, n (`figure_frames.bin_by_group`).
    """
    if bins.is_empty():
        return draw_reason(heading, "There is nothing to count yet.")
    figure = Figure(figsize=(WIDTH_INCHES, 3.0))
    axes = figure.subplots()
    stack_bins(axes, bins)
    axes.set(xlabel=x_label, ylabel="Patients, n", xlim=(bins["low"].min(), bins["high"].max()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if marked is not None:
        axes.axvline(marked, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
    axes.legend(loc="upper right")
    return svg_of(figure, heading)


@styled
def draw_pairs(pairs: pl.DataFrame, *, heading: Heading, y_label: str, notes: Mapping[str, str]) -> bytes:
    """Draw values before and after RT by group: median, quartiles, and whiskers to 1.5 times their distance.

    `pairs`: group, before, after; `notes`: words under each group's name. No single patient is drawn: a line
    in a file is a value that can be read off.
    """
    if pairs.is_empty():
        return draw_reason(heading, "No patient has IL-7 both before and after RT yet.")
    figure = Figure(figsize=(WIDTH_INCHES, 3.6))
    axes = figure.subplots()
    groups = in_order(pairs)
    for place, group in enumerate(groups):
        _draw_pair(axes, pairs.filter(group=group), left=2.6 * place)
    axes.set_xticks([2.6 * place + side for place in range(len(groups)) for side in (0, 1)])
    axes.set_xticklabels(["Before", "After"] * len(groups))
    top = 1.28 * max(pairs.select(pl.max_horizontal("before", "after")).to_series().to_list())
    axes.set(ylim=(0, top), ylabel=y_label, xlim=(-0.6, 2.6 * (len(groups) - 1) + 1.6))
    for place, group in enumerate(groups):
        words = f"{GROUPS[group]} (n = {pairs.filter(group=group).height:,})\n{notes.get(group, '')}"
        axes.text(2.6 * place + 0.5, 1.0, words, transform=axes.get_xaxis_transform(), ha="center", va="top")
    return svg_of(figure, heading)


def _draw_pair(axes: Axes, pairs: pl.DataFrame, *, left: float) -> None:
    colour = MARKS[pairs["group"][0]].colour
    axes.boxplot(
        [pairs["before"].to_list(), pairs["after"].to_list()], positions=[left, left + 1], widths=0.34,
        showfliers=False, showcaps=False, patch_artist=True, manage_ticks=False,
        boxprops={"facecolor": "white", "edgecolor": colour, "linewidth": 1.4},
        medianprops={"color": colour, "linewidth": 2.2}, whiskerprops={"color": colour, "linewidth": 1.1},
    )  # fmt: skip


@styled
def draw_shares(shares: pl.DataFrame, *, heading: Heading, x_label: str) -> bytes:
    """Draw a share with its 95% interval by group. `shares`: group, n, events, share, ci_low, ci_high."""
    if shares.is_empty():
        return draw_reason(heading, "No patient has both IL-7 before RT and a count during RT yet.")
    figure = Figure(figsize=(WIDTH_INCHES, 1.0 + 0.55 * shares.height))
    axes = figure.subplots()
    for place, row in enumerate(shares.iter_rows(named=True)):
        axes.barh(place, row["share"], height=0.5, color=MARKS[row["group"]].colour)
        axes.plot([row["ci_low"], row["ci_high"]], [place, place], color=INK, linewidth=1.2)
    counts = shares.select("group", "events", "n").rows()
    axes.set_yticks(
        range(shares.height), [f"{GROUPS[name]}\n{events:,} of {n:,}" for name, events, n in counts]
    )
    axes.set(xlim=(0, 1), xlabel=x_label)
    axes.invert_yaxis()
    axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return svg_of(figure, heading)
