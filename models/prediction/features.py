"""What is known of a patient at the moment of prediction, and what came of it, one row a moment.

Here: rows of both questions for training, for a night, and the outcomes after a landmark. Not here: what the
inputs mean (`models.prediction.question`), models. Called by `models.prediction` and `flows`.

No input is dated after its landmark. The last day of RT is no input: RT that ended early tells of the future.
"""

from collections.abc import Mapping
from datetime import date
from types import MappingProxyType

import numpy as np
import polars as pl

from models.prediction.question import BEFORE_RT, DURING_RT, Question
from transforms.clinical import DAYS_PER_MONTH
from transforms.counts.completeness import LONGEST_RT_DAYS
from transforms.schemas import PATIENT_KEY

DAYS_A_WEEK = 7
OUTCOME = ("has_asl", "outcome_known_on", "has_rt_ended")
_MOMENT = (*PATIENT_KEY, "landmark_date")
# Of a cohort's columns, these alone are read: the plan and what is known before RT, and the outcome.
_OUTCOME_COLUMNS = ("rt_end_date", "has_asl", "asl_onset_months", "has_died", "os_months")

_landmark_day, _as_of_day = pl.col("landmark_day"), pl.col("as_of_day")
_onset_day, _end_day = pl.col("onset_day"), pl.col("end_day")


def _when_known(column: str, is_so: pl.Expr) -> pl.Expr:
    # `is_in` alone would make a missing value a 'no'.
    return pl.when(pl.col(column).is_not_null()).then(is_so)


def _il7_is_censored() -> pl.Expr:
    lies = pl.col("pre_rt_il7_range").is_in(["below", "above"]).fill_null(value=False)
    return pl.col("pre_rt_il7_pg_ml").is_null() & lies


def _il7_or_its_limit() -> pl.Expr:
    limit = pl.col("pre_rt_il7_limit_pg_ml")
    beyond = pl.when(pl.col("pre_rt_il7_range") == "below").then(limit / 2).otherwise(limit)
    return pl.coalesce("pre_rt_il7_pg_ml", pl.when(_il7_is_censored()).then(beyond))


_BEFORE_RT: Mapping[str, pl.Expr] = MappingProxyType(
    {
        "baseline_tlc_cells_per_ul": pl.col("baseline_tlc_cells_per_ul"),
        "ptv_cm3": pl.col("ptv_cm3"),
        "pre_rt_il7_pg_ml": _il7_or_its_limit(),
        "pre_rt_il7_is_censored": _il7_is_censored(),
        "is_chemoradiotherapy": pl.col("combined_treatment") == "chemoradiotherapy",
        "has_pvtt": pl.col("pvtt") == "yes",
        "has_viral_hepatitis": _when_known("viral_type", pl.col("viral_type").is_in(["hbv", "hcv"])),
        "has_baseline_lymphopenia": pl.col("has_baseline_lymphopenia"),
    }
)


