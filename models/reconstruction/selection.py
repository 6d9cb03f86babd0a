"""Backward elimination on a candidate cohort: which variables the multivariate models end in.

Here: elimination with the search's own fits. Not here: the published models (`models.regression`). Called by
`models.reconstruction.search`.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from models.reconstruction.blocks import Rows
from models.reconstruction.targets import Floats

Fit = Callable[[Floats], tuple[Floats, Floats]]
STAY = 0.10


def eliminate(columns: Floats, names: Sequence[str], *, fit: Fit) -> list[tuple[str, float]]:
    """Drop the variable of the largest Wald p while that is above 0.10: (name, p) in the order of leaving.

    `columns` is (variables, n); `fit` takes a design (1, n, p) and returns coefficients and errors of its
    columns.
    The variables that stay follow at the end with their p.
    """
    kept = list(range(len(names)))
    left: list[tuple[str, float]] = []
    while kept:
        coefficients, errors = fit(columns[kept].T[None])
        p = 2 * ndtr(-np.abs(coefficients[0] / errors[0]))
        worst = int(np.argmax(p))
        if p[worst] <= STAY:
            return left + [(names[place], float(value)) for place, value in zip(kept, p, strict=True)]
        left.append((names[kept.pop(worst)], float(p[worst])))
    return left


def survivors(eliminated: Sequence[tuple[str, float]]) -> set[str]:
    """Return the names that stayed: the last ones, all of them at 0.10 or below."""
    stayed: set[str] = set()
    for name, p in reversed(eliminated):
        if p > STAY:
            break
        stayed.add(name)
    return stayed


def adjusted_information(design: Floats, information: Floats) -> Floats:
    """Return the information (n, n) about further columns once `design` (n, p) is in the model.

    This is Schur's complement. The score test and the one-step estimate of any further columns X are X' of it
    times X: no refit.
    """
    shared = information @ design
    return information - shared @ np.linalg.solve(design.T @ shared, shared.T)


def logistic_pull(design: Floats, outcome: Floats, coefficients: Floats) -> tuple[Floats, Floats]:
    """Return residuals (n,) and information (n, n) of a fitted logistic model, for `excess_of_others`."""
    fitted = 1.0 / (1.0 + np.exp(-design @ coefficients))
    return outcome - fitted, adjusted_information(design, np.diag(fitted * (1 - fitted)))


def cox_pull(
    design: Floats, coefficients: Floats, *, order: Rows, died: NDArray[np.bool_]
) -> tuple[Floats, Floats]:
    """Return martingale residuals (n,) and information (n, n) of a fitted Cox model.

    `order` holds the rows from the longest time to the shortest.
    """
    risk = np.exp(design @ coefficients)
    residuals, information = died.astype(float), np.zeros((len(risk), len(risk)))
    for place in np.flatnonzero(died[order]):
        share = np.zeros(len(risk))
        at_risk = order[: place + 1]
        share[at_risk] = risk[at_risk] / risk[at_risk].sum()
        residuals = residuals - share
        information += np.diag(share) - np.outer(share, share)
    return residuals, adjusted_information(design, information)


def excess_of_others(others: Floats, pull: tuple[Floats, Floats], *, largest_z: float) -> Floats:
    """Return how far left-out columns (k, n, m) would be retained.

    What counts is z beyond `largest_z`, of each alone and of all together.
    """
    residuals, information = pull
    score = others.transpose(0, 2, 1) @ residuals
    variance = others.transpose(0, 2, 1) @ information @ others
    alone = np.abs(score) / np.sqrt(np.maximum(np.diagonal(variance, axis1=1, axis2=2), 1e-9))
    inverse = np.linalg.inv(variance + 1e-7 * np.eye(others.shape[2]))
    together = np.abs((inverse @ score[:, :, None])[:, :, 0]) / np.sqrt(
        np.diagonal(inverse, axis1=1, axis2=2)
    )
    return np.asarray(sum((np.maximum(z - largest_z, 0.0) ** 2).sum(axis=1) for z in (alone, together)))
