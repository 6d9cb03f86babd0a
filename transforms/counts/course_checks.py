"""Measures of blood counts against the rest of a patient's course: slips of unit and decimal mark, disputes.

Here: the measures. Not here: the rules that look at them (`expectations.rules_plausibility`), ranges of
single values (`expectations.rules_courses`). From 5 to below 200 cells/uL a count is never judged by its
course: low is the finding. Called by `flows.steps` before the courses are derived.
"""

import polars as pl

from transforms.clinical import ASL_BELOW_CELLS_PER_UL
from transforms.counts.codes import LEUKOCYTES, LYMPHOCYTE_PERCENT
from transforms.schemas import PATIENT_KEY

# A fall to a thirtieth within weeks is real under RT; counts below this are a fraction of that again.
LEAST_CELLS_PER_UL = 5.0
A_THOUSANDTH_IS_BELOW = 1 / 100
# Of simulated courses no weekly count is above twice its neighbours, hardly one after RT above six times; a
# lost decimal mark makes ten times. tests/transforms/test_course_checks.py holds the rates.
TIMES_BOTH_NEAR, TIMES_THEIR_MEAN_NEAR = 3.0, 6.0
TIMES_BOTH_FAR = 7.0
TIMES_LAST_TWO, TIMES_NEXT = 5.0, 2.0
TIMES_USUAL = 8.0
HIGHEST_USUAL_CELLS_PER_UL = 5000.0
NEAR_DAYS, BESIDE_DAYS = 14.0, 45.0
LEAST_LEUKOCYTES_PER_UL = 100.0
# What a count printed as 0.1 x 10*3/uL may be off by rounding.
ROUNDING_CELLS_PER_UL = 50.0
SAME_BLOOD = 0.10
DAYS_AFTER_DEATH = 1

MEASURES = pl.Schema(
    {
        name: pl.Boolean()
        for name in (
            "is_no_percentage",
            "is_within_leukocytes",
            "is_no_thousandth",
            "is_not_many_times_its_neighbours",
            "is_drawn_in_life",
            "is_undisputed",
        )
    }
)
_SIDES = ("before", "after")
_DRAW = (*PATIENT_KEY, "collected_at")
_tlc = pl.col("tlc_cells_per_ul")
_IS_LIMIT = pl.col("comparator").is_in(["<", "<="]).fill_null(value=False)
_IS_DERIVED = (pl.col("method") == "derived").fill_null(value=False)


def judge_courses(counts: pl.DataFrame, parts: pl.DataFrame, *, follow_up: pl.DataFrame) -> pl.DataFrame:
    """Add the columns of `MEASURES` to the counts: true where a count is in order, null where nothing tells.

    counts: rows of `COUNTS`, measured and derived, further columns pass through; parts: rows of
    `COUNT_PARTS`; follow_up: rows of `FOLLOW_UP`. Rows and their order stay. A verdict is of what is known:
    a count that stands alone against its past is taken back once a later one confirms it.
    """
    single = (
        counts.with_row_index("_row")
        .join(_samples(parts), on=_DRAW, how="left", maintain_order="left")
        .with_columns(is_no_percentage=_is_no_percentage(), is_no_fraction=_is_no_fraction())
    )
    beside = _with_neighbours(single).with_columns(
        is_no_thousandth=pl.col("is_no_fraction") & ~_is_a_thousandth(),
        is_not_many_times_its_neighbours=pl.when(~_IS_LIMIT).then(~_is_many_times()),
        is_within_leukocytes=_is_within_leukocytes() | _is_confirmed_low(),
    )
    judged = _with_disputes(beside).pipe(_with_deaths, follow_up)
    return judged.sort("_row").select(*counts.columns, *MEASURES)


def _samples(parts: pl.DataFrame) -> pl.DataFrame:
    """Leukocytes and lymphocyte percentages by draw; of several leukocytes the highest accuses least."""
    amount, part = pl.col("amount"), pl.col("part")
    return parts.group_by(_DRAW).agg(
        leukocytes=amount.filter(part == LEUKOCYTES).max(),
        percentages=amount.filter(part == LYMPHOCYTE_PERCENT).round(1),
    )


