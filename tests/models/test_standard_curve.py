"""Standard curves are fitted by the instrument's rule, and where there is none, a reason is given."""

from itertools import pairwise
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import least_squares

from models.curves import descent
from models.curves.standard_curve import FOUR_PARAMETERS, fit_standard_curves
from tests.models.curve_wells import (
    LADDER,
    NOISY,
    Coefficients,
    Standards,
    curve,
    ladder,
    measured,
    unknowns_of,
    wells_of,
)
from transforms import schemas
from transforms.plates.wells import tidy_wells
from transforms.xponent.reader import parse_xponent

REAL = Path(__file__).parents[2].parent / "shared" / "data"


def only_curve(wells: pl.DataFrame) -> dict[str, object]:
    return fit_standard_curves(wells).row(0, named=True)


def reason(standards: Standards, **others: object) -> str:
    row = only_curve(wells_of(standards, **others))
    assert not row["converged"]
    assert [row[name] for name in "abcdf"] == [None] * 5
    return row["note"]


# The rule of the fit.


def weighted_squares(standards: Standards, coefficients: Coefficients) -> float:
    weights = [1.0 if y == 0 else 1 / y**2 for _, y in standards]
    return sum(w * (y - curve(x, coefficients)) ** 2 for w, (x, y) in zip(weights, standards, strict=True))


