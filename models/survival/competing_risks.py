"""Cumulative incidence where one event precludes another: the Aalen-Johansen estimator.

Here: one group's incidences with their limits. Not here: which events compete in a study
(`models.study.competing_risks`, which calls this), the curve that censors (`models.survival.kaplan_meier`).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.estimate import Z_95, Estimate, Flags, Floats, Integers
from transforms.errors import NotEstimableError

# An incidence is at least 1/n away from 0 and 1, or is one of them but for rounding, and log(-log) has no
# value there.
_ON_THE_EDGE = 1e-9


@dataclass(frozen=True)
class CumulativeIncidence:
    """How many have had each cause by each time, others having been taken by another cause before.

    `events`: by cause. `points`: time, cause, incidence (0 to 1), standard_error, ci_low, ci_high (null where
    nobody or everybody has had the cause), n_at_risk just before the time; for each cause one row for time 0
    and for each distinct time, ascending. `is_over`: nobody is left after the last time but by an event.
    Equal to R's survfit(Surv(time, status) ~ 1, conf.type="log-log").
    """

    n: int
    events: dict[str, int]
    points: pl.DataFrame
    is_over: bool

    def incidence_at(self, time: float, cause: str) -> Estimate:
        """Return the incidence (0 to 1) of a cause at `time` from 0; `KeyError` for an unknown cause.

        Beyond the last duration it is None, unless the last ones at risk had an event there: then it stays.
        """
        if cause not in self.events:
            raise KeyError(cause)
        if time > self.points["time"][-1] and not self.is_over:
            return Estimate(None)
        until = self.points.filter((pl.col("cause") == cause) & (pl.col("time") <= time))
        return Estimate(*until.select("incidence", "ci_low", "ci_high").row(-1))

    def n_at_risk_at(self, time: float) -> int:
        """Return how many are still followed, without any event, just before `time`."""
        later = self.points.filter(pl.col("time") >= time)
        return int(later["n_at_risk"][0]) if later.height else 0


@dataclass(frozen=True)
class _Counts:
    """What happened at each distinct time: who is at risk just before, events by cause (times, causes).

    `before` is the share without any event just before; `stay` how many at risk have no event.
    """

    times: Floats
    at_risk: Floats
    by_cause: Floats
    before: Floats

    @property
    def events(self) -> Floats:
        return np.asarray(self.by_cause.sum(axis=1), dtype=np.float64)

    @property
    def stay(self) -> Floats:
        return self.at_risk - self.events


def estimate_cumulative_incidence(
    durations: Floats, status: Integers, *, causes: tuple[str, ...]
) -> CumulativeIncidence:
    """Return the incidence of each cause (Aalen and Johansen, Scand J Stat 1978;5:141-150).

    status: 0 where nothing happened by the duration, else 1 for the first of `causes`, and so on. Standard
    errors are the infinitesimal jackknife's; 95 % limits are p^exp(-+z se/(p log p)), the log-log form of R.
    Raises `NotEstimableError` where there is nobody, `ValueError` for what is no duration or no cause.
    """
    _check(durations, status, n_causes=len(causes))
    # Not lifelines' AalenJohansenFitter: it moves tied times apart at random, so no two runs agree.
    counts = _count(durations, status, n_causes=len(causes))
    points = pl.concat(_points_of(counts, cause, name=name) for cause, name in enumerate(causes))
    events = {name: int((status == cause).sum()) for cause, name in enumerate(causes, start=1)}
    is_over = bool(counts.stay[-1] == 0)
    return CumulativeIncidence(n=len(durations), events=events, points=points, is_over=is_over)


def _check(durations: Floats, status: Integers, *, n_causes: int) -> None:
    if len(durations) == 0:
        raise NotEstimableError("nobody in the group has a time")
    if not (np.isfinite(durations) & (durations >= 0)).all():
        raise ValueError("durations: each must be finite and 0 or more")
    if len(status) != len(durations) or not np.isin(status, np.arange(n_causes + 1)).all():
        raise ValueError(f"status: each duration needs one, from 0 to {n_causes}")


def _count(durations: Floats, status: Integers, *, n_causes: int) -> _Counts:
    """Rows with the same time and status are one cell: a million rows cost a sort, no more."""
    times, place = np.unique(durations, return_inverse=True)
    cells = np.bincount(place * (n_causes + 1) + status, minlength=len(times) * (n_causes + 1))
    table = cells.reshape(len(times), n_causes + 1).astype(np.float64)
    leaving = table.sum(axis=1)
    at_risk = leaving[::-1].cumsum()[::-1]
    after = np.cumprod((at_risk - table[:, 1:].sum(axis=1)) / at_risk)
    return _Counts(times, at_risk, table[:, 1:], before=np.concatenate([[1.0], after[:-1]]))


def _points_of(counts: _Counts, cause: int, *, name: str) -> pl.DataFrame:
    incidence = np.cumsum(counts.before * counts.by_cause[:, cause] / counts.at_risk)
    standard_error = _standard_error(counts, incidence, cause)
    low, high = _log_log_limits(incidence, standard_error)
    frame = pl.DataFrame(
        {
            "time": counts.times,
            "cause": [name] * len(counts.times),
            "incidence": incidence,
            "standard_error": standard_error,
            "ci_low": low,
            "ci_high": high,
            "n_at_risk": counts.at_risk.astype(np.int64),
        }
    ).with_columns(pl.col("ci_low", "ci_high").fill_nan(None))
    return frame if counts.times[0] == 0 else pl.concat([_at_the_start(frame), frame])


def _at_the_start(frame: pl.DataFrame) -> pl.DataFrame:
    nothing = {"time": 0.0, "incidence": 0.0, "standard_error": 0.0, "ci_low": None, "ci_high": None}
    return frame.head(1).with_columns(
        pl.lit(value, frame.schema[name]).alias(name) for name, value in nothing.items()
    )


def _standard_error(counts: _Counts, incidence: Floats, cause: int) -> Floats:
    """The root of the sum of squared influences of all rows, in one pass over the distinct times.

    The influence on F(t) of a row that ends at s is a(s) + b(s) F(t) where s <= t, and the same for all rows
    that end later, so their squares are running sums. It is the derivative of F(t) by the row's weight.
    """
    of_cause, at_risk, before = counts.by_cause[:, cause], counts.at_risk, counts.before
    # Where all have an event nothing follows, so that F(t) - F(s) is 0 there and the share drops out.
    share = np.divide(1.0, counts.stay, out=np.zeros_like(at_risk), where=counts.stay > 0)
    exposure = np.cumsum(counts.events / at_risk * share)
    drift = np.cumsum(of_cause * before / at_risk**2 + incidence * counts.events / at_risk * share)
    censored = _censored(counts)
    after = at_risk - counts.events - censored
    squares = after * (exposure * incidence - drift) ** 2
    for n, own, happened in (
        (of_cause, before / at_risk, 1.0),
        (counts.events - of_cause, 0.0, 1.0),
        (censored, 0.0, 0.0),
    ):
        a, b = own + happened * incidence * share - drift, exposure - happened * share
        squares += np.cumsum(n * a**2) + 2 * incidence * np.cumsum(n * a * b)
        squares += incidence**2 * np.cumsum(n * b**2)
    return np.asarray(np.sqrt(np.maximum(squares, 0.0)), dtype=np.float64)


def _censored(counts: _Counts) -> Floats:
    remaining = np.append(counts.at_risk[1:], 0.0)
    return np.asarray(counts.stay - remaining, dtype=np.float64)


def _log_log_limits(incidence: Floats, standard_error: Floats) -> tuple[Floats, Floats]:
    """NaN where the incidence is 0 or 1."""
    is_inside: Flags = (incidence > _ON_THE_EDGE) & (incidence < 1 - _ON_THE_EDGE)
    p = np.where(is_inside, incidence, 0.5)
    reach = Z_95 * standard_error / (p * np.log(p))
    low, high = p ** np.exp(-reach), p ** np.exp(reach)
    return np.where(is_inside, low, np.nan), np.where(is_inside, high, np.nan)
