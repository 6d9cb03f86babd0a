"""How fast FHIR Observations are read, beside DuckDB's own `read_json` on the same file in the same run.

Run by `python -m tests.benchmarks.fhir --rows 1000000`: prints a markdown table. Each way has a process of
its own, whose peak memory is told; the two take turns, and the best of the rounds counts. Pytest does not
collect it. Ours ends in typed rows in cells/uL with every line accounted for, DuckDB's in a table of the
fields as they came.
"""

import argparse
import json
import resource
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from time import perf_counter

import polars as pl

from transforms.counts.fhir import parse_fhir_ndjson
from transforms.counts.fhir_export import write_fhir_ndjson
from transforms.counts.results import tidy_results

CHUNK_BYTES = 64 * 1024**2
ROWS_AT_ONCE = 200_000
QUANTITY = 'STRUCT("value" DOUBLE, comparator VARCHAR, unit VARCHAR, "system" VARCHAR, code VARCHAR)'
REFERENCE = 'STRUCT(reference VARCHAR, identifier STRUCT("value" VARCHAR), display VARCHAR)'
COLUMNS = {
    "resourceType": "VARCHAR",
    "id": "VARCHAR",
    "status": "VARCHAR",
    "code": 'STRUCT(coding STRUCT("system" VARCHAR, code VARCHAR)[])',
    "subject": REFERENCE,
    "performer": f"{REFERENCE}[]",
    "effectiveDateTime": "VARCHAR",
    "issued": "VARCHAR",
    "valueQuantity": QUANTITY,
    "referenceRange": f"STRUCT(low {QUANTITY})[]",
    "component": "JSON",
    "dataAbsentReason": "JSON",
}


def write_file(path: Path, n_rows: int) -> None:
    """Write `n_rows` Observations as the simulator does, of two sites, in two units."""
    with path.open("wb") as file:
        for start in range(0, n_rows, ROWS_AT_ONCE):
            file.write(write_fhir_ndjson(draw_counts(start, min(start + ROWS_AT_ONCE, n_rows))))


def draw_counts(start: int, end: int) -> pl.DataFrame:
    """Counts as a site writes them, ten a patient, a week apart."""
    place = pl.int_range(start, end, dtype=pl.Int64)
    is_first = place // 10 % 2 == 0
    moment = (
        pl.lit(datetime(2018, 1, 1, 8))
        + place % 10 * timedelta(days=7)
        + place // 10 % 7919 * timedelta(minutes=7)
    )
    return pl.select(
        site=pl.when(is_first).then(pl.lit("hospital-1")).otherwise(pl.lit("hospital-2")),
        patient_id=pl.format("p-{}", place // 10),
        collected_at=moment.dt.strftime("%Y-%m-%dT%H:%M:%S+09:00"),
        code=pl.lit("731-0"),
        value=(place * 37 % 2500 / 1000).cast(pl.String),
        unit=pl.when(is_first).then(pl.lit("10*3/uL")).otherwise(pl.lit("10*9/L")),
    )


def chunks_of(path: Path) -> Iterator[bytes]:
    """Yield the file in parts cut at line ends."""
    start, size = 0, path.stat().st_size
    with path.open("rb") as file:
        while start < size:
            file.seek(start + CHUNK_BYTES)
            file.readline()
            end = min(file.tell(), size)
            file.seek(start)
            yield file.read(end - start)
            start = end


def read_ours(path: Path) -> int:
    """Read, sort out and count; what was read is let go, as it is once it has been written."""
    n_counts, line = 0, 1
    for chunk in chunks_of(path):
        parsed = parse_fhir_ndjson(chunk, first_line=line)
        n_counts += tidy_results(parsed.rows).counts.height
        line += parsed.n_lines
    return n_counts


def read_duckdb(path: Path) -> int:
    """Read into a table of a database in memory, with the columns told."""
    import duckdb

    columns = "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in COLUMNS.items()) + "}"
    connection = duckdb.connect()
    connection.execute(
        f"CREATE TABLE results AS FROM read_json('{path}', format='newline_delimited', columns={columns})"
    )
    found = connection.execute("SELECT count(*) FROM results").fetchone()
    return found[0] if found else 0


READERS = {"ours": read_ours, "duckdb": read_duckdb}


def measure(reader: str, path: Path) -> dict[str, float]:
    """Time one reading and tell the peak memory of this process (MB)."""
    started = perf_counter()
    n_rows = READERS[reader](path)
    seconds = perf_counter() - started
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {
        "n_rows": n_rows,
        "seconds": seconds,
        "cpu_seconds": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss / 1024,
    }


def measure_apart(reader: str, path: Path) -> dict[str, float]:
    """Measure in a process of its own."""
    return json.loads(run_apart("--reader", reader, "--file", str(path)))


def run_apart(*arguments: str) -> str:
    """Run this module in another process: peak memory is handed down, so this one must stay small."""
    command = [sys.executable, "-m", "tests.benchmarks.fhir", *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def compare(path: Path, *, n_rows: int, n_rounds: int) -> str:
    best: dict[str, dict[str, float]] = {}
    for _ in range(n_rounds):
        for reader in READERS:
            measured = measure_apart(reader, path)
            if measured["n_rows"] != n_rows:
                raise SystemExit(f"{reader} read {measured['n_rows']:,} of {n_rows:,} Observations")
            if reader not in best or measured["seconds"] < best[reader]["seconds"]:
                best[reader] = measured
    lines = [
        f"{n_rows:,} Observations, {path.stat().st_size / 1e6:,.0f} MB, best of {n_rounds}",
        "",
        "| reader | rows/s | seconds | CPU seconds | peak memory, MB | rate against DuckDB |",
        "| --- | ---: | ---: | ---: | ---: | ---: |",
    ]
    for reader, one in best.items():
        ratio = best["duckdb"]["seconds"] / one["seconds"]
        lines.append(
            f"| {reader} | {n_rows / one['seconds']:,.0f} | {one['seconds']:.2f} | {one['cpu_seconds']:.2f} "
            f"| {one['peak_mb']:,.0f} | {ratio:.2f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--reader", choices=READERS, help="measure one reader in this process")
    parser.add_argument("--file", type=Path, help="the file that it reads, or that is written")
    asked = parser.parse_args()
    if asked.reader:
        print(json.dumps(measure(asked.reader, asked.file)))  # noqa: T201
        return
    if asked.file:
        write_file(asked.file, asked.rows)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "observations.ndjson"
        run_apart("--file", str(path), "--rows", str(asked.rows))
        print(compare(path, n_rows=asked.rows, n_rounds=asked.rounds))  # noqa: T201


if __name__ == "__main__":
    main()
