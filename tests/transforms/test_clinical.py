"""The clinical definitions, drawn: tables that go in, one call, the table that is expected."""

from datetime import date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from tests.tables import complete, draw
from transforms.clinical import (
    DAYS_PER_MONTH,
    ctcae_grade,
    derive_cohort,
    derive_count_course,
    derive_monthly_counts,
)
from transforms.schemas import COHORT, COUNT_COURSE, COUNTS, CYTOKINES, FOLLOW_UP, MONTHLY_COUNTS, PATIENTS

RT_START = date(2024, 3, 1)
RT_OF_SIX_WEEKS = """
    patient_id | rt_start_date | rt_end_date
    -----------+---------------+------------
    1          | 2024-03-01    | 2024-04-12
"""
THREE_PATIENTS = (
    RT_OF_SIX_WEEKS
    + """
    2          | 2024-03-01    | 2024-04-12
    3          | 2024-03-01    | 2024-04-12
"""
)
NO_COUNTS = "patient_id | day | tlc_cells_per_ul"
NO_CYTOKINES = "patient_id | timepoint | analyte | concentration_pg_ml"
NO_FOLLOW_UP = "patient_id | last_contact_date | death_date | progression_date"
some = settings(max_examples=60, deadline=None)


def patients_of(drawing: str) -> pl.DataFrame:
    return complete(draw(PATIENTS.polars_schema, drawing, site="A"), PATIENTS.polars_schema)


def counts_by_day(drawing: str) -> pl.DataFrame:
    """Counts of a drawing with `day`: days from the first day of RT, at the hour of its fraction."""
    drawn = draw({**COUNTS.polars_schema, "day": pl.Float64()}, drawing, site="A", code="731-0")
    hours = pl.duration(hours=(pl.col("day") * 24).round())
    at = pl.lit(RT_START).cast(pl.Datetime("us")) + hours
    full = complete(drawn.drop("day"), COUNTS.polars_schema)
    return full.with_columns(
        collected_at=drawn.select(at).to_series(), collected_on=drawn.select(at.dt.date()).to_series()
    )


def course_by_day(drawing: str, *, patients: str = RT_OF_SIX_WEEKS) -> pl.DataFrame:
    return derive_count_course(counts_by_day(drawing), patients_of(patients))


def cohort_of(
    patients: str = RT_OF_SIX_WEEKS,
    *,
    counts: str = NO_COUNTS,
    cytokines: str = NO_CYTOKINES,
    follow_up: str = NO_FOLLOW_UP,
) -> pl.DataFrame:
    course = course_by_day(counts, patients=patients)
    return derive_cohort(
        patients_of(patients),
        course,
        derive_monthly_counts(course),
        cytokines=complete(draw(CYTOKINES.polars_schema, cytokines, site="A"), CYTOKINES.polars_schema),
        follow_up=draw(FOLLOW_UP.polars_schema, follow_up, site="A"),
    )


def assert_drawn(found: pl.DataFrame, schema: pl.Schema, drawing: str) -> None:
    expected = draw(schema, drawing)
    assert_frame_equal(found.select(expected.columns), expected, abs_tol=1e-9)


# Grades


def test_a_grade_begins_at_its_upper_edge_and_ends_before_the_next():
    grades = draw(
        {"tlc": pl.Float64(), "grade": pl.Int64()},
        """
        tlc    | grade
        -------+------
        2500   | 0
        1000   | 0
        999.99 | 1
        800    | 1
        799.99 | 2
        500    | 2
        499.99 | 3
        200    | 3
        199.99 | 4
        0      | 4
               |
        1      | 4
        """,
    )
    assert grades.select(ctcae_grade(pl.col("tlc"))).to_series().to_list() == grades["grade"].to_list()


@some
@given(st.floats(0, 5000), st.floats(0, 5000))
def test_a_lower_count_never_has_a_lower_grade(one, other):
    low, high = pl.select(ctcae_grade(pl.Series(sorted([one, other]))).alias("grade"))["grade"]
    assert low >= high


