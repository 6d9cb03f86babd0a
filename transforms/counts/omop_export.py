"""Counts to OMOP CDM 5.4: the tables MEASUREMENT and PERSON, as CSV.

Here: the columns. Not here: who writes what (`models.simulation.sites`), reading (`transforms.counts.omop`).
Called by `flows.simulate`.
"""

import polars as pl

from transforms.counts.codes import CODE_OF_CONCEPT, UNIT_OF_CONCEPT
from transforms.counts.export_names import number_rows
from transforms.moments import to_moments

_CONCEPT_OF_CODE = {code: concept for concept, code in CODE_OF_CONCEPT.items()}
_CONCEPT_OF_UNIT = {unit: concept for concept, unit in reversed(UNIT_OF_CONCEPT.items())} | {"cells/uL": 8784}
# "Lab": what kind of record it is.
_TYPE_CONCEPT = 32856
_RESULT = ("patient_id", "collected_at", "code")
_EMPTY = pl.lit(None, pl.String())


def write_omop(counts: pl.DataFrame) -> tuple[bytes, bytes]:
    """Write the counts of one site as MEASUREMENT and PERSON (CSV), in this order.

    counts: patient_id, collected_at, code, value and unit, all as text; OMOP has no offsets, so
    measurement_date is the day as the site writes it and measurement_datetime the moment in UTC. The site has
    no place in it.
    """
    persons = counts.select(person_source_value="patient_id").unique(maintain_order=True)
    persons = persons.with_columns(number_rows(persons, ("person_source_value",)).alias("person_id"))
    rows = counts.join(
        persons, left_on="patient_id", right_on="person_source_value", how="left", maintain_order="left"
    )
    return _measurement(rows).write_csv().encode(), _person(persons).write_csv().encode()


def _measurement(rows: pl.DataFrame) -> pl.DataFrame:
    moment = to_moments(rows["collected_at"]).dt.strftime("%Y-%m-%d %H:%M:%S")
    value = pl.col("value").cast(pl.String)
    return rows.with_columns(number_rows(rows, _RESULT)).select(
        pl.col("number").alias("measurement_id"),
        "person_id",
        measurement_concept_id=_concept("code", _CONCEPT_OF_CODE),
        measurement_date=pl.col("collected_at").str.head(10),
        measurement_datetime=moment,
        measurement_time=_EMPTY,
        measurement_type_concept_id=_TYPE_CONCEPT,
        operator_concept_id=0,
        value_as_number=pl.when(value.cast(pl.Float64, strict=False).is_not_null()).then(value),
        value_as_concept_id=0,
        unit_concept_id=_concept("unit", _CONCEPT_OF_UNIT),
        range_low=_EMPTY,
        range_high=_EMPTY,
        provider_id=_EMPTY,
        visit_occurrence_id=_EMPTY,
        visit_detail_id=_EMPTY,
        measurement_source_value="code",
        measurement_source_concept_id=_concept("code", _CONCEPT_OF_CODE),
        unit_source_value="unit",
        unit_source_concept_id=_EMPTY,
        value_source_value=value,
        measurement_event_id=_EMPTY,
        meas_event_field_concept_id=_EMPTY,
    )


def _concept(name: str, concepts: dict[str, int]) -> pl.Expr:
    return pl.col(name).replace_strict(concepts, default=0, return_dtype=pl.Int64)


def _person(persons: pl.DataFrame) -> pl.DataFrame:
    unknown = ("gender_concept_id", "race_concept_id", "ethnicity_concept_id")
    empty = ("year_of_birth", "month_of_birth", "day_of_birth", "birth_datetime", "location_id")
    behind = ("provider_id", "care_site_id")
    return persons.select(
        "person_id",
        *(pl.lit(0).alias(name) for name in unknown),
        *(_EMPTY.alias(name) for name in (*empty, *behind)),
        "person_source_value",
    )
