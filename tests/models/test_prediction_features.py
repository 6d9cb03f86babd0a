"""What the predictor may know: spec tables by hand, and the law that nothing after the landmark enters."""

import math
from datetime import date, datetime, timedelta

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from polars.testing import assert_frame_equal

from models.prediction.features import (
    OUTCOME,
    outcomes_after,
    rows_at_night,
    rows_before_rt,
    rows_during_rt,
)
from models.prediction.question import BEFORE_RT, DURING_RT
from tests.tables import complete, draw
from transforms import schemas
from transforms.clinical import derive_cohort, derive_count_course, derive_monthly_counts

# A Monday; five weeks of RT end on Friday, day 32.
START = date(2024, 3, 4)
RT_END = START + timedelta(days=32)
LATER = date(2025, 1, 1)
MOMENT = ["site", "patient_id", "landmark_date"]


def on_day(day):
    return START + timedelta(days=day)


def patients_of(ends, **same):
    """One patient for each last day of RT (None: RT goes on), named 1, 2, ..."""
    names = [str(i + 1) for i in range(len(ends))]
    frame = pl.DataFrame(
        {"patient_id": names, "rt_end_date": [end if end is None else on_day(end) for end in ends]},
        schema_overrides={"rt_end_date": pl.Date},
    ).with_columns(site=pl.lit("A"), rt_start_date=pl.lit(START), fractions=pl.lit(25, pl.Int64))
    drawn = frame.with_columns(**{name: pl.lit(value) for name, value in same.items()})
    return complete(drawn, schemas.PATIENTS.polars_schema)


def counts_of(*counts):
    """Counts (patient, day, cells per µL), at noon."""
    rows = [(str(patient), on_day(day), float(tlc)) for patient, day, tlc in counts]
    frame = pl.DataFrame(
        rows, schema=["patient_id", "collected_on", "tlc_cells_per_ul"], orient="row"
    ).with_columns(
        pl.col("patient_id").cast(pl.String),
        pl.col("collected_on").cast(pl.Date),
        pl.col("tlc_cells_per_ul").cast(pl.Float64),
        collected_at=pl.col("collected_on").cast(pl.Datetime("us")) + timedelta(hours=12),
        site=pl.lit("A"),
        code=pl.lit("731-0"),
    )
    return complete(frame, schemas.COUNTS.polars_schema)


def followed(*last, deaths=None):
    """Follow-up (patient, day of last contact), and days of death by patient."""
    deaths = deaths or {}
    frame = pl.DataFrame(
        {
            "site": ["A"] * len(last),
            "patient_id": [str(patient) for patient, _ in last],
            "last_contact_date": [on_day(day) for _, day in last],
            "death_date": [on_day(deaths[p]) if p in deaths else None for p, _ in last],
        },
        schema_overrides={
            "patient_id": pl.String,
            "last_contact_date": pl.Date,
            "death_date": pl.Date,
            "site": pl.String,
        },
    )
    return complete(frame, schemas.FOLLOW_UP.polars_schema)


def derive(patients, counts, *, follow_up=None, cytokines=None):
    """The cohort and the course, as the night derives them."""
    course = derive_count_course(counts, patients)
    cohort = derive_cohort(
        patients,
        course,
        derive_monthly_counts(course),
        cytokines=pl.DataFrame(schema=schemas.CYTOKINES.polars_schema) if cytokines is None else cytokines,
        follow_up=followed() if follow_up is None else follow_up,
    )
    return cohort, course


def labels(rows):
    """{patient: (day of the landmark, has_asl, day it was known)}, a list for each patient."""
    found = {}
    for row in rows.iter_rows(named=True):
        known = row["outcome_known_on"]
        day = None if known is None else (known - START).days
        landmark = (row["landmark_date"] - START).days
        found.setdefault(row["patient_id"], []).append((landmark, row["has_asl"], day))
    return found


def only(rows, *names):
    assert rows.height == 1
    return tuple(rows.row(0, named=True)[name] for name in names)


