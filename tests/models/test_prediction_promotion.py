"""When a challenger becomes champion: each gate, the fair comparison, and how often the verdict is right."""

import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from models.prediction.comparison import Trial, compare
from models.prediction.promotion import MARGIN, MIN_NEW_EVENTS, Decision, judge
from tests.benchmarks.promotion import SCENARIOS, WITHOUT_THE_STRONGEST, Scenario, run_nights, run_trial
from tests.reference.expected import assert_same, expected
from transforms.champions import PastJudgements
from transforms.schemas.prediction import NIGHT_DECISIONS

PLACES = np.arange(1, 121)


def drawn(*, seed=1, n=400, champion=0.3, challenger=1.0):
    """A trial on patients who are all new; each side knows the given share of the true log-odds."""
    generator = np.random.default_rng(seed)
    log_odds = generator.normal(-0.4, 1.2, n)
    return Trial(
        has_asl=generator.random(n) < expit(log_odds),
        challenger=expit(challenger * log_odds),
        champion=None if champion is None else expit(champion * log_odds),
        is_new=np.full(n, True),
    )


def closed(verdict):
    return [gate.name for gate in verdict.gates if not gate.is_open]


def decision(trial, **kwargs):
    return judge(trial, seed=1, **kwargs).decision


# Figures


def test_gains_slope_and_ratio_are_rs():
    trial = Trial(
        has_asl=(PLACES * 7) % 11 < 5,
        challenger=expit(np.sin(PLACES) - 0.3),
        champion=expit(np.cos(PLACES) - 0.3),
        is_new=np.full(120, True),
    )
    found, of_r = compare(trial, seed=1, error=0.05), expected("gain", of="monitoring.csv")
    assert_same({"champion": found.gain.value, "constant": found.gain_over_constant.value}, of_r["all"])
    ours = {"slope": found.slope.value, "observed_to_expected": found.observed_to_expected.value}
    assert_same(ours, of_r["alone"])


def test_the_gain_of_two_patients_by_hand():
    # log(0.8 / 0.5) and log(0.6 / 0.5), half of each.
    trial = Trial(np.array([True, False]), np.array([0.8, 0.4]), np.array([0.5, 0.5]), np.full(2, True))
    assert compare(trial, seed=1, error=0.05).gain.value == pytest.approx(np.log(1.6 * 1.2) / 2)


def test_the_interval_of_a_gain_is_that_of_a_mean():
    trial = drawn(n=2000)
    gains = trial.gains(trial.rival, trial.is_compared)
    reach = 1.96 * gains.std(ddof=1) / np.sqrt(2000)
    found = compare(trial, seed=1, error=0.05).gain
    assert found.ci_low == pytest.approx(found.value - reach, abs=0.05 * reach)
    assert found.ci_high == pytest.approx(found.value + reach, abs=0.05 * reach)


def test_only_patients_new_to_the_champion_are_compared():
    trial = drawn()
    is_new = np.arange(400) >= 150
    lucky = np.where(is_new, trial.champion, np.where(trial.has_asl, 0.999, 0.001))
    seen = judge(replace(trial, champion=lucky, is_new=is_new), seed=1)
    unread = judge(replace(trial, champion=np.where(is_new, lucky, np.nan), is_new=is_new), seed=1)
    assert seen == unread
    assert seen.n_events_judged == int(trial.has_asl[is_new].sum())


def test_neither_the_order_of_rows_nor_of_patients_numbers_changes_a_verdict():
    trial = drawn(n=300)
    patient, order = np.arange(300) // 5, np.random.default_rng(4).permutation(300)
    sex = ["female" if i % 3 else "male" for i in range(300)]
    for whose in (None, patient):
        whole = replace(trial, patient=whose, subgroups={"sex": sex})
        moved = Trial(
            trial.has_asl[order],
            trial.challenger[order],
            champion=trial.champion[order],
            is_new=trial.is_new[order],
            patient=None if whose is None else whose[order],
            subgroups={"sex": [sex[i] for i in order]},
        )
        assert judge(moved, seed=7) == judge(whole, seed=7)


