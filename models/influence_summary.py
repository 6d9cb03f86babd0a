"""How much single patients move a model's ratios, summed up from dfbetas and exact refits.

Here: the summary, for any regression. Not here: the dfbetas (`models.logistic_influence`,
`models.survival.influence`), which call this.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from models.estimate import Floats, Integers, exponential
from transforms.errors import NotEstimableError

# Up to here everyone is left out in turn, beyond it the ten who by their dfbetas pull a coefficient up most,
# and the ten who pull it down most.
MOST_REFITS = 200
N_LEFT_OUT = 10


@dataclass(frozen=True)
class Influence:
    """How far single patients move one coefficient.

    max_abs_dfbetas: the largest |dfbetas|, in standard errors; n_influential: patients whose |dfbetas|
    is above 2 / sqrt(n). ratio_without_low, ratio_without_high: the lowest and highest hazard or odds ratio
    of the exact fits without one patient (up to 200 patients each in turn, beyond that each of the ten most
    influential); None, with `reason`, where one of those cannot be fitted.
    """

    name: str
    max_abs_dfbetas: float
    n_influential: int
    ratio_without_low: float | None
    ratio_without_high: float | None
    reason: str | None = None


def sum_up_influence(
    dfbetas: Floats, *, names: Sequence[str], refit: Callable[[int], Floats]
) -> tuple[Influence, ...]:
    """Return one `Influence` a coefficient, in the order of `names`.

    dfbetas: (n, p). refit: the coefficients (p,) of the fit without the row of that number; it may raise
    `NotEstimableError`. The cut-off 2 / sqrt(n) is that of Belsley, Kuh and Welsch 1980.
    """
    refit_once = cache(refit)
    return tuple(_influence(dfbetas, place, name=name, refit=refit_once) for place, name in enumerate(names))


def _influence(dfbetas: Floats, place: int, *, name: str, refit: Callable[[int], Floats]) -> Influence:
    sizes = np.abs(dfbetas[:, place])
    low = high = reason = None
    try:
        without = [float(refit(int(row))[place]) for row in _left_out(dfbetas, place)]
        low, high = exponential(min(without)), exponential(max(without))
    except NotEstimableError as failure:
        reason = f"without one of the patients: {failure}"
    return Influence(
        name=name,
        max_abs_dfbetas=float(sizes.max()),
        n_influential=int((sizes > 2 / np.sqrt(len(sizes))).sum()),
        ratio_without_low=low,
        ratio_without_high=high,
        reason=reason,
    )


def _left_out(dfbetas: Floats, place: int) -> Integers:
    """All rows; of many those with the largest and the smallest dfbetas.

    Of equals, those that a full sort puts first: so the choice does not depend on the order of the rows.
    """
    if len(dfbetas) <= MOST_REFITS:
        return np.arange(len(dfbetas))
    values = np.round(dfbetas, 9)
    pull = values[:, place]
    ends = np.partition(pull, (N_LEFT_OUT, -N_LEFT_OUT))
    candidates = np.flatnonzero((pull <= ends[N_LEFT_OUT]) | (pull >= ends[-N_LEFT_OUT]))
    order = candidates[np.lexsort([*values[candidates].T, pull[candidates]])]
    chosen: Integers = np.concatenate([order[:N_LEFT_OUT], order[-N_LEFT_OUT:]])
    return chosen
