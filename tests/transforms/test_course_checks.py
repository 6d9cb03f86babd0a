"""Counts beside their course, drawn: what is set aside, and the laws that no real lymphopenia ever is."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.simulation.cohort import SimulatedChunk, simulate_patients
from tests.tables import complete, draw
from transforms.counts.course_checks import MEASURES, judge_courses
from transforms.schemas import FOLLOW_UP, PATIENT_KEY
from transforms.schemas.counts import COUNT_PARTS, COUNTS

BASELINE = datetime(2024, 3, 1, 8)
NO_PARTS = pl.DataFrame(schema=COUNT_PARTS.polars_schema)
NO_FOLLOW_UP = pl.DataFrame(schema=FOLLOW_UP.polars_schema)
some = settings(max_examples=30, deadline=None)


def counts_of(drawing: str) -> pl.DataFrame:
    """Counts of a drawing with `day` from the baseline; measured in cells/uL where nothing else is drawn."""
    drawn = draw({**COUNTS.polars_schema, "day": pl.Int64()}, drawing, site="A", patient_id="1")
    at = pl.lit(BASELINE) + pl.duration(days=pl.col("day"))
    dated = drawn.with_columns(collected_at=at.cast(pl.Datetime("us")), collected_on=at.dt.date())
    full = complete(dated.drop("day"), COUNTS.polars_schema)
    return full.with_columns(
        pl.col("value").fill_null(pl.col("tlc_cells_per_ul")),
        pl.col("method").fill_null("measured"),
        pl.col("code").fill_null("731-0"),
    )


def parts_of(drawing: str) -> pl.DataFrame:
    drawn = draw({**COUNT_PARTS.polars_schema, "day": pl.Int64()}, drawing, site="A", patient_id="1")
    at = pl.lit(BASELINE) + pl.duration(days=pl.col("day"))
    dated = drawn.with_columns(collected_at=at.cast(pl.Datetime("us")), collected_on=at.dt.date())
    return complete(dated.drop("day"), COUNT_PARTS.polars_schema)


def broken(
    drawing: str, *, parts: pl.DataFrame = NO_PARTS, follow_up: pl.DataFrame = NO_FOLLOW_UP
) -> dict[float, list[str]]:
    """The measures that are false, by count; counts with none are left out."""
    judged = judge_courses(counts_of(drawing), parts, follow_up=follow_up)
    found = {
        row["tlc_cells_per_ul"]: [name for name in MEASURES if row[name] is False]
        for row in judged.iter_rows(named=True)
    }
    return {count: names for count, names in found.items() if names}


def weekly(*cells: float) -> str:
    rows = "\n".join(f"{7 * week} | {count}" for week, count in enumerate(cells))
    return f"day | tlc_cells_per_ul\n{rows}"


# Slips of the decimal mark and the unit


@pytest.mark.parametrize(
    ("cells", "slipped"),
    [
        ((1100, 720, 3500, 240, 210), 3500),
        ((1100, 720, 350, 2400, 210), 2400),
        ((1100, 720, 350, 3500, 150), 3500),
        ((1100, 720, 350, 15_000, 140), 15_000),
        ((11_000, 720, 350, 240, 210), 11_000),
        ((1100, 7200, 350, 240, 210), 7200),
        ((1100, 720, 350, 240, 2100), 2100),
    ],
)
def test_a_lost_decimal_mark_is_found_wherever_it_stands(cells, slipped):
    assert broken(weekly(*cells)) == {slipped: ["is_not_many_times_its_neighbours"]}


@pytest.mark.parametrize("slipped", [0.35, 0.05, 1.1, 4.99])
def test_a_fraction_of_a_cell_is_a_count_in_thousands_whatever_stands_beside_it(slipped):
    assert broken(weekly(slipped)) == {slipped: ["is_no_thousandth"]}
    assert broken(weekly(40, slipped, 20)) == {slipped: ["is_no_thousandth"]}


def test_one_cell_between_hundreds_is_one_thousand_and_among_tens_it_is_one():
    assert broken(weekly(900, 1, 700)) == {1: ["is_no_thousandth"]}
    assert broken(weekly(60, 1, 90)) == {}
    assert broken(weekly(900, 1)) == {}


def test_the_counts_between_two_slips_are_not_taken_for_slips():
    assert set(broken(weekly(900, 0.9, 870, 0.88, 850))) == {0.9, 0.88}
    assert broken(weekly(900, 0, 870, 0, 850)) == {}


def test_a_rise_is_set_aside_until_the_next_count_confirms_it():
    assert broken(weekly(1100, 150, 140, 1900)) == {1900: ["is_not_many_times_its_neighbours"]}
    assert broken(weekly(1100, 150, 140, 1900, 1700)) == {}


def test_a_rise_to_a_level_that_lasts_for_weeks_is_no_slip():
    rise = """
    day | tlc_cells_per_ul
    0   | 150
    7   | 140
    14  | 900
    44  | 800
    """
    assert broken(rise) == {}
    assert broken(rise.replace("800", "180")) == {900: ["is_not_many_times_its_neighbours"]}


def test_among_counts_of_a_few_tens_a_hundred_is_no_slip():
    assert broken(weekly(10, 6, 130, 8, 12)) == {}
    assert broken(weekly(10, 6, 350, 8, 12)) == {350: ["is_not_many_times_its_neighbours"]}


def test_a_recovery_two_months_after_rt_is_no_slip():
    recovery = """
    day | tlc_cells_per_ul
    0   | 1400
    28  | 160
    35  | 150
    61  | 1320
    """
    assert broken(recovery) == {}
    assert broken(recovery + "91 | 890") == {}


def test_a_limit_is_no_count_to_be_judged():
    limits = """
    day | tlc_cells_per_ul | comparator
    0   | 900              |
    7   | 0.5              | <
    14  | 100              | <
    21  | 300              |
    28  | 4000             | <
    35  | 250              |
    """
    assert broken(limits) == {}


# The percentage and the leukocytes of the sample

SAMPLE = """
    day | part               | amount
    7   | leukocytes         | {leukocytes}
    7   | lymphocyte_percent | {percent}
