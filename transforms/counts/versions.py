"""Versions of one laboratory result: which is the newest, which came too late, what was taken back.

Here: comparing versions by when the laboratory gave them out and how final they are. Not here: storing them
(`flows.load_counts`, which calls this). A result without a name and a moment is what its file says.
"""

import polars as pl

from transforms.schemas import COUNTS, PATIENT_KEY, WITHDRAWN_RESULTS
from transforms.schemas.counts import STATUSES

_KEY = list(COUNTS.key)
# Several results of one sample may share a name: an accession number, a panel's.
NAMED_RESULT = [*PATIENT_KEY, "result_id", "code"]
_EARLIEST = pl.lit("0001-01-01").str.to_datetime("%Y-%m-%d", time_unit="us")


def newest_versions(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Split the rows of one file into the newest version of each result and the older ones.

    Versions are of one patient, moment and code, or of one name, for the moment too may be corrected. A later
    `known_at` is newer; of one moment the more final status is. Rows that are equally new stay together:
    whether they agree is for others to see. rows: the key of COUNTS, result_id, status and known_at.
    """
    finality = pl.col("status").replace_strict(
        {status: place for place, status in enumerate(STATUSES)}, default=0, return_dtype=pl.Int64
    )
    age = pl.struct(pl.coalesce("known_at", _EARLIEST).alias("known_at"), finality.alias("finality"))
    of_key, of_name = (age.rank("dense", descending=True).over(names) == 1 for names in (_KEY, NAMED_RESULT))
    is_newest = of_key & (of_name | pl.col("result_id").is_null())
    marked = rows.with_columns(is_newest=is_newest)
    return marked.filter("is_newest").drop("is_newest"), marked.filter(~pl.col("is_newest")).drop("is_newest")


def came_too_late(rows: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Return the rows of which a newer version is held already, at their moment or under their name.

    rows: the key of COUNTS, result_id and known_at; held: rows of `LABORATORY_NAMES`.
    """
    at_key = held.group_by(_KEY).agg(held_at=pl.col("known_at").max())
    by_name = held.drop_nulls("result_id").group_by(NAMED_RESULT).agg(named_at=pl.col("known_at").max())
    return (
        rows.join(at_key, on=_KEY, how="left", nulls_equal=True, maintain_order="left")
        .join(by_name, on=NAMED_RESULT, how="left", maintain_order="left")
        .filter(pl.col("known_at") < pl.max_horizontal("held_at", "named_at"))
        .select(rows.columns)
    )


def newest_withdrawals(rows: pl.DataFrame, held: pl.DataFrame) -> pl.DataFrame:
    """Return the newest of withdrawals of one result, without those of which a newer one is held.

    rows, held: of `WITHDRAWN_RESULTS`.
    """
    key = list(WITHDRAWN_RESULTS.key)
    known = held.select(*key, held_at="known_at")
    return (
        _latest_first(rows)
        .unique(key, keep="first", maintain_order=True)
        .join(known, on=key, how="left", nulls_equal=True, maintain_order="left")
        .filter((pl.col("known_at") < pl.col("held_at")).fill_null(value=False).not_())
        .select(rows.columns)
    )


def taken_back(rows: pl.DataFrame, withdrawn: pl.DataFrame) -> pl.DataFrame:
    """Return the rows that their laboratory has withdrawn, and has not given out anew since.

    A withdrawal names the result; without a name it means the patient, moment and code.
    rows: the key of COUNTS, result_id and known_at; withdrawn: rows of `WITHDRAWN_RESULTS`.
    """
    latest = _latest_first(withdrawn)
    named = latest.filter(pl.col("result_id").is_not_null())
    unnamed = latest.filter(pl.col("result_id").is_null())
    found = [
        rows.join(
            part.select(*on, withdrawn_at="known_at").unique(on, keep="first", maintain_order=True),
            on=on,
            how="inner",
        )
        for part, on in ((named, NAMED_RESULT), (unnamed, _KEY))
    ]
    is_newer = pl.col("known_at") > pl.col("withdrawn_at")
    return pl.concat(found).filter(~is_newer.fill_null(value=False)).select(rows.columns).unique()


def keys_taken_back(withdrawn: pl.DataFrame, names: pl.DataFrame) -> pl.DataFrame:
    """Return the keys (of COUNTS) that withdrawals take back, whether something is held under them or not.

    By name, and by key for withdrawals without one; what was given out after its withdrawal stays.
    withdrawn: rows of `WITHDRAWN_RESULTS`; names: rows of `LABORATORY_NAMES`.
    """
    unnamed = withdrawn.filter(pl.col("result_id").is_null()).drop_nulls(_KEY)
    nameless = unnamed.join(names, on=_KEY, how="anti").with_columns(known_at=pl.lit(None, pl.Datetime("us")))
    columns = [*_KEY, "result_id", "known_at"]
    return taken_back(pl.concat([names.select(columns), nameless.select(columns)]), withdrawn).select(_KEY)


def _latest_first(withdrawn: pl.DataFrame) -> pl.DataFrame:
    return withdrawn.sort("known_at", descending=True, nulls_last=True, maintain_order=True)
