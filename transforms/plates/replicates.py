"""What wells of one sample, and signals against the standards', say of a plate: rules P30 to P33.

Here: the four rules and what breaks them. Not here: one value from replicates (`transforms.plates.wells`).
Called by `transforms.plates.quality`. Findings name wells, since the names of samples are patients'.
"""

import math

import polars as pl

from transforms.plates.findings import PlateRule

FEWEST_BEADS = 30
MOST_CV_PERCENT = 25.0

AGREE = PlateRule(
    code="P30",
    rule="replicates_agree",
    severity="note",
    expected=f"a coefficient of variation of the concentrations of at most {MOST_CV_PERCENT:g} %",
    remedy="Look at the wells; measure the sample again where its value matters.",
)
NO_OUTLIER = PlateRule(
    code="P31",
    rule="no_replicate_is_an_outlier",
    severity="note",
    expected="replicates of which none lies apart (Dixon's Q, 95 %)",
    remedy="Exclude the well where a cause is known.",
)
BELOW_TOP = PlateRule(
    code="P32",
    rule="signals_lie_below_the_top_standard",
    severity="note",
    expected="signals of samples at most that of the highest standard",
    remedy="Measure the samples again at a higher dilution.",
)
RISING = PlateRule(
    code="P33",
    rule="signal_rises_with_the_concentration_of_the_standards",
    severity="told",
    expected="a higher signal from each of the three highest standards than from the one below it",
    remedy="Check the standards' wells. High concentrations of this analyte are not to be relied on.",
)

# Critical values of Dixon's Q (r10), two-sided, 95 %, for 3 to 10 values: Rorabacher 1991, Anal Chem 63:139.
_DIXON_Q = (0.970, 0.829, 0.710, 0.625, 0.568, 0.526, 0.493, 0.466)
# A fall counts where it is 2.58 standard errors (99 %) of the standards' pooled scatter, and a tenth.
_STANDARD_ERRORS = 2.576
_LEAST_FALL = -math.log(0.9)
_SCATTER_OF_SINGLES = 0.1
_GROUP = ("plate_id", "kind", "sample", "analyte")


def check_replicates(wells: pl.DataFrame) -> list[tuple[PlateRule, pl.DataFrame]]:
    """Return the four rules, each with its breaches (columns plate_id, place, analyte, found).

    wells: schema `PLATE_WELLS`, of any number of plates, without excluded ones.
    """
    used = wells.filter((pl.col("kind") != "unknown") | (pl.col("n_beads").fill_null(0) >= FEWEST_BEADS))
    replicates = _replicates(used)
    return [
        (AGREE, _scattered(replicates)),
        (NO_OUTLIER, _outliers(replicates)),
        (BELOW_TOP, _above_the_top(used)),
        (RISING, _falling(used)),
    ]


def _replicates(wells: pl.DataFrame) -> pl.DataFrame:
    """Return one row for two or more wells of a sample: wells, concentrations; only where all are numbers."""
    concentration = pl.col("concentration_pg_ml")
    return (
        wells.filter(pl.col("kind").is_in(["unknown", "control", "standard"]))
        .group_by(_GROUP, maintain_order=True)
        .agg(
            "well",
            n=pl.len(),
            n_numbers=concentration.count(),
            cv=100 * concentration.std() / concentration.mean(),
            concentrations=concentration,
        )
        .filter((pl.col("n") >= 2) & (pl.col("n_numbers") == pl.col("n")))
    )


def _wells() -> pl.Expr:
    return pl.format("wells {}", pl.col("well").list.join(", ")).alias("place")


def _scattered(replicates: pl.DataFrame) -> pl.DataFrame:
    return replicates.filter(pl.col("cv") > MOST_CV_PERCENT).select(
        "plate_id", "analyte", _wells(), found=pl.format("{} %", pl.col("cv").round(0).cast(pl.Int64))
    )


