"""Assumptions, small samples and ties: the guards' rows beside the study's models."""

import math
from dataclasses import replace
from functools import cache

import polars as pl
import pytest

from models.firth import fit_firth_logistic
from models.study import small_samples
from models.study.assumptions import check_assumptions
from models.study.regression import tell_regression
from models.study.rows import frame_of
from models.study.selected_model import COX_OS, LOGIT_ASL, select_model
from models.study.small_samples import guard_small_samples
from models.study.ties import compare_ties
from models.survival.cox import fit_cox
from tests.models.study_data import QUICK
from tests.models.synthetic_cohort import make_cohort
from transforms.schemas import INFLUENTIAL_PATIENTS

TIED = ("efron", "breslow")
COHORT = make_cohort()[0]
# Nobody of class B is without ASL.
SEPARATED = COHORT.with_columns(child_pugh=pl.when("has_asl").then("child_pugh").otherwise(pl.lit("A")))


def selected(cohort: pl.DataFrame = COHORT, regression=COX_OS):
    return select_model(cohort, regression, QUICK)


@cache
def small(*, is_separated: bool = False) -> pl.DataFrame:
    cohort = SEPARATED if is_separated else COHORT
    return frame_of(guard_small_samples(cohort, selected(cohort, LOGIT_ASL), QUICK))


def found(rows: pl.DataFrame, **topic: str) -> dict[str, float | None]:
    return dict(rows.filter(**topic).select("statistic", "value").rows())


def test_a_separating_variable_is_named_and_the_others_are_not():
    rows = small(is_separated=True).filter(analysis="separation")
    flagged = rows.filter(pl.col("value") == 1)
    assert set(flagged["variable"]) == {"child_pugh_b", "model"}
    assert flagged["definition"].str.contains("Parted by: child_pugh_b").all()
    assert rows["value"].null_count() == 0


def test_firth_has_a_ratio_where_the_likelihood_has_none():
    alone = {"variable": "child_pugh_b", "level": "univariate"}
    by_firth = found(small(is_separated=True), analysis="firth", **alone)
    covariates = SEPARATED.select(child_pugh_b=(pl.col("child_pugh") == "B").cast(pl.Float64))
    (of_firth,) = fit_firth_logistic(covariates, SEPARATED["has_asl"].to_numpy()).coefficients
    assert by_firth["or"] == pytest.approx(of_firth.ratio.value)
    assert math.log(by_firth["or"]) == pytest.approx(by_firth["coefficient"])
    profile = small(is_separated=True).filter(analysis="profile_likelihood", **alone)
    assert profile["value"].null_count() == 3
    assert profile["definition"].str.contains("separated by child_pugh_b").all()


def test_where_all_together_separate_the_counts_stand_and_firth_has_them_all():
    few = COHORT.head(30)
    model = selected(few, LOGIT_ASL)
    assert "separated" in str(model.reason)
    rows = frame_of(tell_regression(few, model, QUICK)).filter(group="multivariate")
    assert found(rows, statistic="n") == {"n": 30}
    assert found(rows, statistic="events_per_candidate")["events_per_candidate"] > 0
    assert rows.filter(statistic="likelihood_ratio")["definition"].str.contains("separated").all()
    by_firth = frame_of(guard_small_samples(few, model, QUICK)).filter(
        analysis="firth", level="multivariate", statistic="or"
    )
    varying = [word for word in model.covariates.columns if model.covariates[word].n_unique() > 1]
    assert set(by_firth["variable"]) == set(varying)


def test_every_candidate_and_every_retained_variable_has_both_guards():
    retained = set(selected(COHORT, LOGIT_ASL).retained)
    for analysis in ("firth", "profile_likelihood"):
        of = small().filter(analysis=analysis)
        alone = {variable.word for variable in LOGIT_ASL.candidates}
        assert set(of.filter(level="univariate")["variable"]) == alone
        assert set(of.filter(level="multivariate")["variable"]) == retained
        assert of["value"].null_count() == 0


