"""How results become rows of the estimates table: a topic, its statistics, and the reason where none came.

Here: the layout alone. Not here: any statistic. Called by the modules of this folder. A statistic that
cannot be estimated keeps its row, with a null and the reason, so that the night goes on and nobody misses it.
"""

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import polars as pl

from models.comparisons import ChiSquare, Description, TTest
from transforms import schemas
from transforms.errors import NotEstimableError


class Topic(NamedTuple):
    """What a number is about, in the study's words."""

    analysis: str
    group: str
    variable: str
    level: str = ""


class Row(NamedTuple):
    """One number: a row of `schemas.ESTIMATES`."""

    analysis: str
    group: str
    variable: str
    level: str
    statistic: str
    value: float | None
    n: int | None
    events: int | None
    definition: str


@dataclass(frozen=True)
class Finding:
    """What an analysis found: numbers by statistic, how, from how many; `reasons` says why one is None."""

    numbers: Mapping[str, float | None]
    definition: str
    n: int | None = None
    events: int | None = None
    reasons: Mapping[str, str] = field(default_factory=dict)


def tell(topic: Topic, statistics: tuple[str, ...], compute: Callable[[], Finding]) -> list[Row]:
    """Return one row for each statistic; all null with the reason where `compute` cannot estimate."""
    try:
        finding = compute()
    except NotEstimableError as reason:
        return tell_failure(topic, statistics, reason)
    return [_row(topic, name, finding) for name in statistics]


def tell_failure(topic: Topic, statistics: tuple[str, ...], reason: NotEstimableError) -> list[Row]:
    """Return one row for each statistic, null, with the reason."""
    return [Row(*topic, name, None, None, None, f"Not estimated: {reason}") for name in statistics]


def _row(topic: Topic, statistic: str, finding: Finding) -> Row:
    value = finding.numbers[statistic]
    if value is not None and math.isfinite(value):
        return Row(*topic, statistic, float(value), finding.n, finding.events, finding.definition)
    reason = finding.reasons.get(statistic, "the data give no finite value")
    definition = f"Not estimated: {reason}. {finding.definition}"
    return Row(*topic, statistic, None, finding.n, finding.events, definition)


def frame_of(rows: Iterable[Row]) -> pl.DataFrame:
    """Return the rows as a frame of `schemas.ESTIMATES`."""
    return pl.DataFrame(list(rows), schema=schemas.ESTIMATES.polars_schema, orient="row")


DESCRIPTION = ("n", "mean", "sd", "median", "min", "max")
T_TEST = ("p", "t", "degrees_of_freedom", "difference", "ci_low", "ci_high")
CHI_SQUARE = ("p", "chi_square", "degrees_of_freedom", "smallest_expected")


def found_description(description: Description, definition: str) -> Finding:
    """Lay out a description; statistics `DESCRIPTION`."""
    numbers = {
        "n": description.n,
        "mean": description.mean,
        "sd": description.sd,
        "median": description.median,
        "min": description.minimum,
        "max": description.maximum,
    }
    return Finding(numbers, definition, n=description.n, reasons={"sd": "one value has no spread"})


def found_t_test(test: TTest, definition: str) -> Finding:
    """Lay out a t test; statistics `T_TEST`."""
    numbers = {
        "p": test.p,
        "t": test.t,
        "degrees_of_freedom": test.degrees_of_freedom,
        "difference": test.difference.value,
        "ci_low": test.difference.ci_low,
        "ci_high": test.difference.ci_high,
    }
    return Finding(numbers, definition, n=test.n)


def found_chi_square(test: ChiSquare, definition: str) -> Finding:
    """Lay out a chi-square test; statistics `CHI_SQUARE`."""
    numbers = {
        "p": test.p,
        "chi_square": test.chi_square,
        "degrees_of_freedom": float(test.degrees_of_freedom),
        "smallest_expected": test.smallest_expected,
    }
    return Finding(numbers, definition, n=test.n)
