"""Toxicities by ASL and by IL-7 before RT: supplementary table 2.

Here: how many patients had each term, of any grade and of grade 3 or worse, and the tests between groups.
Not here: the tests themselves (`models.comparisons`). Called by `models.study.analyses`.
"""

from collections.abc import Iterator
from functools import partial

import numpy as np
import polars as pl

from models.comparisons import compare_proportions, compare_proportions_exactly
from models.estimate import Integers
from models.study.rows import CHI_SQUARE, Finding, Row, Topic, found_chi_square, tell
from models.study.tables import PEARSON
from transforms import schemas
from transforms.errors import NotEstimableError

ANALYSIS = "toxicities"
ANY_TERM, OTHER_TERMS = "any", "other_terms"
MOST_TERMS = 15
WORST_GRADES = {"any_grade": 1, "grade_3_or_worse": 3}
GROUPS = {
    "all": pl.lit(value=True),
    "asl": pl.col("has_asl"),
    "no_asl": ~pl.col("has_asl"),
    "il7_low": pl.col("il7_group") == "il7_low",
    "il7_high": pl.col("il7_group") == "il7_high",
}
CONTRASTS = {"asl_vs_no_asl": ("asl", "no_asl"), "il7_low_vs_high": ("il7_low", "il7_high")}
COUNTS = ("n", "percent")
TESTS = (*CHI_SQUARE, "p_fisher")
COUNTED_AS = (
    "Patients with the toxicity, begun on the first day of RT or later, by their worst grade (CTCAE v4.0); "
    "percent of the group's patients, who count as without it where no row says so"
)
TESTED_AS = f"{COUNTED_AS}. {PEARSON}; p_fisher: Fisher's exact test, two-sided"


def describe_toxicities(cohort: pl.DataFrame, toxicities: pl.DataFrame) -> list[Row]:
    """Return the rows of each term and of `any`; of `schemas.COHORT` and `schemas.TOXICITIES`.

    A term's word is its letters and digits in lower case, all else an underscore. At most the 15 terms that
    most patients had stand by themselves, the rest under `other_terms`.
    """
    worst = _worst_grades(cohort, toxicities)
    rows: list[Row] = []
    for word in (ANY_TERM, *_words(worst)):
        graded = _graded(cohort, worst.filter(pl.col("word") == word))
        for level, grade in WORST_GRADES.items():
            rows += _describe(graded, word=word, level=level, has_it=pl.col("grade") >= grade)
    return rows


def _worst_grades(cohort: pl.DataFrame, toxicities: pl.DataFrame) -> pl.DataFrame:
    """One row a patient and word, with the worst grade; `any` and `other_terms` are words too."""
    starts = cohort.select(*schemas.PATIENT_KEY, "rt_start_date")
    emerged = toxicities.join(starts, on=schemas.PATIENT_KEY).filter(
        pl.col("onset_date") >= pl.col("rt_start_date")
    )
    named = emerged.select(*schemas.PATIENT_KEY, word=_word(pl.col("term")), grade="ctcae_grade")
    frequent = _most_frequent(named)
    kept = pl.when(pl.col("word").is_in(frequent)).then("word").otherwise(pl.lit(OTHER_TERMS))
    both = pl.concat([named.with_columns(word=kept), named.with_columns(word=pl.lit(ANY_TERM))])
    return both.group_by(*schemas.PATIENT_KEY, "word").agg(pl.col("grade").max())


def _word(term: pl.Expr) -> pl.Expr:
    plain = term.str.to_lowercase().str.replace_all(r"[^\p{L}\p{N}]+", "_").str.strip_chars("_")
    # A term that is spelled like a word of ours, or has no letter, must not be counted among those.
    return pl.when(plain.is_in(["", ANY_TERM, OTHER_TERMS])).then("term_" + plain).otherwise(plain)


def _most_frequent(named: pl.DataFrame) -> list[str]:
    n_patients = named.group_by("word").agg(n=pl.struct(schemas.PATIENT_KEY).n_unique())
    return n_patients.sort(["n", "word"], descending=[True, False]).head(MOST_TERMS)["word"].to_list()


def _words(worst: pl.DataFrame) -> Iterator[str]:
    """The terms by name, the rest last."""
    words = set(worst["word"]) - {ANY_TERM}
    yield from sorted(words - {OTHER_TERMS})
    yield from words & {OTHER_TERMS}


def _graded(cohort: pl.DataFrame, worst: pl.DataFrame) -> pl.DataFrame:
    """Every patient with the worst grade of one word, null without it."""
    patients = cohort.select(*schemas.PATIENT_KEY, "has_asl", "il7_group")
    return patients.join(worst, on=schemas.PATIENT_KEY, how="left")


def _describe(graded: pl.DataFrame, *, word: str, level: str, has_it: pl.Expr) -> list[Row]:
    counts = {group: _with_and_without(graded.filter(member), has_it) for group, member in GROUPS.items()}
    rows: list[Row] = []
    for group, count in counts.items():
        rows += tell(Topic(ANALYSIS, group, word, level), COUNTS, partial(_found_share, count))
    for contrast, groups in CONTRASTS.items():
        table = np.stack([counts[group] for group in groups], axis=1)
        rows += tell(Topic(ANALYSIS, contrast, word, level), TESTS, partial(_found_tests, table))
    return rows


def _with_and_without(graded: pl.DataFrame, has_it: pl.Expr) -> Integers:
    n_with = graded.filter(has_it).height
    return np.array([n_with, graded.height - n_with], dtype=np.int64)


def _found_share(count: Integers) -> Finding:
    n_with, n = int(count[0]), int(count.sum())
    numbers = {"n": n_with, "percent": 100 * n_with / n if n else None}
    return Finding(numbers, COUNTED_AS, n=n, reasons={"percent": "nobody is in the group"})


def _found_tests(table: Integers) -> Finding:
    if not table[0].any():
        raise NotEstimableError("nobody in either group had it")
    pearson = found_chi_square(compare_proportions(table), TESTED_AS)
    exact = compare_proportions_exactly(table)
    return Finding({**pearson.numbers, "p_fisher": exact.p}, TESTED_AS, n=pearson.n)
