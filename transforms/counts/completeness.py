"""Which blood counts are missing: by patient and week of RT, and by site and week.

Here: weeks seen of weeks expected, and feeds that went low or silent. Not here: what the counts mean
(`transforms.clinical`), who is told (`flows`). Unmeasured is not normal. Called by `flows.steps`.
"""

from collections.abc import Iterable
from datetime import date, timedelta

import polars as pl

from transforms.schemas import PATIENT_KEY
from transforms.schemas.counts import SITE_FEED, WEEKLY_COUNTS

DAYS_A_WEEK, WORKDAYS_A_WEEK = 7, 5
# A weekly count falls into a part of a week that is longer than half of it more likely than not.
LEAST_DAYS_OF_LAST_WEEK = 4
# A count on the weekday before or after a holiday is still that week's.
DAYS_OVER_THE_EDGE = 2
# As long as a course may last: an end that nobody wrote down does not ask for counts for ever.
LONGEST_RT_DAYS = 180

WEEKS_BEFORE, LEAST_WEEKS_BEFORE = 8, 4
# Holidays take up to half of a week. What else lacks is no chance: exp(-6.9) is 1 in 1,000 weeks.
LOW_SHARE, LOW_BY_LOG_CHANCE = 0.5, 6.9
# Three workdays without a row are more than a long weekend; exp(-4.6) is 1 in 100 such gaps.
LEAST_SILENT_WORKDAYS, SILENT_BY_LOG_CHANCE = 3, 4.6
USUAL_DAYS, LONGEST_LAG_DAYS = 56, 7

COVERAGE = pl.Schema(
    {
        **dict.fromkeys(PATIENT_KEY, pl.String()),
        "n_weeks_seen": pl.Int64(),
        "n_weeks_expected": pl.Int64(),
    }
)
SILENT_SITES = pl.Schema(
    {
        "site": pl.String(),
        "silent_since_date": pl.Date(),
        "n_silent_workdays": pl.Int64(),
        "n_rows_lacking": pl.Float64(),
    }
)
_WEEK = (*PATIENT_KEY, "rt_week")
_rt_start, _rt_end = pl.col("rt_start_date"), pl.col("rt_end_date")
_last_rt_day = pl.coalesce(_rt_end, _rt_start.dt.offset_by(f"{LONGEST_RT_DAYS - 1}d"))
_LOADED_NIGHT = "loaded_night"


def weekly_counts(course: pl.DataFrame, patients: pl.DataFrame, *, night: date) -> pl.DataFrame:
    """Set the counts of each week of RT against the one that is due, for every patient whose RT has begun.

    A week is due once it, or RT, is over before the night; the last part of a week only where it has 4 days
    or more. A count stands for one week: its own, or the one beside it where that would have none and the
    count lies at most 2 days over the edge. Counts of one day are one. RT without a last day goes on, for 180
    days. course: rows of `COUNT_COURSE`. Returns a frame of `WEEKLY_COUNTS`, sorted by its key.
    """
    weeks = _weeks(patients, night)
    is_seen = pl.col("n_counts") > 0
    state = pl.when(is_seen).then(pl.lit("seen")).when("is_expected").then(pl.lit("missing"))
    return (
        weeks.join(_counts_by_week(course, weeks), on=_WEEK, how="left")
        .with_columns(pl.col("n_counts").fill_null(0))
        .filter(pl.col("is_long_enough") | is_seen)
        .with_columns(state=state.otherwise(pl.lit("not yet due")))
        .select(WEEKLY_COUNTS.column_names)
        .cast(WEEKLY_COUNTS.polars_schema)
        .sort(WEEKLY_COUNTS.key)
    )


