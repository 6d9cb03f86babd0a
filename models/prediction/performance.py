"""How good predicted probabilities are, set beside what happened: every figure of a validation in one result.

Here: discrimination, calibration and overall error. Not here: how each is computed (`clustered_auc`,
`calibration`), net benefit, fitting, deciding. Called by validation, promotion, monitoring and `flows`.
"""

from collections.abc import Callable
from dataclasses import asdict, dataclass, fields
from typing import Any, cast

import numpy as np
from scipy.special import xlogy

from models.estimate import Estimate, Flags, Floats
from models.prediction.calibration import (
    SMALLEST_PROBABILITY,
    calibration_intercept,
    calibration_points,
    calibration_slope,
    fit_calibration_curve,
)
from models.prediction.clustered_auc import Clusters, estimate_auc, patients_of
from transforms.errors import NotEstimableError

__all__ = [
    "Performance",
    "calibration_points",
    "estimate_performance",
    "fit_calibration_curve",
    "log_loss",
    "patients_of",
    "performance_from_numbers",
]

COUNTS = ("n", "n_events", "n_patients", "n_patients_with_event", "n_patients_without_event")


@dataclass(frozen=True)
class Performance:
    """How n probabilities did against their outcomes; None where a figure cannot be estimated.

    n, n_events: rows. n_patients, n_patients_with_event, n_patients_without_event: patients, who may count
    in both of the latter where they have several rows. `auc` with its 95 % interval; `brier` and
    `log_loss`, lower is better; `scaled_brier`, 1 is perfect and 0 is no better than the prevalence for
    all. `calibration_slope`, 1 is right and below 1 is overconfident; `calibration_intercept`, the log-odds
    by which the probabilities are too low on the whole (slope held at 1), 0 is right. `ici`, `e50`, `e90`:
    mean, median and 90th percentile of the distance between a probability and the smooth calibration curve,
    0 is right.
    """

    n: int
    n_events: int
    auc: float
    auc_low: float | None
    auc_high: float | None
    brier: float
    log_loss: float
    calibration_slope: float | None
    calibration_intercept: float | None
    calibration_slope_low: float | None = None
    calibration_slope_high: float | None = None
    calibration_intercept_low: float | None = None
    calibration_intercept_high: float | None = None
    scaled_brier: float | None = None
    ici: float | None = None
    e50: float | None = None
    e90: float | None = None
    n_patients: int | None = None
    n_patients_with_event: int | None = None
    n_patients_without_event: int | None = None

    @property
    def n_non_events(self) -> int:
        """Rows without the event."""
        return self.n - self.n_events

    def as_numbers(self) -> dict[str, float]:
        """Every figure that could be estimated, by name."""
        return {name: float(value) for name, value in asdict(self).items() if value is not None}


def performance_from_numbers(numbers: dict[str, float]) -> Performance:
    """Make the figures again from what `as_numbers` gave; `KeyError` where `auc`, say, is missing.

    Numbers of an earlier version lack some figures, which are None then; names that are none of ours are
    left.
    """
    required = {name: numbers[name] for name in ("n", "n_events", "auc", "brier", "log_loss")}
    optional = {field.name: numbers.get(field.name) for field in fields(Performance)}
    found = optional | required
    counts = {name: _whole(found[name]) for name in COUNTS}
    return Performance(**cast(dict[str, Any], found | counts))


def _whole(number: float | None) -> int | None:
    return None if number is None else round(number)


def estimate_performance(
    has_event: Flags, probability: Floats, *, clusters: Clusters | None = None
) -> Performance:
    """Measure probabilities (n,), 0 to 1, against outcomes (n,).

    clusters: whose row it is (n,), by any names (`patients_of`): where patients have several rows,
    intervals count patients (Obuchowski 1997 for the area, Liang and Zeger 1986 for calibration); every
    figure itself is the rows'. Raises `NotEstimableError` with one outcome only, or one probability for
    all; `ValueError` for arrays of different length and for what is no probability.
    """
    outcome = _checked(has_event, probability, clusters)
    auc = estimate_auc(outcome, probability, clusters=clusters)
    brier, share = float(np.mean((probability - outcome) ** 2)), float(outcome.mean())
    figures: dict[str, float | None] = {
        **_limits("auc", auc),
        "brier": brier,
        "scaled_brier": 1 - brier / (share * (1 - share)),
        "log_loss": log_loss(outcome, probability),
        **_limits(
            "calibration_slope", _or_none(lambda: calibration_slope(outcome, probability, clusters=clusters))
        ),
        **_limits(
            "calibration_intercept",
            _or_none(lambda: calibration_intercept(outcome, probability, clusters=clusters)),
        ),
        **_distances(outcome, probability),
    }
    return Performance(**_counts(outcome, clusters), **cast(dict[str, Any], figures))


def log_loss(has_event: Flags, probability: Floats) -> float:
    """Return the mean log loss, in nats.

    A probability of exactly 0 or 1 that is wrong would cost infinitely much, which no store can hold: it
    counts as 1e-15 away from there.
    """
    p = np.clip(probability, SMALLEST_PROBABILITY, 1.0 - SMALLEST_PROBABILITY)
    return float(-np.mean(xlogy(has_event, p) + xlogy(~has_event, 1.0 - p)))


def _checked(has_event: Flags, probability: Floats, clusters: Clusters | None) -> Flags:
    outcome = np.asarray(has_event, dtype=np.bool_)
    lengths = {len(outcome), len(probability), len(outcome if clusters is None else clusters)}
    if len(lengths) > 1:
        raise ValueError("performance: one probability, and one cluster if any, is expected for each outcome")
    if not ((probability >= 0) & (probability <= 1)).all():
        raise ValueError("performance: every probability is expected to be a number from 0 to 1")
    return outcome


def _or_none(estimate: Callable[[], Estimate]) -> Estimate:
    try:
        return estimate()
    except NotEstimableError:
        return Estimate(None)


def _limits(name: str, found: Estimate) -> dict[str, float | None]:
    return {name: found.value, f"{name}_low": found.ci_low, f"{name}_high": found.ci_high}


def _distances(has_event: Flags, probability: Floats) -> dict[str, float | None]:
    try:
        curve = fit_calibration_curve(has_event, probability)
    except NotEstimableError:
        return {"ici": None, "e50": None, "e90": None}
    return {"ici": curve.ici, "e50": curve.quantile(0.5), "e90": curve.quantile(0.9)}


def _counts(has_event: Flags, clusters: Clusters | None) -> dict[str, int]:
    n, n_events = len(has_event), int(has_event.sum())
    if clusters is None:
        of_patients = [n, n_events, n - n_events]
    else:
        chosen = (clusters, clusters[has_event], clusters[~has_event])
        of_patients = [len(np.unique(each)) for each in chosen]
    return dict(zip(COUNTS, (n, n_events, *of_patients), strict=True))
