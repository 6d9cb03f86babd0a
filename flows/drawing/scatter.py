"""One quantity against another over patients, with its least-squares line.

Here: drawing alone. Not here: the cells (`transforms.scatter_frames`). Called by
`flows.report.il7_course_figures`.
"""

from math import log1p, sqrt

import polars as pl
from matplotlib.axes import Axes
from matplotlib.collections import PatchCollection
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter

from flows.drawing.heading import Heading
from flows.drawing.reason import draw_reason
from flows.drawing.style import MARKS, PALE_BOX, SMALL, VERMILLION, WIDTH_INCHES, styled, svg_of
from transforms.scatter_frames import Scatter

# The faintest square can still be seen.
FAINTEST = 0.12
DOT = 4.2


@styled
def draw_scatter(drawn: Scatter, *, heading: Heading, labels: tuple[str, str], note: str) -> bytes:
    """Draw pairs as dots, or as squares that are darker the more patients they hold; `labels` are of x and y.

    y is a count, so its axis begins at 0. `note` (the correlation) stands above, where no dot is.
    """
    if drawn.n == 0:
        return draw_reason(heading, "No patient has both of these numbers yet.")
    figure = Figure(figsize=(WIDTH_INCHES, 4.0))
    axes = figure.subplots()
    draw = _draw_squares if drawn.is_binned else _draw_dots
    draw(axes, drawn)
    if drawn.line:
        across, up = zip(*drawn.line, strict=True)
        axes.plot(across, up, color=VERMILLION, linewidth=1.7, scaley=False)
    axes.set(xlabel=labels[0], ylabel=labels[1])
    axes.set_ylim(bottom=0)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}"))
    axes.set_title(note.replace("\n", ", "), loc="left", fontsize=SMALL, pad=6, bbox=PALE_BOX)
    return svg_of(figure, heading)


def _draw_dots(axes: Axes, drawn: Scatter) -> None:
    """A dot's area says how many patients share its place."""
    for (n,), cells in drawn.cells.group_by("n", maintain_order=True):
        across, up = (cells[name].to_list() for name in ("x", "y"))
        axes.plot(
            across, up, "o", color=MARKS["all"].colour, markersize=DOT * sqrt(n), alpha=0.55,
            markeredgewidth=0,
        )  # fmt: skip


def _draw_squares(axes: Axes, drawn: Scatter) -> None:
    corners = drawn.cells.select(pl.col("x") - drawn.width / 2, pl.col("y") - drawn.height / 2).rows()
    # On a logarithmic scale, for the middle of a cloud holds a hundred times what its edge does.
    shades = [FAINTEST + (1 - FAINTEST) * log1p(n) / log1p(drawn.most) for n in drawn.cells["n"]]
    axes.add_collection(
        PatchCollection(
            [Rectangle(corner, drawn.width, drawn.height) for corner in corners],
            facecolor=[_on_white(MARKS["all"].colour, shade) for shade in shades],
            # Without an edge of its own colour, a hair of white stands between two squares.
            edgecolor="face",
            linewidth=0.3,
        )
    )
    axes.autoscale_view()


def _on_white(colour: str, shade: float) -> tuple[float, float, float]:
    red, green, blue = (1 - shade * (1 - part) for part in to_rgb(colour))
    return red, green, blue