# The course


def test_rt_runs_from_its_first_to_its_last_day_both_included_whatever_the_hour():
    counts = draw(
        COUNTS.polars_schema,
        """
        patient_id | collected_at     | tlc_cells_per_ul
        -----------+------------------+-----------------
        1          | 2024-02-29 23:59 | 1500
        1          | 2024-03-01 00:00 | 1200
        1          | 2024-03-07 12:00 | 900
        1          | 2024-03-08 12:00 | 700
        1          | 2024-04-12 23:59 | 150
        1          | 2024-04-13 00:00 | 100
        """,
        site="A",
        code="731-0",
    ).with_columns(collected_on=pl.col("collected_at").dt.date())
    assert_drawn(
        derive_count_course(complete(counts, COUNTS.polars_schema), patients_of(RT_OF_SIX_WEEKS)),
        COUNT_COURSE.polars_schema,
        """
        days_from_rt_start | is_during_rt | rt_week | ctcae_grade | tlc_cells_per_ul
        -------------------+--------------+---------+-------------+-----------------
        -1                 | F            |         | 0           | 1500
        0                  | T            | 1       | 0           | 1200
        6                  | T            | 1       | 1           | 900
        7                  | T            | 2       | 2           | 700
        42                 | T            | 7       | 4           | 150
        43                 | F            |         | 4           | 100
        """,
    )


def test_a_course_is_told_in_the_days_of_the_hospital_and_not_in_those_of_utc():
    morning_in_seoul = draw(
        COUNTS.polars_schema,
        """
        patient_id | collected_at     | collected_on | tlc_cells_per_ul
        -----------+------------------+--------------+-----------------
        1          | 2024-04-12 23:00 | 2024-04-13   | 150
        """,
        site="A",
        code="731-0",
    )
    course = derive_count_course(
        complete(morning_in_seoul, COUNTS.polars_schema), patients_of(RT_OF_SIX_WEEKS)
    )
    assert course["is_during_rt"].to_list() == [False]


def test_rt_without_a_last_day_goes_on():
    course = course_by_day(
        """
        patient_id | day | tlc_cells_per_ul
        1          | -1  | 1500
        1          | 487 | 900
        """,
        patients="patient_id | rt_start_date | rt_end_date \n 1 | 2024-03-01 |",
    )
    assert_drawn(
        course,
        COUNT_COURSE.polars_schema,
        """
        months_from_rt_start | is_during_rt | rt_week
        -0.03285420944558522 | F            |
        16                   | T            | 70
        """,
    )


def test_a_count_of_an_unknown_patient_has_no_course():
    assert course_by_day("patient_id | day | tlc_cells_per_ul \n 99 | 7 | 900").is_empty()


def test_a_course_has_the_columns_of_its_table_in_the_order_of_its_key():
    course = course_by_day("patient_id | day | tlc_cells_per_ul \n 1 | 7 | 900 \n 1 | 0 | 950")
    assert course.schema == COUNT_COURSE.polars_schema
    assert course["tlc_cells_per_ul"].to_list() == [950, 900]


# Months


def months(drawing: str) -> pl.DataFrame:
    return derive_monthly_counts(course_by_day(drawing))


def test_the_baseline_is_the_last_count_on_or_before_the_first_day():
    assert_drawn(
        months(
            """
            patient_id | day   | tlc_cells_per_ul
            -----------+-------+-----------------
            1          | -30   | 1700
            1          | -2    | 1500
            1          | 1     | 900
            """
        ),
        MONTHLY_COUNTS.polars_schema,
        """
        patient_id | month | tlc_cells_per_ul
        1          | 0     | 1500
        """,
    )


def test_of_two_counts_on_the_baseline_day_the_later_is_the_baseline():
    found = months(
        "patient_id | day | tlc_cells_per_ul \n 1 | 0.25 | 1500 \n 1 | 0.75 | 1400 \n 1 | -1 | 1600"
    )
    assert found["tlc_cells_per_ul"].to_list() == [1400]