def test_beyond_many_patients_the_small_sample_guards_say_that_they_are_not_made(monkeypatch):
    monkeypatch.setattr(small_samples, "MOST_PATIENTS", 97)
    rows = frame_of(guard_small_samples(COHORT, selected(COHORT, LOGIT_ASL), QUICK))
    assert rows["value"].null_count() == rows.height
    assert rows["definition"].str.contains("not made beyond 97 patients, here 98").all()


def test_the_hazards_of_what_stays_are_tested_one_by_one_and_together():
    rows = frame_of(check_assumptions(selected(), QUICK).rows).filter(analysis="proportional_hazards")
    assert set(rows["variable"]) == {*selected().retained, "global"}
    together = found(rows, variable="global")
    assert together["degrees_of_freedom"] == len(selected().retained)


def test_a_logistic_model_has_no_hazards_to_test():
    rows = frame_of(check_assumptions(selected(COHORT, LOGIT_ASL), QUICK).rows)
    assert set(rows["analysis"]) == {"functional_form", "influence"}


def test_only_measured_variables_are_asked_for_their_form():
    rows = frame_of(check_assumptions(selected(COHORT, LOGIT_ASL), QUICK).rows).filter(
        analysis="functional_form"
    )
    assert set(rows["variable"]) == {
        "afp_per_ng_ml",
        "pivka_ii_per_mau_ml",
        "dose_per_gy",
        "ptv_per_100_cm3",
        "pre_rt_il7_per_pg_ml",
    }
    assert rows.filter(variable="ptv_per_100_cm3")["value"].null_count() == 0


def test_a_ratio_lies_between_those_without_one_patient():
    rows = frame_of(check_assumptions(selected(), QUICK).rows).filter(analysis="influence")
    fit = selected().require_fit()
    for coefficient in fit.coefficients:
        of = found(rows, variable=coefficient.name)
        assert of["ratio_without_low"] < coefficient.ratio.value < of["ratio_without_high"]


def test_the_influential_are_patients_of_the_cohort_above_the_limit():
    models = (selected(), selected(COHORT, LOGIT_ASL))
    rows = pl.concat(check_assumptions(one, QUICK).influential for one in models)
    assert rows.schema == INFLUENTIAL_PATIENTS.polars_schema
    assert rows.join(COHORT, on=["site", "patient_id"], how="anti").is_empty()
    assert (rows["dfbetas"].abs() > 2 / math.sqrt(98)).all()
    counted = frame_of(check_assumptions(selected(), QUICK).rows).filter(statistic="n_influential")
    assert rows.filter(analysis="cox_os").height == counted["value"].sum()


def test_without_a_model_there_is_a_reason_and_nobody_influential():
    nobody = COHORT.with_columns(has_died=pl.lit(value=False))
    rows = frame_of(check_assumptions(selected(nobody), QUICK).rows)
    assert rows["value"].null_count() == rows.height
    assert rows["definition"].str.contains("no events among 98 patients").all()
    assert check_assumptions(selected(nobody), QUICK).influential.is_empty()


def test_both_rules_for_ties_stand_side_by_side():
    rows = frame_of(compare_ties(COHORT.with_columns(pl.col("os_months").ceil()), selected()))
    of_asl = {group: found(rows, group=group, variable="asl", level="univariate") for group in TIED}
    for ties, numbers in of_asl.items():
        fit = fit_cox(
            COHORT.select(pl.col("has_asl").cast(pl.Float64)),
            COHORT["os_months"].ceil().to_numpy(),
            COHORT["has_died"].to_numpy(),
            ties=ties,
        )
        assert numbers["hr"] == pytest.approx(fit.coefficients[0].ratio.value)
    assert of_asl["efron"]["hr"] != of_asl["breslow"]["hr"]


def test_the_ties_asked_for_are_those_of_table_2():
    options = replace(QUICK, ties="breslow")
    tied = COHORT.with_columns(pl.col("os_months").ceil())
    efron, breslow = (select_model(tied, COX_OS, one).require_fit() for one in (QUICK, options))
    assert efron.log_likelihood != breslow.log_likelihood
