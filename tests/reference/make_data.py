"""Write the invented data sets that R and our own code are compared on, from a seed.

Here: `cohort.csv` (the study's variables), `onsets.csv` (when its patients' ASL began) and `ties.csv` (heavy
ties) beside this file. Not here: R's numbers (the R scripts write them). Run by hand:
`python -m tests.reference.make_data`, then the R scripts.
"""

from pathlib import Path

import numpy as np
import polars as pl

from models.variables import ASL_VARIABLES, SURVIVAL_VARIABLES, UICC_ORDINAL, derive_variables
from tests.models.synthetic_cohort import make_cohort

FOLDER = Path(__file__).parent
COHORT_SEED = 7
TIES_SEED = 8
ONSETS_SEED = 9
KEPT = (
    "os_months",
    "has_died",
    "pfs_months",
    "has_progressed_or_died",
    "has_asl",
    "has_recovered",
    "il7_group",
    "viral_type",
    "uicc_stage",
    "child_pugh",
    "age_years",
    "pre_rt_il7_pg_ml",
    "post_rt_il7_pg_ml",
    "baseline_tlc_cells_per_ul",
    "tlc_month_2_cells_per_ul",
)


def make_cohort_data() -> pl.DataFrame:
    """Return 98 invented patients with the words of the regressions as columns, flags as 0 and 1."""
    cohort, _ = make_cohort(98, COHORT_SEED)
    variables = tuple(dict.fromkeys((*SURVIVAL_VARIABLES, *ASL_VARIABLES)))
    stage = derive_variables(cohort, (UICC_ORDINAL,)).rename({UICC_ORDINAL.word: "uicc_ordinal"})
    flags = pl.col(pl.Boolean).cast(pl.Int64)
    return pl.concat(
        [cohort.select(KEPT).with_columns(flags), derive_variables(cohort, variables), stage],
        how="horizontal",
    )


def make_tied_data(n: int = 60) -> pl.DataFrame:
    """Return 60 invented rows on 9 distinct times, a third of them censored, in three groups."""
    rng = np.random.default_rng(TIES_SEED)
    return pl.DataFrame(
        {
            "time": rng.integers(1, 10, n),
            "event": (rng.random(n) < 0.65).astype(int),
            "group": rng.choice(["a", "b", "c"], n),
            "x": rng.normal(size=n).round(3),
            "y": (rng.random(n) < 0.4).astype(int),
            "large": np.exp(rng.normal(6, 2, n)).round(1),
        }
    )


def make_onsets(cohort: pl.DataFrame) -> pl.DataFrame:
    """Return one row a patient: the month in which ASL began, empty without ASL.

    Three are at the edges on purpose: from the start, at the very end of the follow-up, and after it.
    """
    n = cohort.height
    onsets = np.random.default_rng(ONSETS_SEED).uniform(0.2, 2.5, n).round(2)
    with_asl = np.flatnonzero(cohort["has_asl"].to_numpy() == 1)
    months = cohort["os_months"].to_numpy()
    onsets[with_asl[0]] = 0
    onsets[with_asl[1]] = months[with_asl[1]]
    onsets[with_asl[2]] = months[with_asl[2]] + 1
    return cohort.select(
        row=pl.int_range(n), onset_months=pl.when(pl.col("has_asl") == 1).then(pl.Series(onsets))
    )


if __name__ == "__main__":
    cohort = make_cohort_data()
    cohort.write_csv(FOLDER / "cohort.csv")
    make_onsets(cohort).write_csv(FOLDER / "onsets.csv")
    make_tied_data().write_csv(FOLDER / "ties.csv")
