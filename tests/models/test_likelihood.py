"""Newton's climb on likelihoods whose top is known, and on those that have none."""

from dataclasses import dataclass

import numpy as np
import pytest
from scipy.special import expit

from models.likelihood import Evaluation, inverse_of, maximise
from transforms.errors import NotEstimableError


@dataclass(frozen=True)
class Hill:
    """-(x - top)' bend (x - top) / 2, whose top is known."""

    top: np.ndarray
    bend: np.ndarray

    @property
    def n_coefficients(self):
        return len(self.top)

    def evaluate(self, coefficients):
        way = self.top - coefficients
        return Evaluation(-float(way @ self.bend @ way) / 2, self.bend @ way, self.bend)


@dataclass(frozen=True)
class Slope:
    """-log(1 + e^(-x)) - x^2 weight / 2: climbs for ever where the weight is 0, and bends ever less."""

    weight: float = 0.0
    n_coefficients = 1

    def evaluate(self, coefficients):
        (x,) = coefficients
        share = expit(-x)
        return Evaluation(
            -float(np.logaddexp(0, -x)) - self.weight * x * x / 2,
            np.array([share - self.weight * x]),
            np.array([[share * (1 - share) + self.weight]]),
        )


BEND = np.array([[2.0, 0.5], [0.5, 1.0]])


def test_the_top_of_a_parabola_is_found_in_a_step():
    found = maximise(Hill(np.array([3.0, -1.0]), BEND))
    assert found.coefficients == pytest.approx([3, -1], rel=1e-12)
    assert found.at.log_likelihood == pytest.approx(0, abs=1e-12)


def test_coefficients_held_fast_stay_and_the_others_find_their_own_top():
    # With y at 1: 2 (3 - x) + 0.5 (-1 - 1) = 0.
    found = maximise(
        Hill(np.array([3.0, -1.0]), BEND), start=np.array([9.0, 1.0]), free=np.array([True, False])
    )
    assert found.coefficients == pytest.approx([2.5, 1], rel=1e-12)


def test_with_all_held_fast_nothing_moves():
    found = maximise(Hill(np.array([3.0, -1.0]), BEND), start=np.array([9.0, 1.0]), free=np.full(2, False))
    assert found.coefficients.tolist() == [9, 1]


def test_a_step_too_far_is_halved():
    # From -30 the first step leads to beyond 10^6, where the ground is far below.
    found = maximise(Slope(weight=1e-4), start=np.array([-30.0]))
    at_top = Slope(weight=1e-4).evaluate(found.coefficients)
    assert at_top.score == pytest.approx([0], abs=1e-12)


def test_the_units_of_the_coefficients_do_not_matter():
    scale = np.array([1e6, 1e-6])
    found = maximise(Hill(np.array([3.0, -1.0]) * scale, BEND / np.outer(scale, scale)))
    assert found.coefficients / scale == pytest.approx([3, -1], rel=1e-9)


def test_where_rounding_never_ends_the_climb_does():
    class Rough(Hill):
        def evaluate(self, coefficients):
            here = super().evaluate(coefficients)
            return Evaluation(
                here.log_likelihood, here.score + 1e-7 * np.cos(1e12 * coefficients), here.information
            )

    found = maximise(Rough(np.array([3.0, -1.0]), BEND))
    assert found.coefficients == pytest.approx([3, -1], rel=1e-6)


@pytest.mark.parametrize(
    ("information", "reason"),
    [
        ([[1.0, 1.0], [1.0, 1.0]], "do not tell the coefficients apart"),
        ([[1.0, 1 - 1e-14], [1 - 1e-14, 1.0]], "do not tell the coefficients apart"),
        ([[1.0, 2.0], [2.0, 1.0]], "do not tell the coefficients apart"),
        ([[1.0, 0.0], [0.0, 0.0]], "no information"),
        ([[1.0, np.nan], [np.nan, 1.0]], "no information"),
    ],
)
def test_an_information_without_an_inverse_is_refused(information, reason):
    with pytest.raises(NotEstimableError, match=reason):
        inverse_of(np.array(information))


def test_the_inverse_is_the_inverse():
    assert inverse_of(BEND) @ BEND == pytest.approx(np.eye(2), abs=1e-12)


def test_a_value_that_is_no_number_is_not_a_top():
    class Broken(Hill):
        def evaluate(self, coefficients):
            here = super().evaluate(coefficients)
            value = np.inf if np.abs(coefficients).max() > 1e-9 else here.log_likelihood
            return Evaluation(value, here.score, here.information)

    with pytest.raises(NotEstimableError, match="no maximum that Newton's method reaches"):
        maximise(Broken(np.array([30.0, -1.0]), BEND))
