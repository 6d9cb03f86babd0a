"""Logistic regression on a covariate with limits, against R's numbers, the ordinary fit and laws."""

from collections import defaultdict
from functools import cache

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.censored import ABOVE, BELOW, NUMBER, LimitedValues, fit_censored_logistic
from models.regression import fit_logistic
from tests.reference.expected import FOLDER, read_cohort
from transforms.errors import NotEstimableError

TRUE_SLOPE = -0.5
N = 98
# What R's censored.R puts on the 98 invented patients.
LIMITS = {
    "none": (0.0, np.inf),
    "below": (1.6, np.inf),
    "above": (0.0, 4.0),
    "both": (np.resize([1.3, 1.7], N), np.resize([5.0, 4.0, 6.0], N)),
}


def limited(values, low, high) -> LimitedValues:
    """The values with those beyond the limits replaced by the limit."""
    sides = np.where(values < low, BELOW, np.where(values > high, ABOVE, NUMBER))
    return LimitedValues("il7", np.clip(values, low, high), sides)


def il7_and_asl():
    cohort = read_cohort()
    return cohort["pre_rt_il7_pg_ml"].to_numpy(), cohort["has_asl"].to_numpy()


def simulate(seed: int, n: int = 200):
    """IL-7 and ASL of a true logistic model with a slope of `TRUE_SLOPE` a pg/mL."""
    rng = np.random.default_rng(seed)
    il7 = np.exp(0.8 + 0.65 * rng.standard_normal(n))
    return il7, rng.random(n) < 1 / (1 + np.exp(-(1.0 + TRUE_SLOPE * il7)))


# R's numbers


@pytest.mark.parametrize("case", LIMITS)
def test_limits_give_the_numbers_of_rs_optim_and_integrate(case):
    of_r = dict(pl.read_csv(FOLDER / "censored.csv").filter(case=case).select("statistic", "value").rows())
    il7, asl = il7_and_asl()
    fit = fit_censored_logistic(limited(il7, *LIMITS[case]), asl)
    ratio = fit.coefficient.ratio
    ours = {
        "n_below": fit.n_below,
        "n_above": fit.n_above,
        "intercept": fit.intercept.estimate,
        "intercept_error": fit.intercept.standard_error,
        "coefficient": fit.coefficient.estimate,
        "standard_error": fit.coefficient.standard_error,
        "p": fit.coefficient.p,
        "ratio": ratio.value,
        "ci_low": ratio.ci_low,
        "ci_high": ratio.ci_high,
        "mean_of_log": fit.mean_of_log,
        "sd_of_log": fit.sd_of_log,
        "log_likelihood": fit.log_likelihood,
    }
    assert ours == pytest.approx(of_r, rel=1e-7)


# The ordinary fit


@cache
def ordinary_and_censored(seed: int):
    il7, asl = simulate(seed, n=60)
    return (
        il7,
        fit_logistic(pl.DataFrame({"il7": il7}), asl),
        fit_censored_logistic(limited(il7, 0, np.inf), asl),
    )


@pytest.mark.parametrize("seed", range(10))
def test_without_limits_it_is_the_ordinary_regression(seed):
    _, ordinary, censored = ordinary_and_censored(seed)
    for ours, plain in (
        (censored.coefficient, ordinary.coefficients[0]),
        (censored.intercept, ordinary.intercept),
    ):
        assert ours.estimate == pytest.approx(plain.estimate, rel=1e-8)
        # The ordinary fit weighs by the step before its last, as R's glm does: 1e-7 of an error.
        assert ours.standard_error == pytest.approx(plain.standard_error, rel=1e-6)


@pytest.mark.parametrize("seed", range(10))
def test_without_limits_the_error_is_that_of_the_information_at_the_ordinary_estimate(seed):
    il7, ordinary, censored = ordinary_and_censored(seed)
    design = np.column_stack([np.ones_like(il7), il7])
    share = 1 / (1 + np.exp(-design @ [ordinary.intercept.estimate, ordinary.coefficients[0].estimate]))
    variances = np.diag(np.linalg.inv(design.T @ (design * (share * (1 - share))[:, None])))
    errors = [censored.intercept.standard_error, censored.coefficient.standard_error]
    assert errors == pytest.approx(np.sqrt(variances), rel=1e-8)


