"""Wells with standards on a known curve, for the tests of curves: made here, measured by the platform."""

import math

import numpy as np
import polars as pl

from models.curves.standard_curve import concentrations, fit_standard_curves
from transforms.plates.wells import TIDY_WELLS

LADDER = [0.64 * 4**i for i in range(7)]
Coefficients = tuple[float, float, float, float, float]
Standards = list[tuple[float, float]]
TRUE: Coefficients = (4.0, 30_000.0, 900.0, -1.1, 1.3)


def curve(x: float, coefficients: Coefficients = TRUE) -> float:
    a, b, c, d, f = coefficients
    return a if x == 0 else a + (b - a) * math.exp(-f * np.logaddexp(0.0, d * math.log(x / c)))


def ladder(coefficients: Coefficients = TRUE, levels: list[float] = LADDER, n_wells: int = 2) -> Standards:
    return [(x, curve(x, coefficients)) for x in levels for _ in range(n_wells)]


NOISY = [(x, round(2 * y * (1.08 if i % 2 else 0.94)) / 2) for i, (x, y) in enumerate(ladder())]


def wells_of(standards: Standards, unknowns: list[float] | None = None, **others: object) -> pl.DataFrame:
    rows = [{"kind": "standard", "expected_pg_ml": x, "net_mfi": y} for x, y in standards]
    rows += [{"kind": "unknown", "expected_pg_ml": None, "net_mfi": y} for y in unknowns or []]
    same = {"plate_id": "p1", "analyte": "IL-7", "n_beads": 60, "dilution_factor": 1.0, "is_excluded": False}
    same |= others
    return pl.DataFrame([{"well": f"W{i}", **same, **row} for i, row in enumerate(rows)], schema=TIDY_WELLS)


def measured(wells: pl.DataFrame) -> pl.DataFrame:
    return concentrations(fit_standard_curves(wells), wells)


def unknowns_of(wells: pl.DataFrame) -> pl.DataFrame:
    return measured(wells).filter(kind="unknown")
