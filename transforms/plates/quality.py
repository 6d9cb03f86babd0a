"""What plates' wells and curves must satisfy once they are fitted: rules P09, P10, P15 and P20 to P22.

Here: beads, controls, curves, agreement with the instrument; what a finding keeps from use. Not here: the
file's own rules (`transforms.plates.arithmetic`). P30 to P33 come from `replicates`. Called by the night and
by `nadir plate`.
"""

import polars as pl

from transforms.plates.findings import PlateRule
from transforms.plates.printed_numbers import plain_sample
from transforms.plates.replicates import FEWEST_BEADS, check_replicates
from transforms.schemas import PLATE_FINDINGS
from transforms.xponent.reader import CONTROL_LEVELS

BEADS_WANTED = 50
# The instrument's rule, computed right, gives 95 % of the wells within 1 % and all within 5 %.
_CLOSE_PERCENT, _FAR_PERCENT, _SHARE_CLOSE = 1.0, 5.0, 0.95

# The controls of any number of plates: `XponentPlate.controls`, with the plate in front.
CONTROLS = pl.Schema({"plate_id": pl.String(), **CONTROL_LEVELS})

TOO_FEW_BEADS = PlateRule(
    code="P09",
    rule="bead_count_is_at_least_30",
    severity="not used",
    expected=f"{FEWEST_BEADS} beads or more",
    remedy="The well is not used. Measure the sample again.",
)
FEW_BEADS = PlateRule(
    code="P10",
    rule="bead_count_is_at_least_50",
    severity="note",
    expected=f"{BEADS_WANTED} beads or more",
    remedy="Let the instrument count longer, or check that beads are not lost in washing.",
)
CONTROL_IN_RANGE = PlateRule(
    code="P15",
    rule="controls_lie_in_their_range",
    severity="told",
    expected="the mean of the control's wells in the range that the file gives",
    remedy="Find the cause before the plate is used: the kit, its dilution, or the range in the protocol.",
)
CURVE_CONVERGES = PlateRule(
    code="P20",
    rule="curve_converges",
    severity="not used",
    expected="a five-parameter curve through the plate's own standards",
    remedy="Correct the standards and export the plate again, or measure it again.",
)
CURVE_ACCEPTED = PlateRule(
    code="P21",
    rule="curve_is_accepted",
    severity="note",
    expected="75 % of the levels and six at least recovered within 20 %, 25 % at the ends (ICH M10)",
    remedy="Look at the curve before a result of this analyte is relied on.",
)
AGREES = PlateRule(
    code="P22",
    rule="our_concentrations_agree_with_the_instruments",
    severity="told",
    expected=f"95 % of the wells in range within {_CLOSE_PERCENT:g} %, and all within {_FAR_PERCENT:g} %",
    remedy="Compare the curves: expected concentrations or coefficients in the file may have been changed.",
)


def check_quality(wells: pl.DataFrame, curves: pl.DataFrame, *, controls: pl.DataFrame) -> pl.DataFrame:
    """Return every rule that plates break once they are fitted, with the plate in front, by plate and code.

    Excluded wells are left out; a control's wells are judged by their mean, as a patient's are.

    wells, curves: schemas `PLATE_WELLS` and `PLATE_CURVES`, of any number of plates. controls: schema
    `CONTROLS`, in each file's units, which the wells' expected concentrations convert; a bound that is null
    is none. Returns the columns of `PLATE_FINDINGS`.
    """
    used = wells.filter(~pl.col("is_excluded"))
    findings = [
        _per_plate(TOO_FEW_BEADS, _too_few_beads(used)),
        _per_plate(FEW_BEADS, _few_beads(used)),
        _per_plate(CONTROL_IN_RANGE, _controls(used, controls)),
        _per_plate(CURVE_CONVERGES, _curves(curves)),
        _per_plate(CURVE_ACCEPTED, _not_accepted(curves)),
        _per_plate(AGREES, _parting(used)),
        *(_per_plate(rule, breaches) for rule, breaches in check_replicates(used)),
    ]
    return pl.concat(findings).sort("plate_id", "code", maintain_order=True)


def _per_plate(rule: PlateRule, breaches: pl.DataFrame) -> pl.DataFrame:
    return (
        rule.findings(breaches)
        .with_columns(breaches["plate_id"])
        .select(PLATE_FINDINGS.column_names)
        .cast(PLATE_FINDINGS.polars_schema)
    )


def _too_few_beads(wells: pl.DataFrame) -> pl.DataFrame:
    is_sample = pl.col("kind") == "unknown"
    return wells.filter(pl.col("n_beads") < FEWEST_BEADS).select(
        "plate_id",
        "analyte",
        place="well",
        found=pl.format("{} beads", "n_beads"),
        severity=pl.when(is_sample).then(pl.lit("not used")).otherwise(pl.lit("note")),
        remedy=pl.when(is_sample)
        .then(pl.lit(TOO_FEW_BEADS.remedy))
        .otherwise(pl.lit("The well is used as the instrument uses it. Look at its curve.")),
    )