@pytest.mark.parametrize("seed", range(5))
def test_without_limits_the_covariate_has_the_mean_and_sd_of_its_logarithm(seed):
    il7, _, censored = ordinary_and_censored(seed)
    assert censored.mean_of_log == pytest.approx(np.log(il7).mean(), rel=1e-9)
    assert censored.sd_of_log == pytest.approx(np.log(il7).std(), rel=1e-9)


# Laws

some = settings(max_examples=25, deadline=None)
SEEDS = st.integers(0, 10_000)
LOWS, HIGHS = st.sampled_from([0.0, 1.0, 1.5, 2.0]), st.sampled_from([3.0, 5.0, np.inf])


def numbers_of(covariate, outcome):
    """Coefficient and error, or nothing: the laws hold for what can be estimated."""
    try:
        fit = fit_censored_logistic(covariate, outcome)
    except NotEstimableError:
        return ()
    return fit.coefficient.estimate, fit.coefficient.standard_error


@some
@given(SEEDS, LOWS, HIGHS, st.sampled_from([1e-6, 0.01, 1000.0]))
def test_another_unit_scales_the_coefficient_and_its_error(seed, low, high, factor):
    il7, asl = simulate(seed, n=50)
    scaled = numbers_of(limited(il7 * factor, low * factor, high * factor), asl)
    in_own_unit = tuple(number * factor for number in scaled)
    assert in_own_unit == pytest.approx(numbers_of(limited(il7, low, high), asl), rel=1e-6)


@some
@given(SEEDS, LOWS, HIGHS)
def test_the_other_outcome_turns_the_sign(seed, low, high):
    il7, asl = simulate(seed, n=50)
    turned = [abs(number) for number in numbers_of(limited(il7, low, high), ~asl)]
    assert turned == pytest.approx(
        [abs(number) for number in numbers_of(limited(il7, low, high), asl)], rel=1e-6
    )


@some
@given(SEEDS, LOWS, HIGHS, st.randoms(use_true_random=False))
def test_the_order_of_the_patients_does_not_matter(seed, low, high, random):
    il7, asl = simulate(seed, n=50)
    order = random.sample(range(50), 50)
    shuffled = numbers_of(limited(il7[order], low, high), asl[order])
    assert shuffled == pytest.approx(numbers_of(limited(il7, low, high), asl), rel=1e-6)


@some
@given(SEEDS, LOWS, HIGHS)
def test_every_patient_twice_halves_the_variance(seed, low, high):
    il7, asl = simulate(seed, n=50)
    once = numbers_of(limited(il7, low, high), asl)
    twice = numbers_of(limited(np.tile(il7, 2), low, high), np.tile(asl, 2))
    assert twice == pytest.approx(tuple(np.array(once) / [1, np.sqrt(2)]) if once else (), rel=1e-6)


def test_limits_that_hide_less_bring_the_fit_nearer_to_the_one_without():
    il7, asl = simulate(3, n=2000)
    truth, little, much = (
        fit_censored_logistic(limited(il7, low, np.inf), asl).coefficient for low in (0.0, 0.3, 2.4)
    )
    assert little.estimate == pytest.approx(truth.estimate, rel=1e-3)
    assert little.standard_error == pytest.approx(truth.standard_error, rel=1e-3)
    assert much.standard_error > truth.standard_error


def test_a_value_above_next_to_nothing_tells_next_to_nothing():
    il7, asl = simulate(5, n=80)
    sides = np.append(np.full(80, NUMBER), [ABOVE, ABOVE])
    padded = LimitedValues("il7", np.append(il7, [1e-9, 1e-9]), sides)
    with_both = numbers_of(padded, np.append(asl, [True, False]))
    assert with_both == pytest.approx(numbers_of(limited(il7, 0, np.inf), asl), rel=0.05)


# The truth, in cohorts of which 30 % are censored


