"""Imputation by hand and against a simulated truth; Rubin's rules and the cumulative hazard against R."""

import math

import numpy as np
import pytest

from models.imputation import (
    N_DONORS,
    Drawn,
    cumulative_hazard,
    impute_chained,
    match_predictive_means,
    pool,
    refuse_imputing,
)
from models.resampling import SubsetFits
from models.survival.partial_likelihood import PartialLikelihood
from tests.reference.expected import assert_same, expected, read_cohort, read_ties
from transforms.errors import NotEstimableError

NAN = math.nan


def gaps(n: int = 60, seed: int = 0) -> np.ndarray:
    """A complete column, a related one and a binary one with a fifth missing each."""
    rng = np.random.default_rng(seed)
    first = rng.normal(size=n)
    columns = np.column_stack(
        [first, first + rng.normal(size=n), (first + rng.normal(size=n) > 0).astype(float)]
    )
    columns[rng.random(n) < 0.2, 1] = NAN
    columns[rng.random(n) < 0.2, 2] = NAN
    return columns


def imputed(columns: np.ndarray, n_imputations: int = 1, seed: int = 1) -> list[np.ndarray]:
    return list(impute_chained(columns, n_imputations=n_imputations, seed=seed))


# The imputation


def test_known_values_and_complete_columns_pass_unchanged():
    columns = gaps()
    for completed in imputed(columns, 3):
        known = np.isfinite(columns)
        np.testing.assert_array_equal(completed[known], columns[known])
        assert np.isfinite(completed).all()


def test_every_imputed_value_is_one_that_a_patient_has():
    columns = gaps()
    for completed in imputed(columns, 3):
        for column in (1, 2):
            assert set(completed[:, column]) <= set(columns[np.isfinite(columns[:, column]), column])


def test_the_columns_given_are_not_written_into():
    columns = gaps()
    before = columns.copy()
    imputed(columns)
    np.testing.assert_array_equal(columns, before)


def test_the_same_seed_imputes_the_same_however_many_follow():
    columns = gaps()
    first, second = imputed(columns, 2)
    np.testing.assert_array_equal(imputed(columns, 1)[0], first)
    assert (first != second).any()
    assert (imputed(columns, 1, seed=2)[0] != first).any()


def test_units_do_not_matter():
    columns = gaps()
    units = np.array([1e-3, 75_000.0, 2.0])
    np.testing.assert_allclose(imputed(columns * units)[0], imputed(columns)[0] * units)


def test_donors_are_the_five_with_the_nearest_prediction():
    # The value is twice the predictor without error, so that nothing of the coefficients is left to chance.
    predictor = np.append(np.arange(20.0), [10.2, -5.0, 99.0])
    design = np.column_stack([np.ones(23), predictor])
    is_known = np.arange(23) < 20
    rng = np.random.default_rng(0)
    drawn = np.array([match_predictive_means(design, 2 * predictor, is_known, rng=rng) for _ in range(200)])
    assert [set(column.tolist()) for column in drawn.T] == [
        {8, 9, 10, 11, 12},
        {0, 1, 2, 3, 4},
        {15, 16, 17, 18, 19},
    ]
    shares = np.bincount(drawn[:, 0])[8:] / 200
    np.testing.assert_allclose(shares, 1 / N_DONORS, atol=0.1)


def test_who_lacks_the_value_is_predicted_by_drawn_coefficients():
    # By fitted ones the donors would be the same five in every draw.
    rng = np.random.default_rng(0)
    predictor = np.append(np.linspace(-2, 2, 40), 1.0)
    values = predictor + 2 * rng.normal(size=41)
    design, is_known = np.column_stack([np.ones(41), predictor]), np.arange(41) < 40
    drawn = {int(match_predictive_means(design, values, is_known, rng=rng)[0]) for _ in range(100)}
    assert len(drawn) > 10


def test_with_fewer_than_five_donors_all_are_near():
    design = np.column_stack([np.ones(5), np.arange(5.0)])
    rng = np.random.default_rng(0)
    drawn = [match_predictive_means(design, np.arange(5.0), np.arange(5) < 3, rng=rng) for _ in range(50)]
    assert set(np.concatenate(drawn).tolist()) == {0, 1, 2}


def test_among_equal_predictions_chance_decides_who_is_near():
    design, is_known = np.ones((101, 1)), np.arange(101) < 100
    rng = np.random.default_rng(0)
    values = np.random.default_rng(1).normal(size=101)
    drawn = [int(match_predictive_means(design, values, is_known, rng=rng)[0]) for _ in range(500)]
    assert len(set(drawn)) > 90


def test_constant_and_repeated_columns_are_no_obstacle():
    columns = gaps()
    columns = np.column_stack([columns, np.ones(60), columns[:, 0] * 3, columns[:, 1]])
    columns[5, 3] = NAN
    (completed,) = imputed(columns)
    assert np.isfinite(completed).all()
    assert completed[5, 3] == 1.0


def test_a_relation_is_kept_by_what_is_imputed():
    rng = np.random.default_rng(0)
    x = rng.normal(size=400)
    columns = np.column_stack([x, 2 * x + 0.5 * rng.normal(size=400)])
    missing = rng.random(400) < 0.4
    columns[missing, 1] = NAN
    (completed,) = imputed(columns)
    assert np.corrcoef(completed[missing].T)[0, 1] > 0.9


# What is not imputed


def test_a_variable_that_is_mostly_missing_is_not_imputed():
    refuse_imputing(np.array([1.0] * 40 + [NAN] * 60))
    with pytest.raises(NotEstimableError, match="missing in 61 % of patients"):
        refuse_imputing(np.array([1.0] * 39 + [NAN] * 61))


