"""What changed between two nights: estimates, patients' samples and rows of the cohort.

Here: comparing two versions of a table, and one sentence about it, without a patient's value. Not here: why
they differ, or where the former one is kept (`flows.warehouse`). Called by the night for its report.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date

import polars as pl

from transforms.schemas import COHORT, CYTOKINES, ESTIMATES, PATIENT_KEY, Column

# Sums in another order part by this much; nothing that a plate or a patient says does.
NOISE = 1e-12
KINDS = ("changed", "new", "gone")
MOST_ANALYTES_NAMED = 3

CHANGED_ESTIMATES = pl.Schema(
    {
        **{name: pl.String() for name in ESTIMATES.key},
        **dict.fromkeys(("before", "after", "change"), pl.Float64()),
        "kind": pl.String(),
    }
)
_OF_SAMPLES = ("range", "concentration_pg_ml", "limit_pg_ml")
CHANGED_SAMPLES = pl.Schema(
    {
        **{name: pl.String() for name in CYTOKINES.key},
        **{
            f"{when}_{name}": CYTOKINES.polars_schema[name]
            for name in _OF_SAMPLES
            for when in ("before", "after")
        },
        "kind": pl.String(),
    }
)
CHANGED_COHORT = pl.Schema({**dict.fromkeys((*PATIENT_KEY, "column", "kind"), pl.String())})
CHANGE_COUNTS = pl.Schema(
    {"of": pl.String(), "topic": pl.String(), "kind": pl.String(), "n": pl.Int64(), "n_patients": pl.Int64()}
)


@dataclass(frozen=True, eq=False)
class ChangeSummary:
    """The changes counted (schema `CHANGE_COUNTS`), and one sentence of them for the report.

    `of` is samples, cohort or estimates; `topic` the analyte, the column (empty where the whole row is new or
    gone) or the analysis. `n_patients` is empty for estimates.
    """

    counts: pl.DataFrame
    sentence: str


def compare_estimates(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the estimates that are others now, are new or are gone (schema `CHANGED_ESTIMATES`).

    A number that could not be estimated is empty, and changes when it can be, or no longer can. `change` is
    after less before, empty where either is. before, after: schema `ESTIMATES`, values finite or empty.
    """
    both = _beside(before, after, key=ESTIMATES.key, columns=[ESTIMATES.column("value")])
    return (
        both.rename({"before_value": "before", "after_value": "after"})
        .with_columns(change=pl.col("after") - pl.col("before"))
        .select(CHANGED_ESTIMATES.names())
    )