"""


def at_day_7(count: float, *, leukocytes: float, percent: float, value: float | None = None) -> list[str]:
    drawing = f"""
    day | tlc_cells_per_ul | value
    7   | {count}          | {count if value is None else value}
    """
    parts = parts_of(SAMPLE.format(leukocytes=leukocytes, percent=percent))
    return broken(drawing, parts=parts).get(count, [])


def test_the_percentage_of_the_sample_is_no_count_in_any_unit():
    assert at_day_7(12.5, leukocytes=4200, percent=12.5) == ["is_no_percentage"]
    assert at_day_7(12_500, value=12.5, leukocytes=14_200, percent=12.5) == ["is_no_percentage"]
    assert at_day_7(12, leukocytes=4200, percent=12.04) == ["is_no_percentage"]


def test_a_derived_count_is_never_its_percentage_and_has_fractions_of_its_own():
    derived = "day | tlc_cells_per_ul | value | method\n7 | 12.5 | 12.5 | derived"
    assert broken(derived, parts=parts_of(SAMPLE.format(leukocytes=4200, percent=12.5))) == {}
    fraction = "day | tlc_cells_per_ul | value | method\n7 | 1.05 | 1.05 | derived"
    assert broken(fraction, parts=parts_of(SAMPLE.format(leukocytes=105, percent=1))) == {}
    assert broken(fraction, parts=parts_of(SAMPLE.format(leukocytes=4.2, percent=25))) == {
        1.05: ["is_no_thousandth"]
    }


def test_a_count_that_is_the_percentage_because_leukocytes_are_100_passes():
    assert at_day_7(12, leukocytes=100, percent=12) == []
    assert at_day_7(0, leukocytes=100, percent=0) == []


def test_lymphocytes_are_no_more_than_leukocytes_and_the_rounding_of_these():
    assert at_day_7(1200, leukocytes=900, percent=30) == ["is_within_leukocytes"]
    assert at_day_7(950, leukocytes=900, percent=30) == []
    assert at_day_7(950.1, leukocytes=900, percent=30) == ["is_within_leukocytes"]


def test_a_severe_lymphopenia_passes_whatever_the_leukocytes_say():
    assert at_day_7(199.9, leukocytes=110, percent=30) == []
    assert at_day_7(450, leukocytes=4.5, percent=30) == []


def test_parts_of_another_sample_say_nothing():
    drawing = "day | tlc_cells_per_ul\n14 | 12.5"
    judged = judge_courses(
        counts_of(drawing), parts_of(SAMPLE.format(leukocytes=4200, percent=12.5)), follow_up=NO_FOLLOW_UP
    )
    assert judged.select("is_no_percentage", "is_within_leukocytes").row(0) == (None, None)


# Two values of one moment


def test_two_values_of_one_moment_are_both_set_aside():
    two = """
    day | code    | tlc_cells_per_ul
    7   | 731-0   | 300
    7   | 26474-7 | 900
    """
    assert broken(two) == {300: ["is_undisputed"], 900: ["is_undisputed"]}


@pytest.mark.parametrize("other", [300, 250, 350])
def test_the_same_value_twice_and_one_off_by_rounding_are_fine(other):
    assert broken(f"day | code | tlc_cells_per_ul\n7 | 731-0 | 300\n7 | 732-8 | {other}") == {}


@pytest.mark.parametrize("status", ["corrected", "amended"])
def test_a_corrected_value_wins_over_the_others_of_its_moment(status):
    three = f"""
    day | code    | tlc_cells_per_ul | status
    7   | 731-0   | 300              | {status}
    7   | 26474-7 | 900              | final
    7   | 732-8   | 310              |
    """
    assert broken(three) == {900: ["is_undisputed"]}


def test_a_final_value_wins_over_a_preliminary_one_and_a_measured_one_over_a_derived_one():
    two = "day | code | tlc_cells_per_ul | {0}\n7 | 731-0 | 300 |\n7 | 26474-7 | 900 | {1}"
    assert broken(two.format("status", "preliminary")) == {900: ["is_undisputed"]}
    assert broken(two.format("method", "derived")) == {900: ["is_undisputed"]}


def test_two_corrected_values_dispute_each_other():
    two = """
    day | code    | tlc_cells_per_ul | status
    7   | 731-0   | 300              | corrected
    7   | 26474-7 | 900              | amended
    """
    assert set(broken(two)) == {300, 900}


def test_a_slip_beside_a_right_value_falls_alone():
    slip = """
    day | code    | tlc_cells_per_ul
    0   | 731-0   | 900
    7   | 731-0   | 800
    7   | 26474-7 | 8000
    14  | 731-0   | 700
    """
    assert broken(slip) == {8000: ["is_not_many_times_its_neighbours"]}
    judged = judge_courses(counts_of(slip), NO_PARTS, follow_up=NO_FOLLOW_UP)
    assert judged["is_undisputed"].to_list() == [True, True, None, True]


def test_values_that_are_all_severe_pass_and_so_does_one_that_its_low_neighbours_confirm():
    both_severe = """
    day | code    | tlc_cells_per_ul
    7   | 731-0   | 90
    7   | 26474-7 | 190
    """
    assert broken(both_severe) == {}
    confirmed = """
    day | code    | tlc_cells_per_ul
    0   | 731-0   | 190
    7   | 731-0   | 150
    7   | 26474-7 | 620
    14  | 731-0   | 140
    """
    assert broken(confirmed) == {620: ["is_undisputed"]}


# Death


def died_on(day: date) -> pl.DataFrame:
    row = {"site": "A", "patient_id": "1", "last_contact_date": day, "death_date": day}
    return pl.DataFrame([row], schema=FOLLOW_UP.polars_schema)


def test_one_count_after_death_has_a_wrong_date_and_several_a_wrong_death():
    death = died_on(date(2024, 3, 20))
    assert broken(weekly(1100, 720, 350), follow_up=death) == {}
    assert broken("day | tlc_cells_per_ul\n20 | 350", follow_up=death) == {}
    assert broken("day | tlc_cells_per_ul\n21 | 350", follow_up=death) == {350: ["is_drawn_in_life"]}
    assert broken("day | tlc_cells_per_ul\n21 | 350\n28 | 240", follow_up=death) == {}


# Laws


@some
@given(
    st.lists(st.floats(5, 20_000), max_size=9),
    st.integers(0, 9),
    st.one_of(st.floats(5, 199.99), st.just(0.0)),
)
def test_no_count_below_200_is_ever_set_aside_for_its_course(others, place, low):
    cells = [*others[:place], low, *others[place:]]
    assert low not in broken(weekly(*cells))


@some
@given(st.floats(5, 499), st.floats(0.4, 2.5), st.floats(0.4, 2.5), st.floats(100, 12_000))
def test_a_low_count_between_low_counts_passes_whatever_its_sample_says(low, before, after, leukocytes):
    drawing = weekly(*(min(max(low * times, 5), 499) for times in (before, 1, after)))
    parts = parts_of(f"day | part | amount\n7 | leukocytes | {leukocytes}")
    assert broken(drawing, parts=parts) == {}


@some
@given(st.lists(st.floats(0, 20_000), min_size=1, max_size=12))
def test_rows_their_order_and_their_columns_stay(cells):
    counts = counts_of(weekly(*cells)).with_columns(line=pl.int_range(pl.len()))
    judged = judge_courses(counts, NO_PARTS, follow_up=NO_FOLLOW_UP)
    assert judged.drop(MEASURES.names()).equals(counts)
    assert judged.select(MEASURES.names()).schema == MEASURES


@some
@given(st.lists(st.floats(0, 20_000), min_size=1, max_size=8), st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter_and_other_patients_neither(cells, random):
    counts = counts_of(weekly(*cells)).with_columns(line=pl.int_range(pl.len()))
    other = counts.with_columns(patient_id=pl.lit("2"), tlc_cells_per_ul=pl.lit(50.0), line=pl.lit(-1))
    rows = list(range(2 * len(cells)))
    random.shuffle(rows)
    mixed = pl.concat([counts, other.cast(counts.schema)])[rows]
    alone = judge_courses(counts, NO_PARTS, follow_up=NO_FOLLOW_UP)
    among = judge_courses(mixed, NO_PARTS, follow_up=NO_FOLLOW_UP).filter(pl.col("line") >= 0).sort("line")
    assert among.equals(alone)


# On simulated courses


@pytest.fixture(scope="module")
def simulated() -> SimulatedChunk:
    return next(simulate_patients(2000, seed=20))


def judged_after(simulated: SimulatedChunk, slip: pl.Expr, *, every: int = 97) -> pl.DataFrame:
    """Every 97th count slipped, those within the range of `rules_courses` judged."""
    counts = complete(simulated.counts, COUNTS.polars_schema).select(COUNTS.column_names)
    is_hit = pl.int_range(pl.len()) % every == 0
    true = pl.col("tlc_cells_per_ul")
    slipped = counts.with_columns(
        true=true, is_hit=is_hit, tlc_cells_per_ul=pl.when(is_hit).then(slip).otherwise(true)
    ).filter(true <= 20_000)
    judged = judge_courses(slipped, NO_PARTS, follow_up=simulated.follow_up)
    is_broken = pl.any_horizontal(~pl.col(name).fill_null(value=True) for name in MEASURES)
    return judged.with_columns(is_broken=is_broken)


def test_of_sound_courses_no_severe_lymphopenia_and_hardly_any_count_is_set_aside(simulated):
    judged = judged_after(simulated, pl.col("tlc_cells_per_ul"))
    assert not judged.filter(pl.col("tlc_cells_per_ul") < 1000)["is_broken"].any()
    assert judged["is_broken"].mean() < 1e-4


@pytest.mark.parametrize(("factor", "found"), [(10, 0.75), (100, 0.98), (0.001, 0.98)])
def test_most_slips_are_found_and_no_severe_lymphopenia_falls_with_them(simulated, factor, found):
    judged = judged_after(simulated, pl.col("tlc_cells_per_ul") * factor)
    assert judged.filter("is_hit")["is_broken"].mean() > found
    assert not judged.filter(~pl.col("is_hit"), pl.col("true") < 200)["is_broken"].any()


def test_a_count_after_the_last_contact_proves_contact(simulated):
    counts = complete(simulated.counts.head(500), COUNTS.polars_schema).select(COUNTS.column_names)
    alive = counts.select(
        *PATIENT_KEY,
        last_contact_date=pl.lit(BASELINE.date() - timedelta(days=9999)),
        death_date=pl.lit(None, pl.Date),
    ).unique(PATIENT_KEY)
    assert judge_courses(counts, NO_PARTS, follow_up=alive)["is_drawn_in_life"].all()