# The questions.


@pytest.mark.parametrize("question", [BEFORE_RT, DURING_RT])
def test_a_question_says_of_every_input_what_it_is_and_why(question):
    assert all(feature.meaning and feature.reason for feature in question.features)
    assert len(set(question.feature_names)) == len(question.features)
    assert {feature.kind for feature in question.features} <= {"log", "number", "flag"}


def test_during_rt_asks_with_all_that_was_known_before_it():
    assert DURING_RT.features[: len(BEFORE_RT.features)] == BEFORE_RT.features


def test_rows_have_a_number_for_each_input_and_end_with_the_outcome():
    cohort, course = derive(patients_of([32]), counts_of((1, -1, 1500), (1, 9, 700)))
    during = rows_during_rt(cohort, course, as_of=LATER)
    before, night = rows_before_rt(cohort, as_of=LATER), rows_at_night(cohort, course, as_of=on_day(9))
    assert before.columns == [*MOMENT, *BEFORE_RT.feature_names, *OUTCOME]
    assert during.columns == [*MOMENT, *DURING_RT.feature_names, *OUTCOME]
    assert night.schema == during.schema
    assert set(during.select(DURING_RT.feature_names).dtypes) == {pl.Float64()}
    assert during.select(OUTCOME).dtypes == [pl.Boolean(), pl.Date(), pl.Boolean()]


# Before RT.


def test_what_is_known_before_rt_is_a_number_or_unknown():
    cohort = draw(
        schemas.COHORT.polars_schema,
        """
        patient_id | viral_type | pvtt | combined_treatment | has_baseline_lymphopenia | ptv_cm3
        1          | hbv        | yes  | chemoradiotherapy  | T                        | 500
        2          | hcv        | no   | radiotherapy_alone | F                        | 20
        3          | none       |      |                    |                          |
        4          |            | no   | radiotherapy_alone | F                        | 1
        """,
        site="A",
        rt_start_date="2024-03-04",
    )
    rows = rows_before_rt(complete(cohort, schemas.COHORT.polars_schema), as_of=LATER)
    assert rows["has_viral_hepatitis"].to_list() == [1, 1, 0, None]
    assert rows["has_pvtt"].to_list() == [1, 0, None, 0]
    assert rows["is_chemoradiotherapy"].to_list() == [1, 0, None, 0]
    assert rows["has_baseline_lymphopenia"].to_list() == [1, 0, None, 0]
    assert rows["ptv_cm3"].to_list() == [500, 20, None, 1]


def test_il7_beyond_its_limit_is_not_missing_and_says_that_it_is_a_limit():
    cohort = draw(
        schemas.COHORT.polars_schema,
        """
        patient_id | pre_rt_il7_pg_ml | pre_rt_il7_range | pre_rt_il7_limit_pg_ml
        1          | 2.2              | within           |
        2          | 0.3              | extrapolated     |
        3          |                  | below            | 0.4
        4          |                  | above            | 40
        5          |                  | below            |
        6          |                  |                  |
        7          | 0.3              | below            | 0.4
        """,
        site="A",
        rt_start_date="2024-03-04",
    )
    rows = rows_before_rt(complete(cohort, schemas.COHORT.polars_schema), as_of=LATER)
    assert rows["pre_rt_il7_pg_ml"].to_list() == [2.2, 0.3, 0.2, 40, None, None, 0.3]
    assert rows["pre_rt_il7_is_censored"].to_list() == [0, 0, 1, 1, 1, 0, 0]


