"""The rows of missing_data and multiple_imputation: by hand, beside complete patients, with their reasons."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from models.imputation import Drawn, pool
from models.study.missing_data import MODEL_STATISTICS, impute, tell_missing
from models.study.options import StudyOptions
from models.study.rows import Row
from models.study.selected_model import COX_OS, LOGIT_ASL, Regression, select_model
from tests.models.synthetic_cohort import make_cohort

OPTIONS = StudyOptions(imputations=4)
BOTH = pytest.mark.parametrize("regression", [COX_OS, LOGIT_ASL], ids=lambda regression: regression.analysis)


def imputed_of(cohort, regression, options):
    return impute(cohort, select_model(cohort, regression, options), options)


def lacking(column: str, every: int, cohort: pl.DataFrame | None = None) -> pl.DataFrame:
    """The invented cohort without a value of `column` in one of `every` patients."""
    frame = make_cohort()[0] if cohort is None else cohort
    return frame.with_columns(pl.when(pl.int_range(pl.len()) % every != 0).then(column))


@cache
def with_gaps() -> pl.DataFrame:
    return lacking("uicc_stage", 14, lacking("afp_ng_ml", 9, lacking("pre_rt_il7_pg_ml", 8)))


@cache
def imputed(regression: Regression) -> list[Row]:
    return imputed_of(with_gaps(), regression, OPTIONS)


def values_of(
    rows: list[Row], word: str, level: str = "", group: str | None = None
) -> dict[str, float | None]:
    return {
        row.statistic: row.value
        for row in rows
        if (row.variable, row.level) == (word, level) and group in (None, row.group)
    }


def reasons_of(rows: list[Row]) -> set[str]:
    return {row.definition.removeprefix("Not estimated: ") for row in rows if row.value is None}


# How much is missing


def test_missing_values_are_counted_by_hand():
    rows = tell_missing(with_gaps(), COX_OS, LOGIT_ASL)
    # Of 98 rows, every 9th from the first is 11, every 8th 13, every 14th 7.
    counts = {
        word: values_of(rows, word)["n_missing"] for word in ("afp_per_ng_ml", "uicc_iii_iv", "cirrhosis")
    }
    assert counts == {"afp_per_ng_ml": 11, "uicc_iii_iv": 7, "cirrhosis": 0}
    assert values_of(rows, "pre_rt_il7_per_pg_ml") == {
        "n_missing": 13,
        "percent": pytest.approx(100 * 13 / 98),
    }
    rows_lacking = {i for i in range(98) if i % 9 == 0 or i % 8 == 0 or i % 14 == 0}
    for group in ("cox_os", "logit_asl"):
        complete = values_of(rows, "model", group=group)
        assert complete["n_complete"] == 98 - len(rows_lacking)
        assert complete["percent_complete"] == pytest.approx(100 * complete["n_complete"] / 98)


def test_a_word_of_both_regressions_has_one_row():
    rows = tell_missing(with_gaps(), COX_OS, LOGIT_ASL)
    keys = [row[:5] for row in rows]
    assert len(keys) == len(set(keys))
    words = {variable.word for variable in (*COX_OS.candidates, *LOGIT_ASL.candidates)}
    assert {row.variable for row in rows if row.group == "all"} == words


def test_a_missing_outcome_is_not_complete():
    rows = tell_missing(lacking("has_asl", 7), LOGIT_ASL)
    assert values_of(rows, "model")["n_complete"] == 98 - 14


def test_censored_il7_counts_as_missing_and_the_rows_say_so():
    rows = tell_missing(with_gaps(), COX_OS)
    assert all("IL-7 that is known by its limit alone counts as missing" in row.definition for row in rows)


def test_nobody_is_a_reason():
    rows = tell_missing(make_cohort()[0].head(0), COX_OS)
    assert values_of(rows, "model") == {"n_complete": 0, "percent_complete": None}
    assert {reason.split(".")[0] for reason in reasons_of(rows)} == {"no patients"}


# Imputed


@BOTH
def test_the_imputed_stand_beside_those_of_complete_patients(regression):
    rows = imputed(regression)
    alone = [row.variable for row in rows if (row.level, row.statistic) == ("univariate", "p")]
    together = [row.variable for row in rows if (row.level, row.statistic) == ("multivariate", "p")]
    assert alone == [variable.word for variable in regression.candidates]
    assert tuple(together) == select_model(with_gaps(), regression, OPTIONS).retained
    assert {row.statistic for row in rows if row.level} == {
        regression.ratio,
        "ci_low",
        "ci_high",
        "p",
        "fraction_missing_information",
    }
    assert values_of(rows, "model") == {"imputations": 4, "imputations_converged": 4}


@BOTH
def test_all_patients_with_the_outcome_count(regression):
    assert {(row.n, row.events) for row in imputed(regression)} == {
        (98, with_gaps()[regression.outcome[-1]].sum())
    }


@BOTH
def test_a_complete_variable_alone_is_as_complete_patients_have_it_but_for_students_t(regression):
    found = values_of(imputed(regression), "cirrhosis", "univariate")
    covariates = with_gaps().select(cirrhosis=(pl.col("cirrhosis") == "yes").cast(pl.Float64))
    outcome = with_gaps().select(regression.outcome)
    fit = regression.fit(covariates, outcome, "efron")
    (coefficient,) = fit.coefficients
    # As R's mice counts them: events less coefficients in Cox's model, else patients less coefficients.
    complete = fit.events - 1 if regression is COX_OS else 98 - 2
    four = [Drawn(coefficient.estimate, coefficient.standard_error**2)] * 4
    by_hand = pool(four, complete_degrees_of_freedom=complete)
    assert found == pytest.approx(
        {
            regression.ratio: coefficient.ratio.value,
            "ci_low": by_hand.ratio.ci_low,
            "ci_high": by_hand.ratio.ci_high,
            "p": by_hand.p,
            "fraction_missing_information": by_hand.fraction_missing_information,
        },
        rel=1e-9,
    )


def test_the_outcome_is_among_the_predictors():
    # AFP has to do with ASL alone: without it, what is imputed would dilute the odds ratio.
    cohort, _ = make_cohort(400)
    noise = pl.Series(np.random.default_rng(0).normal(size=400))
    cohort = cohort.with_columns(afp_ng_ml=pl.col("has_asl").cast(pl.Float64) + noise)
    gappy = lacking("afp_ng_ml", 2, cohort)
    known = gappy.drop_nulls("afp_ng_ml")
    complete = LOGIT_ASL.fit(known.select("afp_ng_ml"), known.select("has_asl"), "efron")
    found = values_of(imputed_of(gappy, LOGIT_ASL, OPTIONS), "afp_per_ng_ml", "univariate")
    assert np.log(found["or"]) == pytest.approx(complete.coefficients[0].estimate, rel=0.15)


@BOTH
def test_an_incomplete_variable_has_lost_information(regression):
    found = values_of(imputed(regression), "pre_rt_il7_per_pg_ml", "univariate")
    assert 0 < found["ci_low"] < found[regression.ratio] < found["ci_high"]
    assert 0.02 < found["fraction_missing_information"] < 0.8


def test_stage_alone_is_grouped_though_it_is_a_number_among_the_others():
    rows = imputed_of(lacking("afp_ng_ml", 9), COX_OS, OPTIONS)
    grouped = make_cohort()[0].select(
        "os_months", "has_died", stage=(pl.col("uicc_stage") != "II").cast(pl.Float64)
    )
    fit = COX_OS.fit(grouped.select("stage"), grouped.select("os_months", "has_died"), "efron")
    found = values_of(rows, "uicc_iii_iv", "univariate")
    assert found["hr"] == pytest.approx(fit.coefficients[0].ratio.value, rel=1e-9)


def test_rows_in_any_order_tell_the_same():
    shuffled = with_gaps().sample(fraction=1, shuffle=True, seed=2)
    for row, other in zip(imputed(COX_OS), imputed_of(shuffled, COX_OS, OPTIONS), strict=True):
        assert row.value == pytest.approx(other.value, rel=1e-9)


def test_patients_without_the_outcome_are_left_out():
    rows = imputed_of(lacking("has_asl", 7, with_gaps()), LOGIT_ASL, OPTIONS)
    assert {row.n for row in rows if row.value is not None} == {98 - 14}


# What is not imputed


@BOTH
def test_where_nothing_is_missing_nothing_is_imputed(regression):
    rows = imputed_of(make_cohort()[0], regression, OPTIONS)
    assert reasons_of(rows) == {"nothing is missing"}
    assert len(rows) > 5 * len(regression.candidates)
    assert all(row.value is None for row in rows)


def test_a_variable_mostly_missing_has_its_reason_and_the_others_go_on():
    afp = pl.when(pl.int_range(pl.len()) % 3 == 0).then("afp_ng_ml")
    rows = imputed_of(lacking("pre_rt_il7_pg_ml", 8).with_columns(afp), COX_OS, OPTIONS)
    of_afp = [row for row in rows if (row.variable, row.level) == ("afp_per_ng_ml", "univariate")]
    assert reasons_of(of_afp) == {"missing in 66 % of patients, too many to impute"}
    assert values_of(rows, "pre_rt_il7_per_pg_ml", "univariate")["hr"] > 0


def test_a_retained_variable_that_cannot_be_imputed_costs_the_model_with_a_reason():
    cohort, _ = make_cohort(400)
    afp = pl.when(pl.int_range(pl.len()) % 3 == 0).then("afp_ng_ml")
    gappy = lacking("dose_gy", 9, cohort).with_columns(afp)
    rows = imputed_of(gappy, COX_OS, replace(OPTIONS, removal_p=1.0))
    together = [row for row in rows if row.level == "multivariate" or row.variable == "model"]
    assert reasons_of(together) == {"afp_per_ng_ml: missing in 66 % of patients, too many to impute"}
    assert all(row.value is None for row in together)


def test_where_elimination_fails_the_model_says_so_and_the_rest_go_on():
    hardly_anybody = pl.when(pl.int_range(pl.len()) % 2 == 0)
    cohort = with_gaps().with_columns(
        hardly_anybody.then("dose_gy"), (~(pl.int_range(pl.len()) % 5 < 2)).alias("a")
    )
    cohort = cohort.with_columns(
        pl.when("a").then("ptv_cm3"), pl.when(~(pl.int_range(pl.len()) % 3 == 0)).then("sex")
    )
    rows = imputed_of(cohort.drop("a"), LOGIT_ASL, OPTIONS)
    (reason,) = reasons_of([row for row in rows if row.variable == "model"])
    assert reason.startswith("elimination among the complete patients: ")
    assert values_of(rows, "ptv_per_100_cm3", "univariate")["or"] > 0


def test_where_elimination_leaves_nothing_the_model_says_so():
    rows = imputed_of(with_gaps(), COX_OS, replace(OPTIONS, removal_p=0.0))
    assert not [row for row in rows if row.level == "multivariate"]
    assert reasons_of([row for row in rows if row.variable == "model"]) == {"elimination left no variable"}


@pytest.mark.parametrize(
    ("n_imputations", "reason"), [(0, "no imputations are asked for"), (1, "two imputations")]
)
def test_too_few_imputations_are_a_reason(n_imputations, reason):
    rows = imputed_of(with_gaps(), LOGIT_ASL, replace(OPTIONS, imputations=n_imputations))
    assert all(reason in row.definition for row in rows if row.level)


def test_a_ratio_that_no_imputation_can_tell_has_the_models_own_reason():
    cohort = with_gaps().with_columns(dose_gy=pl.lit(100.0))
    rows = [row for row in imputed_of(cohort, COX_OS, OPTIONS) if row.variable == "dose_per_gy"]
    assert reasons_of(rows) == {"a variable has the same value in all patients"}


def test_more_than_5_000_patients_are_not_imputed():
    rows = imputed_of(lacking("dose_gy", 9, make_cohort(5_001)[0]), COX_OS, OPTIONS)
    assert all("at most 5,000 patients" in row.definition for row in rows)
    assert {row.statistic for row in rows if row.variable == "model"} == set(MODEL_STATISTICS)


@BOTH
@pytest.mark.parametrize("n", [0, 1, 12, 25])
def test_few_patients_are_a_reason_and_never_an_error(regression, n):
    rows = imputed_of(with_gaps().head(n), regression, OPTIONS)
    for row in rows:
        assert (row.value is None) == row.definition.startswith("Not estimated: ")
        assert row.value is None or np.isfinite(row.value)
