"""What must hold of a design matrix before a regression is tried, and why a fit does not exist.

Here: plain reasons, as `NotEstimableError`. Not here: the fits themselves. Called by `models.survival` and
`models.regression`; the separation test is exact, where looking for large coefficients is a guess.
"""

from collections.abc import Callable

import numpy as np
import polars as pl
from scipy import sparse
from scipy.optimize import linprog

from models.estimate import Flags, Floats, Integers
from transforms.errors import NotEstimableError

# A smaller eigenvalue of the correlation matrix means that a column repeats the others.
SMALLEST_EIGENVALUE = 1e-10
# Beyond e^15 a ratio is doubted, and the exact test is run.
DOUBTFUL_LOG_RATIO = 15.0


def read_design(covariates: pl.DataFrame, n_expected: int) -> Floats:
    """Return the (n, p) matrix of `covariates`; `NotEstimableError` for columns that cannot be estimated.

    Raises `ValueError` for nulls or a wrong number of rows: leaving out incomplete patients is the caller's.
    """
    matrix = covariates.cast(pl.Float64).to_numpy()
    if covariates.height != n_expected or not np.isfinite(matrix).all():
        raise ValueError(
            "design matrix: one finite row for each outcome is expected; drop incomplete rows first"
        )
    _refuse_few_rows(covariates)
    _refuse_constant_columns(covariates, matrix)
    _refuse_repeated_columns(covariates, matrix)
    return matrix


def _refuse_few_rows(covariates: pl.DataFrame) -> None:
    if covariates.height <= covariates.width + 1:
        raise NotEstimableError(
            f"{covariates.height} complete patients are too few for {covariates.width} variable(s)"
        )


def _refuse_constant_columns(covariates: pl.DataFrame, matrix: Floats) -> None:
    constant = np.ptp(matrix, axis=0) == 0
    if constant.any():
        names = _names(covariates, constant)
        raise NotEstimableError(f"{names}: the same value in all {covariates.height} complete patients")


def _refuse_repeated_columns(covariates: pl.DataFrame, matrix: Floats) -> None:
    if covariates.width < 2:
        return
    values, vectors = np.linalg.eigh(np.corrcoef(matrix, rowvar=False))
    if values[0] < SMALLEST_EIGENVALUE:
        names = _names(covariates, np.abs(vectors[:, 0]) > 1e-6)
        raise NotEstimableError(f"{names}: collinear, one follows from the others")


def _names(covariates: pl.DataFrame, chosen: Flags) -> str:
    return ", ".join(np.array(covariates.columns)[chosen])


def is_doubtful(matrix: Floats, coefficients: Floats) -> bool:
    """Return whether any fitted log ratio across the data is not finite or beyond belief."""
    reach = np.abs(coefficients) * np.ptp(matrix, axis=0)
    return not np.isfinite(reach).all() or bool((reach > DOUBTFUL_LOG_RATIO).any())


def refuse_no_events(events: Flags) -> None:
    """Raise `NotEstimableError` where nobody has the event."""
    if not events.any():
        raise NotEstimableError(f"no events among {len(events)} patients")


def refuse_one_outcome(outcome: Flags) -> None:
    """Raise `NotEstimableError` where all patients have the same outcome."""
    if outcome.all() or not outcome.any():
        raise NotEstimableError(f"all {len(outcome)} complete patients have the same outcome")


def refuse_separated_outcome(covariates: pl.DataFrame, outcome: Flags) -> None:
    """Raise `NotEstimableError` where a combination of the variables separates the outcome."""
    names = separating_columns(covariates, outcome)
    if names:
        raise NotEstimableError(
            f"the outcome is separated by {', '.join(names)}, so the odds ratio has no finite estimate"
        )


def refuse_monotone_likelihood(covariates: pl.DataFrame, durations: Floats, events: Flags) -> None:
    """Raise `NotEstimableError` where the partial likelihood grows without end along some direction."""
    names = monotone_columns(covariates, durations, events)
    if names:
        raise NotEstimableError(
            f"monotone likelihood along {', '.join(names)} (a group without events, for instance), "
            "so the hazard ratio has no finite estimate"
        )


def separating_columns(covariates: pl.DataFrame, outcome: Flags) -> tuple[str, ...]:
    """Return the variables that separate the outcome, wholly or in part; none where none do.

    Those that do so alone; without any, a smallest set that does so together. Where it is separated no finite
    odds ratio maximises the likelihood (Albert and Anderson 1984). Linear programme of Konis (2007): a
    direction that is never on the wrong side and somewhere on the right one. Raises `NotEstimableError` where
    all have the same outcome.
    """
    refuse_one_outcome(outcome)
    return _columns_that(lambda matrix: _separates(matrix, outcome), covariates)


