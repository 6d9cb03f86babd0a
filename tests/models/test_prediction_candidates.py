"""The predictor's candidates: a rule worked by hand, fits against others' numbers, their stored form."""

import os
import pickle

import numpy as np
import polars as pl
import pytest
import skops.io
from scipy.special import expit, logit
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from models.firth import fit_firth_logistic
from models.prediction.candidates import PUBLISHED_LOG_ODDS, list_candidates
from models.prediction.estimators import (
    TRUSTED_TYPES,
    coefficients,
    example_input,
    predict,
    read_estimator,
    write_estimator,
)
from models.prediction.question import BEFORE_RT, DURING_RT
from models.prediction.terms import curved_terms, straight_terms
from models.prediction.training_rows import deal_folds, read_training_rows, sort_rows
from models.regression import fit_logistic
from tests.models.predictor_rows import invented_landmarks, invented_patients
from transforms.errors import NadirError, NotEstimableError

OF_BEFORE = {candidate.name: candidate for candidate in list_candidates(BEFORE_RT)}
OF_DURING = {candidate.name: candidate for candidate in list_candidates(DURING_RT)}


@pytest.fixture(scope="module")
def patients():
    return sort_rows(invented_patients(98, seed=3))


@pytest.fixture(scope="module")
def read(patients):
    return read_training_rows(BEFORE_RT, patients)


def fit(name, rows, setting=None):
    candidate = OF_BEFORE[name]
    return candidate.fit_settings(rows, (candidate.settings[-1] if setting is None else setting,))[0]


def log_odds_of(model, rows):
    return logit(model.probabilities(read_training_rows(BEFORE_RT, rows).matrix))


# What each is


def test_the_simplest_come_first_and_the_study_is_asked_before_rt_only():
    assert list(OF_BEFORE) == [
        "rule",
        "study",
        "study_recalibrated",
        "study_firth",
        "penalised",
        "splines",
        "boosting",
    ]
    assert list(OF_DURING) == ["penalised", "splines", "boosting"]
    assert [candidate.rank for candidate in OF_BEFORE.values()] == list(range(1, 8))


def test_the_rule_is_two_shares_drawn_towards_one_half():
    # With lymphopenia 4 of 5, without it none of 6, and one unknown who counts among the more frequent.
    lymphopenia = [1.0] * 5 + [0.0] * 6 + [None]
    rows = invented_patients(12, seed=1).with_columns(
        has_baseline_lymphopenia=pl.Series(lymphopenia), has_asl=pl.Series([True] * 4 + [False] * 8)
    )
    model = fit("rule", read_training_rows(BEFORE_RT, rows))
    found = model.probabilities(read_training_rows(BEFORE_RT, rows).matrix)
    assert found == pytest.approx([5 / 7] * 5 + [1 / 9] * 7, abs=1e-12)


def test_the_study_has_the_published_odds_ratios_and_as_many_expected_as_seen(patients, read):
    model = fit("study", read)
    larger = patients.with_columns(pl.col("ptv_cm3") + 100, pl.col("pre_rt_il7_pg_ml") + 1)
    ratio = np.exp(log_odds_of(model, larger) - log_odds_of(model, patients))
    assert ratio == pytest.approx(1.23 * 0.39, rel=1e-6)
    assert model.probabilities(read.matrix).sum() == pytest.approx(read.outcome.sum(), abs=1e-8)


def test_the_recalibrated_study_is_a_logistic_regression_on_its_score(patients, read):
    score = sum(patients[name] * weight for name, weight in PUBLISHED_LOG_ODDS.items())
    fitted = fit_logistic(pl.DataFrame({"score": score}), read.outcome)
    model = fit("study_recalibrated", read)
    expected = fitted.intercept.estimate + fitted.coefficients[0].estimate * score.to_numpy()
    assert log_odds_of(model, patients) == pytest.approx(expected, abs=1e-6)


def test_firths_slopes_are_those_of_the_platforms_own_firth(patients, read):
    fitted = fit_firth_logistic(patients.select(*PUBLISHED_LOG_ODDS), read.outcome)
    model = fit("study_firth", read)
    expected = [one.estimate for one in fitted.coefficients]
    assert model.predictor.coefficients == pytest.approx(expected, abs=1e-7)
    assert model.probabilities(read.matrix).mean() == pytest.approx(read.outcome.mean(), abs=1e-9)


def test_firth_has_an_answer_where_a_variable_separates_the_outcome(patients):
    separated = patients.with_columns(has_baseline_lymphopenia=pl.col("has_asl").cast(pl.Float64))
    read = read_training_rows(BEFORE_RT, separated)
    assert np.abs(fit("study_firth", read).predictor.coefficients).max() < 30
    with pytest.raises(NotEstimableError, match="separate"):
        fit(
            "study_recalibrated",
            read_training_rows(
                BEFORE_RT,
                separated.with_columns(
                    ptv_cm3=pl.lit(100.0), pre_rt_il7_pg_ml=pl.lit(2.0), has_viral_hepatitis=pl.lit(1.0)
                ),
            ),
        )


