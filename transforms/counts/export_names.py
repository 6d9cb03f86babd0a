"""Names for written results: the same result has the same name in every file, and in every run.

Here: numbers made from what a result is. Not here: how they are written. Called by
`transforms.counts.fhir_export` and `transforms.counts.omop_export`.
"""

from hashlib import blake2b

import polars as pl


def number_rows(frame: pl.DataFrame, columns: tuple[str, ...]) -> pl.Series:
    """Return a whole number below 2**48 for each row, made from its texts in these columns."""
    keys = frame.select(pl.concat_str(columns, separator="\0", ignore_nulls=True)).to_series()
    digests = (blake2b(key.encode(), digest_size=6).digest() for key in keys)
    return pl.Series("number", [int.from_bytes(digest, "big") for digest in digests], dtype=pl.Int64)
