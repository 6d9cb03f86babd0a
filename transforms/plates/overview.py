"""All plates at a glance: which rules are broken, how good the curves are, what is excluded.

Here: summing up what the warehouse holds of plates. Not here: the rules and fits themselves, charts over time
(`transforms.plates.control_chart`). No well, sample or patient is named. Called by the night for its report.
"""

import polars as pl

from transforms.schemas import SEVERITIES

_FOUR_PARAMETERS = pl.col("model").str.starts_with("four")


def rules_broken(findings: pl.DataFrame) -> pl.DataFrame:
    """Count findings by rule: code, rule, severity, n_plates, n_findings, expected, remedy; the worst first.

    findings: schema `transforms.schemas.PLATE_FINDINGS`, of any number of plates.
    """
    return (
        findings.group_by("code", "rule", "severity")
        .agg(
            pl.col("plate_id").n_unique().cast(pl.Int64).alias("n_plates"),
            pl.len().cast(pl.Int64).alias("n_findings"),
            pl.col("expected", "remedy").first(),
        )
        .sort(pl.col("severity").cast(pl.Enum(SEVERITIES)), "code")
    )


def curve_quality(curves: pl.DataFrame) -> pl.DataFrame:
    """Tell how good the curves of each analyte are.

    Returns analyte, n_plates, n_four_parameters, n_without_curve, n_accepted (ICH M10) and the medians of
    lloq_pg_ml, uloq_pg_ml and r_squared. curves: schema `transforms.schemas.PLATE_CURVES`.
    """
    return (
        curves.group_by("analyte")
        .agg(
            n_plates=pl.len().cast(pl.Int64),
            n_four_parameters=(pl.col("converged") & _FOUR_PARAMETERS).sum().cast(pl.Int64),
            n_without_curve=(~pl.col("converged")).sum().cast(pl.Int64),
            n_accepted=pl.col("is_accepted").fill_null(value=False).sum().cast(pl.Int64),
            lloq_pg_ml=pl.col("lloq_pg_ml").median(),
            uloq_pg_ml=pl.col("uloq_pg_ml").median(),
            r_squared=pl.col("r_squared").median(),
        )
        .sort("analyte")
    )


def count_ranges(wells: pl.DataFrame) -> pl.DataFrame:
    """Count samples' wells by where they lie: analyte, within, extrapolated, below, above, without.

    wells: schema `transforms.schemas.PLATE_WELLS`.
    """
    words = ("within", "extrapolated", "below", "above")
    counted = {word: (pl.col("range") == word).fill_null(value=False).sum().cast(pl.Int64) for word in words}
    return (
        wells.filter(pl.col("kind") == "unknown")
        .group_by("analyte")
        .agg(**counted, without=pl.col("range").is_null().sum().cast(pl.Int64))
        .sort("analyte")
    )
