"""Exclusions: which wells and analytes of a plate somebody took out, who, when and why.

Here: reading the file beside a plate, and marking the wells. Not here: what is computed without them
(`transforms.plates.wells`, `models.curves`). Called by the night and by `tidy_wells`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import polars as pl

from transforms import schemas
from transforms.landed_csv import parse_landed_csv
from transforms.line_rules import LineRule, broken_lines, sift_lines
from transforms.xponent.reader import standard_analyte_name

EXCLUSIONS_TABLE = schemas.Table(
    name="exclusions",
    key=("well", "analyte"),
    columns=tuple(column for column in schemas.EXCLUSIONS.columns if column.name != "plate_id"),
)
EXCLUSION_LINES = pl.Schema({**EXCLUSIONS_TABLE.polars_schema, "line": pl.Int64()})
EXCLUDED_WELLS = pl.Schema({"well": pl.String(), "analyte": pl.String()})

_CORRECT = "Correct the line and send the exclusions again."
REPEATED = LineRule(
    "well",
    "exclusion_is_given_once",
    pl.struct("well", "typed_analyte").is_first_distinct(),
    "an exclusion that an earlier line makes already",
    "each exclusion once",
    "Take the line away and send the exclusions again.",
)


@dataclass(frozen=True, eq=False)
class Exclusions:
    """An exclusions file: its good lines (`EXCLUSION_LINES`) and what was rejected (`FINDING_SCHEMA`)."""

    rows: pl.DataFrame
    rejected: pl.DataFrame


def parse_exclusions(data: bytes, *, wells: pl.DataFrame, night: date) -> Exclusions:
    """Return the lines of an exclusions file: well, analyte, excluded_by, excluded_on, reason.

    An empty well means every well of the analyte, an empty analyte every analyte of the well. It is read as
    every landed CSV file is. A line that breaks a rule is rejected and excludes nothing; of an exclusion that
    is repeated the first line counts. Raises `UnreadableFileError` where no line can be trusted.

    wells: the plate's wells, with columns well and analyte. night: nothing is excluded on a later day.
    """
    parsed = parse_landed_csv(data, EXCLUSIONS_TABLE)
    # A finding of a line rule repeats the cell `analyte`, and whoever typed there may have typed anything.
    lines = parsed.rows.with_columns(
        _as_position(pl.col("well")), typed_analyte=_as_spelt(pl.col("analyte")), analyte=pl.lit("analyte")
    )
    rules = _rules(wells["well"].unique().to_list(), wells["analyte"].unique().sort().to_list(), night=night)
    good, broken = sift_lines(lines, rules)
    rows = good.filter(REPEATED.holds).with_columns(analyte=pl.col("typed_analyte"))
    rejected = pl.concat([parsed.rejected, broken, broken_lines(good, [REPEATED])])
    return Exclusions(rows.select(EXCLUSION_LINES.names()), rejected)


def mark_excluded(wells: pl.DataFrame, exclusions: pl.DataFrame) -> pl.DataFrame:
    """Return the wells, in their order, with `is_excluded`: whether an exclusion names them.

    wells: has well and analyte. exclusions: has them too (schema `EXCLUDED_WELLS`), an empty one meaning all.
    Wells of several plates are told apart where the exclusions have `plate_id`.
    """
    plate = [name for name in ("plate_id",) if name in exclusions.columns]
    has_well, has_analyte = pl.col("well").is_not_null(), pl.col("analyte").is_not_null()
    whole_wells = exclusions.filter(has_well & ~has_analyte)
    whole_analytes = exclusions.filter(has_analyte & ~has_well)
    single = exclusions.filter(has_well & has_analyte)
    is_named = (
        _is_named(wells, whole_wells, by=[*plate, "well"])
        | _is_named(wells, whole_analytes, by=[*plate, "analyte"])
        | _is_named(wells, single, by=[*plate, "well", "analyte"])
    )
    return wells.with_columns(is_excluded=is_named)


def background_mean() -> pl.Expr:
    """Return the mean median of the background wells of each row's analyte (MFI), excluded ones left out.

    0 where the plate has no background well. Empty where every one is excluded: then no net median can be
    told, and a median that only looks like one would give concentrations that are too high.
    """
    is_background = pl.col("kind") == "background"
    used = pl.col("median_fi").filter(is_background & ~pl.col("is_excluded")).mean().over("analyte")
    return pl.when(is_background.any().over("analyte")).then(used).otherwise(0.0)


def _is_named(wells: pl.DataFrame, exclusions: pl.DataFrame, *, by: list[str]) -> pl.Series:
    named = exclusions.select(by).unique().with_columns(is_named=True)
    return wells.select(by).join(named, on=by, how="left", maintain_order="left")["is_named"].fill_null(False)


def _as_position(well: pl.Expr) -> pl.Expr:
    return well.str.to_uppercase().str.replace(r"^([A-P])0+([1-9])", "$1$2")


def _as_spelt(analyte: pl.Expr) -> pl.Expr:
    return analyte.map_elements(standard_analyte_name, return_dtype=pl.String)


def _rules(wells: Sequence[str], analytes: Sequence[str], *, night: date) -> list[LineRule]:
    well, analyte, day = pl.col("well"), pl.col("typed_analyte"), pl.col("excluded_on")
    return [
        LineRule(
            "well",
            "exclusion_names_a_well_or_an_analyte",
            well.is_not_null() | analyte.is_not_null(),
            "neither a well nor an analyte",
            "a well, an analyte, or both",
            "Name one. No line excludes a whole plate: take its export out of the landing folder before it "
            "is loaded, or exclude each of its analytes.",
        ),
        LineRule(
            "well",
            "excluded_well_is_on_the_plate",
            well.is_null() | well.is_in(wells),
            "a well that the plate does not have",
            "a well of the plate, like A1, or nothing for all wells",
            "Check that the exclusions belong to this plate. " + _CORRECT,
        ),
        LineRule(
            "analyte",
            "excluded_analyte_is_on_the_plate",
            analyte.is_null() | analyte.is_in(analytes),
            "an analyte that the plate does not have",
            f"{', '.join(analytes)}, or nothing for all analytes",
            "Check that the exclusions belong to this plate. " + _CORRECT,
        ),
        LineRule(
            "excluded_by",
            "excluded_by_is_given",
            pl.col("excluded_by").is_not_null(),
            "nothing",
            "who excluded it",
            _CORRECT,
        ),
        LineRule(
            "excluded_on",
            "excluded_on_is_a_likely_day",
            day.is_between(schemas.EARLIEST_DATE, night),
            "no day, or one that cannot be",
            f"a day like 2024-03-05, from {schemas.EARLIEST_DATE} to {night}",
            _CORRECT,
        ),
        LineRule("reason", "reason_is_given", pl.col("reason").is_not_null(), "nothing", "why", _CORRECT),
    ]
