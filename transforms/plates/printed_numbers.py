"""Printed numbers: what they are, how finely they are printed, and the breaches of the wells they belong to.

Here: what the rules of arithmetic share. Not here: the rules (`transforms.plates.arithmetic`,
`transforms.plates.result_arithmetic`, which call this), reading cells (`transforms.xponent.text`).
"""

import polars as pl

# xPONENT prints 15 digits, and agrees with its own coefficients to 1e-9; a spreadsheet keeps ten digits.
PRINTED_TOLERANCE = 1e-6

_MOST_WELLS_NAMED = 8


def number(printed: pl.Expr) -> pl.Expr:
    """Return a printed result as a number, null where it is a limit or says that there is none."""
    value = printed.cast(pl.Float64, strict=False)
    return pl.when(value.is_finite()).then(value)


def plain_sample(sample: pl.Expr) -> pl.Expr:
    """Return names of samples without blanks and capitals, as `transforms.xponent.names.plain_name` does."""
    # One file spells the same standard 'Standard 1' in one section and 'Standard1' in another.
    return sample.str.replace_all(r"\s+", "").str.to_lowercase()


def _named(wells: pl.Expr) -> pl.Expr:
    """Return the wells of a group as text, the first eight by name."""
    n_others = wells.len().cast(pl.Int64) - _MOST_WELLS_NAMED
    named = wells.head(_MOST_WELLS_NAMED).str.join(", ")
    more = pl.when(n_others > 0).then(pl.format(" and {} more", n_others)).otherwise(pl.lit(""))
    return pl.when(wells.len() == 1).then(pl.lit("well ")).otherwise(pl.lit("wells ")) + named + more


def by_analyte(off: pl.DataFrame, found: str) -> pl.DataFrame:
    """Return one breach an analyte; `found` has a place {} for the wells."""
    return (
        off.group_by("analyte", maintain_order=True)
        .agg(wells=_named(pl.col("well").unique(maintain_order=True)))
        .select(
            place=pl.lit(None, dtype=pl.String), analyte="analyte", found=pl.format(found, pl.col("wells"))
        )
    )


def rounding(printed: pl.Expr, exact: pl.Expr) -> pl.Expr:
    """Return half of the last digit that a section prints, 0 where it prints all that there is.

    By quantiles of the decimals, of all cells and of those with fewer than the exact number has, so that
    neither one altered cell nor a section of round numbers misleads.
    """
    n_printed, n_exact = (
        pl.when(printed.is_not_null() & exact.is_not_null()).then(_n_decimals(column))
        for column in (printed, exact)
    )
    finest = pl.max_horizontal(
        n_printed.quantile(0.95, "nearest"), n_printed.filter(n_printed < n_exact).quantile(0.5, "nearest")
    )
    is_rounded = ((n_printed < n_exact) & (finest < n_exact)).any()
    return pl.when(is_rounded).then(0.5 * pl.lit(10.0).pow(-finest)).otherwise(0.0)


def _n_decimals(value: pl.Expr) -> pl.Expr:
    digits = value.round(9).cast(pl.String).str.extract(r"\.(\d*[1-9])0*$")
    return digits.str.len_chars().fill_null(0).cast(pl.Float64)
