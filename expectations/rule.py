"""One rule as data, and the few kinds of check that rules are made of.

Here: what a rule consists of. Not here: the rules themselves (`expectations.rules`), running them
(`expectations.validation`). Called by the modules that list rules.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypedDict

from transforms.schemas import EARLIEST_DATE

EMPTY_PASSES = "An empty value passes: missing is not wrong"
EMPTY_FAILS = "An empty value breaks the rule"
PLANNED_AHEAD_DAYS = 183
WHOLE_TABLE = "The rule speaks of the whole table, not of values"


@dataclass(frozen=True)
class Given:
    """Stand in for an argument that only the night knows: `night`, `furthest_plan`, `former_rows`...."""

    name: str


class Check(TypedDict):
    """The part of a rule that Great Expectations runs, with the words for what it finds and expects."""

    expectation: str
    arguments: Mapping[str, object]
    found: str
    expected: str
    null_means: str


@dataclass(frozen=True, kw_only=True)
class Rule:
    """A sentence that must be true of a table, with its clinical reason and what to do when it is not.

    `expectation` names a class of great_expectations.expectations and `arguments` are its own; `column` is
    the one people should look at. `found` is a phrase, so that no message ever shows a patient's value.
    A fatal rule speaks of a whole published table and stops the night; any other sends the row to quarantine.
    """

    name: str
    table: str
    column: str
    expectation: str
    arguments: Mapping[str, object]
    reason: str
    found: str
    expected: str
    remedy: str
    null_means: str = EMPTY_PASSES
    is_fatal: bool = False

    def arguments_with(self, given: Mapping[str, object]) -> dict[str, object]:
        """Return the arguments with every `Given` replaced; `KeyError` where the night does not say it."""
        return {
            name: given[value.name] if isinstance(value, Given) else value
            for name, value in self.arguments.items()
        }


def is_given(column: str) -> Check:
    """Check that a column is never empty."""
    return Check(
        expectation="ExpectColumnValuesToNotBeNull",
        arguments={"column": column},
        found="no value",
        expected="a value in every row",
        null_means=EMPTY_FAILS,
    )


def is_one_of(column: str, words: tuple[str, ...]) -> Check:
    """Check that a column holds only these words, spelled so."""
    return Check(
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": column, "value_set": list(words)},
        found="a word that is not in the list",
        expected=f"one of: {', '.join(words)}",
        null_means=EMPTY_PASSES,
    )


def is_between(column: str, low: float, high: float, *, unit: str) -> Check:
    """Check that a number lies in [low, high], both included; NaN lies outside."""
    return Check(
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": column, "min_value": low, "max_value": high},
        found="a value outside the range",
        expected=f"{low:,.0f} to {high:,.0f} {unit}",
        null_means=EMPTY_PASSES,
    )


def is_above(column: str, low: float, high: float, *, unit: str) -> Check:
    """Check that a number lies in ]low, high], the lower limit excluded; NaN lies outside."""
    return Check(
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": column, "min_value": low, "max_value": high, "strict_min": True},
        found="a value outside the range",
        expected=f"above {low:,.0f}, up to {high:,.0f} {unit}",
        null_means=EMPTY_PASSES,
    )


def is_at_least(column: str, low: float, *, unit: str) -> Check:
    """Check that a number is not below `low`."""
    return Check(
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": column, "min_value": low},
        found="a value below the limit",
        expected=f"{low:,.0f} {unit} or more",
        null_means=EMPTY_PASSES,
    )


def is_at_most(column: str, high: float, *, unit: str) -> Check:
    """Check that a number is not above `high`; NaN is."""
    return Check(
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": column, "max_value": high},
        found="a value above the limit",
        expected=f"{high:,.0f} {unit} or less",
        null_means=EMPTY_PASSES,
    )


def is_a_past_day(column: str) -> Check:
    """Check that a date is neither before 1990 nor after the night."""
    return _is_a_day_until(column, Given("night"), beyond="after the night", until="the night")


def is_planned_at_most_ahead(column: str) -> Check:
    """Check that a date is neither before 1990 nor further ahead of the night than plans reach."""
    ahead = f"{PLANNED_AHEAD_DAYS} days after the night"
    return _is_a_day_until(column, Given("furthest_plan"), beyond=f"more than {ahead}", until=ahead)


def _is_a_day_until(column: str, latest: Given, *, beyond: str, until: str) -> Check:
    return Check(
        expectation="ExpectColumnValuesToBeBetween",
        arguments={"column": column, "min_value": EARLIEST_DATE, "max_value": latest},
        found=f"a date before {EARLIEST_DATE.year} or {beyond}",
        expected=f"a day from {EARLIEST_DATE.isoformat()} to {until}",
        null_means=EMPTY_PASSES,
    )


def is_not_before(later: str, earlier: str) -> Check:
    """Check the order of two columns of one row; the same value passes."""
    return Check(
        expectation="ExpectColumnPairValuesAToBeGreaterThanB",
        arguments={
            "column_A": later,
            "column_B": earlier,
            "or_equal": True,
            "ignore_row_if": "either_value_is_missing",
        },
        found=f"{later} before {earlier}",
        expected=f"{later} on or after {earlier}",
        null_means="The rule waits until both values are there",
    )


def is_true(column: str, *, found: str, expected: str, null_means: str = EMPTY_PASSES) -> Check:
    """Check that a Boolean column, mostly a measure computed for the rule, holds no False."""
    return Check(
        expectation="ExpectColumnValuesToBeInSet",
        arguments={"column": column, "value_set": [True]},
        found=found,
        expected=expected,
        null_means=null_means,
    )
