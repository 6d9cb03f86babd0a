"""IL-7 as the plates give it back, and volumes moved by a few cm3 until the model of ASL holds with it.

Here: the last step of the search: plates carry IL-7 to about 1e-4 pg/mL, and limits printed like 135.82 feel
that. Not here: how plates are laid (`models.reconstruction.plates`). Called by
`models.reconstruction.search`.
"""

from collections.abc import Generator

import numpy as np
import polars as pl

from models.curves.standard_curve import concentrations, fit_standard_curves
from models.reconstruction.annealing import Progress
from models.reconstruction.blocks import N_PATIENTS
from models.reconstruction.plates import lay_out_plates, samples_of
from models.reconstruction.targets import Floats, Printed, Targets
from models.reconstruction.volumes import VOLUME, VOLUME_RANGE, volume_statistics, volume_targets
from transforms.plates.wells import tidy_wells
from transforms.schemas import TIMEPOINTS
from transforms.xponent.export import write_xponent
from transforms.xponent.reader import parse_xponent

CANDIDATES, TURNS = 64, 400
MARGIN = 0.0


def realise_il7(patients: pl.DataFrame) -> pl.DataFrame:
    """Return `patients` with `il7_pre` and `il7_post` (pg/mL) as the landing folder's plates give them."""
    measured = []
    for plate in lay_out_plates(samples_of(patients)):
        wells = tidy_wells(parse_xponent(write_xponent(plate.export)), plate_id=plate.name)
        read = concentrations(fit_standard_curves(wells), wells)
        measured.append(
            plate.layout.join(read, on="well")
            .group_by("patient_id", "timepoint")
            .agg(pl.col("concentration_pg_ml").mean())
        )
    wide = pl.concat(measured).pivot("timepoint", index="patient_id", values="concentration_pg_ml")
    names = dict(zip(TIMEPOINTS, ("il7_pre", "il7_post"), strict=True))
    return (
        patients.drop("il7_pre", "il7_post")
        .join(wide.rename(names), on="patient_id", how="left", maintain_order="left")
        .select(patients.columns)
    )


def nudge_volumes(
    printed: Printed, volumes: Floats, pre_il7: Floats, *, rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Move volumes (98, 3) by up to 3 cm3 in a few patients until the model of ASL holds with `pre_il7`."""
    targets = volume_targets(printed, margin=MARGIN)
    best, best_misfit = volumes, _misfit(volumes[None], pre_il7, targets)[0]
    for turn in range(TURNS):
        if best_misfit == 0.0:
            break
        if turn % 20 == 0:
            yield Progress("IL-7 of the plates", turn, float(best_misfit))
        stack = np.repeat((volumes if turn % 2 else best)[None], CANDIDATES, axis=0)
        for candidate in stack:
            rows = rng.choice(N_PATIENTS, rng.integers(1, 4), replace=False)
            free = rows[(candidate[rows, VOLUME] > VOLUME_RANGE[0] + 3) & (candidate[rows, VOLUME] < 5150)]
            candidate[free, VOLUME] += rng.choice([-3, -2, -1, 1, 2, 3], len(free))
        misfits = _misfit(stack, pre_il7, targets)
        chosen = int(np.argmin(misfits))
        if misfits[chosen] < best_misfit:
            best, best_misfit = stack[chosen], misfits[chosen]
    yield Progress("IL-7 of the plates", -1, float(best_misfit))
    return best, float(best_misfit)


def _misfit(stack: Floats, pre_il7: Floats, targets: Targets) -> Floats:
    """Count the targets missed, and within one count prefer the nearer table."""
    numbers = volume_statistics(stack, pre_il7)
    missed = (~targets.met(numbers)).sum(axis=1)
    return np.asarray(missed + np.where(missed > 0, 0.9 * np.tanh(targets.misfit(numbers) / 20), 0.0))
