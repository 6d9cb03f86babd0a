"""The search for 98 pseudo-patients whose analyses give the printed numbers, end to end from a seed.

Here: the order of the stages and what each hands to the next. Not here: any search itself (the sibling
modules). Called by `flows.reconstruction`.
"""

from collections.abc import Callable, Generator
from dataclasses import dataclass, replace
from functools import partial
from typing import Protocol, cast

import numpy as np
import polars as pl

from models.reconstruction.annealing import Progress
from models.reconstruction.blocks import HAS_ASL, N_PATIENTS, Rows
from models.reconstruction.columns import AFP, DOSE, LIVER_DOSE, PIVKA, SIZE, search_age, search_column
from models.reconstruction.elimination import LEFT_OUT, Kept, search_left_out, touch_up
from models.reconstruction.frames import Settled, counts_frame, patients_frame
from models.reconstruction.il7 import POST, PRE, search_il7, search_post_il7
from models.reconstruction.marked import search_marked
from models.reconstruction.polish import CHILD_PUGH_B, CIRRHOSIS, DAYS, DIED, STAGE
from models.reconstruction.realised import nudge_volumes, realise_il7
from models.reconstruction.survival import Survival, search_survival
from models.reconstruction.targets import Floats, Printed, printed_numbers
from models.reconstruction.times import RECOVERED, search_pfs
from models.reconstruction.volumes import HEPATITIS, LYMPHOPENIA, VOLUME, search_volumes

DEFAULT_SEED = 1
MOST_TRIES = 3
# Inside the margin that targets keep from the ends of their intervals: nothing is missed.
ENOUGH = 0.005
# Volumes have a last step of their own.
NEARLY = 0.1
MARKED = ("age_gt_60", "female", "multiple_tumors", "pvtt", "previous_treatment", "combined_therapy")


class Search(Protocol):
    """A search that only lacks its randomness; it returns a table and its misfit."""

    def __call__(self, *, rng: np.random.Generator) -> Generator[Progress, None, tuple[Floats, float]]:
        """Search with `rng`."""
        ...


@dataclass(frozen=True)
class Reconstruction:
    """The pseudo-patients and their counts.

    patients: the columns of the landing tables patients and follow_up, `il7_pre` and `il7_post` (pg/mL).
    counts: patient_id, day_offset (days from the start of RT), cells_per_ul.
    """

    patients: pl.DataFrame
    counts: pl.DataFrame


def reconstruct(
    published: pl.DataFrame, *, seed: int = DEFAULT_SEED, progress: Callable[[Progress], None]
) -> Reconstruction:
    """Search for pseudo-patients that give the numbers of `published` (`transforms.published.PUBLISHED`).

    The same numbers and seed give the same patients. Several minutes on one core; `progress` is told where it
    stands.
    """
    stages = _stages(printed_numbers(published), np.random.default_rng(seed))
    while True:
        try:
            progress(next(stages))
        except StopIteration as end:
            return cast(Reconstruction, end.value)


def _stages(printed: Printed, rng: np.random.Generator) -> Generator[Progress, None, Reconstruction]:
    streams = iter(rng.spawn(8))
    il7 = yield from _best_of(partial(search_il7, printed), next(streams))
    volumes = yield from _best_of(partial(search_volumes, printed, il7=il7), next(streams), enough=NEARLY)
    survival = yield from search_survival(printed, il7=il7, volumes=volumes, rng=next(streams))
    settled = yield from _rest(printed, il7=il7, volumes=volumes, survival=survival, rng=next(streams))
    return (yield from _frames(printed, settled, rng=next(streams)))


def _best_of(
    search: Search, rng: np.random.Generator, *, enough: float = ENOUGH
) -> Generator[Progress, None, Floats]:
    """Return the best of at most three searches, or the first whose misfit is at most `enough`."""
    found = []
    for stream in rng.spawn(MOST_TRIES):
        table, misfit = yield from search(rng=stream)
        found.append((misfit, table))
        if misfit <= enough:
            break
    return min(found, key=lambda one: one[0])[1]


