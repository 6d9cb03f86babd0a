"""Backward elimination by Wald's or the likelihood-ratio p, over any model whose fit lists its coefficients.

Here: which variable goes next and the trace of it. Not here: the models (`models.survival`,
`models.regression`). Called by `models.study.selected_model` and, for every resample, by `models.resampling`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, NamedTuple, Protocol, TypeVar

from models.estimate import Coefficient

RemovalTest = Literal["wald", "likelihood_ratio"]
# SPSS's default, and what the study's printed tables imply.
REMOVAL_P = 0.10


class Fit(Protocol):
    """Anything fitted that lists its coefficients by name; only the likelihood ratio asks for the rest."""

    @property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """The coefficients, the intercept left out."""

    @property
    def log_likelihood(self) -> float:
        """The log-likelihood at the coefficients."""

    @property
    def likelihood_ratio(self) -> float:
        """Twice what the log-likelihood gains over no variables."""


FitT = TypeVar("FitT", bound=Fit)
FitOf = Callable[[tuple[str, ...]], FitT]


@dataclass(frozen=True)
class Step:
    """A variable that was removed, its coefficient at that moment, and how many were left after it.

    `p` is that of the test that chose it: Wald's, or of the likelihood ratio of its removal.
    """

    number: int
    removed: Coefficient
    n_left: int
    p: float


@dataclass(frozen=True)
class Elimination(Generic[FitT]):
    """The steps, the variables that stay in their first order, and the last fit (None where none stay)."""

    steps: tuple[Step, ...]
    retained: tuple[str, ...]
    fit: FitT | None


class _Weakest(NamedTuple, Generic[FitT]):
    """The variable to go next, its p, and the fit without it where that is known already."""

    coefficient: Coefficient
    p: float
    fit_without: FitT | None


def eliminate_backward(
    candidates: tuple[str, ...],
    fit: FitOf[FitT],
    *,
    removal_p: float = REMOVAL_P,
    removal_test: RemovalTest = "wald",
) -> Elimination[FitT]:
    """Remove the weakest variable while its p exceeds `removal_p`; of equals, the first.

    By Wald, the weakest has the largest p; by likelihood ratio (SPSS's Backward: LR), its removal raises
    -2 log-likelihood least. `fit` is called with the names still in the model, by likelihood ratio also with
    each of them left out in turn. Its `NotEstimableError` passes through.
    """
    steps: list[Step] = []
    retained, fitted = candidates, None
    while retained:
        fitted = fitted or fit(retained)
        weakest = _weakest_by_wald(fitted) if removal_test == "wald" else _weakest_by_ratio(fitted, fit)
        if weakest.p <= removal_p:
            return Elimination(tuple(steps), retained, fitted)
        retained = _without(retained, weakest.coefficient.name)
        steps.append(Step(len(steps) + 1, weakest.coefficient, len(retained), weakest.p))
        fitted = weakest.fit_without
    return Elimination(tuple(steps), (), None)


def _without(names: tuple[str, ...], removed: str) -> tuple[str, ...]:
    return tuple(name for name in names if name != removed)


def _weakest_by_wald(fitted: FitT) -> _Weakest[FitT]:
    weakest = max(fitted.coefficients, key=lambda coefficient: coefficient.p)
    return _Weakest(weakest, weakest.p, None)


def _weakest_by_ratio(fitted: FitT, fit: FitOf[FitT]) -> _Weakest[FitT]:
    names = tuple(coefficient.name for coefficient in fitted.coefficients)
    if len(names) == 1:
        # Without its last variable a model is none: that ratio is the whole model's.
        return _Weakest(fitted.coefficients[0], _p_of(fitted.likelihood_ratio), None)
    without = [fit(_without(names, name)) for name in names]
    weakest = max(range(len(names)), key=lambda place: without[place].log_likelihood)
    ratio = 2 * (fitted.log_likelihood - without[weakest].log_likelihood)
    return _Weakest(fitted.coefficients[weakest], _p_of(ratio), without[weakest])


def _p_of(chi_square: float) -> float:
    """The upper tail at 1 degree of freedom; rounding may leave a ratio just below 0."""
    return math.erfc(math.sqrt(max(chi_square, 0.0) / 2))
