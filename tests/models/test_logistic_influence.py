"""What single patients do to a logistic model, against a hand-worked case, R's numbers and laws."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.influence_summary import sum_up_influence
from models.logistic_influence import measure_logistic_influence
from models.regression import fit_logistic
from tests.models.logistic_cases import EVERYWHERE, TOGETHER, case, cohort_case, in_r
from tests.reference.expected import assert_same
from transforms.errors import NotEstimableError


def exposed_and_outcome(a, b, c, d):
    exposed = np.repeat([1.0, 1.0, 0.0, 0.0], [a, b, c, d])
    return pl.DataFrame({"exposed": exposed}), np.repeat([True, False, True, False], [a, b, c, d])


def assert_influence_is_rs(of, name):
    influence, of_r = measure_logistic_influence(of.covariates, of.outcome), in_r(name)
    for place, summary in enumerate(influence.coefficients):
        column = influence.dfbetas[:, place]
        numbers = {
            "max_abs_dfbetas": summary.max_abs_dfbetas,
            "n_influential": summary.n_influential,
            "sum": column.sum(),
            "sum_abs": np.abs(column).sum(),
            "squares": (column**2).sum(),
            "ratio_without_low": summary.ratio_without_low,
            "ratio_without_high": summary.ratio_without_high,
        }
        assert_same(numbers, of_r[summary.name])


# Worked by hand


def test_dfbetas_of_a_2x2_table_worked_by_hand():
    # Exposed 3 with and 1 without, unexposed 2 and 2: the exposed with have probability 3/4, leverage 1/4.
    influence = measure_logistic_influence(*exposed_and_outcome(3, 1, 2, 2))
    v, squares = 3 / 16, -2 * (3 * np.log(3 / 4) + np.log(1 / 4) + 4 * np.log(1 / 2))
    residual, leverage = np.sqrt(-2 * np.log(3 / 4)), 1 / 4
    moved = np.sqrt(v) * residual / (4 * v) / (1 - leverage)
    spread = np.sqrt((squares - residual**2 / (1 - leverage)) / (8 - 2 - 1))
    error = np.sqrt(1 / 3 + 1 + 1 / 2 + 1 / 2)
    assert influence.dfbetas[0, 0] == pytest.approx(moved / spread / error)


def test_the_ratios_without_a_patient_are_those_of_the_smaller_tables():
    (summary,) = measure_logistic_influence(*exposed_and_outcome(3, 2, 2, 3)).coefficients
    without = [2 * 3 / (2 * 2), 3 * 3 / (1 * 2), 3 * 3 / (2 * 1), 3 * 2 / (2 * 2)]
    assert (summary.ratio_without_low, summary.ratio_without_high) == pytest.approx(
        (min(without), max(without))
    )


# R's numbers


@pytest.mark.parametrize("name", EVERYWHERE)
def test_influence_is_rs(name):
    assert_influence_is_rs(case(name), f"{name}_influence")


def test_influence_on_16_variables_is_rs():
    assert_influence_is_rs(cohort_case(TOGETHER), "influence_together")


# Laws


@settings(max_examples=15, deadline=None)
@given(order=st.permutations(range(60)))
def test_the_order_of_the_rows_does_not_matter(order):
    of = case("ties")
    one = measure_logistic_influence(of.covariates, of.outcome).coefficients
    other = measure_logistic_influence(of.covariates[order], of.outcome[order]).coefficients
    for before, after in zip(one, other, strict=True):
        assert before.n_influential == after.n_influential
        assert before.ratio_without_low == pytest.approx(after.ratio_without_low, rel=1e-9)
        assert before.ratio_without_high == pytest.approx(after.ratio_without_high, rel=1e-9)


def test_a_patient_far_off_is_the_one_who_matters():
    rng = np.random.default_rng(6)
    x = np.append(rng.normal(size=80), 12.0)
    outcome = np.append(rng.random(80) < 1 / (1 + np.exp(-x[:80])), False)
    frame = pl.DataFrame({"x": x})
    influence = measure_logistic_influence(frame, outcome)
    assert np.abs(influence.dfbetas[:, 0]).argmax() == 80
    without = fit_logistic(frame[:80], outcome[:80]).coefficients[0].ratio.value
    assert influence.coefficients[0].ratio_without_high == pytest.approx(without)


# What cannot be estimated


def test_where_one_patient_holds_the_model_up_the_ratios_without_are_null_with_a_reason():
    (summary,) = measure_logistic_influence(*exposed_and_outcome(5, 1, 20, 30)).coefficients
    assert (summary.ratio_without_low, summary.ratio_without_high) == (None, None)
    assert "the outcome is separated by exposed" in summary.reason
    assert summary.max_abs_dfbetas > 0


def test_a_separated_outcome_is_refused():
    with pytest.raises(NotEstimableError, match="separated by exposed"):
        measure_logistic_influence(*exposed_and_outcome(6, 0, 20, 30))


def test_of_equally_influential_patients_twenty_are_left_out_whatever_their_order():
    dfbetas = np.column_stack([np.ones(300), np.arange(300.0)])
    left_out = []

    def refit(row):
        left_out.append(dfbetas[row, 1])
        return np.zeros(2)

    sum_up_influence(dfbetas, names=["x"], refit=refit)
    forward, left_out[:] = sorted(left_out), []
    dfbetas = dfbetas[::-1]
    sum_up_influence(dfbetas, names=["x"], refit=refit)
    assert sorted(left_out) == forward
    assert len(forward) == 20
