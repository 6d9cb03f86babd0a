"""The warehouse: frames come back as they went in, publishing is whole or not at all, one night writes."""

import multiprocessing
from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from flows.warehouse import (
    ALL_TABLES,
    Warehouse,
    copy_of_published,
    drop_old_snapshots,
    file_sha256,
    only_writer,
    publish,
)
from transforms.errors import DamagedFileError, WorldError
from transforms.schemas import COUNTS

COUNT = {
    "site": "a",
    "patient_id": "1",
    "collected_at": datetime(2024, 1, 2, 3, 4),
    "collected_on": date(2024, 1, 2),
    "code": "731-0",
    "value": 0.41,
    "unit": "10*9/L",
    "tlc_cells_per_ul": 410.0,
}


@pytest.mark.parametrize("name", ALL_TABLES)
def test_every_table_exists_with_the_types_of_its_schema(tmp_path: Path, name: str):
    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        assert warehouse.read(name).schema == ALL_TABLES[name].polars_schema


def test_a_corrected_row_moves_to_history_with_the_night_that_replaced_it(tmp_path: Path):
    first = pl.DataFrame([COUNT], schema=COUNTS.polars_schema)
    second = first.with_columns(value=0.14, tlc_cells_per_ul=140.0)
    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.correct(COUNTS, first, first.clear(), file_id="f1", night=date(2024, 2, 1))
        warehouse.correct(COUNTS, second, warehouse.read("counts"), file_id="f2", night=date(2024, 2, 2))
        assert_frame_equal(warehouse.read("counts").select(COUNTS.column_names), second)
        history = warehouse.read("counts_history").select("value", "file_id", "replaced_night")
    assert history.rows() == [(0.41, "f1", date(2024, 2, 2))]


def test_rows_are_found_by_key_also_where_the_key_has_gaps(tmp_path: Path):
    rows = pl.DataFrame([COUNT, COUNT | {"code": None}], schema=COUNTS.polars_schema)
    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.append("counts", rows)
        assert len(warehouse.read_matching("counts", rows.tail(1).select(COUNTS.key))) == 1


def test_writing_what_is_there_already_is_no_change(tmp_path: Path):
    row = pl.DataFrame([{"night": date(2024, 1, 1), "origin": "landed"}])
    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.append("nights", row)
        nights = warehouse.read("nights")
    with Warehouse(tmp_path / "w.duckdb") as warehouse:
        warehouse.replace_all("nights", nights)
        assert not warehouse.has_changed


def published(folder: Path, night: str, *, n_rows: int) -> Path:
    current = folder / "current.duckdb"
    working = copy_of_published(current, night)
    with Warehouse(working) as warehouse:
        warehouse.append("counts", pl.DataFrame([COUNT] * n_rows, schema=COUNTS.polars_schema))
        warehouse.checkpoint()
    publish(working, current, folder / f"{night}.duckdb")
    return current


def test_publishing_swaps_the_file_and_keeps_the_snapshot(tmp_path: Path):
    current = published(tmp_path, "2024-01-01", n_rows=1)
    published(tmp_path, "2024-01-02", n_rows=1)
    sizes = {}
    for path in (current, tmp_path / "2024-01-01.duckdb", tmp_path / "2024-01-02.duckdb"):
        with Warehouse(path, read_only=True) as warehouse:
            sizes[path.name] = warehouse.n_rows("counts")
    assert sizes == {"current.duckdb": 2, "2024-01-01.duckdb": 1, "2024-01-02.duckdb": 2}


def test_a_night_that_publishes_again_keeps_what_it_published_before(tmp_path: Path):
    published(tmp_path, "2024-01-01", n_rows=1)
    former = file_sha256(tmp_path / "2024-01-01.duckdb")
    published(tmp_path, "2024-01-01", n_rows=1)
    kept = tmp_path / f"2024-01-01-{former[:8]}.duckdb"
    assert file_sha256(kept) == former != file_sha256(tmp_path / "2024-01-01.duckdb")


def test_a_reader_keeps_what_it_opened_while_a_night_publishes(tmp_path: Path):
    current = published(tmp_path, "2024-01-01", n_rows=1)
    with Warehouse(current, read_only=True) as reader:
        published(tmp_path, "2024-01-02", n_rows=5)
        assert reader.n_rows("counts") == 1


def test_a_night_that_died_leaves_nothing_in_the_way_of_the_next(tmp_path: Path):
    current = published(tmp_path, "2024-01-01", n_rows=1)
    (tmp_path / "working-2024-01-02.duckdb").write_bytes(b"half written")
    (tmp_path / "working-2024-01-02.duckdb.wal").write_bytes(b"half written")
    published(tmp_path, "2024-01-02", n_rows=1)
    assert current.exists()
    assert not list(tmp_path.glob("working-*"))


def test_only_the_newest_snapshots_are_kept(tmp_path: Path):
    for day in (1, 2, 3):
        (tmp_path / f"2024-01-0{day}.duckdb").touch()
    dropped = drop_old_snapshots(tmp_path, 2)
    assert [path.name for path in dropped] == ["2024-01-01.duckdb"]


def _hold(
    folder: Path, held: "multiprocessing.synchronize.Event", release: "multiprocessing.synchronize.Event"
):
    with only_writer(folder):
        held.set()
        release.wait(30)


def test_a_second_night_is_told_who_is_writing_and_a_dead_one_leaves_no_lock(tmp_path: Path):
    context = multiprocessing.get_context("spawn")
    held, release = context.Event(), context.Event()
    writer = context.Process(target=_hold, args=(tmp_path, held, release))
    writer.start()
    assert held.wait(30)
    with pytest.raises(WorldError, match=f"process {writer.pid}"), only_writer(tmp_path):
        pass
    writer.kill()
    writer.join()
    with only_writer(tmp_path):
        assert (tmp_path / "lock").exists()


def test_a_file_that_is_no_warehouse_is_the_world_s_fault_and_says_so(tmp_path: Path):
    (tmp_path / "w.duckdb").write_bytes(b"this is no database at all" * 1000)
    with pytest.raises(DamagedFileError, match="Put the newest snapshot"):
        Warehouse(tmp_path / "w.duckdb")
