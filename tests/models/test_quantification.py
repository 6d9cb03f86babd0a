"""Limits of quantification and acceptance follow from what a curve's own standards give back."""

import numpy as np
import polars as pl
import pytest

from models.curves.logistic import signal
from models.curves.quantification import limits_of_quantification
from models.curves.standard_curve import fit_standard_curves
from tests.models.curve_wells import LADDER, NOISY, TRUE, ladder, wells_of

CURVE = pl.DataFrame([{"plate_id": "p1", "analyte": "IL-7", **dict(zip("abcdf", TRUE, strict=True))}])


def limits(*recovered: tuple[float, ...]) -> dict[str, object]:
    """The limits where the wells of each level of the ladder give these shares of its concentration."""
    rows = [(x, x * share) for x, shares in zip(LADDER, recovered, strict=False) for share in shares]
    x, found = np.array(rows).T
    standards = pl.DataFrame(
        {"expected_pg_ml": x, "net_mfi": signal(found, np.repeat([TRUE], len(x), axis=0))}
    ).with_columns(plate_id=pl.lit("p1"), analyte=pl.lit("IL-7"))
    return limits_of_quantification(CURVE, standards).row(0, named=True)


def range_of(*recovered: tuple[float, ...]) -> tuple[object, object]:
    found = limits(*recovered)
    return found["lloq_pg_ml"], found["uloq_pg_ml"]


GOOD = (0.95, 1.05)


def test_where_all_levels_come_back_the_limits_are_the_lowest_and_the_highest():
    assert range_of(*[GOOD] * 7) == (LADDER[0], LADDER[6])


@pytest.mark.parametrize("bad", [(1.30, 1.30), (0.70, 0.70), (0.75, 1.20)])
def test_a_level_off_or_scattered_by_more_than_25_percent_at_an_end_ends_the_range(bad: tuple[float, float]):
    assert range_of(bad, *[GOOD] * 6) == (LADDER[1], LADDER[6])
    assert range_of(*[GOOD] * 6, bad) == (LADDER[0], LADDER[5])


def test_25_percent_is_enough_at_an_end_and_not_between():
    assert range_of((1.23, 1.23), *[GOOD] * 6) == (LADDER[0], LADDER[6])
    assert range_of(GOOD, (1.23, 1.23), *[GOOD] * 5) == (LADDER[1], LADDER[6])


def test_a_level_that_passes_beyond_one_that_fails_does_not_lie_in_the_range():
    assert range_of(GOOD, (1.5, 1.5), *[GOOD] * 5) == (LADDER[2], LADDER[6])


def test_of_two_runs_of_one_length_the_lower_is_taken():
    assert range_of(*[GOOD] * 3, (2.0, 2.0), *[GOOD] * 3) == (LADDER[0], LADDER[2])


def test_where_no_two_levels_in_a_row_pass_there_is_no_range():
    bad = (2.0, 2.0)
    assert range_of(GOOD, bad, GOOD, bad, GOOD, bad, GOOD) == (None, None)


def test_single_wells_are_judged_by_recovery_alone():
    assert range_of(*[(1.1,)] * 7) == (LADDER[0], LADDER[6])


def test_a_curve_is_accepted_with_three_levels_in_four_and_six_at_least():
    bad = (1.5, 1.5)
    assert limits(*[GOOD] * 6, bad)["is_accepted"]
    assert not limits(*[GOOD] * 5, bad, bad)["is_accepted"]
    assert not limits(*[GOOD] * 5)["is_accepted"]


def test_scatter_narrows_the_range_and_does_not_count_against_acceptance():
    found = limits(*[GOOD] * 5, (0.6, 1.4), (0.6, 1.4))
    assert (found["uloq_pg_ml"], found["n_levels_accepted"], found["is_accepted"]) == (LADDER[4], 7, True)


def test_a_good_curve_names_its_standards_its_limits_and_its_acceptance():
    row = fit_standard_curves(wells_of([(0.0, 4.0), *ladder()])).row(0, named=True)
    ends = (LADDER[0], LADDER[-1])
    assert (row["lowest_standard_pg_ml"], row["highest_standard_pg_ml"]) == ends
    assert (row["lloq_pg_ml"], row["uloq_pg_ml"]) == ends
    assert (row["n_levels"], row["n_levels_accepted"], row["is_accepted"]) == (7, 7, True)


def test_without_a_curve_nothing_is_accepted():
    row = fit_standard_curves(wells_of(NOISY[:6])).row(0, named=True)
    assert (row["n_levels"], row["n_levels_accepted"], row["is_accepted"]) == (3, 0, False)
    assert (row["lloq_pg_ml"], row["uloq_pg_ml"]) == (None, None)
