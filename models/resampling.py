"""How far a model chosen by backward elimination can be believed: the whole choice made again on resamples.

Here: the bootstrap, over any likelihood: which variables come back, and the optimism of the choice. Not here:
the likelihoods, or the study's rows (`models.study.selection_stability`, which calls this).
"""

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from models.design import DOUBTFUL_LOG_RATIO, SMALLEST_EIGENVALUE
from models.estimate import Coefficient, Flags, Floats, Integers
from models.likelihood import Likelihood, Maximum, inverse_of, maximise
from models.selection import REMOVAL_P, Elimination, RemovalTest, eliminate_backward
from transforms.errors import NotEstimableError

# The cost of a resample grows with the patients, while optimism shrinks with the events: at thousands of
# patients there is next to none to find, and 200 resamples would take minutes of a night.
MOST_PATIENTS = 5_000
# Equal patients have equal scores whatever the order of a sum: finer differences are rounding.
SCORE_DECIMALS = 10
SEPARATED = "the variables separate the outcome"


@dataclass(frozen=True, eq=False)
class SelectionProblem:
    """Candidates to choose among: `matrix` (n, p), one complete row a patient, sorted by patient.

    `likelihood_of` takes covariates (r, k) and the r patients they belong to; its coefficients end with those
    of the k columns, after an intercept where it has one. `discrimination` takes scores (r,) and their
    patients, and returns a share where 0.5 is chance. Both may raise `NotEstimableError`. `separates` says of
    covariates and their patients whether the likelihood grows without end.
    """

    names: tuple[str, ...]
    matrix: Floats
    likelihood_of: Callable[[Floats, Integers], Likelihood]
    discrimination: Callable[[Floats, Integers], float]
    separates: Callable[[Floats, Integers], bool]
    removal_p: float = REMOVAL_P
    removal_test: RemovalTest = "wald"

    @cached_property
    def scaled(self) -> Floats:
        """The columns standardised; `NotEstimableError` where one is constant or follows from the others."""
        return standardised(self.matrix)


@dataclass(frozen=True)
class SelectionStability:
    """What the resamples tell; None where none converged, or where no choice among them has a slope.

    `inclusion_percent`: for each candidate, of the converged resamples. `apparent`: the chosen model's
    discrimination in its own patients; `optimism`: by how much that is too good on average.
    `calibration_slope`: the mean slope of the outcome on a resample's model; below 1 it is too extreme.
    """

    n_resamples: int
    n_converged: int
    inclusion_percent: dict[str, float | None]
    apparent: float
    optimism: float | None
    calibration_slope: float | None

    @property
    def corrected(self) -> float | None:
        """What the chosen model may be expected to reach in new patients."""
        return None if self.optimism is None else self.apparent - self.optimism


@dataclass(frozen=True)
class Replicate:
    """What the choice among resampled patients was, and how much better it does in them than in all."""

    retained: tuple[str, ...]
    optimism: float
    calibration_slope: float | None


def judge_selection(problem: SelectionProblem, *, n_resamples: int, seed: int) -> SelectionStability:
    """Bootstrap the whole backward elimination, patients drawn with replacement.

    A resample counts as converged unless a model on the way cannot be fitted, a column is constant in it, or
    the candidates separate its outcome. An empty model discriminates by chance, 0.5.
    Raises `NotEstimableError` where the elimination fails on the patients themselves, or for more than 5,000.
    Source: Harrell, Lee and Mark 1996, Statistics in Medicine 15:361 (optimism); Sauerbrei and Schumacher
    1992, Statistics in Medicine 11:2093 (inclusion).
    """
    n = len(problem.matrix)
    refuse_many(n)
    everyone = np.arange(n)
    start, chosen = _eliminate(problem, everyone, start=None)
    apparent = problem.discrimination(_scores(problem, chosen), everyone)
    rng = np.random.default_rng(np.random.SeedSequence(seed))
    replicates: list[Replicate] = []
    for _ in range(n_resamples):
        with suppress(NotEstimableError):
            replicates.append(replicate_selection(problem, rng.integers(n, size=n), start=start))
    return _summary(problem.names, replicates, n_resamples=n_resamples, apparent=apparent)


