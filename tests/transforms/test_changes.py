"""What changed between two nights is told whole, and nobody's value stands in the sentence."""

from datetime import date

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import complete, draw
from transforms.changes import (
    CHANGE_COUNTS,
    CHANGED_COHORT,
    CHANGED_ESTIMATES,
    CHANGED_SAMPLES,
    ChangeSummary,
    compare_cohort,
    compare_estimates,
    compare_samples,
    summarise_changes,
)
from transforms.schemas import COHORT, CYTOKINES, ESTIMATES

SINCE = date(2026, 11, 22)


def estimates_of(drawing: str) -> pl.DataFrame:
    frame = draw(ESTIMATES.polars_schema, drawing, group="asl", variable="il7", level="-")
    return complete(frame, ESTIMATES.polars_schema)


def samples_of(drawing: str) -> pl.DataFrame:
    return complete(draw(CYTOKINES.polars_schema, drawing, site="A"), CYTOKINES.polars_schema)


def cohort_of(drawing: str) -> pl.DataFrame:
    return complete(draw(COHORT.polars_schema, drawing, site="A"), COHORT.polars_schema)


NO_ESTIMATES = estimates_of("analysis | statistic | value")
NO_SAMPLES = samples_of("patient_id | timepoint | analyte")
NO_COHORT = cohort_of("patient_id")


# Estimates.

BEFORE = estimates_of("""
    analysis | statistic | value
    ---------+-----------+------
    cox      | hr        | 1.5
    cox      | p         | 0.04
    logistic | or        | 2.0
    logistic | p         |
    roc      | auc       | 0.7
    table_1  | n         | 98
    table_1  | sd        |
""")
AFTER = estimates_of("""
    analysis | statistic | value
    ---------+-----------+------
    cox      | hr        | 1.25
    cox      | p         | 0.04
    logistic | or        |
    logistic | p         | 0.2
    roc      | ci_low    | 0.6
    table_1  | n         | 98
    table_1  | sd        |
""")


def test_estimates_that_are_others_new_or_gone_are_told_and_the_rest_are_not():
    columns = {**ESTIMATES.polars_schema, **CHANGED_ESTIMATES}
    expected = draw(
        columns,
        """
        analysis | statistic | before | after | change | kind
        ---------+-----------+--------+-------+--------+--------
        cox      | hr        | 1.5    | 1.25  | -0.25  | changed
        logistic | or        | 2.0    |       |        | changed
        logistic | p         |        | 0.2   |        | changed
        roc      | auc       | 0.7    |       |        | gone
        roc      | ci_low    |        | 0.6   |        | new
        """,
    )
    found = compare_estimates(BEFORE, AFTER)
    assert found.schema == CHANGED_ESTIMATES
    assert found.select(expected.columns).equals(expected)


@pytest.mark.parametrize(("factor", "n_changed"), [(1 + 1e-13, 0), (1 - 1e-13, 0), (1 + 1e-11, 4)])
def test_the_last_bits_of_a_number_are_no_change(factor: float, n_changed: int):
    noisy = BEFORE.filter(pl.col("statistic") != "n").with_columns(pl.col("value") * factor)
    before = BEFORE.filter(pl.col("statistic") != "n")
    assert compare_estimates(before, noisy).height == n_changed


def test_what_is_no_number_is_as_good_as_empty():
    nan = BEFORE.with_columns(pl.col("value").fill_null(float("nan")))
    assert compare_estimates(BEFORE, nan).is_empty()


# Samples.


