"""Cumulative incidence against hand-worked cases, three packages of R's, and laws."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from models.survival.competing_risks import estimate_cumulative_incidence
from models.survival.kaplan_meier import estimate_kaplan_meier
from tests.reference.competing import competing
from tests.reference.expected import (
    THIRD_PARTY,
    TOLERANCE,
    assert_same,
    read_cohort,
    read_third_party,
    read_ties,
)
from transforms.errors import NotEstimableError

BY_HAND = ([1, 2, 2, 3, 3, 4, 5, 5], [1, 2, 0, 1, 1, 0, 2, 1])


def estimate(durations, status, n_causes: int = 2):
    causes = tuple(str(number) for number in range(1, n_causes + 1))
    times, codes = np.array(durations, dtype=np.float64), np.array(status, dtype=np.int64)
    return estimate_cumulative_incidence(times, codes, causes=causes)


def incidences(found, cause: str = "1") -> list[float]:
    return found.points.filter(pl.col("cause") == cause)["incidence"].to_list()


def standard_error_at(found, time: float, cause: str) -> float:
    rows = found.points.filter((pl.col("cause") == cause) & (pl.col("time") <= time))
    return rows["standard_error"][-1]


def assert_incidence_is_rs(found, case: str) -> None:
    for name, of_r in competing(case).items():
        _, cause, _, at = name.split("_")
        time = float(at)
        incidence = found.incidence_at(time, cause)
        ours = {
            "estimate": incidence.value,
            "cuminc": incidence.value,
            "etm": incidence.value,
            "standard_error": standard_error_at(found, time, cause),
            "ci_low": incidence.ci_low,
            "ci_high": incidence.ci_high,
            "n_at_risk": found.n_at_risk_at(time),
        }
        assert_same(ours, of_r)


# Worked by hand


def test_incidences_worked_by_hand():
    found = estimate(*BY_HAND)
    # Without an event: 7/8 after 1, 3/4 after 2, 9/20 after 3. At 3 cause 1 takes 2 of 5, at 5 one of 2.
    first = [0, 1 / 8, 1 / 8, 1 / 8 + 3 / 4 * 2 / 5, 0.425, 0.425 + 9 / 20 / 2]
    assert incidences(found) == pytest.approx(first)
    assert incidences(found, "2") == pytest.approx([0, 0, 1 / 8, 1 / 8, 1 / 8, 1 / 8 + 9 / 20 / 2])
    assert found.points["n_at_risk"].to_list()[:6] == [8, 8, 7, 5, 3, 2]
    assert (found.n, found.events) == (8, {"1": 4, "2": 2})


def test_the_error_before_anyone_is_censored_is_the_binomial_one():
    found = estimate(*BY_HAND)
    assert standard_error_at(found, 1, "1") == pytest.approx((1 / 8 * 7 / 8 / 8) ** 0.5)


def test_the_limits_are_on_the_log_log_scale_of_the_incidence():
    found = estimate(*BY_HAND)
    p, error = 0.425, standard_error_at(found, 3, "1")
    reach = 1.959963984540054 * error / (p * math.log(p))
    limits = found.incidence_at(3.5, "1")
    assert limits.ci_low == pytest.approx(p ** math.exp(-reach))
    assert limits.ci_high == pytest.approx(p ** math.exp(reach))


# R's numbers


@pytest.mark.parametrize(
    ("case", "chosen"),
    [
        ("cohort_all", pl.lit(True)),
        ("cohort_asl_0", ~pl.col("has_asl")),
        ("cohort_asl_1", pl.col("has_asl")),
    ],
)
def test_progression_against_death_is_rs(case, chosen):
    progressed = pl.when(pl.col("pfs_months") < pl.col("os_months")).then(1).otherwise(2)
    status = pl.when("has_progressed_or_died").then(progressed).otherwise(0)
    frame = read_cohort().filter(chosen).select("pfs_months", status=status)
    assert_incidence_is_rs(estimate(frame["pfs_months"], frame["status"]), case)


def test_heavy_ties_are_rs():
    frame = read_ties()
    assert_incidence_is_rs(estimate(frame["time"], frame["event"].cast(int) * (1 + frame["y"])), "ties_two")


def test_three_causes_are_rs():
    frame = read_ties().with_columns(cause=pl.col("group").replace_strict({"a": 1, "b": 2, "c": 3}))
    status = frame["event"].cast(int) * frame["cause"]
    assert_incidence_is_rs(estimate(frame["time"], status, 3), "ties_three")


@pytest.mark.parametrize(
    ("case", "durations", "status"),
    [
        ("hand", *BY_HAND),
        ("at_time_0", [0, 0, 0, 1, 2, 2, 3], [1, 2, 0, 0, 1, 0, 2]),
        ("one_event", [2, 5, 7, 9], [1, 0, 0, 0]),
    ],
)
def test_small_and_early_cases_are_rs(case, durations, status):
    assert_incidence_is_rs(estimate(durations, status), case)


def test_transplant_and_death_in_pbc_are_rs():
    # R had all 418 patients, the reader leaves out those without a covariate: read the whole file.
    read_third_party("pbc")
    frame = pl.read_csv(THIRD_PARTY / "longitudinal-survival-r/survival_pbc.csv", null_values="NA")
    assert_incidence_is_rs(estimate(frame["time"], frame["status"]), "pbc_incidence")


# Laws

ROWS = st.lists(st.tuples(st.integers(0, 15), st.integers(0, 2)), min_size=1, max_size=50)


def columns(rows):
    return tuple(zip(*rows, strict=True))


@given(rows=ROWS)
def test_the_incidences_and_those_without_an_event_make_one(rows):
    times, status = columns(rows)
    found = estimate(times, status)
    survival = estimate_kaplan_meier(np.array(times, dtype=float), np.array(status) > 0).points["survival"]
    total = np.array(incidences(found, "1")) + np.array(incidences(found, "2")) + survival.to_numpy()
    assert total == pytest.approx(np.ones(len(total)))


@given(rows=ROWS)
def test_the_naive_number_is_never_lower(rows):
    times, status = columns(rows)
    curve = estimate_kaplan_meier(np.array(times, dtype=float), np.array(status) == 1)
    assert (
        1 - curve.points["survival"].to_numpy() >= np.array(incidences(estimate(times, status))) - 1e-12
    ).all()


@given(rows=ROWS)
def test_two_causes_taken_as_one_have_the_sum_of_their_incidences(rows):
    times, status = columns(rows)
    both = estimate(times, status)
    one = estimate(times, np.minimum(status, 1), 1)
    assert np.add(incidences(both, "1"), incidences(both, "2")) == pytest.approx(incidences(one))


@given(rows=ROWS)
def test_without_censoring_incidence_is_a_share_with_its_binomial_error(rows):
    times, status = columns([(time, max(code, 1)) for time, code in rows])
    found, n = estimate(times, status), len(rows)
    for time in (0, 4, 15):
        share = sum(t <= time and code == 1 for t, code in zip(times, status, strict=True)) / n
        assert found.incidence_at(time, "1").value == pytest.approx(share)
        error = math.sqrt(share * (1 - share) / n)
        assert standard_error_at(found, time, "1") == pytest.approx(error, abs=1e-7)


@settings(max_examples=25)
@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, order):
    shuffled = order.sample(rows, len(rows))
    assert estimate(*columns(rows)).points.equals(estimate(*columns(shuffled)).points)


@settings(max_examples=25)
@given(rows=ROWS, times=st.sampled_from([2, 9]))
def test_n_times_the_rows_have_the_same_incidence_and_an_error_smaller_by_root_n(rows, times):
    one, many = estimate(*columns(rows)), estimate(*columns(rows * times))
    assert incidences(many) == pytest.approx(incidences(one))
    # Where the true error is 0 the root of what rounding leaves is near 1e-9.
    smaller = one.points["standard_error"].to_numpy() / math.sqrt(times)
    assert many.points["standard_error"].to_numpy() == pytest.approx(smaller, rel=1e-9, abs=1e-7)


@settings(max_examples=25)
@given(rows=ROWS)
def test_the_error_is_the_infinitesimal_jackknifes(rows):
    assume(len(rows) > 1)
    found, at = estimate(*columns(rows)), 10
    influences = [influence_of(rows, number, at) for number in range(len(rows))]
    expected = math.sqrt(sum(influence**2 for influence in influences))
    assert standard_error_at(found, at, "1") == pytest.approx(expected, abs=1e-5)


def influence_of(rows, number: int, at: int, step: float = 1e-5) -> float:
    """The change of the incidence of cause 1 with the weight of one row, by a plain slow sum."""
    up, down = (weighted_incidence(rows, number, at, 1 + change) for change in (step, -step))
    return (up - down) / (2 * step)


def weighted_incidence(rows, number: int, at: int, weight: float) -> float:
    weights = [weight if row == number else 1.0 for row in range(len(rows))]
    free, incidence = 1.0, 0.0
    for time in sorted({time for time, _ in rows if time <= at}):
        at_risk, by_cause = 0.0, [0.0, 0.0, 0.0]
        for (end, code), w in zip(rows, weights, strict=True):
            at_risk += w * (end >= time)
            by_cause[code] += w * (end == time)
        incidence += free * by_cause[1] / at_risk
        free *= 1 - (by_cause[1] + by_cause[2]) / at_risk
    return incidence


def test_the_unit_of_time_does_not_matter():
    times, status = BY_HAND
    days = estimate(np.array(times) * 30.4375, status)
    assert incidences(days) == incidences(estimate(*BY_HAND))


def test_the_limits_hold_the_truth_as_often_as_they_say():
    # Two causes of hazards 0.05 and 0.03 a month: incidence 5/8 (1 - exp(-0.08 t)); censored from 5 to 40.
    rng, held = np.random.default_rng(5), 0
    truth = 5 / 8 * (1 - math.exp(-0.08 * 12))
    for _ in range(400):
        ends, censored = rng.exponential(1 / 0.08, 80), rng.uniform(5, 40, 80)
        status = np.where(ends <= censored, np.where(rng.random(80) < 5 / 8, 1, 2), 0)
        found = estimate(np.minimum(ends, censored), status).incidence_at(12, "1")
        held += found.ci_low <= truth <= found.ci_high
    # 400 draws: within three standard errors of 95 %.
    assert held / 400 == pytest.approx(0.95, abs=3 * math.sqrt(0.95 * 0.05 / 400))


def test_a_million_patients_on_two_thousand_days_are_as_precise():
    rng = np.random.default_rng(0)
    days = np.floor(np.minimum(rng.exponential(300, 1_000_000), 1999))
    found = estimate(days, rng.integers(1, 3, 1_000_000))
    share = found.incidence_at(600, "1").value
    assert standard_error_at(found, 600, "1") == pytest.approx(
        math.sqrt(share * (1 - share) / 1e6), rel=TOLERANCE
    )


# What cannot be estimated


def test_an_incidence_beyond_the_follow_up_is_not_a_number():
    found = estimate([1, 2, 3], [1, 2, 0])
    assert found.incidence_at(3, "1").value == pytest.approx(1 / 3)
    assert found.incidence_at(3.1, "1").value is None
    assert found.n_at_risk_at(3.1) == 0


def test_an_incidence_stays_where_everybody_has_had_an_event():
    found = estimate([1, 2, 3], [1, 2, 2])
    assert found.incidence_at(24, "1").value == pytest.approx(1 / 3)
    assert found.incidence_at(24, "2").ci_high is not None


def test_a_cause_that_nobody_or_everybody_had_has_no_limits():
    nobody, everybody = (estimate([1, 2], [cause, cause]).incidence_at(2, "1") for cause in (2, 1))
    assert (nobody.value, nobody.ci_low, nobody.ci_high) == (0, None, None)
    assert (everybody.value, everybody.ci_low, everybody.ci_high) == (1, None, None)


def test_without_any_event_the_incidence_is_zero():
    assert estimate([5, 30], [0, 0]).incidence_at(24, "2").value == 0


def test_a_group_of_nobody_has_no_incidence():
    with pytest.raises(NotEstimableError, match="nobody"):
        estimate([], [])


@pytest.mark.parametrize(
    ("durations", "status", "said"),
    [
        ([1, -1], [0, 1], "durations"),
        ([1, float("nan")], [0, 1], "durations"),
        ([1, 2], [0, 3], "status"),
        ([1, 2], [-1, 0], "status"),
        ([1, 2], [1], "status"),
    ],
)
def test_what_is_no_duration_or_no_cause_is_the_callers_fault(durations, status, said):
    with pytest.raises(ValueError, match=said):
        estimate(durations, status)


def test_an_unknown_cause_is_the_callers_fault():
    with pytest.raises(KeyError):
        estimate(*BY_HAND).incidence_at(3, "relapse")
