"""Descriptions and tests between groups against hand-worked cases, R's numbers and laws."""

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from models.comparisons import (
    adjust_bonferroni,
    adjust_fdr,
    compare_means,
    compare_paired,
    compare_proportions,
    compare_proportions_exactly,
    describe,
)
from tests.reference.competing import competing
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


def test_fishers_test_worked_by_hand():
    # The lady tasting tea: of 70 ways 1 has all four cups right, 16 three; as many at the other end.
    assert compare_proportions_exactly(np.array([[3, 1], [1, 3]])).p == pytest.approx((16 + 1 + 16 + 1) / 70)
    assert compare_proportions_exactly(np.array([[4, 0], [0, 4]])).p == pytest.approx(2 / 70)


def test_the_false_discovery_rate_worked_by_hand():
    # Times 4 over the rank: 0.04, 0.06, 0.053..., 0.5; no q is above that of a larger p.
    found = adjust_fdr(np.array([0.5, 0.03, 0.01, 0.04]))
    assert found == pytest.approx([0.5, 0.16 / 3, 0.04, 0.16 / 3])


def test_bonferroni_multiplies_and_stops_at_one():
    assert adjust_bonferroni(0.01, 6) == pytest.approx(0.06)
    assert adjust_bonferroni(0.5, 6) == 1


# R's numbers


def test_students_t_is_rs():
    assert_same(numbers_of(compare_means(*il7_by_asl())), expected("t_student")["test"])


def test_welchs_t_is_rs():
    assert_same(numbers_of(compare_means(*il7_by_asl(), variances="unequal")), expected("t_welch")["test"])


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


def test_fishers_test_is_rs():
    for counts, of_r in competing("fisher").items():
        table = np.array([int(count) for count in counts.split("_")]).reshape(2, 2).T
        assert compare_proportions_exactly(table).p == pytest.approx(of_r["p"], rel=TOLERANCE), counts


def test_the_false_discovery_rate_is_rs():
    raw = np.array([0.01, 0.04, 0.03, 0.005, 0.5, 0.04, 1, 0.9, 1e-12, 0.97])
    of_r = competing("fdr")["ten"]
    assert_same(dict(zip(of_r, adjust_fdr(raw), strict=True)), of_r)


def test_a_description_is_rs():
    found = describe(read_cohort()["pre_rt_il7_pg_ml"].to_numpy())
    assert_same(vars(found), expected("describe_il7")["all"])


def test_real_data_give_rs_tests():
    lung, pbc, gbsg2 = (read_third_party(name) for name in ("lung", "pbc", "gbsg2"))
    ages = (lung.filter(pl.col("sex") == sex)["age"].cast(pl.Float64).to_numpy() for sex in (1, 2))
    assert_same(numbers_of(compare_means(*ages)), expected("lung_t_student")["test"])
    bilirubin = (pbc.filter(pl.col("event") == died)["bili"].to_numpy() for died in (False, True))
    welch = compare_means(*bilirubin, variances="unequal")
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


@given(table=st.lists(st.integers(1, 60), min_size=4, max_size=4))
def test_turning_the_table_or_swapping_groups_changes_nothing_for_fisher(table):
    counts = np.array(table).reshape(2, 2)
    p = compare_proportions_exactly(counts).p
    for other in (counts.T, counts[::-1], counts[:, ::-1]):
        assert compare_proportions_exactly(other).p == pytest.approx(p)


PS = st.lists(st.floats(0, 1), min_size=1, max_size=30)


@given(raw=PS, order=st.randoms(use_true_random=False))
def test_a_q_is_never_below_its_p_nor_above_bonferronis_and_keeps_the_order(raw, order):
    p_values = np.array(raw)
    q_values = adjust_fdr(p_values)
    assert (q_values >= p_values).all()
    assert (q_values <= np.minimum(1, p_values * len(raw)) + 1e-12).all()
    assert (np.diff(q_values[np.argsort(p_values)]) >= 0).all()
    shuffled = order.sample(range(len(raw)), len(raw))
    assert adjust_fdr(p_values[shuffled]).tolist() == q_values[shuffled].tolist()


def test_of_tests_without_any_effect_five_percent_of_families_have_a_discovery():
    rng = np.random.default_rng(3)
    share = np.mean([adjust_fdr(rng.random(20)).min() <= 0.05 for _ in range(4000)])
    assert share == pytest.approx(0.05, abs=3 * (0.05 * 0.95 / 4000) ** 0.5)


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


@pytest.mark.parametrize("table", [[[5, 5], [0, 0]], [[5, 0], [4, 0]]])
def test_fishers_test_of_one_level_or_one_group_says_so(table):
    with pytest.raises(NotEstimableError, match="two levels and two groups"):
        compare_proportions_exactly(np.array(table))


def test_fishers_test_of_a_larger_table_is_the_callers_fault():
    with pytest.raises(ValueError, match="2 x 2"):
        compare_proportions_exactly(np.ones((3, 2), dtype=int))


@pytest.mark.parametrize("wrong", [float("nan"), -0.1, 1.1])
def test_what_is_no_p_has_no_q(wrong):
    with pytest.raises(ValueError, match="p_values"):
        adjust_fdr(np.array([0.5, wrong]))


def test_a_family_of_no_tests_has_no_q():
    assert adjust_fdr(np.array([])).tolist() == []


def test_the_tolerance_is_stricter_than_six_digits():
    assert TOLERANCE < 5e-7