def compare_samples(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return the patients' samples that are others now, new or gone (schema `CHANGED_SAMPLES`).

    A sample changes with its range, its concentration or the limit that it lies beyond, not with the interval
    or the plate alone. before, after: schema `CYTOKINES`.
    """
    columns = [CYTOKINES.column(name) for name in _OF_SAMPLES]
    both = _beside(before, after, key=CYTOKINES.key, columns=columns)
    return both.select(CHANGED_SAMPLES.names())


def compare_cohort(before: pl.DataFrame, after: pl.DataFrame) -> pl.DataFrame:
    """Return which columns of which patients changed, without the values (schema `CHANGED_COHORT`).

    A patient who is new or gone has one row, with no column. Columns that only one of the frames has, since
    another version of the platform wrote it, are not compared. before, after: columns of `COHORT`.
    """
    shared = set(before.columns) & set(after.columns) - set(COHORT.key)
    columns = [column for column in COHORT.columns if column.name in shared]
    both = _beside(before, after, key=COHORT.key, columns=columns)
    is_changed = pl.col("kind") == "changed"
    by_column = (
        both.filter(is_changed)
        .select(*COHORT.key, "kind", *(_differs(column).alias(column.name) for column in columns))
        .unpivot(index=[*COHORT.key, "kind"], variable_name="column", value_name="differs")
        .filter("differs")
    )
    whole = both.filter(~is_changed).with_columns(column=pl.lit(None, dtype=pl.String))
    parts = [part.select(CHANGED_COHORT.names()) for part in (by_column, whole)]
    return pl.concat(parts).sort(*COHORT.key, "column", nulls_last=False)


def summarise_changes(
    estimates: pl.DataFrame, samples: pl.DataFrame, cohort: pl.DataFrame, *, since: date
) -> ChangeSummary:
    """Count what changed since the night `since`, and say it in a sentence.

    estimates, samples, cohort: from the three comparisons.
    """
    n, n_patients = pl.len().cast(pl.Int64), pl.struct(PATIENT_KEY).n_unique().cast(pl.Int64)
    counts = pl.concat(
        [
            _counted(samples, "samples", topic="analyte", n=n, n_patients=n_patients),
            _counted(cohort, "cohort", topic="column", n=n, n_patients=n_patients),
            _counted(estimates, "estimates", topic="analysis", n=n, n_patients=pl.lit(None)),
        ]
    )
    told = [(kind, _told(counts, samples, cohort, kind=kind)) for kind in KINDS]
    clauses = [f"{what} {kind}" for kind, what in told if what]
    sentence = f"{'; '.join(clauses) or 'Nothing changed'} since {since}."
    return ChangeSummary(counts, sentence)


def _beside(
    before: pl.DataFrame, after: pl.DataFrame, *, key: Iterable[str], columns: Iterable[Column]
) -> pl.DataFrame:
    """Return the rows that differ: the key, before_ and after_ each column, `kind`; ordered by the key."""
    key, columns = list(key), list(columns)
    sides = [
        frame.select(*key, pl.lit(value=True).alias(when), *(_named(column, when) for column in columns))
        for when, frame in (("before", before), ("after", after))
    ]
    joined = sides[0].join(sides[1], on=key, how="full", coalesce=True, nulls_equal=True)
    is_changed = pl.any_horizontal([pl.lit(value=False), *map(_differs, columns)])
    kind = (
        pl.when(pl.col("before").is_null())
        .then(pl.lit("new"))
        .when(pl.col("after").is_null())
        .then(pl.lit("gone"))
        .when(is_changed)
        .then(pl.lit("changed"))
    )
    told = joined.with_columns(kind=kind).drop("before", "after")
    return told.filter(pl.col("kind").is_not_null()).sort(key)


def _named(column: Column, when: str) -> pl.Expr:
    value = pl.col(column.name).cast(column.dtype)
    if column.dtype == pl.Float64():
        value = value.fill_nan(None)
    return value.alias(f"{when}_{column.name}")


def _differs(column: Column) -> pl.Expr:
    """Whether a column's two values differ, one of them empty included; noise is no difference."""
    before, after = pl.col(f"before_{column.name}"), pl.col(f"after_{column.name}")
    if column.dtype != pl.Float64():
        return before.ne_missing(after)
    is_noise = (after - before).abs() <= NOISE * pl.max_horizontal(before.abs(), after.abs())
    return before.ne_missing(after) & ~is_noise.fill_null(value=False)


def _counted(changes: pl.DataFrame, of: str, *, topic: str, n: pl.Expr, n_patients: pl.Expr) -> pl.DataFrame:
    return (
        changes.group_by(pl.col(topic).alias("topic"), "kind")
        .agg(n=n, n_patients=n_patients.cast(pl.Int64))
        .select(pl.lit(of).alias("of"), "topic", "kind", "n", "n_patients")
        .sort("topic", pl.col("kind").cast(pl.Enum(KINDS)), nulls_last=False)
        .match_to_schema(CHANGE_COUNTS)
    )


def _told(counts: pl.DataFrame, samples: pl.DataFrame, cohort: pl.DataFrame, *, kind: str) -> str:
    is_kind = pl.col("kind") == kind
    of_kind = [frame.filter(is_kind) for frame in (counts, samples, cohort)]
    return ", ".join(
        [*_told_samples(*of_kind[:2]), *_told_cohort(*of_kind[1:]), *_told_estimates(of_kind[0])]
    )


def _told_samples(counts: pl.DataFrame, samples: pl.DataFrame) -> list[str]:
    by_analyte = counts.filter(pl.col("of") == "samples").select("topic", "n_patients").rows()
    if len(by_analyte) <= MOST_ANALYTES_NAMED:
        return [f"{analyte} of {_number(n, 'patient')}" for analyte, n in by_analyte]
    return [f"{len(by_analyte)} analytes of {_number(samples.n_unique(PATIENT_KEY), 'patient')}"]


def _told_cohort(samples: pl.DataFrame, cohort: pl.DataFrame) -> list[str]:
    # Patients whose samples are told already are not told twice.
    others = cohort.join(samples, on=PATIENT_KEY, how="anti").select(PATIENT_KEY).unique().height
    what = "more patient" if samples.height else "patient"
    return [f"the data of {_number(others, what)}"] if others else []


def _told_estimates(counts: pl.DataFrame) -> list[str]:
    n = counts.filter(pl.col("of") == "estimates")["n"].to_list()
    analyses = _number(len(n), "analysis", "analyses")
    return [f"{_number(sum(n), 'estimate')} in {analyses}"] if n else []


def _number(n: int, one: str, many: str = "") -> str:
    return f"{n:,} {one if n == 1 else many or one + 's'}"
