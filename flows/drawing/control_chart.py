"""Plates over time: Levey-Jennings charts.

Here: drawing alone. Called by `flows.report.figures`.
"""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from flows.drawing.heading import Heading
from flows.drawing.reason import draw_reason
from flows.drawing.style import INK, MUTED, SMALL, VERMILLION, WIDTH_INCHES, styled, svg_of

# A point beyond is drawn at the edge.
FURTHEST_SD = 5.0


@styled
def draw_control_chart(points: pl.DataFrame, *, heading: Heading) -> bytes:
    """Draw Levey-Jennings charts, one a quantity: standard deviations from the mean over plates in time.

    `points`: quantity, place, z, verdict (`control_chart.levey_jennings_frame`). Plates out of control are
    marked by shape and colour.
    """
    drawn = points.drop_nulls("z")
    if drawn.is_empty():
        return draw_reason(heading, "A kit lot needs five plates before its plates can be judged.")
    quantities = drawn["quantity"].unique(maintain_order=True).to_list()
    figure = Figure(figsize=(WIDTH_INCHES, 0.9 + 1.05 * len(quantities)))
    rows = figure.subplots(len(quantities), 1, sharex=True, squeeze=False)[:, 0]
    for axes, quantity in zip(rows, quantities, strict=True):
        _draw_control_line(axes, drawn.filter(quantity=quantity))
    rows[-1].set_xlabel("Plates in time")
    rows[-1].xaxis.set_major_locator(MaxNLocator(integer=True))
    return svg_of(figure, heading)


def _draw_control_line(axes: Axes, points: pl.DataFrame) -> None:
    for sd, style in ((0, "-"), (2, (0, (4, 3))), (3, (0, (1, 2)))):
        for level in {sd, -sd}:
            axes.axhline(level, color=MUTED, linewidth=0.7, linestyle=style, zorder=0)
    place, z = points["place"].to_list(), points["z"].clip(-FURTHEST_SD, FURTHEST_SD).to_list()
    axes.plot(place, z, color=INK, linewidth=1.0, marker="o", markersize=3)
    out = points.filter(verdict="out of control")
    at = out["z"].clip(-FURTHEST_SD, FURTHEST_SD).to_list()
    axes.plot(out["place"].to_list(), at, "s", color=VERMILLION, markersize=6, zorder=3)
    axes.set_ylim(-FURTHEST_SD - 0.4, FURTHEST_SD + 0.4)
    axes.yaxis.set_major_locator(FixedLocator([-3, 0, 3]))
    axes.set_title(points["quantity"][0].capitalize(), loc="left", fontsize=SMALL, color=MUTED, pad=2)
