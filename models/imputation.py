"""Multiple imputation: missing values drawn from patients alike, and the results of the draws put together.

Here: chained equations with predictive mean matching, the hazard that stands for a survival time among the
predictors, Rubin's rules. Not here: which variables and models. Called by `models.study.missing_data`.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from scipy.special import stdtr, stdtrit

from models.estimate import Estimate, Flags, Floats, Integers
from transforms.errors import NotEstimableError

# Van Buuren 2018, sections 3.4.3 and 6.5.2.
N_DONORS = 5
N_ROUNDS = 10
# As in R's mice: enough for columns that follow from one another, too little to be seen otherwise.
RIDGE = 1e-5
# Also as in mice: it keeps degrees of freedom finite where the imputations agree entirely.
SMALLEST_SHARE = 1e-4
# Beyond these, an imputed variable says more about the imputation than about the patients.
MOST_MISSING = 0.6
FEWEST_KNOWN = 10


def refuse_imputing(values: Floats) -> None:
    """Raise `NotEstimableError` where too few of (n,) values are known to impute the rest."""
    n_known, n = int(np.isfinite(values).sum()), len(values)
    if n_known == n:
        return
    if n - n_known > MOST_MISSING * n:
        percent = 100 * (n - n_known) / n
        raise NotEstimableError(f"missing in {percent:.0f} % of patients, too many to impute")
    if n_known < FEWEST_KNOWN:
        raise NotEstimableError(f"known in only {n_known} patient(s), too few to impute the rest")


def impute_chained(
    columns: Floats, *, n_imputations: int, seed: int, n_rounds: int = N_ROUNDS
) -> Iterator[Floats]:
    """Yield (n, p) completed columns, `n_imputations` times; columns are (n, p), NaN where missing.

    Each incomplete column in turn is regressed on all others, `n_rounds` times over, and its missing values
    are those of patients with a similar prediction; known values pass unchanged. Every imputation has a seed
    of its own, so that the first ones do not depend on how many follow. Rows are taken as sorted by patient.
    Source: van Buuren 2018, Flexible Imputation of Missing Data, sections 3.4 and 4.5.
    """
    missing = ~np.isfinite(columns)
    for own_seed in np.random.SeedSequence(seed).spawn(n_imputations):
        rng = np.random.default_rng(own_seed)
        donors = _first_donors(missing, rng)
        for _ in range(n_rounds):
            _draw_round(columns, missing, donors, rng=rng)
        yield _filled(columns, missing, donors)


Donors = dict[int, Integers]


def _first_donors(missing: Flags, rng: np.random.Generator) -> Donors:
    """For each incomplete column the rows that its missing values are taken from, at first any."""
    donors = {}
    for column in np.flatnonzero(missing.any(axis=0)):
        known = np.flatnonzero(~missing[:, column])
        donors[int(column)] = rng.choice(known, size=int(missing[:, column].sum()))
    return donors


def _filled(columns: Floats, missing: Flags, donors: Donors) -> Floats:
    filled = columns.copy()
    for column, rows in donors.items():
        filled[missing[:, column], column] = columns[rows, column]
    return filled


def _draw_round(columns: Floats, missing: Flags, donors: Donors, *, rng: np.random.Generator) -> None:
    """Draw every incomplete column's donors again, from left to right."""
    scaled = _standardised(_filled(columns, missing, donors), columns)
    design = np.column_stack([np.ones(len(scaled)), scaled])
    for column in donors:
        is_known = ~missing[:, column]
        others = np.delete(design, column + 1, axis=1)
        matched = match_predictive_means(others, scaled[:, column], is_known, rng=rng)
        donors[column] = np.flatnonzero(is_known)[matched]
        design[~is_known, column + 1] = scaled[donors[column], column]


def _standardised(filled: Floats, columns: Floats) -> Floats:
    """By the known values' mean and spread, so that one scale serves all rounds; a constant column is 0."""
    spread = np.nanstd(columns, axis=0)
    scaled: Floats = (filled - np.nanmean(columns, axis=0)) / np.where(spread > 0, spread, 1.0)
    return scaled


def match_predictive_means(
    design: Floats, values: Floats, is_known: Flags, *, rng: np.random.Generator
) -> Integers:
    """Return for each patient without a value the place, among those with one, of a donor.

    Type 1 matching: donors are predicted by the fitted coefficients, who lacks the value by ones drawn from
    their posterior; the donor is drawn from the five nearest. design: (n, q), with its column of ones.
    """
    fitted, drawn = _draw_coefficients(design[is_known], values[is_known], rng)
    return _draw_near(design[is_known] @ fitted, design[~is_known] @ drawn, rng)


