"""The three tests of a whole model against no variables: Wald's, the score test and the likelihood ratio.

Here: chi-squares with their p, from any likelihood. Not here: the likelihoods, or how they are fitted. Called
by `models.survival`, `models.regression` and what checks their models.
"""

from dataclasses import dataclass

from scipy.special import chdtrc

from models.estimate import Floats
from models.likelihood import Evaluation, inverse_of


@dataclass(frozen=True)
class ModelTest:
    """A chi-square test and its p."""

    chi_square: float
    degrees_of_freedom: int
    p: float


@dataclass(frozen=True)
class ModelTests:
    """The three tests; in large samples they agree."""

    wald: ModelTest
    score: ModelTest
    likelihood_ratio: ModelTest


def chi_square_test(chi_square: float, degrees_of_freedom: int) -> ModelTest:
    """Return the test with its upper tail as p; a chi-square that rounding left below 0 counts as 0."""
    at_least_0 = max(chi_square, 0.0)
    return ModelTest(at_least_0, degrees_of_freedom, float(chdtrc(degrees_of_freedom, at_least_0)))


def compare_with_nothing(coefficients: Floats, *, at: Evaluation, at_nothing: Evaluation) -> ModelTests:
    """Test (p,) coefficients fitted `at` against those that are all 0, evaluated `at_nothing`."""
    n = len(coefficients)
    score = at_nothing.score
    return ModelTests(
        wald=chi_square_test(float(coefficients @ at.information @ coefficients), n),
        score=chi_square_test(float(score @ inverse_of(at_nothing.information) @ score), n),
        likelihood_ratio=chi_square_test(2 * (at.log_likelihood - at_nothing.log_likelihood), n),
    )
