"""The log-rank test between two or more groups.

Here: the test. Not here: the curves (`models.survival.kaplan_meier`), which groups a study compares
(`models.study.survival`).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from lifelines.statistics import multivariate_logrank_test

from models.design import refuse_no_events
from models.estimate import Flags, Floats
from models.survival.lifelines_manners import quiet_lifelines
from transforms.errors import NotEstimableError


@dataclass(frozen=True)
class LogRank:
    """The log-rank test (Mantel 1966) of two or more groups, hypergeometric variance."""

    n: int
    events: int
    chi_square: float
    degrees_of_freedom: int
    p: float


def compare_log_rank(durations: Floats, events: Flags, groups: pl.Series) -> LogRank:
    """Test whether two or more groups differ in survival.

    Raises `NotEstimableError` with fewer than two groups, without events, or where the groups never meet.
    """
    n_groups = groups.n_unique()
    if n_groups < 2:
        raise NotEstimableError("fewer than two groups have patients to compare")
    refuse_no_events(events)
    _refuse_never_together(durations, events, groups)
    with quiet_lifelines():
        test = multivariate_logrank_test(durations, groups.to_numpy(), events)
    return LogRank(
        n=len(durations),
        events=int(events.sum()),
        chi_square=float(test.test_statistic),
        degrees_of_freedom=n_groups - 1,
        p=float(test.p_value),
    )


def _refuse_never_together(durations: Floats, events: Flags, groups: pl.Series) -> None:
    """The test's variance is zero unless someone dies and another lives on while two groups are at risk."""
    last_times = pl.DataFrame({"group": groups, "time": durations}).group_by("group").max()["time"]
    two_groups_until = np.sort(last_times.to_numpy())[-2]
    times, deaths = np.unique(durations[events & (durations <= two_groups_until)], return_counts=True)
    n_at_risk = len(durations) - np.searchsorted(np.sort(durations), times)
    if not (n_at_risk > deaths).any():
        raise NotEstimableError("the groups were never at risk at the same time while someone had the event")
