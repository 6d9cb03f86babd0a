"""One quantity by group: boxes over the patients' dots.

Here: drawing alone. Not here: quartiles and dots (`transforms.scatter_frames`). Called by
`flows.report.il7_course_figures`.
"""

import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flows.drawing.heading import Heading
from flows.drawing.reason import draw_reason
from flows.drawing.style import MARKS, SMALL, WIDTH_INCHES, in_order, styled, svg_of
from transforms.wording import GROUPS

DOTS_REACH = 0.32


@styled
def draw_boxes(
    boxes: pl.DataFrame, points: pl.DataFrame, *, heading: Heading, y_label: str, note: str
) -> bytes:
    """Draw medians, quartiles and whiskers by group, and the dots behind them; `note` stands above.

    `boxes`: group, n, low, q1, median, q3, high; `points`: group, value, n (`scatter_frames.Boxes`).
    """
    if boxes.is_empty():
        return draw_reason(heading, "No patient has this number in either group yet.")
    figure = Figure(figsize=(WIDTH_INCHES, 3.6))
    axes = figure.subplots()
    groups = in_order(boxes)
    fullest = max(points["n"].to_list(), default=1)
    for place, group in enumerate(groups):
        _draw_dots(axes, points.filter(group=group), at=place, fullest=fullest)
        _draw_box(axes, boxes.row(by_predicate=pl.col("group") == group, named=True), at=place)
    n_of = dict(boxes.select("group", "n").rows())
    axes.set_xticks(range(len(groups)), [f"{GROUPS[group]}\n(n = {n_of[group]:,})" for group in groups])
    axes.set(xlim=(-0.6, len(groups) - 0.4), ylabel=y_label)
    axes.set_ylim(bottom=0)
    axes.set_title(note, loc="left", fontsize=SMALL, pad=6)
    return svg_of(figure, heading)


def _draw_dots(axes: Axes, points: pl.DataFrame, *, at: int, fullest: int) -> None:
    """Dots of one step side by side, about the middle."""
    gap = min(0.05, 2 * DOTS_REACH / max(1, fullest - 1))
    places = [
        (at + gap * (i - (n - 1) / 2), value)
        for value, n in points.select("value", "n").rows()
        for i in range(n)
    ]
    if places:
        across, up = zip(*places, strict=True)
        mark = MARKS[points["group"][0]]
        axes.plot(across, up, mark.marker, color=mark.colour, markersize=3.3, alpha=0.5, markeredgewidth=0)


def _draw_box(axes: Axes, box: dict[str, float], *, at: int) -> None:
    colour = MARKS[str(box["group"])].colour
    drawn = {
        "med": box["median"],
        "q1": box["q1"],
        "q3": box["q3"],
        "whislo": box["low"],
        "whishi": box["high"],
    }
    axes.bxp(
        [drawn], positions=[at], widths=0.62, showfliers=False, showcaps=False, manage_ticks=False,
        boxprops={"color": colour, "linewidth": 1.4}, medianprops={"color": colour, "linewidth": 2.4},
        whiskerprops={"color": colour, "linewidth": 1.1},
    )  # fmt: skip
