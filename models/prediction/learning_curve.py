"""How a procedure does when it is trained on more and more patients.

Here: who is trained on and who is held out, and the figures by size. Not here: the procedure, which the
caller gives as a function. Called by `flows` for the report; whether more patients would still help is read
from it.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.estimate import Flags, Floats, Integers
from models.prediction.clustered_auc import Clusters, estimate_auc, numbers_of
from models.prediction.performance import log_loss
from transforms.errors import NotEstimableError

# Trains on the rows of the first numbers, and returns probabilities of the rows of the second.
TrainAndPredict = Callable[[Integers, Integers], Floats]

HELD_OUT_SHARE = 0.25
N_REPEATS = 20
FIGURES = ("log_loss", "auc")
COUNTS = {"size": pl.Int64, "n_trained": pl.Int64, "n_failed": pl.Int64}
SCHEMA = COUNTS | {f"{name}{part}": pl.Float64 for name in FIGURES for part in ("", "_sd", "_low", "_high")}


@dataclass(frozen=True, eq=False)
class _Split:
    """Patients in the order in which they join the training, and those who are held out."""

    joining: Integers
    held_out: Integers


def estimate_learning_curve(
    has_event: Flags,
    train_and_predict: TrainAndPredict,
    *,
    sizes: Sequence[int],
    seed: int,
    n_repeats: int = N_REPEATS,
    clusters: Clusters | None = None,
) -> pl.DataFrame:
    """Return out-of-sample log loss and area under the curve by number of patients trained on.

    A quarter of the patients, of each class, is held out, at random and anew `n_repeats` times; the others
    join the training one after another, both classes in proportion, so that a larger training holds the
    smaller. clusters: whose row it is (n,): patients are dealt whole; a patient has the event who has it in
    any row. Columns (`SCHEMA`): size (patients), n_trained and n_failed (repeats that gave a figure or
    raised `NotEstimableError`), then of log_loss and auc the mean, `_sd`, `_low` and `_high` (10th and 90th
    percentile over repeats), null where no repeat gave one. The same seed and the same order of the rows
    (of the clusters, where given) give the same numbers. Raises `NotEstimableError` where a class has fewer
    than 4 patients, `ValueError` for a size of more patients than are left to train on.
    """
    outcome = np.asarray(has_event, dtype=np.bool_)
    cluster = np.arange(len(outcome)) if clusters is None else numbers_of(clusters)
    patient_has_event = np.bincount(cluster, weights=outcome) > 0
    splits = [_split(patient_has_event, np.random.default_rng((seed, repeat))) for repeat in range(n_repeats)]
    _refuse_sizes(sizes, n_available=len(splits[0].joining) if splits else 0)
    rows = []
    for size in sizes:
        tried = [_try(outcome, train_and_predict, rows=_rows(cluster, each, size)) for each in splits]
        rows.append({"size": size} | _summary(tried))
    return pl.DataFrame(rows, schema=SCHEMA)


def _split(has_event: Flags, rng: np.random.Generator) -> _Split:
    classes = [np.flatnonzero(has_event), np.flatnonzero(~has_event)]
    if min(len(each) for each in classes) < 4:
        raise NotEstimableError("a learning curve needs at least 4 patients with and 4 without the event")
    shuffled = [rng.permutation(each) for each in classes]
    n_out = [max(1, round(len(each) * HELD_OUT_SHARE)) for each in classes]
    joining = [each[n:] for each, n in zip(shuffled, n_out, strict=True)]
    # Each at the share of its class that has joined: the classes keep their proportion at every size.
    turns = np.concatenate([(np.arange(len(each)) + 0.5) / len(each) for each in joining])
    order = np.argsort(turns, kind="stable")
    held_out = [each[:n] for each, n in zip(shuffled, n_out, strict=True)]
    return _Split(np.concatenate(joining)[order], np.concatenate(held_out))


def _refuse_sizes(sizes: Sequence[int], *, n_available: int) -> None:
    if not all(1 <= size <= n_available for size in sizes):
        raise ValueError(
            f"learning curve: sizes from 1 to {n_available} are expected; the others are held out"
        )


def _rows(cluster: Integers, split: _Split, size: int) -> tuple[Integers, Integers]:
    """Rows, in their own order, of those trained on and those held out."""

    def of(patients: Integers) -> Integers:
        chosen = np.zeros(int(cluster.max()) + 1, dtype=np.bool_)
        chosen[patients] = True
        return np.flatnonzero(chosen[cluster])

    return of(split.joining[:size]), of(split.held_out)


def _try(
    has_event: Flags, train_and_predict: TrainAndPredict, *, rows: tuple[Integers, Integers]
) -> dict[str, float] | None:
    trained_on, held_out = rows
    try:
        probability = train_and_predict(trained_on, held_out)
    except NotEstimableError:
        return None
    found = {"log_loss": log_loss(has_event[held_out], probability)}
    try:
        auc = estimate_auc(has_event[held_out], probability).value
    except NotEstimableError:
        # One probability for all orders nobody.
        auc = 0.5
    return found if auc is None else found | {"auc": auc}


def _summary(tried: list[dict[str, float] | None]) -> dict[str, float | None]:
    done = [each for each in tried if each is not None]
    counts: dict[str, float | None] = {"n_trained": len(done), "n_failed": len(tried) - len(done)}
    for name in FIGURES:
        values = np.array([each[name] for each in done if name in each])
        if len(values) == 0:
            continue
        low, high = np.quantile(values, (0.1, 0.9))
        spread = float(values.std(ddof=1)) if len(values) > 1 else None
        counts |= {name: float(values.mean()), f"{name}_sd": spread}
        counts |= {f"{name}_low": float(low), f"{name}_high": float(high)}
    return counts
