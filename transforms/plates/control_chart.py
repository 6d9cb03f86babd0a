"""Plates over time: a kit lot's controls and curves beside its guide set, for Levey-Jennings charts.

Here: the values, the guide sets and their versions, the chart, what drifts. Not here: the rules
(`transforms.plates.westgard`), drawing, storing. Called by the night after the plates are loaded.
"""

import hashlib
from collections.abc import Collection
from datetime import date

import polars as pl

from transforms.plates.replicates import FEWEST_BEADS
from transforms.plates.westgard import judge
from transforms.schemas import CONTROL_CHART, GUIDE_SETS

NO_LOT = "not given"
CONTROL = "control: "
LOWEST, MIDDLE, HIGHEST = "signal: lowest standard", "signal: middle", "signal: highest standard"
HALF_SIGNAL = "concentration: half signal"
# CLSI C24 (4th edition, 2016) wants 20 values for a mean and a standard deviation. A kit lot has few plates
# at first, so that a provisional set is made of 5 and of 10; from 20 on it stays.
GUIDE_SET_SIZES = (5, 10, 20)
# In log10, 2.3 %: closer than that, no two plates agree but by chance, and no plate is blamed for less.
LEAST_SD = 0.01
# Of log10, about two millionths: the last bits of a fit are not the same on every machine.
_HASHED_STEP = 1e-6
MOST_PLATES_SHOWN = 60

CONTROL_VALUES = pl.Schema(
    {
        name: CONTROL_CHART.polars_schema[name]
        for name in ("plate_id", "acquired_at", "kit_lot", "analyte", "quantity", "value")
    }
)
DRIFT = pl.Schema(
    {
        name: CONTROL_CHART.polars_schema[name]
        for name in ("kit_lot", "analyte", "quantity", "plate_id", "acquired_at", "z", "rules_broken")
    }
)

_CURVE = ["plate_id", "analyte"]
_LINE = ["kit_lot", "analyte", "quantity"]
_IN_TIME = ["acquired_at", "plate_id"]
_LOG_VALUE = pl.col("value").log10()
_A, _B, _C, _D, _F = (pl.col(name) for name in ("a", "b", "c", "d", "f"))


def control_values(wells: pl.DataFrame, curves: pl.DataFrame, plates: pl.DataFrame) -> pl.DataFrame:
    """Return what is followed from plate to plate (schema `CONTROL_VALUES`), by line and in time.

    'control: NAME' is the mean concentration of a control's wells (pg/mL); there is none where one of them
    has no number. The others are read off the fitted curve: its signal (net MFI) at the lowest standard, at
    the highest and at their geometric mean, and the concentration (pg/mL) whose signal is half of that at the
    highest standard. Not the coefficients, nor the half of their height: these wander on flat optima and
    where the ladder ends below the upper asymptote; over plates whose signals part by 5 %, the half height
    scatters three times as much as half of the top standard's signal.

    The ladder is the plate's own, with the standards that are excluded: leaving one out changes no quantity's
    meaning. Excluded wells, controls of fewer than 30 beads, curves that did not converge and values that are
    not above 0, which have no logarithm, are left out. Plates without a time come after the others, by their
    name; those without a kit lot are of the lot 'not given'.

    wells, curves, plates: schemas `PLATE_WELLS`, `PLATE_CURVES`, `PLATES`, of any number of plates.
    """
    lot = pl.col("kit_lot").str.strip_chars()
    known = plates.select(
        "plate_id", "acquired_at", kit_lot=pl.when(lot != "").then(lot).otherwise(pl.lit(NO_LOT))
    )
    measured = pl.concat([_of_controls(wells), _of_curves(wells, curves)])
    return (
        measured.filter(pl.col("value").is_finite() & (pl.col("value") > 0))
        .join(known, on="plate_id")
        .select(CONTROL_VALUES.names())
        .pipe(_in_time, *_LINE)
    )


