"""The night's statistics: cohort in, every number of the study and what its figures need out.

Here: the list of analyses. Not here: any of them (its siblings). Called by `flows`.
"""

from dataclasses import dataclass

import polars as pl

from models.study.counts import follow_counts
from models.study.il7 import compare_il7_before_and_after, compare_il7_by_asl, judge_il7_as_test
from models.study.il7_censoring import count_censored_il7, state_censoring
from models.study.il7_sensitivity import compare_censoring_rules
from models.study.regression import COX_OS, LOGIT_ASL, regress
from models.study.rows import frame_of
from models.study.survival import describe_follow_up, estimate_survival
from models.study.tables import compare_il7_groups, describe_asl_by_il7_group, describe_cohort


@dataclass(frozen=True)
class StudyResults:
    """Every estimate of a night, and the points of the figures.

    `estimates`: one number a row, as `schemas.ESTIMATES`. `survival_curves` and `numbers_at_risk`: as
    `models.study.survival` types them. `roc_points`: as `models.study.il7` types them.
    """

    estimates: pl.DataFrame
    survival_curves: pl.DataFrame
    numbers_at_risk: pl.DataFrame
    roc_points: pl.DataFrame


def estimate_study(cohort: pl.DataFrame, monthly_counts: pl.DataFrame) -> StudyResults:
    """Run every analysis of the study on `schemas.COHORT` and `schemas.MONTHLY_COUNTS`.

    What cannot be estimated is a row with a null and its reason; nothing is raised for it.
    """
    survival, roc = estimate_survival(cohort), judge_il7_as_test(cohort)
    rows = [
        *describe_cohort(cohort),
        *regress(cohort, COX_OS),
        *regress(cohort, LOGIT_ASL),
        *compare_il7_groups(cohort),
        *follow_counts(monthly_counts),
        *describe_follow_up(cohort),
        *survival.rows,
        *compare_il7_by_asl(cohort),
        *compare_il7_before_and_after(cohort),
        *roc.rows,
        *describe_asl_by_il7_group(cohort),
    ]
    rows = [*state_censoring(rows, cohort), *count_censored_il7(cohort), *compare_censoring_rules(cohort)]
    return StudyResults(frame_of(rows), survival.curves, survival.numbers_at_risk, roc.points)
