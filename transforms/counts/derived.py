"""Lymphocyte counts where none was measured: leukocytes times lymphocyte percent of the same sample.

Here: which parts belong together, and the product. Not here: what a part is (`transforms.counts.results`).
Called by `flows` when all counts and parts of the night are in.
"""

import polars as pl

from transforms.counts.codes import LEUKOCYTE_CODES, LEUKOCYTES, LYMPHOCYTE_PERCENT, PERCENT_CODES
from transforms.schemas.counts import COUNTS, STATUSES
from transforms.schemas.hospital import PATIENT_KEY

_SAMPLE = (*PATIENT_KEY, "collected_at")
_DAY = (*PATIENT_KEY, "collected_on")
_OF_EACH_PART = ("code", "amount", "status")
# From the least final to the most: a count is no more final than the less final of its parts.
_FINALITY = {status: place for place, status in enumerate(STATUSES)}
# Where a sample has a part twice, the automated count goes before the others.
_PRECEDENCE = {code: place for place, code in enumerate((*LEUKOCYTE_CODES, *PERCENT_CODES))}


def derive_counts(parts: pl.DataFrame, measured: pl.DataFrame) -> pl.DataFrame:
    """Return counts of method 'derived' (COUNTS) for samples in which no lymphocyte count was measured.

    parts: COUNT_PARTS; measured: COUNTS, of which those of method 'measured' are looked at. A sample is a
    patient and a moment, or a day where no more is known. `value` is leukocytes x percent / 100 in cells/uL.
    """
    leukocytes = _of_part(parts, LEUKOCYTES)
    percents = _of_part(parts, LYMPHOCYTE_PERCENT).select(*_SAMPLE, *_OF_EACH_PART)
    both = leukocytes.join(percents, on=_SAMPLE, how="inner", suffix="_of_percent")
    derived = both.select(
        *_SAMPLE,
        "collected_on",
        pl.concat_str("code", "code_of_percent", separator=" x ").alias("code"),
        *_product(),
        pl.lit("cells/uL").alias("unit"),
        pl.lit(None).alias("comparator"),
        pl.lit("derived").alias("method"),
        pl.lit(None).alias("lower_limit_cells_per_ul"),
        _less_final().alias("status"),
    )
    unmeasured = _without_measured(derived, measured.filter(pl.col("method") == "measured"))
    return unmeasured.select(COUNTS.column_names).cast(COUNTS.polars_schema).sort(COUNTS.key)


def _of_part(parts: pl.DataFrame, part: str) -> pl.DataFrame:
    return (
        parts.filter((pl.col("part") == part) & pl.col("collected_at").is_not_null())
        .sort(pl.col("code").replace_strict(_PRECEDENCE, default=len(_PRECEDENCE)), maintain_order=True)
        .unique(_SAMPLE, keep="first", maintain_order=True)
    )


def _product() -> tuple[pl.Expr, pl.Expr]:
    # Rounded as every count is, so that 5000 x 4 % is 200 and not 200.00000000000003.
    product = (pl.col("amount") * pl.col("amount_of_percent") / 100).round(6)
    return product.alias("value"), product.alias("tlc_cells_per_ul")


def _less_final() -> pl.Expr:
    first, second = (
        pl.col(name).replace_strict(_FINALITY, default=_FINALITY["final"])
        for name in ("status", "status_of_percent")
    )
    return pl.when(first <= second).then("status").otherwise("status_of_percent")


def _without_measured(derived: pl.DataFrame, measured: pl.DataFrame) -> pl.DataFrame:
    """Drop what was measured at that moment, and on that day where either is known by the day alone."""
    is_day_alone = pl.col("collected_at") == pl.col("collected_on").cast(pl.Datetime("us"))
    apart = derived.join(measured, on=_SAMPLE, how="anti").join(
        measured.filter(is_day_alone), on=_DAY, how="anti"
    )
    at_a_moment, on_a_day = apart.filter(~is_day_alone), apart.filter(is_day_alone)
    return pl.concat([at_a_moment, on_a_day.join(measured, on=_DAY, how="anti")])
