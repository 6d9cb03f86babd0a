"""What must be true of the derived cohort: that one row's parts agree with one another.

Here: contradictions that only show once a patient's tables are joined. Not here: the definitions
(`transforms.clinical`). A patient whose row breaks a rule is left out of the analyses. Read by
`expectations.rules`.
"""

import polars as pl

from expectations.rule import Rule, is_between, is_not_before, is_true
from transforms.clinical import ASL_BELOW_CELLS_PER_UL, DAYS_PER_MONTH
from transforms.counts.course_checks import DAYS_AFTER_DEATH

_COMPARE_DATES = "Compare the patient's rows in patients and follow_up: correct the one that is wrong"
_REPORT = "The platform contradicts itself: report it as a bug"

_ONSET_DAYS = (pl.col("asl_onset_months") * DAYS_PER_MONTH).round()
_OS_DAYS, _LAST_COUNT_DAYS = (
    (pl.col(name) * DAYS_PER_MONTH).round() for name in ("os_months", "last_count_months")
)
_RT_DAYS = (pl.col("rt_end_date") - pl.col("rt_start_date")).dt.total_days()

COHORT_MEASURES = {
    "asl_agrees_with_nadir": pl.col("has_asl") == (pl.col("nadir_tlc_cells_per_ul") < ASL_BELOW_CELLS_PER_UL),
    "recovery_is_of_asl": pl.col("has_recovered").is_null() | pl.col("has_asl"),
    "onset_is_of_asl": pl.col("has_asl").fill_null(value=False) == pl.col("asl_onset_months").is_not_null(),
    "asl_begins_in_rt": (_ONSET_DAYS >= 0) & (_ONSET_DAYS <= _RT_DAYS),
    "recovery_follows_asl": pl.col("recovery_months").is_null()
    | (pl.col("recovery_months") >= pl.col("asl_onset_months")).fill_null(value=False),
    "counts_end_with_life": ~pl.col("has_died") | (_LAST_COUNT_DAYS <= _OS_DAYS + DAYS_AFTER_DEATH),
    "death_ends_pfs": ~pl.col("has_died") | pl.col("has_progressed_or_died"),
    "pfs_event_is_told": pl.col("has_progressed_or_died") == (pl.col("has_progressed") | pl.col("has_died")),
}

