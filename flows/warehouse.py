"""The warehouse: a DuckDB file that is worked on as a copy and published whole.

Here: everything that touches DuckDB or its files. Not here: what the rows mean. Types of DuckDB do not
leave this file: frames come in and go out. Called by `flows.nightly` and the small commands.
"""

import contextlib
import fcntl
import hashlib
import os
import shutil
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import polars as pl

from transforms.errors import DamagedFileError, UsageError, WorldError
from transforms.schemas import (
    CHANGES,
    CONTROL_CHART,
    COUNT_TABLES,
    DERIVED_TABLES,
    ESTIMATES,
    GUIDE_SETS,
    INFLUENTIAL_PATIENTS,
    LANDED_TABLES,
    LOADS,
    NIGHTS,
    PLATE_TABLES,
    PROVENANCE,
    QUARANTINE,
    Column,
    Table,
)

_TYPES = {
    pl.String: "VARCHAR",
    pl.Float64: "DOUBLE",
    pl.Int64: "BIGINT",
    pl.Date: "DATE",
    pl.Datetime: "TIMESTAMP",
    pl.Boolean: "BOOLEAN",
}
_NIGHT = Column("replaced_night", pl.Date(), "Night that replaced the row")


def _stored(table: Table) -> Table:
    return Table(table.name, table.key, (*table.columns, *PROVENANCE))


def _history(table: Table) -> Table:
    return Table(f"{table.name}_history", (), (*table.columns, *PROVENANCE, _NIGHT))


_FROM_FILES = (*LANDED_TABLES, *COUNT_TABLES, *PLATE_TABLES)
LOADED_TABLES = tuple(_stored(table) for table in _FROM_FILES)
HISTORY_TABLES = (
    *(_history(table) for table in _FROM_FILES),
    Table("quarantine_history", (), (*QUARANTINE.columns, _NIGHT)),
)
ALL_TABLES = {
    table.name: table
    for table in (
        *LOADED_TABLES,
        *HISTORY_TABLES,
        *DERIVED_TABLES,
        GUIDE_SETS,
        CONTROL_CHART,
        CHANGES,
        ESTIMATES,
        INFLUENTIAL_PATIENTS,
        QUARANTINE,
        LOADS,
        NIGHTS,
    )
}


class Warehouse:
    """An open warehouse; use it as a context manager. Frames in, frames out.

    `has_changed` tells whether anything was written since it was opened.
    """

    def __init__(self, path: Path, *, read_only: bool = False) -> None:
        self.path = path
        self.has_changed = False
        try:
            self._connection = duckdb.connect(str(path), read_only=read_only)
        except duckdb.Error as error:
            raise _cannot_open(path, error) from error
        if not read_only:
            self._create_tables()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def read(self, name: str) -> pl.DataFrame:
        """Return a whole table, its columns and types as its schema says."""
        table = ALL_TABLES[name]
        columns = ", ".join(f'"{column}"' for column in table.column_names)
        frame: pl.DataFrame = self._connection.sql(f'SELECT {columns} FROM "{name}"').pl()
        return frame.cast(table.polars_schema)

    def read_as_of(self, name: str, night: date) -> pl.DataFrame:
        """Return a table of `LOADED_TABLES` as a night left it: what had come by then and still stood.

        What a night loaded and replaced itself never stood. Raises `UsageError` where an older version has
        published the warehouse, which lacks what the table needs.
        """
        table = ALL_TABLES[name]
        columns = ", ".join(f'"{column}"' for column in table.column_names)
        query = (
            f'SELECT {columns} FROM "{name}" WHERE loaded_night <= $night UNION ALL BY NAME '
            f'SELECT {columns} FROM "{name}_history" WHERE loaded_night <= $night AND replaced_night > $night'
        )
        try:
            frame: pl.DataFrame = self._connection.sql(query, params={"night": night}).pl()
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise _too_old(self.path, name) from error
        return frame.cast(table.polars_schema).sort(table.key)

    def read_matching(self, name: str, keys: pl.DataFrame) -> pl.DataFrame:
        """Return the rows of a table whose values in the columns of `keys` stand in `keys`."""
        table = ALL_TABLES[name]
        columns = ", ".join(f't."{column}"' for column in table.column_names)
        with self._registered(keys.unique()):
            query = f'SELECT {columns} FROM "{name}" t SEMI JOIN incoming k ON {_same(keys.columns)}'
            frame: pl.DataFrame = self._connection.sql(query).pl()
        return frame.cast(table.polars_schema)

    def n_rows(self, name: str) -> int:
        """Return how many rows a table has."""
        return int(self._connection.sql(f'SELECT count(*) AS n FROM "{name}"').pl()["n"][0])

    def append(self, name: str, frame: pl.DataFrame) -> None:
        """Append rows; columns that the frame lacks stay empty."""
        if not frame.is_empty():
            self.has_changed = True
            self._insert(name, frame)

    def replace_all(self, name: str, frame: pl.DataFrame) -> None:
        """Put the frame in the place of everything the table holds; nothing happens where they are equal."""
        if frame.equals(self.read(name)):
            return
        self.has_changed = True
        self._connection.execute(f'DELETE FROM "{name}"')
        self.append(name, frame)

    def delete(self, name: str, keys: pl.DataFrame) -> None:
        """Delete the rows whose values in the columns of `keys` stand in `keys`."""
        if keys.is_empty():
            return
        self.has_changed = True
        with self._registered(keys.unique()):
            self._connection.execute(f'DELETE FROM "{name}" t USING incoming k WHERE {_same(keys.columns)}')

    def correct(
        self, table: Table, loaded: pl.DataFrame, replaced: pl.DataFrame, *, file_id: str, night: date
    ) -> None:
        """Insert `loaded`; the rows of `replaced`, which it corrects, go into the table's history."""
        self.append(f"{table.name}_history", replaced.with_columns(replaced_night=pl.lit(night)))
        self.delete(table.name, replaced.select(table.key))
        provenance = {"file_id": pl.lit(file_id), "loaded_night": pl.lit(night)}
        self.append(table.name, loaded.with_columns(**provenance))

    def begin(self) -> None:
        """Start a transaction that `commit` ends."""
        self._connection.execute("BEGIN TRANSACTION")

    def commit(self) -> None:
        """Make everything since `begin` lasting."""
        self._connection.execute("COMMIT")

    def checkpoint(self) -> None:
        """Write everything into the one file and empty the write-ahead log."""
        self._connection.execute("CHECKPOINT")

    def _create_tables(self) -> None:
        for table in ALL_TABLES.values():
            columns = [f'"{c.name}" {_TYPES[type(c.dtype)]}' for c in table.columns]
            self._connection.execute(f'CREATE TABLE IF NOT EXISTS "{table.name}" ({", ".join(columns)})')
            # A warehouse that an older version published has fewer columns; what they would hold stays empty.
            for column in columns:
                self._connection.execute(f'ALTER TABLE "{table.name}" ADD COLUMN IF NOT EXISTS {column}')

    def _insert(self, name: str, frame: pl.DataFrame) -> None:
        columns = ", ".join(f'"{column}"' for column in frame.columns)
        with self._registered(frame):
            self._connection.execute(f'INSERT INTO "{name}" ({columns}) SELECT {columns} FROM incoming')

    @contextlib.contextmanager
    def _registered(self, frame: pl.DataFrame) -> Iterator[None]:
        self._connection.register("incoming", frame)
        try:
            yield
        finally:
            self._connection.unregister("incoming")