def test_nobody_under_treatment_counts_as_free_of_asl():
    ends = [32, 32, None, 32]
    counts = counts_of((1, 8, 700), (2, 8, 150), (3, 8, 700))
    cohort, _ = derive(patients_of(ends), counts)
    at = {day: rows_before_rt(cohort, as_of=on_day(day)) for day in (7, 8, 31, 32)}
    assert at[7]["has_asl"].to_list() == [None, None, None, None]
    assert at[8]["has_asl"].to_list() == [None, True, None, None]
    assert at[31]["has_asl"].to_list() == [None, True, None, None]
    assert at[32]["has_asl"].to_list() == [False, True, None, None]
    assert at[32]["has_rt_ended"].to_list() == [True, True, False, True]
    assert at[32]["outcome_known_on"].to_list() == [RT_END, on_day(8), None, None]


def test_who_dies_during_rt_without_asl_had_none_and_it_is_known_on_the_day_of_death():
    cohort, _ = derive(
        patients_of([None, 32]),
        counts_of((1, 8, 700), (2, 8, 700)),
        follow_up=followed((1, 20), (2, 40), deaths={1: 20, 2: 40}),
    )
    assert rows_before_rt(cohort, as_of=on_day(19))["has_asl"].to_list() == [None, None]
    rows = rows_before_rt(cohort, as_of=LATER)
    assert rows["has_asl"].to_list() == [False, False]
    assert rows["outcome_known_on"].to_list() == [on_day(20), RT_END]


def test_a_case_whose_onset_nobody_knows_is_no_case_and_not_free_of_asl():
    cohort, course = derive(patients_of([32]), counts_of((1, 8, 150), (1, 20, 300)))
    contradictory = cohort.with_columns(asl_onset_months=pl.lit(None, pl.Float64))
    assert rows_before_rt(contradictory, as_of=LATER)["has_asl"].to_list() == [None]
    assert rows_during_rt(contradictory, course, as_of=LATER).is_empty()
    asked = pl.DataFrame({"site": "A", "patient_id": "1", "landmark_date": START})
    assert outcomes_after(asked, contradictory, course, as_of=LATER)["has_asl"].to_list() == [None]


# During RT: who has a row, and what came after.


def test_a_patient_has_a_row_each_week_until_rt_ends_or_asl_or_death_comes():
    cohort, course = derive(
        patients_of([32, 28, 32, 32, None]),
        counts_of(*((p, day, 700) for p in (1, 2, 3, 4, 5) for day in (1, 31)), (3, 14, 190), (3, 29, 150)),
        follow_up=followed((4, 21), deaths={4: 21}),
    )
    rows = rows_during_rt(cohort, course, as_of=on_day(40))
    found = {patient: [landmark for landmark, *_ in rows] for patient, rows in labels(rows).items()}
    assert found == {
        "1": [7, 14, 21, 28],
        "2": [7, 14, 21],
        "3": [7],
        "4": [7, 14],
        "5": [7, 14, 21, 28, 35],
    }


def test_the_outcome_is_asl_after_the_landmark_until_the_last_day_of_rt():
    cohort, course = derive(patients_of([32]), counts_of((1, 6, 700), (1, 15, 150), (1, 30, 300)))
    assert labels(rows_during_rt(cohort, course, as_of=on_day(14))) == {
        "1": [(7, None, None), (14, None, None)]
    }
    assert labels(rows_during_rt(cohort, course, as_of=on_day(15))) == {"1": [(7, True, 15), (14, True, 15)]}


def test_a_landmark_after_which_nothing_was_measured_has_no_known_outcome():
    cohort, course = derive(patients_of([32]), counts_of((1, 6, 700), (1, 20, 600), (1, 40, 100)))
    assert labels(rows_during_rt(cohort, course, as_of=LATER)) == {
        "1": [(7, False, 32), (14, False, 32), (21, None, None), (28, None, None)]
    }


def test_rt_without_a_last_day_is_looked_at_for_180_days_and_no_longer():
    cohort, course = derive(patients_of([None]), counts_of((1, 6, 700)))
    assert rows_during_rt(cohort, course, as_of=LATER)["weeks_done"].to_list() == list(range(1, 26))
    assert rows_at_night(cohort, course, as_of=on_day(178)).height == 1
    assert rows_at_night(cohort, course, as_of=on_day(179)).is_empty()


