"""The making of a predictor and what it is said to be worth: laws that honest validation keeps."""

from dataclasses import dataclass

import numpy as np
import polars as pl
import pytest
from scipy.special import expit, logit

from models.prediction.candidates import Candidate, list_candidates
from models.prediction.clustered_auc import estimate_auc
from models.prediction.estimators import predict
from models.prediction.learning_curve import estimate_learning_curve
from models.prediction.procedure import choose, train
from models.prediction.question import BEFORE_RT, DURING_RT
from models.prediction.training_rows import read_training_rows, sort_rows
from models.prediction.validation import (
    Effort,
    _corrected,
    _draw_patients,
    effort_for,
    measure_probabilities,
    train_and_predict,
    validate,
)
from tests.models.predictor_rows import invented_landmarks, invented_noise, invented_patients
from transforms.errors import NotEstimableError

LITTLE = Effort(n_repeats=1, n_resamples=8)
QUICK = tuple(one for one in list_candidates(BEFORE_RT) if one.name in {"rule", "study_firth", "penalised"})
FLEXIBLE = tuple(one for one in list_candidates(BEFORE_RT) if one.name == "splines")
SEED = np.random.SeedSequence(1)


@pytest.fixture(scope="module")
def patients():
    return invented_patients(98, seed=3)


@pytest.fixture(scope="module")
def validated(patients):
    return validate(BEFORE_RT, patients, seed=7, effort=LITTLE, candidates=QUICK)


def figures_of(validated):
    return (
        validated.corrected,
        validated.chosen.rows(),
        validated.repeats.rows(),
        validated.sites.rows.rows(),
        validated.time.rows.rows(),
    )


@dataclass(frozen=True)
class Fixed:
    """A model whose probability is one of its inputs."""

    place: int

    def probabilities(self, matrix):
        return matrix[:, self.place]

    def estimator(self, rows):
        return self


@dataclass(frozen=True)
class Memory:
    """A model that knows who it saw, and nothing else."""

    seen: dict

    def probabilities(self, matrix):
        return np.array([self.seen.get(row[:3].tobytes(), 0.5) for row in matrix])

    def estimator(self, rows):
        return self


def fixed(name, place, *, rank):
    return Candidate(name, "before_rt", rank, "", (0.0,), lambda _rows, _settings: (Fixed(place),))


def remember(rows, _settings):
    keys = (row[:3].tobytes() for row in rows.matrix)
    return (Memory(dict(zip(keys, np.where(rows.outcome, 0.99, 0.01), strict=True))),)


MEMORY = (Candidate("memory", "before_rt", 1, "", (0.0,), remember),)


def refuse(_rows, _settings):
    raise NotEstimableError("no such luck")


# The choice


@pytest.fixture(scope="module")
def told():
    """Inputs 4 to 6 are probabilities: sharp, nearly as sharp in a noisy way, and useless."""
    rows = invented_patients(98, seed=1)
    outcome, rng = rows["has_asl"].to_numpy(), np.random.default_rng(1)
    sharp = np.where(outcome, 0.8, 0.2)
    noisy = np.clip(sharp + rng.normal(0.0, 0.1, 98), 0.05, 0.95)
    made = {"is_chemoradiotherapy": sharp, "has_pvtt": noisy, "has_viral_hepatitis": np.full(98, 0.5)}
    rows = rows.with_columns(**{name: pl.Series(values) for name, values in made.items()})
    return read_training_rows(BEFORE_RT, sort_rows(rows))


def test_the_simplest_within_one_standard_error_of_the_best_is_taken(told):
    useless, noisy, sharp = fixed("useless", 6, rank=1), fixed("noisy", 5, rank=2), fixed("sharp", 4, rank=3)
    losses = {
        name: -np.log(np.where(told.outcome, p, 1 - p))
        for name, p in zip(("sharp", "noisy"), told.matrix[:, [4, 5]].T, strict=True)
    }
    gap = losses["noisy"] - losses["sharp"]
    choice = choose((useless, noisy, sharp), told, seed=SEED)
    row = choice.compared.filter(candidate="noisy").row(0, named=True)
    assert row["gap"] == pytest.approx(gap.mean(), abs=1e-12)
    assert row["gap_error"] == pytest.approx(gap.std(ddof=1) / 98**0.5, abs=1e-12)
    assert choice.candidate.name == ("noisy" if gap.mean() <= gap.std(ddof=1) / 98**0.5 else "sharp")
    assert choice.compared.filter("is_chosen")["candidate"].to_list() == [choice.candidate.name]


