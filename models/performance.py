"""How good predicted probabilities are, set beside what happened.

Here: discrimination, calibration and overall error of probabilities. Not here: the ROC curve itself
(`models.roc`), fitting (`models.predictor`), deciding (`models.promotion`). Called by these and by `flows`.
"""

from dataclasses import asdict, dataclass
from math import sqrt
from typing import cast

import numpy as np
import polars as pl
from scipy.special import expit, logit, xlogy

from models.estimate import Z_95, Flags, Floats
from models.roc import estimate_roc

N_CALIBRATION_GROUPS = 5


@dataclass(frozen=True)
class Performance:
    """How n probabilities did against their outcomes; None where a figure cannot be estimated.

    `auc` with its 95 % interval (`models.roc`); `brier` and `log_loss`, lower is better; `calibration_slope`,
    1 is right and below 1 is overconfident; `calibration_intercept`, the log-odds by which the probabilities
    are too low on the whole (slope held at 1), 0 is right.
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

    @property
    def n_non_events(self) -> int:
        """Patients without the event."""
        return self.n - self.n_events

    def as_numbers(self) -> dict[str, float]:
        """Every figure that could be estimated, by name."""
        return {name: float(value) for name, value in asdict(self).items() if value is not None}


def performance_from_numbers(numbers: dict[str, float]) -> Performance:
    """Make the figures again from what `as_numbers` gave; `KeyError` where `auc`, say, is missing."""
    optional = ("auc_low", "auc_high", "calibration_slope", "calibration_intercept")
    return Performance(
        n=round(numbers["n"]),
        n_events=round(numbers["n_events"]),
        auc=numbers["auc"],
        brier=numbers["brier"],
        log_loss=numbers["log_loss"],
        **{name: numbers.get(name) for name in optional},
    )


def estimate_performance(has_event: Flags, probability: Floats) -> Performance:
    """Measure probabilities (0 to 1) against outcomes of the same length.

    `NotEstimableError` with one outcome only, or one probability for all.
    """
    auc = estimate_roc(probability, has_event).auc
    intercept, slope = _calibration(has_event, probability)
    return Performance(
        n=len(has_event),
        n_events=int(has_event.sum()),
        auc=cast(float, auc.value),
        auc_low=auc.ci_low,
        auc_high=auc.ci_high,
        brier=float(np.mean((probability - has_event) ** 2)),
        log_loss=_log_loss(has_event, probability),
        calibration_slope=slope,
        calibration_intercept=intercept,
    )


def calibration_points(
    has_event: Flags, probability: Floats, *, n_groups: int = N_CALIBRATION_GROUPS
) -> pl.DataFrame:
    """Return one row a group of equal size, from the lowest probabilities to the highest.

    Columns: group, n, n_events, predicted (mean probability), observed (share with the event), observed_low
    and observed_high (Wilson's 95 % interval). Few groups, since each must hold enough patients to tell.
    """
    order = np.argsort(probability, kind="stable")
    groups = [members for members in np.array_split(order, n_groups) if len(members)]
    rows = [_calibration_row(i + 1, has_event[g], probability[g]) for i, g in enumerate(groups)]
    return pl.DataFrame(rows)


def _log_loss(has_event: Flags, probability: Floats) -> float:
    # A probability of exactly 0 or 1 that is wrong would cost infinitely much, which no store can hold.
    p = np.clip(probability, 1e-15, 1.0 - 1e-15)
    return float(-np.mean(xlogy(has_event, p) + xlogy(~has_event, 1.0 - p)))


def _calibration(has_event: Flags, probability: Floats) -> tuple[float | None, float | None]:
    """Calibration in the large and slope: fits on the predicted log-odds (Cox 1958, Biometrika 45:562)."""
    predicted = logit(np.clip(probability, 1e-15, 1.0 - 1e-15))
    ones = np.ones((len(predicted), 1))
    in_the_large = _logistic_fit(ones, has_event, offset=predicted)
    recalibration = _logistic_fit(
        np.column_stack([ones, predicted]), has_event, offset=np.zeros_like(predicted)
    )
    return (
        None if in_the_large is None else float(in_the_large[0]),
        None if recalibration is None else float(recalibration[1]),
    )


def _logistic_fit(design: Floats, has_event: Flags, *, offset: Floats) -> Floats | None:
    """Newton's method; None where it does not settle (separated classes, probabilities that do not vary)."""
    beta: Floats = np.zeros(design.shape[1])
    for _ in range(50):
        fitted = expit(offset + design @ beta)
        information = (design.T * (fitted * (1.0 - fitted))) @ design
        if not np.isfinite(information).all() or np.linalg.cond(information) > 1e12:
            return None
        step = np.linalg.solve(information, design.T @ (has_event - fitted))
        beta = beta + step
        if np.abs(step).max() < 1e-10:
            return beta
    return None


def _calibration_row(group: int, has_event: Flags, probability: Floats) -> dict[str, float]:
    n, share = len(has_event), float(has_event.mean())
    centre = (share + Z_95**2 / (2 * n)) / (1 + Z_95**2 / n)
    half_width = Z_95 * sqrt(share * (1 - share) / n + Z_95**2 / (4 * n**2)) / (1 + Z_95**2 / n)
    return {
        "group": group,
        "n": n,
        "n_events": int(has_event.sum()),
        "predicted": float(probability.mean()),
        "observed": share,
        # Wilson's interval holds the share; at 0 and 1 rounding alone would put a limit past it.
        "observed_low": min(share, max(0.0, centre - half_width)),
        "observed_high": max(share, min(1.0, centre + half_width)),
    }
