"""How fast a night loads FHIR Observations, beside DuckDB's own `read_json` on the same file in the same run.

Run by `python -m tests.benchmarks.counts --rows 1000000`: prints a markdown table. Each way has a process of
its own, whose peak memory is told. Pytest does not collect it. Ours is the night's whole loading: hashed,
read, turned into cells/uL, every rule checked, merged by key and written into the warehouse, each line
accounted for. DuckDB's ends in a table of the fields as they came, with the columns told.
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import date, datetime, timedelta
from pathlib import Path
from time import perf_counter

import polars as pl

from tests.benchmarks.fhir import read_duckdb
from transforms.counts.fhir_export import write_fhir_ndjson
from transforms.schemas import PATIENTS

N_PER_PATIENT = 200
SITES = ("hospital-1", "hospital-2")
NIGHT = date(2026, 1, 15)
PATIENTS_FILE = "patients/patients.csv"
COUNTS_FILE = "counts/observations.ndjson"
MOST_PEAK_MB = 4_000.0


def write_landing(landing: Path, n_rows: int) -> None:
    """Write the patients and their counts, 200 each, in one file of FHIR lines as the simulator has them."""
    (landing / "patients").mkdir(parents=True)
    (landing / "counts").mkdir()
    n_patients = -(-n_rows // N_PER_PATIENT)
    draw_patients(n_patients).write_csv(landing / PATIENTS_FILE)
    with (landing / COUNTS_FILE).open("wb") as file:
        for content in draw_lines(n_rows):
            file.write(content)


def draw_patients(n_patients: int) -> pl.DataFrame:
    """Patients as the design's CSV has them, half of each site."""
    place = pl.int_range(n_patients, dtype=pl.Int64)
    known = pl.select(
        site=_site(place),
        patient_id=pl.format("p-{}", place),
        rt_start_date=pl.lit(date(2018, 3, 1)),
        rt_end_date=pl.lit(date(2018, 4, 5)),
    )
    return known.match_to_schema(PATIENTS.polars_schema, missing_columns="insert")


def draw_lines(n_rows: int, *, n_at_once: int = 200_000) -> Iterator[bytes]:
    """Yield FHIR lines, patient after patient."""
    for start in range(0, n_rows, n_at_once):
        yield write_fhir_ndjson(draw_counts(start, min(start + n_at_once, n_rows)))


def draw_counts(start: int, end: int) -> pl.DataFrame:
    """Draw counts as a site writes them: a patient's a week apart, values of 0 to 2,500 cells/uL."""
    place = pl.int_range(start, end, dtype=pl.Int64)
    patient = place // N_PER_PATIENT
    moment = (
        pl.lit(datetime(2018, 1, 1, 8))
        + place % N_PER_PATIENT * timedelta(days=7)
        + patient % 599 * timedelta(minutes=1)
    )
    is_first = patient % 2 == 0
    return pl.select(
        site=_site(patient),
        patient_id=pl.format("p-{}", patient),
        collected_at=moment.dt.strftime("%Y-%m-%dT%H:%M:%S+09:00"),
        code=pl.when(is_first).then(pl.lit("731-0")).otherwise(pl.lit("26474-7")),
        value=(place * 37 % 2500 / 1000).cast(pl.String),
        unit=pl.when(is_first).then(pl.lit("10*3/uL")).otherwise(pl.lit("10*9/L")),
    )


def _site(patient: pl.Expr) -> pl.Expr:
    return pl.when(patient % 2 == 0).then(pl.lit(SITES[0])).otherwise(pl.lit(SITES[1]))


def load_night(landing: Path) -> int:
    """Load the landing folder as a night does; return how many counts the warehouse has then."""
    from flows.night import Night
    from flows.settings import Settings
    from flows.steps import load_landing
    from flows.warehouse import Warehouse

    loaded = load_landing(Night(NIGHT, Settings.with_folders(landing=landing, home=landing.parent / "home")))
    with Warehouse(loaded.working, read_only=True) as warehouse:
        return warehouse.n_rows("counts")


def read_plainly(landing: Path) -> int:
    """Read the file with DuckDB into a table of a database in memory."""
    return read_duckdb(landing / COUNTS_FILE)


READERS = {"nadir, a night's loading": load_night, "duckdb, read_json": read_plainly}


def measure(reader: str, landing: Path) -> dict[str, float]:
    """Time one way and tell the peak memory of this process (MB)."""
    started = perf_counter()
    n_rows = READERS[reader](landing)
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "n_rows": n_rows,
        "seconds": perf_counter() - started,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def run_apart(*arguments: str) -> str:
    """Run this module in another process: peak memory is handed down, so this one must stay small."""
    command = [sys.executable, "-m", "tests.benchmarks.counts", *arguments]
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def compare(landing: Path, n_rows: int) -> dict[str, dict[str, float]]:
    """Measure each way once, in a process of its own."""
    measured = {}
    for reader in READERS:
        shutil.rmtree(landing.parent / "home", ignore_errors=True)
        one = json.loads(run_apart("--reader", reader, "--landing", str(landing)))
        if one["n_rows"] != n_rows:
            raise SystemExit(f"{reader}: {one['n_rows']:,.0f} of {n_rows:,} Observations")
        measured[reader] = one
    return measured


def tell(measured: dict[str, dict[str, float]], *, n_rows: int, n_bytes: int) -> str:
    """Return the table; the rate against DuckDB is how many of its rows one of ours takes the time of."""
    plain = measured["duckdb, read_json"]["seconds"]
    lines = [
        f"{n_rows:,} Observations, {n_bytes / 1e6:,.0f} MB, once each",
        "",
        "| way | rows/s | seconds | CPU seconds | peak memory, MB | rate against DuckDB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    lines += [
        f"| {way} | {n_rows / one['seconds']:,.0f} | {one['seconds']:.1f} | {one['cpu_seconds']:.1f} "
        f"| {one['peak_mb']:,.0f} | {plain / one['seconds']:.2f} |"
        for way, one in measured.items()
    ]
    return "\n".join(lines)


def main() -> int:
    """Write the file, load it both ways, print; 1 where the night's loading needs 4 GB or more."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--folder", type=Path, help="where the files go (default: a temporary folder)")
    parser.add_argument("--reader", choices=READERS, help="measure one way in this process")
    parser.add_argument("--landing", type=Path, help="the landing folder that it reads, or that is written")
    asked = parser.parse_args()
    if asked.reader:
        print(json.dumps(measure(asked.reader, asked.landing)))  # noqa: T201
        return 0
    if asked.landing:
        write_landing(asked.landing, asked.rows)
        return 0
    with tempfile.TemporaryDirectory(dir=asked.folder) as folder:
        landing = Path(folder) / "landing"
        run_apart("--landing", str(landing), "--rows", str(asked.rows))
        measured = compare(landing, asked.rows)
        n_bytes = (landing / COUNTS_FILE).stat().st_size
    print(tell(measured, n_rows=asked.rows, n_bytes=n_bytes))  # noqa: T201
    return int(measured["nadir, a night's loading"]["peak_mb"] >= MOST_PEAK_MB)


if __name__ == "__main__":
    sys.exit(main())
