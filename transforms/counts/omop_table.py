"""An OMOP table from CSV or Parquet: the columns that are asked for, all as text, by name in any case.

Here: bytes to columns. Not here: what they mean (`transforms.counts.omop`). Nothing is sniffed but whether a
CSV is parted by commas or tabs. Called by `transforms.counts.omop`.
"""

import csv
import io
from codecs import BOM_UTF8
from collections.abc import Sequence
from dataclasses import dataclass

import polars as pl

from transforms.findings import Finding, UnreadableFileError, findings_frame, no_findings

PARQUET = b"PAR1"


@dataclass(frozen=True)
class OmopTable:
    """The rows, as text with `line`; `cut_short` is a finding where the last record of a CSV is."""

    rows: pl.DataFrame
    cut_short: pl.DataFrame


def read_table(
    data: bytes, required: Sequence[str], *, optional: Sequence[str] = (), first_line: int = 2
) -> OmopTable:
    """Read columns of a table; an optional one that is missing is empty.

    Blank cells are null. `line` is the number of the record, the first being `first_line`. Raises
    `UnreadableFileError` where it is no table, or a required column is missing or stands twice.
    """
    is_parquet = data.startswith(PARQUET)
    wanted = (*required, *optional)
    try:
        header = list(pl.read_parquet_schema(io.BytesIO(data))) if is_parquet else header_of(data)
        names = _names(header, required, wanted)
        rows = _parquet(data, names) if is_parquet else _csv(data, names)
    except pl.exceptions.PolarsError as error:
        raise UnreadableFileError(_no_table(is_parquet=is_parquet)) from error
    rows = rows.rename({actual: name for name, actual in names.items()})
    missing = [pl.lit(None, pl.String()).alias(name) for name in wanted if name not in names]
    stripped = pl.col(list(names)).str.strip_chars()
    rows = (
        rows.with_columns(pl.when(stripped.str.len_bytes() > 0).then(stripped).name.keep(), *missing)
        .with_row_index("line", offset=first_line)
        .cast({"line": pl.Int64()})
        .select("line", *wanted)
    )
    return _without_cut_record(rows, data, len(header)) if not is_parquet else OmopTable(rows, no_findings())


def header_of(data: bytes) -> list[str]:
    """Return the names in the first line of a CSV, as they are written."""
    first = data.removeprefix(BOM_UTF8).split(b"\n", 1)[0].decode(errors="replace").strip("\r")
    return [name.strip() for name in next(csv.reader([first], delimiter=_delimiter(data)), [])]


def _delimiter(data: bytes) -> str:
    first = data.split(b"\n", 1)[0]
    return "\t" if b"\t" in first and b"," not in first else ","


def _names(header: list[str], required: Sequence[str], wanted: Sequence[str]) -> dict[str, str]:
    """Return the name in the file of each column that is wanted and there."""
    lowered = [name.lower() for name in header]
    missing = [name for name in required if name not in lowered]
    repeated = [name for name in wanted if lowered.count(name) > 1]
    if missing or repeated:
        raise UnreadableFileError(
            Finding(
                rule="file_has_every_column",
                found=f"no column {', '.join(missing)}"
                if missing
                else f"the column {', '.join(repeated)} more than once",
                expected=f"columns {', '.join(required)}, as in OMOP CDM 5.4",
                remedy="Export the table with all its columns and send it again",
            )
        )
    return {name: header[lowered.index(name)] for name in wanted if name in lowered}


def _csv(data: bytes, names: dict[str, str]) -> pl.DataFrame:
    body = data.removeprefix(BOM_UTF8).split(b"\n", 1)
    if len(body) < 2 or not body[1].strip():
        return pl.DataFrame(schema=dict.fromkeys(names.values(), pl.String()))
    # By place: a name may stand twice among the columns that nobody reads.
    header = header_of(data)
    places = {f"column_{header.index(actual) + 1}": actual for actual in names.values()}
    rows = pl.read_csv(
        body[1],
        has_header=False,
        columns=list(places),
        schema={f"column_{place}": pl.String() for place in range(1, len(header) + 1)},
        separator=_delimiter(data),
    )
    return rows.rename(places)


def _parquet(data: bytes, names: dict[str, str]) -> pl.DataFrame:
    rows = pl.read_parquet(io.BytesIO(data), columns=list(names.values()))
    zoned = [
        pl.col(name).dt.convert_time_zone("UTC").dt.replace_time_zone(None)
        for name, dtype in rows.schema.items()
        if isinstance(dtype, pl.Datetime) and dtype.time_zone
    ]
    return rows.with_columns(zoned).cast(pl.String())


def _without_cut_record(rows: pl.DataFrame, data: bytes, n_fields: int) -> OmopTable:
    """Take off the last record where the file ends in the midst of it: its values may be cut as well."""
    if data.endswith((b"\n", b"\r")) or rows.is_empty():
        return OmopTable(rows, no_findings())
    last = data.rsplit(b"\n", 1)[-1].decode(errors="replace")
    if len(next(csv.reader([last], delimiter=_delimiter(data)), [])) == n_fields:
        return OmopTable(rows, no_findings())
    finding = Finding(
        rule="row_has_every_field",
        found="a last record that is cut short",
        expected=f"{n_fields} fields, as many as the header has",
        remedy="The file is cut short: export it again",
        line=int(rows["line"].item(-1)),
    )
    return OmopTable(rows.head(-1), findings_frame([finding]))


def _no_table(*, is_parquet: bool) -> Finding:
    return Finding(
        rule="file_is_a_table",
        found="a file that cannot be read as " + ("Parquet" if is_parquet else "CSV in UTF-8"),
        expected="an OMOP table as CSV or Parquet",
        remedy="The file may be cut short or damaged: export it again",
    )
