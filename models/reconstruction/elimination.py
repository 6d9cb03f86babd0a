"""The columns that no multivariate model keeps.

Moved until backward elimination ends in the printed variables.

Here: that search over nine columns at once. Not here: elimination itself (`models.reconstruction.selection`),
the search for each column alone (`marked`, `columns`). Called by `models.reconstruction.search`.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.reconstruction.annealing import Progress, Proposal, Schedule, anneal
from models.reconstruction.blocks import ASL_OUTCOME, EVERY_BLOCK, Rows, swap_four, swap_two
from models.reconstruction.fits import fit_cox, fit_cox_alone, fit_logistic, ratio_statistics
from models.reconstruction.marked import in_time
from models.reconstruction.selection import (
    cox_pull,
    eliminate,
    excess_of_others,
    logistic_pull,
    survivors,
)
from models.reconstruction.targets import Floats, Printed, Targets, pick_targets, regression_keys

LEFT_OUT = {
    "age_gt_60": "age_gt_60",
    "female": "female",
    "multiple_tumors": "multiple_tumors",
    "pvtt": "pvtt",
    "previous_treatment": "previous_treatment",
    "combined_therapy": "combined_therapy",
    "afp_ng_ml": "afp_per_ng_ml",
    "pivka_ii_mau_ml": "pivka_ii_per_mau_ml",
    "dose_gy": "dose_per_gy",
}
MARKED = slice(1, 6)
CANDIDATES = 16
LARGEST_Z = 1.45
WEIGHT = 8.0
TOUCHES, TOUCHED_AT_ONCE, MOST_ENDS = 400, 128, 8
WRONG_END = 10
MARGIN = 0.005


@dataclass(frozen=True)
class Kept:
    """What the multivariate models are made of.

    Design of each (98, p) and the candidates beside it that leave.

    `asl` and `cox` are the printed models' columns, `asl_beside` and `cox_beside` candidates that are settled
    already.
    """

    asl: Floats
    asl_beside: Floats
    cox: Floats
    cox_beside: Floats
    order: Rows
    died: NDArray[np.bool_]


def search_left_out(
    printed: Printed, first: Floats, kept: Kept, *, rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for the nine columns of `LEFT_OUT`, (98, 9), from `first`: hazard ratios and elimination."""
    scale = np.abs(first).max(axis=0)
    targets = pick_targets(printed, regression_keys("cox_os", "univariate", list(LEFT_OUT.values())))
    in_order, died = kept.order, kept.died[kept.order]
    ones = np.ones((len(first), 1))
    asl_design = np.hstack([ones, kept.asl])
    pulls = (
        logistic_pull(asl_design, ASL_OUTCOME, fit_logistic(asl_design[None], ASL_OUTCOME)[0][0]),
        cox_pull(kept.cox, fit_cox(kept.cox[None][:, in_order], died)[0][0], order=in_order, died=kept.died),
    )
    beside = (kept.asl_beside, kept.cox_beside)

    def misfit(tables: Floats, softness: float) -> Floats:
        scaled = tables / scale
        coefficients, errors = fit_cox_alone(scaled.transpose(0, 2, 1)[:, :, in_order], died)
        total = targets.misfit(ratio_statistics(coefficients / scale, errors / scale), softness=softness)
        for pull, others in zip(pulls, beside, strict=True):
            stacked = np.broadcast_to(others, (len(tables), *others.shape))
            columns = np.concatenate([scaled, stacked], axis=2)
            total = total + WEIGHT * excess_of_others(columns, pull, largest_z=LARGEST_Z)
        return total

    schedule = Schedule(steps=3500, rounds=2, soft=0.1, again=0.03, temperature=0.4, coolest=0.01)
    return (
        yield from anneal(
            "elimination", first, misfit=misfit, propose=_proposal(kept), rng=rng, schedule=schedule
        )
    )


