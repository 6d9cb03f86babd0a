"""Standard curves by the instrument's rule, and the concentrations that they give.

Here: wells in, curves and concentrations out, for all analytes of any number of plates at once. Not here: net
medians, units and replicates (`transforms.plates.wells`), the numbers behind (the modules beside this one).
Called by `models.curves.measured_plates` and, for what an instrument would have printed, by the simulator.
"""

from dataclasses import replace

import numpy as np
import polars as pl

from models.curves.descent import Levels
from models.curves.fit import CURVES_AT_ONCE, fit_curves, levels_of, padded
from models.curves.logistic import COEFFICIENTS, Floats, inverse
from models.curves.quantification import limits_of_quantification
from models.curves.uncertainty import Scatter, interval, scatter_of
from transforms import schemas
from transforms.plates.replicates import FEWEST_BEADS
from transforms.plates.wells import tidy_wells
from transforms.xponent.export import ExportCurve, ExportPlate, write_xponent
from transforms.xponent.reader import parse_xponent, standard_analyte_name

FIVE_PARAMETERS = "five-parameter logistic, weights 1/y^2"
FOUR_PARAMETERS = "four-parameter logistic, weights 1/y^2"
# A curve of p parameters through fewer than p levels is not one curve but many. With p levels it is one; the
# instrument fits it too, and the replicates still tell the scatter.
FEWEST_LEVELS, FEWEST_LEVELS_OF_FOUR = 5, 4

_KEY = ["plate_id", "analyte"]
_IS_FITTED = (
    (pl.col("kind") == "standard")
    & pl.col("expected_pg_ml").is_not_null()
    & pl.col("net_mfi").is_not_null()
    & ~pl.col("is_excluded").fill_null(value=False)
)
_SIGNAL, _WEIGHT = pl.col("net_mfi"), pl.col("weight")
# The instrument's rule. A signal that is 0 but for the rounding of the background's mean is 0.
_INSTRUMENTS_WEIGHT = pl.when(_SIGNAL.abs() < 1e-9).then(1.0).otherwise(1 / _SIGNAL**2)
_EXACT_ENOUGH = 1e-12
_FIT_FRAME = pl.Schema(
    {
        **dict.fromkeys(_KEY, pl.String()),
        "model": pl.String(),
        **dict.fromkeys([*COEFFICIENTS, "r_squared"], pl.Float64()),
        **dict.fromkeys(["is_flat", "rises", "is_extreme"], pl.Boolean()),
    }
)


def fit_standard_curves(wells: pl.DataFrame) -> pl.DataFrame:
    """Return one curve for each plate and analyte, `y = A + (B - A) / (1 + (x / C)^D)^F` with D below zero.

    The rule is the instrument's: weighted least squares over the single standard wells on net MFI, weight
    1 / y^2, and 1 where y is 0. It gives the coefficients that xPONENT prints, save where the optimum is so
    flat that the instrument stops short of it. Wells of few beads are fitted too, as the instrument does; the
    note counts them. Excluded wells are not fitted. Where five parameters do not converge, or the standards
    have only four levels, F is 1: `model` and `note` say so.

    wells: schema `transforms.plates.wells.TIDY_WELLS`, of any number of plates; their standards are fitted.
    Returns schema `schemas.PLATE_CURVES`. Where there is no curve to use, `converged` is false, the
    coefficients are empty and `note` says why. R squared is the weighted one.
    """
    standards = wells.filter(_IS_FITTED).with_columns(weight=_INSTRUMENTS_WEIGHT)
    about = _about_curves(wells, standards)
    five = _fit(about.filter(pl.col("reason").is_null(), pl.col("n_all_levels") >= FEWEST_LEVELS), standards)
    without = about.filter(pl.col("reason").is_null()).join(five.filter("is_flat"), on=_KEY, how="anti")
    four = _fit(without, standards, has_asymmetry=False)
    fitted = pl.concat([five.join(four, on=_KEY, how="anti"), four])
    curves = (
        about.join(fitted, on=_KEY, how="left", maintain_order="left")
        .with_columns(
            pl.col("model").fill_null(FIVE_PARAMETERS),
            converged=(pl.col("is_flat") & pl.col("rises")).fill_null(value=False),
            note=_note(),
        )
        .with_columns(pl.when("converged").then(pl.col(*COEFFICIENTS, "r_squared")))
    )
    limits = limits_of_quantification(curves.filter("converged").select(*_KEY, *COEFFICIENTS), standards)
    return (
        curves.join(limits, on=_KEY, how="left", maintain_order="left")
        .with_columns(pl.col("n_levels_accepted").fill_null(0), pl.col("is_accepted").fill_null(value=False))
        .select(schemas.PLATE_CURVES.column_names)
    )


