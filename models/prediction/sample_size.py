"""How many patients a predictor of a yes-or-no outcome needs, by Riley's criteria, with a plain sentence.

Here: the four criteria of Riley 2020 (BMJ 368:m441) and what they take from an anticipated area under the
curve. Not here: any data. Called by `flows` for the report, the model card and the TRIPOD+AI sheet.
"""

from dataclasses import dataclass
from math import ceil, exp, log

import numpy as np
from scipy.special import log_expit
from scipy.stats import norm

from transforms.errors import NotEstimableError

SHRINKAGE = 0.9
MARGIN = 0.05
# Van Smeden 2019 (Stat Methods Med Res 28:2455) simulated models of up to 30 parameters.
MOST_PARAMETERS_FOR_ERROR = 30


@dataclass(frozen=True)
class Criterion:
    """One condition: its name, what it asks for in words, the patients it needs (None: does not apply)."""

    name: str
    meaning: str
    n: int | None


@dataclass(frozen=True)
class SampleSize:
    """Patients and events that are needed for a share with the event, parameters and Cox-Snell's R2.

    `largest_r2` is the most that R2 can be at this prevalence. `n` is the largest of the criteria.
    """

    prevalence: float
    n_parameters: int
    cox_snell_r2: float
    largest_r2: float
    criteria: tuple[Criterion, ...]

    @property
    def n(self) -> int:
        """Patients needed by all criteria."""
        return max(criterion.n for criterion in self.criteria if criterion.n is not None)

    @property
    def n_events(self) -> int:
        """Events among them."""
        return _round_up(self.n * self.prevalence)

    @property
    def deciding(self) -> Criterion:
        """The criterion that needs most; of equals the first."""
        return max(self.criteria, key=lambda criterion: criterion.n or 0)


def required_sample_size(*, prevalence: float, n_parameters: int, cox_snell_r2: float) -> SampleSize:
    """Return what the four criteria need.

    prevalence: the share with the event (0 to 1). n_parameters: all candidate parameters that the procedure
    looks at, kept or not, the intercept left out. cox_snell_r2: anticipated, corrected for optimism
    (`cox_snell_r2_of_auc`). Raises `NotEstimableError` where the prevalence is 0 or 1, or R2 is 0;
    `ValueError` for an R2 above what the prevalence allows, or no parameter.
    """
    largest = largest_cox_snell_r2(prevalence)
    if n_parameters < 1 or cox_snell_r2 >= largest:
        raise ValueError(
            "sample size: at least one parameter, and an R2 below what the prevalence allows, is expected"
        )
    if cox_snell_r2 <= 0:
        raise NotEstimableError("a model that tells nothing is no better with more patients")
    criteria = _criteria(prevalence, n_parameters, r2=cox_snell_r2, largest=largest)
    return SampleSize(prevalence, n_parameters, cox_snell_r2, largest, criteria)


def _criteria(prevalence: float, n_parameters: int, *, r2: float, largest: float) -> tuple[Criterion, ...]:
    optimism = r2 / (r2 + MARGIN * largest)
    return (
        Criterion(
            "overall risk", f"the overall risk is known within {MARGIN}", _for_overall_risk(prevalence)
        ),
        Criterion(
            "mean absolute error",
            f"probabilities are off by no more than {MARGIN} on average",
            _for_mean_absolute_error(prevalence, n_parameters),
        ),
        Criterion(
            "shrinkage",
            f"effects need to shrink by no more than {1 - SHRINKAGE:.0%}",
            _for_shrinkage(SHRINKAGE, n_parameters, r2),
        ),
        Criterion(
            "optimism",
            f"the apparent Nagelkerke R2 is no more than {MARGIN} too high",
            _for_shrinkage(optimism, n_parameters, r2),
        ),
    )


