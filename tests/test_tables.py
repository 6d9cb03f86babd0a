"""The drawings of `tests.tables`: what a cell becomes, and that a crooked drawing is refused."""

from datetime import date, datetime

import polars as pl
import pytest

from tests.tables import complete, draw

SCHEMA = {
    "name": pl.String(),
    "n": pl.Int64(),
    "x": pl.Float64(),
    "on": pl.Date(),
    "at": pl.Datetime("us"),
    "is_so": pl.Boolean(),
}


def test_every_cell_takes_the_type_of_its_column():
    drawn = draw(
        SCHEMA,
        """
        name  | n | x   | on         | at               | is_so
        ------+---+-----+------------+------------------+------
        a b   | 3 | 0.2 | 2024-02-29 | 2024-02-29 08:30 | T
        """,
    )
    assert drawn.schema == SCHEMA
    assert drawn.row(0) == ("a b", 3, 0.2, date(2024, 2, 29), datetime(2024, 2, 29, 8, 30), True)


def test_an_empty_cell_is_null_and_a_row_of_empty_cells_needs_one_word():
    drawn = draw(
        SCHEMA,
        """
        name | n | x | on | at | is_so
        a    |   |   |    |    |
        """,
    )
    assert drawn.row(0) == ("a", None, None, None, None, None)


def test_a_drawing_without_rows_is_an_empty_frame_of_the_same_types():
    drawn = draw(SCHEMA, "n | on")
    assert drawn.is_empty()
    assert drawn.schema == {"n": pl.Int64(), "on": pl.Date()}


def test_a_column_that_is_the_same_in_every_row_need_not_be_drawn():
    assert draw(SCHEMA, "n \n 1 \n 2", name="A").rows() == [(1, "A"), (2, "A")]


def test_columns_that_were_not_drawn_are_empty():
    whole = complete(draw(SCHEMA, "n \n 1"), SCHEMA)
    assert whole.schema == SCHEMA
    assert whole.row(0) == (None, 1, None, None, None, None)


@pytest.mark.parametrize(
    ("drawing", "error"),
    [
        ("n | x \n 1", ValueError),
        ("n | x \n 1 | 2 | 3", ValueError),
        ("n | weight \n 1 | 2", KeyError),
        ("n \n one", pl.exceptions.InvalidOperationError),
        ("is_so \n yes", pl.exceptions.InvalidOperationError),
        ("on \n 2024-02-30", pl.exceptions.InvalidOperationError),
    ],
)
def test_a_crooked_drawing_is_refused(drawing, error):
    with pytest.raises(error):
        draw(SCHEMA, drawing)