def concentrations(curves: pl.DataFrame, wells: pl.DataFrame) -> pl.DataFrame:
    """Return the wells with what the curves say of them filled in (schema `schemas.PLATE_WELLS`).

    The concentration is the dilution factor times the inverse of the curve. `range` is 'below' where the
    signal is at or under the lower asymptote and 'above' where it is at or over the upper one; these have no
    concentration but a limit: the lowest standard above zero or the highest, times the dilution factor. It is
    'extrapolated' where the concentration in the well lies outside these standards, else 'within'. A
    background well and a well without a median or without a curve have none of these.

    The confidence limits (95 %) are empty where the fit leaves no degree of freedom; an end that is not
    finite is empty. `difference_percent` is empty where the instrument gave no number above zero.

    curves: from `fit_standard_curves`. wells: schema `transforms.plates.wells.TIDY_WELLS`.
    """
    usable = curves.filter("converged").with_row_index("curve")
    about = usable.select(*_KEY, "curve", *COEFFICIENTS, "lowest_standard_pg_ml", "highest_standard_pg_ml")
    joined = wells.join(about, on=_KEY, how="left", maintain_order="left")
    signals = joined["net_mfi"].to_numpy()
    in_well = inverse(signals, joined.select(COEFFICIENTS).to_numpy())
    in_well[(joined["kind"] == "background").fill_null(value=False).to_numpy()] = np.nan
    low, high = _intervals(joined, in_well, _scatter(usable, wells))
    number = pl.when(pl.col("range").is_in(["within", "extrapolated"]))
    ours, instruments = pl.col("concentration_pg_ml"), pl.col("instrument_pg_ml")
    return (
        joined.with_columns(
            in_well=pl.Series(in_well, nan_to_null=True), low=pl.Series(low), high=pl.Series(high)
        )
        .with_columns(range=_range())
        .with_columns(
            limit_pg_ml=_limit() * pl.col("dilution_factor"),
            concentration_pg_ml=number.then(pl.col("in_well") * pl.col("dilution_factor")),
            concentration_low_pg_ml=_finite(pl.col("low") * pl.col("dilution_factor")),
            concentration_high_pg_ml=_finite(pl.col("high") * pl.col("dilution_factor")),
        )
        .with_columns(difference_percent=pl.when(instruments > 0).then(100 * (ours / instruments - 1)))
        .select(schemas.PLATE_WELLS.column_names)
    )


def with_instrument_results(plate: ExportPlate) -> ExportPlate:
    """Return a plate in pg/mL with the results and coefficients that the instrument would print.

    The limits of the range are printed as the instrument does: not multiplied by the dilution.

    Raises:
        ValueError: where the standards of an analyte give no curve.
    """
    wells = tidy_wells(parse_xponent(write_xponent(replace(plate, curves=()))), plate_id=plate.batch)
    curves = fit_standard_curves(wells)
    if not curves["converged"].all():
        raise ValueError(f"plate {plate.batch}: {'; '.join(curves['note'].drop_nulls())}")
    printed = _printed_results(concentrations(curves, wells))
    analytes = [standard_analyte_name(name) for name in plate.analytes]
    return replace(
        plate,
        wells=tuple(
            replace(well, results=tuple(printed[well.well, analyte] for analyte in analytes))
            for well in plate.wells
        ),
        curves=tuple(ExportCurve(*row) for row in curves.select(*COEFFICIENTS, "r_squared").iter_rows()),
    )


