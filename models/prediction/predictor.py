"""The predictor of acute severe lymphopenia (ASL) before RT: training, scoring, and reading it back.

Here: all that needs scikit-learn or skops; their types stay here, the estimator leaves as an opaque object.
Not here: how figures are made (`models.prediction`), the registry (`flows.tracking`). Called by `flows`.
"""

from dataclasses import dataclass, field
from datetime import date

import numpy as np
import pandas as pd
import polars as pl
import skops.io
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skops.io.exceptions import UntrustedTypesFoundException

from models.estimate import Flags, Floats
from models.prediction.features import rows_before_rt
from models.prediction.performance import Performance, calibration_points, estimate_performance
from models.prediction.sample_size import describe_sample_size, sample_size_of_data
from models.roc import estimate_roc
from transforms.content_hash import frame_sha256
from transforms.errors import NadirError, NotEstimableError
from transforms.schemas import PATIENT_KEY

# Bump with any change below that makes another model of the same data: the registry keeps one version for
# each pair of training data and procedure.
PROCEDURE = "asl-before-rt-1.1"

MIN_PATIENTS_A_CLASS = 10
# Published models of severe lymphopenia, tested elsewhere: 0.68 in the lung, 0.70 in the liver.
HONEST_AUC = 0.70
N_FOLDS = 5
N_REPEATS = 20
# A normal prior with standard deviation 0.71 on each log odds ratio per standard deviation. Fixed, since
# tuning a penalty on some 40 events is itself unstable (Van Calster 2020, Stat Methods Med Res 29:3166). Over
# 25 invented cohorts of 98 it gave a mean calibration slope of 0.98 on new patients (1: 0.90; 0.3: 1.08).
INVERSE_PENALTY = 0.5

# skops refuses any type outside its own safe list and this one.
TRUSTED_TYPES = ("numpy.dtype",)


@dataclass(frozen=True)
class Feature:
    """One input of the predictor: its column, what it is, and why it is among the few."""

    name: str
    meaning: str
    reason: str


# All known on the first day of RT. Few, since 98 patients with 41 events carry five parameters at the
# shrinkage of 0.9 that Riley 2020 (BMJ 368:m441) asks for if the AUC is 0.86, and two or three if it is 0.77,
# the best published for this outcome. The penalty pays for the difference.
LOGGED_FEATURES = (
    Feature(
        "baseline_tlc_cells_per_ul",
        "Total lymphocyte count before RT, cells/µL",
        "the pool that RT depletes; the strongest predictor in every published model",
    ),
    Feature(
        "ptv_cm3",
        "Planning target volume, cm³",
        "how much blood and liver the beam crosses",
    ),
    Feature(
        "pre_rt_il7_pg_ml",
        "Interleukin-7 before RT, pg/mL",
        "the cytokine that keeps and refills the pool; the study's question",
    ),
)
BINARY_FEATURES = (
    Feature(
        "is_chemoradiotherapy",
        "Chemotherapy together with RT, 1 or 0",
        "chemotherapy suppresses the marrow that would refill the pool",
    ),
    Feature(
        "has_pvtt",
        "Portal vein tumour thrombosis, 1 or 0",
        "brings the portal vein, and so much of the flowing blood, into the field",
    ),
)
FEATURES = (*LOGGED_FEATURES, *BINARY_FEATURES)
FEATURE_NAMES = tuple(feature.name for feature in FEATURES)

# An invented patient for the model's input example, so that no real row is ever stored with a model.
EXAMPLE_INPUT = pl.DataFrame([dict(zip(FEATURE_NAMES, (1100.0, 600.0, 2.5, 1.0, 0.0), strict=True))])


