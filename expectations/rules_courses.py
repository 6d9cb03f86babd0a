"""What must be true of the rows that follow a patient: `counts`, `follow_up` and `toxicities`.

Here: ranges, dates and their order against the patient's RT. Not here: what follows from the schema alone
(`expectations.rules`). A low lymphocyte count is the finding, never the fault. Read by `expectations.rules`.
"""

import polars as pl

from expectations.rule import Check, Rule, is_a_past_day, is_at_least, is_between, is_not_before, is_true

EARLIEST_DAY_BEFORE_RT = 366  # a year, leap years included

_CORRECT_DATE = "Correct the date and send the file again"
_CORRECT_DATES = "Correct whichever of the two dates is wrong and send its file again"


def patient_is_known(table: str) -> Rule:
    """Return the rule that the row's patient has a row in `patients`."""
    return Rule(
        name=f"{table}_patient_is_known",
        table=table,
        column="patient_id",
        **is_true(
            "is_known_patient",
            found="a patient that is not in patients",
            expected="a site and patient_id that a row of patients has",
            null_means="Never empty: a patient nobody knows counts as unknown",
        ),
        reason="Without the patient's row there is no start of RT to count from.",
        remedy="Send the patient's row, or correct site and patient_id: the row is tried again every night",
    )


def within_a_year_before_rt(column: str) -> Check:
    """Check that the measure `days_after_rt_start` is not below a year before RT."""
    return is_at_least("days_after_rt_start", -EARLIEST_DAY_BEFORE_RT, unit="days") | {
        "found": f"{column} more than a year before the patient's RT",
        "expected": f"{column} at most {EARLIEST_DAY_BEFORE_RT} days before rt_start_date, or later",
    }


def days_after_rt_start(day: pl.Expr) -> pl.Expr:
    """Count the days from the patient's first day of RT; null where the patient is not known."""
    return (day - pl.col("rt_start_date")).dt.total_days()


COUNT_MEASURES = {
    "days_after_rt_start": days_after_rt_start(pl.col("collected_on")),
    "has_cells_per_ul": pl.col("tlc_cells_per_ul").is_not_null()
    | pl.col("value").is_null()
    | pl.col("unit").is_null(),
}

COUNT_RULES = (
    patient_is_known("counts"),
    Rule(
        name="tlc_is_between_0_and_20000_cells_per_ul",
        table="counts",
        column="tlc_cells_per_ul",
        **is_between("tlc_cells_per_ul", 0, 20_000, unit="cells/uL"),
        reason="Low is the finding here, down to zero, and is never refused. More than 20,000 does occur in "
        "lymphoid leukaemia, not in patients of these cohorts: the unit or the decimal mark is wrong.",
        remedy="Check value and unit, correct them and send the file again",
    ),
    Rule(
        name="a_count_with_value_and_unit_is_in_cells_per_ul",
        table="counts",
        column="tlc_cells_per_ul",
        **is_true(
            "has_cells_per_ul",
            found="a count that could not be turned into cells/uL",
            expected="cells/uL for every count that has a value and a unit",
        ),
        reason="A grade needs cells/uL; a count in no known unit has none.",
        remedy="Give the unit as the laboratory reports it, 10*3/uL for instance, and send the file again",
    ),
    Rule(
        name="blood_is_drawn_between_1990_and_the_night",
        table="counts",
        column="collected_at",
        **is_a_past_day("collected_on"),
        reason="No blood is drawn tomorrow: day and month are swapped, or the year is wrong.",
        remedy=_CORRECT_DATE,
    ),
    Rule(
        name="blood_is_drawn_at_most_a_year_before_rt",
        table="counts",
        column="collected_at",
        **within_a_year_before_rt("collected_at"),
        reason="An older count is no baseline for this course, and a wrong year would make it one.",
        remedy="Correct the date and send the file again, or leave counts of earlier illnesses out",
    ),
)

