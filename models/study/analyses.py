"""The night's statistics: cohort in, every number of the study and what its figures need out.

Here: the list of analyses. Not here: any of them (its siblings). Called by `flows`.
"""

from dataclasses import dataclass

import polars as pl

from models.study.assumptions import check_assumptions
from models.study.competing_risks import estimate_competing_risks
from models.study.correlations import correlate_il7_with_counts
from models.study.counts import follow_counts
from models.study.data import StudyData
from models.study.il7 import compare_il7_before_and_after, compare_il7_by_asl, judge_il7_as_test
from models.study.il7_censoring import count_censored_il7, state_censoring
from models.study.il7_sensitivity import compare_censoring_rules
from models.study.immortal_time import estimate_immortal_time
from models.study.missing_data import impute, tell_missing
from models.study.multiplicity import add_false_discovery_rates
from models.study.options import StudyOptions
from models.study.regression import tell_regression
from models.study.rows import Row, frame_of
from models.study.selected_model import COX_OS, LOGIT_ASL, LOGIT_ASL_LIVER_DOSE, SelectedModel, select_model
from models.study.selection_stability import tell_selection_stability
from models.study.small_samples import guard_small_samples
from models.study.survival import describe_follow_up, estimate_survival
from models.study.tables import compare_il7_groups, describe_asl_by_il7_group, describe_cohort
from models.study.ties import compare_ties
from models.study.toxicities import describe_toxicities
from transforms.schemas import INFLUENTIAL_PATIENTS


@dataclass(frozen=True)
class StudyResults:
    """Every estimate of a night, and the points of the figures.

    `estimates`: one number a row, as `schemas.ESTIMATES`. `survival_curves` and `numbers_at_risk`: as
    `models.study.survival` types them. `incidence_curves`: as `models.study.competing_risks` types them.
    `roc_points`: as `models.study.il7` types them. `influential_patients`: as
    `schemas.INFLUENTIAL_PATIENTS`; it alone names patients.
    """

    estimates: pl.DataFrame
    survival_curves: pl.DataFrame
    numbers_at_risk: pl.DataFrame
    incidence_curves: pl.DataFrame
    roc_points: pl.DataFrame
    influential_patients: pl.DataFrame


DEFAULTS = StudyOptions()


def estimate_study(data: StudyData, options: StudyOptions = DEFAULTS) -> StudyResults:
    """Run every analysis of the study, and its guards beside it.

    What cannot be estimated is a row with a null and its reason; nothing is raised for it.
    """
    cohort = data.cohort
    survival, roc, competing = (
        estimate_survival(cohort),
        judge_il7_as_test(cohort),
        estimate_competing_risks(cohort),
    )
    cox_os, logit_asl, with_liver_dose = (
        select_model(cohort, regression, options) for regression in (COX_OS, LOGIT_ASL, LOGIT_ASL_LIVER_DOSE)
    )
    of_the_study = [
        *describe_cohort(cohort),
        *tell_regression(cohort, cox_os, options),
        *tell_regression(cohort, logit_asl, options),
        *tell_regression(cohort, with_liver_dose, options),
        *compare_il7_groups(cohort, options.variances),
        *describe_toxicities(cohort, data.toxicities),
        *follow_counts(data.monthly_counts),
        *describe_follow_up(cohort),
        *survival.rows,
        *compare_il7_by_asl(cohort, options.variances),
        *compare_il7_before_and_after(cohort),
        *correlate_il7_with_counts(cohort),
        *roc.rows,
        *describe_asl_by_il7_group(cohort),
    ]
    guards = [
        *estimate_immortal_time(cohort, cox_os, options),
        *compare_ties(cohort, cox_os),
        *competing.rows,
        *tell_missing(cohort, COX_OS, LOGIT_ASL),
    ]
    influential = [INFLUENTIAL_PATIENTS.polars_schema.to_frame()]
    for selected in (cox_os, logit_asl):
        assumptions = check_assumptions(selected, options)
        guards += [*assumptions.rows, *_guard_model(cohort, selected, options)]
        influential.append(assumptions.influential)
    rows = [
        *state_censoring(add_false_discovery_rates([*of_the_study, *guards]), cohort),
        *count_censored_il7(cohort),
        *compare_censoring_rules(cohort),
    ]
    return StudyResults(
        estimates=frame_of(rows),
        survival_curves=survival.curves,
        numbers_at_risk=survival.numbers_at_risk,
        incidence_curves=competing.curves,
        roc_points=roc.points,
        influential_patients=pl.concat(influential),
    )


def _guard_model(cohort: pl.DataFrame, selected: SelectedModel, options: StudyOptions) -> list[Row]:
    """What stands beside a model of the study, and never in its place."""
    return [
        *guard_small_samples(cohort, selected, options),
        *tell_selection_stability(selected, options),
        *impute(cohort, selected, options),
    ]
