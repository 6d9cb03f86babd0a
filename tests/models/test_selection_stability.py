"""The rows of the analysis selection_stability: all there, true to the bootstrap, and never silent."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from models.study.likelihoods import discrimination_of
from models.study.options import StudyOptions
from models.study.rows import Row
from models.study.selected_model import COX_OS, LOGIT_ASL, Regression, select_model
from models.study.selection_stability import INCLUSION, MODEL, percent_by_chance, tell_selection_stability
from tests.models.synthetic_cohort import make_cohort
from transforms import schemas

OPTIONS = StudyOptions(resamples=12)
BOTH = pytest.mark.parametrize("regression", [COX_OS, LOGIT_ASL], ids=lambda regression: regression.analysis)


def stability(cohort, regression, options):
    return tell_selection_stability(select_model(cohort, regression, options), options)


@cache
def stability_of(regression: Regression) -> list[Row]:
    return stability(make_cohort()[0], regression, OPTIONS)


def values_of(rows: list[Row], word: str) -> dict[str, float | None]:
    return {row.statistic: row.value for row in rows if row.variable == word}


def reasons_of(rows: list[Row]) -> set[str]:
    return {row.definition for row in rows if row.value is None}


@BOTH
def test_every_candidate_and_the_model_have_their_rows(regression):
    rows = stability_of(regression)
    assert {(row.analysis, row.group, row.level) for row in rows} == {
        ("selection_stability", regression.analysis, "")
    }
    expected = [(variable.word, *INCLUSION) for variable in regression.candidates]
    expected += [("model", statistic) for statistic in MODEL]
    assert [(row.variable, row.statistic) for row in rows] == expected


@BOTH
def test_the_numbers_hang_together(regression):
    rows = stability_of(regression)
    model = values_of(rows, "model")
    assert model["resamples"] == 12
    assert 0 < model["resamples_converged"] <= 12
    assert model["corrected"] == pytest.approx(model["apparent"] - model["optimism"])
    one = 100 / model["resamples_converged"]
    for row in rows[: len(regression.candidates)]:
        assert 0 <= row.value <= 100
        assert row.value / one == pytest.approx(round(row.value / one))
        assert row.n == 98


@BOTH
def test_rows_in_any_order_tell_the_same(regression):
    shuffled = make_cohort()[0].sample(fraction=1, shuffle=True, seed=3)
    again = stability(shuffled, regression, OPTIONS)
    for row, other in zip(stability_of(regression), again, strict=True):
        assert row.value == pytest.approx(other.value, rel=1e-9)


def test_the_other_options_are_those_of_the_elimination():
    cohort, _ = make_cohort()
    everything = stability(cohort, COX_OS, replace(OPTIONS, removal_p=1.0, resamples=3))
    assert {row.value for row in everything if row.statistic == "inclusion_percent"} == {100.0}
    ratio = replace(OPTIONS, removal_test="likelihood_ratio", resamples=2)
    assert "likelihood-ratio p" in stability(cohort, LOGIT_ASL, ratio)[0].definition


def test_ties_are_taken_as_asked():
    in_years = make_cohort()[0].with_columns((pl.col("os_months") / 12).ceil() * 12)
    asked = [replace(OPTIONS, ties=ties) for ties in ("efron", "breslow")]
    told = [stability(in_years, COX_OS, options) for options in asked]
    slopes = [values_of(rows, "model")["calibration_slope"] for rows in told]
    assert slopes[0] != pytest.approx(slopes[1], rel=1e-3)
    assert "Breslow" in told[1][0].definition


def test_a_model_that_elimination_emptied_is_chance():
    found = stability(make_cohort()[0], COX_OS, replace(OPTIONS, removal_p=0.0, resamples=2))
    model = values_of(found, "model")
    assert (model["apparent"], model["optimism"], model["calibration_slope"]) == (0.5, 0.0, None)
    assert any("no resample converged on a model with a variable" in reason for reason in reasons_of(found))


@BOTH
def test_the_apparent_model_is_the_one_that_the_regression_retained(regression):
    selected = select_model(make_cohort()[0], regression, OPTIONS)
    weights = [coefficient.estimate for coefficient in selected.require_fit().coefficients]
    scores = selected.covariates.select(selected.retained).to_numpy() @ weights
    judged = discrimination_of(regression, selected.outcome)(np.round(scores, 9), np.arange(len(scores)))
    assert values_of(stability_of(regression), "model")["apparent"] == pytest.approx(judged, rel=1e-12)


def test_a_variable_without_effect_comes_back_in_a_quarter_at_ten_percent():
    # P(|z| > 1.6449 / root 2) = 2 (1 - Phi(1.1631)) = 0.2448.
    assert percent_by_chance(0.10) == pytest.approx(24.48, abs=0.01)


# What cannot be


def test_without_resamples_asked_for_every_row_says_so():
    rows = stability(make_cohort()[0], COX_OS, replace(OPTIONS, resamples=0))
    assert len(rows) == len(COX_OS.candidates) + len(MODEL)
    assert reasons_of(rows) == {"Not estimated: no resamples are asked for"}


def test_more_than_5_000_patients_are_not_resampled():
    rows = stability(make_cohort(5_001)[0], COX_OS, OPTIONS)
    (reason,) = reasons_of(rows)
    assert "at most 5,000 patients" in reason
    assert all(row.value is None for row in rows)


def test_a_constant_candidate_is_set_aside_with_its_reason_and_the_rest_go_on():
    cohort = make_cohort()[0].with_columns(dose_gy=pl.lit(100.0))
    rows = stability(cohort, COX_OS, OPTIONS)
    (reason,) = reasons_of(rows)
    assert reason.startswith("Not estimated: dose_per_gy: the same value in all")
    assert values_of(rows, "model")["resamples_converged"] > 0


def test_nobody_complete_is_a_reason():
    cohort = make_cohort()[0].with_columns(ptv_cm3=pl.lit(None, pl.Float64))
    (reason,) = reasons_of(stability(cohort, LOGIT_ASL, OPTIONS))
    assert "no patient has all values" in reason


@BOTH
@pytest.mark.parametrize("n", [0, 1, 3, 17])
def test_few_patients_are_a_reason_and_never_an_error(regression, n):
    rows = stability(make_cohort()[0].head(n), regression, replace(OPTIONS, resamples=3))
    assert len(rows) == len(regression.candidates) + len(MODEL)
    assert all(row.definition.startswith("Not estimated: ") for row in rows)


def test_a_one_sided_outcome_is_a_reason():
    nobody = make_cohort()[0].with_columns(
        pl.lit(False, schemas.COHORT.polars_schema["has_asl"]).alias("has_asl")
    )
    rows = stability(nobody, LOGIT_ASL, OPTIONS)
    assert all(row.value is None for row in rows)