def test_of_equals_the_simpler_is_taken_and_a_clearly_worse_one_is_not(told):
    twins = fixed("complex", 4, rank=3), fixed("simple", 4, rank=2), fixed("useless", 6, rank=1)
    assert choose(twins, told, seed=SEED).candidate.name == "simple"


def test_a_candidate_that_cannot_be_fitted_is_left_out_with_its_reason(told):
    broken = Candidate("broken", "before_rt", 1, "", (0.0,), refuse)
    compared = choose((broken, fixed("sharp", 4, rank=2)), told, seed=SEED).compared
    assert compared.select("candidate", "is_chosen", "reason").rows() == [
        ("broken", False, "no such luck"),
        ("sharp", True, None),
    ]
    with pytest.raises(NotEstimableError, match="no candidate can be fitted: no such luck"):
        choose((broken,), told, seed=SEED)


# Training


def test_training_does_not_depend_on_the_order_of_rows_or_on_anything_but_features_and_outcome(patients):
    first = train(BEFORE_RT, patients, seed=7)
    shuffled = patients.sample(fraction=1.0, shuffle=True, seed=1).with_columns(asl_probability=pl.lit(0.0))
    again = train(BEFORE_RT, shuffled, seed=7)
    assert again.compared.equals(first.compared)
    assert again.training_sha256 == first.training_sha256
    assert predict(again.estimator, patients).tolist() == predict(first.estimator, patients).tolist()


def test_rows_without_a_known_outcome_are_left_out_and_counted(patients):
    unknown = patients.head(5).with_columns(
        pl.lit(None, pl.Boolean).alias("has_asl"), patient_id="patient_id" + pl.lit("x")
    )
    trained = train(BEFORE_RT, pl.concat([patients, unknown]), seed=7, candidates=QUICK)
    assert (trained.n_left_out, trained.n_patients, trained.n_rows) == (5, 98, 98)


@pytest.mark.parametrize("n_events", [0, 9, 89, 98])
def test_fewer_than_ten_patients_of_either_kind_are_refused(patients, n_events):
    rows = patients.with_columns(has_asl=pl.int_range(pl.len()) < n_events)
    for make in (train, validate):
        with pytest.raises(NotEstimableError, match="at least 10 of each are needed"):
            make(BEFORE_RT, rows, seed=1)


def test_rows_of_one_patient_count_as_one(patients):
    rows = invented_landmarks(15, seed=1)
    assert rows["has_asl"].sum() >= 10
    with pytest.raises(NotEstimableError, match="at least 10 of each"):
        train(DURING_RT, rows, seed=1)


def test_a_predictor_says_which_inputs_were_unknown(patients):
    rows = patients.with_columns(ptv_cm3=pl.when(pl.int_range(pl.len()) > 3).then("ptv_cm3"))
    inputs = train(BEFORE_RT, rows, seed=1, candidates=QUICK).inputs
    assert dict(inputs.select("feature", "n_unknown").iter_rows())["ptv_cm3"] == 4
    assert inputs["median"].null_count() == 0


# Validation


def test_the_same_seed_gives_the_same_numbers_whatever_the_order_of_rows(patients, validated):
    shuffled = patients.sample(fraction=1.0, shuffle=True, seed=1)
    again = validate(BEFORE_RT, shuffled, seed=7, effort=LITTLE, candidates=QUICK)
    assert figures_of(again) == figures_of(validated)
    other = validate(BEFORE_RT, patients, seed=8, effort=LITTLE, candidates=QUICK)
    assert figures_of(other) != figures_of(validated)


def test_the_apparent_figures_are_those_of_the_predictor_that_is_kept(patients, validated):
    trained = train(BEFORE_RT, patients, seed=7, candidates=QUICK)
    rows = trained.training
    found = measure_probabilities(rows["has_asl"].to_numpy(), predict(trained.estimator, rows))
    for name, corrected in validated.corrected.items():
        assert corrected.apparent == pytest.approx(found[name], abs=1e-9)
        assert corrected.corrected.value == pytest.approx(corrected.apparent - corrected.optimism)


