"""What goes to MLflow and comes back, said without mlflow: records, and the names of what is logged.

Here: the origin of a run, a logged run, a version, the champion; metrics, parameters and files by name. Not
here: any call of MLflow (`flows.tracking`, which uses this, as `flows.nightly` and the report do).
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from pathlib import Path

import polars as pl

from models.performance import Performance, performance_from_numbers
from models.predictor import FEATURE_NAMES, INVERSE_PENALTY, N_FOLDS, N_REPEATS, PROCEDURE, TrainedPredictor
from transforms.definitions import DEFAULT
from transforms.errors import NadirError
from transforms.schemas import ESTIMATES

MODEL_NAME = "asl-predictor"
_HELD_OUT = "cross_validated/"
# Without it MLflow's pages open in their view of language models.
_TRAINING_VIEW = "workflowType=machine_learning"


@dataclass(frozen=True)
class TrackingStore:
    """An open MLflow store: its address, and where artifacts go (None: where the server puts them)."""

    address: str
    artifact_root: Path | None

    @property
    def shown_address(self) -> str:
        """The address without a user or password in it."""
        return without_password(self.address)


@dataclass(frozen=True)
class RunOrigin:
    """Which night a run is of, and what it saw; `data_origin` is `landed` or `simulated`."""

    night: date
    data_origin: str
    snapshot_sha256: str
    cohort_sha256: str
    code_version: str
    asl_definition: str = DEFAULT.tag

    @property
    def tags(self) -> dict[str, str]:
        """The same, as MLflow's tags."""
        return {
            "nadir.night": self.night.isoformat(),
            "nadir.data_origin": self.data_origin,
            "nadir.snapshot_sha256": self.snapshot_sha256,
            "nadir.cohort_sha256": self.cohort_sha256,
            "nadir.code_version": self.code_version,
            "nadir.asl_definition": self.asl_definition,
        }


@dataclass(frozen=True)
class LoggedRun:
    """A finished run; not new where an earlier call had logged the same."""

    run_id: str
    experiment_id: str
    is_new: bool

    @property
    def page(self) -> str:
        """Path of the run's page, after the MLflow server's address."""
        return f"#/experiments/{self.experiment_id}/runs/{self.run_id}?{_TRAINING_VIEW}"


@dataclass(frozen=True)
class RegisteredPredictor:
    """A version of the registered predictor; not new where the same data had been registered before."""

    version: int
    run: LoggedRun

    @property
    def page(self) -> str:
        """Path of the version's page, after the MLflow server's address."""
        return f"#/models/{MODEL_NAME}/versions/{self.version}?{_TRAINING_VIEW}"


@dataclass(frozen=True)
class Champion:
    """The version in use: since which night, with the cross-validated figures it was registered with."""

    version: int
    run_id: str
    since: str
    performance: Performance


def without_password(text: str) -> str:
    """Drop what stands before the host in each address of a text."""
    return re.sub(r"//[^/@\s]*@", "//", text)


def estimate_metrics(estimates: pl.DataFrame) -> dict[str, float]:
    """Name each finite estimate analysis/group/variable/level/statistic.

    MLflow would store an infinite one as 1.8e308, and a missing one breaks its page. `NadirError` where two
    estimates would have one name.
    """
    named = [
        (_metric_name(row[:5]), float(row[5]))
        for row in estimates.select(*ESTIMATES.key, "value").iter_rows()
        if row[5] is not None and isfinite(row[5])
    ]
    twice = [name for name, n in Counter(name for name, _ in named).items() if n > 1]
    if twice:
        raise NadirError(
            f"estimates: {twice[:3]} would name more than one metric. Rename the variables or levels."
        )
    return dict(named)


def _metric_name(parts: tuple[str, ...]) -> str:
    return "/".join(re.sub(r"[^\w.\- ]", "_", part) for part in parts if part)


def predictor_metrics(trained: TrainedPredictor) -> dict[str, float]:
    """Name the predictor's figures; `recorded_performance` reads them back."""
    figures = trained.cross_validated.as_numbers()
    return {f"{_HELD_OUT}{name}": value for name, value in figures.items()} | {
        "apparent/auc": trained.apparent_auc
    }


def predictor_params(trained: TrainedPredictor) -> dict[str, object]:
    """Say how the predictor was made."""
    return {
        "procedure": PROCEDURE,
        "inputs": ", ".join(FEATURE_NAMES),
        "model": "L2-penalised logistic regression",
        "inverse_penalty": INVERSE_PENALTY,
        "folds": N_FOLDS,
        "repeats": N_REPEATS,
        "seed": trained.seed,
        "n_left_out": trained.n_left_out,
    }


def predictor_files(trained: TrainedPredictor, figures: Mapping[str, bytes]) -> dict[str, bytes]:
    """Name the figures and tables of a predictor: sums only, no patient\'s row."""
    tables = {"coefficients": trained.coefficients, "calibration": trained.calibration}
    return {f"figures/{name}": content for name, content in figures.items()} | {
        f"tables/{name}.csv": table.write_csv().encode() for name, table in tables.items()
    }


def recorded_performance(metrics: Mapping[str, float]) -> Performance:
    """Make the cross-validated figures again from a run's metrics."""
    return performance_from_numbers({name.removeprefix(_HELD_OUT): value for name, value in metrics.items()})