def guide_sets(values: pl.DataFrame, known: pl.DataFrame, *, night: date) -> pl.DataFrame:
    """Return every version of the guide sets, the known ones and tonight's new ones (schema `GUIDE_SETS`).

    A guide set is the mean and standard deviation of log10 of a quantity over the first 5 plates of a kit lot
    in time, made anew from the first 10 and for good from the first 20. A version is never changed. Where its
    plates or their values are others now (a correction, an exclusion, a plate that came late), a version with
    the next number is made tonight; where they are the same, none, so that a night can run again.

    values: from `control_values`. known: schema `GUIDE_SETS`.
    """
    made = _made_now(values)
    newest = _newest(known).select(*_LINE, "version", former="plates_sha256")
    is_new = pl.col("plates_sha256").ne_missing(pl.col("former"))
    new = (
        made.join(newest, on=_LINE, how="left")
        .filter(is_new)
        .with_columns(version=pl.col("version").fill_null(0) + 1, made_night=pl.lit(night))
        .select(GUIDE_SETS.column_names)
    )
    return pl.concat([known.select(GUIDE_SETS.column_names), new]).sort(GUIDE_SETS.key)


def control_chart(values: pl.DataFrame, guide_sets: pl.DataFrame) -> pl.DataFrame:
    """Return each value beside its lot's newest guide set, judged (schema `CONTROL_CHART`), in time.

    z is in standard deviations of log10, none of which counts as less than `LEAST_SD`. The plates that a
    guide set was made of are judged by it too: one that lies out should be looked at, and excluded where a
    cause is known. A lot of fewer than five plates has no guide set, even where it had one before a plate of
    it was excluded.

    values: from `control_values`. guide_sets: every version, from `guide_sets`.
    """
    is_enough = pl.len().over(_LINE) >= GUIDE_SET_SIZES[0]
    newest = _newest(guide_sets).select(*_LINE, "mean", "sd", guide_version="version")
    z = (_LOG_VALUE - pl.col("mean")) / pl.max_horizontal("sd", LEAST_SD)
    points = (
        values.join(newest, on=_LINE, how="left")
        .with_columns(z=pl.when(is_enough).then(z), guide_version=pl.when(is_enough).then("guide_version"))
        .pipe(_in_time, *_LINE)
    )
    is_control = pl.col("quantity").str.starts_with(CONTROL)
    judged = judge(points, line=_LINE, run=_CURVE, is_level=is_control)
    return judged.select(CONTROL_CHART.column_names).cast(CONTROL_CHART.polars_schema)


def drift(chart: pl.DataFrame, *, plate_ids: Collection[str] | None = None) -> pl.DataFrame:
    """Return what is out of control now (schema `DRIFT`), a row for each lot, analyte and quantity.

    Of each line only its latest plate is looked at; with `plate_ids` (tonight's) the latest of these that is
    out of control. chart: from `control_chart`.
    """
    is_out = pl.col("verdict") == "out of control"
    in_time = _in_time(chart, *_LINE)
    if plate_ids is None:
        latest = in_time.group_by(_LINE, maintain_order=True).last().filter(is_out)
    else:
        tonight = in_time.filter(is_out & pl.col("plate_id").is_in(list(plate_ids)))
        latest = tonight.group_by(_LINE, maintain_order=True).last()
    return latest.select(DRIFT.names())


def newest_lot(chart: pl.DataFrame, analyte: str) -> str | None:
    """Return the kit lot of an analyte's latest plate; None where the chart has none."""
    lots = _in_time(chart.filter(pl.col("analyte") == analyte))["kit_lot"].to_list()
    return lots[-1] if lots else None


def levey_jennings_frame(chart: pl.DataFrame, analyte: str, *, kit_lot: str | None = None) -> pl.DataFrame:
    """Return the points of an analyte's Levey-Jennings charts, one chart a quantity, z over `place`.

    Columns: kit_lot, quantity, place, plate_id, acquired_at, z, rules_broken, verdict. `place` counts the
    plates in time from 1, the same for all quantities; the last 60 are shown. z is empty without a guide set.
    chart: from `control_chart`. kit_lot: this lot alone.
    """
    of_analyte = chart.filter(pl.col("analyte") == analyte)
    shown = of_analyte if kit_lot is None else of_analyte.filter(pl.col("kit_lot") == kit_lot)
    last = (
        _in_time(shown.select(_IN_TIME).unique())
        .with_row_index("place", offset=1)
        .tail(MOST_PLATES_SHOWN)
        .select("plate_id", pl.col("place").cast(pl.Int64))
    )
    columns = ("kit_lot", "quantity", "place", "plate_id", "acquired_at", "z", "rules_broken", "verdict")
    return shown.join(last, on="plate_id").select(columns).sort("quantity", "place")