def _printed_results(wells: pl.DataFrame) -> dict[tuple[str, str], str]:
    signs = {"below": "< ", "above": "> ", None: ""}
    number = (
        pl.when(pl.col("range").is_null())
        .then(float("nan"))
        .otherwise(pl.coalesce("concentration_pg_ml", pl.col("limit_pg_ml") / pl.col("dilution_factor")))
    )
    rows = wells.select("well", "analyte", "range", number.alias("number")).iter_rows()
    return {
        (well, analyte): "NaN" if where is None else f"{signs.get(where, '')}{value:.15g}"
        for well, analyte, where, value in rows
    }


def _range() -> pl.Expr:
    in_well = pl.col("in_well")
    return (
        pl.when(in_well.is_null())
        .then(None)
        .when(in_well == 0)
        .then(pl.lit("below"))
        .when(in_well.is_infinite())
        .then(pl.lit("above"))
        .when(in_well.is_between("lowest_standard_pg_ml", "highest_standard_pg_ml"))
        .then(pl.lit("within"))
        .otherwise(pl.lit("extrapolated"))
    )


def _limit() -> pl.Expr:
    return (
        pl.when(pl.col("range") == "below")
        .then("lowest_standard_pg_ml")
        .when(pl.col("range") == "above")
        .then("highest_standard_pg_ml")
    )


def _finite(value: pl.Expr) -> pl.Expr:
    return pl.when(value.is_finite()).then(value)


def _about_curves(wells: pl.DataFrame, standards: pl.DataFrame) -> pl.DataFrame:
    expected = pl.col("expected_pg_ml")
    above_zero = expected.filter(expected > 0)
    counted = standards.group_by(_KEY).agg(
        n_standards=pl.len().cast(pl.Int64),
        n_all_levels=expected.n_unique().cast(pl.Int64),
        n_levels=above_zero.n_unique().cast(pl.Int64),
        lowest_standard_pg_ml=above_zero.min(),
        highest_standard_pg_ml=above_zero.max(),
        n_signals=_SIGNAL.n_unique(),
        n_poor=(pl.col("n_beads") < FEWEST_BEADS).sum(),
    )
    needs = f"{{}} levels of standards with a signal; a four-parameter curve needs {FEWEST_LEVELS_OF_FOUR}"
    return (
        wells.select(*_KEY, "unit_note")
        .unique(_KEY, keep="first", maintain_order=True)
        .join(counted, on=_KEY, how="left", maintain_order="left")
        .with_columns(pl.col("n_standards", "n_all_levels", "n_levels").fill_null(0))
        .with_columns(
            reason=pl.when(pl.col("n_all_levels") < FEWEST_LEVELS_OF_FOUR)
            .then(pl.format(needs, "n_all_levels"))
            .when(pl.col("n_signals") == 1)
            .then(pl.lit("all standards have the same signal"))
        )
    )


