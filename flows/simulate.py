"""Writes simulated patients as the files that hospitals send: a landing folder, or a folder for each night.

Here: files, names, progress. Not here: the model and its truth (`models.simulation.cohort`), who sends what
when (`models.simulation.deliveries`), what is spoilt (`models.simulation.faults`). Called by `flows.cli`.
"""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from pathlib import Path
from time import perf_counter

import polars as pl

from flows.count_writers import COUNT_FORMS, CSV, written_counts
from flows.landing import LAYOUT_SUFFIX, ORIGIN_FILE
from models.curves.standard_curve import with_instrument_results
from models.simulation.cohort import SimulatedChunk, simulate_patients
from models.simulation.deliveries import deliver, take_nights
from models.simulation.faults import (
    DUPLICATE_FILE_PLACE,
    NOT_WRITTEN,
    PLACES_SCHEMA,
    Spoilt,
    correction_places,
    mark_spoilable,
    open_stream,
    spoil,
)
from models.simulation.plates import DAYS_UNTIL_READ, SimulatedPlate, draw_plates
from models.simulation.sites import Site, list_sites, write_counts_as
from models.simulation.truth import COHORT_IS, TRUTH
from transforms.errors import UsageError, WorldError
from transforms.schemas import COUNTS, FOLLOW_UP, PATIENT_KEY, PATIENTS, TOXICITIES, Table
from transforms.xponent.export import write_xponent

TABLES = (PATIENTS, COUNTS, FOLLOW_UP, TOXICITIES)
# A plate holds 20 patients and weighs 30 kB: a million patients would be 50,000 plates.
MOST_PATIENTS_ON_PLATES = 2_000
_WHOLE_NUMBERS = ("age_years", "ptv_cm3", "pivka_ii_mau_ml", "dose_gy")


@dataclass(frozen=True)
class Delivery:
    """How the patients are delivered.

    `n_nights` above 0 writes a folder for each of so many nights, the first with all that is known by
    `first_night`. `n_plate_patients` is how many patients have plates: by default all, at most 2,000.
    `counts_as` is the form of the files of counts, one of `COUNT_FORMS`.
    """

    has_mess: bool = False
    n_nights: int = 0
    first_night: date = date(2018, 3, 1)
    n_plate_patients: int = MOST_PATIENTS_ON_PLATES
    n_patients_per_file: int = 50_000
    counts_as: str = CSV

    @property
    def nights(self) -> tuple[date, ...]:
        """The nights, in order; none where all is delivered at once."""
        return tuple(self.first_night + timedelta(days=i) for i in range(self.n_nights))


@dataclass(frozen=True)
class WrittenLanding:
    """What was written: the folder, and how much of each thing is in it."""

    out: Path
    n_patients: int
    n_counts: int
    n_plates: int
    n_files: int
    n_faults: int


def write_landing(
    out: Path, *, n_patients: int, n_sites: int = 1, seed: int = 1, delivery: Delivery | None = None
) -> WrittenLanding:
    """Write `n_patients` simulated patients to the new folder `out`, which appears when it is complete.

    Beside the landing folders stand origin.json (the patients are simulated), truth.json (the known
    coefficients) and, with mess, faults.csv (every fault that was planted). The same arguments give the same
    bytes; other `n_sites` or files of another size leave the patients as they are.

    Raises:
        UsageError: where a number is out of range or `out` holds something already.
        WorldError: where the disk does not take it; nothing is left behind.
    """
    delivery = delivery or Delivery()
    _check(out, delivery)
    try:
        chunks = simulate_patients(
            n_patients, seed=seed, n_sites=n_sites, chunk_size=delivery.n_patients_per_file
        )
    except ValueError as error:
        raise UsageError(f"Nothing was simulated: {error}") from error
    place = out.resolve()
    partial = place.with_name(f".{place.name}.partial")
    writer = _Writer(partial, list_sites(n_sites), delivery=delivery, seed=seed)
    try:
        shutil.rmtree(partial, ignore_errors=True)
        writer.write_chunks(chunks, n_patients=n_patients)
        writer.write_notes(n_patients)
        partial.replace(place)
    except OSError as error:
        shutil.rmtree(partial, ignore_errors=True)
        reason = error.strerror or type(error).__name__
        raise WorldError(
            f"{out}: it could not be written ({reason}). Nothing was left behind; check the disk's space and "
            "the folder's permissions, and run the command again."
        ) from error
    return writer.told(out, n_patients)


