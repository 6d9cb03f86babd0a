"""The whole making of a predictor: tune and choose by inner cross-validation, then fit the choice to all.

Here: the choice and what is kept of it. Not here: the candidates, what the making is worth
(`models.prediction.validation` repeats it). Called by `flows` and by the validation.
"""

from dataclasses import dataclass, field

import numpy as np
import polars as pl
from scipy.special import xlogy

from models.estimate import Flags, Floats, Integers
from models.prediction.candidates import Candidate, list_candidates
from models.prediction.estimators import Model, coefficients
from models.prediction.question import Question
from models.prediction.training_rows import (
    MOMENTS,
    TrainingRows,
    deal_folds,
    read_training_rows,
    refuse_few,
    sort_rows,
)
from transforms.content_hash import frame_sha256
from transforms.errors import NotEstimableError
from transforms.schemas import PATIENT_KEY

# Bump with any change in `models.prediction` that makes another model of the same data: the registry keeps
# one version for each pair of training data and procedure.
PROCEDURES = {"before_rt": "asl-before-rt-2", "during_rt": "asl-during-rt-1"}
INNER_FOLDS = 5
# The log loss of a candidate is known to a hundredth from this many: more would only cost time.
MOST_PATIENTS_TO_CHOOSE = 20_000
COMPARED = {
    "candidate": pl.String,
    "rank": pl.Int64,
    "setting": pl.Float64,
    "log_loss": pl.Float64,
    "standard_error": pl.Float64,
    "gap": pl.Float64,
    "gap_error": pl.Float64,
    "is_chosen": pl.Boolean,
    "reason": pl.String,
}


@dataclass(frozen=True, eq=False)
class Choice:
    """What was chosen, fitted to all rows.

    `compared` has a row a candidate: candidate, rank, setting (its best), log_loss and standard_error (inner
    cross-validation), gap and gap_error (to the best), is_chosen, reason (why it could not be fitted).
    """

    candidate: Candidate
    setting: float
    model: Model
    compared: pl.DataFrame


@dataclass(frozen=True, eq=False)
class Trained:
    """A predictor made of every labelled row; `estimator` is opaque and goes to `predict` and to MLflow.

    `compared` as in `Choice`; `coefficients`: term, log_odds_ratio (empty for trees); `inputs`: feature,
    median, n_unknown. `training` holds patients' rows (key, moment, features, has_asl): it stays in the
    process and out of its messages.
    """

    question: str
    procedure: str
    candidate: str
    setting: float
    seed: int
    n_rows: int
    n_patients: int
    n_events: int
    n_left_out: int
    compared: pl.DataFrame
    coefficients: pl.DataFrame
    inputs: pl.DataFrame
    training_sha256: str
    estimator: object = field(repr=False)
    training: pl.DataFrame = field(repr=False)


def train(
    question: Question, rows: pl.DataFrame, *, seed: int, candidates: tuple[Candidate, ...] | None = None
) -> Trained:
    """Choose among the candidates (by default all of the question) and fit the choice to all labelled rows.

    rows: site, patient_id, landmark_date or week where a patient has several, the question's features,
    has_asl (null: left out and counted). The order of rows does not matter; the seed only deals patients to
    folds. Raises `NotEstimableError` with fewer than 10 patients of either kind.
    """
    labelled = sort_rows(rows)
    read = read_training_rows(question, labelled)
    refuse_few(read)
    choice = choose(candidates or list_candidates(question), read, seed=np.random.SeedSequence(seed))
    estimator = choice.model.estimator(read)
    key = [*PATIENT_KEY, *(name for name in MOMENTS if name in rows.columns)]
    training = labelled.select(*key, *read.names, "has_asl")
    return Trained(
        question=question.name,
        procedure=PROCEDURES[question.name],
        candidate=choice.candidate.name,
        setting=choice.setting,
        seed=seed,
        n_rows=labelled.height,
        n_patients=len(read.has_event),
        n_events=int(read.has_event.sum()),
        n_left_out=rows.height - labelled.height,
        compared=choice.compared,
        coefficients=coefficients(estimator),
        inputs=_inputs(read),
        training_sha256=frame_sha256(training, key),
        estimator=estimator,
        training=training,
    )


def choose(candidates: tuple[Candidate, ...], rows: TrainingRows, *, seed: np.random.SeedSequence) -> Choice:
    """Take the simplest candidate whose log loss is within one standard error of the best.

    Each candidate stands with its best setting. The error is that of the difference between the two on the
    same patients: the loss itself varies so much between a hundred patients that a rule by the error of the
    loss takes what is simple and worse. Raises `NotEstimableError` where no candidate can be fitted.
    Source: Breiman, Friedman, Olshen and Stone 1984, Classification and Regression Trees, section 3.4.3.
    """
    judged = _judge(candidates, rows, seed=seed)
    able = [one for one in judged if one.reason is None]
    if not able:
        raise NotEstimableError(f"no candidate can be fitted: {judged[0].reason}")
    best = min(able, key=lambda one: one.log_loss)
    near = [one for one in able if one.gap(best) <= one.gap_error(best)]
    simplest = min(near, key=lambda one: one.candidate.rank)
    model = simplest.candidate.fit_settings(rows, (simplest.setting,))[0]
    return Choice(simplest.candidate, simplest.setting, model, _compared(judged, best, simplest))


