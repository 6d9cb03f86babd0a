"""The data that `tests/reference/cox.R` fitted, by the name of its case.

Here: rows as arrays, and the onsets derived as R derived them. Not here: R's numbers. Called by the tests of
`models.survival`.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.estimate import Coefficient, Flags, Floats
from models.survival.cox import CoxFit
from models.survival.time_dependent import SplitFollowUp, split_at
from tests.reference.expected import (
    WORDS,
    Numbers,
    assert_same,
    expected,
    read_cohort,
    read_onsets,
    read_third_party,
    read_ties,
)

FEW = ("child_pugh_b", "uicc_ordinal", "pivka_ii_per_mau_ml", "pre_rt_il7_per_pg_ml")
THIRD_PARTY = ("lung", "pbc", "gbsg2")
EVERYWHERE = ("cohort", "cohort_few", "cohort_quarters", "ties", *THIRD_PARTY)
CHANGING = ("cohort", "cohort_quarters", "ties", "lung", "pbc")
TIES = ("efron", "breslow")


@dataclass(frozen=True)
class Followed:
    """Covariates (n rows) with their durations and events (n,)."""

    covariates: pl.DataFrame
    durations: Floats
    events: Flags


def in_r(case: str) -> dict[str, Numbers]:
    """Return R's numbers of a case of cox.csv."""
    return expected(case, of="cox.csv")


def followed(name: str) -> Followed:
    """Return the data of a case whose covariates are known from the start."""
    frame, time, event = _frame(name)
    words = [word for word in in_r(f"{name}_efron") if word != "model"]
    return Followed(frame.select(words), _durations(name, frame, time), frame[event].to_numpy())


def followed_with_onset(name: str) -> tuple[Followed, SplitFollowUp]:
    """Return the data of a case with a state that begins: covariates of each row, and the rows."""
    frame, time, event = _frame(name)
    durations = _durations(name, frame, time)
    split = split_at(_onsets(name, durations), durations, frame[event].to_numpy())
    words = {"ties": ("x", "y")}.get(name, WORDS.get(name, FEW))
    after = pl.Series("after", split.is_after).cast(pl.Float64)
    covariates = frame.select(words)[split.row].insert_column(0, after)
    return Followed(covariates, split.stop, split.events), split


def _frame(name: str) -> tuple[pl.DataFrame, str, str]:
    if name in THIRD_PARTY:
        return read_third_party(name), "time", "event"
    if name == "ties":
        return read_ties(), "time", "event"
    return read_cohort(), "os_months", "has_died"


def _durations(name: str, frame: pl.DataFrame, time: str) -> Floats:
    durations = frame[time].to_numpy().astype(np.float64)
    return np.ceil(durations / 3) if name == "cohort_quarters" else durations


def _onsets(name: str, durations: Floats) -> Floats:
    if name.startswith("cohort"):
        onsets = read_onsets().to_numpy()
        return np.ceil(onsets) if name == "cohort_quarters" else onsets
    row = np.arange(len(durations))
    onsets = np.where(row % 3 == 0, np.nan, durations * ((row * 37) % 101) / 100)
    return np.floor(onsets) if name == "ties" else onsets


def assert_model_is_rs(fit: CoxFit, case: str) -> None:
    """Hold every coefficient of R's case, and what R says of the whole model where it does."""
    of_r = in_r(case)
    for coefficient in fit.coefficients:
        assert_same(_numbers_of(coefficient), of_r[coefficient.name])
    names = [coefficient.name for coefficient in fit.coefficients]
    assert_same(_numbers_of_model(fit), of_r[f"model_{names[0]}" if len(names) == 1 else "model"])


def _numbers_of(coefficient: Coefficient) -> Numbers:
    return {"coefficient": coefficient.estimate, "standard_error": coefficient.standard_error}


def _numbers_of_model(fit: CoxFit) -> Numbers:
    tests = vars(fit.tests)
    return {
        **{name: test.chi_square for name, test in tests.items()},
        **{f"p_{name}": test.p for name, test in tests.items()},
        "degrees_of_freedom": fit.tests.wald.degrees_of_freedom,
        "log_likelihood": fit.log_likelihood,
        "n": fit.n,
        "events": fit.events,
    }
