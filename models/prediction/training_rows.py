"""The rows that a predictor learns from, as arrays: inputs, outcomes, and whose rows they are.

Here: reading a frame of one question's rows, and dealing patients to folds. Not here: how the inputs are
made (`models.prediction.features`), models. Called by its siblings alone.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import polars as pl

from models.estimate import Flags, Floats, Integers
from models.prediction.question import Question
from transforms.errors import NadirError, NotEstimableError
from transforms.schemas import PATIENT_KEY

# Fewer cannot be dealt to five folds, and those to five again, with a patient of each kind in every one.
MIN_PATIENTS_A_CLASS = 10
# A patient's rows during RT are told apart by one of these.
MOMENTS = ("landmark_date", "week")


@dataclass(frozen=True, eq=False)
class TrainingRows:
    """n rows: `matrix` (n, k) with NaN where unknown, `outcome` (n,), `patient` (n,) the same number for
    rows of one patient. `kinds` says of each of the k inputs whether it is a log, a number or a flag.
    """

    names: tuple[str, ...]
    kinds: tuple[str, ...]
    matrix: Floats
    outcome: Flags
    patient: Integers

    def take(self, rows: Integers) -> "TrainingRows":
        """Return some of the rows, repeated where they are asked for twice; patients keep their numbers."""
        return TrainingRows(self.names, self.kinds, self.matrix[rows], self.outcome[rows], self.patient[rows])

    def columns(self, *names: str) -> tuple[int, ...]:
        """Return where the named inputs stand."""
        return tuple(self.names.index(name) for name in names)

    @cached_property
    def place(self) -> Integers:
        """Which of its different patients, from 0, each row belongs to."""
        place: Integers = np.unique(self.patient, return_inverse=True)[1].astype(np.int64)
        return place

    @cached_property
    def has_event(self) -> Flags:
        """Whether each different patient has the outcome in any row."""
        flags: Flags = np.bincount(self.place, weights=self.outcome) > 0
        return flags


def sort_rows(rows: pl.DataFrame) -> pl.DataFrame:
    """Return the rows whose outcome is known, in one order whatever order they came in."""
    key = [*PATIENT_KEY, *(name for name in MOMENTS if name in rows.columns)]
    return rows.filter(pl.col("has_asl").is_not_null()).sort(key)


def read_training_rows(question: Question, rows: pl.DataFrame) -> TrainingRows:
    """Read sorted rows: site, patient_id, a column for each of the question's features, has_asl.

    Raises `NadirError` where an input is infinite, or below 0 where its logarithm is taken.
    """
    names = tuple(feature.name for feature in question.features)
    patient = rows.select(pl.struct(PATIENT_KEY).rank("dense")).to_series()
    return TrainingRows(
        names=names,
        kinds=tuple(feature.kind for feature in question.features),
        matrix=read_inputs(rows, names, logged=logged_names(question)),
        outcome=rows["has_asl"].to_numpy().astype(bool),
        patient=patient.to_numpy().astype(np.int64),
    )


def logged_names(question: Question) -> tuple[str, ...]:
    """Return the features whose logarithm is taken."""
    return tuple(feature.name for feature in question.features if feature.kind == "log")


def read_inputs(rows: pl.DataFrame, names: tuple[str, ...], *, logged: tuple[str, ...] = ()) -> Floats:
    """Return (n, k) numbers, NaN where unknown; raise `NadirError` where one can be no measurement."""
    missing = [name for name in names if name not in rows.columns]
    if missing:
        raise NadirError(f"predictor rows: found no column {', '.join(missing)}. Derive the features again.")
    inputs = rows.select(pl.col(name).cast(pl.Float64).fill_nan(None) for name in names)
    wrong = [
        name
        for name in names
        if inputs[name].is_infinite().any() or (name in logged and (inputs[name] < 0).any())
    ]
    if wrong:
        raise NadirError(
            f"predictor rows, column {wrong[0]}: found a value that is infinite or below 0. "
            "Check where the column is derived."
        )
    return inputs.fill_null(np.nan).to_numpy().astype(np.float64).reshape(rows.height, len(names))


def refuse_few(rows: TrainingRows) -> None:
    """Raise `NotEstimableError` where fewer than 10 patients have the outcome, or fewer have it not."""
    n_events, n = int(rows.has_event.sum()), len(rows.has_event)
    if min(n_events, n - n_events) < MIN_PATIENTS_A_CLASS:
        raise NotEstimableError(
            f"ASL predictor: {n_events} patients with and {n - n_events} without ASL; at least "
            f"{MIN_PATIENTS_A_CLASS} of each are needed. Train again when more patients have finished RT."
        )


def deal_folds(rows: TrainingRows, n_folds: int, *, seed: np.random.SeedSequence) -> Integers:
    """Return the fold (0 to n_folds - 1) of each row: patients are dealt, each kind evenly.

    All rows of a patient, and all copies of a patient drawn twice, stand in one fold.
    """
    rng = np.random.default_rng(seed)
    dealt = np.concatenate(
        [rng.permutation(np.flatnonzero(rows.has_event == kind)) for kind in (True, False)]
    )
    fold = np.empty(len(dealt), dtype=np.int64)
    fold[dealt] = np.arange(len(dealt)) % n_folds
    return fold[rows.place]
