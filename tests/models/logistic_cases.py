"""The data that R's logistic.csv is about, as arrays, for the tests of logistic regression and its checks."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.logistic_likelihood import LogisticLikelihood
from models.survival.partial_likelihood import PartialLikelihood
from models.variables import ASL_VARIABLES
from tests.reference.expected import WORDS, assert_same, expected, read_cohort, read_third_party, read_ties

SOME = ("pvtt", "baseline_lymphopenia", "pivka_ii_per_mau_ml", "ptv_per_100_cm3", "pre_rt_il7_per_pg_ml")
TOGETHER = ["uicc_ordinal" if each.word == "uicc_iii_iv" else each.word for each in ASL_VARIABLES]
EVERYWHERE = ["cohort_asl", "cohort_os", "ties", "lung", "pbc", "gbsg2"]
CONTINUOUS = {
    "cohort_asl": SOME[2:],
    "cohort_os": SOME[2:],
    "ties": ("x", "large"),
    "lung": ("age",),
    "pbc": ("age", "bili", "albumin", "protime"),
    "gbsg2": ("age", "tsize", "pnodes", "progrec", "estrec"),
}


@dataclass(frozen=True, eq=False)
class Case:
    covariates: pl.DataFrame
    durations: np.ndarray
    outcome: np.ndarray

    @property
    def matrix(self):
        return self.covariates.cast(pl.Float64).to_numpy()

    def logistic(self, matrix=None):
        return LogisticLikelihood(self.matrix if matrix is None else matrix, self.outcome)

    def partial(self, matrix=None, ties="efron"):
        return PartialLikelihood(
            self.matrix if matrix is None else matrix, self.durations, self.outcome, ties=ties
        )


def case(name):
    if name.startswith("cohort"):
        outcome = "has_asl" if name == "cohort_asl" else "has_died"
        return _case(read_cohort(), "os_months", outcome, SOME)
    if name == "ties":
        return _case(read_ties(), "time", "event", ("x", "y", "large"))
    return _case(read_third_party(name), "time", "event", WORDS[name])


def cohort_case(words, outcome="has_asl"):
    return _case(read_cohort(), "os_months", outcome, words)


def _case(frame, time, event, words):
    durations = frame[time].cast(pl.Float64).to_numpy()
    return Case(frame.select(words), durations, frame[event].cast(pl.Boolean).to_numpy())


def in_r(name):
    return expected(name, of="logistic.csv")


def assert_profiles_are_rs(profiles, name):
    of_r = in_r(name)
    for profile in profiles:
        numbers = {
            "coefficient": profile.estimate,
            "ci_low": profile.ci_low,
            "ci_high": profile.ci_high,
            "chi_square": profile.test.chi_square,
            "p": profile.p,
        }
        assert_same(numbers, of_r[profile.name])
