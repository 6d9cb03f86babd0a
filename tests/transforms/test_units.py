"""Lymphocyte counts in cells/uL: every accepted code and unit, exact at the edges of the grades."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import draw
from transforms.schemas import COUNTS
from transforms.units import LYMPHOCYTE_CODES, tidy_counts

CELLS_PER_UL = [
    "cells/uL", "cells/µL", "cells/μL", "cells/mcL", "Cells / uL", "cell/uL", "{cells}/uL", "/uL", "1/uL",
    "#/uL", "{#}/uL", "/mm3", "cells/mm3", "#/mm3", "10*6/L", "10^6/L", "x10^6/L", "10E6/L",
]  # fmt: skip
THOUSANDS_PER_UL = [
    "10*3/uL", "10*3/µL", "10*3/μL", "10*3/mcL", "10^3/uL", "x10^3/uL", "X10^3/uL", "10**3/uL", "10E3/uL",
    "10e3/mcL", "x 10^3 / uL", "10*3 cells/uL", "10*3{cells}/uL", "K/uL", "k/µL", "Thou/uL", "Thousand/uL",
    "10*3/mm3", "x10^3/mm3", "K/mm3", "10*9/L", "10^9/L", "x10^9/L", "10E9/L", "10^9 cells/L", "G/L",
    "×10⁹/L", "10³/µL",
]  # fmt: skip
EDGES = {"0.2": 200.0, "0.5": 500.0, "0.8": 800.0, "1": 1000.0, "1.001": 1001.0, "0.30001": 300.01}
BELOW = {"0.19999": 199.99, "0.49999": 499.99, "0.79999": 799.99, "0.99999": 999.99}
LINED_COUNTS = {**COUNTS.polars_schema, "line": pl.Int64()}


def counts(value: float | None, unit: str | None, *, code: str | None = "731-0") -> pl.DataFrame:
    row = {"code": [code], "value": [value], "unit": [unit], "line": [7]}
    return pl.DataFrame(row, schema={name: LINED_COUNTS[name] for name in row})


def tidied(value: float, unit: str) -> float:
    rows, findings = tidy_counts(counts(value, unit))
    assert findings.is_empty()
    return rows["tlc_cells_per_ul"].item()


def test_counts_in_any_unit_become_cells_per_ul_and_other_rows_are_split_off_with_their_line():
    rows, findings = tidy_counts(
        draw(
            LINED_COUNTS,
            """
            line | patient_id | code    | value | unit
            -----+------------+---------+-------+--------
            2    | 1          | 731-0   | 0.2   | 10*3/uL
            3    | 2          | 26474-7 | 1.25  | G/L
            4    | 3          | 732-8   | 199.9 | /mm3
            5    | 4          | 731-0   | 20    | %
            6    | 5          | 736-9   | 1.2   | 10*3/uL
            7    | 6          | 6690-2  | 20    | mg/dL
            """,
        )
    )
    assert rows.select("line", "tlc_cells_per_ul").equals(
        draw(
            LINED_COUNTS,
            """
            line | tlc_cells_per_ul
            2    | 200
            3    | 1250
            4    | 199.9
            """,
        )
    )
    assert findings.select("line", "column", "rule").sort("line", "column").rows() == [
        (5, "unit", "unit_is_known"),
        (6, "code", "code_is_a_lymphocyte_count"),
        (7, "code", "code_is_a_lymphocyte_count"),
        (7, "unit", "unit_is_known"),
    ]


@pytest.mark.parametrize("unit", THOUSANDS_PER_UL)
def test_the_edges_of_the_grades_are_exact_in_every_spelling_of_thousands_per_ul(unit):
    for printed, cells_per_ul in (EDGES | BELOW).items():
        assert tidied(float(printed), unit) == cells_per_ul


@pytest.mark.parametrize("unit", CELLS_PER_UL)
def test_the_edges_of_the_grades_are_exact_in_every_spelling_of_cells_per_ul(unit):
    for cells_per_ul in (*EDGES.values(), *BELOW.values()):
        assert tidied(cells_per_ul, unit) == cells_per_ul


@settings(max_examples=300, deadline=None)
@given(st.decimals(0, 100, places=8))
def test_a_printed_decimal_becomes_the_double_nearest_to_a_thousand_times_it(printed):
    assert tidied(float(printed), "10*3/uL") == float((printed * 1000).quantize(Decimal("0.000001")))


@pytest.mark.parametrize("code", LYMPHOCYTE_CODES)
def test_each_code_of_a_lymphocyte_count_is_taken(code):
    rows, findings = tidy_counts(counts(1.0, "10*3/uL", code=code))
    assert (len(rows), len(findings)) == (1, 0)


@pytest.mark.parametrize("code", ["736-9", "26478-8", "6690-2", "731", "731-0x", "lymphocytes"])
def test_another_code_is_rejected_with_what_to_do_and_without_the_code(code):
    rows, findings = tidy_counts(counts(1.0, "10*3/uL", code=code))
    assert rows.is_empty()
    assert findings.row(0) == (
        7,
        "code",
        "code_is_a_lymphocyte_count",
        "another LOINC code",
        "a lymphocyte count: LOINC 731-0, 26474-7, 732-8",
        "Correct the cell and send the file again",
    )


@pytest.mark.parametrize(
    "unit",
    ["%", "10*3", "uL", "cells/L", "cells/mL", "10*3/L", "10*6/uL", "10*9/uL", "103/uL", "10-3/uL", "x/uL"],
)
def test_a_unit_that_is_not_known_is_rejected_and_never_guessed(unit):
    rows, findings = tidy_counts(counts(1.0, unit))
    assert rows.is_empty()
    assert findings.select("line", "column", "rule").rows() == [(7, "unit", "unit_is_known")]
    assert unit not in findings["found"].item()


@pytest.mark.parametrize(
    ("value", "unit", "code"), [(1.0, None, "731-0"), (1.0, "/uL", None), (None, "/uL", "731-0")]
)
def test_what_is_missing_is_left_to_the_rules_on_required_columns(value, unit, code):
    rows, findings = tidy_counts(counts(value, unit, code=code))
    assert (len(rows), len(findings)) == (1, 0)
    assert (rows["tlc_cells_per_ul"].item() is None) == (value is None or unit is None)
