"""The ASL predictor: laws that any honest predictor keeps, and what it refuses."""

import os
import pickle
from datetime import date, timedelta

import numpy as np
import polars as pl
import pytest
import skops.io
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline

from models.prediction.predictor import (
    EXAMPLE_INPUT,
    FEATURE_NAMES,
    TRUSTED_TYPES,
    predictor_features,
    read_estimator,
    score,
    train_predictor,
)
from tests.models.synthetic_cohort import make_cohort
from transforms import schemas
from transforms.errors import NadirError, NotEstimableError

READ_BEFORE_RT = {
    *schemas.PATIENT_KEY,
    "baseline_tlc_cells_per_ul",
    "ptv_cm3",
    "pre_rt_il7_pg_ml",
    "combined_treatment",
    "pvtt",
}


OF_THE_OUTCOME = {
    "has_asl",
    "asl_onset_months",
    "rt_start_date",
    "rt_end_date",
    "has_died",
    "os_months",
}
# Everybody's RT is over by then.
AFTER_ALL = date(2030, 1, 1)


@pytest.fixture(scope="module")
def cohort():
    return make_cohort(98, seed=3)[0]


@pytest.fixture(scope="module")
def trained(cohort):
    return train_predictor(cohort, as_of=AFTER_ALL, seed=7)


def figures_of(trained):
    return (trained.cross_validated, trained.apparent_auc, trained.training_sha256)


def test_it_tells_who_will_have_asl_better_than_chance_and_less_well_than_it_seems(trained):
    assert 0.65 < trained.cross_validated.auc < trained.apparent_auc
    assert trained.cross_validated.auc_low < trained.cross_validated.auc < trained.cross_validated.auc_high
    assert trained.cross_validated.brier < 0.25


def test_the_same_seed_gives_the_same_result(cohort, trained):
    again = train_predictor(cohort, as_of=AFTER_ALL, seed=7)
    assert figures_of(again) == figures_of(trained)
    assert score(again.estimator, cohort).equals(score(trained.estimator, cohort))


def test_another_seed_deals_other_folds_but_fits_the_same_predictor(cohort, trained):
    other = train_predictor(cohort, as_of=AFTER_ALL, seed=8)
    assert other.cross_validated.brier != trained.cross_validated.brier
    assert score(other.estimator, cohort).equals(score(trained.estimator, cohort))


def test_the_order_of_the_training_rows_does_not_matter(cohort, trained):
    shuffled = train_predictor(cohort.sample(fraction=1.0, shuffle=True, seed=1), as_of=AFTER_ALL, seed=7)
    assert figures_of(shuffled) == figures_of(trained)
    assert score(shuffled.estimator, cohort).equals(score(trained.estimator, cohort))


def test_a_probability_depends_on_the_patients_own_row_only(cohort, trained):
    together = score(trained.estimator, cohort)
    alone = pl.concat([score(trained.estimator, cohort[i]) for i in range(cohort.height)])
    reversed_order = score(trained.estimator, cohort.reverse()).reverse()
    assert alone.equals(together)
    assert reversed_order.equals(together)


def test_only_what_is_known_before_rt_is_read(cohort, trained):
    later = [name for name in cohort.columns if name not in READ_BEFORE_RT]
    scrambled = cohort.with_columns(pl.col(later).shuffle(seed=5))
    assert score(trained.estimator, scrambled).equals(score(trained.estimator, cohort))
    assert score(trained.estimator, cohort.drop(later)).equals(score(trained.estimator, cohort))


def test_training_reads_nothing_later_but_the_outcome(cohort, trained):
    later = [name for name in cohort.columns if name not in READ_BEFORE_RT | OF_THE_OUTCOME]
    again = train_predictor(cohort.with_columns(pl.col(later).shuffle(seed=5)), as_of=AFTER_ALL, seed=7)
    assert figures_of(again) == figures_of(trained)


@pytest.mark.parametrize("seed", range(4))
def test_shuffled_outcomes_are_not_predicted(cohort, seed):
    shuffled = cohort.with_columns(pl.col("has_asl", "asl_onset_months").shuffle(seed=seed))
    assert train_predictor(shuffled, as_of=AFTER_ALL, seed=7).cross_validated.auc < 0.7


