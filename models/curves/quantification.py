"""Limits of quantification and acceptance of a curve, from what its own standards give back.

Here: precision and recovery of each level, the range they allow, ICH M10's count. Not here: the fit. Called
by `models.curves.standard_curve`.

ICH M10 (step 4, 24 May 2022), ligand-binding assays: at least 75 % of the calibration standards and at least
six levels, the limits of quantification included, are within 20 % of nominal, within 25 % at the two limits
(section 4.2.3); of precision it asks the same numbers as coefficients of variation (section 4.2.4).
"""

from itertools import combinations

import numpy as np
import polars as pl
from numpy.typing import NDArray

from models.curves.fit import padded
from models.curves.logistic import COEFFICIENTS, Floats, inverse

MOST_PERCENT, MOST_PERCENT_AT_LIMITS = 20.0, 25.0
FEWEST_LEVELS_ACCEPTED, LEAST_SHARE_ACCEPTED = 6, 0.75
Places = NDArray[np.intp]

_KEY = ["plate_id", "analyte"]


def limits_of_quantification(curves: pl.DataFrame, standards: pl.DataFrame) -> pl.DataFrame:
    """Return the limits of each curve that has coefficients, from the standard wells that it was fitted to.

    A level passes where the mean of its wells' concentrations is within 20 % of the expected one and their
    coefficient of variation is at most 20 %; a single well has no variation to judge. The range of
    quantification is the longest run of levels that pass, whose two ends may be off by 25 %: a level that
    passes beyond one that fails does so by chance, most of all at the low end. Of two runs of one length
    the lower is taken. A run has two levels or more. The count of accepted levels and the acceptance are of
    recovery alone, as ICH M10 has it, with 25 % at the ends of the range of quantification.

    curves: plate_id, analyte and coefficients. standards: plate_id, analyte, expected_pg_ml, net_mfi.
    Returns plate_id, analyte, lloq_pg_ml, uloq_pg_ml, n_levels_accepted, is_accepted.
    """
    levels = _recovered_levels(curves, standards)
    if levels.is_empty():
        return pl.DataFrame(schema=_LIMITS)
    at = levels["curve"].to_numpy(), levels["place"].to_numpy()
    is_level = padded(at, np.ones(levels.height)) > 0
    bias, cv = (np.where(is_level, padded(at, levels[name].to_numpy()), np.inf) for name in ("bias", "cv"))
    lowest, highest = _longest_runs(np.maximum(bias, cv))
    n_accepted = _n_recovered(bias, lowest, highest)
    expected = padded(at, levels["expected_pg_ml"].to_numpy())
    rows = np.arange(len(bias))
    has_run = highest > lowest
    n_levels = is_level.sum(axis=1)
    is_accepted = (n_accepted >= FEWEST_LEVELS_ACCEPTED) & (n_accepted >= LEAST_SHARE_ACCEPTED * n_levels)
    return curves.select(_KEY).with_columns(
        lloq_pg_ml=pl.Series(np.where(has_run, expected[rows, lowest], np.nan), nan_to_null=True),
        uloq_pg_ml=pl.Series(np.where(has_run, expected[rows, highest], np.nan), nan_to_null=True),
        n_levels_accepted=pl.Series(n_accepted),
        is_accepted=pl.Series(is_accepted),
    )


_LIMITS = pl.Schema(
    {
        **dict.fromkeys(_KEY, pl.String()),
        **dict.fromkeys(["lloq_pg_ml", "uloq_pg_ml"], pl.Float64()),
        "n_levels_accepted": pl.Int64(),
        "is_accepted": pl.Boolean(),
    }
)


def _recovered_levels(curves: pl.DataFrame, standards: pl.DataFrame) -> pl.DataFrame:
    """Return bias and CV in percent for each curve and level above zero, from the lowest up."""
    wells = standards.filter(pl.col("expected_pg_ml") > 0).join(
        curves.select(*_KEY, *COEFFICIENTS).with_row_index("curve"), on=_KEY
    )
    found = inverse(wells["net_mfi"].to_numpy(), wells.select(COEFFICIENTS).to_numpy())
    recovered = pl.col("recovered")
    bias = 100 * (recovered.mean() / pl.col("expected_pg_ml").first() - 1).abs()
    cv = (100 * recovered.std() / recovered.mean()).fill_null(0.0)
    return (
        wells.with_columns(recovered=pl.Series(found))
        .group_by("curve", level="expected_pg_ml")
        .agg(pl.col("expected_pg_ml").first(), bias=bias.fill_nan(np.inf), cv=cv.fill_nan(np.inf))
        .sort("curve", "level")
        .with_columns(place=pl.int_range(pl.len()).over("curve"))
    )


def _longest_runs(off: Floats) -> tuple[Places, Places]:
    """Return the first and the last place of each row's longest run (n,): 0 and 0 for none."""
    passes, passes_at_limit = off <= MOST_PERCENT, off <= MOST_PERCENT_AT_LIMITS
    lowest, highest = np.zeros((2, len(off)), dtype=np.intp)
    for first, last in combinations(range(off.shape[1]), 2):
        is_run = passes_at_limit[:, first] & passes_at_limit[:, last]
        is_run &= passes[:, first + 1 : last].all(axis=1) & (last - first > highest - lowest)
        lowest[is_run], highest[is_run] = first, last
    return lowest, highest


def _n_recovered(bias: Floats, lowest: Places, highest: Places) -> Places:
    is_recovered = bias <= MOST_PERCENT
    rows = np.flatnonzero(highest > lowest)
    is_recovered[rows, lowest[rows]] = is_recovered[rows, highest[rows]] = True
    return np.asarray(is_recovered.sum(axis=1))
