"""Throughput of the curve fit beside `scipy.optimize.curve_fit`, on the same plates, in the same run.

Run by `make bench`, or `python -m tests.benchmarks.curves --plates 1000`: prints a markdown table. Ends with
1 where ours is not ten times as fast, where fewer than 95 % of its fits converge, where more than one in a
thousand has larger weighted squares than curve_fit's, or where concentrations at one optimum part by more
than 1e-6 (99.9th percentile; beyond it lie bends so sharp that the squares do not tell them apart).
Pytest does not collect it.

The plates are drawn: six analytes as the simulator has them, their curves spread from plate to plate, seven
standards in duplicate, signals with a coefficient of variation of 5 to 10 % and a scatter of 0.5 MFI. Both
start cold. Ours is timed from the wells' frame to the frame of curves, limits of quantification included;
curve_fit is timed from arrays, one call a curve. Its setting is the best that we found for it: sigma = |y|,
the logarithms of C, -D and F as parameters (it then needs no bounds and may use MINPACK's `lm`), A from
the lowest signal, B from 1.2 times the highest, C from the middle of the ladder, D = -1, F = 1, and
tolerances of 1e-15, since with its own of 1e-8 the concentrations part by up to a thousandth. It is called
as it comes, with forward differences, and once more with exact derivatives: only these bring it near enough
to the optimum for concentrations to be compared to 1e-6. What is compared is where both found one
optimum; beside it stands how often one of them found the lower.
"""

import argparse
import sys
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl
from scipy.optimize import OptimizeWarning, curve_fit

from models.curves.logistic import COEFFICIENTS, Floats, inverse, signal
from models.curves.standard_curve import fit_standard_curves
from models.simulation.plates import ANALYTES, N_STANDARDS, STANDARD_STEP
from transforms.plates.wells import TIDY_WELLS

SEED = 20240305
N_UNKNOWNS = 20
SCATTER_MFI = 0.5
LEAST_RATIO, LEAST_CONVERGED = 10.0, 0.95
SAME, SAME_SQUARES, SAME_TO_ROUNDING = 1e-6, 1e-8, 1e-12
# At F = 0.01 and F = 1e8 our search ends, where the formula would overflow or lose its digits.
MOST_LOWER_PERCENT = 0.1
MOST_CALLS = 10_000
TOLERANCE = 1e-15


@dataclass(frozen=True)
class Plates:
    """Standards (n, 14) of n curves and the signals of unknown wells (n, 20) within their range."""

    x: Floats
    y: Floats
    unknowns: Floats


def draw_plates(n_plates: int, *, seed: int) -> Plates:
    rng = np.random.default_rng(seed)
    shapes = np.array([[one.b, one.c, one.d, one.f, one.top_pg_ml] for one in ANALYTES] * n_plates).T
    n = shapes.shape[1]
    spread = np.exp(np.array([[0.2], [0.3], [0.1], [0.25]]) * rng.standard_normal((4, n)))
    b, c, d, f = shapes[:4] * spread
    truth = np.column_stack([np.zeros(n), b, c, d, f])
    levels = shapes[4][:, None] * STANDARD_STEP ** np.arange(1.0 - N_STANDARDS, 1)
    x = np.repeat(levels, 2, axis=1)
    cv = rng.uniform(0.05, 0.10, (n, 1))
    y = signal(x, truth) * np.exp(cv * rng.standard_normal(x.shape))
    y += SCATTER_MFI * rng.standard_normal(x.shape)
    share = rng.uniform(0.02, 0.98, (n, N_UNKNOWNS))
    within = levels[:, :1] ** (1 - share) * levels[:, -1:] ** share
    return Plates(x, np.rint(4 * y) / 4, signal(within, truth))


