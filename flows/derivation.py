"""From the loaded tables to everything that is derived of them: counts, courses, completeness, the cohort.

Here: the order of the derivations, the same for tonight and for a past night. Not here: the derivations
(`transforms`), rules (`expectations`), files. Called by `flows.steps` and `flows.as_of`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date

import polars as pl

from expectations.rules_plausibility import TABLE as PLAUSIBILITY
from expectations.validation import Validation, validate_rows
from models.study.data import StudyData
from transforms.clinical import derive_cohort, derive_count_course, derive_monthly_counts
from transforms.counts.completeness import nadir_coverage, silent_sites, site_feed, weekly_counts
from transforms.counts.course_checks import judge_courses
from transforms.counts.derived import derive_counts
from transforms.definitions import DEFAULT, DEFINITIONS, agreement, classify
from transforms.schemas import COHORT, COUNTS, DEFINITION_CLASSES, PROVENANCE, TOXICITIES

READ_FROM = ("patients", "counts", "count_parts", "follow_up", "toxicities", "cytokines")
_PLACE = [column.name for column in PROVENANCE]


@dataclass(frozen=True, eq=False)
class DerivedFrames:
    """Frames of the tables they are named for, and what stands beside them.

    `derived_counts` are rows of COUNTS that nobody measured. `silent` are the sites whose feed is silent
    (`transforms.counts.completeness.SILENT_SITES`); `agreement` as in `transforms.definitions`. `checks` are
    the verdicts on the plausibility of counts: their failed rows stay in `counts` and are in no course.
    """

    derived_counts: pl.DataFrame
    count_course: pl.DataFrame
    monthly_counts: pl.DataFrame
    weekly_counts: pl.DataFrame
    site_feed: pl.DataFrame
    definition_classes: pl.DataFrame
    cohort: pl.DataFrame
    silent: pl.DataFrame
    agreement: pl.DataFrame
    checks: tuple[Validation, ...]


def derive_frames(tables: Mapping[str, pl.DataFrame], *, night: date) -> DerivedFrames:
    """Derive everything from the tables of `READ_FROM`, as they stand on a night."""
    patients, parts, follow_up = tables["patients"], tables["count_parts"], tables["follow_up"]
    plausible, derived, checks = _plausible_counts(tables["counts"], parts, follow_up, night=night)
    # Not the derived counts that a former run of this night wrote: tonight's are these.
    arrived = pl.concat([_measured(tables["counts"]), _nowhere(derived, like=tables["counts"])])
    course = derive_count_course(plausible, patients)
    monthly = derive_monthly_counts(course)
    weekly = weekly_counts(course, patients, night=night)
    cohort = derive_cohort(
        patients,
        course,
        monthly,
        cytokines=tables["cytokines"],
        follow_up=follow_up,
        coverage=nadir_coverage(weekly),
    )
    return DerivedFrames(
        derived_counts=derived,
        count_course=course,
        monthly_counts=monthly,
        weekly_counts=weekly,
        site_feed=site_feed(arrived, patients, night=night),
        definition_classes=pl.concat(
            classify(course, patients, definition=one) for one in DEFINITIONS
        ).select(DEFINITION_CLASSES.column_names),
        cohort=cohort.with_columns(
            asl_definition=pl.lit(DEFAULT.name), asl_definition_version=pl.lit(DEFAULT.version, pl.Int64)
        ),
        silent=silent_sites(arrived, patients, night=night),
        agreement=agreement(course, patients),
        checks=checks,
    )


@dataclass(frozen=True, eq=False)
class CheckedCohort:
    """What is analysed, of the patients whose parts agree, and the rules' verdict on all."""

    data: StudyData
    validation: Validation


def check_cohort(frames: DerivedFrames, tables: Mapping[str, pl.DataFrame], *, night: date) -> CheckedCohort:
    """Leave out of the cohort whose parts contradict each other; findings point to rows of `patients`.

    tables: `patients` and `toxicities`, as they stand on the night.
    """
    origins = tables["patients"].select(*COHORT.key, "file_id", "line")
    validation = validate_rows("cohort", frames.cohort.join(origins, on=COHORT.key), night=night)
    whole = validation.passed.select(COHORT.column_names)
    monthly_counts, toxicities = (
        frame.join(whole, on=COHORT.key, how="semi")
        for frame in (frames.monthly_counts, tables["toxicities"].select(TOXICITIES.column_names))
    )
    return CheckedCohort(StudyData(whole, monthly_counts, toxicities), validation)


def _plausible_counts(
    counts: pl.DataFrame, parts: pl.DataFrame, follow_up: pl.DataFrame, *, night: date
) -> tuple[pl.DataFrame, pl.DataFrame, tuple[Validation, ...]]:
    """Return the counts that courses are made of, the derived ones, and the verdicts on both.

    Measured counts are judged first: a percentage filed as a count must not keep the count that is derived
    from it out.
    """
    of_measured = _judged(_measured(counts), parts, follow_up, night=night)
    measured = of_measured.passed.select(counts.columns)
    derived = derive_counts(parts, measured)
    if derived.is_empty():
        return measured, derived, (of_measured,)
    both = pl.concat([measured, _nowhere(derived, like=counts)])
    of_both = _judged(both, parts, follow_up, night=night)
    return of_both.passed.select(counts.columns), derived, (of_measured, of_both)


def _measured(counts: pl.DataFrame) -> pl.DataFrame:
    return counts.filter(pl.col("method").ne_missing("derived"))


def _nowhere(derived: pl.DataFrame, *, like: pl.DataFrame) -> pl.DataFrame:
    """Return the derived counts in the columns of the others; they come from no one file."""
    place = [pl.lit(None, like.schema[name]).alias(name) for name in _PLACE]
    return derived.with_columns(place).select(like.columns)


def _judged(counts: pl.DataFrame, parts: pl.DataFrame, follow_up: pl.DataFrame, *, night: date) -> Validation:
    return validate_rows(PLAUSIBILITY, judge_courses(counts, parts, follow_up=follow_up), night=night)


def derived_to_write(derived: pl.DataFrame, held: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the derived counts that the warehouse does not hold, and those it holds that are none any more.

    derived: rows of COUNTS; held: rows of `counts`, of which those of method 'derived' are looked at.
    """
    names = list(COUNTS.column_names)
    former = held.filter(pl.col("method") == "derived")
    new = derived.join(former.select(names), on=names, how="anti", nulls_equal=True)
    gone = former.join(derived.select(names), on=names, how="anti", nulls_equal=True)
    return new, gone
