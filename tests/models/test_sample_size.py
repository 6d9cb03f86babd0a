"""Riley's sample sizes against published numbers, R's, simulation and laws."""

import numpy as np
import pytest

from models.prediction.clustered_auc import estimate_auc
from models.prediction.sample_size import (
    _for_shrinkage,
    cox_snell_r2_of_auc,
    describe_sample_size,
    largest_cox_snell_r2,
    required_sample_size,
    sample_size_of_data,
)
from tests.models.prediction_scores import in_r
from transforms.errors import NotEstimableError


def needs(needed):
    return {criterion.name: criterion.n for criterion in needed.criteria}


# Published


@pytest.mark.parametrize(
    ("prevalence", "largest"),
    [(0.5, 0.75), (0.4, 0.74), (0.3, 0.71), (0.2, 0.63), (0.1, 0.48), (0.05, 0.33), (0.01, 0.11)],
)
def test_the_largest_r2_is_that_of_the_papers_table(prevalence, largest):
    assert round(largest_cox_snell_r2(prevalence), 2) == largest  # BMJ 2020;368:m441


@pytest.mark.parametrize(
    ("r2", "parameters", "prevalence", "shrinkage", "risk"),
    [
        (0.288, 24, 0.174, 623, 221),
        (0.55, 24, 0.174, 255, 221),
        (0.288, 36, 0.174, 934, 221),
        (0.288, 24, 0.25, 623, 289),
    ],
)
def test_shrinkage_and_overall_risk_are_pmsampsizes(r2, parameters, prevalence, shrinkage, risk):
    # As in the tests that R's pmsampsize is released with; the first is Riley 2019's example.
    found = needs(required_sample_size(prevalence=prevalence, n_parameters=parameters, cox_snell_r2=r2))
    assert (found["shrinkage"], found["overall risk"]) == (shrinkage, risk)


@pytest.mark.parametrize(
    ("r2", "parameters", "largest", "n"),
    [(0.288, 24, 0.60, 668), (0.55, 24, 0.60, 532), (0.288, 36, 0.60, 1002), (0.288, 24, 0.68, 583)],
)
def test_optimism_is_that_of_pmsampsizes_first_version(r2, parameters, largest, n):
    # Which rounded the largest R2 to two digits and the shrinkage to three; the formula is the same.
    assert _for_shrinkage(round(r2 / (r2 + 0.05 * largest), 3), parameters, r2) == n


@pytest.mark.parametrize(
    ("parameters", "prevalence", "n"), [(30, 0.05, 544), (10, 0.3, 461), (24, 0.17, 792)]
)
def test_the_mean_absolute_error_is_the_papers(parameters, prevalence, n):
    # The first is the paper's, on pre-eclampsia: 544 women for an error of 0.05.
    needed = required_sample_size(prevalence=prevalence, n_parameters=parameters, cox_snell_r2=0.05)
    assert needs(needed)["mean absolute error"] == n


def test_the_papers_example_of_pre_eclampsia():
    needed = required_sample_size(prevalence=0.05, n_parameters=30, cox_snell_r2=0.05)
    assert needs(needed)["shrinkage"] == needed.n == 5249
    assert (needs(needed)["overall risk"], needed.n_events, needed.deciding.name) == (73, 263, "shrinkage")


def test_an_area_of_089_is_the_r2_of_the_packages_example():
    # pmsampsize has 0.288 for this model, and simulates a million patients for its area of 0.89.
    assert cox_snell_r2_of_auc(0.89, 0.174) == pytest.approx(0.29, abs=0.005)


# R's numbers


@pytest.mark.parametrize("place", range(1, 61))
def test_criteria_are_rs(place):
    of_r = in_r("riley")[str(place)]
    r2 = cox_snell_r2_of_auc(of_r["auc"], of_r["share"])
    needed = required_sample_size(prevalence=of_r["share"], n_parameters=int(of_r["k"]), cox_snell_r2=r2)
    assert (r2, needed.largest_r2) == pytest.approx((of_r["r2"], of_r["largest_r2"]), rel=1e-9)
    assert {name.replace(" ", "_"): n for name, n in needs(needed).items()} == {
        name: of_r[name] for name in ("overall_risk", "mean_absolute_error", "shrinkage", "optimism")
    }
    assert (needed.n, needed.n_events) == (of_r["n"], of_r["n_events"])


