"""Progression and recovery against death: the study's rows, on drawn cohorts and on an invented one."""

import polars as pl
import pytest

from models.study.competing_risks import (
    ESTIMATED,
    INCIDENCE_SCHEMA,
    PROGRESSION,
    RECOVERY,
    estimate_competing_risks,
)
from models.study.rows import frame_of
from tests.models.synthetic_cohort import make_cohort
from tests.reference.competing import competing
from tests.tables import complete, draw
from transforms.clinical import DAYS_PER_MONTH
from transforms.schemas import COHORT


def rows_of(cohort: pl.DataFrame) -> pl.DataFrame:
    return frame_of(estimate_competing_risks(cohort).rows)


def numbers_of(cohort: pl.DataFrame, *, group: str, variable: str) -> dict[str, float | None]:
    rows = rows_of(cohort).filter(group=group, variable=variable)
    return dict(rows.select("statistic", "value").iter_rows())


def cohort_of(drawing: str) -> pl.DataFrame:
    return complete(draw(COHORT.polars_schema, drawing, site="A"), COHORT.polars_schema)


def followed_days(competition, drawing: str) -> list[tuple[int, int]]:
    followed = competition.follow(cohort_of(drawing))
    return [(round(months * DAYS_PER_MONTH), status) for months, status in followed.iter_rows()]


def test_every_group_and_cause_has_its_statistics():
    frame = rows_of(make_cohort()[0])
    topics = [
        (group, cause, list(competition.statistics))
        for competition, group in ESTIMATED
        for cause in competition.causes
    ]
    found = frame.group_by("group", "variable", maintain_order=True).agg("statistic")
    assert found.rows() == topics
    assert frame.select("analysis", "level").unique().rows() == [("competing_risks", "")]
    assert frame["value"].null_count() <= 1


def test_the_rows_are_rs_numbers_in_percent():
    cohort, _ = make_cohort(98, 7)
    found = numbers_of(cohort, group="all", variable="progression")
    of_r = competing("cohort_all")["cause_1_at_24"]
    assert found["incidence_24m"] == pytest.approx(100 * of_r["estimate"])
    assert found["incidence_24m_ci_low"] == pytest.approx(100 * of_r["ci_low"])
    assert found["incidence_24m_ci_high"] == pytest.approx(100 * of_r["ci_high"])


def test_the_number_that_censors_deaths_stands_beside_and_is_higher():
    for variable in PROGRESSION.causes:
        found = numbers_of(make_cohort(98, 7)[0], group="all", variable=variable)
        assert found["one_minus_km_24m"] > found["incidence_24m"] + 10


def test_two_of_four_worked_by_hand():
    # One of four progresses at 5, one dies at 10; of the two left one progresses at 20.
    cohort = cohort_of(
        """
        patient_id | pfs_months | has_progressed | has_progressed_or_died
        -----------+------------+----------------+-----------------------
        1          | 5          | T              | T
        2          | 10         | F              | T
        3          | 20         | T              | T
        4          | 30         | F              | F
        5          | 30         |                |
        """
    )
    progression = numbers_of(cohort, group="all", variable="progression")
    assert (progression["n"], progression["events"]) == (4, 2)
    assert progression["incidence_24m"] == pytest.approx(50)
    # Censored at 10: 3/4 x 1/2 stay without.
    assert progression["one_minus_km_24m"] == pytest.approx(62.5)
    assert numbers_of(cohort, group="all", variable="death_before_progression")["incidence_24m"] == 25


def test_recovery_is_counted_from_the_onset_of_asl_and_death_precludes_it():
    found = followed_days(
        RECOVERY,
        """
        patient_id | has_asl | asl_onset_months | recovery_months    | os_months         | has_died
        -----------+---------+------------------+--------------------+-------------------+---------
        recovers   | T       | 0.5              | 2.5                | 10                | T
        dies       | T       | 0.5              |                    | 10                | T
        alive      | T       | 0.5              |                    | 10                | F
        after      | T       | 0.5              | 12                 | 10                | F
        too late   | T       | 0.5              | 12                 | 10                | T
        lost       | T       | 1                |                    | 0.5               | F
        unknown    | T       | 1                | 2                  |                   |
        no asl     | F       |                  |                    | 10                | F
        """,
    )
    assert found == [(61, 1), (289, 2), (289, 0), (350, 1), (289, 2), (0, 0)]


def test_equal_numbers_of_days_tie_whatever_the_onset():
    rows = "\n".join(
        f"{day} | T | {day / DAYS_PER_MONTH} | {(day + 54) / DAYS_PER_MONTH} | 10 | F" for day in range(30)
    )
    header = "patient_id | has_asl | asl_onset_months | recovery_months | os_months | has_died\n"
    assert RECOVERY.follow(cohort_of(header + rows))["months"].n_unique() == 1


def test_the_curves_are_those_of_the_rows():
    study = estimate_competing_risks(make_cohort(98, 7)[0])
    assert study.curves.schema == INCIDENCE_SCHEMA
    assert study.curves.select("group", "cause").unique().height == 8
    at = study.curves.filter(pl.col("time_months") <= 24, group="all", cause="progression")[
        "incidence_percent"
    ][-1]
    assert at == pytest.approx(
        numbers_of(make_cohort(98, 7)[0], group="all", variable="progression")["incidence_24m"]
    )


def test_groups_formed_after_time_0_are_warned_of():
    definitions = rows_of(make_cohort()[0]).select("group", "variable", "definition").unique()
    warned = definitions.filter(pl.col("definition").str.contains("immortal time"))
    assert set(warned["group"]) == {"asl", "no_asl"}
    assert not warned["variable"].str.contains("recovery").any()


def test_a_group_of_nobody_keeps_its_rows_with_the_reason():
    cohort, _ = make_cohort()
    frame = rows_of(cohort.filter(~pl.col("has_asl"))).filter(group="asl")
    assert (frame.height, frame["value"].null_count()) == (24, 24)
    assert frame["definition"].str.starts_with("Not estimated: nobody in the group has a time").all()


def test_a_short_follow_up_has_no_incidence_at_24_months():
    cohort = cohort_of(
        """
        patient_id | pfs_months | has_progressed | has_progressed_or_died
        1          | 5          | T              | T
        2          | 10         | F              | F
        """
    )
    rows = rows_of(cohort).filter(group="all", variable="progression", statistic="incidence_24m")
    assert rows["value"].item() is None
    assert rows["definition"].item().startswith("Not estimated: follow-up ends before 24 months")


def test_the_order_of_the_patients_does_not_matter():
    cohort, _ = make_cohort()
    assert estimate_competing_risks(cohort).rows == estimate_competing_risks(cohort.reverse()).rows
