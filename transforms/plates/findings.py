"""A plate's rules and what breaks them: code, severity, place, what was found, expected, what to do.

Here: the shape of both. Not here: the rules (`transforms.plates.arithmetic`, `transforms.plates.quality`).
A finding names wells, standards, controls and sections, never a patient's sample or value.
"""

from dataclasses import dataclass

import polars as pl

from transforms.schemas import PLATE_FINDINGS

PLATE_FINDING_SCHEMA = pl.Schema(
    {name: dtype for name, dtype in PLATE_FINDINGS.polars_schema.items() if name != "plate_id"}
)
# Only a bare position is a well: a standard is 'standard A1', several wells are 'wells A1, B1'.
PLACE_IS_A_WELL = pl.col("place").str.contains(r"^[A-P]([1-9]|1[0-9]|2[0-4])$").fill_null(value=False)


@dataclass(frozen=True)
class PlateRule:
    """A rule that a plate must satisfy; `severity` is one of `transforms.schemas.SEVERITIES`."""

    code: str
    rule: str
    severity: str
    expected: str
    remedy: str

    def findings(self, breaches: pl.DataFrame) -> pl.DataFrame:
        """Return the breaches as findings of this rule, one a row (schema `PLATE_FINDING_SCHEMA`).

        breaches: columns place, analyte and found; where it has severity or remedy as well, these stand in
        the place of the rule's own.
        """
        own = {
            name: pl.lit(getattr(self, name)) for name in ("code", "rule", "severity", "expected", "remedy")
        }
        missing = {name: value for name, value in own.items() if name not in breaches.columns}
        return breaches.with_columns(**missing).match_to_schema(
            PLATE_FINDING_SCHEMA, missing_columns="raise", extra_columns="ignore"
        )


def no_plate_findings() -> pl.DataFrame:
    """Return an empty frame of `PLATE_FINDING_SCHEMA`."""
    return pl.DataFrame(schema=PLATE_FINDING_SCHEMA)
