"""Backward elimination by Wald's p, over any model whose fit lists its coefficients.

Here: which variable goes next and the trace of it. Not here: the models (`models.survival`,
`models.regression`). Called by `models.study.regression`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from models.estimate import Coefficient

# SPSS's default, and what the study's printed tables imply.
REMOVAL_P = 0.10


class Fit(Protocol):
    """Anything fitted that lists its coefficients by name."""

    @property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """The coefficients, the intercept left out."""


FitT = TypeVar("FitT", bound=Fit)


@dataclass(frozen=True)
class Step:
    """A variable that was removed, its coefficient at that moment, and how many were left after it."""

    number: int
    removed: Coefficient
    n_left: int


@dataclass(frozen=True)
class Elimination(Generic[FitT]):
    """The steps, the variables that stay in their first order, and the last fit (None where none stay)."""

    steps: tuple[Step, ...]
    retained: tuple[str, ...]
    fit: FitT | None


def eliminate_backward(
    candidates: tuple[str, ...], fit: Callable[[tuple[str, ...]], FitT], *, removal_p: float = REMOVAL_P
) -> Elimination[FitT]:
    """Remove the variable with the largest Wald p while that exceeds `removal_p`; of equals, the first.

    `fit` is called with the names still in the model. Its `NotEstimableError` passes through.
    """
    steps: list[Step] = []
    retained = candidates
    while retained:
        fitted = fit(retained)
        weakest = max(fitted.coefficients, key=lambda coefficient: coefficient.p)
        if weakest.p <= removal_p:
            return Elimination(tuple(steps), retained, fitted)
        retained = tuple(name for name in retained if name != weakest.name)
        steps.append(Step(len(steps) + 1, weakest, len(retained)))
    return Elimination(tuple(steps), (), None)
