"""Five-parameter standard curves by the instrument's rule, and the concentrations that they give.

Here: the fit, for all analytes of any number of plates at once, and its inverse. Not here: net medians, units
and replicates (`transforms.plates.wells`). Called by the night, by `nadir plate` and, for what an instrument
would have printed, by the simulator.
"""

from dataclasses import dataclass, fields, replace
from typing import Self

import numpy as np
import polars as pl
from numpy.typing import NDArray

from transforms import schemas
from transforms.plates.wells import FEWEST_BEADS, tidy_wells
from transforms.plates.xponent import parse_xponent, standard_analyte_name
from transforms.plates.xponent_export import ExportCurve, ExportPlate, write_xponent

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Rows = NDArray[np.intp]
Limits = tuple[Floats, Floats]

FIVE_PARAMETERS = "five-parameter logistic, weights 1/y^2"
FEWEST_LEVELS = 5

_KEY = ["plate_id", "analyte"]
_COEFFICIENTS = ["a", "b", "c", "d", "f"]
_IS_FITTED = (
    (pl.col("kind") == "standard") & pl.col("expected_pg_ml").is_not_null() & pl.col("net_mfi").is_not_null()
)
_FIT_FRAME = pl.Schema(
    {
        **dict.fromkeys(_KEY, pl.String()),
        **dict.fromkeys([*_COEFFICIENTS, "r_squared"], pl.Float64()),
        **dict.fromkeys(["is_flat", "rises", "is_at_limit"], pl.Boolean()),
    }
)

_STARTING_SLOPES = np.log([0.6, 1.0, 1.6, 3.0])
_STARTING_ASYMMETRIES = np.log([0.2, 0.5, 1.0, 2.5, 15.0])
_N_STARTING_SCALES = 5
# The optimum of some curves lies at infinity. Beyond these limits a curve no longer changes by what a plate
# can show; on such a curve the instrument stopped at an asymmetry of 144.
_LARGEST_SLOPE = 50.0
_LARGEST_ASYMMETRY = 150.0
_SCALE_REACH = 1e4
_MOST_STEPS = 300
_LEAST_DAMPING, _MOST_DAMPING = 1e-10, 1e12
_PROBE = 0.1
_RIDGE = 1e-9
_FLAT = 1e-7
_FLAT_ENOUGH = 1e-4
_EXACT, _EXACT_ENOUGH = 1e-20, 1e-12
_ROUNDING = 1e-8
_CURVES_AT_ONCE = 512


@dataclass(frozen=True)
class _Arrays:
    """Arrays whose first axis counts the same things."""

    def take(self, rows: Rows) -> Self:
        return type(self)(*(getattr(self, field.name)[rows] for field in fields(self)))

    def put(self, rows: Rows, other: Self) -> None:
        for field in fields(self):
            getattr(self, field.name)[rows] = getattr(other, field.name)


@dataclass(frozen=True)
class _Standards(_Arrays):
    """The standard wells of n curves, padded to m with weight 0; all (n, m). `signal` is weighted net MFI."""

    log_x: Floats
    signal: Floats
    root_weight: Floats


@dataclass(frozen=True)
class _Projection(_Arrays):
    """The best A and B at a theta, and what they leave: squares (n,), jacobian (n, m, 3), residual (n, m)."""

    a: Floats
    b: Floats
    squares: Floats
    residual: Floats
    jacobian: Floats


