"""The study's estimates for many candidate cohorts at once: each takes a stack of candidates (first axis).

Here: fast kernels of the search, checked in tests against the night's own estimates. Not here: the estimates
that are published (`models.survival`, `models.regression`). The stages of `models.reconstruction.search` call
it.
"""

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, stdtr

from models.reconstruction.targets import Floats

Z_95 = 1.959963984540054


def fit_logistic(
    design: Floats, outcome: Floats, *, start: Floats | None = None, steps: int = 12
) -> tuple[Floats, Floats]:
    """Fit logistic regressions by Newton's method: design (k, n, p) with its intercept, outcome (n,).

    Returns coefficients and standard errors, each (k, p).
    """
    scale = np.abs(design).max(axis=1, keepdims=True)
    scaled = design / scale
    coefficients = np.zeros(scale.shape[::2]) if start is None else start * scale[:, 0, :]
    for _ in range(steps):
        fitted = 1.0 / (1.0 + np.exp(-np.clip((scaled @ coefficients[:, :, None])[:, :, 0], -30, 30)))
        weighted = scaled * (fitted * (1 - fitted))[:, :, None]
        information = scaled.transpose(0, 2, 1) @ weighted
        information += 1e-9 * np.eye(information.shape[-1])
        score = (scaled.transpose(0, 2, 1) @ (outcome - fitted)[:, :, None])[:, :, 0]
        change = np.linalg.solve(information, score[:, :, None])[:, :, 0]
        coefficients = coefficients + change
        if np.abs(change).max() < 1e-9:
            break
    variances = np.diagonal(np.linalg.inv(information), axis1=1, axis2=2)
    return coefficients / scale[:, 0, :], np.sqrt(np.abs(variances)) / scale[:, 0, :]


def fit_cox(
    design: Floats, died: NDArray[np.bool_], *, start: Floats | None = None, steps: int = 12
) -> tuple[Floats, Floats]:
    """Fit Cox regressions without tied deaths: design (k, n, p), rows from the longest time to the shortest.

    `died` is (n,). Returns coefficients and standard errors, each (k, p).
    """
    scale = np.abs(design).max(axis=1, keepdims=True)
    scaled = design / scale
    products = scaled[:, :, :, None] * scaled[:, :, None, :]
    total = scaled[:, died, :].sum(axis=1)
    coefficients = np.zeros(scale.shape[::2]) if start is None else start * scale[:, 0, :]
    for _ in range(steps):
        risk = np.exp(np.clip((scaled @ coefficients[:, :, None])[:, :, 0], -30, 30))
        at_risk = np.cumsum(risk, axis=1)[:, died]
        means = np.cumsum(risk[:, :, None] * scaled, axis=1)[:, died, :] / at_risk[:, :, None]
        squares = np.cumsum(risk[:, :, None, None] * products, axis=1)[:, died] / at_risk[:, :, None, None]
        information = squares.sum(axis=1) - means.transpose(0, 2, 1) @ means
        information += 1e-9 * np.eye(information.shape[-1])
        change = np.linalg.solve(information, (total - means.sum(axis=1))[:, :, None])[:, :, 0]
        coefficients = coefficients + change
        if np.abs(change).max() < 1e-6:
            break
    variances = np.diagonal(np.linalg.inv(information), axis1=1, axis2=2)
    return coefficients / scale[:, 0, :], np.sqrt(np.abs(variances)) / scale[:, 0, :]


def fit_cox_alone(
    columns: Floats, died: NDArray[np.bool_], *, start: Floats | None = None
) -> tuple[Floats, Floats]:
    """Fit one-covariate Cox regressions: columns (..., n), rows as in `fit_cox`.

    Returns coefficients and errors (...).
    """
    scale = np.abs(columns).max(axis=-1, keepdims=True)
    scaled = columns / scale
    total = scaled[..., died].sum(axis=-1)
    coefficients = np.zeros(columns.shape[:-1]) if start is None else start * scale[..., 0]
    for _ in range(12):
        risk = np.exp(np.clip(scaled * coefficients[..., None], -30, 30))
        weighted = risk * scaled
        at_risk = np.cumsum(risk, axis=-1)[..., died]
        means = np.cumsum(weighted, axis=-1)[..., died] / at_risk
        squares = np.cumsum(weighted * scaled, axis=-1)[..., died] / at_risk
        information = (squares - means**2).sum(axis=-1) + 1e-12
        change = (total - means.sum(axis=-1)) / information
        coefficients = coefficients + change
        if np.abs(change).max() < 1e-6:
            break
    return coefficients / scale[..., 0], 1 / np.sqrt(information) / scale[..., 0]


def ratio_statistics(coefficients: Floats, errors: Floats) -> Floats:
    """Return ratio, 95 % limits and Wald's p of each variable, flattened (..., p * 4)."""
    limits = (coefficients, coefficients - Z_95 * errors, coefficients + Z_95 * errors)
    ratios = [np.exp(np.clip(limit, -30, 30)) for limit in limits]
    stacked = np.stack([*ratios, 2 * ndtr(-np.abs(coefficients / errors))], axis=-1)
    return stacked.reshape(*stacked.shape[:-2], -1)


def two_sample_p(first: Floats, second: Floats) -> Floats:
    """Return the two-sided p of Student's t test with pooled variance, over the last axis."""
    n_first, n_second = first.shape[-1], second.shape[-1]
    freedom = n_first + n_second - 2
    pooled = (first.var(axis=-1) * n_first + second.var(axis=-1) * n_second) / freedom
    t = (first.mean(axis=-1) - second.mean(axis=-1)) / np.sqrt(pooled * (1 / n_first + 1 / n_second))
    return np.asarray(2 * stdtr(freedom, -np.abs(t)))


def paired_p(differences: Floats) -> Floats:
    """Return the two-sided p of the paired t test, over the last axis."""
    n = differences.shape[-1]
    t = differences.mean(axis=-1) / (differences.std(axis=-1, ddof=1) / np.sqrt(n))
    return np.asarray(2 * stdtr(n - 1, -np.abs(t)))