@dataclass(frozen=True)
class TrainedPredictor:
    """A predictor fitted to every labelled patient, with what repeated cross-validation says of its making.

    `estimator` is opaque: it goes to `score` and to `flows.tracking`. `cross_validated` are the figures to
    quote; `apparent_auc` is on the training rows and too high. The AUC's interval takes the held-out
    probabilities as given: it leaves out what the choice of training patients adds, and is about a fifth too
    narrow. `training` (key, features, has_asl) and `out_of_fold` (key, has_asl, probability) hold patients'
    rows: they stay in the process and out of its messages.
    """

    estimator: object = field(repr=False)
    seed: int
    n_left_out: int
    cross_validated: Performance
    apparent_auc: float
    calibration: pl.DataFrame
    roc: pl.DataFrame
    coefficients: pl.DataFrame
    out_of_fold: pl.DataFrame = field(repr=False)
    training: pl.DataFrame = field(repr=False)
    training_sha256: str

    @property
    def sample_size(self) -> str:
        """Whether the data are enough for so many inputs, in a sentence (Riley 2020, BMJ 368:m441).

        The AUC anticipated is the best that an external test of this outcome in the liver has reached.
        """
        n, n_events = self.cross_validated.n, self.cross_validated.n_events
        needed = sample_size_of_data(n=n, n_events=n_events, n_parameters=len(FEATURES), auc=HONEST_AUC)
        return describe_sample_size(needed, n=n, n_events=n_events)


def predictor_features(cohort: pl.DataFrame) -> pl.DataFrame:
    """Return one Float64 column for each of `FEATURES`, a row for each of the cohort's, null where unknown.

    Nothing after the first day of RT is read.
    """
    is_chemoradiotherapy = pl.col("combined_treatment") == "chemoradiotherapy"
    return cohort.select(
        pl.col("baseline_tlc_cells_per_ul"),
        pl.col("ptv_cm3"),
        pl.col("pre_rt_il7_pg_ml"),
        is_chemoradiotherapy=is_chemoradiotherapy,
        has_pvtt=pl.col("pvtt") == "yes",
    ).cast(pl.Float64)


def train_predictor(cohort: pl.DataFrame, *, as_of: date, seed: int) -> TrainedPredictor:
    """Fit the predictor to a cohort (`schemas.COHORT`) and cross-validate the whole procedure.

    Left out and counted: who is still under treatment on the night (`as_of`), whose ASL may yet come, and who
    had no count. The order of the rows does not matter, and the seed
    only deals patients to folds. `NotEstimableError` where either class has fewer than 10 patients.
    """
    training = _training_rows(cohort, as_of=as_of)
    has_asl = training["has_asl"].to_numpy().astype(bool)
    _require_enough_events(has_asl)
    inputs = _as_inputs(training)
    estimator = _procedure().fit(inputs, has_asl)
    held_out = _out_of_fold_probabilities(inputs, has_asl, seed=seed)
    return TrainedPredictor(
        estimator=estimator,
        seed=seed,
        n_left_out=cohort.height - training.height,
        cross_validated=estimate_performance(has_asl, held_out),
        apparent_auc=estimate_performance(has_asl, _probabilities(estimator, inputs)).auc,
        calibration=calibration_points(has_asl, held_out),
        roc=estimate_roc(held_out, has_asl).points,
        coefficients=_coefficients(estimator, training),
        out_of_fold=training.select(*PATIENT_KEY, "has_asl", probability=pl.Series(held_out)),
        training=training,
        training_sha256=frame_sha256(training, PATIENT_KEY),
    )


def score(estimator: object, cohort: pl.DataFrame) -> pl.DataFrame:
    """Return site, patient_id and asl_probability (0 to 1) for each row of the cohort, in its order.

    A patient's probability depends on that patient's own row only: it is rounded to 12 decimals, because the
    last bits of a matrix product change with the size of the batch. An unknown input counts as the median of
    the training rows.
    """
    probability = _probabilities(_as_pipeline(estimator), _as_inputs(predictor_features(cohort)))
    return cohort.select(*PATIENT_KEY, asl_probability=pl.Series(probability.round(12), dtype=pl.Float64))


