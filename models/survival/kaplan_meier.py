"""The Kaplan-Meier curve with its log-log limits, its median and its rates.

Here: one group's curve. Not here: tests between groups (`models.survival.log_rank`), which groups a study
compares (`models.study.survival`).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl
from lifelines import KaplanMeierFitter

from models.estimate import Estimate, Flags, Floats
from models.survival.lifelines_manners import quiet_lifelines
from transforms.errors import NotEstimableError

# R's tolerance for a curve that lies on one half.
ON_THE_HALF = float(np.sqrt(np.finfo(np.float64).eps))


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


def estimate_kaplan_meier(durations: Floats, events: Flags) -> KaplanMeier:
    """Return the Kaplan-Meier curve (Kaplan and Meier 1958); `NotEstimableError` where there is nobody."""
    if len(durations) == 0:
        raise NotEstimableError("nobody in the group has a survival time")
    with quiet_lifelines():
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
