"""What the report's figures are drawn from: the cohort summed up, so that no figure grows with the patients.

Here: counts, means and shares by group. Not here: tests and models (`models`) or drawing (`flows.drawing`).
Called by `flows.report.figures`.
"""

from math import ceil

import polars as pl

LAST_MONTH_SHOWN = 12
MOST_STEPS = 400
Z_95 = 1.959963984540054
PATIENT = ("site", "patient_id")
ASL_GROUP = pl.when("has_asl").then(pl.lit("asl")).when(~pl.col("has_asl")).then(pl.lit("no_asl"))


def summarise_months(monthly_counts: pl.DataFrame) -> pl.DataFrame:
    """Return group (all), month, n, mean, sd of the counts (cells/uL) in months 0 to 12."""
    return _summarise(monthly_counts.with_columns(group=pl.lit("all")))


def summarise_months_by_asl(monthly_counts: pl.DataFrame, cohort: pl.DataFrame) -> pl.DataFrame:
    """Return group (asl, no_asl), month, n, mean, sd of the counts (cells/uL) in months 0 to 12."""
    groups = cohort.select(*PATIENT, group=ASL_GROUP).drop_nulls("group")
    return _summarise(monthly_counts.join(groups, on=PATIENT))


def _summarise(counts: pl.DataFrame) -> pl.DataFrame:
    tlc = pl.col("tlc_cells_per_ul")
    return (
        counts.filter(pl.col("month") <= LAST_MONTH_SHOWN)
        .group_by("group", "month")
        # Rounded, because the last bits of a sum depend on the order of the rows.
        .agg(n=pl.len(), mean=tlc.mean().round(6), sd=tlc.std().round(6))
        .sort("group", "month")
    )


def bin_nadirs(cohort: pl.DataFrame, *, width: int = 50, last: int = 1000) -> pl.DataFrame:
    """Return group (asl, no_asl), low, high, n of the lowest counts in cells/uL (`bin_by_group`)."""
    grouped = cohort.select(group=ASL_GROUP, value="nadir_tlc_cells_per_ul").drop_nulls()
    return bin_by_group(grouped, width=width, last=last)


def bin_by_group(values: pl.DataFrame, *, width: float, last: float) -> pl.DataFrame:
    """Return group, low, high, n: how many of `values` (group, value) lie in each bin from 0 to `last`.

    Every group has every bin, so that they can be stacked; what lies beyond `last` is in the last bin.
    """
    lows = pl.DataFrame({"place": range(round(last / width))})
    place = (pl.col("value") / width).floor().clip(0, lows.height - 1).cast(pl.Int64)
    counted = values.group_by("group", place=place).agg(n=pl.len())
    return (
        values.select(pl.col("group").unique())
        .join(lows, how="cross")
        .join(counted, on=["group", "place"], how="left")
        .select(
            "group",
            low=pl.col("place") * width,
            high=(pl.col("place") + 1) * width,
            n=pl.col("n").fill_null(0),
        )
        .sort("group", "low")
    )


def thin_curves(curves: pl.DataFrame) -> pl.DataFrame:
    """Return survival curves with at most 400 steps a group, so that a million patients draw as a hundred do.

    The last row within a step's width stands for it: less than a hair's breadth on the page.
    """
    last = max(curves["time_months"].to_list(), default=0.0)
    step = (pl.col("time_months") * (MOST_STEPS / (last or 1.0))).floor()
    is_last_of_step = (step != step.shift(-1).over("group")).fill_null(True)
    return curves.filter(
        (pl.len().over("group") <= MOST_STEPS) | is_last_of_step | (pl.col("time_months") == 0)
    )


def thin_roc(points: pl.DataFrame) -> pl.DataFrame:
    """Return an ROC curve's points (sensitivity, specificity), at most about 800 of them, both ends kept."""
    place = pl.concat_list((pl.col("sensitivity", "specificity") * MOST_STEPS).round())
    is_new = (place != place.shift(1)).fill_null(True)
    return points.filter((pl.len() <= MOST_STEPS) | is_new | (pl.int_range(pl.len()) == pl.len() - 1))


def space_at_risk(numbers: pl.DataFrame) -> pl.DataFrame:
    """Return the numbers at risk (group, month, n_at_risk) at most 9 to a row, so that none overlap.

    Every group has every month up to the one after the last patient left: there 0 are at risk.
    """
    last = max(numbers["month"].to_list(), default=0) + 1
    every = next(months for months in (6, 12, 24, 60, 120, last) if last <= 8 * months)
    marks = pl.DataFrame({"month": range(0, every * ceil(last / every) + 1, every)})
    groups = numbers.select(pl.col("group").unique(maintain_order=True))
    return (
        groups.join(marks, how="cross", maintain_order="left_right")
        .join(
            numbers.select("group", "month", "n_at_risk"),
            on=["group", "month"],
            how="left",
            maintain_order="left",
        )
        .with_columns(pl.col("n_at_risk").fill_null(0))
    )


def pair_il7(cohort: pl.DataFrame) -> pl.DataFrame:
    """Return group (asl, no_asl), before, after (pg/mL) of the patients with IL-7 at both times."""
    pairs = cohort.select(group=ASL_GROUP, before="pre_rt_il7_pg_ml", after="post_rt_il7_pg_ml")
    # Sorted, so that the place of a line tells nothing of whose it is.
    return pairs.drop_nulls().sort("group", "before", "after")


def share_asl_by_il7(cohort: pl.DataFrame) -> pl.DataFrame:
    """Return group (il7_low, il7_high), n, events, share, ci_low, ci_high: how many had ASL, of 1."""
    counted = (
        cohort.select(group="il7_group", has_asl="has_asl")
        .drop_nulls()
        .group_by("group")
        .agg(n=pl.len(), events=pl.col("has_asl").sum())
        .sort("group", descending=True)
    )
    return add_wilson_interval(counted)


def add_wilson_interval(counted: pl.DataFrame) -> pl.DataFrame:
    """Add share, ci_low, ci_high (95%, of 1) to rows with n and events; Wilson (1927)."""
    n, share, z2 = pl.col("n").cast(pl.Float64), pl.col("events") / pl.col("n"), Z_95**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    reach = Z_95 / (1 + z2 / n) * (share * (1 - share) / n + z2 / (4 * n**2)).sqrt()
    return counted.with_columns(
        share=share, ci_low=(middle - reach).clip(0, 1), ci_high=(middle + reach).clip(0, 1)
    )
