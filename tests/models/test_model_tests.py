"""Chi-square tests of whole models against known points and a likelihood whose tests agree."""

import numpy as np
import pytest

from models import model_tests
from models.likelihood import Evaluation


@pytest.mark.parametrize(
    ("chi_square", "degrees_of_freedom", "p"),
    # pchisq(..., lower.tail = FALSE) of R.
    [(3.841458820694124, 1, 0.05), (0.0, 3, 1.0), (400.0, 2, 1.3838965267367376e-87)],
)
def test_p_is_the_upper_tail(chi_square, degrees_of_freedom, p):
    test = model_tests.chi_square_test(chi_square, degrees_of_freedom)
    assert test.p == pytest.approx(p, rel=1e-12)


def test_a_chi_square_that_rounding_left_below_0_counts_as_0():
    assert model_tests.chi_square_test(-1e-17, 2) == model_tests.ModelTest(0.0, 2, 1.0)


def test_on_a_parabola_the_three_tests_are_one():
    top, bend = np.array([0.3, -1.0]), np.array([[2.0, 0.5], [0.5, 1.0]])
    chi_square = top @ bend @ top
    tests = model_tests.compare_with_nothing(
        top,
        at=Evaluation(-5.0, np.zeros(2), bend),
        at_nothing=Evaluation(-5.0 - chi_square / 2, bend @ top, bend),
    )
    for test in vars(tests).values():
        assert test.chi_square == pytest.approx(chi_square)
        assert test.degrees_of_freedom == 2
