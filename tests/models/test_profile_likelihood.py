"""Profile-likelihood intervals against hand-worked cases, R's numbers and laws."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import brentq

from models.design import separating_columns
from models.likelihood import Maximum, maximise
from models.logistic_likelihood import LogisticLikelihood
from models.profile_likelihood import CHI_SQUARE_95, likelihood_ratio, profile_coefficients
from tests.models.logistic_cases import EVERYWHERE, SOME, TOGETHER, assert_profiles_are_rs, case, cohort_case
from transforms.errors import NotEstimableError


def exposed_and_outcome(a, b, c, d):
    exposed = np.repeat([[1.0], [1.0], [0.0], [0.0]], [a, b, c, d], axis=0)
    return LogisticLikelihood(exposed, np.repeat([True, False, True, False], [a, b, c, d]))


# Worked by hand


def test_the_limits_of_a_2x2_table_lie_where_its_likelihood_says():
    # With the log odds ratio held at b, the share of the unexposed solves one equation.
    a, b, c, d = 24, 21, 17, 36

    def height(beta):
        def excess(alpha):
            return a + c - (a + b) / (1 + np.exp(-alpha - beta)) - (c + d) / (1 + np.exp(-alpha))

        alpha = brentq(excess, -20, 20, xtol=1e-14)
        parts = ((a, alpha + beta), (b, -alpha - beta), (c, alpha), (d, -alpha))
        return -sum(n * np.log1p(np.exp(-x)) for n, x in parts)

    (profile,) = profile_coefficients(exposed_and_outcome(a, b, c, d), ["exposed"])
    assert profile.estimate == pytest.approx(np.log(a * d / (b * c)))
    for limit in (profile.ci_low, profile.ci_high):
        assert 2 * (height(profile.estimate) - height(limit)) == pytest.approx(CHI_SQUARE_95, rel=1e-10)
    assert profile.test.chi_square == pytest.approx(2 * (height(profile.estimate) - height(0)))
    assert profile.ratio.value == pytest.approx(a * d / (b * c))
    assert profile.ratio.ci_low == pytest.approx(np.exp(profile.ci_low))


def test_the_limits_of_a_mean_are_its_familiar_ones():
    class Normal:
        n_coefficients = 1

        def evaluate(self, at):
            return type(
                "At",
                (),
                {
                    "log_likelihood": -8 * float((at[0] - 3) ** 2) / 2,
                    "score": -8 * (at - 3),
                    "information": np.array([[8.0]]),
                },
            )

    (profile,) = profile_coefficients(Normal(), ["mean"])
    reach = 1.959963984540054 / np.sqrt(8)
    assert (profile.ci_low, profile.ci_high) == pytest.approx((3 - reach, 3 + reach), rel=1e-12)
    assert profile.test.chi_square == pytest.approx(72)


# R's numbers


@pytest.mark.parametrize("name", EVERYWHERE)
def test_logistic_profiles_are_rs(name):
    of = case(name)
    assert_profiles_are_rs(
        profile_coefficients(of.logistic(), of.covariates.columns), f"{name}_profile_logistic"
    )


@pytest.mark.parametrize("name", EVERYWHERE)
def test_cox_profiles_are_rs(name):
    of = case(name)
    assert_profiles_are_rs(profile_coefficients(of.partial(), of.covariates.columns), f"{name}_profile_cox")


def test_cox_profiles_by_breslow_are_rs():
    of = case("ties")
    found = profile_coefficients(of.partial(ties="breslow"), of.covariates.columns)
    assert_profiles_are_rs(found, "ties_profile_cox_breslow")


@pytest.mark.parametrize("word", SOME)
def test_profiles_of_one_variable_are_rs(word):
    asl, dead = cohort_case([word]), cohort_case([word], "has_died")
    assert_profiles_are_rs(profile_coefficients(asl.logistic(), [word]), f"profile_logistic_{word}")
    assert_profiles_are_rs(profile_coefficients(dead.partial(), [word]), f"profile_cox_{word}")


def test_profiles_of_16_variables_in_98_patients_are_rs():
    likelihood = cohort_case(TOGETHER).logistic()
    assert_profiles_are_rs(profile_coefficients(likelihood, TOGETHER), "profile_logistic_together")


# Laws

ROWS = st.lists(st.tuples(st.booleans(), st.integers(-9, 9), st.integers(0, 2)), min_size=15, max_size=40)


def try_profiles(rows, factor=1.0):
    outcome, x, y = (np.array(column) for column in zip(*rows, strict=True))
    matrix = np.column_stack([x * factor, y]).astype(float)
    try:
        if separating_columns(pl.DataFrame(matrix, schema=["x", "y"]), outcome):
            return ()
        return profile_coefficients(LogisticLikelihood(matrix, outcome), ["x", "y"])
    except NotEstimableError:
        return ()


@settings(max_examples=50, deadline=None)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, order):
    for one, other in zip(try_profiles(rows), try_profiles(order.sample(rows, len(rows))), strict=True):
        assert one.ci_low == pytest.approx(other.ci_low, rel=1e-6, abs=1e-9)
        assert one.ci_high == pytest.approx(other.ci_high, rel=1e-6, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(rows=ROWS, factor=st.sampled_from([0.001, 75_000.0]))
def test_a_scaled_variable_scales_its_limits(rows, factor):
    for one, other in zip(try_profiles(rows)[:1], try_profiles(rows, factor)[:1], strict=True):
        assert one.ci_low == pytest.approx(other.ci_low * factor, rel=1e-6, abs=1e-9)
        assert one.p == pytest.approx(other.p, rel=1e-6, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(rows=ROWS)
def test_the_interval_leaves_out_0_exactly_where_p_is_below_5_percent(rows):
    for profile in try_profiles(rows):
        assert profile.ci_low < profile.estimate < profile.ci_high
        if abs(profile.p - 0.05) > 1e-9:
            assert (profile.ci_low > 0 or profile.ci_high < 0) == (profile.p < 0.05)


def test_the_test_alone_is_the_profiles():
    likelihood = cohort_case(SOME).logistic()
    profiles = profile_coefficients(likelihood, SOME)
    assert likelihood_ratio(likelihood, maximise(likelihood), 3) == profiles[2].test


# What cannot be estimated


def test_a_separated_outcome_has_no_maximum_to_profile():
    with pytest.raises(NotEstimableError):
        profile_coefficients(exposed_and_outcome(6, 0, 20, 30), ["exposed"])


def test_a_side_on_which_the_likelihood_hardly_falls_has_no_limit_but_a_reason():
    class Half:
        """Falls to the left alone."""

        n_coefficients = 1

        def evaluate(self, at):
            left = min(float(at[0]), 0.0)
            return type(
                "At",
                (),
                {
                    "log_likelihood": -(left**2),
                    "score": np.array([-2 * left]),
                    "information": np.array([[2.0]]),
                },
            )

    half = Half()
    top = Maximum(np.zeros(1), half.evaluate(np.zeros(1)))
    (profile,) = profile_coefficients(half, ["x"], top=top)
    assert profile.ci_low == pytest.approx(-np.sqrt(CHI_SQUARE_95 / 2))
    assert profile.ci_high is None
    assert profile.ratio.ci_high is None
    assert profile.reason == "no upper limit: the likelihood hardly falls on that side"


def test_the_frame_of_a_case_is_not_changed():
    of = case("ties")
    before = of.covariates.clone()
    profile_coefficients(of.logistic(), of.covariates.columns)
    assert of.covariates.equals(before)
    assert isinstance(before, pl.DataFrame)
