"""The 0/1 columns: drawn with their printed margins by ASL and by IL-7 group, and moved without leaving them.

Here: the margins and the search for one column's hazard ratio. Not here: columns with values
(`models.reconstruction.columns`). Called by `models.reconstruction.search` and the other stages.
"""

from collections.abc import Generator, Sequence
from functools import partial

import numpy as np
from numpy.typing import NDArray

from models.reconstruction.annealing import Progress, Schedule, anneal
from models.reconstruction.blocks import EVERY_BLOCK, IS_LOW, N_PATIENTS, Rows, swap_four, swap_two
from models.reconstruction.fits import fit_cox_alone, ratio_statistics
from models.reconstruction.targets import Floats, Printed, pick_targets, regression_keys

# Variables whose hazard ratios decide who sits where, and those of the last multivariate model.
SEATED = ("hepatitis_viral", "baseline_lymphopenia", "pre_rt_il7_per_pg_ml", "post_rt_il7_per_pg_ml")
STAGED = ("cirrhosis", "child_pugh_b", "uicc_iii_iv")
CANDIDATES = 12
# Exposed patients: with ASL, without; with low IL-7, with high.
MARGINS = {
    "age_gt_60": (17, 39, 29, 27),
    "female": (8, 12, 14, 6),
    "multiple_tumors": (24, 31, 27, 28),
    "cirrhosis": (24, 21, 26, 19),
    "child_pugh_b": (7, 5, 3, 9),
    "pvtt": (27, 19, 25, 21),
    "previous_treatment": (14, 33, 25, 22),
    "uicc_iii_iv": (34, 37, 36, 35),
    "combined_therapy": (35, 31, 38, 28),
}
STAGE_IV = (18, 22)


def univariate_cox(columns: Floats, order: Rows, died: NDArray[np.bool_]) -> Floats:
    """Return ratio, limits and p (..., 4 m) of columns (..., m, n); `order` starts at the longest time."""
    return ratio_statistics(*fit_cox_alone(columns[..., order], died[order]))


def start_marked(margins: tuple[int, int, int, int], rng: np.random.Generator) -> Floats:
    """Draw a 0/1 column (98,) with those margins: exposed with ASL, without, with low IL-7, with high."""
    with_asl, without, low, _ = margins
    sizes = [len(rows) for rows in EVERY_BLOCK]
    fits = [
        n
        for n in range(min(with_asl, low, sizes[0]) + 1)
        if with_asl - n <= sizes[1] and low - n <= sizes[2] and 0 <= without - (low - n) <= sizes[3]
    ]
    share = with_asl * low / (with_asl + without)
    n_first = min(fits, key=lambda n: abs(n - share))
    counts = (n_first, with_asl - n_first, low - n_first, without - (low - n_first))
    column = np.zeros(N_PATIENTS)
    for rows, n in zip(EVERY_BLOCK, counts, strict=True):
        column[rng.choice(rows, n, replace=False)] = 1.0
    return column


def in_time(strata: Sequence[Rows], order: Rows) -> list[Rows]:
    """Return the strata with their rows in the order of time."""
    return [order[np.isin(order, rows)] for rows in strata]


def propose_marked(table: Floats, rng: np.random.Generator, *, blocks: Sequence[Rows]) -> Floats:
    """Propose swaps of 0/1 columns (n, m) that keep the margins by ASL and by IL-7 group."""
    stack = np.repeat(table[None], CANDIDATES, axis=0)
    for candidate in stack:
        for _ in range(rng.integers(1, 3)):
            column = candidate[:, rng.integers(table.shape[1])]
            if rng.integers(4):
                swap_two(column, blocks, rng)
            else:
                swap_four(column, rng)
    return stack


def search_marked(
    printed: Printed, variable: str, *, order: Rows, died: NDArray[np.bool_], rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for one 0/1 column, (98, 1), with its margins and its univariate hazard ratio."""
    targets = pick_targets(printed, regression_keys("cox_os", "univariate", [variable]))

    def misfit(tables: Floats, softness: float) -> Floats:
        return targets.misfit(univariate_cox(tables.transpose(0, 2, 1), order, died), softness=softness)

    first = start_marked(MARGINS[variable], rng)[:, None]
    return (
        yield from anneal(
            variable,
            first,
            misfit=misfit,
            propose=partial(propose_marked, blocks=in_time(EVERY_BLOCK, order)),
            rng=rng,
            schedule=Schedule(steps=1500, again=0.2),
        )
    )


def start_staged(rng: np.random.Generator) -> Floats:
    """Draw cirrhosis, Child-Pugh B and stage, (98, 3), with their margins."""
    stage = start_marked(MARGINS["uicc_iii_iv"], rng) + 2
    for rows, n_iv in zip((np.flatnonzero(IS_LOW), np.flatnonzero(~IS_LOW)), STAGE_IV, strict=True):
        stage[rng.choice(rows[stage[rows] > 2], n_iv, replace=False)] = 4.0
    return np.stack(
        [start_marked(MARGINS["cirrhosis"], rng), start_marked(MARGINS["child_pugh_b"], rng), stage], axis=-1
    )
