"""What is wrong with a file or a row, as data: where, what was found, what was expected, what to do.

Here: the shape of a finding, and the frames that hold them. Not here: the rules themselves. A finding
never carries a patient's value or identifier: the file and the line lead to it. Used by every parser.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace

import polars as pl

FINDING_SCHEMA = pl.Schema(
    {
        "line": pl.Int64(),
        "column": pl.String(),
        "rule": pl.String(),
        "found": pl.String(),
        "expected": pl.String(),
        "remedy": pl.String(),
    }
)


@dataclass(frozen=True)
class Finding:
    """One broken rule; `line` is empty where the whole file is meant."""

    rule: str
    found: str
    expected: str
    remedy: str
    line: int | None = None
    column: str | None = None


class UnreadableFileError(ValueError):
    """A file that cannot be read at all; it goes to quarantine whole, and the other files load."""

    def __init__(self, finding: Finding) -> None:
        self.finding = finding
        super().__init__(f"{finding.found}. Expected: {finding.expected}. {finding.remedy}")

    @property
    def refusal(self) -> Finding:
        """The finding without its line: in quarantine, no line means the whole file."""
        return replace(self.finding, line=None)


def findings_frame(findings: Iterable[Finding]) -> pl.DataFrame:
    """Return the findings as a frame of `FINDING_SCHEMA`, one a row."""
    return pl.DataFrame([asdict(finding) for finding in findings], schema=FINDING_SCHEMA)


def no_findings() -> pl.DataFrame:
    """Return an empty frame of `FINDING_SCHEMA`."""
    return pl.DataFrame(schema=FINDING_SCHEMA)