def nadir_coverage(weekly: pl.DataFrame) -> pl.DataFrame:
    """Count the weeks seen of the weeks expected, a row a patient (schema `COVERAGE`).

    A nadir is the lowest of what was seen: with weeks missing the true one may be lower.
    """
    is_seen = pl.col("state") == "seen"
    return (
        weekly.group_by(PATIENT_KEY)
        .agg(
            n_weeks_seen=(is_seen & pl.col("is_expected")).sum(),
            n_weeks_expected=pl.col("is_expected").sum(),
        )
        .cast(COVERAGE)
        .sort(PATIENT_KEY)
    )


def _weeks(patients: pl.DataFrame, night: date) -> pl.DataFrame:
    """Return the weeks of RT, whether they are due, and whether they are long enough to be."""
    last_known = pl.min_horizontal(_last_rt_day, pl.when(_rt_end.is_null()).then(pl.lit(night)))
    n_weeks = (last_known - _rt_start).dt.total_days() // DAYS_A_WEEK + 1
    start = pl.col("week_start_date")
    n_days = (_last_rt_day - start).dt.total_days() + 1
    last_day = pl.min_horizontal(start.dt.offset_by(f"{DAYS_A_WEEK - 1}d"), _last_rt_day)
    is_long_enough = (n_days >= LEAST_DAYS_OF_LAST_WEEK) | (pl.col("rt_week") == 1)
    return (
        patients.select(*PATIENT_KEY, "rt_start_date", "rt_end_date")
        .filter(n_weeks >= 1, _rt_start <= night)
        .with_columns(rt_week=pl.int_ranges(1, n_weeks + 1))
        .explode("rt_week")
        .with_columns(week_start_date=_rt_start + pl.duration(days=(pl.col("rt_week") - 1) * DAYS_A_WEEK))
        .with_columns(is_long_enough=is_long_enough, is_expected=is_long_enough & (last_day < night))
    )


def _counts_by_week(course: pl.DataFrame, weeks: pl.DataFrame) -> pl.DataFrame:
    """Return how many counts stand for each week that has any (the key of a week, n_counts)."""
    days = (
        course.filter("is_during_rt")
        .select(*PATIENT_KEY, day=pl.col("days_from_rt_start"))
        .unique()
        .sort(*PATIENT_KEY, "day")
        .group_by(PATIENT_KEY)
        .agg("day")
    )
    due = weeks.filter("is_expected").group_by(PATIENT_KEY).agg(due=pl.col("rt_week").sort())
    both = days.join(due, on=PATIENT_KEY, how="left").with_columns(pl.col("due").fill_null([]))
    stood_for = [
        [(week, len(counted)) for week, counted in _stand_for(day, due).items() if counted]
        for day, due in both.select("day", "due").iter_rows()
    ]
    pairs = pl.Series(stood_for, dtype=pl.List(pl.Array(pl.Int64, 2)))
    return (
        both.select(*PATIENT_KEY, pair=pairs)
        .explode("pair")
        .select(*PATIENT_KEY, rt_week=pl.col("pair").arr.get(0), n_counts=pl.col("pair").arr.get(1))
    )


