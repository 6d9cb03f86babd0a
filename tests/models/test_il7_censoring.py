"""IL-7 beyond its limits in the estimates: counted, told beside each analysis, one odds ratio a rule."""

from functools import cache

import numpy as np
import polars as pl
import pytest

from models.censored import ABOVE, BELOW, NUMBER, LimitedValues, fit_censored_logistic
from models.study.analyses import estimate_study
from models.study.il7_censoring import PLACES, count_censored_il7
from models.study.il7_sensitivity import RULES, compare_censoring_rules
from models.study.rows import frame_of
from tests.models.study_data import QUICK, study_data
from tests.models.synthetic_cohort import make_cohort
from transforms import schemas

KEY = list(schemas.ESTIMATES.key)
IL7 = "pre_rt_il7_per_pg_ml"
LOW, HIGH = 1.5, 4.5


def with_limits(cohort: pl.DataFrame) -> pl.DataFrame:
    """The cohort with IL-7 before RT below 1.5 and above 4.5 pg/mL known by these limits alone."""
    il7 = pl.col("pre_rt_il7_pg_ml")
    is_below, is_above = il7 < LOW, il7 > HIGH
    is_number = ~is_below & ~is_above
    return cohort.with_columns(
        pre_rt_il7_range=pl.when(is_below)
        .then(pl.lit("below"))
        .when(is_above)
        .then(pl.lit("above"))
        .when(il7 < 2)
        .then(pl.lit("extrapolated"))
        .otherwise(pl.lit("within")),
        pre_rt_il7_limit_pg_ml=pl.when(is_below).then(LOW).when(is_above).then(HIGH),
        pre_rt_il7_pg_ml=pl.when(is_number).then(il7),
        delta_il7_pg_ml=pl.when(is_number).then("delta_il7_pg_ml"),
    )


@cache
def censored_cohort() -> pl.DataFrame:
    return with_limits(make_cohort()[0])


@cache
def plain_and_censored() -> tuple[pl.DataFrame, pl.DataFrame]:
    cohort, months = make_cohort()
    return tuple(
        estimate_study(study_data(frame, months), QUICK).estimates for frame in (cohort, censored_cohort())
    )


def found(estimates: pl.DataFrame, *words: str) -> dict[str, float | None]:
    """Statistic to value of one analysis, group and variable."""
    chosen = estimates.filter(**dict(zip(KEY, words, strict=False)))
    return dict(chosen.select("statistic", "value").iter_rows())


def odds_ratios(cohort: pl.DataFrame) -> dict[str, float | None]:
    rows = frame_of(compare_censoring_rules(cohort)).filter(statistic="or")
    return dict(rows.select("group", "value").iter_rows())


def replaced(value: float | None) -> float:
    """The univariate odds ratio of the study with `value` in the place of each value below its limit."""
    is_below, limit = pl.col("pre_rt_il7_range") == "below", pl.col("pre_rt_il7_limit_pg_ml")
    number = pl.when(is_below).then(value).otherwise(pl.coalesce("pre_rt_il7_pg_ml", limit))
    cohort = censored_cohort().with_columns(pre_rt_il7_pg_ml=number)
    estimates = estimate_study(study_data(cohort), QUICK).estimates
    return found(estimates, "logit_asl", "univariate", IL7)["or"]


# Counted


def test_the_places_of_the_curve_add_up_to_the_patients_of_the_group():
    estimates = frame_of(count_censored_il7(censored_cohort()))
    for (_, _), rows in estimates.group_by("group", "variable"):
        counts = dict(rows.select("statistic", "value").iter_rows())
        assert sum(counts[f"n_{place}"] for place in PLACES) == rows["n"][0]
        assert counts["n_measured"] + counts["n_unmeasured"] == rows["n"][0]


def test_values_before_rt_are_counted_by_place():
    il7 = make_cohort()[0]["pre_rt_il7_pg_ml"]
    counts = found(plain_and_censored()[1], "il7_censoring", "all", "pre_rt_il7_pg_ml")
    assert counts["n_below"] == (il7 < LOW).sum()
    assert counts["n_above"] == (il7 > HIGH).sum()
    assert counts["n_extrapolated"] == il7.is_between(LOW, 2, closed="left").sum()
    assert counts["percent_censored"] == pytest.approx(100 * counts["n_censored"] / 98)


def test_those_with_and_without_asl_are_all():
    counts = {
        group: found(plain_and_censored()[1], "il7_censoring", group, "pre_rt_il7_pg_ml")
        for group in ("all", "asl", "no_asl")
    }
    assert counts["asl"]["n_below"] + counts["no_asl"]["n_below"] == counts["all"]["n_below"] > 0


def test_nobody_measured_has_no_percentage_and_a_reason():
    nobody = make_cohort()[0].with_columns(
        pre_rt_il7_pg_ml=pl.lit(None, pl.Float64), pre_rt_il7_range=pl.lit(None, pl.String)
    )
    rows = frame_of(count_censored_il7(nobody)).filter(group="all", variable="pre_rt_il7_pg_ml")
    assert found(rows, "il7_censoring")["n_unmeasured"] == 98
    assert "nobody has a measured value" in rows.filter(statistic="percent_censored")["definition"].item()


