"""The rules on a count beside its course: each falls for its own measure alone, and null passes."""

import polars as pl
import pytest
from staged_rows import NIGHT

from expectations.rules import ROW_RULES
from expectations.rules_plausibility import PLAUSIBILITY_HELPERS, PLAUSIBILITY_RULES, TABLE
from expectations.validation import Validation, validate_rows
from transforms.counts.course_checks import MEASURES
from transforms.schemas.counts import COUNTS

RULE_OF = {rule.arguments["column"]: rule for rule in PLAUSIBILITY_RULES}


@pytest.fixture
def validation(monkeypatch: pytest.MonkeyPatch) -> Validation:
    """Line 2 with nothing false and the measures true, line 3 all null, then one measure false a line."""
    monkeypatch.setitem(ROW_RULES, TABLE, PLAUSIBILITY_RULES)
    verdicts = [dict.fromkeys(MEASURES, True), dict.fromkeys(MEASURES)]
    verdicts += [verdicts[0] | {measure: False} for measure in MEASURES]
    rows = [{"tlc_cells_per_ul": 4321.0, "line": line, **one} for line, one in enumerate(verdicts, start=2)]
    schema = {**COUNTS.polars_schema, **MEASURES, "file_id": pl.String(), "line": pl.Int64()}
    return validate_rows(TABLE, pl.DataFrame(rows, schema=schema), night=NIGHT)


def test_each_measure_breaks_its_own_rule_and_null_breaks_none(validation):
    expected = {line: RULE_OF[measure].name for line, measure in enumerate(MEASURES, start=4)}
    assert dict(validation.failed.select("line", "rule").iter_rows()) == expected
    assert validation.passed["line"].to_list() == [2, 3]


def test_a_finding_shows_no_patients_value(validation):
    assert "4321" not in validation.failed.write_csv() + validation.report.content
    assert "4,321" not in validation.failed.write_csv() + validation.report.content


def test_every_measure_is_looked_at_and_explained():
    assert set(RULE_OF) == set(MEASURES) == {helper.name for helper in PLAUSIBILITY_HELPERS}
    assert {rule.column for rule in PLAUSIBILITY_RULES} <= set(COUNTS.column_names)
    assert not {helper.name for helper in PLAUSIBILITY_HELPERS} & set(COUNTS.column_names)


def test_rules_for_the_course_set_rows_aside_and_stop_no_night():
    assert not any(rule.is_fatal for rule in PLAUSIBILITY_RULES)
    assert {rule.table for rule in PLAUSIBILITY_RULES} == {TABLE}