def test_a_sample_changes_with_its_range_its_concentration_or_its_limit():
    before = samples_of("""
        patient_id | timepoint | analyte | concentration_pg_ml | range  | limit_pg_ml | cv_percent
        -----------+-----------+---------+---------------------+--------+-------------+-----------
        1          | pre_rt    | IL-7    | 2.5                 | within |             | 3
        2          | pre_rt    | IL-7    | 2.5                 | within |             | 3
        3          | pre_rt    | IL-7    |                     | below  | 0.6         | 3
        4          | pre_rt    | IL-7    | 2.5                 | within |             | 3
    """)
    after = samples_of("""
        patient_id | timepoint | analyte | concentration_pg_ml | range  | limit_pg_ml | cv_percent
        -----------+-----------+---------+---------------------+--------+-------------+-----------
        1          | pre_rt    | IL-7    | 2.6                 | within |             | 3
        2          | pre_rt    | IL-7    |                     | below  | 0.6         | 3
        3          | pre_rt    | IL-7    |                     | below  | 1.2         | 3
        4          | pre_rt    | IL-7    | 2.5                 | within |             | 9
    """)
    found = compare_samples(before, after)
    assert found.schema == CHANGED_SAMPLES
    assert found["patient_id"].to_list() == ["1", "2", "3"]
    assert found.select("before_range", "after_range", "after_limit_pg_ml").row(1) == ("within", "below", 0.6)


def test_patients_of_two_sites_with_one_name_are_two():
    one = samples_of("patient_id | timepoint | analyte | range\n1 | pre_rt | IL-7 | below")
    found = compare_samples(one, one.with_columns(site=pl.lit("B")))
    assert found.select("site", "kind").rows() == [("A", "gone"), ("B", "new")]


# The cohort.

OF_COHORT = "patient_id | age_years | sex  | has_asl | nadir_grade\n"


def test_changed_columns_are_named_without_their_values():
    before = cohort_of(OF_COHORT + "1 | 60 | male | T | 4 \n 2 | 61 | male | F | 3 \n 3 | 62 | male | F | 2")
    after = cohort_of(OF_COHORT + "1 | 60 | female | F | \n 2 | 61 | male | F | 3 \n 4 | 62 | male | F | 2")
    found = compare_cohort(before, after)
    assert found.schema == CHANGED_COHORT
    assert found.drop("site").rows() == [
        ("1", "has_asl", "changed"),
        ("1", "nadir_grade", "changed"),
        ("1", "sex", "changed"),
        ("3", None, "gone"),
        ("4", None, "new"),
    ]


def test_a_column_that_an_older_version_did_not_have_is_not_compared():
    after = cohort_of(OF_COHORT + "1 | 60 | male | T | 4")
    assert compare_cohort(after.drop("sex"), after).is_empty()


# Laws.

values = st.one_of(st.none(), st.floats(-1e6, 1e6), st.sampled_from([0.0, 1.0]))
tables = st.dictionaries(st.sampled_from("abcdef"), values).map(
    lambda numbers: estimates_of("analysis | statistic | value").extend(
        pl.DataFrame(
            [("cox", "asl", "il7", "-", name, value, None, None, None) for name, value in numbers.items()],
            schema=ESTIMATES.polars_schema,
            orient="row",
        )
    )
)


@given(tables)
@settings(max_examples=40, deadline=None)
def test_nothing_changed_against_itself_in_whatever_order(table: pl.DataFrame):
    assert compare_estimates(table, table.reverse()).is_empty()


@given(tables, tables)
@settings(max_examples=60, deadline=None)
def test_the_way_back_mirrors_the_way_there(one: pl.DataFrame, other: pl.DataFrame):
    there, back = compare_estimates(one, other), compare_estimates(other, one)
    mirrored = back.select(
        *ESTIMATES.key,
        before="after",
        after="before",
        change=-pl.col("change"),
        kind=pl.col("kind").replace({"new": "gone", "gone": "new"}),
    )
    assert there.equals(mirrored)


