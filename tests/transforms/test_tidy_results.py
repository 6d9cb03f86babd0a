"""Laboratory results sorted out: counts, parts, withdrawals, and what is rejected with its reason."""

import polars as pl
import pytest

from tests.tables import complete, draw
from transforms.clinical import ctcae_grade
from transforms.counts.results import from_landed_csv, tidy_results
from transforms.landed_csv import parse_landed_csv
from transforms.schemas import COUNTS as LANDED_COUNTS
from transforms.schemas.counts import COUNT_PARTS, COUNTS, LABORATORY_RESULTS, WITHDRAWN_RESULTS


def results(drawing: str) -> pl.DataFrame:
    return complete(draw(LABORATORY_RESULTS, drawing), LABORATORY_RESULTS)


def tidied(drawing: str):
    return tidy_results(results(drawing))


def rules(drawing: str) -> list[tuple]:
    return tidied(drawing).rejected.select("line", "column", "rule").rows()


def test_each_result_goes_to_one_frame_with_its_line():
    tidy = tidied(
        """
        line | status           | code    | value | unit
        -----+------------------+---------+-------+--------
        1    | final            | 731-0   | 0.2   | 10*3/uL
        2    | corrected        | 26474-7 | 1.25  | G/L
        3    | preliminary      | 732-8   | 199.9 | /mm3
        4    | final            | 6690-2  | 5.1   | 10*9/L
        5    | amended          | 736-9   | 21    | %
        6    | entered-in-error | 731-0   |       |
        7    | final            | 718-7   | 12    | g/dL
        8    | final            | 731-0   | 20    | %
        9    | entered-in-error | 718-7   | 12    | g/dL
        """
    )
    assert tidy.counts.select("line", "tlc_cells_per_ul", "method", "status").rows() == [
        (1, 200.0, "measured", "final"),
        (2, 1250.0, "measured", "corrected"),
        (3, 199.9, "measured", "preliminary"),
    ]
    assert tidy.parts.select("line", "part", "amount").rows() == [
        (4, "leukocytes", 5100.0),
        (5, "lymphocyte_percent", 21.0),
    ]
    assert tidy.withdrawn["line"].to_list() == [6]
    assert tidy.rejected.select("line", "column", "rule").rows() == [
        (7, "code", "result_is_a_lymphocyte_count"),
        (8, "unit", "unit_is_known"),
        (9, "code", "result_is_a_lymphocyte_count"),
    ]


def test_the_frames_have_the_columns_of_their_tables():
    tidy = tidy_results(pl.DataFrame(schema=LABORATORY_RESULTS))
    names = {"result_id": pl.String(), "known_at": pl.Datetime("us")}
    for frame, table, beside in (
        (tidy.counts, COUNTS, names),
        (tidy.parts, COUNT_PARTS, names),
        (tidy.withdrawn, WITHDRAWN_RESULTS, {}),
    ):
        assert frame.schema == pl.Schema({**table.polars_schema, **beside, "line": pl.Int64()})


@pytest.mark.parametrize(
    ("comparator", "limit", "grade"),
    [("<", 50, 4), ("<=", 199.99, 4), ("<", 200, 4), (">", 1000, 0), (">=", 1000.01, 0), (">", 9999, 0)],
)
def test_a_limit_is_used_where_every_definition_knows_the_class(comparator, limit, grade):
    counts = tidied(
        f"""
        line | code  | value   | unit     | comparator
        1    | 731-0 | {limit} | cells/uL | {comparator}
        """
    ).counts
    assert counts["comparator"].item() == comparator
    assert counts.select(ctcae_grade(pl.col("tlc_cells_per_ul"))).item() == grade
    assert abs(counts["tlc_cells_per_ul"].item() - limit) < 1e-5


@pytest.mark.parametrize(
    ("comparator", "limit"),
    [("<", 200.01), ("<=", 200), ("<", 500), ("<", 1000), (">", 999.99), (">=", 1000), (">", 200)],
)
def test_another_limit_is_rejected_and_the_reason_is_said(comparator, limit):
    drawing = f"""
        line | code  | value   | unit     | comparator
        1    | 731-0 | {limit} | cells/uL | {comparator}
        """
    assert rules(drawing) == [(1, "value", "limit_tells_the_class_of_the_count")]