def test_what_remembers_patients_seems_perfect_and_is_shown_to_know_nothing(patients):
    # A resample holds 63 % of all patients, and what remembers these errs in half of the pairs of others.
    found = validate(BEFORE_RT, patients, seed=7, effort=LITTLE, candidates=MEMORY)
    assert found.corrected["auc"].apparent == 1.0
    assert set(found.out_of_fold["probability"]) == {0.5}
    assert set(found.sites.rows["probability"]) == {0.5}
    assert set(found.time.rows["probability"]) == {0.5}
    assert found.corrected["auc"].optimism == pytest.approx(np.exp(-2) / 2, abs=0.02)


@pytest.mark.parametrize("question", ["during"])
def test_no_patient_is_judged_by_a_model_that_saw_another_row_of_theirs(question):
    # Rows of a patient share site, sizes and flags: a memory of the first three inputs finds them.
    rows = invented_landmarks(60, seed=1)
    memory = (Candidate("memory", "during_rt", 1, "", (0.0,), remember),)
    found = validate(DURING_RT, rows, seed=7, effort=Effort(n_repeats=2, n_resamples=2), candidates=memory)
    assert set(found.out_of_fold["probability"]) == {0.5}


def test_a_patient_is_drawn_with_all_rows():
    read = read_training_rows(
        DURING_RT, sort_rows(invented_landmarks(40, seed=1)).filter(pl.int_range(pl.len()) % 7 != 0)
    )
    drawn = _draw_patients(read, np.random.default_rng(1))
    n_drawn, n_rows = (np.bincount(part, minlength=40) for part in (read.place[drawn], read.place))
    assert (n_drawn % n_rows == 0).all()
    assert (n_drawn // n_rows).sum() == 40


def test_noise_looks_better_than_it_is_and_is_corrected_to_chance():
    found = [
        validate(BEFORE_RT, invented_noise(98, seed=seed), seed=seed, effort=LITTLE, candidates=FLEXIBLE)
        for seed in range(4)
    ]
    auc = [one.corrected["auc"] for one in found]
    assert all(one.optimism > 0 for one in auc)
    assert all(one.corrected["log_loss"].optimism < 0 for one in found)
    # The error of an AUC of 41 against 57 patients is 0.06, of the mean of four 0.03.
    assert np.mean([one.corrected.value for one in auc]) == pytest.approx(0.5, abs=0.09)
    assert np.mean([one.apparent for one in auc]) > 0.6


def test_shuffled_outcomes_are_not_predicted(patients):
    # Harrell's correction leaves some 0.03 of what a choice among candidates finds in noise.
    held, out_of_fold = [], []
    for seed in range(4):
        shuffled = patients.with_columns(pl.col("has_asl").shuffle(seed=seed))
        found = validate(BEFORE_RT, shuffled, seed=7, effort=LITTLE, candidates=QUICK)
        auc = found.corrected["auc"].corrected
        held.append(auc.ci_low <= 0.5 <= auc.ci_high)
        out_of_fold.append(measure_probabilities(*columns_of(found.out_of_fold))["auc"])
    assert sum(held) >= 3
    assert np.mean(out_of_fold) < 0.55


def columns_of(rows):
    return rows["has_asl"].to_numpy(), rows["probability"].to_numpy()


def test_the_interval_is_the_basic_bootstraps_on_log_odds():
    # Gaps of -0.2, 0 and 0.2 in log odds: none too good on average, t of 2 degrees of freedom.
    pairs = expit(np.array([[0.8, 1.0], [1.0, 1.0], [1.2, 1.0]]))
    found = _corrected(0.7, pairs, is_share=True)
    reach = 4.3026527 * 0.2 * (4 / 3) ** 0.5
    assert found.corrected.ci_low == pytest.approx(expit(logit(0.7) - reach), abs=1e-7)
    assert found.corrected.ci_high == pytest.approx(expit(logit(0.7) + reach), abs=1e-7)
    assert found.corrected.value == pytest.approx(0.7 - np.mean(pairs[:, 0] - pairs[:, 1]), abs=1e-12)


def test_what_comes_later_does_not_teach_what_is_tried_on_it(patients, validated):
    later = (
        pl.col("start_date")
        >= validated.time.rows.join(patients, on=["site", "patient_id"])["start_date"].min()
    )
    turned = patients.with_columns(has_asl=pl.when(later).then(~pl.col("has_asl")).otherwise("has_asl"))
    again = validate(BEFORE_RT, turned, seed=7, effort=Effort(n_repeats=1, n_resamples=0), candidates=QUICK)
    assert again.time.rows["probability"].to_list() == validated.time.rows["probability"].to_list()
    assert again.time.parts["n_seen"].to_list() == [patients.filter(~later).height]


def test_a_site_does_not_teach_what_is_tried_on_it(patients, validated):
    here = pl.col("site") == "invented-2"
    turned = patients.with_columns(has_asl=pl.when(here).then(~pl.col("has_asl")).otherwise("has_asl"))
    again = validate(BEFORE_RT, turned, seed=7, effort=Effort(n_repeats=1, n_resamples=0), candidates=QUICK)
    first, second = (one.sites.rows.filter(here)["probability"].to_list() for one in (validated, again))
    assert first == second
    assert len(first) == patients.filter(here).height


def test_one_site_and_rows_of_one_day_are_not_held_out_and_say_why():
    rows = invented_patients(98, seed=3, n_sites=1).with_columns(start_date=pl.date(2017, 1, 2))
    found = validate(BEFORE_RT, rows, seed=7, effort=Effort(n_repeats=1, n_resamples=0), candidates=QUICK)
    assert found.sites.rows is None
    assert "1 of 1 sites have 10 patients" in found.sites.reason
    assert found.time.rows is None
    assert "fewer than 10 patients" in found.time.reason


def test_without_resamples_nothing_is_called_corrected(patients):
    found = validate(BEFORE_RT, patients, seed=7, effort=Effort(n_repeats=1, n_resamples=0), candidates=QUICK)
    assert found.corrected["auc"].optimism is None
    assert found.corrected["auc"].corrected.value is None


def test_every_choice_is_counted(validated):
    assert validated.chosen["n_folds"].sum() == 5
    assert validated.chosen["n_resamples"].sum() == validated.n_converged == 8


def test_many_rows_are_given_fewer_rounds():
    assert effort_for(98) == Effort(n_folds=5, n_repeats=4, n_resamples=50)
    assert effort_for(5_000) == Effort(n_repeats=1, n_resamples=10)
    assert effort_for(1_000_000) == Effort(n_repeats=1, n_resamples=0)


def test_no_patients_value_is_in_a_printed_result(patients, validated):
    assert "INV-" not in repr(validated)
    assert "INV-" not in repr(train(BEFORE_RT, patients, seed=7, candidates=QUICK))


def test_the_making_can_be_tried_on_fewer_patients(patients):
    labelled = sort_rows(patients)
    making = train_and_predict(BEFORE_RT, labelled, seed=1)
    curve = estimate_learning_curve(labelled["has_asl"].to_numpy(), making, sizes=[60], seed=1, n_repeats=2)
    assert curve["n_failed"].to_list() == [0]


# The truth


@pytest.mark.slow
def test_the_corrected_auc_is_near_the_truth_and_the_apparent_one_too_high():
    new = invented_patients(20_000, seed=999)
    held, gaps, apparent_gaps = [], [], []
    for seed in range(12):
        rows = invented_patients(98, seed=seed)
        effort = Effort(n_repeats=1, n_resamples=15)
        found = validate(BEFORE_RT, rows, seed=seed, effort=effort, candidates=FLEXIBLE).corrected["auc"]
        trained = train(BEFORE_RT, rows, seed=seed, candidates=FLEXIBLE)
        truth = estimate_auc(new["has_asl"].to_numpy(), predict(trained.estimator, new)).value
        held.append(found.corrected.ci_low <= truth <= found.corrected.ci_high)
        gaps.append(found.corrected.value - truth)
        apparent_gaps.append(found.apparent - truth)
    assert sum(held) >= 10
    assert abs(np.mean(gaps)) < np.mean(apparent_gaps)
    assert np.mean(apparent_gaps) > 0