def refuse_many(n_patients: int) -> None:
    """Raise `NotEstimableError` for more patients than resampling is made for."""
    if n_patients > MOST_PATIENTS:
        raise NotEstimableError(
            f"made for at most {MOST_PATIENTS:,} patients, where the time it takes is worth it; "
            f"here are {n_patients:,}"
        )


def replicate_selection(
    problem: SelectionProblem, rows: Integers, *, start: Floats | None = None
) -> Replicate:
    """Choose again among the patients in `rows` (r,); raise `NotEstimableError` where that does not converge.

    `start`: coefficients of the model of all candidates, standardised, to begin from.
    """
    refuse_degenerate(problem.scaled[rows])
    _, chosen = _eliminate(problem, rows, start=start)
    scores = _scores(problem, chosen)
    within = problem.discrimination(scores[rows], rows)
    in_all = problem.discrimination(scores, np.arange(len(scores)))
    slope = _calibration_slope(problem, scores)
    return Replicate(chosen.retained, within - in_all, slope)


def _summary(
    names: tuple[str, ...], replicates: list[Replicate], *, n_resamples: int, apparent: float
) -> SelectionStability:
    included = {name: [100.0 * (name in replicate.retained) for replicate in replicates] for name in names}
    slopes = [replicate.calibration_slope for replicate in replicates]
    return SelectionStability(
        n_resamples=n_resamples,
        n_converged=len(replicates),
        inclusion_percent={name: _mean(flags) for name, flags in included.items()},
        apparent=apparent,
        optimism=_mean([replicate.optimism for replicate in replicates]),
        calibration_slope=_mean([slope for slope in slopes if slope is not None]),
    )


def _mean(values: list[float]) -> float | None:
    return float(np.mean(values)) if values else None


def _eliminate(
    problem: SelectionProblem, rows: Integers, *, start: Floats | None
) -> tuple[Floats, Elimination["SubsetFit"]]:
    """The coefficients of all candidates among the patients in `rows`, and the elimination from there."""
    matrix = problem.scaled[rows]
    fits = SubsetFits(
        problem.names,
        matrix,
        problem.likelihood_of(matrix, rows),
        separates=lambda: problem.separates(matrix, rows),
        start=start,
    )
    full = fits.fit(problem.names)
    elimination = eliminate_backward(
        problem.names, fits.fit, removal_p=problem.removal_p, removal_test=problem.removal_test
    )
    return full.maximum.coefficients, elimination


def _scores(problem: SelectionProblem, chosen: Elimination["SubsetFit"]) -> Floats:
    """The chosen model's linear predictor in all patients; 0 for all by an empty model."""
    if chosen.fit is None:
        return np.zeros(len(problem.matrix))
    weights = chosen.fit.maximum.coefficients[-len(problem.names) :]
    return np.asarray(np.round(problem.scaled @ weights, SCORE_DECIMALS), dtype=np.float64)


def _calibration_slope(problem: SelectionProblem, scores: Floats) -> float | None:
    """The slope of the outcome on the scores; an empty model, or one that separates the outcome, has none."""
    column, everyone = scores[:, None], np.arange(len(scores))
    likelihood = problem.likelihood_of(column, everyone)
    fits = SubsetFits(("score",), column, likelihood, separates=lambda: problem.separates(column, everyone))
    try:
        return fits.fit(("score",)).coefficients[0].estimate
    except NotEstimableError:
        return None


def standardised(matrix: Floats) -> Floats:
    """Return the columns less their means, over their standard deviations.

    Raises `NotEstimableError` for a constant column, or columns that follow from one another.
    """
    refuse_degenerate(matrix)
    scaled: Floats = (matrix - matrix.mean(axis=0)) / matrix.std(axis=0)
    return scaled


def refuse_degenerate(matrix: Floats) -> None:
    """Raise `NotEstimableError` where a column is constant or follows from the others."""
    if (np.ptp(matrix, axis=0) == 0).any():
        raise NotEstimableError("a variable has the same value in all patients")
    centred = matrix - matrix.mean(axis=0)
    scaled = centred / np.sqrt((centred**2).sum(axis=0))
    if np.linalg.eigvalsh(scaled.T @ scaled)[0] < SMALLEST_EIGENVALUE:
        raise NotEstimableError("one variable follows from the others")