def test_many_rows_of_a_patient_are_not_many_patients():
    one = drawn(n=150)
    five = Trial(
        np.repeat(one.has_asl, 5),
        np.repeat(one.challenger, 5),
        champion=np.repeat(one.champion, 5),
        is_new=np.repeat(one.is_new, 5),
        patient=np.repeat(np.arange(150), 5),
    )
    of_rows, of_patients = judge(five, seed=1), judge(one, seed=1)
    assert of_rows.decision is of_patients.decision
    assert of_rows.n_events_judged == of_patients.n_events_judged
    for name in ("gain", "gain_low", "gain_high", "auc", "auc_low", "auc_high"):
        assert of_rows.figures[name] == pytest.approx(of_patients.figures[name])


@pytest.mark.parametrize("wrong", [{"challenger": np.full(400, np.nan)}, {"champion": np.full(400, 1.5)}])
def test_what_is_no_probability_is_refused(wrong):
    with pytest.raises(ValueError, match="0 to 1"):
        replace(drawn(), **wrong)


def test_parts_of_other_lengths_are_refused():
    with pytest.raises(ValueError, match="one value for each"):
        replace(drawn(), is_new=np.full(3, True))


# Gates


def test_a_better_challenger_is_promoted_with_all_gates_told():
    verdict = judge(drawn(), seed=1)
    assert verdict.decision is Decision.PROMOTE
    assert len(verdict.reasons) == len(verdict.gates) == 8


def test_the_champion_against_itself_is_held():
    verdict = judge(drawn(champion=1.0), seed=1)
    assert verdict.decision is Decision.HOLD
    assert closed(verdict) == ["better than the champion"]


def test_a_gain_below_the_margin_is_no_reason_to_change_however_sure():
    verdict = judge(drawn(n=30_000, champion=0.75), seed=1)
    assert 0 < verdict.figures["gain_low"] < verdict.figures["gain"] < MARGIN
    assert verdict.decision is Decision.HOLD


def test_a_harmful_challenger_is_rejected():
    verdict = judge(drawn(champion=1.0, challenger=1.9, n=2000), seed=1)
    assert verdict.figures["gain_high"] < -MARGIN
    assert verdict.gates[2].if_closed is verdict.decision is Decision.REJECT


def test_a_challenger_that_is_worse_by_less_than_the_margin_is_held_however_sure():
    verdict = judge(drawn(n=30_000, champion=1.0, challenger=0.8), seed=1)
    assert -MARGIN < verdict.figures["gain_high"] < 0
    assert verdict.decision is Decision.HOLD


def test_what_rejects_is_told_before_what_holds():
    low = drawn(n=3000).challenger * 0.7
    verdict = judge(replace(drawn(n=3000), challenger=low, champion=low), seed=1)
    assert verdict.decision is Decision.REJECT
    assert closed(verdict)[0] == "better than the champion"
    assert verdict.reasons[0].startswith("observed to expected")


@pytest.mark.parametrize(("n_new", "is_enough"), [(MIN_NEW_EVENTS - 1, False), (MIN_NEW_EVENTS, True)])
def test_too_few_new_events_are_not_compared(n_new, is_enough):
    trial = drawn()
    events = np.flatnonzero(trial.has_asl)
    is_new = ~trial.has_asl
    is_new[events[:n_new]] = True
    verdict = judge(replace(trial, is_new=is_new), seed=1)
    assert (verdict.decision is not Decision.NOT_ENOUGH_NEW_EVENTS) is is_enough
    assert (verdict.n_events_judged is not None) is is_enough
    assert ("gain" in verdict.figures) is is_enough


def test_a_further_comparison_needs_fresh_events_and_a_wider_interval():
    trial = drawn()
    n_events = int(trial.has_asl.sum())
    stale = PastJudgements(1, n_events - MIN_NEW_EVENTS + 1)
    fresh = PastJudgements(1, n_events - MIN_NEW_EVENTS)
    assert decision(trial, past=stale) is Decision.NOT_ENOUGH_NEW_EVENTS
    first, second = judge(trial, seed=1).figures, judge(trial, seed=1, past=fresh).figures
    assert first["interval_percent"] == pytest.approx(95)
    assert second["interval_percent"] == pytest.approx(100 - 10 / 6)
    assert second["gain_low"] < first["gain_low"]


def test_flagged_data_hold_even_a_better_challenger_and_nothing_is_compared():
    verdict = judge(drawn(), seed=1, data_flags=["42 counts filed as percentages"])
    assert verdict.decision is Decision.HOLD
    assert verdict.n_events_judged is None
    assert verdict.reasons == ("data checks: 42 counts filed as percentages; required: nothing found.",)


