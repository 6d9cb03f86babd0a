"""Exclusions: who took what out of a plate, what the next night makes of it, and the old fit that stays."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from tests.flows.landing_builder import write_good_landing, write_table
from tests.flows.test_load import account, findings, load, table
from tests.flows.test_load_plates import LAYOUT, WELLS, plate, write_plate

HEADER = "well,analyte,excluded_by,excluded_on,reason"
NEXT = date(2026, 1, 16)
THIRD = date(2026, 1, 17)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    folder = write_good_landing(tmp_path / "landing")
    write_plate(folder, plate(il7=WELLS), *LAYOUT)
    load(folder)
    return folder


def exclude(landing: Path, *lines: str) -> None:
    write_table(landing, "plates/a.exclusions.csv", *lines, header=HEADER)


def il7(landing: Path, name: str = "cytokines") -> list[tuple[str, float | None, int]]:
    frame = table(landing, name).sort("timepoint", descending=True)
    return frame.select("timepoint", pl.col("concentration_pg_ml").round(2), "n_wells").rows()


def test_an_excluded_well_leaves_the_next_nights_mean(landing: Path):
    exclude(landing, "B5,,A. Nurse,2026-01-15,air bubble")
    loaded = load(landing, NEXT)
    assert [n_wells for _, _, n_wells in il7(landing)] == [1, 2]
    assert findings(loaded, "plates/a.layout.csv") == [(3, "well_is_not_excluded")]
    assert account(loaded, "plates/a.csv") == (4, 1, 2, 1)


def test_the_former_value_and_the_former_fit_stay_in_history(landing: Path):
    before = table(landing, "plate_curves")["c"].to_list()
    exclude(landing, "A2,IL-7,A. Nurse,2026-01-15,pipetting")
    load(landing, NEXT)
    assert table(landing, "plate_curves_history")["c"].to_list() == before
    assert table(landing, "plate_curves")["c"].to_list() != before
    assert len(table(landing, "cytokines_history")) == 2


def test_an_excluded_standard_is_not_fitted(landing: Path):
    exclude(landing, "A2,IL-7,A. Nurse,2026-01-15,pipetting")
    load(landing, NEXT)
    assert table(landing, "plate_curves")["n_standards"].to_list() == [13]


def test_an_excluded_analyte_gives_no_value(landing: Path):
    exclude(landing, ",IL-7,A. Nurse,2026-01-15,wrong lot")
    load(landing, NEXT)
    assert il7(landing) == []


def test_who_when_and_why_are_kept(landing: Path):
    exclude(landing, "B5,,A. Nurse,2026-01-15,air bubble")
    load(landing, NEXT)
    kept = table(landing, "exclusions").select("well", "analyte", "excluded_by", "excluded_on", "reason")
    assert kept.rows() == [("B5", None, "A. Nurse", date(2026, 1, 15), "air bubble")]


def test_taking_the_exclusion_away_brings_the_value_back(landing: Path):
    before = il7(landing)
    exclude(landing, "B5,,A. Nurse,2026-01-15,air bubble")
    load(landing, NEXT)
    (landing / "plates" / "a.exclusions.csv").unlink()
    load(landing, THIRD)
    assert il7(landing) == before
    assert table(landing, "exclusions").is_empty()


def test_the_same_exclusion_again_changes_nothing(landing: Path):
    exclude(landing, "B5,,A. Nurse,2026-01-15,air bubble")
    load(landing, NEXT)
    assert not load(landing, THIRD).has_changed


def test_a_plate_whose_exclusions_cannot_be_followed_waits_and_what_was_loaded_stays(landing: Path):
    before = il7(landing)
    exclude(landing, "H9,,A. Nurse,2026-01-15,air bubble")
    loaded = load(landing, NEXT)
    assert findings(loaded, "plates/a.csv") == [(None, "excluded_well_is_on_the_plate")]
    assert il7(landing) == before


def test_an_exclusion_that_is_said_twice_holds_nothing_up(landing: Path):
    exclude(landing, *["B5,,A. Nurse,2026-01-15,air bubble"] * 2)
    load(landing, NEXT)
    assert [n_wells for _, _, n_wells in il7(landing)] == [1, 2]


def test_exclusions_without_a_plate_are_told(landing: Path):
    write_table(landing, "plates/b.exclusions.csv", "A1,,A,2026-01-15,x", header=HEADER)
    assert findings(load(landing, NEXT), "plates/b.exclusions.csv") == [(None, "file_has_its_companions")]
