"""The survival part of the search, from empty slots to seated patients, with as many restarts as it needs.

Here: the order of `times`, `seating`, `polish` and `recovery`, and which restart is kept. Not here: the
searches. Called by `models.reconstruction.search`.
"""

from collections.abc import Generator
from dataclasses import dataclass, replace

import numpy as np

from models.reconstruction.annealing import Progress, Schedule
from models.reconstruction.blocks import Rows
from models.reconstruction.il7 import PRE
from models.reconstruction.polish import CIRRHOSIS, Seating, count_missed, polish, seating
from models.reconstruction.recovery import search_recovery
from models.reconstruction.seating import draw_patients, start_joint
from models.reconstruction.targets import Floats, Printed
from models.reconstruction.times import search_os
from models.reconstruction.volumes import HEPATITIS, LYMPHOPENIA

N_CHAINS = 3
MOST_TIMES = 6
NEARLY = 0.5
FIRST = Schedule(steps=11000, rounds=1, soft=0.3, hard=0.0003, temperature=0.5, coolest=0.02)
LAST = (
    replace(FIRST, steps=13000, soft=0.01, temperature=0.15, coolest=0.005),
    replace(FIRST, steps=13000, soft=0.02, temperature=0.3, coolest=0.005),
)


@dataclass(frozen=True)
class Survival:
    """The joint table (98, 5) by patient, and the patient of each slot: slots 0-19 recovered from ASL."""

    table: Floats
    patient_of_slot: Rows


def search_survival(
    printed: Printed, *, il7: Floats, volumes: Floats, rng: np.random.Generator
) -> Generator[Progress, None, Survival]:
    """Search for days, death, cirrhosis, Child-Pugh B and stage of each patient."""
    fixed = np.stack([volumes[:, HEPATITIS], volumes[:, LYMPHOPENIA], il7[:, PRE]])
    chains = []
    os = yield from _search_times(printed, rng=rng)
    for stream in rng.spawn(N_CHAINS):
        patients = draw_patients(stream)
        held = seating(printed, fixed=fixed, patient_of_slot=patients)
        table = start_joint(os, volumes, patients, rng=stream)
        table, misfit = yield from polish(table, held, schedule=FIRST, rng=stream)
        chains.append((misfit, table, held))
    _, table, held = min(chains, key=lambda chain: chain[0])
    finished = []
    for schedule, stream in zip(LAST, rng.spawn(len(LAST)), strict=True):
        last, _ = yield from polish(table, replace(held, is_capped=True), schedule=schedule, rng=stream)
        finished.append((yield from _with_recovery(printed, last, held, rng=stream)))
    return min(finished, key=lambda one: one[0])[1]


def _with_recovery(
    printed: Printed, table: Floats, held: Seating, *, rng: np.random.Generator
) -> Generator[Progress, None, tuple[int, Survival]]:
    """Settle who recovered; return how many numbers are missed and the survival."""
    patients, _ = yield from search_recovery(
        printed, times=table[:, :CIRRHOSIS], patient_of_slot=held.patient_of_slot, rng=rng
    )
    found = Survival(table, patients[:, 0].astype(np.intp))
    return count_missed(table, replace(held, patient_of_slot=found.patient_of_slot)), found


def _search_times(printed: Printed, *, rng: np.random.Generator) -> Generator[Progress, None, Floats]:
    """Search for times until all but nothing is missed: what is left is the joint search's."""
    found = []
    for stream in rng.spawn(MOST_TIMES):
        os, misfit = yield from search_os(printed, rng=stream)
        found.append((misfit, os))
        if misfit < NEARLY:
            break
    return min(found, key=lambda one: one[0])[1]
