"""Harrell's concordance of a score with censored durations: how often who dies first had the higher score.

Here: the counts of pairs, in n log n; two durations alone give the area under the ROC curve. Not here: which
score is judged. Called by `models.study.likelihoods`.
"""

from dataclasses import dataclass

import numpy as np

from models.estimate import Flags, Floats, Integers
from transforms.errors import NotEstimableError


@dataclass(frozen=True)
class Concordance:
    """Pairs of which it is known who had the event first, by whether the score says so.

    Source: Harrell 1996, Statistics in Medicine 15:361; counted as R's `survival::concordance` does.
    """

    concordant: int
    discordant: int
    tied_score: int

    @property
    def value(self) -> float:
        """The share of concordant pairs, tied scores counting half; 0.5 is chance."""
        return (self.concordant + self.tied_score / 2) / (self.concordant + self.discordant + self.tied_score)


def count_concordance(scores: Floats, durations: Floats, events: Flags) -> Concordance:
    """Count the pairs of n patients; a higher score should mean an earlier event.

    A pair counts where one has the event and the other is later, or is censored at that very time; two events
    at one time are no pair. Raises `NotEstimableError` where no pair counts.
    """
    # Latest first; at one time the censored before the events, so that whoever outlives an event is a prefix.
    order = np.lexsort((events, -durations))
    times, is_event = durations[order], events[order]
    _, rank = np.unique(scores[order], return_inverse=True)
    later = np.searchsorted(-times, -times[is_event], side="left")
    n_outliving = later + _censored_at_same_time(times, is_event)
    lower, tied = _count_below(rank, ends=n_outliving, limits=rank[is_event])
    n_pairs, n_lower, n_tied = int(n_outliving.sum()), int(lower.sum()), int(tied.sum())
    if n_pairs == 0:
        raise NotEstimableError("no two patients of whom it is known who had the event first")
    return Concordance(n_lower, n_pairs - n_lower - n_tied, n_tied)


def _censored_at_same_time(times: Floats, is_event: Flags) -> Integers:
    """For each event, how many were censored at its time."""
    censored, at = -times[~is_event], -times[is_event]
    counts: Integers = np.searchsorted(censored, at, side="right") - np.searchsorted(
        censored, at, side="left"
    )
    return counts


def _count_below(ranks: Integers, *, ends: Integers, limits: Integers) -> tuple[Integers, Integers]:
    """For each query count among `ranks[:end]` those below and those equal to its limit.

    A wavelet matrix: one pass over all rows for each bit of the ranks. Source: Claude, Navarro and Ordonez
    2015, Information Systems 47:15.
    """
    starts, ends, below = np.zeros_like(ends), ends.copy(), np.zeros_like(ends)
    for bit in reversed(range(int(ranks.max(initial=0)).bit_length())):
        is_one = (ranks >> bit & 1).astype(bool)
        zeros_before = np.concatenate([[0], np.cumsum(~is_one)])
        wants_one = (limits >> bit & 1).astype(bool)
        first, last = zeros_before[starts], zeros_before[ends]
        below += np.where(wants_one, last - first, 0)
        starts = np.where(wants_one, zeros_before[-1] + starts - first, first)
        ends = np.where(wants_one, zeros_before[-1] + ends - last, last)
        ranks = np.concatenate([ranks[~is_one], ranks[is_one]])
    return below, ends - starts
