"""The spline's term and its test against hand-worked cases, R's numbers and laws."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.functional_form import linearity_test, spline_term
from models.logistic_likelihood import LogisticLikelihood
from tests.models.logistic_cases import CONTINUOUS, EVERYWHERE, case, in_r
from tests.reference.expected import assert_same
from transforms.errors import NotEstimableError

EVERY_WORD = [(name, word) for name in EVERYWHERE for word in CONTINUOUS[name]]


# Worked by hand


def test_a_term_worked_by_hand():
    # 0 to 10: the knots are 1, 5 and 9, so cubes are over 64 and the middle one counts twice.
    x = np.arange(11.0)
    expected = [0, 0, 1, 8, 27, 64, 125 - 2, 216 - 16, 343 - 54, 512 - 128, 729 - 250 + 1]
    assert spline_term(x) == pytest.approx(np.array(expected) / 64)


def test_a_term_is_a_straight_line_outside_of_the_outer_knots():
    term = spline_term(np.arange(101.0))
    assert (term[:11] == 0).all()
    assert np.diff(term[90:], 2) == pytest.approx(0, abs=1e-9)
    assert np.diff(term[10:90], 2).min() > 1e-4


# R's numbers


@pytest.mark.parametrize(("name", "word"), EVERY_WORD)
def test_logistic_tests_and_terms_are_rs(name, word):
    of = case(name)
    place = of.covariates.columns.index(word)
    test, term = linearity_test(of.matrix, place, build=of.logistic), spline_term(of.matrix[:, place])
    numbers = {"chi_square": test.chi_square, "p": test.p, "sum": term.sum(), "squares": (term**2).sum()}
    assert_same(numbers, in_r(f"{name}_form_logistic")[word])
    assert test.degrees_of_freedom == 1


@pytest.mark.parametrize(("name", "word"), EVERY_WORD)
def test_cox_tests_are_rs(name, word):
    of = case(name)
    test = linearity_test(of.matrix, of.covariates.columns.index(word), build=of.partial)
    assert_same({"chi_square": test.chi_square, "p": test.p}, in_r(f"{name}_form_cox")[word])


# Laws


@given(shift=st.integers(-1000, 1000), factor=st.sampled_from([1e-3, 7.0, 75_000.0]))
def test_a_term_moves_with_its_variable(shift, factor):
    x = np.geomspace(1, 100, 40)
    assert spline_term(x * factor + shift) == pytest.approx(spline_term(x) * factor, rel=1e-6, abs=1e-6)


def test_a_curved_effect_is_found_and_a_straight_one_is_not():
    rng = np.random.default_rng(5)
    x = rng.uniform(-2, 2, 2000)

    def p_of(log_odds):
        outcome = rng.random(2000) < 1 / (1 + np.exp(-log_odds))
        return linearity_test(x[:, None], 0, build=lambda matrix: LogisticLikelihood(matrix, outcome)).p

    assert p_of(x**2) < 1e-6
    assert p_of(x) > 0.01


# What cannot be estimated


@pytest.mark.parametrize("values", [[100.0] * 95 + [60.0, 70.0, 80.0], [0.0, 1.0] * 20])
def test_a_variable_of_nearly_one_value_has_no_curve(values):
    # A dose that is nearly always 100 Gy, and a yes or no.
    with pytest.raises(NotEstimableError, match="too few distinct values for a curve"):
        spline_term(np.array(values))


def test_a_curve_that_separates_the_outcome_is_refused():
    x = np.arange(40.0)
    outcome = (x < 10) | (x >= 30)
    with pytest.raises(NotEstimableError):
        linearity_test(x[:, None], 0, build=lambda matrix: LogisticLikelihood(matrix, outcome))
