"""All plates at a glance: rules by severity, curves by analyte, wells by where they lie."""

import polars as pl

from tests.tables import complete, draw
from transforms.plates.overview import count_ranges, curve_quality, rules_broken
from transforms.schemas import PLATE_CURVES, PLATE_FINDINGS, PLATE_WELLS


def drawn(table, drawing: str) -> pl.DataFrame:
    return complete(draw(table.polars_schema, drawing), table.polars_schema)


def test_rules_are_counted_by_plate_and_finding_the_worst_first():
    findings = drawn(
        PLATE_FINDINGS,
        """
        plate_id | code | rule | severity
        ---------+------+------+---------
        p1       | P30  | c    | note
        p1       | P01  | a    | told
        p1       | P02  | b    | not used
        p2       | P02  | b    | not used
        p2       | P02  | b    | not used
        """,
    )
    found = rules_broken(findings).select("code", "severity", "n_plates", "n_findings")
    assert found.rows() == [("P02", "not used", 2, 3), ("P01", "told", 1, 1), ("P30", "note", 1, 1)]


def test_curves_are_counted_by_what_became_of_them():
    curves = drawn(
        PLATE_CURVES,
        """
        plate_id | analyte | model           | converged | is_accepted | lloq_pg_ml
        ---------+---------+-----------------+-----------+-------------+-----------
        p1       | IL-7    | five-parameter  | T         | T           | 0.5
        p2       | IL-7    | four-parameter  | T         | F           | 1.5
        p3       | IL-7    | five-parameter  | F         |             |
        """,
    )
    (row,) = curve_quality(curves).to_dicts()
    assert (row["n_plates"], row["n_four_parameters"], row["n_without_curve"], row["n_accepted"]) == (
        3,
        1,
        1,
        1,
    )
    assert row["lloq_pg_ml"] == 1.0


def test_only_samples_wells_are_counted_and_each_once():
    wells = drawn(
        PLATE_WELLS,
        """
        analyte | kind     | range
        --------+----------+-------
        IL-7    | unknown  | below
        IL-7    | unknown  | within
        IL-7    | unknown  |
        IL-7    | standard | within
        """,
    )
    (row,) = count_ranges(wells).to_dicts()
    assert (row["within"], row["below"], row["above"], row["without"]) == (1, 1, 0, 1)
