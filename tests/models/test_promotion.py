"""When a challenger becomes champion: each gate alone, and the margin to the digit."""

from dataclasses import replace

import pytest

from models.prediction.performance import Performance
from models.promotion import AUC_MARGIN, Decision, judge

GOOD = Performance(
    n=98,
    n_events=41,
    auc=0.75,
    auc_low=0.65,
    auc_high=0.85,
    brier=0.2,
    log_loss=0.57,
    calibration_slope=0.95,
    calibration_intercept=0.01,
)


def closed_gates(verdict):
    return [gate.name for gate in verdict.gates if not gate.is_open]


def test_a_sound_first_predictor_is_promoted():
    verdict = judge(GOOD, None)
    assert verdict.decision is Decision.PROMOTE
    assert closed_gates(verdict) == []
    assert len(verdict.reasons) == 3


@pytest.mark.parametrize(
    ("change", "gate"),
    [
        ({"n_events": 9}, "patients in each class"),
        ({"n_events": 89}, "patients in each class"),
        ({"auc": 0.5}, "better than chance"),
        ({"auc": 0.41}, "better than chance"),
        ({"calibration_slope": 0.29}, "calibration"),
        ({"calibration_slope": 3.01}, "calibration"),
        ({"calibration_slope": -1.0}, "calibration"),
        ({"calibration_slope": None}, "calibration"),
    ],
)
def test_each_gate_alone_holds_a_first_predictor_and_says_why(change, gate):
    verdict = judge(replace(GOOD, **change), None)
    assert verdict.decision is Decision.HOLD
    assert closed_gates(verdict) == [gate]
    assert len(verdict.reasons) == 1
    assert verdict.reasons[0].startswith(gate)


@pytest.mark.parametrize(
    "change", [{"n_events": 10}, {"n_events": 88}, {"auc": 0.501}, {"calibration_slope": 0.3}]
)
def test_a_gate_is_open_at_its_limit(change):
    assert judge(replace(GOOD, **change), None).decision is Decision.PROMOTE


def test_a_challenger_within_the_margin_takes_over_and_one_below_it_does_not():
    champion = replace(GOOD, auc=0.80)
    within = judge(replace(GOOD, auc=0.80 - AUC_MARGIN), champion)
    below = judge(replace(GOOD, auc=0.80 - AUC_MARGIN - 0.001), champion)
    assert within.decision is Decision.PROMOTE
    assert below.decision is Decision.HOLD
    assert closed_gates(below) == ["not below the champion"]


def test_judging_the_champion_against_itself_changes_nothing():
    assert judge(GOOD, GOOD).decision is Decision.PROMOTE


def test_reasons_name_the_figures_that_decided():
    reason = judge(replace(GOOD, auc=0.61), replace(GOOD, auc=0.72)).reasons[0]
    assert "0.610" in reason
    assert "0.720" in reason
    assert "0.05" in reason