def _draw_coefficients(design: Floats, values: Floats, rng: np.random.Generator) -> tuple[Floats, Floats]:
    """Least squares with a small ridge, and a draw of the posterior by a flat prior (Rubin 1987, 167)."""
    crossed = design.T @ design
    penalty = RIDGE * np.where(np.diag(crossed) > 0, np.diag(crossed), 1.0)
    lower = np.linalg.cholesky(crossed + np.diag(penalty))
    fitted = np.linalg.solve(lower.T, np.linalg.solve(lower, design.T @ values))
    residuals = values - design @ fitted
    sigma = math.sqrt(float(residuals @ residuals) / rng.chisquare(max(len(values) - design.shape[1], 1)))
    drawn = fitted + sigma * np.linalg.solve(lower.T, rng.standard_normal(len(fitted)))
    return fitted, drawn


def _draw_near(donors: Floats, recipients: Floats, rng: np.random.Generator) -> Integers:
    """Draw for each recipient one of the nearest donors; among equal ones chance decides who is near."""
    n_near = min(N_DONORS, len(donors))
    shuffled = rng.permutation(len(donors))
    order = shuffled[np.argsort(donors[shuffled], kind="stable")]
    width = min(2 * n_near, len(donors))
    first = np.clip(np.searchsorted(donors[order], recipients) - n_near, 0, len(donors) - width)
    window = order[first[:, None] + np.arange(width)]
    distance = np.abs(donors[window] - recipients[:, None])
    nearest = np.argsort(distance, axis=1, kind="stable")[:, :n_near]
    chosen = nearest[np.arange(len(recipients)), rng.integers(n_near, size=len(recipients))]
    return np.asarray(window[np.arange(len(recipients)), chosen], dtype=np.int64)


def cumulative_hazard(durations: Floats, events: Flags) -> Floats:
    """Return Nelson and Aalen's cumulative hazard at each patient's own time (n,).

    With the event flag it stands for the survival time among the predictors. Source: White and Royston 2009,
    Statistics in Medicine 28:1982.
    """
    times, place = np.unique(durations, return_inverse=True)
    n_events = np.bincount(place[events], minlength=len(times))
    n_at_risk = len(durations) - np.searchsorted(np.sort(durations), times)
    hazard: Floats = np.cumsum(n_events / n_at_risk)[place]
    return hazard


class Drawn(NamedTuple):
    """One coefficient in one completed data set: its value and its variance."""

    estimate: float
    variance: float


@dataclass(frozen=True)
class Pooled:
    """One coefficient over all completed data sets, on its log scale.

    `fraction_missing_information` is how much of what complete data would tell is lost.
    """

    n_imputations: int
    estimate: float
    standard_error: float
    degrees_of_freedom: float
    fraction_missing_information: float

    @property
    def p(self) -> float:
        """Two-sided p of Student's t."""
        return float(2 * stdtr(self.degrees_of_freedom, -abs(self.estimate / self.standard_error)))

    @property
    def ratio(self) -> Estimate:
        """The exponential of the coefficient and of its 95 % interval; None where that is too large."""
        reach = float(stdtrit(self.degrees_of_freedom, 0.975)) * self.standard_error
        with np.errstate(over="ignore"):
            ratios = np.exp(self.estimate + np.array([0.0, -reach, reach]))
        return Estimate(*(float(ratio) if np.isfinite(ratio) else None for ratio in ratios))


def pool(drawn: list[Drawn], *, complete_degrees_of_freedom: float = math.inf) -> Pooled:
    """Pool one coefficient by Rubin's rules (1987), with Barnard and Rubin's (1999) degrees of freedom.

    `complete_degrees_of_freedom`: those that complete data would have. Raises `NotEstimableError` for fewer
    than two completed data sets. Source: as R's `mice::pool.scalar`.
    """
    m = len(drawn)
    if m < 2:
        raise NotEstimableError(f"pooling needs two imputations whose model converges; there are {m}")
    estimates, variances = np.array(drawn).T
    within, between = float(variances.mean()), float(estimates.var(ddof=1))
    added = (1 + 1 / m) * between
    total = within + added
    df = _degrees_of_freedom(m, max(added / total, SMALLEST_SHARE), complete=complete_degrees_of_freedom)
    increase = added / within
    return Pooled(
        n_imputations=m,
        estimate=float(estimates.mean()),
        standard_error=math.sqrt(total),
        degrees_of_freedom=df,
        fraction_missing_information=(increase + 2 / (df + 3)) / (1 + increase),
    )


def _degrees_of_freedom(m: int, share: float, *, complete: float) -> float:
    """`share`: of the variance that comes from what is missing."""
    of_imputations = (m - 1) / share**2
    if math.isinf(complete):
        return of_imputations
    observed = (complete + 1) / (complete + 3) * complete * (1 - share)
    return of_imputations * observed / (of_imputations + observed)