def test_a_variable_with_fewer_than_ten_known_values_is_not_imputed():
    refuse_imputing(np.array([1.0] * 10 + [NAN] * 2))
    with pytest.raises(NotEstimableError, match=r"known in only 9 patient\(s\)"):
        refuse_imputing(np.array([1.0] * 9 + [NAN] * 2))


def test_a_complete_variable_is_no_matter_how_few():
    assert refuse_imputing(np.array([1.0, 2.0])) is None


# Rubin's rules

FIVE = [0.4, 0.55, 0.31, 0.62, 0.47], [0.04, 0.05, 0.045, 0.038, 0.052]
ALIKE = [0.7, 0.7, 0.7], [0.09, 0.09, 0.09]


def drawn(estimates, variances) -> list[Drawn]:
    return [Drawn(*pair) for pair in zip(estimates, variances, strict=True)]


@pytest.mark.parametrize(
    ("case", "parts", "complete"),
    [
        ("five", FIVE, 94),
        ("two_far_apart", ([-1.2, 0.9], [0.01, 0.02]), 19),
        ("nearly_complete", ([0.7, 0.700001, 0.699999], [0.09, 0.09, 0.09]), 57),
        ("all_the_same", ALIKE, 57),
        ("endless_data", FIVE, math.inf),
    ],
)
def test_pooling_is_mices(case, parts, complete):
    found = pool(drawn(*parts), complete_degrees_of_freedom=complete)
    numbers = {
        "estimate": found.estimate,
        "standard_error": found.standard_error,
        "degrees_of_freedom": found.degrees_of_freedom,
        "fraction_missing_information": found.fraction_missing_information,
        "p": found.p,
        "ratio": found.ratio.value,
        "ci_low": found.ratio.ci_low,
        "ci_high": found.ratio.ci_high,
    }
    assert_same(numbers, expected(case, of="imputation.csv")["pooled"])


def test_pooling_by_hand():
    # Means 2 and 1; between 2; total 1 + 1.5 x 2 = 4, three quarters of it from what is missing.
    found = pool(drawn([1.0, 3.0], [0.5, 1.5]))
    assert (found.estimate, found.standard_error) == (2.0, 2.0)
    assert found.degrees_of_freedom == pytest.approx(1 / 0.75**2)
    assert found.n_imputations == 2


@pytest.mark.parametrize("parts", [([], []), ([1.0], [1.0])])
def test_fewer_than_two_imputations_are_not_pooled(parts):
    with pytest.raises(NotEstimableError, match="two imputations"):
        pool(drawn(*parts))


def test_the_more_imputations_differ_the_more_information_is_missing():
    spreads = [0.0, 0.1, 0.3, 1.0]
    found = [pool(drawn([-s, 0.0, s], [0.1] * 3), complete_degrees_of_freedom=90) for s in spreads]
    lost = [one.fraction_missing_information for one in found]
    assert lost == sorted(lost)
    assert [one.standard_error for one in found] == sorted(one.standard_error for one in found)
    assert all(0 < share < 1 for share in lost)


# The cumulative hazard


def test_the_cumulative_hazard_by_hand():
    # Two of four die at 1, one of the two left is censored at 2, the last dies at 3.
    found = cumulative_hazard(np.array([1.0, 1, 2, 3]), np.array([True, True, False, True]))
    np.testing.assert_allclose(found, [0.5, 0.5, 0.5, 1.5])


@pytest.mark.parametrize("case", ["ties", "cohort"])
def test_the_cumulative_hazard_is_rs(case):
    frame = read_ties() if case == "ties" else read_cohort()
    columns = ("time", "event") if case == "ties" else ("os_months", "has_died")
    found = cumulative_hazard(*(frame[column].to_numpy() for column in columns))
    of_r = expected(case, of="imputation.csv")["hazard"]
    assert_same({f"row_{i}": value for i, value in enumerate(found)}, of_r)


# A truth that complete patients miss


def simulate(seed: int, n: int = 400):
    """Survival by two related variables, log hazard ratios 1 and -0.5; the first is often not measured in
    those who die early, so that complete patients tell too strong an effect."""
    rng = np.random.default_rng(seed)
    second = rng.normal(size=n)
    first = 0.5 * second + rng.normal(size=n)
    death, contact = rng.exponential(1 / np.exp(first - 0.5 * second)), rng.uniform(0.5, 3, n)
    durations, events = np.minimum(death, contact), death <= contact
    measured = np.where(rng.random(n) < np.where(events & (durations < 0.6), 0.7, 0.05), NAN, first)
    return np.column_stack([measured, second]), durations, events


def log_hazard_ratio(columns, durations, events) -> Drawn:
    likelihood = PartialLikelihood(columns, durations, events)
    found = SubsetFits(("first", "second"), columns, likelihood).fit(("first", "second")).coefficients[0]
    return Drawn(found.estimate, found.standard_error**2)


def test_imputation_recovers_what_complete_patients_miss():
    complete, pooled = [], []
    for seed in range(8):
        columns, durations, events = simulate(seed)
        known = np.isfinite(columns[:, 0])
        complete.append(log_hazard_ratio(columns[known], durations[known], events[known]).estimate)
        outcome = [events.astype(float), cumulative_hazard(durations, events)]
        filled = imputed(np.column_stack([columns, *outcome]), 5, seed=seed)
        pooled.append(pool([log_hazard_ratio(one[:, :2], durations, events) for one in filled]).estimate)
    assert np.mean(complete) > 1.12
    assert np.mean(pooled) == pytest.approx(1.0, abs=0.1)
    assert abs(np.mean(pooled) - 1) < abs(np.mean(complete) - 1) / 2
