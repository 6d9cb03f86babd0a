"""Standard curves are fitted by the instrument's rule, and no concentration is given where there is none."""

from dataclasses import replace
from datetime import datetime
from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from models.curves.standard_curve import concentrations, fit_standard_curves, inverse, with_instrument_results
from transforms import schemas
from transforms.plates.wells import TIDY_WELLS, tidy_wells
from transforms.plates.xponent import parse_xponent
from transforms.plates.xponent_export import ExportLevel, ExportPlate, ExportWell, write_xponent

FIXTURES = Path(__file__).parents[1] / "fixtures"
REAL = Path(__file__).parents[2].parent / "shared" / "data"
LADDER = [0.64 * 4**i for i in range(7)]
Coefficients = tuple[float, float, float, float, float]
TRUE: Coefficients = (4.0, 30_000.0, 900.0, -1.1, 1.3)


def curve(x: float, coefficients: Coefficients) -> float:
    a, b, c, d, f = coefficients
    return a if x == 0 else a + (b - a) / (1 + (x / c) ** d) ** f


def wells_of(
    standards: list[tuple[float, float]], unknowns: list[float] | None = None, **others: object
) -> pl.DataFrame:
    rows = [{"kind": "standard", "expected_pg_ml": x, "net_mfi": y} for x, y in standards]
    rows += [{"kind": "unknown", "expected_pg_ml": None, "net_mfi": y} for y in unknowns or []]
    same = {"plate_id": "p1", "analyte": "IL-7", "n_beads": 60, "dilution_factor": 1.0} | others
    return pl.DataFrame([{"well": f"W{i}", **same, **row} for i, row in enumerate(rows)], schema=TIDY_WELLS)


def ladder(coefficients: Coefficients = TRUE, levels: list[float] = LADDER) -> list[tuple[float, float]]:
    return [(x, curve(x, coefficients)) for x in levels for _ in range(2)]


def measured(wells: pl.DataFrame) -> pl.DataFrame:
    return concentrations(fit_standard_curves(wells), wells)


def reason(standards: list[tuple[float, float]], **others: object) -> str:
    row = fit_standard_curves(wells_of(standards, **others)).row(0, named=True)
    assert not row["converged"]
    assert [row[name] for name in "abcdf"] == [None] * 5
    return row["note"]


# The inverse.


def test_the_inverse_is_what_a_hand_works_out():
    # A 0, B 100, C 10, D -1, F 2: y = 100 / (1 + 10 / x)^2; 25 at x = 10, 100 / (4/3)^2 = 56.25 at x = 30.
    coefficients = np.array([[0.0, 100.0, 10.0, -1.0, 2.0]] * 2)
    assert inverse(np.array([25.0, 56.25]), coefficients) == pytest.approx([10.0, 30.0])


def test_a_signal_at_an_asymptote_has_no_concentration():
    coefficients = np.array([[0.0, 100.0, 10.0, -1.0, 2.0]] * 4)
    assert inverse(np.array([0.0, -3.0, 100.0, 101.0]), coefficients).tolist() == [0.0, 0.0, np.inf, np.inf]


# The rule of the fit.


def weighted_squares(standards: list[tuple[float, float]], coefficients: Coefficients) -> float:
    weights = [1.0 if y == 0 else 1 / y**2 for _, y in standards]
    return sum(w * (y - curve(x, coefficients)) ** 2 for w, (x, y) in zip(weights, standards, strict=True))


NOISY = [(x, round(2 * y * (1.08 if i % 2 else 0.94)) / 2) for i, (x, y) in enumerate(ladder())]
AWKWARD = {
    "noisy": NOISY,
    "with a zero signal": [(x, 0.0 if i == 0 else y) for i, (x, y) in enumerate(NOISY)],
    "with negative signals": [(x, -0.5 if i < 2 else y) for i, (x, y) in enumerate(NOISY)],
    "with a zero standard": [(0.0, 3.5), (0.0, 4.5), *NOISY],
    "with uneven replicates": NOISY[:5] + NOISY[6:] + [NOISY[-1]],
}


