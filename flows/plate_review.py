"""All plates of the warehouse under review: rules, curves, control charts, guide sets, exclusions.

Here: gathering what the report, Prefect and the warehouse get of them. Not here: the reviews themselves
(`transforms.plates`). Called by `flows.steps`.
"""

from dataclasses import dataclass
from datetime import date

import polars as pl

from flows.report.context import PlateReport
from flows.warehouse import Warehouse
from transforms.plates.control_chart import (
    control_chart,
    control_values,
    drift,
    guide_sets,
    levey_jennings_frame,
    newest_lot,
)
from transforms.plates.overview import count_ranges, curve_quality, rules_broken

CHARTED_ANALYTE = "IL-7"


@dataclass(frozen=True, eq=False)
class PlateReview:
    """Guide sets (`GUIDE_SETS`, every version), the chart (`CONTROL_CHART`), and what the report shows."""

    guide_sets: pl.DataFrame
    chart: pl.DataFrame
    report: PlateReport


def review_plates(warehouse: Warehouse, *, night: date) -> PlateReview:
    """Review every plate that the warehouse holds; the guide sets of former nights stay as they are."""
    wells, curves = warehouse.read("plate_wells"), warehouse.read("plate_curves")
    plates, findings = warehouse.read("plates"), warehouse.read("plate_findings")
    values = control_values(wells, curves, plates)
    sets = guide_sets(values, warehouse.read("guide_sets"), night=night)
    chart = control_chart(values, sets)
    lot = newest_lot(chart, CHARTED_ANALYTE)
    report = PlateReport(
        n_plates=len(plates),
        rules=rules_broken(findings),
        curves=curve_quality(curves),
        ranges=count_ranges(wells),
        exclusions=warehouse.read("exclusions"),
        drift=drift(chart),
        course=levey_jennings_frame(chart, CHARTED_ANALYTE, kit_lot=lot),
        course_of=f"{CHARTED_ANALYTE}, kit lot {lot}" if lot else "",
    )
    return PlateReview(sets, chart, report)
