"""Cox's model of covariates that change: the split, hand-worked cases, R's numbers and laws."""

import math

import numpy as np
import polars as pl
import pytest

from models.survival.cox import fit_cox
from models.survival.time_dependent import fit_time_dependent_cox, split_at
from tests.models.cox_cases import CHANGING, TIES, assert_model_is_rs, followed, followed_with_onset
from transforms.errors import NotEstimableError

NEVER = np.nan


def rows_of(onset, duration, event=True):
    split = split_at(np.array([onset]), np.array([duration]), np.array([event]))
    parts = (split.start, split.stop, split.events, split.is_after)
    return list(zip(*(part.tolist() for part in parts), strict=True))


def fit_state(onset, durations, events, ties="efron"):
    """The coefficient of a state alone."""
    split = split_at(np.array(onset, dtype=float), np.array(durations, dtype=float), np.array(events))
    covariates = pl.DataFrame({"after": split.is_after})
    return fit_time_dependent_cox(covariates, split.start, split.stop, events=split.events, ties=ties)


# The split


def test_a_follow_up_is_split_where_the_state_begins():
    assert rows_of(2.0, 5.0) == [(0, 2, False, False), (2, 5, True, True)]


@pytest.mark.parametrize("onset", [NEVER, 5.0, 6.0, math.inf])
def test_an_onset_at_the_end_or_after_it_or_none_never_counts(onset):
    assert rows_of(onset, 5.0) == [(0, 5, True, False)]


@pytest.mark.parametrize("onset", [0.0, -1.0])
def test_an_onset_at_the_start_or_before_counts_from_the_start(onset):
    assert rows_of(onset, 5.0) == [(0, 5, True, True)]


@pytest.mark.parametrize("onset", [NEVER, 0.0, -1.0, 2.0])
def test_a_follow_up_of_0_leaves_no_row(onset):
    assert rows_of(onset, 0.0) == []


def test_rows_stay_in_the_patients_order_and_tell_whose_they_are():
    onset, durations = np.array([1.0, NEVER, 0, 3]), np.array([2.0, 4, 0, 6])
    split = split_at(onset, durations, np.array([False, True, True, True]))
    assert split.row.tolist() == [0, 0, 1, 3, 3]
    assert split.events.tolist() == [False, False, True, False, True]
    assert split.stop.tolist() == [1, 2, 4, 3, 6]


@pytest.mark.parametrize("duration", [-1.0, NEVER, math.inf])
def test_a_duration_that_cannot_be_is_the_callers_fault(duration):
    with pytest.raises(ValueError, match="finite durations of 0 or more"):
        rows_of(1.0, duration)


# Worked by hand


def test_who_has_not_yet_entered_the_state_counts_as_outside_it():
    # At 1 one in the state of three dies, at 3 one outside it of two (the other entered at 2): with hazard
    # ratio h, h / (h + 2) * 1 / (1 + h), which is flat where 1 - h/(h+2) - h/(1+h) = 0, so h = sqrt(2).
    fit = fit_state([0, NEVER, 2], [1, 3, 4], [True, True, False])
    assert fit.coefficients[0].ratio.value == pytest.approx(math.sqrt(2))
    assert (fit.n, fit.events) == (4, 2)


def test_a_state_known_from_the_start_would_be_another_number():
    # The same patients by what became of them in the end: h / (2h + 1) * 1 / (1 + h), flat at h = sqrt(1/2).
    naive = fit_cox(
        pl.DataFrame({"ever": [1.0, 0, 1]}).vstack(pl.DataFrame({"ever": [0.0]})),
        np.array([1.0, 3, 4, 0.5]),
        np.array([True, True, False, False]),
    )
    assert naive.coefficients[0].ratio.value == pytest.approx(math.sqrt(1 / 2))


# R's numbers


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", CHANGING)
def test_a_model_with_a_state_that_begins_is_rs(name, ties):
    data, split = followed_with_onset(name)
    fit = fit_time_dependent_cox(data.covariates, split.start, split.stop, events=split.events, ties=ties)
    assert_model_is_rs(fit, f"{name}_{ties}_td")


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", CHANGING)
def test_a_state_alone_is_rs(name, ties):
    data, split = followed_with_onset(name)
    alone = data.covariates.select("after")
    fit = fit_time_dependent_cox(alone, split.start, split.stop, events=split.events, ties=ties)
    assert_model_is_rs(fit, f"{name}_{ties}_td_alone")


# Laws


