"""From a plate's wells and its layout to concentrations by patient, timepoint and analyte.

Here: net medians, units, replicates. Not here: exports and layouts (`transforms.xponent`, `layout`), curves
(`models.curves`). Called in this order: tidy_wells, the fit, summarise_replicates.
"""

from dataclasses import dataclass

import polars as pl

from transforms import schemas
from transforms.findings import FINDING_SCHEMA
from transforms.line_rules import LineRule, broken_lines, sift_lines
from transforms.plates.exclusions import EXCLUDED_WELLS, background_mean, mark_excluded
from transforms.plates.findings import PLACE_IS_A_WELL
from transforms.xponent.reader import XponentPlate

# The wells on their way to the fit: the published columns and one that only the curve's note reads.
TIDY_WELLS = pl.Schema({**schemas.PLATE_WELLS.polars_schema, "unit_note": pl.String()})
PG_PER_ML = {
    **dict.fromkeys(("fg/ml", "pg/l"), 1e-3),
    **dict.fromkeys(("pg/ml", "ng/l"), 1.0),
    **dict.fromkeys(("ng/ml", "ug/l", "\u00b5g/l", "\u03bcg/l"), 1e3),
    **dict.fromkeys(("ug/ml", "\u00b5g/ml", "\u03bcg/ml", "mg/l"), 1e6),
}
# The last bits of a fit hang on which plates are fitted beside it; a sample's value must not.
SIGNIFICANT_FIGURES = 10

_SAMPLE_KEY = ("site", "patient_id", "timepoint")
_NO_UNIT = pl.col("unit").fill_null("") == ""
_EMPTY_UNTIL_THE_FIT = (
    "concentration_pg_ml",
    "range",
    "limit_pg_ml",
    "concentration_low_pg_ml",
    "concentration_high_pg_ml",
    "difference_percent",
)


@dataclass(frozen=True, eq=False)
class ReplicateSummary:
    """Concentrations by patient, timepoint and analyte, and what was not used and why.

    cytokines: the columns of `schemas.CYTOKINES` and `line`, the sample's first line in the layout.
    rejected: schema `FINDING_SCHEMA`; `line` is the layout's, null where a whole analyte is meant.
    """

    cytokines: pl.DataFrame
    rejected: pl.DataFrame


def tidy_wells(
    plate: XponentPlate,
    *,
    plate_id: str,
    exclusions: pl.DataFrame | None = None,
    in_units_of_the_file: bool = False,
) -> pl.DataFrame:
    """Return a plate's wells with net medians and expected concentrations in pg/mL (schema `TIDY_WELLS`).

    Net MFI is computed here: the median less the mean of the analyte's background wells, the median itself
    where the plate has none; an excluded background well is left out of the mean. `unit_note` says where the
    file's unit was converted, is missing (pg/mL is assumed) or is another (then the expected concentrations
    are empty and no curve is fitted). With `in_units_of_the_file` nothing is converted and every analyte has
    expected concentrations: the columns in pg/mL then hold the file's own unit.

    exclusions: schema `transforms.plates.exclusions.EXCLUDED_WELLS`.
    """
    excluded = pl.DataFrame(schema=EXCLUDED_WELLS) if exclusions is None else exclusions
    factor = pl.lit(1.0) if in_units_of_the_file else _pg_per_ml()
    return (
        mark_excluded(plate.wells, excluded.select(EXCLUDED_WELLS.names()))
        .join(plate.units, on="analyte", how="left", maintain_order="left")
        .with_columns(
            plate_id=pl.lit(plate_id),
            net_mfi=pl.col("median_fi") - background_mean(),
            expected_pg_ml=pl.col("expected_concentration") * factor,
            instrument_pg_ml=_instrument_number() * factor,
            unit_note=pl.lit(None) if in_units_of_the_file else _unit_note(factor),
            **dict.fromkeys(_EMPTY_UNTIL_THE_FIT, pl.lit(None)),
        )
        .select(TIDY_WELLS.names())
        .cast(TIDY_WELLS)
    )


def _pg_per_ml() -> pl.Expr:
    unit = pl.col("unit").str.to_lowercase().str.replace_all(" ", "")
    known = unit.replace_strict(PG_PER_ML, default=None, return_dtype=pl.Float64)
    return pl.when(_NO_UNIT).then(1.0).otherwise(known)


def _instrument_number() -> pl.Expr:
    number = pl.col("instrument_result").cast(pl.Float64, strict=False)
    return pl.when(number.is_finite()).then(number)


def _unit_note(factor: pl.Expr) -> pl.Expr:
    return (
        pl.when(_NO_UNIT)
        .then(pl.lit("the file gives no unit: pg/mL assumed"))
        .when(factor.is_null())
        .then(pl.format("the unit {} is no mass in a volume", pl.col("unit")))
        .when(factor != 1.0)
        .then(pl.format("converted from {}", pl.col("unit")))
    )