# Laws


@pytest.mark.parametrize(("auc", "prevalence"), [(0.7, 0.42), (0.85, 0.2)])
def test_r2_is_that_of_a_million_simulated_patients(auc, prevalence):
    rng = np.random.default_rng(1)
    has_event = np.arange(1_000_000) < prevalence * 1_000_000
    distance = np.sqrt(2) * {0.7: 0.5244005127080407, 0.85: 1.0364333894937898}[auc]
    score = rng.normal(np.where(has_event, distance, 0.0))
    log_odds = np.log(prevalence / (1 - prevalence)) + distance * score - distance**2 / 2
    gain = np.logaddexp(0, np.where(has_event, -log_odds, log_odds)).mean()
    null = -(prevalence * np.log(prevalence) + (1 - prevalence) * np.log(1 - prevalence))
    assert estimate_auc(has_event, score).value == pytest.approx(auc, abs=0.002)
    assert cox_snell_r2_of_auc(auc, prevalence) == pytest.approx(1 - np.exp(2 * (gain - null)), abs=0.002)


def test_r2_goes_from_nothing_to_the_largest():
    found = [cox_snell_r2_of_auc(auc, 0.42) for auc in (0.5, 0.6, 0.75, 0.9, 0.99, 0.999999)]
    assert found[0] == pytest.approx(0, abs=1e-12)
    assert found == sorted(found)
    assert found[-1] == pytest.approx(largest_cox_snell_r2(0.42), abs=1e-3)
    assert found[-1] < largest_cox_snell_r2(0.42)


def test_more_parameters_need_more_patients_and_a_better_area_fewer():
    n = [sample_size_of_data(n=98, n_events=41, n_parameters=k, auc=0.7).n for k in (2, 10, 20)]
    assert n == sorted(set(n))
    better = [sample_size_of_data(n=98, n_events=41, n_parameters=20, auc=auc).n for auc in (0.6, 0.7, 0.8)]
    assert better == sorted(set(better), reverse=True)


# In words


def test_too_few_patients_are_told_plainly():
    needed = sample_size_of_data(n=98, n_events=41, n_parameters=5, auc=0.7)
    assert describe_sample_size(needed, n=98, n_events=41) == (
        "With 41 events among 98 patients and 5 parameters the data are too few: 374 patients with "
        "157 events would be needed, so that the overall risk is known within 0.05; "
        "take the probabilities as rough."
    )


def test_enough_patients_are_told_plainly():
    needed = sample_size_of_data(n=1000, n_events=420, n_parameters=1, auc=0.7)
    assert describe_sample_size(needed, n=1000, n_events=420) == (
        "With 420 events among 1000 patients and 1 parameter the data are enough: 375 patients with "
        "158 events are needed, so that the overall risk is known within 0.05."
    )


@pytest.mark.parametrize("k", [5, 40])
def test_what_decides_is_told(k):
    needed = sample_size_of_data(n=98, n_events=41, n_parameters=k, auc=0.6)
    assert "so that effects need to shrink by no more than 10%" in describe_sample_size(
        needed, n=98, n_events=41
    )


# What cannot be estimated


@pytest.mark.parametrize(("n", "n_events"), [(0, 0), (98, 0), (98, 98)])
def test_one_outcome_only_is_not_estimable(n, n_events):
    with pytest.raises(NotEstimableError):
        sample_size_of_data(n=n, n_events=n_events, n_parameters=5, auc=0.7)


def test_a_model_that_tells_nothing_is_not_estimable():
    with pytest.raises(NotEstimableError, match="no better with more patients"):
        required_sample_size(prevalence=0.4, n_parameters=5, cox_snell_r2=0.0)


@pytest.mark.parametrize(("k", "r2"), [(0, 0.1), (5, 0.75)])
def test_numbers_that_cannot_be_are_refused(k, r2):
    with pytest.raises(ValueError, match="expected"):
        required_sample_size(prevalence=0.4, n_parameters=k, cox_snell_r2=r2)


@pytest.mark.parametrize("auc", [0.4, 1.0])
def test_an_area_that_cannot_be_is_refused(auc):
    with pytest.raises(ValueError, match="expected"):
        cox_snell_r2_of_auc(auc, 0.4)