@pytest.mark.parametrize("ties", TIES)
@pytest.mark.parametrize("name", ["cohort_few", "ties"])
def test_cutting_follow_ups_where_nothing_changes_changes_nothing(name, ties):
    data = followed(name)
    split = split_at(data.durations * 0.4, data.durations, data.events)
    whole = fit_cox(data.covariates, data.durations, data.events, ties=ties)
    cut = fit_time_dependent_cox(
        data.covariates[split.row], split.start, split.stop, events=split.events, ties=ties
    )
    assert cut.log_likelihood == pytest.approx(whole.log_likelihood, rel=1e-12)
    for ours, other in zip(cut.coefficients, whole.coefficients, strict=True):
        assert ours.estimate == pytest.approx(other.estimate, rel=1e-9)
        assert ours.standard_error == pytest.approx(other.standard_error, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_the_order_of_the_rows_and_the_clock_do_not_matter(seed):
    data, split = followed_with_onset("cohort")
    order = np.random.default_rng(seed).permutation(len(split.row))
    first = fit_time_dependent_cox(data.covariates, split.start, split.stop, events=split.events)
    second = fit_time_dependent_cox(
        data.covariates[order],
        30 * split.start[order] + 7,
        30 * split.stop[order] + 7,
        events=split.events[order],
    )
    for ours, other in zip(first.coefficients, second.coefficients, strict=True):
        assert ours.estimate == pytest.approx(other.estimate, rel=1e-9)
        assert ours.standard_error == pytest.approx(other.standard_error, rel=1e-9)


@pytest.mark.parametrize("seed", range(5))
def test_a_state_without_effect_seems_to_protect_until_its_time_is_counted(seed):
    # Immortal time: the state begins at a random time, for those who live to see it, and does nothing.
    rng = np.random.default_rng(seed)
    durations, onset = rng.exponential(10, 2000), rng.exponential(10, 2000)
    died = np.full(2000, True)
    naive = fit_cox(pl.DataFrame({"ever": onset < durations}), durations, died).coefficients[0]
    counted = fit_state(onset, durations, died).coefficients[0]
    assert naive.ratio.ci_high < 0.7
    assert abs(counted.z) < 3


# What cannot be estimated


def test_a_start_that_is_not_before_its_stop_is_the_callers_fault():
    rows = pl.DataFrame({"x": [1.0, 0, 1, 0]})
    with pytest.raises(ValueError, match="start is expected to lie before its stop"):
        fit_time_dependent_cox(rows, np.array([0.0, 0, 2, 1]), np.full(4, 2.0), events=np.full(4, True))


def test_without_events_nothing_is_fitted():
    with pytest.raises(NotEstimableError, match="no events"):
        fit_state([1, NEVER, NEVER, NEVER], [2, 3, 4, 5], [False] * 4)


def test_a_state_that_nobody_enters_in_time_is_named():
    with pytest.raises(NotEstimableError, match="after: the same value"):
        fit_state([9, NEVER, 8, NEVER], [2, 3, 4, 5], [True] * 4)


def test_a_state_whose_members_are_never_at_risk_beside_others_is_named():
    # All enter it at 2, when nobody has died.
    with pytest.raises(NotEstimableError, match="after: the same value in all who are at risk together"):
        fit_state([2, 2, 2, 2], [3, 4, 5, 6], [True] * 4)


@pytest.mark.parametrize("ties", TIES)
def test_a_state_in_which_nobody_dies_has_no_hazard_ratio(ties):
    onset = [2.0, NEVER] * 8
    with pytest.raises(NotEstimableError, match="monotone likelihood along after "):
        fit_state(onset, np.arange(3.0, 19), np.isnan(onset), ties)


def test_who_has_not_yet_entered_does_not_hide_a_monotone_likelihood():
    # At 3 the highest x of those at risk dies; higher ones come at 5.
    x, start = pl.DataFrame({"x": [1.0, 0, 0, 2, 3]}), np.array([0.0, 0, 0, 5, 5])
    stop, events = np.array([3.0, 10, 10, 10, 10]), np.arange(5) == 0
    with pytest.raises(NotEstimableError, match="monotone likelihood along x "):
        fit_time_dependent_cox(x, start, stop, events=events)


def test_hazards_too_far_apart_to_subtract_are_refused():
    # Who has the enormous x leaves before the first event; the others' hazard ratio is finite.
    x = np.append(np.arange(40) % 4.0, 500)
    stop, start = np.append(np.arange(2.0, 42), 2.5), np.zeros(41)
    events = np.append((np.arange(40) % 4 > 1) | (np.arange(40) == 20), False)
    with pytest.raises(NotEstimableError, match=r"more than e\^20 times another"):
        fit_time_dependent_cox(pl.DataFrame({"x": -x}), start, stop, events=events)
