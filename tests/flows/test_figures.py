"""The figures: they say what they show in text, look the same everywhere, and an empty one says why."""

import re
from collections.abc import Callable
from xml.etree import ElementTree

import matplotlib as mpl
import polars as pl
import pytest

from flows.drawing.boxes import draw_boxes
from flows.drawing.courses import GRADE_BANDS, draw_mean_counts, draw_survival
from flows.drawing.distributions import draw_histogram, draw_pairs, draw_shares
from flows.drawing.heading import Heading
from flows.drawing.models import MarkedPoint, draw_calibration, draw_forest, draw_roc
from flows.drawing.reason import draw_reason
from flows.drawing.scatter import draw_scatter
from flows.drawing.style import MARKS
from transforms.scatter_frames import box_by_group, scatter

HEADING = Heading("A title", "Simulated data: no real patient")
MEANS = pl.DataFrame(
    {
        "group": ["asl", "asl", "no_asl", "no_asl"],
        "month": [0, 1, 0, 1],
        "n": [41, 40, 57, 55],
        "mean": [900.0, 200.0, 1300.0, 420.0],
        "sd": [400.0, 250.0, 500.0, None],
    }
)
BINS = pl.DataFrame(
    {
        "group": ["asl", "asl", "no_asl", "no_asl"],
        "low": [0.0, 0.5, 0.0, 0.5],
        "high": [0.5, 1.0, 0.5, 1.0],
        "n": [3, 8, 9, 1],
    }
)
CURVES = pl.DataFrame(
    {
        "group": ["asl", "asl", "no_asl", "no_asl"],
        "time_months": [0.0, 9.0, 0.0, 14.0],
        "survival_percent": [100.0, 50.0, 100.0, 80.0],
        "ci_low_percent": [None, 30.0, None, 60.0],
        "ci_high_percent": [None, 70.0, None, 95.0],
    }
)
AT_RISK = pl.DataFrame(
    {
        "group": ["asl", "asl", "no_asl", "no_asl"],
        "month": [0, 12, 0, 12],
        "n_at_risk": [41, 0, 12_345, 1_234_567],
    }
)
ROC = pl.DataFrame({"sensitivity": [0.0, 0.7, 1.0], "specificity": [1.0, 0.6, 0.0]})
CALIBRATION = pl.DataFrame(
    {"predicted": [0.2, 0.8], "observed": [0.1, 0.9], "observed_low": [0.0, 0.7], "observed_high": [0.3, 1.0]}
)
PAIRS = pl.DataFrame({"group": ["asl", "asl", "no_asl"], "before": [2.0, 1.0, 3.0], "after": [2.5, 2.0, 2.0]})
SHARES = pl.DataFrame(
    {"group": ["il7_low", "il7_high"], "n": [53, 45], "events": [29, 12], "share": [0.55, 0.27]}
    | {"ci_low": [0.41, 0.16], "ci_high": [0.67, 0.41]}
)
RATIOS = pl.DataFrame(
    {
        "label": ["ASL (vs none)", "Lymphopenia before RT (≤ 1,000 cells/µL)"],
        "model": ["univariate", "multivariate"],
        "ratio": [2.16, 29.81],
        "ci_low": [1.33, 6.54],
        "ci_high": [3.51, 135.82],
    }
)

GROUPED = PAIRS.select("group", value="before")


def draw_scattered(n: int) -> bytes:
    values = pl.DataFrame({"x": pl.linear_space(0, 10, n, eager=True)}).with_columns(
        y=100 * pl.col("x").sin() ** 2
    )
    return draw_scatter(
        scatter(values, x="x", y="y"),
        heading=HEADING,
        labels=("IL-7 before RT, pg/mL", "Lowest count during RT, cells/µL"),
        note="r 0.27 (0.07 to 0.44)\np 0.008, n = 98",
    )


