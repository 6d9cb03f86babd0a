"""Loading blood counts: results of every source into counts, versions and withdrawals.

Here: validate, merge, write and account for each line, part after part. Not here: reading
(`flows.count_files`), what a newer version is (`transforms.counts.versions`). Called by `flows.steps`.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import date

import polars as pl

from expectations.validation import Validation, validate_rows
from flows.accounts import Book, close_books, n_in_quarantine, settle_known
from flows.count_files import CountsPart, join_parts, read_counts
from flows.landed import LandedFile
from flows.load_tables import LoadedSource, with_patient_facts
from flows.warehouse import Warehouse
from transforms.counts.results import ANOTHER_TEST
from transforms.counts.versions import (
    NAMED_RESULT,
    came_too_late,
    keys_taken_back,
    newest_versions,
    newest_withdrawals,
    taken_back,
)
from transforms.findings import FINDING_SCHEMA
from transforms.merge import merge_rows
from transforms.schemas import (
    COUNT_PARTS,
    COUNTS,
    LABORATORY_NAMES,
    WITHDRAWN_RESULTS,
    Table,
)

# Rules are checked, and rows merged, as many at once as fit into memory well: fewer would read the table anew
# more often.
MOST_OTHER_TESTS = 10_000
ROWS_AT_ONCE = 500_000
_TABLES = (COUNTS, COUNT_PARTS)


@dataclass
class CountsBook(Book):
    """The book of one file of counts, which is entered part after part."""

    n_other_tests: int = 0

    def enter(self, part: CountsPart, *, findings: pl.DataFrame, loaded: pl.Series) -> None:
        """Enter a part; a line with a finding is in quarantine, whatever else it gave."""
        n_quarantined = n_in_quarantine(findings, n_tried=part.n_rows)
        n_loaded = len(loaded.filter(~loaded.is_in(findings["line"].drop_nulls().unique().implode())))
        self.rows_in += part.n_rows
        self.quarantined += n_quarantined
        self.loaded += n_loaded
        # The rest is held already, overtaken by newer versions, or settled by a former night.
        self.unchanged += part.n_rows - n_quarantined - n_loaded
        self.findings.append(self._told(findings))
        if part.note:
            self.notes.append(part.note)
        if part.n_other:
            self.notes.append("records that are no laboratory results were passed over")

    def _told(self, findings: pl.DataFrame) -> pl.DataFrame:
        """Return the findings that get a row each: of other tests only the first `MOST_OTHER_TESTS`.

        A laboratory's whole feed would fill the memory, and the quarantine, with rows that nobody can mend.
        """
        is_other = pl.col("rule") == ANOTHER_TEST
        others = findings.filter(is_other)
        room = max(MOST_OTHER_TESTS - self.n_other_tests, 0)
        self.n_other_tests += len(others)
        if len(others) > room:
            self.notes.append(
                f"of the results of other tests only the first {MOST_OTHER_TESTS:,} are told line by line"
            )
        return pl.concat([findings.filter(~is_other), others.head(room)])


def load_counts(warehouse: Warehouse, files: tuple[LandedFile, ...], *, night: date) -> LoadedSource:
    """Load the files of counts into the working copy.

    Raises `OSError` where a file cannot be read, `NadirError` where a line is not accounted for.
    """
    settled, fresh = settle_known(warehouse, (file.read() for file in files))
    books = {one.landed.file_id: CountsBook(one.landed) for one in fresh}
    patients = warehouse.read("patients")
    validations: list[Validation] = []
    parts = (part for one in fresh for part in read_counts(one, patients))
    for batch in _batches(parts):
        validations += _load_batch(warehouse, batch, books, night=night)
        # DuckDB keeps every frame that it was shown until the transaction ends. What is written so far goes
        # into a working copy, which a night that fails leaves behind unpublished.
        warehouse.commit()
        warehouse.begin()
    accounts, quarantine = close_books(books.values(), night)
    return LoadedSource(settled + accounts, quarantine, validations)


def _load_batch(
    warehouse: Warehouse, batch: list[CountsPart], books: dict[str, CountsBook], *, night: date
) -> list[Validation]:
    """Check, merge and enter a batch; return the rules' verdicts, without the rows that they were on."""
    checked = {table.name: _validate(warehouse, batch, table, night=night) for table in _TABLES}
    for part in batch:
        findings, loaded = _merge(warehouse, part, checked, night=night)
        books[part.fresh.landed.file_id].enter(part, findings=findings, loaded=loaded)
    return [
        replace(one, passed=one.passed.clear(), failed=one.failed.clear())
        for one in checked.values()
        if one is not None
    ]


def _batches(parts: Iterable[CountsPart]) -> Iterator[list[CountsPart]]:
    """Yield parts, one a file, of about `ROWS_AT_ONCE` rows together."""
    batch: list[CountsPart] = []
    n_rows = 0
    for part in parts:
        batch.append(part)
        n_rows += part.n_rows
        if n_rows >= ROWS_AT_ONCE:
            yield join_parts(batch)
            batch, n_rows = [], 0
    yield join_parts(batch)


def _validate(
    warehouse: Warehouse, batch: list[CountsPart], table: Table, *, night: date
) -> Validation | None:
    """Check the rules on the rows of a batch; counts are checked even where there are none, for the docs."""
    rows = [_rows_of(part, table).with_columns(file_id=pl.lit(part.fresh.landed.file_id)) for part in batch]
    frame = pl.concat(rows) if rows else None
    if frame is None or (frame.is_empty() and table is not COUNTS):
        return None
    return validate_rows(table.name, with_patient_facts(warehouse, frame), night=night)


def _rows_of(part: CountsPart, table: Table) -> pl.DataFrame:
    return part.tidy.counts if table is COUNTS else part.tidy.parts


