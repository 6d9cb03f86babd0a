"""What acting on predicted probabilities is worth, over thresholds: the decision curve.

Here: net benefit of the model, of treating all and of treating none. Not here: which threshold a clinician
should take, nor drawing. Called by `flows` for the report, the model card and the experiment tracker.
"""

from collections.abc import Sequence

import numpy as np
import polars as pl

from models.estimate import Z_95, Flags, Floats, Integers
from models.prediction.clustered_auc import Clusters, numbers_of
from transforms.errors import NotEstimableError

THRESHOLDS = tuple(percent / 100 for percent in range(5, 85, 5))


def estimate_decision_curve(
    has_event: Flags,
    probability: Floats,
    *,
    thresholds: Sequence[float] = THRESHOLDS,
    clusters: Clusters | None = None,
) -> pl.DataFrame:
    """Return one row a threshold: who is treated at or above it, and the net benefit of doing so.

    Net benefit is the share of true positives less that of false positives times the threshold's odds
    (Vickers and Elkin 2006, Med Decis Making 26:565): at most the prevalence.
    Columns: threshold, n_treated, n_true_positive, net_benefit, net_benefit_low, net_benefit_high (95 %:
    the net benefit is a mean over rows, and over patients with `clusters` (n,)), net_benefit_treat_all,
    net_benefit_treat_none (always 0). Raises `NotEstimableError` without rows, `ValueError` for a threshold
    not between 0 and 1.
    """
    _refuse_what_has_no_benefit(has_event, thresholds)
    outcome = np.asarray(has_event, dtype=np.bool_)
    at = np.asarray(thresholds, dtype=np.float64)
    odds, n = at / (1 - at), len(outcome)
    true_positive = _n_at_or_above(probability[outcome], at)
    false_positive = _n_at_or_above(probability[~outcome], at)
    benefit = (true_positive - odds * false_positive) / n
    error = (
        _error_of_rows(true_positive, false_positive, odds=odds, n=n)
        if clusters is None
        else _error_of_patients(outcome, probability, thresholds=at, cluster=numbers_of(clusters))
    )
    return pl.DataFrame(
        {
            "threshold": at,
            "n_treated": true_positive + false_positive,
            "n_true_positive": true_positive,
            "net_benefit": benefit,
            "net_benefit_low": benefit - Z_95 * error,
            "net_benefit_high": benefit + Z_95 * error,
            "net_benefit_treat_all": outcome.mean() - odds * (1 - outcome.mean()),
            "net_benefit_treat_none": np.zeros(len(at)),
        }
    ).with_columns(pl.col("net_benefit_low", "net_benefit_high").fill_nan(None))


def _refuse_what_has_no_benefit(has_event: Flags, thresholds: Sequence[float]) -> None:
    if not all(0 < threshold < 1 for threshold in thresholds):
        raise ValueError("decision curve: every threshold is expected to be between 0 and 1")
    if len(has_event) == 0:
        raise NotEstimableError("there is no patient")


def _n_at_or_above(probability: Floats, thresholds: Floats) -> Integers:
    places = np.searchsorted(np.sort(probability), thresholds, side="left")
    found: Integers = len(probability) - places.astype(np.int64)
    return found


def _error_of_rows(true_positive: Integers, false_positive: Integers, *, odds: Floats, n: int) -> Floats:
    """The standard error of a mean of ones (true positives), minus odds (false positives) and zeros."""
    mean = (true_positive - odds * false_positive) / n
    mean_square = (true_positive + odds**2 * false_positive) / n
    if n < 2:
        return np.full(len(odds), np.nan)
    error: Floats = np.sqrt(np.maximum(mean_square - mean**2, 0.0) / (n - 1))
    return error


def _error_of_patients(
    has_event: Flags, probability: Floats, *, thresholds: Floats, cluster: Integers
) -> Floats:
    """The same by what each patient's rows add up to."""
    n, n_patients = len(cluster), int(cluster.max()) + 1
    if n_patients < 2:
        return np.full(len(thresholds), np.nan)
    errors = np.zeros(len(thresholds))
    for place, threshold in enumerate(thresholds):
        worth = np.where(has_event, 1.0, -threshold / (1 - threshold)) * (probability >= threshold)
        of_patients = np.bincount(cluster, weights=worth - worth.mean(), minlength=n_patients)
        errors[place] = np.sqrt(n_patients / (n_patients - 1) * (of_patients @ of_patients)) / n
    return errors
