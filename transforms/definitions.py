"""Definitions of severe lymphopenia by name and version, and how patients are classed under each.

Here: which counts make a case, CTCAE's grades by edition, agreement of definitions. Not here: the cohort
(`transforms.clinical`). A definition never changes: a new wording is a new version. Called by `flows.steps`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from types import MappingProxyType
from typing import TypeVar

import polars as pl

from transforms.clinical import ASL_BELOW_CELLS_PER_UL, ctcae_grade
from transforms.errors import UsageError
from transforms.schemas import PATIENT_KEY

GRADE_3_BELOW_CELLS_PER_UL = 500.0
_Known = TypeVar("_Known")

CLASSES = pl.Schema(
    {
        **dict.fromkeys(PATIENT_KEY, pl.String()),
        "is_case": pl.Boolean(),
        "definition": pl.String(),
        "definition_version": pl.Int64(),
    }
)
AGREEMENT = pl.Schema(
    {
        "first": pl.String(),
        "second": pl.String(),
        "n_both": pl.Int64(),
        "n_only_first": pl.Int64(),
        "n_only_second": pl.Int64(),
        "n_neither": pl.Int64(),
        "n_unknown": pl.Int64(),
        "kappa": pl.Float64(),
    }
)


@dataclass(frozen=True, kw_only=True)
class Definition:
    """A case is a patient with any count below `below_cells_per_ul` in the window.

    The window is from the first to the last day of RT; or, where `within_months` is given, that many months
    of 30.4375 days from the first day. Both ends are included.
    """

    name: str
    version: int
    sentence: str
    source: str
    below_cells_per_ul: float
    within_months: float | None = None

    @property
    def tag(self) -> str:
        """Name and version in one, as models carry them: asl-200-during-rt@1."""
        return f"{self.name}@{self.version}"

    @property
    def is_in_window(self) -> pl.Expr:
        """Whether a row of `COUNT_COURSE` lies in the window."""
        if self.within_months is None:
            return pl.col("is_during_rt")
        return pl.col("months_from_rt_start").is_between(0, self.within_months)


DEFINITIONS = (
    Definition(
        name="asl-200-during-rt",
        version=1,
        sentence="Acute severe lymphopenia: any count below 200 cells/uL during RT",
        source="The study that Nadir was made for",
        below_cells_per_ul=ASL_BELOW_CELLS_PER_UL,
    ),
    Definition(
        name="asl-500-within-3-months",
        version=1,
        sentence="Acute severe lymphopenia: any count below 500 cells/uL within 3 months of the start of RT",
        source="Byun et al., Strahlentherapie und Onkologie 2019;195:1007-1017",
        below_cells_per_ul=500.0,
        within_months=3.0,
    ),
    Definition(
        name="grade-3-or-worse",
        version=1,
        sentence="Lymphocyte count decreased of grade 3 or worse: any count below 500 cells/uL during RT",
        source="NCI, CTCAE v4.0 and v5.0: the cut-offs are the same",
        below_cells_per_ul=GRADE_3_BELOW_CELLS_PER_UL,
    ),
)
DEFAULT = DEFINITIONS[0]
# Editions whose term 'lymphocyte count decreased' has the cut-offs 800, 500 and 200 cells/uL.
CTCAE_EDITIONS: Mapping[str, str] = MappingProxyType(
    {
        "ctcae-4.0": "NCI, Common Terminology Criteria for Adverse Events v4.0 (2009)",
        "ctcae-5.0": "NCI, Common Terminology Criteria for Adverse Events v5.0 (2017)",
    }
)
REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "ctcae-6.0": "a public implementation (pharmaverse's admiral) has dropped the term 'lymphocyte count "
        "decreased' there, and no cut-offs are to be guessed"
    }
)


def definition(name: str) -> Definition:
    """Return the definition of that name (its newest version) or tag.

    Raises `UsageError` with the reason for one that is refused, and for one that is not known.
    """
    known = {one.name: one for one in DEFINITIONS} | {one.tag: one for one in DEFINITIONS}
    return _look_up(name, known)


def grade(tlc_cells_per_ul: pl.Expr, *, lower_limit: pl.Expr, edition: str = "ctcae-4.0") -> pl.Expr:
    """Grade a count (cells/uL) by an edition of CTCAE, 0 to 4; grade 1 begins at the laboratory's limit.

    lower_limit: cells/uL; 1,000 where it is null. The cut-offs 800, 500 and 200 hold whatever the lower limit
    is. Raises `UsageError` as `definition` does.
    """
    _look_up(edition, CTCAE_EDITIONS)
    return ctcae_grade(tlc_cells_per_ul, lower_limit)


def _look_up(name: str, known: Mapping[str, _Known]) -> _Known:
    if name in REFUSED:
        raise UsageError(f"{name} is refused: {REFUSED[name]}. Use one of {', '.join(known)}.")
    if name not in known:
        raise UsageError(f"There is no definition {name!r}. Use one of {', '.join(known)}.")
    return known[name]


def classify(
    course: pl.DataFrame, patients: pl.DataFrame, *, definition: Definition = DEFAULT
) -> pl.DataFrame:
    """Class each patient under a definition; null where nothing was measured in the window.

    course: rows of `COUNT_COURSE`; where it has `comparator`, a value that is only a limit is a case, none,
    or unknown, as the limit tells. Returns a frame of `CLASSES`, a row for every row of `patients`, sorted.
    """
    is_below = _is_below(definition.below_cells_per_ul, has_limits="comparator" in course.columns)
    is_case = is_below.any(ignore_nulls=False)
    found = course.filter(definition.is_in_window).group_by(PATIENT_KEY).agg(is_case=is_case)
    return (
        patients.select(PATIENT_KEY)
        .join(found, on=PATIENT_KEY, how="left")
        .with_columns(
            definition=pl.lit(definition.name), definition_version=pl.lit(definition.version, pl.Int64)
        )
        .select(CLASSES.names())
        .sort(PATIENT_KEY)
    )


def _is_below(cells_per_ul: float, *, has_limits: bool) -> pl.Expr:
    """Whether the true count is below the cut-off: '<200' is below 200, '<500' may be."""
    value = pl.col("tlc_cells_per_ul")
    if not has_limits:
        return value < cells_per_ul
    comparator = pl.col("comparator")
    return (
        pl.when(comparator.is_null())
        .then(value < cells_per_ul)
        .when((comparator == "<") & (value <= cells_per_ul))
        .then(statement=True)
        .when((comparator == "<=") & (value < cells_per_ul))
        .then(statement=True)
        .when(comparator.is_in([">", ">="]) & (value >= cells_per_ul))
        .then(statement=False)
    )


def agreement(
    course: pl.DataFrame, patients: pl.DataFrame, *, definitions: Sequence[Definition] = DEFINITIONS
) -> pl.DataFrame:
    """Cross the classes of each pair of definitions, a row a pair (schema `AGREEMENT`).

    `n_unknown` are the patients whom either definition cannot class; they are in no other number. Kappa is
    Cohen's (Educ Psychol Meas 1960;20:37-46); empty where both class everybody alike, so that chance agrees.
    """
    classes = {one.tag: classify(course, patients, definition=one)["is_case"] for one in definitions}
    rows = [
        {"first": first, "second": second, **_cross(classes[first], classes[second])}
        for first, second in combinations(classes, 2)
    ]
    return pl.DataFrame(rows, schema=AGREEMENT)


def _cross(first: pl.Series, second: pl.Series) -> dict[str, int | float | None]:
    both, only_first = int((first & second).sum()), int((first & ~second).sum())
    only_second, neither = int((~first & second).sum()), int((~first & ~second).sum())
    n = both + only_first + only_second + neither
    return {
        "n_both": both,
        "n_only_first": only_first,
        "n_only_second": only_second,
        "n_neither": neither,
        "n_unknown": len(first) - n,
        "kappa": _kappa(n, n_alike=both + neither, n_first=both + only_first, n_second=both + only_second),
    }


def _kappa(n: int, *, n_alike: int, n_first: int, n_second: int) -> float | None:
    by_chance = n_first * n_second + (n - n_first) * (n - n_second)
    return None if by_chance == n * n else (n * n_alike - by_chance) / (n * n - by_chance)
