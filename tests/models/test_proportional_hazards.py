"""The test of proportional hazards against a hand-worked case, R's cox.zph and laws."""

import numpy as np
import polars as pl
import pytest

from models.survival.proportional_hazards import check_proportional_hazards
from tests.models.cox_cases import CHANGING, EVERYWHERE, TIES, followed, followed_with_onset, in_r
from tests.reference.expected import assert_same
from transforms.errors import NotEstimableError


def assert_is_rs(checked, case):
    of_r = in_r(case)
    assert_same(vars(checked.all_together), of_r.pop("GLOBAL"))
    assert list(checked.by_variable) == list(of_r)
    for name, numbers in of_r.items():
        assert_same(vars(checked.by_variable[name]), numbers)


def test_a_score_test_worked_by_hand():
    # x = 1, 0, 0, 1 die in turn, the last censored: h/(2h+2), 1/(h+2), 1/(h+1). With Kaplan-Meier's scale
    # 0, 1/4, 1/2 less its mean: g = -1/4, 0, 1/4. At the top 1 = 2q + r with q = h/(h+1), r = h/(h+2), so
    # h^2 + h = 1.
    x = pl.DataFrame({"x": [1.0, 0, 0, 1]})
    checked = check_proportional_hazards(x, np.arange(1.0, 5), np.array([True, True, True, False]))
    h = (np.sqrt(5) - 1) / 2
    q, r = h / (h + 1), h / (h + 2)
    score = -1 / 4 * (1 - q) + 1 / 4 * (0 - q)
    plain, linear, square = 2 * q * (1 - q) + r * (1 - r), 0, 2 * q * (1 - q) / 16
    assert 2 * q + r == pytest.approx(1)
    expected = score**2 / (square - linear**2 / plain)
    assert checked.by_variable["x"].chi_square == pytest.approx(expected)
    assert checked.all_together == checked.by_variable["x"]


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_each_variable_and_all_together_are_rs_cox_zph(name, ties):
    data = followed(name)
    checked = check_proportional_hazards(data.covariates, data.durations, data.events, ties=ties)
    assert_is_rs(checked, f"{name}_{ties}_zph")


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", CHANGING)
def test_with_a_state_that_begins_it_is_rs_cox_zph(name, ties):
    data, split = followed_with_onset(name)
    checked = check_proportional_hazards(
        data.covariates, data.durations, data.events, ties=ties, start=split.start
    )
    assert_is_rs(checked, f"{name}_{ties}_td_zph")


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_rows_and_units_do_not_matter(seed):
    data = followed("cohort_quarters")
    order = np.random.default_rng(seed).permutation(len(data.events))
    other_units = data.covariates[order] * 1000
    first = check_proportional_hazards(data.covariates, data.durations, data.events)
    second = check_proportional_hazards(other_units, data.durations[order] ** 3, data.events[order])
    for name, test in first.by_variable.items():
        assert second.by_variable[name].chi_square == pytest.approx(test.chi_square, rel=1e-8)


def test_hazards_that_cross_are_found_and_proportional_ones_let_be():
    rng = np.random.default_rng(4)
    x = np.repeat([0.0, 1], 500)
    proportional = rng.exponential(np.where(x == 1, 5, 10))
    crossing = 10 * rng.weibull(np.where(x == 1, 0.6, 2.0))
    died = np.full(1000, True)
    covariates = pl.DataFrame({"x": x})
    assert check_proportional_hazards(covariates, proportional, died).all_together.p > 0.01
    assert check_proportional_hazards(covariates, crossing, died).all_together.p < 1e-6


def test_events_at_one_time_cannot_tell_a_trend():
    with pytest.raises(NotEstimableError, match="all events happen at one time"):
        check_proportional_hazards(
            pl.DataFrame({"x": [1.0, 0, 1, 0]}),
            np.array([2.0, 2, 3, 3]),
            np.array([True, True, False, False]),
        )


def test_without_events_nothing_is_tested():
    with pytest.raises(NotEstimableError, match="no events among 4"):
        check_proportional_hazards(pl.DataFrame({"x": [1.0, 0, 1, 0]}), np.arange(1.0, 5), np.full(4, False))


def test_a_last_event_that_nobody_else_lives_to_see_tells_no_trend():
    times, events = np.array([1.0, 2, 2, 2, 3]), np.array([True, False, False, False, True])
    with pytest.raises(NotEstimableError, match="the events are too few to tell a trend with time"):
        check_proportional_hazards(pl.DataFrame({"x": [2.0, 0, 1, 3, 5]}), times, events)
