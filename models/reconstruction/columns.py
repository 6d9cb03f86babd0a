"""The columns with values: age, AFP, PIVKA-II, dose, tumour size and mean liver dose.

Here: searches for values that give a column's printed description, group comparison, odds ratio and hazard
ratio. Not here: 0/1 columns (`models.reconstruction.marked`). Called by `models.reconstruction.search`.
"""

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.reconstruction.annealing import Progress, Schedule, anneal
from models.reconstruction.blocks import (
    ASL_OUTCOME,
    BY_IL7,
    EVERY_BLOCK,
    IS_LOW,
    N_PATIENTS,
    ROWS_OF_BLOCK,
    Rows,
    nudge,
    swap_two,
    trade,
)
from models.reconstruction.fits import fit_cox_alone, fit_logistic, ratio_statistics
from models.reconstruction.targets import Floats, Key, Printed, pick_targets, regression_keys
from models.reconstruction.volumes import group_statistics

CANDIDATES = 16


@dataclass(frozen=True)
class ValuedColumn:
    """A column with values: its names in tables and regressions, step, limits, a start (low, high)."""

    name: str
    regressor: str | None
    step: float
    limits: tuple[float, float]
    log_centre: tuple[float, float]
    log_spread: float
    is_described: bool = True

    def keys(self) -> list[Key]:
        """Return the keys of its targets: description, comparison and regressions, as far as printed."""
        keys: list[Key] = [("describe", "all", self.name, "", "median")] if self.is_described else []
        for group in ("il7_low", "il7_high"):
            keys += [("compare_il7_groups", group, self.name, "", statistic) for statistic in ("mean", "sd")]
        keys.append(("compare_il7_groups", "il7_low_vs_high", self.name, "", "p"))
        if self.regressor:
            keys += regression_keys("logit_asl", "univariate", [self.regressor])
            keys += regression_keys("cox_os", "univariate", [self.regressor])
        return keys


AFP = ValuedColumn("afp_ng_ml", "afp_per_ng_ml", 0.1, (1.7, 268408.0), (4.2, 4.1), 3.3)
PIVKA = ValuedColumn("pivka_ii_mau_ml", "pivka_ii_per_mau_ml", 1.0, (15.0, 75000.0), (7.2, 7.5), 2.2)
DOSE = ValuedColumn("dose_gy", "dose_per_gy", 0.1, (60.0, 100.0), (4.5, 4.5), 0.1)
SIZE = ValuedColumn("tumor_size_cm", None, 0.1, (1.3, 21.0), (1.75, 2.05), 0.65)
LIVER_DOSE = ValuedColumn("mean_liver_dose_gy", None, 0.1, (2.0, 90.0), (3.5, 3.7), 0.5, is_described=False)


def column_statistics(columns: Floats, spec: ValuedColumn, *, order: Rows, died: NDArray[np.bool_]) -> Floats:
    """Return the numbers of `spec.keys()` for a stack of columns (k, n)."""
    described = [np.median(columns, axis=1)] if spec.is_described else []
    numbers = [np.stack([*described, *group_statistics(columns)], axis=-1)]
    if spec.regressor:
        design = np.stack([np.ones_like(columns), columns], axis=-1)
        coefficients, errors = fit_logistic(design, ASL_OUTCOME)
        numbers.append(ratio_statistics(coefficients[:, 1:], errors[:, 1:]))
        coefficient, error = fit_cox_alone(columns[:, order], died[order])
        numbers.append(ratio_statistics(coefficient[:, None], error[:, None]))
    return np.concatenate(numbers, axis=-1)


def start_column(spec: ValuedColumn, rng: np.random.Generator) -> Floats:
    """Draw a first column: log-normal in each IL-7 group, the printed lowest and highest in place."""
    centre = np.where(IS_LOW, *spec.log_centre)
    drawn = np.exp(rng.normal(centre, spec.log_spread))
    inside = np.clip(drawn, spec.limits[0] + spec.step, 0.7 * spec.limits[1])
    column = np.round(inside / spec.step) * spec.step
    places = rng.choice(BY_IL7[0], 2, replace=False)
    column[places] = spec.limits
    return column


