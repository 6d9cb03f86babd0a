"""Exclusions say who took what out, when and why; a line that does not say so excludes nothing."""

from datetime import date
from itertools import product

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import draw
from transforms.findings import FINDING_SCHEMA, UnreadableFileError
from transforms.plates.exclusions import (
    EXCLUDED_WELLS,
    EXCLUSION_LINES,
    Exclusions,
    background_mean,
    mark_excluded,
    parse_exclusions,
)

HEADER = "well,analyte,excluded_by,excluded_on,reason\n"
BY = "M. Kim,2024-03-07,bubble"
NIGHT = date(2024, 3, 8)
WELLS = pl.DataFrame(
    list(product(("A1", "A2", "B1"), ("IL-7", "IL-6"))), schema=["well", "analyte"], orient="row"
)


def parsed(*lines: str) -> Exclusions:
    return parse_exclusions((HEADER + "\n".join(lines) + "\n").encode(), wells=WELLS, night=NIGHT)


def rejected(*lines: str) -> list[tuple[int, str, str]]:
    return list(parsed(*lines).rejected.select("line", "column", "rule").iter_rows())


def excluded(*pairs: tuple[str | None, str | None]) -> list[str]:
    exclusions = pl.DataFrame(list(pairs), schema=EXCLUDED_WELLS, orient="row")
    marked = mark_excluded(WELLS, exclusions)
    assert marked.drop("is_excluded").equals(WELLS)
    return [f"{well} {analyte}" for well, analyte, is_excluded in marked.iter_rows() if is_excluded]


# The file.


def test_an_exclusion_is_read_into_its_columns_and_types():
    found = parsed(f"A1,IL-7,{BY}")
    assert found.rows.schema == EXCLUSION_LINES
    assert found.rows.row(0) == ("A1", "IL-7", "M. Kim", date(2024, 3, 7), "bubble", 2)
    assert found.rejected.schema == FINDING_SCHEMA
    assert found.rejected.is_empty()


@pytest.mark.parametrize("spelling", ["IL7", "Human IL-7", "IL-7 (33)", "interleukin 7"])
def test_wells_and_analytes_may_be_spelt_as_people_and_kits_spell_them(spelling: str):
    assert parsed(f"a01,{spelling},{BY}").rows.select("well", "analyte").row(0) == ("A1", "IL-7")


def test_a_whole_well_and_a_whole_analyte_can_be_excluded():
    found = parsed(f"A1,,{BY}", f",IL-7,{BY}")
    assert list(found.rows.select("well", "analyte").iter_rows()) == [("A1", None), (None, "IL-7")]


@pytest.mark.parametrize(
    ("line", "column", "rule"),
    [
        (f",,{BY}", "well", "exclusion_names_a_well_or_an_analyte"),
        (f"H12,IL-7,{BY}", "well", "excluded_well_is_on_the_plate"),
        (f"S001,,{BY}", "well", "excluded_well_is_on_the_plate"),
        (f"A1,IL-99,{BY}", "analyte", "excluded_analyte_is_on_the_plate"),
        ("A1,IL-7,,2024-03-07,bubble", "excluded_by", "excluded_by_is_given"),
        ("A1,IL-7,M. Kim,,bubble", "excluded_on", "excluded_on_is_a_likely_day"),
        ("A1,IL-7,M. Kim,2024-03-09,bubble", "excluded_on", "excluded_on_is_a_likely_day"),
        ("A1,IL-7,M. Kim,1024-03-07,bubble", "excluded_on", "excluded_on_is_a_likely_day"),
        ("A1,IL-7,M. Kim,7/3/2024,bubble", "excluded_on", "value_is_a_date"),
        ("A1,IL-7,M. Kim,2024-03-07,", "reason", "reason_is_given"),
        ("A1,IL-7,M. Kim,2024-03-07", None, "row_has_every_field"),
    ],
)
def test_a_line_that_breaks_a_rule_excludes_nothing_and_the_others_stay(line: str, column: str, rule: str):
    good = f"B1,IL-6,{BY}"
    assert rejected(good, line) == [(3, column, rule)]
    assert parsed(good, line).rows["well"].to_list() == ["B1"]


def test_a_line_for_the_whole_plate_says_what_to_do_instead():
    assert "out of the landing folder" in parsed(f",,{BY}").rejected["remedy"].item()


def test_of_a_repeated_exclusion_the_first_line_counts():
    lines = (f"A1,IL7,{BY}", f"a1,IL-7,{BY}")
    assert rejected(*lines) == [(3, "well", "exclusion_is_given_once")]
    assert parsed(*lines).rows["line"].to_list() == [2]


def test_a_line_repeats_none_that_was_rejected():
    lines = ("A1,IL-7,,2024-03-07,bubble", f"A1,IL-7,{BY}")
    assert rejected(*lines) == [(2, "excluded_by", "excluded_by_is_given")]
    assert parsed(*lines).rows["line"].to_list() == [3]


def test_a_rejection_shows_nothing_that_was_typed():
    rejections = parsed("secret,secret,secret,2099-01-01,secret").rejected
    assert rejections.height == 3
    assert "secret" not in rejections.write_csv()


def test_an_exclusions_file_that_cannot_be_read_says_why():
    with pytest.raises(UnreadableFileError) as refused:
        parse_exclusions(b"well,analyte,reason\n", wells=WELLS, night=NIGHT)
    assert refused.value.finding.rule == "file_has_every_column"


@given(st.binary(max_size=200))
@settings(max_examples=100, deadline=None)
def test_any_bytes_give_exclusions_or_a_rejection(noise: bytes):
    for data in (noise, HEADER.encode() + noise):
        try:
            found = parse_exclusions(data, wells=WELLS, night=NIGHT)
        except UnreadableFileError:
            continue
        assert found.rows.schema == EXCLUSION_LINES
        assert found.rejected.schema == FINDING_SCHEMA


# The wells.


def test_a_well_an_analyte_or_one_of_both_is_marked():
    assert excluded() == []
    assert excluded(("A1", None)) == ["A1 IL-7", "A1 IL-6"]
    assert excluded((None, "IL-7")) == ["A1 IL-7", "A2 IL-7", "B1 IL-7"]
    assert excluded(("A1", "IL-7")) == ["A1 IL-7"]
    assert excluded(("A1", "IL-7"), ("A1", "IL-7"), ("B1", None)) == ["A1 IL-7", "B1 IL-7", "B1 IL-6"]


def test_wells_of_several_plates_are_told_apart():
    wells = pl.DataFrame({"plate_id": ["p1", "p2"], "well": ["A1", "A1"], "analyte": ["IL-7", "IL-7"]})
    exclusions = wells.head(1).with_columns(analyte=pl.lit(None, dtype=pl.String))
    assert mark_excluded(wells, exclusions)["is_excluded"].to_list() == [True, False]


BACKGROUNDS = """
    kind       | analyte | median_fi | is_excluded
    -----------+---------+-----------+------------
    background | IL-7    | 10        | F
    background | IL-7    | 90        | T
    unknown    | IL-7    | 50        | F
    background | IL-6    | 10        | T
    unknown    | IL-6    | 50        | F
    unknown    | IL-2    | 50        | F
"""


def test_an_excluded_background_leaves_the_mean_and_without_any_there_is_none():
    types = {"kind": pl.String(), "analyte": pl.String(), "median_fi": pl.Float64()}
    wells = draw({**types, "is_excluded": pl.Boolean()}, BACKGROUNDS)
    assert wells.select(background_mean())["median_fi"].to_list() == [10, 10, 10, None, None, 0]
