"""What plates must satisfy once they are fitted: beads, controls, curves, replicates; what is not used."""

import math

import polars as pl
import pytest

from transforms import schemas
from transforms.plates.quality import CONTROLS, check_quality

WELL = {
    "plate_id": "p1",
    "sample": "S1",
    "kind": "unknown",
    "analyte": "IL-7",
    "net_mfi": 100.0,
    "n_beads": 80,
    "range": "within",
    "concentration_pg_ml": 2.5,
    "is_excluded": False,
}
CURVE = {
    "plate_id": "p1",
    "analyte": "IL-7",
    "model": "five-parameter logistic",
    "n_levels": 7,
    "n_levels_accepted": 7,
    "is_accepted": True,
    "converged": True,
}


def frame(schema: pl.Schema, base: dict[str, object], rows: list[dict[str, object]]) -> pl.DataFrame:
    return pl.DataFrame([base | row for row in rows], schema=schema)


def wells(*rows: dict[str, object]) -> pl.DataFrame:
    numbered = [{"well": f"{'ABCDEFGH'[i % 8]}{1 + i // 8}"} | row for i, row in enumerate(rows)]
    return frame(schemas.PLATE_WELLS.polars_schema, WELL, numbered)


def curves(*rows: dict[str, object]) -> pl.DataFrame:
    return frame(schemas.PLATE_CURVES.polars_schema, CURVE, list(rows))


def check(measured: pl.DataFrame, fitted: pl.DataFrame | None = None, controls: pl.DataFrame | None = None):
    return check_quality(
        measured,
        curves({}) if fitted is None else fitted,
        controls=pl.DataFrame(schema=CONTROLS) if controls is None else controls,
    )


def broken(*args: pl.DataFrame) -> list[tuple[str, str, str | None, str | None]]:
    return list(check(*args).select("code", "severity", "place", "analyte").iter_rows())


def values(*concentrations: float, **given: object) -> pl.DataFrame:
    return wells(*({"concentration_pg_ml": value} | given for value in concentrations))


def test_a_good_plate_breaks_no_rule():
    findings = check(values(2.5, 2.6))
    assert findings.is_empty()
    assert findings.schema == schemas.PLATE_FINDINGS.polars_schema


# P09, P10


def test_a_sample_with_fewer_than_30_beads_is_not_used():
    assert broken(wells({"n_beads": 30}))[0][0] == "P10"
    assert ("P09", "not used", "A1", "IL-7") in broken(wells({"n_beads": 29}))


@pytest.mark.parametrize("kind", ["standard", "control", "background"])
def test_any_other_well_with_fewer_than_30_beads_is_a_note(kind: str):
    assert ("P09", "note", "A1", "IL-7") in broken(wells({"n_beads": 29, "kind": kind}))


def test_wells_with_fewer_than_50_beads_are_counted_by_analyte():
    findings = check(wells({"n_beads": 49}, {"n_beads": 50}, {"n_beads": 12}, {"analyte": "IL-6"}))
    assert findings.filter(code="P10").select("severity", "place", "analyte", "found").rows() == [
        ("note", None, "IL-7", "fewer in 2 of 3 wells")
    ]


def test_an_excluded_well_is_not_judged():
    assert broken(wells({"n_beads": 3, "is_excluded": True})) == []


# P15


def control_range(low: float | None, high: float | None, *names: str) -> pl.DataFrame:
    rows = [
        {"plate_id": "p1", "sample": name, "analyte": "IL-7", "expected_concentration": 12.0}
        | {"range_low": low, "range_high": high}
        for name in names or ("Control 1",)
    ]
    return pl.DataFrame(rows, schema=CONTROLS)


def control(value: float | None, name: str = "Control1", **given: object) -> dict[str, object]:
    known = {"kind": "control", "sample": name, "concentration_pg_ml": value, "expected_pg_ml": 12.0}
    return known | given


def test_a_control_is_judged_by_the_mean_of_its_wells():
    two = wells(control(7.0), control(9.5))
    assert broken(two, curves({}), control_range(8.0, 16.0)) == []
    assert broken(two, curves({}), control_range(8.5, 16.0)) == [("P15", "told", "control Control 1", "IL-7")]
    assert broken(two, curves({}), control_range(4.0, 8.0)) == [("P15", "told", "control Control 1", "IL-7")]


def test_one_control_of_two_outside_its_range_is_a_note():
    two = wells(control(12.0), control(30.0, "Control2"))
    assert broken(two, curves({}), control_range(8.0, 16.0, "Control1", "Control2")) == [
        ("P15", "note", "control Control2", "IL-7")
    ]


def test_a_control_below_the_curve_lies_below_its_range():
    below = wells(control(None, range="below"))
    assert broken(below, curves({}), control_range(8.0, 16.0))[0][:2] == ("P15", "told")
    assert broken(below, curves({}), control_range(None, None)) == []


def test_the_range_of_a_control_is_converted_as_its_expected_concentration_is():
    in_ng = control_range(0.008, 0.016).with_columns(expected_concentration=pl.lit(0.012))
    assert broken(wells(control(12.0)), curves({}), in_ng) == []
    assert broken(wells(control(17.0)), curves({}), in_ng)[0][0] == "P15"


# P20, P21


def test_an_analyte_without_a_curve_is_not_used():
    assert broken(values(2.5), curves({"converged": False, "is_accepted": None, "note": "3 levels"})) == [
        ("P20", "not used", None, "IL-7")
    ]


def test_a_four_parameter_curve_is_a_note():
    assert broken(values(2.5), curves({"model": "four-parameter logistic"})) == [
        ("P20", "note", None, "IL-7")
    ]