def start_dose(rng: np.random.Generator) -> Floats:
    """Draw the doses: 91 patients have 100 Gy, the others' decimals (60.4 prints as 60) are set by p."""
    column = np.full(N_PATIENTS, 100.0)
    low_asl, low_rest, high_rest = ROWS_OF_BLOCK[0], ROWS_OF_BLOCK[2], ROWS_OF_BLOCK[3]
    column[rng.choice(low_asl, 2, replace=False)] = (77.9, 82.3)
    column[rng.choice(low_rest, 4, replace=False)] = (80.7, 82.4, 73.6, 82.3)
    column[rng.choice(high_rest, 1)] = 60.4
    return column


def search_column(
    printed: Printed,
    spec: ValuedColumn,
    *,
    order: Rows,
    died: NDArray[np.bool_],
    rng: np.random.Generator,
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for one column, (98, 1)."""
    targets = pick_targets(printed, spec.keys())
    strata = EVERY_BLOCK if spec is DOSE else BY_IL7
    in_time = [order[np.isin(order, rows)] for rows in strata]

    def misfit(tables: Floats, softness: float) -> Floats:
        return targets.misfit(
            column_statistics(tables[:, :, 0], spec, order=order, died=died), softness=softness
        )

    def propose(table: Floats, rng: np.random.Generator) -> Floats:
        stack = np.repeat(table[None], CANDIDATES, axis=0)
        for candidate in stack:
            for _ in range(rng.integers(1, 3)):
                _move_value(candidate[:, 0], spec, in_time, rng=rng)
        return stack

    first = start_dose(rng) if spec is DOSE else start_column(spec, rng)
    schedule = Schedule(steps=2500, rounds=2, again=0.1, temperature=0.3)
    return (
        yield from anneal(
            spec.name, first[:, None], misfit=misfit, propose=propose, rng=rng, schedule=schedule
        )
    )


def _move_value(column: Floats, spec: ValuedColumn, in_time: list[Rows], *, rng: np.random.Generator) -> None:
    kind = 0 if spec is DOSE else rng.integers(3)
    rows = in_time[rng.integers(len(in_time))]
    if kind == 0:
        swap_two(column, in_time, rng)
    elif kind == 1:
        nudge(column, rows[column[rows] < column.max()], step=spec.step, rng=rng, limits=spec.limits)
    else:
        trade(column, rows, step=spec.step, rng=rng, limits=spec.limits)


AGE_KEYS: list[Key] = [
    ("describe", "all", "age_years", "", "median"),
    *(
        ("compare_il7_groups", group, "age_years", "", s)
        for group in ("il7_low", "il7_high")
        for s in ("mean", "sd")
    ),
    ("compare_il7_groups", "il7_low_vs_high", "age_years", "", "p"),
]


def search_age(
    printed: Printed, *, is_over_60: NDArray[np.bool_], rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for whole ages, (98, 1), on the right side of 60."""
    targets = pick_targets(printed, AGE_KEYS)
    sides = (np.flatnonzero(~is_over_60), np.flatnonzero(is_over_60))
    limits = ((33.0, 60.0), (61.0, 80.0))

    def misfit(tables: Floats, softness: float) -> Floats:
        ages = tables[:, :, 0]
        numbers = np.stack([np.median(ages, axis=1), *group_statistics(ages)], axis=-1)
        return targets.misfit(numbers, softness=softness)

    def propose(table: Floats, rng: np.random.Generator) -> Floats:
        stack = np.repeat(table[None], CANDIDATES, axis=0)
        for candidate in stack:
            side = rng.integers(2)
            if rng.integers(2):
                nudge(candidate[:, 0], sides[side], step=1.0, rng=rng, limits=limits[side])
            else:
                trade(candidate[:, 0], sides[side], step=1.0, rng=rng, limits=limits[side])
        return stack

    ages = np.where(is_over_60, rng.integers(61, 79, N_PATIENTS), rng.integers(40, 61, N_PATIENTS)).astype(
        float
    )
    ages[sides[0][0]], ages[sides[1][0]] = 33.0, 80.0
    schedule = Schedule(steps=2000, rounds=8, again=0.3, temperature=0.4)
    return (
        yield from anneal("age", ages[:, None], misfit=misfit, propose=propose, rng=rng, schedule=schedule)
    )


def order_by_volume(column: Floats, volume: Floats, *, rng: np.random.Generator) -> Floats:
    """Return the column's values dealt anew inside each IL-7 group, large to large volumes, roughly."""
    dealt = column.copy()
    for rows in BY_IL7:
        rank = np.argsort(np.log(volume[rows]) + rng.normal(0, 0.35, len(rows)))
        dealt[rows[rank]] = np.sort(column[rows])
    return dealt
