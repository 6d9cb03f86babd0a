"""Baseline lymphopenia, hepatitis and planning target volume.

With IL-7 they are the multivariate model of ASL.

Here: that search, given IL-7. Not here: the columns that backward elimination leaves out
(`models.reconstruction.columns`). Called by `models.reconstruction.search`.
"""

from collections.abc import Generator

import numpy as np

from models.reconstruction.annealing import Progress, Schedule, anneal
from models.reconstruction.blocks import (
    ASL_OUTCOME,
    BY_ASL,
    BY_IL7,
    EVERY_BLOCK,
    HAS_ASL,
    IS_LOW,
    N_PATIENTS,
    nudge,
    swap_four,
    swap_two,
    trade,
)
from models.reconstruction.fits import fit_logistic, ratio_statistics, two_sample_p
from models.reconstruction.targets import Floats, Printed, Targets, pick_targets, regression_keys

LYMPHOPENIA, HEPATITIS, VOLUME = 0, 1, 2
CANDIDATES = 32
VOLUME_RANGE = (37.0, 5156.0)
# Exposed patients in each block; by ASL and by IL-7 group they are the printed margins.
LYMPHOPENIA_OF_ASL = (33, 15)
HEPATITIS_OF_BLOCK = (25, 8, 20, 24)

KEYS = [
    ("describe", "all", "ptv_cm3", "", "median"),
    ("compare_il7_groups", "il7_low", "ptv_cm3", "", "mean"),
    ("compare_il7_groups", "il7_low", "ptv_cm3", "", "sd"),
    ("compare_il7_groups", "il7_high", "ptv_cm3", "", "mean"),
    ("compare_il7_groups", "il7_high", "ptv_cm3", "", "sd"),
    ("compare_il7_groups", "il7_low_vs_high", "ptv_cm3", "", "p"),
    *regression_keys("logit_asl", "univariate", ["ptv_per_100_cm3"]),
    *regression_keys(
        "logit_asl",
        "multivariate",
        ["baseline_lymphopenia", "hepatitis_viral", "ptv_per_100_cm3", "pre_rt_il7_per_pg_ml"],
    ),
]


def group_statistics(column: Floats) -> list[Floats]:
    """Return mean and standard deviation of the low, then the high IL-7 group, and Student's p.

    Takes columns (k, n).
    """
    low, high = (column[:, rows] for rows in BY_IL7)
    return [
        low.mean(axis=1),
        low.std(axis=1, ddof=1),
        high.mean(axis=1),
        high.std(axis=1, ddof=1),
        two_sample_p(low, high),
    ]


def volume_statistics(tables: Floats, pre_il7: Floats) -> Floats:
    """Return the numbers of `KEYS` for a stack of (n, 3) tables beside IL-7 before RT (n,)."""
    volume = tables[:, :, VOLUME]
    ones = np.ones_like(volume)
    pre = np.broadcast_to(pre_il7, volume.shape)
    alone = fit_logistic(np.stack([ones, volume / 100], axis=-1), ASL_OUTCOME)
    together = fit_logistic(
        np.stack([ones, tables[:, :, LYMPHOPENIA], tables[:, :, HEPATITIS], volume / 100, pre], axis=-1),
        ASL_OUTCOME,
    )
    described = np.stack([np.median(volume, axis=1), *group_statistics(volume)], axis=-1)
    regressions = [ratio_statistics(fit[0][:, 1:], fit[1][:, 1:]) for fit in (alone, together)]
    return np.concatenate([described, *regressions], axis=-1)


def start_volumes(rng: np.random.Generator) -> Floats:
    """Draw a first (98, 3) table with the printed margins and the printed smallest and largest volume."""
    lymphopenia, hepatitis = np.zeros(N_PATIENTS), np.zeros(N_PATIENTS)
    for rows, n in zip(BY_ASL, LYMPHOPENIA_OF_ASL, strict=True):
        lymphopenia[rng.choice(rows, n, replace=False)] = 1.0
    for rows, n in zip(EVERY_BLOCK, HEPATITIS_OF_BLOCK, strict=True):
        hepatitis[rng.choice(rows, n, replace=False)] = 1.0
    centre = np.log(420.0) + 0.9 * HAS_ASL + 0.5 * ~IS_LOW
    volume = np.round(np.clip(np.exp(rng.normal(centre, 0.9)), 60, 4800))
    volume[2], volume[-3] = VOLUME_RANGE[::-1]
    return np.stack([lymphopenia, hepatitis, volume], axis=-1)


def propose_volumes(table: Floats, rng: np.random.Generator) -> Floats:
    """Propose swaps of each column that keep its margins, and nudges and trades of volume."""
    stack = np.repeat(table[None], CANDIDATES, axis=0)
    for candidate in stack:
        for _ in range(rng.integers(1, 3)):
            _move(candidate, rng)
    return stack


def _move(candidate: Floats, rng: np.random.Generator) -> None:
    volume, kind = candidate[:, VOLUME], rng.integers(8)
    if kind == 0:
        swap_two(candidate[:, LYMPHOPENIA], BY_ASL, rng)
    elif kind == 1:
        swap_two(candidate[:, HEPATITIS], EVERY_BLOCK, rng)
    elif kind == 2:
        swap_four(candidate[:, HEPATITIS], rng)
    elif kind == 3:
        swap_two(volume, BY_IL7, rng)
    elif kind <= 5:
        nudge(volume, np.arange(N_PATIENTS), step=1.0, rng=rng, limits=VOLUME_RANGE)
    else:
        trade(volume, BY_IL7[rng.integers(2)], step=1.0, rng=rng, limits=VOLUME_RANGE)


def search_volumes(
    printed: Printed, *, il7: Floats, rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for lymphopenia, hepatitis and volume, (98, 3), beside `il7` (98, 2)."""
    targets = pick_targets(printed, KEYS)

    def misfit(tables: Floats, softness: float) -> Floats:
        return targets.misfit(volume_statistics(tables, il7[:, 0]), softness=softness)

    schedule = Schedule(steps=8000, rounds=3, again=0.1, temperature=0.3)
    return (
        yield from anneal(
            "model of ASL",
            start_volumes(rng),
            misfit=misfit,
            propose=propose_volumes,
            rng=rng,
            schedule=schedule,
        )
    )


def volume_targets(printed: Printed, *, margin: float) -> Targets:
    """Return the targets of `volume_statistics`, that share of an interval away from its ends."""
    return pick_targets(printed, KEYS, margin=margin)
