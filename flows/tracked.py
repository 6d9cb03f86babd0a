"""What goes to MLflow and comes back, said without mlflow: records, and the names of what is logged.

Here: the origin of a run, a logged run, a version, the champion; metrics, parameters and files by name. Not
here: any call of MLflow (`flows.tracking`, which uses this, as `flows.nightly` and the report do).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from math import isfinite
from pathlib import Path

import polars as pl

from models.prediction.performance import Performance, performance_from_numbers
from models.prediction.predictor import (
    FEATURE_NAMES,
    INVERSE_PENALTY,
    N_FOLDS,
    N_REPEATS,
    PROCEDURE,
    TrainedPredictor,
)
from transforms.definitions import DEFAULT
from transforms.schemas import ESTIMATES

MODEL_NAME = "asl-predictor"
_HELD_OUT = "cross_validated/"
# Without it MLflow's pages open in their view of language models.
_TRAINING_VIEW = "workflowType=machine_learning"
_OF_RECOVERY = ("recovered", "univariate", "hr")
_OF_IL7 = ("pre_rt_il7_per_pg_ml", "", "or")
# What a reviewer follows from night to night, under names that never change. MLflow makes a chart of each and
# a section of each first word: with all the estimates, thousands, its pages would not open.
METRICS: dict[str, tuple[str, ...]] = {
    "accrued/patients": ("describe", "all", "patients", "", "n"),
    "accrued/patients_with_asl": ("describe", "all", "asl", "yes", "n"),
    "accrued/deaths": ("km_os", "all", "os", "", "events"),
    "accrued/progressions_or_deaths": ("km_pfs", "all", "pfs", "", "events"),
    "alive_at_24_months_percent/all": ("km_os", "all", "os", "", "rate_24m"),
    "alive_at_24_months_percent/with_asl": ("km_os", "asl", "os", "", "rate_24m"),
    "alive_at_24_months_percent/without_asl": ("km_os", "no_asl", "os", "", "rate_24m"),
    "hazard_ratio_of_asl/univariate": ("cox_os", "univariate", "asl", "", "hr"),
    "hazard_ratio_of_asl/univariate_ci_low": ("cox_os", "univariate", "asl", "", "ci_low"),
    "hazard_ratio_of_asl/univariate_ci_high": ("cox_os", "univariate", "asl", "", "ci_high"),
    "hazard_ratio_of_asl/multivariate": ("cox_os", "multivariate", "asl", "", "hr"),
    "hazard_ratio_of_asl/time_dependent": ("immortal_time", "time_dependent", "asl", "univariate", "hr"),
    "hazard_ratio_of_recovery/from_start_of_rt": ("immortal_time", "naive", *_OF_RECOVERY),
    "hazard_ratio_of_recovery/from_2_months": (
        "immortal_time",
        "landmark_2m",
        "recovered",
        "univariate",
        "hr",
    ),
    "odds_ratio_of_il7_per_pg_ml/univariate": ("logit_asl", "univariate", *_OF_IL7),
    "odds_ratio_of_il7_per_pg_ml/multivariate": (
        "logit_asl",
        "multivariate",
        "pre_rt_il7_per_pg_ml",
        "",
        "or",
    ),
    "odds_ratio_of_il7_per_pg_ml/firth": ("firth", "logit_asl", "pre_rt_il7_per_pg_ml", "univariate", "or"),
    "discrimination/il7_auc": ("roc", "all", "pre_rt_il7_pg_ml", "", "auc"),
    "discrimination/asl_model_auc_apparent": ("selection_stability", "logit_asl", "model", "", "apparent"),
    "discrimination/asl_model_auc_corrected": ("selection_stability", "logit_asl", "model", "", "corrected"),
    "discrimination/death_model_c_apparent": ("selection_stability", "cox_os", "model", "", "apparent"),
    "discrimination/death_model_c_corrected": ("selection_stability", "cox_os", "model", "", "corrected"),
}


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


def night_metrics(estimates: pl.DataFrame) -> dict[str, float]:
    """Return the estimates that `METRICS` names, the finite ones.

    MLflow would store an infinite one as 1.8e308, and a missing one breaks its page.
    """
    values = {row[:-1]: row[-1] for row in estimates.select(*ESTIMATES.key, "value").iter_rows()}
    named = {name: values.get(key) for name, key in METRICS.items()}
    return {name: value for name, value in named.items() if value is not None and isfinite(value)}


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
