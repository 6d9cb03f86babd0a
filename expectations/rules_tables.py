"""What must be true of whole tables before they are published: a rule that is broken stops the night.

Here: the fatal rules, few and about counts of rows and keys. Not here: rules for rows, which only send the
row to quarantine. Read by `expectations.rules`.
"""

from collections.abc import Mapping

from expectations.rule import WHOLE_TABLE, Given, Rule
from transforms.schemas import COHORT, CYTOKINES, LANDED_TABLES, MONTHLY_COUNTS, PATIENTS, Table

AUDITED = (*LANDED_TABLES, CYTOKINES, COHORT, MONTHLY_COUNTS)


def _has_a_row(table: Table) -> Rule:
    return Rule(
        name=f"{table.name}_has_at_least_one_row",
        table=table.name,
        column="",
        expectation="ExpectTableRowCountToBeBetween",
        arguments={"min_value": 1},
        reason="Without a patient every number of the night would be about nobody.",
        found="an empty table",
        expected="at least one row",
        remedy="See the quarantine for why no patient was loaded, and send the patients' file again",
        null_means=WHOLE_TABLE,
        is_fatal=True,
    )


def _key_is_unique(table: Table) -> Rule:
    key = ", ".join(table.key)
    return Rule(
        name=f"{table.name}_has_one_row_for_each_key",
        table=table.name,
        column=key,
        expectation="ExpectCompoundColumnsToBeUnique",
        arguments={"column_list": list(table.key), "ignore_row_if": "never"},
        reason="A row that stands twice counts twice in every analysis.",
        found=f"rows that share {key}",
        expected=f"one row for each {key}",
        remedy="The platform let a row in twice: report it as a bug",
        null_means=WHOLE_TABLE,
        is_fatal=True,
    )


def _lost_no_row(table: Table) -> Rule:
    return Rule(
        name=f"{table.name}_has_no_fewer_rows_than_last_published",
        table=table.name,
        column="",
        expectation="ExpectTableRowCountToBeBetween",
        arguments={"min_value": Given("former_rows")},
        reason="Files add rows and correct them; a table that shrinks has lost patients' data. Results that "
        "their laboratory took back tonight are no loss.",
        found="fewer rows than the last published table",
        expected="at least as many rows as last published, less those taken back",
        remedy="Compare with the last snapshot before anything is published, and report it as a bug",
        null_means=WHOLE_TABLE,
        is_fatal=True,
    )


def _is_whole(table: Table) -> Rule:
    return Rule(
        name=f"{table.name}_has_as_many_rows_as_patients",
        table=table.name,
        column="",
        expectation="ExpectTableRowCountToEqual",
        arguments={"value": Given("n_patients")},
        reason="With one row a patient, nobody is left out of the analyses or counted twice.",
        found="more or fewer rows than patients",
        expected="exactly one row for each patient",
        remedy="The join of the patients' tables went wrong: report it as a bug",
        null_means=WHOLE_TABLE,
        is_fatal=True,
    )


def _rules_of(table: Table) -> tuple[Rule, ...]:
    return (
        *([_has_a_row(table)] if table == PATIENTS else []),
        _key_is_unique(table),
        # A plate whose layout is corrected may give fewer concentrations than before.
        *([_lost_no_row(table)] if table in LANDED_TABLES else []),
        *([_is_whole(table)] if table == COHORT else []),
    )


FATAL_RULES: Mapping[str, tuple[Rule, ...]] = {table.name: _rules_of(table) for table in AUDITED}
