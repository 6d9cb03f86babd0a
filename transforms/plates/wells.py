"""From a plate's wells and its layout file to concentrations by patient, timepoint and analyte.

Here: layout files, net medians, units, replicates. Not here: reading exports (`transforms.plates.xponent`),
fitting curves (`models.curves.standard_curve`). Called by the night in this order: parse_layout, tidy_wells,
the fit, summarise_replicates.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import polars as pl

from transforms import schemas
from transforms.findings import FINDING_SCHEMA
from transforms.landed_csv import parse_landed_csv
from transforms.plates.xponent import XponentPlate

FEWEST_BEADS = 30

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
# The wells on their way to the fit: the published columns and two that only the fit reads.
TIDY_WELLS = pl.Schema(
    {**schemas.PLATE_WELLS.polars_schema, "dilution_factor": pl.Float64(), "unit_note": pl.String()}
)
PG_PER_ML = {"pg/ml": 1.0, "ng/ml": 1000.0}

_SAMPLE_KEY = ("site", "patient_id", "timepoint")


@dataclass(frozen=True, eq=False)
class Layout:
    """A layout file: its good lines (schema `LAYOUT`) and what was rejected (schema `FINDING_SCHEMA`)."""

    rows: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True, eq=False)
class ReplicateSummary:
    """Concentrations by patient, timepoint and analyte, and what was not used and why.

    cytokines: the columns of `schemas.CYTOKINES` and `line`, the sample's first line in the layout.
    rejected: schema `FINDING_SCHEMA`; `line` is the layout's, null where a whole analyte is meant.
    """

    cytokines: pl.DataFrame
    rejected: pl.DataFrame


@dataclass(frozen=True)
class _Rule:
    """What a line must satisfy: `holds` is true where it does; null counts as broken."""

    column: str
    rule: str
    holds: pl.Expr
    found: str
    expected: str
    remedy: str


_IS_WELL = pl.col("well").str.contains(r"^[A-P]([1-9]|1[0-9]|2[0-4])$")
_CORRECT = "Correct the line and send the layout file again."
_LAYOUT_RULES = (
    _Rule("well", "well_is_a_position", _IS_WELL, "no position of a plate", "A1 to H12", _CORRECT),
    _Rule("site", "site_is_given", pl.col("site").is_not_null(), "nothing", "the hospital", _CORRECT),
    _Rule(
        "patient_id",
        "patient_id_is_given",
        pl.col("patient_id").is_not_null(),
        "nothing",
        "an identifier",
        _CORRECT,
    ),
    _Rule(
        "timepoint",
        "timepoint_is_known",
        pl.col("timepoint").is_in(schemas.TIMEPOINTS),
        "another word",
        " or ".join(schemas.TIMEPOINTS),
        _CORRECT,
    ),
    _Rule(
        "collected_on",
        "collected_on_is_a_likely_day",
        pl.col("collected_on") >= schemas.EARLIEST_DATE,
        "no day, or one that cannot be",
        f"a day like 2024-03-05, not before {schemas.EARLIEST_DATE}",
        _CORRECT,
    ),
    _Rule(
        "well",
        "well_is_given_once",
        pl.col("well").is_unique(),
        "the same well on two lines",
        "each well once",
        "Find out whose sample it is. " + _CORRECT,
    ),
    _Rule(
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
    broken = _broken(lines, _LAYOUT_RULES)
    good = lines.join(broken, on="line", how="anti", maintain_order="left")
    return Layout(good.select(LAYOUT.names()), pl.concat([parsed.rejected, broken]))


def tidy_wells(plate: XponentPlate, *, plate_id: str) -> pl.DataFrame:
    """Return a plate's wells with net medians and expected concentrations in pg/mL (schema `TIDY_WELLS`).

    Net MFI is computed here: the median less the mean of the analyte's background wells, the median itself
    where the plate has none. `unit_note` says where the file's unit was converted, is missing (pg/mL is
    assumed) or is another (then the expected concentrations are empty and no curve is fitted).
    `concentration_pg_ml` and `range` are empty until `models.curves.standard_curve.concentrations` fills
    them.
    """
    background = pl.col("median_fi").filter(pl.col("kind") == "background").mean().over("analyte")
    factor = (
        pl.col("unit").str.to_lowercase().replace_strict(PG_PER_ML, default=None, return_dtype=pl.Float64)
    )
    return (
        plate.wells.join(plate.units, on="analyte", how="left", maintain_order="left")
        .with_columns(
            plate_id=pl.lit(plate_id),
            net_mfi=pl.col("median_fi") - background.fill_null(0.0),
            expected_pg_ml=pl.col("expected_concentration") * pl.when(_NO_UNIT).then(1.0).otherwise(factor),
            concentration_pg_ml=pl.lit(None, dtype=pl.Float64),
            range=pl.lit(None, dtype=pl.String),
            unit_note=_unit_note(factor),
        )
        .select(TIDY_WELLS.names())
        .cast(TIDY_WELLS)
    )


_NO_UNIT = pl.col("unit").fill_null("") == ""


def _unit_note(factor: pl.Expr) -> pl.Expr:
    return (
        pl.when(_NO_UNIT)
        .then(pl.lit("the file gives no unit: pg/mL assumed"))
        .when(factor.is_null())
        .then(pl.format("the unit {} is neither pg/mL nor ng/mL", pl.col("unit")))
        .when(factor != 1.0)
        .then(pl.format("converted from {}", pl.col("unit")))
    )


def summarise_replicates(wells: pl.DataFrame, layout: pl.DataFrame) -> ReplicateSummary:
    """Return one concentration for each patient, timepoint and analyte of one plate.

    The concentration is the mean of the wells' concentrations, as the instrument's Avg Result is. It is empty
    where any well lies below or above the range, and `range` then says which: no number stands in for a
    value that was not measured. Extrapolated values are numbers and make the mean 'extrapolated'; only wells
    that are all within make it 'within'. Wells with fewer than 30 beads are not used.

    wells: schema `schemas.PLATE_WELLS`, of one plate, concentrations filled in. layout: schema `LAYOUT`.
    """
    placed = layout.join(wells, on="well", how="left", maintain_order="left")
    usable, rejected = _sift(placed, _PLACE_RULES)
    usable, unusable = _sift(usable, _WELL_RULES)
    groups = (
        usable.group_by(*_SAMPLE_KEY, "analyte", maintain_order=True)
        .agg(
            pl.col("line").min(),
            pl.col("collected_on", "plate_id").first(),
            pl.col("concentration_pg_ml").mean(),
            n_wells=pl.len().cast(pl.Int64),
            ranges=pl.col("range"),
        )
        .with_columns(range=_joint_range())
    )
    groups, contradicting = _sift(groups, _GROUP_RULES)
    cytokines = groups.with_columns(
        concentration_pg_ml=pl.when(pl.col("range").is_in(["within", "extrapolated"])).then(
            "concentration_pg_ml"
        )
    )
    return ReplicateSummary(
        cytokines.select(*schemas.CYTOKINES.column_names, "line"),
        pl.concat([rejected, unusable, contradicting, _without_curve(wells)]).unique(maintain_order=True),
    )


def _joint_range() -> pl.Expr:
    has = {word: pl.col("ranges").list.contains(word) for word in ("below", "above", "extrapolated")}
    return (
        pl.when(has["below"] & has["above"])
        .then(None)
        .when(has["below"])
        .then(pl.lit("below"))
        .when(has["above"])
        .then(pl.lit("above"))
        .when(has["extrapolated"])
        .then(pl.lit("extrapolated"))
        .otherwise(pl.lit("within"))
    )


_PLACE_RULES = (
    _Rule(
        "well",
        "well_is_in_the_export",
        pl.col("kind").is_not_null(),
        "a well that the export does not have",
        "a well of the export",
        "Check that the layout belongs to this plate.",
    ),
    _Rule(
        "well",
        "well_holds_a_sample",
        pl.col("kind").is_null() | (pl.col("kind") == "unknown"),
        "a standard, control or background well",
        "the well of a patient's sample",
        "Check that the layout belongs to this plate.",
    ),
)
_WELL_RULES = (
    _Rule(
        "analyte",
        "bead_count_is_at_least_30",
        pl.col("n_beads") >= FEWEST_BEADS,
        "fewer than 30 beads",
        "30 beads or more",
        "The well is not used. Measure the sample again.",
    ),
    _Rule(
        "analyte",
        "median_is_a_number",
        pl.col("net_mfi").is_not_null(),
        "no median",
        "a median fluorescence",
        "The well is not used. Measure the sample again.",
    ),
    # Without a curve there is no range; that is reported once for the analyte, not for each well.
    _Rule("analyte", "", pl.col("range").is_not_null(), "", "", ""),
)
_GROUP_RULES = (
    _Rule(
        "analyte",
        "replicates_lie_on_one_side",
        pl.col("range").is_not_null(),
        "one replicate below the range and one above it",
        "replicates on one side",
        "No value is taken. Measure the sample again.",
    ),
)


def _sift(frame: pl.DataFrame, rules: Sequence[_Rule]) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the rows that satisfy every rule, and the rejections of the others."""
    good = frame.filter(pl.all_horizontal(rule.holds.fill_null(value=False) for rule in rules))
    return good, _broken(frame, [rule for rule in rules if rule.rule])