def test_a_month_begins_half_a_month_before_its_mark():
    assert_drawn(
        months(
            """
            patient_id | day | tlc_cells_per_ul
            -----------+-----+-----------------
            1          | 15  | 1115
            1          | 16  | 1016
            1          | 45  | 1045
            1          | 46  | 1046
            1          | 76  | 1076
            1          | 77  | 1077
            """
        ),
        MONTHLY_COUNTS.polars_schema,
        """
        month | tlc_cells_per_ul
        ------+-----------------
        1     | 1016
        2     | 1046
        3     | 1077
        """,
    )


@pytest.mark.parametrize(
    ("days_and_counts", "month", "tlc"),
    [
        ({58: 58, 61: 61, 63: 63}, 2, 61),
        ({60: 60, 62: 62}, 2, 60),
        ({243: 243, 244: 244}, 8, 243),
        ({486: 486, 488: 488}, 16, 486),
        ({61: 61, 61.5: 615}, 2, 61),
    ],
)
def test_the_count_nearest_to_the_mark_stands_for_the_month_and_of_two_the_earlier(
    days_and_counts, month, tlc
):
    rows = "\n".join(f"1 | {day} | {count}" for day, count in reversed(days_and_counts.items()))
    found = months("patient_id | day | tlc_cells_per_ul\n" + rows)
    assert found.select("month", "tlc_cells_per_ul").rows() == [(month, tlc)]


def test_monthly_counts_have_the_columns_of_their_table_in_the_order_of_its_key():
    found = months("patient_id | day | tlc_cells_per_ul \n 1 | 61 | 900 \n 1 | 30 | 950 \n 1 | -3 | 1000")
    assert found.schema == MONTHLY_COUNTS.polars_schema
    assert found["month"].to_list() == [0, 1, 2]


# The cohort


def test_the_nadir_and_asl_are_of_the_counts_during_rt_alone():
    assert_drawn(
        cohort_of(
            THREE_PATIENTS,
            counts="""
                patient_id | day | tlc_cells_per_ul
                -----------+-----+-----------------
                1          | -1  | 150
                1          | 0   | 199.99
                1          | 42  | 250
                2          | -1  | 150
                2          | 7   | 1200
                2          | 42  | 200
                2          | 43  | 100
                3          | -1  | 1000.01
                3          | 43  | 150
            """,
        ),
        COHORT.polars_schema,
        """
        patient_id | nadir_tlc_cells_per_ul | nadir_grade | has_asl | n_counts_during_rt
        -----------+------------------------+-------------+---------+-------------------
        1          | 199.99                 | 4           | T       | 2
        2          | 200                    | 3           | F       | 2
        3          |                        |             |         | 0
        """,
    )


def test_baseline_lymphopenia_is_a_baseline_of_1000_or_less():
    assert_drawn(
        cohort_of(
            THREE_PATIENTS,
            counts="""
                patient_id | day | tlc_cells_per_ul
                1          | -1  | 1000
                2          | -1  | 1000.01
                3          | 1   | 900
            """,
        ),
        COHORT.polars_schema,
        """
        patient_id | baseline_tlc_cells_per_ul | has_baseline_lymphopenia
        -----------+---------------------------+-------------------------
        1          | 1000                      | T
        2          | 1000.01                   | F
        3          |                           |
        """,
    )


