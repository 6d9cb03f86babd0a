"""What R computed, for the tests of models: `expected.csv` and its like by case, and the data behind them.

Here: reading. Not here: the computing (`reference.R` and its like, run by hand; the tests need no R).
"""

from collections import defaultdict
from pathlib import Path

import polars as pl
import pytest

FOLDER = Path(__file__).parent
THIRD_PARTY = FOLDER.parents[1].parent / "shared" / "data"

# Six significant digits are asked for; nine are held, so that a slip shows before it matters.
TOLERANCE = 1e-9

Numbers = dict[str, float | None]


def expected(case: str, *, of: str = "expected.csv") -> dict[str, Numbers]:
    """Return R's numbers of a case in the file `of`, by name and statistic; None where R has NA."""
    frame = pl.read_csv(FOLDER / of, infer_schema=False).filter(pl.col("case") == case)
    numbers: dict[str, Numbers] = defaultdict(dict)
    for name, statistic, value in frame.select("name", "statistic", "value").iter_rows():
        numbers[name][statistic] = None if value == "NA" else float(value)
    assert numbers, f"{of} has no case {case}"
    return numbers


def assert_same(ours: Numbers, of_r: Numbers) -> None:
    """Hold that every number of R's is ours, None where R has NA."""
    for statistic, value in of_r.items():
        if value is None:
            assert ours[statistic] is None, statistic
        else:
            assert ours[statistic] == pytest.approx(value, rel=TOLERANCE, abs=1e-13), statistic


def read_cohort() -> pl.DataFrame:
    """Return the 98 invented patients, flags as Booleans."""
    return pl.read_csv(FOLDER / "cohort.csv", infer_schema_length=None).with_columns(
        pl.col("has_died", "has_progressed_or_died", "has_asl", "has_recovered").cast(pl.Boolean)
    )


def read_onsets() -> pl.Series:
    """Return the month in which each invented patient's ASL began, null without ASL."""
    return pl.read_csv(FOLDER / "onsets.csv")["onset_months"]


def read_ties() -> pl.DataFrame:
    """Return the 60 invented rows with heavy ties."""
    return pl.read_csv(FOLDER / "ties.csv").with_columns(pl.col("event").cast(pl.Boolean))


def read_third_party(name: str) -> pl.DataFrame:
    """Return lung, pbc or gbsg2 with complete `time` and Boolean `event`; skip where the files are absent."""
    places = {
        "lung": "longitudinal-survival-r/survival_lung.csv",
        "pbc": "longitudinal-survival-r/survival_pbc.csv",
        "gbsg2": "survival-lifelines/gbsg2.csv",
    }
    path = THIRD_PARTY / places[name]
    if not path.exists():
        pytest.skip(f"{name} is third-party data that lies outside the project, and is not here")
    frame = pl.read_csv(path, null_values="NA", infer_schema_length=None)
    return _TIDY[name](frame)


def _tidy_lung(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(event=pl.col("status") == 2).drop_nulls(
        ["time", "event", "age", "sex", "ph.ecog"]
    )


def _tidy_pbc(frame: pl.DataFrame) -> pl.DataFrame:
    needed = ["time", "event", "age", "edema", "bili", "albumin", "protime"]
    return frame.with_columns(event=pl.col("status") == 2).drop_nulls(needed)


def _tidy_gbsg2(frame: pl.DataFrame) -> pl.DataFrame:
    return frame.with_columns(
        event=pl.col("cens") == 1,
        hormone=(pl.col("horTh") == "yes").cast(pl.Int64),
        post=(pl.col("menostat") == "Post").cast(pl.Int64),
    )


_TIDY = {"lung": _tidy_lung, "pbc": _tidy_pbc, "gbsg2": _tidy_gbsg2}

WORDS = {
    "lung": ("age", "sex", "ph.ecog"),
    "pbc": ("age", "edema", "bili", "albumin", "protime"),
    "gbsg2": ("hormone", "age", "post", "tsize", "pnodes", "progrec", "estrec"),
}