def _check(out: Path, delivery: Delivery) -> None:
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UsageError(
            f"{out}: expected a new or empty folder, found something in its place. Name another with --out."
        )
    for name, value, least in (
        ("number of nights", delivery.n_nights, 0),
        ("number of patients with plates", delivery.n_plate_patients, 0),
    ):
        if value < least:
            raise UsageError(f"The {name} is {value}: it must be {least} or more.")
    if delivery.counts_as not in COUNT_FORMS:
        raise UsageError(
            f"Counts cannot be written as {delivery.counts_as!r}: it must be {', '.join(COUNT_FORMS)}."
        )
    if delivery.has_mess and delivery.counts_as != CSV:
        raise UsageError(
            f"Faults are planted in the cells of CSV files, not in {delivery.counts_as}: leave --mess or "
            "--counts-as out."
        )


class _Writer:
    """Writes files below a root, and keeps the account of them and of the faults in them."""

    def __init__(self, root: Path, sites: tuple[Site, ...], *, delivery: Delivery, seed: int) -> None:
        self._root, self._sites, self._delivery, self._seed = root, sites, delivery, seed
        self._spoiling = open_stream(seed)
        self._faults: list[pl.DataFrame] = []
        self._copied: set[str] = set()
        self._n_counts = self._n_plates = self._n_files = 0

    def write_chunks(self, chunks: Iterator[SimulatedChunk], *, n_patients: int) -> None:
        """Write the tables chunk by chunk, then the plates of the first patients."""
        il7: list[pl.DataFrame] = []
        started, n_done, n_on_plates = perf_counter(), 0, 0
        for part, chunk in enumerate(chunks, start=1):
            for folder, table, rows in _arrivals(chunk, self._delivery):
                self._write_rows(folder, rows, table=table, part=part)
            with_plates = chunk.patients.head(self._delivery.n_plate_patients - n_on_plates)
            n_on_plates += len(with_plates)
            il7.append(chunk.cytokines.join(with_plates.select(PATIENT_KEY), on=PATIENT_KEY, how="semi"))
            n_done += len(chunk.patients)
            _show_progress(n_done, n_patients, seconds=perf_counter() - started)
        self._write_plates(pl.concat(il7))

    def write_notes(self, n_patients: int) -> None:
        """Write what says that the patients are simulated, what is true of them, and where the faults are."""
        made_from = {
            "seed": self._seed,
            "n_patients": n_patients,
            "n_sites": len(self._sites),
            "n_nights": self._delivery.n_nights,
            "has_mess": self._delivery.has_mess,
            "counts_as": self._delivery.counts_as,
            "n_plate_patients": min(n_patients, self._delivery.n_plate_patients),
        }
        origin = {"origin": "simulated", "note": COHORT_IS, **made_from}
        for folder in map(str, self._delivery.nights or ("",)):
            _write_json(self._root / folder / ORIGIN_FILE, origin)
        truth = {**TRUTH.as_dict(), **made_from, "sites": [asdict(site) for site in self._sites]}
        _write_json(self._root / "truth.json", truth)
        if self._delivery.has_mess:
            pl.concat(self._faults).write_csv(self._root / "faults.csv")

    def told(self, out: Path, n_patients: int) -> WrittenLanding:
        """Return the account of what was written, for the folder's final place."""
        return WrittenLanding(
            out,
            n_patients=n_patients,
            n_counts=self._n_counts,
            n_plates=self._n_plates,
            n_files=self._n_files,
            n_faults=sum(map(len, self._faults)),
        )

    def _write_rows(self, folder: str, rows: pl.DataFrame, *, table: Table, part: int) -> None:
        for site in self._sites:
            of_site = rows.filter(pl.col("site") == site.name)
            if not of_site.is_empty():
                texts, name = _as_the_site_writes(site, table, of_site), f"{site.name}-{part:04d}"
                if table is COUNTS and self._delivery.counts_as != CSV:
                    self._write_counts(folder, texts, name=name)
                else:
                    self._write_file(folder, texts, source=table.name, name=name)
                self._n_counts += len(of_site) if table is COUNTS else 0

    def _write_counts(self, folder: str, texts: pl.DataFrame, *, name: str) -> None:
        for ending, content in written_counts(texts, self._delivery.counts_as).items():
            path = self._root / folder / COUNTS.name / f"{name}{ending}"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
            self._n_files += 1

    def _write_file(self, folder: str, rows: pl.DataFrame, *, source: str, name: str) -> None:
        stem = f"{source}/{name}"
        if self._delivery.has_mess:
            self._write_with_faults(folder, spoil(rows, source=source, rng=self._spoiling), stem=stem)
        else:
            self._write_csv(folder, rows, name=f"{stem}.csv")

    def _write_with_faults(self, folder: str, spoilt: Spoilt, *, stem: str) -> None:
        """Write the spoilt rows, what corrects them, and once in a folder the same file again."""
        self._write_csv(folder, spoilt.rows, name=f"{stem}.csv", places=spoilt.places)
        n_corrections = len(spoilt.corrections)
        if n_corrections:
            # An underscore sorts behind the dot: by name, as by time, a correction comes after its file.
            name, places = f"{stem}_corrections.csv", correction_places(n_corrections)
            self._write_csv(folder, spoilt.corrections, name=name, places=places)
        if n_corrections and folder not in self._copied:
            self._copied.add(folder)
            self._write_csv(folder, spoilt.rows, name=f"{stem}_again.csv", places=DUPLICATE_FILE_PLACE)

    def _write_csv(
        self, folder: str, rows: pl.DataFrame, *, name: str, places: pl.DataFrame | None = None
    ) -> None:
        path = self._root / folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rows.drop(NOT_WRITTEN, strict=False).write_csv(path)
        self._n_files += 1
        if places is not None:
            self._faults.append(
                places.select(pl.lit(folder).alias("night"), pl.lit(name).alias("file"), *PLACES_SCHEMA)
            )

    def _write_plates(self, il7: pl.DataFrame) -> None:
        nights = self._delivery.nights
        monthly_from = nights[0] - timedelta(days=DAYS_UNTIL_READ) if nights else None
        for i, site in enumerate(self._sites):
            of_site = il7.filter(pl.col("site") == site.name)
            for plate in draw_plates(
                of_site, site=site, site_index=i, seed=self._seed, monthly_from=monthly_from
            ):
                self._write_plate(plate)

    def _write_plate(self, plate: SimulatedPlate) -> None:
        nights = self._delivery.nights
        if nights and plate.read_on > nights[-1]:
            return
        folder = str(max(plate.read_on, nights[0])) if nights else ""
        self._write_csv(folder, plate.layout, name=f"plates/{plate.name}{LAYOUT_SUFFIX}")
        (self._root / folder / f"plates/{plate.name}.csv").write_bytes(
            write_xponent(with_instrument_results(plate.export))
        )
        self._n_files += 1
        self._n_plates += 1


