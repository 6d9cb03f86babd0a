"""Simulated annealing over small tables: many candidates a step, the misfit of all of them in one call.

Here: the search itself and the moves that keep margins. Not here: what is searched for (the stages) or what a
candidate is worth (`models.reconstruction.fits`). The stages of `models.reconstruction.search` call it.
"""

from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass

import numpy as np

from models.reconstruction.targets import Floats

Misfit = Callable[[Floats, float], Floats]
Proposal = Callable[[Floats, np.random.Generator], Floats]


@dataclass(frozen=True)
class Progress:
    """Where the search stands: the stage, its step and the misfit (0: every number of the stage is met)."""

    stage: str
    step: int
    misfit: float


@dataclass(frozen=True)
class Schedule:
    """How long to search: `steps` a round, softness from `soft` (later: `again`) to `hard`."""

    steps: int = 5000
    rounds: int = 4
    soft: float = 0.3
    again: float = 0.05
    hard: float = 0.001
    temperature: float = 0.2
    coolest: float = 0.005
    report_every: int = 500

    def levels(self) -> Iterator[tuple[float, float]]:
        """Yield softness and temperature of each step."""
        heat = np.geomspace(self.temperature, self.coolest, self.steps)
        for round_number in range(self.rounds):
            softness = np.geomspace(self.again if round_number else self.soft, self.hard, self.steps)
            yield from zip(softness, heat, strict=True)


def anneal(
    stage: str,
    table: Floats,
    *,
    misfit: Misfit,
    propose: Proposal,
    rng: np.random.Generator,
    schedule: Schedule,
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for a table of misfit 0 from `table` (n, columns).

    Yields progress, returns the best and its misfit.

    `propose` makes a stack of candidates (k, n, columns) of one; `misfit` weighs a stack at a softness.
    """
    best, best_misfit = table, float(misfit(table[None], 0.0)[0])
    current = table
    for step, (softness, temperature) in enumerate(schedule.levels()):
        if best_misfit == 0.0:
            break
        stack = np.concatenate([current[None], propose(current, rng)])
        worth = misfit(stack, softness)
        chosen = 1 + int(np.argmin(worth[1:]))
        if worth[chosen] - worth[0] < temperature * rng.exponential():
            current = stack[chosen]
        if worth.min() == 0.0 or step % 100 == 0 or (step + 1) % schedule.steps == 0:
            at_hand = float(misfit(current[None], 0.0)[0])
            if at_hand < best_misfit:
                best, best_misfit = current, at_hand
        if step % schedule.report_every == 0:
            yield Progress(stage, step, best_misfit)
    yield Progress(stage, -1, best_misfit)
    return best, best_misfit
