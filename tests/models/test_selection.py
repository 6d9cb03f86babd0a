"""Backward elimination against R's loop and by its own rules."""

import math

import numpy as np
import polars as pl
import pytest

from models.estimate import Coefficient
from models.logistic_likelihood import LogisticLikelihood
from models.regression import fit_logistic
from models.resampling import SubsetFits, standardised
from models.selection import eliminate_backward
from models.survival.cox import fit_cox
from models.survival.partial_likelihood import PartialLikelihood
from models.variables import ASL_VARIABLES, SURVIVAL_VARIABLES
from tests.reference.expected import TOLERANCE, expected, read_cohort
from transforms.errors import NotEstimableError


class FakeFit:
    """A model whose coefficients have the z asked for, and each its own share of the likelihood ratio."""

    def __init__(self, z_of: dict[str, float], ratio_of: dict[str, float]):
        self.coefficients = tuple(Coefficient(name, z, 1.0) for name, z in z_of.items())
        self.likelihood_ratio = sum(ratio_of.get(name, 0.0) for name in z_of)
        self.log_likelihood = -100 + self.likelihood_ratio / 2


def fake(z_of: dict[str, float], ratio_of: dict[str, float] | None = None):
    return lambda names: FakeFit({name: z_of[name] for name in names}, ratio_of or {})


def words(variables):
    return tuple("uicc_ordinal" if v.word == "uicc_iii_iv" else v.word for v in variables)


def test_the_largest_p_goes_first_until_none_is_above_the_limit():
    found = eliminate_backward(("a", "b", "c", "d"), fake({"a": 3.0, "b": 0.5, "c": 0.1, "d": -2.5}))
    assert [(step.number, step.removed.name, step.n_left) for step in found.steps] == [
        (1, "c", 3),
        (2, "b", 2),
    ]
    assert found.retained == ("a", "d")
    assert [coefficient.name for coefficient in found.fit.coefficients] == ["a", "d"]


def test_a_p_of_just_the_limit_stays():
    z = 1.6448536269514722
    assert eliminate_backward(("a",), fake({"a": z}), removal_p=Coefficient("a", z, 1.0).p).retained == ("a",)
    assert eliminate_backward(("a",), fake({"a": z - 1e-9}), removal_p=0.10).retained == ()


def test_of_equals_the_first_goes():
    assert eliminate_backward(("a", "b"), fake({"a": 0.5, "b": 0.5})).steps[0].removed.name == "a"


def test_where_nothing_stays_there_is_no_fit():
    found = eliminate_backward(("a", "b"), fake({"a": 0.1, "b": 0.2}))
    assert (found.retained, found.fit, len(found.steps)) == ((), None, 2)


def test_without_candidates_nothing_happens():
    assert eliminate_backward((), fake({})).fit is None


def test_a_model_that_cannot_be_fitted_ends_the_elimination_with_its_reason():
    def refuse(names):
        raise NotEstimableError("because")

    with pytest.raises(NotEstimableError, match="because"):
        eliminate_backward(("a",), refuse)


# By likelihood ratio


def test_the_variable_goes_whose_removal_costs_least_whatever_walds_p():
    fit = fake({"a": 0.1, "b": 3.0, "c": 1.0}, {"a": 9.0, "b": 0.5, "c": 2.0})
    found = eliminate_backward(("a", "b", "c"), fit, removal_test="likelihood_ratio")
    assert [step.removed.name for step in found.steps] == ["b", "c"]
    assert found.retained == ("a",)
    assert found.fit.likelihood_ratio == 9.0


def test_a_steps_p_is_that_of_the_test_that_removed():
    # Chi-square 2.0 with one degree of freedom has p 0.1573; z 3.0 has 0.0027, z 0.5 has 0.6171.
    by_ratio = eliminate_backward(("a",), fake({"a": 3.0}, {"a": 2.0}), removal_test="likelihood_ratio")
    assert by_ratio.steps[0].p == pytest.approx(0.15729920705)
    by_wald = eliminate_backward(("a",), fake({"a": 0.5}, {"a": 9.0}))
    assert by_wald.steps[0].p == by_wald.steps[0].removed.p == pytest.approx(0.61707507745)


def test_a_likelihood_ratio_p_of_just_the_limit_stays():
    p = math.erfc(math.sqrt(2.0 / 2))
    fit = fake({"a": 0.1}, {"a": 2.0})
    kept = eliminate_backward(("a",), fit, removal_p=p, removal_test="likelihood_ratio")
    gone = eliminate_backward(("a",), fit, removal_p=p - 1e-12, removal_test="likelihood_ratio")
    assert (kept.retained, gone.retained) == (("a",), ())


