"""What a night writes about itself: where rows came from, quarantine, the ledger, estimates.

Here: their tables. Read through `transforms.schemas`.
"""

from transforms.schemas.table import Table, day, integer, number, text

# Who brought a row: written beside the columns of every loaded table.
PROVENANCE = (
    text("file_id", "sha256 of the file the row came from", required=True),
    integer("line", "Line of the row in that file, or in the plate's layout"),
    day("loaded_night", "Night that loaded the row", required=True),
)

QUARANTINE = Table(
    name="quarantine",
    key=("file_id", "line", "rule", "column"),
    columns=(
        text("source", "Landing folder the file is in, or cohort for what is derived", required=True),
        text("file", "File, as named in the landing folder", required=True),
        text("file_id", "sha256 of the file; empty for what is no readable file"),
        integer("line", "Line in the file; empty where the whole file is meant"),
        text("column", "Column or part of the file"),
        text("rule", "Rule that was broken", required=True),
        text("found", "What was found, without the value", required=True),
        text("expected", "What was expected", required=True),
        text("remedy", "What to do", required=True),
        day("first_night", "Night that put it here", required=True),
    ),
)

LOADS = Table(
    name="loads",
    key=("night", "file_id"),
    columns=(
        day("night", "Night that loaded the file", required=True),
        text("source", "Landing folder", required=True),
        text("file", "File, as named in the landing folder", required=True),
        text("file_id", "sha256 of the file's content", required=True),
        integer("rows_in", "Rows in the file, counted apart from the parser", required=True),
        integer("loaded", "New and changed rows", required=True),
        integer("unchanged", "Rows that the warehouse held already", required=True),
        integer("quarantined", "Rows in quarantine", required=True),
        text("note", "What to know of the file; loses nothing"),
    ),
)

NIGHTS = Table(
    name="nights",
    key=("night",),
    columns=(
        day("night", "The night's logical date", required=True),
        text("origin", "Where the data come from: landed or simulated", required=True),
        text("cohort_sha256", "Hash of the cohort's content", required=True),
        text("code_version", "Version of Nadir", required=True),
        text("study_options", "How the study's models were fitted and checked, as JSON"),
    ),
)

# What a night found otherwise than the night before it: also why an estimate moved.
CHANGES = Table(
    name="changes",
    key=("night", "of", "site", "patient_id", "topic", "what"),
    columns=(
        day("night", "Night that found it", required=True),
        day("since", "Night before it", required=True),
        text("of", "What changed", required=True, allowed=("samples", "cohort", "estimates")),
        text("site", "Hospital of the patient; empty for estimates"),
        text("patient_id", "The patient's identifier at that site; empty for estimates"),
        text("topic", "The analyte, the column (empty for the whole row) or the analysis"),
        text("what", "The sample, the patient's row, or the estimate", required=True),
        text("kind", "How", required=True, allowed=("changed", "new", "gone")),
        number("before", "The number before; empty for none"),
        number("after", "The number after; empty for none"),
    ),
)

# Whose data the night's models lean on; it stays in the warehouse, for it names patients.
INFLUENTIAL_PATIENTS = Table(
    name="influential_patients",
    key=("analysis", "variable", "site", "patient_id"),
    columns=(
        text("analysis", "The regression, in the study's words", required=True),
        text("variable", "The variable whose coefficient moves", required=True),
        text("site", "Hospital of the patient", required=True),
        text("patient_id", "The patient's identifier at that site", required=True),
        number("dfbetas", "By how many standard errors it moves: above 2 / sqrt(n)", required=True),
    ),
)

ESTIMATES = Table(
    name="estimates",
    key=("analysis", "group", "variable", "level", "statistic"),
    columns=(
        text("analysis", "Which analysis, in the study's words", required=True),
        text("group", "Group or model", required=True),
        text("variable", "Variable", required=True),
        text("level", "Level of a categorical variable; empty otherwise", required=True),
        text("statistic", "n, percent, mean, hr, or, ci_low, ci_high, p, ...", required=True),
        number("value", "The number; empty where it could not be estimated"),
        integer("n", "Patients the number is about"),
        integer("events", "Events among them"),
        text("definition", "How it was computed, or why it could not be"),
    ),
)
