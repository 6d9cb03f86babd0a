"""Who is left out when a predictor is tried on another site, or on patients who came later.

Here: the split of rows, or why there is none. Not here: what is made of them (`models.prediction.validation`,
which calls it).
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.estimate import Flags, Integers
from models.prediction.training_rows import MIN_PATIENTS_A_CLASS, TrainingRows
from transforms.schemas import PATIENT_KEY

MIN_SITES = 2


@dataclass(frozen=True, eq=False)
class Split:
    """Row numbers that are seen, and that are asked for; `name` says what is held out."""

    name: str
    seen: Integers
    asked: Integers


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Probabilities of patients of other sites or years than the predictor was made of.

    `rows`: key, moment, has_asl, held_out (which part), probability. `parts`: held_out, candidate (chosen
    without it), n_seen and n (rows). Both None where `reason` says why there are none.
    """

    rows: pl.DataFrame | None
    parts: pl.DataFrame | None
    reason: str | None


def split_by_site(labelled: pl.DataFrame, rows: TrainingRows) -> tuple[Split, ...] | str:
    """Return a split for each site with 10 patients of either kind, or the reason where fewer than two have.

    A smaller site is seen in every split and never held out.
    """
    site = labelled["site"].to_numpy()
    names = [str(name) for name in np.unique(site) if _has_enough(rows, site == name)]
    if len(names) < MIN_SITES:
        return (
            f"{len(names)} of {len(np.unique(site))} sites have {MIN_PATIENTS_A_CLASS} patients with and "
            f"{MIN_PATIENTS_A_CLASS} without ASL; at least {MIN_SITES} such sites are needed"
        )
    return tuple(
        Split(f"site {name}", np.flatnonzero(site != name), np.flatnonzero(site == name)) for name in names
    )


def split_by_time(labelled: pl.DataFrame, rows: TrainingRows) -> tuple[Split, ...] | str:
    """Return the split at the patients' median first day of RT, or the reason why there is none.

    Those who started before the median day are seen, the others asked for.
    """
    day = next((name for name in ("start_date", "landmark_date") if name in labelled.columns), None)
    if day is None:
        return "the rows have no date"
    starts = labelled.select(pl.col(day).min().over(PATIENT_KEY)).to_series()
    if starts.null_count():
        return "some patients have no first day of RT"
    of_patients = labelled.select(*PATIENT_KEY, start=starts).unique(PATIENT_KEY)["start"].sort()
    median = of_patients[len(of_patients) // 2]
    is_later = (starts >= median).to_numpy()
    if not (_has_enough(rows, is_later) and _has_enough(rows, ~is_later)):
        return (
            f"before or from {median} on there are fewer than {MIN_PATIENTS_A_CLASS} patients with or "
            f"{MIN_PATIENTS_A_CLASS} without ASL"
        )
    return (Split(f"RT from {median} on", np.flatnonzero(~is_later), np.flatnonzero(is_later)),)


def _has_enough(rows: TrainingRows, kept: Flags) -> bool:
    """Whether 10 patients or more among the kept rows have ASL, and 10 or more have not."""
    places = np.unique(rows.place[kept])
    n_events = int(rows.has_event[places].sum())
    return min(n_events, len(places) - n_events) >= MIN_PATIENTS_A_CLASS