def draw_boxed(values: pl.DataFrame) -> bytes:
    boxes = box_by_group(values)
    return draw_boxes(
        boxes.boxes, boxes.points, heading=HEADING, y_label="IL-7, pg/mL", note="t test, p 0.010"
    )


Draw = Callable[[bool], bytes]


def _part(frame: pl.DataFrame, is_empty: bool) -> pl.DataFrame:
    return frame.clear() if is_empty else frame


DRAWN: dict[str, Draw] = {
    "counts": lambda empty: draw_mean_counts(_part(MEANS, empty), heading=HEADING),
    "histogram": lambda empty: draw_histogram(_part(BINS, empty), heading=HEADING, x_label="x", marked=0.5),
    "survival": lambda empty: draw_survival(
        _part(CURVES, empty), _part(AT_RISK, empty), heading=HEADING, y_label="OS", p_text="Log-rank p 0.001"
    ),
    "roc": lambda empty: draw_roc(
        _part(ROC, empty), heading=HEADING, auc_text="AUC 0.66", marked=MarkedPoint(0.7, 0.6, "≤ 2.495 pg/mL")
    ),
    "calibration": lambda empty: draw_calibration(_part(CALIBRATION, empty), BINS, heading=HEADING),
    "pairs": lambda empty: draw_pairs(
        _part(PAIRS, empty), heading=HEADING, y_label="IL-7, pg/mL", notes={"asl": "p 0.029"}
    ),
    "shares": lambda empty: draw_shares(_part(SHARES, empty), heading=HEADING, x_label="% with ASL"),
    "forest": lambda empty: draw_forest(_part(RATIOS, empty), heading=HEADING, x_label="HR (95% CI)"),
    "scatter": lambda empty: draw_scattered(0 if empty else 98),
    "boxes": lambda empty: draw_boxed(_part(GROUPED, empty)),
    "reason": lambda _: draw_reason(HEADING, "Nothing yet."),
}


