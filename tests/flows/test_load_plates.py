"""Plates: from an export and its layout to published concentrations, every layout line accounted for."""

from datetime import date, datetime
from pathlib import Path

import polars as pl
import pytest

from flows.warehouse import Warehouse
from tests.flows.landing_builder import write_good_landing, write_table
from tests.flows.test_load import account, findings, load, night_of, table
from transforms.xponent.export import ExportLevel, ExportPlate, ExportWell, write_xponent

LAYOUT_HEADER = "well,site,patient_id,timepoint,collected_on"
LEVELS = (1.2, 4.9, 19.5, 78.1, 312.5, 1250.0, 5000.0)
REAL_PLATE = Path(__file__).parents[2].parent / "shared" / "data" / "xponent-magpix-adabi" / "A549.csv"


def signal(concentration_pg_ml: float) -> float:
    """A five-parameter curve, as beads read it in half units; a negative sample is darker than the blank."""
    if concentration_pg_ml < 0:
        return 12.0
    y = 20 + (30_000 - 20) / (1 + (max(concentration_pg_ml, 1e-9) / 900) ** -1.1) ** 0.9
    return round(2 * y) / 2


def plate(*, il7: dict[str, float], n_beads: int = 80) -> bytes:
    """An export with a background, standards in duplicate, and one sample well for each of `il7`."""
    wells = [("A1", "Background0", 0.0), ("B1", "Background0", 0.0)]
    for number, level in enumerate(LEVELS, start=1):
        row = "ABCDEFGH"[number - 1]
        wells += [(f"{row}2", f"Standard{number}", level), (f"{row}3", f"Standard{number}", level)]
    wells += [(well, f"Sample {well}", concentration) for well, concentration in il7.items()]
    return write_xponent(
        ExportPlate(
            batch="P1",
            lot="L1",
            started_at=datetime(2024, 2, 5, 10, 0),
            analytes=("IL-7",),
            standards=tuple(ExportLevel(f"Standard{n}", (level,)) for n, level in enumerate(LEVELS, start=1)),
            wells=tuple(ExportWell(well, sample, (signal(x),), (n_beads,)) for well, sample, x in wells),
        )
    )


def write_plate(landing: Path, content: bytes, *layout: str) -> None:
    (landing / "plates").mkdir(exist_ok=True)
    (landing / "plates" / "a.csv").write_bytes(content)
    write_table(landing, "plates/a.layout.csv", *layout, header=LAYOUT_HEADER)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return write_good_landing(tmp_path / "landing")


PRE, POST = "pre_rt,2023-12-29", "post_rt,2024-02-02"
WELLS = {"A5": 2.0, "B5": 2.2, "C5": 3.1, "D5": 3.3}
LAYOUT = (f"A5,a,P1,{PRE}", f"B5,a,P1,{PRE}", f"C5,a,P1,{POST}", f"D5,a,P1,{POST}")


def test_duplicate_wells_become_one_concentration_near_what_was_drawn(landing: Path):
    write_plate(landing, plate(il7=WELLS), *LAYOUT)
    loaded = load(landing)
    rows = table(landing, "cytokines").sort("timepoint", descending=True)
    assert account(loaded, "plates/a.csv") == (4, 4, 0, 0)
    assert rows["timepoint"].to_list() == ["pre_rt", "post_rt"]
    assert rows["concentration_pg_ml"].to_list() == pytest.approx([2.1, 3.2], rel=0.02)


def test_a_plate_without_its_layout_waits_and_loads_with_it(landing: Path):
    write_plate(landing, plate(il7=WELLS), *LAYOUT)
    layout = landing / "plates" / "a.layout.csv"
    content = layout.read_bytes()
    layout.unlink()
    assert findings(load(landing), "plates/a.csv") == [(None, "file_has_its_companions")]
    layout.write_bytes(content)
    second = load(landing, date(2026, 1, 16))
    assert account(second, "plates/a.csv") == (4, 4, 0, 0)
    assert second.quarantine.is_empty()


def test_a_corrected_layout_takes_the_value_from_the_wrong_patient(landing: Path):
    write_plate(landing, plate(il7=WELLS), *LAYOUT)
    load(landing)
    write_plate(landing, plate(il7=WELLS), *(line.replace("P1", "P2") for line in LAYOUT))
    load(landing, date(2026, 1, 16))
    assert set(table(landing, "cytokines")["patient_id"]) == {"P2"}
    assert set(table(landing, "cytokines_history")["patient_id"]) == {"P1"}


def test_the_same_plate_again_changes_nothing(landing: Path):
    write_plate(landing, plate(il7=WELLS), *LAYOUT)
    load(landing)
    again = load(landing)
    assert (again.has_changed, account(again, "plates/a.csv")) == (False, (4, 0, 4, 0))


def test_a_cut_export_is_quarantined_whole_and_the_counts_load(landing: Path):
    content = plate(il7=WELLS)
    write_plate(landing, content[: len(content) // 2], *LAYOUT)
    loaded = load(landing)
    assert account(loaded, "plates/a.csv") == (4, 0, 0, 4)
    assert findings(loaded, "plates/a.csv") == [(None, "export_is_whole")]
    assert account(loaded, "counts/c.csv") == (6, 6, 0, 0)


def test_lines_of_unknown_patients_and_wells_wait_and_their_neighbours_load(landing: Path):
    wrong = (f"E9,a,P1,{PRE}", f"D5,a,P9,{POST}", f"A2,a,P2,{PRE}")
    write_plate(landing, plate(il7=WELLS), *LAYOUT[:2], *wrong)
    loaded = load(landing)
    assert account(loaded, "plates/a.csv") == (5, 2, 0, 3)
    assert set(findings(loaded, "plates/a.layout.csv")) >= {
        (4, "well_is_in_the_export"),
        (5, "cytokines_patient_is_known"),
        (6, "well_holds_a_sample"),
    }


def test_a_sample_below_the_curve_has_no_number_and_is_not_lost(landing: Path):
    write_plate(landing, plate(il7={"A5": -1.0, "B5": -1.0}), *LAYOUT[:2])
    loaded = load(landing)
    assert table(landing, "cytokines").select("concentration_pg_ml", "range").rows() == [(None, "below")]
    assert account(loaded, "plates/a.csv") == (2, 2, 0, 0)


def test_wells_with_few_beads_give_nothing_and_say_so(landing: Path):
    write_plate(landing, plate(il7=WELLS, n_beads=20), *LAYOUT)
    loaded = load(landing)
    assert account(loaded, "plates/a.csv") == (4, 0, 0, 4)
    assert table(landing, "cytokines").is_empty()


@pytest.mark.skipif(not REAL_PLATE.is_file(), reason="the real export is not beside the checkout")
def test_a_real_export_is_published_at_the_instrument_s_own_concentrations(landing: Path):
    wells = ("E3", "H3", "C4")
    layout = [f"{well},a,P{n},{PRE}" for n, well in enumerate(wells, start=1)]
    write_plate(landing, REAL_PLATE.read_bytes(), *layout)
    loaded = load(landing)
    assert account(loaded, "plates/a.csv") == (3, 3, 0, 0)
    with Warehouse(night_of(landing).paths.current, read_only=True) as warehouse:
        il8 = warehouse.read("cytokines").filter(analyte="IL-8")
        printed = warehouse.read("plate_wells").filter(pl.col("well").is_in(wells), analyte="IL-8")
    assert il8["concentration_pg_ml"].sort().to_list() == pytest.approx(
        printed["instrument_result"].cast(pl.Float64).sort().to_list(), rel=0.01
    )
