"""The content hash of a frame: what must change it, what must not, and one value worked out apart from it."""

import hashlib
import struct
from datetime import date, datetime

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from transforms import errors
from transforms.content_hash import frame_sha256

KEY = ("site", "patient_id")


def frame() -> pl.DataFrame:
    return pl.DataFrame(
        {
            "site": ["A", "A", "B"],
            "patient_id": ["1", "2", "1"],
            "tlc_cells_per_ul": [1200.0, None, 180.5],
            "nadir_grade": [2, 3, None],
            "has_asl": [False, None, True],
            "rt_start_date": [date(2017, 3, 1), None, date(2018, 1, 2)],
            "collected_at": [datetime(2017, 3, 1, 8), datetime(2017, 3, 2), None],
        }
    )


def test_the_order_of_rows_does_not_matter():
    assert frame_sha256(frame().reverse(), KEY) == frame_sha256(frame(), KEY)


def test_the_order_of_columns_does_not_matter():
    assert frame_sha256(frame().select(reversed(frame().columns)), KEY) == frame_sha256(frame(), KEY)


@pytest.mark.parametrize(
    "change",
    [
        {"tlc_cells_per_ul": pl.Series([1200.0, None, 180.50000000000003])},
        {"tlc_cells_per_ul": pl.Series([1200.0, 0.0, 180.5])},
        {"nadir_grade": pl.Series([2, 3, 0])},
        {"has_asl": pl.Series([False, False, True])},
        {"rt_start_date": pl.Series([date(2017, 3, 1), date(1970, 1, 1), date(2018, 1, 2)])},
        {"collected_at": pl.Series([datetime(2017, 3, 1, 8), datetime(2017, 3, 2, 0, 0, 0, 1), None])},
        {"site": pl.Series(["A", "A", "C"])},
    ],
)
def test_any_one_value_or_null_matters(change):
    assert frame_sha256(frame().with_columns(**change), KEY) != frame_sha256(frame(), KEY)


def test_a_column_name_and_a_kind_of_value_matter():
    base = frame_sha256(frame(), KEY)
    assert frame_sha256(frame().rename({"has_asl": "has_recovered"}), KEY) != base
    assert frame_sha256(frame().with_columns(pl.col("nadir_grade").cast(pl.Float64)), KEY) != base
    assert frame_sha256(frame().with_columns(pl.col("has_asl").cast(pl.Int64)), KEY) != base
    assert frame_sha256(frame().drop("has_asl"), KEY) != base


def test_an_empty_text_is_not_a_null_and_texts_do_not_run_together():
    def of(*texts):
        return frame_sha256(
            pl.DataFrame({"k": [1, 2], "t": list(texts)}, schema={"k": pl.Int64, "t": pl.String}), ["k"]
        )

    assert len({of("ab", "c"), of("a", "bc"), of("", "abc"), of(None, "abc")}) == 4


def test_the_two_zeros_and_the_widths_of_a_number_are_one():
    def of(values, dtype):
        return frame_sha256(pl.DataFrame({"k": [1], "v": pl.Series(values, dtype=dtype)}), ["k"])

    assert of([-0.0], pl.Float64) == of([0.0], pl.Float64)
    assert of([3], pl.Int8) == of([3], pl.Int64)
    assert of([0.5], pl.Float32) == of([0.5], pl.Float64)
    assert of([float("nan")], pl.Float64) == of([-float("nan")], pl.Float64)
    assert of([float("nan")], pl.Float64) != of([None], pl.Float64)


def test_the_bytes_are_the_documented_ones():
    def framed(part):
        return struct.pack("<Q", len(part)) + part

    expected = b"nadir-frame-1" + framed(b"2")
    expected += framed(b"k") + framed(b"integer") + framed(b"\0\0") + framed(struct.pack("<qq", 1, 2))
    expected += framed(b"v") + framed(b"float") + framed(b"\1\0") + framed(struct.pack("<dd", 0, 2.5))
    measured = frame_sha256(pl.DataFrame({"v": [2.5, None], "k": [2, 1]}), ["k"])
    assert measured == hashlib.sha256(expected).hexdigest()


@given(
    st.lists(st.tuples(st.text(), st.floats(allow_nan=True) | st.none()), unique_by=lambda row: row[0]),
    st.randoms(),
)
def test_any_frame_hashes_the_same_in_any_order(rows, random):
    shuffled = random.sample(rows, len(rows))
    schema = {"k": pl.String, "v": pl.Float64}
    first, second = (pl.DataFrame(data, schema=schema, orient="row") for data in (rows, shuffled))
    assert frame_sha256(first, ["k"]) == frame_sha256(second, ["k"])


def test_rows_that_share_a_key_are_refused_without_showing_it():
    twice = pl.DataFrame({"patient_id": ["SECRET", "SECRET"], "v": [1, 2]})
    with pytest.raises(errors.NadirError, match="1 rows share their key") as raised:
        frame_sha256(twice, ["patient_id"])
    assert "SECRET" not in str(raised.value)


def test_a_missing_key_and_an_unknown_kind_of_column_are_refused():
    with pytest.raises(errors.NadirError, match="the frame lacks"):
        frame_sha256(frame(), ["month"])
    with pytest.raises(errors.NadirError, match="column v: found"):
        frame_sha256(pl.DataFrame({"k": [1], "v": [[1, 2]]}), ["k"])


def test_an_empty_frame_has_a_hash_of_its_own():
    assert frame_sha256(frame().clear(), KEY) != frame_sha256(frame().clear().drop("has_asl"), KEY)
