"""The night's figures: small frames in, SVG bytes out, always the same bytes for the same frame.

Here: all drawing, the palette and the style; the only home of matplotlib. Not here: what is drawn
(`transforms.figure_frames`, `flows.report.figures`). Called by the report and by the records in MLflow.
"""

import io
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import Any, ParamSpec

import matplotlib as mpl
import polars as pl
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullLocator, PercentFormatter

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
# CTCAE v4.0, lymphocyte count decreased: lower and upper limit in cells/uL, and the band's grey.
GRADE_BANDS = (
    (4, 0, 200, "#DCE1E6"),
    (3, 200, 500, "#E8EBEF"),
    (2, 500, 800, "#F1F3F5"),
    (1, 800, 1000, "#F8F9FA"),
)

SHORT_GROUPS = {"all": "All", "asl_recovered": "Recovered", "asl_not_recovered": "Not recovered"}
RATIO_LIMITS = (0.05, 50.0)
RATIO_TICKS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 20)
LONGEST_LABEL = 24

PALE_BOX = {"facecolor": "white", "edgecolor": "none", "alpha": 0.8, "pad": 1}

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


def _styled(draw: Callable[P, bytes]) -> Callable[P, bytes]:
    """Draw with this module's style and leave matplotlib's settings as they were."""

    @wraps(draw)
    def draw_in_style(*args: P.args, **kwargs: P.kwargs) -> bytes:
        with mpl.rc_context(STYLE):
            return draw(*args, **kwargs)

    return draw_in_style


@dataclass(frozen=True)
class Heading:
    """A figure's title, and the stamp in its corner that says where the data come from."""

    title: str
    stamp: str = ""


@_styled
def draw_reason(heading: Heading, reason: str) -> bytes:
    """Draw an empty figure that says in words why it is empty."""
    figure = Figure(figsize=(WIDTH_INCHES, 2.0))
    axes = figure.subplots()
    axes.axis("off")
    axes.text(0.5, 0.5, reason, ha="center", va="center", color=MUTED, wrap=True, transform=axes.transAxes)
    return _svg(figure, heading)


@_styled
def draw_mean_counts(summary: pl.DataFrame, *, heading: Heading) -> bytes:
    """Draw mean counts (cells/uL) with their SD by month from the start of RT, on CTCAE grade bands.

    `summary`: group, month, n, mean, sd (`figure_frames.summarise_months`); n stands under the axis.
    """
    if summary.is_empty():
        return draw_reason(heading, "No count falls in a month yet.")
    groups = _in_order(summary)
    figure, axes, below = _axes_above_rows(len(groups), height=3.5)
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
    _write_rows(below, summary.select("group", at="month", n="n"), title="Patients with a count")
    return _svg(figure, heading)


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
    axes.plot(at, mean.to_list(), label=GROUPS[summary["group"][0]], **_line(mark), **_dot(mark))


@_styled
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
    _stack_bins(axes, bins)
    axes.set(xlabel=x_label, ylabel="Patients, n", xlim=(bins["low"].min(), bins["high"].max()))
    axes.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.4g}"))
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    if marked is not None:
        axes.axvline(marked, color=INK, linewidth=0.9, linestyle=(0, (2, 2)))
    axes.legend(loc="upper right")
    return _svg(figure, heading)


def _stack_bins(axes: Axes, bins: pl.DataFrame) -> None:
    under = pl.Series([0] * bins.filter(group=bins["group"][0]).height)
    width = bins["high"][0] - bins["low"][0]
    for group in _in_order(bins):
        of_group = bins.filter(group=group).sort("low")
        axes.bar(
            of_group["low"].to_list(), of_group["n"].to_list(), width, bottom=under.to_list(), align="edge",
            color=MARKS[group].colour, edgecolor="white", linewidth=0.6,
            label=f"{GROUPS[group]} (n = {of_group['n'].sum():,})",
        )  # fmt: skip
        under = under + of_group["n"]


@_styled
def draw_survival(
    curves: pl.DataFrame, at_risk: pl.DataFrame, *, heading: Heading, y_label: str, p_text: str = ""
) -> bytes:
    """Draw Kaplan-Meier curves with 95% bands and the numbers at risk under the axis.

    `curves`: group, time_months, survival_percent, ci_low_percent, ci_high_percent; `at_risk`: group, month,
    n_at_risk, as `models.study.survival` makes them; its months are the axis' ticks.
    """
    if curves.is_empty() or at_risk.is_empty():
        return draw_reason(heading, "No patient has follow-up for this comparison yet.")
    groups = _in_order(curves)
    figure, axes, below = _axes_above_rows(len(groups), height=3.4)
    for group in groups:
        _draw_steps(axes, curves.filter(group=group).sort("time_months"))
    ticks = at_risk["month"].unique().sort().to_list()
    axes.set(ylim=(0, 102), xlim=(0, max(1, ticks[-1])), ylabel=y_label, xlabel="Months from the start of RT")
    axes.xaxis.set_major_locator(FixedLocator(ticks))
    axes.yaxis.set_major_formatter(PercentFormatter(100, decimals=0))
    axes.legend(loc="upper right")
    # Nobody has died yet in the lower left corner, so that no curve passes there.
    axes.text(0.02, 0.04, p_text, transform=axes.transAxes, fontsize=SMALL, bbox=PALE_BOX)
    _write_rows(below, at_risk.select("group", at="month", n="n_at_risk"), title="Number at risk")
    return _svg(figure, heading)