# Four of seven levels give the blank's signal: a search from one start ends in another valley.
LIKE_A_BLANK = [26.5, 24.5, 23.5, 26.5, 25.5, 25.0, 24.0, 27.0, 45.0, 44.0, 1791.5, 1733.5, 14531.5, 15027.5]
AWKWARD = {
    "noisy": NOISY,
    "with a zero signal": [(x, 0.0 if i == 0 else y) for i, (x, y) in enumerate(NOISY)],
    "with negative signals": [(x, -0.5 if i < 2 else y) for i, (x, y) in enumerate(NOISY)],
    "with a zero standard": [(0.0, 3.5), (0.0, 4.5), *NOISY],
    "with uneven replicates": NOISY[:5] + NOISY[6:] + [NOISY[-1]],
    "with levels like a blank": [(4.51 * 3.78 ** (i // 2), y) for i, y in enumerate(LIKE_A_BLANK)],
}


def slow_fit(standards: Standards) -> float:
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
    row = only_curve(wells_of(standards))
    assert row["converged"]
    assert row["d"] < 0
    found = weighted_squares(standards, coefficients_of(row))
    assert found == pytest.approx(slow_fit(standards), rel=1e-6)


def coefficients_of(row: dict[str, object]) -> Coefficients:
    return tuple(row[name] for name in "abcdf")


def test_r_squared_is_the_weighted_one():
    row = only_curve(wells_of(NOISY))
    y = np.array([y for _, y in NOISY])
    mean = np.sum(y / y**2) / np.sum(1 / y**2)
    squares = weighted_squares(NOISY, coefficients_of(row))
    assert row["r_squared"] == pytest.approx(1 - squares / np.sum((y - mean) ** 2 / y**2))


def test_a_zero_standard_is_fitted_by_the_lower_asymptote():
    standards = [(0.0, 4.0), (0.0, 4.0), *ladder()]
    row = only_curve(wells_of(standards))
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
    found = unknowns_of(wells_of(standards, signals))["concentration_pg_ml"].drop_nulls()
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


def test_excluded_standards_are_not_fitted():
    wells = wells_of([*NOISY, (LADDER[3], 40_000.0)])
    is_spoilt = pl.col("net_mfi") == 40_000
    kept = fit_standard_curves(wells.with_columns(is_excluded=is_spoilt))
    assert kept.equals(fit_standard_curves(wells_of(NOISY)))
    assert not kept.equals(fit_standard_curves(wells))


@pytest.mark.parametrize("n_wells", [1, 2, 3])
@pytest.mark.parametrize("n_levels", range(5, 11))
def test_five_to_ten_levels_of_one_to_three_wells_are_fitted(n_levels: int, n_wells: int):
    levels = [2500 / 3.0**k for k in range(n_levels)]
    standards = ladder(levels=levels, n_wells=n_wells)
    found = unknowns_of(wells_of(standards, [curve(x) for x in levels[1:-1]]))
    assert found["concentration_pg_ml"].to_list() == pytest.approx(levels[1:-1], rel=1e-4)


@pytest.mark.parametrize("place", [4, 8, 12])
def test_a_standard_a_thousand_times_off_is_fitted_at_the_least_squares_of_all(place: int):
    standards = [(x * 1000 if i in {place, place + 1} else x, y) for i, (x, y) in enumerate(NOISY)]
    row = only_curve(wells_of(standards))
    assert row["converged"]
    assert weighted_squares(standards, coefficients_of(row)) <= slow_fit(standards) * (1 + 1e-6)


def test_a_plate_of_thirty_analytes_is_fitted_analyte_by_analyte():
    names = [f"analyte {i}" for i in range(30)]
    parts = [
        wells_of(ladder((i, 20_000.0 + i, 500.0 + 20 * i, -1.1, 1.0)), [400.0], analyte=name)
        for i, name in enumerate(names)
    ]
    curves = fit_standard_curves(pl.concat(parts).sample(fraction=1, shuffle=True, seed=1))
    assert curves["converged"].all()
    tops = dict(curves.select("analyte", "b").iter_rows())
    assert [tops[name] for name in names] == pytest.approx([20_000.0 + i for i in range(30)], rel=1e-3)


def test_the_optimum_at_infinite_asymmetry_is_reached_and_told():
    # y = 5 + 20000 exp(-(x / 300)^-0.5), the limit of the curve as F goes to infinity
    standards = [(x, 5 + 20_000 * np.exp(-((x / 300) ** -0.5))) for x in LADDER for _ in range(2)]
    wells = wells_of(standards, [y for _, y in standards])
    assert only_curve(wells)["note"] == "the best curve lies at the limit of its shape"
    found = unknowns_of(wells)["concentration_pg_ml"].to_list()
    assert found[4:] == pytest.approx([x for x, _ in standards][4:], rel=1e-5)


# Four parameters.


def test_four_levels_are_fitted_with_four_parameters_and_it_is_told():
    row = only_curve(wells_of(ladder((4.0, 30_000.0, 900.0, -1.1, 1.0), [*LADDER[1::2], 9000.0])))
    assert (row["model"], row["converged"], row["f"]) == (FOUR_PARAMETERS, True, 1.0)
    assert row["note"] == "4 levels of standards; a five-parameter curve needs 5"
    assert row["b"] == pytest.approx(30_000, rel=1e-4)


def test_where_five_parameters_do_not_converge_four_do_and_it_is_told(monkeypatch):
    def descend_five_no_step(levels, theta, *, limits):
        n_steps = 0 if limits[1][2].any() else 150
        monkeypatch.setattr(descent, "_MOST_STEPS", n_steps)
        return descent.descend(levels, theta, limits=limits)

    monkeypatch.setattr("models.curves.fit.descend", descend_five_no_step)
    row = only_curve(wells_of(NOISY))
    assert (row["model"], row["converged"], row["f"]) == (FOUR_PARAMETERS, True, 1.0)
    assert row["note"] == "the fit of five parameters did not converge"


# Where there is no curve.


def test_too_few_levels_give_no_curve_and_say_so():
    assert reason(ladder(levels=LADDER[:3])) == (
        "3 levels of standards with a signal; a four-parameter curve needs 4"
    )


def test_no_standards_give_no_curve_and_say_so():
    wells = wells_of([], [100.0])
    row = only_curve(wells)
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
    row = only_curve(wells_of(NOISY, n_beads=12))
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
