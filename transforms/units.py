"""Lymphocyte counts in cells/uL from any accepted code and unit, exact to the digit.

Here: LOINC codes, spellings of units and their factors. Not here: what a count means (`transforms.clinical`).
Called by `flows.load_tables` between parsing and validation.
"""

import polars as pl

from transforms.findings import FINDING_SCHEMA

# Lymphocytes per volume of blood: by automated count, method not said, by manual count.
LYMPHOCYTE_CODES = ("731-0", "26474-7", "732-8")

_CELLS_PER_UL = (
    "cells/ul",
    "cell/ul",
    "/ul",
    "1/ul",
    "{cells}/ul",
    "#/ul",
    "{#}/ul",
    "/mm3",
    "cells/mm3",
    "#/mm3",
    "10*6/l",
)
_THOUSANDS_PER_UL = (
    "10*3/ul",
    "10*3cells/ul",
    "10*3{cells}/ul",
    "k/ul",
    "thou/ul",
    "thousand/ul",
    "10*3/mm3",
    "k/mm3",
    "10*9/l",
    "10*9cells/l",
)
_FACTORS = dict.fromkeys(_CELLS_PER_UL, 1.0) | dict.fromkeys(_THOUSANDS_PER_UL, 1000.0)


def spelt_alike(unit: pl.Expr) -> pl.Expr:
    """Bring spellings of one unit together: 'x10^3/µL', '10E3/mcL' and '10*3/uL' become '10*3/ul'."""
    return (
        unit.str.replace_all(r"\s", "")
        .str.replace_all(r"[µμ]", "u")
        # Giga and grams part by their case alone.
        .str.replace(r"^G/[Ll]$", "10*9/l")
        .str.to_lowercase()
        .str.replace("×10", "10", literal=True)
        .str.replace("10⁹", "10*9", literal=True)
        .str.replace("10³", "10*3", literal=True)
        .str.replace(r"mcl$", "ul")
        .str.replace(r"^x10", "10")
        .str.replace(r"^10(\^|\*\*|e)", "10*")
    )


def tidy_counts(rows: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Add `tlc_cells_per_ul` and split off the rows that are no lymphocyte count.

    `rows` has the landed columns of counts and `line`. Returns (rows with `tlc_cells_per_ul`, findings).
    Rows without a code or a unit are left to the rules on required columns.
    """
    factor = spelt_alike(pl.col("unit")).replace_strict(_FACTORS, default=None, return_dtype=pl.Float64)
    is_lymphocytes = pl.col("code").is_in(LYMPHOCYTE_CODES) | pl.col("code").is_null()
    is_accepted = factor.is_not_null() | pl.col("unit").is_null()
    # Six decimals are far below any analyser's resolution; rounding gives the double nearest to the
    # decimal number that was printed, so that 1.001 x 10*3/uL is 1001 and not 1000.9999999999999.
    tidy = rows.with_columns((pl.col("value") * factor).round(6).alias("tlc_cells_per_ul"))
    findings = pl.concat(
        [
            _findings(
                rows.filter(~is_lymphocytes),
                column="code",
                rule="code_is_a_lymphocyte_count",
                found="another LOINC code",
                expected=f"a lymphocyte count: LOINC {', '.join(LYMPHOCYTE_CODES)}",
            ),
            _findings(
                rows.filter(~is_accepted),
                column="unit",
                rule="unit_is_known",
                found="a unit that is not known here",
                expected="a count per volume: cells/uL, 10*3/uL, 10*9/L or a common spelling of these",
            ),
        ]
    )
    return tidy.filter(is_lymphocytes & is_accepted), findings


def _findings(rows: pl.DataFrame, *, column: str, rule: str, found: str, expected: str) -> pl.DataFrame:
    return rows.select(
        pl.col("line"),
        pl.lit(column).alias("column"),
        pl.lit(rule).alias("rule"),
        pl.lit(found).alias("found"),
        pl.lit(expected).alias("expected"),
        pl.lit("Correct the cell and send the file again").alias("remedy"),
    ).match_to_schema(FINDING_SCHEMA)