@dataclass(frozen=True, eq=False)
class SubsetFit:
    """The maximum over some columns; `free` marks their coefficients and the fixed ones before them."""

    names: tuple[str, ...]
    free: Flags
    maximum: Maximum
    covariance: Floats
    at_nothing: Callable[[], float]

    @cached_property
    def coefficients(self) -> tuple[Coefficient, ...]:
        """One for each name, with its standard error."""
        n = len(self.names)
        values = self.maximum.coefficients[self.free][-n:]
        errors = np.sqrt(np.diag(self.covariance)[-n:])
        return tuple(
            Coefficient(name, float(value), float(error))
            for name, value, error in zip(self.names, values, errors, strict=True)
        )

    @property
    def log_likelihood(self) -> float:
        """The log-likelihood at the coefficients."""
        return self.maximum.at.log_likelihood

    @property
    def likelihood_ratio(self) -> float:
        """Twice what the log-likelihood gains over no variables."""
        return 2 * (self.log_likelihood - self.at_nothing())


class SubsetFits:
    """Fits of subsets of a matrix' columns, each begun where a larger one says that it will end."""

    def __init__(
        self,
        names: tuple[str, ...],
        matrix: Floats,
        likelihood: Likelihood,
        *,
        separates: Callable[[], bool] = lambda: True,
        start: Floats | None = None,
    ) -> None:
        # Where nobody tells, a log ratio beyond belief counts as separation.
        self._likelihood = likelihood
        self._n_fixed = likelihood.n_coefficients - len(names)
        self._place = {name: place for place, name in enumerate(names, start=self._n_fixed)}
        self._reach = np.concatenate([np.ones(self._n_fixed), np.ptp(matrix, axis=0)])
        self._start = start
        self._separates = separates
        self._made: dict[frozenset[str], SubsetFit] = {}

    def fit(self, names: tuple[str, ...]) -> SubsetFit:
        """Return the maximum over `names`.

        Raises `NotEstimableError` where there is none.
        """
        key = frozenset(names)
        if key not in self._made:
            self._made[key] = self._fit(names)
        return self._made[key]

    def _fit(self, names: tuple[str, ...]) -> SubsetFit:
        free = self._free(names)
        try:
            with np.errstate(all="ignore"):
                maximum = maximise(self._likelihood, start=self._start_of(names, free), free=free)
        except NotEstimableError as failure:
            if self._are_separating:
                raise NotEstimableError(SEPARATED) from failure
            raise
        reach = np.abs(maximum.coefficients) * self._reach
        if not (reach <= DOUBTFUL_LOG_RATIO).all() and self._are_separating:
            raise NotEstimableError(SEPARATED)
        covariance = inverse_of(maximum.at.information[np.ix_(free, free)])
        if not (np.diag(covariance) > 0).all():
            raise NotEstimableError("the data do not tell the coefficients apart")
        return SubsetFit(names, free, maximum, covariance, self._at_nothing)

    @cached_property
    def _are_separating(self) -> bool:
        """Whether all columns together separate the outcome; where they do not, no part of them does."""
        return self._separates()

    def _free(self, names: tuple[str, ...]) -> Flags:
        free = np.arange(len(self._reach)) < self._n_fixed
        free[[self._place[name] for name in names]] = True
        return free

    def _start_of(self, names: tuple[str, ...], free: Flags) -> Floats | None:
        """The smallest larger fit so far, moved to where its quadratic has the rest at 0."""
        for key in reversed(self._made):
            if key.issuperset(names):
                return _moved(self._made[key], free)
        return self._start

    def _at_nothing(self) -> float:
        """The log-likelihood without variables."""
        nothing = self._free(())
        if not nothing.any():
            return self._likelihood.evaluate(np.zeros(len(self._reach))).log_likelihood
        return maximise(self._likelihood, free=nothing).at.log_likelihood


def _moved(larger: SubsetFit, free: Flags) -> Floats:
    stays = free[larger.free]
    values, covariance = larger.maximum.coefficients[larger.free], larger.covariance
    gone = np.linalg.solve(covariance[np.ix_(~stays, ~stays)], values[~stays])
    start = np.zeros(len(free))
    start[free] = values[stays] - covariance[np.ix_(stays, ~stays)] @ gone
    return start