def _rest(
    printed: Printed, *, il7: Floats, volumes: Floats, survival: Survival, rng: np.random.Generator
) -> Generator[Progress, None, Settled]:
    """Search for IL-7 after RT, the columns that both models leave out, ages and progression."""
    table, seats = survival.table, survival.patient_of_slot
    died, order = table[:, DIED] > 0, np.argsort(-table[:, DAYS])
    il7 = yield from _best_of(partial(search_post_il7, printed, il7=il7, order=order, died=died), rng)
    columns: dict[str, Floats] = {}
    for name in MARKED:
        columns[name] = yield from _column(partial(search_marked, printed, name, order=order, died=died), rng)
    for spec in (AFP, PIVKA, DOSE, SIZE, LIVER_DOSE):
        columns[spec.name] = yield from _column(
            partial(search_column, printed, spec, order=order, died=died), rng
        )
    kept = _kept(il7, volumes, table, order=order)
    columns |= yield from _leave_out(printed, columns, kept, rng=rng)
    is_over_60 = columns["age_gt_60"] > 0
    columns["age_years"] = yield from _column(partial(search_age, printed, is_over_60=is_over_60), rng)
    progressed = yield from _column(partial(search_pfs, printed, os=table[seats, :CIRRHOSIS]), rng)
    slot = np.argsort(seats)
    return Settled(volumes, il7, table, progressed[slot], np.isin(slot, RECOVERED), columns)


def _column(search: Search, rng: np.random.Generator) -> Generator[Progress, None, Floats]:
    return (yield from _best_of(search, rng))[:, 0]


def _kept(il7: Floats, volumes: Floats, table: Floats, *, order: Rows) -> Kept:
    disease = [table[:, CIRRHOSIS], table[:, CHILD_PUGH_B], table[:, STAGE] / 4]
    viral = [volumes[:, LYMPHOPENIA], volumes[:, HEPATITIS]]
    return Kept(
        asl=np.column_stack([*viral, volumes[:, VOLUME] / 100, il7[:, PRE]]),
        asl_beside=np.column_stack(disease),
        cox=np.column_stack([*disease, HAS_ASL]).astype(float),
        cox_beside=np.column_stack([*viral, il7[:, PRE] / 10, il7[:, POST] / 10]),
        order=order,
        died=table[:, DIED] > 0,
    )


def _leave_out(
    printed: Printed, columns: dict[str, Floats], kept: Kept, *, rng: np.random.Generator
) -> Generator[Progress, None, dict[str, Floats]]:
    table = np.column_stack([columns[name] for name in LEFT_OUT])
    found = []
    for stream in rng.spawn(MOST_TRIES):
        moved, _ = yield from search_left_out(printed, table, kept, rng=stream)
        moved, n_missed = yield from touch_up(printed, moved, kept, rng=stream)
        found.append((n_missed, moved))
        if n_missed == 0:
            break
    best = min(found, key=lambda one: one[0])[1]
    return dict(zip(LEFT_OUT, best.T, strict=True))


def _frames(
    printed: Printed, settled: Settled, *, rng: np.random.Generator
) -> Generator[Progress, None, Reconstruction]:
    """Write the frames; volumes move until the model of ASL holds with IL-7 as the plates give it."""
    identifiers, of_patients, of_counts, of_volumes = rng.spawn(4)
    numbers = identifiers.permutation(N_PATIENTS)
    patients = patients_frame(settled, numbers, rng=of_patients)
    measured = realise_il7(patients)["il7_pre"].to_numpy()
    volumes, _ = yield from nudge_volumes(printed, settled.volumes, measured, rng=of_volumes)
    patients = patients.with_columns(pl.Series("ptv_cm3", volumes[:, VOLUME].astype(int)))
    counts = counts_frame(replace(settled, volumes=volumes), patients, printed, rng=of_counts)
    return Reconstruction(patients.sort("patient_id"), counts)