def read_estimator(content: bytes) -> object:
    """Read an estimator from skops' bytes, never by pickle.

    `NadirError` where the content is no skops file, or names a type outside skops' own safe list and
    `TRUSTED_TYPES`: what a stored model says of its own types is not asked.
    """
    try:
        estimator = skops.io.loads(content, trusted=list(TRUSTED_TYPES))
    except UntrustedTypesFoundException as error:
        raise NadirError(
            f"model file: found types that are not trusted. {error} Train and register the predictor again."
        ) from error
    except Exception as error:
        raise NadirError(
            f"model file: found no readable skops model ({type(error).__name__}). "
            "Train and register the predictor again."
        ) from error
    return _as_pipeline(estimator)


def _training_rows(cohort: pl.DataFrame, *, as_of: date) -> pl.DataFrame:
    """The patients whose RT is over: of those under treatment only cases are known, which would mislead."""
    known = rows_before_rt(cohort, as_of=as_of).filter("has_rt_ended", pl.col("has_asl").is_not_null())
    labelled = cohort.join(known, on=PATIENT_KEY, how="semi").sort(PATIENT_KEY)
    return pl.concat(
        [labelled.select(PATIENT_KEY), predictor_features(labelled), labelled.select("has_asl")],
        how="horizontal",
    )


def _require_enough_events(has_asl: Flags) -> None:
    n_events = int(has_asl.sum())
    if min(n_events, len(has_asl) - n_events) < MIN_PATIENTS_A_CLASS:
        raise NotEstimableError(
            f"ASL predictor: {n_events} patients with and {len(has_asl) - n_events} without ASL; at least "
            f"{MIN_PATIENTS_A_CLASS} of each are needed. Train again when more patients have finished RT."
        )


def _procedure() -> Pipeline:
    """The whole procedure, unfitted: logarithms, medians for the unknown, scaling, L2-penalised logistic."""
    logged = [feature.name for feature in LOGGED_FEATURES]
    to_log = FunctionTransformer(np.log1p, feature_names_out="one-to-one")
    return Pipeline(
        [
            ("log", ColumnTransformer([("log", to_log, logged)], remainder="passthrough")),
            # The median of a yes/no column is its more frequent answer. A column without any value becomes 0.
            ("impute", SimpleImputer(strategy="median", keep_empty_features=True)),
            ("scale", StandardScaler()),
            ("model", LogisticRegression(C=INVERSE_PENALTY, solver="newton-cholesky", tol=1e-10)),
        ]
    )


def _out_of_fold_probabilities(inputs: pd.DataFrame, has_asl: Flags, *, seed: int) -> Floats:
    """Each patient's mean probability over the repeats, always from models that did not see that patient."""
    splitter = RepeatedStratifiedKFold(n_splits=N_FOLDS, n_repeats=N_REPEATS, random_state=seed)
    total = np.zeros(len(has_asl))
    for seen, held_out in splitter.split(inputs, has_asl):
        fitted = _procedure().fit(inputs.iloc[seen], has_asl[seen])
        total[held_out] += _probabilities(fitted, inputs.iloc[held_out])
    return total / N_REPEATS


def _probabilities(estimator: Pipeline, inputs: pd.DataFrame) -> Floats:
    if inputs.empty:
        return np.zeros(0)
    return np.asarray(estimator.predict_proba(inputs)[:, 1], dtype=np.float64)


def _as_inputs(features: pl.DataFrame) -> pd.DataFrame:
    # Named columns: scikit-learn then refuses inputs in another order, and MLflow serves them by name.
    return features.select(FEATURE_NAMES).to_pandas()


def _as_pipeline(estimator: object) -> Pipeline:
    if not isinstance(estimator, Pipeline):
        raise NadirError(
            f"ASL predictor: found a {type(estimator).__name__} where the trained pipeline was expected. "
            "Pass the estimator of a TrainedPredictor or of the registry."
        )
    return estimator


def _coefficients(estimator: Pipeline, training: pl.DataFrame) -> pl.DataFrame:
    """One row a feature: log odds ratio of one standard deviation, and how many patients lacked the value."""
    return pl.DataFrame(
        {
            "feature": FEATURE_NAMES,
            "log_odds_ratio_per_sd": estimator.named_steps["model"].coef_[0].tolist(),
            "n_unknown": [training[name].null_count() for name in FEATURE_NAMES],
        }
    )