def fit_standard_curves(wells: pl.DataFrame) -> pl.DataFrame:
    """Return one curve for each plate and analyte, `y = A + (B - A) / (1 + (x / C)^D)^F` with D below zero.

    The rule is the instrument's: weighted least squares over the single standard wells on net MFI, weight
    1 / y^2, and 1 where y is 0. It gives the coefficients that xPONENT prints, save where the optimum is so
    flat that the instrument stops short of it. Wells of few beads are fitted too, as the instrument does; the
    note counts them.

    wells: schema `transforms.plates.wells.TIDY_WELLS`, of any number of plates; their standards are fitted.
    Returns schema `schemas.PLATE_CURVES`. Where there is no curve to use, `converged` is false, the
    coefficients are empty and `note` says why.
    """
    standards = wells.filter(_IS_FITTED)
    about = _about_curves(wells, standards)
    fittable = about.filter(pl.col("reason").is_null()).select(_KEY)
    parts = [_fit(part, standards) for part in fittable.iter_slices(_CURVES_AT_ONCE) if part.height]
    fitted = pl.concat([pl.DataFrame(schema=_FIT_FRAME), *parts])
    return (
        about.join(fitted, on=_KEY, how="left", maintain_order="left")
        .with_columns(
            pl.col("n_standards").fill_null(0),
            model=pl.lit(FIVE_PARAMETERS),
            converged=(pl.col("is_flat") & pl.col("rises")).fill_null(value=False),
            note=_note(),
        )
        .with_columns(pl.when("converged").then(pl.col(*_COEFFICIENTS, "r_squared")))
        .select(schemas.PLATE_CURVES.column_names)
    )


def concentrations(curves: pl.DataFrame, wells: pl.DataFrame) -> pl.DataFrame:
    """Return the wells with concentration (pg/mL) and range filled in (schema `schemas.PLATE_WELLS`).

    The concentration is the dilution factor times the inverse of the curve. `range` is 'below' where the
    signal is at or under the lower asymptote and 'above' where it is at or over the upper one; these have no
    concentration. It is 'extrapolated' where the concentration in the well lies outside the standards', else
    'within'. A background well and a well without a median or without a curve have neither.

    curves: from `fit_standard_curves`. wells: schema `transforms.plates.wells.TIDY_WELLS`.
    """
    usable = curves.filter("converged").select(*_KEY, *_COEFFICIENTS)
    joined = wells.join(usable, on=_KEY, how="left", maintain_order="left").join(
        _standard_ranges(wells), on=_KEY, how="left", maintain_order="left"
    )
    in_well = inverse(joined["net_mfi"].to_numpy(), joined.select(_COEFFICIENTS).to_numpy())
    return (
        joined.with_columns(in_well=pl.Series(in_well, nan_to_null=True))
        .with_columns(in_well=pl.when(pl.col("kind") != "background").then("in_well"))
        .with_columns(range=_range())
        .with_columns(
            concentration_pg_ml=pl.when(pl.col("range").is_in(["within", "extrapolated"])).then(
                pl.col("in_well") * pl.col("dilution_factor")
            )
        )
        .select(schemas.PLATE_WELLS.column_names)
    )


def inverse(y: Floats, coefficients: Floats) -> Floats:
    """Return the concentrations (n,) at signals y (n,) on curves with coefficients A, B, C, D, F (n, 5).

    0 where the signal is at or under A, infinite where it is at or over B, not a number where one is missing.
    """
    a, b, c, d, f = np.asarray(coefficients, dtype=np.float64).T
    with np.errstate(all="ignore"):
        x = c * np.expm1(np.log((b - a) / (y - a)) / f) ** (1 / d)
    is_known = np.isfinite(y) & np.isfinite(a)
    return np.select([~is_known, y <= a, y >= b], [np.nan, 0.0, np.inf], default=x)


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
    printed = _printed_results(concentrations(curves, wells).join(_standard_ranges(wells), on=_KEY))
    analytes = [standard_analyte_name(name) for name in plate.analytes]
    return replace(
        plate,
        wells=tuple(
            replace(well, results=tuple(printed[well.well, analyte] for analyte in analytes))
            for well in plate.wells
        ),
        curves=tuple(ExportCurve(*row) for row in curves.select(*_COEFFICIENTS, "r_squared").iter_rows()),
    )


def _printed_results(wells: pl.DataFrame) -> dict[tuple[str, str], str]:
    columns = wells.select("well", "analyte", "range", "concentration_pg_ml", "lowest", "highest")
    printed = {}
    for well, analyte, where, value, lowest, highest in columns.iter_rows():
        limits = {"below": f"< {lowest:.15g}", "above": f"> {highest:.15g}", None: "NaN"}
        printed[well, analyte] = limits.get(where) or f"{value:.15g}"
    return printed


