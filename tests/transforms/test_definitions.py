"""Definitions by name and version, drawn: cut-offs exact at their edges, windows, limits, agreement."""

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import complete, draw
from transforms.clinical import ctcae_grade
from transforms.counts.units import CELLS, in_unit
from transforms.definitions import (
    AGREEMENT,
    CLASSES,
    DEFAULT,
    DEFINITIONS,
    agreement,
    classify,
    definition,
    grade,
)
from transforms.errors import UsageError
from transforms.schemas import COUNT_COURSE, PATIENTS

ASL_200, ASL_500, GRADE_3 = DEFINITIONS
EDITIONS = ("ctcae-4.0", "ctcae-5.0")
COURSE = {**COUNT_COURSE.polars_schema, "comparator": pl.String()}
some = settings(max_examples=60, deadline=None)


def patients_of(*patient_ids: int) -> pl.DataFrame:
    rows = pl.DataFrame({"patient_id": [str(one) for one in patient_ids]}).with_columns(site=pl.lit("A"))
    return complete(rows, PATIENTS.polars_schema)


def course_of(drawing: str) -> pl.DataFrame:
    return complete(draw(COURSE, drawing, site="A"), COURSE)


def cases(drawing: str, *patient_ids: int, under: str) -> list[bool | None]:
    found = classify(course_of(drawing), patients_of(*patient_ids), definition=definition(under))
    return found["is_case"].to_list()


def in_cells_per_ul(value: float, unit: str) -> float:
    row = pl.DataFrame({"value": [value], "unit": [unit]})
    return row.select(in_unit("value", row["unit"], CELLS)).item()


def grade_of(value: float, unit: str, *, lower_limit: float | None = None, edition: str = "ctcae-4.0") -> int:
    limit = pl.lit(lower_limit, pl.Float64())
    tlc = pl.lit(in_cells_per_ul(value, unit))
    return pl.select(grade(tlc, lower_limit=limit, edition=edition)).item()


# Cut-offs

# As printed in thousands and in cells, with the grade.
EDGES = [
    (0.2, 200, 3), (0.5, 500, 2), (0.8, 800, 1), (1, 1000, 0),
    (0.19999, 199.99, 4), (0.49999, 499.99, 3), (0.79999, 799.99, 2), (0.99999, 999.99, 1),
]  # fmt: skip


@pytest.mark.parametrize("edition", EDITIONS)
@pytest.mark.parametrize(("unit", "factor"), CELLS.items())
def test_the_cut_offs_are_exact_in_every_unit(unit, factor, edition):
    for thousands, cells, expected in EDGES:
        printed = thousands if factor == 1000 else cells
        assert grade_of(printed, unit, edition=edition) == expected


@pytest.mark.parametrize("unit", ["10*3/uL", "10*9/L", "K/uL"])
@pytest.mark.parametrize(
    ("printed", "is_asl", "is_grade_3"),
    [(0.2, False, True), (0.19999, True, True), (0.5, False, False), (0.49999, False, True)],
)
def test_a_definition_is_exact_at_its_cut_off_in_every_unit(printed, is_asl, is_grade_3, unit):
    course = course_of("patient_id | is_during_rt | months_from_rt_start\n1 | T | 1").with_columns(
        tlc_cells_per_ul=pl.lit(in_cells_per_ul(printed, unit))
    )
    found = [classify(course, patients_of(1), definition=one)["is_case"].item() for one in (ASL_200, GRADE_3)]
    assert found == [is_asl, is_grade_3]


def test_grade_1_begins_at_the_lower_limit_of_the_laboratory_that_gave_one():
    assert [grade_of(cells, "/uL", lower_limit=1200.0) for cells in (1200, 1199.99, 1000)] == [0, 1, 1]
    assert [grade_of(cells, "/uL", lower_limit=900.0) for cells in (999, 900, 899.99)] == [0, 0, 1]
    assert [grade_of(cells, "/uL") for cells in (1000, 999.99)] == [0, 1]


@pytest.mark.parametrize("lower_limit", [None, 500.0, 700.0, 1500.0])
def test_the_cut_offs_of_grades_2_to_4_hold_whatever_the_lower_limit_is(lower_limit):
    assert [grade_of(cells, "/uL", lower_limit=lower_limit) for cells in (799.9, 499.9, 199.9)] == [2, 3, 4]


@some
@given(st.floats(0, 3000))
def test_without_lower_limits_both_editions_grade_as_the_cohort_does(cells):
    value, none = pl.lit(cells), pl.lit(None, pl.Float64())
    graded = {pl.select(grade(value, lower_limit=none, edition=edition)).item() for edition in EDITIONS}
    assert graded == {pl.select(ctcae_grade(value)).item()}


def test_a_count_that_is_missing_has_no_grade():
    missing = pl.lit(None, pl.Float64())
    assert pl.select(grade(missing, lower_limit=pl.lit(1000.0))).item() is None


# Windows


def test_during_rt_counts_for_the_study_and_three_months_for_the_one_before():
    course = """
    patient_id | is_during_rt | months_from_rt_start | tlc_cells_per_ul
    -----------+--------------+----------------------+-----------------
    1          | F            | -0.1                 | 150
    1          | T            | 1                    | 600
    2          | T            | 0                    | 199
    3          | F            | 2.9                  | 150
    3          | T            | 1                    | 600
    4          | F            | 3                    | 499
    5          | F            | 3.1                  | 150
    """
    assert cases(course, 1, 2, 3, 4, 5, 6, under="asl-200-during-rt") == [
        *(False, True, False),
        *(None, None, None),
    ]
    assert cases(course, 1, 2, 3, 4, 5, 6, under="asl-500-within-3-months") == [
        *(False, True, True),
        *(True, None, None),
    ]
    assert cases(course, 1, 2, 3, 4, 5, 6, under="grade-3-or-worse") == [
        *(False, True, False),
        *(None, None, None),
    ]


