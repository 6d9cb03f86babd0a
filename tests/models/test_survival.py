"""Kaplan-Meier, log-rank and Cox against hand-worked cases, R's numbers and laws."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.estimate import Coefficient
from models.survival.cox import fit_cox
from models.survival.kaplan_meier import estimate_kaplan_meier
from models.survival.log_rank import compare_log_rank
from models.variables import SURVIVAL_VARIABLES
from tests.reference.expected import (
    TOLERANCE,
    WORDS,
    assert_same,
    expected,
    read_cohort,
    read_third_party,
    read_ties,
)
from transforms.errors import NotEstimableError

ALONE = [variable.word for variable in SURVIVAL_VARIABLES]
TOGETHER = ["uicc_ordinal" if word == "uicc_iii_iv" else word for word in ALONE]


def columns(frame: pl.DataFrame, months: str = "os_months", happened: str = "has_died"):
    return frame[months].to_numpy(), frame[happened].to_numpy()


def numbers_of(coefficient: Coefficient) -> dict[str, float | None]:
    return {
        "coefficient": coefficient.estimate,
        "standard_error": coefficient.standard_error,
        "p": coefficient.p,
        "ratio": coefficient.ratio.value,
        "ci_low": coefficient.ratio.ci_low,
        "ci_high": coefficient.ratio.ci_high,
    }


def assert_fit_is_rs(fit, case: str) -> None:
    of_r = expected(case)
    for coefficient in fit.coefficients:
        assert_same(numbers_of(coefficient), of_r[coefficient.name])
    model = of_r.get("model", {})
    for statistic in ("log_likelihood", "likelihood_ratio", "n", "events"):
        if statistic in model:
            assert getattr(fit, statistic) == pytest.approx(model[statistic], rel=TOLERANCE)


def assert_curve_is_rs(curve, case: str) -> None:
    for name, of_r in expected(case).items():
        if name == "median":
            found = curve.median
        else:
            time = float(name.removeprefix("at_"))
            found = curve.survival_at(time)
            assert curve.n_at_risk_at(time) == of_r.pop("n_at_risk")
        assert_same({"estimate": found.value, "ci_low": found.ci_low, "ci_high": found.ci_high}, of_r)


# Worked by hand


def test_a_curve_worked_by_hand():
    curve = estimate_kaplan_meier(np.array([1.0, 2, 2, 3, 4]), np.array([True, True, False, False, True]))
    # 4/5 at 1; one of four dies at 2, 4/5 * 3/4; one is censored at 3; the last one dies at 4.
    assert curve.points["survival"].to_list() == pytest.approx([1, 0.8, 0.6, 0.6, 0])
    assert curve.points["n_at_risk"].to_list() == [5, 5, 4, 2, 1]
    assert curve.points["n_events"].to_list() == [0, 1, 1, 0, 1]
    assert curve.points["n_censored"].to_list() == [0, 0, 1, 1, 0]
    assert (curve.n, curve.events, curve.median.value) == (5, 3, 4)


def test_the_limits_of_a_rate_are_greenwoods_on_the_log_log_scale():
    curve = estimate_kaplan_meier(np.array([1.0, 2, 3, 4]), np.array([True, False, False, False]))
    log_survival, spread = math.log(0.75), math.sqrt(1 / (4 * 3))
    reach = 1.959963984540054 * spread / abs(log_survival)
    rate = curve.survival_at(2)
    assert rate.ci_low == pytest.approx(math.exp(log_survival * math.exp(reach)))
    assert rate.ci_high == pytest.approx(math.exp(log_survival * math.exp(-reach)))


def test_a_log_rank_test_worked_by_hand():
    # Deaths at 1 (a), 2 (b), 3 (a), 4 (b): expected in a 2/4 + 1/3 + 1/2 + 0, variance 1/4 + 2/9 + 1/4.
    test = compare_log_rank(np.array([1.0, 3, 2, 4]), np.full(4, True), pl.Series(["a", "a", "b", "b"]))
    assert test.chi_square == pytest.approx((2 - 4 / 3) ** 2 / (1 / 4 + 2 / 9 + 1 / 4))
    assert (test.degrees_of_freedom, test.n, test.events) == (1, 4, 4)


def test_a_cox_model_worked_by_hand():
    # x is 1, 0, 1 for those who die in turn, 0 for the one alive. With hazard ratio h the partial likelihood
    # is h/(2h+2) * 1/(h+2) * h/(h+1), whose logarithm is flat where 2 - 2h/(h+1) - h/(h+2) = 0.
    durations, events = np.array([1.0, 2, 3, 4]), np.array([True, True, True, False])
    fit = fit_cox(pl.DataFrame({"x": [1.0, 0, 1, 0]}), durations, events)
    h = fit.coefficients[0].ratio.value
    assert 2 - 2 * h / (h + 1) - h / (h + 2) == pytest.approx(0, abs=1e-12)
    assert fit.log_likelihood == pytest.approx(math.log(h / (2 * h + 2) / (h + 2) * h / (h + 1)))


# R's numbers


@pytest.mark.parametrize(
    ("case", "chosen", "months", "happened"),
    [
        ("km_all", pl.lit(True), "os_months", "has_died"),
        ("km_asl_0", ~pl.col("has_asl"), "os_months", "has_died"),
        ("km_asl_1", pl.col("has_asl"), "os_months", "has_died"),
        ("km_pfs", pl.lit(True), "pfs_months", "has_progressed_or_died"),
    ],
)
def test_a_curve_is_rs_survfit_with_log_log_limits(case, chosen, months, happened):
    frame = read_cohort().filter(chosen)
    assert_curve_is_rs(estimate_kaplan_meier(*columns(frame, months, happened)), case)


def test_the_reversed_curve_is_rs():
    months, died = columns(read_cohort())
    assert_curve_is_rs(estimate_kaplan_meier(months, ~died), "km_reverse")


def test_a_curve_with_ties_is_rs():
    frame = read_ties().cast({"time": pl.Float64})
    assert_curve_is_rs(estimate_kaplan_meier(*columns(frame, "time", "event")), "km_ties")


@pytest.mark.parametrize(
    ("case", "times", "events"),
    [
        ("km_on_the_half", [1.0, 2, 3, 4], [True] * 4),
        ("km_ends_on_the_half", [1.0, 2, 3, 3], [True, True, False, False]),
    ],
)
def test_a_median_on_a_flat_half_is_rs(case, times, events):
    assert_curve_is_rs(estimate_kaplan_meier(np.array(times), np.array(events)), case)


@pytest.mark.parametrize(
    ("case", "months", "happened", "group"),
    [
        ("logrank_asl", "os_months", "has_died", "has_asl"),
        ("logrank_pfs", "pfs_months", "has_progressed_or_died", "has_asl"),
        ("logrank_stage", "os_months", "has_died", "uicc_stage"),
    ],
)
def test_a_log_rank_test_is_rs_survdiff(case, months, happened, group):
    frame = read_cohort()
    test = compare_log_rank(*columns(frame, months, happened), frame[group])
    assert_same(vars(test), expected(case)["test"])


def test_a_log_rank_test_of_three_groups_with_ties_is_rs():
    frame = read_ties()
    test = compare_log_rank(*columns(frame, "time", "event"), frame["group"])
    assert_same(vars(test), expected("logrank_ties")["test"])


@pytest.mark.parametrize("word", ALONE)
def test_a_cox_model_of_one_variable_is_rs_coxph(word):
    frame = read_cohort()
    assert_fit_is_rs(fit_cox(frame.select(word), *columns(frame)), "cox_alone")


def test_a_cox_model_of_17_variables_in_98_patients_is_rs_coxph():
    frame = read_cohort()
    assert_fit_is_rs(fit_cox(frame.select(TOGETHER), *columns(frame)), "cox_together")


def test_efrons_ties_are_rs():
    frame = read_ties()
    assert_fit_is_rs(fit_cox(frame.select("x", "y", "large"), *columns(frame, "time", "event")), "cox_ties")


@pytest.mark.parametrize(("name", "group"), [("lung", "sex"), ("pbc", "edema"), ("gbsg2", "tgrade")])
def test_real_data_give_rs_survival_numbers(name, group):
    frame = read_third_party(name).cast({"time": pl.Float64})
    times_and_events = columns(frame, "time", "event")
    assert_fit_is_rs(fit_cox(frame.select(WORDS[name]), *times_and_events), f"{name}_cox")
    assert_curve_is_rs(estimate_kaplan_meier(*times_and_events), f"{name}_km")
    test = compare_log_rank(*times_and_events, frame[group])
    assert_same(vars(test), expected(f"{name}_logrank")["test"])


# Laws

SURVIVAL_ROWS = st.lists(
    st.tuples(st.integers(1, 30), st.booleans(), st.integers(-20, 20)), min_size=12, max_size=40
)


def as_arrays(rows):
    times, events, x = zip(*rows, strict=True)
    return np.array(times, dtype=float), np.array(events), np.array(x, dtype=float)


def try_cox(x, times, events):
    """The coefficient and its error, or nothing: the laws hold for what can be estimated."""
    try:
        coefficient = fit_cox(pl.DataFrame({"x": x}), times, events).coefficients[0]
    except NotEstimableError:
        return ()
    return coefficient.estimate, coefficient.standard_error


@settings(max_examples=25, deadline=None)
@given(rows=SURVIVAL_ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, order):
    shuffled = order.sample(rows, len(rows))
    (times, events, x), (times_2, events_2, x_2) = as_arrays(rows), as_arrays(shuffled)
    first, second = estimate_kaplan_meier(times, events), estimate_kaplan_meier(times_2, events_2)
    assert first.points.equals(second.points)
    assert try_cox(x, times, events) == pytest.approx(try_cox(x_2, times_2, events_2), rel=1e-6, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(rows=SURVIVAL_ROWS, factor=st.sampled_from([0.01, 7.0, 1000.0]))
def test_a_scaled_covariate_scales_its_coefficient_and_error(rows, factor):
    times, events, x = as_arrays(rows)
    plain, scaled = try_cox(x, times, events), try_cox(x * factor, times, events)
    assert tuple(part * factor for part in scaled) == pytest.approx(plain, rel=1e-6, abs=1e-9)


@settings(max_examples=25, deadline=None)
@given(rows=SURVIVAL_ROWS)
def test_cox_depends_on_the_order_of_times_only(rows):
    times, events, x = as_arrays(rows)
    assert try_cox(x, times, events) == pytest.approx(try_cox(x, times**3, events), rel=1e-9, abs=1e-12)


@given(times=st.lists(st.integers(1, 30), min_size=1, max_size=40))
def test_without_censoring_the_curve_is_the_share_still_alive(times):
    durations = np.array(times, dtype=float)
    curve = estimate_kaplan_meier(durations, np.full(len(times), True))
    for time in (0, 5, 15, 30):
        assert curve.survival_at(time).value == pytest.approx((durations > time).mean(), abs=1e-12)


@given(rows=SURVIVAL_ROWS)
def test_a_curve_never_rises_and_lies_within_its_limits(rows):
    times, events, _ = as_arrays(rows)
    points = estimate_kaplan_meier(times, events).points
    assert (points["survival"].diff().drop_nulls() <= 0).all()
    inside = points.drop_nulls(["ci_low", "ci_high"])
    assert (inside["ci_low"] <= inside["survival"] + 1e-12).all()
    assert (inside["survival"] <= inside["ci_high"] + 1e-12).all()
    assert points["n_at_risk"][0] == len(rows)


@settings(max_examples=25, deadline=None)
@given(rows=SURVIVAL_ROWS)
def test_the_log_rank_test_does_not_ask_which_group_is_first(rows):
    times, events, x = as_arrays(rows)
    groups = pl.Series(x > 0)
    if groups.n_unique() < 2 or not events.any():
        return
    try:
        first, second = compare_log_rank(times, events, groups), compare_log_rank(times, events, ~groups)
    except NotEstimableError:
        return
    assert first.chi_square == pytest.approx(second.chi_square, rel=1e-9, abs=1e-12)


@pytest.mark.parametrize("seed", range(5))
def test_the_log_rank_test_is_the_score_test_of_a_binary_cox_model_without_ties(seed):
    # So the two agree closely where the effect is small: a check across lifelines' two implementations.
    rng = np.random.default_rng(seed)
    times, x = rng.exponential(10, 400), (rng.random(400) < 0.5).astype(float)
    events = rng.random(400) < 0.7
    test = compare_log_rank(times, events, pl.Series(x))
    assert test.chi_square == pytest.approx(
        fit_cox(pl.DataFrame({"x": x}), times, events).likelihood_ratio, abs=0.05
    )


# What cannot be estimated


def test_a_rate_beyond_the_follow_up_is_not_a_number():
    curve = estimate_kaplan_meier(np.array([1.0, 2, 3]), np.array([True, False, False]))
    assert curve.survival_at(3).value == pytest.approx(2 / 3)
    assert curve.survival_at(3.1).value is None
    assert curve.n_at_risk_at(3.1) == 0


def test_a_rate_after_the_last_death_is_zero_where_all_have_died():
    curve = estimate_kaplan_meier(np.array([1.0, 2]), np.array([True, True]))
    assert curve.survival_at(24).value == 0
    assert curve.survival_at(24).ci_low is None


def test_a_median_that_is_not_reached_is_not_a_number():
    curve = estimate_kaplan_meier(np.array([1.0, 2, 3]), np.array([True, False, False]))
    assert curve.median.value is None


def test_a_group_of_nobody_has_no_curve():
    with pytest.raises(NotEstimableError, match="nobody"):
        estimate_kaplan_meier(np.array([]), np.array([], dtype=bool))


def test_a_group_without_events_has_a_flat_curve_and_no_limits_to_tell():
    curve = estimate_kaplan_meier(np.array([5.0, 30]), np.array([False, False]))
    assert curve.survival_at(24).value == 1
    assert curve.median.value is None


def test_one_group_cannot_be_compared():
    with pytest.raises(NotEstimableError, match="fewer than two groups"):
        compare_log_rank(np.array([1.0, 2]), np.array([True, True]), pl.Series(["a", "a"]))


def test_without_events_nothing_is_compared_or_fitted():
    times, nothing = np.arange(1.0, 9), np.full(8, False)
    with pytest.raises(NotEstimableError, match="no events among 8 patients"):
        compare_log_rank(times, nothing, pl.Series([0, 1] * 4))
    with pytest.raises(NotEstimableError, match="no events among 8 patients"):
        fit_cox(pl.DataFrame({"x": [0.0, 1] * 4}), times, nothing)


def test_groups_that_were_never_at_risk_together_cannot_be_compared():
    # All of a are gone before the first death.
    times, events = np.array([1.0, 1, 5, 6]), np.array([False, False, True, True])
    with pytest.raises(NotEstimableError, match="never at risk at the same time"):
        compare_log_rank(times, events, pl.Series(["a", "a", "b", "b"]))


def test_a_group_in_which_nobody_dies_has_no_hazard_ratio():
    times = np.arange(1.0, 21)
    exposed = np.array([1.0, 0] * 10)
    with pytest.raises(NotEstimableError, match="monotone likelihood along x "):
        fit_cox(pl.DataFrame({"x": exposed}), times, exposed == 0)


def test_a_monotone_likelihood_is_seen_among_other_variables():
    frame, (times, died) = read_cohort(), columns(read_cohort())
    never_dies = pl.Series("never_dies", np.where(died, 0.0, np.arange(len(died)) % 2))
    with pytest.raises(NotEstimableError, match="monotone likelihood along never_dies "):
        fit_cox(frame.select("age_gt_60", "asl").with_columns(never_dies), times, died)


def test_a_strong_but_finite_hazard_ratio_is_estimated():
    # One exposed death among many: huge spread of x, yet the likelihood has a top.
    times = np.arange(1.0, 41)
    x = np.where(np.arange(40) % 2 == 0, 1.0, 0.0)
    events = (x == 0) | (np.arange(40) == 38)
    assert fit_cox(pl.DataFrame({"x": x}), times, events).coefficients[0].ratio.value < 0.1


def test_a_constant_variable_is_named():
    times = np.arange(1.0, 9)
    with pytest.raises(NotEstimableError, match="dose: the same value in all 8"):
        fit_cox(pl.DataFrame({"dose": [100.0] * 8}), times, np.full(8, True))


def test_collinear_variables_are_named():
    frame, (times, died) = read_cohort(), columns(read_cohort())
    twice = frame.select("age_gt_60", "asl", again=2 * pl.col("asl") + 1)
    with pytest.raises(NotEstimableError, match="asl, again: collinear"):
        fit_cox(twice, times, died)


def test_more_variables_than_patients_can_carry_are_refused():
    frame = read_cohort().head(15)
    with pytest.raises(NotEstimableError, match="15 complete patients are too few for 17"):
        fit_cox(frame.select(TOGETHER), *columns(frame))


def test_a_null_in_the_design_is_the_callers_fault():
    with pytest.raises(ValueError, match="finite row"):
        fit_cox(pl.DataFrame({"x": [1.0, None, 0, 1]}), np.arange(1.0, 5), np.full(4, True))


def test_numpys_error_state_is_left_as_it_was():
    with np.errstate(all="warn"):
        before = np.geterr()
        estimate_kaplan_meier(np.array([1.0, 2]), np.array([True, True]))
        assert np.geterr() == before
