"""Cox's model of covariates that change: rows with a start and a stop.

Here: the split of a follow-up where a state begins, and the fit. Not here: which states a study follows
(`models.study`), covariates known from the start (`models.survival.cox`). Called by `models.study`'s guard
against immortal time.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.design import read_design, refuse_no_events
from models.estimate import Flags, Floats, Integers
from models.survival.cox import CoxFit, describe_fit
from models.survival.partial_likelihood import PartialLikelihood, Ties
from models.survival.partial_maximum import maximise_partial_likelihood


@dataclass(frozen=True, eq=False)
class SplitFollowUp:
    """Follow-ups in one or two rows a patient, each over (start, stop]; arrays of one length.

    `row` is the patient's place in what was split, `is_after` whether the state has begun, and `events` holds
    at the patient's last row alone.
    """

    row: Integers
    start: Floats
    stop: Floats
    events: Flags
    is_after: Flags


def split_at(onset: Floats, durations: Floats, events: Flags) -> SplitFollowUp:
    """Split each follow-up at the `onset` of a state: (n,) in the durations' unit, NaN where it never begins.

    An onset at or after the end never counts: when the event came, the patient was not yet in the state. One
    at 0 or before counts from the start. A follow-up of 0 leaves no row. Raises `ValueError` for durations
    below 0 or not finite. Rows come in the patients' order, the one before the onset first.
    """
    if not (np.isfinite(durations).all() and (durations >= 0).all()):
        raise ValueError("split follow-up: finite durations of 0 or more are expected")
    begins = onset < durations
    is_split = begins & (onset > 0)
    parts = np.where(durations > 0, 1 + is_split, 0)
    row = np.repeat(np.arange(len(durations)), parts)
    is_last = np.append(row[1:] != row[:-1], True)[: len(row)]
    is_first = np.append(True, row[1:] != row[:-1])[: len(row)]
    return SplitFollowUp(
        row=row,
        start=np.where(is_first, 0.0, onset[row]),
        stop=np.where(is_last, durations[row], onset[row]),
        events=events[row] & is_last,
        is_after=begins[row] & is_last,
    )


def fit_time_dependent_cox(
    covariates: pl.DataFrame, start: Floats, stop: Floats, *, events: Flags, ties: Ties = "efron"
) -> CoxFit:
    """Fit Cox's model to rows at risk over (start, stop]; `covariates` has one finite row for each.

    The hazard ratio compares those in a state with those not in it on the same day (Andersen and Gill 1982).
    `n` of the fit counts rows. Raises `ValueError` where a start is not before its stop, `NotEstimableError`
    as `fit_cox` does.
    """
    refuse_no_events(events)
    matrix = read_design(covariates, len(stop))
    likelihood = PartialLikelihood(matrix, stop, events, ties, start)
    return describe_fit(covariates, likelihood, maximise_partial_likelihood(covariates, likelihood))
