"""A challenger set beside the champion, on patients for whom both are fair: the trial and its figures.

Here: who is compared, log loss gained with bootstrap intervals, what is asked of the challenger alone. Not
here: gates and verdict (`models.prediction.promotion`, its only caller), where probabilities come from.

Which comparison is fair. A champion has seen the patients that it was trained on, and its probabilities for
them are too good; the challenger's out-of-fold ones are not. So the two are compared on the patients that are
no part of the champion's training: for these the champion's probability is a true forecast, and the
challenger's comes from a model made without that very patient. The challenger may learn from the other new
patients: that is what it has to offer, and it has a fold fewer of them than when it serves. What is asked of
the challenger alone (chance, calibration) is asked of all its out-of-fold probabilities. A patient may be
labelled only once the outcome would be known whichever it is: events are known early, and who takes them as
they come sees too many of them.

Why log loss. It is a proper score, so that it sees calibration as well as ranking. With a champion that lacks
the strongest variable and 150 new patients a 95 % interval of it promotes 86 of 100, one of the AUC 88; where
the champion's odds have become 2.5 times too low it is 48 against 0 (400 trials each). Alone it would promote
18 of 100 where labels are shuffled, as more noise is fitted less badly: hence the rival that knows nothing.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from math import ceil, sqrt
from statistics import NormalDist

import numpy as np

from models.estimate import Z_95, Estimate, Flags, Floats, Integers
from models.prediction.calibration import calibration_slope
from models.prediction.clustered_auc import estimate_auc, numbers_of
from transforms.errors import NotEstimableError

# Of each outcome, for a subgroup to be judged.
MIN_SUBGROUP_EVENTS = 10
# A probability of 0 that is wrong would cost infinitely much; one in a million is as sure as a score can be.
SMALLEST_PROBABILITY = 1e-6

RESAMPLES_BEYOND_A_LIMIT = 100
MOST_RESAMPLES = 100_000
DRAWS_AT_ONCE = 4_000_000
# Above, a mean is normal to all digits that matter, and resampling would take minutes.
MOST_RESAMPLED_PATIENTS = 20_000


@dataclass(frozen=True, eq=False)
class Trial:
    """Challenger and champion beside the same n outcomes, one row a patient or several.

    has_asl: (n,) the known outcomes. challenger: (n,) out-of-fold probabilities, 0 to 1. champion: (n,) the
    champion's probabilities, read where `is_new` only; None where there is no champion. is_new: (n,) whether
    the patient was no part of the champion's training. patient: (n,) a number for each patient
    (`clustered_auc.patients_of`); None where each row is one. subgroups: by name (sex, site, ...), (n,)
    labels, None where unknown. Raises `ValueError` for other lengths, or probabilities that are none.
    """

    has_asl: Flags
    challenger: Floats
    champion: Floats | None
    is_new: Flags
    patient: Integers | None = None
    subgroups: Mapping[str, Sequence[str | None]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        n = len(self.has_asl)
        parts = (self.challenger, self.is_new, self.champion, self.patient, *self.subgroups.values())
        if any(part is not None and len(part) != n for part in parts):
            raise ValueError("trial: one value for each outcome is expected in every part")
        for p in (self.challenger, self.rival[self.is_compared]):
            if not ((p >= 0) & (p <= 1)).all():
                raise ValueError("trial: probabilities from 0 to 1 are expected, none missing")

    @property
    def is_compared(self) -> Flags:
        """The rows of patients that the champion has not seen; all, where there is no champion (n,)."""
        return np.full(len(self.has_asl), True) if self.champion is None else self.is_new

    @cached_property
    def cluster(self) -> Integers:
        """Whose row it is, as 0, 1, ... (n,)."""
        return np.arange(len(self.has_asl)) if self.patient is None else numbers_of(self.patient)

    @cached_property
    def constant(self) -> Floats:
        """The patients' mean share with the outcome, the best probability that is the same for all (n,)."""
        everyone = np.full(len(self.has_asl), True)
        shares = self.by_patient(self.has_asl.astype(np.float64), everyone)
        return np.full(len(self.has_asl), shares.mean() if len(shares) else 0.5)

    @property
    def rival(self) -> Floats:
        """The champion's probabilities; where there is no champion, the constant (n,)."""
        return self.constant if self.champion is None else self.champion

    def by_patient(self, values: Floats, among: Flags) -> Floats:
        """Return each patient's mean of the values (n,) in those rows, sorted: row order does not matter."""
        chosen, cluster = values[among], self.cluster[among]
        order = np.lexsort((chosen, cluster))
        place = np.unique(cluster[order], return_inverse=True)[1]
        means: Floats = np.bincount(place, weights=chosen[order]) / np.bincount(place)
        return np.sort(means)

    def gains(self, over: Floats, among: Flags) -> Floats:
        """Return each patient's log loss by the probabilities `over` (n,) less the challenger's, nats."""
        chosen = np.flatnonzero(among)
        difference = np.zeros(len(self.has_asl))
        difference[chosen] = _log_loss(self.has_asl[chosen], over[chosen])
        difference[chosen] -= _log_loss(self.has_asl[chosen], self.challenger[chosen])
        return self.by_patient(difference, among)

    def n_of_each(self, among: Flags) -> tuple[int, int]:
        """Return how many patients have those rows with the outcome, and how many without."""
        with_event, without = (
            len(np.unique(self.cluster[among & of])) for of in (self.has_asl, ~self.has_asl)
        )
        return with_event, without