@given(tables, tables)
@settings(max_examples=60, deadline=None)
def test_the_changes_applied_to_before_give_after(one: pl.DataFrame, other: pl.DataFrame):
    changes = {row["statistic"]: row for row in compare_estimates(one, other).iter_rows(named=True)}
    held = dict(one.select("statistic", "value").iter_rows())
    for name, row in changes.items():
        held.pop(name) if row["kind"] == "gone" else held.update({name: row["after"]})
    expected = dict(other.select("statistic", "value").iter_rows())
    assert {name for name in held if held[name] is None} == {
        name for name in expected if expected[name] is None
    }
    numbers = {name: value for name, value in expected.items() if value is not None}
    assert {name: held[name] for name in numbers} == pytest.approx(numbers, rel=1e-12, abs=0)
    assert held.keys() == expected.keys()


# The sentence.


def summary(
    estimates: tuple[pl.DataFrame, pl.DataFrame] = (NO_ESTIMATES, NO_ESTIMATES),
    samples: tuple[pl.DataFrame, pl.DataFrame] = (NO_SAMPLES, NO_SAMPLES),
    cohort: tuple[pl.DataFrame, pl.DataFrame] = (NO_COHORT, NO_COHORT),
) -> ChangeSummary:
    return summarise_changes(
        compare_estimates(*estimates), compare_samples(*samples), compare_cohort(*cohort), since=SINCE
    )


IL7 = "patient_id | timepoint | analyte | concentration_pg_ml | range\n1 | pre_rt | IL-7 | 7.7777 | within"
OTHER_IL7 = IL7.replace("7.7777", "8.8888")
PATIENTS = "patient_id | pre_rt_il7_pg_ml\n1 | 7.7777 \n 2 | 3.0"


def test_the_sentence_counts_patients_and_estimates():
    found = summary(
        estimates=(BEFORE.head(3), BEFORE.head(3).with_columns(pl.col("value") + 1)),
        samples=(samples_of(IL7), samples_of(OTHER_IL7)),
        cohort=(cohort_of(PATIENTS), cohort_of(PATIENTS.replace("7.7777", "8.8888"))),
    )
    assert found.sentence == "IL-7 of 1 patient, 3 estimates in 2 analyses changed since 2026-11-22."


def test_new_and_gone_have_their_own_clauses_and_patients_are_told_once():
    found = summary(
        estimates=(BEFORE, AFTER),
        samples=(NO_SAMPLES, samples_of(IL7)),
        cohort=(cohort_of("patient_id\n3"), cohort_of(PATIENTS)),
    )
    assert found.sentence == (
        "3 estimates in 2 analyses changed; "
        "IL-7 of 1 patient, the data of 1 more patient, 1 estimate in 1 analysis new; "
        "the data of 1 patient, 1 estimate in 1 analysis gone since 2026-11-22."
    )


def test_many_analytes_are_counted_and_not_named():
    many = "patient_id | timepoint | analyte | range\n" + "\n".join(
        f"1 | pre_rt | A{i} | below" for i in range(4)
    )
    assert summary(samples=(NO_SAMPLES, samples_of(many))).sentence == (
        "4 analytes of 1 patient new since 2026-11-22."
    )


def test_nothing_changed_is_said_as_well():
    found = summary()
    assert found.sentence == "Nothing changed since 2026-11-22."
    assert found.counts.schema == CHANGE_COUNTS
    assert found.counts.is_empty()


def test_changes_are_counted_by_what_changed_and_how():
    found = summary(
        estimates=(BEFORE, AFTER),
        samples=(samples_of(IL7), samples_of(OTHER_IL7)),
        cohort=(cohort_of(PATIENTS), cohort_of(PATIENTS.replace("3.0", "4.0"))),
    )
    assert found.counts.rows() == [
        ("samples", "IL-7", "changed", 1, 1),
        ("cohort", "pre_rt_il7_pg_ml", "changed", 1, 1),
        ("estimates", "cox", "changed", 1, None),
        ("estimates", "logistic", "changed", 2, None),
        ("estimates", "roc", "new", 1, None),
        ("estimates", "roc", "gone", 1, None),
    ]
    assert "8.8888" not in found.sentence + found.counts.write_csv()