def _broken(frame: pl.DataFrame, rules: Iterable[_Rule]) -> pl.DataFrame:
    return pl.concat(
        frame.filter(~rule.holds.fill_null(value=False))
        .select(
            "line",
            pl.col("analyte").alias("column")
            if rule.column == "analyte"
            else pl.lit(rule.column).alias("column"),
            rule=pl.lit(rule.rule),
            found=pl.lit(rule.found),
            expected=pl.lit(rule.expected),
            remedy=pl.lit(rule.remedy),
        )
        .cast(FINDING_SCHEMA)
        for rule in rules
    ).sort("line", maintain_order=True)


def _without_curve(wells: pl.DataFrame) -> pl.DataFrame:
    is_measured = (pl.col("kind") == "unknown") & pl.col("net_mfi").is_not_null()
    return (
        wells.filter(is_measured & pl.col("range").is_null())
        .select(pl.col("analyte").alias("column"))
        .unique(maintain_order=True)
        .select(
            pl.lit(None, dtype=pl.Int64).alias("line"),
            "column",
            rule=pl.lit("analyte_has_a_standard_curve"),
            found=pl.lit("no curve"),
            expected=pl.lit("a curve through the plate's own standards"),
            remedy=pl.lit(
                "The note of the curve says why. Correct the standards and export the plate again."
            ),
        )
    )
