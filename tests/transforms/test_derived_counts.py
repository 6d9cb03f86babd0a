"""Counts derived from leukocytes and lymphocyte percent: exact, of one sample, none beside a measured one."""

from pathlib import Path

import polars as pl
import pytest

from tests.tables import complete, draw
from transforms.counts.derived import derive_counts
from transforms.counts.fhir import parse_fhir_bundle
from transforms.counts.results import tidy_results
from transforms.schemas.counts import COUNTS, LABORATORY_RESULTS

REAL = Path(__file__).parents[3] / "shared" / "data" / "fhir-smart-stu3"


def derived(drawing: str) -> pl.DataFrame:
    rows = complete(draw(LABORATORY_RESULTS, drawing, site="A", patient_id="1"), LABORATORY_RESULTS)
    tidy = tidy_results(rows.with_columns(collected_on=pl.col("collected_at").dt.date()))
    return derive_counts(tidy.parts, tidy.counts)


def test_leukocytes_times_percent_of_the_same_sample():
    counts = derived(
        """
        collected_at     | code   | value | unit    | status    | result_id | known_at
        -----------------+--------+-------+---------+-----------+-----------+-----------------
        2024-03-05 08:30 | 6690-2 | 5     | 10*3/uL | final     | w         | 2024-03-05 10:00
        2024-03-05 08:30 | 736-9  | 4     | %       | corrected | p         | 2024-03-05 12:00
        2024-03-12 08:30 | 6690-2 | 5     | 10*3/uL | final     |           |
        2024-03-12 09:30 | 736-9  | 4     | %       | final     |           |
        """
    )
    assert counts.schema == COUNTS.polars_schema
    row = counts.row(0, named=True)
    assert len(counts) == 1
    assert (row["tlc_cells_per_ul"], row["value"], row["unit"]) == (200.0, 200.0, "cells/uL")
    assert (row["code"], row["method"], row["status"]) == ("6690-2 x 736-9", "derived", "final")


@pytest.mark.parametrize(
    ("leukocytes", "percent", "cells_per_ul"),
    [
        ("0.7", "29", 203.0),
        ("4.35", "4.6", 200.1),
        ("1.1", "18.18", 199.98),
        ("5", "4", 200.0),
        ("2", "0", 0.0),
    ],
)
def test_the_product_is_the_printed_decimal(leukocytes, percent, cells_per_ul):
    counts = derived(
        f"""
        collected_at     | code    | value        | unit
        2024-03-05 08:30 | 26464-8 | {leukocytes} | 10*9/L
        2024-03-05 08:30 | 26478-8 | {percent}    | %
        """
    )
    assert counts["tlc_cells_per_ul"].to_list() == [cells_per_ul]


def test_no_count_is_derived_where_one_was_measured_at_that_time_or_on_that_day():
    parts = """
        collected_at     | code   | value | unit
        2024-03-05 08:30 | 6690-2 | 5     | 10*3/uL
        2024-03-05 08:30 | 736-9  | 4     | %
        2024-03-12 00:00 | 6690-2 | 5     | 10*3/uL
        2024-03-12 00:00 | 736-9  | 4     | %
        """
    assert len(derived(parts)) == 2
    assert len(derived(parts + "2024-03-05 08:30 | 731-0 | 0.3 | 10*3/uL")) == 1
    assert len(derived(parts + "2024-03-05 00:00 | 731-0 | 0.3 | 10*3/uL")) == 1
    assert len(derived(parts + "2024-03-05 17:00 | 731-0 | 0.3 | 10*3/uL")) == 2
    assert len(derived(parts + "2024-03-12 17:00 | 731-0 | 0.3 | 10*3/uL")) == 1


def test_of_two_leukocyte_counts_in_a_sample_the_automated_one_is_taken():
    counts = derived(
        """
        collected_at     | code    | value | unit
        2024-03-05 08:30 | 26464-8 | 6     | 10*3/uL
        2024-03-05 08:30 | 6690-2  | 5     | 10*3/uL
        2024-03-05 08:30 | 736-9   | 4     | %
        """
    )
    assert counts["code"].to_list() == ["6690-2 x 736-9"]


def test_real_bundles_give_derived_counts():
    files = sorted(REAL.glob("*.json"))
    if not files:
        pytest.skip("no real files beside the checkout")
    n_derived = 0
    for file in files:
        rows = parse_fhir_bundle(file.read_bytes()).rows.with_columns(site=pl.lit("A"))
        tidy = tidy_results(rows)
        counts = derive_counts(tidy.parts, tidy.counts)
        assert counts["tlc_cells_per_ul"].is_between(100, 20_000).all()
        n_derived += len(counts)
    assert n_derived == 2