def test_a_night_has_the_patients_under_treatment_that_have_no_asl_so_far():
    ends = [32, None, 10, 32, 32, 9]
    counts = counts_of((4, 9, 150), (5, 11, 150))
    dead = followed((1, 200), deaths={1: 200})
    cohort, course = derive(patients_of(ends), counts, follow_up=dead)
    nights = {
        day: rows_at_night(cohort, course, as_of=on_day(day))["patient_id"].to_list()
        for day in (-1, 0, 9, 10, 32)
    }
    assert nights == {
        -1: [],
        0: ["1", "2", "3", "4", "5", "6"],
        9: ["1", "2", "3", "5"],
        10: ["1", "2", "5"],
        32: ["2"],
    }
    assert rows_at_night(cohort, course, as_of=on_day(9))["has_asl"].null_count() == 4


def test_the_dead_are_not_scored_from_the_day_of_death_on():
    cohort, course = derive(patients_of([32]), counts_of(), follow_up=followed((1, 12), deaths={1: 12}))
    assert rows_at_night(cohort, course, as_of=on_day(11)).height == 1
    assert rows_at_night(cohort, course, as_of=on_day(12)).is_empty()


def test_an_old_day_of_last_contact_takes_nobody_out():
    cohort, course = derive(patients_of([32]), counts_of((1, 30, 700)), follow_up=followed((1, 3)))
    assert rows_at_night(cohort, course, as_of=on_day(11)).height == 1
    assert labels(rows_during_rt(cohort, course, as_of=LATER))["1"][0] == (7, False, 32)


def test_what_came_of_past_nights_is_told_in_their_order():
    cohort, course = derive(
        patients_of([32, 32]), counts_of((1, 6, 700), (1, 15, 150), (1, 20, 600), (2, 6, 700), (2, 30, 600))
    )
    asked = pl.DataFrame(
        [("A", "2", 14), ("A", "1", 14), ("A", "1", 15), ("A", "nobody", 3), ("A", "1", 3)],
        schema=["site", "patient_id", "landmark_day"],
        orient="row",
    ).select("site", "patient_id", landmark_date=START + pl.duration(days="landmark_day"))
    asked = asked.with_columns(pl.col("landmark_date").cast(pl.Date))
    found = outcomes_after(asked, cohort, course, as_of=LATER)
    assert found.select(MOMENT).equals(asked)
    assert found["has_asl"].to_list() == [False, True, None, None, True]
    assert found["outcome_known_on"].to_list() == [RT_END, on_day(15), None, None, on_day(15)]
    then = outcomes_after(asked, cohort, course, as_of=on_day(14))
    assert then["has_asl"].null_count() == 5


# During RT: what the counts say.


def test_the_counts_so_far_by_hand():
    counts = counts_of((1, -9, 3000), (1, -3, 1600), (1, 2, 800), (1, 8, 400), (1, 9, 500), (1, 11, 100))
    cohort, course = derive(patients_of([32]), counts)
    row = rows_at_night(cohort, course, as_of=on_day(10))
    assert only(row, "n_counts_so_far", "last_tlc_cells_per_ul", "lowest_tlc_cells_per_ul") == (3, 500, 400)
    assert only(row, "last_to_baseline_ratio", "days_since_last_count") == (500 / 1600, 1)
    assert only(row, "weeks_done") == (10 / 7,)
    # The baseline stands at day 0; the earlier count is no part of the course.
    slope = np.polyfit([0, 2, 8, 9], np.log1p([1600, 800, 400, 500]), 1)[0] * 7
    assert only(row, "tlc_log_slope_per_week")[0] == pytest.approx(slope, rel=1e-12)


def test_a_fall_to_half_each_week_has_the_slope_of_log_2():
    # log1p: counts of 2^k - 1 are halves of one another.
    counts = counts_of((1, 0, 2047), (1, 7, 1023), (1, 14, 511))
    row = rows_at_night(*derive(patients_of([32]), counts), as_of=on_day(20))
    assert only(row, "tlc_log_slope_per_week")[0] == pytest.approx(-math.log(2), rel=1e-12)


