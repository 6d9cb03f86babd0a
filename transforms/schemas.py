"""The tables of the warehouse: every column with its type, unit and meaning, said once.

Here: what a table is. Not here: what must be true of its rows (`expectations.rules`), how it is stored
(`flows.warehouse`). Everyone reads it; the data dictionary in the README's terms is these definitions.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

YES_NO = ("yes", "no")


@dataclass(frozen=True)
class Column:
    """A column: its name carries the unit; `allowed` lists the words of a categorical column.

    A derived column is the platform's own: no landing file carries it.
    """

    name: str
    dtype: pl.DataType
    meaning: str
    required: bool = False
    allowed: tuple[str, ...] = ()
    is_derived: bool = False


@dataclass(frozen=True)
class Table:
    """A table: its columns in order and the key that names one row."""

    name: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)

    @property
    def landed_columns(self) -> tuple[Column, ...]:
        """The columns that a landing file carries."""
        return tuple(column for column in self.columns if not column.is_derived)

    @property
    def polars_schema(self) -> pl.Schema:
        """Names and polars types, in order."""
        return pl.Schema({column.name: column.dtype for column in self.columns})

    def column(self, name: str) -> Column:
        """Return the column of that name; `KeyError` where there is none."""
        return {column.name: column for column in self.columns}[name]


def _text(name: str, meaning: str, *, required: bool = False, allowed: tuple[str, ...] = ()) -> Column:
    return Column(name, pl.String(), meaning, required, allowed)


def _number(name: str, meaning: str, *, required: bool = False) -> Column:
    return Column(name, pl.Float64(), meaning, required)


def _integer(name: str, meaning: str, *, required: bool = False) -> Column:
    return Column(name, pl.Int64(), meaning, required)


def _date(name: str, meaning: str, *, required: bool = False) -> Column:
    return Column(name, pl.Date(), meaning, required)


SITE = _text("site", "Hospital that sent the row", required=True)
PATIENT_ID = _text("patient_id", "The patient's identifier at that site", required=True)
PATIENT_KEY = ("site", "patient_id")

PATIENTS = Table(
    name="patients",
    key=PATIENT_KEY,
    columns=(
        SITE,
        PATIENT_ID,
        _text("sex", "Sex", allowed=("male", "female")),
        _number("age_years", "Age at the start of RT"),
        _text("viral_type", "Viral hepatitis", allowed=("hbv", "hcv", "none")),
        _text("child_pugh", "Child-Pugh class", allowed=("A", "B")),
        _text("cirrhosis", "Liver cirrhosis", allowed=YES_NO),
        _number("tumor_size_cm", "Largest diameter of the tumour"),
        _text("tumor_number", "Number of tumours", allowed=("single", "multiple")),
        _text("uicc_stage", "UICC stage", allowed=("II", "III", "IV")),
        _text("bclc_stage", "Barcelona Clinic Liver Cancer stage", allowed=("A", "B", "C")),
        _text("pvtt", "Portal vein tumour thrombosis", allowed=YES_NO),
        _number("afp_ng_ml", "Alpha-fetoprotein"),
        _number("pivka_ii_mau_ml", "Protein induced by vitamin K absence-II"),
        _text("previous_treatment", "Treated before this course of RT", allowed=YES_NO),
        _text(
            "combined_treatment",
            "Chemotherapy together with RT",
            allowed=("chemoradiotherapy", "radiotherapy_alone"),
        ),
        _date("rt_start_date", "First day of RT; survival counts from here", required=True),
        _date("rt_end_date", "Last day of RT; empty while RT goes on"),
        _integer("fractions", "Fractions of RT planned"),
        _number("dose_gy", "Highest prescribed dose"),
        _number("ptv_cm3", "Planning target volume"),
        _number("mean_liver_dose_gy", "Mean dose to the liver"),
    ),
)

COUNTS = Table(
    name="counts",
    key=("site", "patient_id", "collected_at", "code"),
    columns=(
        SITE,
        PATIENT_ID,
        Column("collected_at", pl.Datetime("us"), "When the blood was drawn (UTC)", required=True),
        Column(
            "collected_on",
            pl.Date(),
            "Day of the draw by the clock that the file is written in",
            required=True,
            is_derived=True,
        ),
        _text("code", "LOINC code as it came", required=True),
        _number("value", "The value as it came", required=True),
        _text("unit", "The unit as it came (UCUM or a common spelling)", required=True),
        Column(
            "tlc_cells_per_ul",
            pl.Float64(),
            "Total lymphocyte count in cells/uL",
            required=True,
            is_derived=True,
        ),
    ),
)

FOLLOW_UP = Table(
    name="follow_up",
    key=PATIENT_KEY,
    columns=(
        SITE,
        PATIENT_ID,
        _date("last_contact_date", "Last day known to be alive, or the day of death", required=True),
        _date("death_date", "Day of death; empty while alive"),
        _date("progression_date", "Day the disease was seen to progress; empty where it was not"),
    ),
)

TOXICITIES = Table(
    name="toxicities",
    key=("site", "patient_id", "onset_date", "term"),
    columns=(
        SITE,
        PATIENT_ID,
        _date("onset_date", "First day of the toxicity", required=True),
        _text("term", "CTCAE v4.0 term", required=True),
        _integer("ctcae_grade", "CTCAE v4.0 grade, 1 to 5", required=True),
    ),
)

TIMEPOINTS = ("pre_rt", "post_rt")

CYTOKINES = Table(
    name="cytokines",
    key=("site", "patient_id", "timepoint", "analyte"),
    columns=(
        SITE,
        PATIENT_ID,
        _text("timepoint", "Before or at the end of RT", required=True, allowed=TIMEPOINTS),
        _text("analyte", "Analyte as this platform spells it, IL-7 for instance", required=True),
        _date("collected_on", "Day the blood was drawn", required=True),
        _number("concentration_pg_ml", "Mean of the replicate wells; empty where the value is out of range"),
        _text(
            "range",
            "Where the concentration lies on the plate's standard curve",
            required=True,
            allowed=("within", "extrapolated", "below", "above"),
        ),
        _integer("n_wells", "Replicate wells", required=True),
        _text("plate_id", "Content hash of the plate's export", required=True),
    ),
)

PLATE_WELLS = Table(
    name="plate_wells",
    key=("plate_id", "well", "analyte"),
    columns=(
        _text("plate_id", "Content hash of the plate's export", required=True),
        _text("well", "Well, A1 to H12", required=True),
        _text("sample", "Sample name in the export", required=True),
        _text("kind", "What is in the well", allowed=("background", "standard", "control", "unknown")),
        _text("analyte", "Analyte as this platform spells it", required=True),
        _number("median_fi", "Median fluorescence intensity of the beads"),
        _number("net_mfi", "Median fluorescence less the mean of the background wells"),
        _integer("n_beads", "Beads counted"),
        _number("expected_pg_ml", "Expected concentration of a standard or control"),
        _number("concentration_pg_ml", "Concentration from our own curve; empty where out of range"),
        _text("range", "Where it lies on the curve", allowed=("within", "extrapolated", "below", "above")),
        _text("instrument_result", "The instrument's own result, as printed"),
    ),
)

PLATE_CURVES = Table(
    name="plate_curves",
    key=("plate_id", "analyte"),
    columns=(
        _text("plate_id", "Content hash of the plate's export", required=True),
        _text("analyte", "Analyte as this platform spells it", required=True),
        _text("model", "Curve that was fitted", required=True),
        _number("a", "Lower asymptote of the five-parameter curve (net MFI)"),
        _number("b", "Upper asymptote (net MFI)"),
        _number("c", "Scale (pg/mL)"),
        _number("d", "Slope"),
        _number("f", "Asymmetry"),
        _number("r_squared", "Weighted R squared: shown, never a gate"),
        _integer("n_standards", "Standard wells fitted"),
        Column("converged", pl.Boolean(), "Whether the fit converged", required=True),
        _text("note", "Why there is no curve, or what to know of it"),
    ),
)

LANDED_TABLES = (PATIENTS, COUNTS, FOLLOW_UP, TOXICITIES)
PLATE_TABLES = (CYTOKINES, PLATE_WELLS, PLATE_CURVES)

# Who brought a row: written beside the columns of every loaded table.
PROVENANCE = (
    _text("file_id", "sha256 of the file the row came from", required=True),
    _integer("line", "Line of the row in that file, or in the plate's layout"),
    _date("loaded_night", "Night that loaded the row", required=True),
)

QUARANTINE = Table(
    name="quarantine",
    key=("file_id", "line", "rule", "column"),
    columns=(
        _text("source", "Landing folder: patients, counts, plates, follow_up, toxicities", required=True),
        _text("file", "File, as named in the landing folder", required=True),
        _text("file_id", "sha256 of the file; empty for what is no readable file"),
        _integer("line", "Line in the file; empty where the whole file is meant"),
        _text("column", "Column or part of the file"),
        _text("rule", "Rule that was broken", required=True),
        _text("found", "What was found, without the value", required=True),
        _text("expected", "What was expected", required=True),
        _text("remedy", "What to do", required=True),
        _date("first_night", "Night that put it here", required=True),
    ),
)

LOADS = Table(
    name="loads",
    key=("night", "file_id"),
    columns=(
        _date("night", "Night that loaded the file", required=True),
        _text("source", "Landing folder", required=True),
        _text("file", "File, as named in the landing folder", required=True),
        _text("file_id", "sha256 of the file's content", required=True),
        _integer("rows_in", "Rows in the file, counted apart from the parser", required=True),
        _integer("loaded", "New and changed rows", required=True),
        _integer("unchanged", "Rows that the warehouse held already", required=True),
        _integer("quarantined", "Rows in quarantine", required=True),
        _text("note", "What to know of the file; loses nothing"),
    ),
)

NIGHTS = Table(
    name="nights",
    key=("night",),
    columns=(
        _date("night", "The night's logical date", required=True),
        _text("origin", "Where the data come from: landed or simulated", required=True),
        _text("cohort_sha256", "Hash of the cohort's content", required=True),
        _text("code_version", "Version of Nadir", required=True),
    ),
)

ESTIMATES = Table(
    name="estimates",
    key=("analysis", "group", "variable", "level", "statistic"),
    columns=(
        _text("analysis", "Which analysis, in the study's words", required=True),
        _text("group", "Group or model", required=True),
        _text("variable", "Variable", required=True),
        _text("level", "Level of a categorical variable; empty otherwise", required=True),
        _text("statistic", "n, percent, mean, hr, or, ci_low, ci_high, p, ...", required=True),
        _number("value", "The number; empty where it could not be estimated"),
        _integer("n", "Patients the number is about"),
        _integer("events", "Events among them"),
        _text("definition", "How it was computed, or why it could not be"),
    ),
)


def _flag(name: str, meaning: str) -> Column:
    return Column(name, pl.Boolean(), meaning)


# One row a patient: what every analysis, the predictor and the report read.
COHORT = Table(
    name="cohort",
    key=PATIENT_KEY,
    columns=(
        *PATIENTS.columns,
        _number("baseline_tlc_cells_per_ul", "Last count on or before the first day of RT"),
        _flag("has_baseline_lymphopenia", "Baseline count of 1,000 cells/uL or less"),
        _number("nadir_tlc_cells_per_ul", "Lowest count during RT (first to last day)"),
        _integer("nadir_grade", "CTCAE v4.0 grade of the nadir, 0 to 4"),
        _integer("n_counts_during_rt", "Counts during RT"),
        _flag("has_asl", "Any count below 200 cells/uL during RT; empty where nothing was measured"),
        _number("tlc_month_2_cells_per_ul", "Count at 2 months from the start of RT"),
        _flag("has_recovered", "Count above 1,000 cells/uL at 2 months, among those with ASL"),
        _number("pre_rt_il7_pg_ml", "IL-7 before RT"),
        _number("post_rt_il7_pg_ml", "IL-7 at the end of RT"),
        _number("delta_il7_pg_ml", "IL-7 after RT less IL-7 before"),
        _text("il7_group", "IL-7 before RT against 2.495 pg/mL", allowed=("il7_low", "il7_high")),
        _number("os_months", "Months from the start of RT to death or last contact"),
        _flag("has_died", "Whether the patient died at os_months"),
        _number("pfs_months", "Months from the start of RT to progression, death or last contact"),
        _flag("has_progressed_or_died", "Whether progression or death happened at pfs_months"),
    ),
)

# One row a patient and month: month 0 is the baseline.
MONTHLY_COUNTS = Table(
    name="monthly_counts",
    key=(*PATIENT_KEY, "month"),
    columns=(
        SITE,
        PATIENT_ID,
        _integer("month", "Months from the start of RT; 0 is the baseline", required=True),
        _number("tlc_cells_per_ul", "The count nearest to that month's mark", required=True),
    ),
)

# One row a count, beside its place in the patient's course.
COUNT_COURSE = Table(
    name="count_course",
    key=(*PATIENT_KEY, "collected_at", "code"),
    columns=(
        SITE,
        PATIENT_ID,
        Column("collected_at", pl.Datetime("us"), "When the blood was drawn (UTC)", required=True),
        _text("code", "LOINC code as it came", required=True),
        _integer("days_from_rt_start", "Days from the first day of RT"),
        _number("months_from_rt_start", "Months (30.4375 days) from the first day of RT"),
        _integer("rt_week", "Week of RT, 1 for days 0 to 6; empty outside RT"),
        _flag("is_during_rt", "Between the first and the last day of RT, both included"),
        _number("tlc_cells_per_ul", "Total lymphocyte count", required=True),
        _integer("ctcae_grade", "CTCAE v4.0 grade of lymphocyte count decreased, 0 to 4"),
    ),
)

DERIVED_TABLES = (COHORT, MONTHLY_COUNTS, COUNT_COURSE)
EARLIEST_DATE = date(1990, 1, 1)
