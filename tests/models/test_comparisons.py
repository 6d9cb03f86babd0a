"""Descriptions and tests between groups against hand-worked cases, R's numbers and laws."""

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.comparisons import (
    adjust_bonferroni,
    compare_means,
    compare_paired,
    compare_proportions,
    describe,
)
from tests.reference.expected import TOLERANCE, assert_same, expected, read_cohort, read_third_party
from transforms.errors import NotEstimableError


def numbers_of(test):
    difference = test.difference
    return {
        "t": test.t,
        "degrees_of_freedom": test.degrees_of_freedom,
        "p": test.p,
        "difference": difference.value,
        "ci_low": difference.ci_low,
        "ci_high": difference.ci_high,
    }


def il7_by_asl():
    frame = read_cohort()
    return (frame.filter(pl.col("has_asl") == asl)["pre_rt_il7_pg_ml"].to_numpy() for asl in (True, False))


def counts_of(frame: pl.DataFrame, row: str, column: str) -> np.ndarray:
    return (
        frame.pivot(on=column, index=row, values=column, aggregate_function="len")
        .fill_null(0)
        .drop(row)
        .to_numpy()
    )


# Worked by hand


def test_a_description_worked_by_hand():
    found = describe(np.array([1.0, 2, 3, 6]))
    assert (found.n, found.mean, found.median, found.minimum, found.maximum) == (4, 3, 2.5, 1, 6)
    assert found.sd == pytest.approx((14 / 3) ** 0.5)


def test_a_students_t_test_worked_by_hand():
    # Means 2 and 5, variances 1 and 1, pooled error of the difference (1/3 + 1/3) ** 0.5.
    test = compare_means(np.array([1.0, 2, 3]), np.array([4.0, 5, 6]))
    assert test.t == pytest.approx(-3 / (2 / 3) ** 0.5)
    assert (test.degrees_of_freedom, test.difference.value, test.n) == (4, -3, 6)
    assert test.difference.ci_high == pytest.approx(-3 + 2.7764451051977987 * (2 / 3) ** 0.5)


def test_a_paired_t_test_worked_by_hand():
    # Differences 1, 2, 3: mean 2, error 1 / 3 ** 0.5.
    test = compare_paired(np.array([2.0, 4, 6]), np.array([1.0, 2, 3]))
    assert test.t == pytest.approx(2 * 3**0.5)
    assert (test.degrees_of_freedom, test.difference.value, test.n) == (2, 2, 3)


def test_the_studys_tables_give_its_printed_p_values():
    tables = {
        (39, 39, 14, 6): 0.109,
        (50, 36, 3, 9): 0.031,
        (27, 26, 26, 19): 0.499,
        (17, 10, 18, 13, 18, 22): 0.304,
        (29, 12, 24, 33): 0.005,
    }
    for counts, printed in tables.items():
        assert round(compare_proportions(np.array(counts).reshape(-1, 2)).p, 3) == printed


def test_a_chi_square_worked_by_hand():
    # Expected 5 in each cell, every cell 2 off: 4 * 4 / 5.
    test = compare_proportions(np.array([[7, 3], [3, 7]]))
    assert (test.chi_square, test.degrees_of_freedom, test.smallest_expected, test.n) == (3.2, 1, 5, 20)


def test_bonferroni_multiplies_and_stops_at_one():
    assert adjust_bonferroni(0.01, 6) == pytest.approx(0.06)
    assert adjust_bonferroni(0.5, 6) == 1


# R's numbers


def test_students_t_is_rs():
    assert_same(numbers_of(compare_means(*il7_by_asl())), expected("t_student")["test"])


def test_welchs_t_is_rs():
    assert_same(numbers_of(compare_means(*il7_by_asl(), equal_variances=False)), expected("t_welch")["test"])


def test_the_paired_t_is_rs():
    frame = read_cohort()
    test = compare_paired(frame["post_rt_il7_pg_ml"].to_numpy(), frame["pre_rt_il7_pg_ml"].to_numpy())
    assert_same(numbers_of(test), expected("t_paired")["test"])


@pytest.mark.parametrize(
    ("case", "row", "column"), [("2x2", "has_asl", "il7_group"), ("3x2", "viral_type", "il7_group")]
)
def test_chi_square_is_rs_without_correction(case, row, column):
    assert_same(
        vars(compare_proportions(counts_of(read_cohort(), row, column))),
        expected(f"chi_square_{case}")["test"],
    )


def test_bonferroni_is_rs():
    raw = {"p1": 0.001, "p2": 0.02, "p3": 0.2, "p4": 0.5, "p5": 0.9, "p6": 1.0}
    assert_same({name: adjust_bonferroni(p, 6) for name, p in raw.items()}, expected("bonferroni")["six"])