def _note() -> pl.Expr:
    has_four = pl.col("model") == FOUR_PARAMETERS
    few = pl.format(f"{{}} levels of standards; a five-parameter curve needs {FEWEST_LEVELS}", "n_all_levels")
    notes = (
        pl.col("reason"),
        pl.when(has_four & (pl.col("n_all_levels") < FEWEST_LEVELS)).then(few),
        pl.when(has_four & (pl.col("n_all_levels") >= FEWEST_LEVELS)).then(
            pl.lit("the fit of five parameters did not converge")
        ),
        pl.when(~pl.col("rises")).then(pl.lit("the signal does not rise with the concentration")),
        pl.when(~pl.col("is_flat")).then(pl.lit("the fit did not converge")),
        pl.when("is_extreme").then(pl.lit("the best curve lies at the limit of its shape")),
        pl.when(pl.col("n_poor") > 0).then(
            pl.format(f"{{}} standard wells with fewer than {FEWEST_BEADS} beads", "n_poor")
        ),
        pl.col("unit_note"),
    )
    joined = pl.concat_str(notes, separator="; ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)


def _fit(curves: pl.DataFrame, standards: pl.DataFrame, *, has_asymmetry: bool = True) -> pl.DataFrame:
    parts = [
        _fit_part(part.select(_KEY), standards, has_asymmetry=has_asymmetry)
        for part in curves.iter_slices(CURVES_AT_ONCE)
        if part.height
    ]
    return pl.concat([pl.DataFrame(schema=_FIT_FRAME), *parts])


def _fit_part(curves: pl.DataFrame, standards: pl.DataFrame, *, has_asymmetry: bool) -> pl.DataFrame:
    levels = _levels(curves, standards)
    fits = fit_curves(levels, has_asymmetry=has_asymmetry)
    total = levels.along**2 + np.sum(levels.signal**2, axis=0) + levels.squares_within
    with np.errstate(all="ignore"):
        r_squared = 1 - fits.squares / fits.squares_about_mean
    has_numbers = np.all([np.isfinite(getattr(fits, name)) for name in COEFFICIENTS], axis=0) & (fits.c > 0)
    return curves.with_columns(
        model=pl.lit(FIVE_PARAMETERS if has_asymmetry else FOUR_PARAMETERS),
        **{name: pl.Series(getattr(fits, name)) for name in COEFFICIENTS},
        r_squared=pl.Series(np.where(np.isfinite(r_squared), r_squared, np.nan), nan_to_null=True),
        is_flat=pl.Series((fits.is_flat | (fits.squares <= _EXACT_ENOUGH * total)) & has_numbers),
        rises=pl.Series(fits.b > fits.a),
        is_extreme=pl.Series(fits.is_extreme),
    )


def _levels(curves: pl.DataFrame, standards: pl.DataFrame) -> Levels:
    mean = (_WEIGHT * _SIGNAL).sum() / _WEIGHT.sum()
    rows = (
        standards.join(curves.with_row_index("curve"), on=_KEY)
        .group_by("curve", "expected_pg_ml")
        .agg(
            signal=mean,
            squares_within=(_WEIGHT * (_SIGNAL - mean) ** 2).sum(),
            weight=_WEIGHT.sum(),
        )
        .sort("curve", "expected_pg_ml")
        .with_columns(place=pl.int_range(pl.len()).over("curve"))
    )
    at = rows["place"].to_numpy(), rows["curve"].to_numpy()
    x, signal, weight, squares = (
        padded(at, rows[name].to_numpy()) for name in ("expected_pg_ml", "signal", "weight", "squares_within")
    )
    return levels_of(x, signal=signal, weight=weight, squares_within=squares.sum(axis=0))


def _scatter(curves: pl.DataFrame, wells: pl.DataFrame) -> Scatter:
    """Return what the fits leave open, a row a curve."""
    rows = (
        wells.filter(_IS_FITTED)
        .select(*_KEY, "expected_pg_ml", "net_mfi", weight=_INSTRUMENTS_WEIGHT)
        .join(curves.select(*_KEY, "curve"), on=_KEY)
        .with_columns(place=pl.int_range(pl.len()).over("curve"))
    )
    at = rows["curve"].to_numpy(), rows["place"].to_numpy()
    x, y, weight = (padded(at, rows[name].to_numpy()) for name in ("expected_pg_ml", "net_mfi", "weight"))
    return scatter_of(
        x,
        y,
        weight=weight,
        coefficients=curves.select(COEFFICIENTS).to_numpy(),
        n_parameters=np.where((curves["model"] == FOUR_PARAMETERS).to_numpy(), 4, 5),
    )


def _intervals(wells: pl.DataFrame, in_well: Floats, scatter: Scatter) -> tuple[Floats, Floats]:
    low, high = np.full((2, wells.height), np.nan)
    known = np.flatnonzero(np.isfinite(in_well) & (in_well > 0))
    chosen = wells[known]
    low[known], high[known] = interval(
        in_well[known],
        chosen["net_mfi"].to_numpy(),
        coefficients=chosen.select(COEFFICIENTS).to_numpy(),
        scatter=scatter,
        of=chosen["curve"].to_numpy().astype(np.intp),
    )
    return low, high