def _outliers(replicates: pl.DataFrame) -> pl.DataFrame:
    """Return the wells that Dixon's Q tells from their replicates, on log concentration, 3 to 10 of them.

    Concentrations err by factors, so their logarithms are tested. Of two wells none can be told. Medians are
    whole or half numbers, so that of three two are often the same and Q is 1: the scatter must matter too.
    """
    logs = (
        replicates.filter(
            pl.col("n").is_between(3, 2 + len(_DIXON_Q)),
            pl.col("cv") > MOST_CV_PERCENT,
            pl.col("concentrations").list.min() > 0,
        )
        .explode("well", "concentrations")
        .with_columns(log=pl.col("concentrations").log())
        .sort(*_GROUP, "log", maintain_order=True)
        .group_by(_GROUP, maintain_order=True)
        .agg(
            pl.col("n").first(),
            first=pl.col("well").first(),
            last=pl.col("well").last(),
            low_gap=pl.col("log").get(1) - pl.col("log").get(0),
            high_gap=pl.col("log").get(-1) - pl.col("log").get(-2),
            spread=pl.col("log").max() - pl.col("log").min(),
        )
    )
    gap = pl.max_horizontal("low_gap", "high_gap")
    critical = pl.col("n").replace_strict(dict(enumerate(_DIXON_Q, start=3)), return_dtype=pl.Float64)
    return logs.filter(gap > critical * pl.col("spread")).select(
        "plate_id",
        "analyte",
        place=pl.when(pl.col("low_gap") > pl.col("high_gap")).then("first").otherwise("last"),
        found=pl.format("a concentration apart from its {} replicates", pl.col("n") - 1),
    )


def _above_the_top(wells: pl.DataFrame) -> pl.DataFrame:
    top = (
        _standards(wells)
        .group_by("plate_id", "analyte")
        .agg(top=pl.col("signal").filter(pl.col("expected_pg_ml") == pl.col("expected_pg_ml").max()).first())
    )
    return (
        wells.filter(pl.col("kind") == "unknown")
        .join(top, on=["plate_id", "analyte"], maintain_order="left")
        .filter(pl.col("net_mfi") > pl.col("top"))
        .group_by("plate_id", "analyte", maintain_order=True)
        .agg(found=pl.format("{} samples above", pl.col("sample").n_unique()))
        .with_columns(place=pl.lit(None, dtype=pl.String))
    )


def _standards(wells: pl.DataFrame) -> pl.DataFrame:
    """Return one row a standard level above zero: mean signal, and its logarithm's scatter and size."""
    log = pl.when(pl.col("net_mfi") > 0).then(pl.col("net_mfi").log())
    return (
        wells.filter((pl.col("kind") == "standard") & (pl.col("expected_pg_ml") > 0))
        .group_by("plate_id", "analyte", "expected_pg_ml")
        .agg(
            sample=pl.col("sample").first(),
            signal=pl.col("net_mfi").mean(),
            variance=log.var(),
            n=pl.col("net_mfi").count(),
        )
        .sort("plate_id", "analyte", "expected_pg_ml")
    )


def _falling(wells: pl.DataFrame) -> pl.DataFrame:
    """Return the falls among the three highest standards that the standards' scatter does not explain.

    It breaks the rule, and is told: a curve must rise, and where it falls (the hook effect) one signal has
    two concentrations. The scatter is that of the logarithms, pooled over the analyte's levels; 10 % where no
    level has replicates.
    """
    key = ("plate_id", "analyte")
    fall = (pl.col("below") / pl.col("signal")).log()
    error = pl.col("scatter") * (1 / pl.col("n") + 1 / pl.col("n_below")).sqrt()
    return (
        _standards(wells)
        .with_columns(
            rank=pl.col("expected_pg_ml").rank("ordinal", descending=True).over(key),
            below=pl.col("signal").shift(1).over(key),
            n_below=pl.col("n").shift(1).over(key),
            scatter=pl.col("variance").mean().sqrt().over(key).fill_null(_SCATTER_OF_SINGLES),
        )
        .filter(
            pl.col("rank") <= 2,
            pl.col("below") > 0,
            (pl.col("signal") <= 0)
            | (fall > pl.max_horizontal(_STANDARD_ERRORS * error, pl.lit(_LEAST_FALL))),
        )
        .select(
            "plate_id",
            "analyte",
            place=pl.format("standard {}", "sample"),
            found=pl.lit("a signal below that of the next lower standard"),
        )
    )
