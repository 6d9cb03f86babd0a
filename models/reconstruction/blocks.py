"""The cohort's four blocks (ASL or not, IL-7 low or high) and the moves that keep its margins.

Here: which row is in which block, and proposals of swaps and nudges. Not here: what makes a candidate good
(the stages). The stages of `models.reconstruction.search` call it.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.reconstruction.targets import Floats

# Rows 0-40 have ASL, 41-97 not; within each the low IL-7 group comes first (29 + 12 and 24 + 33 patients).
BLOCK_SIZES = (29, 12, 24, 33)
N_PATIENTS = sum(BLOCK_SIZES)
BLOCK = np.repeat(np.arange(4), BLOCK_SIZES)
HAS_ASL = BLOCK < 2
IS_LOW = BLOCK % 2 == 0
ASL_OUTCOME = HAS_ASL.astype(float)

Rows = NDArray[np.intp]
ROWS_OF_BLOCK: tuple[Rows, ...] = tuple(np.flatnonzero(block == BLOCK) for block in range(4))
EVERY_BLOCK = tuple(ROWS_OF_BLOCK)
BY_ASL: tuple[Rows, ...] = (np.flatnonzero(HAS_ASL), np.flatnonzero(~HAS_ASL))
BY_IL7: tuple[Rows, ...] = (np.flatnonzero(IS_LOW), np.flatnonzero(~IS_LOW))


def swap_two(column: Floats, strata: Sequence[Rows], rng: np.random.Generator) -> None:
    """Swap, in place, two different values of one stratum: every margin by stratum stays.

    Half the time the two are near neighbours in the stratum's order: where that order is time, the change is
    small.
    """
    for draw in rng.random((12, 4)).tolist():
        rows = strata[int(draw[0] * len(strata))]
        if len(rows) < 2:
            continue
        place = int(draw[1] * len(rows))
        away = int(draw[2] * len(rows)) if draw[3] < 0.5 else 1 + int(draw[2] * 4)
        first, second = rows[place], rows[(place + away) % len(rows)]
        if column[first] != column[second]:
            column[first], column[second] = column[second], column[first]
            return


def swap_four(column: Floats, rng: np.random.Generator) -> None:
    """Move, in place, one marked patient across IL-7 groups among ASL and one back among the rest.

    Both margins of a 0/1 column (by ASL, by IL-7 group) stay. Does nothing where no such four exist.
    """
    low_value, high_value = rng.permutation([0.0, 1.0])
    wanted = (low_value, high_value, high_value, low_value)
    picks = [rows[column[rows] == value] for rows, value in zip(ROWS_OF_BLOCK, wanted, strict=True)]
    if all(len(pick) for pick in picks):
        rows = np.array([rng.choice(pick) for pick in picks])
        column[rows] = 1.0 - column[rows]


def nudge(
    column: Floats, rows: Rows, *, step: float, rng: np.random.Generator, limits: tuple[float, float]
) -> None:
    """Multiply, in place, one value of `rows` by a log-normal factor, rounded to `step`, inside `limits`.

    The column's own lowest and highest value stay as they are, for they are printed.
    """
    row = rng.choice(rows)
    if column[row] in (column.min(), column.max()):
        return
    width = (0.5, 0.1, 0.02)[rng.integers(3)]
    moved = column[row] * np.exp(width * rng.normal()) + step * rng.integers(-1, 2)
    low, high = max(limits[0], column.min() + step), min(limits[1], column.max() - step)
    column[row] = np.round(np.clip(moved, low, high) / step) * step


def trade(
    column: Floats, rows: Rows, *, step: float, rng: np.random.Generator, limits: tuple[float, float]
) -> None:
    """Move, in place, the same amount from one value of `rows` to another: their mean stays."""
    giver, taker = rng.choice(rows, 2, replace=False)
    amount = np.round(abs(rng.normal()) * (0.5, 0.1, 0.02)[rng.integers(3)] * column[giver] / step + 1) * step
    ends = (column.min(), column.max())
    moved = (column[giver] - amount, column[taker] + amount)
    is_pinned = column[giver] in ends or column[taker] in ends
    if (
        not is_pinned
        and max(limits[0], ends[0] + step) <= moved[0]
        and moved[1] <= min(limits[1], ends[1] - step)
    ):
        column[giver], column[taker] = np.round(np.array(moved) / step) * step
