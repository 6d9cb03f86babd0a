"""Firth's penalised fits against hand-worked cases, R's numbers and laws."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import norm

from models.firth import fit_firth_cox, fit_firth_logistic
from models.regression import fit_logistic
from tests.models.logistic_cases import (
    EVERYWHERE,
    SOME,
    TOGETHER,
    assert_profiles_are_rs,
    case,
    cohort_case,
    in_r,
)
from transforms.errors import NotEstimableError


def exposed_and_outcome(a, b, c, d):
    exposed = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    return pl.DataFrame({"exposed": exposed}), np.repeat([True, False, True, False], [a, b, c, d])


def assert_fit_is_rs(fit, name):
    assert_profiles_are_rs(fit.coefficients, name)
    in_csv = in_r(name)["model"]["penalised_log_likelihood"]
    assert fit.penalised_log_likelihood == pytest.approx(in_csv, rel=1e-11)


# Worked by hand


@pytest.mark.parametrize("table", [(24, 21, 17, 36), (6, 0, 20, 30), (0, 5, 9, 4)])
def test_a_2x2_table_is_estimated_as_with_half_a_patient_more_in_each_cell(table):
    # Heinze and Schemper 2002: for a saturated table the penalty is just that.
    a, b, c, d = (n + 0.5 for n in table)
    fit = fit_firth_logistic(*exposed_and_outcome(*table))
    assert fit.coefficients[0].estimate == pytest.approx(np.log(a * d / (b * c)), rel=1e-10)
    assert (fit.n, fit.events) == (sum(table), table[0] + table[2])


def test_a_cox_model_of_two_deaths_worked_by_hand():
    # 1 dies while 1, 1, 0, 0 are at risk, later 0 while 0 and 1 are: with hazard ratio h the likelihood is
    # h / (2 h + 2) / (h + 1), the information 2 h 2 / (2 h + 2)^2 + h / (h + 1)^2; the penalty is its root.
    frame = pl.DataFrame({"x": [1.0, 0.0, 0.0, 1.0]})
    fit = fit_firth_cox(frame, np.array([1.0, 2, 3, 4]), np.array([True, False, True, False]))
    h = np.exp(np.linspace(-3, 3, 600_001))
    height = h / (2 * h + 2) / (h + 1) * np.sqrt((2 * h * 2) / (2 * h + 2) ** 2 + h / (h + 1) ** 2)
    assert fit.coefficients[0].estimate == pytest.approx(np.log(h[height.argmax()]), abs=1e-5)


# R's numbers


@pytest.mark.parametrize("name", EVERYWHERE)
def test_the_logistic_model_is_rs(name):
    of = case(name)
    assert_fit_is_rs(fit_firth_logistic(of.covariates, of.outcome), f"{name}_firth_logistic")


@pytest.mark.parametrize("name", EVERYWHERE)
def test_the_cox_model_is_rs(name):
    of = case(name)
    assert_fit_is_rs(fit_firth_cox(of.covariates, of.durations, of.outcome), f"{name}_firth_cox")


def test_the_cox_model_by_breslow_is_rs():
    of = case("ties")
    fit = fit_firth_cox(of.covariates, of.durations, of.outcome, ties="breslow")
    assert_fit_is_rs(fit, "ties_firth_cox_breslow")


@pytest.mark.parametrize("word", SOME)
def test_models_of_one_variable_are_rs(word):
    asl, dead = cohort_case([word]), cohort_case([word], "has_died")
    assert_fit_is_rs(fit_firth_logistic(asl.covariates, asl.outcome), f"firth_logistic_{word}")
    assert_fit_is_rs(fit_firth_cox(dead.covariates, dead.durations, dead.outcome), f"firth_cox_{word}")


def test_16_variables_in_98_patients_are_rs():
    of = cohort_case(TOGETHER)
    assert_fit_is_rs(fit_firth_logistic(of.covariates, of.outcome), "firth_logistic_together")


OTHER = (0, 0, 1, 0, 1, 1, 0, 1, 0, 0, 1, 1, 0, 1, 1, 0, 1, 1, 1, 0)


def test_separated_outcomes_are_rs():
    assert_fit_is_rs(fit_firth_logistic(*exposed_and_outcome(6, 0, 20, 30)), "separated_firth_logistic")
    apart = pl.DataFrame({"value": [*range(1, 11), *range(12, 22)], "other": [*OTHER]})
    assert_fit_is_rs(fit_firth_logistic(apart, np.arange(20) >= 10), "apart_firth_logistic")


@pytest.mark.parametrize("ties", ["efron", "breslow"])
def test_a_monotone_partial_likelihood_is_rs(ties):
    frame = pl.DataFrame({"exposed": [0.0] * 10 + [1.0] * 10, "other": [0.0, 1, 1, 0] * 5})
    times = np.array([1, 2, 2, 3, 3, 3, 4, 5, 6, 6, 2, 3, 3, 4, 5, 6, 6, 7, 8, 9], dtype=float)
    fit = fit_firth_cox(frame, times, np.repeat([True, False], 10), ties=ties)
    assert_fit_is_rs(fit, f"separated_firth_cox_{ties}")


# Laws

ROWS = st.lists(
    st.tuples(st.booleans(), st.integers(0, 3), st.integers(0, 1), st.integers(0, 6)), min_size=8, max_size=30
)


def as_arrays(rows):
    outcome, x, y, times = (np.array(column) for column in zip(*rows, strict=True))
    return pl.DataFrame({"x": x.astype(float), "y": y.astype(float)}), outcome, times.astype(float)


def try_fit(fit, *arguments):
    try:
        return fit(*arguments).coefficients
    except NotEstimableError:
        return ()


@settings(max_examples=40, deadline=None)
@given(rows=ROWS)
def test_whatever_is_separated_has_finite_limits_all_the_same(rows):
    frame, outcome, _ = as_arrays(rows)
    is_whole = not (outcome.all() or (~outcome).all()) and (frame.std().to_numpy() > 0).all()
    found = try_fit(fit_firth_logistic, frame, outcome)
    if is_whole and abs(np.corrcoef(frame.to_numpy().T)[0, 1]) < 0.999:
        assert len(found) == 2
    assert all(profile.ci_low < profile.estimate < profile.ci_high for profile in found)


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, order=st.randoms(use_true_random=False), ties=st.sampled_from(["efron", "breslow"]))
def test_the_order_of_the_rows_does_not_matter(rows, order, ties):
    def fits(ordered):
        frame, outcome, times = as_arrays(ordered)
        cox = try_fit(lambda: fit_firth_cox(frame, times, outcome, ties=ties))
        return [*try_fit(fit_firth_logistic, frame, outcome), *cox]

    for one, other in zip(fits(rows), fits(order.sample(rows, len(rows))), strict=True):
        assert one.estimate == pytest.approx(other.estimate, rel=1e-6, abs=1e-8)


@settings(max_examples=25, deadline=None)
@given(rows=ROWS, factor=st.sampled_from([0.001, 75_000.0]))
def test_a_scaled_variable_scales_its_coefficient(rows, factor):
    frame, outcome, _ = as_arrays(rows)
    scaled = frame.with_columns(pl.col("x") * factor)
    for one, other in zip(
        try_fit(fit_firth_logistic, frame, outcome), try_fit(fit_firth_logistic, scaled, outcome), strict=True
    ):
        share = factor if one.name == "x" else 1
        assert one.estimate == pytest.approx(other.estimate * share, rel=1e-6, abs=1e-8)


def test_in_many_patients_the_penalty_no_longer_matters():
    rng = np.random.default_rng(4)
    frame = pl.DataFrame({"x": rng.normal(size=20_000)})
    outcome = rng.random(20_000) < 1 / (1 + np.exp(-frame["x"].to_numpy()))
    plain, penalised = fit_logistic(frame, outcome), fit_firth_logistic(frame, outcome)
    assert penalised.coefficients[0].estimate == pytest.approx(plain.coefficients[0].estimate, rel=1e-3)


def test_of_two_tops_the_higher_one_is_found():
    # Long tails, separated at the median: near 0 is a top of height -7.27, a higher one far from it.
    x = np.exp(3 * norm.ppf((np.arange(20) + 0.5) / 20))
    fit = fit_firth_logistic(pl.DataFrame({"x": x}), x > 1)
    assert fit.penalised_log_likelihood == pytest.approx(-2.12558, abs=1e-5)


# What cannot be estimated


def test_one_outcome_only_is_not_fitted():
    with pytest.raises(NotEstimableError, match="all 8 complete patients have the same outcome"):
        fit_firth_logistic(pl.DataFrame({"x": np.arange(8.0)}), np.full(8, False))


def test_no_events_are_not_fitted():
    with pytest.raises(NotEstimableError, match="no events among 8 patients"):
        fit_firth_cox(pl.DataFrame({"x": np.arange(8.0)}), np.arange(8.0), np.full(8, False))


def test_a_constant_variable_is_named():
    with pytest.raises(NotEstimableError, match="dose: the same value in all 8"):
        fit_firth_logistic(pl.DataFrame({"dose": [100.0] * 8}), np.array([True, False] * 4))