def test_recovery_is_above_1000_at_two_months_and_is_asked_of_asl_alone():
    assert_drawn(
        cohort_of(
            THREE_PATIENTS
            + """
                4          | 2024-03-01    | 2024-04-12
                5          | 2024-03-01    | 2024-04-12
            """,
            counts="""
                patient_id | day | tlc_cells_per_ul
                -----------+-----+-----------------
                1          | 14  | 150
                1          | 61  | 1000.01
                2          | 14  | 150
                2          | 61  | 1000
                3          | 14  | 150
                3          | 90  | 1500
                4          | 14  | 200
                4          | 61  | 1500
                5          | 61  | 1500
            """,
        ),
        COHORT.polars_schema,
        """
        patient_id | has_asl | tlc_month_2_cells_per_ul | has_recovered
        -----------+---------+--------------------------+--------------
        1          | T       | 1000.01                  | T
        2          | T       | 1000                     | F
        3          | T       |                          |
        4          | F       | 1500                     |
        5          |         | 1500                     |
        """,
    )


def test_asl_begins_with_the_first_count_below_200_during_rt_and_ends_with_the_first_above_1000_after_it():
    assert_drawn(
        cohort_of(
            THREE_PATIENTS
            + """
                4          | 2024-03-01    | 2024-04-12
                5          | 2024-03-01    | 2024-04-12
            """,
            counts="""
                patient_id | day    | tlc_cells_per_ul
                -----------+--------+-----------------
                1          | -7     | 150
                1          | 0      | 199.99
                1          | 7      | 1500
                1          | 14     | 90
                2          | 7      | 1500
                2          | 28     | 200
                2          | 42     | 150
                2          | 43     | 1000
                2          | 60.875 | 1000.01
                2          | 90     | 1500
                3          | 7      | 150
                3          | 90     | 1000
                4          | 7      | 200
                4          | 43     | 150
                4          | 60     | 1500
            """,
        ),
        COHORT.polars_schema,
        """
        patient_id | has_asl | asl_onset_months    | recovery_months
        -----------+---------+---------------------+--------------------
        1          | T       | 0                   | 0.22997946611909653
        2          | T       | 1.3798767967145796  | 1.971252566735113
        3          | T       | 0.22997946611909653 |
        4          | F       |                     |
        5          |         |                     |
        """,
    )


def test_on_the_day_asl_began_only_a_later_count_is_a_recovery():
    two_on_a_day = "patient_id | day | tlc_cells_per_ul \n 1 | {} | 1500 \n 1 | 7.5 | 150"
    found = [cohort_of(counts=two_on_a_day.format(day)) for day in (7.25, 7.5, 7.75)]
    recoveries = [cohort["recovery_months"].item() for cohort in found]
    assert recoveries == [None, None, pytest.approx(7 / DAYS_PER_MONTH)]


def test_il7_is_high_above_2_495_and_its_change_is_after_less_before():
    assert_drawn(
        cohort_of(
            THREE_PATIENTS,
            cytokines="""
                patient_id | timepoint | analyte | concentration_pg_ml
                -----------+-----------+---------+--------------------
                1          | pre_rt    | IL-6    | 9
                1          | pre_rt    | IL-7    | 2.495
                1          | post_rt   | IL-7    | 3.995
                2          | post_rt   | IL-7    | 1.5
                2          | pre_rt    | IL-7    | 2.496
                3          | pre_rt    | IL-7    |
                3          | post_rt   | IL-7    | 4
            """,
        ),
        COHORT.polars_schema,
        """
        patient_id | pre_rt_il7_pg_ml | post_rt_il7_pg_ml | delta_il7_pg_ml | il7_group
        -----------+------------------+-------------------+-----------------+----------
        1          | 2.495            | 3.995             | 1.5             | il7_low
        2          | 2.496            | 1.5               | -0.996          | il7_high
        3          |                  | 4                 |                 |
        """,
    )


