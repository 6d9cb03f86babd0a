"""What cytokine plates give: wells, curves, concentrations, findings, charts.

Here: their tables. Not here: exports and layouts (`transforms.plates`). Read through `transforms.schemas`.
"""

import polars as pl

from transforms.schemas.hospital import PATIENT_ID, SITE
from transforms.schemas.table import Column, Table, day, flag, integer, number, text

TIMEPOINTS = ("pre_rt", "post_rt")
CHECKSUMS = ("ok", "fails", "absent")
CHART_VERDICTS = ("in control", "warning", "out of control", "no guide set")
# refused: nothing of the plate loads; not used: that well or analyte gives no value; told: everything loads
# and a rule is broken; note: no rule is broken.
SEVERITIES = ("refused", "not used", "told", "note")
RANGES = ("within", "extrapolated", "below", "above")

CYTOKINES = Table(
    name="cytokines",
    key=("site", "patient_id", "timepoint", "analyte"),
    columns=(
        SITE,
        PATIENT_ID,
        text("timepoint", "Before or at the end of RT", required=True, allowed=TIMEPOINTS),
        text("analyte", "Analyte as this platform spells it, IL-7 for instance", required=True),
        day("collected_on", "Day the blood was drawn", required=True),
        number("concentration_pg_ml", "Mean of the replicate wells; empty where the value is out of range"),
        text(
            "range",
            "Where the concentration lies on the plate's standard curve",
            required=True,
            allowed=RANGES,
        ),
        number("limit_pg_ml", "The limit that a value below or above lies beyond; empty for a number"),
        number("concentration_low_pg_ml", "Lower 95 % confidence limit of the concentration"),
        number("concentration_high_pg_ml", "Upper 95 % confidence limit"),
        number("cv_percent", "Coefficient of variation of the replicates' concentrations"),
        integer("n_wells", "Replicate wells", required=True),
        text("plate_id", "Content hash of the plate's export", required=True),
    ),
)

PLATE_WELLS = Table(
    name="plate_wells",
    key=("plate_id", "well", "analyte"),
    columns=(
        text("plate_id", "Content hash of the plate's export", required=True),
        text("well", "Well, A1 to H12", required=True),
        text("sample", "Sample name in the export", required=True),
        text("kind", "What is in the well", allowed=("background", "standard", "control", "unknown")),
        text("analyte", "Analyte as this platform spells it", required=True),
        number("median_fi", "Median fluorescence intensity of the beads"),
        number("net_mfi", "Median fluorescence less the mean of the background wells"),
        integer("n_beads", "Beads counted"),
        number("expected_pg_ml", "Expected concentration of a standard or control"),
        number("dilution_factor", "How often the sample was diluted; 1 where the file says nothing"),
        number("concentration_pg_ml", "Concentration from our own curve; empty where out of range"),
        text("range", "Where it lies on the curve", allowed=RANGES),
        number("limit_pg_ml", "The limit that a value below or above lies beyond; empty for a number"),
        number("concentration_low_pg_ml", "Lower 95 % confidence limit of the concentration"),
        number("concentration_high_pg_ml", "Upper 95 % confidence limit"),
        text("instrument_result", "The instrument's own result, as printed"),
        number("instrument_pg_ml", "The instrument's own result as a number; empty where it prints a limit"),
        number(
            "difference_percent", "Our concentration less the instrument's, in percent of the instrument's"
        ),
        Column(
            "is_excluded", pl.Boolean(), "Whether somebody excluded the well or the analyte", required=True
        ),
    ),
)

PLATES = Table(
    name="plates",
    key=("plate_id",),
    columns=(
        text("plate_id", "Content hash of the plate's export", required=True),
        text("instrument", "Kind of instrument, MAGPIX for instance"),
        text("build", "Build of the instrument's program"),
        Column("acquired_at", pl.Datetime("us"), "When reading began, by the instrument's clock"),
        text("kit_name", "Kit, as the export names it"),
        text("kit_lot", "Lot of the kit"),
        day("kit_expires_on", "Last day on which the kit may be used"),
        text("checksum", "Whether the file is as the instrument wrote it", allowed=CHECKSUMS, required=True),
        integer("n_wells", "Wells read", required=True),
    ),
)

