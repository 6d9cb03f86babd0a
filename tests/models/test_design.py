"""The exact tests for estimates that do not exist, against plain search over directions."""

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.design import (
    monotone_columns,
    read_design,
    refuse_monotone_likelihood,
    refuse_separated_outcome,
    separating_columns,
)
from transforms.errors import NotEstimableError

# Values and directions on a small grid, so that every direction that matters is searched.
PAIRS = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, 2), st.integers(1, 6), st.booleans()), min_size=5, max_size=14
)
DIRECTIONS = [(a, b) for a in range(-4, 5) for b in range(-4, 5) if (a, b) != (0, 0)]


def as_arrays(rows):
    x, y, times, events = (np.array(column) for column in zip(*rows, strict=True))
    return pl.DataFrame({"x": x.astype(float), "y": y.astype(float)}), times.astype(float), events


def is_separated_slowly(scores, outcome) -> bool:
    low, high = scores[outcome].min(), scores[~outcome].max()
    return low >= high and np.ptp(scores) > 0


def is_monotone_slowly(scores, times, events) -> bool:
    tops = [(scores[(times == time) & events], scores[times >= time]) for time in np.unique(times[events])]
    return all(dying.min() == risk.max() for dying, risk in tops) and any(
        np.ptp(risk) > 0 for _, risk in tops
    )


def refuses(check, *arguments) -> bool:
    try:
        check(*arguments)
    except NotEstimableError:
        return True
    return False


@settings(max_examples=150, deadline=None)
@given(rows=PAIRS)
def test_separation_is_found_exactly_where_a_direction_separates(rows):
    frame, _, outcome = as_arrays(rows)
    if outcome.all() or not outcome.any() or (frame.to_numpy().std(axis=0) == 0).any():
        return
    slowly = any(is_separated_slowly(frame.to_numpy() @ direction, outcome) for direction in DIRECTIONS)
    assert refuses(refuse_separated_outcome, frame, outcome) == slowly


@settings(max_examples=150, deadline=None)
@given(rows=PAIRS)
def test_a_monotone_likelihood_is_found_exactly_where_a_direction_has_one(rows):
    frame, times, events = as_arrays(rows)
    if not events.any() or (frame.to_numpy().std(axis=0) == 0).any():
        return
    slowly = any(is_monotone_slowly(frame.to_numpy() @ direction, times, events) for direction in DIRECTIONS)
    assert refuses(refuse_monotone_likelihood, frame, times, events) == slowly


@settings(max_examples=100, deadline=None)
@given(rows=PAIRS)
def test_columns_are_named_exactly_where_the_refusals_refuse(rows):
    frame, times, outcome = as_arrays(rows)
    if outcome.all() or not outcome.any() or (frame.to_numpy().std(axis=0) == 0).any():
        return
    assert bool(separating_columns(frame, outcome)) == refuses(refuse_separated_outcome, frame, outcome)
    is_monotone = refuses(refuse_monotone_likelihood, frame, times, outcome)
    assert bool(monotone_columns(frame, times, outcome)) == is_monotone


def test_only_the_columns_that_separate_are_named():
    outcome = np.repeat([True, False], 10)
    frame = pl.DataFrame(
        {"noise": [0.0, 1.0] * 10, "dose": np.where(outcome, 60.0, 100.0), "same": [3.0] * 20}
    )
    assert separating_columns(frame, outcome) == ("dose",)
    assert separating_columns(frame.select("noise", "same"), outcome) == ()
    assert monotone_columns(frame, np.arange(20.0), outcome) == ("dose",)
    assert monotone_columns(frame.select("noise", "same"), np.arange(20.0), outcome) == ()


def test_one_outcome_only_or_no_event_is_no_question_of_columns():
    frame = pl.DataFrame({"x": [1.0, 2.0, 3.0]})
    with pytest.raises(NotEstimableError, match="all 3 complete patients have the same outcome"):
        separating_columns(frame, np.full(3, True))
    with pytest.raises(NotEstimableError, match="no events among 3 patients"):
        monotone_columns(frame, np.arange(3.0), np.full(3, False))


def test_a_design_is_read_in_the_columns_order():
    frame = pl.DataFrame({"b": [1, 2, 5, 4, 4], "a": [0.0, 1, 0, 1, 1]})
    assert read_design(frame, 5).tolist()[1] == [2.0, 1.0]


def test_a_design_of_another_length_is_the_callers_fault():
    with pytest.raises(ValueError, match="one finite row for each outcome"):
        read_design(pl.DataFrame({"x": [1.0, 2, 3, 4]}), 5)