def _is_no_percentage() -> pl.Expr:
    """A count that reads as the percentage of its sample, unless the leukocytes say that it is both."""
    reads_so = pl.col("percentages").list.contains(pl.col("value").round(1)) & (pl.col("value") >= 1)
    of_leukocytes = pl.col("leukocytes") * pl.col("value") / 100
    is_both = (_tlc / of_leukocytes).is_between(1 / 1.5, 1.5).fill_null(value=False)
    return pl.when(~_IS_DERIVED).then(~reads_so | is_both)


def _is_no_fraction() -> pl.Expr:
    """Analysers count whole cells: 0.35 cells/uL is 0.35 x 10*3/uL; so are leukocytes below 50 cells/uL."""
    is_tiny = (_tlc > 0) & (_tlc < LEAST_CELLS_PER_UL) & ~_IS_LIMIT
    of_no_leukocytes = (pl.col("leukocytes") < LEAST_LEUKOCYTES_PER_UL / 2).fill_null(value=False)
    return ~(is_tiny & pl.when(_IS_DERIVED).then(of_no_leukocytes).otherwise(_tlc != _tlc.round(0)))


def _with_neighbours(counts: pl.DataFrame) -> pl.DataFrame:
    """Add two draws before and two after each count, in cells/uL and days away, and the usual count."""
    is_sound = pl.col("is_no_fraction") & pl.col("is_no_percentage").fill_null(value=True)
    cells = pl.when(is_sound & (_tlc >= LEAST_CELLS_PER_UL)).then(_tlc)
    draws = (
        counts.select(*_DRAW, cells=cells)
        .group_by(_DRAW)
        .agg(pl.col("cells").min())
        .sort(_DRAW)
        .with_columns(at=pl.col("collected_at"))
    )
    sound = draws.filter(pl.col("cells").is_not_null())
    usual = pl.col("cells").filter(pl.col("cells") <= HIGHEST_USUAL_CELLS_PER_UL).median()
    beside = draws.join(sound.group_by(PATIENT_KEY).agg(usual=usual), on=PATIENT_KEY, how="left")
    for side, step in zip(_SIDES, (1, -1), strict=True):
        names = {name: f"{side}_{name}" for name in ("cells", "at", "cells_2", "at_2")}
        second = pl.col("cells", "at").shift(step).over(PATIENT_KEY).name.suffix("_2")
        nearest = sound.with_columns(second).rename(names)
        beside = beside.join(nearest, on=_DRAW, how="left").sort(_DRAW)
        filled = pl.col(*names.values())
        filled = filled.forward_fill() if step > 0 else filled.backward_fill()
        days = (pl.col(f"{side}_at", f"{side}_at_2") - pl.col("collected_at")).dt.total_hours().abs() / 24
        beside = beside.with_columns(filled.shift(step).over(PATIENT_KEY)).with_columns(days)
    return counts.join(beside.drop("cells", "at"), on=_DRAW, how="left", maintain_order="left")


def _beside(side: str, *, number: str = "") -> pl.Expr:
    return pl.when(pl.col(f"{side}_at{number}") <= BESIDE_DAYS).then(pl.col(f"{side}_cells{number}"))


def _is_a_thousandth() -> pl.Expr:
    """A count of 1 to 4 cells/uL between two that are a hundred times higher or more."""
    is_tiny = (_tlc > 0) & (_tlc < LEAST_CELLS_PER_UL) & ~_IS_LIMIT
    lower = pl.min_horizontal(_both(_beside("before"), _beside("after")))
    return is_tiny & (_tlc <= lower * A_THOUSANDTH_IS_BELOW).fill_null(value=False)


def _both(one: pl.Expr, other: pl.Expr) -> list[pl.Expr]:
    are_there = one.is_not_null() & other.is_not_null()
    return [pl.when(are_there).then(one), pl.when(are_there).then(other)]


