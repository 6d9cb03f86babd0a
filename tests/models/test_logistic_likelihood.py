"""The logistic likelihood: by hand, by differences, far out, and for a million patients."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.likelihood import maximise
from models.logistic_likelihood import ROWS_AT_ONCE, LogisticLikelihood
from tests.models.logistic_cases import TOGETHER, cohort_case
from tests.reference.expected import expected
from transforms.errors import NotEstimableError

FOUR = LogisticLikelihood(np.array([[0.0], [0.0], [1.0], [1.0]]), np.array([False, True, True, True]))


def test_value_score_and_information_worked_by_hand():
    # At 0 everyone's probability is one half; x is -1/2, -1/2, 1/2, 1/2 about its mean.
    here = FOUR.evaluate(np.zeros(2))
    assert here.log_likelihood == pytest.approx(4 * np.log(0.5))
    assert here.score.tolist() == [1.0, 0.5]
    assert here.information.tolist() == [[1.0, 0.0], [0.0, 0.25]]


def test_the_maximum_without_variables_is_the_log_odds():
    assert FOUR.null_coefficients().tolist() == pytest.approx([np.log(3), 0])
    assert FOUR.evaluate(FOUR.null_coefficients()).score[0] == pytest.approx(0)


def test_its_maximum_is_rs():
    case, of_r = cohort_case(TOGETHER), expected("logistic_together")
    likelihood = case.logistic()
    top = maximise(likelihood)
    assert top.coefficients[1:] == pytest.approx([of_r[word]["coefficient"] for word in TOGETHER], rel=1e-9)
    assert likelihood.intercept_at_zero(top.coefficients) == pytest.approx(
        of_r["model"]["intercept"], rel=1e-9
    )
    assert top.at.log_likelihood == pytest.approx(of_r["model"]["log_likelihood"], rel=1e-12)


@settings(max_examples=30, deadline=None)
@given(point=st.lists(st.floats(-3, 3), min_size=3, max_size=3))
def test_the_score_is_the_values_slope_and_the_information_the_scores(point):
    rng = np.random.default_rng(1)
    likelihood = LogisticLikelihood(rng.normal(size=(30, 2)), rng.random(30) < 0.4)
    at, step = np.array(point), 1e-5
    for place, change in enumerate(np.eye(3) * step):
        up, down = likelihood.evaluate(at + change), likelihood.evaluate(at - change)
        here = likelihood.evaluate(at)
        slope = (up.log_likelihood - down.log_likelihood) / (2 * step)
        assert here.score[place] == pytest.approx(slope, abs=1e-6)
        assert here.information[place] == pytest.approx((down.score - up.score) / (2 * step), abs=1e-6)


@pytest.mark.filterwarnings("error")
def test_a_linear_predictor_of_a_million_is_no_trouble():
    far = FOUR.evaluate(np.array([0.0, 2e6]))
    # The one patient on the wrong side loses the million.
    assert far.log_likelihood == -1e6
    assert far.score.tolist() == [1.0, -0.5]
    assert far.information.tolist() == [[0.0, 0.0], [0.0, 0.0]]


def test_a_far_off_origin_costs_no_digits():
    rng = np.random.default_rng(2)
    x, outcome = rng.integers(0, 9, size=(50, 1)) / 8, rng.random(50) < 0.5
    near, far = (maximise(LogisticLikelihood(x + shift, outcome)) for shift in (0, 2.0**30))
    assert far.coefficients[1] == pytest.approx(near.coefficients[1], rel=1e-10)


def test_many_blocks_sum_to_what_one_has():
    rng = np.random.default_rng(3)
    x, outcome = rng.normal(size=(ROWS_AT_ONCE // 2, 2)), rng.random(ROWS_AT_ONCE // 2) < 0.3
    once = LogisticLikelihood(x, outcome).evaluate(np.array([0.1, 0.2, -0.3]))
    thrice = LogisticLikelihood(np.tile(x, (3, 1)), np.tile(outcome, 3)).evaluate(np.array([0.1, 0.2, -0.3]))
    assert thrice.log_likelihood == pytest.approx(3 * once.log_likelihood)
    assert thrice.score == pytest.approx(3 * once.score)
    assert thrice.information == pytest.approx(3 * once.information, rel=1e-9, abs=1e-6)


def test_one_outcome_only_has_no_likelihood():
    with pytest.raises(NotEstimableError, match="all 3 complete patients have the same outcome"):
        LogisticLikelihood(np.zeros((3, 1)), np.full(3, True))
