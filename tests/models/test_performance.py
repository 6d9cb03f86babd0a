"""Figures of predicted probabilities: cases worked by hand, statsmodels beside ours, laws."""

import math

import numpy as np
import pytest
import statsmodels.api as sm

from models.performance import calibration_points, estimate_performance, performance_from_numbers
from transforms.errors import NotEstimableError

HAS_EVENT = np.array([True, False, True, False])
PROBABILITY = np.array([0.8, 0.4, 0.3, 0.1])


def drawn(seed: int, n: int = 400) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0.02, 0.98, n)
    return rng.random(n) < probability, probability


def test_four_patients_worked_by_hand():
    found = estimate_performance(HAS_EVENT, PROBABILITY)
    assert (found.n, found.n_events, found.n_non_events) == (4, 2, 2)
    assert found.auc == 3 / 4  # of four pairs, only 0.3 against 0.4 is the wrong way round
    assert found.brier == pytest.approx((0.04 + 0.16 + 0.49 + 0.01) / 4)
    assert found.log_loss == pytest.approx(-(math.log(0.8 * 0.6 * 0.3 * 0.9)) / 4)


def test_calibration_is_that_of_logistic_regression_on_the_log_odds():
    has_event, probability = drawn(seed=1)
    log_odds = np.log(probability / (1 - probability))
    slope = sm.GLM(has_event, sm.add_constant(log_odds), family=sm.families.Binomial()).fit(tol=1e-12)
    in_the_large = sm.GLM(
        has_event, np.ones_like(log_odds), family=sm.families.Binomial(), offset=log_odds
    ).fit(tol=1e-12)
    found = estimate_performance(has_event, probability)
    assert found.calibration_slope == pytest.approx(slope.params[1], abs=1e-9)
    assert found.calibration_intercept == pytest.approx(in_the_large.params[0], abs=1e-9)


def test_true_probabilities_have_slope_1_and_intercept_0():
    found = estimate_performance(*drawn(seed=2, n=40_000))
    assert found.calibration_slope == pytest.approx(1, abs=0.05)
    assert found.calibration_intercept == pytest.approx(0, abs=0.05)


def test_probabilities_pushed_to_the_extremes_have_a_slope_below_1():
    has_event, probability = drawn(seed=3)
    log_odds = np.log(probability / (1 - probability))
    found = estimate_performance(has_event, 1 / (1 + np.exp(-2 * log_odds)))
    usual = estimate_performance(has_event, probability)
    assert found.calibration_slope == pytest.approx(usual.calibration_slope / 2, rel=1e-6)
    assert found.auc == usual.auc


def test_probabilities_that_are_too_low_have_an_intercept_above_0():
    has_event, probability = drawn(seed=4)
    assert estimate_performance(has_event, probability / 2).calibration_intercept > 0.5


def test_classes_that_do_not_overlap_have_no_slope():
    found = estimate_performance(np.array([False, False, True, True]), np.array([0.1, 0.2, 0.7, 0.9]))
    assert found.auc == 1
    assert found.calibration_slope is None


def test_probabilities_that_hardly_vary_have_no_slope():
    found = estimate_performance(HAS_EVENT, np.array([0.3, 0.3, 0.3, 0.3 + 1e-12]))
    assert found.calibration_slope is None
    assert found.calibration_intercept is not None


def test_a_certain_and_wrong_probability_costs_much_but_not_infinitely_much():
    found = estimate_performance(HAS_EVENT, np.array([0.0, 0.4, 0.3, 1.0]))
    assert math.isfinite(found.log_loss)
    assert found.log_loss > 10
    assert all(math.isfinite(value) for value in found.as_numbers().values())


@pytest.mark.parametrize("has_event", [np.zeros(4, dtype=bool), np.ones(4, dtype=bool)])
def test_one_class_only_is_not_estimable(has_event):
    with pytest.raises(NotEstimableError):
        estimate_performance(has_event, PROBABILITY)


def test_figures_come_back_from_their_numbers():
    for found in (estimate_performance(*drawn(seed=5)), estimate_performance(HAS_EVENT, PROBABILITY)):
        assert performance_from_numbers(found.as_numbers() | {"apparent/auc": 0.9}) == found


def test_calibration_groups_are_of_equal_size_and_hold_everyone_once():
    has_event, probability = drawn(seed=6, n=98)
    points = calibration_points(has_event, probability)
    assert points["n"].to_list() == [20, 20, 20, 19, 19]
    assert points["n_events"].sum() == has_event.sum()
    assert points["predicted"].is_sorted()
    assert (points["n"] * points["predicted"]).sum() == pytest.approx(probability.sum())


def test_a_group_without_events_has_wilsons_interval():
    points = calibration_points(np.array([False] * 10), np.linspace(0.1, 0.2, 10), n_groups=1)
    low, high = points.select("observed_low", "observed_high").row(0)
    assert low == pytest.approx(0)
    assert high == pytest.approx(0.27753, abs=1e-5)  # 3.8415 / (10 + 3.8415)


def test_fewer_patients_than_groups_make_fewer_groups():
    assert calibration_points(HAS_EVENT, PROBABILITY)["n"].to_list() == [1, 1, 1, 1]
