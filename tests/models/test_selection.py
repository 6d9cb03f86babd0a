"""Backward elimination against R's loop and by its own rules."""

import polars as pl
import pytest

from models.estimate import Coefficient
from models.regression import fit_logistic
from models.selection import eliminate_backward
from models.survival import fit_cox
from models.variables import ASL_VARIABLES, SURVIVAL_VARIABLES
from tests.reference.expected import TOLERANCE, expected, read_cohort
from transforms.errors import NotEstimableError


class FakeFit:
    """A model whose coefficients have the z asked for, whatever else is in it."""

    def __init__(self, z_of: dict[str, float]):
        self.coefficients = tuple(Coefficient(name, z, 1.0) for name, z in z_of.items())


def fake(z_of: dict[str, float]):
    return lambda names: FakeFit({name: z_of[name] for name in names})


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


@pytest.mark.parametrize(
    ("case", "candidates", "fit"),
    [
        (
            "cox_elimination",
            words(SURVIVAL_VARIABLES),
            lambda frame: fit_cox(
                frame.drop("has_died", "os_months"),
                frame["os_months"].to_numpy(),
                frame["has_died"].to_numpy(),
            ),
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