def test_a_limit_below_the_laboratory_s_own_lower_limit_tells_nothing():
    drawing = """
        line | code  | value | unit     | comparator | lower_limit
        1    | 731-0 | 1050  | cells/uL | >          | 1100
        2    | 731-0 | 1100  | cells/uL | >          | 1100
        """
    assert rules(drawing) == [(1, "value", "limit_tells_the_class_of_the_count")]


def test_the_lower_limit_of_normal_is_in_its_own_unit_or_else_the_value_s():
    limits = tidied(
        """
        line | code  | value | unit     | lower_limit | lower_limit_unit
        1    | 731-0 | 900   | cells/uL | 1.1         | 10*3/uL
        2    | 731-0 | 0.9   | 10*3/uL  | 1.1         |
        3    | 731-0 | 900   | cells/uL | 1.1         | %
        4    | 731-0 | 900   | cells/uL |             |
        """
    ).counts["lower_limit_cells_per_ul"]
    assert limits.to_list() == [1100.0, 1100.0, None, None]


def test_an_unknown_status_is_the_least_final_and_a_missing_one_is_final():
    statuses = tidied(
        """
        line | code  | value | unit | status
        1    | 731-0 | 900   | /uL  | unknown
        2    | 731-0 | 900   | /uL  |
        """
    ).counts["status"]
    assert statuses.to_list() == ["preliminary", "final"]


def test_parts_must_be_numbers_in_their_unit():
    assert rules(
        """
        line | code   | value | unit    | comparator
        1    | 736-9  | 0.23  | 1       |
        2    | 736-9  | 101   | %       |
        3    | 736-9  | 0.4   | %       |
        4    | 6690-2 | 5     | %       |
        5    | 6690-2 | 5     |         |
        6    | 6690-2 |       | 10*9/L  |
        7    | 6690-2 | 0.1   | 10*9/L  | <
        """
    ) == [
        (1, "unit", "unit_is_known"),
        (2, "value", "lymphocyte_percent_is_0_to_100"),
        (4, "unit", "unit_is_known"),
        (5, "unit", "unit_is_known"),
        (6, "value", "value_is_present"),
        (7, "value", "part_of_a_count_is_a_number"),
    ]


@pytest.mark.parametrize(("code", "value", "unit"), [("", 1, "/uL"), ("731-0", "", "/uL"), ("731-0", 1, "")])
def test_what_a_count_lacks_is_left_to_the_rules_on_required_columns(code, value, unit):
    tidy = tidied(f"line | code | value | unit\n1 | {code} | {value} | {unit}")
    assert (len(tidy.counts), len(tidy.rejected)) == (1, 0)


@pytest.mark.parametrize("unit", ["Kim", "mg/Kim"])
def test_a_finding_never_shows_what_stood_there(unit):
    tidy = tidied(f"line | code | value | unit\n1 | 731-0 | 77 | {unit}\n2 | Kim | 77 | /uL")
    assert len(tidy.rejected) == 2
    assert not any(word in str(tidy.rejected.rows()) for word in ("Kim", "77"))


def test_rows_of_the_plain_csv_are_final_results_without_a_name():
    csv = b"site,patient_id,collected_at,code,value,unit\nA,1,2024-03-05T23:30:00-05:00,731-0,0.57,K/uL\n"
    rows = from_landed_csv(parse_landed_csv(csv, LANDED_COUNTS).rows)
    assert rows.schema == LABORATORY_RESULTS
    counted = tidy_results(rows).counts.row(0, named=True)
    assert (counted["status"], counted["result_id"], counted["known_at"]) == ("final", None, None)
    assert (counted["tlc_cells_per_ul"], str(counted["collected_on"]), counted["line"]) == (
        570.0,
        "2024-03-05",
        2,
    )