# Every rule of a plate that is broken, and what is worth knowing of it.
PLATE_FINDINGS = Table(
    name="plate_findings",
    key=("plate_id", "code", "place", "analyte"),
    columns=(
        text("plate_id", "Content hash of the plate's export", required=True),
        text("code", "Code of the rule, P02 for instance", required=True),
        text("rule", "Rule, as a sentence", required=True),
        text("severity", "What follows from it", allowed=SEVERITIES, required=True),
        text("place", "Where: a well, a standard, a control, a section; empty for the whole plate"),
        text("analyte", "Analyte; empty where all are meant"),
        text("found", "What was found, without a patient's value", required=True),
        text("expected", "What was expected", required=True),
        text("remedy", "What to do", required=True),
    ),
)

EXCLUSIONS = Table(
    name="exclusions",
    key=("plate_id", "well", "analyte"),
    columns=(
        text("plate_id", "Content hash of the plate's export", required=True),
        text("well", "Well; empty for the whole analyte"),
        text("analyte", "Analyte; empty for the whole well"),
        text("excluded_by", "Who excluded it", required=True),
        day("excluded_on", "When", required=True),
        text("reason", "Why", required=True),
    ),
)

PLATE_CURVES = Table(
    name="plate_curves",
    key=("plate_id", "analyte"),
    columns=(
        text("plate_id", "Content hash of the plate's export", required=True),
        text("analyte", "Analyte as this platform spells it", required=True),
        text("model", "Curve that was fitted", required=True),
        number("a", "Lower asymptote of the five-parameter curve (net MFI)"),
        number("b", "Upper asymptote (net MFI)"),
        number("c", "Scale (pg/mL)"),
        number("d", "Slope"),
        number("f", "Asymmetry"),
        number("r_squared", "Weighted R squared: shown, never a gate"),
        integer("n_standards", "Standard wells fitted"),
        number("lowest_standard_pg_ml", "Lowest standard above zero that was fitted"),
        number("highest_standard_pg_ml", "Highest standard that was fitted"),
        number("lloq_pg_ml", "Lower limit of quantification, from precision and recovery; empty for none"),
        number("uloq_pg_ml", "Upper limit of quantification; empty for none"),
        integer("n_levels", "Levels of standards above zero"),
        integer("n_levels_accepted", "Levels recovered within 20 %, within 25 % at the limits"),
        flag("is_accepted", "Whether ICH M10 accepts the curve: 75 % of the levels and six at least"),
        Column("converged", pl.Boolean(), "Whether the fit converged", required=True),
        text("note", "Why there is no curve, or what to know of it"),
    ),
)

PLATE_TABLES = (CYTOKINES, PLATE_WELLS, PLATE_CURVES, PLATES, PLATE_FINDINGS, EXCLUSIONS)

# Versions of what a kit lot's plates are held against; a version is never changed.
GUIDE_SETS = Table(
    name="guide_sets",
    key=("kit_lot", "analyte", "quantity", "version"),
    columns=(
        text("kit_lot", "Lot of the kit", required=True),
        text("analyte", "Analyte as this platform spells it", required=True),
        text("quantity", "A control's concentration, or a parameter of the curve", required=True),
        integer("version", "Version, from 1", required=True),
        integer("n_plates", "Plates it was made from", required=True),
        number("mean", "Mean of log10 of the quantity", required=True),
        number("sd", "Standard deviation of log10 of the quantity", required=True),
        text("plates_sha256", "Hash of the plates it was made from", required=True),
        day("made_night", "Night that made it", required=True),
    ),
)

# One row a plate, analyte and quantity, beside the guide set of its kit lot: a Levey-Jennings chart's points.
CONTROL_CHART = Table(
    name="control_chart",
    key=("plate_id", "analyte", "quantity"),
    columns=(
        text("plate_id", "Content hash of the plate's export", required=True),
        Column("acquired_at", pl.Datetime("us"), "When reading began, by the instrument's clock"),
        text("kit_lot", "Lot of the kit", required=True),
        text("analyte", "Analyte as this platform spells it", required=True),
        text("quantity", "A control's concentration, or a parameter of the curve", required=True),
        number("value", "The quantity on this plate", required=True),
        integer("guide_version", "Version of the guide set; empty where the lot has none yet"),
        number("z", "Standard deviations from the guide set's mean"),
        text("rules_broken", "Westgard rules that the plate breaks, 1_3s for instance; empty for none"),
        text("verdict", "What the rules say", allowed=CHART_VERDICTS, required=True),
    ),
)
