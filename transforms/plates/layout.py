"""Layout files: whose sample is in which well of a plate, one line a well.

Here: reading them, with the rules of a line. Not here: exports (`transforms.xponent.reader`), what is made of
both (`transforms.plates.wells`). Called by the night.
"""

from dataclasses import dataclass

import polars as pl

from transforms import schemas
from transforms.landed_csv import parse_landed_csv
from transforms.line_rules import LineRule, broken_lines

LAYOUT_TABLE = schemas.Table(
    name="layout",
    key=("well",),
    columns=(
        schemas.PLATE_WELLS.column("well"),
        schemas.SITE,
        schemas.PATIENT_ID,
        schemas.CYTOKINES.column("timepoint"),
        schemas.CYTOKINES.column("collected_on"),
    ),
)
LAYOUT = pl.Schema({**LAYOUT_TABLE.polars_schema, "line": pl.Int64()})

_SAMPLE_KEY = ("site", "patient_id", "timepoint")


@dataclass(frozen=True, eq=False)
class Layout:
    """A layout file: its good lines (schema `LAYOUT`) and what was rejected (schema `FINDING_SCHEMA`)."""

    rows: pl.DataFrame
    rejected: pl.DataFrame


_IS_WELL = pl.col("well").str.contains(r"^[A-P]([1-9]|1[0-9]|2[0-4])$")
_CORRECT = "Correct the line and send the layout file again."
_LAYOUT_RULES = (
    LineRule("well", "well_is_a_position", _IS_WELL, "no position of a plate", "A1 to H12", _CORRECT),
    LineRule("site", "site_is_given", pl.col("site").is_not_null(), "nothing", "the hospital", _CORRECT),
    LineRule(
        "patient_id",
        "patient_id_is_given",
        pl.col("patient_id").is_not_null(),
        "nothing",
        "an identifier",
        _CORRECT,
    ),
    LineRule(
        "timepoint",
        "timepoint_is_known",
        pl.col("timepoint").is_in(schemas.TIMEPOINTS),
        "another word",
        " or ".join(schemas.TIMEPOINTS),
        _CORRECT,
    ),
    LineRule(
        "collected_on",
        "collected_on_is_a_likely_day",
        pl.col("collected_on") >= schemas.EARLIEST_DATE,
        "no day, or one that cannot be",
        f"a day like 2024-03-05, not before {schemas.EARLIEST_DATE}",
        _CORRECT,
    ),
    LineRule(
        "well",
        "well_is_given_once",
        pl.col("well").is_unique(),
        "the same well on two lines",
        "each well once",
        "Find out whose sample it is. " + _CORRECT,
    ),
    LineRule(
        "collected_on",
        "replicates_have_one_collection_date",
        pl.col("collected_on").n_unique().over(_SAMPLE_KEY) == 1,
        "two days for one patient and timepoint",
        "one day",
        _CORRECT,
    ),
)


def parse_layout(data: bytes) -> Layout:
    """Return the lines of a layout file: well, site, patient_id, timepoint (pre_rt, post_rt), collected_on.

    It is read as every landed CSV file is. A line that breaks a rule is rejected, once for each rule it
    breaks. Raises `UnreadableFileError` where no line can be trusted.
    """
    parsed = parse_landed_csv(data, LAYOUT_TABLE)
    well = pl.col("well").str.to_uppercase().str.replace(r"^([A-P])0+([1-9])", "$1$2")
    lines = parsed.rows.with_columns(well)
    broken = broken_lines(lines, _LAYOUT_RULES)
    good = lines.join(broken, on="line", how="anti", maintain_order="left")
    return Layout(good.select(LAYOUT.names()), pl.concat([parsed.rejected, broken]))