def test_without_a_count_during_rt_the_baseline_is_the_last_and_there_is_no_slope():
    row = rows_at_night(*derive(patients_of([32]), counts_of((1, -3, 1600))), as_of=on_day(4))
    names = ("last_tlc_cells_per_ul", "lowest_tlc_cells_per_ul", "days_since_last_count", "n_counts_so_far")
    assert only(row, *names, "tlc_log_slope_per_week") == (1600, 1600, 7, 0, None)


def test_without_any_count_the_course_is_unknown():
    row = rows_at_night(*derive(patients_of([32]), counts_of()), as_of=on_day(4))
    names = ("last_tlc_cells_per_ul", "lowest_tlc_cells_per_ul", "days_since_last_count")
    assert only(row, *names, "last_to_baseline_ratio", "n_counts_so_far") == (None, None, None, None, 0)


def test_without_a_baseline_there_is_no_ratio_but_a_slope():
    row = rows_at_night(*derive(patients_of([32]), counts_of((1, 3, 900), (1, 10, 400))), as_of=on_day(10))
    assert only(row, "last_to_baseline_ratio", "n_counts_so_far") == (None, 2)
    assert only(row, "tlc_log_slope_per_week")[0] == pytest.approx(math.log(401 / 901), rel=1e-12)


@pytest.mark.parametrize("days", [(0, 0), (3, 3)])
def test_two_counts_of_one_day_have_no_slope(days):
    cohort, course = derive(patients_of([32]), counts_of((1, days[0], 900)))
    second = course.with_columns(
        collected_at=pl.col("collected_at") + timedelta(hours=1), tlc_cells_per_ul=pl.lit(700.0)
    )
    row = rows_at_night(cohort, pl.concat([second, course]), as_of=on_day(5))
    assert only(row, "tlc_log_slope_per_week", "last_tlc_cells_per_ul", "n_counts_so_far") == (None, 700, 2)


def test_of_two_counts_at_one_moment_the_last_is_the_one_that_the_cohort_takes():
    cohort, course = derive(patients_of([32]), counts_of((1, -1, 900)))
    second = course.with_columns(code=pl.lit("26474-7"), tlc_cells_per_ul=pl.lit(700.0))
    both = pl.concat([course, second])
    assert derive_monthly_counts(both)["tlc_cells_per_ul"].to_list() == [700]
    assert only(rows_at_night(cohort, both, as_of=on_day(5)), "last_tlc_cells_per_ul") == (700,)


def test_a_count_of_the_landmarks_day_enters_by_the_hospitals_day_and_not_by_utc():
    # 8:30 on day 7 in Seoul is still day 6 in UTC, and half past midnight on day 8 is day 7 in UTC.
    counts = counts_of((1, 7, 700), (1, 8, 600)).with_columns(
        collected_at=pl.Series(
            [datetime(2024, 3, 10, 23, 30), datetime(2024, 3, 11, 15, 30)], dtype=pl.Datetime("us")
        )
    )
    cohort, course = derive(patients_of([32]), counts)
    assert only(rows_at_night(cohort, course, as_of=on_day(7)), "last_tlc_cells_per_ul") == (700,)
    assert only(rows_at_night(cohort, course, as_of=on_day(6)), "last_tlc_cells_per_ul") == (None,)


@pytest.mark.parametrize(
    ("day", "fractions", "left"),
    [
        (0, 25, 24 / 25),
        (4, 25, 20 / 25),
        (6, 25, 20 / 25),
        (7, 25, 19 / 25),
        (60, 25, 0),
        (7, 5, 0),
        (7, None, None),
    ],
)
def test_fractions_are_due_on_working_days_from_the_first_day_of_rt(day, fractions, left):
    patients = patients_of([None]).with_columns(fractions=pl.lit(fractions, pl.Int64))
    row = rows_at_night(*derive(patients, counts_of()), as_of=on_day(day))
    assert only(row, "fractions_left_share")[0] == (left if left is None else pytest.approx(left))