def wells_of(plates: Plates) -> pl.DataFrame:
    n, n_wells = plates.x.shape
    curve = np.repeat(np.arange(n), n_wells)
    return (
        pl.DataFrame(
            {"curve": curve, "expected_pg_ml": plates.x.ravel(), "net_mfi": plates.y.ravel()},
        )
        .with_columns(
            plate_id=pl.format("p{}", pl.col("curve") // len(ANALYTES)),
            analyte=pl.col("curve").mod(len(ANALYTES)).replace_strict(dict(enumerate(NAMES))),
            well=pl.format("W{}", pl.int_range(pl.len()).over("curve")),
            sample=pl.lit("Standard"),
            kind=pl.lit("standard"),
            n_beads=pl.lit(60, pl.Int64),
            is_excluded=pl.lit(value=False),
            dilution_factor=pl.lit(1.0),
        )
        .match_to_schema(TIDY_WELLS, missing_columns="insert", extra_columns="ignore")
    )


NAMES = [analyte.name for analyte in ANALYTES]


def five_parameters(x: Floats, *parameters: float) -> Floats:
    a, b, log_c, log_slope, log_f = parameters
    power = np.exp(log_slope) * (log_c - np.log(x))
    return a + (b - a) * np.exp(-np.exp(log_f) * np.logaddexp(0.0, power))


def derivatives(x: Floats, *parameters: float) -> Floats:
    a, b, log_c, log_slope, log_f = parameters
    slope, f = np.exp(log_slope), np.exp(log_f)
    power = slope * (log_c - np.log(x))
    softplus = np.logaddexp(0.0, power)
    g = np.exp(-f * softplus)
    rise = (b - a) * f * g * np.exp(power - softplus)
    return np.column_stack([1 - g, g, -slope * rise, -power * rise, -(b - a) * f * softplus * g])


def fit_by_scipy(x: Floats, y: Floats, *, jac: Callable[..., Floats] | None = None) -> Floats:
    """One curve's coefficients; not numbers where curve_fit gives up."""
    middle = (np.log(x[0]) + np.log(x[-1])) / 2
    try:
        a, b, log_c, log_slope, log_f = curve_fit(
            five_parameters,
            x,
            y,
            p0=[y.min(), 1.2 * y.max(), middle, 0.0, 0.0],
            sigma=np.where(y == 0, 1.0, np.abs(y)),
            jac=jac,
            maxfev=MOST_CALLS,
            ftol=TOLERANCE,
            xtol=TOLERANCE,
            gtol=TOLERANCE,
        )[0]
    except RuntimeError:
        return np.full(5, np.nan)
    return np.array([a, b, np.exp(log_c), -np.exp(log_slope), np.exp(log_f)])


def timed_fits(plates: Plates, *, jac: Callable[..., Floats] | None = None) -> tuple[float, Floats]:
    """Seconds, and the coefficients (n, 5)."""
    began = time.perf_counter()
    fits = [fit_by_scipy(x, y, jac=jac) for x, y in zip(plates.x, plates.y, strict=True)]
    return time.perf_counter() - began, np.array(fits)


def weighted_squares(plates: Plates, coefficients: Floats) -> Floats:
    weighted = (plates.y - signal(plates.x, coefficients)) / np.where(plates.y == 0, 1.0, plates.y)
    return np.sum(weighted**2, axis=1)


def concentrations_of(plates: Plates, coefficients: Floats) -> Floats:
    each = np.repeat(coefficients, N_UNKNOWNS, axis=0)
    return inverse(plates.unknowns.ravel(), each).reshape(plates.unknowns.shape)


def apart(plates: Plates, ours: Floats, theirs: Floats) -> Floats:
    """How far concentrations are from one another, relative (n, 20); not numbers where one has none."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.abs(concentrations_of(plates, ours) / concentrations_of(plates, theirs) - 1)
    return np.where(np.isfinite(found), found, np.nan)


def compare(plates: Plates) -> dict[str, float]:
    """Fit the plates both ways: seconds, shares that converge, and how far the concentrations part."""
    n, wells = len(plates.x), wells_of(plates)
    began = time.perf_counter()
    curves = fit_standard_curves(wells)
    seconds = time.perf_counter() - began
    seconds_of_scipy, plain = timed_fits(plates)
    seconds_with_derivatives, exact = timed_fits(plates, jac=derivatives)
    ours = curves.select(COEFFICIENTS).to_numpy()
    squares, theirs = weighted_squares(plates, ours), weighted_squares(plates, exact)
    lower = (theirs - squares) / theirs
    lower_than_plain = 1 - squares / weighted_squares(plates, plain)
    is_one = np.abs(lower) <= SAME_SQUARES
    differences = apart(plates, ours, exact)[is_one]
    is_apart = np.any(differences > SAME, axis=1)
    return {
        "curves": n,
        "curves a second, ours": n / seconds,
        "curves a second, curve_fit": n / seconds_of_scipy,
        "curves a second, curve_fit with derivatives": n / seconds_with_derivatives,
        "ratio of throughput": seconds_of_scipy / seconds,
        "ratio of throughput, with derivatives": seconds_with_derivatives / seconds,
        "converged, ours, %": 100 * float(curves["converged"].mean()),
        "converged, curve_fit, %": 100 * float(np.isfinite(plain).all(axis=1).mean()),
        "converged, curve_fit with derivatives, %": 100 * float(np.isfinite(exact).all(axis=1).mean()),
        "squares of ours lower, %": 100 * float((lower > SAME_SQUARES).mean()),
        "squares of curve_fit lower, either way, %": 100
        * float(((lower < -SAME_SQUARES) | (lower_than_plain < -SAME_SQUARES)).mean()),
        "concentrations apart at one optimum, 99.9th percentile": float(np.nanquantile(differences, 0.999)),
        "concentrations apart at one optimum, most": float(np.nanmax(differences)),
        "curves apart by more than 1e-6, %": 100 * float(is_apart.mean()),
        "of these, squares of curve_fit lower": int(np.sum(lower[is_one][is_apart] < -SAME_TO_ROUNDING)),
    }


def is_good(found: dict[str, float]) -> bool:
    return (
        found["ratio of throughput"] >= LEAST_RATIO
        and found["converged, ours, %"] >= 100 * LEAST_CONVERGED
        and found["squares of curve_fit lower, either way, %"] <= MOST_LOWER_PERCENT
        and found["concentrations apart at one optimum, 99.9th percentile"] <= SAME
        and found["of these, squares of curve_fit lower"] <= MOST_LOWER_PERCENT / 100 * found["curves"]
    )


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.curves", description=__doc__)
    parser.add_argument("--plates", type=int, default=1000, metavar="N", help="plates (default: 1000)")
    parser.add_argument("--seed", type=int, default=SEED, metavar="K", help=f"seed (default: {SEED})")
    options = parser.parse_args()
    warnings.simplefilter("ignore", OptimizeWarning)
    fit_standard_curves(wells_of(draw_plates(1, seed=0)))
    found = compare(draw_plates(options.plates, seed=options.seed))
    rows = [f"| {name} | {value:.6g} |" for name, value in found.items()]
    sys.stdout.write("\n".join(["| | |", "| --- | ---: |", *rows]) + "\n")
    return 0 if is_good(found) else 1


if __name__ == "__main__":
    sys.exit(main())