def test_no_patient_is_judged_by_a_model_that_saw_that_patient(cohort):
    # With noise only, a model that saw its test patients looks good; an honest one does not.
    noise = cohort.with_columns(
        pl.col("baseline_tlc_cells_per_ul", "ptv_cm3", "pre_rt_il7_pg_ml").shuffle(seed=11),
        pl.col("combined_treatment", "pvtt").shuffle(seed=12),
    )
    found = train_predictor(noise, as_of=AFTER_ALL, seed=7)
    assert found.cross_validated.auc < 0.62 < found.apparent_auc


def test_who_is_still_under_treatment_counts_neither_as_free_of_asl_nor_as_a_case(cohort):
    last_days = cohort["rt_end_date"].sort()
    night = last_days[len(last_days) // 2]
    found = train_predictor(cohort, as_of=night, seed=7)
    is_over = pl.col("rt_end_date") <= night
    assert found.training["patient_id"].to_list() == sorted(cohort.filter(is_over)["patient_id"])
    assert found.n_left_out == cohort.height - cohort.filter(is_over).height
    day_before = train_predictor(cohort, as_of=night - timedelta(days=1), seed=7)
    assert day_before.training.height < found.training.height


def test_rows_without_a_known_outcome_are_left_out_and_counted(cohort, trained):
    unknown = cohort.head(5).with_columns(
        pl.lit(None, pl.Boolean).alias("has_asl"),
        pl.lit(None, pl.Float64).alias("asl_onset_months"),
        patient_id=pl.col("patient_id") + "x",
    )
    found = train_predictor(pl.concat([cohort, unknown]), as_of=AFTER_ALL, seed=7)
    assert found.n_left_out == 5
    assert figures_of(found) == figures_of(trained)


def test_features_are_nullable_floats_and_null_where_unknown():
    frame = make_cohort(3, seed=0)[0].with_columns(
        pvtt=pl.Series([None, "yes", "no"]),
        combined_treatment=pl.Series(["chemoradiotherapy", None, "radiotherapy_alone"]),
        ptv_cm3=pl.Series([None, 20.0, 30.0]),
    )
    features = predictor_features(frame)
    assert tuple(features.columns) == FEATURE_NAMES
    assert set(features.dtypes) == {pl.Float64()}
    assert features["has_pvtt"].to_list() == [None, 1.0, 0.0]
    assert features["is_chemoradiotherapy"].to_list() == [1.0, None, 0.0]
    assert features["ptv_cm3"].to_list() == [None, 20.0, 30.0]


def test_a_patient_with_unknown_inputs_is_scored_like_the_median_patient(cohort, trained):
    unknown = cohort.head(1).with_columns(pl.lit(None, pl.Float64).alias("pre_rt_il7_pg_ml"))
    median = cohort.head(1).with_columns(pre_rt_il7_pg_ml=pl.lit(cohort["pre_rt_il7_pg_ml"].median()))
    found, expected = (score(trained.estimator, one)["asl_probability"][0] for one in (unknown, median))
    assert found == pytest.approx(expected, abs=0.005)


def test_a_night_without_any_il7_still_trains(cohort):
    without = cohort.with_columns(pl.lit(None, pl.Float64).alias("pre_rt_il7_pg_ml"))
    found = train_predictor(without, as_of=AFTER_ALL, seed=7)
    assert dict(found.coefficients.select("feature", "n_unknown").iter_rows())["pre_rt_il7_pg_ml"] == 98
    assert (
        dict(found.coefficients.select("feature", "log_odds_ratio_per_sd").iter_rows())["pre_rt_il7_pg_ml"]
        == 0
    )


def test_fewer_lymphocytes_and_a_larger_volume_mean_more_risk(trained):
    weights = dict(trained.coefficients.select("feature", "log_odds_ratio_per_sd").iter_rows())
    assert weights["baseline_tlc_cells_per_ul"] < 0 < weights["ptv_cm3"]
    assert weights["pre_rt_il7_pg_ml"] < 0


def test_an_empty_cohort_is_scored_as_empty(cohort, trained):
    found = score(trained.estimator, cohort.clear())
    assert found.schema == {"site": pl.String, "patient_id": pl.String, "asl_probability": pl.Float64}
    assert found.is_empty()


@pytest.mark.parametrize(("n_with", "n_without"), [(9, 50), (50, 9), (0, 60), (60, 0), (0, 0)])
def test_too_few_of_either_class_is_not_estimable(n_with, n_without):
    large = make_cohort(400, seed=1)[0]
    few = pl.concat(
        [large.filter(pl.col("has_asl")).head(n_with), large.filter(~pl.col("has_asl")).head(n_without)]
    )
    with pytest.raises(NotEstimableError, match=f"{n_with} patients with and {n_without} without"):
        train_predictor(few, as_of=AFTER_ALL, seed=7)


def test_ten_of_each_are_enough():
    large = make_cohort(400, seed=1)[0]
    ten = pl.concat([large.filter(pl.col("has_asl")).head(10), large.filter(~pl.col("has_asl")).head(10)])
    assert train_predictor(ten, as_of=AFTER_ALL, seed=7).cross_validated.n_events == 10


def test_no_threshold_of_the_curve_is_infinite(trained):
    assert trained.roc["threshold"].drop_nulls().is_finite().all()
    assert trained.roc.select("sensitivity", "specificity").row(0) == (0.0, 1.0)
    assert trained.roc.select("sensitivity", "specificity").row(-1) == (1.0, 0.0)


def test_the_area_under_the_curve_drawn_is_the_auc_reported(trained):
    up = trained.roc["sensitivity"].to_numpy()
    across = 1 - trained.roc["specificity"].to_numpy()
    assert np.trapezoid(up, across) == pytest.approx(trained.cross_validated.auc)


def test_the_training_hash_is_of_the_rows_it_learnt_from(cohort, trained):
    def hash_with(**change):
        return train_predictor(cohort.with_columns(**change), as_of=AFTER_ALL, seed=7).training_sha256

    first = pl.int_range(pl.len()) == 0
    assert hash_with(age_years=pl.lit(99.0)) == trained.training_sha256
    assert (
        hash_with(ptv_cm3=pl.col("ptv_cm3") + pl.when(first).then(0.1).otherwise(0.0))
        != trained.training_sha256
    )
    assert hash_with(has_asl=pl.col("has_asl") ^ first) != trained.training_sha256


def test_the_model_file_is_read_without_pickle_and_scores_the_same(cohort, trained):
    content = skops.io.dumps(trained.estimator)
    assert set(skops.io.get_untrusted_types(data=content)) <= set(TRUSTED_TYPES)
    assert score(read_estimator(content), cohort).equals(score(trained.estimator, cohort))


class Sneaky(LogisticRegression):
    """Stands for a type that nobody has vouched for."""


def test_a_model_file_with_another_type_is_refused():
    content = skops.io.dumps(Pipeline([("model", Sneaky())]))
    with pytest.raises(NadirError, match=r"not trusted.*Sneaky"):
        read_estimator(content)


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return (exec, ("import os; os.environ['NADIR_BOMB'] = '1'",))


def test_a_pickle_is_refused_and_never_run():
    for content in (pickle.dumps(Bomb()), b"not a model", b""):
        with pytest.raises(NadirError, match="no readable skops model"):
            read_estimator(content)
    assert "NADIR_BOMB" not in os.environ


def test_something_that_is_no_predictor_is_refused(cohort):
    with pytest.raises(NadirError, match="found a LogisticRegression"):
        score(LogisticRegression(), cohort)
    with pytest.raises(NadirError, match="found a LogisticRegression"):
        read_estimator(skops.io.dumps(LogisticRegression()))


def test_a_trained_predictor_in_a_message_shows_no_patient(trained):
    assert "S0001" not in repr(trained)
    assert "S0001" in trained.training["patient_id"]


def test_the_example_input_fits_the_predictor(trained):
    assert tuple(EXAMPLE_INPUT.columns) == FEATURE_NAMES
    assert 0 < trained.estimator.predict_proba(EXAMPLE_INPUT.to_pandas())[0, 1] < 1
