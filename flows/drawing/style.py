"""Palette, style and the parts that several figures share.

Here: how things look. Not here: any figure (its siblings). Called by them.
"""

import io
from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from flows.drawing.heading import Heading
from transforms.wording import GROUPS

# Okabe and Ito, "Color universal design" (2008): told apart by all common kinds of colour vision.
ORANGE, SKY_BLUE, GREEN, BLUE = "#E69F00", "#56B4E9", "#009E73", "#0072B2"
VERMILLION, PURPLE = "#D55E00", "#CC79A7"
INK, MUTED, FAINT = "#1F2933", "#56616C", "#D3D9DF"


@dataclass(frozen=True)
class Mark:
    """How a group of patients is drawn, everywhere: never by colour alone."""

    colour: str
    line: str | tuple[int, tuple[float, ...]]
    marker: str


MARKS = {
    "all": Mark(INK, "-", "o"),
    "no_asl": Mark(BLUE, "-", "o"),
    "asl": Mark(VERMILLION, (0, (6, 1.6)), "s"),
    "asl_recovered": Mark(GREEN, (0, (4, 1.4, 1, 1.4)), "^"),
    "asl_not_recovered": Mark(PURPLE, (0, (3, 1)), "v"),
    "il7_low": Mark(ORANGE, (0, (6, 1.6)), "D"),
    "il7_high": Mark(SKY_BLUE, "-", "o"),
    "univariate": Mark(MUTED, "-", "o"),
    "multivariate": Mark(INK, "-", "D"),
}


PALE_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}
SHORT_GROUPS = {"all": "All", "asl_recovered": "Recovered", "asl_not_recovered": "Not recovered"}

# Half a page wide on a desktop, a whole one on a phone: its text can be read on both.
WIDTH_INCHES = 4.8
SMALL, NORMAL = 8.8, 10.0
# The page's fonts. Text stays text, set with the bundled DejaVu, which is wider than any of these.
FONT_FAMILIES = b"system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
STYLE = {
    "svg.hashsalt": "nadir",
    "svg.fonttype": "none",
    "font.family": ["DejaVu Sans"],
    "font.size": NORMAL,
    "figure.titlesize": NORMAL + 1,
    "figure.titleweight": "bold",
    "axes.labelsize": NORMAL,
    "axes.edgecolor": MUTED,
    "axes.labelcolor": INK,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": SMALL,
    "ytick.labelsize": SMALL,
    "legend.fontsize": SMALL,
    "legend.frameon": False,
    "lines.linewidth": 1.7,
    "figure.constrained_layout.use": True,
    "figure.constrained_layout.h_pad": 0.06,
    "figure.constrained_layout.w_pad": 0.06,
}

P = ParamSpec("P")


def styled(draw: Callable[P, bytes]) -> Callable[P, bytes]:
    """Draw with this module's style and leave matplotlib's settings as they were."""

    @wraps(draw)
    def draw_in_style(*args: P.args, **kwargs: P.kwargs) -> bytes:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return draw_in_style


def axes_above_rows(n_rows: int, *, height: float) -> tuple[Figure, Axes, Axes]:
    """Axes over a strip for `n_rows` rows of numbers that stand under the ticks."""
    strip = 0.2 * (n_rows + 1)
    figure = Figure(figsize=(WIDTH_INCHES, height + strip))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(height - 0.5, strip))
    axes.tick_params(labelbottom=True)
    return figure, axes, below


def write_rows(below: Axes, numbers: pl.DataFrame, *, title: str) -> None:
    """Write the numbers (group, at, n) under the ticks, a row a group in the group's colour."""
    groups = in_order(numbers)
    place = {group: i for i, group in enumerate(groups)}
    for group, at, n in numbers.select("group", "at", "n").rows():
        below.text(at, place[group], _short(n), ha="center", va="center", fontsize=SMALL, clip_on=False)
    below.set_ylim(len(groups) - 0.4, -0.6)
    below.set_yticks(range(len(groups)), [SHORT_GROUPS.get(group, GROUPS[group]) for group in groups])
    below.tick_params(length=0, labelbottom=False, pad=14)
    below.spines[:].set_visible(False)
    below.set_title(title, loc="left", fontsize=SMALL, color=MUTED, pad=2)


def _short(n: int) -> str:
    """A count that fits between two ticks: 850, 9,400, 12k, 1.2M."""
    if n < 10_000:
        return f"{n:,}"
    return f"{n / 1000:.0f}k" if n < 1_000_000 else f"{n / 1_000_000:.1f}M"


def stack_bins(axes: Axes, bins: pl.DataFrame) -> None:
    """Draw the bins (group, low, high, n) as bars, a group upon the other."""
    under = pl.Series([0] * bins.filter(group=bins["group"][0]).height)
    width = bins["high"][0] - bins["low"][0]
    for group in in_order(bins):
        of_group = bins.filter(group=group).sort("low")
        axes.bar(
            of_group["low"].to_list(), of_group["n"].to_list(), width, bottom=under.to_list(), align="edge",
            color=MARKS[group].colour, edgecolor="white", linewidth=0.6,
            label=f"{GROUPS[group]} (n = {of_group['n'].sum():,})",
        )  # fmt: skip
        under = under + of_group["n"]


def in_order(frame: pl.DataFrame) -> list[str]:
    """Return the groups of a frame in the order of `MARKS`."""
    return [group for group in MARKS if group in set(frame["group"])]


def line_of(mark: Mark) -> dict[str, Any]:
    """Return how matplotlib draws a line with this mark."""
    return {"color": mark.colour, "linestyle": mark.line}


def dot_of(mark: Mark) -> dict[str, Any]:
    """Return how matplotlib draws a point with this mark."""
    return {"marker": mark.marker, "markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.6}


def svg_of(figure: Figure, heading: Heading) -> bytes:
    """Return the figure with its heading as SVG, the same bytes for the same figure."""
    figure.suptitle(heading.title, x=0.015, ha="left")
    if heading.stamp:
        figure.supxlabel(heading.stamp, x=0.99, ha="right", fontsize=SMALL, color=MUTED)
    written = io.BytesIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Title": heading.title})
    drawn: bytes = written.getvalue()
    return drawn.replace(b"'DejaVu Sans'", FONT_FAMILIES)