def _proposal(kept: Kept) -> Proposal:
    blocks = in_time(EVERY_BLOCK, kept.order)
    apart = [rows[kept.died[rows] == died] for rows in blocks for died in (True, False)]

    def propose(table: Floats, rng: np.random.Generator) -> Floats:
        stack = np.repeat(table[None], CANDIDATES, axis=0)
        for candidate in stack:
            for _ in range(rng.integers(1, 3)):
                place = rng.integers(table.shape[1])
                if MARKED.start <= place < MARKED.stop and rng.random() < 0.05:
                    swap_four(candidate[:, place], rng)
                else:
                    swap_two(candidate[:, place], apart if rng.random() < 0.85 else blocks, rng)
        return stack

    return propose


def ends_as_printed(table: Floats, kept: Kept) -> bool:
    """Tell whether elimination of both models keeps just the printed variables beside `table` (98, 9)."""
    scaled = table / np.abs(table).max(axis=0)
    died = kept.died[kept.order]

    def logistic(design: Floats) -> tuple[Floats, Floats]:
        full = np.concatenate([np.ones((1, design.shape[1], 1)), design], axis=2)
        coefficients, errors = fit_logistic(full, ASL_OUTCOME, steps=40)
        return coefficients[:, 1:], errors[:, 1:]

    def cox(design: Floats) -> tuple[Floats, Floats]:
        return fit_cox(design[:, kept.order], died)

    models = ((logistic, kept.asl, kept.asl_beside), (cox, kept.cox, kept.cox_beside))
    for fit, design, beside in models:
        columns = np.hstack([scaled, beside, design]).T
        names = [str(place) for place in range(len(columns))]
        printed_ones = set(names[-design.shape[1] :])
        if survivors(eliminate(columns, names, fit=fit)) != printed_ones:
            return False
    return True


def touch_up(
    printed: Printed, table: Floats, kept: Kept, *, rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, int]]:
    """Swap one column a little at a time until elimination ends as printed and no hazard ratio is missed.

    Returns the table and how many numbers it misses; a wrong end of elimination counts as `WRONG_END`.
    """
    targets = [
        pick_targets(printed, regression_keys("cox_os", "univariate", [name]), margin=MARGIN)
        for name in LEFT_OUT.values()
    ]
    places = range(len(targets))
    missed = [int(_missed(table[None, :, place], targets[place], kept)[0]) for place in places]
    wrong = 0 if ends_as_printed(table, kept) else WRONG_END
    for turn in range(TOUCHES):
        if sum(missed) + wrong == 0:
            break
        if turn % 20 == 0:
            yield Progress("elimination, last touch", turn, float(sum(missed) + wrong))
        unmet = [place for place in places if missed[place]]
        place = int(rng.choice(unmet)) if unmet and rng.random() < 0.7 else int(rng.integers(MARKED.stop))
        stack = _swapped(table, place, kept, rng=rng)
        counts = _missed(stack[:, :, place], targets[place], kept)
        is_enough = counts <= missed[place] - (0 if wrong else 1)
        for chosen in np.flatnonzero(is_enough)[np.argsort(counts[is_enough])][:MOST_ENDS]:
            if ends_as_printed(stack[chosen], kept):
                table, missed[place], wrong = stack[chosen], int(counts[chosen]), 0
                break
    yield Progress("elimination, last touch", -1, float(sum(missed) + wrong))
    return table, sum(missed) + wrong


def _swapped(table: Floats, place: int, kept: Kept, *, rng: np.random.Generator) -> Floats:
    blocks = in_time(EVERY_BLOCK, kept.order)
    stack = np.repeat(table[None], TOUCHED_AT_ONCE, axis=0)
    for candidate in stack:
        for _ in range(rng.integers(1, 4)):
            swap_two(candidate[:, place], blocks, rng)
    return stack


def _missed(columns: Floats, targets: Targets, kept: Kept) -> NDArray[np.intp]:
    """Count the missed numbers of one column's hazard ratio, for candidates (k, n)."""
    coefficients, errors = fit_cox_alone(columns[:, kept.order], kept.died[kept.order])
    numbers = ratio_statistics(coefficients[:, None], errors[:, None])
    return np.asarray((~targets.met(numbers)).sum(axis=1))