COUNT_PART_RULES = (
    patient_is_known("count_parts"),
    Rule(
        name="part_of_a_count_is_between_0_and_500000",
        table="count_parts",
        column="amount",
        **is_between("amount", 0, 500_000, unit="cells/uL, or percent"),
        reason="More leukocytes are not seen in these cohorts: the unit or the decimal mark is wrong.",
        remedy="Check value and unit, correct them and send the file again",
    ),
    Rule(
        name="part_of_a_count_is_drawn_between_1990_and_the_night",
        table="count_parts",
        column="collected_at",
        **is_a_past_day("collected_on"),
        reason="No blood is drawn tomorrow: day and month are swapped, or the year is wrong.",
        remedy=_CORRECT_DATE,
    ),
)

FOLLOW_UP_RULES = (
    patient_is_known("follow_up"),
    Rule(
        name="last_contact_is_between_1990_and_the_night",
        table="follow_up",
        column="last_contact_date",
        **is_a_past_day("last_contact_date"),
        reason="A contact to come is an appointment: it would lengthen survival.",
        remedy=_CORRECT_DATE,
    ),
    Rule(
        name="last_contact_is_not_before_rt_start",
        table="follow_up",
        column="last_contact_date",
        **is_not_before("last_contact_date", "rt_start_date"),
        reason="Survival counts from the start of RT and cannot be negative.",
        remedy=_CORRECT_DATES,
    ),
    Rule(
        name="last_contact_is_not_after_death",
        table="follow_up",
        column="last_contact_date",
        **is_not_before("death_date", "last_contact_date"),
        reason="Nobody is seen alive after death: one of the two dates is wrong.",
        remedy=_CORRECT_DATES,
    ),
    Rule(
        name="death_is_between_1990_and_the_night",
        table="follow_up",
        column="death_date",
        **is_a_past_day("death_date"),
        reason="A death to come is a slip.",
        remedy=_CORRECT_DATE,
    ),
    Rule(
        name="death_is_not_before_rt_start",
        table="follow_up",
        column="death_date",
        **is_not_before("death_date", "rt_start_date"),
        reason="Survival counts from the start of RT and cannot be negative.",
        remedy=_CORRECT_DATES,
    ),
    Rule(
        name="progression_is_between_1990_and_the_night",
        table="follow_up",
        column="progression_date",
        **is_a_past_day("progression_date"),
        reason="A progression to come is a slip.",
        remedy=_CORRECT_DATE,
    ),
    Rule(
        name="progression_is_not_before_rt_start",
        table="follow_up",
        column="progression_date",
        **is_not_before("progression_date", "rt_start_date"),
        reason="Progression is counted after the start of RT; what came before led to RT.",
        remedy=_CORRECT_DATES,
    ),
    Rule(
        name="progression_is_not_after_last_contact",
        table="follow_up",
        column="progression_date",
        **is_not_before("last_contact_date", "progression_date"),
        reason="Who is seen to progress is seen: a later progression tells of swapped dates. One that is "
        "found at death has the day of death as its last contact.",
        remedy=_CORRECT_DATES,
    ),
)

TOXICITY_MEASURES = {"days_after_rt_start": days_after_rt_start(pl.col("onset_date"))}

TOXICITY_RULES = (
    patient_is_known("toxicities"),
    Rule(
        name="toxicity_begins_between_1990_and_the_night",
        table="toxicities",
        column="onset_date",
        **is_a_past_day("onset_date"),
        reason="A toxicity to come is a slip.",
        remedy=_CORRECT_DATE,
    ),
    Rule(
        name="toxicity_begins_at_most_a_year_before_rt",
        table="toxicities",
        column="onset_date",
        **within_a_year_before_rt("onset_date"),
        reason="What began longer ago than a year before RT is an earlier illness, or a wrong year.",
        remedy=_CORRECT_DATES,
    ),
    Rule(
        name="toxicity_grade_is_between_1_and_5",
        table="toxicities",
        column="ctcae_grade",
        **is_between("ctcae_grade", 1, 5, unit="(CTCAE v4.0)"),
        reason="CTCAE grades run from 1, mild, to 5, death; what did not happen has no row.",
        remedy="Correct the grade and send the file again, or leave the row out",
    ),
)
