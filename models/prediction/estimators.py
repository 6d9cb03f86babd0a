"""Fitted predictors, and the scikit-learn pipelines that they are stored and served as.

Here: all that needs scikit-learn or skops; a pipeline leaves as an opaque object. Not here: how coefficients
are found (`models.prediction.logistic_fits`), which candidates there are. Called by its siblings and `flows`.
"""

from dataclasses import dataclass
from itertools import islice
from typing import Any, Protocol

import numpy as np
import pandas as pd
import polars as pl
import skops.io
from scipy.special import expit
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from skops.io.exceptions import UntrustedTypesFoundException

from models.estimate import Floats
from models.prediction.logistic_fits import LinearPredictor
from models.prediction.question import Question
from models.prediction.terms import Spline, Terms, medians_of
from models.prediction.training_rows import TrainingRows, read_inputs
from transforms.errors import NadirError

# skops refuses any type outside its own safe list and these: a function of numpy that cuts values off, the
# type of numpy's columns, and scikit-learn's own tree of numbers.
TRUSTED_TYPES = (
    "numpy.clip",
    "numpy.dtype",
    "sklearn.ensemble._hist_gradient_boosting.predictor.TreePredictor",
)
# The last bits of a matrix product change with the size of the batch.
PROBABILITY_DECIMALS = 12

# Of an invented patient: the input example that is stored with a model, so that no real row ever is.
_EXAMPLE = {
    "baseline_tlc_cells_per_ul": 1100.0,
    "ptv_cm3": 600.0,
    "pre_rt_il7_pg_ml": 2.5,
    "is_chemoradiotherapy": 1.0,
    "has_viral_hepatitis": 1.0,
    "weeks_done": 2.0,
    "fractions_left_share": 0.6,
    "last_tlc_cells_per_ul": 500.0,
    "days_since_last_count": 3.0,
    "lowest_tlc_cells_per_ul": 450.0,
    "last_to_baseline_ratio": 0.45,
    "tlc_log_slope_per_week": -0.4,
    "n_counts_so_far": 2.0,
}


class Model(Protocol):
    """A fitted predictor."""

    def probabilities(self, matrix: Floats) -> Floats:
        """Return the probability (n,) of ASL for inputs (n, k), NaN where unknown."""

    def estimator(self, rows: TrainingRows) -> object:
        """Return the same as a pipeline that skops stores; `rows` are those that it was fitted to."""


@dataclass(frozen=True, eq=False)
class LinearModel:
    """Log odds that are linear in some terms; `predictor` has a coefficient for each of `terms.columns`."""

    terms: Terms
    predictor: LinearPredictor

    def probabilities(self, matrix: Floats) -> Floats:
        """Return the probability (n,) of ASL for inputs (n, k), NaN where unknown."""
        log_odds = self.predictor.intercept + self.terms.columns(matrix) @ self.predictor.coefficients
        return np.asarray(expit(log_odds).round(PROBABILITY_DECIMALS), dtype=np.float64)

    def estimator(self, rows: TrainingRows) -> object:
        """Return a pipeline that ends in a logistic regression with these coefficients."""
        before = Pipeline([("impute", _imputer()), ("terms", _column_transformer(self.terms, rows.names))])
        before.fit(_frame(rows))
        fitted = dict(before.named_steps["terms"].named_transformers_)
        for spline in self.terms.splines:
            fitted[rows.names[spline.column]].named_steps["from_knots"].mean_ = spline.knots
        last = LogisticRegression()
        last.classes_ = np.array([False, True])
        last.coef_ = self.terms.release(self.predictor.coefficients)[None, :]
        last.intercept_ = np.array([self.predictor.intercept])
        last.n_features_in_ = last.coef_.shape[1]
        return Pipeline([*before.steps, ("model", last)])


@dataclass(frozen=True, eq=False)
class BoostedModel:
    """Gradient boosting of shallow trees, the first `n_trees` of them, behind the training rows' medians."""

    medians: Floats
    classifier: Any
    n_trees: int

    def probabilities(self, matrix: Floats) -> Floats:
        """Return the probability (n,) of ASL for inputs (n, k), NaN where unknown."""
        if not len(matrix):
            return np.zeros(0)
        stages = self.classifier.staged_predict_proba(Terms(self.medians).fill(matrix))
        found = next(islice(stages, self.n_trees - 1, None))[:, 1]
        return np.asarray(found.round(PROBABILITY_DECIMALS), dtype=np.float64)

    def estimator(self, rows: TrainingRows) -> object:
        """Return a pipeline of an imputer and the trees, as many as there are."""
        last = self.classifier
        if self.n_trees < last.n_iter_:
            last = _trees(self.n_trees, n_rows=len(rows.outcome))
            last.fit(Terms(self.medians).fill(rows.matrix), rows.outcome)
        return Pipeline([("impute", _imputer().fit(_frame(rows))), ("model", last)])


