"""The sha256 of a frame's content: the same rows give the same hash, in whatever order they come.

Here: one canonical byte form of a frame. Not here: hashes of files, tags and ledgers. Called by
`models.prediction` (training data) and `flows` (the night's cohort and estimates).
"""

import hashlib
import struct
import sys
from array import array
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain

import polars as pl

from transforms import errors

# Bump when the byte form changes: every hash made before is then another family, not a silent mismatch.
FORM = b"nadir-frame-1"


def frame_sha256(frame: pl.DataFrame, key: Sequence[str]) -> str:
    """Return the sha256 (64 hex digits) of a frame's content.

    The order of rows and of columns does not matter; column names, kinds of values, values and nulls do.
    An empty text is not a null, 1 is not 1.0, and -0.0 is 0.0. `key` names the columns that tell rows apart:
    rows that share a key have no order of their own, so they raise `NadirError`; so does a column of lists.
    """
    _check_key(frame, key)
    ordered = frame.sort(key, nulls_last=False)
    digest = hashlib.sha256()
    header = chain([FORM], _framed(b"%d" % ordered.height))
    columns = chain.from_iterable(_column_bytes(ordered[name]) for name in sorted(ordered.columns))
    for part in chain(header, columns):
        digest.update(part)
    return digest.hexdigest()


def _check_key(frame: pl.DataFrame, key: Sequence[str]) -> None:
    missing = [name for name in key if name not in frame.columns]
    if missing or not key:
        raise errors.NadirError(
            f"content hash: the key {list(key)} was given, but the frame lacks {missing}. "
            "Give the columns that name one row."
        )
    n_shared = frame.height - frame.select(key).n_unique() if frame.height else 0
    if n_shared:
        raise errors.NadirError(
            f"content hash: {n_shared} rows share their key {list(key)} with another row; "
            "one row a key was expected. Give a key that names one row."
        )


def _framed(content: bytes) -> Iterator[bytes]:
    # The length goes first, so that no two lists of parts run together into the same bytes.
    yield struct.pack("<Q", len(content))
    yield content


def _column_bytes(column: pl.Series) -> Iterator[bytes]:
    kind, encode = _form_of(column)
    yield from _framed(column.name.encode())
    yield from _framed(kind.encode())
    yield from _framed(bytes(column.is_null().to_list()))
    for part in encode(column):
        yield from _framed(part)


def _form_of(column: pl.Series) -> tuple[str, Callable[[pl.Series], Iterable[bytes]]]:
    dtype = column.dtype
    if dtype.is_float():
        return "float", _float_parts
    if dtype.is_integer():
        return "integer", _integer_parts
    if dtype == pl.Boolean:
        return "boolean", _integer_parts
    if dtype == pl.Date:
        return "date", _integer_parts
    if isinstance(dtype, pl.Datetime):
        return f"datetime {dtype.time_zone or 'naive'}", _microsecond_parts
    if dtype == pl.String:
        return "text", _text_parts
    raise errors.NadirError(
        f"content hash, column {column.name}: found {dtype}, which has no canonical form; numbers, booleans, "
        "text, dates and datetimes were expected. Cast it first."
    )


def _little_endian(values: "array[int] | array[float]") -> bytes:
    if sys.byteorder == "big":
        values.byteswap()
    return values.tobytes()


def _float_parts(column: pl.Series) -> Iterator[bytes]:
    # NaN has many bit patterns and zero two; each gets one. (Polars skips an addition of 0.0.)
    filled = column.cast(pl.Float64).fill_nan(float("nan")).fill_null(0.0)
    yield _little_endian(array("d", filled.set(filled == 0.0, 0.0).to_list()))


def _integer_parts(column: pl.Series) -> Iterator[bytes]:
    yield _little_endian(array("q", column.cast(pl.Int64).fill_null(0).to_list()))


def _microsecond_parts(column: pl.Series) -> Iterator[bytes]:
    yield from _integer_parts(column.dt.timestamp("us"))


def _text_parts(column: pl.Series) -> Iterator[bytes]:
    texts = [text.encode() for text in column.fill_null("").to_list()]
    yield _little_endian(array("q", [len(text) for text in texts]))
    yield b"".join(texts)