def _standard_ranges(wells: pl.DataFrame) -> pl.DataFrame:
    expected = pl.col("expected_pg_ml")
    return wells.filter(_IS_FITTED).group_by(_KEY).agg(lowest=expected.min(), highest=expected.max())


def _range() -> pl.Expr:
    in_well = pl.col("in_well")
    return (
        pl.when(in_well.is_null())
        .then(None)
        .when(in_well == 0)
        .then(pl.lit("below"))
        .when(in_well.is_infinite())
        .then(pl.lit("above"))
        .when(in_well.is_between("lowest", "highest"))
        .then(pl.lit("within"))
        .otherwise(pl.lit("extrapolated"))
    )


def _about_curves(wells: pl.DataFrame, standards: pl.DataFrame) -> pl.DataFrame:
    counted = standards.group_by(_KEY).agg(
        n_standards=pl.len().cast(pl.Int64),
        n_levels=pl.col("expected_pg_ml").n_unique(),
        n_signals=pl.col("net_mfi").n_unique(),
        n_poor=(pl.col("n_beads") < FEWEST_BEADS).sum(),
    )
    n_levels = pl.col("n_levels").fill_null(0)
    needs = f"{{}} levels of standards with a signal; a five-parameter curve needs {FEWEST_LEVELS}"
    return (
        wells.select(*_KEY, "unit_note")
        .unique(_KEY, keep="first", maintain_order=True)
        .join(counted, on=_KEY, how="left", maintain_order="left")
        .with_columns(
            reason=pl.when(n_levels < FEWEST_LEVELS)
            .then(pl.format(needs, n_levels))
            .when(pl.col("n_signals") == 1)
            .then(pl.lit("all standards have the same signal"))
        )
    )


def _note() -> pl.Expr:
    notes = (
        pl.col("reason"),
        pl.when(~pl.col("rises")).then(pl.lit("the signal does not rise with the concentration")),
        pl.when(~pl.col("is_flat")).then(pl.lit("the fit did not converge")),
        pl.when("is_at_limit").then(pl.lit("the best curve lies at the limit of its shape")),
        pl.when(pl.col("n_poor") > 0).then(
            pl.format(f"{{}} standard wells with fewer than {FEWEST_BEADS} beads", "n_poor")
        ),
        pl.col("unit_note"),
    )
    joined = pl.concat_str(notes, separator="; ", ignore_nulls=True)
    return pl.when(joined != "").then(joined)


@np.errstate(all="ignore")  # a start where the curve is a straight line gives no numbers, and loses
def _fit(curves: pl.DataFrame, standards: pl.DataFrame) -> pl.DataFrame:
    data = _padded(curves, standards)
    limits = _limits(data)
    theta, fits, flatness = _descend(data, _starts(data), limits)
    goes_through = fits.squares <= _EXACT_ENOUGH * _dot(data.signal, data.signal)
    return curves.with_columns(
        a=fits.a,
        b=fits.b,
        c=np.exp(theta[:, 0]),
        d=-np.exp(theta[:, 1]),
        f=np.exp(theta[:, 2]),
        r_squared=1 - fits.squares / _squares_about_mean(data),
        is_flat=(flatness <= _FLAT_ENOUGH) | goes_through,
        rises=fits.b > fits.a,
        is_at_limit=np.any((theta <= limits[0]) | (theta >= limits[1]), axis=1),
    )


def _padded(curves: pl.DataFrame, standards: pl.DataFrame) -> _Standards:
    rows = standards.join(curves.with_row_index("curve"), on=_KEY).with_columns(
        place=pl.int_range(pl.len()).over("curve")
    )
    at = rows["curve"].to_numpy(), rows["place"].to_numpy()
    x, y = rows["expected_pg_ml"].to_numpy(), rows["net_mfi"].to_numpy()
    log_x, signal, root_weight = np.zeros((3, curves.height, int(at[1].max()) + 1))
    log_x[at] = np.log(x)
    root_weight[at] = 1 / np.where(y == 0, 1.0, np.abs(y))
    signal[at] = root_weight[at] * y
    return _Standards(log_x, signal, root_weight)


def _squares_about_mean(data: _Standards) -> Floats:
    mean = _dot(data.signal, data.root_weight) / _dot(data.root_weight, data.root_weight)
    about_mean = data.signal - mean[:, None] * data.root_weight
    return _dot(about_mean, about_mean)


