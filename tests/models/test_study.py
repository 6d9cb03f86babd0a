"""The night's estimates as a whole: complete, finite, true to the parts, and never silent where they fail."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from models.regression import fit_logistic
from models.study.analyses import StudyResults, estimate_study
from models.study.regression import tell_regression
from models.study.rows import frame_of
from models.study.selected_model import COX_OS, LOGIT_ASL, Regression, select_model
from models.survival.kaplan_meier import estimate_kaplan_meier
from models.variables import ASL_VARIABLES, FEMALE, derive_variables, with_ordinal_stage
from tests.models.study_data import QUICK, study_data
from tests.models.synthetic_cohort import make_cohort
from transforms import schemas

KEY = list(schemas.ESTIMATES.key)


@cache
def study() -> StudyResults:
    return estimate_study(study_data(), QUICK)


def estimates_of(cohort: pl.DataFrame) -> pl.DataFrame:
    return estimate_study(study_data(cohort), QUICK).estimates


def pick(estimates: pl.DataFrame, *words: str) -> dict[str, float | None]:
    """The statistics of one topic: analysis, group, variable and level if there is one."""
    analysis, group, variable, level = (*words, "")[:4]
    chosen = estimates.filter(analysis=analysis, group=group, variable=variable, level=level)
    return dict(chosen.select("statistic", "value").iter_rows())


def regressed(cohort: pl.DataFrame, regression: Regression) -> pl.DataFrame:
    return frame_of(tell_regression(cohort, select_model(cohort, regression, QUICK), QUICK))


def set_to(column: str, value: object) -> pl.DataFrame:
    cohort, _ = make_cohort()
    return cohort.with_columns(pl.lit(value, schemas.COHORT.polars_schema[column]).alias(column))


# The frame


def test_the_estimates_have_the_schema_and_one_row_a_key():
    estimates = study().estimates
    assert estimates.schema == schemas.ESTIMATES.polars_schema
    assert not estimates.select(KEY).is_duplicated().any()
    required = [column.name for column in schemas.ESTIMATES.columns if column.required]
    assert estimates.select(required).null_count().sum_horizontal().item() == 0


def test_every_value_is_finite_or_null_with_its_reason():
    estimates = study().estimates
    assert estimates["value"].drop_nulls().is_finite().all()
    says_why = estimates["definition"].str.starts_with("Not estimated: ")
    assert (says_why == estimates["value"].is_null()).all()
    assert (estimates["definition"].str.len_chars() > 20).all()


def test_the_order_of_the_patients_does_not_matter():
    cohort, months = make_cohort()
    shuffled = estimate_study(
        study_data(cohort.sample(fraction=1, shuffle=True, seed=1), months.reverse()), QUICK
    ).estimates
    both = study().estimates.join(shuffled, on=KEY, suffix="_2", how="full")
    np.testing.assert_allclose(both["value"].to_numpy(), both["value_2"].to_numpy(), rtol=1e-9, atol=1e-12)
    assert both["n"].equals(both["n_2"], null_equal=True)


# True to the parts


def test_levels_are_counted_and_their_percents_fill_the_hundred():
    levels = study().estimates.filter(analysis="describe", group="all", variable="uicc_stage")
    counts = dict(levels.filter(statistic="n").select("level", "value").iter_rows())
    assert counts == {"II": 27, "III": 31, "IV": 40}
    percents = levels.filter(statistic="percent")["value"]
    assert percents.sum() == pytest.approx(100)
    assert round(percents[2], 1) == 40.8


def test_a_missing_value_is_out_of_the_percent_and_counted():
    cohort, _ = make_cohort()
    some_missing = cohort.with_columns(sex=pl.when(pl.int_range(pl.len()) >= 10).then("sex"))
    estimates = estimates_of(some_missing)
    n_male = (some_missing["sex"] == "male").sum()
    assert pick(estimates, "describe", "all", "sex", "male")["percent"] == pytest.approx(100 * n_male / 88)
    assert pick(estimates, "describe", "all", "sex")["n_missing"] == 10


def test_recovery_is_counted_among_those_with_asl():
    cohort, _ = make_cohort()
    recovered = pick(study().estimates, "describe", "asl_recovered", "patients")
    not_recovered = pick(study().estimates, "describe", "asl_not_recovered", "patients")
    assert recovered["n"] + not_recovered["n"] == cohort["has_asl"].sum()
    assert recovered["n"] == cohort["has_recovered"].sum()


def test_curves_and_rates_are_those_of_the_estimator():
    cohort, _ = make_cohort()
    group = cohort.filter("has_asl")
    curve = estimate_kaplan_meier(group["os_months"].to_numpy(), group["has_died"].to_numpy())
    found = pick(study().estimates, "km_os", "asl", "os")
    assert found["rate_24m"] == pytest.approx(100 * curve.survival_at(24).value)
    assert found["rate_24m_ci_low"] == pytest.approx(100 * curve.survival_at(24).ci_low)
    assert found["median_months"] == curve.median.value
    assert (found["n"], found["events"]) == (curve.n, curve.events)
    points = study().survival_curves.filter(analysis="km_os", group="asl")
    assert points["survival_percent"].to_list() == pytest.approx((curve.points["survival"] * 100).to_list())


def test_numbers_at_risk_start_with_everybody_and_fall():
    at_risk = study().numbers_at_risk.filter(analysis="km_os", group="all")
    assert at_risk["month"].to_list()[:3] == [0, 6, 12]
    assert at_risk["n_at_risk"][0] == 98
    assert (at_risk["n_at_risk"].diff().drop_nulls() <= 0).all()


def test_the_multivariate_model_is_the_one_that_elimination_left():
    cohort, _ = make_cohort()
    estimates = study().estimates
    together = estimates.filter(analysis="logit_asl", group="multivariate", statistic="or")
    words = together["variable"].to_list()
    removed = estimates.filter(analysis="logit_asl_elimination", statistic="p")
    model = pick(estimates, "logit_asl", "multivariate", "model")
    assert model["n_retained"] == len(words)
    assert model["n_candidates"] == 16 == len(words) + removed.height
    assert not set(words) & set(removed["variable"])
    assert (removed["value"] > 0.10).all()
    chosen = tuple(variable for variable in with_ordinal_stage(ASL_VARIABLES) if variable.word in words)
    fit = fit_logistic(derive_variables(cohort, chosen), cohort["has_asl"].to_numpy())
    assert together["value"].to_list() == pytest.approx([c.ratio.value for c in fit.coefficients])
    assert all(c.p <= 0.10 for c in fit.coefficients)


def test_stage_says_in_its_definition_whether_it_is_binary_or_ordinal():
    cohort, _ = make_cohort()
    shorter = pl.col("uicc_stage").replace_strict({"II": 1.0, "III": 0.5, "IV": 0.2})
    rows = regressed(cohort.with_columns(pl.col("os_months") * shorter), COX_OS)
    stage = rows.filter(variable="uicc_iii_iv", statistic="hr", analysis="cox_os")
    definitions = dict(stage.select("group", "definition").iter_rows())
    assert "stage III or IV, against II" in definitions["univariate"]
    assert "ordinal number" in definitions["multivariate"]


def test_patients_without_all_candidates_are_left_out_of_the_multivariate_model_only():
    cohort, _ = make_cohort()
    holed = cohort.with_columns(afp_ng_ml=pl.when(pl.int_range(pl.len()) >= 7).then("afp_ng_ml"))
    estimates = estimates_of(holed)
    assert pick(estimates, "cox_os", "multivariate", "model")["n_left_out"] == 7
    univariate = estimates.filter(analysis="cox_os", group="univariate", statistic="hr")
    assert dict(univariate.select("variable", "n").iter_rows())["afp_per_ng_ml"] == 91
    assert dict(univariate.select("variable", "n").iter_rows())["asl"] == 98


def test_months_are_compared_with_the_baseline_over_the_patients_with_both():
    cohort, months = make_cohort()
    fewer = months.filter((pl.col("month") != 6) | (pl.col("patient_id") < "S0050"))
    estimates = estimate_study(study_data(cohort, fewer), QUICK).estimates
    assert pick(estimates, "tlc_trajectory", "month_6", "tlc_cells_per_ul")["n"] == 50
    compared = pick(estimates, "tlc_trajectory", "month_6_vs_0", "tlc_cells_per_ul")
    assert compared["degrees_of_freedom"] == 49
    assert compared["p_bonferroni"] == pytest.approx(min(1, 6 * compared["p"]))


def test_the_share_of_baseline_is_the_ratio_of_means():
    first = pick(study().estimates, "tlc_trajectory", "month_1", "tlc_cells_per_ul")
    baseline = pick(study().estimates, "tlc_trajectory", "month_0", "tlc_cells_per_ul")
    assert first["percent_of_baseline"] == pytest.approx(100 * first["mean"] / baseline["mean"])
    assert "percent_of_baseline" not in baseline


def test_the_roc_is_of_low_il7_for_asl_and_its_points_are_finite():
    found = pick(study().estimates, "roc", "all", "pre_rt_il7_pg_ml")
    assert found["auc"] > 0.5
    assert found["youden_index"] == pytest.approx(found["sensitivity"] + found["specificity"] - 1)
    assert study().roc_points["threshold"].drop_nulls().is_finite().all()
    assert found["youden_cutoff"] in study().roc_points["threshold"]


def test_follow_up_is_the_plain_median_with_the_reversed_one_beside_it():
    cohort, _ = make_cohort()
    found = pick(study().estimates, "follow_up", "all", "follow_up_months")
    assert found["median"] == pytest.approx(cohort["os_months"].median())
    reversed_curve = estimate_kaplan_meier(cohort["os_months"].to_numpy(), ~cohort["has_died"].to_numpy())
    assert found["reverse_km_median_months"] == reversed_curve.median.value > found["median"]


# What cannot be estimated


def published_like_keys() -> set[tuple[str, ...]]:
    """The keys that must be there whatever the data: all but those of what elimination leaves, and of terms
    that occur."""
    of_what_stays = pl.col("analysis").is_in(["influence", "proportional_hazards"]) | (
        pl.col("level") == "multivariate"
    )
    of_a_term = (pl.col("analysis") == "toxicities") & (pl.col("variable") != "any")
    kept = study().estimates.filter(
        (pl.col("group") != "multivariate") & ~pl.col("analysis").str.ends_with("_elimination"),
        ~of_what_stays,
        ~of_a_term,
    )
    return set(kept.select(KEY).rows())


@pytest.mark.parametrize(
    ("column", "value", "lost"),
    [
        ("has_asl", False, ("logit_asl", "univariate", "female", "", "or")),
        ("has_asl", None, ("logrank_os", "asl_vs_no_asl", "os", "", "p")),
        ("has_died", False, ("cox_os", "univariate", "asl", "", "hr")),
        ("has_recovered", None, ("km_os", "asl_recovered", "os", "", "rate_24m")),
        ("pre_rt_il7_pg_ml", None, ("roc", "all", "pre_rt_il7_pg_ml", "", "youden_cutoff")),
        ("il7_group", None, ("compare_il7_groups", "il7_low_vs_high", "sex", "", "p")),
        ("il7_group", "il7_low", ("asl_by_il7_group", "il7_low_vs_high", "asl", "", "p")),
        ("dose_gy", 100.0, ("compare_il7_groups", "il7_low_vs_high", "dose_gy", "", "p")),
        ("os_months", None, ("follow_up", "all", "follow_up_months", "", "median")),
    ],
)
def test_what_cannot_be_estimated_keeps_its_row_with_the_reason(column, value, lost):
    estimates = estimates_of(set_to(column, value))
    assert published_like_keys() <= set(estimates.select(KEY).rows())
    row = estimates.filter(**dict(zip(KEY, lost, strict=True)))
    assert row["value"].item() is None
    assert row["definition"].item().startswith("Not estimated: ")
    assert pick(estimates, "describe", "all", "patients")["n"] == 98


@pytest.mark.parametrize("n_patients", [0, 1, 2, 5, 12])
def test_a_handful_of_patients_makes_rows_and_no_crash(n_patients):
    cohort, months = make_cohort()
    few = cohort.head(n_patients)
    results = estimate_study(study_data(few, months.join(few, on=schemas.PATIENT_KEY, how="semi")), QUICK)
    assert published_like_keys() <= set(results.estimates.select(KEY).rows())
    assert results.estimates["value"].drop_nulls().is_finite().all()
    assert results.survival_curves.schema == study().survival_curves.schema
    assert results.roc_points.schema == study().roc_points.schema
    assert results.numbers_at_risk.schema == study().numbers_at_risk.schema


def test_a_variable_that_nobody_has_stops_its_models_by_name():
    estimates = estimates_of(set_to("post_rt_il7_pg_ml", None))
    model = estimates.filter(analysis="cox_os", group="multivariate", variable="model")
    failed = model.filter(statistic="n_retained")
    assert "post_rt_il7_per_pg_ml (98 of 98)" in failed["definition"].item()
    assert pick(estimates, "logit_asl", "multivariate", "model")["n"] == 98


def test_a_constant_candidate_is_set_aside_and_the_model_goes_on():
    estimates = estimates_of(set_to("dose_gy", 100.0))
    assert pick(estimates, "cox_os", "multivariate", "model")["n_candidates"] == 16
    aside = estimates.filter(analysis="cox_os_elimination", group="set_aside", statistic="p")
    assert aside["variable"].to_list() == ["dose_per_gy"]
    assert "the same value in all 98" in aside["definition"].item()


def test_a_candidate_that_separates_is_set_aside_with_its_reason():
    cohort, _ = make_cohort()
    separating = cohort.with_columns(child_pugh=pl.when("has_asl").then("child_pugh").otherwise(pl.lit("A")))
    estimates = estimates_of(separating)
    assert pick(estimates, "logit_asl", "univariate", "child_pugh_b")["or"] is None
    aside = estimates.filter(analysis="logit_asl_elimination", group="set_aside", statistic="or")
    assert aside["variable"].to_list() == ["child_pugh_b"]
    assert "separated by child_pugh_b" in aside["definition"].item()
    assert pick(estimates, "logit_asl", "multivariate", "model")["n_candidates"] == 15


def test_where_elimination_leaves_nothing_the_model_says_so():
    cohort, _ = make_cohort()
    rows = regressed(cohort, replace(LOGIT_ASL, candidates=(FEMALE,)))
    assert pick(rows, "logit_asl", "univariate", "female")["p"] > 0.10
    model = rows.filter(group="multivariate")
    assert pick(model, "logit_asl", "multivariate", "model")["n_retained"] == 0
    assert "elimination left no variable" in model.filter(statistic="log_likelihood")["definition"].item()
    assert set(model["variable"]) == {"model"}


def test_no_patients_value_or_identifier_is_in_a_definition():
    estimates = pl.concat([study().estimates, estimates_of(set_to("has_asl", None))])
    cohort, _ = make_cohort()
    text = " ".join(estimates["definition"].unique())
    assert not any(patient_id in text for patient_id in cohort["patient_id"])