def _draw_steps(axes: Axes, curve: pl.DataFrame) -> None:
    group = curve["group"][0]
    months, survival = curve["time_months"].to_list(), curve["survival_percent"].to_list()
    axes.step(months, survival, where="post", label=GROUPS[group], **_line(MARKS[group]))
    band = curve.drop_nulls(["ci_low_percent", "ci_high_percent"])
    axes.fill_between(
        band["time_months"].to_list(), band["ci_low_percent"].to_list(), band["ci_high_percent"].to_list(),
        step="post", color=MARKS[group].colour, alpha=0.13, linewidth=0,
    )  # fmt: skip


@dataclass(frozen=True)
class MarkedPoint:
    """A point of an ROC curve worth naming (0 to 1), and the words beside it."""

    sensitivity: float
    specificity: float
    text: str


@_styled
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
    return _svg(figure, heading)


def _name_point(axes: Axes, marked: MarkedPoint) -> None:
    at = (1 - marked.specificity, marked.sensitivity)
    axes.plot(*at, "o", color=INK, markersize=7, zorder=5, clip_on=False)
    axes.annotate(
        marked.text, at, xytext=(10, -6), textcoords="offset points", ha="left", va="top", fontsize=SMALL,
        bbox=PALE_BOX,
    )  # fmt: skip


@_styled
def draw_calibration(points: pl.DataFrame, bins: pl.DataFrame, *, heading: Heading) -> bytes:
    """Draw observed against predicted risk with 95% intervals, over a histogram of the predictions.

    `points`: predicted, observed, observed_low, observed_high (0 to 1), as `models.performance` makes them;
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
    _stack_bins(below, bins)
    below.set(xlabel="Predicted risk of ASL", ylabel="Patients, n")
    axes.legend(*below.get_legend_handles_labels(), loc="upper left")
    for axis in (axes.yaxis, below.xaxis):
        axis.set_major_formatter(PercentFormatter(1.0, decimals=0))
    return _svg(figure, heading)


@_styled
def draw_pairs(pairs: pl.DataFrame, *, heading: Heading, y_label: str, notes: Mapping[str, str]) -> bytes:
    """Draw values before and after RT by group: median, quartiles, and whiskers to 1.5 times their distance.

    `pairs`: group, before, after; `notes`: words under each group's name. No single patient is drawn: a line
    in a file is a value that can be read off.
    """
    if pairs.is_empty():
        return draw_reason(heading, "No patient has IL-7 both before and after RT yet.")
    figure = Figure(figsize=(WIDTH_INCHES, 3.6))
    axes = figure.subplots()
    groups = _in_order(pairs)
    for place, group in enumerate(groups):
        _draw_pair(axes, pairs.filter(group=group), left=2.6 * place)
    axes.set_xticks([2.6 * place + side for place in range(len(groups)) for side in (0, 1)])
    axes.set_xticklabels(["Before", "After"] * len(groups))
    top = 1.28 * max(pairs.select(pl.max_horizontal("before", "after")).to_series().to_list())
    axes.set(ylim=(0, top), ylabel=y_label, xlim=(-0.6, 2.6 * (len(groups) - 1) + 1.6))
    for place, group in enumerate(groups):
        words = f"{GROUPS[group]} (n = {pairs.filter(group=group).height:,})\n{notes.get(group, '')}"
        axes.text(2.6 * place + 0.5, 1.0, words, transform=axes.get_xaxis_transform(), ha="center", va="top")
    return _svg(figure, heading)


def _draw_pair(axes: Axes, pairs: pl.DataFrame, *, left: float) -> None:
    colour = MARKS[pairs["group"][0]].colour
    axes.boxplot(
        [pairs["before"].to_list(), pairs["after"].to_list()], positions=[left, left + 1], widths=0.34,
        showfliers=False, showcaps=False, patch_artist=True, manage_ticks=False,
        boxprops={"facecolor": "white", "edgecolor": colour, "linewidth": 1.4},
        medianprops={"color": colour, "linewidth": 2.2}, whiskerprops={"color": colour, "linewidth": 1.1},
    )  # fmt: skip


@_styled
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
    return _svg(figure, heading)


@_styled
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
    return _svg(figure, heading)


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
    return label.replace(" (", "\n(").replace(", per", ",\nper") if len(label) > LONGEST_LABEL else label


def _axes_above_rows(n_rows: int, *, height: float) -> tuple[Figure, Axes, Axes]:
    """Axes over a strip for `n_rows` rows of numbers that stand under the ticks."""
    strip = 0.2 * (n_rows + 1)
    figure = Figure(figsize=(WIDTH_INCHES, height + strip))
    axes, below = figure.subplots(2, 1, sharex=True, height_ratios=(height - 0.5, strip))
    axes.tick_params(labelbottom=True)
    return figure, axes, below


def _write_rows(below: Axes, numbers: pl.DataFrame, *, title: str) -> None:
    """Write the numbers (group, at, n) under the ticks, a row a group in the group's colour."""
    groups = _in_order(numbers)
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


def _in_order(frame: pl.DataFrame) -> list[str]:
    return [group for group in MARKS if group in set(frame["group"])]


def _line(mark: Mark) -> dict[str, Any]:
    return {"color": mark.colour, "linestyle": mark.line}


def _dot(mark: Mark) -> dict[str, Any]:
    return {"marker": mark.marker, "markersize": 4.5, "markeredgecolor": "white", "markeredgewidth": 0.6}


def _svg(figure: Figure, heading: Heading) -> bytes:
    figure.suptitle(heading.title, x=0.015, ha="left")
    if heading.stamp:
        figure.supxlabel(heading.stamp, x=0.99, ha="right", fontsize=SMALL, color=MUTED)
    written = io.BytesIO()
    figure.savefig(written, format="svg", metadata={"Date": None, "Creator": None, "Title": heading.title})
    drawn: bytes = written.getvalue()
    return drawn.replace(b"'DejaVu Sans'", FONT_FAMILIES)
