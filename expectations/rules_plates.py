"""What must be true of the rows that come from cytokine plates.

Here: `cytokines`, `plate_wells` and `plate_curves`. Not here: the arithmetic that a plate's own file must
satisfy (the plate's reader). A concentration out of range stays empty. Read by `expectations.rules`.
"""

import polars as pl

from expectations.rule import Rule, is_a_past_day, is_at_least, is_at_most, is_between, is_true
from expectations.rules_courses import days_after_rt_start, patient_is_known, within_a_year_before_rt

_CORRECT_LAYOUT = "Correct the plate's layout file and send it with its export again"
_CHECK_PLATE = "Look at the plate's export; where it is right, report this as a bug of the platform"

_DAYS = days_after_rt_start(pl.col("collected_on"))
_HAS_A_NUMBER = pl.col("concentration_pg_ml").is_not_null()
_IS_ON_CURVE = pl.col("range").is_in(["within", "extrapolated"])

CYTOKINE_MEASURES = {
    "days_after_rt_start": _DAYS,
    "is_drawn_at_its_timepoint": pl.when(pl.col("timepoint") == "pre_rt")
    .then(_DAYS <= 0)
    .otherwise(_DAYS >= 0),
    "agrees_with_its_range": _HAS_A_NUMBER == _IS_ON_CURVE,
}

CYTOKINE_RULES = (
    patient_is_known("cytokines"),
    Rule(
        name="sample_is_drawn_between_1990_and_the_night",
        table="cytokines",
        column="collected_on",
        **is_a_past_day("collected_on"),
        reason="No blood is drawn tomorrow: day and month are swapped, or the year is wrong.",
        remedy=_CORRECT_LAYOUT,
    ),
    Rule(
        name="sample_is_drawn_at_most_a_year_before_rt",
        table="cytokines",
        column="collected_on",
        **within_a_year_before_rt("collected_on"),
        reason="IL-7 of another year says nothing about this course.",
        remedy=_CORRECT_LAYOUT,
    ),
    Rule(
        name="sample_is_drawn_at_its_timepoint",
        table="cytokines",
        column="timepoint",
        **is_true(
            "is_drawn_at_its_timepoint",
            found="a sample on the wrong side of the first day of RT",
            expected="pre_rt on or before rt_start_date, post_rt on or after it",
        ),
        reason="Swapped samples turn the rise of IL-7 into a fall.",
        remedy=_CORRECT_LAYOUT,
    ),
    Rule(
        name="cytokine_concentration_is_between_0_and_1000000_pg_ml",
        table="cytokines",
        column="concentration_pg_ml",
        **is_between("concentration_pg_ml", 0, 1_000_000, unit="pg/mL"),
        reason="A concentration is not negative; a microgram in a millilitre is off every assay's scale.",
        remedy=_CHECK_PLATE,
    ),
    Rule(
        name="cytokine_concentration_is_given_exactly_where_it_is_in_range",
        table="cytokines",
        column="concentration_pg_ml",
        **is_true(
            "agrees_with_its_range",
            found="a concentration that contradicts its range",
            expected="a number within or extrapolated, none below or above",
        ),
        reason="What lies below or above the curve has no number: half a limit by stealth biases IL-7.",
        remedy=_CHECK_PLATE,
    ),
    Rule(
        name="sample_has_between_1_and_384_wells",
        table="cytokines",
        column="n_wells",
        **is_between("n_wells", 1, 384, unit="wells"),
        reason="A concentration comes from a well at least, and no plate has more than 384.",
        remedy=_CHECK_PLATE,
    ),
)

PLATE_WELL_RULES = (
    Rule(
        name="bead_count_is_not_negative",
        table="plate_wells",
        column="n_beads",
        **is_at_least("n_beads", 0, unit="beads"),
        reason="Beads are counted.",
        remedy=_CHECK_PLATE,
    ),
    Rule(
        name="expected_concentration_is_not_negative",
        table="plate_wells",
        column="expected_pg_ml",
        **is_between("expected_pg_ml", 0, 1e9, unit="pg/mL"),
        reason="A standard holds nothing or something.",
        remedy=_CHECK_PLATE,
    ),
    Rule(
        name="well_concentration_is_between_0_and_1000000000_pg_ml",
        table="plate_wells",
        column="concentration_pg_ml",
        **is_between("concentration_pg_ml", 0, 1e9, unit="pg/mL"),
        reason="A concentration is not negative.",
        remedy=_CHECK_PLATE,
    ),
)

PLATE_CURVE_RULES = (
    Rule(
        name="r_squared_is_at_most_1",
        table="plate_curves",
        column="r_squared",
        **is_at_most("r_squared", 1, unit="(no unit)"),
        reason="More than all of the variance cannot be explained. A low value is shown and is no gate.",
        remedy=_CHECK_PLATE,
    ),
    Rule(
        name="standards_of_a_curve_are_not_negative",
        table="plate_curves",
        column="n_standards",
        **is_at_least("n_standards", 0, unit="wells"),
        reason="Wells are counted.",
        remedy=_CHECK_PLATE,
    ),
)
