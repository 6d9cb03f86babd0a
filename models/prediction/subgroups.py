"""How a predictor does in each subgroup: n, events, area under the curve, calibration intercept.

Here: the split and the floor below which nothing but counts is told. Not here: the figures themselves
(`models.prediction.clustered_auc`, `calibration`), the promotion's floors. Called by `flows`.
"""

from collections.abc import Callable

import numpy as np
import polars as pl

from models.estimate import Estimate, Flags, Floats
from models.prediction.calibration import calibration_intercept
from models.prediction.clustered_auc import Clusters, estimate_auc
from transforms.errors import NotEstimableError

# Below, an area's standard error is above 0.1 and it tells nothing.
MIN_PATIENTS_A_CLASS = 10
UNKNOWN = "unknown"
SCHEMA = {
    "variable": pl.String,
    "level": pl.String,
    "n": pl.Int64,
    "n_events": pl.Int64,
    "n_patients": pl.Int64,
    "auc": pl.Float64,
    "auc_low": pl.Float64,
    "auc_high": pl.Float64,
    "calibration_intercept": pl.Float64,
    "calibration_intercept_low": pl.Float64,
    "calibration_intercept_high": pl.Float64,
    "reason": pl.String,
}


def estimate_subgroups(
    has_event: Flags, probability: Floats, *, groups: pl.DataFrame, clusters: Clusters | None = None
) -> pl.DataFrame:
    """Return one row for each level of each column of `groups` (n rows), unknown ones last.

    clusters: whose row it is (n,), where patients have several. Columns: `SCHEMA`; what cannot be estimated
    is null, and `reason` says why. With fewer than 10 patients with the event, or without, only counts are
    told. Subgroups are looked at for harm, not for a difference: with a hundred patients nearly all
    intervals overlap.
    """
    cluster = np.arange(len(has_event)) if clusters is None else clusters
    rows = []
    for variable in groups.columns:
        levels = groups[variable].cast(pl.String).fill_null(UNKNOWN).to_numpy()
        for level in _in_order(levels):
            at = levels == level
            figures = _figures(has_event[at], probability[at], None if clusters is None else cluster[at])
            counts = (int(at.sum()), int(has_event[at].sum()), len(np.unique(cluster[at])))
            names = ("variable", "level", "n", "n_events", "n_patients")
            rows.append({**dict(zip(names, (variable, level, *counts), strict=True)), **figures})
    return pl.DataFrame(rows, schema=SCHEMA)


def _in_order(levels: np.ndarray[tuple[int], np.dtype[np.object_]]) -> list[str]:
    return sorted({str(level) for level in levels}, key=lambda level: (level == UNKNOWN, level))


def _figures(
    has_event: Flags, probability: Floats, clusters: Clusters | None
) -> dict[str, float | str | None]:
    reason = _too_few(has_event, clusters)
    if reason is not None:
        return {"reason": reason}
    auc, no_auc = _attempt(lambda: estimate_auc(has_event, probability, clusters=clusters))
    intercept, no_intercept = _attempt(
        lambda: calibration_intercept(has_event, probability, clusters=clusters)
    )
    found = {"auc": auc, "calibration_intercept": intercept}
    limits = {f"{name}_{side}": limit for name, of in found.items() for side, limit in _sides(of)}
    reasons = "; ".join(why for why in (no_auc, no_intercept) if why)
    return {name: of.value for name, of in found.items()} | limits | {"reason": reasons or None}


def _too_few(has_event: Flags, clusters: Clusters | None) -> str | None:
    patients = np.arange(len(has_event)) if clusters is None else clusters
    n_with, n_without = (len(np.unique(patients[chosen])) for chosen in (has_event, ~has_event))
    if min(n_with, n_without) >= MIN_PATIENTS_A_CLASS:
        return None
    needed = f"at least {MIN_PATIENTS_A_CLASS} of each are needed"
    return f"{n_with} patients with and {n_without} without the event; {needed}"


def _attempt(estimate: Callable[[], Estimate]) -> tuple[Estimate, str | None]:
    try:
        return estimate(), None
    except NotEstimableError as failure:
        return Estimate(None), str(failure)


def _sides(found: Estimate) -> tuple[tuple[str, float | None], tuple[str, float | None]]:
    return ("low", found.ci_low), ("high", found.ci_high)