@pytest.mark.parametrize(
    ("spoil", "gate"),
    [
        (lambda p: expit(0.35 * np.log(p / (1 - p))), "calibration slope"),
        (lambda p: p * 0.7, "observed to expected events"),
    ],
)
def test_a_challenger_that_is_miscalibrated_beyond_doubt_is_rejected(spoil, gate):
    trial = drawn(n=3000, champion=0.0)
    verdict = judge(replace(trial, challenger=spoil(trial.challenger)), seed=1)
    assert verdict.decision is Decision.REJECT
    assert gate in closed(verdict)
    assert "better than the champion" not in closed(verdict)


def test_a_subgroup_that_loses_far_closes_the_gate():
    trial = drawn(n=2000, champion=0.0)
    site = np.where(np.arange(2000) < 200, "B", "A")
    worse = np.where(site == "B", 1 - trial.challenger, trial.challenger)
    verdict = judge(replace(trial, challenger=worse, subgroups={"site": site.tolist()}), seed=1)
    assert verdict.decision is Decision.REJECT
    assert closed(verdict) == ["subgroups"]
    assert "site B, 200 patients" in verdict.reasons[0]


def test_a_subgroup_of_few_or_unknown_patients_is_not_judged():
    trial = drawn()
    few = ["B" if i < 12 else None for i in range(400)]
    gate = judge(replace(trial, subgroups={"site": few}), seed=1).gates[-1]
    assert gate.is_open
    assert gate.found.startswith("no subgroup")


def test_a_score_that_is_the_same_for_all_is_held():
    trial = drawn(champion=0.0)
    verdict = judge(replace(trial, challenger=np.full(400, trial.has_asl.mean())), seed=1)
    assert verdict.decision is Decision.HOLD
    assert {"better than chance", "calibration slope"} < set(closed(verdict))


def test_the_first_model_must_beat_one_probability_for_all():
    assert decision(drawn(champion=None)) is Decision.PROMOTE
    verdict = judge(drawn(champion=None, challenger=-0.2), seed=1)
    assert verdict.decision is not Decision.PROMOTE
    assert {"better than no model", "better than chance"} < set(closed(verdict))


def test_a_champion_worse_than_no_model_is_not_followed_by_another():
    verdict = judge(drawn(champion=-1.0, challenger=0.0), seed=1)
    assert verdict.figures["gain_low"] > MARGIN
    assert verdict.decision is not Decision.PROMOTE


def test_gates_and_figures_are_kept_as_json():
    verdict = judge(drawn(), seed=1)
    assert json.loads(verdict.gates_json)[0]["name"] == "new events"
    figures = json.loads(verdict.figures_json)
    assert figures["gain"] == pytest.approx(verdict.figures["gain"], rel=1e-8)
    assert figures["n_new_events"] == verdict.n_events_judged


def test_the_words_of_decisions_are_the_ledgers():
    assert tuple(Decision) == NIGHT_DECISIONS


def test_more_patients_than_are_resampled_have_the_same_interval():
    small, large = (compare(drawn(n=n), seed=1, error=0.05).gain for n in (20_000, 20_001))
    assert small.ci_low == pytest.approx(large.ci_low, abs=1e-3)


# Operating characteristics; `python -m tests.benchmarks.promotion` has more trials of more kinds


def count(scenario, wanted, n_trials=50):
    return sum(run_trial(scenario, seed).decision in wanted for seed in range(n_trials))


def test_a_challenger_that_is_no_better_is_held():
    assert count(SCENARIOS[0], {Decision.HOLD}) >= 48


def test_a_better_challenger_is_promoted_once_there_are_enough_new_patients():
    better = Scenario("better", "old", WITHOUT_THE_STRONGEST, n_new=200)
    assert count(better, {Decision.PROMOTE}) >= 40


@pytest.mark.parametrize("scenario", [one for one in SCENARIOS if one.is_shuffled], ids=lambda one: one.name)
def test_nothing_learnt_from_shuffled_labels_is_promoted(scenario):
    assert count(scenario, {Decision.PROMOTE}) == 0


def test_a_champion_that_is_as_good_outlasts_many_comparisons():
    assert [run_nights((0, 1, 2, 3), seed, n_in_all=300) for seed in range(10)].count(Decision.PROMOTE) == 0
