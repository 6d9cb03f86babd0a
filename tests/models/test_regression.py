"""Logistic regression against hand-worked cases, R's numbers and laws."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from models.regression import fit_logistic
from models.variables import ASL_VARIABLES
from tests.reference.expected import (
    TOLERANCE,
    WORDS,
    assert_same,
    expected,
    read_cohort,
    read_third_party,
)
from transforms.errors import NotEstimableError

ALONE = [variable.word for variable in ASL_VARIABLES]
TOGETHER = ["uicc_ordinal" if word == "uicc_iii_iv" else word for word in ALONE]


def assert_fit_is_rs(fit, case: str, model: str) -> None:
    of_r = expected(case)
    for coefficient in fit.coefficients:
        numbers = {
            "coefficient": coefficient.estimate,
            "standard_error": coefficient.standard_error,
            "p": coefficient.p,
            "ratio": coefficient.ratio.value,
            "ci_low": coefficient.ratio.ci_low,
            "ci_high": coefficient.ratio.ci_high,
        }
        assert_same(numbers, of_r[coefficient.name])
    assert fit.intercept.estimate == pytest.approx(of_r[model]["intercept"], rel=TOLERANCE)
    assert fit.log_likelihood == pytest.approx(of_r[model]["log_likelihood"], rel=TOLERANCE)
    assert fit.likelihood_ratio == pytest.approx(of_r[model]["likelihood_ratio"], rel=1e-8)


def exposed_and_outcome(a: int, b: int, c: int, d: int):
    """A 2x2 table as rows: exposed with and without the outcome, unexposed with and without."""
    exposed = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    return pl.DataFrame({"exposed": exposed}), np.repeat([True, False, True, False], [a, b, c, d])


# Worked by hand


def test_a_2x2_table_gives_its_cross_product_and_woolfs_interval():
    # The study's cirrhosis: 24 of 45 with, 17 of 53 without; printed 2.42 (1.06 to 5.51), p 0.035.
    fit = fit_logistic(*exposed_and_outcome(24, 21, 17, 36))
    ratio = fit.coefficients[0].ratio
    reach = math.exp(1.959963984540054 * math.sqrt(1 / 24 + 1 / 21 + 1 / 17 + 1 / 36))
    assert ratio.value == pytest.approx(24 * 36 / (21 * 17))
    assert (ratio.ci_low, ratio.ci_high) == pytest.approx((ratio.value / reach, ratio.value * reach))
    assert [round(part, 2) for part in (ratio.value, ratio.ci_low, ratio.ci_high)] == [2.42, 1.06, 5.51]
    assert round(fit.coefficients[0].p, 3) == 0.035
    assert (fit.n, fit.events) == (98, 41)


def test_the_three_tests_of_a_2x2_table_worked_by_hand():
    # The score test is Pearson's chi-square; Wald's the square of z; the likelihood ratio twice the sum of
    # observed times log of observed over expected.
    table = np.array([[24, 21], [17, 36]])
    tests = fit_logistic(*exposed_and_outcome(*table.ravel())).tests
    by_margins = np.outer(table.sum(axis=1), table.sum(axis=0)) / 98
    assert tests.score.chi_square == pytest.approx(((table - by_margins) ** 2 / by_margins).sum())
    assert tests.wald.chi_square == pytest.approx(np.log(24 * 36 / (21 * 17)) ** 2 / (1 / table).sum())
    assert tests.likelihood_ratio.chi_square == pytest.approx(2 * (table * np.log(table / by_margins)).sum())


@pytest.mark.parametrize(
    ("table", "printed"),
    [
        ((8, 12, 33, 45), (0.91, 0.33, 2.47, 0.852)),
        ((33, 44, 8, 13), (1.22, 0.45, 3.28, 0.695)),
        ((24, 31, 17, 26), (1.18, 0.53, 2.66, 0.683)),
        ((7, 5, 34, 52), (2.14, 0.63, 7.3, 0.224)),
        ((27, 19, 14, 38), (3.86, 1.65, 9.01, 0.002)),
        ((14, 33, 27, 24), (0.38, 0.16, 0.87, 0.022)),
        ((34, 37, 7, 20), (2.63, 0.99, 6.99, 0.053)),
        ((33, 15, 8, 42), (11.55, 4.37, 30.52, 0.000)),
        ((35, 31, 6, 26), (4.89, 1.78, 13.44, 0.002)),
    ],
)
def test_the_studys_2x2_tables_give_its_printed_odds_ratios(table, printed):
    coefficient = fit_logistic(*exposed_and_outcome(*table)).coefficients[0]
    ratio = coefficient.ratio
    found = (ratio.value, ratio.ci_low, ratio.ci_high, coefficient.p)
    assert [round(part, 2) for part in found[:3]] == list(printed[:3])
    assert round(found[3], 3) == printed[3]


# R's numbers


@pytest.mark.parametrize("word", ALONE)
def test_a_model_of_one_variable_is_rs_glm(word):
    frame = read_cohort()
    fit = fit_logistic(frame.select(word), frame["has_asl"].to_numpy())
    assert_fit_is_rs(fit, "logistic_alone", f"model_{word}")


def test_a_model_of_16_variables_in_98_patients_is_rs_glm():
    frame = read_cohort()
    fit = fit_logistic(frame.select(TOGETHER), frame["has_asl"].to_numpy())
    assert_fit_is_rs(fit, "logistic_together", "model")


@pytest.mark.parametrize("name", ["lung", "pbc", "gbsg2"])
def test_real_data_give_rs_odds_ratios(name):
    frame = read_third_party(name)
    fit = fit_logistic(frame.select(WORDS[name]), frame["event"].to_numpy())
    assert_fit_is_rs(fit, f"{name}_logistic", "model")


def assert_tests_are_rs(fit, name: str) -> None:
    of_r = expected(name, of="logistic.csv")["model"]
    for kind in ("wald", "score", "likelihood_ratio"):
        test = getattr(fit.tests, kind)
        assert test.chi_square == pytest.approx(of_r[kind], rel=TOLERANCE)
        assert test.p == pytest.approx(chi2.sf(of_r[kind], of_r["degrees_of_freedom"]), rel=1e-8)
        assert test.degrees_of_freedom == of_r["degrees_of_freedom"]
    assert fit.likelihood_ratio == fit.tests.likelihood_ratio.chi_square


@pytest.mark.parametrize("word", ALONE)
def test_the_tests_of_a_model_of_one_variable_are_rs(word):
    frame = read_cohort()
    assert_tests_are_rs(fit_logistic(frame.select(word), frame["has_asl"].to_numpy()), f"tests_{word}")


def test_the_tests_of_a_model_of_16_variables_are_rs():
    frame = read_cohort()
    fit = fit_logistic(frame.select(TOGETHER), frame["has_asl"].to_numpy())
    assert_tests_are_rs(fit, "tests_together")


@pytest.mark.parametrize("name", ["lung", "pbc", "gbsg2"])
def test_the_tests_of_real_models_are_rs(name):
    frame = read_third_party(name)
    assert_tests_are_rs(fit_logistic(frame.select(WORDS[name]), frame["event"].to_numpy()), f"{name}_tests")


# Laws

ROWS = st.lists(st.tuples(st.booleans(), st.integers(-20, 20)), min_size=15, max_size=40)


def try_logistic(x, outcome):
    """The coefficient and its error, or nothing: the laws hold for what can be estimated."""
    try:
        coefficient = fit_logistic(pl.DataFrame({"x": x}), outcome).coefficients[0]
    except NotEstimableError:
        return ()
    return coefficient.estimate, coefficient.standard_error


def as_arrays(rows):
    outcome, x = zip(*rows, strict=True)
    return np.array(x, dtype=float), np.array(outcome)


@settings(max_examples=50, deadline=None)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, order):
    shuffled = try_logistic(*as_arrays(order.sample(rows, len(rows))))
    assert try_logistic(*as_arrays(rows)) == pytest.approx(shuffled, rel=1e-6, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(rows=ROWS, factor=st.sampled_from([0.01, -1.0, 1000.0]))
def test_a_scaled_variable_scales_its_coefficient(rows, factor):
    x, outcome = as_arrays(rows)
    scaled = tuple(part * factor for part in try_logistic(x * factor, outcome)[:1])
    assert scaled == pytest.approx(try_logistic(x, outcome)[:1], rel=1e-6, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(rows=ROWS)
def test_the_other_outcome_turns_the_sign(rows):
    x, outcome = as_arrays(rows)
    turned = tuple(-part for part in try_logistic(x, ~outcome)[:1])
    assert turned == pytest.approx(try_logistic(x, outcome)[:1], rel=1e-6, abs=1e-9)


@settings(max_examples=100, deadline=None)
@given(rows=ROWS)
def test_one_variable_is_estimable_exactly_where_the_outcomes_overlap(rows):
    x, outcome = as_arrays(rows)
    if outcome.all() or not outcome.any() or np.ptp(x) == 0:
        return
    with_outcome, without = x[outcome], x[~outcome]
    overlap = with_outcome.max() > without.min() and without.max() > with_outcome.min()
    assert bool(try_logistic(x, outcome)) == overlap


# What cannot be estimated


def test_a_variable_that_tells_the_outcome_for_sure_has_no_odds_ratio():
    outcome = np.array([True] * 5 + [False] * 5)
    with pytest.raises(NotEstimableError, match="separated by dose,"):
        fit_logistic(pl.DataFrame({"dose": np.where(outcome, 60.0, 100.0)}), outcome)


def test_a_level_in_which_all_have_the_outcome_has_no_odds_ratio():
    with pytest.raises(NotEstimableError, match="separated by exposed,"):
        fit_logistic(*exposed_and_outcome(6, 0, 20, 30))


def test_variables_that_separate_only_together_are_named():
    rng = np.random.default_rng(0)
    first, second, other = rng.normal(size=(3, 60))
    outcome = first + second > 0
    both = pl.DataFrame({"first": first, "second": second, "other": other})
    with pytest.raises(NotEstimableError, match="separated by first, second"):
        fit_logistic(both, outcome)
    assert fit_logistic(both.select("first", "other"), outcome).n == 60


def test_a_steep_but_finite_slope_is_estimated():
    x = np.linspace(0, 100, 200)
    outcome = x > 50
    outcome[[99, 100]] = outcome[[100, 99]]
    assert fit_logistic(pl.DataFrame({"x": x}), outcome).coefficients[0].ratio.value > 10


@pytest.mark.filterwarnings("error")
def test_a_nearly_certain_patient_is_fitted_without_a_warning():
    x = np.append(np.linspace(-1, 1, 40), 3000.0)
    outcome = np.append(np.arange(40) % 3 > 0, True) | (np.arange(41) > 30)
    assert np.isfinite(fit_logistic(pl.DataFrame({"x": x}), outcome).log_likelihood)


def test_one_outcome_only_is_not_fitted():
    with pytest.raises(NotEstimableError, match="all 8 complete patients have the same outcome"):
        fit_logistic(pl.DataFrame({"x": np.arange(8.0)}), np.full(8, False))


def test_a_constant_variable_is_named():
    with pytest.raises(NotEstimableError, match="dose: the same value in all 8"):
        fit_logistic(pl.DataFrame({"dose": [100.0] * 8}), np.array([True, False] * 4))


def test_too_few_patients_are_refused():
    with pytest.raises(NotEstimableError, match="3 complete patients are too few for 2"):
        fit_logistic(pl.DataFrame({"x": [1.0, 2, 3], "y": [0.0, 1, 0]}), np.array([True, False, True]))
