"""Whether predicted probabilities are what happens: intercept, slope, smooth curve, groups, mean distance.

Here: logistic fits on the predicted log-odds, with intervals that count patients. Not here: discrimination
(`models.prediction.clustered_auc`). Called by `models.prediction.performance`, by subgroups and for figures.
"""

from dataclasses import dataclass
from functools import cached_property
from math import sqrt

import numpy as np
import polars as pl
from scipy.special import expit, logit
from scipy.stats import rankdata

from models.design import DOUBTFUL_LOG_RATIO
from models.estimate import Z_95, Estimate, Flags, Floats, Integers
from models.functional_form import KNOTS_AT
from models.likelihood import Maximum, inverse_of, maximise
from models.logistic_likelihood import LogisticLikelihood
from models.prediction.clustered_auc import Clusters, numbers_of
from transforms.errors import NotEstimableError

# A probability of exactly 0 or 1 has log-odds that are no number.
SMALLEST_PROBABILITY = 1e-15
# Probabilities nearer to one another than this in log-odds do not vary.
SMALLEST_RANGE = 1e-8
N_GROUPS = 5
N_POINTS = 50


def log_odds(probability: Floats) -> Floats:
    """Return the log-odds (n,) of probabilities; 0 and 1 count as 1e-15 away from there."""
    found: Floats = logit(np.clip(probability, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY))
    return found


def calibration_intercept(
    has_event: Flags, probability: Floats, *, clusters: Clusters | None = None
) -> Estimate:
    """Return the log-odds by which the probabilities (n,) are too low on the whole, with Wald's interval.

    0 is right; the slope is held at 1 (Cox 1958, Biometrika 45:562). clusters: see `covariance_of_patients`.
    Raises `NotEstimableError` with one outcome only.
    """
    predicted = log_odds(probability)
    likelihood = LogisticLikelihood(predicted[:, None], has_event)
    free = np.array([True, False])
    start = np.array([float(predicted.mean()), 1.0])
    with np.errstate(all="ignore"):
        top = maximise(likelihood, start=start, free=free)
    value = likelihood.intercept_at_zero(top.coefficients)
    return _walds(value, _covariance(likelihood, top, free=free, clusters=clusters)[0, 0])


def calibration_slope(has_event: Flags, probability: Floats, *, clusters: Clusters | None = None) -> Estimate:
    """Return the slope of the outcome's log-odds on the predicted ones, with Wald's 95 % interval.

    1 is right, below 1 is overconfident (Cox 1958). Raises `NotEstimableError`: one outcome only,
    probabilities that do not vary, or that separate the outcome.
    """
    predicted = log_odds(probability)
    likelihood = LogisticLikelihood(predicted[:, None], has_event)
    _refuse_flat_or_separated(has_event, predicted)
    free = np.array([True, True])
    with np.errstate(all="ignore"):
        top = maximise(likelihood)
    return _walds(
        float(top.coefficients[1]), _covariance(likelihood, top, free=free, clusters=clusters)[1, 1]
    )


def _refuse_flat_or_separated(has_event: Flags, predicted: Floats) -> None:
    if np.ptp(predicted) < SMALLEST_RANGE:
        raise NotEstimableError("the probabilities do not vary")
    with_event, without = predicted[has_event], predicted[~has_event]
    if without.max() <= with_event.min() or with_event.max() <= without.min():
        raise NotEstimableError("the probabilities separate the outcome")


def _walds(value: float, variance: float) -> Estimate:
    if not np.isfinite(variance):
        return Estimate(value)
    reach = Z_95 * sqrt(variance)
    return Estimate(value, value - reach, value + reach)


def _covariance(
    likelihood: LogisticLikelihood, top: Maximum, *, free: Flags, clusters: Clusters | None
) -> Floats:
    """The covariance of the free coefficients, that of the others 0; patient by patient where several rows.

    By the scores summed over a patient's rows (Liang and Zeger 1986), times patients over patients less one;
    not a number where there is one patient only.
    """
    inverse = np.zeros((len(free), len(free)))
    inverse[np.ix_(free, free)] = inverse_of(top.at.information[np.ix_(free, free)])
    if clusters is None:
        return inverse
    scores = _scores_of_patients(likelihood, top, numbers_of(clusters))
    n = len(scores)
    factor = n / (n - 1) if n > 1 else np.nan
    return factor * (inverse @ (scores.T @ scores) @ inverse)


def _scores_of_patients(likelihood: LogisticLikelihood, top: Maximum, cluster: Integers) -> Floats:
    residuals = likelihood.outcome - expit(likelihood.design @ top.coefficients)
    columns = (np.bincount(cluster, weights=column * residuals) for column in likelihood.design.T)
    return np.column_stack(list(columns))