def test_a_value_that_is_only_a_limit_is_a_case_none_or_unknown():
    course = """
    patient_id | is_during_rt | tlc_cells_per_ul | comparator
    -----------+--------------+------------------+-----------
    1          | T            | 200              | <
    2          | T            | 200              | <=
    3          | T            | 500              | <
    4          | T            | 200              | >=
    5          | T            | 100              | >
    6          | T            | 500              | <
    6          | T            | 150              |
    7          | T            | 100              | <=
    """
    assert cases(course, 1, 2, 3, 4, 5, 6, 7, under="asl-200-during-rt") == [
        *(True, None, None, False),
        *(None, True, True),
    ]


def test_a_course_without_comparators_is_classed_by_its_values():
    course = course_of("patient_id | is_during_rt | tlc_cells_per_ul\n1 | T | 199.99").drop("comparator")
    assert classify(course, patients_of(1))["is_case"].to_list() == [True]


def test_classes_carry_the_name_and_the_version_of_their_definition():
    found = classify(course_of("patient_id | is_during_rt | tlc_cells_per_ul\n1 | T | 150"), patients_of(1))
    assert found.schema == CLASSES
    assert found.row(0) == ("A", "1", True, "asl-200-during-rt", 1)
    assert DEFAULT.tag == "asl-200-during-rt@1"


# Names


@pytest.mark.parametrize("one", DEFINITIONS, ids=lambda one: one.name)
def test_a_definition_is_found_by_name_and_by_tag_and_says_what_it_means(one):
    assert definition(one.name) is definition(one.tag) is one
    assert all((one.sentence, one.source))
    assert f"{one.below_cells_per_ul:.0f} cells/uL" in one.sentence


def test_no_two_definitions_share_a_tag():
    assert len({one.tag for one in DEFINITIONS}) == len(DEFINITIONS)


def test_ctcae_6_is_refused_with_its_reason():
    with pytest.raises(UsageError, match=r"refused.*admiral.*no cut-offs are to be guessed"):
        definition("ctcae-6.0")
    with pytest.raises(UsageError, match=r"Use one of ctcae-4\.0, ctcae-5\.0"):
        grade(pl.lit(150.0), lower_limit=pl.lit(1000.0), edition="ctcae-6.0")


def test_an_unknown_name_is_refused_with_the_known_ones():
    with pytest.raises(UsageError, match="asl-200-during-rt"):
        definition("asl-200-during-rt@2")


# Agreement

FOUR_PATIENTS = """
    patient_id | is_during_rt | months_from_rt_start | tlc_cells_per_ul
    -----------+--------------+----------------------+-----------------
    1          | T            | 1                    | 150
    2          | T            | 1                    | 300
    3          | T            | 1                    | 600
    3          | F            | 2                    | 450
    4          | T            | 1                    | 900
    5          | F            | 2                    | 450
"""


def test_agreement_crosses_each_pair_of_definitions():
    found = agreement(course_of(FOUR_PATIENTS), patients_of(1, 2, 3, 4, 5, 6))
    expected = draw(
        AGREEMENT,
        """
        first                     | second                    | n_both | n_only_first | n_only_second
        asl-200-during-rt@1       | asl-500-within-3-months@1 | 1      | 0            | 2
        asl-200-during-rt@1       | grade-3-or-worse@1        | 1      | 0            | 1
        asl-500-within-3-months@1 | grade-3-or-worse@1        | 2      | 1            | 0
        """,
    )
    assert found.select(expected.columns).equals(expected)
    assert found.select("n_neither", "n_unknown").rows() == [(1, 2), (2, 2), (1, 2)]
    # By hand: (0.5 - 0.375) / 0.625, (0.75 - 0.5) / 0.5, (0.75 - 0.5) / 0.5.
    assert found["kappa"].to_list() == pytest.approx([0.2, 0.5, 0.5])


def test_kappa_is_empty_where_chance_alone_agrees():
    found = agreement(course_of(FOUR_PATIENTS), patients_of(1), definitions=(ASL_200, ASL_500))
    assert found.select("n_both", "kappa").row(0) == (1, None)
    assert agreement(course_of(FOUR_PATIENTS), patients_of(6))["kappa"].to_list() == [None] * 3


@some
@given(st.lists(st.sampled_from([150, 300, 600, 900]), min_size=1, max_size=12))
def test_a_definition_agrees_with_itself_and_order_only_swaps_the_sides(cells):
    rows = "\n".join(f"{number} | T | 1 | {count}" for number, count in enumerate(cells))
    course = course_of(f"patient_id | is_during_rt | months_from_rt_start | tlc_cells_per_ul\n{rows}")
    patients = patients_of(*range(len(cells)))
    same = agreement(course, patients, definitions=(ASL_500, GRADE_3)).row(0, named=True)
    assert (same["n_only_first"], same["n_only_second"]) == (0, 0)
    one = agreement(course, patients, definitions=(ASL_200, ASL_500)).row(0, named=True)
    other = agreement(course, patients, definitions=(ASL_500, ASL_200)).row(0, named=True)
    assert one["kappa"] == other["kappa"]
    assert one["n_only_second"] == other["n_only_first"]