def _merge(
    warehouse: Warehouse, part: CountsPart, checked: dict[str, Validation | None], *, night: date
) -> tuple[pl.DataFrame, pl.Series]:
    """Write a part; return its findings and the lines that changed something."""
    file_id = part.fresh.landed.file_id
    findings, loaded = [part.tidy.rejected], []
    for table in _TABLES:
        validation = checked[table.name]
        if validation is None or _rows_of(part, table).is_empty():
            continue
        is_of_part = pl.col("file_id") == file_id
        passed, failed = (frame.filter(is_of_part) for frame in (validation.passed, validation.failed))
        lines, at_odds = _merge_results(warehouse, passed, table, file_id=file_id, night=night)
        loaded.append(lines)
        findings += [failed.select(FINDING_SCHEMA.names()), at_odds]
    loaded.append(_withdraw(warehouse, part.tidy.withdrawn, file_id=file_id, night=night))
    return pl.concat(findings), pl.concat(loaded).unique()


def _merge_results(
    warehouse: Warehouse, passed: pl.DataFrame, table: Table, *, file_id: str, night: date
) -> tuple[pl.Series, pl.DataFrame]:
    """Merge results into their table; return the lines that loaded and the findings on lines at odds.

    An older version, in the file or against the warehouse, goes straight into the history.
    """
    newest, older = newest_versions(passed)
    names = _names_held(warehouse, newest)
    late = came_too_late(newest, names)
    withdrawn = taken_back(newest, warehouse.read("withdrawn_results"))
    kept = newest.join(
        pl.concat([late, withdrawn]).select("line"), on="line", how="anti", maintain_order="left"
    )
    merge = merge_rows(
        warehouse.read_matching(table.name, kept.select(table.key)),
        kept.select(*table.column_names, "line"),
        table,
    )
    good = kept.join(merge.rejected, on="line", how="anti", maintain_order="left")
    moved = _held_elsewhere(warehouse, good, names, table=table)
    replaced = pl.concat([merge.replaced, moved]).unique(table.key)
    warehouse.correct(table, merge.loaded, replaced, file_id=file_id, night=night)
    _remember_names(warehouse, good, moved, file_id=file_id, night=night)
    _keep_as_history(warehouse, pl.concat([older, late]), table, file_id=file_id, night=night)
    return merge.loaded["line"], merge.rejected


def _names_held(warehouse: Warehouse, rows: pl.DataFrame) -> pl.DataFrame:
    """Names held at the moments of results, and of the results themselves wherever they are held."""
    at_keys = warehouse.read_matching("laboratory_names", rows.select(LABORATORY_NAMES.key))
    named = rows.drop_nulls("result_id").select(NAMED_RESULT)
    of_results = warehouse.read_matching("laboratory_names", named)
    return pl.concat([at_keys, of_results]).unique(LABORATORY_NAMES.key)


def _held_elsewhere(
    warehouse: Warehouse, rows: pl.DataFrame, names: pl.DataFrame, *, table: Table
) -> pl.DataFrame:
    """Rows held of the same results under another key: the laboratory corrected the moment."""
    named = rows.drop_nulls("result_id")
    of_results = names.join(named, on=NAMED_RESULT, how="semi")
    elsewhere = of_results.join(named, on=table.key, how="anti")
    return warehouse.read_matching(table.name, elsewhere.select(table.key))


def _remember_names(
    warehouse: Warehouse, rows: pl.DataFrame, moved: pl.DataFrame, *, file_id: str, night: date
) -> None:
    is_named = pl.col("result_id").is_not_null() | pl.col("known_at").is_not_null()
    named = rows.filter(is_named).select(*LABORATORY_NAMES.column_names, "line")
    if named.is_empty():
        return
    # Two lines of one result agree here, or would be at odds already.
    once = named.unique(LABORATORY_NAMES.key, keep="first", maintain_order=True)
    merge = merge_rows(
        warehouse.read_matching("laboratory_names", once.select(LABORATORY_NAMES.key)), once, LABORATORY_NAMES
    )
    former = warehouse.read_matching("laboratory_names", moved.select(LABORATORY_NAMES.key))
    replaced = pl.concat([merge.replaced, former]).unique(LABORATORY_NAMES.key)
    warehouse.correct(LABORATORY_NAMES, merge.loaded, replaced, file_id=file_id, night=night)


def _keep_as_history(
    warehouse: Warehouse, older: pl.DataFrame, table: Table, *, file_id: str, night: date
) -> None:
    provenance = {
        "file_id": pl.lit(file_id),
        "loaded_night": pl.lit(night),
        "replaced_night": pl.lit(night),
    }
    for of in (table, LABORATORY_NAMES):
        rows = older.select(*of.column_names, "line").with_columns(**provenance)
        warehouse.append(f"{of.name}_history", rows)


def _withdraw(warehouse: Warehouse, withdrawn: pl.DataFrame, *, file_id: str, night: date) -> pl.Series:
    """Take back the results that were entered in error; return the lines that changed something."""
    if withdrawn.is_empty():
        return withdrawn["line"]
    current = warehouse.read_matching("withdrawn_results", withdrawn.select(WITHDRAWN_RESULTS.key))
    merge = merge_rows(current, newest_withdrawals(withdrawn, current), WITHDRAWN_RESULTS)
    warehouse.correct(WITHDRAWN_RESULTS, merge.loaded, merge.replaced, file_id=file_id, night=night)
    keys = keys_taken_back(withdrawn, _names_held(warehouse, withdrawn))
    for table in (*_TABLES, LABORATORY_NAMES):
        held = warehouse.read_matching(table.name, keys)
        warehouse.correct(table, held.clear(), held, file_id=file_id, night=night)
    return merge.loaded["line"]