def test_a_count_of_0_is_a_number_like_any_other():
    cohort, course = derive(patients_of([32]), counts_of((1, -1, 0), (1, 3, 300), (1, 6, 250)))
    rows = rows_at_night(cohort, course, as_of=on_day(6))
    assert only(rows, "last_to_baseline_ratio", "lowest_tlc_cells_per_ul") == (None, 0)
    assert math.isfinite(only(rows, "tlc_log_slope_per_week")[0])


# The laws.

CUT = 16  # the landmark's day, in the third week
DAYS = st.integers(-10, 60)
AMOUNTS = st.integers(0, 3000)
COUNTS = st.dictionaries(st.tuples(st.integers(1, 4), DAYS), AMOUNTS, max_size=40)
LATE_DAYS = st.integers(CUT + 1, 400)
# Whatever may be dated after the landmark: the last day of RT, contact, death, progression, IL-7 after RT.
FUTURES = st.lists(
    st.tuples(
        st.none() | st.integers(CUT + 1, 60),
        st.none() | LATE_DAYS,
        st.none() | LATE_DAYS,
        st.none() | LATE_DAYS,
        st.none() | st.integers(1, 99),
    ),
    min_size=4,
    max_size=4,
)


def tables_of(counts, futures):
    ends, contacts, deaths, progressions, il7 = zip(*futures, strict=True)
    patients = patients_of(list(ends), ptv_cm3=300.0, pvtt="yes")
    follow_up = followed(
        *((p + 1, d or c) for p, (c, d) in enumerate(zip(contacts, deaths, strict=True)) if d or c),
        deaths={p + 1: day for p, day in enumerate(deaths) if day},
    )
    progressed = {str(p + 1): on_day(day) for p, day in enumerate(progressions) if day}
    follow_up = follow_up.with_columns(
        progression_date=pl.col("patient_id").replace_strict(progressed, default=None, return_dtype=pl.Date)
    )
    measured = [
        {"site": "A", "patient_id": str(p + 1), "timepoint": timepoint, "analyte": "IL-7", "range": "within"}
        | {"concentration_pg_ml": float(value)}
        for p, late in enumerate(il7)
        for timepoint, value in (("pre_rt", p + 1), ("post_rt", late))
        if value
    ]
    cytokines = complete(pl.DataFrame(measured), schemas.CYTOKINES.polars_schema)
    drawn = counts_of(*((patient, day, tlc) for (patient, day), tlc in counts.items()))
    return derive(patients, drawn, follow_up=follow_up, cytokines=cytokines)


@given(COUNTS, COUNTS, FUTURES, FUTURES)
@settings(max_examples=30)
def test_nothing_dated_after_the_landmark_changes_an_input(counts, others, future, other_future):
    night = on_day(CUT)
    past = {key: tlc for key, tlc in counts.items() if key[1] <= CUT}
    later = {key: tlc for key, tlc in others.items() if key[1] > CUT}
    one = tables_of(counts, future)
    other = tables_of(past | later, other_future)
    known = [*MOMENT, *DURING_RT.feature_names]
    assert rows_at_night(*one, as_of=night).equals(rows_at_night(*other, as_of=night))
    during, during_other = (
        rows_during_rt(*tables, as_of=LATER).filter(pl.col("landmark_date") <= night).select(known)
        for tables in (one, other)
    )
    assert during.equals(during_other)


@given(COUNTS, COUNTS, FUTURES, FUTURES)
@settings(max_examples=20)
def test_nothing_dated_after_the_first_day_of_rt_changes_what_is_known_before_it(
    counts, others, future, other_future
):
    past = {key: tlc for key, tlc in counts.items() if key[1] <= 0}
    later = {key: tlc for key, tlc in others.items() if key[1] > 0}
    cohorts = tables_of(counts, future)[0], tables_of(past | later, other_future)[0]
    one, other = (rows_before_rt(cohort, as_of=LATER).drop(OUTCOME) for cohort in cohorts)
    assert one.equals(other)