def test_a_censored_value_without_its_limit_is_counted_and_used_by_no_rule():
    no_limit = censored_cohort().with_columns(pre_rt_il7_limit_pg_ml=pl.lit(None, pl.Float64))
    counts = found(frame_of(count_censored_il7(no_limit)), "il7_censoring", "all", "pre_rt_il7_pg_ml")
    assert counts["n_without_limit"] == counts["n_censored"] > 0
    assert len({round(ratio, 6) for ratio in odds_ratios(no_limit).values()}) == 1


# Told


@pytest.mark.parametrize(
    ("analysis", "variable"),
    [
        ("describe", "pre_rt_il7_pg_ml"),
        ("describe", "delta_il7_pg_ml"),
        ("il7_by_asl", "pre_rt_il7_pg_ml"),
        ("il7_paired", "pre_vs_post_rt_il7"),
        ("roc", "pre_rt_il7_pg_ml"),
        ("logit_asl", IL7),
        ("cox_os", IL7),
        ("logit_asl", "model"),
        ("cox_os", "model"),
        ("compare_il7_groups", "age_years"),
        ("asl_by_il7_group", "asl"),
    ],
)
def test_every_analysis_of_il7_says_how_many_values_are_censored(analysis, variable):
    definitions = plain_and_censored()[1].filter(analysis=analysis, variable=variable)["definition"]
    n_censored = censored_cohort()["pre_rt_il7_limit_pg_ml"].count()
    assert definitions.len() > 0
    assert definitions.str.contains(f"IL-7 before RT.* is censored in {n_censored} of all 98 patients").all()


def test_analyses_that_do_not_read_il7_say_nothing_of_it():
    rows = plain_and_censored()[1].filter(pl.col("definition").str.contains("is censored in"))
    assert not set(rows["analysis"]) & {"km_os", "km_pfs", "tlc_trajectory", "follow_up"}
    assert not set(rows.filter(group="univariate")["variable"]) - {IL7}


def test_without_censored_values_no_definition_speaks_of_them():
    assert not plain_and_censored()[0]["definition"].str.contains("is censored in").any()


# One odds ratio a rule


def test_each_rule_tells_every_statistic_with_patients_and_events():
    estimates = plain_and_censored()[1].filter(analysis="il7_sensitivity")
    assert estimates["group"].unique(maintain_order=True).to_list() == list(RULES)
    n_numbers = censored_cohort()["pre_rt_il7_pg_ml"].count()
    for rule in RULES:
        numbers = found(estimates, "il7_sensitivity", rule, IL7)
        assert numbers["ci_low"] < numbers["or"] < numbers["ci_high"]
        assert 0 < numbers["p"] < 1
        assert numbers["n"] == (n_numbers if rule == "as_measured" else 98)
        assert 0 < numbers["events"] < numbers["n"]


def test_numbers_alone_are_the_studys_own_univariate_model():
    estimates = plain_and_censored()[1]
    as_measured = found(estimates, "il7_sensitivity", "as_measured", IL7)
    univariate = found(estimates, "logit_asl", "univariate", IL7)
    both = as_measured.keys() & univariate.keys()
    assert {name: as_measured[name] for name in both} == {name: univariate[name] for name in both}
    assert {"or", "ci_low", "ci_high", "p"} <= both


@pytest.mark.parametrize(
    ("rule", "value"), [("limit", LOW), ("half_limit", LOW / 2), ("limit_over_root_two", LOW / np.sqrt(2))]
)
def test_a_substitute_is_the_same_as_that_number_in_the_cohort(rule, value):
    assert odds_ratios(censored_cohort())[rule] == pytest.approx(replaced(value), rel=1e-12)


def test_the_likelihood_is_the_joint_fit_of_numbers_and_limits():
    cohort, _ = make_cohort()
    il7, has_asl = cohort["pre_rt_il7_pg_ml"].to_numpy(), cohort["has_asl"].to_numpy()
    sides = np.where(il7 < LOW, BELOW, np.where(il7 > HIGH, ABOVE, NUMBER))
    fit = fit_censored_logistic(LimitedValues(IL7, np.clip(il7, LOW, HIGH), sides), has_asl)
    assert odds_ratios(censored_cohort())["censored_likelihood"] == fit.coefficient.ratio.value


def test_without_censored_values_all_rules_agree():
    ratios = list(odds_ratios(make_cohort()[0]).values())
    assert ratios == pytest.approx([ratios[0]] * len(RULES), rel=1e-9)


def test_a_definition_says_its_rule_and_what_stands_for_a_value_above():
    definitions = frame_of(compare_censoring_rules(censored_cohort()))["definition"].unique()
    assert definitions.len() == len(RULES)
    substituting = definitions.filter(definitions.str.contains("counts as"))
    assert substituting.str.contains(r"one above (counts )?as its limit itself").all()


def test_a_rule_that_cannot_be_estimated_keeps_its_rows_with_the_reason():
    rows = frame_of(compare_censoring_rules(censored_cohort().head(3)))
    assert rows["group"].unique(maintain_order=True).to_list() == list(RULES)
    assert rows["value"].null_count() == rows.height
    assert rows["definition"].str.starts_with("Not estimated: ").all()