def slow_fit(standards: list[tuple[float, float]]) -> float:
    """The least weighted squares that scipy finds from many starts, on all five parameters at once."""
    x, y = np.array(standards).T
    root_weight = 1 / np.where(y == 0, 1.0, np.abs(y))

    def residual(p: np.ndarray) -> np.ndarray:
        with np.errstate(all="ignore"):
            t = -np.exp(p[3]) * (np.log(x) - p[2])
            return np.nan_to_num(
                root_weight * (y - p[0] - (p[1] - p[0]) * np.exp(-np.exp(p[4]) * np.logaddexp(0, t)))
            )

    starts = [
        [y.min(), y.max() * 1.2, np.log(c), d, f]
        for c in (50, 800, 5000)
        for d in (-0.3, 0.3)
        for f in (-0.7, 0.0, 0.7)
    ]
    fits = [least_squares(residual, s, x_scale="jac", xtol=1e-13, ftol=1e-13, gtol=1e-13) for s in starts]
    return min(2 * fit.cost for fit in fits)


@pytest.mark.parametrize("standards", AWKWARD.values(), ids=AWKWARD.keys())
def test_the_fit_is_the_least_weighted_squares_that_an_independent_search_finds(standards):
    row = fit_standard_curves(wells_of(standards)).row(0, named=True)
    assert row["converged"]
    assert row["d"] < 0
    found = weighted_squares(standards, tuple(row[name] for name in "abcdf"))
    assert found == pytest.approx(slow_fit(standards), rel=1e-6)


def test_r_squared_is_the_weighted_one():
    row = fit_standard_curves(wells_of(NOISY)).row(0, named=True)
    y = np.array([y for _, y in NOISY])
    mean = np.sum(y / y**2) / np.sum(1 / y**2)
    squares = weighted_squares(NOISY, tuple(row[name] for name in "abcdf"))
    assert row["r_squared"] == pytest.approx(1 - squares / np.sum((y - mean) ** 2 / y**2))


def test_a_zero_standard_is_fitted_by_the_lower_asymptote():
    standards = [(0.0, 4.0), (0.0, 4.0), *ladder()]
    row = fit_standard_curves(wells_of(standards)).row(0, named=True)
    assert row["a"] == pytest.approx(4.0, rel=1e-6)
    assert row["n_standards"] == 16


shapes = st.tuples(
    st.floats(0.0, 50.0),
    st.floats(5e3, 6e4),
    st.floats(100.0, 4000.0),
    st.floats(-1.8, -0.8),
    st.floats(0.5, 2.5),
)


@given(shapes)
@settings(max_examples=100, deadline=None)
def test_noiseless_standards_give_back_their_concentrations(coefficients: Coefficients):
    # where the lowest standard can be told from a blank
    assume(curve(LADDER[0], coefficients) > 1.001 * coefficients[0])
    wells = measured(wells_of(ladder(coefficients)))
    assert wells["concentration_pg_ml"].to_list() == pytest.approx(
        wells["expected_pg_ml"].to_list(), rel=1e-4
    )


@given(shapes, st.lists(st.floats(-0.06, 0.06), min_size=14, max_size=14))
@settings(max_examples=60, deadline=None)
def test_more_signal_is_never_less_concentration(coefficients: Coefficients, noise: list[float]):
    standards = [(x, y * (1 + e)) for (x, y), e in zip(ladder(coefficients), noise, strict=True)]
    signals = [curve(x, coefficients) for x in np.geomspace(1, 2000, 15)]
    found = measured(wells_of(standards, signals)).filter(kind="unknown")["concentration_pg_ml"].drop_nulls()
    assert all(low <= high for low, high in pairwise(found))


def test_all_analytes_of_all_plates_are_fitted_at_once_as_one_by_one():
    others = [(1.0, 9_000.0, 200.0, -0.9, 1.0), (20.0, 50_000.0, 3000.0, -1.4, 0.7)]
    parts = [wells_of(NOISY, [100.0], plate_id="p0", analyte="IL-6")]
    parts += [wells_of(ladder(shape), [100.0], plate_id=f"p{i}") for i, shape in enumerate(others)]
    alone = pl.concat([measured(part) for part in parts])
    together = measured(pl.concat(parts))
    assert together.height == 45
    assert together["concentration_pg_ml"].to_list() == pytest.approx(
        alone["concentration_pg_ml"].to_list(), rel=1e-6
    )


def drawn_curves(n: int, *, noise: float) -> pl.DataFrame:
    """Curves, many of whose standards stop far below or far above the bend of their curve."""
    rng = np.random.default_rng(20240305)
    parts = []
    for i in range(n):
        a, b, top = rng.uniform(0, 20), rng.uniform(5e3, 5e4), 10 ** rng.uniform(3, 4.5)
        c, d, f = top * 10 ** rng.uniform(-1.2, 0.5), -rng.uniform(0.7, 2), np.exp(rng.uniform(-1, 1.5))
        levels = [top / 4**k for k in range(7)]
        standards = [
            (x, y * np.exp(noise * rng.standard_normal())) for x, y in ladder((a, b, c, d, f), levels)
        ]
        parts.append(wells_of(standards, plate_id=f"p{i}"))
    return pl.concat(parts)