def texts(svg: bytes) -> list[str]:
    return [node.text or "" for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", DRAWN)
def test_the_same_frame_gives_the_same_bytes(name):
    assert DRAWN[name](False) == DRAWN[name](False)


@pytest.mark.parametrize("name", DRAWN)
def test_text_stays_text_in_the_fonts_of_the_page_with_title_and_origin(name):
    svg = DRAWN[name](False)
    assert {"A title", "Simulated data: no real patient"} <= set(texts(svg))
    assert b"DejaVu" not in svg
    assert b"dc:date" not in svg


@pytest.mark.parametrize("name", [name for name in DRAWN if name != "reason"])
def test_an_empty_frame_gives_a_figure_that_says_why_it_is_empty(name):
    words = " ".join(texts(DRAWN[name](True)))
    assert len(words) > len("A title Simulated data: no real patient") + 20
    assert "NaN" not in words


def test_a_landed_night_has_no_stamp():
    assert texts(draw_reason(Heading("A title"), "Nothing yet.")) == ["Nothing yet.", "A title"]


def test_numbers_of_patients_stand_under_the_axis_and_large_ones_are_short():
    assert {"Patients with a count", "41", "40", "57", "55"} <= set(texts(DRAWN["counts"](False)))
    assert {"Number at risk", "41", "0", "12k", "1.2M"} <= set(texts(DRAWN["survival"](False)))


def height_of(svg: bytes, words: str) -> float:
    found = [
        float(node.get("y") or re.findall(r"[-\d.]+", node.get("transform") or "")[-1])
        for node in ElementTree.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")
        if (node.text or "") == words
    ]
    return found[0]


def test_the_log_rank_test_stands_below_the_axis_where_no_curve_can_pass():
    svg = DRAWN["survival"](False)
    assert height_of(svg, "Log-rank p 0.001") > height_of(svg, "0%")


def test_a_long_label_of_a_ratio_takes_two_lines_and_no_third():
    staged = RATIOS.with_columns(label=pl.lit("UICC stage, per stage (II, III, IV)"))
    shown = texts(draw_forest(staged, heading=HEADING, x_label="HR (95% CI)"))
    assert "per stage (II, III, IV)" in shown


def test_axes_name_their_units_and_grades_stand_on_their_bands():
    shown = texts(DRAWN["counts"](False))
    assert {"Lymphocytes, cells/µL (mean, SD)", "Months from the start of RT"} <= set(shown)
    assert {f"Grade {grade}" for grade in (1, 2, 3, 4)} <= set(shown)
    assert [(grade, low, high) for grade, low, high, _ in GRADE_BANDS] == [
        (4, 0, 200),
        (3, 200, 500),
        (2, 500, 800),
        (1, 800, 1000),
    ]


@pytest.mark.parametrize("name", ["counts", "histogram", "survival", "pairs", "boxes"])
def test_asl_has_one_colour_in_every_figure(name):
    svg = DRAWN[name](False).decode().lower()
    assert MARKS["asl"].colour.lower() in svg
    assert MARKS["no_asl"].colour.lower() in svg


def test_no_two_groups_of_one_figure_differ_by_colour_alone():
    together = [("asl", "no_asl"), ("no_asl", "asl_recovered", "asl_not_recovered"), ("il7_low", "il7_high")]
    for groups in together:
        marks = [MARKS[group] for group in groups]
        assert len({mark.colour for mark in marks}) == len(marks)
        assert len({(mark.line, mark.marker) for mark in marks}) == len(marks)


def test_every_colour_of_a_group_is_of_okabe_and_ito_or_a_grey():
    okabe_ito = {"#E69F00", "#56B4E9", "#009E73", "#F0E442", "#0072B2", "#D55E00", "#CC79A7"}
    colours = {mark.colour for mark in MARKS.values()} - okabe_ito
    assert all(int(colour[5:], 16) < 0x80 for colour in colours)


def test_an_interval_beyond_the_axis_ends_in_an_arrow():
    inside = RATIOS.with_columns(ci_high=pl.lit(40.0))
    assert DRAWN["forest"](False) != draw_forest(inside, heading=HEADING, x_label="HR (95% CI)")
    arrows = [
        re.findall(rb"<use", svg)
        for svg in (DRAWN["forest"](False), draw_forest(inside, heading=HEADING, x_label="HR (95% CI)"))
    ]
    assert len(arrows[0]) == len(arrows[1]) + 1


def test_no_single_patient_can_be_read_off_the_figure_of_pairs():
    sizes = [
        len(
            draw_pairs(
                pl.DataFrame({"group": "asl", "before": pl.linear_space(0, 10, n, eager=True)}).with_columns(
                    after=pl.col("before")
                ),
                heading=HEADING,
                y_label="IL-7",
                notes={},
            )
        )
        for n in (100, 900)
    ]
    assert abs(sizes[1] - sizes[0]) < 200


def test_a_scatter_plot_of_many_patients_is_of_squares_and_grows_no_further():
    sizes = [len(draw_scattered(n)) for n in (98, 3_000, 100_000)]
    assert sizes[0] < 40_000
    assert sizes[2] < 1.1 * sizes[1] < 400_000


def test_a_scatter_plot_names_its_axes_its_correlation_and_draws_its_line():
    shown = texts(DRAWN["scatter"](False))
    said = {
        "IL-7 before RT, pg/mL",
        "Lowest count during RT, cells/µL",
        "r 0.27 (0.07 to 0.44), p 0.008, n = 98",
    }
    assert said <= set(shown)
    assert b"#d55e00" in DRAWN["scatter"](False)


def test_boxes_tell_how_many_patients_they_are_of_and_the_test():
    assert {"t test, p 0.010", "ASL", "(n = 2)", "No ASL", "(n = 1)"} <= set(texts(DRAWN["boxes"](False)))


def test_drawing_leaves_the_settings_of_matplotlib_as_they_were():
    with mpl.rc_context({"font.size": 3.0}):
        DRAWN["counts"](False)
        assert mpl.rcParams["font.size"] == 3.0
