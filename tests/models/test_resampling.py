"""The bootstrap of backward elimination against R on given resamples, by hand and by laws."""

from dataclasses import replace
from functools import cache

import numpy as np
import polars as pl
import pytest

from models.design import monotone_columns, separating_columns
from models.logistic_likelihood import LogisticLikelihood
from models.resampling import (
    MOST_PATIENTS,
    SelectionProblem,
    SubsetFits,
    judge_selection,
    replicate_selection,
    standardised,
)
from models.survival.concordance import count_concordance
from models.survival.partial_likelihood import PartialLikelihood
from models.variables import ASL_VARIABLES, SURVIVAL_VARIABLES
from tests.reference.expected import TOLERANCE, expected, read_cohort
from transforms.errors import NotEstimableError


def logistic_problem(names, matrix, outcome) -> SelectionProblem:
    return SelectionProblem(
        names,
        matrix,
        lambda columns, rows: LogisticLikelihood(columns, outcome[rows]),
        lambda scores, rows: count_concordance(scores, 1.0 - outcome[rows], outcome[rows]).value,
        lambda columns, rows: bool(separating_columns(pl.DataFrame(columns), outcome[rows])),
    )


def cox_problem(names, matrix, durations, events) -> SelectionProblem:
    return SelectionProblem(
        names,
        matrix,
        lambda columns, rows: PartialLikelihood(columns, durations[rows], events[rows]),
        lambda scores, rows: count_concordance(scores, durations[rows], events[rows]).value,
        lambda columns, rows: bool(monotone_columns(pl.DataFrame(columns), durations[rows], events[rows])),
    )


@cache
def reference_problem(name: str) -> SelectionProblem:
    frame = read_cohort()
    variables = SURVIVAL_VARIABLES if name == "cox" else ASL_VARIABLES
    words = tuple("uicc_ordinal" if v.word == "uicc_iii_iv" else v.word for v in variables)
    matrix = frame.select(words).to_numpy().astype(float)
    if name == "cox":
        return cox_problem(words, matrix, frame["os_months"].to_numpy(), frame["has_died"].to_numpy())
    return logistic_problem(words, matrix, frame["has_asl"].to_numpy())


def noise(n_columns: int, seed: int, *, n: int = 100) -> SelectionProblem:
    """Candidates that have nothing to do with the outcome."""
    rng = np.random.default_rng(seed)
    names = tuple(f"x{i}" for i in range(n_columns))
    return logistic_problem(names, rng.normal(size=(n, n_columns)), rng.random(n) < 0.5)