def test_at_least_98_percent_of_noisy_curves_converge_from_cold_starts():
    assert fit_standard_curves(drawn_curves(200, noise=0.01))["converged"].mean() >= 0.98


def test_every_noiseless_curve_converges_from_cold_starts():
    assert fit_standard_curves(drawn_curves(150, noise=0.0))["converged"].all()


# Where there is no curve.


def test_too_few_levels_give_no_curve_and_say_so():
    assert reason(ladder(levels=LADDER[:4])) == (
        "4 levels of standards with a signal; a five-parameter curve needs 5"
    )


def test_no_standards_give_no_curve_and_say_so():
    wells = wells_of([], [100.0])
    row = fit_standard_curves(wells).row(0, named=True)
    assert (row["converged"], row["n_standards"]) == (False, 0)
    assert row["note"].startswith("0 levels of standards")
    assert measured(wells).select("concentration_pg_ml", "range").row(0) == (None, None)


def test_standards_without_a_slope_give_no_curve_and_say_so():
    assert reason([(x, 12.0) for x in LADDER]) == "all standards have the same signal"


def test_a_falling_signal_gives_no_curve_and_says_so():
    assert "does not rise" in reason([(x, 20_000 - y / 2) for x, y in ladder()])


def test_standards_in_a_unit_that_is_no_mass_give_no_curve_and_the_unit_is_named():
    wells = wells_of(ladder()).with_columns(
        expected_pg_ml=pl.lit(None, pl.Float64), unit_note=pl.lit("the unit is U/mL")
    )
    assert fit_standard_curves(wells)["note"].item().endswith("; the unit is U/mL")


def test_standard_wells_of_few_beads_are_fitted_and_counted():
    row = fit_standard_curves(wells_of(NOISY, n_beads=12)).row(0, named=True)
    assert row["converged"]
    assert row["note"] == "14 standard wells with fewer than 30 beads"


@given(
    st.lists(
        st.tuples(st.sampled_from([0.0, *LADDER]), st.one_of(st.none(), st.floats(-1e5, 1e5), st.just(0.0))),
        max_size=16,
    )
)
@settings(max_examples=150, deadline=None)
def test_any_standards_give_a_curve_or_a_reason(standards: list[tuple[float, float | None]]):
    wells = wells_of(standards, [100.0])
    curves = fit_standard_curves(wells)
    assert curves.schema == schemas.PLATE_CURVES.polars_schema
    row = curves.row(0, named=True)
    assert row["converged"] or row["note"]
    coefficients = [row[name] for name in "abcdf"]
    assert all((value is not None and np.isfinite(value)) == row["converged"] for value in coefficients)


# Ranges.


def test_a_signal_under_the_lower_asymptote_is_below_and_never_a_number():
    wells = measured(wells_of(ladder(), [3.9, -10.0, 0.0])).filter(kind="unknown")
    assert wells.select("concentration_pg_ml", "range").unique().rows() == [(None, "below")]


def test_a_signal_over_the_upper_asymptote_is_above_and_never_a_number():
    wells = measured(wells_of(ladder(), [30_001.0, 1e6])).filter(kind="unknown")
    assert wells.select("concentration_pg_ml", "range").unique().rows() == [(None, "above")]


def test_a_value_outside_the_standards_is_a_number_and_extrapolated():
    signals = [curve(x, TRUE) for x in (0.3, 0.7, 2000.0, 4000.0)]
    wells = measured(wells_of(ladder(), signals)).filter(kind="unknown")
    assert wells["range"].to_list() == ["extrapolated", "within", "within", "extrapolated"]
    assert wells["concentration_pg_ml"].to_list() == pytest.approx([0.3, 0.7, 2000.0, 4000.0], rel=1e-4)


def test_the_dilution_multiplies_the_result_and_not_the_range():
    signals = [curve(x, TRUE) for x in (2000.0, 0.5)]
    wells = measured(wells_of(ladder(), signals, dilution_factor=4.0)).filter(kind="unknown")
    assert wells["concentration_pg_ml"].to_list() == pytest.approx([8000.0, 2.0], rel=1e-4)
    assert wells["range"].to_list() == ["within", "extrapolated"]