def test_a_description_is_rs():
    found = describe(read_cohort()["pre_rt_il7_pg_ml"].to_numpy())
    assert_same(vars(found), expected("describe_il7")["all"])


def test_real_data_give_rs_tests():
    lung, pbc, gbsg2 = (read_third_party(name) for name in ("lung", "pbc", "gbsg2"))
    ages = (lung.filter(pl.col("sex") == sex)["age"].cast(pl.Float64).to_numpy() for sex in (1, 2))
    assert_same(numbers_of(compare_means(*ages)), expected("lung_t_student")["test"])
    bilirubin = (pbc.filter(pl.col("event") == died)["bili"].to_numpy() for died in (False, True))
    welch = compare_means(*bilirubin, equal_variances=False)
    assert_same(numbers_of(welch), expected("pbc_t_welch")["test"])
    assert_same(
        vars(compare_proportions(counts_of(lung, "ph.ecog", "sex"))), expected("lung_chi_square")["test"]
    )
    assert_same(
        vars(compare_proportions(counts_of(gbsg2, "tgrade", "horTh"))), expected("gbsg2_chi_square")["test"]
    )


# Laws

VALUES = st.lists(st.integers(-1000, 1000), min_size=3, max_size=20).map(lambda xs: np.array(xs, dtype=float))


@given(first=VALUES, second=VALUES)
def test_swapping_the_groups_turns_the_sign(first, second):
    assume(np.ptp(first) > 0 and np.ptp(second) > 0)
    one, other = compare_means(first, second), compare_means(second, first)
    assert one.t == pytest.approx(-other.t, abs=1e-12)
    assert one.p == pytest.approx(other.p)
    assert one.difference.ci_low == pytest.approx(-other.difference.ci_high, abs=1e-9)


@given(first=VALUES, second=VALUES)
def test_p_is_below_five_percent_exactly_where_the_interval_misses_zero(first, second):
    assume(np.ptp(first) > 0 and np.ptp(second) > 0)
    test = compare_means(first, second)
    misses_zero = test.difference.ci_low > 0 or test.difference.ci_high < 0
    assert misses_zero == (test.p < 0.05) or test.p == pytest.approx(0.05)


@given(table=st.lists(st.lists(st.integers(1, 50), min_size=2, max_size=2), min_size=2, max_size=4))
def test_turning_the_table_changes_nothing(table):
    counts = np.array(table)
    assert compare_proportions(counts).p == pytest.approx(compare_proportions(counts.T).p)


@given(table=st.lists(st.lists(st.integers(1, 50), min_size=2, max_size=2), min_size=2, max_size=4))
def test_a_level_that_nobody_has_changes_nothing(table):
    counts = np.array(table)
    with_empty = np.vstack([counts, np.zeros((1, 2), dtype=int)])
    assert compare_proportions(with_empty) == compare_proportions(counts)


# What cannot be estimated


def test_no_values_cannot_be_described():
    with pytest.raises(NotEstimableError, match="no values"):
        describe(np.array([]))


def test_one_value_has_no_spread():
    assert describe(np.array([3.0])).sd is None


@pytest.mark.parametrize("second", [[], [1.0]])
def test_a_t_test_needs_two_values_in_each_group(second):
    with pytest.raises(NotEstimableError, match="two values in each group"):
        compare_means(np.array([1.0, 2]), np.array(second))


def test_groups_without_spread_cannot_be_compared():
    with pytest.raises(NotEstimableError, match="do not vary"):
        compare_means(np.full(4, 100.0), np.full(5, 100.0))
    with pytest.raises(NotEstimableError, match="do not vary"):
        compare_paired(np.array([2.0, 3, 4]), np.array([1.0, 2, 3]))


def test_a_spread_of_rounding_errors_is_none():
    with pytest.raises(NotEstimableError, match="do not vary"):
        compare_paired(np.array([0.1 + 0.2, 1.3]), np.array([0.0, 1.0]))


def test_one_pair_cannot_be_compared():
    with pytest.raises(NotEstimableError, match="two pairs"):
        compare_paired(np.array([1.0]), np.array([2.0]))


@pytest.mark.parametrize("table", [[[5, 5], [0, 0]], [[5, 0], [4, 0]], [[0, 0], [0, 0]]])
def test_one_level_or_one_group_cannot_be_compared(table):
    with pytest.raises(NotEstimableError, match="two levels and two groups"):
        compare_proportions(np.array(table))


def test_the_tolerance_is_stricter_than_six_digits():
    assert TOLERANCE < 5e-7
