"""Which patients with ASL recovered: slots traded until the recovered groups' survival is as printed.

Here: that search. Not here: the times themselves (`models.reconstruction.times`). Called by
`models.reconstruction.survival`.
"""

from collections.abc import Generator

import numpy as np

from models.reconstruction.annealing import Progress, Schedule, anneal
from models.reconstruction.blocks import Rows
from models.reconstruction.targets import Floats, Printed, pick_targets
from models.reconstruction.times import NOT_RECOVERED, RECOVERED, os_keys, os_statistics

CANDIDATES = 48
# The numbers that decide are a hair inside: only what another library might round differently is left out.
MARGIN = 0.005


def search_recovery(
    printed: Printed, *, times: Floats, patient_of_slot: Rows, rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for the patient of each slot, (98, 1); `times` (98, 2) holds days and death by patient."""
    targets = pick_targets(printed, os_keys(), margin=MARGIN)

    def misfit(tables: Floats, softness: float) -> Floats:
        return targets.misfit(os_statistics(times[tables[:, :, 0].astype(np.intp)]), softness=softness)

    def propose(table: Floats, generator: np.random.Generator) -> Floats:
        stack = np.repeat(table[None], CANDIDATES, axis=0)
        for candidate in stack:
            for _ in range(generator.integers(1, 4)):
                pair = [generator.choice(RECOVERED), generator.choice(NOT_RECOVERED)]
                candidate[pair] = candidate[pair[::-1]]
        return stack

    first = patient_of_slot.astype(float)[:, None]
    schedule = Schedule(steps=1500, rounds=2, soft=0.05, again=0.01)
    return (yield from anneal("recovery", first, misfit=misfit, propose=propose, rng=rng, schedule=schedule))
