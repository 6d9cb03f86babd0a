"""The figures of IL-7 by ASL and against lymphocyte counts: Figure 2 of the study.

Here: choice and wording. Not here: summing up (`transforms.scatter_frames`), drawing (`flows.drawing`), tests
(`models`). Called by `flows.report.figures`.
"""

from dataclasses import dataclass

from flows.drawing.boxes import draw_boxes
from flows.drawing.distributions import draw_pairs
from flows.drawing.heading import Heading
from flows.drawing.scatter import draw_scatter
from flows.report.context import ReportContext
from flows.report.figure import FigureMaker, ReportFigure
from transforms.figure_frames import pair_il7
from transforms.scatter_frames import Boxes, Scatter, box_il7_by_asl, scatter
from transforms.tables.analysis import Analysis, why_missing
from transforms.wording import group_of, write_interval, write_number, write_p


def _il7_by_asl(context: ReportContext) -> ReportFigure:
    boxes = box_il7_by_asl(context.cohort)
    test = Analysis(context.estimates, "il7_by_asl").find("asl_vs_no_asl", "pre_rt_il7_pg_ml", "p")
    note = f"t test, p {write_p(test.value)}" if test.value is not None else ""
    return ReportFigure(
        "il7_by_asl",
        draw_boxes(
            boxes.boxes,
            boxes.points,
            heading=Heading("IL-7 before RT, by ASL", context.stamp),
            y_label="IL-7 before RT, pg/mL",
            note=note,
        ),
        alt=" ".join(["Box plot of IL-7 before RT by ASL, pg/mL.", *_boxes_in_words(boxes), note]).strip(),
        caption="Boxes are quartiles, whiskers reach 1.5 interquartile ranges. "
        + ("Each dot is a patient, set to the nearest step." if len(boxes.points) else "Dots are left out."),
    )


def _boxes_in_words(boxes: Boxes) -> list[str]:
    return [
        f"{group_of(row['group'])}: n {row['n']:,}, median {write_number(row['median'], 2)} "
        f"({write_number(row['q1'], 2)} to {write_number(row['q3'], 2)})."
        for row in boxes.boxes.iter_rows(named=True)
    ]


def _il7_pairs(context: ReportContext) -> ReportFigure:
    pairs, tests = pair_il7(context.cohort), Analysis(context.estimates, "il7_paired")
    found = {group: tests.find(group, "pre_vs_post_rt_il7", "p") for group in ("no_asl", "asl")}
    notes = {group: f"paired p {write_p(test.value)}" for group, test in found.items() if test.is_made}
    medians = pairs.group_by("group").median().sort("group", descending=True)
    told = [
        f"{group_of(group)}: median {write_number(before, 2)} before, {write_number(after, 2)} after."
        for group, before, after in medians.rows()
    ]
    return ReportFigure(
        "il7_pairs",
        draw_pairs(
            pairs,
            heading=Heading("IL-7 before and after RT", context.stamp),
            y_label="IL-7, pg/mL",
            notes=notes,
        ),
        alt=" ".join(["IL-7 before and after RT by ASL, pg/mL.", *told]),
        caption="Boxes are quartiles, whiskers reach 1.5 interquartile ranges.",
    )


@dataclass(frozen=True)
class _Against:
    """IL-7 against a count: the figure's name and title, the columns of the cohort, their words."""

    name: str
    title: str
    word: str
    columns: tuple[str, str]
    labels: tuple[str, str]


_NADIR = "Lowest count during RT, cells/µL"
_PRE_AND_NADIR = _Against(
    "il7_and_nadir",
    "IL-7 before RT and the lowest count",
    "pre_rt_il7_vs_nadir",
    ("pre_rt_il7_pg_ml", "nadir_tlc_cells_per_ul"),
    ("IL-7 before RT, pg/mL", _NADIR),
)
_CHANGE_AND_NADIR = _Against(
    "il7_change_and_nadir",
    "Change in IL-7 and the lowest count",
    "delta_il7_vs_nadir",
    ("delta_il7_pg_ml", "nadir_tlc_cells_per_ul"),
    ("IL-7 after less before RT, pg/mL", _NADIR),
)
_POST_AND_MONTH_2 = _Against(
    "il7_and_month_2",
    "IL-7 after RT and the count at 2 months",
    "post_rt_il7_vs_month_2",
    ("post_rt_il7_pg_ml", "tlc_month_2_cells_per_ul"),
    ("IL-7 at the end of RT, pg/mL", "Count at 2 months, cells/µL"),
)


def _il7_and_nadir(context: ReportContext) -> ReportFigure:
    return _scatter(context, _PRE_AND_NADIR)


def _il7_change_and_nadir(context: ReportContext) -> ReportFigure:
    return _scatter(context, _CHANGE_AND_NADIR)


def _il7_and_month_2(context: ReportContext) -> ReportFigure:
    return _scatter(context, _POST_AND_MONTH_2)


def _scatter(context: ReportContext, what: _Against) -> ReportFigure:
    x, y = what.columns
    drawn = scatter(context.cohort, x=x, y=y)
    analysis = Analysis(context.estimates, "correlations")
    return ReportFigure(
        what.name,
        draw_scatter(
            drawn,
            heading=Heading(what.title, context.stamp),
            labels=what.labels,
            note=_correlation_text(analysis, what.word),
        ),
        alt=f"Scatter plot of {what.labels[1]} against {what.labels[0]}, {drawn.n:,} patients. "
        + (_correlation_text(analysis, what.word).replace("\n", ", ") or _no_correlation(analysis, what)),
        caption=_scatter_caption(analysis, what.word, drawn),
    )


def _correlation_text(analysis: Analysis, word: str) -> str:
    numbers = [analysis.value("all", word, name) for name in ("pearson_r", "ci_low", "ci_high")]
    if numbers[0] is None:
        return ""
    r = write_interval(numbers[0], numbers[1], numbers[2], decimals=2)
    n = analysis.find("all", word, "pearson_r").n
    counted = "" if n is None else f", n = {n:,}"
    return f"r {r}\np {write_p(analysis.value('all', word, 'p'))}{counted}"


def _no_correlation(analysis: Analysis, what: _Against) -> str:
    reason = why_missing(analysis.find("all", what.word, "pearson_r"))
    return f"No correlation: {reason or 'it was not estimated'}."


def _scatter_caption(analysis: Analysis, word: str, drawn: Scatter) -> str:
    rho, p = (analysis.find("all", word, name) for name in ("spearman_rho", "p_spearman"))
    ranks = (
        ""
        if rho.value is None
        else f" By ranks, Spearman's rho is {write_number(rho.value, 2)} (p {write_p(p.value)})."
    )
    how = (
        f"Darker squares hold more patients, up to {drawn.most:,}; what lies beyond an axis is at its edge."
        if drawn.is_binned
        else "Each dot is a patient, set to the nearest step of the axes."
    )
    return f"{how} Pearson's r (95% CI) and the least-squares line.{ranks}"


IL7_COURSE_FIGURES: tuple[FigureMaker, ...] = (
    _il7_by_asl,
    _il7_pairs,
    _il7_and_nadir,
    _il7_change_and_nadir,
    _il7_and_month_2,
)