def _few_beads(wells: pl.DataFrame) -> pl.DataFrame:
    n_few = (pl.col("n_beads") < BEADS_WANTED).sum()
    return (
        wells.group_by("plate_id", "analyte", maintain_order=True)
        .agg(n_few=n_few, found=pl.format("fewer in {} of {} wells", n_few, pl.len()))
        .filter(pl.col("n_few") > 0)
        .with_columns(place=pl.lit(None, dtype=pl.String))
    )


def _controls(wells: pl.DataFrame, controls: pl.DataFrame) -> pl.DataFrame:
    """Return the controls outside their range: told where no control of the analyte lies in its range.

    Where another control of the analyte does, it is a note, since the two cover different parts of the curve.
    """
    judged = (
        _means_of_controls(wells, controls)
        .with_columns(
            is_low=(pl.col("mean") < pl.col("low")) | (pl.col("low").is_not_null() & pl.col("has_below")),
            is_high=(pl.col("mean") > pl.col("high")) | (pl.col("high").is_not_null() & pl.col("has_above")),
        )
        .with_columns(is_off=pl.any_horizontal(pl.col("is_low", "is_high").fill_null(value=False)))
    )
    all_off = pl.col("is_off").all().over("plate_id", "analyte")
    side = pl.when("is_low").then(pl.lit("below")).otherwise(pl.lit("above"))
    return judged.with_columns(
        place=pl.format("control {}", "control"),
        found=pl.format("a mean {} the range", side),
        severity=pl.when(all_off).then(pl.lit("told")).otherwise(pl.lit("note")),
    ).filter("is_off")


def _means_of_controls(wells: pl.DataFrame, controls: pl.DataFrame) -> pl.DataFrame:
    """Return, for each control and analyte with wells, their mean and its range in the wells' units."""
    key = ["plate_id", "plain", "analyte"]
    measured = wells.filter(pl.col("kind") == "control").with_columns(plain=plain_sample(pl.col("sample")))
    to_wells = pl.col("expected_pg_ml").first() / pl.col("expected_concentration").first()
    concentration = pl.col("concentration_pg_ml")
    return (
        controls.with_columns(plain=plain_sample(pl.col("sample")))
        .rename({"sample": "control"})
        .join(measured, on=key, maintain_order="left")
        .group_by("plate_id", "control", "analyte", maintain_order=True)
        .agg(
            low=pl.col("range_low").first() * to_wells,
            high=pl.col("range_high").first() * to_wells,
            mean=pl.when(concentration.null_count() == 0).then(concentration.mean()),
            has_below=(pl.col("range") == "below").any(),
            has_above=(pl.col("range") == "above").any(),
        )
    )


def _curves(curves: pl.DataFrame) -> pl.DataFrame:
    is_short = pl.col("model").str.contains("four")
    return curves.filter(~pl.col("converged") | is_short).select(
        "plate_id",
        "analyte",
        place=pl.lit(None, dtype=pl.String),
        found=pl.when("converged")
        .then(pl.lit("a four-parameter curve"))
        .otherwise(pl.format("no curve: {}", pl.col("note").fill_null("the fit did not converge"))),
        severity=pl.when("converged").then(pl.lit("note")).otherwise(pl.lit("not used")),
    )


def _not_accepted(curves: pl.DataFrame) -> pl.DataFrame:
    return curves.filter(pl.col("converged") & ~pl.col("is_accepted")).select(
        "plate_id",
        "analyte",
        place=pl.lit(None, dtype=pl.String),
        found=pl.format("{} of {} levels recovered", "n_levels_accepted", "n_levels"),
    )


def _parting(wells: pl.DataFrame) -> pl.DataFrame:
    """Return the plates with too few wells close to the instrument, and the analytes with one far from it."""
    in_range = wells.filter(
        pl.col("range") == "within", pl.col("difference_percent").is_finite(), pl.col("kind") != "background"
    ).with_columns(distance=pl.col("difference_percent").abs())
    is_close, is_far = pl.col("distance") <= _CLOSE_PERCENT, pl.col("distance") > _FAR_PERCENT
    few_close = (
        in_range.group_by("plate_id", maintain_order=True)
        .agg(n=pl.len(), n_close=is_close.sum())
        .filter(pl.col("n_close") < _SHARE_CLOSE * pl.col("n"))
        .select(
            "plate_id",
            analyte=pl.lit(None, dtype=pl.String),
            found=pl.format("{} of {} wells in range within 1 %", "n_close", "n"),
        )
    )
    far = (
        in_range.filter(is_far)
        .group_by("plate_id", "analyte", maintain_order=True)
        .agg(found=pl.format("more than 5 % apart in {} wells", pl.len()))
    )
    return pl.concat([few_close, far]).with_columns(place=pl.lit(None, dtype=pl.String))
