"""A published number and ours are equal where they read the same to the printed decimals."""

import polars as pl
import pytest

from transforms.published import KEY, PUBLISHED, compare_with_published, write_like


@pytest.mark.parametrize(
    ("printed", "value", "written"),
    [
        ("0.010", 0.0104, "0.010"),
        ("0.010", 0.0106, "0.011"),
        ("2.10", 2.105, "2.11"),
        ("7.3", 7.25, "7.3"),
        ("-0.66", -0.655, "-0.66"),
        ("<0.001", 0.000999, "<0.001"),
        ("<0.001", 0.001, "0.001"),
        ("268408", 268408.4, "268408"),
        ("21.0", 21.0, "21.0"),
        ("0.79", 1e-7, "0.00"),
    ],
)
def test_a_value_is_written_as_the_study_writes_its_own(printed: str, value: float, written: str):
    assert write_like(printed, value) == written


def test_numbers_are_matched_by_what_they_are_about_and_a_missing_one_is_not_equal():
    published = pl.DataFrame(
        [
            ("t2", "cox_os", "univariate", "asl", None, "hr", "2.16"),
            ("t2", "cox_os", "univariate", "asl", None, "p", "0.002"),
        ],
        schema=PUBLISHED,
        orient="row",
    )
    estimates = pl.DataFrame(
        [("cox_os", "univariate", "asl", None, "hr", 2.1649)],
        schema=[*KEY, "value"],
        schema_overrides={"level": pl.String()},
        orient="row",
    )
    compared = compare_with_published(estimates, published)
    assert compared.select("statistic", "ours_printed", "is_equal").rows() == [
        ("hr", "2.16", True),
        ("p", None, False),
    ]
