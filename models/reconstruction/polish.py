"""The last look at survival: days, seats, cirrhosis, Child-Pugh B and stage moved together.

Here: the joint search that `models.reconstruction.times` and `models.reconstruction.marked` prepare, for
their targets depend on one another. Not here: the columns fitted afterwards. Called by
`models.reconstruction.search`.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass

import numpy as np

from models.reconstruction.annealing import Progress, Schedule, anneal
from models.reconstruction.blocks import BLOCK, HAS_ASL, IS_LOW, N_PATIENTS, Rows, swap_four, swap_two
from models.reconstruction.fits import ratio_statistics
from models.reconstruction.marked import SEATED, STAGED
from models.reconstruction.targets import Floats, Printed, Targets, pick_targets, regression_keys
from models.reconstruction.times import (
    LONGEST,
    NO_ASL,
    NOT_RECOVERED,
    RECOVERED,
    SHORTEST,
    n_lost_too_many,
    os_keys,
    os_statistics,
)

DAYS, DIED, CIRRHOSIS, CHILD_PUGH_B, STAGE = range(5)
CANDIDATES = 16
# Moving a death from exposed to unexposed changes a standard error for good: most swaps keep who died.
SHARE_ACROSS_DEATH = 0.1
MARGIN = 0.02


@dataclass(frozen=True)
class Seating:
    """What the joint search holds fixed.

    Hepatitis, lymphopenia and IL-7 (3, 98), and the patient of each slot.
    """

    fixed: Floats
    patient_of_slot: Rows
    seated: Targets
    staged: Targets
    times: Targets
    is_capped: bool = False

    @property
    def all_targets(self) -> Targets:
        """Targets of `joint_statistics`, in its order."""
        return self.times + self.seated + self.staged


def seating(printed: Printed, *, fixed: Floats, patient_of_slot: Rows) -> Seating:
    """Return the fixed part of the joint search, with its targets."""
    univariate = regression_keys("cox_os", "univariate", [*SEATED[:3], *STAGED])
    multivariate = regression_keys("cox_os", "multivariate", [*STAGED, "asl"])
    return Seating(
        fixed=fixed,
        patient_of_slot=patient_of_slot,
        seated=pick_targets(printed, univariate, margin=MARGIN),
        staged=pick_targets(printed, multivariate, margin=MARGIN),
        times=pick_targets(printed, os_keys(), margin=MARGIN),
    )


def hazards_alone(columns: Floats, events: Floats, start: Floats) -> Floats:
    """Fit one-covariate Cox models, each candidate in its own order of time.

    Takes columns (k, m, n) and events (k, n).
    """
    scale = np.abs(columns).max(axis=2, keepdims=True)
    scaled, died = columns / scale, events[:, None, :]
    coefficients = np.broadcast_to(start, scale.shape[:2]) * scale[:, :, 0]
    for _ in range(3):
        risk = np.exp(coefficients[:, :, None] * scaled)
        at_risk = np.cumsum(risk, axis=2)
        means = np.cumsum(risk * scaled, axis=2) / at_risk
        squares = np.cumsum(risk * scaled**2, axis=2) / at_risk
        information = ((squares - means**2) * died).sum(axis=2)
        coefficients = coefficients + ((scaled - means) * died).sum(axis=2) / information
    return ratio_statistics(coefficients / scale[:, :, 0], 1 / np.sqrt(information) / scale[:, :, 0])


def hazards_together(design: Floats, events: Floats, start: Floats) -> Floats:
    """Fit one Cox model a candidate, each in its own order of time: design (k, n, p), events (k, n)."""
    scale = np.abs(design).max(axis=1, keepdims=True)
    scaled = design / scale
    products = scaled[:, :, :, None] * scaled[:, :, None, :]
    coefficients = np.broadcast_to(start, scale[:, 0].shape) * scale[:, 0]
    for _ in range(3):
        risk = np.exp((scaled @ coefficients[:, :, None])[:, :, 0])
        at_risk = np.cumsum(risk, axis=1)[:, :, None]
        means = np.cumsum(risk[:, :, None] * scaled, axis=1) / at_risk
        squares = np.cumsum(risk[:, :, None, None] * products, axis=1) / at_risk[:, :, :, None]
        weighted = means * events[:, :, None]
        information = (squares * events[:, :, None, None]).sum(axis=1) - weighted.transpose(0, 2, 1) @ means
        inverse = np.linalg.inv(information)
        score = ((scaled - means) * events[:, :, None]).sum(axis=1)
        coefficients = coefficients + (inverse @ score[:, :, None])[:, :, 0]
    errors = np.sqrt(np.diagonal(inverse, axis1=1, axis2=2))
    return ratio_statistics(coefficients / scale[:, 0], errors / scale[:, 0])


def joint_statistics(tables: Floats, held: Seating) -> Floats:
    """Return the numbers of `held.all_targets` for a stack of (98, 5) tables."""
    order = np.argsort(-tables[:, :, DAYS], axis=1)
    ordered = np.take_along_axis(tables, order[:, :, None], axis=1)
    events, stage = ordered[:, :, DIED], ordered[:, :, STAGE]
    binary = [ordered[:, :, CIRRHOSIS], ordered[:, :, CHILD_PUGH_B]]
    columns = np.stack([*held.fixed[:, order], *binary, (stage > 2).astype(float)], axis=1)
    design = np.stack([*binary, stage, HAS_ASL[order].astype(float)], axis=2)
    return np.concatenate(
        [
            os_statistics(tables[:, held.patient_of_slot, :2]),
            hazards_alone(columns, events, held.seated.middle_coefficients()),
            hazards_together(design, events, held.staged.middle_coefficients()),
        ],
        axis=1,
    )


@dataclass(frozen=True)
class Strata:
    """Rows of each stratum in the order of time; where split by death, the dead and the living apart."""

    blocks: list[Rows]
    groups: list[Rows]
    slots: list[Rows]

    @staticmethod
    def of(table: Floats, patient_of_slot: Rows, *, is_split_by_death: bool) -> "Strata":
        """Return the strata of a table; where split by death.

        A swap leaves every count of deaths as it is.
        """
        order = np.argsort(table[:, DAYS])
        parts = (
            [table[order, DIED] == died for died in (0.0, 1.0)]
            if is_split_by_death
            else [np.ones(len(order), bool)]
        )
        seats = [patient_of_slot[slots] for slots in (RECOVERED, NOT_RECOVERED, NO_ASL)]
        return Strata(
            blocks=[order[part & (BLOCK[order] == block)] for block in range(4) for part in parts],
            groups=[order[part & (IS_LOW[order] == is_low)] for is_low in (True, False) for part in parts],
            slots=[order[part & np.isin(order, seat)] for seat in seats for part in parts],
        )


def propose_joint(table: Floats, rng: np.random.Generator, *, patient_of_slot: Rows) -> Floats:
    """Propose swaps of seats, of cirrhosis, Child-Pugh B and stage, and other days."""
    strata = [Strata.of(table, patient_of_slot, is_split_by_death=split) for split in (True, False)]
    stack = np.repeat(table[None], CANDIDATES, axis=0)
    for candidate in stack:
        for _ in range(rng.integers(1, 3)):
            _move_joint(candidate, strata[int(rng.random() < SHARE_ACROSS_DEATH)], rng)
    return stack


def _move_joint(candidate: Floats, strata: Strata, rng: np.random.Generator) -> None:
    kind = rng.random()
    if kind < 0.5:
        _move_disease(candidate[:, CIRRHOSIS + rng.integers(3)], strata, rng)
    elif kind < 0.75:
        _swap_seats(candidate, strata.slots, rng)
    else:
        _move_day(candidate, rng)


def _move_disease(column: Floats, strata: Strata, rng: np.random.Generator) -> None:
    if column.max() > 1 and rng.random() < 0.5:
        swap_two(column, [rows[column[rows] > 2] for rows in strata.groups], rng)
    elif column.max() > 1 or rng.random() < 0.9:
        swap_two(column, strata.blocks, rng)
    else:
        swap_four(column, rng)


def _swap_seats(candidate: Floats, slots: Sequence[Rows], rng: np.random.Generator) -> None:
    rows = slots[int(rng.integers(len(slots)))]
    if len(rows) > 1:
        place = rng.integers(len(rows))
        away = 1 + rng.integers(3) if rng.random() < 0.7 else rng.integers(len(rows))
        pair = [rows[place], rows[(place + away) % len(rows)]]
        candidate[pair, :CIRRHOSIS] = candidate[pair[::-1], :CIRRHOSIS]


def _move_day(candidate: Floats, rng: np.random.Generator) -> None:
    row = rng.integers(N_PATIENTS)
    day = np.round(candidate[row, DAYS] + (4.0, 15.0, 40.0)[rng.integers(3)] * rng.normal())
    is_end = candidate[row, DAYS] in (SHORTEST, LONGEST)
    if not is_end and SHORTEST < day < LONGEST and day not in candidate[:, DAYS]:
        candidate[row, DAYS] = day


def count_missed(table: Floats, held: Seating) -> int:
    """Return how many of the joint search's numbers a table (98, 5) misses."""
    return int((~held.all_targets.met(joint_statistics(table[None], held)[0])).sum())


def polish(
    table: Floats, held: Seating, *, schedule: Schedule, rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search on from `table` (98, 5): days, death, cirrhosis, Child-Pugh B and stage by patient."""
    targets = held.all_targets
    weigh = targets.capped_misfit if held.is_capped else targets.misfit

    def misfit(tables: Floats, softness: float) -> Floats:
        return weigh(joint_statistics(tables, held), softness=softness) + n_lost_too_many(tables)

    def propose(current: Floats, generator: np.random.Generator) -> Floats:
        return propose_joint(current, generator, patient_of_slot=held.patient_of_slot)

    return (
        yield from anneal(
            "survival, all together", table, misfit=misfit, propose=propose, rng=rng, schedule=schedule
        )
    )
