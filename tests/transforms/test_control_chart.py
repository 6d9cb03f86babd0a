"""Plates over time: what is followed, what a kit lot is held against, and when that changes."""

import math
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import complete, draw
from transforms import schemas
from transforms.plates.control_chart import (
    CONTROL_VALUES,
    DRIFT,
    HALF_SIGNAL,
    HIGHEST,
    LEAST_SD,
    LOWEST,
    MIDDLE,
    control_chart,
    control_values,
    drift,
    guide_sets,
    levey_jennings_frame,
    newest_lot,
)

NIGHT, LATER = date(2024, 5, 1), date(2024, 6, 1)
NO_SETS = pl.DataFrame(schema=schemas.GUIDE_SETS.polars_schema)
NO_CURVES = "plate_id | analyte | converged"
ONE_PLATE = """
    plate_id | acquired_at      | kit_lot
    ---------+------------------+--------
    p1       | 2024-03-05 09:30 | L-1
"""
# y = 100 / (1 + 10 / x)^2 at x = 1, 10 and 100; half of the signal at 100 lies at 10 / (sqrt(2) * 1.1 - 1).
HAND_MADE = """
    plate_id | analyte | a | b   | c  | d  | f | converged
    ---------+---------+---+-----+----+----+---+----------
    p1       | IL-7    | 0 | 100 | 10 | -1 | 2 | T
"""
LADDER = """
    plate_id | well | sample | kind     | analyte | expected_pg_ml | is_excluded
    ---------+------+--------+----------+---------+----------------+------------
    p1       | A1   | S0     | standard | IL-7    | 0              | F
    p1       | B1   | S1     | standard | IL-7    | 1              | F
    p1       | C1   | S2     | standard | IL-7    | 10             | F
    p1       | D1   | S3     | standard | IL-7    | 100            | F
"""


def values_of(wells: str, curves: str = NO_CURVES, plates: str = ONE_PLATE) -> pl.DataFrame:
    types = [table.polars_schema for table in (schemas.PLATE_WELLS, schemas.PLATE_CURVES, schemas.PLATES)]
    drawn = zip(types, (wells, curves, plates), strict=True)
    return control_values(*(complete(draw(schema, drawing), schema) for schema, drawing in drawn))


def by_quantity(values: pl.DataFrame) -> dict[str, float]:
    return dict(values.select("quantity", "value").iter_rows())


def series(*logs: float, lot: str = "L-1", first: int = 1) -> pl.DataFrame:
    """One quantity of one lot on plates p01, p02, ...: the values' log10."""
    rows = [
        (f"p{i:02d}", datetime(2024, 1, 1) + timedelta(days=i), lot, "IL-7", "control: low", 10**log)
        for i, log in enumerate(logs, start=first)
    ]
    return pl.DataFrame(rows, schema=CONTROL_VALUES, orient="row")


def made(values: pl.DataFrame, known: pl.DataFrame = NO_SETS, night: date = NIGHT) -> pl.DataFrame:
    return guide_sets(values, known, night=night)


def chart_of(values: pl.DataFrame) -> pl.DataFrame:
    return control_chart(values, made(values))


# What is followed.


def test_signals_and_half_signal_are_read_off_the_curve():
    found = by_quantity(values_of(LADDER, HAND_MADE))
    assert found == pytest.approx(
        {LOWEST: 100 / 121, MIDDLE: 25, HIGHEST: 100 / 1.21, HALF_SIGNAL: 10 / (math.sqrt(2) * 1.1 - 1)}
    )


def test_excluding_the_ends_of_the_ladder_changes_no_quantitys_meaning():
    without_ends = LADDER.replace("1              | F", "1              | T").replace(
        "100            | F", "100 | T"
    )
    assert by_quantity(values_of(without_ends, HAND_MADE)) == by_quantity(values_of(LADDER, HAND_MADE))


def test_a_curve_that_did_not_converge_or_is_excluded_gives_nothing():
    assert values_of(LADDER, HAND_MADE.replace("| T", "| F")).is_empty()
    assert values_of(LADDER.replace("| F", "| T"), HAND_MADE).is_empty()


def test_a_controls_value_is_the_mean_of_its_wells_less_excluded_ones_and_those_of_few_beads():
    assert by_quantity(
        values_of("""
        plate_id | well | sample   | kind    | analyte | n_beads | concentration_pg_ml | is_excluded
        ---------+------+----------+---------+---------+---------+---------------------+------------
        p1       | A1   | Control  1 | control | IL-7    | 50      | 2                   | F
        p1       | B1   | Control 1  | control | IL-7    | 50      | 4                   | F
        p1       | C1   | Control 1  | control | IL-7    | 50      | 900                 | T
        p1       | D1   | Control 1  | control | IL-7    | 29      | 900                 | F
        p1       | E1   | Control 2  | control | IL-7    | 50      | 50                  | F
        p1       | F1   | S001       | unknown | IL-7    | 50      | 70                  | F
    """)
    ) == {"control: Control 1": 3, "control: Control 2": 50}


