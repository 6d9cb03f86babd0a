"""The clinical definitions: grades, nadir, acute severe lymphopenia, recovery, IL-7 and survival.

Here: what the words mean, from validated tables to one row a patient. Not here: statistics (`models`).
Definitions follow the study (CTCAE v4.0; survival from the start of RT). Called by `flows.nightly`.
"""

import polars as pl

from transforms.schemas import COHORT, COUNT_COURSE, MONTHLY_COUNTS, PATIENT_KEY, TIMEPOINTS

DAYS_PER_MONTH = 365.25 / 12
LOWER_LIMIT_OF_NORMAL_CELLS_PER_UL = 1000.0
ASL_BELOW_CELLS_PER_UL = 200.0
RECOVERED_ABOVE_CELLS_PER_UL = 1000.0
IL7_HIGH_ABOVE_PG_ML = 2.495
RECOVERY_MONTH = 2

_IL7_COLUMNS = {"pg_ml": "concentration_pg_ml", "range": "range", "limit_pg_ml": "limit_pg_ml"}


_NO_COVERAGE = pl.DataFrame(
    schema={
        **dict.fromkeys(PATIENT_KEY, pl.String()),
        "n_weeks_seen": pl.Int64(),
        "n_weeks_expected": pl.Int64(),
    }
)


def ctcae_grade(tlc_cells_per_ul: pl.Expr, lower_limit: pl.Expr | None = None) -> pl.Expr:
    """Grade a lymphocyte count (cells/uL) by CTCAE v4.0 'lymphocyte count decreased', 0 to 4.

    1: below the lower limit of normal to 800; 2: below 800 to 500; 3: below 500 to 200; 4: below 200.
    lower_limit: the laboratory's (cells/uL); 1,000 where there is none.
    """
    usual = pl.lit(LOWER_LIMIT_OF_NORMAL_CELLS_PER_UL)
    normal_from = usual if lower_limit is None else pl.coalesce(lower_limit, usual)
    return (
        pl.when(tlc_cells_per_ul < ASL_BELOW_CELLS_PER_UL)
        .then(4)
        .when(tlc_cells_per_ul < 500)
        .then(3)
        .when(tlc_cells_per_ul < 800)
        .then(2)
        .when(tlc_cells_per_ul < normal_from)
        .then(1)
        .when(tlc_cells_per_ul.is_not_null())
        .then(0)
        .cast(pl.Int64)
    )


