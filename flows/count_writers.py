"""Simulated counts as the files that laboratories send: FHIR lines, a FHIR Bundle, OMOP's two tables.

Here: which files a form has. Not here: the JSON and columns themselves (`transforms.counts`), nor the
design's own CSV, which faults are planted in (`flows.simulate`, which calls this).
"""

from collections.abc import Mapping

import polars as pl

from transforms.counts.fhir_export import write_fhir_bundle, write_fhir_ndjson
from transforms.counts.omop_export import write_omop

CSV = "csv"
COUNT_FORMS = (CSV, "fhir-ndjson", "fhir-bundle", "omop")


def written_counts(counts: pl.DataFrame, form: str) -> Mapping[str, bytes]:
    """Return the files of one site's counts in a form other than CSV, each by what its name ends in.

    counts: site, patient_id, collected_at, code, value and unit as the site writes them, all as text. Raises
    `ValueError` for a form that is not in `COUNT_FORMS`, or is CSV.
    """
    match form:
        case "fhir-ndjson":
            return {".ndjson": write_fhir_ndjson(counts)}
        case "fhir-bundle":
            return {".json": write_fhir_bundle(counts)}
        case "omop":
            measurement, person = write_omop(counts)
            return {".csv": measurement, ".person.csv": person}
    raise ValueError(f"No form {form!r} of counts: expected one of {', '.join(COUNT_FORMS[1:])}.")
