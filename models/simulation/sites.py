"""How the simulated sites differ: units, codes, dates, missed weeks, kit lots; and how each writes counts.

Here: a site's habits, and counts as the text of its CSV files. Not here: the values
(`models.simulation.course` and its siblings), the files (`flows.simulate`). Called by both.
"""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True)
class Site:
    """A hospital's habits; `share_missed` is the share of weekly counts that it does not take.

    `date_format` is of its own clock, `utc_offset_hours` ahead of UTC; without an offset in it, it means UTC.
    """

    name: str
    unit: str
    is_in_thousands: bool
    loinc_code: str
    date_format: str
    utc_offset_hours: int
    share_missed: float
    kit_lot: str


_UNITS = (("cells/uL", False), ("10*3/uL", True), ("10*9/L", True))
_CODES = ("731-0", "26474-7")
_DATE_FORMATS = (
    ("%Y-%m-%dT%H:%M:%SZ", 0),
    ("%Y-%m-%d", 0),
    ("%Y-%m-%d %H:%M", 0),
    ("%Y-%m-%dT%H:%M:%S+09:00", 9),
)
_SHARES_MISSED = (0.02, 0.10, 0.05, 0.15)


def list_sites(n_sites: int) -> tuple[Site, ...]:
    """Return the first `n_sites` simulated hospitals; their names say that they are simulated."""
    return tuple(
        Site(
            name=f"simulated-hospital-{i + 1}",
            unit=_UNITS[i % len(_UNITS)][0],
            is_in_thousands=_UNITS[i % len(_UNITS)][1],
            loinc_code=_CODES[i % len(_CODES)],
            date_format=_DATE_FORMATS[i % len(_DATE_FORMATS)][0],
            utc_offset_hours=_DATE_FORMATS[i % len(_DATE_FORMATS)][1],
            share_missed=_SHARES_MISSED[i % len(_SHARES_MISSED)],
            kit_lot=f"SIM-LOT-{i % 5 + 1:02d}",
        )
        for i in range(n_sites)
    )


def write_counts_as(site: Site, counts: pl.DataFrame) -> pl.DataFrame:
    """Return one site's counts with date and value as the text that site writes: 570 or 0.57."""
    cells = pl.col("tlc_cells_per_ul").cast(pl.Int64)
    hundredths = (cells % 1000 // 10).cast(pl.String).str.zfill(2)
    value = pl.format("{}.{}", cells // 1000, hundredths) if site.is_in_thousands else cells.cast(pl.String)
    local = pl.col("collected_at").dt.offset_by(f"{site.utc_offset_hours}h")
    return counts.with_columns(local.dt.strftime(site.date_format).alias("collected_at"), value=value)