def test_a_curve_that_is_not_accepted_is_a_note():
    assert broken(values(2.5), curves({"is_accepted": False, "n_levels_accepted": 5})) == [
        ("P21", "note", None, "IL-7")
    ]


# P22


def differences(*percent: float, **given: object) -> pl.DataFrame:
    return wells(
        *(
            {"difference_percent": p, "instrument_pg_ml": 2.5, "sample": str(i)} | given
            for i, p in enumerate(percent)
        )
    )


def test_a_plate_with_fewer_than_95_percent_of_wells_within_1_percent_is_told():
    assert broken(differences(*[0.5] * 19, -1.5)) == []
    assert broken(differences(*[0.5] * 18, -1.5, 1.5)) == [("P22", "told", None, None)]


def test_one_well_more_than_5_percent_from_the_instrument_is_told_with_its_analyte():
    assert broken(differences(*[0.0] * 30, 5.0)) == []
    assert broken(differences(*[0.0] * 30, -5.1)) == [("P22", "told", None, "IL-7")]


def test_wells_outside_the_range_are_not_compared_with_the_instrument():
    assert broken(differences(50.0, range="extrapolated")) == []


# P30, P31


def test_replicates_that_scatter_are_noted_with_their_wells_and_without_their_sample():
    findings = check(values(2.0, 3.0, sample="Jane Doe"))
    assert findings.select("code", "severity", "place", "found").rows() == [
        ("P30", "note", "wells A1, B1", "28 %")
    ]
    assert "Jane Doe" not in findings.write_csv()
    assert broken(values(2.0, 2.8)) == []


def test_a_replicate_that_is_no_number_has_no_scatter():
    assert broken(wells({"concentration_pg_ml": 9.0}, {"concentration_pg_ml": None, "range": "below"})) == []


def test_wells_of_different_plates_or_kinds_are_no_replicates():
    assert broken(wells({}, {"concentration_pg_ml": 9.0, "plate_id": "p2"})) == []
    assert broken(wells({}, {"concentration_pg_ml": 9.0, "kind": "standard"})) == []


def test_a_sample_with_too_few_beads_counts_as_no_replicate():
    assert "P30" not in {code for code, *_ in broken(wells({}, {"concentration_pg_ml": 9.0, "n_beads": 20}))}


def test_an_outlying_replicate_of_three_is_named():
    assert broken(values(2.0, 2.02, 6.0)) == [
        ("P30", "note", "wells A1, B1, C1", "IL-7"),
        ("P31", "note", "C1", "IL-7"),
    ]
    assert broken(values(2.0, 0.5, 2.02))[1] == ("P31", "note", "B1", "IL-7")


def test_no_outlier_is_told_of_two_or_of_three_that_all_scatter_or_all_agree():
    for concentrations in ((2.0, 9.0), (2.0, 4.0, 8.0), (2.0, 2.0, 2.2)):
        assert "P31" not in {code for code, *_ in broken(values(*concentrations))}


@pytest.mark.parametrize(("n", "critical"), [(3, 0.970), (4, 0.829), (10, 0.466)])
def test_dixons_q_is_held_against_its_critical_value(n: int, critical: float):
    def named(q: float) -> bool:
        # n values whose logarithms span 2 and whose highest lies a share q of that above the next.
        logs = [*[0.0] * (n - 2), 2 * (1 - q), 2.0]
        return "P31" in {code for code, *_ in broken(values(*map(math.exp, logs)))}

    assert named(critical + 0.002)
    assert not named(critical - 0.002)


# P32, P33


def standard(expected: float, net: float) -> dict[str, object]:
    return {
        "kind": "standard",
        "sample": f"Standard {expected:g}",
        "expected_pg_ml": expected,
        "net_mfi": net,
        "concentration_pg_ml": expected,
    }


LADDER = [(1, 10.0), (4, 40.0), (16, 150.0), (64, 600.0), (256, 2000.0)]


def ladder(*top: tuple[float, float]) -> list[dict[str, object]]:
    pairs = [(x, y * shift) for x, y in LADDER for shift in (0.97, 1.03)]
    return [standard(x, y) for x, y in [*pairs, *top]]


def test_samples_above_the_top_standard_are_counted_by_analyte():
    samples = [
        {"net_mfi": y, "sample": name}
        for name, y in [("a", 2001.0), ("a", 2100.0), ("b", 5000.0), ("c", 1999.0)]
    ]
    findings = check(wells(*ladder(), *samples))
    assert findings.select("code", "severity", "analyte", "found").rows() == [
        ("P32", "note", "IL-7", "2 samples above")
    ]


def test_a_top_standard_below_the_next_is_told():
    assert broken(wells(*ladder((1024, 1500.0), (1024, 1550.0)))) == [
        ("P33", "told", "standard Standard 1024", "IL-7")
    ]


def test_a_second_standard_below_the_third_is_told():
    assert broken(wells(*ladder((1024, 1500.0), (4096, 9000.0)))) == [
        ("P33", "told", "standard Standard 1024", "IL-7")
    ]


def test_a_fall_within_the_scatter_of_the_replicates_or_below_a_tenth_is_no_hook():
    assert broken(wells(*ladder((1024, 1900.0), (1024, 1910.0)))) == []
    scattered = [standard(x, y * shift) for x, y in [*LADDER, (1024, 1700.0)] for shift in (0.7, 1.3)]
    assert "P33" not in {code for code, *_ in broken(wells(*scattered))}


def test_a_plateau_or_a_fall_further_down_is_no_hook():
    assert broken(wells(*ladder((1024, 2000.0)))) == []
    low = [standard(x, y) for x, y in [(1, 60.0), *LADDER[1:], (1024, 7000.0), (4096, 20000.0)]]
    assert broken(wells(*low)) == []
