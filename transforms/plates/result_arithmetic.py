"""What the instrument's results on a plate must satisfy: rules P06 to P08.

Here: results against the printed curve, recoveries, printed limits. Not here: signals and averages
(`transforms.plates.arithmetic`, which calls this), our own results (`transforms.plates.quality`).
"""

import polars as pl

from transforms.plates.findings import PlateRule
from transforms.plates.printed_numbers import PRINTED_TOLERANCE, by_analyte, number, rounding
from transforms.xponent.reader import XponentPlate

_EXPORT_AGAIN = "Export the batch again from xPONENT and do not change it."

RESULTS = PlateRule(
    code="P06",
    rule="instrument_results_follow_from_its_coefficients",
    severity="told",
    expected="Result = dilution x inverse of the curve at Net MFI",
    remedy=_EXPORT_AGAIN + " Our own results do not depend on the instrument's.",
)
RECOVERIES = PlateRule(
    code="P07",
    rule="recoveries_follow_from_results",
    severity="told",
    expected="% Recovery = 100 x Result / expected concentration",
    remedy=_EXPORT_AGAIN,
)
LIMITS = PlateRule(
    code="P08",
    rule="printed_limits_are_those_of_the_standards",
    severity="told",
    expected="the lowest standard after '<', the highest after '>'",
    remedy="Check the standards' expected concentrations. " + _EXPORT_AGAIN,
)

_LIMIT_TOLERANCE = 1e-3


def check_results(plate: XponentPlate) -> pl.DataFrame:
    """Return what breaks P06, P07 and P08 (schema `PLATE_FINDING_SCHEMA`), one finding an analyte."""
    wells = plate.wells.with_columns(result=number(pl.col("instrument_result")))
    return pl.concat(
        [
            RESULTS.findings(_results(plate, wells)),
            RECOVERIES.findings(_recoveries(wells)),
            LIMITS.findings(_limits(plate, wells)),
        ]
    )


def _results(plate: XponentPlate, wells: pl.DataFrame) -> pl.DataFrame:
    curves = plate.curves.filter(pl.col("b") > pl.col("a")).with_columns(pl.col("f").fill_null(1.0))
    calculated = wells.join(curves, on="analyte", maintain_order="left").with_columns(
        exact=pl.col("dilution_factor") * _inverse(), side=_side(), printed_side=_printed_side()
    )
    tolerance = rounding(pl.col("result"), pl.col("exact")) + pl.col("exact").abs() * _tolerance()
    is_off = (
        pl.when(pl.col("result").is_not_null() & (pl.col("side") == "within"))
        .then((pl.col("result") - pl.col("exact")).abs() > tolerance)
        .otherwise(pl.col("side") != pl.col("printed_side"))
    )
    off = calculated.filter(is_off & (pl.col("kind") != "background"))
    return by_analyte(off, "Results that are not those of the printed curve: {}")


def _inverse() -> pl.Expr:
    """Return the concentration in the well on y = A + (B - A) / (1 + (x / C)^D)^F."""
    y, a, b, c, d, f = (pl.col(name) for name in ("net_mfi", "a", "b", "c", "d", "f"))
    # log1p and expm1, since the ratio comes close to 1 near the upper asymptote.
    log_ratio = ((b - y) / (y - a)).log1p() / f
    return c * _expm1(log_ratio).pow(1 / d)


def _expm1(x: pl.Expr) -> pl.Expr:
    # Kahan's form, polars has none of its own.
    u = x.exp()
    return pl.when(u == 1.0).then(x).otherwise((u - 1.0) * x / u.log())


def _tolerance() -> pl.Expr:
    """Return the relative tolerance of a result: wider near the asymptotes, where last digits decide."""
    y, a, b = pl.col("net_mfi"), pl.col("a"), pl.col("b")
    return PRINTED_TOLERANCE * pl.max_horizontal((b - a) / (b - y), 1.0 + a.abs() / (y - a))


def _side() -> pl.Expr:
    y = pl.col("net_mfi")
    return (
        pl.when(y <= pl.col("a"))
        .then(pl.lit("below"))
        .when(y >= pl.col("b"))
        .then(pl.lit("above"))
        .when(y.is_not_null())
        .then(pl.lit("within"))
    )


def _printed_side() -> pl.Expr:
    printed = pl.col("instrument_result")
    return (
        pl.when(printed.str.starts_with("<"))
        .then(pl.lit("below"))
        .when(printed.str.starts_with(">"))
        .then(pl.lit("above"))
        .when(pl.col("result").is_not_null())
        .then(pl.lit("within"))
    )


def _recoveries(wells: pl.DataFrame) -> pl.DataFrame:
    printed = pl.col("instrument_recovery_percent")
    exact = 100 * pl.col("result") / pl.col("expected_concentration")
    tolerance = rounding(printed, exact) * (1 + 1e-6) + PRINTED_TOLERANCE * exact.abs()
    has_both = printed.is_not_null() & (pl.col("expected_concentration") > 0)
    is_off = has_both & (pl.col("result").is_null() | ((printed - exact).abs() > tolerance))
    return by_analyte(wells.filter(is_off), "% Recovery that does not follow from the Result: {}")


def _limits(plate: XponentPlate, wells: pl.DataFrame) -> pl.DataFrame:
    above_zero = pl.col("expected_concentration").filter(pl.col("expected_concentration") > 0)
    levels = plate.standards.group_by("analyte").agg(
        lowest=above_zero.min(), highest=above_zero.max(), levels=pl.col("expected_concentration")
    )
    limit = pl.col("instrument_result").str.strip_chars("<> ").cast(pl.Float64, strict=False)
    own = pl.when(pl.col("printed_side") == "below").then("lowest").otherwise("highest")
    off = (
        wells.with_columns(printed_side=_printed_side(), limit=limit)
        .filter(pl.col("printed_side").is_in(["below", "above"]) & pl.col("limit").is_not_null())
        .join(levels, on="analyte", maintain_order="left")
        .filter(~_is_near(pl.col("limit"), own))
    )
    is_another = pl.any_horizontal(pl.col("limit").is_in(pl.col("levels")))
    strange = by_analyte(off.filter(~is_another), "a limit that is no standard's: {}")
    another = by_analyte(off.filter(is_another), "the limit of another standard: {}")
    return pl.concat(
        [
            strange.with_columns(severity=pl.lit("told")),
            another.with_columns(severity=pl.lit("note"), place=pl.lit("limits of another standard")),
        ]
    )


def _is_near(limit: pl.Expr, level: pl.Expr) -> pl.Expr:
    decimals = pl.col("instrument_result").str.extract(r"\.(\d+)").str.len_chars()
    half_digit = pl.when(decimals > 0).then(0.5 * pl.lit(10.0).pow(-decimals.cast(pl.Float64))).otherwise(0.0)
    return (limit - level).abs() <= half_digit + _LIMIT_TOLERANCE * level