def _arrivals(chunk: SimulatedChunk, delivery: Delivery) -> Iterator[tuple[str, Table, pl.DataFrame]]:
    """Yield folder, table and rows of everything that is delivered of a chunk."""
    deliveries = deliver(chunk) if delivery.n_nights else {}
    rt_ends = chunk.patients.select(*PATIENT_KEY, "rt_end_date")
    for table in TABLES:
        if delivery.n_nights:
            arrived = take_nights(deliveries[table.name], nights=delivery.nights, key=table.key)
        else:
            arrived = iter([("", getattr(chunk, table.name))])
        for folder, rows in arrived:
            is_marked = delivery.has_mess and table is COUNTS
            yield folder, table, mark_spoilable(rows, rt_ends) if is_marked else rows


def _as_the_site_writes(site: Site, table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """Return the landed columns, and those that a fault needs to know, as the site's file has them."""
    if table is PATIENTS:
        rows = rows.with_columns(pl.col(_WHOLE_NUMBERS).cast(pl.Int64))
    elif table is COUNTS:
        rows = write_counts_as(site, rows)
    names = (*(column.name for column in table.landed_columns), *NOT_WRITTEN)
    return rows.select(name for name in names if name in rows.columns)


def _show_progress(n_done: int, n_patients: int, *, seconds: float) -> None:
    """Draw a bar on a terminal; say nothing elsewhere."""
    if sys.stderr.isatty():
        filled = 30 * n_done // n_patients
        bar = "#" * filled + "." * (30 - filled)
        end = "\n" if n_done == n_patients else ""
        sys.stderr.write(f"\r[{bar}] {n_done:,} of {n_patients:,} patients, {seconds:.0f} s{end}")
        sys.stderr.flush()


def _write_json(path: Path, content: dict[str, object]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
