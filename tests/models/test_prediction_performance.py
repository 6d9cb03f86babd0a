"""Figures of predicted probabilities: cases worked by hand, R's numbers, laws, patients with several rows."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import norm

from models.prediction.clustered_auc import estimate_auc, patients_of
from models.prediction.performance import estimate_performance, performance_from_numbers
from tests.models.prediction_scores import SCORED, drawn, drawn_of_patients, in_r, scored
from tests.reference.expected import assert_same
from transforms.errors import NotEstimableError

HAS_EVENT = np.array([True, False, True, False])
PROBABILITY = np.array([0.8, 0.4, 0.3, 0.1])


# Worked by hand


def test_four_patients_worked_by_hand():
    found = estimate_performance(HAS_EVENT, PROBABILITY)
    assert (found.n, found.n_events, found.n_non_events) == (4, 2, 2)
    assert found.auc == 3 / 4  # of four pairs, only 0.3 against 0.4 is the wrong way round
    assert found.brier == pytest.approx((0.04 + 0.16 + 0.49 + 0.01) / 4)
    assert found.scaled_brier == pytest.approx(1 - 0.175 / 0.25)
    assert found.log_loss == pytest.approx(-(math.log(0.8 * 0.6 * 0.3 * 0.9)) / 4)


def test_an_area_of_patients_worked_by_hand():
    # Events .9 (a), .4 (b); others .5 (a), .3 (b), .2 (c). Shares won: 1 and 2/3; 1/2, 1 and 1; area 5/6.
    found = estimate_auc(
        np.array([True, True, False, False, False]),
        np.array([0.9, 0.4, 0.5, 0.3, 0.2]),
        clusters=np.array(["a", "b", "a", "b", "c"]),
    )
    of_events, of_others = 2 * 2 * (1 / 12) ** 2, 3 / 2 * (2 * (1 / 18) ** 2 + (1 / 9) ** 2)
    of_both = 2 * 3 / 2 * (1 / 12 * -1 / 9 + -1 / 12 * 1 / 18)
    reach = norm.ppf(0.975) * math.sqrt(of_events + of_others + of_both)
    assert (found.value, found.ci_low) == pytest.approx((5 / 6, 5 / 6 - reach))
    assert found.ci_high == min(1.0, 5 / 6 + reach)


# R's numbers


@pytest.mark.parametrize("name", SCORED)
def test_figures_are_rs(name):
    of = scored(name)
    assert_same(estimate_performance(of.has_event, of.probability).as_numbers(), in_r(name)["figures"])


@pytest.mark.parametrize("name", SCORED)
def test_figures_of_patients_with_several_rows_are_rs(name):
    of = scored(name)
    found = estimate_performance(of.has_event, of.probability, clusters=of.clusters)
    assert_same(found.as_numbers(), in_r(name)["clustered"])


# Laws


def test_true_probabilities_are_seen_to_be_right():
    found = estimate_performance(*drawn(seed=2, n=40_000))
    assert found.calibration_slope == pytest.approx(1, abs=0.05)
    assert found.calibration_intercept == pytest.approx(0, abs=0.05)
    assert max(found.ici, found.e50, found.e90) < 0.01


def test_probabilities_pushed_to_the_extremes_have_a_slope_below_1():
    has_event, probability = drawn(seed=3)
    pushed = 1 / (1 + ((1 - probability) / probability) ** 2)
    found, usual = estimate_performance(has_event, pushed), estimate_performance(has_event, probability)
    assert found.calibration_slope == pytest.approx(usual.calibration_slope / 2, rel=1e-9)
    assert found.calibration_slope_high == pytest.approx(usual.calibration_slope_high / 2, rel=1e-9)
    assert (found.auc, found.auc_low) == (usual.auc, usual.auc_low)
    assert found.ici > usual.ici


def test_probabilities_that_are_too_low_have_an_intercept_above_0():
    has_event, probability = drawn(seed=4)
    found = estimate_performance(has_event, probability / 2)
    assert found.calibration_intercept_low > 0.5


def test_the_prevalence_for_nearly_all_has_a_scaled_brier_score_of_0():
    has_event, _ = drawn(seed=5)
    nearly = np.full(400, has_event.mean()) + np.linspace(-1e-9, 1e-9, 400)
    assert estimate_performance(has_event, nearly).scaled_brier == pytest.approx(0, abs=1e-8)


@pytest.mark.parametrize("with_clusters", [False, True])
def test_the_order_of_the_rows_does_not_matter(with_clusters):
    has_event, probability, patients = drawn_of_patients(seed=6)
    mixed = np.random.default_rng(6).permutation(len(has_event))
    clusters = (patients, patients[mixed]) if with_clusters else (None, None)
    found = estimate_performance(has_event, probability, clusters=clusters[0]).as_numbers()
    again = estimate_performance(has_event[mixed], probability[mixed], clusters=clusters[1]).as_numbers()
    assert again == pytest.approx(found, rel=1e-10)


# Patients with several rows


def test_patients_with_one_row_each_have_delongs_interval():
    has_event, probability = drawn(seed=7, n=98)
    alone, named = (
        estimate_performance(has_event, probability, clusters=clusters)
        for clusters in (None, np.array([f"SITE-A/{i}" for i in range(98)]))
    )
    assert (named.auc, named.auc_low, named.n_patients) == pytest.approx((alone.auc, alone.auc_low, 98))
    assert named.n_patients_with_event == alone.n_patients_with_event == has_event.sum()


def test_rows_said_five_times_over_tell_no_more():
    has_event, probability = drawn(seed=8, n=98)
    patients = np.tile(np.arange(98), 5)
    found = estimate_performance(np.tile(has_event, 5), np.tile(probability, 5), clusters=patients)
    once = estimate_performance(has_event, probability, clusters=np.arange(98))
    assert (found.n, found.n_patients, found.n_patients_without_event) == (490, 98, 98 - has_event.sum())
    for name in ("auc", "calibration_slope", "calibration_intercept"):
        for part in ("", "_low", "_high"):
            assert getattr(found, name + part) == pytest.approx(getattr(once, name + part), rel=1e-9)


def test_intervals_hold_the_truth_by_patients_and_not_by_rows():
    truth = norm.cdf(1 / math.sqrt(2 * 1.25))
    held = {"by rows": 0, "by patients": 0, "slope": 0}
    for seed in range(100):
        has_event, probability, patients = drawn_of_patients(seed)
        by_rows = estimate_auc(has_event, probability)
        found = estimate_performance(has_event, probability, clusters=patients)
        held["by rows"] += by_rows.ci_low <= truth <= by_rows.ci_high
        held["by patients"] += found.auc_low <= truth <= found.auc_high
        held["slope"] += found.calibration_slope_low <= 1 <= found.calibration_slope_high
    assert held["by patients"] >= 90
    assert held["slope"] >= 88
    assert held["by rows"] < 80


def test_a_class_from_one_patient_has_an_area_without_limits():
    has_event = np.array([True, True, False, False, False])
    found = estimate_auc(has_event, np.array([0.9, 0.4, 0.5, 0.3, 0.2]), clusters=np.array([1, 1, 2, 3, 4]))
    assert (found.value, found.ci_low, found.ci_high) == (pytest.approx(5 / 6), None, None)


def test_rows_of_one_patient_only_have_no_intervals():
    has_event, probability = drawn(seed=9, n=30)
    found = estimate_performance(has_event, probability, clusters=np.zeros(30))
    assert found.calibration_slope is not None
    assert (found.auc_low, found.calibration_slope_low, found.calibration_intercept_low) == (None, None, None)


def test_a_patient_is_a_site_and_an_identifier():
    rows = pl.DataFrame(
        {"site": ["A", "B", "A", "A"], "patient_id": ["1", "1", "2", "1"], "week": [1, 1, 1, 2]}
    )
    assert patients_of(rows).tolist() == [0, 2, 1, 0]


# What cannot be estimated


def test_classes_that_do_not_overlap_have_no_slope_and_no_curve():
    found = estimate_performance(np.array([False, False, True, True]), np.array([0.1, 0.2, 0.7, 0.9]))
    assert (found.auc, found.calibration_slope, found.ici, found.e90) == (1, None, None, None)
    assert found.calibration_intercept is not None


def test_probabilities_that_hardly_vary_have_no_slope():
    has_event = np.array([True, False, True, False, False])
    found = estimate_performance(has_event, 0.3 + np.array([0, 0, 0, 2e-12, -1e-12]))
    assert (found.calibration_slope, found.ici) == (None, None)
    assert found.calibration_intercept is not None


def test_a_rule_of_two_probabilities_has_a_slope_and_no_curve():
    has_event, probability = drawn(seed=10)
    found = estimate_performance(has_event, np.where(probability > 0.5, 0.7, 0.2))
    assert found.calibration_slope is not None
    assert found.ici is None


def test_a_certain_and_wrong_probability_costs_much_but_not_infinitely_much():
    found = estimate_performance(HAS_EVENT, np.array([0.0, 0.4, 0.3, 1.0]))
    assert 10 < found.log_loss < 100
    assert all(math.isfinite(value) for value in found.as_numbers().values())


@pytest.mark.parametrize("seed", range(30))
def test_small_tied_and_extreme_data_give_numbers_or_nothing(seed):
    rng = np.random.default_rng(seed)
    n = int(rng.integers(3, 14))
    has_event = rng.permutation(np.arange(n) < rng.integers(1, n))
    probability = rng.choice([0.0, 1e-300, 0.2, 0.2000001, 0.5, 0.9, 1.0], n)
    probability[:2] = 0.1, 0.3
    for clusters in (None, rng.integers(0, 4, n)):
        found = estimate_performance(has_event, probability, clusters=clusters)
        assert all(math.isfinite(value) for value in found.as_numbers().values())
        assert found.ici is None or 0 <= found.ici <= 1


@pytest.mark.parametrize("has_event", [np.zeros(4, dtype=bool), np.ones(4, dtype=bool)])
@pytest.mark.parametrize("clusters", [None, np.arange(4)])
def test_one_class_only_is_not_estimable(has_event, clusters):
    with pytest.raises(NotEstimableError):
        estimate_performance(has_event, PROBABILITY, clusters=clusters)


@pytest.mark.parametrize("clusters", [None, np.arange(4)])
def test_one_probability_for_all_is_not_estimable(clusters):
    with pytest.raises(NotEstimableError):
        estimate_performance(HAS_EVENT, np.full(4, 0.4), clusters=clusters)


@pytest.mark.parametrize("probability", [[0.1, 0.2, 0.3], [0.1, 0.2, 0.3, 1.1], [0.1, 0.2, 0.3, math.nan]])
def test_what_is_no_probability_is_refused(probability):
    with pytest.raises(ValueError, match="is expected"):
        estimate_performance(HAS_EVENT, np.array(probability))


# As numbers


def test_figures_come_back_from_their_numbers():
    for found in (estimate_performance(*drawn(seed=5)), estimate_performance(HAS_EVENT, PROBABILITY)):
        assert performance_from_numbers(found.as_numbers() | {"apparent/auc": 0.9}) == found


def test_numbers_of_an_earlier_version_are_read():
    numbers = {
        "n": 98.0,
        "n_events": 41.0,
        "auc": 0.7,
        "brier": 0.2,
        "log_loss": 0.6,
        "calibration_slope": 0.9,
    }
    found = performance_from_numbers(numbers)
    assert (found.n, found.auc, found.calibration_slope) == (98, 0.7, 0.9)
    assert (found.ici, found.n_patients, found.auc_low) == (None, None, None)


def test_numbers_without_an_area_are_refused():
    with pytest.raises(KeyError):
        performance_from_numbers({"n": 98.0, "n_events": 41.0, "brier": 0.2, "log_loss": 0.6})


# Size


def test_a_million_rows_of_patients_take_seconds():
    has_event, probability, patients = drawn_of_patients(seed=11, n_patients=200_000)
    assert estimate_performance(has_event, probability, clusters=patients).n == 1_000_000
