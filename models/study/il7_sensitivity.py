"""Whether the odds ratio of IL-7 hangs on what is done with values below or above their limit.

Here: the analysis `il7_sensitivity`, one odds ratio under each rule. Not here: the fits (`models.regression`,
`models.censored`), the numbers of censored values (`models.study.il7_censoring`). Called by
`models.study.analyses`.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from models.censored import ABOVE, BELOW, NUMBER, CensoredFit, LimitedValues, fit_censored_logistic
from models.estimate import Coefficient, Flags, Floats
from models.regression import fit_logistic
from models.study.il7_censoring import is_censored, place_of
from models.study.rows import Finding, Row, Topic, tell
from models.study.selected_model import LOGIT_ASL
from models.variables import PRE_IL7

SENSITIVITY = "il7_sensitivity"
STATISTICS = (*LOGIT_ASL.statistics, "n", "events")
# What stands for a value below its limit, as a share of it. The root of two: Hornung and Reed 1990 (Appl
# Occup Environ Hyg 5:46), best where few are below and their logarithm is near normal.
SHARES_OF_LIMIT = {"limit": 1.0, "half_limit": 0.5, "limit_over_root_two": 1 / math.sqrt(2)}
RULES = {
    "as_measured": "Numbers alone, within or extrapolated: patients with a censored value are left out",
    "limit": "A value below its limit counts as the limit; one above counts as its limit itself",
    "half_limit": "A value below its limit counts as half the limit; one above counts as its limit itself",
    "limit_over_root_two": (
        "A value below its limit counts as the limit over the root of two; one above as its limit itself"
    ),
    "censored_likelihood": (
        "No number for a censored value: the likelihood is integrated over all that its limit leaves, the "
        "logarithm of IL-7 taken as normal; joint maximum likelihood, errors of the observed information"
    ),
}


@dataclass(frozen=True, eq=False)
class _Known:
    """Patients with a number or a limit of IL-7 before RT, and with ASL known."""

    il7: LimitedValues
    has_asl: Flags


def compare_censoring_rules(cohort: pl.DataFrame) -> list[Row]:
    """Return the odds ratio of ASL for 1 pg/mL more of IL-7 before RT, under each of `RULES`."""
    known = _known(cohort)
    findings: dict[str, Callable[[], Finding]] = {
        "as_measured": partial(_found_as_measured, known),
        **{rule: partial(_found_with_substitutes, known, rule) for rule in SHARES_OF_LIMIT},
        "censored_likelihood": partial(_found_by_likelihood, known),
    }
    rows: list[Row] = []
    for rule in RULES:
        rows += tell(Topic(SENSITIVITY, rule, PRE_IL7.word), STATISTICS, findings[rule])
    return rows


def _known(cohort: pl.DataFrame) -> _Known:
    place, limit = place_of("pre_rt"), pl.col("pre_rt_il7_limit_pg_ml")
    known = (
        cohort.select(
            "has_asl",
            value=pl.when(is_censored("pre_rt")).then(limit).otherwise(pl.col("pre_rt_il7_pg_ml")),
            side=pl.when(place == "below").then(BELOW).when(place == "above").then(ABOVE).otherwise(NUMBER),
        )
        .cast({"side": pl.Int64})
        .drop_nulls()
        .drop_nans()
    )
    il7 = LimitedValues(PRE_IL7.word, known["value"].to_numpy(), known["side"].to_numpy())
    return _Known(il7, known["has_asl"].to_numpy())


def _found_as_measured(known: _Known) -> Finding:
    is_number = known.il7.sides == NUMBER
    return _found_ordinary("as_measured", known.il7.values[is_number], known.has_asl[is_number])


def _found_with_substitutes(known: _Known, rule: str) -> Finding:
    below = known.il7.sides == BELOW
    values = np.where(below, known.il7.values * SHARES_OF_LIMIT[rule], known.il7.values)
    return _found_ordinary(rule, values, known.has_asl)


def _found_ordinary(rule: str, values: Floats, has_asl: Flags) -> Finding:
    fit = fit_logistic(pl.DataFrame({PRE_IL7.word: values}), has_asl)
    return _found(rule, fit.coefficients[0], n=fit.n, events=fit.events)


def _found_by_likelihood(known: _Known) -> Finding:
    fit: CensoredFit = fit_censored_logistic(known.il7, known.has_asl)
    return _found("censored_likelihood", fit.coefficient, n=fit.n, events=fit.events)


def _found(rule: str, coefficient: Coefficient, *, n: int, events: int) -> Finding:
    ratio = coefficient.ratio
    numbers = {
        "or": ratio.value,
        "ci_low": ratio.ci_low,
        "ci_high": ratio.ci_high,
        "p": coefficient.p,
        "coefficient": coefficient.estimate,
        "standard_error": coefficient.standard_error,
        "z": coefficient.z,
        "n": n,
        "events": events,
    }
    definition = f"{PRE_IL7.meaning}. {RULES[rule]}. {LOGIT_ASL.method}"
    return Finding(numbers, definition, n=n, events=events)
