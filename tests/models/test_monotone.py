"""The exact test for a likelihood without a top, where rows enter late, against every pair written out."""

import numpy as np
import polars as pl
import pytest
from scipy.optimize import linprog

from models.design import refuse_monotone_likelihood
from models.survival.monotone import refuse_monotone_likelihood_with_entry
from models.survival.partial_likelihood import PartialLikelihood
from transforms.errors import NotEstimableError


def few_rows(seed):
    """Rows so few that half of them have no top."""
    rng = np.random.default_rng(seed)
    n = rng.integers(6, 16)
    start = rng.integers(0, 4, n).astype(float)
    matrix = rng.integers(0, 3, size=(n, 2)).astype(float)
    events = rng.random(n) < 0.4
    events[0] = True
    return PartialLikelihood(matrix, start + rng.integers(1, 5, n), events, "efron", start)


def is_monotone_by_every_pair(rows):
    """Whether some direction puts every event at the top of its risk set, and above someone."""
    pairs = [
        rows.matrix[event] - rows.matrix[other]
        for event in np.flatnonzero(rows.events)
        for other in np.flatnonzero((rows.start < rows.stop[event]) & (rows.stop[event] <= rows.stop))
    ]
    solved = linprog(-np.sum(pairs, axis=0), A_ub=-np.array(pairs), b_ub=np.zeros(len(pairs)), bounds=(-1, 1))
    return solved.fun < -1e-6


def is_refused(refuse, *arguments):
    try:
        refuse(*arguments)
    except NotEstimableError:
        return True
    return False


def covariates_of(rows):
    return pl.DataFrame({"x": rows.matrix[:, 0], "y": rows.matrix[:, 1]})


@pytest.mark.parametrize("seed", range(60))
def test_it_is_found_where_and_only_where_every_pair_says_so(seed):
    rows = few_rows(seed)
    found = is_refused(refuse_monotone_likelihood_with_entry, covariates_of(rows), rows)
    assert found == is_monotone_by_every_pair(rows)


def test_the_rows_tried_hold_both_kinds():
    assert 10 < sum(is_monotone_by_every_pair(few_rows(seed)) for seed in range(60)) < 50


@pytest.mark.parametrize("seed", range(20))
def test_without_late_entry_it_is_the_simpler_test(seed):
    late = few_rows(seed)
    rows = PartialLikelihood(late.matrix, late.stop, late.events, "efron", np.zeros(len(late.stop)))
    simpler = is_refused(refuse_monotone_likelihood, covariates_of(rows), rows.stop, rows.events)
    assert is_refused(refuse_monotone_likelihood_with_entry, covariates_of(rows), rows) == simpler


def test_the_variables_at_fault_are_named():
    start, events = np.tile([0.0, 1], 10), np.tile([True, False], 10)
    x, stop = events.astype(float), np.arange(2.0, 22)
    covariates = pl.DataFrame({"age": np.sin(stop), "in_state": x})
    rows = PartialLikelihood(covariates.to_numpy(), stop, events, "efron", start)
    with pytest.raises(NotEstimableError, match="monotone likelihood along in_state "):
        refuse_monotone_likelihood_with_entry(covariates, rows)
