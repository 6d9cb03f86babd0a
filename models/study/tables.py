"""Tables 1 and 4: who the patients are, and whether those with low and high IL-7 differ.

Here: descriptions and tests of the cohort's columns. Not here: survival (`models.study.survival`),
regressions (`models.study.regression`), IL-7 against ASL (`models.study.il7`). Called by
`models.study.analyses`.
"""

from functools import partial

import numpy as np
import polars as pl

from models.comparisons import Variances, compare_means, compare_proportions, describe
from models.estimate import Floats
from models.study.rows import (
    CHI_SQUARE,
    DESCRIPTION,
    T_TEST,
    Finding,
    Row,
    Topic,
    found_chi_square,
    found_description,
    found_t_test,
    tell,
)
from models.variables import CATEGORICAL, CONTINUOUS, CYTOKINE, levels_of
from transforms import schemas

DESCRIBED = (*CONTINUOUS, *CYTOKINE, "baseline_tlc_cells_per_ul", "nadir_tlc_cells_per_ul")
FLAGS = {"asl": "has_asl", "baseline_lymphopenia": "has_baseline_lymphopenia"}
IL7_GROUPS = ("il7_low", "il7_high")
IL7_CONTRAST = "il7_low_vs_high"

DESCRIBED_AS = "Over the patients with a value; sd with n - 1"
COUNTED_AS = "Patients at this level; percent of the patients with a value"
TWO_SIDED = "two-sided; difference is first less second group, 95 % interval"
BETWEEN_GROUPS: dict[Variances, str] = {
    "equal": f"Student's t test (pooled variance), {TWO_SIDED}",
    "unequal": f"Welch's t test (own variances), {TWO_SIDED}",
}
BOTH_T_TESTS: dict[Variances, str] = {"equal": "p_student", "unequal": "p_welch"}
PEARSON = "Pearson's chi-square without continuity correction; levels that nobody has are left out"


def values_of(frame: pl.DataFrame, column: str) -> Floats:
    """Return the values of a column that are there."""
    return frame[column].cast(pl.Float64).fill_nan(None).drop_nulls().to_numpy()


def yes_no(column: str) -> pl.Expr:
    """Return a flag as the words yes and no; missing stays null."""
    return pl.when(pl.col(column)).then(pl.lit("yes")).when(~pl.col(column)).then(pl.lit("no"))


def describe_cohort(cohort: pl.DataFrame) -> list[Row]:
    """Return the rows of Table 1, of ASL and of recovery."""
    rows = tell(Topic("describe", "all", "patients"), ("n",), lambda: _n_patients(cohort))
    for column in CATEGORICAL:
        rows += count_levels(cohort[column], Topic("describe", "all", column), levels_of(column))
    for word, column in FLAGS.items():
        answers = cohort.select(yes_no(column)).to_series()
        rows += count_levels(answers, Topic("describe", "all", word), schemas.YES_NO)
    grades = cohort["nadir_grade"].cast(pl.String)
    rows += count_levels(grades, Topic("describe", "all", "nadir_grade"), tuple("01234"))
    for column in DESCRIBED:
        rows += describe_column(cohort, Topic("describe", "all", column), column)
    return rows + _describe_recovery(cohort)


def _n_patients(frame: pl.DataFrame) -> Finding:
    return Finding({"n": frame.height}, "Patients in the group", n=frame.height)


def describe_column(frame: pl.DataFrame, topic: Topic, column: str) -> list[Row]:
    """Return the description of one continuous column and the number of missing values."""
    values = values_of(frame, column)
    n_missing = frame.height - len(values)
    missing = Finding({"n_missing": n_missing}, "Patients without a value", n=frame.height)
    described = tell(topic, DESCRIPTION, lambda: found_description(describe(values), DESCRIBED_AS))
    return described + tell(topic, ("n_missing",), lambda: missing)


def count_levels(answers: pl.Series, topic: Topic, levels: tuple[str, ...]) -> list[Row]:
    """Return n and percent for each level, and the number of missing values."""
    n_known = answers.len() - answers.null_count()
    missing = Finding({"n_missing": answers.null_count()}, "Patients without a value", n=answers.len())
    rows = tell(topic, ("n_missing",), lambda: missing)
    for level in levels:
        finding = _share(int((answers == level).sum()), n_known, COUNTED_AS)
        rows += tell(topic._replace(level=level), ("n", "percent"), partial(_itself, finding))
    return rows


