"""The account of each landed file: rows in, loaded, unchanged, in quarantine; nothing is lost.

Here: what is known of a file from former nights, and the books of tonight. Not here: parsing and merging.
Called by the loaders, and by `flows.steps`, which records what they give.
"""

from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from datetime import date

import polars as pl

from flows.landed import Landed
from flows.landing import Listing
from flows.warehouse import Warehouse
from transforms.errors import NadirError
from transforms.findings import FINDING_SCHEMA, findings_frame, no_findings
from transforms.schemas import LOADS, QUARANTINE

# The source of findings on the cohort: its rows come from several files, so that no file waits for them.
DERIVED_SOURCE = "cohort"
_FINDING_KEY = ["source", "file", *QUARANTINE.key]


@dataclass(frozen=True)
class Account:
    """What became of one file's rows: `rows_in` = `loaded` + `unchanged` + `quarantined`.

    Raises `NadirError` where they do not add up: a row was lost, which is our bug.
    """

    source: str
    file: str
    file_id: str
    rows_in: int
    loaded: int = 0
    unchanged: int = 0
    quarantined: int = 0
    note: str | None = None

    def __post_init__(self) -> None:
        n_out = self.loaded + self.unchanged + self.quarantined
        if n_out != self.rows_in:
            raise NadirError(
                f"{self.file}: {self.rows_in} rows went in, {n_out} are accounted for ({self.loaded} loaded, "
                f"{self.unchanged} unchanged, {self.quarantined} in quarantine). This is a fault of Nadir's, "
                "so nothing is published: report it with the file's shape, not its content."
            )


@dataclass
class Book:
    """What became of one file's rows so far, what was found on them, and notes for people."""

    landed: Landed
    rows_in: int = 0
    loaded: int = 0
    unchanged: int = 0
    quarantined: int = 0
    notes: list[str] = field(default_factory=list)
    findings: list[pl.DataFrame] = field(default_factory=lambda: [no_findings()])

    def close(self) -> Account:
        """Return the account of the file; raises `NadirError` where its rows do not add up."""
        return Account(
            self.landed.file.source,
            self.landed.file.name,
            self.landed.file_id,
            self.rows_in,
            self.loaded,
            self.unchanged,
            self.quarantined,
            "; ".join(dict.fromkeys(self.notes)) or None,
        )

    def quarantine(self, night: date) -> pl.DataFrame:
        """Return what was found as rows of `QUARANTINE`."""
        is_on_the_file = pl.col("line").is_null()
        name = pl.when(is_on_the_file).then(pl.lit(self.landed.file.name))
        return (
            pl.concat(self.findings)
            .select(
                pl.lit(self.landed.file.source).alias("source"),
                name.otherwise(pl.lit(self.landed.name_of_lines)).alias("file"),
                pl.lit(self.landed.file_id).alias("file_id"),
                *FINDING_SCHEMA.names(),
                pl.lit(night).alias("first_night"),
            )
            .match_to_schema(QUARANTINE.polars_schema)
        )


def n_in_quarantine(findings: pl.DataFrame, *, n_tried: int) -> int:
    """Count the rows with a finding; one without a line is on every row that was tried."""
    lines = findings["line"]
    return n_tried if lines.has_nulls() else lines.n_unique()


def close_books(books: Iterable[Book], night: date) -> tuple[list[Account], pl.DataFrame]:
    """Return the account of each file, and what was found in all of them as rows of `QUARANTINE`."""
    closed = [(book.close(), book.quarantine(night)) for book in books]
    empty = pl.DataFrame(schema=QUARANTINE.polars_schema)
    return [account for account, _ in closed], pl.concat([empty, *(rows for _, rows in closed)])


