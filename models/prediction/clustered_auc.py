"""The area under the ROC curve where a patient has several rows, with an interval that counts patients.

Here: Obuchowski's variance, which without clusters is DeLong's, and how rows tell their patients. Not here:
the ROC curve (`models.roc`). Called by `models.prediction.performance` and `models.prediction.subgroups`.
"""

import numpy as np
import numpy.typing as npt
import polars as pl
from scipy.stats import rankdata

from models.estimate import Z_95, Estimate, Flags, Floats, Integers
from models.roc import estimate_roc
from transforms.errors import NotEstimableError
from transforms.schemas import PATIENT_KEY

Clusters = npt.NDArray[np.generic]


def patients_of(rows: pl.DataFrame) -> Integers:
    """Return a number (n,) for each row's patient, by site and patient_id; rows of a patient share theirs."""
    patients = rows.select(PATIENT_KEY).unique().sort(PATIENT_KEY).with_row_index("patient")
    numbered = rows.select(PATIENT_KEY).join(patients, on=PATIENT_KEY, how="left", maintain_order="left")
    return numbered["patient"].cast(pl.Int64).to_numpy()


def numbers_of(clusters: Clusters) -> Integers:
    """Return the clusters (n,), whatever names them, as 0, 1, ... without gaps."""
    numbers: Integers = np.unique(clusters, return_inverse=True)[1].ravel().astype(np.int64)
    return numbers


def estimate_auc(has_event: Flags, score: Floats, *, clusters: Clusters | None = None) -> Estimate:
    """Return the area (0 to 1) under the ROC curve of scores (n,), high with the event, and a 95 % interval.

    clusters: whose row it is (n,); without, each row is a patient. Rows of a patient may have either outcome.
    No limits where fewer than two patients have rows with the event, or without it.
    Raises `NotEstimableError` with one outcome only or one distinct score.
    Source: Obuchowski 1997, Biometrics 53:567; without clusters DeLong 1988, Biometrics 44:837.
    """
    if clusters is None:
        return estimate_roc(score, has_event).auc
    _refuse_what_has_no_area(has_event, score)
    above, below = _components(has_event, score)
    auc = float(above.mean())
    variance = _obuchowskis_variance(has_event, (above - auc, below - auc), numbers_of(clusters))
    if variance is None:
        return Estimate(auc)
    reach = Z_95 * float(np.sqrt(max(0.0, variance)))
    return Estimate(auc, max(0.0, auc - reach), min(1.0, auc + reach))


def _refuse_what_has_no_area(has_event: Flags, score: Floats) -> None:
    if has_event.all() or not has_event.any():
        raise NotEstimableError(f"all {len(has_event)} rows have the same outcome")
    if np.ptp(score) == 0:
        raise NotEstimableError(f"the score is the same in all {len(score)} rows")


def _components(has_event: Flags, score: Floats) -> tuple[Floats, Floats]:
    """For each row with the event the share without that it is above, and vice versa; ties count half.

    By mid-ranks (Sun and Xu 2014), so in n log n.
    """
    with_event, without = score[has_event], score[~has_event]
    pooled = rankdata(np.concatenate([with_event, without]))
    above: Floats = (pooled[: len(with_event)] - rankdata(with_event)) / len(without)
    below: Floats = 1 - (pooled[len(with_event) :] - rankdata(without)) / len(with_event)
    return above, below


def _obuchowskis_variance(
    has_event: Flags, deviations: tuple[Floats, Floats], cluster: Integers
) -> float | None:
    """None where a class comes from a single patient."""
    above, below = deviations
    n_clusters, n_with, n_without = int(cluster.max()) + 1, len(above), len(below)
    n_patients_with = len(np.unique(cluster[has_event]))
    n_patients_without = len(np.unique(cluster[~has_event]))
    if min(n_patients_with, n_patients_without) < 2:
        return None
    of_events = np.bincount(cluster[has_event], weights=above, minlength=n_clusters) / n_with
    of_others = np.bincount(cluster[~has_event], weights=below, minlength=n_clusters) / n_without
    return float(
        _few(n_patients_with) * (of_events @ of_events)
        + _few(n_patients_without) * (of_others @ of_others)
        + 2 * _few(n_clusters) * (of_events @ of_others)
    )


def _few(n: int) -> float:
    return n / (n - 1)
