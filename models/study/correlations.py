"""IL-7 against lymphocyte counts: before RT and its change with the nadir, after RT with month 2.

Here: Figure 2 C, D and E of the study. Not here: the coefficients (`models.correlations`), IL-7 by ASL
(`models.study.il7`). Called by `models.study.analyses`.
"""

from dataclasses import dataclass
from functools import partial

import polars as pl

from models.correlations import correlate_pearson, correlate_spearman
from models.study.rows import Finding, Row, Topic, tell

STATISTICS = ("pearson_r", "ci_low", "ci_high", "p", "spearman_rho", "p_spearman")
METHOD = (
    "Pearson's r with Fisher's 95 % interval and the t test's two-sided p; Spearman's rho by mean ranks with "
    "the p of its t approximation; over the patients with both numbers, a value beyond a limit is none"
)


@dataclass(frozen=True)
class Pair:
    """Two columns of the cohort, their word as a variable, and what is set against what."""

    word: str
    il7: str
    count: str
    meaning: str


PAIRS = (
    Pair(
        "pre_rt_il7_vs_nadir",
        "pre_rt_il7_pg_ml",
        "nadir_tlc_cells_per_ul",
        "IL-7 before RT against the lowest count during RT",
    ),
    Pair(
        "delta_il7_vs_nadir",
        "delta_il7_pg_ml",
        "nadir_tlc_cells_per_ul",
        "IL-7 after less before RT against the lowest count during RT",
    ),
    Pair(
        "post_rt_il7_vs_month_2",
        "post_rt_il7_pg_ml",
        "tlc_month_2_cells_per_ul",
        "IL-7 after RT against the count at 2 months from the start of RT",
    ),
)


def correlate_il7_with_counts(cohort: pl.DataFrame) -> list[Row]:
    """Return the rows of the three correlations; of `schemas.COHORT`."""
    rows: list[Row] = []
    for pair in PAIRS:
        rows += tell(Topic("correlations", "all", pair.word), STATISTICS, partial(_found, cohort, pair))
    return rows


def _found(cohort: pl.DataFrame, pair: Pair) -> Finding:
    known = cohort.select(pair.il7, pair.count).fill_nan(None).drop_nulls()
    il7, counts = (known[column].to_numpy() for column in (pair.il7, pair.count))
    pearson, spearman = correlate_pearson(il7, counts), correlate_spearman(il7, counts)
    numbers = {
        "pearson_r": pearson.coefficient.value,
        "ci_low": pearson.coefficient.ci_low,
        "ci_high": pearson.coefficient.ci_high,
        "p": pearson.p,
        "spearman_rho": spearman.coefficient.value,
        "p_spearman": spearman.p,
    }
    return Finding(numbers, f"{pair.meaning}. {METHOD}", n=known.height)