def made(effect: float, n: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """A normal variable (n, 1) and an outcome whose log odds it moves."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(n, 1))
    return x, rng.random(n) < 1 / (1 + np.exp(-effect * x[:, 0]))


def one_candidate(effect: float) -> SelectionProblem:
    return logistic_problem(("x",), *made(effect))


# R's numbers


def resample_of_r(k: int) -> np.ndarray:
    at = np.arange(98)
    return np.where(at % 3 == k % 3, (5 * at + k) % 98, at)


@pytest.mark.parametrize("name", ["cox", "logistic"])
@pytest.mark.parametrize("k", range(1, 7))
def test_a_given_resample_is_rs(name, k):
    of_r = expected(f"{name}_resample_{k}", of="resampling.csv")
    model = of_r.pop("model")
    found = replicate_selection(reference_problem(name), resample_of_r(k))
    assert set(found.retained) == set(of_r)
    assert found.optimism == pytest.approx(model["optimism"], rel=TOLERANCE, abs=1e-13)
    assert found.calibration_slope == pytest.approx(model["slope"], rel=TOLERANCE)


@pytest.mark.parametrize("name", ["cox", "logistic"])
def test_the_fits_along_the_way_are_those_made_from_nothing(name):
    problem = reference_problem(name)
    everyone = np.arange(98)
    warm = SubsetFits(problem.names, problem.scaled, problem.likelihood_of(problem.scaled, everyone))
    for n in range(len(problem.names), 0, -3):
        names = problem.names[:n]
        cold = SubsetFits(
            names, problem.scaled[:, :n], problem.likelihood_of(problem.scaled[:, :n], everyone)
        )
        found, fresh = warm.fit(names), cold.fit(names)
        for one, other in zip(found.coefficients, fresh.coefficients, strict=True):
            assert one.estimate == pytest.approx(other.estimate, rel=1e-9)
            assert one.standard_error == pytest.approx(other.standard_error, rel=1e-9)
        assert found.likelihood_ratio == pytest.approx(fresh.likelihood_ratio, rel=1e-9)


# By hand


def test_where_all_may_stay_all_come_back_every_time():
    found = judge_selection(replace(noise(3, seed=1), removal_p=1.0), n_resamples=5, seed=1)
    assert found.inclusion_percent == {"x0": 100.0, "x1": 100.0, "x2": 100.0}
    assert (found.n_resamples, found.n_converged) == (5, 5)


def test_an_empty_model_is_chance_has_no_optimism_and_has_converged():
    found = judge_selection(replace(noise(3, seed=1), removal_p=0.0), n_resamples=5, seed=1)
    assert set(found.inclusion_percent.values()) == {0.0}
    assert (found.apparent, found.optimism, found.corrected, found.n_converged) == (0.5, 0.0, 0.5, 5)
    assert found.calibration_slope is None


def test_on_the_patients_themselves_optimism_is_none_and_the_slope_one():
    found = replicate_selection(one_candidate(2.0), np.arange(60))
    assert found.optimism == 0.0
    assert found.calibration_slope == pytest.approx(1.0, rel=1e-9)


def test_a_strong_variable_always_comes_back():
    assert judge_selection(one_candidate(3.0), n_resamples=20, seed=0).inclusion_percent == {"x": 100.0}


def test_the_corrected_is_the_apparent_less_the_optimism():
    found = judge_selection(noise(5, seed=2), n_resamples=5, seed=2)
    assert found.corrected == found.apparent - found.optimism


def test_without_resamples_there_is_the_apparent_alone():
    found = judge_selection(one_candidate(2.0), n_resamples=0, seed=0)
    assert (found.n_converged, found.optimism, found.corrected, found.calibration_slope) == (
        0,
        None,
        None,
        None,
    )
    assert found.inclusion_percent == {"x": None}
    assert found.apparent > 0.7


# What cannot be


def test_a_resample_without_the_rare_level_has_not_converged():
    problem = one_candidate(1.0)
    rare = np.zeros((60, 1))
    rare[:2] = 1.0
    problem = replace(problem, names=("x", "rare"), matrix=np.hstack([problem.matrix, rare]))
    with pytest.raises(NotEstimableError, match="same value"):
        replicate_selection(problem, np.arange(60) % 50 + 2)
    with pytest.raises(NotEstimableError, match="follows"):
        replicate_selection(replace(problem, matrix=problem.matrix[:, [1, 1]]), np.arange(60))


def test_a_resample_that_separates_the_outcome_has_not_converged():
    x, outcome = made(2.0, n=14)
    problem = logistic_problem(("x",), x, outcome)
    assert replicate_selection(problem, np.arange(14)).optimism == 0.0
    agrees = np.flatnonzero((x[:, 0] > 0) == outcome)
    with pytest.raises(NotEstimableError, match="separate"):
        replicate_selection(problem, np.resize(agrees, 14))
    assert 0 < judge_selection(problem, n_resamples=40, seed=0).n_converged < 40


def test_a_resample_with_one_outcome_only_has_not_converged():
    x, outcome = made(1.0)
    with pytest.raises(NotEstimableError, match="same outcome"):
        replicate_selection(logistic_problem(("x",), x, outcome), np.resize(np.flatnonzero(outcome), 60))


def test_an_elimination_that_fails_on_the_patients_themselves_has_its_reason():
    x = np.linspace(-1, 1, 40)[:, None]
    with pytest.raises(NotEstimableError, match="separate"):
        judge_selection(logistic_problem(("x",), x, x[:, 0] > 0), n_resamples=3, seed=0)
    with pytest.raises(NotEstimableError, match="same value"):
        judge_selection(logistic_problem(("x",), np.ones((40, 1)), x[:, 0] > 0), n_resamples=3, seed=0)


def test_more_than_5_000_patients_are_not_resampled():
    n = MOST_PATIENTS + 1
    with pytest.raises(NotEstimableError, match="at most 5,000 patients"):
        judge_selection(noise(1, seed=0, n=n), n_resamples=1, seed=0)


# Laws


def test_the_same_seed_tells_the_same_and_another_seed_another():
    problem = noise(4, seed=3)
    first = judge_selection(problem, n_resamples=10, seed=1)
    assert judge_selection(problem, n_resamples=10, seed=1) == first
    assert judge_selection(problem, n_resamples=10, seed=2) != first


@pytest.mark.parametrize("name", ["cox", "logistic"])
def test_units_do_not_matter(name):
    problem = reference_problem(name)
    units = 10.0 ** np.arange(-4, len(problem.names) - 4)
    found = judge_selection(problem, n_resamples=3, seed=4)
    rescaled = judge_selection(replace(problem, matrix=problem.matrix * units + 7), n_resamples=3, seed=4)
    assert rescaled.inclusion_percent == found.inclusion_percent
    assert rescaled.optimism == pytest.approx(found.optimism, abs=1e-9)
    assert rescaled.calibration_slope == pytest.approx(found.calibration_slope, rel=1e-6)


def test_noise_comes_back_as_often_as_its_p_says():
    # Over data and resamples z has variance 2: one of the patients, one of the draw. P(|z| > 1.645) = 0.245.
    found = [judge_selection(noise(2, seed), n_resamples=12, seed=seed) for seed in range(60)]
    percents = [percent for one in found for percent in one.inclusion_percent.values()]
    assert np.mean(percents) == pytest.approx(24.5, abs=6)


def test_among_patients_noise_is_chosen_as_often_as_the_threshold():
    chosen = [len(replicate_selection(noise(4, seed), np.arange(100)).retained) for seed in range(150)]
    assert np.mean(chosen) / 4 == pytest.approx(0.10, abs=0.04)


def test_noise_makes_optimism_and_more_noise_more_of_it():
    def optimism(n_columns):
        found = [judge_selection(noise(n_columns, seed), n_resamples=8, seed=seed) for seed in range(12)]
        return float(np.mean([one.optimism for one in found]))

    few, many = optimism(3), optimism(12)
    assert 0 < few < many


def test_the_models_of_noise_are_too_extreme():
    found = [judge_selection(noise(8, seed), n_resamples=8, seed=seed) for seed in range(6)]
    assert np.mean([one.calibration_slope for one in found]) < 0.7


def test_standardised_columns_have_mean_0_and_spread_1():
    scaled = standardised(np.random.default_rng(0).lognormal(5, 2, size=(30, 3)))
    np.testing.assert_allclose(scaled.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(scaled.std(axis=0), 1)
