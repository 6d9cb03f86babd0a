"""The estimates of one analysis, found by what they are about, and the cells that every table writes alike.

Here: look-up, reasons, p values and counts as texts. Not here: any table (its siblings, which call this).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.wording import NOT_ESTIMATED, NOTHING, write_number, write_p, write_value

Row = Mapping[str, object]


@dataclass(frozen=True)
class Estimate:
    """One number with what it is about; `is_made` is false where the night has no such row at all."""

    value: float | None = None
    n: int | None = None
    events: int | None = None
    definition: str | None = None
    is_made: bool = True


ABSENT = Estimate(is_made=False)


class Analysis:
    """The estimates of one analysis, found by group, variable, level and statistic."""

    def __init__(self, estimates: pl.DataFrame, name: str) -> None:
        """Take the rows of `estimates` (schemas.ESTIMATES) whose analysis is `name`."""
        self.name = name
        self._rows = {
            (row["group"], row["variable"], row["level"] or "", row["statistic"]): Estimate(
                row["value"], row["n"], row["events"], row["definition"]
            )
            for row in estimates.filter(pl.col("analysis") == name).iter_rows(named=True)
        }

    def find(self, group: str, variable: str, statistic: str, *, level: str = "") -> Estimate:
        """Return the estimate, or `ABSENT` where the night did not make it."""
        return self._rows.get((group, variable, level, statistic), ABSENT)

    def value(self, group: str, variable: str, statistic: str, *, level: str = "") -> float | None:
        """Return the number alone."""
        return self.find(group, variable, statistic, level=level).value

    def groups(self) -> list[str]:
        """Return the groups, in the order of the estimates."""
        return distinct(group for group, *_ in self._rows)

    def n_of(self, group: str) -> int | None:
        """Return how many patients the first estimate of a group rests on."""
        return next((found.n for (name, *_), found in self._rows.items() if name == group), None)

    def variables(self, group: str) -> list[str]:
        """Return the variables of a group, in the order of the estimates."""
        return distinct(variable for found, variable, *_ in self._rows if found == group)

    def variables_at(self, group: str, *, level: str) -> list[str]:
        """Return the variables of a group that have this level, in the order of the estimates."""
        return distinct(key[1] for key in self._rows if (key[0], key[2]) == (group, level))

    def levels(self, group: str, variable: str) -> list[str]:
        """Return the levels of a variable, in the order of the estimates; none for a continuous one."""
        return distinct(key[2] for key in self._rows if key[:2] == (group, variable) and key[2])


def is_made(estimates: pl.DataFrame, name: str) -> bool:
    """Return whether the night has an analysis of this name; an older one may not."""
    return not estimates.filter(pl.col("analysis") == name).is_empty()


def count_text(
    analysis: Analysis, group: str, variable: str, *, level: str = "", statistic: str = "n"
) -> str:
    """Write a number of patients; a dash where it was never asked for."""
    found = analysis.find(group, variable, statistic, level=level)
    return write_number(found.value, 0) if found.is_made else NOTHING


def mean_and_sd(analysis: Analysis, group: str, variable: str) -> str:
    """Write "mean ± SD" with the decimals of the variable."""
    mean, sd = (analysis.value(group, variable, name) for name in ("mean", "sd"))
    if mean is None:
        return NOT_ESTIMATED
    return write_value(mean, variable) + ("" if sd is None else f" ± {write_value(sd, variable)}")


def percent_text(percent: float | None, decimals: int = 0) -> str:
    """Write a percentage."""
    return write_number(percent, decimals) + ("" if percent is None else "%")


def n_text(estimate: Estimate) -> str:
    """Write "67 of 98": events of patients."""
    if estimate.n is None or estimate.events is None:
        return NOTHING
    return f"{estimate.events:,} of {estimate.n:,}"


def number_text(estimate: Estimate, decimals: int) -> str:
    """Write a number; a dash where it was never asked for."""
    return write_number(estimate.value, decimals) if estimate.is_made else NOTHING


def p_text(test: Estimate) -> str:
    """Write a p value, or a q; a dash where it was never asked for."""
    return write_p(test.value) if test.is_made else NOTHING


def why_missing(estimate: Estimate) -> str:
    """Return why an estimate is null; nothing where it has a value or was never asked for."""
    if estimate.value is not None or not estimate.is_made:
        return ""
    return (estimate.definition or "no reason was given").removeprefix("Not estimated: ")


def first_or_reasons(*found: Estimate) -> Estimate:
    """Return the first estimate; where any is null, a null one with the reasons of all that are."""
    reasons = distinct(reason for reason in map(why_missing, found) if reason)
    return Estimate(definition=". ".join(reasons)) if reasons else found[0]


def join_reasons(reasons: Mapping[str, Estimate]) -> str:
    """Return why estimates are null, each after the words it stands under, the same reason once."""
    told = {words: why_missing(found) for words, found in reasons.items()}
    texts = distinct(text for text in told.values() if text)
    if len(texts) == 1 and len(told) == sum(map(bool, told.values())):
        return texts[0]
    return ". ".join(
        f"{', '.join(words for words, found in told.items() if found == text)}: {text}" for text in texts
    )


def distinct(words: Iterable[str]) -> list[str]:
    """Return the words once each, in order."""
    return list(dict.fromkeys(words))


def text_frame(rows: Sequence[Row], columns: tuple[str, ...]) -> pl.DataFrame:
    """Return the rows as a frame of texts; `is_level` is a flag."""
    schema = {name: pl.Boolean if name == "is_level" else pl.String for name in columns}
    return pl.DataFrame(rows, schema=schema, orient="row").select(columns)
