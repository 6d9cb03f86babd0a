"""Versions of one laboratory result: which is the newest, which came too late, what was taken back.

Here: comparing versions by when the laboratory gave them out and how final they are. Not here: storing them
(`flows.load_counts`, which calls this). A result without a name and a moment is what its file says.
"""

import polars as pl

from transforms.schemas import COUNTS, PATIENT_KEY
from transforms.schemas.counts import STATUSES

_KEY = list(COUNTS.key)
_RESULT = [*PATIENT_KEY, "result_id"]
_EARLIEST = pl.lit("0001-01-01").str.to_datetime("%Y-%m-%d", time_unit="us")


def newest_versions(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split the rows of one file into the newest version of each result and the older ones.

    Versions are of one patient, moment and code. A later `known_at` is newer; of one moment the more final
    status is. Rows that are equally new stay together: whether they agree is for others to see.
    rows: the key of COUNTS, status and known_at.
    """
    finality = pl.col("status").replace_strict(
        {status: place for place, status in enumerate(STATUSES)}, default=0, return_dtype=pl.Int64
    )
    age = pl.struct(pl.coalesce("known_at", _EARLIEST).alias("known_at"), finality.alias("finality"))
    ranked = rows.with_columns(rank=age.rank("dense", descending=True).over(_KEY))
    is_newest = pl.col("rank") == 1
    return ranked.filter(is_newest).drop("rank"), ranked.filter(~is_newest).drop("rank")


def came_too_late(rows: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of which a newer version is held already.

    rows: the key of COUNTS and known_at; held: rows of `LABORATORY_NAMES`.
    """
    known = held.select(*_KEY, held_at="known_at")
    late = rows.join(known, on=_KEY, how="left", nulls_equal=True, maintain_order="left")
    return late.filter(pl.col("known_at") < pl.col("held_at")).drop("held_at")


def taken_back(rows: pl.DataFrame, withdrawn: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that their laboratory has withdrawn, and has not given out anew since.

    A withdrawal names the result; without a name it means the patient, moment and code.
    rows: the key of COUNTS, result_id and known_at; withdrawn: rows of `WITHDRAWN_RESULTS`.
    """
    named = withdrawn.filter(pl.col("result_id").is_not_null())
    unnamed = withdrawn.filter(pl.col("result_id").is_null())
    found = [
        rows.join(part.select(*on, withdrawn_at="known_at").unique(on), on=on, how="inner")
        for part, on in ((named, _RESULT), (unnamed, _KEY))
    ]
    is_newer = pl.col("known_at") > pl.col("withdrawn_at")
    return pl.concat(found).filter(~is_newer.fill_null(value=False)).select(rows.columns).unique()


def named_keys(results: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Return the keys (of COUNTS) that the results are held under, by name, and by key for those without one.

    results: result_id and the key of COUNTS; names: rows of `LABORATORY_NAMES`.
    """
    by_name = names.join(results.drop_nulls("result_id").select(_RESULT).unique(), on=_RESULT, how="semi")
    unnamed = results.filter(pl.col("result_id").is_null()).drop_nulls(_KEY)
    return pl.concat([by_name.select(_KEY), unnamed.select(_KEY)]).unique()
