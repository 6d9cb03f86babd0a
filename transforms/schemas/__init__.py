"""The tables of the warehouse: every column with its type, unit and meaning, said once.

Here: what a table is. Not here: what must be true of its rows (`expectations.rules`), how it is stored
(`flows.warehouse`). Everyone reads it; the data dictionary in the README's terms is these definitions.
"""

from transforms.schemas.derived import COHORT, COUNT_COURSE, DERIVED_TABLES, MONTHLY_COUNTS
from transforms.schemas.hospital import (
    COUNTS,
    EARLIEST_DATE,
    FOLLOW_UP,
    LANDED_TABLES,
    PATIENT_ID,
    PATIENT_KEY,
    PATIENTS,
    SITE,
    TOXICITIES,
    YES_NO,
)
from transforms.schemas.night import CHANGES, ESTIMATES, LOADS, NIGHTS, PROVENANCE, QUARANTINE
from transforms.schemas.plates import (
    CONTROL_CHART,
    CYTOKINES,
    EXCLUSIONS,
    GUIDE_SETS,
    PLATE_CURVES,
    PLATE_FINDINGS,
    PLATE_TABLES,
    PLATE_WELLS,
    PLATES,
    RANGES,
    SEVERITIES,
    TIMEPOINTS,
)
from transforms.schemas.table import Column, Table

__all__ = [
    "CHANGES",
    "COHORT",
    "CONTROL_CHART",
    "COUNTS",
    "COUNT_COURSE",
    "CYTOKINES",
    "DERIVED_TABLES",
    "EARLIEST_DATE",
    "ESTIMATES",
    "EXCLUSIONS",
    "FOLLOW_UP",
    "GUIDE_SETS",
    "LANDED_TABLES",
    "LOADS",
    "MONTHLY_COUNTS",
    "NIGHTS",
    "PATIENTS",
    "PATIENT_ID",
    "PATIENT_KEY",
    "PLATES",
    "PLATE_CURVES",
    "PLATE_FINDINGS",
    "PLATE_TABLES",
    "PLATE_WELLS",
    "PROVENANCE",
    "QUARANTINE",
    "RANGES",
    "SEVERITIES",
    "SITE",
    "TIMEPOINTS",
    "TOXICITIES",
    "YES_NO",
    "Column",
    "Table",
]