def test_il7_beyond_a_limit_has_a_range_and_a_limit_and_never_a_number():
    assert_drawn(
        cohort_of(
            THREE_PATIENTS,
            cytokines="""
                patient_id | timepoint | analyte | range        | concentration_pg_ml | limit_pg_ml
                -----------+-----------+---------+--------------+---------------------+------------
                1          | pre_rt    | IL-7    | below        |                     | 0.6
                1          | post_rt   | IL-7    | within       | 4                   |
                2          | pre_rt    | IL-7    | extrapolated | 1.1                 |
                2          | post_rt   | IL-7    | above        |                     | 900
                3          | pre_rt    | IL-6    | below        |                     | 2
            """,
        ),
        COHORT.polars_schema,
        """
        patient_id | pre_rt_il7_range | pre_rt_il7_pg_ml | pre_rt_il7_limit_pg_ml | post_rt_il7_range | post_rt_il7_pg_ml | post_rt_il7_limit_pg_ml | delta_il7_pg_ml
        -----------+------------------+------------------+------------------------+-------------------+-------------------+-------------------------+----------------
        1          | below            |                  | 0.6                    | within            | 4                 |                         |
        2          | extrapolated     | 1.1              |                        | above             |                   | 900                     |
        3          |                  |                  |                        |                   |                   |                         |
        """,  # noqa: E501
    )


@pytest.mark.parametrize(
    ("lies", "limit", "group"),
    [
        ("below", "0.6", "il7_low"),
        ("below", "2.495", "il7_low"),
        ("below", "2.496", None),
        ("above", "2.495", "il7_high"),
        ("above", "900", "il7_high"),
        ("above", "2.494", None),
        ("below", "", None),
        ("above", "", None),
    ],
)
def test_a_limit_tells_the_il7_group_where_it_leaves_one_only(lies, limit, group):
    cytokines = f"""
        patient_id | timepoint | analyte | range  | limit_pg_ml
        1          | pre_rt    | IL-7    | {lies} | {limit}
    """
    assert cohort_of(cytokines=cytokines)["il7_group"].item() == group


def test_survival_runs_from_the_first_day_of_rt_to_the_event_or_the_last_contact():
    patients = "patient_id | rt_start_date | rt_end_date" + "".join(
        f"\n {number} | 2024-03-01 | 2024-04-12" for number in range(1, 8)
    )
    assert_drawn(
        cohort_of(
            patients,
            follow_up="""
                patient_id | last_contact_date | death_date | progression_date
                -----------+-------------------+------------+-----------------
                1          | 2025-07-01        |            |
                2          | 2025-07-01        | 2025-07-01 |
                3          | 2025-07-01        |            | 2024-03-01
                4          | 2025-08-01        | 2025-07-01 | 2024-03-01
                5          | 2025-08-01        | 2025-07-01 | 2025-07-02
                6          | 2025-08-01        | 2025-07-01 | 2025-07-01
            """,
        ),
        COHORT.polars_schema,
        """
        patient_id | os_months | has_died | pfs_months | has_progressed_or_died | has_progressed
        -----------+-----------+----------+------------+------------------------+---------------
        1          | 16        | F        | 16         | F                      | F
        2          | 16        | T        | 16         | T                      | F
        3          | 16        | F        | 0          | T                      | T
        4          | 16        | T        | 0          | T                      | T
        5          | 16        | T        | 16         | T                      | F
        6          | 16        | T        | 16         | T                      | T
        7          |           |          |            |                        |
        """,
    )


def test_the_cohort_has_a_row_for_every_patient_with_all_columns_sorted_by_patient():
    cohort = cohort_of("patient_id | rt_start_date | sex \n 2 | 2024-03-01 | male \n 1 | 2024-03-02 | female")
    assert cohort.schema == COHORT.polars_schema
    assert cohort.select("patient_id", "sex").rows() == [("1", "female"), ("2", "male")]


def test_patients_of_two_sites_with_one_number_are_two_patients():
    schema = PATIENTS.polars_schema
    patients = complete(
        draw(schema, "site | patient_id \n A | 1 \n B | 1", rt_start_date="2024-03-01"), schema
    )
    counts = counts_by_day("patient_id | day | tlc_cells_per_ul \n 1 | 7 | 150")
    course = derive_count_course(complete(counts, COUNTS.polars_schema), patients)
    cohort = derive_cohort(
        patients,
        course,
        derive_monthly_counts(course),
        cytokines=pl.DataFrame(schema=CYTOKINES.polars_schema),
        follow_up=pl.DataFrame(schema=FOLLOW_UP.polars_schema),
    )
    assert cohort.select("site", "has_asl", "n_counts_during_rt").rows() == [("A", True, 1), ("B", None, 0)]


