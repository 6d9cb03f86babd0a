"""A file's rows against the table as it stands: each is loaded, unchanged or rejected."""

from itertools import chain

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.tables import draw
from transforms.merge import Merge, merge_rows
from transforms.schemas import Column, Table

TABLE = Table(
    "follow_up",
    ("site", "patient_id"),
    (
        Column("site", pl.String(), ""),
        Column("patient_id", pl.String(), ""),
        Column("death_date", pl.Date(), ""),
        Column("age_years", pl.Float64(), ""),
    ),
)
LINED = {**TABLE.polars_schema, "line": pl.Int64()}
HELD = """
    patient_id | death_date | age_years
    -----------+------------+----------
    1          |            | 60
    2          | 2024-05-01 |
"""
many = settings(max_examples=150, deadline=None)


def merge(incoming: str, *, current: str = HELD) -> Merge:
    return merge_rows(draw(LINED, current, site="A"), draw(LINED, incoming, site="A"), TABLE)


def lines(merged: Merge) -> dict[str, list[int]]:
    return {name: sorted(getattr(merged, name)["line"]) for name in ("loaded", "unchanged", "rejected")}


def test_new_and_changed_rows_are_loaded_and_the_changed_ones_replace_what_they_correct():
    merged = merge(
        """
        line | patient_id | death_date | age_years
        -----+------------+------------+----------
        2    | 1          | 2024-06-01 | 60
        3    | 2          | 2024-05-01 |
        4    | 3          |            | 71
        """
    )
    assert lines(merged) == {"loaded": [2, 4], "unchanged": [3], "rejected": []}
    assert merged.replaced.rows() == [("1", None, 60.0, "A")]


def test_a_row_with_the_same_empty_cells_is_the_same_row():
    merged = merge("line | patient_id | death_date | age_years \n 2 | 1 | | 60 \n 3 | 2 | 2024-05-01 |")
    assert lines(merged) == {"loaded": [], "unchanged": [2, 3], "rejected": []}
    assert merged.replaced.is_empty()


@pytest.mark.parametrize("cell", ["| 2024-06-01 |", "| | 61", "| |"])
def test_a_cell_that_is_filled_changed_or_emptied_is_a_change(cell):
    merged = merge("line | patient_id | death_date | age_years \n 2 | 1 " + cell)
    assert lines(merged) == {"loaded": [2], "unchanged": [], "rejected": []}
    assert len(merged.replaced) == 1


def test_a_row_that_the_file_repeats_is_loaded_once():
    merged = merge(
        """
        line | patient_id | death_date | age_years
        -----+------------+------------+----------
        2    | 7          |            | 50
        3    | 8          |            | 51
        4    | 7          |            | 50
        """
    )
    assert lines(merged) == {"loaded": [2, 3], "unchanged": [4], "rejected": []}


def test_rows_of_one_file_that_contradict_each_other_are_rejected_all_and_what_is_held_stays():
    merged = merge(
        """
        line | patient_id | death_date | age_years
        -----+------------+------------+----------
        2    | 1          |            | 60
        3    | 1          |            | 60
        4    | 1          | 2024-06-01 | 60
        5    | 3          |            | 71
        """
    )
    assert lines(merged) == {"loaded": [5], "unchanged": [], "rejected": [2, 3, 4]}
    assert merged.replaced.is_empty()
    assert merged.rejected.row(0) == (
        2,
        "site, patient_id",
        "rows_of_one_key_agree",
        "another row of this file with the same key and other contents",
        "one row for each site, patient_id",
        "Keep the right row and send the file again",
    )


def test_an_empty_cell_contradicts_a_filled_one():
    merged = merge("line | patient_id | death_date | age_years \n 2 | 7 | | 60 \n 3 | 7 | | ")
    assert lines(merged)["rejected"] == [2, 3]


def test_the_table_may_have_more_columns_and_replaced_rows_keep_them():
    current = draw(LINED, HELD, site="A").with_columns(file_id=pl.lit("f1"))
    incoming = draw(LINED, "line | patient_id | death_date | age_years \n 2 | 1 | | 61", site="A")
    merged = merge_rows(current, incoming, TABLE)
    assert merged.replaced["file_id"].to_list() == ["f1"]
    assert merged.loaded.columns == merged.unchanged.columns == incoming.columns


def test_rows_that_share_a_line_are_told_apart_by_their_content():
    merged = merge("line | patient_id | death_date | age_years \n 2 | 1 | | 60 \n 2 | 3 | | 71")
    assert lines(merged) == {"loaded": [2], "unchanged": [2], "rejected": []}


# Laws

ROWS = st.lists(
    st.tuples(
        st.sampled_from(["A", "B"]),
        st.sampled_from(["1", "2"]),
        st.just(None),
        st.sampled_from([None, 0.0, -0.0, 60.0]),
    ),
    max_size=8,
)


def frame(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    numbered = [(*row, number) for number, row in enumerate(rows, start=2)]
    return pl.DataFrame(numbered, schema=LINED, orient="row")


def held(rows: list[tuple[object, ...]]) -> pl.DataFrame:
    return frame(rows).drop("line").unique(TABLE.key, keep="first", maintain_order=True)


@many
@given(ROWS, ROWS)
def test_every_row_of_the_file_ends_in_exactly_one_place(current, incoming):
    merged = merge_rows(held(current), frame(incoming), TABLE)
    assert sorted(chain(*lines(merged).values())) == list(range(2, len(incoming) + 2))


@many
@given(ROWS, ROWS)
def test_after_a_merge_each_key_has_one_row_and_the_same_file_loads_nothing(current, incoming):
    before, file = held(current), frame(incoming)
    merged = merge_rows(before, file, TABLE)
    kept = before.join(merged.replaced, on=TABLE.key, how="anti")
    after = pl.concat([kept, merged.loaded.drop("line")])
    again = merge_rows(after, file, TABLE)
    assert after.select(TABLE.key).is_unique().all()
    assert (len(again.loaded), len(again.replaced)) == (0, 0)