@pytest.mark.parametrize(("name", "terms"), [("penalised", straight_terms), ("splines", curved_terms)])
@pytest.mark.parametrize("variance", [0.03, 3.0])
def test_the_penalty_is_that_of_scikit_learn(read, name, terms, variance):
    columns = terms(read).columns(read.matrix)
    spread = np.where(np.ptp(columns, axis=0) > 0, columns.std(axis=0), 1)
    scaled = (columns - columns.mean(axis=0)) / spread
    theirs = LogisticRegression(C=variance, solver="newton-cholesky", tol=1e-12).fit(scaled, read.outcome)
    ours = fit(name, read, variance).probabilities(read.matrix)
    assert ours == pytest.approx(theirs.predict_proba(scaled)[:, 1], abs=1e-7)


def test_a_fit_does_not_depend_on_the_settings_before_it(read):
    for candidate in OF_BEFORE.values():
        path = candidate.fit_settings(read, candidate.settings)
        for setting, model in zip(candidate.settings, path, strict=True):
            alone = candidate.fit_settings(read, (setting,))[0]
            assert alone.probabilities(read.matrix) == pytest.approx(
                model.probabilities(read.matrix), abs=1e-9
            )


def test_a_spline_is_straight_beyond_its_outer_knots_and_bends_between(patients, read):
    model = fit("splines", read)
    spline = model.terms.splines[0]
    for low, high, is_straight in (
        (0.5 * spline.knots[0], spline.knots[0], True),
        (spline.knots[0], spline.knots[-1], False),
        (spline.knots[-1], spline.knots[-1] + 1, True),
    ):
        values = np.expm1(np.linspace(low, high, 5))
        rows = pl.concat([patients.head(1)] * 5).with_columns(baseline_tlc_cells_per_ul=pl.Series(values))
        bend = np.abs(np.diff(log_odds_of(model, rows), n=2)).max()
        assert bend < 1e-5 if is_straight else bend > 1e-3


def test_fewer_trees_are_the_first_of_more(read):
    few, many = OF_BEFORE["boosting"].fit_settings(read, (15.0, 40.0))
    stored = few.estimator(read), many.estimator(read)
    frame = pl.DataFrame(read.matrix, schema=list(read.names))
    assert predict(stored[0], frame).tolist() == few.probabilities(read.matrix).tolist()
    assert predict(stored[1], frame).tolist() == many.probabilities(read.matrix).tolist()
    assert few.probabilities(read.matrix).std() < many.probabilities(read.matrix).std()


# Laws of all


def with_gaps(rows):
    """Every fifth value is unknown, another one in each column."""
    gaps = [
        pl.when((pl.int_range(pl.len()) + place) % 5 != 0).then(pl.col(name)).alias(name)
        for place, name in enumerate(BEFORE_RT.feature_names)
    ]
    return rows.with_columns(gaps)


@pytest.mark.parametrize("name", OF_BEFORE)
def test_the_stored_pipeline_computes_what_the_model_does(patients, name):
    rows = with_gaps(patients)
    read = read_training_rows(BEFORE_RT, rows)
    model = fit(name, read)
    stored = read_estimator(write_estimator(model.estimator(read)))
    assert predict(stored, rows) == pytest.approx(model.probabilities(read.matrix), abs=1e-11)


@pytest.mark.parametrize("name", OF_BEFORE)
def test_a_probability_depends_on_the_patients_own_row_only(patients, name):
    rows = with_gaps(patients)
    read = read_training_rows(BEFORE_RT, rows)
    estimator = fit(name, read).estimator(read)
    together = predict(estimator, rows)
    assert [predict(estimator, rows[i])[0] for i in range(20)] == together[:20].tolist()
    assert predict(estimator, rows.reverse())[::-1].tolist() == together.tolist()
    assert predict(estimator, rows.head(0)).tolist() == []


@pytest.mark.parametrize("name", OF_BEFORE)
def test_an_unknown_input_counts_as_the_median_of_the_training_rows(patients, read, name):
    estimator = fit(name, read).estimator(read)
    unknown = patients.head(3).with_columns(ptv_cm3=pl.lit(None, pl.Float64))
    median = patients.head(3).with_columns(ptv_cm3=pl.lit(patients["ptv_cm3"].median()))
    assert predict(estimator, unknown).tolist() == predict(estimator, median).tolist()


@pytest.mark.parametrize("name", OF_BEFORE)
def test_constant_empty_and_doubled_columns_and_heavy_ties_are_stood_up_to(patients, name):
    rows = patients.with_columns(
        is_chemoradiotherapy=pl.lit(1.0),
        has_pvtt=pl.col("has_viral_hepatitis"),
        pre_rt_il7_pg_ml=pl.lit(None, pl.Float64),
        ptv_cm3=pl.when(pl.col("ptv_cm3") > 400).then(75_000.0).otherwise(10.0),
    )
    read = read_training_rows(BEFORE_RT, rows)
    estimator = fit(name, read).estimator(read)
    found = predict(estimator, rows)
    assert ((found >= 0) & (found <= 1)).all()
    assert found == pytest.approx(fit(name, read).probabilities(read.matrix), abs=1e-9)