def _cannot_open(path: Path, error: duckdb.Error) -> WorldError:
    if isinstance(error, duckdb.IOException | duckdb.ConnectionException) and "lock" in str(error).lower():
        return WorldError(
            f"{path}: the warehouse cannot be opened, for another program holds it. Close other writers and "
            "run the night again."
        )
    return DamagedFileError(
        f"{path}: expected a DuckDB warehouse, found a file that DuckDB cannot open. Put the newest "
        f"snapshot, {path.parent}/<night>.duckdb, in the place of {path.parent}/current.duckdb and run the "
        "night again."
    )


def _too_old(path: Path, name: str) -> UsageError:
    return UsageError(
        f"{path}: expected the table {name} and its history, found a warehouse of an older version without "
        "them. Run a night first: it adds what is missing."
    )


def _same(columns: list[str]) -> str:
    return " AND ".join(f't."{column}" IS NOT DISTINCT FROM k."{column}"' for column in columns)


@contextlib.contextmanager
def only_writer(folder: Path) -> Iterator[None]:
    """Hold the warehouse's lock: one night writes at a time. Raises `WorldError` where another does.

    The lock goes with its process, so that a killed night leaves none behind.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            lock.seek(0)
            raise WorldError(
                f"{lock.name}: another night is writing this warehouse ({lock.read().strip() or 'unknown'}). "
                "Wait until it ends, or end that process, and run the night again."
            ) from error
        lock.truncate(0)
        lock.write(f"process {os.getpid()}\n")
        lock.flush()
        yield


def copy_of_published(current: Path, night: str) -> Path:
    """Make the night's working copy of the published warehouse, and clear what dead nights left."""
    current.parent.mkdir(parents=True, exist_ok=True)
    for left_over in current.parent.glob("working-*"):
        left_over.unlink()
    working = current.parent / f"working-{night}.duckdb"
    if current.exists():
        shutil.copyfile(current, working)
    return working


def publish(working: Path, current: Path, snapshot: Path) -> None:
    """Swap the finished working copy in as the published warehouse, in one step that cannot be half done.

    The file is on disk before its name is; readers that have the former file open keep reading it.
    """
    _sync(working)
    if snapshot.exists():
        # A night that ran before published another state, which MLflow knows by its hash.
        snapshot.replace(snapshot.with_name(f"{snapshot.stem}-{file_sha256(snapshot)[:8]}.duckdb"))
    linked = snapshot.with_suffix(".linked")
    linked.unlink(missing_ok=True)
    os.link(working, linked)
    linked.replace(snapshot)
    working.replace(current)
    _sync(current.parent)


def drop_old_snapshots(folder: Path, n_kept: int) -> list[Path]:
    """Delete all but the newest snapshots and return the deleted ones."""
    snapshots = sorted(folder.glob("[0-9][0-9][0-9][0-9]-[0-9][0-9]-[0-9][0-9]*.duckdb"))
    old = snapshots[:-n_kept]
    for snapshot in old:
        snapshot.unlink()
    return old


def file_sha256(path: Path) -> str:
    """Return the sha256 of a file's bytes, in hexadecimal."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
