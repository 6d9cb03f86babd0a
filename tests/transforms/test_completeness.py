"""Weeks seen of weeks expected, and feeds that fall silent, drawn and on simulated nights."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.simulation.cohort import SimulatedChunk, simulate_patients
from tests.tables import complete, draw
from transforms.clinical import derive_count_course
from transforms.counts.completeness import nadir_coverage, silent_sites, site_feed, weekly_counts
from transforms.schemas import PATIENTS
from transforms.schemas.counts import COUNTS, SITE_FEED, WEEKLY_COUNTS

RT_START = date(2024, 3, 4)  # a Monday
some = settings(max_examples=60, deadline=None)

# Weeks of RT


def patients_of(drawing: str) -> pl.DataFrame:
    return complete(draw(PATIENTS.polars_schema, drawing, site="A"), PATIENTS.polars_schema)


def one_patient(last_day: int | None = 32) -> pl.DataFrame:
    end = None if last_day is None else RT_START + timedelta(days=last_day)
    return patients_of(f"patient_id | rt_start_date | rt_end_date\n1 | {RT_START} | {end or ''}")


def course_on(*days: int, last_day: int | None = 32) -> pl.DataFrame:
    """A course of counts on those days of RT, as the platform derives it."""
    at = [datetime(RT_START.year, RT_START.month, RT_START.day, 8) + timedelta(days=day) for day in days]
    rows = {"collected_at": at, "collected_on": [one.date() for one in at], "tlc_cells_per_ul": 500.0}
    schema = {name: COUNTS.polars_schema[name] for name in rows}
    counts = pl.DataFrame(rows, schema=schema).with_columns(
        site=pl.lit("A"), patient_id=pl.lit("1"), code=pl.lit("731-0")
    )
    return derive_count_course(complete(counts, COUNTS.polars_schema), one_patient(last_day))


def states(*days: int, last_day: int | None = 32, night_day: int = 60) -> list[str]:
    night = RT_START + timedelta(days=night_day)
    weekly = weekly_counts(course_on(*days, last_day=last_day), one_patient(last_day), night=night)
    return weekly["state"].to_list()


def test_each_week_of_rt_is_seen_or_missing_and_says_how_many_counts_it_has():
    weekly = weekly_counts(course_on(1, 8, 10, 29), one_patient(), night=date(2024, 5, 1))
    assert weekly.equals(
        draw(
            WEEKLY_COUNTS.polars_schema,
            """
            site | patient_id | rt_week | week_start_date | is_expected | n_counts | state
            -----+------------+---------+-----------------+-------------+----------+--------
            A    | 1          | 1       | 2024-03-04      | T           | 1        | seen
            A    | 1          | 2       | 2024-03-11      | T           | 2        | seen
            A    | 1          | 3       | 2024-03-18      | T           | 0        | missing
            A    | 1          | 4       | 2024-03-25      | T           | 0        | missing
            A    | 1          | 5       | 2024-04-01      | T           | 1        | seen
            """,
        )
    )


def test_a_week_is_due_once_it_is_over_before_the_night():
    assert states(1, last_day=None, night_day=13) == ["seen", "not yet due"]
    assert states(1, last_day=None, night_day=14) == ["seen", "missing", "not yet due"]


def test_a_week_is_due_once_rt_is_over():
    assert states(1, last_day=10, night_day=10) == ["seen", "not yet due"]
    assert states(1, last_day=10, night_day=11) == ["seen", "missing"]


def test_a_week_that_is_not_over_may_be_seen_already():
    assert states(1, 8, last_day=None, night_day=9) == ["seen", "seen"]


def test_weeks_that_are_planned_are_not_yet_due():
    assert states(1, last_day=32, night_day=5) == ["seen", *["not yet due"] * 4]


@pytest.mark.parametrize(("last_day", "n_weeks"), [(30, 4), (31, 5), (34, 5), (37, 5), (38, 6)])
def test_a_last_part_of_a_week_is_due_from_four_days_on(last_day, n_weeks):
    assert states(1, last_day=last_day) == ["seen", *["missing"] * (n_weeks - 1)]


def test_a_short_last_part_is_shown_where_it_was_seen_and_asks_for_nothing():
    weekly = weekly_counts(course_on(24, 29, last_day=29), one_patient(29), night=date(2024, 5, 1))
    assert weekly.select("rt_week", "is_expected", "state").row(-1) == (5, False, "seen")
    assert nadir_coverage(weekly).row(0) == ("A", "1", 1, 4)


def test_a_course_shorter_than_four_days_asks_for_one_count():
    assert states(last_day=2) == ["missing"]
    assert states(1, last_day=2) == ["seen"]


def test_a_count_over_the_edge_stands_for_the_week_that_would_have_none():
    assert states(7, 14, 21, 28, 32) == ["seen"] * 5
    assert states(8, 15, 22, 29, 31) == ["seen"] * 5
    assert states(0, 5, 14, 21, 28) == ["seen"] * 5
    assert states(7, 14, 21, 28, 35, last_day=35) == ["seen"] * 5


def test_no_count_stands_for_two_weeks():
    assert states(7, 21, 28, 32).count("missing") == 1
    assert states(8).count("missing") == 4
    assert states(1, 8, 22, 29) == ["seen", "seen", "missing", "seen", "seen"]


def test_a_count_three_days_over_the_edge_stands_for_its_own_week_alone():
    assert states(9, 10, 14, 21, 28) == ["missing", *["seen"] * 4]
    assert states(8, 10, 14, 21, 28) == ["seen"] * 5


def test_counts_of_one_day_are_one_and_counts_outside_rt_none():
    assert states(3, 3, last_day=13) == ["seen", "missing"]
    assert states(-1, 40) == ["missing"] * 5


def test_rt_without_an_end_asks_for_counts_up_to_180_days():
    assert len(states(last_day=None, night_day=1000)) == 26


def test_before_rt_nothing_is_expected():
    assert states(last_day=None, night_day=-1) == []


@some
@given(st.lists(st.integers(-10, 60), max_size=15), st.integers(0, 45), st.integers(0, 60))
def test_no_more_weeks_are_seen_than_days_have_a_count_and_no_count_is_lost(days, last_day, night_day):
    night = RT_START + timedelta(days=night_day)
    course = course_on(*days, last_day=last_day)
    weekly = weekly_counts(course, one_patient(last_day), night=night)
    during = {day for day in days if 0 <= day <= last_day}
    assert weekly["n_counts"].sum() == len(during)
    assert weekly.filter(pl.col("n_counts") > 0).height <= len(during)
    assert set(weekly.filter("is_expected")["state"]) <= {"seen", "missing"}
    own = {day // 7 + 1 for day in during}
    assert own <= set(weekly.filter(pl.col("state") == "seen")["rt_week"]) | _lent(weekly, own)


def _lent(weekly: pl.DataFrame, own: set[int]) -> set[int]:
    """Weeks that are not due may lend their only count."""
    return own - set(weekly.filter("is_expected")["rt_week"])


def test_coverage_counts_the_weeks_that_are_due():
    weekly = draw(
        WEEKLY_COUNTS.polars_schema,
        """
        patient_id | rt_week | is_expected | state
        -----------+---------+-------------+------------
        1          | 1       | T           | seen
        1          | 2       | T           | missing
        1          | 3       | F           | seen
        2          | 1       | F           | not yet due
        """,
        site="A",
    )
    assert nadir_coverage(weekly).rows() == [("A", "1", 1, 2), ("A", "2", 0, 0)]


# Feeds of sites

FIRST_MONDAY = date(2024, 1, 1)


def rows_of(*n_by_week: int) -> pl.DataFrame:
    """So many counts of site A in each week from the first Monday on, spread over its five workdays."""
    days = [
        FIRST_MONDAY + timedelta(days=7 * week + number % 5)
        for week, n in enumerate(n_by_week)
        for number in range(n)
    ]
    return pl.DataFrame({"collected_on": days}, schema={"collected_on": pl.Date()}).with_columns(
        site=pl.lit("A")
    )


def in_rt(n: int, *, weeks: range = range(100)) -> pl.DataFrame:
    """So many patients of site A, all under RT from the first of the weeks to the last."""
    start, end = (FIRST_MONDAY + timedelta(days=7 * week) for week in (weeks.start, weeks.stop))
    names = [f"{number}-{start}" for number in range(n)]
    return pl.DataFrame({"patient_id": names}).with_columns(
        site=pl.lit("A"), rt_start_date=pl.lit(start), rt_end_date=pl.lit(end - timedelta(days=1))
    )


def last_state(*n_by_week: int, patients: pl.DataFrame | None = None) -> str:
    night = FIRST_MONDAY + timedelta(days=7 * len(n_by_week))
    feed = site_feed(rows_of(*n_by_week), in_rt(5) if patients is None else patients, night=night)
    return feed["state"][-1]


def test_a_feed_is_set_against_the_median_of_its_weeks_before():
    patients = in_rt(5, weeks=range(1, 8))
    feed = site_feed(rows_of(9, 40, 42, 38, 41, 40, 10, 0), patients, night=date(2024, 2, 29))
    assert feed.equals(
        draw(
            SITE_FEED.polars_schema,
            """
            site | week_start_date | n_rows | n_usual | n_patients_in_rt | state
            -----+-----------------+--------+---------+------------------+---------
            A    | 2024-01-08      | 40     |         | 5                | new site
            A    | 2024-01-15      | 42     |         | 5                | new site
            A    | 2024-01-22      | 38     |         | 5                | new site
            A    | 2024-01-29      | 41     |         | 5                | new site
            A    | 2024-02-05      | 40     | 40.5    | 5                | usual
            A    | 2024-02-12      | 10     | 40      | 5                | low
            A    | 2024-02-19      | 0      | 40      | 5                | silent
            """,
        )
    )


def test_a_week_that_is_not_over_is_not_judged():
    patients = in_rt(5)
    for night, n_weeks in ((date(2024, 1, 28), 3), (date(2024, 1, 29), 4)):
        assert site_feed(rows_of(9, 9, 9, 9, 9), patients, night=night).height == n_weeks


def test_a_holiday_week_and_a_small_site_are_not_low_by_chance():
    assert last_state(*[40] * 8, 20) == "usual"
    assert last_state(*[40] * 8, 16) == "low"
    assert last_state(*[5] * 8, 1) == "usual"
    assert last_state(*[10] * 8, 1) == "usual"
    assert last_state(*[11] * 8, 1) == "low"


def test_fewer_patients_under_rt_ask_for_fewer_rows_and_none_for_none():
    fewer = pl.concat([in_rt(2), in_rt(8, weeks=range(8))])
    assert last_state(*[40] * 9, 10, patients=in_rt(10)) == "low"
    assert last_state(*[40] * 9, 10, patients=fewer) == "usual"
    assert last_state(*[40] * 9, 0, patients=in_rt(8, weeks=range(8))) == "quiet"


def test_silent_weeks_do_not_become_the_usual():
    assert last_state(*[40] * 8, *[0] * 12, 5) == "low"


def test_a_site_that_never_sent_anything_is_silent():
    assert last_state(0, 0) == "silent"


def silent_after(*n_by_week: int, days: int, patients: pl.DataFrame | None = None) -> list[str]:
    """The sites not signed off so many days after the Friday of the last week."""
    night = FIRST_MONDAY + timedelta(days=7 * len(n_by_week) - 3 + days)
    rows = rows_of(*n_by_week)
    return silent_sites(rows, in_rt(10) if patients is None else patients, night=night)["site"].to_list()


def test_a_feed_that_falls_silent_is_seen_after_three_workdays():
    # Last rows on Friday; Monday, Tuesday and Wednesday are silent on Thursday, 6 days later.
    assert [silent_after(*[20] * 8, days=days) for days in (3, 4, 5, 6)] == [[], [], [], ["A"]]


def test_a_small_feed_is_given_longer():
    assert silent_after(*[5] * 8, days=6) == []
    assert silent_after(*[5] * 8, days=7) == []
    assert silent_after(*[5] * 8, days=10) == ["A"]


def test_a_silence_says_since_when_and_how_much_is_lacking():
    night = FIRST_MONDAY + timedelta(days=7 * 8 - 3 + 6)
    found = silent_sites(rows_of(*[20] * 8), in_rt(10), night=night)
    assert found.rows() == [("A", date(2024, 2, 23), 3, pytest.approx(12))]


def test_a_site_without_patients_under_rt_may_be_silent():
    assert silent_after(*[20] * 8, days=30, patients=in_rt(10, weeks=range(8))) == []


def test_a_site_with_fewer_patients_under_rt_than_before_is_given_longer():
    fewer = pl.concat([in_rt(1), in_rt(9, weeks=range(8))])
    assert silent_after(*[20] * 8, days=6, patients=fewer) == []


def test_a_site_whose_first_patients_get_rt_is_asked_for_a_count_a_week_and_patient():
    nothing = rows_of()
    patients = in_rt(5)
    nights = [FIRST_MONDAY + timedelta(days=days) for days in (3, 4, 5, 7, 8)]
    assert [silent_sites(nothing, patients, night=night).height for night in nights] == [0, 0, 0, 0, 1]


def test_a_site_that_sends_once_a_week_is_granted_its_usual_delay():
    rows = rows_of(*[20] * 8)
    late = rows.with_columns(loaded_night=pl.col("collected_on").dt.truncate("1w").dt.offset_by("7d"))
    night = FIRST_MONDAY + timedelta(days=7 * 8 - 3 + 6)
    assert silent_sites(rows, in_rt(10), night=night).height == 1
    assert silent_sites(late, in_rt(10), night=night).is_empty()
    assert silent_sites(late, in_rt(10), night=night + timedelta(days=7)).height == 1


# On simulated courses


@pytest.fixture(scope="module")
def simulated() -> SimulatedChunk:
    return next(simulate_patients(900, seed=9))


def test_simulated_weeks_are_missing_as_often_as_their_site_leaves_them_out(simulated):
    course = derive_count_course(simulated.counts, simulated.patients)
    weekly = weekly_counts(course, simulated.patients, night=date(2020, 1, 1)).filter("is_expected")
    seen = dict(weekly.group_by("site").agg((pl.col("state") == "seen").mean()).iter_rows())
    # Sites leave out 2, 10 and 5 % of the weekly counts; the nadir's is never left out.
    assert [seen[f"simulated-hospital-{n}"] for n in (1, 2, 3)] == pytest.approx([0.98, 0.94, 0.96], abs=0.02)


def test_a_simulated_feed_is_signed_off_until_it_is_cut_and_not_a_week_later(simulated):
    site, cut = "simulated-hospital-2", date(2017, 9, 13)
    is_after = (pl.col("site") == site) & (pl.col("collected_on") > cut)
    nights = [cut + timedelta(days=days) for days in range(-60, 9)]
    found = {
        night: silent_sites(
            simulated.counts.filter(~is_after, pl.col("collected_on") <= night),
            simulated.patients,
            night=night,
        )["site"].to_list()
        for night in nights
    }
    assert all(found[night] == [] for night in nights if night <= cut + timedelta(days=3))
    assert all(found[night] == [site] for night in nights if night >= cut + timedelta(days=6))


def test_simulated_feeds_are_usual_in_all_but_a_few_weeks(simulated):
    feed = site_feed(simulated.counts, simulated.patients, night=date(2018, 10, 1))
    judged = feed.filter(~pl.col("state").is_in(["new site", "quiet"]))
    assert (judged["state"] == "usual").mean() > 0.99