@dataclass(frozen=True)
class Subgroup:
    """What the challenger gains in one subgroup, nats of log loss a patient."""

    name: str
    n: int
    gain: Estimate


@dataclass(frozen=True)
class Comparison:
    """The figures of a trial; None where one cannot be estimated.

    gain: over the champion (over the constant where there is none), among patients new to it.
    gain_over_constant, auc, slope, observed_to_expected: of all out-of-fold probabilities. worst: the
    subgroup that gains least. error: what the bootstrap intervals leave outside, both sides together; AUC,
    slope and ratio have 95 % intervals.
    """

    error: float
    gain: Estimate
    gain_over_constant: Estimate
    auc: Estimate | None
    slope: Estimate | None
    observed_to_expected: Estimate | None
    worst: Subgroup | None

    @property
    def figures(self) -> dict[str, float]:
        """All that could be estimated, by name, limits ending with `_low` and `_high`."""
        estimates = {
            "gain": self.gain,
            "gain_over_constant": self.gain_over_constant,
            "auc": self.auc,
            "calibration_slope": self.slope,
            "observed_to_expected": self.observed_to_expected,
            "worst_subgroup_gain": self.worst.gain if self.worst else None,
        }
        named = {
            f"{name}{end}": value
            for name, of in estimates.items()
            if of is not None
            for end, value in (("", of.value), ("_low", of.ci_low), ("_high", of.ci_high))
        }
        known = {name: value for name, value in named.items() if value is not None}
        return {"interval_percent": 100 * (1 - self.error), **known}


def compare(trial: Trial, *, seed: int, error: float) -> Comparison:
    """Measure the challenger against its rivals; bootstrap intervals leave `error` outside, both sides."""
    bootstrap = _Bootstrap(seed, error)
    everyone = np.full(len(trial.has_asl), True)
    return Comparison(
        error=error,
        gain=bootstrap.interval(trial.gains(trial.rival, trial.is_compared)),
        gain_over_constant=bootstrap.interval(trial.gains(trial.constant, everyone)),
        auc=_auc(trial),
        slope=_slope(trial),
        observed_to_expected=_observed_to_expected(trial, everyone),
        worst=_worst_subgroup(trial, bootstrap),
    )


