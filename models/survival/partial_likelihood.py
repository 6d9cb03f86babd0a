"""Cox's partial likelihood: its value, score and information, and each patient's part in the score.

Here: the arithmetic, for ties after Efron (1977) or Breslow (1974) and rows that enter late. Not here: its
maximum (`models.likelihood`). Called by the siblings that fit, test and check Cox's model.
"""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import numpy as np

from models.design import refuse_no_events
from models.estimate import Flags, Floats, Integers
from models.likelihood import Evaluation

Ties = Literal["efron", "breslow"]


@dataclass(frozen=True, eq=False)
class PartialLikelihood:
    """The partial likelihood of p covariates over n rows.

    matrix: (n, p). A row is at risk from after `start` (by default from the beginning) up to `stop`, both
    (n,); `events` says whether it ends with the event. Memory grows with n p: no matrix of risk sets is made.
    Raises `NotEstimableError` without an event, `ValueError` for times that are not finite or not in order.
    """

    matrix: Floats
    stop: Floats
    events: Flags
    ties: Ties = "efron"
    start: Floats | None = None

    def __post_init__(self) -> None:
        if not np.isfinite(self.stop).all():
            raise ValueError("survival times: a finite time is expected in every row")
        if self.start is not None and not (self.start < self.stop).all():
            raise ValueError("survival times: each row's start is expected to lie before its stop")
        refuse_no_events(self.events)

    @property
    def n_coefficients(self) -> int:
        """p."""
        return int(self.matrix.shape[1])

    @cached_property
    def event_times(self) -> Floats:
        """The distinct times of events, ascending (m,)."""
        times: Floats = np.unique(self.stop[self.events])
        return times

    @cached_property
    def n_events_at(self) -> Integers:
        """How many events each event time has (m,)."""
        return np.bincount(self.event_places, minlength=len(self.event_times))

    @cached_property
    def tied_shares(self) -> tuple[Integers, Floats]:
        """For every event its time's place, and the share of the tied deaths that have left before it."""
        n_at = self.n_events_at
        time = np.repeat(np.arange(len(n_at)), n_at)
        if self.ties == "breslow":
            return time, np.zeros(len(time))
        rank = np.arange(len(time)) - np.repeat(np.cumsum(n_at) - n_at, n_at)
        shares: Floats = rank / n_at[time]
        return time, shares

    @cached_property
    def centred(self) -> Floats:
        """The covariates less their means, which changes no result and saves digits."""
        centred: Floats = self.matrix - self.matrix.mean(axis=0)
        return centred

    def evaluate(self, coefficients: Floats, *, weights: Floats | None = None) -> Evaluation:
        """Return value, score and information at (p,) coefficients.

        weights: (m,), one for each event time, by which its share of score and information counts.
        """
        by_time = np.ones(len(self.event_times)) if weights is None else weights
        died = self.centred[self.events]
        # Far out on a climb the hazards leave the range of numbers; who climbs sees that and steps back.
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            sums = _RiskSums.of(self, coefficients)
            score = by_time[self.event_places] @ died - by_time @ sums.expected
            return Evaluation(sums.log_likelihood, score, sums.information(by_time))

    def score_residuals(self, coefficients: Floats) -> Floats:
        """Return each row's part in the score (n, p): as R's `residuals(type = "score")`, tied deaths shared.

        Source: Therneau and Grambsch 2000, Modeling Survival Data, section 7.1.
        """
        sums = _RiskSums.of(self, coefficients)
        hazard = sums.c / sums.total
        mean_hazard = sums.mean_times(sums.c2, sums.fc2) / sums.total[:, None]
        own_hazard = (sums.c - sums.fc) / sums.total
        own_mean_hazard = sums.mean_times(sums.c2 - sums.fc2, sums.fc2 - sums.ffc2) / sums.total[:, None]
        seen = self._over_time_at_risk(hazard)[:, None] * self.centred - self._over_time_at_risk(mean_hazard)
        residuals = -sums.relative_hazard[:, None] * seen
        place, dead = self.event_places, self.events
        # Who dies at a tied time is at risk for a part of it only.
        excess = (hazard - own_hazard)[place, None] * self.centred[dead]
        excess -= (mean_hazard - own_mean_hazard)[place]
        residuals[dead] += sums.relative_hazard[dead, None] * excess
        residuals[dead] += self.centred[dead] - (sums.expected / self.n_events_at[:, None])[place]
        return residuals

    def martingale_residuals(self, coefficients: Floats) -> Floats:
        """Return events less the events expected of each row (n,), tied deaths shared."""
        sums = _RiskSums.of(self, coefficients)
        expected = sums.relative_hazard * self._over_time_at_risk(sums.c / sums.total)
        expected[self.events] -= sums.relative_hazard[self.events] * (sums.fc / sums.total)[self.event_places]
        residuals: Floats = self.events - expected
        return residuals

    @cached_property
    def event_places(self) -> Integers:
        """For each row with the event, the place of its time among the event times (d,)."""
        return np.searchsorted(self.event_times, self.stop[self.events])

    @property
    def stretches(self) -> tuple[Integers, Integers]:
        """For each row the first event time at which it is at risk, and one past the last (n,), (n,)."""
        return self._first, np.maximum(self._first, self._last)

    @cached_property
    def _last(self) -> Integers:
        """One past the last event time at which a row is at risk (n,)."""
        return np.searchsorted(self.event_times, self.stop, side="right")

    @cached_property
    def _first(self) -> Integers:
        """The first event time at which a row is at risk (n,)."""
        if self.start is None:
            return np.zeros(len(self.stop), dtype=np.int64)
        return np.searchsorted(self.event_times, self.start, side="right")

    def _over_time_at_risk(self, by_time: Floats) -> Floats:
        """Sum (m, ...) values over the event times at which each row is at risk: (n, ...)."""
        summed = np.concatenate([np.zeros((1, *by_time.shape[1:])), np.cumsum(by_time, axis=0)])
        total: Floats = summed[self._last] - summed[self._first]
        return total

    def over_rows_at_risk(self, by_row: Floats) -> Floats:
        """Sum (n, ...) values over the rows at risk at each event time: (m, ...)."""
        not_left = self._sum_of_later(by_row, self._last)
        if self.start is None:
            return not_left
        return not_left - self._sum_of_later(by_row, self._first)

    def _sum_of_later(self, by_row: Floats, place: Integers) -> Floats:
        """Sum over the rows whose place comes after each event time; from the end, which saves digits."""
        at_place = np.zeros((len(self.event_times) + 1, *by_row.shape[1:]))
        np.add.at(at_place, place, by_row)
        summed: Floats = np.cumsum(at_place[::-1], axis=0)[::-1][1:]
        return summed