@dataclass(frozen=True)
class Fresh:
    """A file with something to do: all of it, or only the lines that wait in quarantine (`retried`)."""

    landed: Landed
    retried: tuple[int, ...] | None = None

    def n_settled(self, rows_in: int) -> int:
        """How many of the file's rows former nights have settled."""
        return 0 if self.retried is None else rows_in - len(self.retried)

    def to_try(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Keep the rows (by `line`) that are to be tried tonight."""
        return rows if self.retried is None else rows.filter(pl.col("line").is_in(self.retried))


def settle_known(
    warehouse: Warehouse,
    landed: Iterable[Landed],
    *,
    is_out_of_date: Callable[[Landed], bool] = lambda _: False,
) -> tuple[list[Account], list[Fresh]]:
    """Account for the files that are known by their content, return the others to be loaded.

    Rows of a known file that wait in quarantine are tried again: what they lacked (their patient, say) may
    have come since. So is a known file of which the warehouse no longer holds what it says.
    """
    rows_in = dict(warehouse.read("loads").select("file_id", "rows_in").unique("file_id").iter_rows())
    waiting = {
        file_id: tuple(lines)
        for file_id, lines in warehouse.read("quarantine")
        .filter(pl.col("source") != DERIVED_SOURCE)
        .group_by("file_id")
        .agg(pl.col("line").unique().sort())
        .iter_rows()
    }
    settled: list[Account] = []
    fresh: dict[str, Fresh] = {}
    twins: list[Landed] = []
    for one in landed:
        file_id, lines = one.file_id, waiting.get(one.file_id)
        if file_id in fresh:
            twins.append(one)
        elif file_id not in rows_in or is_out_of_date(one):
            fresh[file_id] = Fresh(one)
        elif lines is not None:
            fresh[file_id] = Fresh(one, retried=None if None in lines else lines)
        else:
            settled.append(_unchanged(one, rows_in[file_id]))
    return settled + [_unchanged(twin, twin.n_rows) for twin in twins], list(fresh.values())


def _unchanged(landed: Landed, rows_in: int) -> Account:
    return Book(landed, rows_in=rows_in, unchanged=rows_in).close()


def refused_entries(listing: Listing, night: date) -> pl.DataFrame:
    """Turn the landing folder's entries that are no file of ours into rows of `QUARANTINE`."""
    rows = [
        findings_frame([finding]).with_columns(
            source=pl.lit(source),
            file=pl.lit(name),
            file_id=pl.lit(None, pl.String),
            first_night=pl.lit(night),
        )
        for source, name, finding in listing.refused
    ]
    empty = pl.DataFrame(schema=QUARANTINE.polars_schema)
    return pl.concat([empty, *(row.select(empty.columns) for row in rows)])


def record_accounts(warehouse: Warehouse, accounts: list[Account], night: date) -> None:
    """Write into the ledger the files that are new, and those of which quarantined rows loaded tonight."""
    known = set(warehouse.read("loads")["file_id"])
    rows = [
        {"night": night, **asdict(account)}
        for account in accounts
        if account.file_id not in known or account.loaded
    ]
    ledger = pl.DataFrame(rows, schema=LOADS.polars_schema)
    # Of a file that came twice the copy is accounted for first, as unchanged.
    warehouse.append("loads", ledger.unique(("night", "file_id"), keep="last", maintain_order=True))


def record_quarantine(warehouse: Warehouse, tonight: pl.DataFrame, night: date) -> None:
    """Put tonight's findings on landed files in the place of the former ones.

    Every file of the landing folder that has a finding was tried tonight, so that tonight's are all there
    are; what is no longer found (mended, sent anew, taken away) goes into the history with the night.
    """
    _replace_findings(warehouse, tonight, night, is_derived=False)


def record_derived_findings(warehouse: Warehouse, tonight: pl.DataFrame, night: date) -> None:
    """Put tonight's findings on derived rows in the place of the former ones."""
    _replace_findings(warehouse, tonight, night, is_derived=True)


def _replace_findings(warehouse: Warehouse, tonight: pl.DataFrame, night: date, *, is_derived: bool) -> None:
    before = warehouse.read("quarantine")
    is_of_kind = (pl.col("source") == DERIVED_SOURCE) == is_derived
    former = before.filter(is_of_kind)
    found = _since_when(tonight, former)
    settled = former.join(found, on=_FINDING_KEY, how="anti", nulls_equal=True)
    warehouse.append("quarantine_history", settled.with_columns(replaced_night=pl.lit(night)))
    after = pl.concat([before.filter(~is_of_kind), found]).sort(_FINDING_KEY, nulls_last=True)
    warehouse.replace_all("quarantine", after)


def _since_when(tonight: pl.DataFrame, before: pl.DataFrame) -> pl.DataFrame:
    """Give a finding that stood before the night that first made it."""
    return (
        tonight.unique(_FINDING_KEY, keep="first", maintain_order=True)
        .join(
            before.select(*_FINDING_KEY, since="first_night"), on=_FINDING_KEY, how="left", nulls_equal=True
        )
        .with_columns(first_night=pl.coalesce("since", "first_night"))
        .drop("since")
    )