def _of_controls(wells: pl.DataFrame) -> pl.DataFrame:
    is_used = (pl.col("kind") == "control") & ~pl.col("is_excluded") & (pl.col("n_beads") >= FEWEST_BEADS)
    name = pl.col("sample").str.strip_chars().str.replace_all(r"\s+", " ")
    concentration = pl.col("concentration_pg_ml")
    return (
        wells.filter(is_used)
        .group_by(*_CURVE, quantity=CONTROL + name, maintain_order=True)
        # A control that lies partly out of the range has no mean; a half of it would look like a recovery.
        .agg(value=pl.when(concentration.is_not_null().all()).then(concentration.mean()))
    )


def _of_curves(wells: pl.DataFrame, curves: pl.DataFrame) -> pl.DataFrame:
    top = _signal(pl.col("highest"))
    quantities = {
        LOWEST: _signal(pl.col("lowest")),
        MIDDLE: _signal((pl.col("lowest") * pl.col("highest")).sqrt()),
        HIGHEST: top,
        HALF_SIGNAL: _concentration(top / 2),
    }
    return (
        curves.filter("converged")
        .join(_ladders(wells), on=_CURVE)
        .select(*_CURVE, **quantities)
        .unpivot(index=_CURVE, variable_name="quantity", value_name="value")
    )


def _ladders(wells: pl.DataFrame) -> pl.DataFrame:
    expected = pl.col("expected_pg_ml")
    return (
        wells.filter((pl.col("kind") == "standard") & (expected > 0))
        .group_by(_CURVE)
        .agg(lowest=expected.min(), highest=expected.max(), is_excluded=pl.col("is_excluded").all())
        .filter(~pl.col("is_excluded"))
        .drop("is_excluded")
    )


def _signal(x: pl.Expr) -> pl.Expr:
    return _A + (_B - _A) / (1 + (x / _C).pow(_D)).pow(_F)


def _concentration(y: pl.Expr) -> pl.Expr:
    return _C * (((_B - _A) / (y - _A)).pow(1 / _F) - 1).pow(1 / _D)


def _made_now(values: pl.DataFrame) -> pl.DataFrame:
    """Return the guide set that each line's plates give now, where they are enough."""
    n = pl.len().over(_LINE)
    size = pl.max_horizontal(pl.when(n >= size).then(size) for size in GUIDE_SET_SIZES)
    content = pl.concat_str("plate_id", _log_as_written(), separator=" ")
    return (
        _in_time(values, *_LINE)
        .filter(pl.int_range(pl.len()).over(_LINE) < size)
        .group_by(_LINE, maintain_order=True)
        .agg(
            n_plates=pl.len().cast(pl.Int64),
            mean=_LOG_VALUE.mean(),
            sd=_LOG_VALUE.std(),
            plates_sha256=content.str.join("\n"),
        )
        .with_columns(pl.col("plates_sha256").map_elements(_sha256, return_dtype=pl.String))
    )


def _log_as_written() -> pl.Expr:
    # Whole numbers: no two versions of polars write them differently.
    return (_LOG_VALUE / _HASHED_STEP).round().cast(pl.Int64).cast(pl.String)


def _sha256(content: str) -> str:
    return hashlib.sha256(content.encode()).hexdigest()


def _in_time(frame: pl.DataFrame, *by: str) -> pl.DataFrame:
    return frame.sort(*by, *_IN_TIME, nulls_last=True)


def _newest(sets: pl.DataFrame) -> pl.DataFrame:
    return sets.sort("version").group_by(_LINE, maintain_order=True).last()
