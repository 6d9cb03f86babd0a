"""How near the truth the predictor's corrected AUC is: invented cohorts, the whole making and its validation.

Run as `python -m tests.benchmarks.predictor --cohorts 100`: prints a markdown table. It ends with 1 where the
interval of the corrected AUC holds the truth in fewer than 90 % of the cohorts. Pytest does not collect it.
The truth is the AUC that the predictor made of the cohort really has, among 50,000 patients that it has not
seen; beside it stands the AUC of the simulator's own probabilities, which no predictor can pass.
"""

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import polars as pl

from models.estimate import Estimate
from models.prediction.clustered_auc import estimate_auc
from models.prediction.estimators import predict
from models.prediction.procedure import train
from models.prediction.question import BEFORE_RT
from models.prediction.validation import Effort, validate
from tests.models.predictor_rows import invented_patients

LEAST = 90.0
N_NEW = 50_000
FIRST_SEED_OF_NEW = 1_000_000


@dataclass(frozen=True)
class Judged:
    """One cohort: AUC by what is said of it, and its two truths."""

    candidate: str
    true_auc: float
    apparent: float
    corrected: Estimate
    out_of_fold: Estimate


def judge(n_patients: int, seed: int, *, new: pl.DataFrame, effort: Effort) -> Judged:
    """Make a predictor of one cohort, validate the making, and try the predictor on the new patients."""
    rows = invented_patients(n_patients, seed=seed)
    trained = train(BEFORE_RT, rows, seed=seed)
    validated = validate(BEFORE_RT, rows, seed=seed, effort=effort)
    found = validated.corrected["auc"]
    held = validated.out_of_fold
    return Judged(
        candidate=trained.candidate,
        true_auc=auc_of(new, predict(trained.estimator, new)),
        apparent=found.apparent,
        corrected=found.corrected,
        out_of_fold=estimate_auc(held["has_asl"].to_numpy(), held["probability"].to_numpy()),
    )


def auc_of(rows: pl.DataFrame, probability: np.ndarray) -> float:
    return float(estimate_auc(rows["has_asl"].to_numpy(), probability).value)


def summary(judged: list[Judged], best: float) -> Iterator[tuple[str, float, float, float, float]]:
    """(figure, mean, mean error, % within its interval of the predictor's true AUC, and of the best)."""
    truth = np.array([one.true_auc for one in judged])
    apparent = np.array([one.apparent for one in judged])
    yield "apparent", apparent.mean(), (apparent - truth).mean(), float("nan"), float("nan")
    for name in ("corrected", "out_of_fold"):
        found = [getattr(one, name) for one in judged]
        value, low, high = (
            np.array([getattr(one, part) for one in found]) for part in ("value", "ci_low", "ci_high")
        )
        share = [100 * ((low <= aim) & (aim <= high)).mean() for aim in (truth, best)]
        yield name, value.mean(), (value - truth).mean(), share[0], share[1]


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks.predictor", description=__doc__)
    parser.add_argument("--cohorts", type=int, default=100, metavar="N", help="cohorts (default: 100)")
    parser.add_argument("--patients", type=int, default=98, metavar="N", help="of each (default: 98)")
    parser.add_argument("--repeats", type=int, default=4, metavar="N", help="of five folds (default: 4)")
    parser.add_argument("--resamples", type=int, default=50, metavar="N", help="bootstrap (default: 50)")
    parser.add_argument(
        "--first-seed", type=int, default=1, metavar="K", help="seeds K, K + 1... (default: 1)"
    )
    options = parser.parse_args()
    new = invented_patients(N_NEW, seed=FIRST_SEED_OF_NEW)
    best = auc_of(new, new["asl_probability"].to_numpy())
    effort = Effort(n_repeats=options.repeats, n_resamples=options.resamples)
    seeds = range(options.first_seed, options.first_seed + options.cohorts)
    judged = [judge(options.patients, seed, new=new, effort=effort) for seed in seeds]
    table = list(summary(judged, best))
    truth = np.mean([one.true_auc for one in judged])
    sys.stdout.write(
        f"{len(judged)} cohorts of {options.patients}. Mean true AUC {truth:.3f}; best {best:.3f}.\n\n"
    )
    sys.stdout.write("| AUC | mean | error | holds its true AUC, % | holds the best, % |\n")
    sys.stdout.write("| --- | ---: | ---: | ---: | ---: |\n")
    for name, mean, error, held, held_best in table:
        sys.stdout.write(f"| {name} | {mean:.3f} | {error:+.3f} | {held:.0f} | {held_best:.0f} |\n")
    names = [one.candidate for one in judged]
    sys.stdout.write(
        "\nChosen: " + ", ".join(f"{name} {names.count(name)}" for name in sorted(set(names))) + "\n"
    )
    return 0 if table[1][3] >= LEAST else 1


if __name__ == "__main__":
    sys.exit(main())