def monotone_columns(covariates: pl.DataFrame, durations: Floats, events: Flags) -> tuple[str, ...]:
    """Return the variables along which the partial likelihood is monotone; none where it is along none.

    Those that are so alone; without any, a smallest set that is so together: whoever dies always has the
    highest score among those at risk (Bryson and Johnson 1981). One auxiliary variable for each event time
    holds the highest score at risk, which keeps the linear programme's size proportional to the number of
    patients. Raises `NotEstimableError` without an event.
    """
    if not events.any():
        raise NotEstimableError(f"no events among {len(events)} patients")
    return _columns_that(lambda matrix: _is_monotone(matrix, durations, events), covariates)


def _columns_that(separate: Callable[[Floats], bool], covariates: pl.DataFrame) -> tuple[str, ...]:
    matrix, names = _standardised(covariates), np.array(covariates.columns)
    if not separate(matrix):
        return ()
    alone = [place for place in range(len(names)) if separate(matrix[:, [place]])]
    return tuple(names[alone or _smallest_set(separate, matrix)].tolist())


def _smallest_set(separate: Callable[[Floats], bool], matrix: Floats) -> list[int]:
    """Leave out one column after another, as long as the others still separate."""
    kept = list(range(matrix.shape[1]))
    for place in range(matrix.shape[1]):
        others = [other for other in kept if other != place]
        if separate(matrix[:, others]):
            kept = others
    return kept


def _standardised(covariates: pl.DataFrame) -> Floats:
    """In standard deviations from the mean; a column of one value, which separates nothing, is all 0."""
    matrix = covariates.cast(pl.Float64).to_numpy()
    spread = np.where(np.ptp(matrix, axis=0) == 0, np.inf, matrix.std(axis=0))
    scaled: Floats = (matrix - matrix.mean(axis=0)) / spread
    return scaled


def _separates(matrix: Floats, outcome: Flags) -> bool:
    signed = np.column_stack([np.ones(len(outcome)), matrix]) * np.where(outcome, 1.0, -1.0)[:, None]
    solved = linprog(-signed.sum(axis=0), A_ub=-signed, b_ub=np.zeros(len(outcome)), bounds=(-1, 1))
    return _is_separating(solved.fun)


def _is_separating(objective: float | None) -> bool:
    return objective is not None and objective < -1e-6


def _is_monotone(matrix: Floats, durations: Floats, events: Flags) -> bool:
    event_times = np.unique(durations[events])
    n_times, n_columns = len(event_times), matrix.shape[1]
    last_time_at_risk = np.searchsorted(event_times, durations, side="right") - 1
    at_risk = np.flatnonzero(last_time_at_risk >= 0)
    dying = np.flatnonzero(events)
    constraints = sparse.vstack(
        [
            _score_against_top(matrix[at_risk], last_time_at_risk[at_risk], n_times),
            _tops_never_rise(n_columns, n_times),
            -_score_against_top(matrix[dying], last_time_at_risk[dying], n_times),
        ]
    ).tocsr()
    n_times_at_risk = last_time_at_risk + 1.0
    n_at_risk = np.cumsum(np.bincount(last_time_at_risk[at_risk], minlength=n_times)[::-1])[::-1]
    cost = np.concatenate([n_times_at_risk @ matrix, -n_at_risk])
    bounds = [(-1.0, 1.0)] * n_columns + [(None, None)] * n_times
    solved = linprog(cost, A_ub=constraints, b_ub=np.zeros(constraints.shape[0]), bounds=bounds)
    return _is_separating(solved.fun)


def _score_against_top(matrix: Floats, time_index: Integers, n_times: int) -> sparse.csr_matrix:
    """Rows of 'score - highest score at that time': at most zero for all at risk, at least for who dies."""
    rows = np.arange(len(matrix))
    tops = sparse.csr_matrix((-np.ones(len(rows)), (rows, time_index)), shape=(len(rows), n_times))
    return sparse.hstack([sparse.csr_matrix(matrix), tops]).tocsr()


def _tops_never_rise(n_columns: int, n_times: int) -> sparse.csr_matrix:
    """The highest score can only fall as patients leave, which spares a constraint for every pair."""
    steps = sparse.diags([-1.0, 1.0], [0, 1], shape=(n_times - 1, n_times))
    return sparse.hstack([sparse.csr_matrix((n_times - 1, n_columns)), steps]).tocsr()