def _stand_for(days: Iterable[int], due: Iterable[int]) -> dict[int, list[int]]:
    """Give each day to its week, then fill weeks that are due and empty from the weeks beside them."""
    weeks: dict[int, list[int]] = {}
    for day in days:
        weeks.setdefault(day // DAYS_A_WEEK + 1, []).append(day)
    for week in (due := list(due)):
        if not weeks.get(week):
            _borrow(week, weeks, due=due, asked=set())
    return weeks


def _borrow(week: int, weeks: dict[int, list[int]], *, due: list[int], asked: set[int]) -> bool:
    """Take a count over the edge from a week beside that can spare it, or borrows in its turn."""
    asked.add(week)
    first, last = DAYS_A_WEEK * (week - 1) - DAYS_OVER_THE_EDGE, DAYS_A_WEEK * week - 1 + DAYS_OVER_THE_EDGE
    for beside in (one for one in (week + 1, week - 1) if one not in asked):
        near = [day for day in weeks.get(beside, []) if first <= day <= last]
        can_spare = near and (len(weeks[beside]) > 1 or beside not in due)
        if can_spare or (near and _borrow(beside, weeks, due=due, asked=asked)):
            weeks[beside].remove(near[0])
            weeks.setdefault(week, []).append(near[0])
            return True
    return False


# Sites


def site_feed(counts: pl.DataFrame, patients: pl.DataFrame, *, night: date) -> pl.DataFrame:
    """Set each site's rows of a calendar week against what it usually sends, up to the last whole week.

    Usual is the median of its last 8 weeks, 4 at least, with patients under RT and any row; fewer patients
    under RT ask for fewer rows. A week is `quiet` without patients under RT, `silent` without a row, `low`
    below half of the usual where chance would make it so in fewer than 1 of 1,000 weeks, by Chernoff's bound
    for a Poisson number. A new site is one with too few weeks before. Returns a frame of `SITE_FEED`, sorted.
    """
    week = pl.col("collected_on").dt.truncate("1w")
    rows = counts.group_by("site", week_start_date=week).agg(n_rows=pl.len())
    return (
        _weeks_of_sites(patients, night)
        .join(rows, on=["site", "week_start_date"], how="left")
        .with_columns(pl.col("n_rows").fill_null(0))
        .pipe(_with_usual)
        .with_columns(state=_feed_state())
        .select(SITE_FEED.column_names)
        .cast(SITE_FEED.polars_schema)
        .sort(SITE_FEED.key)
    )


def _weeks_of_sites(patients: pl.DataFrame, night: date) -> pl.DataFrame:
    """Return every whole week since a site's first RT, and how many patients were under RT in it."""
    week = pl.col("week_start_date")
    last = pl.lit(night - timedelta(days=night.weekday() + DAYS_A_WEEK))
    first = _rt_start.dt.truncate("1w")
    in_rt = (
        patients.with_columns(
            week_start_date=pl.date_ranges(first, pl.min_horizontal(_last_rt_day, last), "1w")
        )
        .explode("week_start_date")
        .group_by("site", "week_start_date")
        .agg(n_patients_in_rt=pl.len())
    )
    return (
        patients.group_by("site")
        .agg(week_start_date=first.min())
        .filter(week <= last)
        .with_columns(week_start_date=pl.date_ranges(week, last, "1w"))
        .explode("week_start_date")
        .join(in_rt, on=["site", "week_start_date"], how="left")
        .with_columns(pl.col("n_patients_in_rt").fill_null(0))
        .sort("site", "week_start_date")
    )


def _with_usual(weeks: pl.DataFrame) -> pl.DataFrame:
    """Add the medians of rows and of patients under RT over the weeks before that tell what is usual."""
    names = {"n_rows": "n_usual", "n_patients_in_rt": "n_usual_in_rt"}
    medians = [
        pl.col(name).rolling_median(WEEKS_BEFORE, min_samples=LEAST_WEEKS_BEFORE).over("site").alias(usual)
        for name, usual in names.items()
    ]
    telling = weeks.filter(pl.col("n_patients_in_rt") > 0, pl.col("n_rows") > 0).select(
        "site", "week_start_date", *medians
    )
    return (
        weeks.join(telling, on=["site", "week_start_date"], how="left")
        .sort("site", "week_start_date")
        .with_columns(pl.col(*names.values()).forward_fill().shift(1).over("site"))
    )


def _feed_state() -> pl.Expr:
    n, n_in_rt = pl.col("n_rows"), pl.col("n_patients_in_rt")
    expected = pl.col("n_usual") * (n_in_rt / pl.col("n_usual_in_rt")).clip(upper_bound=1)
    # Chernoff: a Poisson number of mean m is n or less with a chance below exp(n - m - n log(n / m)).
    log_chance = expected - n + n * (n / expected).log()
    return (
        pl.when(n_in_rt == 0)
        .then(pl.lit("quiet"))
        .when(n == 0)
        .then(pl.lit("silent"))
        .when(pl.col("n_usual").is_null())
        .then(pl.lit("new site"))
        .when((n < LOW_SHARE * expected) & (log_chance >= LOW_BY_LOG_CHANCE))
        .then(pl.lit("low"))
        .otherwise(pl.lit("usual"))
    )


def silent_sites(counts: pl.DataFrame, patients: pl.DataFrame, *, night: date) -> pl.DataFrame:
    """Return the sites that are not signed off tonight: patients under RT, and no count for too long.

    Too long is 3 workdays or more in which the site's own rows a workday, of the 8 weeks up to its last count
    and in proportion to its patients under RT, would come to none by chance in fewer than 1 of 100 gaps. A
    site that never sent a count is asked for one a week and patient. Where counts carry `loaded_night`, a
    site's usual delay, up to 7 days, is granted. Returns a frame of `SILENT_SITES`, sorted by site.
    """
    in_rt = _sites_in_rt(patients, night).join(_usual_rows(counts, night), on="site", how="left")
    since, lag = pl.col("silent_since_date"), pl.col("lag_days").fill_null(0)
    workdays = pl.business_day_count(since + pl.duration(days=lag + 1), pl.lit(night))
    per_workday = pl.coalesce(
        pl.col("n_rows_a_workday") * (pl.col("n_in_rt") / pl.col("n_usual_in_rt")).clip(upper_bound=1),
        pl.col("n_in_rt") / WORKDAYS_A_WEEK,
    )
    return (
        _with_usual_in_rt(in_rt, patients)
        .with_columns(silent_since_date=pl.coalesce("last_count_date", "first_rt_date"))
        .with_columns(n_silent_workdays=workdays)
        .with_columns(n_rows_lacking=per_workday * pl.col("n_silent_workdays"))
        .filter(
            pl.col("n_silent_workdays") >= LEAST_SILENT_WORKDAYS,
            pl.col("n_rows_lacking") >= SILENT_BY_LOG_CHANCE,
        )
        .select(SILENT_SITES.names())
        .cast(SILENT_SITES)
        .sort("site")
    )


def _sites_in_rt(patients: pl.DataFrame, night: date) -> pl.DataFrame:
    is_in_rt = pl.lit(night).is_between(_rt_start, _last_rt_day)
    return patients.filter(is_in_rt).group_by("site").agg(n_in_rt=pl.len(), first_rt_date=_rt_start.min())


def _usual_rows(counts: pl.DataFrame, night: date) -> pl.DataFrame:
    """Return each site's last count, its rows a workday in the 8 weeks up to it, and its usual delay."""
    day = pl.col("collected_on")
    last = pl.col("last_count_date")
    lag = (pl.col(_LOADED_NIGHT) - day).dt.total_days().median().clip(0, LONGEST_LAG_DAYS).ceil()
    seen = counts.filter(day < night).with_columns(last_count_date=day.max().over("site"))
    return (
        seen.filter(day > last.dt.offset_by(f"-{USUAL_DAYS}d"))
        .group_by("site", "last_count_date")
        .agg(
            n_rows=pl.len(),
            first=day.min(),
            lag_days=(lag if _LOADED_NIGHT in counts.columns else pl.lit(0)).cast(pl.Int64),
        )
        .with_columns(
            n_rows_a_workday=pl.col("n_rows")
            / pl.business_day_count("first", last.dt.offset_by("1d")).clip(WORKDAYS_A_WEEK)
        )
    )


def _with_usual_in_rt(sites: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    """Add how many patients were under RT on an average day of the 8 weeks up to the site's last count."""
    last = pl.col("last_count_date")
    days = pl.min_horizontal(_last_rt_day, last) - pl.max_horizontal(_rt_start, "first")
    usual = (
        patients.join(sites.select("site", "last_count_date", "first"), on="site")
        .group_by("site")
        .agg(
            n_usual_in_rt=(days.dt.total_days() + 1).clip(0).sum()
            / ((last - pl.col("first")).dt.total_days() + 1).first()
        )
    )
    return sites.join(usual, on="site", how="left")
