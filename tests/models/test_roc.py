"""The ROC curve against hand-worked cases, pROC's numbers and laws."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu

from models.roc import estimate_roc
from tests.reference.expected import assert_same, expected, read_cohort, read_third_party, read_ties
from transforms.errors import NotEstimableError


def assert_curve_is_procs(roc, case: str) -> None:
    of_r = expected(case)
    assert_same(
        {"estimate": roc.auc.value, "ci_low": roc.auc.ci_low, "ci_high": roc.auc.ci_high}, of_r["auc"]
    )
    found = {"cutoff": roc.cutoff, "sensitivity": roc.sensitivity, "specificity": roc.specificity}
    assert_same(found, of_r["youden"])


def assert_area_is_procs(scores, outcome, case: str) -> None:
    auc = estimate_roc(scores, outcome).auc
    numbers = {"estimate": auc.value, "ci_low": auc.ci_low, "ci_high": auc.ci_high}
    assert_same(numbers, expected(case, of="logistic.csv")["auc"])


# Worked by hand


def test_a_curve_worked_by_hand():
    roc = estimate_roc(np.array([1.0, 2, 3, 4]), np.array([False, True, False, True]))
    assert roc.points.rows() == [
        (None, 0.0, 1.0),
        (3.5, 0.5, 1.0),
        (2.5, 0.5, 0.5),
        (1.5, 1.0, 0.5),
        (None, 1.0, 0.0),
    ]
    # Three of the four pairs are in order.
    assert roc.auc.value == 0.75
    assert (roc.n, roc.events) == (4, 2)


def test_delongs_interval_worked_by_hand():
    # Placements: with the outcome 0.5 and 1, without 1 and 0.5; each variance 1/8, over 2.
    roc = estimate_roc(np.array([1.0, 2, 3, 4]), np.array([False, True, False, True]))
    reach = 1.959963984540054 * (1 / 16 + 1 / 16) ** 0.5
    assert (roc.auc.ci_low, roc.auc.ci_high) == (pytest.approx(0.75 - reach), 1.0)


def test_a_low_value_tests_positive_at_the_cut_off_itself():
    roc = estimate_roc(np.array([1.0, 2, 5, 9]), np.array([True, True, False, False]), positive="low")
    assert (roc.cutoff, roc.sensitivity, roc.specificity) == (3.5, 1, 1)
    assert (roc.auc.value, roc.auc.ci_low, roc.auc.ci_high) == (1, 1, 1)


def test_of_equal_cut_offs_the_lowest_is_taken():
    # 1.5 and 3.5 both have sensitivity + specificity 1.5.
    roc = estimate_roc(np.array([1.0, 2, 3, 4]), np.array([False, True, False, True]))
    assert roc.cutoff == 1.5


def test_the_studys_cut_off_reaches_what_its_2x2_table_says():
    # 29 of 41 with ASL and 24 of 57 without have 2.495 pg/mL or less.
    values = np.repeat([2.0, 2.99, 2.0, 2.99], [29, 12, 24, 33])
    roc = estimate_roc(values, np.repeat([True, True, False, False], [29, 12, 24, 33]), positive="low")
    assert roc.cutoff == pytest.approx(2.495)
    assert (roc.sensitivity, roc.specificity) == pytest.approx((29 / 41, 33 / 57))


# pROC's numbers


@pytest.mark.parametrize(
    ("case", "score", "outcome", "positive"),
    [
        ("roc_il7", "pre_rt_il7_pg_ml", "has_asl", "low"),
        ("roc_baseline", "baseline_tlc_cells_per_ul", "has_asl", "low"),
        ("roc_age", "age_years", "has_died", "high"),
    ],
)
def test_area_interval_and_cut_off_are_procs(case, score, outcome, positive):
    frame = read_cohort()
    roc = estimate_roc(frame[score].to_numpy(), frame[outcome].to_numpy(), positive=positive)
    assert_curve_is_procs(roc, case)


@pytest.mark.parametrize(("name", "score"), [("lung", "ph.ecog"), ("pbc", "bili"), ("gbsg2", "pnodes")])
def test_real_data_give_procs_numbers(name, score):
    frame = read_third_party(name)
    roc = estimate_roc(frame[score].cast(pl.Float64).to_numpy(), frame["event"].to_numpy())
    assert_curve_is_procs(roc, f"{name}_roc")


@pytest.mark.parametrize(
    ("case", "scores", "outcome"),
    [
        ("roc_perfect", [1, 2, 2, 3, 4], [0, 0, 0, 1, 1]),
        ("roc_reversed", [1, 2, 3, 3, 4], [1, 1, 0, 0, 0]),
        ("roc_half", [1, 1, 2, 2, 3, 3], [0, 1, 1, 0, 0, 1]),
    ],
)
def test_areas_of_1_0_and_one_half_are_procs(case, scores, outcome):
    assert_area_is_procs(np.array(scores, dtype=float), np.array(outcome, dtype=bool), case)


def test_an_area_with_heavy_ties_is_procs():
    frame = read_ties()
    assert_area_is_procs(frame["x"].round().to_numpy(), frame["event"].to_numpy(), "roc_ties")


@pytest.mark.parametrize(("name", "score"), [("lung", "age"), ("pbc", "edema"), ("gbsg2", "tsize")])
def test_areas_of_scores_with_ties_are_procs(name, score):
    frame = read_third_party(name)
    assert_area_is_procs(
        frame[score].cast(pl.Float64).to_numpy(), frame["event"].to_numpy(), f"{name}_roc_{score}"
    )


# Laws

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 12)), min_size=4, max_size=40).filter(
    lambda rows: len({row[0] for row in rows}) == 2 and len({row[1] for row in rows}) > 1
)


def as_arrays(rows):
    outcome, scores = zip(*rows, strict=True)
    return np.array(scores, dtype=float), np.array(outcome)


@given(rows=ROWS)
def test_the_area_is_mann_whitneys(rows):
    scores, outcome = as_arrays(rows)
    u = mannwhitneyu(scores[outcome], scores[~outcome]).statistic
    assert estimate_roc(scores, outcome).auc.value == pytest.approx(u / (outcome.sum() * (~outcome).sum()))


@given(rows=ROWS)
def test_the_area_is_the_one_under_its_points(rows):
    roc = estimate_roc(*as_arrays(rows))
    area = np.trapezoid(roc.points["sensitivity"], 1 - roc.points["specificity"])
    assert roc.auc.value == pytest.approx(area)


@given(rows=ROWS)
def test_the_other_direction_has_the_rest_of_the_area(rows):
    scores, outcome = as_arrays(rows)
    low, high = (estimate_roc(scores, outcome, positive=end).auc.value for end in ("low", "high"))
    assert low + high == pytest.approx(1)


@given(rows=ROWS)
def test_no_threshold_is_infinite_and_none_is_a_score(rows):
    scores, outcome = as_arrays(rows)
    thresholds = estimate_roc(scores, outcome).points["threshold"].drop_nulls()
    assert thresholds.is_finite().all()
    assert not thresholds.is_in(scores).any()


@given(rows=ROWS, positive=st.sampled_from(["low", "high"]))
def test_the_cut_off_does_what_it_says(rows, positive):
    scores, outcome = as_arrays(rows)
    roc = estimate_roc(scores, outcome, positive=positive)
    test = scores <= roc.cutoff if positive == "low" else scores > roc.cutoff
    assert roc.sensitivity == pytest.approx(test[outcome].mean())
    assert roc.specificity == pytest.approx((~test)[~outcome].mean())
    best = (roc.points["sensitivity"] + roc.points["specificity"]).max()
    # The two ends have 1; a threshold may be worse than both where the score points the other way.
    assert roc.sensitivity + roc.specificity == pytest.approx(best) or best == pytest.approx(1)


@given(rows=ROWS, order=st.randoms(use_true_random=False))
def test_the_order_of_the_rows_does_not_matter(rows, order):
    first, second = estimate_roc(*as_arrays(rows)), estimate_roc(*as_arrays(order.sample(rows, len(rows))))
    assert first.points.equals(second.points)
    assert first.auc.ci_low == pytest.approx(second.auc.ci_low, abs=1e-12)


# What cannot be estimated


def test_one_outcome_has_no_curve():
    with pytest.raises(NotEstimableError, match="all 3 patients have the same outcome"):
        estimate_roc(np.array([1.0, 2, 3]), np.full(3, True))


def test_one_score_has_no_curve():
    with pytest.raises(NotEstimableError, match="the score is the same in all 3"):
        estimate_roc(np.full(3, 2.0), np.array([True, False, True]))


def test_nobody_has_no_curve():
    with pytest.raises(NotEstimableError, match="all 0 patients"):
        estimate_roc(np.array([]), np.array([], dtype=bool))


def test_a_single_event_has_an_area_without_interval():
    auc = estimate_roc(np.array([1.0, 2, 3]), np.array([True, False, False])).auc
    assert (auc.value, auc.ci_low, auc.ci_high) == (0, None, None)