def test_background_wells_and_wells_without_a_median_have_no_concentration():
    wells = pl.concat([wells_of(ladder(), [100.0]), wells_of([], [100.0]).with_columns(net_mfi=None)])
    wells = wells.with_columns(
        kind=pl.when(pl.col("net_mfi") == 100).then(pl.lit("background")).otherwise("kind")
    )
    last = measured(wells).tail(2)
    assert last.select("concentration_pg_ml", "range").unique().rows() == [(None, None)]


def test_wells_come_back_in_the_published_columns_and_in_their_order():
    wells = wells_of(ladder(), [100.0, 50.0])
    found = measured(wells)
    assert found.schema == schemas.PLATE_WELLS.polars_schema
    assert found["well"].to_list() == wells["well"].to_list()


# Against instruments.


def real_plates() -> list[Path]:
    paths = sorted(REAL.glob("xponent-*/*.csv"))
    return [path for path in paths if not parse_xponent(path.read_bytes()).standards.is_empty()]


def compared(path: Path) -> pl.DataFrame:
    wells = measured(tidy_wells(parse_xponent(path.read_bytes()), plate_id=path.stem))
    printed = pl.col("instrument_result").cast(pl.Float64, strict=False)
    return wells.filter(pl.col("kind") != "background").with_columns(
        difference=(pl.col("concentration_pg_ml") / printed - 1).abs(),
        is_number=printed.is_not_null() & printed.is_not_nan(),
    )


def test_concentrations_are_the_instruments_on_every_real_plate_with_standards():
    if not real_plates():
        pytest.skip("the real exports are not beside the checkout")
    for path in real_plates():
        wells = compared(path)
        within = wells.filter(pl.col("range") == "within")
        assert within.height > 100
        assert within["difference"].null_count() == 0
        assert (within["difference"] < 0.01).mean() >= 0.95
        assert within["difference"].max() < 0.05


def test_wells_out_of_range_are_the_instruments_on_every_real_plate_with_standards():
    if not real_plates():
        pytest.skip("the real exports are not beside the checkout")
    for path in real_plates():
        wells = compared(path).with_columns(sign=pl.col("instrument_result").str.head(1))
        assert wells.filter((pl.col("sign") == "<") != (pl.col("range") == "below")).is_empty()
        assert wells.filter((pl.col("sign") == ">") != (pl.col("range") == "above")).is_empty()


# What the instrument prints.


def simulated_plate() -> ExportPlate:
    wells = [ExportWell("A1", "Background0", (12.0,), (80,))]
    for i, (_, y) in enumerate(NOISY):
        wells.append(
            ExportWell(f"{'ABCDEFGH'[i % 8]}{i // 8 + 2}", f"Standard{i // 2 + 1}", (y + 12,), (80,))
        )
    for i, y in enumerate([2.0, 40.0, 25_000.0, 90_000.0]):
        wells.append(ExportWell(f"{'ABCD'[i]}5", f"S{i}", (y + 12,), (80,), dilution_factor=2.0))
    return ExportPlate(
        batch="simulated",
        lot="1",
        started_at=datetime(2024, 1, 1),
        analytes=("IL7 (33)",),
        wells=tuple(wells),
        standards=tuple(ExportLevel(f"Standard{i + 1}", (x,)) for i, x in enumerate(LADDER)),
    )


def test_a_simulated_plate_prints_the_results_that_its_own_standards_give():
    plate = with_instrument_results(simulated_plate())
    assert plate.wells[0].results == ("NaN",)
    assert [well.results[0][:2] for well in (plate.wells[-4], plate.wells[-1])] == ["< ", "> "]
    wells = measured(tidy_wells(parse_xponent(write_xponent(plate)), plate_id="p1"))
    numbers = wells.filter(pl.col("concentration_pg_ml").is_not_null())
    assert numbers["instrument_result"].cast(pl.Float64).to_list() == pytest.approx(
        numbers["concentration_pg_ml"].to_list()
    )
    assert numbers.height == 14 + 2


def test_a_limit_is_printed_without_the_dilution():
    plate = with_instrument_results(simulated_plate())
    assert plate.wells[-4].results == ("< 0.64",)
    assert plate.wells[-1].results == ("> 2621.44",)


def test_a_simulated_plate_without_a_curve_is_refused():
    plate = replace(simulated_plate(), standards=simulated_plate().standards[:3])
    with pytest.raises(ValueError, match="3 levels of standards"):
        with_instrument_results(plate)
