"""IL-7 before and after RT of 98 pseudo-patients: every printed number that IL-7 and ASL alone decide.

Here: that search. Not here: the patients' other columns (`models.reconstruction.columns`) or survival. Called
by `models.reconstruction.search`.
"""

from collections.abc import Generator

import numpy as np
from numpy.typing import NDArray

from models.reconstruction.annealing import Progress, Schedule, anneal
from models.reconstruction.blocks import (
    ASL_OUTCOME,
    BLOCK_SIZES,
    BY_ASL,
    BY_IL7,
    HAS_ASL,
    IS_LOW,
    N_PATIENTS,
    Rows,
    nudge,
    swap_two,
    trade,
)
from models.reconstruction.fits import fit_cox_alone, fit_logistic, paired_p, ratio_statistics, two_sample_p
from models.reconstruction.targets import Floats, Printed, Targets, pick_targets, regression_keys

PRE, POST = 0, 1
CANDIDATES = 24
STEP = 0.01
ABOUT_PRE = [0, 2, 3, 4, 12, 13, 14, 15]

KEYS = [
    ("describe", "all", "pre_rt_il7_pg_ml", "", "median"),
    ("describe", "all", "post_rt_il7_pg_ml", "", "median"),
    ("il7_by_asl", "asl", "pre_rt_il7_pg_ml", "", "mean"),
    ("il7_by_asl", "no_asl", "pre_rt_il7_pg_ml", "", "mean"),
    ("il7_by_asl", "asl_vs_no_asl", "pre_rt_il7_pg_ml", "", "p"),
    ("il7_by_asl", "asl", "delta_il7_pg_ml", "", "mean"),
    ("il7_by_asl", "no_asl", "delta_il7_pg_ml", "", "mean"),
    ("il7_by_asl", "asl_vs_no_asl", "delta_il7_pg_ml", "", "p"),
    ("il7_by_asl", "asl", "post_rt_il7_pg_ml", "", "mean"),
    ("il7_by_asl", "no_asl", "post_rt_il7_pg_ml", "", "mean"),
    ("il7_paired", "asl", "pre_vs_post_rt_il7", "", "p"),
    ("il7_paired", "no_asl", "pre_vs_post_rt_il7", "", "p"),
]


def il7_statistics(tables: Floats) -> Floats:
    """Return the numbers of `KEYS` and the univariate odds ratio's four, for a stack of (n, 2) tables."""
    pre, post = tables[:, :, PRE], tables[:, :, POST]
    delta = post - pre
    asl, rest = BY_ASL
    design = np.stack([np.ones_like(pre), pre], axis=-1)
    coefficients, errors = fit_logistic(design, ASL_OUTCOME)
    columns = [
        np.median(pre, axis=1),
        np.median(post, axis=1),
        pre[:, asl].mean(axis=1),
        pre[:, rest].mean(axis=1),
        two_sample_p(pre[:, asl], pre[:, rest]),
        delta[:, asl].mean(axis=1),
        delta[:, rest].mean(axis=1),
        two_sample_p(delta[:, asl], delta[:, rest]),
        post[:, asl].mean(axis=1),
        post[:, rest].mean(axis=1),
        paired_p(delta[:, asl]),
        paired_p(delta[:, rest]),
    ]
    return np.concatenate(
        [np.stack(columns, axis=-1), ratio_statistics(coefficients[:, 1:], errors[:, 1:])], axis=-1
    )


def youden_excess(pre: Floats, *, cutoff: float) -> Floats:
    """Return by how much another cut-off comes within 0.03 of Youden's index at `cutoff`, for pre (k, n)."""
    below = pre[:, None, :] <= pre[:, :, None]
    index = below[:, :, HAS_ASL].mean(axis=2) - below[:, :, ~HAS_ASL].mean(axis=2)
    at_cutoff = (pre <= cutoff)[:, HAS_ASL].mean(axis=1) - (pre <= cutoff)[:, ~HAS_ASL].mean(axis=1)
    is_other = np.abs(pre - 2.49) > STEP / 4
    return np.asarray(np.maximum(np.where(is_other, index, -1.0).max(axis=1) - at_cutoff + 0.015, 0.0))


def il7_targets(printed: Printed) -> Targets:
    """Return the targets of `il7_statistics`, further from the ends than others: plates blur IL-7."""
    tight = pick_targets(printed, KEYS + regression_keys("logit_asl", "univariate", ["pre_rt_il7_per_pg_ml"]))
    slack = 0.08 * (tight.high - tight.low)
    slack[:2] = 0.3 * (tight.high - tight.low)[:2]
    slack[ABOUT_PRE[1:]] = 0.0
    return Targets(low=tight.low + slack, high=tight.high - slack, scale=tight.scale, is_ratio=tight.is_ratio)