def _limits(data: _Standards) -> Limits:
    lowest, highest = _range_of_levels(data)
    shapes = np.log([[_LARGEST_SLOPE, _LARGEST_ASYMMETRY]] * len(lowest))
    reach = np.log(_SCALE_REACH)
    return np.column_stack([lowest - reach, -shapes]), np.column_stack([highest + reach, shapes])


def _range_of_levels(data: _Standards) -> tuple[Floats, Floats]:
    is_level = (data.root_weight > 0) & np.isfinite(data.log_x)
    lowest = np.where(is_level, data.log_x, np.inf).min(axis=1)
    highest = np.where(is_level, data.log_x, -np.inf).max(axis=1)
    return lowest, highest


def _starts(data: _Standards) -> Floats:
    """Return, for each curve and asymmetry, the best theta of a coarse grid: (n, asymmetries, 3)."""
    scales = np.linspace(*_range_of_levels(data), _N_STARTING_SCALES, axis=1)[:, None, None, :]
    shapes = _STARTING_SLOPES[:, None], _STARTING_ASYMMETRIES[:, None, None]
    grid = np.stack(np.broadcast_arrays(scales, *shapes), axis=-1)
    grid = grid.reshape(*grid.shape[:2], -1, 3)
    curve = np.repeat(np.arange(len(grid)), grid[0, ..., 0].size)
    squares = _project(data.take(curve), grid.reshape(-1, 3)).squares.reshape(grid.shape[:3])
    best = np.argmin(np.nan_to_num(squares, nan=np.inf), axis=2)
    return np.take_along_axis(grid, best[..., None, None], axis=2)[:, :, 0]


def _descend(data: _Standards, starts: Floats, limits: Limits) -> tuple[Floats, _Projection, Floats]:
    """Return the lowest point that Levenberg-Marquardt finds for each curve: theta, projection, flatness."""
    n_curves, n_starts, _ = starts.shape
    curve = np.repeat(np.arange(n_curves), n_starts)
    data, low, high = data.take(curve), limits[0][curve], limits[1][curve]
    theta, damping = starts.reshape(-1, 3).copy(), np.full(len(curve), 1e-2)
    here = _project(data, theta)
    flatness = _flatness(here, _is_blocked(here, theta, (low, high)))
    for _ in range(_MOST_STEPS):
        moving = np.flatnonzero((flatness > _FLAT) & (damping < _MOST_DAMPING))
        if not len(moving):
            break
        rows, near, bounds = data.take(moving), here.take(moving), (low[moving], high[moving])
        is_blocked = _is_blocked(near, theta[moving], bounds)
        stride = _stride(rows, near, theta[moving], damping=damping[moving], is_blocked=is_blocked)
        trial = np.clip(theta[moving] + stride, *bounds)
        there = _project(rows, trial)
        is_better = there.squares < near.squares
        damping[moving] = np.maximum(damping[moving] * np.where(is_better, 0.2, 4.0), _LEAST_DAMPING)
        won, better = moving[is_better], there.take(np.flatnonzero(is_better))
        theta[won] = trial[is_better]
        here.put(won, better)
        flatness[won] = _flatness(better, _is_blocked(better, theta[won], (low[won], high[won])))
    squares = np.nan_to_num(here.squares, nan=np.inf).reshape(n_curves, n_starts)
    best = np.arange(n_curves) * n_starts + squares.argmin(axis=1)
    return theta[best], here.take(best), flatness[best]


