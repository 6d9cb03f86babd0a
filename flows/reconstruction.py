"""The reconstructed cohort as landing files: 98 pseudo-patients out of whom the study's numbers come.

Here: reading the search's result and writing it the way hospitals write. Not here: the search
(`flows.cohort_search`), which no night imports, and the comparison (`transforms.published`). Called by
`flows.steps`.
"""

import json
from pathlib import Path

import polars as pl

from flows.files import write_whole
from flows.landing import LAYOUT_SUFFIX, ORIGIN_FILE
from models.reconstruction.plates import lay_out_plates, samples_of
from transforms.origin import RECONSTRUCTED
from transforms.published import PUBLISHED
from transforms.schemas import FOLLOW_UP, PATIENT_KEY, PATIENTS, TOXICITIES
from transforms.xponent.export import write_xponent

DATA = Path(__file__).parent / "data"
NOTE = (
    "Reconstructed pseudo-patients: invented, and chosen so that their analyses give the study's printed "
    "numbers. The study's own rows were never published. No real patient."
)
_EXTRA = {"il7_pre": pl.Float64(), "il7_post": pl.Float64()}
_COUNTS = {"patient_id": pl.String(), "day_offset": pl.Int64(), "cells_per_ul": pl.Float64()}
PATIENTS_FILE = "reconstructed_patients.csv"
COUNTS_FILE = "reconstructed_counts.csv"


def read_published() -> pl.DataFrame:
    """Return every number that the study prints, a frame of `PUBLISHED`."""
    return pl.read_csv(DATA / "published.csv", schema=PUBLISHED)


def read_pseudo_patients() -> pl.DataFrame:
    """Return the pseudo-patients: the columns of patients and follow-up, `il7_pre`, `il7_post` (pg/mL)."""
    schema = PATIENTS.polars_schema | FOLLOW_UP.polars_schema | _EXTRA
    path = DATA / PATIENTS_FILE
    header = path.read_text("utf-8").partition("\n")[0].strip().split(",")
    return pl.read_csv(path, schema={name: schema[name] for name in header})


def write_reconstructed_landing(out: Path) -> None:
    """Write the reconstructed cohort to the folder `out`, always the same bytes."""
    people = read_pseudo_patients()
    _write_csv(out / "patients" / "patients.csv", people.select(PATIENTS.column_names))
    _write_csv(out / "follow_up" / "follow_up.csv", people.select(FOLLOW_UP.column_names))
    _write_csv(out / "counts" / "counts.csv", _counts(people))
    _write_csv(out / "toxicities" / "toxicities.csv", pl.DataFrame(schema=TOXICITIES.polars_schema))
    for plate in lay_out_plates(samples_of(people)):
        _write_csv(out / "plates" / f"{plate.name}{LAYOUT_SUFFIX}", plate.layout)
        (out / "plates" / f"{plate.name}.csv").write_bytes(write_xponent(plate.export))
    origin = {"origin": RECONSTRUCTED, "note": NOTE}
    write_whole(out / ORIGIN_FILE, json.dumps(origin, indent=2) + "\n")


def _counts(people: pl.DataFrame) -> pl.DataFrame:
    counts = pl.read_csv(DATA / COUNTS_FILE, schema=_COUNTS)
    return counts.join(people.select(*PATIENT_KEY, "rt_start_date"), on="patient_id").select(
        *PATIENT_KEY,
        collected_at=pl.col("rt_start_date") + pl.duration(days="day_offset"),
        code=pl.lit("731-0"),
        value="cells_per_ul",
        unit=pl.lit("cells/uL"),
    )


def _write_csv(path: Path, rows: pl.DataFrame) -> None:
    write_whole(path, rows.write_csv())