def start_il7(rng: np.random.Generator) -> Floats:
    """Draw a first (98, 2) table with the printed extremes and the two values around the cut-off in place."""
    low = np.clip(np.exp(rng.normal(0.35, 0.6, N_PATIENTS)), 0.3, 2.45)
    high = np.clip(np.exp(rng.normal(1.35, 0.3, N_PATIENTS)), 2.6, 9.0)
    pre = np.round(np.where(IS_LOW, low, high), 2)
    post = np.round(np.clip(np.exp(rng.normal(0.7, 0.55, N_PATIENTS)), 0.25, 7.0), 2)
    first_rest_high = sum(BLOCK_SIZES[:3])
    pre[[0, 3, first_rest_high, first_rest_high + 1]] = (0.24, 2.49, 2.50, 9.79)
    post[[1, first_rest_high + 1]] = (0.20, 7.33)
    return np.stack([pre, post], axis=-1)


def propose_pre(table: Floats, rng: np.random.Generator) -> Floats:
    """Propose nudges of IL-7 before RT and trades between two patients, inside the IL-7 group."""
    stack = np.repeat(table[None], CANDIDATES, axis=0)
    for candidate in stack:
        for _ in range(rng.integers(1, 3)):
            _move_pre(candidate[:, PRE], rng)
    return stack


def propose_post(table: Floats, rng: np.random.Generator) -> Floats:
    """Propose nudges, trades and swaps of IL-7 after RT."""
    stack = np.repeat(table[None], CANDIDATES, axis=0)
    for candidate in stack:
        post, rows = candidate[:, POST], BY_ASL[rng.integers(2)]
        kind = rng.integers(3)
        if kind == 0:
            nudge(post, rows, step=STEP, rng=rng, limits=(0.2, 7.33))
        elif kind == 1:
            trade(post, rows, step=STEP, rng=rng, limits=(0.2, 7.33))
        else:
            swap_two(post, BY_ASL, rng)
    return stack


def _move_pre(pre: Floats, rng: np.random.Generator) -> None:
    group = rng.integers(2)
    limits = ((0.24, 2.46), (2.53, 9.79))[group]
    rows = BY_IL7[group][np.abs(pre[BY_IL7[group]] - 2.495) > STEP]
    if rng.integers(2):
        rows = np.intersect1d(rows, BY_ASL[rng.integers(2)])
        trade(pre, rows, step=STEP, rng=rng, limits=limits)
    else:
        nudge(pre, rows, step=STEP, rng=rng, limits=limits)


def search_il7(
    printed: Printed, *, rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for IL-7 before RT, then after it: (98, 2) in pg/mL with two decimals, and the misfit."""
    targets = il7_targets(printed)
    of_pre = targets.take(ABOUT_PRE)

    def misfit_of_pre(tables: Floats, softness: float) -> Floats:
        misfit = of_pre.misfit(il7_statistics(tables)[:, ABOUT_PRE], softness=softness)
        return misfit + 30 * youden_excess(tables[:, :, PRE], cutoff=2.495)

    def misfit_of_post(tables: Floats, softness: float) -> Floats:
        return targets.misfit(il7_statistics(tables), softness=softness)

    schedule = Schedule(steps=3000)
    table, _ = yield from anneal(
        "IL-7 before RT",
        start_il7(rng),
        misfit=misfit_of_pre,
        propose=propose_pre,
        rng=rng,
        schedule=schedule,
    )
    return (
        yield from anneal(
            "IL-7 after RT", table, misfit=misfit_of_post, propose=propose_post, rng=rng, schedule=schedule
        )
    )


def search_post_il7(
    printed: Printed, *, il7: Floats, order: Rows, died: NDArray[np.bool_], rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search again for IL-7 after RT, once survival is known, with its hazard ratio."""
    hazard = regression_keys("cox_os", "univariate", ["post_rt_il7_per_pg_ml"])
    targets = il7_targets(printed) + pick_targets(printed, hazard)

    def misfit(tables: Floats, softness: float) -> Floats:
        coefficient, error = fit_cox_alone(tables[:, order, POST], died[order])
        numbers = [il7_statistics(tables), ratio_statistics(coefficient[:, None], error[:, None])]
        return targets.misfit(np.concatenate(numbers, axis=-1), softness=softness)

    schedule = Schedule(steps=3000, rounds=2, again=0.1)
    return (
        yield from anneal(
            "IL-7 and survival", il7, misfit=misfit, propose=propose_post, rng=rng, schedule=schedule
        )
    )
