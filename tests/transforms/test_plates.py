"""A plate and its layout become one concentration a patient, timepoint and analyte; nothing is made up."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from transforms import schemas
from transforms.findings import FINDING_SCHEMA, UnreadableFileError
from transforms.plates.findings import PLATE_FINDING_SCHEMA
from transforms.plates.layout import LAYOUT, parse_layout
from transforms.plates.wells import TIDY_WELLS, summarise_replicates, tidy_wells
from transforms.xponent.reader import parse_xponent

PLATE = (Path(__file__).parents[1] / "fixtures" / "plate.csv").read_bytes()
REAL = Path(__file__).parents[2].parent / "shared" / "data"
HEADER = "well,site,patient_id,timepoint,collected_on\n"


def layout_of(*lines: str) -> pl.DataFrame:
    return parse_layout((HEADER + "\n".join(lines)).encode()).rows


def rejected(*lines: str) -> list[tuple[int, str, str]]:
    frame = parse_layout((HEADER + "\n".join(lines)).encode()).rejected
    return list(frame.select("line", "column", "rule").iter_rows())


# Layout files.


def test_a_layout_is_read_into_its_columns_and_types():
    layout = parse_layout((HEADER + "A3,S1,0007,pre_rt,2024-03-05\nB3,S1,0007,post_rt,2024-04-19\n").encode())
    assert layout.rows.schema == LAYOUT
    assert layout.rows.row(0) == ("A3", "S1", "0007", "pre_rt", date(2024, 3, 5), 2)
    assert layout.rejected.is_empty()
    assert layout.rejected.schema == FINDING_SCHEMA


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff" + HEADER + "A3,S1,P1,pre_rt,2024-03-05",
        HEADER + '"a03", S1 ,"P1",pre_rt,2024-03-05\r\n\r\n',
        'collected_on,remark,timepoint,patient_id,site,well\n2024-03-05,"none, yet",pre_rt,P1,S1,A3\n',
    ],
)
def test_another_spelling_of_the_same_layout_is_the_same_layout(text: str):
    found = parse_layout(text.encode())
    assert found.rejected.is_empty()
    assert found.rows.drop("line").row(0) == ("A3", "S1", "P1", "pre_rt", date(2024, 3, 5))


@pytest.mark.parametrize(
    ("line", "column", "rule"),
    [
        ("Z3,S1,P1,pre_rt,2024-03-05", "well", "well_is_a_position"),
        ("A25,S1,P1,pre_rt,2024-03-05", "well", "well_is_a_position"),
        (",S1,P1,pre_rt,2024-03-05", "well", "well_is_a_position"),
        ("A3,,P1,pre_rt,2024-03-05", "site", "site_is_given"),
        ("A3,S1,,pre_rt,2024-03-05", "patient_id", "patient_id_is_given"),
        ("A3,S1,P1,before,2024-03-05", "timepoint", "timepoint_is_known"),
        ("A3,S1,P1,pre_rt,05.03.2024", "collected_on", "value_is_a_date"),
        ("A3,S1,P1,pre_rt,2024-02-30", "collected_on", "value_is_a_date"),
        ("A3,S1,P1,pre_rt,1024-03-05", "collected_on", "collected_on_is_a_likely_day"),
        ("A3,S1,P1,pre_rt,", "collected_on", "collected_on_is_a_likely_day"),
        ("A3,S1,P1,pre_rt", None, "row_has_every_field"),
    ],
)
def test_a_line_that_breaks_a_rule_is_rejected_and_the_others_stay(line: str, column: str, rule: str):
    good = "B3,S1,P2,pre_rt,2024-03-05"
    assert rejected(good, line) == [(3, column, rule)]
    assert layout_of(good, line)["line"].to_list() == [2]


def test_a_well_on_two_lines_is_nobodys():
    lines = ("A3,S1,P1,pre_rt,2024-03-05", "B3,S1,P1,pre_rt,2024-03-05", "A3,S1,P2,pre_rt,2024-03-05")
    assert rejected(*lines) == [(2, "well", "well_is_given_once"), (4, "well", "well_is_given_once")]
    assert layout_of(*lines)["well"].to_list() == ["B3"]


def test_replicates_on_two_days_are_rejected():
    lines = ("A3,S1,P1,pre_rt,2024-03-05", "B3,S1,P1,pre_rt,2024-03-06", "C3,S1,P1,post_rt,2024-04-19")
    assert [line for line, _, _ in rejected(*lines)] == [2, 3]
    assert layout_of(*lines)["well"].to_list() == ["C3"]


@pytest.mark.parametrize(
    ("data", "rule"),
    [
        (b"", "file_is_not_empty"),
        (b"PK\x03\x04\xff", "file_is_utf_8"),
        (HEADER.replace("site", "hospital").encode(), "file_has_every_column"),
        (HEADER.replace("site", "well").encode(), "file_has_every_column"),
    ],
)
def test_a_layout_that_cannot_be_read_says_why(data: bytes, rule: str):
    with pytest.raises(UnreadableFileError) as refused:
        parse_layout(data)
    assert refused.value.finding.rule == rule


def test_a_rejection_shows_no_identifier():
    layout = parse_layout((HEADER + "A3,S1,secret,before,secret\n").encode())
    assert "secret" not in layout.rejected.write_csv()


@given(st.binary(max_size=300))
@settings(max_examples=300, deadline=None)
def test_any_bytes_give_a_layout_or_a_rejection(noise: bytes):
    for data in (noise, HEADER.encode() + noise):
        try:
            layout = parse_layout(data)
        except UnreadableFileError:
            continue
        assert layout.rows.schema == LAYOUT
        assert layout.rejected.schema == FINDING_SCHEMA


# Wells.


def test_wells_are_tidied_into_the_published_columns():
    wells = tidy_wells(parse_xponent(PLATE), plate_id="p1")
    assert wells.schema == TIDY_WELLS
    assert set(schemas.PLATE_WELLS.column_names) < set(wells.columns)
    assert wells["plate_id"].unique().to_list() == ["p1"]
    assert wells["concentration_pg_ml"].null_count() == wells.height


def test_net_mfi_is_the_median_less_the_mean_of_the_analytes_background_wells():
    wells = tidy_wells(parse_xponent(PLATE), plate_id="p1").filter(well="A3")
    # backgrounds: IL-7 12 and 13, IL-6 14 and 14.5
    assert wells["net_mfi"].to_list() == [29 - 12.5, 15 - 14.25]


def test_net_mfi_agrees_with_the_files_own():
    plate = parse_xponent(PLATE)
    assert tidy_wells(plate, plate_id="p1")["net_mfi"].equals(plate.wells["net_mfi"])


def test_net_mfi_is_the_median_where_a_plate_has_no_background():
    data = PLATE.replace(b'"Background0"', b'"Somebody"')
    wells = tidy_wells(parse_xponent(data), plate_id="p1")
    assert wells["net_mfi"].equals(wells["median_fi"])


@pytest.mark.parametrize(
    ("unit", "expected", "note"),
    [
        ("pg/ml", 0.64, None),
        ("pg/mL", 0.64, None),
        ("ng/mL", 640.0, "converted from ng/mL"),
        ("µg/mL", 640_000.0, "converted from µg/mL"),
        ("ng/L", 0.64, None),
        ("", 0.64, "the file gives no unit: pg/mL assumed"),
        ("U/mL", None, "the unit U/mL is no mass in a volume"),
    ],
)
def test_expected_concentrations_are_in_pg_per_ml_whatever_the_files_unit(
    unit: str, expected: float | None, note: str | None
):
    data = PLATE.replace(b'"pg/ml"', f'"{unit}"'.encode())
    wells = tidy_wells(parse_xponent(data), plate_id="p1").filter(sample="Standard1", analyte="IL-7")
    assert wells.select("expected_pg_ml", "unit_note").unique().rows() == [(expected, note)]


def test_a_file_without_units_is_taken_for_pg_per_ml_and_says_so():
    data = PLATE.replace(b'"DataType:","Units"', b'"DataType:","Colours"')
    wells = tidy_wells(parse_xponent(data), plate_id="p1")
    assert wells["unit_note"].unique().to_list() == ["the file gives no unit: pg/mL assumed"]


@pytest.mark.parametrize(
    "name",
    [
        "xponent-magpix-adabi/A549.csv",
        "xponent-serolyzer/Chul_IgG3_1.csv",
        "xponent-allotropy/example02_full.csv",
    ],
)
def test_net_mfi_agrees_with_real_instruments(name: str):
    if not (REAL / name).exists():
        pytest.skip("the real exports are not beside the checkout")
    plate = parse_xponent((REAL / name).read_bytes())
    difference = tidy_wells(plate, plate_id="p1")["net_mfi"] - plate.wells["net_mfi"]
    assert difference.abs().max() < 1e-9


# Replicates.

MEASURED = {
    "n_beads": 60,
    "net_mfi": 100.0,
    "kind": "unknown",
    "analyte": "IL-7",
    "plate_id": "p1",
    "is_excluded": False,
}


def wells_of(*wells: tuple[str, float | None, str | None], **others: object) -> pl.DataFrame:
    rows = [{**MEASURED, "well": w, "concentration_pg_ml": c, "range": r, **others} for w, c, r in wells]
    return pl.DataFrame(rows, schema=schemas.PLATE_WELLS.polars_schema)


PAIR = ("A3,S1,P1,pre_rt,2024-03-05", "B3,S1,P1,pre_rt,2024-03-05")


def summary_of(*wells: tuple[str, float | None, str | None]) -> tuple[float | None, str, int]:
    summary = summarise_replicates(wells_of(*wells), layout_of(*PAIR))
    return summary.cytokines.select("concentration_pg_ml", "range", "n_wells").row(0)


def test_the_concentration_is_the_mean_of_the_wells_results():
    assert summary_of(("A3", 2.4, "within"), ("B3", 2.6, "within")) == (2.5, "within", 2)


def test_a_row_has_the_published_columns_and_the_line_it_came_from():
    summary = summarise_replicates(wells_of(("A3", 2.4, "within"), ("B3", 2.6, "within")), layout_of(*PAIR))
    assert summary.cytokines.schema == {**schemas.CYTOKINES.polars_schema, "line": pl.Int64()}
    sample = ("S1", "P1", "pre_rt", "IL-7", date(2024, 3, 5))
    found = summary.cytokines.drop("limit_pg_ml", "concentration_low_pg_ml", "concentration_high_pg_ml")
    assert found.row(0) == (*sample, 2.5, "within", pytest.approx(5.656854), 2, "p1", 2)
    assert summary.rejected.is_empty()
    assert summary.rejected.schema == FINDING_SCHEMA


def test_a_result_below_the_range_is_never_a_number():
    assert summary_of(("A3", None, "below"), ("B3", None, "below")) == (None, "below", 2)
    assert summary_of(("A3", 2.4, "within"), ("B3", None, "below")) == (None, "below", 2)
    assert summary_of(("A3", 2.4, "extrapolated"), ("B3", None, "below")) == (None, "below", 2)


def test_a_result_above_the_range_is_never_a_number():
    assert summary_of(("A3", 2.4, "within"), ("B3", None, "above")) == (None, "above", 2)


def test_an_extrapolated_value_is_a_number_and_is_flagged():
    assert summary_of(("A3", 0.3, "extrapolated"), ("B3", 0.7, "within")) == (0.5, "extrapolated", 2)


def test_replicates_on_either_side_of_the_range_are_rejected():
    wells = wells_of(("A3", None, "below"), ("B3", None, "above"))
    summary = summarise_replicates(wells, layout_of(*PAIR))
    assert summary.cytokines.is_empty()
    assert summary.rejected.select("line", "column", "rule").rows() == [
        (2, "IL-7", "replicates_lie_on_one_side")
    ]


LOW_BEADS = {
    "code": "P09",
    "rule": "bead_count_is_at_least_30",
    "severity": "not used",
    "place": "A3",
    "analyte": "IL-7",
    "found": "fewer than 30 beads",
    "expected": "30 beads or more",
    "remedy": "Measure the sample again.",
}


def unused(**others: str | None) -> pl.DataFrame:
    return pl.DataFrame([LOW_BEADS | others], schema=PLATE_FINDING_SCHEMA)


def test_a_well_that_a_rule_of_the_plate_rules_out_is_not_used_and_is_reported():
    wells = wells_of(("A3", 9.0, "within"), ("B3", 2.6, "within"))
    summary = summarise_replicates(wells, layout_of(*PAIR), unused=unused())
    assert summary.cytokines.select("concentration_pg_ml", "n_wells").row(0) == (2.6, 1)
    assert summary.rejected.select("line", "column", "rule").rows() == [
        (2, "IL-7", "bead_count_is_at_least_30")
    ]


def test_an_analyte_that_a_rule_of_the_plate_rules_out_gives_no_value_and_is_reported_once():
    wells = pl.concat([wells_of(("A3", 9.0, "within"), analyte=name) for name in ("IL-7", "IL-6")])
    finding = unused(place="Standard 3", rule="standards_lie_on_their_dilution_ladder")
    summary = summarise_replicates(wells, layout_of(PAIR[0]), unused=finding)
    assert summary.cytokines["analyte"].to_list() == ["IL-6"]
    assert summary.rejected.select("line", "column", "rule").rows() == [
        (None, "IL-7", "standards_lie_on_their_dilution_ladder")
    ]


def test_a_rule_broken_in_a_well_that_the_layout_does_not_name_takes_nothing_away():
    wells = wells_of(("A3", 2.4, "within"), ("B3", 2.6, "within"), ("C9", 9.0, "within"))
    summary = summarise_replicates(wells, layout_of(*PAIR), unused=unused(place="C9"))
    assert summary.cytokines["n_wells"].to_list() == [2]
    assert summary.rejected.is_empty()


def test_a_finding_without_a_place_means_the_whole_analyte():
    wells = wells_of(("A3", 9.0, "within"), ("B3", 2.6, "within"))
    summary = summarise_replicates(wells, layout_of(*PAIR), unused=unused(place=None))
    assert summary.cytokines.is_empty()


def test_an_excluded_well_is_not_used_and_its_line_says_so():
    wells = pl.concat([wells_of(("A3", 9.0, "within"), is_excluded=True), wells_of(("B3", 2.6, "within"))])
    summary = summarise_replicates(wells, layout_of(*PAIR))
    assert summary.cytokines.select("concentration_pg_ml", "n_wells").row(0) == (2.6, 1)
    assert summary.rejected.select("line", "rule").rows() == [(2, "well_is_not_excluded")]


def limits_of(*wells: tuple[str, float | None, str], limits: tuple[float | None, ...]) -> tuple[object, ...]:
    frame = wells_of(*wells).with_columns(limit_pg_ml=pl.Series(limits, dtype=pl.Float64))
    cytokines = summarise_replicates(frame, layout_of(*PAIR)).cytokines
    return cytokines.select("concentration_pg_ml", "range", "limit_pg_ml").row(0)


def test_a_value_below_the_range_carries_its_limit():
    assert limits_of(("A3", None, "below"), ("B3", None, "below"), limits=(0.64, 0.64)) == (
        None,
        "below",
        0.64,
    )


def test_where_one_replicate_is_a_number_the_limit_is_what_the_mean_lies_below():
    assert limits_of(("A3", None, "below"), ("B3", 2.0, "within"), limits=(1.0, None)) == (None, "below", 1.5)


def test_a_number_has_no_limit():
    assert limits_of(("A3", 2.0, "within"), ("B3", 2.0, "within"), limits=(None, None)) == (
        2.0,
        "within",
        None,
    )


def test_a_single_well_has_no_coefficient_of_variation():
    cytokines = summarise_replicates(wells_of(("A3", 2.4, "within")), layout_of(PAIR[0])).cytokines
    assert cytokines["cv_percent"].to_list() == [None]


def test_a_well_without_a_median_is_not_used_and_is_reported():
    wells = pl.concat([wells_of(("A3", None, None), net_mfi=None), wells_of(("B3", 2.6, "within"))])
    summary = summarise_replicates(wells, layout_of(*PAIR))
    assert summary.cytokines["n_wells"].to_list() == [1]
    assert summary.rejected.select("line", "column", "rule").rows() == [(2, "IL-7", "median_is_a_number")]


def test_an_analyte_without_a_curve_has_no_rows_and_is_reported_once():
    wells = wells_of(("A3", None, None), ("B3", None, None))
    summary = summarise_replicates(wells, layout_of(*PAIR))
    assert summary.cytokines.is_empty()
    assert summary.rejected.select("line", "column", "rule").rows() == [
        (None, "IL-7", "analyte_has_a_standard_curve")
    ]


def test_layout_lines_without_a_sample_well_are_reported():
    wells = pl.concat([wells_of(("A3", 2.4, "within")), wells_of(("B3", 2.6, "within"), kind="control")])
    layout = layout_of(*PAIR, "H9,S1,P2,pre_rt,2024-03-05")
    summary = summarise_replicates(wells, layout)
    assert summary.cytokines["n_wells"].to_list() == [1]
    assert summary.rejected.select("line", "rule").rows() == [
        (3, "well_holds_a_sample"),
        (4, "well_is_in_the_export"),
    ]


def test_one_patient_may_be_on_a_plate_at_both_timepoints():
    wells = wells_of(("A3", 2.4, "within"), ("B3", 3.4, "within"))
    layout = layout_of("A3,S1,P1,pre_rt,2024-03-05", "B3,S1,P1,post_rt,2024-04-19")
    cytokines = summarise_replicates(wells, layout).cytokines
    assert cytokines.select("timepoint", "concentration_pg_ml").rows() == [("pre_rt", 2.4), ("post_rt", 3.4)]


@given(
    st.lists(
        st.one_of(
            st.tuples(st.floats(0.01, 1e5), st.sampled_from(["within", "extrapolated"])),
            st.tuples(st.none(), st.sampled_from(["below", "above"])),
        ),
        min_size=1,
        max_size=4,
    )
)
@settings(max_examples=100, deadline=None)
def test_there_is_a_number_exactly_where_every_replicate_has_one(results: list[tuple[float | None, str]]):
    names = [f"A{i + 1}" for i in range(len(results))]
    wells = wells_of(*((name, *result) for name, result in zip(names, results, strict=True)))
    layout = layout_of(*(f"{name},S1,P1,pre_rt,2024-03-05" for name in names))
    summary = summarise_replicates(wells, layout)
    ranges = {where for _, where in results}
    if {"below", "above"} <= ranges:
        assert summary.cytokines.is_empty()
        return
    value, where = summary.cytokines.select("concentration_pg_ml", "range").row(0)
    assert (value is None) == bool(ranges & {"below", "above"})
    assert (where == "within") == (ranges == {"within"})
    if value is not None:
        assert value == pytest.approx(sum(number or 0 for number, _ in results) / len(results))
