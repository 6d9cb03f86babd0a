"""Figures by subgroup: those of its patients alone; where they are few, only their number."""

import numpy as np
import polars as pl

from models.prediction.performance import estimate_performance
from models.prediction.subgroups import SCHEMA, estimate_subgroups
from tests.models.prediction_scores import drawn, drawn_of_patients

ESTIMATES = [name for name in SCHEMA if name.startswith(("auc", "calibration"))]


def test_a_subgroup_has_the_figures_of_its_patients_alone():
    has_event, probability = drawn(seed=1)
    groups = pl.DataFrame({"sex": np.where(np.arange(400) % 3 == 0, "female", "male")})
    found = estimate_subgroups(has_event, probability, groups=groups)
    women = np.arange(400) % 3 == 0
    alone = estimate_performance(has_event[women], probability[women])
    row = found.row(0, named=True)
    assert found["level"].to_list() == ["female", "male"]
    assert (row["n"], row["n_events"], row["n_patients"]) == (134, has_event[women].sum(), 134)
    assert all(row[name] == getattr(alone, name) for name in ESTIMATES)
    assert row["reason"] is None


def test_a_small_subgroup_is_counted_and_told_why():
    has_event, probability = drawn(seed=2, n=98)
    place = np.where(np.arange(98) < 12, "B", "A")
    found = estimate_subgroups(has_event, probability, groups=pl.DataFrame({"site": place}))
    row = found.filter(level="B").row(0, named=True)
    assert (row["n"], row["n_events"]) == (12, has_event[:12].sum())
    assert all(row[name] is None for name in ESTIMATES)
    assert row["reason"].endswith("without the event; at least 10 of each are needed")
    assert found.filter(level="A")["auc"].null_count() == 0


def test_ten_of_each_are_enough_and_nine_are_not():
    has_event = np.repeat([True, False], (10, 10))
    probability = np.tile([0.2, 0.3, 0.4, 0.5, 0.6], 4) + np.where(has_event, 0.1, 0.0)
    everyone = pl.DataFrame({"all": ["all"] * 20})
    assert estimate_subgroups(has_event, probability, groups=everyone)["auc"][0] is not None
    assert estimate_subgroups(has_event[1:], probability[1:], groups=everyone[1:])["auc"][0] is None


def test_rows_of_few_patients_are_few():
    has_event, probability, patients = drawn_of_patients(seed=3, n_patients=18)
    everyone = pl.DataFrame({"all": ["all"] * 90})
    assert estimate_subgroups(has_event, probability, groups=everyone)["auc"][0] is not None
    found = estimate_subgroups(has_event, probability, groups=everyone, clusters=patients)
    assert found["n_patients"].to_list() == [18]
    assert "8 patients with and 10 without" in found["reason"][0]


def test_one_probability_for_a_subgroup_has_a_reason():
    has_event, _ = drawn(seed=4, n=60)
    row = estimate_subgroups(has_event, np.full(60, 0.4), groups=pl.DataFrame({"all": ["all"] * 60})).row(
        0, named=True
    )
    assert (row["auc"], row["reason"]) == (None, "the score is the same in all 60 patients")
    assert row["calibration_intercept"] is not None


def test_unknown_levels_come_last_and_every_variable_is_told():
    has_event, probability = drawn(seed=5, n=60)
    stage = ["IV", None, "I"] * 20
    found = estimate_subgroups(
        has_event, probability, groups=pl.DataFrame({"uicc_stage": stage, "is_viral": [True, False] * 30})
    )
    assert found.select("variable", "level").rows() == [
        *[("uicc_stage", level) for level in ("I", "IV", "unknown")],
        *[("is_viral", level) for level in ("false", "true")],
    ]
    assert found["n"].to_list() == [20, 20, 20, 30, 30]


def test_no_variable_gives_no_row():
    has_event, probability = drawn(seed=6)
    assert estimate_subgroups(has_event, probability, groups=pl.DataFrame()).schema == SCHEMA
