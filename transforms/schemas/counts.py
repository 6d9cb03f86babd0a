"""Blood counts: laboratory results of any source, lymphocyte counts, what derived counts are made of.

Here: their tables. Not here: readers (`transforms.counts`). Read through `transforms.schemas`.
"""

import polars as pl

from transforms.schemas.hospital import PATIENT_ID, PATIENT_KEY, SITE
from transforms.schemas.table import Column, Table, day, flag, integer, number, text

STATUSES = ("preliminary", "final", "amended", "corrected", "appended")
METHODS = ("measured", "derived")
COMPARATORS = ("<", "<=", ">=", ">")
PARTS = ("leukocytes", "lymphocyte_percent")

_COLLECTED_AT = Column("collected_at", pl.Datetime("us"), "When the blood was drawn (UTC)", required=True)
_COLLECTED_ON = Column(
    "collected_on",
    pl.Date(),
    "Day of the draw by the clock that the file is written in",
    required=True,
    is_derived=True,
)


def _derived(column: Column) -> Column:
    return Column(column.name, column.dtype, column.meaning, column.required, column.allowed, is_derived=True)


# What every reader of laboratory results gives, whatever the test, before units and codes are looked at.
LABORATORY_RESULTS = pl.Schema(
    {
        "line": pl.Int64(),
        "site": pl.String(),
        "patient_id": pl.String(),
        "result_id": pl.String(),
        "status": pl.String(),
        "collected_at": pl.Datetime("us"),
        "collected_on": pl.Date(),
        "known_at": pl.Datetime("us"),
        "code": pl.String(),
        "value": pl.Float64(),
        "comparator": pl.String(),
        "unit": pl.String(),
        "lower_limit": pl.Float64(),
        "lower_limit_unit": pl.String(),
    }
)

_AS_IT_CAME = (
    text("code", "LOINC code as it came", required=True),
    number("value", "The value as it came", required=True),
    text("unit", "The unit as it came (UCUM or a common spelling)", required=True),
)
_STATUS = _derived(text("status", "Status of the result; final where the source has none", allowed=STATUSES))

COUNTS = Table(
    name="counts",
    key=(*PATIENT_KEY, "collected_at", "code"),
    columns=(
        SITE,
        PATIENT_ID,
        _COLLECTED_AT,
        _COLLECTED_ON,
        *_AS_IT_CAME,
        _derived(number("tlc_cells_per_ul", "Total lymphocyte count in cells/uL", required=True)),
        _derived(text("comparator", "Where the value is only a limit: the true one lies so")),
        _derived(text("method", "Measured, or leukocytes times lymphocyte percent", allowed=METHODS)),
        _derived(number("lower_limit_cells_per_ul", "The laboratory's lower limit of normal")),
        _STATUS,
    ),
)

# Leukocytes and lymphocyte percent, from which counts are derived where none was measured.
COUNT_PARTS = Table(
    name="count_parts",
    key=(*PATIENT_KEY, "collected_at", "code"),
    columns=(
        SITE,
        PATIENT_ID,
        _COLLECTED_AT,
        _COLLECTED_ON,
        *_AS_IT_CAME,
        _derived(text("part", "What it is", required=True, allowed=PARTS)),
        _derived(
            number("amount", "Leukocytes in cells/uL, or lymphocytes in percent of them", required=True)
        ),
        _STATUS,
    ),
)

# How the laboratory calls the results that came with a name, and when it gave them out.
LABORATORY_NAMES = Table(
    name="laboratory_names",
    key=(*PATIENT_KEY, "collected_at", "code"),
    columns=(
        SITE,
        PATIENT_ID,
        _COLLECTED_AT,
        text("code", "LOINC code as it came", required=True),
        text("result_id", "The laboratory's name of the result; empty where the source has none"),
        Column("known_at", pl.Datetime("us"), "When the laboratory gave it out (UTC)"),
    ),
)

# Results that their laboratory took back: never counted again, unless given out anew later.
WITHDRAWN_RESULTS = Table(
    name="withdrawn_results",
    key=(*PATIENT_KEY, "result_id", "collected_at", "code"),
    columns=(
        SITE,
        PATIENT_ID,
        text("result_id", "The laboratory's name of the result; empty where the source has none"),
        Column("collected_at", pl.Datetime("us"), "When the blood was drawn (UTC)"),
        text("code", "LOINC code as it came", required=True),
        Column("known_at", pl.Datetime("us"), "When the laboratory took it back (UTC)"),
    ),
)

# One row a patient and week of RT.
WEEKLY_COUNTS = Table(
    name="weekly_counts",
    key=(*PATIENT_KEY, "rt_week"),
    columns=(
        SITE,
        PATIENT_ID,
        integer("rt_week", "Week of RT, 1 for days 0 to 6", required=True),
        day("week_start_date", "First day of the week", required=True),
        flag("is_expected", "Whether the week is over on the night, so that a count is due"),
        integer("n_counts", "Counts seen in the week", required=True),
        text("state", "What is known", required=True, allowed=("seen", "missing", "not yet due")),
    ),
)

# One row a site and calendar week.
SITE_FEED = Table(
    name="site_feed",
    key=("site", "week_start_date"),
    columns=(
        SITE,
        day("week_start_date", "Monday of the week", required=True),
        integer("n_rows", "Counts collected in the week that have arrived", required=True),
        number("n_usual", "Median of the site's weeks before; empty for too few"),
        integer("n_patients_in_rt", "Patients under RT in the week", required=True),
        text(
            "state", "What is known", required=True, allowed=("usual", "low", "silent", "new site", "quiet")
        ),
    ),
)

# One row a definition that patients are classed by.
DEFINITION_CLASSES = Table(
    name="definition_classes",
    key=(*PATIENT_KEY, "definition", "definition_version"),
    columns=(
        SITE,
        PATIENT_ID,
        text("definition", "Name of the definition", required=True),
        integer("definition_version", "Its version", required=True),
        flag("is_case", "Whether the patient is a case under it; empty where nothing was measured"),
    ),
)
