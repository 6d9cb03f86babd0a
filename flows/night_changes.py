"""What a night found otherwise than the night before it, kept in the warehouse and told in the report.

Here: which nights are compared, and the rows of `CHANGES`. Not here: the comparisons (`transforms.changes`).
Called by `flows.steps` and `flows.outcome`.
"""

from collections.abc import Mapping
from datetime import date

import polars as pl

from transforms.changes import compare_cohort, compare_estimates, compare_samples, summarise_changes
from transforms.schemas import CHANGES, ESTIMATES

_KEY = list(CHANGES.key)


def night_before(nights: pl.DataFrame, night: date) -> date | None:
    """Return the last night before this one that published (`NIGHTS`); none before the first."""
    before = nights.filter(pl.col("night") < night)["night"]
    return before.sort()[-1] if len(before) else None


def with_changes(
    former: Mapping[str, pl.DataFrame], tonight: Mapping[str, pl.DataFrame], *, night: date
) -> pl.DataFrame:
    """Return the changes of every night (`CHANGES`), tonight's among them.

    former, tonight: estimates, cytokines and cohort; in `former` the nights and changes so far as well. A
    night that runs again adds to what it found before, so that running it twice tells the same.
    """
    since = night_before(former["nights"], night)
    if since is None:
        return former["changes"]
    found = pl.concat(
        [
            _of_samples(compare_samples(former["cytokines"], tonight["cytokines"])),
            _of_cohort(compare_cohort(former["cohort"], tonight["cohort"])),
            _of_estimates(compare_estimates(former["estimates"], tonight["estimates"])),
        ]
    ).with_columns(night=pl.lit(night), since=pl.lit(since))
    is_tonight = pl.col("night") == night
    known = former["changes"]
    merged = (
        pl.concat([known.filter(is_tonight), found.select(known.columns)])
        .group_by(_KEY, maintain_order=True)
        .agg(pl.col("since", "before").first(), pl.col("after").last(), kinds=pl.col("kind"))
        .with_columns(kind=_joint_kind())
        .filter(pl.col("kind").is_not_null())
        .select(known.columns)
    )
    return pl.concat([known.filter(~is_tonight), merged]).sort(_KEY, nulls_last=True)


def _joint_kind() -> pl.Expr:
    """Of a night that ran more than once: from what stood before to what stands now; null for no change."""
    first, last = pl.col("kinds").list.first(), pl.col("kinds").list.last()
    is_back = pl.col("before").eq_missing(pl.col("after")) & (pl.col("of") != "cohort")
    return (
        pl.when((first == "new") & (last == "gone"))
        .then(None)
        .when(first == "new")
        .then(pl.lit("new"))
        .when(last == "gone")
        .then(pl.lit("gone"))
        .when(is_back & (pl.col("kinds").list.len() > 1))
        .then(None)
        .otherwise(pl.lit("changed"))
    )


def tell_changes(changes: pl.DataFrame, *, night: date) -> tuple[str, ...]:
    """Tell what a night found otherwise than the one before it; nothing where there was none before."""
    of_night = changes.filter(pl.col("night") == night)
    if of_night.is_empty():
        return ()
    parts = {
        of: of_night.filter(pl.col("of") == of).rename({"topic": name})
        for of, name in (("estimates", "analysis"), ("samples", "analyte"), ("cohort", "column"))
    }
    told = summarise_changes(**parts, since=of_night["since"][0]).sentence
    return (told[0].upper() + told[1:],)


def _of_samples(changed: pl.DataFrame) -> pl.DataFrame:
    return changed.select(
        *_patient("samples", topic="analyte"),
        pl.col("timepoint").alias("what"),
        "kind",
        before="before_concentration_pg_ml",
        after="after_concentration_pg_ml",
    )


def _of_cohort(changed: pl.DataFrame) -> pl.DataFrame:
    no_number = pl.lit(None, pl.Float64)
    return changed.select(
        *_patient("cohort", topic="column"),
        pl.lit("row of the cohort").alias("what"),
        "kind",
        before=no_number,
        after=no_number,
    )


def _of_estimates(changed: pl.DataFrame) -> pl.DataFrame:
    named = [pl.col(name).replace("", None) for name in ESTIMATES.key if name != "analysis"]
    nobody = pl.lit(None, pl.String)
    return changed.select(
        pl.lit("estimates").alias("of"),
        nobody.alias("site"),
        nobody.alias("patient_id"),
        pl.col("analysis").alias("topic"),
        pl.concat_str(named, separator=" / ", ignore_nulls=True).alias("what"),
        "kind",
        "before",
        "after",
    )


def _patient(of: str, *, topic: str) -> tuple[pl.Expr, ...]:
    return (pl.lit(of).alias("of"), pl.col("site"), pl.col("patient_id"), pl.col(topic).alias("topic"))
