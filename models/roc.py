"""The ROC curve of a score: its area with DeLong's interval, its points, Youden's cut-off.

Here: arrays in, a frozen result out. Not here: which score (`models.study.tables`) or a model's own
predictions (`models.prediction`), which may call this as well. Thresholds are always finite or null.
"""

from dataclasses import dataclass
from typing import Literal

import numpy as np
import polars as pl
from scipy.stats import rankdata

from models.estimate import Z_95, Estimate, Flags, Floats
from transforms.errors import NotEstimableError

Positive = Literal["low", "high"]


@dataclass(frozen=True)
class Roc:
    """A ROC curve; `events` counts those with the outcome.

    `points`: threshold (null at the two ends, where none and where all test positive), sensitivity,
    specificity (0 to 1), ascending in sensitivity. `cutoff` is Youden's, with what it reaches.
    """

    n: int
    events: int
    auc: Estimate
    points: pl.DataFrame
    cutoff: float
    sensitivity: float
    specificity: float


def estimate_roc(scores: Floats, outcome: Flags, *, positive: Positive = "high") -> Roc:
    """Judge how a score tells the outcome; `positive` says which end of the score tests positive.

    Thresholds lie midway between neighbouring distinct scores; low tests positive at or below, high above.
    Youden's cut-off (1950) has the largest sensitivity + specificity, of equals the lowest threshold.
    Raises `NotEstimableError` with one outcome only or one distinct score.
    """
    if outcome.all() or not outcome.any():
        raise NotEstimableError(f"all {len(outcome)} patients have the same outcome")
    if np.ptp(scores) == 0:
        raise NotEstimableError(f"the score is the same in all {len(scores)} patients")
    points = _points(scores, outcome, positive)
    best = points.drop_nulls("threshold").sort("n_right_weighted", "threshold", descending=[True, False])
    cutoff, sensitivity, specificity = best.select("threshold", "sensitivity", "specificity").row(0)
    return Roc(
        n=len(outcome),
        events=int(outcome.sum()),
        auc=_area(scores if positive == "high" else -scores, outcome),
        points=points.drop("n_right_weighted"),
        cutoff=cutoff,
        sensitivity=sensitivity,
        specificity=specificity,
    )


def _points(scores: Floats, outcome: Flags, positive: Positive) -> pl.DataFrame:
    """One row a threshold. Youden's index is compared in whole numbers, so that ties are really ties."""
    distinct, place = np.unique(scores, return_inverse=True)
    with_outcome = np.cumsum(np.bincount(place[outcome], minlength=len(distinct)))
    without = np.cumsum(np.bincount(place[~outcome], minlength=len(distinct)))
    n_with, n_without = with_outcome[-1], without[-1]
    below_with, below_without = np.append(0, with_outcome), np.append(0, without)
    is_low = positive == "low"
    true_positive = below_with if is_low else n_with - below_with
    true_negative = n_without - below_without if is_low else below_without
    thresholds = [None, *((distinct[1:] + distinct[:-1]) / 2).tolist(), None]
    return pl.DataFrame(
        {
            "threshold": pl.Series(thresholds, dtype=pl.Float64),
            "sensitivity": true_positive / n_with,
            "specificity": true_negative / n_without,
            "n_right_weighted": true_positive * n_without + true_negative * n_with,
        }
    ).sort("sensitivity", "specificity", descending=[False, True])


def _area(scores: Floats, outcome: Flags) -> Estimate:
    """Area and DeLong's interval (DeLong 1988), by mid-ranks (Sun and Xu 2014), kept within 0 and 1."""
    with_outcome, without = scores[outcome], scores[~outcome]
    pooled = rankdata(np.concatenate([with_outcome, without]))
    n_with, n_without = len(with_outcome), len(without)
    above_without = (pooled[:n_with] - rankdata(with_outcome)) / n_without
    below_with = 1 - (pooled[n_with:] - rankdata(without)) / n_with
    auc = float(above_without.mean())
    if min(n_with, n_without) < 2:
        return Estimate(auc)
    variance = above_without.var(ddof=1) / n_with + below_with.var(ddof=1) / n_without
    reach = Z_95 * float(np.sqrt(variance))
    return Estimate(auc, max(0.0, auc - reach), min(1.0, auc + reach))