@given(COUNTS, FUTURES, st.integers(0, 60))
@settings(max_examples=40)
def test_a_night_tells_of_its_outcomes_only_what_it_knew(counts, future, day):
    # A night that looks back from the end of everything, and the same night with all later counts cut off.
    deaths = {patient: death for patient, (_, _, death, *_) in enumerate(future, start=1)}
    counts = {(p, drawn): tlc for (p, drawn), tlc in counts.items() if drawn <= (deaths[p] or drawn)}
    cohort, course = tables_of(counts, future)
    cut_cohort, cut_course = tables_of({key: tlc for key, tlc in counts.items() if key[1] <= day}, future)
    as_of = on_day(day)
    assert (
        rows_before_rt(cohort, as_of=as_of)
        .select(OUTCOME)
        .equals(rows_before_rt(cut_cohort, as_of=as_of).select(OUTCOME))
    )
    assert rows_during_rt(cohort, course, as_of=as_of).equals(
        rows_during_rt(cut_cohort, cut_course, as_of=as_of)
    )


@given(COUNTS, FUTURES, st.integers(0, 2**32 - 1))
@settings(max_examples=15)
def test_neither_row_order_nor_who_else_is_in_the_batch_matters(counts, future, seed):
    cohort, course = tables_of(counts, future)
    shuffled = [frame.sample(fraction=1, shuffle=True, seed=seed) for frame in (cohort, course)]
    for rows_of in (rows_during_rt, rows_at_night):
        as_of = on_day(CUT)
        together = rows_of(cohort, course, as_of=as_of)
        assert rows_of(*shuffled, as_of=as_of).equals(together)
        alone = [rows_of(cohort[i], course, as_of=as_of) for i in range(cohort.height)]
        assert pl.concat(alone).equals(together)
    assert rows_before_rt(shuffled[0], as_of=LATER).equals(rows_before_rt(cohort, as_of=LATER))


def slow_inputs(counts, patient, landmark):
    """What the counts say, patient by patient and count by count: slow and plain."""
    mine = sorted((day, float(tlc)) for (who, day), tlc in counts.items() if who == patient)
    before = [count for count in mine if count[0] <= 0]
    during = [count for count in mine if 0 <= count[0] <= landmark]
    so_far = sorted(set(before[-1:] + during))
    if not so_far:
        return (None, None, None, None, None, 0.0)
    baseline = before[-1][1] if before else None
    last_day, last = so_far[-1]
    days, values = [max(day, 0) for day, _ in so_far], [tlc for _, tlc in so_far]
    has_slope = len(set(days)) > 1
    slope = np.polyfit(days, np.log1p(values), 1)[0] * 7 if has_slope else None
    ratio = last / baseline if baseline else None
    return (last, float(landmark - last_day), min(values), ratio, slope, float(len(during)))


@given(COUNTS, FUTURES)
@settings(max_examples=20)
def test_the_fast_derivation_agrees_with_a_slow_one(counts, future):
    rows = rows_during_rt(*tables_of(counts, future), as_of=LATER)
    slow = [
        slow_inputs(counts, int(patient), (landmark - START).days)
        for patient, landmark in rows.select("patient_id", "landmark_date").iter_rows()
    ]
    expected = pl.DataFrame(
        slow,
        schema=dict.fromkeys(
            (
                "last_tlc_cells_per_ul",
                "days_since_last_count",
                "lowest_tlc_cells_per_ul",
                "last_to_baseline_ratio",
                "tlc_log_slope_per_week",
                "n_counts_so_far",
            ),
            pl.Float64,
        ),
        orient="row",
    )
    assert_frame_equal(rows.select(expected.columns), expected, rel_tol=1e-9, abs_tol=1e-10)