def summarise_replicates(
    wells: pl.DataFrame, layout: pl.DataFrame, *, unused: pl.DataFrame | None = None
) -> ReplicateSummary:
    """Return one concentration for each patient, timepoint and analyte of one plate.

    The concentration is the mean of the wells' concentrations, as the instrument's Avg Result is, and its
    interval the mean of theirs: the curve's error is common to replicates. The concentration is empty where
    any well lies below or above the range; `range` then says which, and the limit is the mean with the wells'
    limits in the place of what was not measured: the true mean lies beyond it. Extrapolated values are
    numbers and make the mean 'extrapolated'; only wells that are all within make it 'within'.

    wells: schema `schemas.PLATE_WELLS`, of one plate, concentrations filled in. layout: schema `LAYOUT`.
    unused: findings of the plate with the severity 'not used' (`transforms.plates.findings`); the analytes
    that they name are left out, in the well that they name or in all.
    """
    placed = layout.join(wells, on="well", how="left", maintain_order="left")
    usable, rejected = sift_lines(placed, _PLACE_RULES)
    usable, excluded = sift_lines(usable, _EXCLUSION_RULES)
    usable, set_aside = _set_aside(usable, unused)
    usable, unusable = sift_lines(usable, _WELL_RULES)
    groups = (
        usable.group_by(*_SAMPLE_KEY, "analyte", maintain_order=True)
        .agg(
            pl.col("line").min(),
            pl.col("collected_on", "plate_id").first(),
            pl.col("concentration_pg_ml", "concentration_low_pg_ml", "concentration_high_pg_ml").mean(),
            limit_pg_ml=pl.coalesce("limit_pg_ml", "concentration_pg_ml").mean(),
            cv_percent=100 * pl.col("concentration_pg_ml").std() / pl.col("concentration_pg_ml").mean(),
            n_wells=pl.len().cast(pl.Int64),
            ranges=pl.col("range"),
        )
        .with_columns(range=_joint_range())
    )
    groups, contradicting = sift_lines(groups, _GROUP_RULES)
    rejections = [rejected, excluded, set_aside, unusable, contradicting, _without_curve(wells, set_aside)]
    return ReplicateSummary(
        groups.with_columns(*_number_or_limit()).select(*schemas.CYTOKINES.column_names, "line"),
        pl.concat(rejections).unique(maintain_order=True),
    )


def _number_or_limit() -> tuple[pl.Expr, ...]:
    is_number = pl.col("range").is_in(["within", "extrapolated"])
    numbers = ("concentration_pg_ml", "concentration_low_pg_ml", "concentration_high_pg_ml", "cv_percent")
    return (
        pl.when(is_number).then(pl.col(numbers).round_sig_figs(SIGNIFICANT_FIGURES)).name.keep(),
        pl.when(~is_number)
        .then(pl.col("limit_pg_ml").round_sig_figs(SIGNIFICANT_FIGURES))
        .alias("limit_pg_ml"),
    )


def _set_aside(usable: pl.DataFrame, unused: pl.DataFrame | None) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Leave out the wells and analytes that a broken rule of the plate names, with a finding for each."""
    if unused is None or unused.is_empty():
        return usable, pl.DataFrame(schema=FINDING_SCHEMA)
    of_wells = unused.filter(PLACE_IS_A_WELL).rename({"place": "well"})
    of_analytes = unused.filter(~PLACE_IS_A_WELL).with_columns(line=pl.lit(None, pl.Int64))
    kept = usable.join(of_wells, on=["well", "analyte"], how="anti", maintain_order="left").join(
        of_analytes, on="analyte", how="anti", maintain_order="left"
    )
    lines = usable.select("line", "well", "analyte")
    told = [of_wells.join(lines, on=["well", "analyte"], maintain_order="left"), of_analytes]
    return kept, pl.concat(one.rename({"analyte": "column"}).select(FINDING_SCHEMA.names()) for one in told)


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
    LineRule(
        "well",
        "well_is_in_the_export",
        pl.col("kind").is_not_null(),
        "a well that the export does not have",
        "a well of the export",
        "Check that the layout belongs to this plate.",
    ),
    LineRule(
        "well",
        "well_holds_a_sample",
        pl.col("kind").is_null() | (pl.col("kind") == "unknown"),
        "a standard, control or background well",
        "the well of a patient's sample",
        "Check that the layout belongs to this plate.",
    ),
)
_EXCLUSION_RULES = (
    LineRule(
        "analyte",
        "well_is_not_excluded",
        ~pl.col("is_excluded"),
        "a well or analyte that somebody excluded",
        "a well that counts",
        "The plate's exclusions say who, when and why. Take the line there away to use it again.",
    ),
)
_WELL_RULES = (
    LineRule(
        "analyte",
        "median_is_a_number",
        pl.col("net_mfi").is_not_null(),
        "no median",
        "a median fluorescence",
        "The well is not used. Measure the sample again.",
    ),
    # Without a curve there is no range; that is reported once for the analyte, not for each well.
    LineRule("analyte", "", pl.col("range").is_not_null(), "", "", ""),
)
_GROUP_RULES = (
    LineRule(
        "analyte",
        "replicates_lie_on_one_side",
        pl.col("range").is_not_null(),
        "one replicate below the range and one above it",
        "replicates on one side",
        "No value is taken. Measure the sample again.",
    ),
)
_ANALYTE_HAS_A_CURVE = LineRule(
    "analyte",
    "analyte_has_a_standard_curve",
    pl.col("range").is_not_null(),
    "no curve",
    "a curve through the plate's own standards",
    "The note of the curve says why. Correct the standards and export the plate again.",
)


def _without_curve(wells: pl.DataFrame, set_aside: pl.DataFrame) -> pl.DataFrame:
    """Say once for each analyte that it has no curve, where no rule of the plate has said so already."""
    told = set_aside.filter(pl.col("line").is_null()).select(analyte="column")
    is_measured = (pl.col("kind") == "unknown") & pl.col("net_mfi").is_not_null()
    silent = (
        wells.filter(is_measured & pl.col("range").is_null())
        .unique("analyte", keep="first", maintain_order=True)
        .join(told, on="analyte", how="anti", maintain_order="left")
        .with_columns(line=pl.lit(None, pl.Int64))
    )
    return broken_lines(silent, [_ANALYTE_HAS_A_CURVE])
