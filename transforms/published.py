"""The study's printed numbers beside the night's own, one by one.

Here: what it means that two numbers are equal to the printed decimals. Not here: the numbers themselves
(`flows/data/published.csv` holds what the study prints). Called by `flows.reproduction`.
"""

from decimal import ROUND_HALF_UP, Decimal

import polars as pl

from transforms.schemas import ESTIMATES

KEY = ("analysis", "group", "variable", "level", "statistic")
PUBLISHED = pl.Schema({name: pl.String() for name in ("where", *KEY, "printed")})
SIDE_BY_SIDE = pl.Schema(
    {**PUBLISHED, "ours": pl.Float64(), "ours_printed": pl.String(), "is_equal": pl.Boolean()}
)


def compare_with_published(estimates: pl.DataFrame, published: pl.DataFrame) -> pl.DataFrame:
    """Set the estimates (`schemas.ESTIMATES`) beside the published numbers (`PUBLISHED`), in their order.

    Returns `SIDE_BY_SIDE`: `ours_printed` is our value written as the study writes its own, `is_equal`
    whether the two read the same. A number that we do not have is not equal.
    """
    ours = estimates.select(*KEY, ours="value").with_columns(pl.col("level").replace("", None))
    joined = published.join(ours, on=KEY, how="left", maintain_order="left", nulls_equal=True)
    as_printed = [
        None if value is None else write_like(printed, value)
        for printed, value in joined.select("printed", "ours").iter_rows()
    ]
    return joined.with_columns(
        ours_printed=pl.Series(as_printed, dtype=pl.String),
    ).with_columns(is_equal=(pl.col("ours_printed") == pl.col("printed")).fill_null(value=False))


def count_equal(side_by_side: pl.DataFrame) -> int:
    """Return how many of the published numbers come out to the printed decimals."""
    return int(side_by_side["is_equal"].sum())


def tell_equal(side_by_side: pl.DataFrame) -> str:
    """Say how many of the published numbers come out."""
    n_equal, n = count_equal(side_by_side), len(side_by_side)
    return f"{n_equal} of {n} published numbers come out to the printed decimals."


def agreement_estimates(side_by_side: pl.DataFrame) -> pl.DataFrame:
    """Return the agreement itself as rows of `schemas.ESTIMATES`."""
    counted = {"n_equal": count_equal(side_by_side), "n": len(side_by_side)}
    rows = [
        {
            "analysis": "published_vs_ours",
            "group": "all",
            "variable": "published_numbers",
            "level": "",
            "statistic": statistic,
            "value": float(value),
            "definition": "Numbers of the study that come out to the printed decimals",
        }
        for statistic, value in counted.items()
    ]
    return pl.DataFrame(rows, schema=ESTIMATES.polars_schema)


def estimates_csv(estimates: pl.DataFrame) -> str:
    """Write estimates as the published table is written: no level is an empty cell, not a quoted nothing."""
    return estimates.with_columns(pl.col("level").replace("", None)).write_csv()


def write_like(printed: str, value: float) -> str:
    """Write a value with the decimals of a printed number: 0.0104 like '0.010', 0.0004 like '<0.001'.

    Halves are rounded away from zero, as SPSS does. A printed '<0.001' is a limit: a value that is not below
    it is written with its decimals.
    """
    limit = printed.removeprefix("<")
    if limit != printed and value < float(limit):
        return printed
    step = Decimal(1).scaleb(-len(limit.partition(".")[2]))
    return f"{Decimal(repr(value)).quantize(step, rounding=ROUND_HALF_UP):f}"
