"""Whether a partial likelihood with late entry grows without end, exactly.

Here: the linear programme. Not here: the simpler one for follow-up from the start (`models.design`). Called
by `models.survival.partial_maximum`.
"""

import numpy as np
import polars as pl
from scipy import sparse
from scipy.optimize import linprog

from models.estimate import Floats, Integers
from models.survival.partial_likelihood import PartialLikelihood
from transforms.errors import NotEstimableError

Pairs = tuple[Integers, Integers]


def refuse_monotone_likelihood_with_entry(covariates: pl.DataFrame, likelihood: PartialLikelihood) -> None:
    """Raise `NotEstimableError` where the partial likelihood grows without end along some direction.

    That is so where whoever has the event always has the highest score among those at risk (Bryson and
    Johnson 1981). A row is at risk over a stretch of event times: a binary tree over them, whose nodes hold
    the highest score of the stretch they cover, keeps the programme's size at n log m for n rows and m event
    times.
    """
    direction = _steepest_monotone_direction(likelihood)
    if direction is not None:
        names = ", ".join(np.array(covariates.columns)[np.abs(direction) > 1e-6])
        raise NotEstimableError(
            f"monotone likelihood along {names} (a state without events, for instance), "
            "so the hazard ratio has no finite estimate"
        )


def _steepest_monotone_direction(likelihood: PartialLikelihood) -> Floats | None:
    spread = likelihood.centred.std(axis=0)
    matrix = likelihood.centred / np.where(spread > 0, spread, 1.0)
    n_columns, n_leaves = matrix.shape[1], _power_of_two(len(likelihood.event_times))
    row, node = _nodes_over(*likelihood.stretches, n_leaves)
    dying, leaf = np.flatnonzero(likelihood.events), n_leaves + likelihood.event_places
    constraints = sparse.vstack(
        [
            _score_above_top(matrix[row], node, n_leaves),
            -_score_above_top(matrix[dying], leaf, n_leaves),
            _top_above_its_halves(n_columns, n_leaves),
        ]
    ).tocsr()
    # The sum of (score - highest score) over all rows and the event times that they are at risk at: below 0
    # where someone's score is ever below the highest.
    first, last = likelihood.stretches
    cost = np.zeros(n_columns + 2 * n_leaves)
    cost[:n_columns] = (last - first) @ matrix
    at_leaf = n_columns + n_leaves + np.arange(len(likelihood.event_times))
    cost[at_leaf] = -likelihood.over_rows_at_risk(np.ones(len(matrix)))
    bounds = [(-1.0, 1.0)] * n_columns + [(None, None)] * (2 * n_leaves)
    solved = linprog(cost, A_ub=constraints, b_ub=np.zeros(constraints.shape[0]), bounds=bounds)
    is_monotone = solved.fun is not None and solved.fun < -1e-6
    return solved.x[:n_columns] if is_monotone else None


def _power_of_two(at_least: int) -> int:
    return 1 << max(at_least - 1, 0).bit_length()


def _nodes_over(first: Integers, last: Integers, n_leaves: int) -> Pairs:
    """The (row, node) pairs of the fewest nodes that cover each row's event times, first to before last.

    Node 1 covers all, node k's halves are 2 k and 2 k + 1, and the leaves begin at `n_leaves`.
    """
    rows, nodes = [], []
    low, high = first + n_leaves, last + n_leaves
    everyone = np.arange(len(first))
    while (low < high).any():
        takes_low = (low < high) & (low % 2 == 1)
        takes_high = (low < high) & (high % 2 == 1)
        rows += [everyone[takes_low], everyone[takes_high]]
        nodes += [low[takes_low], high[takes_high] - 1]
        low, high = (low + takes_low) // 2, (high - takes_high) // 2
    return np.concatenate(rows), np.concatenate(nodes)


def _score_above_top(matrix: Floats, node: Integers, n_leaves: int) -> sparse.csr_matrix:
    """Rows of 'score - highest score of the node': at most 0 for all at risk, at least 0 for events."""
    one_each = np.arange(len(matrix))
    tops = sparse.csr_matrix((-np.ones(len(node)), (one_each, node)), shape=(len(node), 2 * n_leaves))
    return sparse.hstack([sparse.csr_matrix(matrix), tops]).tocsr()


def _top_above_its_halves(n_columns: int, n_leaves: int) -> sparse.csr_matrix:
    """The highest score over a stretch is no higher than over any part, which holds it with others."""
    child = np.arange(2, 2 * n_leaves)
    one_each = np.arange(len(child))
    shape = (len(child), 2 * n_leaves)
    ones = np.ones(len(child))
    steps = sparse.csr_matrix((ones, (one_each, child // 2)), shape=shape) - sparse.csr_matrix(
        (ones, (one_each, child)), shape=shape
    )
    return sparse.hstack([sparse.csr_matrix((len(child), n_columns)), steps]).tocsr()
