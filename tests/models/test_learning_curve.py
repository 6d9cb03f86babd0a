"""Learning curves: what a procedure is given to learn from, and what is said of it by size."""

import numpy as np
import polars as pl
import pytest

from models.likelihood import maximise
from models.logistic_likelihood import LogisticLikelihood
from models.prediction.learning_curve import SCHEMA, estimate_learning_curve
from tests.models.prediction_scores import drawn, drawn_of_patients
from transforms.errors import NotEstimableError

SIZES = (20, 40, 70)


def recorder(probability):
    """A procedure that learns nothing, and the rows that it was given."""
    seen = []

    def train_and_predict(trained_on, held_out):
        seen.append((trained_on, held_out))
        return probability[held_out]

    return train_and_predict, seen


def logistic(matrix, has_event):
    def train_and_predict(trained_on, held_out):
        likelihood = LogisticLikelihood(matrix[trained_on], has_event[trained_on])
        slopes = maximise(likelihood).coefficients
        return 1 / (1 + np.exp(-(slopes[0] + (matrix[held_out] - likelihood.means) @ slopes[1:])))

    return train_and_predict


def test_nobody_is_trained_on_and_held_out():
    has_event, probability = drawn(seed=1, n=98)
    procedure, seen = recorder(probability)
    found = estimate_learning_curve(has_event, procedure, sizes=SIZES, seed=1, n_repeats=5)
    assert found["size"].to_list() == list(SIZES)
    assert found["n_trained"].to_list() == [5, 5, 5]
    assert all(np.intersect1d(*rows).size == 0 for rows in seen)
    assert [len(trained_on) for trained_on, _ in seen] == [size for size in SIZES for _ in range(5)]


def test_a_larger_training_holds_the_smaller_and_both_classes_in_proportion():
    has_event, probability = drawn(seed=2, n=98)
    procedure, seen = recorder(probability)
    estimate_learning_curve(has_event, procedure, sizes=SIZES, seed=1, n_repeats=2)
    for repeat in range(2):
        small, middle, large = (seen[2 * place + repeat][0] for place in range(3))
        assert set(small) < set(middle) < set(large)
        assert abs(has_event[small].sum() - 20 * has_event.mean()) <= 1.5


def test_patients_are_dealt_whole():
    has_event, probability, patients = drawn_of_patients(seed=3)
    procedure, seen = recorder(probability)
    estimate_learning_curve(has_event, procedure, sizes=(30,), seed=1, n_repeats=4, clusters=patients)
    for trained_on, held_out in seen:
        assert len(np.unique(patients[trained_on])) == 30
        assert len(trained_on) == 150
        assert np.intersect1d(patients[trained_on], patients[held_out]).size == 0


def test_what_learns_nothing_does_the_same_at_every_size():
    has_event, probability = drawn(seed=4, n=98)
    found = estimate_learning_curve(has_event, recorder(probability)[0], sizes=SIZES, seed=1)
    for name in ("log_loss", "auc", "auc_sd", "auc_low"):
        assert found[name].n_unique() == 1
    assert (found["auc_low"] < found["auc"]).all()
    assert (found["auc"] < found["auc_high"]).all()


def test_what_learns_does_better_with_more_patients():
    rng = np.random.default_rng(5)
    matrix = rng.normal(size=(400, 5))
    has_event = rng.random(400) < 1 / (1 + np.exp(-matrix.sum(axis=1) / 2))
    found = estimate_learning_curve(has_event, logistic(matrix, has_event), sizes=(40, 100, 300), seed=1)
    assert found["log_loss"].is_sorted(descending=True)
    assert found["auc"].is_sorted()
    assert found["log_loss_sd"][2] < found["log_loss_sd"][0]


def test_the_seed_decides():
    has_event, probability = drawn(seed=6, n=98)
    first, again, other = (
        estimate_learning_curve(has_event, recorder(probability)[0], sizes=SIZES, seed=seed, n_repeats=3)
        for seed in (1, 1, 2)
    )
    assert first.equals(again)
    assert not first.equals(other)


def test_what_cannot_be_trained_is_counted():
    has_event, probability = drawn(seed=7, n=98)

    def train_and_predict(trained_on, held_out):
        if len(trained_on) < 30:
            raise NotEstimableError("too few")
        return probability[held_out]

    found = estimate_learning_curve(has_event, train_and_predict, sizes=SIZES, seed=1, n_repeats=3)
    assert found["n_failed"].to_list() == [3, 0, 0]
    assert found["auc"].is_null().to_list() == [True, False, False]
    assert found.schema == SCHEMA


def test_one_probability_for_all_orders_nobody():
    has_event, _ = drawn(seed=8, n=98)
    found = estimate_learning_curve(has_event, recorder(np.full(98, 0.4))[0], sizes=(40,), seed=1)
    assert found.select("auc", "auc_sd").row(0) == (0.5, 0.0)


def test_a_size_that_is_not_there_is_refused():
    has_event, probability = drawn(seed=9, n=98)
    for size in (0, 80):
        with pytest.raises(ValueError, match="sizes from 1 to 7"):
            estimate_learning_curve(has_event, recorder(probability)[0], sizes=(size,), seed=1)


def test_a_class_of_three_is_too_small():
    with pytest.raises(NotEstimableError):
        estimate_learning_curve(np.arange(98) < 3, recorder(np.full(98, 0.4))[0], sizes=(20,), seed=1)


def test_no_size_gives_no_row():
    has_event, probability = drawn(seed=10)
    found = estimate_learning_curve(has_event, recorder(probability)[0], sizes=(), seed=1)
    assert found.equals(pl.DataFrame(schema=SCHEMA))