def test_a_control_partly_out_of_range_has_no_value():
    assert values_of("""
        plate_id | well | sample    | kind    | analyte | n_beads | concentration_pg_ml | range  | is_excluded
        ---------+------+-----------+---------+---------+---------+---------------------+--------+------------
        p1       | A1   | Control 1 | control | IL-7    | 50      | 2                   | within | F
        p1       | B1   | Control 1 | control | IL-7    | 50      |                     | below  | F
    """).is_empty()


CONTROLS = """
    plate_id | well | sample | kind    | analyte | n_beads | concentration_pg_ml | is_excluded
    ---------+------+--------+---------+---------+---------+---------------------+------------
    p1       | A1   | C1     | control | IL-7    | 50      | 1                   | F
    p2       | A1   | C1     | control | IL-7    | 50      | 2                   | F
    p3       | A1   | C1     | control | IL-7    | 50      | 3                   | F
    p4       | A1   | C1     | control | IL-7    | 50      | 4                   | F
"""


def test_plates_stand_in_time_and_those_without_a_time_after_them():
    found = values_of(
        CONTROLS,
        plates="""
        plate_id | acquired_at      | kit_lot
        ---------+------------------+--------
        p4       |                  | L-1
        p3       |                  | L-1
        p2       | 2024-03-05 09:30 | L-1
        p1       | 2024-03-06 09:30 | L-1
    """,
    )
    assert found["plate_id"].to_list() == ["p2", "p1", "p3", "p4"]


def test_plates_without_a_kit_lot_are_of_the_lot_not_given():
    found = values_of(CONTROLS, plates="plate_id | kit_lot\np1 | L-1\np2 |")
    assert dict(found.select("plate_id", "kit_lot").iter_rows()) == {"p1": "L-1", "p2": "not given"}


def test_values_have_their_schema_and_nothing_gives_none():
    nothing = values_of("plate_id | is_excluded")
    assert nothing.schema == CONTROL_VALUES
    assert made(nothing).schema == schemas.GUIDE_SETS.polars_schema
    assert control_chart(nothing, NO_SETS).schema == schemas.CONTROL_CHART.polars_schema
    assert drift(control_chart(nothing, NO_SETS)).schema == DRIFT


# Guide sets.


@pytest.mark.parametrize(
    ("n_plates", "n_used"), [(4, []), (5, [5]), (9, [5]), (10, [10]), (19, [10]), (20, [20]), (30, [20])]
)
def test_a_guide_set_is_made_of_the_first_five_ten_or_twenty_plates(n_plates: int, n_used: list[int]):
    assert made(series(*range(n_plates)))["n_plates"].to_list() == n_used


def test_mean_and_standard_deviation_are_of_the_logarithms():
    row = made(series(0.0, 0.1, 0.2, 0.3, 0.4, 9.9)).row(0, named=True)
    assert (row["mean"], row["sd"]) == pytest.approx((0.2, math.sqrt(0.025)))
    assert (row["version"], row["made_night"]) == (1, NIGHT)


def test_a_version_stays_when_the_next_is_made():
    first = made(series(*[1.0] * 5))
    later = made(series(*[1.0] * 10), first, LATER)
    assert later.head(1).equals(first)
    assert later.select("version", "n_plates", "made_night").rows() == [(1, 5, NIGHT), (2, 10, LATER)]


def test_the_same_plates_make_no_new_version():
    values = series(*range(12))
    sets = made(values)
    assert made(values.sample(fraction=1, shuffle=True, seed=1), sets, LATER).equals(sets)
    assert made(values.with_columns(pl.col("value") * (1 + 1e-12)), sets, LATER).equals(sets)


@pytest.mark.parametrize(
    "others",
    [
        series(1.0, 1.0, 1.0, 1.0, 1.1),
        series(*[1.0] * 4, first=2).extend(series(1.0, first=9)),
        series(*[1.0] * 6, first=0),
    ],
    ids=["a value is corrected", "a plate is excluded", "an earlier plate comes late"],
)
def test_other_plates_or_values_make_a_new_version(others: pl.DataFrame):
    sets = made(series(*[1.0] * 5))
    again = made(others, sets, LATER)
    assert again.head(1).equals(sets)
    assert again["version"].to_list() == [1, 2]
    assert again["made_night"].to_list() == [NIGHT, LATER]