def largest_cox_snell_r2(prevalence: float) -> float:
    """Return the Cox-Snell R2 of a perfect model (Riley 2019, Stat Med 38:1276, equation 23).

    Raises `NotEstimableError` where the prevalence is not between 0 and 1.
    """
    if not 0 < prevalence < 1:
        raise NotEstimableError("with one outcome only there is nothing to predict")
    return 1 - exp(2 * _log_likelihood_of_prevalence(prevalence))


def cox_snell_r2_of_auc(auc: float, prevalence: float) -> float:
    """Return the Cox-Snell R2 that goes with an area under the curve, of log-odds normal in either class.

    Riley, Van Calster and Collins 2021 (Stat Med 40:859) simulate a million patients; the mean
    log-likelihood is integrated here instead, to all digits. `NotEstimableError` where the prevalence is
    not between 0 and 1; `ValueError` where the area is below 0.5 or is 1.
    """
    largest_cox_snell_r2(prevalence)
    if not 0.5 <= auc < 1:
        raise ValueError("sample size: an area under the curve of 0.5 or more and below 1 is expected")
    distance = np.sqrt(2) * norm.ppf(auc)
    steps = np.linspace(-12.0, 12.0, 4801)
    weights = norm.pdf(steps) * (steps[1] - steps[0])
    start = log(prevalence / (1 - prevalence))
    # Log-odds are linear in a score with variance 1 in both classes, `distance` apart.
    with_event = log_expit(start + distance * (steps + distance / 2)) @ weights
    without = log_expit(-(start + distance * (steps - distance / 2))) @ weights
    mean = prevalence * with_event + (1 - prevalence) * without
    return max(0.0, float(-np.expm1(2 * (_log_likelihood_of_prevalence(prevalence) - mean))))


def sample_size_of_data(*, n: int, n_events: int, n_parameters: int, auc: float) -> SampleSize:
    """Return what would be needed at the data's prevalence and an anticipated, honest area under the curve.

    Raises as `required_sample_size` and `cox_snell_r2_of_auc` do.
    """
    prevalence = n_events / n if n else 0.0
    r2 = cox_snell_r2_of_auc(auc, prevalence)
    return required_sample_size(prevalence=prevalence, n_parameters=n_parameters, cox_snell_r2=r2)


def describe_sample_size(needed: SampleSize, *, n: int, n_events: int) -> str:
    """Return a plain sentence: whether the data are enough, how many would be, and what that means."""
    parameters = f"{needed.n_parameters} parameter{'' if needed.n_parameters == 1 else 's'}"
    found = f"With {n_events} events among {n} patients and {parameters} the data are"
    wanted = f"{needed.n} patients with {needed.n_events} events"
    if n >= needed.n:
        return f"{found} enough: {wanted} are needed, so that {needed.deciding.meaning}."
    return (
        f"{found} too few: {wanted} would be needed, so that {needed.deciding.meaning}; "
        "take the probabilities as rough."
    )


def _log_likelihood_of_prevalence(prevalence: float) -> float:
    return prevalence * log(prevalence) + (1 - prevalence) * log(1 - prevalence)


def _for_overall_risk(prevalence: float) -> int:
    return _round_up((1.96 / MARGIN) ** 2 * prevalence * (1 - prevalence))


def _for_mean_absolute_error(prevalence: float, n_parameters: int) -> int | None:
    """Van Smeden's regression of the error on size, share and parameters; made for shares up to a half."""
    if n_parameters > MOST_PARAMETERS_FOR_ERROR:
        return None
    rarer = min(prevalence, 1 - prevalence)
    power = -0.508 + 0.259 * log(rarer) + 0.504 * log(n_parameters) - log(MARGIN)
    return _round_up(exp(power / 0.544))


def _for_shrinkage(shrinkage: float, n_parameters: int, r2: float) -> int:
    """Riley 2019, equation 11."""
    return _round_up(n_parameters / ((shrinkage - 1) * log(1 - r2 / shrinkage)))


def _round_up(number: float) -> int:
    """The next whole number; rounding alone does not make a patient."""
    return ceil(number - 1e-9)
