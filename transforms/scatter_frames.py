"""What scatter and box plots are drawn from: cells and quartiles, so that no figure grows with the patients.

Here: cells that stand for patients, quartiles, the least-squares line. Not here: tests (`models`), drawing
(`flows.drawing`). Called by `flows.report.il7_course_figures`. A dot stands for a cell, never for a value
that could be read off to its last digit.
"""

from dataclasses import dataclass

import polars as pl

from transforms.figure_frames import ASL_GROUP

MOST_DOTS = 2000
# Cells along an axis: a dot's own width while patients are few, a square that can be seen when they are many.
FINE, COARSE = 160, 40
# Share of the patients beyond an axis' end, where they are many.
TAIL = 0.001


@dataclass(frozen=True)
class Scatter:
    """Pairs as cells: x, y (their middles), n (patients); `line` is (x, y) at both ends, none without spread.

    `width` and `height` are a cell's; `is_binned` where there are too many patients for dots.
    """

    cells: pl.DataFrame
    n: int
    width: float = 1.0
    height: float = 1.0
    is_binned: bool = False
    line: tuple[tuple[float, float], ...] = ()

    @property
    def most(self) -> int:
        """Patients in the fullest cell."""
        return max(self.cells["n"].to_list(), default=0)


@dataclass(frozen=True)
class Boxes:
    """Quartiles (group, n, low, q1, median, q3, high), and `points` (group, value, n) where they are few."""

    boxes: pl.DataFrame
    points: pl.DataFrame


def scatter(cohort: pl.DataFrame, *, x: str, y: str) -> Scatter:
    """Return two columns of the cohort as cells of a scatter plot, of the patients who have both."""
    # Sorted, so that the last bits of the sums do not depend on the order of the patients.
    pairs = cohort.select(x=pl.col(x).cast(pl.Float64), y=pl.col(y).cast(pl.Float64))
    pairs = pairs.fill_nan(None).drop_nulls().sort("x", "y")
    if pairs.is_empty():
        return Scatter(pairs.with_columns(n=pl.lit(0)), n=0)
    is_binned = pairs.height > MOST_DOTS
    steps = COARSE if is_binned else FINE
    ends = {name: _ends(pairs[name], is_binned=is_binned) for name in ("x", "y")}
    sizes = {name: (high - low) / steps for name, (low, high) in ends.items()}
    cells = (
        pairs.select(_middle(name, ends[name][0], size, steps=steps) for name, size in sizes.items())
        .group_by("x", "y")
        .agg(n=pl.len())
        .sort("x", "y")
    )
    line = _least_squares(pairs, *ends["x"])
    return Scatter(cells, pairs.height, sizes["x"], sizes["y"], is_binned=is_binned, line=line)


def _ends(values: pl.Series, *, is_binned: bool) -> tuple[float, float]:
    tail = TAIL if is_binned else 0.0
    low, high = (float(values.quantile(share, "nearest") or 0.0) for share in (tail, 1 - tail))
    return (low, high) if high > low else (low - 0.5, high + 0.5)


def _middle(name: str, low: float, size: float, *, steps: int) -> pl.Expr:
    place = ((pl.col(name) - low) / size).floor().clip(0, steps - 1)
    return ((place + 0.5) * size + low).alias(name)


def _least_squares(pairs: pl.DataFrame, low: float, high: float) -> tuple[tuple[float, float], ...]:
    """Both ends of the line of y on x; none where x does not vary."""
    mean_x, mean_y = (float(pairs[name].sum()) / pairs.height for name in ("x", "y"))
    across, up = pairs["x"] - mean_x, pairs["y"] - mean_y
    spread = float((across**2).sum())
    if pairs.height < 3 or spread <= 1e-12 * max(1.0, mean_x**2):
        return ()
    slope = float((across * up).sum()) / spread
    return tuple((x, mean_y + slope * (x - mean_x)) for x in (low, high))


def box_il7_by_asl(cohort: pl.DataFrame) -> Boxes:
    """Return IL-7 before RT (pg/mL) by group (asl, no_asl)."""
    values = cohort.select(group=ASL_GROUP, value=pl.col("pre_rt_il7_pg_ml").fill_nan(None)).drop_nulls()
    return box_by_group(values)


def box_by_group(values: pl.DataFrame) -> Boxes:
    """Return quartiles, points, and whiskers to 1.5 interquartile ranges (Tukey) of group, value."""
    value, quartiles = pl.col("value"), {"q1": 0.25, "median": 0.5, "q3": 0.75}
    by_quartile = values.group_by("group").agg(
        n=pl.len(), **{name: value.quantile(share, "linear") for name, share in quartiles.items()}
    )
    reach = 1.5 * (pl.col("q3") - pl.col("q1"))
    whiskers = (
        values.join(by_quartile, on="group")
        .group_by("group")
        .agg(
            low=value.filter(value >= pl.col("q1") - reach).min(),
            high=value.filter(value <= pl.col("q3") + reach).max(),
        )
    )
    boxes = by_quartile.join(whiskers, on="group").sort("group")
    columns = ("group", "n", "low", "q1", "median", "q3", "high")
    return Boxes(boxes.select(columns), _points(values))


def _points(values: pl.DataFrame) -> pl.DataFrame:
    if values.is_empty() or values.height > MOST_DOTS:
        return pl.DataFrame(schema={"group": pl.String, "value": pl.Float64, "n": pl.UInt32})
    low, high = _ends(values["value"], is_binned=False)
    size = (high - low) / (FINE / 2)
    return (
        values.select("group", _middle("value", low, size, steps=FINE // 2))
        .group_by("group", "value")
        .agg(n=pl.len())
        .sort("group", "value")
    )