def derive_count_course(counts: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    """Place each count in its patient's course: days, months and week from the start of RT, and its grade.

    During RT means from the first to the last day of RT, both included; RT that has no last day goes on.
    Returns a frame of `COUNT_COURSE`, sorted by its key.
    """
    day = pl.col("collected_on")
    days = (day - pl.col("rt_start_date")).dt.total_days()
    is_during_rt = (days >= 0) & (pl.col("rt_end_date").is_null() | (day <= pl.col("rt_end_date")))
    return (
        counts.join(
            patients.select(*PATIENT_KEY, "rt_start_date", "rt_end_date"), on=PATIENT_KEY, how="inner"
        )
        .with_columns(
            days_from_rt_start=days,
            months_from_rt_start=days / DAYS_PER_MONTH,
            rt_week=pl.when(is_during_rt).then(days // 7 + 1),
            is_during_rt=is_during_rt,
            ctcae_grade=ctcae_grade(pl.col("tlc_cells_per_ul"), pl.col("lower_limit_cells_per_ul")),
        )
        .select(COUNT_COURSE.column_names)
        .sort(COUNT_COURSE.key)
    )


def derive_monthly_counts(course: pl.DataFrame) -> pl.DataFrame:
    """Take one count for each patient and month from the start of RT.

    Month 0 is the baseline: the last count on or before the first day of RT. A later month holds the counts
    nearest to it of all months, and the count nearest to its mark stands for it (the earlier of two).
    Returns a frame of `MONTHLY_COUNTS`, sorted by its key.
    """
    days, months = pl.col("days_from_rt_start"), pl.col("months_from_rt_start")
    moment = pl.col("collected_at").dt.timestamp()
    month = pl.when(days <= 0).then(0).otherwise((months + 0.5).floor()).cast(pl.Int64)
    return (
        course.with_columns(month=month)
        .filter((days <= 0) | (pl.col("month") >= 1))
        .with_columns(days_off_mark=(days - pl.col("month") * DAYS_PER_MONTH).abs())
        .with_columns(order_in_day=pl.when(days <= 0).then(-moment).otherwise(moment))
        .sort(*PATIENT_KEY, "month", "days_off_mark", "order_in_day", "code")
        .unique((*PATIENT_KEY, "month"), keep="first", maintain_order=True)
        .select(MONTHLY_COUNTS.column_names)
    )


def derive_cohort(
    patients: pl.DataFrame,
    course: pl.DataFrame,
    monthly_counts: pl.DataFrame,
    *,
    cytokines: pl.DataFrame,
    follow_up: pl.DataFrame,
    coverage: pl.DataFrame | None = None,
) -> pl.DataFrame:
    """Join everything known of a patient into one row; what was not measured stays empty.

    coverage: n_weeks_seen and n_weeks_expected of patients (`transforms.counts.completeness`).
    Returns a frame of `COHORT`, sorted by patient, a row for every row of `patients`.
    """
    parts = (
        _month_values(monthly_counts),
        _nadirs(course),
        _onsets_and_recoveries(course),
        course.group_by(PATIENT_KEY).agg(last_count_months=pl.col("months_from_rt_start").max()),
        _il7(cytokines),
        follow_up.select(*PATIENT_KEY, "last_contact_date", "death_date", "progression_date"),
        _NO_COVERAGE if coverage is None else coverage,
    )
    joined = patients
    for part in parts:
        joined = joined.join(part, on=PATIENT_KEY, how="left")
    return (
        joined.with_columns(
            n_counts_during_rt=pl.col("n_counts_during_rt").fill_null(0),
            has_baseline_lymphopenia=pl.col("baseline_tlc_cells_per_ul")
            <= LOWER_LIMIT_OF_NORMAL_CELLS_PER_UL,
            nadir_grade=ctcae_grade(pl.col("nadir_tlc_cells_per_ul")),
            has_asl=pl.col("nadir_tlc_cells_per_ul") < ASL_BELOW_CELLS_PER_UL,
            delta_il7_pg_ml=pl.col("post_rt_il7_pg_ml") - pl.col("pre_rt_il7_pg_ml"),
            il7_group=_il7_group(),
        )
        .with_columns(
            has_recovered=pl.when(pl.col("has_asl")).then(
                pl.col("tlc_month_2_cells_per_ul") > RECOVERED_ABOVE_CELLS_PER_UL
            ),
            **_survival(),
        )
        .with_columns(asl_definition=pl.lit(None), asl_definition_version=pl.lit(None))
        .select(COHORT.column_names)
        .cast(COHORT.polars_schema)
        .sort(COHORT.key)
    )


def _month_values(monthly_counts: pl.DataFrame) -> pl.DataFrame:
    in_month = pl.col("tlc_cells_per_ul").filter
    return monthly_counts.group_by(PATIENT_KEY).agg(
        baseline_tlc_cells_per_ul=in_month(pl.col("month") == 0).first(),
        tlc_month_2_cells_per_ul=in_month(pl.col("month") == RECOVERY_MONTH).first(),
    )


def _nadirs(course: pl.DataFrame) -> pl.DataFrame:
    return (
        course.filter("is_during_rt")
        .group_by(PATIENT_KEY)
        .agg(
            nadir_tlc_cells_per_ul=pl.col("tlc_cells_per_ul").min(),
            n_counts_during_rt=pl.len().cast(pl.Int64),
        )
    )


def _onsets_and_recoveries(course: pl.DataFrame) -> pl.DataFrame:
    """When ASL began, and the first count above 1,000 that was drawn after it, during RT or later."""
    tlc, months = pl.col("tlc_cells_per_ul"), pl.col("months_from_rt_start")
    onsets = (
        course.filter(pl.col("is_during_rt") & (tlc < ASL_BELOW_CELLS_PER_UL))
        .group_by(PATIENT_KEY)
        .agg(asl_onset_months=months.min(), asl_began_at=pl.col("collected_at").min())
    )
    recoveries = (
        course.join(onsets, on=PATIENT_KEY, how="inner")
        .filter((pl.col("collected_at") > pl.col("asl_began_at")) & (tlc > RECOVERED_ABOVE_CELLS_PER_UL))
        .group_by(PATIENT_KEY)
        .agg(recovery_months=months.min())
    )
    return onsets.drop("asl_began_at").join(recoveries, on=PATIENT_KEY, how="left")


def _il7(cytokines: pl.DataFrame) -> pl.DataFrame:
    """Number, range and limit at each timepoint: a value beyond a limit has no number, only its limit."""
    measures = {
        f"{timepoint}_il7_{name}": pl.col(column).filter(pl.col("timepoint") == timepoint).first()
        for timepoint in TIMEPOINTS
        for name, column in _IL7_COLUMNS.items()
    }
    return cytokines.filter(pl.col("analyte") == "IL-7").group_by(PATIENT_KEY).agg(**measures)


def _il7_group() -> pl.Expr:
    """Low or high where the number tells, or the limit: below 2.0 is low, below 3.0 may be either."""
    il7, limit, lies = (pl.col(f"pre_rt_il7_{name}") for name in ("pg_ml", "limit_pg_ml", "range"))
    is_known_low = (lies == "below") & (limit <= IL7_HIGH_ABOVE_PG_ML)
    is_known_high = (lies == "above") & (limit >= IL7_HIGH_ABOVE_PG_ML)
    return (
        pl.when(il7 > IL7_HIGH_ABOVE_PG_ML)
        .then(pl.lit("il7_high"))
        .when(il7.is_not_null())
        .then(pl.lit("il7_low"))
        .when(is_known_low)
        .then(pl.lit("il7_low"))
        .when(is_known_high)
        .then(pl.lit("il7_high"))
    )


def _survival() -> dict[str, pl.Expr]:
    death, progression = pl.col("death_date"), pl.col("progression_date")
    first_event = pl.min_horizontal(death, progression)
    is_followed = pl.col("last_contact_date").is_not_null()
    return {
        "os_months": _months_until(pl.coalesce(death, "last_contact_date")),
        "has_died": pl.when(is_followed).then(death.is_not_null()),
        "pfs_months": _months_until(pl.coalesce(first_event, "last_contact_date")),
        "has_progressed_or_died": pl.when(is_followed).then(first_event.is_not_null()),
        # Progression on the day of death counts as progression.
        "has_progressed": pl.when(is_followed).then(
            progression.is_not_null() & (death.is_null() | (progression <= death))
        ),
    }


def _months_until(day: pl.Expr) -> pl.Expr:
    return (day - pl.col("rt_start_date")).dt.total_days() / DAYS_PER_MONTH
