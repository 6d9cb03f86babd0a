"""What must be true of a row of `patients`, beyond its words and required columns.

Here: ranges and dates with their clinical reasons. Not here: what follows from the schema alone
(`expectations.rules`). Low or rare values are never wrong for being so. Read by `expectations.rules`.
"""

import polars as pl

from expectations.rule import Rule, is_above, is_at_most, is_between, is_not_before, is_planned_at_most_ahead

_CORRECT = "Correct the value, or leave it empty, and send the file again"
_CORRECT_DATE = "Correct the date and send the file again"

PATIENT_MEASURES = {"days_of_rt": (pl.col("rt_end_date") - pl.col("rt_start_date")).dt.total_days()}

PATIENT_RULES = (
    Rule(
        name="age_is_between_18_and_120_years",
        table="patients",
        column="age_years",
        **is_between("age_years", 18, 120, unit="years"),
        reason="Only adults are treated here; beyond 120 stands a slip of the pen or a year of birth.",
        remedy=_CORRECT,
    ),
    Rule(
        name="tumor_size_is_above_0_and_at_most_50_cm",
        table="patients",
        column="tumor_size_cm",
        **is_above("tumor_size_cm", 0, 50, unit="cm"),
        reason="A tumour has a diameter, and none is wider than half a metre: such a value is in mm.",
        remedy=_CORRECT,
    ),
    Rule(
        name="afp_is_not_negative",
        table="patients",
        column="afp_ng_ml",
        **is_between("afp_ng_ml", 0, 1e8, unit="ng/mL"),
        reason="A concentration is not negative. Values in the millions are seen and kept.",
        remedy=_CORRECT,
    ),
    Rule(
        name="pivka_ii_is_not_negative",
        table="patients",
        column="pivka_ii_mau_ml",
        **is_between("pivka_ii_mau_ml", 0, 1e8, unit="mAU/mL"),
        reason="A concentration is not negative. Values in the millions are seen and kept.",
        remedy=_CORRECT,
    ),
    Rule(
        name="rt_start_date_is_from_1990_to_half_a_year_ahead",
        table="patients",
        column="rt_start_date",
        **is_planned_at_most_ahead("rt_start_date"),
        reason="RT is planned weeks ahead, not years: a later date is a slip, and survival counts from it.",
        remedy="Correct the date and send the file again",
    ),
    Rule(
        name="rt_end_date_is_from_1990_to_half_a_year_ahead",
        table="patients",
        column="rt_end_date",
        **is_planned_at_most_ahead("rt_end_date"),
        reason="The nadir is sought up to the last day of RT: a far one makes late counts part of RT.",
        remedy="Correct the date, or leave it empty while RT goes on, and send the file again",
    ),
    Rule(
        name="rt_end_date_is_not_before_rt_start_date",
        table="patients",
        column="rt_end_date",
        **is_not_before("rt_end_date", "rt_start_date"),
        reason="A course of one fraction ends on the day it begins; none ends before.",
        remedy=_CORRECT_DATE,
    ),
    Rule(
        name="rt_lasts_at_most_180_days",
        table="patients",
        column="rt_end_date",
        **is_at_most("days_of_rt", 180, unit="days"),
        reason="A course takes weeks: half a year is two courses or a wrong year, and stretches the nadir.",
        remedy=_CORRECT_DATE,
    ),
    Rule(
        name="fractions_are_between_1_and_60",
        table="patients",
        column="fractions",
        **is_between("fractions", 1, 60, unit="fractions"),
        reason="A course has a fraction at least, and even two a day stay below 60.",
        remedy=_CORRECT,
    ),
    Rule(
        name="dose_is_between_0_and_150_gy",
        table="patients",
        column="dose_gy",
        **is_between("dose_gy", 0, 150, unit="Gy"),
        reason="No plan for the liver prescribes more: a larger number is in cGy.",
        remedy=_CORRECT,
    ),
    Rule(
        name="ptv_is_above_0_and_at_most_20000_cm3",
        table="patients",
        column="ptv_cm3",
        **is_above("ptv_cm3", 0, 20_000, unit="cm3"),
        reason="A target has a volume, and none outgrows the trunk: a larger number is in mm3.",
        remedy=_CORRECT,
    ),
    Rule(
        name="mean_liver_dose_is_between_0_and_100_gy",
        table="patients",
        column="mean_liver_dose_gy",
        **is_between("mean_liver_dose_gy", 0, 100, unit="Gy"),
        reason="No liver survives such a mean dose: a larger number is in cGy.",
        remedy=_CORRECT,
    ),
)
