"""What a night found otherwise than the one before: told once, and the same when the night runs again."""

from datetime import date

import polars as pl

from flows.night_changes import night_before, tell_changes, with_changes
from tests.tables import complete, draw
from transforms.schemas import CHANGES, COHORT, CYTOKINES, ESTIMATES, NIGHTS

FIRST, SECOND, THIRD = date(2026, 11, 21), date(2026, 11, 22), date(2026, 11, 23)


def nights_of(*days: date) -> pl.DataFrame:
    return complete(pl.DataFrame({"night": list(days)}), NIGHTS.polars_schema)


def estimates_of(value: float) -> pl.DataFrame:
    row = {"analysis": "cox_os", "group": "univariate", "variable": "asl", "level": "", "statistic": "hr"}
    return complete(pl.DataFrame([row | {"value": value}]), ESTIMATES.polars_schema)


def samples_of(value: float | None) -> pl.DataFrame:
    drawn = draw(
        CYTOKINES.polars_schema,
        """
        patient_id | timepoint | analyte
        -----------+-----------+--------
        P1         | pre_rt    | IL-7
        """,
        site="a",
    )
    return complete(drawn, CYTOKINES.polars_schema).with_columns(
        concentration_pg_ml=pl.lit(value, pl.Float64)
    )


def tables_of(hazard_ratio: float, il7: float | None) -> dict[str, pl.DataFrame]:
    cohort = pl.DataFrame(schema=COHORT.polars_schema)
    return {"estimates": estimates_of(hazard_ratio), "cytokines": samples_of(il7), "cohort": cohort}


def former_of(hazard_ratio: float, il7: float, *days: date) -> dict[str, pl.DataFrame]:
    empty = pl.DataFrame(schema=CHANGES.polars_schema)
    return tables_of(hazard_ratio, il7) | {"nights": nights_of(*days), "changes": empty}


def test_the_first_night_has_nothing_to_compare_with():
    assert night_before(nights_of(), FIRST) is None
    assert with_changes(former_of(2.0, 2.5), tables_of(3.0, 1.0), night=FIRST).is_empty()


def test_the_night_before_is_the_last_one_that_published():
    assert night_before(nights_of(FIRST, SECOND, THIRD), THIRD) == SECOND


def test_a_changed_sample_and_the_estimates_it_moved_are_kept_with_both_numbers():
    changes = with_changes(former_of(2.0, 2.5, FIRST), tables_of(2.1, 2.9), night=SECOND)
    told = changes.select("of", "patient_id", "topic", "what", "kind", "before", "after").rows()
    assert sorted(told, key=str) == sorted(
        [
            ("samples", "P1", "IL-7", "pre_rt", "changed", 2.5, 2.9),
            ("estimates", None, "cox_os", "univariate / asl / hr", "changed", 2.0, 2.1),
        ],
        key=str,
    )


def test_a_night_that_runs_again_tells_what_it_told():
    first = with_changes(former_of(2.0, 2.5, FIRST), tables_of(2.1, 2.9), night=SECOND)
    again = former_of(2.1, 2.9, FIRST, SECOND) | {"changes": first}
    assert with_changes(again, tables_of(2.1, 2.9), night=SECOND).equals(first)


def test_changes_of_other_nights_stay():
    first = with_changes(former_of(2.0, 2.5, FIRST), tables_of(2.1, 2.9), night=SECOND)
    later = former_of(2.1, 2.9, FIRST, SECOND) | {"changes": first}
    changes = with_changes(later, tables_of(2.4, 2.9), night=THIRD)
    assert changes.filter(night=SECOND).equals(first)
    assert changes.filter(night=THIRD)["of"].to_list() == ["estimates"]


def test_the_sentence_counts_and_names_nobody():
    changes = with_changes(former_of(2.0, 2.5, FIRST), tables_of(2.1, 2.9), night=SECOND)
    assert tell_changes(changes, night=SECOND) == (
        "IL-7 of 1 patient, 1 estimate in 1 analysis changed since 2026-11-21.",
    )
    assert tell_changes(changes, night=THIRD) == ()


def test_what_a_second_run_takes_back_is_no_change():
    first = with_changes(former_of(2.0, 2.5, FIRST), tables_of(2.1, 2.9), night=SECOND)
    again = former_of(2.1, 2.9, FIRST, SECOND) | {"changes": first}
    assert with_changes(again, tables_of(2.0, 2.5), night=SECOND).is_empty()
