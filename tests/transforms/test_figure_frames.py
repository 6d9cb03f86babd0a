"""What figures are drawn from: sums over patients that can be counted by hand."""

from datetime import date

import polars as pl
import pytest

from tests.tables import complete, draw
from transforms.figure_frames import (
    add_wilson_interval,
    bin_by_group,
    bin_nadirs,
    pair_il7,
    share_asl_by_il7,
    space_at_risk,
    summarise_months,
    summarise_months_by_asl,
    thin_curves,
    thin_roc,
)
from transforms.quarantine_tables import count_by_rule, list_refused_files, summarise_quarantine
from transforms.schemas import COHORT, MONTHLY_COUNTS, QUARANTINE

MONTHS = draw(
    MONTHLY_COUNTS.polars_schema,
    """
    patient_id | month | tlc_cells_per_ul
    1          | 0     | 1000
    2          | 0     | 2000
    1          | 1     | 150
    1          | 13    | 900
    3          | 1     | 999
    """,
    site="A",
)
PATIENTS = complete(
    draw(
        COHORT.polars_schema,
        """
        patient_id | has_asl | nadir_tlc_cells_per_ul | il7_group | pre_rt_il7_pg_ml | post_rt_il7_pg_ml
        1          | T       | 150                    | il7_low   | 1.0              | 2.0
        2          | F       | 200                    | il7_high  | 3.0              | 2.5
        3          |         |                        | il7_low   | 1.0              | 1.5
        4          | F       | 1400                   | il7_low   |                  | 1.5
        """,
        site="A",
    ),
    COHORT.polars_schema,
)


def test_months_beyond_a_year_are_left_out_and_one_patient_has_no_sd():
    assert summarise_months(MONTHS).rows() == [
        ("all", 0, 2, 1500.0, pytest.approx(707.1068)),
        ("all", 1, 2, 574.5, pytest.approx(600.3337)),
    ]
    assert summarise_months(MONTHS.head(1))["sd"].to_list() == [None]


def test_patients_whose_asl_is_unknown_are_in_neither_group():
    found = summarise_months_by_asl(MONTHS, PATIENTS)
    assert found.select("group", "month", "n").rows() == [("asl", 0, 1), ("asl", 1, 1), ("no_asl", 0, 1)]


def test_a_count_of_200_lies_above_the_limit_and_the_last_bin_takes_all_above():
    bins = bin_nadirs(PATIENTS).filter(pl.col("n") > 0)
    assert bins.rows() == [("asl", 150, 200, 1), ("no_asl", 200, 250, 1), ("no_asl", 950, 1000, 1)]


def test_every_group_has_every_bin_so_that_they_can_be_stacked():
    values = pl.DataFrame({"group": ["a", "b"], "value": [0.05, 1.0]})
    bins = bin_by_group(values, width=0.1, last=1.0)
    assert bins.group_by("group").len()["len"].to_list() == [10, 10]
    assert bins.filter(group="b")["n"].to_list() == [0] * 9 + [1]


def test_pairs_need_both_measurements_and_a_known_asl():
    assert pair_il7(PATIENTS).rows() == [("asl", 1.0, 2.0), ("no_asl", 3.0, 2.5)]


def test_shares_of_asl_by_il7_count_known_patients_only():
    found = share_asl_by_il7(PATIENTS)
    assert found.select("group", "n", "events", "share").rows() == [
        ("il7_low", 2, 1, 0.5),
        ("il7_high", 1, 0, 0.0),
    ]


def test_wilsons_interval_is_the_one_printed_by_newcombe():
    # Newcombe 1998 (Stat Med 17:857), Table I, method 3: 81 of 263 and 15 of 148.
    counted = pl.DataFrame({"n": [263, 148], "events": [81, 15]})
    found = add_wilson_interval(counted)
    assert found["ci_low"].to_list() == pytest.approx([0.2553, 0.0624], abs=5e-5)
    assert found["ci_high"].to_list() == pytest.approx([0.3662, 0.1605], abs=5e-5)


def test_wilsons_interval_does_not_overflow_where_the_square_of_n_does():
    n = 2**16
    counted = pl.DataFrame({"n": [n], "events": [n // 2]}, schema={"n": pl.UInt32, "events": pl.UInt32})
    assert add_wilson_interval(counted)["ci_high"][0] == pytest.approx(0.5 + 1.96 * 0.5 / 2**8, abs=5e-6)


def test_thinning_leaves_a_small_curve_alone_and_keeps_a_large_one_close():
    small = pl.DataFrame(
        {"group": ["a"] * 3, "time_months": [0.0, 1.0, 2.0], "survival_percent": [100.0, 60.0, 20.0]}
    )
    assert thin_curves(small).equals(small)
    n = 20_000
    large = pl.DataFrame({"group": ["a"] * n, "time_months": [i / n for i in range(n)]}).with_columns(
        survival_percent=100 * (1 - pl.col("time_months"))
    )
    thinned = thin_curves(large)
    assert thinned.height < 410
    assert thinned.row(0) == large.row(0)
    assert thinned.row(-1) == large.row(-1)
    assert thinned["survival_percent"].diff().min() > -0.3


def test_a_thinned_roc_curve_keeps_both_ends():
    n = 5_000
    points = pl.DataFrame({"sensitivity": [i / n for i in range(n + 1)]}).with_columns(
        specificity=1 - pl.col("sensitivity") ** 2
    )
    thinned = thin_roc(points)
    assert thinned.height < 900
    assert (thinned.row(0), thinned.row(-1)) == (points.row(0), points.row(-1))


def test_numbers_at_risk_go_on_to_zero_and_never_crowd():
    few = pl.DataFrame({"group": ["a", "a", "b"], "month": [0, 6, 0], "n_at_risk": [9, 3, 5]})
    assert space_at_risk(few).rows() == [
        ("a", 0, 9),
        ("a", 6, 3),
        ("a", 12, 0),
        ("b", 0, 5),
        ("b", 6, 0),
        ("b", 12, 0),
    ]
    long = pl.DataFrame({"group": ["a"] * 21, "month": range(0, 126, 6), "n_at_risk": range(21, 0, -1)})
    assert space_at_risk(long)["month"].to_list() == [0, 24, 48, 72, 96, 120, 144]


FOUND = complete(
    draw(
        QUARANTINE.polars_schema,
        """
        source | file  | line | column | rule      | expected | remedy
        counts | w.csv | 2    | value  | is_known  | cells/uL | ask
        counts | w.csv | 2    | unit   | is_known  | cells/uL | ask
        counts | v.csv | 7    | unit   | is_known  | cells/uL | ask
        plates | p.csv |      |        | is_whole  | the end  | export
        """,
        found="PLANTED",
    ),
    QUARANTINE.polars_schema,
).with_columns(first_night=date(2025, 1, 1))


def test_the_quarantine_is_counted_by_row_and_never_shows_what_was_found():
    summary = summarise_quarantine(FOUND)
    assert summary.rows() == [
        ("counts", "v.csv", "is_known", 1, "cells/uL", "ask"),
        ("counts", "w.csv", "is_known", 1, "cells/uL", "ask"),
        ("plates", "p.csv", "is_whole", None, "the end", "export"),
    ]
    assert count_by_rule(summary).rows() == [("counts", "is_known", 2, 2, "cells/uL", "ask")]
    assert list_refused_files(summary).rows() == [("plates", "p.csv", "is_whole", "the end", "export")]