@dataclass(frozen=True, eq=False)
class _Judged:
    """A candidate at its best setting, with what each row cost (n,); `place` says whose row it is.

    With a reason where it could not be fitted in some fold.
    """

    candidate: Candidate
    setting: float
    losses: Floats
    place: Integers
    reason: str | None = None

    @property
    def log_loss(self) -> float:
        return float(self.losses.mean())

    def gap(self, best: "_Judged") -> float:
        return float((self.losses - best.losses).mean())

    def gap_error(self, best: "_Judged") -> float:
        return _error_of_mean(self.losses - best.losses, self.place)


def _judge(
    candidates: tuple[Candidate, ...], rows: TrainingRows, *, seed: np.random.SeedSequence
) -> list[_Judged]:
    sample_seed, fold_seed = (
        np.random.SeedSequence(seed.entropy, spawn_key=(*seed.spawn_key, i)) for i in (0, 1)
    )
    some = _some_patients(rows, seed=sample_seed)
    fold = deal_folds(some, INNER_FOLDS, seed=fold_seed)
    parts = [
        (some.take(np.flatnonzero(fold != held)), np.flatnonzero(fold == held)) for held in range(INNER_FOLDS)
    ]
    return [_judge_one(candidate, some, parts) for candidate in candidates]


def _judge_one(
    candidate: Candidate, rows: TrainingRows, parts: list[tuple[TrainingRows, Integers]]
) -> _Judged:
    losses = np.empty((len(candidate.settings), len(rows.outcome)))
    try:
        for seen, held in parts:
            for place, model in enumerate(candidate.fit_settings(seen, candidate.settings)):
                losses[place, held] = log_losses(rows.outcome[held], model.probabilities(rows.matrix[held]))
    except NotEstimableError as error:
        return _Judged(candidate, candidate.settings[0], losses[0], rows.place, str(error))
    best = int(np.argmin(losses.mean(axis=1)))
    return _Judged(candidate, candidate.settings[best], losses[best], rows.place)


def log_losses(outcome: Flags, probability: Floats) -> Floats:
    """Return what each probability costs against its outcome; one of 0 or 1 that is wrong costs 34.5."""
    p = np.clip(probability, 1e-15, 1.0 - 1e-15)
    losses: Floats = -(xlogy(outcome, p) + xlogy(~outcome, 1.0 - p))
    return losses


def _error_of_mean(values: Floats, place: Integers) -> float:
    """Standard error of a mean over rows whose patients, not rows, are independent."""
    of_patients = np.bincount(place, weights=values - values.mean())
    n = len(of_patients)
    return float(np.sqrt((of_patients**2).sum() * n / (n - 1))) / len(values)


def _some_patients(rows: TrainingRows, *, seed: np.random.SeedSequence) -> TrainingRows:
    n = len(rows.has_event)
    if n <= MOST_PATIENTS_TO_CHOOSE:
        return rows
    is_drawn = np.zeros(n, dtype=bool)
    is_drawn[np.random.default_rng(seed).choice(n, MOST_PATIENTS_TO_CHOOSE, replace=False)] = True
    return rows.take(np.flatnonzero(is_drawn[rows.place]))


def _compared(judged: list[_Judged], best: _Judged, chosen: _Judged) -> pl.DataFrame:
    def told(one: _Judged) -> dict[str, object]:
        names = {"candidate": one.candidate.name, "rank": one.candidate.rank, "reason": one.reason}
        if one.reason is not None:
            return names | {"is_chosen": False}
        return names | {
            "setting": one.setting if len(one.candidate.settings) > 1 else None,
            "log_loss": one.log_loss,
            "standard_error": _error_of_mean(one.losses, one.place),
            "gap": one.gap(best),
            "gap_error": one.gap_error(best),
            "is_chosen": one is chosen,
        }

    return pl.DataFrame([told(one) for one in judged], schema=COMPARED)


def _inputs(rows: TrainingRows) -> pl.DataFrame:
    unknown = np.isnan(rows.matrix)
    medians = [
        None if missing.all() else float(np.median(column[~missing]))
        for column, missing in zip(rows.matrix.T, unknown.T, strict=True)
    ]
    return pl.DataFrame(
        {"feature": rows.names, "median": medians, "n_unknown": unknown.sum(axis=0).astype(np.int64)},
        schema={"feature": pl.String, "median": pl.Float64, "n_unknown": pl.Int64},
    )
