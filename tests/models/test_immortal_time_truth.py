"""Against known truth: intervals that ignore immortal time miss it, those that wait for the group cover it.

Three cohorts by seed; how often, over many, is `tests.benchmarks.guards`.
"""

from dataclasses import replace

import polars as pl
import pytest

from models.simulation.immortal_time import IMMORTAL_TIME_TRUTH, simulate_palliative
from models.study.immortal_time import estimate_immortal_time
from models.study.options import StudyOptions
from models.study.selected_model import COX_OS, select_model
from models.variables import ASL
from transforms.clinical import derive_cohort, derive_count_course, derive_monthly_counts

N = 600
NO_EFFECT = 0.0


@pytest.fixture(scope="module", params=[1, 2, 3])
def cohort(request):
    drawn = simulate_palliative(N, seed=request.param)
    course = derive_count_course(drawn.counts, drawn.patients)
    return derive_cohort(
        drawn.patients,
        course,
        derive_monthly_counts(course),
        cytokines=drawn.cytokines,
        follow_up=drawn.follow_up,
    )


@pytest.fixture(scope="module")
def log_ratio(cohort):
    """Log hazard ratio and its limits, by group and variable, as the night tells them."""
    has_recovered = pl.when("has_asl").then(pl.col("has_recovered").fill_null(value=False))
    classed = cohort.with_columns(has_recovered=has_recovered)
    selected = select_model(classed, replace(COX_OS, candidates=(ASL,)), StudyOptions())
    rows = estimate_immortal_time(classed, selected, StudyOptions())
    alone = pl.DataFrame(rows, orient="row").filter(pl.col("level") == "univariate")
    return {
        key: dict(frame.select("statistic", pl.col("value").log()).rows())
        for key, frame in alone.partition_by("group", "variable", as_dict=True).items()
    }


def covers(found, truth):
    return found["ci_low"] <= truth <= found["ci_high"]


def test_asl_taken_as_known_from_the_start_looks_less_deadly_than_it_is(log_ratio):
    found = log_ratio["naive", "asl"]
    assert found["ci_high"] < IMMORTAL_TIME_TRUTH.asl


def test_asl_that_begins_when_it_begins_has_its_true_hazard_ratio(log_ratio):
    assert covers(log_ratio["time_dependent", "asl"], IMMORTAL_TIME_TRUTH.asl)


def test_recovery_looks_protective_where_the_dead_count_as_not_recovered(log_ratio):
    assert log_ratio["naive", "recovered"]["ci_high"] < NO_EFFECT


@pytest.mark.parametrize("landmark", ["landmark_2m", "landmark_2_5m"])
def test_recovery_has_no_effect_among_those_alive_at_the_landmark(log_ratio, landmark):
    assert covers(log_ratio[landmark, "recovered"], NO_EFFECT)
