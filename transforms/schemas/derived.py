"""What is derived from the loaded tables: the cohort, the courses of the counts.

Here: their tables. Not here: how they are derived (`transforms.clinical`). Read through `transforms.schemas`.
"""

import polars as pl

from transforms.schemas.counts import DEFINITION_CLASSES, SITE_FEED, WEEKLY_COUNTS
from transforms.schemas.hospital import PATIENT_ID, PATIENT_KEY, PATIENTS, SITE
from transforms.schemas.plates import RANGES
from transforms.schemas.table import Column, Table, flag, integer, number, text

# One row a patient: what every analysis, the predictor and the report read.
COHORT = Table(
    name="cohort",
    key=PATIENT_KEY,
    columns=(
        *PATIENTS.columns,
        number("baseline_tlc_cells_per_ul", "Last count on or before the first day of RT"),
        flag("has_baseline_lymphopenia", "Baseline count of 1,000 cells/uL or less"),
        number("nadir_tlc_cells_per_ul", "Lowest count during RT (first to last day)"),
        integer("nadir_grade", "CTCAE v4.0 grade of the nadir, 0 to 4"),
        integer("n_counts_during_rt", "Counts during RT"),
        integer("n_weeks_seen", "Weeks of RT with a count, of those in which one was due"),
        integer("n_weeks_expected", "Weeks of RT in which a count was due"),
        flag("has_asl", "Any count below 200 cells/uL during RT; empty where nothing was measured"),
        text("asl_definition", "Definition of has_asl"),
        integer("asl_definition_version", "Its version"),
        number("asl_onset_months", "Months from the start of RT to the first count below 200 during RT"),
        number("tlc_month_2_cells_per_ul", "Count at 2 months from the start of RT"),
        flag("has_recovered", "Count above 1,000 cells/uL at 2 months, among those with ASL"),
        number(
            "recovery_months", "Months from the start of RT to the first count above 1,000 after ASL began"
        ),
        number("last_count_months", "Months from the start of RT to the last count"),
        number("pre_rt_il7_pg_ml", "IL-7 before RT"),
        number("post_rt_il7_pg_ml", "IL-7 at the end of RT"),
        text(
            "pre_rt_il7_range",
            "Where IL-7 before RT lies on its curve; empty where it is unmeasured",
            allowed=RANGES,
        ),
        text("post_rt_il7_range", "Where IL-7 at the end of RT lies on its curve", allowed=RANGES),
        number("pre_rt_il7_limit_pg_ml", "The limit that IL-7 before RT lies beyond; empty for a number"),
        number(
            "post_rt_il7_limit_pg_ml", "The limit that IL-7 at the end of RT lies beyond; empty for a number"
        ),
        number("delta_il7_pg_ml", "IL-7 after RT less IL-7 before; empty where either has no number"),
        text("il7_group", "IL-7 before RT against 2.495 pg/mL", allowed=("il7_low", "il7_high")),
        number("os_months", "Months from the start of RT to death or last contact"),
        flag("has_died", "Whether the patient died at os_months"),
        number("pfs_months", "Months from the start of RT to progression, death or last contact"),
        flag("has_progressed_or_died", "Whether progression or death happened at pfs_months"),
        flag("has_progressed", "Whether progression is what happened at pfs_months"),
    ),
)

# One row a patient and month: month 0 is the baseline.
MONTHLY_COUNTS = Table(
    name="monthly_counts",
    key=(*PATIENT_KEY, "month"),
    columns=(
        SITE,
        PATIENT_ID,
        integer("month", "Months from the start of RT; 0 is the baseline", required=True),
        number("tlc_cells_per_ul", "The count nearest to that month's mark", required=True),
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
        text("code", "LOINC code as it came", required=True),
        integer("days_from_rt_start", "Days from the first day of RT"),
        number("months_from_rt_start", "Months (30.4375 days) from the first day of RT"),
        integer("rt_week", "Week of RT, 1 for days 0 to 6; empty outside RT"),
        flag("is_during_rt", "Between the first and the last day of RT, both included"),
        number("tlc_cells_per_ul", "Total lymphocyte count", required=True),
        text("comparator", "Where the value is only a limit: the true one lies so"),
        number("lower_limit_cells_per_ul", "The laboratory's lower limit of normal; empty for none"),
        integer("ctcae_grade", "CTCAE v4.0 grade of lymphocyte count decreased, 0 to 4"),
    ),
)

DERIVED_TABLES = (COHORT, MONTHLY_COUNTS, COUNT_COURSE, WEEKLY_COUNTS, SITE_FEED, DEFINITION_CLASSES)
