"""Scores judged by outcomes: by hand, by R, and by how often the alarm is false or late."""

from datetime import date, timedelta
from math import log

import numpy as np
import polars as pl
import pytest
from scipy.special import expit

from models.prediction.monitoring import evidence_against, judge_scores, observed_to_expected
from tests.reference.expected import assert_same, expected

PLACES = np.arange(1, 121)
P = expit(np.sin(PLACES) - 0.3)
Y = (PLACES * 7) % 11 < 5


def scored(has_asl, probability, *, a_day=1):
    n = len(has_asl)
    return pl.DataFrame(
        {
            "site": ["S1"] * n,
            "patient_id": [f"P{i:04d}" for i in range(n)],
            "due_date": [date(2026, 1, 1) + timedelta(days=i // a_day) for i in range(n)],
            "probability": np.asarray(probability, dtype=float),
            "has_asl": np.asarray(has_asl, dtype=bool),
        }
    )


def drawn(seed, *, n, factor=1.0, since=0):
    """Scores, and outcomes whose odds are `factor` times those scored from one outcome on."""
    generator = np.random.default_rng(seed)
    log_odds = generator.normal(-0.4, 0.9, n)
    true = expit(log_odds + log(factor) * (np.arange(n) >= since))
    return generator.random(n) < true, expit(log_odds)


def first_alarm(has_asl, probability):
    """How many outcomes until then; more than there are where there is none."""
    evidence = np.logaddexp(*evidence_against(has_asl, probability)) - log(2)
    crossed = np.flatnonzero(evidence >= log(20))
    return int(crossed[0]) + 1 if len(crossed) else 10**6


def test_the_money_after_one_outcome_by_hand():
    # Half of each purse sleeps. At p = 1/2 an event pays 2 f / (1 + f) for odds f; the constant is p itself.
    pays = [2 * f / (1 + f) for f in (1 / 3, 1 / 2, 2 / 3, 3 / 2, 2, 3)]
    course = judge_scores(scored([True], [0.5])).course
    assert course["evidence_odds"][0] == pytest.approx(0.5 + 0.5 * sum(pays) / 6)
    assert course["evidence_constant"][0] == pytest.approx(1.0)


@pytest.mark.parametrize("n", [1, 10, 26, 60, 120])
def test_the_evidence_is_rs(n):
    last = judge_scores(scored(Y[:n], P[:n])).course.row(-1, named=True)
    ours = {"odds": last["evidence_odds"], "constant": last["evidence_constant"], "all": last["evidence"]}
    assert_same(ours, expected("evidence", of="monitoring.csv")[f"after_{n}"])


@pytest.mark.parametrize("n", [1, 10, 120])
def test_observed_to_expected_has_rs_exact_limits(n):
    found = observed_to_expected(int(Y[:n].sum()), P[:n])
    ours = {"value": found.value, "low": found.ci_low, "high": found.ci_high}
    assert_same(ours, expected("observed_to_expected", of="monitoring.csv")[f"first_{n}"])


def test_limits_are_there_where_nobody_or_everybody_has_the_event():
    nobody, everybody = observed_to_expected(0, np.full(4, 0.5)), observed_to_expected(4, np.full(4, 0.5))
    assert (nobody.value, nobody.ci_low, everybody.value, everybody.ci_high) == (0, 0, 2, 2)
    assert 0 < nobody.ci_high < 2
    assert 0 < everybody.ci_low < 2


def test_a_bet_is_worth_as_much_on_average_as_it_costs():
    # Over all outcomes of six patients, weighted by the scores: a martingale has mean 1, whatever is bet.
    p = np.array([0.1, 0.7, 0.4, 0.02, 0.9, 0.5])
    mean = 0.0
    for number in range(2**6):
        has_asl = np.array([number >> place & 1 for place in range(6)], dtype=bool)
        weight = np.prod(np.where(has_asl, p, 1 - p))
        mean += weight * np.exp(np.array(evidence_against(has_asl, p))[:, -1])
    np.testing.assert_allclose(mean, 1.0, rtol=1e-12)


def test_at_most_five_of_a_hundred_sound_scores_raise_an_alarm_in_500_outcomes():
    alarms = [first_alarm(*drawn(seed, n=500)) <= 500 for seed in range(1000)]
    assert np.mean(alarms) <= 0.05


@pytest.mark.parametrize(("factor", "since", "most"), [(2.0, 0, 120), (0.5, 0, 120), (2.0, 200, 190)])
def test_odds_off_by_two_are_told_in_time(factor, since, most):
    delays = [first_alarm(*drawn(seed, n=800, factor=factor, since=since)) - since for seed in range(100)]
    assert np.median(delays) <= most


def test_scores_that_know_nothing_are_told_from_scores_that_do():
    generator = np.random.default_rng(5)
    result = judge_scores(scored(generator.random(300) < 0.4, expit(generator.normal(-0.4, 1.4, 300))))
    assert result.state == "alarm"
    assert result.because == "one probability for all is nearer than the scores"
    assert result.auc.ci_low < 0.5 < result.auc.ci_high


def test_an_alarm_keeps_its_first_day_however_well_it_goes_after():
    has_asl, probability = drawn(1, n=60, factor=5.0)
    better, their_scores = drawn(2, n=3000)
    result = judge_scores(scored(np.append(has_asl, better), np.append(probability, their_scores)))
    above = result.course.filter(pl.col("evidence") >= result.limit)
    assert result.course["evidence"][-1] < result.limit
    assert (result.state, result.because) == ("alarm", "the odds of the event are off on the whole")
    assert result.alarm_since == above["due_date"][0]
    assert result.after_n_outcomes == above["n"][0] <= 60


def test_the_order_of_rows_does_not_matter_and_later_outcomes_change_no_earlier_line():
    rows = scored(Y, P, a_day=2)
    shuffled = judge_scores(rows.sample(fraction=1.0, shuffle=True, seed=3))
    assert shuffled.course.equals(judge_scores(rows).course)
    first = judge_scores(rows.head(60)).course
    assert first.equals(shuffled.course.head(first.height))
    assert shuffled.course["n"].to_list() == list(range(2, 121, 2))


def test_nothing_to_judge_yet_is_in_control():
    result = judge_scores(scored([], []))
    assert (result.state, result.n, result.course.height) == ("in control", 0, 0)
    assert result.observed_to_expected.value is None
    assert result.auc.value is None
    assert result.why_no_auc is not None


def test_a_score_that_was_sure_and_wrong_is_an_alarm_and_no_infinite_number():
    result = judge_scores(scored([True, True], [0.0, 0.0]))
    assert result.state == "alarm"
    assert np.isfinite(result.course["evidence"].to_numpy()).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"probability": 1.2}, "from 0 to 1"),
        ({"probability": None}, "from 0 to 1"),
        ({"probability": float("nan")}, "from 0 to 1"),
        ({"has_asl": None}, "outcome"),
        ({"due_date": None}, "due date"),
        ({"patient_id": "P0001"}, "one row a patient"),
    ],
)
def test_rows_that_cannot_be_judged_are_refused(change, words):
    rows = scored([True, False, True], [0.5, 0.5, 0.5])
    ((name, value),) = change.items()
    wrong = pl.Series(name, [value, *rows[name].to_list()[1:]], dtype=rows[name].dtype)
    with pytest.raises(ValueError, match=words):
        judge_scores(rows.with_columns(wrong))


def test_a_million_scores_are_judged_in_bounded_time():
    generator = np.random.default_rng(0)
    p = expit(generator.normal(size=1_000_000))
    assert np.isfinite(np.array(evidence_against(generator.random(len(p)) < p, p))).all()
