"""The tables of the warehouse: every column with its type, unit and meaning, said once.

Here: what a table is. Not here: what must be true of its rows (`expectations.rules`), how it is stored
(`flows.warehouse`). Everyone reads it; the data dictionary in the README's terms is these definitions.
"""

from transforms.schemas.counts import (
    COUNT_PARTS,
    COUNTS,
    DEFINITION_CLASSES,
    LABORATORY_NAMES,
    LABORATORY_RESULTS,
    SITE_FEED,
    WEEKLY_COUNTS,
    WITHDRAWN_RESULTS,
)
from transforms.schemas.derived import COHORT, COUNT_COURSE, DERIVED_TABLES, MONTHLY_COUNTS
from transforms.schemas.hospital import (
    EARLIEST_DATE,
    FOLLOW_UP,
    PATIENT_ID,
    PATIENT_KEY,
    PATIENTS,
    SITE,
    TOXICITIES,
    YES_NO,
)
from transforms.schemas.night import (
    CHANGES,
    ESTIMATES,
    INFLUENTIAL_PATIENTS,
    LOADS,
    NIGHTS,
    PROVENANCE,
    QUARANTINE,
)
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

LANDED_TABLES = (PATIENTS, COUNTS, FOLLOW_UP, TOXICITIES)
# What a count's file brings beside the counts themselves.
COUNT_TABLES = (COUNT_PARTS, LABORATORY_NAMES, WITHDRAWN_RESULTS)

__all__ = [
    "CHANGES",
    "COHORT",
    "CONTROL_CHART",
    "COUNTS",
    "COUNT_COURSE",
    "COUNT_PARTS",
    "COUNT_TABLES",
    "CYTOKINES",
    "DEFINITION_CLASSES",
    "DERIVED_TABLES",
    "EARLIEST_DATE",
    "ESTIMATES",
    "EXCLUSIONS",
    "FOLLOW_UP",
    "GUIDE_SETS",
    "INFLUENTIAL_PATIENTS",
    "LABORATORY_NAMES",
    "LABORATORY_RESULTS",
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
    "SITE_FEED",
    "TIMEPOINTS",
    "TOXICITIES",
    "WEEKLY_COUNTS",
    "WITHDRAWN_RESULTS",
    "YES_NO",
    "Column",
    "Table",
]
