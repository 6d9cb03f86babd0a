"""Rules of single lines of a landed file, and the findings on lines that break them.

Here: the shape of such a rule. Not here: the rules (`transforms.plates.layout` and its kin), nor those of
tables (`expectations`). A finding says what kind of thing was found, never the value.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.findings import FINDING_SCHEMA, no_findings


@dataclass(frozen=True)
class LineRule:
    """What a line must satisfy: `holds` is true where it does; null counts as broken.

    `column` is the one people should look at; where it is `analyte`, the finding names the line's analyte.
    """

    column: str
    rule: str
    holds: pl.Expr
    found: str
    expected: str
    remedy: str


def sift_lines(frame: pl.DataFrame, rules: Sequence[LineRule]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that satisfy every rule, and the rejections of the others."""
    good = frame.filter(pl.all_horizontal(rule.holds.fill_null(value=False) for rule in rules))
    return good, broken_lines(frame, [rule for rule in rules if rule.rule])


def broken_lines(frame: pl.DataFrame, rules: Iterable[LineRule]) -> pl.DataFrame:
    """Return a finding for each line and rule that it breaks (schema `FINDING_SCHEMA`), by line."""
    found = [
        frame.filter(~rule.holds.fill_null(value=False))
        .select(
            "line",
            (pl.col("analyte") if rule.column == "analyte" else pl.lit(rule.column)).alias("column"),
            rule=pl.lit(rule.rule),
            found=pl.lit(rule.found),
            expected=pl.lit(rule.expected),
            remedy=pl.lit(rule.remedy),
        )
        .cast(FINDING_SCHEMA)
        for rule in rules
    ]
    return pl.concat([no_findings(), *found]).sort("line", maintain_order=True)
