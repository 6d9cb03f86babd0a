"""The faults that real files have, planted into simulated ones, each with a note of where it is.

Here: which rows are spoilt, and how. Not here: the files (`flows.simulate`). A fault hits rows on which no
definition hangs (counts after RT, follow-up, toxicities), so that ASL stays what was drawn.
"""

from dataclasses import dataclass

import numpy as np
import polars as pl

from models.simulation.patients import Codes
from transforms.schemas import PATIENT_KEY

SHARE_FAULTY = 0.005
# A file of this many rows or more has each kind of fault at least once.
ALWAYS_FAULTY_FROM = 20
# Beside the file's columns: what a fault needs to know of a row. Never written.
NOT_WRITTEN = ("tlc_cells_per_ul", "may_be_spoilt")
PLACES_SCHEMA = pl.Schema(
    {"line": pl.Int64(), "column": pl.String(), "kind": pl.String(), "expected": pl.String()}
)


DUPLICATE_FILE_PLACE = pl.DataFrame(
    {"line": [None], "column": [None], "kind": ["duplicate_file"], "expected": ["unchanged"]}, PLACES_SCHEMA
)


@dataclass(frozen=True)
class Fault:
    """A kind of fault: the rows it can hit, what becomes of them, and what the platform should do.

    `can_hit` is none where any row will do. `expected` is quarantined, or replaced: by the correction in a
    later file.
    """

    kind: str
    sources: tuple[str, ...]
    column: str
    changes: dict[str, pl.Expr]
    can_hit: pl.Expr | None = None
    expected: str = "quarantined"


def _mistyped(digits: pl.Expr) -> pl.Expr:
    next_digit = {str(digit): str(digit + 1) for digit in range(9)} | {"9": "8"}
    return digits.str.head(1).replace_strict(next_digit) + digits.str.slice(1)


_TLC, _VALUE, _DAY = pl.col("tlc_cells_per_ul"), pl.col("value"), pl.col("collected_at")
_CONTACT, _PROGRESSION = pl.col("last_contact_date"), pl.col("progression_date")
FAULTS = (
    Fault("corrected_value", ("counts",), "value", changes={"value": _mistyped(_VALUE)}, expected="replaced"),
    Fault(
        "percent_in_place_of_absolute",
        ("counts",),
        "unit",
        changes={"value": (100 * _TLC / (_TLC + 3500)).round(1).cast(pl.String), "unit": pl.lit("%")},
    ),
    Fault(
        "lost_decimal_mark",
        ("counts",),
        "value",
        changes={"value": _VALUE.str.replace(".", "", literal=True).str.strip_chars_start("0")},
        can_hit=_VALUE.str.contains(".", literal=True),
    ),
    Fault(
        "swapped_dates",
        ("counts",),
        "collected_at",
        changes={"collected_at": _DAY.str.replace(r"^(\d{4})-(\d{2})-(\d{2})", "${1}-${3}-${2}")},
        can_hit=_DAY.str.slice(8, 2).cast(pl.Int64) > 12,
    ),
    Fault(
        "swapped_dates",
        ("follow_up",),
        "last_contact_date",
        changes={"last_contact_date": _PROGRESSION, "progression_date": _CONTACT},
        can_hit=(_PROGRESSION < _CONTACT).fill_null(value=False),
    ),
    Fault(
        "unknown_patient",
        ("counts", "follow_up", "toxicities"),
        "patient_id",
        changes={"patient_id": pl.col("patient_id").str.replace("SIM-", "SIM-X", literal=True)},
    ),
)


@dataclass(frozen=True)
class Spoilt:
    """A file's rows with faults in them, the places of these, and the rows of the correcting file."""

    rows: pl.DataFrame
    places: pl.DataFrame
    corrections: pl.DataFrame


def open_stream(seed: int) -> np.random.Generator:
    """Return the random numbers of the faults: those of the patients and plates are others."""
    # A key of one number; the patients' have two, the plates' three.
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,)))


def spoil(rows: pl.DataFrame, *, source: str, rng: np.random.Generator) -> Spoilt:
    """Plant each kind of fault of that source into one row in two hundred; never two in one row.

    `rows` is what is written; where it has `may_be_spoilt`, only such rows are hit. The line of a place
    counts from 1, the header's.
    """
    is_free = rows["patient_id"].is_not_null()
    if "may_be_spoilt" in rows.columns:
        is_free = rows["may_be_spoilt"]
    places, corrections, spoilt = [pl.DataFrame(schema=PLACES_SCHEMA)], rows.clear(), rows
    for fault in (fault for fault in FAULTS if source in fault.sources):
        can_be_hit = is_free if fault.can_hit is None else is_free & rows.select(fault.can_hit).to_series()
        hit = _pick(rng, can_be_hit)
        is_hit = pl.Series(np.isin(np.arange(len(rows)), hit))
        is_free = is_free & ~is_hit
        spoilt = spoilt.with_columns(
            pl.when(is_hit).then(change).otherwise(pl.col(name)).alias(name)
            for name, change in fault.changes.items()
        )
        places.append(_places(hit, column=fault.column, kind=fault.kind, expected=fault.expected))
        if fault.expected == "replaced":
            corrections = rows.filter(is_hit)
    return Spoilt(spoilt, pl.concat(places), corrections)


def _pick(rng: np.random.Generator, can_be_hit: pl.Series) -> Codes:
    """Return the indices of the rows that are hit, sorted."""
    n_rows, candidates = len(can_be_hit), np.flatnonzero(can_be_hit.to_numpy())
    # Rounded up or down by chance: so the share holds over many small files as well.
    n_wanted = max(int(SHARE_FAULTY * n_rows + rng.random()), int(n_rows >= ALWAYS_FAULTY_FROM))
    return np.sort(rng.permutation(candidates)[:n_wanted])


def mark_spoilable(counts: pl.DataFrame, rt_ends: pl.DataFrame) -> pl.DataFrame:
    """Return the counts with `may_be_spoilt`, true after RT; `rt_ends` has the patients' rt_end_date."""
    return (
        counts.join(rt_ends, on=PATIENT_KEY, how="left", maintain_order="left")
        .with_columns(may_be_spoilt=pl.col("collected_on") > pl.col("rt_end_date"))
        .drop("rt_end_date")
    )


def correction_places(n: int) -> pl.DataFrame:
    """Return the places of the `n` rows of a correcting file."""
    return _places(np.arange(n), column="value", kind="correction", expected="loaded")


def _places(index: Codes, *, column: str, kind: str, expected: str) -> pl.DataFrame:
    return pl.select(
        line=pl.Series(index + 2, dtype=pl.Int64),
        column=pl.lit(column),
        kind=pl.lit(kind),
        expected=pl.lit(expected),
    )