# Laws

DAYS = st.integers(-60, 200)
COUNTS_OF_A_PATIENT = st.dictionaries(DAYS, st.integers(0, 3000), min_size=1, max_size=12)


def derive_all(tlc_by_day: dict[int, int], *, order: list[int] | None = None) -> pl.DataFrame:
    days = order if order is not None else list(tlc_by_day)
    counts = pl.DataFrame(
        {
            "site": "A",
            "patient_id": "1",
            "collected_at": [datetime(2024, 3, 1, 8) + timedelta(days=day) for day in days],
            "collected_on": [RT_START + timedelta(days=day) for day in days],
            "code": "731-0",
            "tlc_cells_per_ul": [float(tlc_by_day[day]) for day in days],
        },
        schema_overrides={"collected_at": pl.Datetime("us")},
    )
    patients = patients_of(RT_OF_SIX_WEEKS)
    course = derive_count_course(complete(counts, COUNTS.polars_schema), patients)
    return derive_cohort(
        patients,
        course,
        derive_monthly_counts(course),
        cytokines=pl.DataFrame(schema=CYTOKINES.polars_schema),
        follow_up=pl.DataFrame(schema=FOLLOW_UP.polars_schema),
    )


@some
@given(COUNTS_OF_A_PATIENT)
def test_the_nadir_is_one_of_the_counts_during_rt_and_none_is_lower(tlc_by_day):
    during_rt = [tlc for day, tlc in tlc_by_day.items() if 0 <= day <= 42]
    cohort = derive_all(tlc_by_day)
    assert cohort["nadir_tlc_cells_per_ul"].item() == min(during_rt, default=None)
    assert cohort["n_counts_during_rt"].item() == len(during_rt)


@some
@given(COUNTS_OF_A_PATIENT)
def test_onset_and_recovery_are_those_a_plain_search_finds(tlc_by_day):
    severe = [day for day, tlc in tlc_by_day.items() if 0 <= day <= 42 and tlc < 200]
    onset = min(severe, default=None)
    after = [day for day, tlc in tlc_by_day.items() if severe and day > onset and tlc > 1000]
    found = derive_all(tlc_by_day).select("asl_onset_months", "recovery_months") * DAYS_PER_MONTH
    assert [day if day is None else round(day) for day in found.row(0)] == [onset, min(after, default=None)]


@some
@given(COUNTS_OF_A_PATIENT, st.integers(1, 200), st.integers(0, 3000))
def test_a_count_after_the_first_day_never_changes_the_baseline(tlc_by_day, day, tlc):
    before, after = derive_all(tlc_by_day), derive_all(tlc_by_day | {day: tlc})
    column = "baseline_tlc_cells_per_ul"
    assert before[column].item() == after[column].item()


@some
@given(COUNTS_OF_A_PATIENT, st.randoms())
def test_the_order_of_the_counts_does_not_matter(tlc_by_day, random):
    shuffled = random.sample(list(tlc_by_day), len(tlc_by_day))
    assert derive_all(tlc_by_day).equals(derive_all(tlc_by_day, order=shuffled))


@some
@given(COUNTS_OF_A_PATIENT)
def test_the_count_at_two_months_is_the_one_a_plain_search_finds(tlc_by_day):
    in_month = [day for day in sorted(tlc_by_day) if 1.5 <= day / DAYS_PER_MONTH < 2.5]
    nearest = min(in_month, key=lambda day: abs(day - 2 * DAYS_PER_MONTH), default=None)
    expected = None if nearest is None else tlc_by_day[nearest]
    assert derive_all(tlc_by_day)["tlc_month_2_cells_per_ul"].item() == expected
