"""Logistic regression on a covariate of which some values lie beyond a limit, by maximum likelihood.

Here: the joint fit of the outcome and of a lognormal covariate, values below and above a limit integrated
over. Not here: putting a number in their place (`models.study.il7_sensitivity`, which calls this).
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.optimize import minimize
from scipy.special import expit, log_expit, logsumexp

from models.estimate import Coefficient, Flags, Floats, Integers
from models.regression import fit_logistic
from transforms.errors import NotEstimableError

BELOW, NUMBER, ABOVE = -1, 0, 1
# In standard deviations of the logarithm: farther out lies less than 1e-32 of the normal distribution.
REACH = 12.0
N_PANELS, N_NODES_A_PANEL = 24, 16
# In units of its geometric mean, no covariate needs a number beyond e^300; its square is one still.
LARGEST_LOG = 300.0
SMALLEST_STEP = 1e-9
MAX_NEWTON_STEPS = 10


@dataclass(frozen=True, eq=False)
class LimitedValues:
    """A covariate, one value a patient, in any unit: a number, or the limit that it is known to lie beyond.

    `values` (n,): numbers or limits. `sides` (n,): `BELOW` or `ABOVE` for a limit, `NUMBER` for a number.
    """

    name: str
    values: Floats
    sides: Integers

    def __post_init__(self) -> None:
        if self.values.shape != self.sides.shape or not np.isfinite(self.values).all():
            raise ValueError("limited values: one finite number or limit and one side for each patient")


@dataclass(frozen=True)
class CensoredFit:
    """The joint fit; `coefficient` is the log odds ratio for one unit more of the covariate.

    `events` counts the outcome, `n_below` and `n_above` the values of which only a limit is known. The
    covariate's natural logarithm is normal with `mean_of_log` and `sd_of_log`, and it is the density of the
    logarithm that stands in `log_likelihood`.
    """

    n: int
    events: int
    n_below: int
    n_above: int
    intercept: Coefficient
    coefficient: Coefficient
    mean_of_log: float
    sd_of_log: float
    log_likelihood: float


@dataclass(frozen=True, eq=False)
class _Likelihood:
    """Log-likelihood, gradient (4,) and Hessian (4, 4) over (intercept, slope, mean, log of the sd)."""

    value: float
    gradient: Floats
    hessian: Floats


@dataclass(frozen=True, eq=False)
class _Records:
    """Patients who are alike, (m,): log of the number or limit, side, outcome (0 or 1), how many they are."""

    logs: Floats
    sides: Floats
    outcomes: Floats
    counts: Floats


def fit_censored_logistic(covariate: LimitedValues, outcome: Flags) -> CensoredFit:
    """Fit P(outcome) = expit(a + b x) together with log x ~ Normal, where some x are known by a limit alone.

    A number adds f(x) P(y | x) to the likelihood, a value below L the integral of it over x < L, one above U
    over x > U. Standard errors are of the observed information (Louis 1982, JRSS B 44:226). Without limits
    it is the ordinary fit. Method: Nie et al. 2010 (Epidemiology 21 Suppl 4:S17), May, Ibrahim and Chu 2011
    (Stat Med 30:2551); what substitutes do instead: Lubin et al. 2004 (Environ Health Perspect 112:1691).

    Raises `NotEstimableError` where the numbers alone give no ordinary fit: only where their outcomes overlap
    has the joint likelihood a finite maximum for certain, since the part of a limit is at most 1. Also for a
    number or limit of zero or less, and where no maximum is reached.
    """
    if (covariate.values <= 0).any():
        raise NotEstimableError(f"{covariate.name}: zero or less has no logarithm")
    is_number = covariate.sides == NUMBER
    alone = fit_logistic(pl.DataFrame({covariate.name: covariate.values[is_number]}), outcome[is_number])
    # Near 1 the covariate makes a problem of even scale, whatever its unit.
    scale = float(np.exp(np.log(covariate.values).mean()))
    logs = np.log(covariate.values / scale)
    records = _alike(logs, covariate.sides, outcome)
    slope = alone.coefficients[0].estimate * scale
    start = np.array([alone.intercept.estimate, slope, 0.0, np.log(logs.std())])
    best, likelihood = _maximise(lambda at: _likelihood(records, at), start)
    errors = np.sqrt(np.diag(np.linalg.inv(-likelihood.hessian)))
    return CensoredFit(
        n=len(outcome),
        events=int(outcome.sum()),
        n_below=int((covariate.sides == BELOW).sum()),
        n_above=int((covariate.sides == ABOVE).sum()),
        intercept=Coefficient("intercept", float(best[0]), float(errors[0])),
        coefficient=Coefficient(covariate.name, float(best[1]) / scale, float(errors[1]) / scale),
        mean_of_log=float(best[2]) + float(np.log(scale)),
        sd_of_log=float(np.exp(best[3])),
        log_likelihood=likelihood.value,
    )


def _alike(logs: Floats, sides: Integers, outcome: Flags) -> _Records:
    """Patients with the same limit and outcome share one integral."""
    rows, counts = np.unique(np.column_stack([logs, sides, outcome]), axis=0, return_counts=True)
    return _Records(rows[:, 0], rows[:, 1], rows[:, 2], counts.astype(np.float64))


def _maximise(likelihood_at: Callable[[Floats], _Likelihood], start: Floats) -> tuple[Floats, _Likelihood]:
    """Trust region to the top, then Newton's steps, which end where rounding begins."""
    climbed = minimize(
        lambda at: -likelihood_at(at).value,
        start,
        jac=lambda at: -likelihood_at(at).gradient,
        hess=lambda at: -likelihood_at(at).hessian,
        method="trust-exact",
        options={"gtol": 1e-4},
    )
    best = climbed.x
    for _ in range(MAX_NEWTON_STEPS):
        likelihood = likelihood_at(best)
        if np.linalg.eigvalsh(likelihood.hessian)[-1] >= 0:
            break
        step = np.linalg.solve(likelihood.hessian, -likelihood.gradient)
        if (np.abs(step) < SMALLEST_STEP * (1 + np.abs(best))).all():
            return best, likelihood
        best = best + step
    raise NotEstimableError("the likelihood with limits reaches no maximum")