def test_a_ratio_that_rounding_left_below_0_counts_as_0():
    found = eliminate_backward(
        ("a", "b"), fake({"a": 1.0, "b": 1.0}, {"a": -1e-13, "b": 9.0}), removal_test="likelihood_ratio"
    )
    assert found.steps[0].p == 1.0


def test_no_model_is_fitted_twice():
    asked = []

    def fit(names):
        asked.append(names)
        return fake({"a": 0.1, "b": 0.2, "c": 3.0}, {"a": 0.1, "b": 0.2, "c": 9.0})(names)

    eliminate_backward(("a", "b", "c"), fit, removal_test="likelihood_ratio")
    assert len(asked) == len(set(asked)) == 6


def cox_of(frame: pl.DataFrame):
    return fit_cox(
        frame.drop("has_died", "os_months"), frame["os_months"].to_numpy(), frame["has_died"].to_numpy()
    )


def fast_cox(frame: pl.DataFrame, candidates: tuple[str, ...]):
    scaled = standardised(frame.select(candidates).to_numpy())
    followed = frame["os_months"].to_numpy(), frame["has_died"].to_numpy()
    return SubsetFits(candidates, scaled, PartialLikelihood(scaled, *followed)).fit


def fast_logistic(frame: pl.DataFrame, candidates: tuple[str, ...]):
    scaled = standardised(frame.select(candidates).to_numpy())
    return SubsetFits(candidates, scaled, LogisticLikelihood(scaled, frame["has_asl"].to_numpy())).fit


@pytest.mark.parametrize(
    ("case", "candidates", "fit_of"),
    [
        ("cox_by_ratio", words(SURVIVAL_VARIABLES), fast_cox),
        ("logistic_by_ratio", words(ASL_VARIABLES), fast_logistic),
    ],
)
def test_the_steps_by_likelihood_ratio_are_rs(case, candidates, fit_of):
    frame = read_cohort()
    found = eliminate_backward(candidates, fit_of(frame, candidates), removal_test="likelihood_ratio")
    of_r = expected(case, of="resampling.csv")
    assert {step.removed.name: step.number for step in found.steps} == {n: s["step"] for n, s in of_r.items()}
    for step in found.steps:
        assert step.p == pytest.approx(of_r[step.removed.name]["p"], rel=TOLERANCE)
    retained = expected(f"{case}_retained", of="resampling.csv")
    spread = {name: np.std(frame[name].to_numpy()) for name in retained}
    assert {c.name: c.estimate / spread[c.name] for c in found.fit.coefficients} == pytest.approx(
        {name: numbers["coefficient"] for name, numbers in retained.items()}, rel=TOLERANCE
    )


def test_the_last_variable_goes_by_the_whole_models_ratio_as_in_r():
    frame = read_cohort()
    of_r = expected("cox_by_ratio_empty", of="resampling.csv")
    found = eliminate_backward(
        ("hepatitis_viral", "multiple_tumors", "pvtt"),
        lambda names: cox_of(frame.select(*names, "os_months", "has_died")),
        removal_test="likelihood_ratio",
    )
    assert {step.removed.name: step.number for step in found.steps} == {n: s["step"] for n, s in of_r.items()}
    assert {step.removed.name: step.p for step in found.steps} == pytest.approx(
        {name: numbers["p"] for name, numbers in of_r.items()}, rel=TOLERANCE
    )
    assert found.fit is None


# By Wald


@pytest.mark.parametrize(
    ("case", "candidates", "fit"),
    [
        (
            "cox_elimination",
            words(SURVIVAL_VARIABLES),
            cox_of,
        ),
        (
            "logistic_elimination",
            words(ASL_VARIABLES),
            lambda frame: fit_logistic(frame.drop("has_asl"), frame["has_asl"].to_numpy()),
        ),
    ],
)
def test_the_steps_and_the_last_model_are_rs(case, candidates, fit):
    frame = read_cohort()
    outcome = ["os_months", "has_died"] if case == "cox_elimination" else ["has_asl"]
    found = eliminate_backward(candidates, lambda names: fit(frame.select(*names, *outcome)))
    of_r = expected(case)
    assert {step.removed.name: step.number for step in found.steps} == {n: s["step"] for n, s in of_r.items()}
    for step in found.steps:
        assert step.removed.p == pytest.approx(of_r[step.removed.name]["p"], rel=TOLERANCE)
    retained = expected(f"{case}_retained")
    assert set(found.retained) == set(retained)
    for coefficient in found.fit.coefficients:
        assert coefficient.estimate == pytest.approx(retained[coefficient.name]["coefficient"], rel=TOLERANCE)


def test_frames_keep_the_order_of_the_candidates():
    frame = pl.DataFrame({"b": [1.0], "a": [2.0]})
    assert eliminate_backward(tuple(frame.columns), fake({"a": 3.0, "b": 3.0})).retained == ("b", "a")