def _project(data: _Standards, theta: Floats) -> _Projection:
    """Solve for A and B at theta, and differentiate what they leave.

    The curve is linear in A and B, y = A + (B - A) g with g = (1 + (x / C)^D)^-F, so that only C, D and F
    need a search: variable projection (Golub and Pereyra 1973) with Kaufman's Jacobian (1975).
    """
    log_c, slope, asymmetry = theta[:, :1], -np.exp(theta[:, 1:2]), np.exp(theta[:, 2:])
    t = slope * (data.log_x - log_c)
    softplus = np.logaddexp(0.0, t)
    g = np.exp(-asymmetry * softplus)
    rise = asymmetry * np.exp(t - softplus) * g
    by_theta = np.stack([slope * rise, -t * rise, -asymmetry * softplus * g])
    # At concentration 0 t is infinite and g is 0 whatever theta is.
    by_theta = np.where(np.isfinite(t), by_theta, 0.0) * data.root_weight
    level, level_length = _normalised(data.root_weight)
    along = _dot(level, data.root_weight * g)
    bent, bent_length = _normalised(data.root_weight * g - along[:, None] * level)
    height = _dot(bent, data.signal) / bent_length
    a = (_dot(level, data.signal) - height * along) / level_length

    def left_over(columns: Floats) -> Floats:
        columns = columns - _dot(level, columns)[..., None] * level
        return columns - _dot(bent, columns)[..., None] * bent

    residual = left_over(data.signal)
    squares = _dot(residual, residual)
    is_exact = squares <= _EXACT * _dot(data.signal, data.signal)
    residual = np.where(is_exact[:, None], 0.0, residual)
    jacobian = left_over(by_theta)
    # What A and B can do as well leaves only rounding errors.
    is_left = _dot(jacobian, jacobian) > _ROUNDING**2 * _dot(by_theta, by_theta)
    jacobian = np.where(is_left[..., None], -height[:, None] * jacobian, 0.0)
    return _Projection(a, a + height, squares, residual, np.moveaxis(jacobian, 0, 2))


def _dot(first: Floats, second: Floats) -> Floats:
    return np.asarray(np.sum(first * second, axis=-1))


def _normalised(rows: Floats) -> tuple[Floats, Floats]:
    length = np.sqrt(_dot(rows, rows))
    return rows / length[:, None], length


def _gradient(here: _Projection) -> Floats:
    return np.asarray(np.einsum("nmk,nm->nk", here.jacobian, here.residual))


def _is_blocked(here: _Projection, theta: Floats, limits: Limits) -> Bools:
    gradient = _gradient(here)
    return ((theta <= limits[0]) & (gradient > 0)) | ((theta >= limits[1]) & (gradient < 0))


def _stride(
    data: _Standards, here: _Projection, theta: Floats, *, damping: Floats, is_blocked: Bools
) -> Floats:
    """Return the damped Gauss-Newton step with geodesic acceleration (Transtrum and Sethna 2012).

    The valley of these curves is long and bent: without the second-order term a descent takes ten times the
    steps.
    """
    step = _solve(here, here.residual, damping=damping, is_blocked=is_blocked)
    ahead = _project(data, theta + _PROBE * step).residual
    along = (here.jacobian @ step[..., None])[..., 0]
    curvature = 2 / _PROBE * ((ahead - here.residual) / _PROBE - along)
    bend = _solve(here, curvature, damping=damping, is_blocked=is_blocked)
    is_small = np.linalg.norm(bend, axis=1) < 1.5 * np.linalg.norm(step, axis=1)
    return step + np.where(is_small[:, None], bend / 2, 0.0)


def _flatness(here: _Projection, is_blocked: Bools) -> Floats:
    """Return the cosine between the residual and what a free step could change: 0 at the optimum."""
    step = _solve(here, here.residual, damping=np.full(len(here.a), _RIDGE), is_blocked=is_blocked)
    gain = np.maximum(-_dot(_gradient(here), step), 0.0)
    left = _dot(here.residual, here.residual)
    return np.sqrt(np.divide(gain, left, out=np.zeros_like(gain), where=left != 0))


def _solve(here: _Projection, residual: Floats, *, damping: Floats, is_blocked: Bools) -> Floats:
    jacobian = np.where(is_blocked[:, None, :], 0.0, here.jacobian)
    normal = np.swapaxes(jacobian, 1, 2) @ jacobian
    diagonal = np.diagonal(normal, axis1=1, axis2=2)
    shift = np.where(diagonal > 0, damping[:, None] * diagonal, 1.0)
    right = np.swapaxes(jacobian, 1, 2) @ residual[..., None]
    return np.asarray(-np.linalg.solve(normal + shift[:, :, None] * np.eye(3), right)[..., 0])
