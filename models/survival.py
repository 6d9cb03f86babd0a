"""Kaplan-Meier, log-rank and Cox: the only home of lifelines.

Here: estimates from durations, event flags and covariates, in any unit of time. Not here: which patients
and variables a study compares (`models.study.survival`). Called by the study's analyses.
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
from lifelines import CoxPHFitter, KaplanMeierFitter
from lifelines.exceptions import ConvergenceError, ConvergenceWarning
from lifelines.statistics import multivariate_logrank_test

from models.design import is_doubtful, read_design, refuse_monotone_likelihood
from models.estimate import Coefficient, Estimate, Flags, Floats
from transforms.errors import NotEstimableError

# R's tolerance for a curve that lies on one half.
ON_THE_HALF = float(np.sqrt(np.finfo(np.float64).eps))

# lifelines ends on a relative change of the log-likelihood of 1e-9, which leaves coefficients 1e-5 off,
# and shortens each Newton step to 0.95. With full steps, and half the squared Newton step in standard errors
# below 1e-20 as the only end, coefficients and standard errors agree with R's to 1e-10 and better.
NEWTON_TO_THE_END = {"step_size": 1.0, "precision": 1e-20, "r_precision": 0.0, "max_steps": 100}


@dataclass(frozen=True)
class KaplanMeier:
    """The product-limit curve with log-log intervals (R's conf.type="log-log", exponential Greenwood).

    `points`: time, survival, ci_low, ci_high (0 to 1), n_at_risk, n_events, n_censored, one row for time 0
    and for each distinct time, ascending. `median` is in the durations' unit.
    """

    n: int
    events: int
    points: pl.DataFrame
    median: Estimate

    def survival_at(self, time: float) -> Estimate:
        """Return survival (0 to 1) at `time`; None beyond the last duration unless all have died."""
        row = self.points.filter(pl.col("time") <= time).tail(1).row(0, named=True)
        is_past_the_end = time > self.points["time"][-1] and row["survival"] > 0
        if is_past_the_end:
            return Estimate(None)
        return Estimate(row["survival"], row["ci_low"], row["ci_high"])

    def n_at_risk_at(self, time: float) -> int:
        """Return how many are still followed just before `time`."""
        later = self.points.filter(pl.col("time") >= time)
        return int(later["n_at_risk"][0]) if later.height else 0


@dataclass(frozen=True)
class LogRank:
    """The log-rank test (Mantel 1966) of two or more groups, hypergeometric variance."""

    n: int
    events: int
    chi_square: float
    degrees_of_freedom: int
    p: float


@dataclass(frozen=True)
class CoxFit:
    """A Cox model with Efron's handling of ties; `coefficients` in the order of the covariates."""

    n: int
    events: int
    coefficients: tuple[Coefficient, ...]
    log_likelihood: float
    likelihood_ratio: float


@contextmanager
def _quiet_lifelines() -> Iterator[None]:
    """lifelines warns of what is tested exactly here, and sets numpy's error state for the whole process."""
    with warnings.catch_warnings(), np.errstate():
        warnings.simplefilter("ignore")
        yield


def estimate_kaplan_meier(durations: Floats, events: Flags) -> KaplanMeier:
    """Return the Kaplan-Meier curve (Kaplan and Meier 1958); `NotEstimableError` where there is nobody."""
    if len(durations) == 0:
        raise NotEstimableError("nobody in the group has a survival time")
    with _quiet_lifelines():
        fitted = KaplanMeierFitter().fit(durations, events)
        points = _curve_points(fitted)
    return KaplanMeier(n=len(durations), events=int(events.sum()), points=points, median=_median(points))


def _curve_points(fitted: KaplanMeierFitter) -> pl.DataFrame:
    survival = fitted.survival_function_.to_numpy()[:, 0]
    # log(-log S) has no value where nobody or everybody has had the event; lifelines prints 0 or 1 there.
    has_limits = ((survival > 0) & (survival < 1))[:, None]
    interval = np.where(has_limits, fitted.confidence_interval_.to_numpy(), np.nan)
    table = fitted.event_table
    # At time 0 lifelines counts those who enter; at a first duration of 0 both are the same row.
    n_at_risk = np.maximum(table["at_risk"].to_numpy(), table["entrance"].to_numpy())
    return pl.DataFrame(
        {
            "time": fitted.timeline.astype(np.float64),
            "survival": survival,
            "ci_low": interval[:, 0],
            "ci_high": interval[:, 1],
            "n_at_risk": n_at_risk.astype(np.int64),
            "n_events": table["observed"].to_numpy().astype(np.int64),
            "n_censored": table["censored"].to_numpy().astype(np.int64),
        }
    ).with_columns(pl.col("ci_low", "ci_high").fill_nan(None))


def _median(points: pl.DataFrame) -> Estimate:
    """The median, and as its limits the medians of the curve's limits (Brookmeyer and Crowley 1982)."""
    return Estimate(
        *(_time_of_half(points.select("time", height=name)) for name in ("survival", "ci_low", "ci_high"))
    )


def _time_of_half(curve: pl.DataFrame) -> float | None:
    """First time at or below one half; where the curve lies on it, the middle of that stretch, as in R."""
    low = curve.filter(pl.col("height") < 0.5 + ON_THE_HALF)
    if low.is_empty():
        return None
    first_time, first_height = low.row(0)
    lower_still = low.filter(pl.col("height") < first_height)
    if abs(first_height - 0.5) < ON_THE_HALF and not lower_still.is_empty():
        return float(first_time + lower_still["time"][0]) / 2
    return float(first_time)


def compare_log_rank(durations: Floats, events: Flags, groups: pl.Series) -> LogRank:
    """Test whether two or more groups differ in survival.

    Raises `NotEstimableError` with fewer than two groups, without events, or where the groups never meet.
    """
    n_groups = groups.n_unique()
    if n_groups < 2:
        raise NotEstimableError("fewer than two groups have patients to compare")
    _refuse_no_events(events)
    _refuse_never_together(durations, events, groups)
    with _quiet_lifelines():
        test = multivariate_logrank_test(durations, groups.to_numpy(), events)
    return LogRank(
        n=len(durations),
        events=int(events.sum()),
        chi_square=float(test.test_statistic),
        degrees_of_freedom=n_groups - 1,
        p=float(test.p_value),
    )


def _refuse_no_events(events: Flags) -> None:
    if not events.any():
        raise NotEstimableError(f"no events among {len(events)} patients")


def _refuse_never_together(durations: Floats, events: Flags, groups: pl.Series) -> None:
    """The test's variance is zero unless someone dies and another lives on while two groups are at risk."""
    last_times = pl.DataFrame({"group": groups, "time": durations}).group_by("group").max()["time"]
    two_groups_until = np.sort(last_times.to_numpy())[-2]
    times, deaths = np.unique(durations[events & (durations <= two_groups_until)], return_counts=True)
    n_at_risk = len(durations) - np.searchsorted(np.sort(durations), times)
    if not (n_at_risk > deaths).any():
        raise NotEstimableError("the groups were never at risk at the same time while someone had the event")


def fit_cox(covariates: pl.DataFrame, durations: Floats, events: Flags) -> CoxFit:
    """Fit Cox's model, ties after Efron (1977); `covariates` has one finite row a patient.

    Raises `NotEstimableError`: no events, too few rows, a constant or collinear column, monotone likelihood.
    """
    _refuse_no_events(events)
    matrix = read_design(covariates, len(durations))
    try:
        fitted = _newton(covariates, durations, events)
    except (ConvergenceError, ConvergenceWarning, np.linalg.LinAlgError) as failure:
        refuse_monotone_likelihood(covariates, durations, events)
        raise NotEstimableError("the Cox model does not converge") from failure
    if is_doubtful(matrix, fitted.params_.to_numpy()):
        refuse_monotone_likelihood(covariates, durations, events)
    return _cox_fit(fitted, n=len(durations), events=int(events.sum()))


def _newton(covariates: pl.DataFrame, durations: Floats, events: Flags) -> CoxPHFitter:
    frame = pd.DataFrame(
        {name: covariates[name].to_numpy().astype(np.float64) for name in covariates.columns}
    )
    frame["duration of follow-up"], frame["event seen"] = durations, events
    with _quiet_lifelines():
        warnings.filterwarnings("error", message="Newton-Raphson failed", category=ConvergenceWarning)
        return CoxPHFitter().fit(
            frame,
            "duration of follow-up",
            "event seen",
            fit_options=NEWTON_TO_THE_END,
            # Left alone, lifelines may go row by row where days repeat: 10 times slower at 300,000 rows.
            batch_mode=len(durations) > 2 * len(np.unique(durations)),
        )


def _cox_fit(fitted: CoxPHFitter, *, n: int, events: int) -> CoxFit:
    errors = fitted.standard_errors_
    return CoxFit(
        n=n,
        events=events,
        coefficients=tuple(
            Coefficient(str(name), float(value), float(errors[name]))
            for name, value in fitted.params_.items()
        ),
        log_likelihood=float(fitted.log_likelihood_),
        likelihood_ratio=float(fitted.log_likelihood_ratio_test().test_statistic),
    )
