"""The columns of a linear predictor: inputs as they are, their logarithms, and restricted quadratic splines.

Here: what the columns are, as numpy arithmetic. Not here: the same columns in a stored pipeline
(`models.prediction.estimators`), coefficients. Called by `models.prediction`.
"""

from dataclasses import dataclass

import numpy as np

from models.estimate import Floats
from models.prediction.training_rows import TrainingRows

# Harrell 2015, Regression Modeling Strategies, table 2.3: where four knots stand.
KNOT_QUANTILES = (0.05, 0.35, 0.65, 0.95)


@dataclass(frozen=True, eq=False)
class Spline:
    """One input's knots, on the scale of its logarithm where `is_logged`."""

    column: int
    is_logged: bool
    knots: Floats


@dataclass(frozen=True, eq=False)
class Terms:
    """How k inputs become columns: unknown ones count as `medians` (k,), then `logged`, `plain`, `splines`.

    A spline adds, for each knot, the square of what lies above it. With coefficients whose sum over the knots
    is 0 the curve is a straight line below the first and above the last (`restrict` and `release`).
    """

    medians: Floats
    logged: tuple[int, ...] = ()
    plain: tuple[int, ...] = ()
    splines: tuple[Spline, ...] = ()

    def fill(self, matrix: Floats) -> Floats:
        """Return the inputs (n, k) with medians where they are unknown."""
        return np.where(np.isnan(matrix), self.medians, matrix)

    def columns(self, matrix: Floats) -> Floats:
        """Return the columns (n, p) of the inputs (n, k), a spline's restricted ones last."""
        filled = self.fill(matrix)
        curved = [_squares(filled, spline) for spline in self.splines]
        restricted = [squares[:, :-1] - squares[:, -1:] for squares in curved]
        return np.column_stack([np.log1p(filled[:, self.logged]), filled[:, self.plain], *restricted])

    def release(self, coefficients: Floats) -> Floats:
        """Return coefficients of logged, plain and every square above a knot, from those of `columns`."""
        n_straight = len(self.logged) + len(self.plain)
        parts, at = [coefficients[:n_straight]], n_straight
        for spline in self.splines:
            own = coefficients[at : at + len(spline.knots) - 1]
            parts += [own, -own.sum(keepdims=True)]
            at += len(own)
        return np.concatenate(parts)


def medians_of(rows: TrainingRows) -> Floats:
    """Return the median of each input over the rows that have it; 0 where none has."""
    is_known = ~np.isnan(rows.matrix)
    known = [column[kept] for column, kept in zip(rows.matrix.T, is_known.T, strict=True)]
    return np.array([float(np.median(values)) if len(values) else 0.0 for values in known])


def plain_terms(rows: TrainingRows, *names: str) -> Terms:
    """Return the named inputs as they are."""
    return Terms(medians_of(rows), plain=rows.columns(*names))


def straight_terms(rows: TrainingRows) -> Terms:
    """Return all inputs, the logarithms of those whose kind says so."""
    logged = tuple(i for i, kind in enumerate(rows.kinds) if kind == "log")
    plain = tuple(i for i in range(len(rows.kinds)) if i not in logged)
    return Terms(medians_of(rows), logged=logged, plain=plain)


def curved_terms(rows: TrainingRows) -> Terms:
    """Return the straight terms and a spline for each input that is no flag and has values enough."""
    straight = straight_terms(rows)
    filled = straight.fill(rows.matrix)
    splines = (
        _spline(filled[:, i], i, is_logged=kind == "log")
        for i, kind in enumerate(rows.kinds)
        if kind != "flag"
    )
    kept = tuple(spline for spline in splines if spline is not None)
    return Terms(straight.medians, straight.logged, straight.plain, kept)


def _spline(values: Floats, column: int, *, is_logged: bool) -> Spline | None:
    """Knots at quantiles of the different values, so that no two stand in one place; None with too few."""
    distinct = np.unique(np.log1p(values) if is_logged else values)
    if len(distinct) < 2 * len(KNOT_QUANTILES):
        return None
    return Spline(column, is_logged, np.quantile(distinct, KNOT_QUANTILES))


def _squares(filled: Floats, spline: Spline) -> Floats:
    values = filled[:, spline.column]
    scaled = np.log1p(values) if spline.is_logged else values
    squares: Floats = np.square(np.maximum(scaled[:, None], spline.knots) - spline.knots)
    return squares
