"""A standard off its dilution ladder is named, for every standard; true ladders are silent."""

from collections.abc import Sequence

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms.plates.ladder import check_ladder
from transforms.xponent.reader import LEVELS, WELLS

RATIOS = (2.0, 2.5, 3.0, 10**0.5, 4.0, 5.0, 10.0)
TOPS = (10000.0, 8192.0, 2621.44, 1234.5, 729.3, 31.7, 640.0, 50000.0, 3450.0, 98765.4)


def standards(columns: dict[str, Sequence[float]], names: Sequence[str] | None = None) -> pl.DataFrame:
    rows = [
        (names[i] if names else f"Standard{i + 1}", analyte, value, "pg/ml")
        for analyte, values in columns.items()
        for i, value in enumerate(values)
    ]
    return pl.DataFrame(rows, schema=LEVELS, orient="row")


def check(table: pl.DataFrame) -> pl.DataFrame:
    """The findings where no well was measured, so that the expected concentrations stand alone."""
    return check_ladder(table, pl.DataFrame(schema=WELLS))


def found(*values: float | None, names: Sequence[str] | None = None) -> list[tuple[str, str]]:
    findings = check(standards({"IL-7": values}, names))
    assert set(findings["analyte"]) <= {"IL-7"}
    return list(findings.select("place", "found").iter_rows())


def without_mark(printed: str) -> float:
    return float(printed.replace(".", ""))


@st.composite
def printed_ladders(draw: st.DrawFn) -> list[str]:
    """Ladders as printed, highest first: one ratio, or one step of another, rounded in one of two ways."""
    ratio, top = draw(st.sampled_from(RATIOS)), draw(st.sampled_from(TOPS))
    steps = [ratio] * (draw(st.integers(5, 10)) - 1)
    if draw(st.booleans()):
        other = draw(st.sampled_from([r for r in (2.0, 3.0, 4.0, 5.0) if 0.2 <= r / ratio <= 2.5]))
        steps[draw(st.integers(0, len(steps) - 1))] = other
    values = [top]
    for step in steps:
        values.append(values[-1] / step)
    n_digits, n_decimals = draw(st.sampled_from([(3, None), (5, None), (12, None), (None, 1), (None, 2)]))
    printed = [f"{v:.{n_digits}g}" if n_digits else f"{round(v, n_decimals):.15g}" for v in values]
    printed = [f"{float(text):.12f}".rstrip("0").rstrip(".") for text in printed]
    # What is not above its rounding, or twice the same, is no ladder that anybody prints.
    limit = 0.0 if n_digits else 2 * 10.0**-n_decimals
    return [text for text in printed if float(text) > limit]


@st.composite
def listed(draw: st.DrawFn, values: Sequence[float]) -> list[float]:
    """The same values listed up or down, with or without a standard of zero at the low end."""
    values = [*values, 0.0] if draw(st.booleans()) else list(values)
    return values if draw(st.booleans()) else values[::-1]


@given(st.data())
@settings(max_examples=500, deadline=None)
def test_a_true_ladder_is_silent(data: st.DataObject):
    ladder = [float(text) for text in data.draw(printed_ladders())]
    assert found(*data.draw(listed(ladder))) == []


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_a_lost_decimal_mark_in_any_one_standard_is_flagged(data: st.DataObject):
    printed = data.draw(printed_ladders())
    for i, text in enumerate(printed):
        if len(printed) < 5 or "." not in text:
            continue
        values = [float(other) for other in printed]
        values[i] = without_mark(text)
        values = data.draw(listed(values))
        name = f"Standard{values.index(without_mark(text)) + 1}"
        places = [place for place, _ in found(*values)]
        assert len(places) == 1, values
        if values.count(without_mark(text)) == 1:
            assert name in places[0].removeprefix("standard ").split(" or "), values


@given(st.data(), st.sampled_from([10.0, 100.0, 1000.0]))
@settings(max_examples=300, deadline=None)
def test_a_standard_ten_hundred_or_thousand_times_off_is_flagged_either_way(
    data: st.DataObject, factor: float
):
    ladder = [float(text) for text in data.draw(printed_ladders())]
    for i in range(len(ladder) if len(ladder) >= 5 else 0):
        for by in (factor, 1 / factor):
            values = [*ladder[:i], ladder[i] * by, *ladder[i + 1 :]]
            assert len(found(*data.draw(listed(values)))) == 1, values


@given(st.data())
@settings(max_examples=50, deadline=None)
def test_a_lost_mark_is_flagged_in_every_analyte_of_a_plate_and_nowhere_else(data: st.DataObject):
    printed = data.draw(printed_ladders().filter(lambda texts: len(texts) >= 5 and "." in texts[-1]))
    scales = [1.0, 2.0, 4.0, 8.0, 16.0]
    true = {f"A{i}": [float(text) * scale for text in printed] for i, scale in enumerate(scales)}
    assert check(standards(true)).is_empty()
    for analyte in true:
        wrong = true | {analyte: [*true[analyte][:-1], true[analyte][-1] * 10]}
        assert check(standards(wrong))["analyte"].to_list() == [analyte]


def test_a_plate_whose_every_analyte_has_one_standard_a_thousand_times_too_high_is_flagged_in_every_one():
    plate = {f"A{i}": [10000 / i, 2500 / i, 625 / i, 156250 / i, 39.06 / i, 9.77 / i] for i in range(1, 31)}
    findings = check(standards(plate))
    assert findings["analyte"].to_list() == list(plate)
    assert set(findings["place"]) == {"standard Standard4"}
    assert set(findings["found"]) == {"about 1,000 times too high for the ladder of the others"}
    assert set(findings["severity"]) == {"not used"}