def fit_boosting(rows: TrainingRows, *, numbers_of_trees: tuple[int, ...]) -> tuple[BoostedModel, ...]:
    """Fit trees of at most four leaves, once for the largest number: fewer are the first of them.

    At least a tenth of the rows, or 200, in a leaf, a slow rate and an L2 penalty: a hundred patients tell
    no more than main effects and a strong interaction.
    """
    medians = medians_of(rows)
    classifier = _trees(max(numbers_of_trees), n_rows=len(rows.outcome))
    classifier.fit(Terms(medians).fill(rows.matrix), rows.outcome)
    return tuple(BoostedModel(medians, classifier, n_trees) for n_trees in numbers_of_trees)


def _trees(n_trees: int, *, n_rows: int) -> HistGradientBoostingClassifier:
    return HistGradientBoostingClassifier(
        learning_rate=0.1,
        max_iter=n_trees,
        max_leaf_nodes=4,
        min_samples_leaf=min(max(5, n_rows // 10), 200),
        l2_regularization=5.0,
        early_stopping=False,
        random_state=0,
    )


def example_input(question: Question) -> pl.DataFrame:
    """Return the inputs of one invented patient, a Float64 column for each feature."""
    return pl.DataFrame([{name: _EXAMPLE.get(name, 0.0) for name in question.feature_names}])


def predict(estimator: object, rows: pl.DataFrame) -> Floats:
    """Return the probability (n,) of ASL for each row, in their order, rounded to 12 decimals.

    It depends on the row alone, not on the others of the batch. An unknown input counts as the median of the
    training rows. Raises `NadirError` for a missing column, and for a value that can be no measurement.
    """
    pipeline = _as_pipeline(estimator)
    names = tuple(str(name) for name in pipeline.feature_names_in_)
    matrix = read_inputs(rows, names, logged=_logged(pipeline, names))
    if not len(matrix):
        return np.zeros(0)
    probability = pipeline.predict_proba(pd.DataFrame(matrix, columns=list(names)))[:, 1]
    return np.asarray(probability.round(PROBABILITY_DECIMALS), dtype=np.float64)


def coefficients(estimator: object) -> pl.DataFrame:
    """Return term and log_odds_ratio (for one unit more of it), the intercept first; empty for trees."""
    pipeline = _as_pipeline(estimator)
    rows: list[tuple[str, float]] = []
    if "terms" in pipeline.named_steps:
        last = pipeline.named_steps["model"]
        rows = [("intercept", float(last.intercept_[0]))]
        names = _term_names(pipeline)
        rows += [(name, float(value)) for name, value in zip(names, last.coef_[0], strict=True)]
    schema = {"term": pl.String, "log_odds_ratio": pl.Float64}
    return pl.DataFrame(rows, schema=schema, orient="row")


def write_estimator(estimator: object) -> bytes:
    """Return skops' bytes of an estimator, which `read_estimator` reads."""
    return bytes(skops.io.dumps(_as_pipeline(estimator)))


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


def _as_pipeline(estimator: object) -> Pipeline:
    if not isinstance(estimator, Pipeline):
        raise NadirError(
            f"ASL predictor: found a {type(estimator).__name__} where the trained pipeline was expected. "
            "Pass the estimator of a Trained or of the registry."
        )
    return estimator


def _imputer() -> SimpleImputer:
    # The median of a yes/no column is its more frequent answer. A column without any value becomes 0.
    return SimpleImputer(strategy="median", keep_empty_features=True)


def _frame(rows: TrainingRows) -> pd.DataFrame:
    # Named columns: scikit-learn then refuses inputs in another order, and MLflow serves them by name.
    return pd.DataFrame(rows.matrix, columns=list(rows.names))


def _column_transformer(terms: Terms, names: tuple[str, ...]) -> ColumnTransformer:
    splines = [
        (names[spline.column], _above_knots(spline), [spline.column] * len(spline.knots))
        for spline in terms.splines
    ]
    logs = FunctionTransformer(np.log1p)
    return ColumnTransformer(
        [("log", logs, list(terms.logged)), ("plain", "passthrough", list(terms.plain)), *splines]
    )


def _above_knots(spline: Spline) -> Pipeline:
    """The square of what lies above each knot, of a column that is given once for each of them."""
    steps: list[tuple[str, Any]] = [("log", FunctionTransformer(np.log1p))] if spline.is_logged else []
    cut = FunctionTransformer(np.clip, kw_args={"a_min": spline.knots, "a_max": None})
    return Pipeline(
        [
            *steps,
            ("cut", cut),
            ("from_knots", StandardScaler(with_std=False)),
            ("square", FunctionTransformer(np.square)),
        ]
    )


def _logged(pipeline: Pipeline, names: tuple[str, ...]) -> tuple[str, ...]:
    if "terms" not in pipeline.named_steps:
        return ()
    columns = {name: places for name, _, places in pipeline.named_steps["terms"].transformers_}
    return tuple(names[place] for place in columns["log"])


def _term_names(pipeline: Pipeline) -> list[str]:
    inputs = [str(name) for name in pipeline.feature_names_in_]
    names: list[str] = []
    for kind, _, places in pipeline.named_steps["terms"].transformers_:
        if kind == "remainder":
            continue
        for number, place in enumerate(places, start=1):
            told = {"log": f"log(1 + {inputs[place]})", "plain": inputs[place]}
            names.append(told.get(kind, f"{inputs[place]}, square above knot {number}"))
    return names
