"""Correlations against hand-worked cases, R's numbers and laws, and the three of the study."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.correlations import correlate_pearson, correlate_spearman
from models.study.correlations import PAIRS, STATISTICS, correlate_il7_with_counts
from models.study.rows import frame_of
from tests.models.synthetic_cohort import make_cohort
from tests.reference.competing import competing
from tests.reference.expected import THIRD_PARTY, assert_same, read_cohort, read_third_party, read_ties
from transforms.errors import NotEstimableError


def numbers_of(correlation):
    parts = correlation.coefficient
    return {"estimate": parts.value, "ci_low": parts.ci_low, "ci_high": parts.ci_high, "p": correlation.p}


def assert_correlations_are_rs(first, second, case: str) -> None:
    x, y = np.array(first, dtype=np.float64), np.array(second, dtype=np.float64)
    of_r = competing(case)
    assert_same(numbers_of(correlate_pearson(x, y)), of_r["pearson"])
    assert_same(numbers_of(correlate_spearman(x, y)), of_r["spearman"])


# Worked by hand


def test_pearsons_r_worked_by_hand():
    # Deviations -1.5, -0.5, 0.5, 1.5 and -1.5, 0.5, -0.5, 1.5: products 4, squares 5 and 5.
    found = correlate_pearson(np.array([1.0, 2, 3, 4]), np.array([1.0, 3, 2, 4]))
    assert found.coefficient.value == pytest.approx(0.8)
    assert found.coefficient.ci_high == pytest.approx(math.tanh(math.atanh(0.8) + 1.959963984540054))
    # Two degrees of freedom: p = 1 - t / sqrt(2 + t^2), which is 1 - r.
    assert found.p == pytest.approx(0.2)


def test_spearmans_rho_gives_equal_values_their_mean_rank():
    # Ranks 1, 2.5, 2.5, 4 against 1, 2, 3, 4: products 4.5, squares 4.5 and 5.
    found = correlate_spearman(np.array([1.0, 7, 7, 100]), np.array([1.0, 2, 3, 4]))
    assert found.coefficient.value == pytest.approx(4.5 / math.sqrt(4.5 * 5))


# R's numbers


@pytest.mark.parametrize(
    ("case", "first", "second"),
    [
        ("correlation_il7", pl.col("pre_rt_il7_pg_ml"), pl.col("baseline_tlc_cells_per_ul")),
        ("correlation_month_2", pl.col("post_rt_il7_pg_ml"), pl.col("tlc_month_2_cells_per_ul")),
        (
            "correlation_change",
            pl.col("post_rt_il7_pg_ml") - pl.col("pre_rt_il7_pg_ml"),
            pl.col("pre_rt_il7_pg_ml"),
        ),
    ],
)
def test_the_correlations_of_a_cohort_are_rs(case, first, second):
    assert_correlations_are_rs(*read_cohort().select(first=first, second=second), case)


@pytest.mark.parametrize(
    ("case", "first", "second"), [("correlation_ties", "time", "y"), ("correlation_large", "large", "x")]
)
def test_ties_and_large_numbers_are_rs(case, first, second):
    assert_correlations_are_rs(*read_ties().select(first, second), case)


@pytest.mark.parametrize(
    ("case", "first", "second"),
    [
        ("correlation_four", [1, 2, 3, 4], [1, 3, 2, 4]),
        ("correlation_falling", [1, 2, 2, 5, 9, 9], [8, 7, 5, 5, 2, 1]),
    ],
)
def test_few_pairs_are_rs(case, first, second):
    assert_correlations_are_rs(first, second, case)


def test_bilirubin_and_albumin_in_pbc_are_rs():
    read_third_party("pbc")
    frame = pl.read_csv(THIRD_PARTY / "longitudinal-survival-r/survival_pbc.csv", null_values="NA")
    assert_correlations_are_rs(frame["bili"], frame["albumin"], "pbc_correlation")


# Laws

PAIRS_OF_NUMBERS = st.lists(st.tuples(st.integers(-50, 50), st.integers(-50, 50)), min_size=4, max_size=40)
CORRELATE = pytest.mark.parametrize("correlate", [correlate_pearson, correlate_spearman])


def as_arrays(pairs):
    x, y = (np.array(part, dtype=np.float64) for part in zip(*pairs, strict=True))
    assume(np.ptp(x) > 0 and np.ptp(y) > 0)
    return x, y


@CORRELATE
@given(pairs=PAIRS_OF_NUMBERS)
def test_which_comes_first_does_not_matter_and_a_turned_sign_turns_the_coefficient(correlate, pairs):
    x, y = as_arrays(pairs)
    plain, swapped, turned = correlate(x, y), correlate(y, x), correlate(x, -y)
    assert swapped.coefficient.value == pytest.approx(plain.coefficient.value)
    assert turned.coefficient.value == pytest.approx(-plain.coefficient.value)
    assert turned.p == pytest.approx(plain.p, abs=1e-12)


@CORRELATE
@given(pairs=PAIRS_OF_NUMBERS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_pairs_does_not_matter(correlate, pairs, order):
    x, y = as_arrays(pairs)
    one, other = correlate(x, y), correlate(*as_arrays(order.sample(pairs, len(pairs))))
    assert numbers_of(other) == pytest.approx(numbers_of(one), abs=1e-12)


@CORRELATE
@given(pairs=PAIRS_OF_NUMBERS, factor=st.sampled_from([1e-6, 3.0, 75_000.0, 1e200]))
def test_the_unit_does_not_matter(correlate, pairs, factor):
    x, y = as_arrays(pairs)
    scaled = correlate(x * factor, y).coefficient.value
    assert scaled == pytest.approx(correlate(x, y).coefficient.value, abs=1e-12)


@given(pairs=PAIRS_OF_NUMBERS)
def test_spearmans_rho_depends_on_the_order_of_values_only(pairs):
    x, y = as_arrays(pairs)
    bent = correlate_spearman(np.exp(x / 10), y)
    assert bent.coefficient.value == pytest.approx(correlate_spearman(x, y).coefficient.value)


@given(pairs=PAIRS_OF_NUMBERS)
def test_an_interval_holds_its_coefficient_and_lies_within_one(pairs):
    found = correlate_pearson(*as_arrays(pairs)).coefficient
    assert -1 <= found.ci_low <= found.value + 1e-12
    assert found.value - 1e-12 <= found.ci_high <= 1


@CORRELATE
def test_a_straight_line_correlates_fully(correlate):
    x = np.arange(5.0)
    found = correlate(x, 3 - 2 * x)
    assert found.coefficient.value == pytest.approx(-1)
    assert found.p < 1e-12


# What cannot be estimated


@CORRELATE
def test_three_pairs_are_too_few(correlate):
    with pytest.raises(NotEstimableError, match="needs 4 pairs; there is/are 3"):
        correlate(np.arange(3.0), np.arange(3.0))


@CORRELATE
def test_what_does_not_vary_has_no_correlation(correlate):
    with pytest.raises(NotEstimableError, match="does not vary"):
        correlate(np.arange(5.0), np.full(5, 100.1))


@CORRELATE
@pytest.mark.parametrize("second", [[1, 2, 3, math.nan], [1, 2, 3, math.inf], [1, 2, 3]])
def test_what_are_no_pairs_of_numbers_is_the_callers_fault(correlate, second):
    with pytest.raises(ValueError, match="pairs of finite numbers"):
        correlate(np.arange(4.0), np.array(second, dtype=np.float64))


# The study's


def test_the_study_correlates_il7_with_counts_in_three_ways():
    cohort, _ = make_cohort()
    frame = frame_of(correlate_il7_with_counts(cohort))
    assert frame.select("analysis", "group", "level").unique().rows() == [("correlations", "all", "")]
    assert frame["variable"].unique(maintain_order=True).to_list() == [pair.word for pair in PAIRS]
    assert frame["statistic"].to_list() == list(STATISTICS) * 3
    assert frame["value"].null_count() == 0


def test_a_patient_without_one_of_the_numbers_is_left_out_of_that_pair():
    cohort, _ = make_cohort()
    some = pl.int_range(pl.len()) < 90
    cohort = cohort.with_columns(nadir_tlc_cells_per_ul=pl.when(some).then("nadir_tlc_cells_per_ul"))
    frame = frame_of(correlate_il7_with_counts(cohort))
    assert frame.filter(statistic="pearson_r")["n"].to_list() == [90, 90, 98]


def test_too_few_patients_keep_their_rows_with_the_reason():
    cohort, _ = make_cohort()
    frame = frame_of(correlate_il7_with_counts(cohort.head(3)))
    assert (frame.height, frame["value"].null_count()) == (18, 18)
    assert frame["definition"].str.starts_with("Not estimated: a correlation needs 4 pairs").all()
