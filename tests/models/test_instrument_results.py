"""A simulated plate carries the results that an instrument would print from its own standards."""

from dataclasses import replace
from datetime import datetime

import polars as pl
import pytest

from models.curves.standard_curve import with_instrument_results
from tests.models.curve_wells import LADDER, NOISY, measured
from transforms.plates.wells import tidy_wells
from transforms.xponent.export import ExportLevel, ExportPlate, ExportWell, write_xponent
from transforms.xponent.reader import parse_xponent


def simulated_plate() -> ExportPlate:
    wells = [ExportWell("A1", "Background0", (12.0,), (80,))]
    for i, (_, y) in enumerate(NOISY):
        wells.append(
            ExportWell(f"{'ABCDEFGH'[i % 8]}{i // 8 + 2}", f"Standard{i // 2 + 1}", (y + 12,), (80,))
        )
    for i, y in enumerate([2.0, 40.0, 25_000.0, 90_000.0]):
        wells.append(ExportWell(f"{'ABCD'[i]}5", f"S{i}", (y + 12,), (80,), dilution_factor=2.0))
    return ExportPlate(
        batch="simulated",
        lot="1",
        started_at=datetime(2024, 1, 1),
        analytes=("IL7 (33)",),
        wells=tuple(wells),
        standards=tuple(ExportLevel(f"Standard{i + 1}", (x,)) for i, x in enumerate(LADDER)),
    )


def test_a_simulated_plate_prints_the_results_that_its_own_standards_give():
    plate = with_instrument_results(simulated_plate())
    assert plate.wells[0].results == ("NaN",)
    assert [well.results[0][:2] for well in (plate.wells[-4], plate.wells[-1])] == ["< ", "> "]
    wells = measured(tidy_wells(parse_xponent(write_xponent(plate)), plate_id="p1"))
    numbers = wells.filter(pl.col("concentration_pg_ml").is_not_null())
    assert numbers["instrument_result"].cast(pl.Float64).to_list() == pytest.approx(
        numbers["concentration_pg_ml"].to_list()
    )
    assert numbers.height == 14 + 2


def test_a_limit_is_printed_without_the_dilution():
    plate = with_instrument_results(simulated_plate())
    assert plate.wells[-4].results == ("< 0.64",)
    assert plate.wells[-1].results == ("> 2621.44",)


def test_a_simulated_plate_without_a_curve_is_refused():
    plate = replace(simulated_plate(), standards=simulated_plate().standards[:3])
    with pytest.raises(ValueError, match="3 levels of standards"):
        with_instrument_results(plate)