def test_kit_lots_have_guide_sets_of_their_own():
    sets = made(pl.concat([series(*[1.0] * 5), series(*[2.0] * 5, lot="L-2", first=6)]))
    assert sets.select("kit_lot", "version", "mean").rows() == [("L-1", 1, 1.0), ("L-2", 1, 2.0)]


night_by_night = st.lists(st.lists(st.floats(0, 2), max_size=8), min_size=1, max_size=5)


@given(night_by_night)
@settings(max_examples=40, deadline=None)
def test_nights_that_run_twice_add_nothing_and_the_newest_set_is_that_of_one_delivery(nights):
    sets, logs = NO_SETS, []
    for number, tonight in enumerate(nights):
        logs += tonight
        night, former = NIGHT + timedelta(days=number), sets
        sets = made(series(*logs), former, night)
        assert former.join(sets, on=sets.columns, how="anti").is_empty()
        assert made(series(*logs), sets, night).equals(sets)
    unnumbered = sets.sort("version").tail(1).drop("version", "made_night")
    assert unnumbered.equals(made(series(*logs)).drop("version", "made_night"))


# The chart.


def test_z_counts_standard_deviations_of_the_logarithm():
    found = chart_of(series(0.0, 0.1, 0.2, 0.3, 0.4, 0.6))
    assert found["z"][-1] == pytest.approx(0.4 / math.sqrt(0.025))
    assert found.schema == schemas.CONTROL_CHART.polars_schema


def test_plates_that_agree_to_the_last_digit_do_not_make_the_next_one_infinitely_far():
    assert chart_of(series(*[1.0] * 5, 1.005))["z"][-1] == pytest.approx(0.005 / LEAST_SD)


def test_the_newest_version_judges_every_plate_of_the_lot():
    early = made(series(1.0, 1.0, 1.0, 1.0, 1.0))
    values = series(*[1.0] * 5, *[2.0] * 5)
    found = control_chart(values, made(values, early, LATER))
    assert found["guide_version"].unique().to_list() == [2]
    assert found["z"][0] == pytest.approx(-0.5 / math.sqrt(2.5 / 9))


def test_fewer_than_five_plates_have_no_verdict_even_where_a_set_was_made_before():
    sets = made(series(*[1.0] * 5))
    found = control_chart(series(*[1.0] * 4), sets)
    assert found["verdict"].unique().to_list() == ["no guide set"]
    assert found["guide_version"].null_count() == found["z"].null_count() == 4


STEADY = [1.0, 1.02, 0.98, 1.01, 0.99]


def test_what_lies_out_drifts_and_what_came_back_does_not():
    assert drift(chart_of(series(*STEADY))).is_empty()
    out = drift(chart_of(series(*STEADY, 2.0)))
    assert out.select("kit_lot", "analyte", "quantity", "plate_id").row(0) == (
        "L-1",
        "IL-7",
        "control: low",
        "p06",
    )
    assert drift(chart_of(series(*STEADY, 2.0, 1.0))).is_empty()


def test_tonights_plates_are_looked_at_wherever_they_stand():
    found = chart_of(series(*STEADY, 2.0, 1.0))
    assert drift(found, plate_ids=["p06"])["plate_id"].to_list() == ["p06"]
    assert drift(found, plate_ids=["p07"]).is_empty()
    assert drift(found, plate_ids=[]).is_empty()


def test_levels_of_the_control_on_both_sides_break_r_4s():
    low, high = series(*STEADY, 1.04), series(*STEADY, 0.96).with_columns(quantity=pl.lit("control: high"))
    found = chart_of(pl.concat([low, high])).filter(pl.col("plate_id") == "p06")
    assert found["rules_broken"].to_list() == ["1_2s, R_4s"] * 2


def test_the_points_of_a_chart_stand_at_the_same_place_for_all_quantities():
    other = series(1.0, lot="L-2", first=6).with_columns(quantity=pl.lit("signal: middle"))
    points = levey_jennings_frame(chart_of(pl.concat([series(*STEADY), other])), "IL-7")
    assert points["place"].to_list() == [1, 2, 3, 4, 5, 6]
    assert points["z"].null_count() == 1


def test_a_chart_shows_the_last_sixty_plates_of_a_lot():
    found = chart_of(pl.concat([series(*[1.0] * 70), series(1.0, lot="L-2", first=71)]))
    assert levey_jennings_frame(found, "IL-7", kit_lot="L-1")["place"].to_list() == list(range(11, 71))
    assert newest_lot(found, "IL-7") == "L-2"
    assert newest_lot(found, "IL-6") is None
