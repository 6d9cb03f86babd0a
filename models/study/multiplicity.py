"""Many tests at once: beside each p of a family, the false discovery rate at which it would still count.

Here: which p values are one family, and the rows. Not here: the adjustment (`models.comparisons`), the
study's own Bonferroni (`models.study.counts`). Called by `models.study.analyses`.
"""

from collections.abc import Sequence

import numpy as np

from models.comparisons import adjust_fdr
from models.study.rows import Row

# Analyses of which each group's p values are one family: a table's column of tests.
FAMILIES = (
    ("cox_os", "univariate"),
    ("logit_asl", "univariate"),
    ("logit_asl_liver_dose", "univariate"),
    ("compare_il7_groups", "il7_low_vs_high"),
    ("toxicities", "asl_vs_no_asl"),
    ("toxicities", "il7_low_vs_high"),
    ("il7_by_asl", "asl_vs_no_asl"),
    ("correlations", "all"),
)
MEANING = (
    "False discovery rate (Benjamini and Hochberg 1995) over the {n} p values of {analysis}, {group}: of "
    "those at or below it, this share is expected to be chance"
)


NO_P = "Not estimated: there is no p"


def add_false_discovery_rates(rows: Sequence[Row]) -> list[Row]:
    """Return the rows, each p of a family followed by its q; a p that was not estimated counts in none."""
    rates: dict[Row, Row] = {}
    for family in _families(rows):
        rates |= _rates(family)
    return [one for row in rows for one in ((row, rates[row]) if row in rates else (row,))]


def _families(rows: Sequence[Row]) -> list[list[Row]]:
    families: dict[tuple[str, str], list[Row]] = {name: [] for name in FAMILIES}
    for row in rows:
        if row.statistic == "p" and (row.analysis, row.group) in families:
            families[row.analysis, row.group].append(row)
    return list(families.values())


def _rates(family: list[Row]) -> dict[Row, Row]:
    known = [row for row in family if row.value is not None]
    rates = {row: row._replace(statistic="q", definition=NO_P) for row in family}
    values = adjust_fdr(np.array([row.value for row in known], dtype=np.float64))
    for row, value in zip(known, values, strict=True):
        meaning = MEANING.format(n=len(known), analysis=_words(row.analysis), group=_words(row.group))
        rates[row] = row._replace(statistic="q", value=float(value), definition=meaning)
    return rates


def _words(name: str) -> str:
    return name.replace("_", " ")
