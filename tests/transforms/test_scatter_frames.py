"""What scatter and box plots are drawn from: cells, lines and quartiles that can be counted by hand."""

import polars as pl
import pytest

from transforms.scatter_frames import FINE, MOST_DOTS, box_by_group, scatter


def pairs(x: list[float | None], y: list[float | None]) -> pl.DataFrame:
    return pl.DataFrame({"x": x, "y": y}, schema={"x": pl.Float64, "y": pl.Float64})


def test_the_line_is_that_of_least_squares_and_ends_where_the_patients_end():
    drawn = scatter(pairs([0, 1, 2, 3], [1, 2, 2, 5]), x="x", y="y")
    assert drawn.line == (pytest.approx((0, 0.7)), pytest.approx((3, 4.3)))


def test_patients_without_both_numbers_are_left_out():
    drawn = scatter(pairs([0, None, 2, float("nan")], [1, 2, None, 1]), x="x", y="y")
    assert drawn.n == 1
    assert drawn.line == ()


def test_a_dot_is_near_its_patient_and_never_the_value_itself():
    drawn = scatter(pairs([0.0, 3.337, 10.0], [0.0, 412.0, 900.0]), x="x", y="y")
    x, y, n = drawn.cells.row(1)
    assert x != 3.337
    assert x == pytest.approx(3.337, abs=10 / FINE)
    assert y == pytest.approx(412, abs=900 / FINE)
    assert n == 1


@pytest.mark.parametrize("n", [MOST_DOTS, 20 * MOST_DOTS])
def test_every_patient_is_in_a_cell_and_many_patients_share_few(n):
    values = pl.DataFrame({"x": pl.int_range(n, eager=True) * 7919 % n}).with_columns(
        y=pl.col("x") ** 2 % 1009
    )
    drawn = scatter(values, x="x", y="y")
    assert drawn.cells["n"].sum() == drawn.n == n
    assert drawn.is_binned is (n > MOST_DOTS)
    assert drawn.cells.height <= (40 * 40 if drawn.is_binned else n)


def test_the_order_of_the_patients_changes_no_bit():
    values = pairs([0.1 * i**1.5 for i in range(500)], [1 / (i + 3) for i in range(500)])
    there, back = scatter(values, x="x", y="y"), scatter(values.reverse(), x="x", y="y")
    assert there.line == back.line
    assert there.cells.equals(back.cells)


@pytest.mark.parametrize("x", [[], [2.0], [2.0, 2.0, 2.0]])
def test_without_spread_there_is_no_line(x):
    drawn = scatter(pairs(x, [float(i) for i in range(len(x))]), x="x", y="y")
    assert (drawn.n, drawn.line) == (len(x), ())


def test_boxes_are_quartiles_and_whiskers_end_at_the_last_value_within_their_reach():
    boxes = box_by_group(pl.DataFrame({"group": ["asl"] * 6, "value": [1.0, 2.0, 3.0, 4.0, 5.0, 10.0]}))
    assert boxes.boxes.rows() == [("asl", 6, 1.0, 2.25, 3.5, 4.75, 5.0)]
    assert boxes.points["n"].sum() == 6


def test_beyond_two_thousand_patients_a_box_has_no_dots():
    many = pl.DataFrame({"group": "asl", "value": pl.int_range(MOST_DOTS + 1, eager=True).cast(pl.Float64)})
    assert box_by_group(many).points.is_empty()
    assert box_by_group(many).boxes["n"].to_list() == [MOST_DOTS + 1]
    assert box_by_group(many.clear()).boxes.is_empty()
