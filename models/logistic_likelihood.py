"""The log-likelihood of logistic regression, intercept inside: its value, score and information.

Here: the arithmetic, in blocks of rows, so that memory stays that of the matrix. Not here: its maximum
(`models.likelihood`). Called by `models.regression`, `models.firth` and by whoever asks for a profile.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.special import expit, log_expit

from models.design import refuse_one_outcome
from models.estimate import Flags, Floats
from models.likelihood import Evaluation

ROWS_AT_ONCE = 65_536


@dataclass(frozen=True, eq=False)
class LogisticLikelihood:
    """The likelihood of p + 1 coefficients, the intercept first, for n outcomes.

    matrix: (n, p), finite. The columns are centred inside, which saves digits: slopes are as they would be
    anyway, the intercept is the log odds of a row of means; `intercept_at_zero` turns it into the usual one.
    Raises `NotEstimableError` where all have the same outcome.
    """

    matrix: Floats
    outcome: Flags

    def __post_init__(self) -> None:
        refuse_one_outcome(self.outcome)

    @property
    def n_coefficients(self) -> int:
        """p + 1."""
        return int(self.matrix.shape[1]) + 1

    @cached_property
    def means(self) -> Floats:
        """The means of the columns (p,)."""
        means: Floats = self.matrix.mean(axis=0)
        return means

    @cached_property
    def design(self) -> Floats:
        """A column of ones and the centred columns (n, p + 1)."""
        return np.column_stack([np.ones(len(self.outcome)), self.matrix - self.means])

    @cached_property
    def signs(self) -> Floats:
        """1 with the outcome, -1 without (n,)."""
        return np.where(self.outcome, 1.0, -1.0)

    def intercept_at_zero(self, coefficients: Floats) -> float:
        """Return the log odds where all variables are 0, from (p + 1,) coefficients."""
        return float(coefficients[0] - self.means @ coefficients[1:])

    def null_coefficients(self) -> Floats:
        """Return the maximum without any variable: the intercept alone (p + 1,)."""
        n_with = int(self.outcome.sum())
        coefficients = np.zeros(self.n_coefficients)
        coefficients[0] = np.log(n_with) - np.log(len(self.outcome) - n_with)
        return coefficients

    def blocks(self) -> Iterator[slice]:
        """Yield slices that together cover the rows."""
        for first in range(0, len(self.outcome), ROWS_AT_ONCE):
            yield slice(first, first + ROWS_AT_ONCE)

    def evaluate(self, coefficients: Floats) -> Evaluation:
        """Return value, score and information at (p + 1,) coefficients; no linear predictor is too large."""
        value = 0.0
        score = np.zeros(self.n_coefficients)
        information = np.zeros((self.n_coefficients, self.n_coefficients))
        for rows in self.blocks():
            design, signs = self.design[rows], self.signs[rows]
            towards = signs * (design @ coefficients)
            # Of the outcome that did not happen: so no digit is lost where the model is nearly sure.
            against = expit(-towards)
            value += float(log_expit(towards).sum())
            score += (signs * against) @ design
            information += design.T @ ((against * expit(towards))[:, None] * design)
        return Evaluation(value, score, information)
