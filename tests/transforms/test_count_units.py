"""Counts in cells/uL: every accepted unit, exact at the edges of the grades; percentages; nothing guessed."""

from decimal import Decimal

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.clinical import ctcae_grade
from transforms.counts.codes import UNIT_OF_CONCEPT
from transforms.counts.units import CELLS, PERCENT, in_unit, is_known_unit

CELLS_PER_UL = [
    "cells/uL", "cells/µL", "cells/μL", "cells/mcL", "Cells / uL", "cell/uL", "{cells}/uL", "/uL", "1/uL",
    "#/uL", "{#}/uL", "/mm3", "cells/mm3", "{cells}/mm3", "#/mm3", "/mm³", "cells/cumm", "/cu mm", "/mm^3",
    "10*6/L", "10^6/L", "x10^6/L", "10E6/L", "10⁶/L", "x10(6)/L", "Mio/L", "10*3/mL", "cells/microliter",
]  # fmt: skip
THOUSANDS_PER_UL = [
    "10*3/uL", "10*3/µL", "10*3/μL", "10*3/mcL", "10^3/uL", "x10^3/uL", "X10^3/uL", "10**3/uL", "10E3/uL",
    "10e3/mcL", "x 10^3 / uL", "10*3 cells/uL", "10*3{cells}/uL", "10*3.{cells}/uL", "K/uL", "k/µL",
    "Thou/uL", "Thousand/uL",
    "th/uL", "10 3/uL", "10(3)/mcL", "x10(3)/mcL", "10E+03/uL", "x10E3/uL", "E3/uL", "Tsd/µl",
    "K/cumm", "x10^3/mm3", "10*3/mm3", "10^3/mm^3", "10³/mm³", "K/mm3", "x1000/uL",
    "10*9/L", "10^9/L", "x10^9/L", "10E9/L", "x10E9/L", "E9/L", "10^9 cells/L", "10*9.{cells}/L", "10 9/L",
    "G/L", "G/l", "G / L", "Giga/L", "Gpt/L", "×10⁹/L", "10³/µL", "10*6/mL",
]  # fmt: skip
EDGES = {"0.2": 200.0, "0.5": 500.0, "0.8": 800.0, "1": 1000.0, "1.001": 1001.0, "0.30001": 300.01}
BELOW = {"0.19999": 199.99, "0.49999": 499.99, "0.79999": 799.99, "0.99999": 999.99}
UNKNOWN = [
    "%", "10*3", "uL", "cells/L", "cells/mL", "10*3/L", "10*6/uL", "10*9/uL", "103/uL", "109/L", "10-3/uL",
    "10*-3/uL", "x/uL", "g/L", "mill/L", "10*33/uL", "10*30/uL", "1e30/uL", "", " ", "µL", "K", "mmol/L",
]  # fmt: skip


def converted(value: float, unit: str, factors=CELLS) -> float | None:
    rows = pl.DataFrame({"value": [value], "unit": [unit]})
    return rows.select(in_unit("value", rows["unit"], factors)).item()


def grade(cells_per_ul: float) -> int:
    return pl.select(ctcae_grade(pl.lit(cells_per_ul))).item()


@pytest.mark.parametrize("unit", THOUSANDS_PER_UL)
def test_the_edges_of_the_grades_are_exact_in_every_spelling_of_thousands_per_ul(unit):
    for printed, cells_per_ul in (EDGES | BELOW).items():
        assert converted(float(printed), unit) == cells_per_ul


@pytest.mark.parametrize("unit", CELLS_PER_UL)
def test_the_edges_of_the_grades_are_exact_in_every_spelling_of_cells_per_ul(unit):
    for cells_per_ul in (*EDGES.values(), *BELOW.values()):
        assert converted(cells_per_ul, unit) == cells_per_ul


@pytest.mark.parametrize("unit", THOUSANDS_PER_UL)
@pytest.mark.parametrize(
    ("at", "below", "graded"),
    [("0.2", "0.19999", 3), ("0.5", "0.49999", 2), ("0.8", "0.79999", 1), ("1", "0.99999", 0)],
)
def test_a_count_at_a_cut_off_has_the_milder_grade_and_below_it_the_next(unit, at, below, graded):
    assert grade(converted(float(at), unit)) == graded
    assert grade(converted(float(below), unit)) == graded + 1


@settings(max_examples=300, deadline=None)
@given(st.decimals(0, 100, places=8))
def test_a_printed_decimal_becomes_the_double_nearest_to_a_thousand_times_it(printed):
    assert converted(float(printed), "10*3/uL") == float((printed * 1000).quantize(Decimal("0.000001")))


@pytest.mark.parametrize("unit", UNKNOWN)
def test_a_unit_that_is_not_known_gives_nothing_and_is_never_guessed(unit):
    assert converted(1.0, unit) is None


@pytest.mark.parametrize("unit", ["%", " % ", "percent", "%{WBC}"])
def test_a_percentage_is_a_percentage_and_no_count(unit):
    assert converted(21.5, unit, PERCENT) == 21.5
    assert converted(21.5, unit) is None


@pytest.mark.parametrize("unit", ["1", "{ratio}", "10*3/uL", "%{hemolysis}"])
def test_a_fraction_or_another_percentage_is_no_lymphocyte_percent(unit):
    assert converted(0.2, unit, PERCENT) is None


def test_what_is_missing_stays_missing():
    rows = pl.DataFrame(
        {"value": [1.0, None], "unit": [None, "/uL"]}, schema={"value": pl.Float64, "unit": pl.String}
    )
    assert rows.select(in_unit("value", rows["unit"], CELLS)).to_series().to_list() == [None, None]


def test_every_unit_concept_of_omop_is_a_unit_that_is_known():
    assert [unit for unit in UNIT_OF_CONCEPT.values() if not is_known_unit(unit)] == []
