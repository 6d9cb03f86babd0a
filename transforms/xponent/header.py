"""What stands above the results of an export: instrument, time, kit, calibrations.

Here: the header's fields and blocks, the names of those that nobody reads. Not here: the results
(`transforms.xponent.frames`). Called by `transforms.xponent.reader`. Operator names, serial numbers and
computer names stay behind in the text.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import polars as pl

from transforms.xponent.dates import (
    DAY_FIRST,
    MONTH_FIRST,
    PrintedDate,
    find_dates,
    order_of_a_run,
    shown_order,
)
from transforms.xponent.text import Record, XponentText

CALIBRATIONS = pl.Schema({"name": pl.String(), "outcome": pl.String(), "at": pl.Datetime("us")})

# The calibration block of some builds is printed one way whatever the computer's language is, so that it
# goes last when the file's dates are asked for their order.
_RUN, _LOCALE, _CALIBRATION = "run", "locale", "calibration"
_READ_FIELDS = frozenset(
    {"program", "build", "date", "batch", "batchstarttime", "batchstoptime", "protocolanalysis", "samples"}
)
_OUTCOMES = {"passed": "passed", "calibrated": "passed", "verified": "passed", "failed": "failed"}
_FIELD_NAME = re.compile(r"[A-Za-z][A-Za-z _/-]{0,40}:?", re.ASCII)


@dataclass(frozen=True, eq=False)
class Header:
    """The header of one export; see `transforms.xponent.reader.XponentPlate` for the fields."""

    batch: str
    program: str
    instrument: str | None
    build: str
    acquired_at: datetime | None
    kit_name: str | None
    kit_lot: str | None
    kit_expires_on: date | None
    calibrations: pl.DataFrame


@dataclass(frozen=True)
class _Blocks:
    """The header's records, parted: fields, calibrations, the calibrators' tables, the kit's tables."""

    fields: list[Record]
    calibrations: list[Record]
    calibrators: list[Record]
    kit: list[Record]


def read_header(text: XponentText) -> Header:
    """Return what the header says; dates are none where their order cannot be told from the file's own."""
    blocks = _blocks(text.header)
    kit, expires = _kit(blocks.kit)
    orders = _orders(blocks)
    program = header_fields(text, "Program")
    started = _first_date(_fields(blocks.fields, "BatchStartTime"))
    expires_at = expires.at(orders[_LOCALE]) if expires else None
    return Header(
        batch=_first(header_fields(text, "Batch")) or "",
        program=_first(program) or "",
        instrument=_first(program[2:]),
        build=_first(header_fields(text, "Build")) or "",
        acquired_at=started.at(orders[_RUN]) if started else None,
        kit_name=_first(kit[:1]),
        kit_lot=_first(kit[1:2]),
        kit_expires_on=expires_at.date() if expires_at else None,
        calibrations=_calibrations(blocks.calibrations, order=orders[_CALIBRATION]),
    )


def header_fields(text: XponentText, key: str) -> tuple[str, ...]:
    """Return the fields beside a name in the header, none where it does not have that name."""
    return _fields(text.header, key)


def unread_in_header(text: XponentText) -> Iterator[tuple[str, int]]:
    """Yield the names of the header's fields and blocks that have something and that nobody reads, and where.

    A line that does not begin as a field does is named by its number: its name may be lost, and its value is
    nobody's to show.
    """
    blocks = _blocks(text.header)
    for record in blocks.fields:
        name = record.fields[0]
        if not _FIELD_NAME.fullmatch(name):
            yield f"header, line {record.line}", record.line
        elif len(record.fields) > 1 and name.casefold() not in _READ_FIELDS:
            yield name.rstrip(":"), record.line
    if blocks.calibrators:
        yield "CALInfo", blocks.calibrators[0].line
    if len(blocks.kit) > 2:
        yield "AssayLotInfo, Reagent", blocks.kit[2].line


def _blocks(header: Sequence[Record]) -> _Blocks:
    blocks = _Blocks([], [], [], [])
    block = blocks.fields
    for record in header:
        first = record.fields[0].casefold()
        if first.startswith("most recent calibration"):
            block = blocks.calibrations
        elif first.startswith("calinfo"):
            block = blocks.calibrators
        elif first.startswith(("assaylotinfo", "kitname")):
            block = blocks.kit
        elif first in ("samples", "results"):
            block = blocks.fields
        if first.startswith("last ") and block is not blocks.kit:
            blocks.calibrations.append(record)
        elif not first.startswith(("most recent calibration", "calinfo", "assaylotinfo")):
            block.append(record)
    return blocks


def _fields(records: Sequence[Record], key: str) -> tuple[str, ...]:
    found = (record.fields[1:] for record in records if record.fields[0].casefold() == key.casefold())
    return next(found, ())


def _first(fields: Sequence[str]) -> str | None:
    return (fields[0] or None) if fields else None


def _first_date(fields: Sequence[str]) -> PrintedDate | None:
    return next((one for field in fields[:1] for one in find_dates(field)), None)


def _kit(records: Sequence[Record]) -> tuple[tuple[str, ...], PrintedDate | None]:
    """Return the kit's name and lot, and the day it expires, from the line below KitName."""
    names = [record.fields[0].casefold() for record in records]
    below = names.index("kitname") + 1 if "kitname" in names else len(names)
    if below >= len(names) or names[below] == "reagent":
        return (), None
    columns = [name.casefold() for name in records[below - 1].fields]
    fields = records[below].fields
    lot, expires = (
        fields[columns.index(name)] if name in columns and columns.index(name) < len(fields) else ""
        for name in ("lotnumber", "expirationdate")
    )
    return (fields[0], lot), _first_date((expires,))


def _orders(blocks: _Blocks) -> dict[str, str | None]:
    """Return the order of day and month for each source of dates.

    All dates of the file are asked together. Where they contradict each other, each source goes by its own.
    """
    run = [_first_date(_fields(blocks.fields, key)) for key in ("BatchStartTime", "BatchStopTime", "Date")]
    tables = [*blocks.calibrators, *blocks.kit]
    sources = {
        _RUN: [one for one in run if one],
        _LOCALE: _dates(tables),
        _CALIBRATION: _dates(blocks.calibrations),
    }
    shown = {source: shown_order(dates) for source, dates in sources.items()}
    if shown[_RUN] is None and run[0] and run[1]:
        shown[_RUN] = order_of_a_run(run[0], run[1])
    joint = next((shown[source] for source in (_RUN, _LOCALE, _CALIBRATION) if shown[source]), None)
    is_contradicted = {MONTH_FIRST, DAY_FIRST} <= set(shown.values())
    return {source: order or (None if is_contradicted else joint) for source, order in shown.items()}


def _dates(records: Sequence[Record]) -> list[PrintedDate]:
    return [one for record in records for field in record.fields for one in find_dates(field)]


def _calibrations(records: Sequence[Record], *, order: str | None) -> pl.DataFrame:
    rows = []
    for record in records:
        printed = " ".join(record.fields[1:])
        word = re.match(r"[^\W\d]+", printed)
        outcome = _OUTCOMES.get(word[0].casefold() if word else "", "other")
        found = _first_date((printed,))
        rows.append((record.fields[0], outcome, found.at(order) if found else None))
    return pl.DataFrame(rows, schema=CALIBRATIONS, orient="row")