def _log_loss(has_asl: Flags, probability: Floats) -> Floats:
    p = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    return np.asarray(-np.log(np.where(has_asl, p, 1 - p)))


@dataclass(frozen=True)
class _Bootstrap:
    """Percentile intervals of means over resampled patients, `error` outside on both sides together."""

    seed: int
    error: float

    def interval(self, values: Floats, *, n_intervals: int = 1) -> Estimate:
        """Return the mean of sorted values (n,); of several intervals each errs the less (Bonferroni)."""
        tail = self.error / 2 / n_intervals
        mean = float(values.mean())
        if len(values) > MOST_RESAMPLED_PATIENTS:
            reach = NormalDist().inv_cdf(1 - tail) * float(values.std(ddof=1)) / sqrt(len(values))
            return Estimate(mean, mean - reach, mean + reach)
        n_resamples = min(MOST_RESAMPLES, ceil(RESAMPLES_BEYOND_A_LIMIT / tail))
        means = np.concatenate(list(self._means(values, n_resamples)))
        low, high = np.quantile(means, [tail, 1 - tail])
        return Estimate(mean, float(low), float(high))

    def _means(self, values: Floats, n_resamples: int) -> Iterator[Floats]:
        generator, n = np.random.default_rng(self.seed), len(values)
        at_once = max(1, DRAWS_AT_ONCE // n)
        for first in range(0, n_resamples, at_once):
            draws = generator.integers(n, size=(min(at_once, n_resamples - first), n))
            yield values[draws].mean(axis=1)


def _in_order(trial: Trial) -> tuple[Flags, Floats, Integers | None]:
    """Outcomes, probabilities and patients in one order, so that no sum depends on the order of rows."""
    keys = (
        (trial.has_asl, trial.challenger)
        if trial.patient is None
        else (
            trial.has_asl,
            trial.challenger,
            trial.patient,
        )
    )
    order = np.lexsort(keys)
    patient = None if trial.patient is None else trial.patient[order]
    return trial.has_asl[order], trial.challenger[order], patient


def _auc(trial: Trial) -> Estimate | None:
    has_asl, challenger, patient = _in_order(trial)
    try:
        return estimate_auc(has_asl, challenger, clusters=patient)
    except NotEstimableError:
        return None


def _slope(trial: Trial) -> Estimate | None:
    has_asl, challenger, patient = _in_order(trial)
    try:
        return calibration_slope(has_asl, challenger, clusters=patient)
    except NotEstimableError:
        return None


def _observed_to_expected(trial: Trial, everyone: Flags) -> Estimate | None:
    """Patients with the event over those expected; normal limits, the probabilities taken as sure."""
    p = trial.by_patient(trial.challenger, everyone)
    expected, reach = float(p.sum()), Z_95 * sqrt(float((p * (1 - p)).sum()))
    if expected == 0:
        return None
    observed = float(trial.by_patient(trial.has_asl.astype(np.float64), everyone).sum())
    return Estimate(observed / expected, (observed - reach) / expected, (observed + reach) / expected)


def _worst_subgroup(trial: Trial, bootstrap: _Bootstrap) -> Subgroup | None:
    """The subgroup with the lowest gain, among those with enough of both outcomes."""
    groups = [
        (name, among) for name, among in _groups(trial) if min(trial.n_of_each(among)) >= MIN_SUBGROUP_EVENTS
    ]
    judged = []
    for name, among in groups:
        gains = trial.gains(trial.rival, among)
        judged.append(Subgroup(name, len(gains), bootstrap.interval(gains, n_intervals=len(groups))))
    return min(judged, key=lambda one: (one.gain.value, one.name), default=None)


def _groups(trial: Trial) -> Iterator[tuple[str, Flags]]:
    for name, labels in trial.subgroups.items():
        array = np.array(list(labels), dtype=object)
        for label in sorted({label for label in labels if label is not None}):
            yield f"{name} {label}", trial.is_compared & (array == label)