def _likelihood(records: _Records, at: Floats) -> _Likelihood:
    """Sum over numbers and limits.

    A limit's part is an integral: its score is the mean of the scores at the nodes, weighted by how likely
    each is, and its Hessian the mean Hessian plus the covariance of the scores (Louis 1982).
    """
    is_limit = records.sides != NUMBER
    parts = [_part(_pick(records, ~is_limit), at), _part(_pick(records, is_limit), at)]
    return _Likelihood(
        sum(part.value for part in parts),
        np.sum([part.gradient for part in parts], axis=0),
        np.sum([part.hessian for part in parts], axis=0),
    )


def _pick(records: _Records, chosen: Flags) -> _Records:
    fields = (records.logs, records.sides, records.outcomes, records.counts)
    return _Records(*(part[chosen] for part in fields))


def _part(records: _Records, at: Floats) -> _Likelihood:
    logs, log_weights = _nodes(records, at)
    log_density, scores, curvature = _derivatives(logs, records.outcomes[:, None], at)
    parts = logsumexp(log_density + log_weights, axis=1)
    shares = np.exp(log_density + log_weights - parts[:, None])
    mean_scores = np.einsum("pmk,mk->pm", scores, shares)
    shares *= records.counts[:, None]
    spread = np.einsum("pmk,qmk->pq", scores * shares, scores)
    spread -= np.einsum("pm,qm->pq", mean_scores * records.counts, mean_scores)
    return _Likelihood(
        float(parts @ records.counts), mean_scores @ records.counts, _hessian(curvature, shares) + spread
    )


def _nodes(records: _Records, at: Floats) -> tuple[Floats, Floats]:
    """Logs of the covariate and log weights, (m, k): the number alone, or Gauss-Legendre beyond the limit."""
    if (records.sides == NUMBER).all():
        return records.logs[:, None], np.zeros((len(records.logs), 1))
    mean, sd = at[2], np.exp(at[3])
    edges = (records.logs - mean) / sd
    # From the limit through the whole of the bell to its far end.
    ends = np.where(records.sides == BELOW, np.minimum(edges, 0) - REACH, np.maximum(edges, 0) + REACH)
    nodes = edges[:, None] + (ends - edges)[:, None] * _UNIT_NODES
    return mean + sd * nodes, np.log(np.abs(ends - edges)[:, None] * _UNIT_WEIGHTS) + at[3]


def _unit_rule() -> tuple[Floats, Floats]:
    """Gauss-Legendre over panels of the interval from 0 to 1."""
    nodes, weights = np.polynomial.legendre.leggauss(N_NODES_A_PANEL)
    panels = np.arange(N_PANELS)[:, None]
    return ((panels + (nodes + 1) / 2) / N_PANELS).ravel(), np.tile(weights / 2 / N_PANELS, N_PANELS)


_UNIT_NODES, _UNIT_WEIGHTS = _unit_rule()


def _derivatives(logs: Floats, outcomes: Floats, at: Floats) -> tuple[Floats, Floats, Floats]:
    """Log of f(log x) P(y | x), its scores (4, m, k), and the terms (6, m, k) that `_hessian` lays out."""
    intercept, slope, mean, log_sd = at
    x = np.exp(np.minimum(logs, LARGEST_LOG))
    predictor, z = intercept + slope * x, (logs - mean) / np.exp(log_sd)
    probability = expit(predictor)
    log_density = log_expit(np.where(outcomes > 0, predictor, -predictor))
    log_density = log_density - z**2 / 2 - log_sd - np.log(2 * np.pi) / 2
    residual, variance = outcomes - probability, probability * expit(-predictor)
    scores = np.stack([residual, residual * x, z / np.exp(log_sd), z**2 - 1])
    precision = np.full_like(z, np.exp(-2 * log_sd))
    return (
        log_density,
        scores,
        -np.stack([variance, variance * x, variance * x**2, precision, 2 * z / np.exp(log_sd), 2 * z**2]),
    )


def _hessian(curvature: Floats, shares: Floats) -> Floats:
    """The mean curvature as a matrix: the outcome's parameters and the covariate's do not mix."""
    aa, ab, bb, mm, ms, ss = np.einsum("tmk,mk->t", curvature, shares)
    return np.array([[aa, ab, 0, 0], [ab, bb, 0, 0], [0, 0, mm, ms], [0, 0, ms, ss]])
