"""Rules from what a plate's file records of its run: checksum, calibrations, kit, fields that nobody reads.

Here: P01, P11 to P14, P16. Not here: rules from its numbers (`transforms.plates.arithmetic`, which calls
this). Names of operators and serial numbers never come this far.
"""

from datetime import timedelta

import polars as pl

from transforms.plates.findings import PlateRule
from transforms.xponent.reader import XponentPlate

# A month: the makers of xMAP instruments ask for calibration at least so often, and verify oftener.
RECENT = timedelta(days=31)

_CALIBRATE = "Calibrate and verify the instrument before the next plate."

CHECKSUM = PlateRule(
    code="P01",
    rule="file_is_as_the_instrument_wrote_it",
    severity="told",
    expected="the checksum of the file's own bytes",
    remedy="Export the batch again from xPONENT and do not save it from another program.",
)
CALIBRATED = PlateRule(
    code="P11",
    rule="instrument_was_calibrated_before_the_run",
    severity="told",
    expected="calibration and verification passed before the plate was read",
    remedy=_CALIBRATE + " Correct the instrument's clock where it is wrong.",
)
RECENTLY = PlateRule(
    code="P12",
    rule="calibration_is_recent",
    severity="note",
    expected=f"calibration and verification in the {RECENT.days} days before the run",
    remedy=_CALIBRATE,
)
KIT_LOT = PlateRule(
    code="P13",
    rule="kit_lot_is_given",
    severity="note",
    expected="the kit's lot, which plates over time are compared by",
    remedy="Enter the lot in the protocol before the next run.",
)
IN_DATE = PlateRule(
    code="P14",
    rule="kit_was_in_date",
    severity="told",
    expected="a kit used by its expiry date",
    remedy="Correct the date in the protocol where it is wrong; measure the samples again where it is right.",
)
ALL_READ = PlateRule(
    code="P16",
    rule="every_field_is_read",
    severity="note",
    expected="sections and header fields that are known",
    remedy="Nothing, unless one of them should change a result: then report it.",
)


def check_run_record(plate: XponentPlate) -> pl.DataFrame:
    """Return what breaks P01, P11 to P14 and P16 (schema `PLATE_FINDING_SCHEMA`)."""
    return pl.concat(
        [
            CHECKSUM.findings(_checksum(plate)),
            CALIBRATED.findings(_calibrations(plate)),
            RECENTLY.findings(_old_calibrations(plate)),
            KIT_LOT.findings(_whole_plate("no lot" if plate.kit_lot is None else None)),
            IN_DATE.findings(_whole_plate(_expiry(plate))),
            ALL_READ.findings(_whole_plate("not read: " + ", ".join(plate.unread) if plate.unread else None)),
        ]
    )


def _whole_plate(found: str | None) -> pl.DataFrame:
    rows = [] if found is None else [(None, None, found)]
    schema = {"place": pl.String, "analyte": pl.String, "found": pl.String}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _checksum(plate: XponentPlate) -> pl.DataFrame:
    if plate.checksum == "fails":
        return _whole_plate("a checksum that does not hold: a byte was changed, or the file was saved again")
    found = "no checksum" if plate.checksum == "absent" else None
    return _whole_plate(found).with_columns(severity=pl.lit("note"))


def _calibrations(plate: XponentPlate) -> pl.DataFrame:
    ran_at = pl.lit(plate.acquired_at, dtype=pl.Datetime("us"))
    has_failed = pl.col("outcome") == "failed"
    return plate.calibrations.with_columns(
        found=pl.when(has_failed)
        .then(pl.lit("it failed"))
        .when(pl.col("at") > ran_at)
        .then(pl.lit("a time after the start of the run"))
        .when(pl.col("outcome") == "other")
        .then(pl.lit("neither passed nor failed")),
        severity=pl.when(has_failed | (pl.col("at") > ran_at)).then(pl.lit("told")).otherwise(pl.lit("note")),
        analyte=pl.lit(None, dtype=pl.String),
        place=pl.col("name"),
    ).drop_nulls("found")


def _old_calibrations(plate: XponentPlate) -> pl.DataFrame:
    age = pl.lit(plate.acquired_at, dtype=pl.Datetime("us")) - pl.col("at")
    return plate.calibrations.filter(age > RECENT).select(
        place="name",
        analyte=pl.lit(None, dtype=pl.String),
        found=pl.format("{} days before the run", age.dt.total_days()),
    )


def _expiry(plate: XponentPlate) -> str | None:
    if plate.kit_expires_on is None or plate.acquired_at is None:
        return None
    days = (plate.acquired_at.date() - plate.kit_expires_on).days
    return f"a kit {days} days past its expiry date" if days > 0 else None
