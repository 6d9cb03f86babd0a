"""Cox's model under both tie rules against hand-worked cases, R's numbers and laws."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.survival.cox import fit_cox
from models.survival.partial_maximum import is_far_out
from models.variables import SURVIVAL_VARIABLES
from tests.models.cox_cases import EVERYWHERE, TIES, assert_model_is_rs, followed
from tests.reference.expected import read_cohort
from transforms.errors import NotEstimableError

ROWS = st.lists(st.tuples(st.integers(0, 6), st.booleans(), st.integers(-9, 9)), min_size=12, max_size=40)


def as_arrays(rows):
    times, events, x = zip(*rows, strict=True)
    return np.array(times, dtype=float), np.array(events), np.array(x, dtype=float)


def try_cox(x, times, events, ties):
    """The numbers of a fit, or nothing: the laws hold for what can be estimated."""
    try:
        fit = fit_cox(pl.DataFrame({"x": x}), times, events, ties=ties)
    except NotEstimableError:
        return ()
    tests = [test.chi_square for test in vars(fit.tests).values()]
    return fit.coefficients[0].estimate, fit.coefficients[0].standard_error, *tests


# Worked by hand


def test_two_tied_deaths_count_as_breslow_and_efron_say():
    # Of x = 1, 1, 0, 0 the first and third die together, the second later while the last one lives on. With
    # hazard ratio h the tied pair gives h / (2h + 2)^2 by Breslow, h / ((2h + 2) (1.5h + 1.5)) by Efron: both
    # are flat where the whole, times h / (h + 1), is: 2 - 2h/(h+1) - h/(h+1) = 0, so h = 2.
    covariates = pl.DataFrame({"x": [1.0, 1, 0, 0]})
    times, events = np.array([1.0, 2, 1, 3]), np.array([True, True, True, False])
    breslow, efron = (fit_cox(covariates, times, events, ties=ties) for ties in ("breslow", "efron"))
    assert breslow.coefficients[0].ratio.value == pytest.approx(2)
    assert efron.coefficients[0].ratio.value == pytest.approx(2)
    assert breslow.log_likelihood == pytest.approx(math.log(2 / 6**2 * 2 / 3))
    assert efron.log_likelihood == pytest.approx(math.log(2 / (6 * 4.5) * 2 / 3))


def test_the_three_tests_worked_by_hand():
    # As above by Breslow: at no effect the score is 2 - 3/2 and the information 3/4; at h = 2 it is 3 * 2/9.
    covariates = pl.DataFrame({"x": [1.0, 1, 0, 0]})
    times, events = np.array([1.0, 2, 1, 3]), np.array([True, True, True, False])
    tests = fit_cox(covariates, times, events, ties="breslow").tests
    assert tests.score.chi_square == pytest.approx(0.5**2 / 0.75)
    assert tests.wald.chi_square == pytest.approx(math.log(2) ** 2 * 2 / 3)
    assert tests.likelihood_ratio.chi_square == pytest.approx(2 * math.log((2 / 36 * 2 / 3) / (1 / 16 / 2)))
    assert tests.wald.p == pytest.approx(math.erfc(math.sqrt(tests.wald.chi_square / 2)))


# R's numbers


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("word", [variable.word for variable in SURVIVAL_VARIABLES])
def test_a_model_of_one_variable_is_rs(word, ties):
    frame = read_cohort()
    fit = fit_cox(frame.select(word), frame["os_months"].to_numpy(), frame["has_died"].to_numpy(), ties=ties)
    assert_model_is_rs(fit, f"cohort_alone_{ties}")


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_a_model_with_its_three_tests_is_rs(name, ties):
    data = followed(name)
    fit = fit_cox(data.covariates, data.durations, data.events, ties=ties)
    assert_model_is_rs(fit, f"{name}_{ties}")


# Laws


@pytest.mark.parametrize("ties", TIES)
@settings(max_examples=10, deadline=None)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, order, ties):
    times, events, x = as_arrays(rows)
    times_2, events_2, x_2 = as_arrays(order.sample(rows, len(rows)))
    again = try_cox(x_2, times_2, events_2, ties)
    assert try_cox(x, times, events, ties) == pytest.approx(again, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("ties", TIES)
@settings(max_examples=10, deadline=None)
@given(rows=ROWS, factor=st.sampled_from([1e-6, 7.0, 1e6]), shift=st.sampled_from([0.0, 1e3]))
def test_units_of_a_covariate_change_no_test(rows, factor, shift, ties):
    times, events, x = as_arrays(rows)
    plain, other = try_cox(x, times, events, ties), try_cox(x * factor + shift * factor, times, events, ties)
    assert other[2:] == pytest.approx(plain[2:], rel=1e-8, abs=1e-10)
    assert [part * factor for part in other[:2]] == pytest.approx(plain[:2], rel=1e-8, abs=1e-10)


@settings(max_examples=10, deadline=None)
@given(rows=ROWS)
def test_without_ties_the_two_rules_agree(rows):
    times, events, x = as_arrays(rows)
    apart = times + np.arange(len(times)) / 100
    breslow, efron = (try_cox(x, apart, events, ties) for ties in ("breslow", "efron"))
    assert breslow == pytest.approx(efron, rel=1e-9, abs=1e-12)


# What cannot be estimated, or only just


@pytest.mark.parametrize("ties", TIES)
def test_both_rules_refuse_the_same(ties):
    times, exposed = np.arange(1.0, 21), np.array([1.0, 0] * 10)
    with pytest.raises(NotEstimableError, match="no events among 20 patients"):
        fit_cox(pl.DataFrame({"x": exposed}), times, np.full(20, False), ties=ties)
    with pytest.raises(NotEstimableError, match="monotone likelihood along x "):
        fit_cox(pl.DataFrame({"x": exposed}), times, exposed == 0, ties=ties)
    with pytest.raises(NotEstimableError, match="x, again: collinear"):
        fit_cox(pl.DataFrame({"x": exposed, "again": 1 - exposed}), times, times > 5, ties=ties)
    with pytest.raises(NotEstimableError, match="dose: the same value"):
        fit_cox(pl.DataFrame({"dose": [100.0] * 20}), times, times > 5, ties=ties)


@pytest.mark.parametrize("ties", TIES)
def test_a_likelihood_that_many_variables_make_monotone_together_is_refused(ties):
    # Whoever dies has eight of ten signs, whoever lives two: each sign's ratio alone is believable.
    rng = np.random.default_rng(0)
    died = np.arange(60) % 2 == 0
    signs = np.array([rng.permutation(10) < (8 if dies else 2) for dies in died], dtype=float)
    covariates = pl.DataFrame({f"sign_{place}": signs[:, place] for place in range(10)})
    with pytest.raises(NotEstimableError, match="monotone likelihood along sign_0"):
        fit_cox(covariates, rng.exponential(5, 60).round(1), died, ties=ties)


def test_ratios_that_are_believable_alone_are_doubted_where_they_add_up():
    matrix = np.array([[0.0, 0], [1, 1], [1, 0]])
    assert is_far_out(matrix, np.array([10.0, 10.0]))
    assert not is_far_out(matrix, np.array([10.0, -10.0]))


@pytest.mark.parametrize("ties", TIES)
def test_a_variable_that_differs_only_in_those_who_left_before_the_first_event_is_named(ties):
    times = np.arange(1.0, 21)
    left_early = pl.DataFrame({"age": np.sin(times), "left": times < 3})
    with pytest.raises(NotEstimableError, match=r"^left: the same value in all who are at risk together"):
        fit_cox(left_early, times, times > 4, ties=ties)


@pytest.mark.parametrize("ties", TIES)
def test_variables_that_are_collinear_among_those_at_risk_are_named(ties):
    times = np.arange(1.0, 21)
    x = np.sin(times)
    twins = pl.DataFrame({"age": np.cos(times), "x": x, "twin": x + (times < 3) + 1e-8 * np.sin(9 * times)})
    with pytest.raises(NotEstimableError, match=r"^x, twin: collinear among those at risk"):
        fit_cox(twins, times, times > 4, ties=ties)


@pytest.mark.parametrize("ties", TIES)
def test_one_event_is_enough_where_it_has_company_on_both_sides(ties):
    covariates = pl.DataFrame({"x": [0.0, 1, 2, 3, 5]})
    fit = fit_cox(covariates, np.full(5, 3.0), np.arange(5) == 2, ties=ties)
    # At the top the mean at risk is the dying's own value.
    weights = np.exp(fit.coefficients[0].estimate * covariates["x"].to_numpy())
    assert weights @ covariates["x"].to_numpy() / weights.sum() == pytest.approx(2)


@pytest.mark.parametrize("ties", TIES)
def test_a_covariate_with_a_few_enormous_values_is_estimated(ties):
    rng = np.random.default_rng(3)
    x, times, died = np.exp(rng.normal(5, 3.5, 98)), rng.exponential(10, 98), rng.random(98) < 0.6
    as_it_is, in_millions = try_cox(x, times, died, ties), try_cox(x / 1e6, times, died, ties)
    assert as_it_is[2:] == pytest.approx(in_millions[2:], rel=1e-9)


def test_a_duration_that_is_no_number_is_the_callers_fault():
    with pytest.raises(ValueError, match="finite time"):
        fit_cox(pl.DataFrame({"x": [1.0, 2, 0, 1]}), np.array([1.0, np.nan, 2, 3]), np.full(4, True))
