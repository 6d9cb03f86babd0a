"""The report's tables of cytokine plates: rules, curves, ranges, exclusions, drift.

Here: layout for a reader. Not here: the numbers (`transforms.plates`). Called by `flows.report.tables`.
"""

import polars as pl

from flows.report.context import PlateReport
from flows.report.layout import Column, Table, lay_out
from transforms.wording import NOTHING, write_number


def lay_out_plate_tables(plates: PlateReport) -> tuple[Table, ...]:
    """Return the tables of the report's section on plates."""
    return (
        _rules(plates.rules),
        _curves(plates.curves, plates.ranges),
        _exclusions(plates.exclusions),
        _drift(plates.drift),
    )


def _texts(*columns: str, decimals: int = 0) -> list[pl.Expr]:
    return [
        pl.col(name).map_elements(
            lambda number: write_number(number, decimals), return_dtype=pl.String, skip_nulls=False
        )
        for name in columns
    ]


def _rules(rules: pl.DataFrame) -> Table:
    rows = rules.with_columns(
        pl.col("rule").str.replace_all("_", " "), *_texts("n_plates", "n_findings")
    ).select("code", "rule", "severity", "n_plates", "n_findings", "remedy")
    columns = (
        Column("code", "Code", is_text=True),
        Column("rule", "Rule", is_text=True),
        Column("severity", "What follows", is_text=True),
        Column("n_plates", "Plates"),
        Column("n_findings", "Findings"),
        Column("remedy", "What to do", is_text=True),
    )
    below = (
        "Refused: nothing of the plate loads. Not used: that well or analyte gives no patient's value. Told: "
        "all loads, though a rule is broken. Note: no rule is broken. Places are in the warehouse's table "
        "plate_findings."
    )
    return lay_out(
        "plate_rules", rows, caption="What the plates' own rules say", columns=columns, below=below
    )


def _curves(curves: pl.DataFrame, ranges: pl.DataFrame) -> Table:
    counts = ("n_plates", "n_four_parameters", "n_without_curve", "n_accepted")
    wells = ("within", "extrapolated", "below", "above")
    rows = (
        curves.join(ranges, on="analyte", how="left", maintain_order="left")
        .with_columns(quantified=_quantified())
        .with_columns(*_texts(*counts, *wells))
    )
    columns = (
        Column("analyte", "Analyte", is_text=True),
        Column("n_plates", "Plates", "Curves"),
        Column("n_accepted", "Accepted", "Curves"),
        Column("n_four_parameters", "Of four parameters", "Curves"),
        Column("n_without_curve", "None", "Curves"),
        Column("quantified", "Quantified, pg/mL", "Curves"),
        *(Column(word, word.capitalize(), "Samples' wells") for word in wells),
    )
    below = (
        "Accepted by ICH M10: at least 75 % of the standards' levels, and six, come back within 20 % (25 % "
        "at the limits). Quantified: medians of the limits of quantification. A well below or above its "
        "curve has no number and is given none."
    )
    return lay_out("plate_curves", rows, caption="Standard curves and samples", columns=columns, below=below)


def _quantified() -> pl.Expr:
    limits = _texts("lloq_pg_ml", "uloq_pg_ml", decimals=1)
    told = pl.format("{}\u2013{}", *limits)
    return pl.when(pl.col("lloq_pg_ml").is_null()).then(pl.lit(NOTHING)).otherwise(told)


def _exclusions(exclusions: pl.DataFrame) -> Table:
    rows = exclusions.sort("excluded_on", "plate_id", "well", "analyte").with_columns(
        pl.col("well").fill_null("all"),
        pl.col("analyte").fill_null("all"),
        pl.col("excluded_on").cast(pl.String),
    )
    columns = (
        Column("plate_id", "Plate", is_text=True),
        Column("well", "Well", is_text=True),
        Column("analyte", "Analyte", is_text=True),
        Column("excluded_by", "By", is_text=True),
        Column("excluded_on", "On", is_text=True),
        Column("reason", "Why", is_text=True),
    )
    return lay_out("plate_exclusions", rows, caption="Excluded wells and analytes", columns=columns)


def _drift(drift: pl.DataFrame) -> Table:
    columns = (
        Column("kit_lot", "Kit lot", is_text=True),
        Column("analyte", "Analyte", is_text=True),
        Column("quantity", "Quantity", is_text=True),
        Column("rules_broken", "Westgard rules", is_text=True),
        Column("z", "SD from the mean"),
    )
    rows = drift.with_columns(*_texts("z", decimals=1))
    below = (
        "The latest plate of each kit lot against the lot's guide set: mean and SD of log10 over its first "
        "5, 10 or 20 plates."
    )
    return lay_out("plate_drift", rows, caption="Out of control", columns=columns, below=below)
