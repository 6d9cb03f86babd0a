"""Concordance against pairs counted by hand and one by one, R's numbers and laws."""

from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.roc import estimate_roc
from models.survival.concordance import count_concordance
from tests.reference.expected import TOLERANCE, expected, read_cohort, read_third_party, read_ties
from transforms.errors import NotEstimableError

PATIENTS = st.lists(st.tuples(st.integers(-3, 3), st.integers(0, 6), st.booleans()), min_size=2, max_size=25)


def arrays(patients):
    scores, durations, events = zip(*patients, strict=True)
    return np.array(scores, dtype=float), np.array(durations, dtype=float), np.array(events)


def count_one_by_one(patients):
    signs = [
        np.sign(score - other_score)
        for (score, time, event), (other_score, other_time, other_event) in permutations(patients, 2)
        if event and (other_time > time or (other_time == time and not other_event))
    ]
    return signs.count(1), signs.count(-1), signs.count(0)


def counts(found):
    return found.concordant, found.discordant, found.tied_score


# Worked by hand


def test_four_patients_by_hand():
    # Dead at 1 with 5; censored at 2 with 9; dead at 3 with 2; alive at 4 with 3. Pairs: the first with all
    # others (1 discordant, 2 concordant), the third with the last (discordant).
    found = count_concordance(*arrays([(5, 1, True), (9, 2, False), (2, 3, True), (3, 4, False)]))
    assert counts(found) == (2, 2, 0)
    assert found.value == 0.5


def test_a_tied_score_counts_half():
    found = count_concordance(*arrays([(1, 1, True), (1, 2, False), (0, 3, False)]))
    assert counts(found) == (1, 0, 1)
    assert found.value == 0.75


def test_at_one_time_an_event_comes_before_the_censored_and_two_events_are_no_pair():
    found = count_concordance(*arrays([(2, 1, True), (3, 1, True), (1, 1, False)]))
    assert counts(found) == (2, 0, 0)


def test_an_empty_model_is_chance():
    assert count_concordance(np.zeros(3), np.array([1.0, 2, 3]), np.array([True, True, False])).value == 0.5


@pytest.mark.parametrize(
    "patients", [[(1, 1, False), (2, 2, False)], [(1, 1, True)], [(1, 1, True), (2, 1, True)]]
)
def test_without_a_pair_there_is_a_reason(patients):
    with pytest.raises(NotEstimableError, match="who had the event first"):
        count_concordance(*arrays(patients))


# One by one


@given(PATIENTS)
def test_the_counts_are_those_of_all_pairs_one_by_one(patients):
    by_hand = count_one_by_one(patients)
    if sum(by_hand):
        assert counts(count_concordance(*arrays(patients))) == by_hand


# R's numbers


def assert_is_rs(case, durations, events, scores):
    found = count_concordance(scores.to_numpy().astype(float), durations.to_numpy(), events.to_numpy())
    of_r = expected(case, of="resampling.csv")["concordance"]
    assert counts(found) == (of_r["concordant"], of_r["discordant"], of_r["tied_score"])
    assert found.value == pytest.approx(of_r["value"], rel=TOLERANCE)


@pytest.mark.parametrize(
    ("case", "word"), [("cohort_ptv", "ptv_per_100_cm3"), ("cohort_stage", "uicc_ordinal")]
)
def test_the_cohorts_concordance_is_rs(case, word):
    frame = read_cohort()
    assert_is_rs(case, frame["os_months"], frame["has_died"], frame[word])


@pytest.mark.parametrize("word", ["x", "y"])
def test_with_heavy_ties_it_is_rs(word):
    frame = read_ties()
    assert_is_rs(f"ties_{word}", frame["time"], frame["event"], frame[word])


@pytest.mark.parametrize(("name", "word"), [("lung", "ph.ecog"), ("pbc", "bili"), ("gbsg2", "pnodes")])
def test_on_third_party_data_it_is_rs(name, word):
    frame = read_third_party(name)
    assert_is_rs(name, frame["time"], frame["event"], frame[word])


# Laws


@given(PATIENTS)
def test_the_score_turned_round_gives_the_complement(patients):
    scores, durations, events = arrays(patients)
    if sum(count_one_by_one(patients)):
        found = count_concordance(scores, durations, events).value
        assert count_concordance(-scores, durations, events).value == pytest.approx(1 - found)


def test_only_the_order_of_the_scores_and_not_of_the_rows_matters():
    rng = np.random.default_rng(3)
    scores, durations, events = (
        rng.normal(size=200),
        rng.integers(0, 30, 200).astype(float),
        rng.random(200) < 0.5,
    )
    found = count_concordance(scores, durations, events)
    assert count_concordance(np.exp(3 * scores), durations * 1e6, events) == found
    shuffled = rng.permutation(200)
    assert count_concordance(scores[shuffled], durations[shuffled], events[shuffled]) == found


def test_of_two_durations_it_is_the_area_under_the_roc_curve():
    frame = read_cohort()
    scores, outcome = frame["baseline_tlc_cells_per_ul"].to_numpy(), frame["has_asl"].to_numpy()
    found = count_concordance(scores, (~outcome).astype(float), outcome)
    assert found.value == pytest.approx(estimate_roc(scores, outcome).auc.value, rel=1e-12)