@dataclass(frozen=True, eq=False)
class _RiskSums:
    """What all formulas share, at one point.

    relative_hazard (n,), and `total` (m,) its sum over those at risk at each event time. With d tied deaths
    and r = 0 ... d-1, f = r / d (0 by Breslow) and c = total / (total - f sum of the dying): `c`, `fc`, `c2`,
    `fc2` and `ffc2` (m,) sum c, f c, c^2, f c^2 and f^2 c^2 over r. `at_risk` and `dying` (m, p) are the sums
    of covariates times relative hazard, over `total`.
    """

    likelihood: PartialLikelihood
    relative_hazard: Floats
    total: Floats
    at_risk: Floats
    dying: Floats
    log_likelihood: float
    c: Floats
    fc: Floats
    c2: Floats
    fc2: Floats
    ffc2: Floats

    @classmethod
    def of(cls, likelihood: PartialLikelihood, coefficients: Floats) -> "_RiskSums":
        log_hazard = likelihood.centred @ coefficients
        # Hazards cancel in the end; around 1 they keep furthest from the ends of the range of numbers.
        log_hazard -= (log_hazard.max() + log_hazard.min()) / 2
        hazard: Floats = np.exp(log_hazard)
        dead, place = likelihood.events, likelihood.event_places
        n_times = len(likelihood.event_times)
        weighted = hazard[:, None] * likelihood.centred
        dying = np.zeros((n_times, likelihood.n_coefficients))
        np.add.at(dying, place, weighted[dead])
        total = likelihood.over_rows_at_risk(hazard)
        part_dying = np.bincount(place, hazard[dead], minlength=n_times) / total
        time, share = likelihood.tied_shares
        left = 1 - share * part_dying[time]
        c = 1 / left

        def over_ties(values: Floats) -> Floats:
            return np.asarray(np.bincount(time, values, minlength=n_times), dtype=np.float64)

        return cls(
            likelihood=likelihood,
            relative_hazard=hazard,
            total=total,
            at_risk=likelihood.over_rows_at_risk(weighted) / total[:, None],
            dying=dying / total[:, None],
            log_likelihood=float((log_hazard[dead] - np.log(total)[place]).sum() - np.log(left).sum()),
            c=over_ties(c),
            fc=over_ties(share * c),
            c2=over_ties(c * c),
            fc2=over_ties(share * c * c),
            ffc2=over_ties(share * share * c * c),
        )

    @property
    def expected(self) -> Floats:
        """The covariates expected of those who die at each event time, summed over the tied (m, p)."""
        return self.mean_times(self.c, self.fc)

    def mean_times(self, of_at_risk: Floats, of_dying: Floats) -> Floats:
        result: Floats = of_at_risk[:, None] * self.at_risk - of_dying[:, None] * self.dying
        return result

    def information(self, weights: Floats) -> Floats:
        """The weighted sum of the covariates' variances at the event times (p, p)."""
        rows, matrix = self.likelihood, self.likelihood.centred
        exposure = self.relative_hazard * rows._over_time_at_risk(weights * self.c / self.total)
        own = (weights * self.fc / self.total)[rows.event_places]
        exposure[rows.events] -= self.relative_hazard[rows.events] * own
        mixed = self.at_risk.T @ ((weights * self.fc2)[:, None] * self.dying)
        squares = (
            self.at_risk.T @ ((weights * self.c2)[:, None] * self.at_risk)
            - mixed
            - mixed.T
            + self.dying.T @ ((weights * self.ffc2)[:, None] * self.dying)
        )
        information: Floats = matrix.T @ (exposure[:, None] * matrix) - squares
        return information
