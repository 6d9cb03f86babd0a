"""OMOP MEASUREMENT (common data model 5.3 and 5.4) with PERSON to laboratory results.

Here: what the columns and concepts mean. Not here: CSV and Parquet as such (`transforms.counts.omop_table`),
units and codes themselves (`transforms.counts.units`, `transforms.counts.codes`). Called by `flows`.
"""

import polars as pl

from transforms.counts.codes import (
    CODE_OF_CONCEPT,
    COMPARATOR_OF_CONCEPT,
    EQUALS_CONCEPT,
    KIND_OF_CODE,
    UNIT_OF_CONCEPT,
)
from transforms.counts.laboratory_results import RESULT_TEXTS, ParsedResults, typed_results
from transforms.counts.omop_table import read_table
from transforms.counts.units import is_known_unit
from transforms.line_rules import LineRule, sift_lines
from transforms.moments import to_days

MEASUREMENT_COLUMNS = (
    "measurement_id",
    "person_id",
    "measurement_concept_id",
    "measurement_date",
    "value_as_number",
)
OPTIONAL_COLUMNS = (
    "measurement_datetime",
    "operator_concept_id",
    "unit_concept_id",
    "range_low",
    "measurement_source_value",
    "unit_source_value",
)
PERSON_COLUMNS = ("person_id", "person_source_value")

_CORRECT = "Correct it at the source and send it again"
# No operator, or the one that says nothing.
_NO_COMPARATOR = (0, EQUALS_CONCEPT)

_RULES = (
    LineRule(
        column="person_id",
        rule="result_names_its_patient",
        holds=pl.col("patient_id").is_not_null(),
        found="a person without a person_source_value in PERSON, or none",
        expected="a person of the PERSON table beside it",
        remedy="Send the PERSON table of the same export",
    ),
    LineRule(
        column="value_as_number",
        rule="result_has_a_value",
        holds=pl.col("value_text").is_not_null(),
        found="no number",
        expected="the value as a number",
        remedy="Nothing to do where the result is in words or was not got",
    ),
    LineRule(
        column="value_as_number",
        rule="value_is_a_number",
        holds=pl.col("value").is_finite() | pl.col("value_text").is_null(),
        found="not a number",
        expected="a number",
        remedy=_CORRECT,
    ),
    LineRule(
        column="operator_concept_id",
        rule="comparator_is_known",
        holds=pl.col("comparator").is_not_null() | pl.col("operator").fill_null(0).is_in(_NO_COMPARATOR),
        found="another operator",
        expected="one of " + ", ".join(str(concept) for concept in (*COMPARATOR_OF_CONCEPT, EQUALS_CONCEPT)),
        remedy=_CORRECT,
    ),
    LineRule(
        column="measurement_date",
        rule="value_is_a_date",
        holds=pl.col("day").is_not_null(),
        found="no such date",
        expected="an ISO date, YYYY-MM-DD",
        remedy=_CORRECT,
    ),
)


def parse_omop(measurement: bytes, *, person: bytes | None = None, first_line: int = 2) -> ParsedResults:
    """Parse a MEASUREMENT table, CSV or Parquet (the bytes say which), into laboratory results.

    A patient is the person_source_value of `person` (the PERSON table), or the person_id where none is given.
    A part of a CSV is parsed with the header put before it and `first_line`, the line of its first record.
    The site is left open: an OMOP care site is a number within its own database. Raises `UnreadableFileError`
    where it is no table or a needed column is missing.
    """
    table = read_table(measurement, MEASUREMENT_COLUMNS, optional=OPTIONAL_COLUMNS, first_line=first_line)
    rows = _with_patients(table.rows, person)
    whole, broken = sift_lines(_results(rows), _RULES)
    typed, undated = typed_results(whole.select(*RESULT_TEXTS.names(), "day"))
    return ParsedResults(
        rows=typed,
        rejected=pl.concat([table.cut_short, broken, undated]).sort("line", maintain_order=True),
        n_records=table.rows.height + table.cut_short.height,
    )


def _with_patients(rows: pl.DataFrame, person: bytes | None) -> pl.DataFrame:
    if person is None:
        return rows.with_columns(patient_id=_whole("person_id"))
    persons = read_table(person, PERSON_COLUMNS, first_line=2).rows
    patients = persons.select(_whole("person_id"), patient_id="person_source_value").unique(
        "person_id", keep="first", maintain_order=True
    )
    return rows.with_columns(_whole("person_id")).join(
        patients, on="person_id", how="left", maintain_order="left"
    )


def _results(rows: pl.DataFrame) -> pl.DataFrame:
    """Return rows of `RESULT_TEXTS`, and what the rules need beside them."""
    concept = _whole("measurement_concept_id")
    operator = _whole("operator_concept_id").cast(pl.Int64, strict=False)
    return rows.with_columns(
        to_days(rows["measurement_date"]).alias("day"),
        pl.lit(None, pl.String()).alias("site"),
        _whole("measurement_id").alias("result_id"),
        pl.lit("final").alias("status"),
        pl.coalesce("measurement_datetime", "measurement_date").alias("collected"),
        pl.lit(None, pl.String()).alias("known"),
        _code(concept).alias("code"),
        pl.col("value_as_number").alias("value_text"),
        pl.col("value_as_number").cast(pl.Float64, strict=False).alias("value"),
        operator.alias("operator"),
        operator.replace_strict(COMPARATOR_OF_CONCEPT, default=None, return_dtype=pl.String).alias(
            "comparator"
        ),
        _unit(rows["unit_source_value"]).alias("unit"),
        pl.col("range_low").cast(pl.Float64, strict=False).alias("lower_limit"),
        pl.lit(None, pl.String()).alias("lower_limit_unit"),
    )


def _whole(name: str) -> pl.Expr:
    # A column of whole numbers with gaps comes out of some tools as 731.0.
    return pl.col(name).str.replace(r"\.0*$", "")


def _code(concept: pl.Expr) -> pl.Expr:
    """Return the source's LOINC code where it is known here, else the concept's, else the concept."""
    source = pl.col("measurement_source_value")
    by_concept = {str(concept): code for concept, code in CODE_OF_CONCEPT.items()}
    return (
        pl.when(source.is_in(list(KIND_OF_CODE)))
        .then(source)
        .otherwise(
            pl.coalesce(
                concept.replace_strict(by_concept, default=None, return_dtype=pl.String),
                pl.lit("omop|") + concept,
            )
        )
    )


def _unit(source: pl.Series) -> pl.Expr:
    """Return the source's unit where its spelling is known here, else the concept's, else the source's."""
    known = [unit for unit in source.drop_nulls().unique().to_list() if is_known_unit(unit)]
    by_concept = {str(concept): unit for concept, unit in UNIT_OF_CONCEPT.items()}
    as_written = pl.col(source.name)
    return (
        pl.when(as_written.is_in(known))
        .then(as_written)
        .otherwise(
            pl.coalesce(
                _whole("unit_concept_id").replace_strict(by_concept, default=None, return_dtype=pl.String),
                as_written,
            )
        )
    )
