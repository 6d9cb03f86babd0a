"""What the study printed, as ranges: a number printed 0.63 is anything that rounds to it.

Here: reading printed numbers and measuring how far values lie outside them. Not here: how values are computed
(`models.reconstruction.fits`). The stages of `models.reconstruction.search` call it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np
import polars as pl
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Key = tuple[str, str, str, str, str]
KEY_COLUMNS = ("analysis", "group", "variable", "level", "statistic")

RATIOS = ("hr", "or", "ci_low", "ci_high")

# Stay this share of a rounding interval away from its ends, so that another library's last digits do not
# matter.
MARGIN = 0.04


@dataclass(frozen=True)
class Targets:
    """Printed numbers in a fixed order.

    `low` and `high` end what rounds to each, `scale` is a large error of it.
    """

    low: Floats
    high: Floats
    scale: Floats
    is_ratio: NDArray[np.bool_]

    def misfit(self, values: Floats, *, softness: float = 0.0) -> Floats:
        """Return how far `values` (..., targets) lie outside: 0 exactly where all are met.

        Distances count in half rounding intervals, plus `softness` times the scale: a search that lowers it
        sees the coarse shape first and the last decimals at the end.
        """
        error = self._errors(values, softness)
        return np.asarray((error**2 / (1.0 + error)).sum(axis=-1))

    def capped_misfit(self, values: Floats, *, softness: float = 0.0) -> Floats:
        """Return a misfit in which each missed target weighs about one, however far: it counts."""
        error = self._errors(values, softness)
        return np.asarray((error / (0.5 + error) + 0.02 * error).sum(axis=-1))

    def _errors(self, values: Floats, softness: float) -> Floats:
        low, high, finite = (self._on_scale(ends) for ends in (self.low, self.high, values))
        half = (high - low) / 2
        excess = np.maximum(np.abs(np.nan_to_num(finite, nan=1e6) - (low + high) / 2) - half, 0.0)
        return np.asarray(excess / (half + softness * self.scale))

    def _on_scale(self, values: Floats) -> Floats:
        return np.where(self.is_ratio, np.log(np.where(self.is_ratio, np.maximum(values, 1e-9), 1.0)), values)

    def middle_coefficients(self) -> Floats:
        """Return the printed log ratio of each variable, of regressions: where fits start."""
        return np.asarray(np.log((self.low[::4] + self.high[::4]) / 2))

    def met(self, values: Floats) -> NDArray[np.bool_]:
        """Return which of `values` lie inside."""
        return (values >= self.low) & (values <= self.high)

    def take(self, places: Sequence[int]) -> "Targets":
        """Return the targets at those places."""
        return Targets(
            low=self.low[places],
            high=self.high[places],
            scale=self.scale[places],
            is_ratio=self.is_ratio[places],
        )

    def __add__(self, other: "Targets") -> "Targets":
        """Return these targets followed by the other ones."""
        return Targets(
            low=np.concatenate([self.low, other.low]),
            high=np.concatenate([self.high, other.high]),
            scale=np.concatenate([self.scale, other.scale]),
            is_ratio=np.concatenate([self.is_ratio, other.is_ratio]),
        )


Printed = Mapping[Key, str]


def printed_numbers(published: pl.DataFrame) -> Printed:
    """Map (analysis, group, variable, level, statistic) to the number as printed."""
    rows = published.with_columns(pl.col(*KEY_COLUMNS, "printed").cast(pl.String).fill_null("")).iter_rows(
        named=True
    )
    return {tuple(row[name] for name in KEY_COLUMNS): row["printed"] for row in rows}


def printed_range(printed: str, *, margin: float = MARGIN) -> tuple[float, float]:
    """Return the lowest and highest value that print as `printed`; `<0.001` starts below zero."""
    if printed.startswith("<"):
        return -1e-3, float(printed[1:]) * (1 - margin)
    decimals = -int(Decimal(printed).as_tuple().exponent)
    half = 0.5 * 10.0**-decimals * (1 - 2 * margin)
    return float(printed) - half, float(printed) + half


def pick_targets(printed: Printed, keys: Sequence[Key], *, margin: float = MARGIN) -> Targets:
    """Return the targets of those keys, in their order; `KeyError` where one was never printed."""
    ranges = np.array([printed_range(printed[key], margin=margin) for key in keys])
    scale = np.array([_scale(printed, key) for key in keys])
    is_ratio = np.array([key[-1] in RATIOS for key in keys])
    return Targets(low=ranges[:, 0], high=ranges[:, 1], scale=scale, is_ratio=is_ratio)


def _scale(printed: Printed, key: Key) -> float:
    """Return one standard error for a ratio or its limits, a half for a p, else a tenth of the number."""
    if key[-1] in ("p", "p_bonferroni"):
        return 0.5
    size = 0.1 * abs(float(printed[key]))
    if key[-1] not in RATIOS:
        return size
    low, high = (float(printed[(*key[:-1], end)]) for end in ("ci_low", "ci_high"))
    return max(float(np.log(high / low)) / 3.92, 1e-3)


def regression_keys(analysis: str, model: str, variables: Sequence[str]) -> list[Key]:
    """Return the keys of ratio, limits and p for each variable of a regression, variable by variable."""
    ratio = "or" if analysis.startswith("logit") else "hr"
    return [
        (analysis, model, variable, "", statistic)
        for variable in variables
        for statistic in (ratio, "ci_low", "ci_high", "p")
    ]