COHORT_RULES = (
    Rule(
        name="os_is_between_0_and_600_months",
        table="cohort",
        column="os_months",
        **is_between("os_months", 0, 600, unit="months"),
        reason="Survival counts from the start of RT: a start corrected later can turn it negative.",
        remedy=_COMPARE_DATES,
    ),
    Rule(
        name="pfs_is_between_0_and_600_months",
        table="cohort",
        column="pfs_months",
        **is_between("pfs_months", 0, 600, unit="months"),
        reason="Progression-free survival counts from the start of RT, as survival does.",
        remedy=_COMPARE_DATES,
    ),
    Rule(
        name="pfs_is_not_longer_than_os",
        table="cohort",
        column="pfs_months",
        **is_not_before("os_months", "pfs_months")
        | {"found": "pfs_months above os_months", "expected": "pfs_months up to os_months"},
        reason="Death ends both.",
        remedy=_COMPARE_DATES,
    ),
    Rule(
        name="counts_end_with_the_patients_life",
        table="cohort",
        column="os_months",
        **is_true(
            "counts_end_with_life",
            found="counts on several days after the patient's death",
            expected="a death_date no earlier than the day before the last count",
            null_means="No count, or no follow-up, passes",
        ),
        reason="One draw after death has a wrong date, and is left out; several tell of a wrong day of "
        "death, which survival would count by.",
        remedy="Compare death_date in follow_up with the days of the patient's counts: correct the wrong one",
    ),
    Rule(
        name="death_ends_progression_free_survival",
        table="cohort",
        column="has_progressed_or_died",
        **is_true(
            "death_ends_pfs",
            found="a death that does not count for progression-free survival",
            expected="has_progressed_or_died wherever has_died",
        ),
        reason="The event is progression or death, whichever comes first.",
        remedy=_REPORT,
    ),
    Rule(
        name="progression_free_survival_ends_by_progression_or_death",
        table="cohort",
        column="has_progressed",
        **is_true(
            "pfs_event_is_told",
            found="an event that is neither progression nor death, or one of them that is no event",
            expected="has_progressed_or_died exactly where has_progressed or has_died",
        ),
        reason="Death competes with progression: each event must be one of the two.",
        remedy=_REPORT,
    ),
    Rule(
        name="nadir_is_between_0_and_20000_cells_per_ul",
        table="cohort",
        column="nadir_tlc_cells_per_ul",
        **is_between("nadir_tlc_cells_per_ul", 0, 20_000, unit="cells/uL"),
        reason="The nadir is one of the counts. A nadir of zero is kept.",
        remedy=_REPORT,
    ),
    Rule(
        name="nadir_grade_is_between_0_and_4",
        table="cohort",
        column="nadir_grade",
        **is_between("nadir_grade", 0, 4, unit="(CTCAE v4.0)"),
        reason="A count has a grade from 0, normal, to 4; no count makes grade 5.",
        remedy=_REPORT,
    ),
    Rule(
        name="asl_agrees_with_the_nadir",
        table="cohort",
        column="has_asl",
        **is_true(
            "asl_agrees_with_nadir",
            found="ASL without its count, or the count without ASL",
            expected=f"has_asl exactly where the nadir is below {ASL_BELOW_CELLS_PER_UL:,.0f} cells/uL",
        ),
        reason="Acute severe lymphopenia is a count below 200 cells/uL during RT and nothing else.",
        remedy=_REPORT,
    ),
    Rule(
        name="asl_has_an_onset_and_nothing_else_has",
        table="cohort",
        column="asl_onset_months",
        **is_true(
            "onset_is_of_asl",
            found="ASL without its onset, or an onset without ASL",
            expected="asl_onset_months exactly where has_asl",
            null_means="No onset passes where there was no ASL or nothing was measured",
        ),
        reason="The count that makes ASL has a day: survival models count the patient as exposed from it.",
        remedy=_REPORT,
    ),
    Rule(
        name="asl_begins_during_rt",
        table="cohort",
        column="asl_onset_months",
        **is_true(
            "asl_begins_in_rt",
            found="an onset outside RT",
            expected="asl_onset_months from the first to the last day of RT",
            null_means="No onset passes; while RT has no last day, only the first day is a limit",
        ),
        reason="Acute severe lymphopenia is a count below 200 cells/uL during RT: later ones are none.",
        remedy=_REPORT,
    ),
    Rule(
        name="recovery_does_not_precede_asl",
        table="cohort",
        column="recovery_months",
        **is_true(
            "recovery_follows_asl",
            found="a recovery without the onset of ASL, or before it",
            expected="recovery_months on or after asl_onset_months",
        ),
        reason="Time to recovery runs from the onset of ASL: it is not negative.",
        remedy=_REPORT,
    ),
    Rule(
        name="recovery_is_told_only_after_asl",
        table="cohort",
        column="has_recovered",
        **is_true(
            "recovery_is_of_asl",
            found="a recovery without ASL",
            expected="has_recovered only where has_asl",
        ),
        reason="Who had no ASL has nothing to recover from; counting them would flatter recovery.",
        remedy=_REPORT,
    ),
    Rule(
        name="il7_before_rt_is_not_negative",
        table="cohort",
        column="pre_rt_il7_pg_ml",
        **is_between("pre_rt_il7_pg_ml", 0, 1_000_000, unit="pg/mL"),
        reason="A concentration is not negative.",
        remedy=_REPORT,
    ),
    Rule(
        name="il7_after_rt_is_not_negative",
        table="cohort",
        column="post_rt_il7_pg_ml",
        **is_between("post_rt_il7_pg_ml", 0, 1_000_000, unit="pg/mL"),
        reason="A concentration is not negative.",
        remedy=_REPORT,
    ),
)
