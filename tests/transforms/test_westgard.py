"""Westgard's rules, drawn: one line of z a claim, and a slow reference that says the same in plain Python."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import draw
from transforms.plates.westgard import RULES, judge

POINTS = {"plate_id": pl.Int64(), "quantity": pl.String(), "z": pl.Float64()}
JUDGED = {**POINTS, "rules_broken": pl.String(), "verdict": pl.String()}
IS_CONTROL = pl.col("quantity") != "ec50"


def judged(points: pl.DataFrame) -> pl.DataFrame:
    return judge(points, line=["quantity"], run=["plate_id"], is_level=IS_CONTROL)


def broken_by(*row: float | None) -> list[str]:
    """Rules broken at the last of a row of values of one control."""
    points = [(plate, "low", z) for plate, z in enumerate(row)]
    found = judged(pl.DataFrame(points, schema=POINTS, orient="row"))
    return (found["rules_broken"][-1] or "").split(", ")


def assert_judged(drawing: str) -> None:
    expected = draw(JUDGED, drawing)
    found = judged(expected.select(list(POINTS)))
    assert found.equals(expected)


# Each rule, just broken and just kept.


@pytest.mark.parametrize(
    ("rule", "breaking", "keeping"),
    [
        ("1_2s", (2.1,), (2.0,)),
        ("1_2s", (-2.1,), (-2.0,)),
        ("1_3s", (3.1,), (3.0,)),
        ("1_3s", (-3.1,), (-3.0,)),
        ("2_2s", (2.1, 2.1), (2.1, 2.0)),
        ("2_2s", (-2.1, -2.1), (2.1, -2.1)),
        ("2_2s", (0.0, 2.1, 2.1), (2.1, 0.0, 2.1)),
        ("4_1s", (1.1, 1.1, 1.1, 1.1), (1.1, 1.1, 1.1, 1.0)),
        ("4_1s", (-1.1, -1.1, -1.1, -1.1), (1.1, -1.1, -1.1, -1.1)),
        ("10_x", (0.1,) * 10, (0.1,) * 9),
        ("10_x", (-0.1,) * 10, (-0.1,) * 9 + (0.0,)),
    ],
)
def test_a_rule_breaks_beyond_its_limit_and_not_at_it(rule: str, breaking: tuple, keeping: tuple):
    assert rule in broken_by(*breaking)
    assert rule not in broken_by(*keeping)


def test_levels_of_one_plate_on_both_sides_break_r_4s():
    assert_judged("""
        plate_id | quantity | z    | rules_broken | verdict
        ---------+----------+------+--------------+---------------
        1        | low      | 2.5  | 1_2s, R_4s   | out of control
        1        | mid      | 0.0  |              | in control
        1        | high     | -2.5 | 1_2s, R_4s   | out of control
    """)


def test_levels_of_one_plate_on_the_same_side_break_2_2s():
    assert_judged("""
        plate_id | quantity | z   | rules_broken | verdict
        ---------+----------+-----+--------------+---------------
        1        | low      | 2.5 | 1_2s, 2_2s   | out of control
        1        | mid      | 0.0 |              | in control
        1        | high     | 2.5 | 1_2s, 2_2s   | out of control
        1        | ec50     | 2.5 | 1_2s         | warning
    """)


def test_levels_four_apart_but_within_a_limit_keep_r_4s():
    assert_judged("""
        plate_id | quantity | z    | rules_broken | verdict
        ---------+----------+------+--------------+-----------
        1        | low      | 2.5  | 1_2s         | warning
        1        | high     | -1.9 |              | in control
    """)


def test_consecutive_plates_on_both_sides_keep_r_4s():
    assert_judged("""
        plate_id | quantity | z    | rules_broken | verdict
        ---------+----------+------+--------------+--------
        1        | low      | 2.5  | 1_2s         | warning
        2        | low      | -2.5 | 1_2s         | warning
    """)


def test_a_parameter_of_the_curve_is_no_level_of_the_control():
    assert_judged("""
        plate_id | quantity | z    | rules_broken | verdict
        ---------+----------+------+--------------+--------
        1        | low      | 2.5  | 1_2s         | warning
        1        | ec50     | -2.5 | 1_2s         | warning
    """)


# The verdict.


def test_a_warning_alone_is_no_rejection():
    assert_judged("""
        plate_id | quantity | z   | rules_broken     | verdict
        ---------+----------+-----+------------------+---------------
        1        | low      | 1.9 |                  | in control
        2        | low      | 2.1 | 1_2s             | warning
        3        | low      | 3.1 | 1_2s, 1_3s, 2_2s | out of control
    """)


def test_without_a_guide_set_there_is_no_verdict_and_a_row_of_values_ends():
    assert_judged("""
        plate_id | quantity | z   | rules_broken | verdict
        ---------+----------+-----+--------------+-------------
        1        | low      | 2.1 | 1_2s         | warning
        2        | low      |     |              | no guide set
        3        | low      | 2.1 | 1_2s         | warning
    """)


def test_quantities_are_judged_apart():
    assert_judged("""
        plate_id | quantity | z   | rules_broken | verdict
        ---------+----------+-----+--------------+--------
        1        | low      | 2.1 | 1_2s         | warning
        2        | high     | 2.1 | 1_2s         | warning
    """)


# The law: the same as a slow reference.


def reference(points: list[tuple[int, str, float | None]]) -> list[str]:
    """The rules broken at each point, found by looking back and across one value at a time."""
    found = []
    for place, (plate, quantity, z) in enumerate(points):
        row = [other for _, name, other in points[: place + 1] if name == quantity]
        levels = [other for run, name, other in points if run == plate and name != "ec50" and other]
        is_out = quantity != "ec50" and z is not None and abs(z) > 2
        ends_in = {
            "1_2s": all_beyond(row[-1:], 1, 2.0),
            "1_3s": all_beyond(row[-1:], 1, 3.0),
            "2_2s": all_beyond(row[-2:], 2, 2.0)
            or (is_out and sum(y > 2 if z > 0 else y < -2 for y in levels) > 1),
            "R_4s": is_out and max(levels) > 2 and min(levels) < -2,
            "4_1s": all_beyond(row[-4:], 4, 1.0),
            "10_x": all_beyond(row[-10:], 10, 0.0),
        }
        found.append(", ".join(rule for rule in RULES if ends_in[rule]))
    return found


def all_beyond(row: list[float | None], n: int, limit: float) -> bool:
    if len(row) < n or None in row:
        return False
    return all(z > limit for z in row) or all(z < -limit for z in row)


z_values = st.one_of(
    st.sampled_from([-3.5, -2.5, -1.5, -0.5, 0.5, 1.5, 2.5, 3.5]),
    st.floats(-4, 4, allow_subnormal=False),
    st.none(),
)
# Most drawn rows lean to one side, or no four or ten would ever follow one another.
rows_of_z = st.builds(
    lambda row, lean: [None if z is None else abs(z) * lean if i % 13 else z for i, z in enumerate(row)],
    st.lists(z_values, min_size=1, max_size=40),
    st.sampled_from([-1, 1]),
)


@given(st.tuples(rows_of_z, rows_of_z, rows_of_z))
@settings(max_examples=150, deadline=None)
def test_the_rules_are_those_of_the_slow_reference(rows: tuple[list[float | None], ...]):
    points = [
        (plate, quantity, z)
        for quantity, row in zip(("low", "high", "ec50"), rows, strict=True)
        for plate, z in enumerate(row)
    ]
    found = judged(pl.DataFrame(points, schema=POINTS, orient="row"))
    assert found["rules_broken"].fill_null("").to_list() == reference(points)