@pytest.mark.parametrize(
    ("values", "place", "factor"),
    [
        ([3.2, 128, 51.2, 204.8, 819.2], "Standard2", "10 times too high"),
        ([64, 2.56, 10.24, 40.96, 163.84], "Standard1", "100 times too high"),
        ([0.64, 2.56, 10.24, 40.96, 16384], "Standard5", "100 times too high"),
        ([16384, 40.96, 10.24, 2.56, 0.64], "Standard1", "100 times too high"),
        ([0.128, 0.64, 32, 16, 80], "Standard3", "10 times too high"),
        ([0.64, 2.56, 0.01024, 40.96, 163.84], "Standard3", "1,000 times too low"),
    ],
)
def test_the_finding_names_the_standard_and_about_how_far_it_is_off(values, place, factor):
    ((where, what),) = found(*values)
    assert where == f"standard {place}"
    assert f"about {factor}" in what


def test_two_standards_of_the_same_value_are_flagged():
    assert len(found(1, 10, 100, 100, 10000)) == 1
    assert len(found(5, 5)) == 1


def test_two_standards_that_changed_places_are_flagged():
    for values in ((1, 4, 64, 16, 256, 1024), (4, 1, 16, 64, 256), (1, 4, 16, 256, 64)):
        assert len(found(*values)) == 1, values


def test_a_zero_between_standards_above_zero_is_flagged():
    assert found(0, 1, 4, 16, 64) == []
    assert found(64, 16, 4, 1, 0) == []
    assert found(64, 16, 0, 1, 0.25) == [
        ("standard Standard3", "an expected concentration of 0 between standards above zero")
    ]


def test_one_standard_off_a_regular_ladder_by_less_than_ten_is_flagged():
    ((place, what),) = found(1, 4, 16, 64, 512, 1024)
    assert place == "standard Standard5"
    assert "about 2 times too high" in what


def test_a_standard_left_out_of_the_list_or_without_a_value_leaves_a_double_step():
    names = ["Standard1", "Standard2", "Standard4", "Standard5", "Standard6"]
    assert found(1, 4, 64, 256, 1024, names=names) == []
    assert found(1024, 256, 16, 4, 1, names=names) == []
    assert found(1, 4, None, 64, 256, 1024) == []
    assert found(1, 4, None, 64, 2560, 1024)[0][0] == "standard Standard5"
    assert found(1, 4, 640, 256, 1024, names=names)[0][0] == "standard Standard4"
    assert found(1, 4, None, 64, 256, 10240)[0][0] == "standard Standard6"
    assert found(100, 4, None, 64, 256, 1024)[0][0] == "standard Standard1"


def test_a_list_sorted_as_text_is_read_by_the_numbers_of_its_names():
    names = ["Standard1", "Standard10", *(f"Standard{i}" for i in range(2, 10))]
    ladder = [4.0 ** (10 - int(name.removeprefix("Standard"))) for name in names]
    assert found(*ladder, names=names) == []
    ladder[1] *= 100
    assert found(*ladder, names=names)[0][0] == "standard Standard10"


def measured(table: pl.DataFrame, *, by: dict[str, float]) -> pl.DataFrame:
    wells = table.select("sample", "analyte", "expected_concentration", kind=pl.lit("standard")).with_columns(
        median_fi=pl.col("sample").replace_strict(by, return_dtype=pl.Float64)
    )
    return pl.concat([pl.DataFrame(schema=WELLS), wells], how="diagonal_relaxed")


def test_an_order_of_their_own_is_no_breach_where_the_signals_confirm_it():
    names = ["mid", "top", "low", "lowest", "higher"]
    signals = {"mid": 160.0, "top": 2000.0, "low": 41.0, "lowest": 11.0, "higher": 600.0}
    true = standards({"IL-7": [16, 256, 4, 1, 64]}, names)
    assert check_ladder(true, measured(true, by=signals)).is_empty()
    for wrong in ([16, 25600, 4, 1, 64], [16, 256, 40, 1, 64], [16, 4, 256, 1, 64]):
        table = standards({"IL-7": wrong}, names)
        assert check_ladder(table, measured(table, by=signals))["code"].to_list() == ["P02"]


def test_one_standard_that_leaves_the_steps_of_the_other_analytes_is_flagged():
    plate = {f"A{i}": [i * 4.0**k for k in range(6)] for i in range(1, 6)}
    assert check(standards(plate)).is_empty()
    wrong = plate | {"A2": [*plate["A2"][:-1], plate["A2"][-1] * 2]}
    ((place, analyte),) = check(standards(wrong)).select("place", "analyte").iter_rows()
    assert (place, analyte) == ("standard Standard6", "A2")


def test_analytes_with_ladders_of_their_own_are_silent():
    plate = {
        "A": [1, 4, 16, 64, 256],
        "B": [1, 5, 25, 125, 625],
        "C": [1, 3, 9, 27, 81],
        "D": [1, 4, 16, 64, 256],
    }
    assert check(standards(plate)).is_empty()


@pytest.mark.parametrize("values", [(), (5,), (1, 10), (0,), (0, 0), (1, 4, 16)])
def test_few_standards_give_no_false_alarm(values):
    assert found(*values) == []


@given(st.lists(st.one_of(st.none(), st.floats(0, 1e308)), max_size=8))
@settings(max_examples=200, deadline=None)
def test_any_expected_concentrations_give_findings_and_no_crash(values: list[float | None]):
    assert len(found(*values)) <= 1
