"""What single patients do to a Cox model, against a hand-worked case, R's numbers and laws."""

import numpy as np
import polars as pl
import pytest

from models.survival.cox import fit_cox
from models.survival.influence import measure_influence
from tests.models.cox_cases import EVERYWHERE, TIES, followed, in_r
from tests.reference.expected import assert_same
from transforms.errors import NotEstimableError


def influence_of(name, ties="efron"):
    data = followed(name)
    return measure_influence(data.covariates, data.durations, data.events, ties=ties)


# Worked by hand


def test_dfbetas_worked_by_hand():
    # x = 1, 0, 0, 1 die in turn, the last censored: the hazard ratio h has h^2 + h = 1, and the mean of x at
    # risk is q = h/(h+1), r = h/(h+2), q. A score residual is (x - mean) where one dies, less each hazard
    # times (x - mean) while at risk; over the standard error it is the dfbetas.
    x = pl.DataFrame({"x": [1.0, 0, 0, 1]})
    influence = measure_influence(x, np.arange(1.0, 5), np.array([True, True, True, False]))
    h = (np.sqrt(5) - 1) / 2
    q, r = h / (h + 1), h / (h + 2)
    first, second, third = 1 / (2 * h + 2), 1 / (h + 2), 1 / (h + 1)
    score = [
        (1 - q) - h * first * (1 - q),
        -r + first * q + second * r,
        -q + first * q + second * r + third * q,
        -h * (first * (1 - q) + second * (1 - r) + third * (1 - q)),
    ]
    error = (2 * q * (1 - q) + r * (1 - r)) ** -0.5
    assert influence.dfbetas[:, 0] == pytest.approx(np.array(score) * error)
    assert influence.coefficients[0].max_abs_dfbetas == pytest.approx(max(np.abs(score)) * error)


# R's numbers


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", EVERYWHERE)
def test_dfbetas_are_rs(name, ties):
    influence = influence_of(name, ties)
    of_r = in_r(f"{name}_{ties}_residuals")
    for place, single in enumerate(influence.coefficients):
        ours = {**vars(single), "sum_abs_dfbetas": np.abs(influence.dfbetas[:, place]).sum()}
        wanted = of_r[single.name]
        statistics = ("max_abs_dfbetas", "sum_abs_dfbetas", "n_influential")
        assert_same(ours, {statistic: wanted[statistic] for statistic in statistics})


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", ["cohort_few", "cohort_quarters", "lung"])
def test_the_extreme_ratios_are_those_of_rs_fits_without_each_patient_in_turn(name, ties):
    of_r = in_r(f"{name}_{ties}_left_out")
    for single in influence_of(name, ties).coefficients:
        assert_same(vars(single), of_r[single.name])


@pytest.mark.parametrize("ties", TIES)
def test_of_few_refits_the_extreme_ratios_lie_within_those_of_all(ties):
    # Of heavy ties in a binary variable ten refits do not find the highest: see `sum_up_influence`.
    of_r = in_r(f"ties_{ties}_left_out")
    for single in influence_of("ties", ties).coefficients:
        assert single.ratio_without_low >= of_r[single.name]["ratio_without_low"] * (1 - 1e-9)
        assert single.ratio_without_high <= of_r[single.name]["ratio_without_high"] * (1 + 1e-9)


# Laws


def test_dfbetas_sum_to_nothing():
    assert influence_of("cohort").dfbetas.sum(axis=0) == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("seed", range(3))
def test_the_order_of_the_rows_does_not_matter(seed):
    data = followed("cohort_quarters")
    order = np.random.default_rng(seed).permutation(len(data.events))
    first = measure_influence(data.covariates, data.durations, data.events)
    second = measure_influence(data.covariates[order], data.durations[order], data.events[order])
    assert second.dfbetas == pytest.approx(first.dfbetas[order], rel=1e-8, abs=1e-11)
    for ours, other in zip(first.coefficients, second.coefficients, strict=True):
        assert ours.ratio_without_low == pytest.approx(other.ratio_without_low, rel=1e-9)
        assert ours.ratio_without_high == pytest.approx(other.ratio_without_high, rel=1e-9)


def test_one_patient_far_from_all_others_is_seen_and_the_ratio_without_is_the_fit_without():
    rng = np.random.default_rng(5)
    x = np.append(rng.normal(size=60), 12.0)
    times, died = np.append(rng.exponential(size=60), 50.0), np.append(rng.random(60) < 0.7, True)
    single = measure_influence(pl.DataFrame({"x": x}), times, died).coefficients[0]
    without = fit_cox(pl.DataFrame({"x": x[:-1]}), times[:-1], died[:-1]).coefficients[0].ratio.value
    extremes = (single.ratio_without_low, single.ratio_without_high)
    assert any(ratio == pytest.approx(without, rel=1e-9) for ratio in extremes)
    assert single.n_influential >= 1


# What cannot be estimated


def test_a_ratio_that_hangs_on_one_patient_has_no_range_but_a_reason():
    # Of those exposed one alone dies: without that patient the likelihood has no top.
    x = np.array([1.0, 0] * 10)
    died = (x == 0) | (np.arange(20) == 4)
    single = measure_influence(pl.DataFrame({"x": x}), np.arange(1.0, 21), died).coefficients[0]
    assert (single.ratio_without_low, single.ratio_without_high) == (None, None)
    assert "monotone likelihood along x" in single.reason
    assert single.max_abs_dfbetas > 0


def test_what_has_no_fit_has_no_influence():
    x, times = np.array([1.0, 0] * 10), np.arange(1.0, 21)
    with pytest.raises(NotEstimableError, match="monotone likelihood along x"):
        measure_influence(pl.DataFrame({"x": x}), times, x == 0)
    with pytest.raises(NotEstimableError, match="no events among 20"):
        measure_influence(pl.DataFrame({"x": x}), times, np.full(20, False))
