"""Concentrations read off a curve: their range, limits and intervals, the instrument's beside them."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.curves.logistic import inverse, signal, slopes
from tests.models.curve_wells import LADDER, NOISY, TRUE, curve, ladder, measured, unknowns_of, wells_of
from transforms import schemas

REFERENCE = Path(__file__).parents[1] / "reference"

# The inverse.


def test_the_inverse_is_what_a_hand_works_out():
    # A 0, B 100, C 10, D -1, F 2: y = 100 / (1 + 10 / x)^2; 25 at x = 10, 100 / (4/3)^2 = 56.25 at x = 30.
    coefficients = np.array([[0.0, 100.0, 10.0, -1.0, 2.0]] * 2)
    assert inverse(np.array([25.0, 56.25]), coefficients) == pytest.approx([10.0, 30.0])


def test_a_signal_at_an_asymptote_has_no_concentration():
    coefficients = np.array([[0.0, 100.0, 10.0, -1.0, 2.0]] * 4)
    assert inverse(np.array([0.0, -3.0, 100.0, 101.0]), coefficients).tolist() == [0.0, 0.0, np.inf, np.inf]


# Ranges.


def test_a_signal_under_the_lower_asymptote_is_below_and_never_a_number():
    wells = unknowns_of(wells_of(ladder(), [3.9, -10.0, 0.0]))
    assert wells.select("concentration_pg_ml", "range").unique().rows() == [(None, "below")]


def test_a_signal_over_the_upper_asymptote_is_above_and_never_a_number():
    wells = measured(wells_of(ladder(), [30_001.0, 1e6])).filter(kind="unknown")
    assert wells.select("concentration_pg_ml", "range").unique().rows() == [(None, "above")]


def test_a_value_outside_the_standards_is_a_number_and_extrapolated():
    signals = [curve(x) for x in (0.3, 0.7, 2000.0, 4000.0)]
    wells = measured(wells_of(ladder(), signals)).filter(kind="unknown")
    assert wells["range"].to_list() == ["extrapolated", "within", "within", "extrapolated"]
    assert wells["concentration_pg_ml"].to_list() == pytest.approx([0.3, 0.7, 2000.0, 4000.0], rel=1e-4)


def test_the_dilution_multiplies_the_result_and_not_the_range():
    signals = [curve(x) for x in (2000.0, 0.5)]
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


def test_a_limit_is_that_of_the_standards_above_zero_times_the_dilution():
    wells = wells_of([(0.0, 4.0), *ladder()], [-10.0, 1e6, curve(10.0)], dilution_factor=4.0)
    found = unknowns_of(wells)
    assert found["range"].to_list() == ["below", "above", "within"]
    assert found["limit_pg_ml"].to_list() == pytest.approx([4 * LADDER[0], 4 * LADDER[-1], None])


def test_a_value_between_zero_and_the_lowest_standard_above_it_is_extrapolated():
    found = unknowns_of(wells_of([(0.0, 4.0), (0.0, 4.0), *ladder()], [curve(0.4), curve(0.7)]))
    assert found["range"].to_list() == ["extrapolated", "within"]


def test_the_difference_is_ours_less_the_instruments_in_percent_of_the_instruments():
    wells = wells_of(ladder(), [curve(100.0)] * 3)
    printed = pl.when(kind="unknown").then(pl.Series([None] * 14 + [80.0, 0.0, None], dtype=pl.Float64))
    found = unknowns_of(wells.with_columns(instrument_pg_ml=printed))["difference_percent"]
    assert found[0] == pytest.approx(25.0, rel=1e-4)
    assert found[1:].to_list() == [None, None]


# Intervals.


def test_slopes_are_those_of_small_differences():
    at, step = np.array([[2.0, 90.0, 3000.0]]), 1e-6
    by_x, by_parameter = slopes(at, np.array([TRUE]))
    a, b, c, d, f = TRUE

    def moved(log_k: float = 0.0, log_slope: float = 0.0, log_f: float = 0.0) -> np.ndarray:
        new_d, new_f = d * np.exp(log_slope), f * np.exp(log_f)
        new_c = c * f ** (-1 / d) * np.exp(log_k) * new_f ** (1 / new_d)
        return signal(at, np.array([[a, b, new_c, new_d, new_f]]))

    for place, name in enumerate(["log_k", "log_slope", "log_f"], start=2):
        by = (moved(**{name: step}) - moved(**{name: -step})) / (2 * step)
        assert by_parameter[..., place] == pytest.approx(by, rel=1e-6)
    assert by_x == pytest.approx(
        (signal(at * (1 + step), np.array([TRUE])) - signal(at, np.array([TRUE]))) / step, rel=1e-4
    )


def reference_cases() -> list[str]:
    return pl.read_csv(REFERENCE / "curves.csv")["case"].unique(maintain_order=True).to_list()


@pytest.mark.parametrize("case", reference_cases())
def test_concentrations_and_intervals_are_those_of_r(case: str):
    of_r = pl.read_csv(REFERENCE / "curves.csv").filter(case=case)
    standards = pl.read_csv(REFERENCE / "curves_standards.csv").filter(case=case)
    found = unknowns_of(wells_of(list(standards.select("x", "y").iter_rows()), of_r["signal"].to_list()))
    for ours, theirs in (("", "concentration"), ("low_", "low"), ("high_", "high")):
        column = found[f"concentration_{ours}pg_ml"]
        assert column.to_list() == pytest.approx(of_r[theirs].to_list(), rel=1e-7)


def test_intervals_cover_nineteen_of_twenty_true_concentrations():
    rng = np.random.default_rng(20240305)
    parts, truth = [], []
    for i in range(100):
        x = np.exp(rng.uniform(np.log(LADDER[0]), np.log(LADDER[-1]), 10))
        signals = [curve(one) * np.exp(0.07 * rng.standard_normal()) for one in x]
        standards = [(one, y * np.exp(0.07 * rng.standard_normal())) for one, y in ladder()]
        parts.append(wells_of(standards, signals, plate_id=f"p{i}"))
        truth += x.tolist()
    found = unknowns_of(pl.concat(parts)).with_columns(truth=pl.Series(truth))
    low, high = pl.col("concentration_low_pg_ml"), pl.col("concentration_high_pg_ml")
    numbers = found.filter(pl.col("range") == "within")
    assert numbers.height > 900
    assert 0.92 <= numbers.select((pl.col("truth").is_between(low, high)).mean()).item() <= 0.97


def test_an_interval_scales_with_the_dilution():
    plain, diluted = (
        unknowns_of(wells_of(NOISY, [300.0], dilution_factor=factor)).row(0, named=True)
        for factor in (1.0, 5.0)
    )
    for name in ("concentration_low_pg_ml", "concentration_high_pg_ml"):
        assert diluted[name] == pytest.approx(5 * plain[name])


def test_without_a_degree_of_freedom_or_a_number_there_is_no_interval():
    interval = ["concentration_low_pg_ml", "concentration_high_pg_ml"]
    saturated = wells_of(ladder(levels=[*LADDER[::2], 160.0], n_wells=1), [300.0])
    assert unknowns_of(saturated).select(interval).row(0) == (None, None)
    assert unknowns_of(saturated)["concentration_pg_ml"].item() is not None
    out_of_range = unknowns_of(wells_of(NOISY, [-10.0, 1e6]))
    assert out_of_range.select(interval).unique().rows() == [(None, None)]


@given(
    st.lists(st.floats(-100.0, 5e4), min_size=14, max_size=14), st.lists(st.floats(-100.0, 5e4), max_size=5)
)
@settings(max_examples=60, deadline=None)
def test_any_interval_holds_its_concentration(signals: list[float], unknowns: list[float]):
    standards = list(zip([x for x, _ in NOISY], signals, strict=True))
    found = measured(wells_of(standards, unknowns)).filter(pl.col("concentration_pg_ml").is_not_null())
    own, low = pl.col("concentration_pg_ml"), pl.col("concentration_low_pg_ml")
    high = pl.col("concentration_high_pg_ml")
    assert found.select((low.fill_null(0) <= own).all() & (high.fill_null(np.inf) >= own).all()).item()