@cache
def simulated_fits(n_cohorts: int = 60):
    """Coefficients by rule in cohorts with a fifth of values below 1.29 and a tenth above 5.12."""
    found = defaultdict(list)
    for seed in range(n_cohorts):
        il7, asl = simulate(seed)
        covariate = limited(il7, 1.29, 5.12)
        is_below, is_number = covariate.sides == BELOW, covariate.sides == NUMBER
        found["truth"].append(alone(il7, asl))
        found["joint"].append(fit_censored_logistic(covariate, asl).coefficient)
        found["numbers"].append(alone(il7[is_number], asl[is_number]))
        for rule, share in {"limit": 1, "half": 1 / 2, "root_two": 1 / np.sqrt(2)}.items():
            found[rule].append(alone(np.where(is_below, 1.29 * share, covariate.values), asl))
    return found


def alone(il7, asl):
    return fit_logistic(pl.DataFrame({"il7": il7}), asl).coefficients[0]


def estimates_by_rule():
    """Rule to the estimates of all cohorts."""
    return {
        rule: np.array([coefficient.estimate for coefficient in coefficients])
        for rule, coefficients in simulated_fits().items()
    }


def test_three_in_ten_values_are_censored_in_the_simulation():
    il7, _ = simulate(0, n=100_000)
    assert np.mean((il7 < 1.29) | (il7 > 5.12)) == pytest.approx(0.30, abs=0.01)


def test_the_true_odds_ratio_lies_in_its_interval_about_95_times_in_100():
    true_ratio = np.exp(TRUE_SLOPE)
    covered = [fit.ratio.ci_low < true_ratio < fit.ratio.ci_high for fit in simulated_fits()["joint"]]
    assert np.mean(covered) > 0.87


def test_the_mean_estimate_is_near_the_truth():
    assert estimates_by_rule()["joint"].mean() == pytest.approx(TRUE_SLOPE, abs=0.06)


@pytest.mark.parametrize("rule", ["numbers", "limit", "half", "root_two"])
def test_it_comes_nearer_than_any_other_rule_to_the_fit_of_what_the_limits_hide(rule):
    estimates = estimates_by_rule()
    off = {name: np.mean((values - estimates["truth"]) ** 2) for name, values in estimates.items()}
    assert off["joint"] < off[rule] / 1.5


# What cannot be estimated


def test_numbers_that_separate_the_outcome_are_refused_whatever_the_limits():
    values = np.array([1.0, 2.0, 3.0, 4.0, 2.5, 2.5])
    sides = np.array([NUMBER] * 4 + [BELOW, ABOVE])
    with pytest.raises(NotEstimableError, match="separated by il7"):
        fit_censored_logistic(
            LimitedValues("il7", values, sides), np.array([True, True, False, False, False, True])
        )


@pytest.mark.parametrize(
    ("sides", "outcome", "reason"),
    [
        ([NUMBER] * 6, [True] * 6, "the same outcome"),
        ([BELOW] * 3 + [NUMBER] * 3, [True, False, True, False, False, False], "the same outcome"),
        ([BELOW] * 4 + [NUMBER] * 2, [True, False, True, False, True, False], "too few"),
        ([BELOW] * 6, [True, False] * 3, "all 0 complete patients"),
    ],
)
def test_too_few_numbers_or_one_outcome_among_them_are_refused(sides, outcome, reason):
    covariate = LimitedValues("il7", np.arange(1.0, 7.0), np.array(sides))
    with pytest.raises(NotEstimableError, match=reason):
        fit_censored_logistic(covariate, np.array(outcome))


@pytest.mark.parametrize("value", [0.0, -1.0])
def test_a_value_without_a_logarithm_is_refused_by_its_columns_name(value):
    il7, asl = simulate(1, n=40)
    il7[0] = value
    with pytest.raises(NotEstimableError, match="il7: zero or less has no logarithm"):
        fit_censored_logistic(LimitedValues("il7", il7, np.zeros(40, dtype=int)), asl)


def test_a_missing_value_is_the_callers_mistake():
    with pytest.raises(ValueError, match="one finite number or limit"):
        LimitedValues("il7", np.array([1.0, np.nan]), np.array([NUMBER, BELOW]))


def test_a_value_far_out_on_either_side_of_a_limit_is_fitted():
    il7, asl = simulate(2, n=80)
    for side, limit in ((BELOW, 1e-4), (ABOVE, 500.0)):
        padded = LimitedValues("il7", np.append(il7, limit), np.append(np.zeros(80, dtype=int), side))
        assert np.isfinite(fit_censored_logistic(padded, np.append(asl, True)).coefficient.standard_error)