@pytest.mark.parametrize("name", OF_DURING)
def test_candidates_during_rt_tell_landmarks_of_patients_who_will_have_asl(name):
    rows = sort_rows(invented_landmarks(98, seed=2))
    read = read_training_rows(DURING_RT, rows)
    candidate = OF_DURING[name]
    model = candidate.fit_settings(read, candidate.settings[-1:])[0]
    found = model.probabilities(read.matrix)
    assert found[read.outcome].mean() > found[~read.outcome].mean() + 0.2
    assert predict(model.estimator(read), rows) == pytest.approx(found, abs=1e-11)


# Rows and folds


def test_no_patients_rows_stand_on_both_sides_of_a_fold_and_each_kind_is_dealt_evenly():
    read = read_training_rows(DURING_RT, sort_rows(invented_landmarks(98, seed=2)))
    fold = deal_folds(read, 5, seed=np.random.SeedSequence(1))
    dealt = pl.DataFrame({"patient": read.patient, "fold": fold, "has_asl": read.outcome})
    assert dealt.group_by("patient").agg(pl.col("fold").n_unique())["fold"].max() == 1
    sizes = dealt.unique("patient").group_by("fold", "has_asl").len()
    spread = sizes.group_by("has_asl").agg(pl.col("len").max() - pl.col("len").min())["len"]
    assert spread.max() <= 1


def test_copies_of_a_patient_drawn_twice_stand_in_one_fold(read):
    drawn = np.random.default_rng(1).integers(98, size=98)
    twice = read.take(drawn)
    fold = deal_folds(twice, 5, seed=np.random.SeedSequence(1))
    assert all(len(set(fold[twice.patient == patient])) == 1 for patient in np.unique(twice.patient))


@pytest.mark.parametrize("wrong", [float("inf"), -1.0])
def test_what_can_be_no_measurement_is_refused_by_column_and_not_by_value(patients, read, wrong):
    rows = patients.with_columns(ptv_cm3=pl.lit(wrong))
    with pytest.raises(NadirError, match="column ptv_cm3: found a value that is infinite or below 0"):
        read_training_rows(BEFORE_RT, rows)
    with pytest.raises(NadirError, match="column ptv_cm3"):
        predict(fit("penalised", read).estimator(read), rows)


def test_a_missing_column_is_named(patients, read):
    with pytest.raises(NadirError, match="found no column has_pvtt"):
        predict(fit("rule", read).estimator(read), patients.drop("has_pvtt"))


# The stored form


def test_coefficients_are_told_by_term(read):
    found = coefficients(fit("rule", read).estimator(read))
    assert found["term"].to_list() == ["intercept", "has_baseline_lymphopenia"]
    assert coefficients(fit("boosting", read).estimator(read)).height == 0
    splines = coefficients(fit("splines", read).estimator(read))
    squares = splines.filter(pl.col("term").str.starts_with("ptv_cm3, square above knot"))
    assert squares["log_odds_ratio"].sum() == pytest.approx(0, abs=1e-9)


@pytest.mark.parametrize("question", [BEFORE_RT, DURING_RT])
def test_the_input_example_has_every_input_of_the_question(question):
    assert tuple(example_input(question).columns) == question.feature_names


@pytest.mark.parametrize("name", OF_BEFORE)
def test_a_stored_model_names_no_type_but_the_trusted_ones(read, name):
    found = skops.io.get_untrusted_types(data=write_estimator(fit(name, read).estimator(read)))
    assert set(found) <= set(TRUSTED_TYPES)


class Malicious:
    def __reduce__(self):
        return os.system, ("true",)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (skops.io.dumps(Pipeline([("model", Malicious())])), "types that are not trusted"),
        (pickle.dumps(Malicious()), "no readable skops model"),
        (b"", "no readable skops model"),
        (skops.io.dumps(LogisticRegression()), "found a LogisticRegression"),
    ],
)
def test_what_is_not_a_trusted_pipeline_is_refused(content, said):
    with pytest.raises(NadirError, match=said):
        read_estimator(content)


def test_a_truncated_model_file_is_refused(read):
    content = write_estimator(fit("rule", read).estimator(read))
    with pytest.raises(NadirError, match="no readable skops model"):
        read_estimator(content[: len(content) // 2])


def test_probabilities_of_a_linear_model_are_those_of_its_coefficients(patients, read):
    estimator = fit("study", read).estimator(read)
    told = dict(coefficients(estimator).iter_rows())
    log_odds = told["intercept"] + sum(patients[name].to_numpy() * told[name] for name in PUBLISHED_LOG_ODDS)
    assert predict(estimator, patients) == pytest.approx(expit(log_odds), abs=1e-11)