def rows_before_rt(cohort: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return a row for each patient of a cohort: what is known before RT, and whether ASL came during it.

    cohort: `schemas.COHORT`. Columns: site, patient_id, landmark_date (the first day of RT), a Float64 for
    each of `BEFORE_RT.features` (null where unknown), and `OUTCOME` as in `outcomes_after`. Sorted by its
    key.
    """
    timelines = _timelines(cohort, as_of).with_columns(
        landmark_date=pl.col("rt_start_date"), is_measured_free=~pl.col("has_asl")
    )
    return _in_order(_with_outcome(timelines), BEFORE_RT)


def rows_during_rt(cohort: pl.DataFrame, course: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return a row for each patient and whole week of RT that was reached by `as_of`: the rows to learn from.

    One model over all landmarks is a landmark supermodel (van Houwelingen 2007, Scand J Stat 34:70). A
    patient has a row on days 7, 14, 21, ... of RT while the last day of RT is ahead and the patient is alive
    and without ASL so far. Whoever was lost has rows of unknown outcome: who is followed is told by counts
    that came later, and may not decide who has a row. course: `schemas.COUNT_COURSE`. Columns: as
    `rows_before_rt`, of `DURING_RT.features`. Sorted by site, patient_id, landmark_date.
    """
    timelines = _timelines(cohort, as_of)
    n_landmarks = pl.min_horizontal(_last_day_at_risk(), _as_of_day).clip(0) // DAYS_A_WEEK
    landmarks = (
        timelines.with_columns(week=pl.int_ranges(1, n_landmarks + 1))
        .filter(n_landmarks > 0)
        .explode("week")
        .with_columns(landmark_day=pl.col("week") * DAYS_A_WEEK)
    )
    return _rows_at(landmarks, course)


def rows_at_night(cohort: pl.DataFrame, course: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """Return a row for each patient under treatment on a night and without ASL so far: the rows to score.

    Their landmark is the night; the last day of RT is still ahead. RT without a last day goes on, for 180
    days. The outcome is not known yet. Columns and order as `rows_during_rt`.
    """
    is_under_treatment = (_as_of_day >= 0) & (_as_of_day <= _last_day_at_risk())
    tonight = _timelines(cohort, as_of).filter(is_under_treatment).with_columns(landmark_day=_as_of_day)
    return _rows_at(tonight, course)


def outcomes_after(
    landmarks: pl.DataFrame, cohort: pl.DataFrame, course: pl.DataFrame, *, as_of: date
) -> pl.DataFrame:
    """Return what `as_of` knows of ASL after landmarks (site, patient_id, landmark_date), in their order.

    The estimand is a count below 200 cells/uL after the landmark, until the last day of RT or death,
    whichever comes first: who dies during RT without ASL had none, and that is known on the day of death.
    has_asl: true from the day of onset on; false once RT is over (or the patient dead) if a count was drawn
    after the landmark; else null. Nobody under treatment counts as free of ASL; and where nothing was
    measured, nothing is known. Null too where ASL came before the landmark.
    outcome_known_on: the day of onset, the last day of RT, or the day of death; null with the label.
    has_rt_ended: whether RT was over, or the patient dead. Of those still under treatment only cases are
    known: a model fitted to them too would learn too high a risk.
    """
    timelines = _timelines(cohort, as_of)
    asked = landmarks.select(_MOMENT).join(timelines, on=PATIENT_KEY, how="left", maintain_order="left")
    since_start = (pl.col("landmark_date") - pl.col("rt_start_date")).dt.total_days()
    rows = _with_outcome_after(asked.with_columns(landmark_day=since_start), _points(course, timelines))
    return rows.select(*_MOMENT, *OUTCOME)


def _timelines(cohort: pl.DataFrame, as_of: date) -> pl.DataFrame:
    """Number the patients; days are from the first day of RT. `end_day` is where the outcome is settled."""
    start = pl.col("rt_start_date")
    return (
        cohort.select(*PATIENT_KEY, start, "fractions", *_OUTCOME_COLUMNS, **_BEFORE_RT)
        .with_row_index("patient")
        .with_columns(
            as_of_day=(pl.lit(as_of) - start).dt.total_days(),
            onset_day=_days("asl_onset_months"),
            last_rt_day=(pl.col("rt_end_date") - start).dt.total_days(),
            death_day=pl.when("has_died").then(_days("os_months")),
        )
        .with_columns(end_day=pl.min_horizontal("last_rt_day", "death_day"))
    )


def _days(months: str) -> pl.Expr:
    return (pl.col(months) * DAYS_PER_MONTH).round().cast(pl.Int64)


def _last_day_at_risk() -> pl.Expr:
    """The last day on which RT goes on beyond it, the patient lives, and ASL has not come."""
    last_rt_day = pl.coalesce("last_rt_day", LONGEST_RT_DAYS - 1)
    # A case without a day of onset may have had it before any landmark.
    return (
        pl.when(_is_case_without_onset())
        .then(-1)
        .otherwise(pl.min_horizontal(last_rt_day, "death_day", _onset_day) - 1)
    )


def _is_case_without_onset() -> pl.Expr:
    return pl.col("has_asl").fill_null(value=False) & _onset_day.is_null()


def _with_outcome_after(rows: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    last_counted = points.filter("is_during_rt").group_by("patient").agg(last_counted_day=pl.col("day").max())
    had_none_before = (_onset_day > _landmark_day).fill_null(value=True) & ~_is_case_without_onset()
    is_measured = pl.col("last_counted_day") > _landmark_day
    return _with_outcome(
        rows.join(last_counted, on="patient", how="left", maintain_order="left").with_columns(
            onset_day=pl.when(_onset_day > _landmark_day).then(_onset_day),
            is_measured_free=is_measured & had_none_before,
        )
    )


def _with_outcome(rows: pl.DataFrame) -> pl.DataFrame:
    """Add `OUTCOME`: a case from the day of onset on, none once RT is over if it was measured, else null."""
    is_known_case = (_onset_day <= _as_of_day).fill_null(value=False)
    is_over = (_end_day <= _as_of_day).fill_null(value=False)
    known_day = (
        pl.when(is_known_case).then(_onset_day).when(is_over & pl.col("is_measured_free")).then(_end_day)
    )
    return rows.with_columns(
        has_asl=pl.when(known_day.is_not_null()).then(is_known_case),
        outcome_known_on=pl.col("rt_start_date") + pl.duration(days=known_day),
        has_rt_ended=is_over,
    )


def _rows_at(landmarks: pl.DataFrame, course: pl.DataFrame) -> pl.DataFrame:
    points = _points(course, landmarks)
    dated = landmarks.with_columns(
        landmark_date=pl.col("rt_start_date") + pl.duration(days=_landmark_day)
    ).sort("patient", "landmark_day")
    seen = _with_counts_so_far(dated, points)
    seen = seen.with_columns(
        days_since_last_count=_landmark_day - pl.col("last_count_day"),
        n_counts_so_far=pl.col("n_counts_so_far").fill_null(0),
        **{name: _divide(seen, *quotient) for name, quotient in _QUOTIENTS.items()},
    )
    return _in_order(_with_outcome_after(seen, points), DURING_RT)


def _points(course: pl.DataFrame, timelines: pl.DataFrame) -> pl.DataFrame:
    """Return the baseline count of each patient, and every count from the first day of RT on, in order.

    Of two counts at one moment the one with the lower code comes last, as it is the one that is used for a
    month (`transforms.clinical`).
    """
    day = pl.col("days_from_rt_start")
    is_of_next_patient = pl.col("patient").shift(-1).ne_missing(pl.col("patient"))
    is_baseline = (day <= 0) & (is_of_next_patient | (day.shift(-1) > 0))
    patients = timelines.select(*PATIENT_KEY, "patient").unique()
    return (
        course.select(*PATIENT_KEY, "collected_at", "code", day, "is_during_rt", "tlc_cells_per_ul")
        .filter(day <= LONGEST_RT_DAYS)
        .join(patients, on=PATIENT_KEY)
        .sort("patient", day, "collected_at", "code", descending=[False, False, False, True])
        .filter(is_baseline | (day >= 0))
        .select("patient", "is_during_rt", "tlc_cells_per_ul", day=day)
    )


def _with_counts_so_far(landmarks: pl.DataFrame, points: pl.DataFrame) -> pl.DataFrame:
    """Add what the counts say up to each landmark's day: running sums, and the last row of them by then."""
    day, tlc = pl.col("day"), pl.col("tlc_cells_per_ul")
    # The baseline stands for the first day of RT, whenever it was drawn: before RT nothing depletes.
    x, y = day.clip(0), tlc.log1p()
    sums = {"n": day.is_not_null(), "x": x, "y": y, "xx": x * x, "xy": x * y}
    running = {f"sum_{name}": term.cum_sum().over("patient") for name, term in sums.items()}
    so_far = points.select(
        "patient",
        landmark_day=day,
        last_count_day=day,
        last_tlc_cells_per_ul=tlc,
        lowest_tlc_cells_per_ul=tlc.cum_min().over("patient"),
        n_counts_so_far=(day >= 0).cum_sum().over("patient"),
        **running,
    )
    # Sorted by patient and day above, which polars cannot see within a group.
    return landmarks.join_asof(so_far, on="landmark_day", by="patient", check_sortedness=False)


def _slope_per_week() -> tuple[pl.Expr, pl.Expr]:
    """Least squares, from the running sums, as a quotient; its divisor is 0 without counts of two days."""
    n, x, y, xx, xy = (pl.col(f"sum_{name}") for name in ("n", "x", "y", "xx", "xy"))
    # Days are whole numbers, so that the divisor is exact.
    return DAYS_A_WEEK * (n * xy - x * y), n * xx - x * x


def _fractions_left_share() -> tuple[pl.Expr, pl.Expr]:
    after_tonight = pl.col("landmark_date") + pl.duration(days=1)
    n_due = pl.business_day_count("rt_start_date", after_tonight)
    return (pl.col("fractions") - n_due).clip(0), pl.col("fractions")


_QUOTIENTS: Mapping[str, tuple[pl.Expr, pl.Expr]] = MappingProxyType(
    {
        "weeks_done": (_landmark_day, pl.lit(DAYS_A_WEEK)),
        "fractions_left_share": _fractions_left_share(),
        "last_to_baseline_ratio": (pl.col("last_tlc_cells_per_ul"), pl.col("baseline_tlc_cells_per_ul")),
        "tlc_log_slope_per_week": _slope_per_week(),
    }
)


def _divide(rows: pl.DataFrame, above: pl.Expr, below: pl.Expr) -> pl.Series:
    """Return above / below, null where either is unknown or below is not above 0.

    In numpy: where a whole column is one value polars multiplies by its reciprocal, so that the last bit of a
    patient's quotient would tell who else is in the batch.
    """
    pair = rows.select(above=above.cast(pl.Float64), below=below.cast(pl.Float64))
    numerator, divisor = pair["above"].to_numpy(), pair["below"].to_numpy()
    unknown = np.full(rows.height, np.nan)
    return pl.Series(np.divide(numerator, divisor, out=unknown, where=divisor > 0)).fill_nan(None)


def _in_order(rows: pl.DataFrame, question: Question) -> pl.DataFrame:
    features = pl.col(question.feature_names).cast(pl.Float64)
    return rows.select(*_MOMENT, features, *OUTCOME).sort(_MOMENT)