def _share(n: int, n_known: int, definition: str) -> Finding:
    percent = 100 * n / n_known if n_known else None
    reasons = {"percent": "nobody has a value"}
    return Finding({"n": n, "percent": percent}, definition, n=n_known, reasons=reasons)


def _itself(finding: Finding) -> Finding:
    return finding


def _describe_recovery(cohort: pl.DataFrame) -> list[Row]:
    known = cohort.filter("has_asl")["has_recovered"].drop_nulls()
    n_recovered = int(known.sum())
    counts = {"asl_recovered": n_recovered, "asl_not_recovered": known.len() - n_recovered}
    definition = (
        "Count at 2 months above 1,000 cells/uL, among those with ASL and a count there; percent of these"
    )
    rows: list[Row] = []
    for group, n in counts.items():
        topic = Topic("describe", group, "patients")
        rows += tell(topic, ("n", "percent"), partial(_share, n, known.len(), definition))
    return rows


def compare_il7_groups(cohort: pl.DataFrame, variances: Variances) -> list[Row]:
    """Return the rows of Table 4: patients with low against high IL-7 before RT."""
    groups = {group: cohort.filter(pl.col("il7_group") == group) for group in IL7_GROUPS}
    rows: list[Row] = []
    for group, frame in groups.items():
        rows += tell(Topic("compare_il7_groups", group, "patients"), ("n",), partial(_n_patients, frame))
        for column in CONTINUOUS:
            rows += describe_column(frame, Topic("compare_il7_groups", group, column), column)
        for column in CATEGORICAL:
            rows += count_levels(frame[column], Topic("compare_il7_groups", group, column), levels_of(column))
    for column in CONTINUOUS:
        topic = Topic("compare_il7_groups", IL7_CONTRAST, column)
        first, second = (values_of(frame, column) for frame in groups.values())
        rows += compare_values(topic, first, second, variances=variances)
    for column in CATEGORICAL:
        topic = Topic("compare_il7_groups", IL7_CONTRAST, column)
        rows += compare_levels(topic, [frame[column] for frame in groups.values()], levels_of(column))
    return rows


def compare_values(topic: Topic, first: Floats, second: Floats, *, variances: Variances) -> list[Row]:
    """Return the rows of the t test between two groups, with the p of Student's and of Welch's beside it."""
    return tell(topic, (*T_TEST, *BOTH_T_TESTS.values()), partial(_found_t_tests, first, second, variances))


def _found_t_tests(first: Floats, second: Floats, variances: Variances) -> Finding:
    tests = {one: compare_means(first, second, variances=one) for one in BOTH_T_TESTS}
    found = found_t_test(tests[variances], BETWEEN_GROUPS[variances])
    both = {statistic: tests[one].p for one, statistic in BOTH_T_TESTS.items()}
    return Finding({**found.numbers, **both}, found.definition, n=found.n)


def compare_levels(topic: Topic, groups: list[pl.Series], levels: tuple[str, ...]) -> list[Row]:
    """Return the rows of the chi-square test of levels against groups."""
    counts = np.array([[int((answers == level).sum()) for answers in groups] for level in levels])
    return tell(topic, CHI_SQUARE, lambda: found_chi_square(compare_proportions(counts), PEARSON))


def describe_asl_by_il7_group(cohort: pl.DataFrame) -> list[Row]:
    """Return how many had ASL with low and with high IL-7 before RT, and the chi-square test."""
    answers = cohort.select("il7_group", asl=yes_no("has_asl"))
    groups = {group: answers.filter(pl.col("il7_group") == group)["asl"] for group in IL7_GROUPS}
    rows: list[Row] = []
    for group, series in groups.items():
        rows += count_levels(series, Topic("asl_by_il7_group", group, "asl"), schemas.YES_NO)
    contrast = Topic("asl_by_il7_group", IL7_CONTRAST, "asl")
    return rows + compare_levels(contrast, list(groups.values()), schemas.YES_NO)
