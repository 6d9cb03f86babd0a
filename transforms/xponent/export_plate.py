"""A plate on its way into an export: wells, standards, controls, curves.

Here: what there is to write. Not here: how it is written (`transforms.xponent.export`). Used by the
simulator, by the reconstruction and by tests, through `transforms.xponent.export`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cached_property
from statistics import fmean

from transforms.xponent.names import is_background_name


@dataclass(frozen=True)
class ExportWell:
    """A well: medians and bead counts in the order of the plate's analytes; `results` as printed, or none."""

    well: str
    sample: str
    medians: tuple[float, ...]
    n_beads: tuple[int, ...]
    dilution_factor: float = 1.0
    results: tuple[str, ...] = ()


@dataclass(frozen=True)
class ExportLevel:
    """A standard or a control: expected concentrations in the order of the plate's analytes.

    low, high: the range that a control's result should lie in; empty for none.
    """

    sample: str
    expected: tuple[float, ...]
    low: tuple[float, ...] = ()
    high: tuple[float, ...] = ()


@dataclass(frozen=True)
class ExportCurve:
    """The five coefficients of one analyte's curve and its weighted R squared."""

    a: float
    b: float
    c: float
    d: float
    f: float
    r_squared: float


@dataclass(frozen=True)
class ExportPlate:
    """A plate to write: wells named Background0 are its background; results and curves come all or none.

    kit_expires_on: the end of the month a year after the run, where none is given: its day, above 12, tells
    which of day and month comes first in the file's other dates. calibrated_at: the day before the run.
    """

    batch: str
    lot: str
    started_at: datetime
    analytes: tuple[str, ...]
    wells: tuple[ExportWell, ...]
    standards: tuple[ExportLevel, ...]
    controls: tuple[ExportLevel, ...] = ()
    unit: str = "pg/ml"
    curves: tuple[ExportCurve, ...] = ()
    kit_name: str = "Human cytokines"
    kit_expires_on: date | None = None
    calibrated_at: datetime | None = None

    @property
    def expires_on(self) -> date:
        """Last day on which the kit may be used."""
        next_month = self.started_at.replace(day=28) + timedelta(days=4)
        return self.kit_expires_on or date(next_month.year + 1, next_month.month, 1) - timedelta(days=1)

    @property
    def calibrated(self) -> datetime:
        """When the instrument was calibrated last."""
        return self.calibrated_at or self.started_at - timedelta(days=1)

    @cached_property
    def background(self) -> tuple[float, ...]:
        """Mean median of the background wells for each analyte; 0 where the plate has none."""
        medians = [well.medians for well in self.wells if is_background_name(well.sample)]
        return tuple(map(fmean, zip(*medians, strict=True))) or (0.0,) * len(self.analytes)


def check_lengths(plate: ExportPlate) -> None:
    """Raise `ValueError` where a well, a level or the curves do not have one entry for each analyte."""
    for well in plate.wells:
        for values in (well.medians, well.n_beads, well.results or plate.analytes):
            _check_length(values, of=f"well {well.well}", plate=plate)
    for level in (*plate.standards, *plate.controls):
        for values in (level.expected, level.low or plate.analytes, level.high or plate.analytes):
            _check_length(values, of=f"level {level.sample}", plate=plate)
    _check_length(plate.curves or plate.analytes, of="the curves", plate=plate)


def _check_length(values: Sequence[object], *, of: str, plate: ExportPlate) -> None:
    if len(values) != len(plate.analytes):
        raise ValueError(
            f"plate {plate.batch}, {of}: {len(values)} values for {len(plate.analytes)} analytes. "
            "Give one value for each analyte."
        )
