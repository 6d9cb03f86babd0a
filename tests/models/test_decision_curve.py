"""Net benefit over thresholds: cases worked by hand, R's numbers and laws."""

import numpy as np
import polars as pl
import pytest

from models.prediction.decision_curve import THRESHOLDS, estimate_decision_curve
from tests.models.prediction_scores import SCORED, drawn, in_r, scored
from tests.reference.expected import assert_same
from transforms.errors import NotEstimableError

# Worked by hand


def test_ten_patients_worked_by_hand():
    has_event = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0], dtype=bool)
    probability = np.array([0.9, 0.5, 0.1, 0.6, 0.5, 0.2, 0.1, 0.1, 0.05, 0.0])
    # At 0.2: 2 events and 3 others treated, odds 1/4. At 0.5, which is treated: 2 and 2, odds 1.
    found = estimate_decision_curve(has_event, probability, thresholds=(0.2, 0.5))
    assert found["n_treated"].to_list() == [5, 4]
    assert found["n_true_positive"].to_list() == [2, 2]
    assert found["net_benefit"].to_list() == pytest.approx([(2 - 3 / 4) / 10, 0.0])
    assert found["net_benefit_treat_all"].to_list() == pytest.approx([0.3 - 0.7 / 4, 0.3 - 0.7])
    assert found["net_benefit_treat_none"].to_list() == [0, 0]


def test_the_interval_of_four_patients_worked_by_hand():
    has_event, probability = np.array([True, True, False, False]), np.array([0.9, 0.1, 0.8, 0.2])
    # Worth 1, 0, -1 and 0: mean 0, variance 2/3.
    found = estimate_decision_curve(has_event, probability, thresholds=(0.5,))
    assert found["net_benefit_high"][0] == pytest.approx(1.959963984540054 * np.sqrt(2 / 3 / 4))


# R's numbers


@pytest.mark.parametrize("name", SCORED)
@pytest.mark.parametrize("how", ["decision", "clustered_decision"])
def test_net_benefits_are_rs(name, how):
    of = scored(name)
    clusters = None if how == "decision" else of.clusters
    found = estimate_decision_curve(
        of.has_event, of.probability, thresholds=(0.1, 0.3, 0.5), clusters=clusters
    )
    for row, threshold in enumerate(("0.1", "0.3", "0.5")):
        assert_same(found.row(row, named=True), in_r(f"{name}_{how}")[threshold])


# Laws


def test_a_perfect_model_is_worth_the_prevalence_at_every_threshold():
    has_event, _ = drawn(seed=1)
    found = estimate_decision_curve(has_event, has_event.astype(float))
    assert found["net_benefit"].to_numpy() == pytest.approx(has_event.mean())


def test_one_high_probability_for_all_is_treating_all():
    has_event, _ = drawn(seed=2)
    found = estimate_decision_curve(has_event, np.full(400, 0.99))
    assert found["net_benefit"].to_numpy() == pytest.approx(found["net_benefit_treat_all"].to_numpy())


def test_right_probabilities_are_never_worth_less_than_treating_all_or_none():
    found = estimate_decision_curve(*drawn(seed=3, n=100_000))
    others = found.select(pl.max_horizontal("net_benefit_treat_all", "net_benefit_treat_none")).to_series()
    assert (found["net_benefit"] >= others).all()


def test_rows_said_twice_tell_no_more():
    has_event, probability = drawn(seed=4)
    once = estimate_decision_curve(has_event, probability)
    patients = np.tile(np.arange(400), 2)
    twice = estimate_decision_curve(np.tile(has_event, 2), np.tile(probability, 2), clusters=patients)
    for name in ("net_benefit", "net_benefit_low", "net_benefit_high", "net_benefit_treat_all"):
        assert twice[name].to_numpy() == pytest.approx(once[name].to_numpy(), rel=1e-9)
    assert twice["n_treated"].to_list() == (once["n_treated"] * 2).to_list()


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("clusters", [None, np.zeros(1)])
def test_one_patient_has_no_interval(clusters):
    found = estimate_decision_curve(np.array([True]), np.array([0.5]), clusters=clusters)
    assert found["net_benefit_low"].null_count() == len(THRESHOLDS)


def test_a_threshold_of_0_or_1_is_refused():
    for threshold in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="between 0 and 1"):
            estimate_decision_curve(*drawn(seed=5), thresholds=(threshold,))


def test_nobody_at_all_is_not_estimable():
    with pytest.raises(NotEstimableError):
        estimate_decision_curve(np.array([], dtype=bool), np.array([]))
