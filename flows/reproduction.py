"""The study reproduced: the reconstructed cohort through the night's own steps, beside what is printed.

Here: the run in a folder of its own and the verdict. Not here: the comparison (`transforms.published`), the
cohort (`flows.reconstruction`). Called by `nadir reproduce-paper`.
"""

from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

import polars as pl

from flows.night import Night
from flows.reconstruction import read_published, write_reconstructed_landing
from flows.settings import Settings
from flows.steps import derive, load_landing
from models.study.analyses import estimate_study
from models.study.options import StudyOptions
from transforms.published import KEY, compare_with_published, count_equal, tell_equal

# How many of the study's numbers came out when the cohort was last reconstructed.
RECORDED_EQUAL = 413
# Any night after the last follow-up gives the same numbers.
_NIGHT = date(2026, 1, 1)


def reproduce_paper() -> pl.DataFrame:
    """Run the reconstructed cohort through loading, validation, derivation and analysis.

    Returns `transforms.published.SIDE_BY_SIDE`. Nothing is left behind.
    """
    with TemporaryDirectory() as folder:
        landing = Path(folder) / "landing"
        write_reconstructed_landing(landing)
        night = Night(_NIGHT, Settings.with_folders(landing=landing, home=Path(folder) / "home"))
        derived = derive(night, load_landing(night))
    study = estimate_study(derived.data, StudyOptions(resamples=0, imputations=0))
    return compare_with_published(study.estimates, read_published())


def tell(side_by_side: pl.DataFrame) -> str:
    """Tell how many numbers come out, and which do not: what it is about, published, ours."""
    unequal = side_by_side.filter(~pl.col("is_equal"))
    about = pl.concat_str("where", *KEY, separator=" ", ignore_nulls=True)
    lines = [
        f"  {words:<60} published {printed:>8}   ours {ours or 'not estimated':>8}"
        for words, printed, ours in unequal.select(about, "printed", "ours_printed").rows()
    ]
    return "\n".join([tell_equal(side_by_side), *lines, f"On record: {RECORDED_EQUAL}."])


def falls_short(side_by_side: pl.DataFrame) -> bool:
    """Tell whether fewer numbers come out than are on record."""
    return count_equal(side_by_side) < RECORDED_EQUAL