def _is_many_times() -> pl.Expr:
    """Many times the counts on both sides, or the last two before it, or a usual count of that patient."""
    before, after = (pl.min_horizontal(_beside(side), _beside(side, number="_2")) for side in _SIDES)
    higher = pl.max_horizontal(_both(before, after)).clip(ROUNDING_CELLS_PER_UL)
    mean = (before * after).sqrt().clip(ROUNDING_CELLS_PER_UL)
    are_near = (pl.col("before_at") <= NEAR_DAYS) & (pl.col("after_at") <= NEAR_DAYS)
    last_two = pl.max_horizontal("before_cells", "before_cells_2").clip(ROUNDING_CELLS_PER_UL)
    is_fresh = (pl.col("before_at_2") <= NEAR_DAYS) & (pl.col("after_at") > NEAR_DAYS).fill_null(value=True)
    is_above_next = (_tlc >= TIMES_NEXT * _beside("after")).fill_null(value=True)
    stands_out = (
        are_near & (_tlc >= TIMES_BOTH_NEAR * higher) & (_tlc >= TIMES_THEIR_MEAN_NEAR * mean),
        _tlc >= TIMES_BOTH_FAR * higher,
        is_fresh & is_above_next & (_tlc >= TIMES_LAST_TWO * last_two),
        (_tlc > HIGHEST_USUAL_CELLS_PER_UL) & (_tlc >= TIMES_USUAL * pl.col("usual")),
    )
    return pl.any_horizontal(one.fill_null(value=False) for one in stands_out)


def _is_within_leukocytes() -> pl.Expr:
    """Below 200 it is severe whichever of the two is right; leukocytes below 100 are in doubt themselves."""
    leukocytes = pl.col("leukocytes")
    is_possible = _tlc <= leukocytes + ROUNDING_CELLS_PER_UL
    return pl.when(leukocytes >= LEAST_LEUKOCYTES_PER_UL).then(is_possible | (_tlc < ASL_BELOW_CELLS_PER_UL))


def _is_confirmed_low() -> pl.Expr:
    """Grade 3 or worse, between two counts that are so too and no more than three times higher or lower."""
    sides = [_beside(side) for side in _SIDES]
    agrees = [(side < 500) & (side / _tlc).is_between(1 / 3, 3) for side in sides]
    return ((_tlc < 500) & pl.all_horizontal(agrees)).fill_null(value=False)


def _with_disputes(counts: pl.DataFrame) -> pl.DataFrame:
    """Judge the values of one moment that broke no other rule: corrected before final before preliminary."""
    is_sound = pl.all_horizontal(pl.col(name).fill_null(value=True) for name in _OF_THE_VALUE)
    best = (
        counts.filter(is_sound)
        .select(*_DRAW, _tlc, rank=_RANK)
        .with_columns(best_rank=pl.col("rank").min().over(_DRAW))
        .filter(pl.col("rank") == pl.col("best_rank"))
    )
    spans = best.group_by(_DRAW).agg(rank=pl.col("rank").first(), low=_tlc.min(), high=_tlc.max())
    return counts.join(spans, on=_DRAW, how="left", maintain_order="left").with_columns(
        is_undisputed=pl.when(is_sound).then(_is_undisputed())
    )


_RANK = (
    pl.when(_IS_DERIVED)
    .then(3)
    .otherwise(pl.col("status").replace_strict({"corrected": 0, "amended": 0, "preliminary": 2}, default=1))
)
_OF_THE_VALUE = (
    "is_no_percentage",
    "is_within_leukocytes",
    "is_no_thousandth",
    "is_not_many_times_its_neighbours",
)


def _is_undisputed() -> pl.Expr:
    """Values of the best rank agree, or all are below 200; one of a lower rank agrees with them all."""
    low, high = pl.col("low"), pl.col("high")
    slack = (high * SAME_BLOOD).clip(ROUNDING_CELLS_PER_UL)
    agree = (high - low <= slack) | (high < ASL_BELOW_CELLS_PER_UL)
    is_near = pl.max_horizontal(_tlc - low, high - _tlc) <= slack
    return pl.when(pl.col("rank") == _RANK).then(agree | _is_confirmed_low()).otherwise(is_near)


def _with_deaths(counts: pl.DataFrame, follow_up: pl.DataFrame) -> pl.DataFrame:
    """One draw after death has a wrong date; draws of several days tell of a wrong day of death."""
    is_late = pl.col("collected_on") > pl.col("death_date").dt.offset_by(f"{DAYS_AFTER_DEATH}d")
    late_day = pl.when(is_late).then(pl.col("collected_on"))
    n_late_days = late_day.drop_nulls().n_unique().over(PATIENT_KEY)
    return counts.join(
        follow_up.select(*PATIENT_KEY, "death_date"), on=PATIENT_KEY, how="left", maintain_order="left"
    ).with_columns(is_drawn_in_life=~is_late | (n_late_days > 1))
