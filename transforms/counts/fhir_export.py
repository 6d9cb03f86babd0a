"""Counts to FHIR R4 Observations: newline-delimited JSON, or a Bundle.

Here: the JSON. Not here: who writes what (`models.simulation.sites`), reading (`transforms.counts.fhir`).
Called by `flows.simulate` and the benchmark.
"""

import polars as pl

from transforms.counts.codes import DISPLAY_OF_CODE
from transforms.counts.export_names import number_rows

# Units that are UCUM as they stand; others are written as people read them, without a code.
_UCUM = ("10*3/uL", "10*9/L", "10*6/L", "{cells}/uL", "/uL", "/mm3", "%")
_RESULT = ("site", "patient_id", "collected_at", "code")
_ESCAPES = {"\\": "\\\\", '"': '\\"'} | {chr(i): f"\\u{i:04x}" for i in range(32)}
_NUMBER = r"^-?(0|[1-9][0-9]*)(\.[0-9]+)?$"
_CATEGORY = (
    '"category":[{"coding":[{"system":"http://terminology.hl7.org/CodeSystem/observation-category",'
    '"code":"laboratory"}]}]'
)


def write_fhir_ndjson(counts: pl.DataFrame) -> bytes:
    """Write counts as FHIR R4 Observations, one a line.

    counts: site, patient_id, collected_at, code, value and unit, all as text; a moment without an offset is
    UTC. What is no number is written as a string, as a laboratory would, and nothing as an absent value.
    """
    lines = _observations(counts)
    return "".join(f"{line}\n" for line in lines).encode()


def write_fhir_bundle(counts: pl.DataFrame) -> bytes:
    """Write counts as a FHIR R4 Bundle of type collection; `counts` is as for `write_fhir_ndjson`."""
    entries = (f'{{"resource":{observation}}}' for observation in _observations(counts))
    bundle = '{"resourceType":"Bundle","type":"collection","entry":[' + ",\n".join(entries) + "]}\n"
    return bundle.encode()


def _observations(counts: pl.DataFrame) -> pl.Series:
    named = counts.with_columns(number_rows(counts, _RESULT), moment=_moment())
    return named.select(
        pl.concat_str(
            pl.lit('{"resourceType":"Observation","id":"count-'),
            "number",
            pl.lit(
                f'","status":"final",{_CATEGORY},"code":{{"coding":[{{"system":"http://loinc.org","code":'
            ),
            _quoted(pl.col("code")),
            pl.lit(',"display":'),
            _quoted(pl.col("code").replace_strict(DISPLAY_OF_CODE, default="Another test")),
            pl.lit('}]},"subject":{"reference":'),
            _quoted("Patient/" + pl.col("patient_id")),
            pl.lit('},"effectiveDateTime":'),
            _quoted(pl.col("moment")),
            pl.lit(',"performer":[{"type":"Organization","identifier":{"value":'),
            _quoted(pl.col("site")),
            pl.lit('},"display":'),
            _quoted(pl.col("site")),
            pl.lit("}],"),
            _value(),
            pl.lit("}"),
        )
    ).to_series()


def _moment() -> pl.Expr:
    """Return the moment as FHIR has it: a day, or a day and time to the second with an offset."""
    spelt = pl.col("collected_at").str.replace(" ", "T", literal=True)
    to_the_second = spelt.str.replace(r"(T[0-9]{2}:[0-9]{2})($|Z|[+-])", "${1}:00${2}")
    has_no_offset = to_the_second.str.contains("T") & ~to_the_second.str.contains(r"(Z|[+-][0-9:]+)$")
    return pl.when(has_no_offset).then(to_the_second + "Z").otherwise(to_the_second)


def _value() -> pl.Expr:
    value, unit = pl.col("value").cast(pl.String), pl.col("unit")
    quantity = pl.concat_str(
        pl.lit('"valueQuantity":{"value":'),
        value,
        pl.lit(',"unit":'),
        _quoted(unit),
        pl.when(unit.is_in(_UCUM))
        .then(pl.lit(',"system":"http://unitsofmeasure.org","code":') + _quoted(unit))
        .otherwise(pl.lit("")),
        pl.lit("}"),
    )
    absent = '"dataAbsentReason":{"coding":[{"code":"unknown"}]}'
    return (
        pl.when(value.str.contains(_NUMBER))
        .then(quantity)
        .when(value.is_not_null())
        .then(pl.lit('"valueString":') + _quoted(value))
        .otherwise(pl.lit(absent))
    )


def _quoted(text: pl.Expr) -> pl.Expr:
    """Return the text as JSON has it, quotation marks and escapes included; empty for null."""
    return '"' + text.fill_null("").str.replace_many(_ESCAPES) + '"'