@dataclass(frozen=True, eq=False)
class CalibrationCurve:
    """A smooth curve of what happens by what was predicted, both as log-odds.

    A restricted cubic spline with knots (3,), its maximum and covariance (3, 3) around the means (2,).
    """

    predicted: Floats
    knots: Floats
    means: Floats
    coefficients: Floats
    covariance: Floats

    def design(self, predicted: Floats) -> Floats:
        """Return ones, log-odds and the spline's term (m, 3), centred as the fit is."""
        columns = np.column_stack([predicted, _spline_term(predicted, self.knots)])
        return np.column_stack([np.ones(len(predicted)), columns - self.means])

    @cached_property
    def distances(self) -> Floats:
        """How far each row's probability (n,) is from the curve."""
        observed = expit(self.design(self.predicted) @ self.coefficients)
        found: Floats = np.abs(observed - expit(self.predicted))
        return found

    @property
    def ici(self) -> float:
        """The integrated calibration index: the mean distance (Austin and Steyerberg 2019)."""
        return float(self.distances.mean())

    def quantile(self, share: float) -> float:
        """E50 is the median distance (`share` 0.5), E90 the 90th percentile."""
        return float(np.quantile(self.distances, share))

    def points(self, *, n_points: int = N_POINTS) -> pl.DataFrame:
        """Return the curve from the lowest to the highest probability, in steps of equal size.

        Columns: predicted, observed, observed_low, observed_high (pointwise 95 % band, Wald's on log-odds).
        """
        probability = expit(self.predicted)
        predicted = np.linspace(probability.min(), probability.max(), n_points)
        design = self.design(log_odds(predicted))
        middle, reach = design @ self.coefficients, Z_95 * self._standard_errors(design)
        return pl.DataFrame(
            {
                "predicted": predicted,
                "observed": expit(middle),
                "observed_low": expit(middle - reach),
                "observed_high": expit(middle + reach),
            }
        )

    def is_believable(self) -> bool:
        """Whether the curve is known at all: a likelihood without a top may seem to have one far out."""
        errors = self._standard_errors(self.design(self.predicted))
        return bool((errors < DOUBTFUL_LOG_RATIO).all())

    def _standard_errors(self, design: Floats) -> Floats:
        variances: Floats = ((design @ self.covariance) * design).sum(axis=1)
        return np.sqrt(np.maximum(variances, 0.0))


def fit_calibration_curve(
    has_event: Flags, probability: Floats, *, clusters: Clusters | None = None
) -> CalibrationCurve:
    """Fit the curve: logistic, on a restricted cubic spline of the log-odds with three knots (Harrell 2015).

    has_event, probability (0 to 1): (n,). clusters: whose row it is (n,), so that the band counts patients.
    Austin and Steyerberg 2019 (Stat Med 38:4051) smooth with loess, which needs more patients than there are.
    Raises `NotEstimableError`: one outcome only, too few distinct probabilities, no maximum, one patient.
    """
    predicted = log_odds(probability)
    knots = _knots(predicted)
    matrix = np.column_stack([predicted, _spline_term(predicted, knots)])
    likelihood = LogisticLikelihood(matrix, has_event)
    with np.errstate(all="ignore"):
        top = maximise(likelihood)
        covariance = _covariance(likelihood, top, free=np.full(3, True), clusters=clusters)
        naive = inverse_of(top.at.information)
    curve = CalibrationCurve(predicted, knots, likelihood.means, top.coefficients, naive)
    if not (curve.is_believable() and np.isfinite(covariance).all()):
        raise NotEstimableError("the calibration curve has no maximum that can be believed")
    return CalibrationCurve(predicted, knots, likelihood.means, top.coefficients, covariance)


def _knots(predicted: Floats) -> Floats:
    knots: Floats = np.quantile(predicted, KNOTS_AT)
    if np.diff(knots).min() < SMALLEST_RANGE or len(np.unique(predicted)) < 3:
        raise NotEstimableError("too few distinct probabilities for a calibration curve")
    return knots


def _spline_term(values: Floats, knots: Floats) -> Floats:
    """As `models.functional_form.spline_term`, with knots that may come from other values than these."""
    reach, share = knots[2] - knots[0], (knots[2] - knots[0]) / (knots[2] - knots[1])
    weights = (1.0, -share, share - 1.0)
    term = np.zeros(len(values))
    for knot, weight in zip(knots, weights, strict=True):
        term += weight * np.maximum((values - knot) / reach, 0.0) ** 3
    scaled: Floats = reach * term
    return scaled


def calibration_points(
    has_event: Flags, probability: Floats, *, n_groups: int = N_GROUPS, clusters: Clusters | None = None
) -> pl.DataFrame:
    """Return one row a group of about equal size, from the lowest probabilities to the highest.

    Columns: group, n, n_events, predicted (mean probability), observed (share with the event), observed_low
    and observed_high (Wilson's 95 % interval; with clusters, that of as many patients as have rows in the
    group, which is wide enough even where the rows of a patient all say the same). Equal probabilities stay
    together. Few groups, since each must hold enough patients to tell.
    """
    group = _group_of(probability, n_groups)
    cluster = np.arange(len(group)) if clusters is None else numbers_of(clusters)
    rows = []
    for place, members in enumerate(np.flatnonzero(group == each) for each in np.unique(group)):
        n_patients = len(np.unique(cluster[members]))
        rows.append(_point(place + 1, has_event[members], probability[members], n_patients=n_patients))
    return pl.DataFrame(rows)


def _group_of(probability: Floats, n_groups: int) -> Integers:
    """Groups that differ by one row at most where all are distinct; a tie goes where its middle lies."""
    places = rankdata(probability) - 1.0
    sizes = [len(part) for part in np.array_split(np.arange(len(probability)), n_groups)]
    found: Integers = np.searchsorted(np.cumsum(sizes), places, side="right")
    return found


def _point(group: int, has_event: Flags, probability: Floats, *, n_patients: int) -> dict[str, float]:
    n, share = n_patients, float(has_event.mean())
    centre = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half_width = Z_95 * sqrt(share * (1 - share) / n + Z_95**2 / (4 * n**2)) / (1 + Z_95**2 / n)
    return {
        "group": group,
        "n": len(has_event),
        "n_events": int(has_event.sum()),
        "predicted": float(probability.mean()),
        "observed": share,
        # Wilson's interval holds the share; at 0 and 1 rounding alone would put a limit past it.
        "observed_low": min(share, max(0.0, centre - half_width)),
        "observed_high": max(share, min(1.0, centre + half_width)),
    }
