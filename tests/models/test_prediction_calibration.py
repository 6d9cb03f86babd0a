"""Calibration curves and groups of predicted probabilities: cases worked by hand, R's numbers and laws."""

import numpy as np
import pytest

from models.functional_form import spline_term
from models.prediction.calibration import (
    _spline_term,
    calibration_points,
    calibration_slope,
    fit_calibration_curve,
    log_odds,
)
from tests.models.prediction_scores import SCORED, drawn, drawn_of_patients, in_r, scored
from tests.reference.expected import assert_same
from transforms.errors import NotEstimableError

# R's numbers


@pytest.mark.parametrize("name", SCORED)
@pytest.mark.parametrize("how", ["curve", "clustered_curve"])
def test_the_curve_and_its_band_are_rs(name, how):
    of = scored(name)
    clusters = None if how == "curve" else of.clusters
    points = fit_calibration_curve(of.has_event, of.probability, clusters=clusters).points(n_points=7)
    for place, row in zip("123", (1, 3, 5), strict=True):
        assert_same(points.row(row, named=True), in_r(f"{name}_{how}")[place])


# Laws


def test_the_spline_is_that_of_the_study():
    values = np.random.default_rng(1).normal(size=98)
    knots = np.quantile(values, (0.1, 0.5, 0.9))
    assert _spline_term(values, knots) == pytest.approx(spline_term(values), rel=1e-12)


def test_a_curve_of_right_probabilities_is_nearly_the_diagonal():
    points = fit_calibration_curve(*drawn(seed=2, n=40_000)).points()
    assert points["observed"].to_numpy() == pytest.approx(points["predicted"].to_numpy(), abs=0.02)
    assert points.height == 50


def test_the_band_is_around_the_curve_and_wider_by_patients():
    has_event, probability, patients = drawn_of_patients(seed=3)
    by_rows = fit_calibration_curve(has_event, probability).points()
    by_patients = fit_calibration_curve(has_event, probability, clusters=patients).points()
    width = [(points["observed_high"] - points["observed_low"]).mean() for points in (by_rows, by_patients)]
    assert (by_rows["observed"] == by_patients["observed"]).all()
    assert (
        (by_rows["observed_low"] < by_rows["observed"]) & (by_rows["observed"] < by_rows["observed_high"])
    ).all()
    assert width[1] > 1.5 * width[0]


def test_distances_are_those_of_probabilities_that_are_half_of_what_they_should_be():
    has_event, probability = drawn(seed=4, n=200_000)
    curve = fit_calibration_curve(has_event, probability / 2)
    assert curve.ici == pytest.approx(0.25, abs=0.01)
    assert curve.quantile(0.5) == pytest.approx(0.25, abs=0.01)
    assert curve.quantile(0.9) == pytest.approx(0.02 / 2 + 0.96 / 2 * 0.9, abs=0.02)


def test_certain_probabilities_have_log_odds():
    assert np.isfinite(log_odds(np.array([0.0, 1e-300, 1.0]))).all()


@pytest.mark.parametrize(
    ("has_event", "probability"),
    [
        ([0, 0, 0, 1, 1, 1], [0.1, 0.2, 0.3, 0.5, 0.6, 0.7]),  # one class above the other
        ([0, 0, 1, 1, 0, 0], [0.1, 0.2, 0.3, 0.5, 0.6, 0.7]),  # one class between the other
        ([0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0], np.arange(1, 13) / 20),  # no event up to the outer knot
    ],
)
def test_a_curve_without_a_maximum_is_not_estimable(has_event, probability):
    with pytest.raises(NotEstimableError):
        fit_calibration_curve(np.array(has_event, dtype=bool), np.array(probability))


@pytest.mark.parametrize("probability", [[0.2, 0.2, 0.2, 0.6, 0.6, 0.6], [0.2, 0.2, 0.2, 0.2, 0.2, 0.6]])
def test_a_curve_through_two_points_is_not_estimable(probability):
    with pytest.raises(NotEstimableError, match="too few distinct"):
        fit_calibration_curve(np.array([0, 1, 0, 1, 0, 1], dtype=bool), np.array(probability))


@pytest.mark.parametrize("flip", [False, True])
def test_a_slope_of_separated_classes_is_not_estimable(flip):
    has_event = np.array([False, False, True, True]) ^ flip
    with pytest.raises(NotEstimableError, match="separate"):
        calibration_slope(has_event, np.array([0.1, 0.3, 0.3, 0.9]))


# Groups


def test_calibration_groups_are_of_equal_size_and_hold_everyone_once():
    has_event, probability = drawn(seed=6, n=98)
    points = calibration_points(has_event, probability)
    assert points["n"].to_list() == [20, 20, 20, 19, 19]
    assert points["n_events"].sum() == has_event.sum()
    assert points["predicted"].is_sorted()
    assert (points["n"] * points["predicted"]).sum() == pytest.approx(probability.sum())


def test_equal_probabilities_stay_in_one_group_whatever_the_order_of_the_rows():
    has_event, probability = drawn(seed=7, n=98)
    tied = probability.round(1)
    mixed = np.random.default_rng(7).permutation(98)
    points = calibration_points(has_event, tied)
    again = calibration_points(has_event[mixed], tied[mixed])
    assert again.to_numpy() == pytest.approx(points.to_numpy(), rel=1e-12)
    assert points["group"].to_list() == list(range(1, points.height + 1))
    assert points["n"].sum() == 98


def test_a_group_without_events_has_wilsons_interval():
    points = calibration_points(np.array([False] * 10), np.linspace(0.1, 0.2, 10), n_groups=1)
    low, high = points.select("observed_low", "observed_high").row(0)
    assert low == pytest.approx(0)
    assert high == pytest.approx(0.27753, abs=1e-5)  # 3.8415 / (10 + 3.8415)


def test_an_interval_of_rows_is_that_of_as_many_patients():
    once = calibration_points(np.array([False] * 10), np.linspace(0.1, 0.2, 10), n_groups=1)
    rows = np.repeat(np.linspace(0.1, 0.2, 10), 4)
    found = calibration_points(np.array([False] * 40), rows, n_groups=1, clusters=np.repeat(np.arange(10), 4))
    assert found["n"].to_list() == [40]
    assert found["observed_high"].to_list() == once["observed_high"].to_list()


def test_fewer_patients_than_groups_make_fewer_groups():
    has_event, probability = np.array([True, False, True, False]), np.array([0.8, 0.4, 0.3, 0.1])
    assert calibration_points(has_event, probability)["n"].to_list() == [1, 1, 1, 1]
