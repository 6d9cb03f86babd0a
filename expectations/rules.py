"""All rules, by table, and what the caller must join to a frame before they can be checked.

Here: the rules that follow from the schemas alone, and the lists of them all. Not here: rules with a reason
of their own (`rules_patients` and its like). Called by `expectations.validation`, `flows` and the docs.
"""

from collections.abc import Mapping

import polars as pl

from expectations.rule import Rule, is_given, is_one_of
from expectations.rules_cohort import COHORT_MEASURES, COHORT_RULES
from expectations.rules_courses import (
    COUNT_MEASURES,
    COUNT_PART_RULES,
    COUNT_RULES,
    FOLLOW_UP_RULES,
    TOXICITY_MEASURES,
    TOXICITY_RULES,
)
from expectations.rules_patients import PATIENT_MEASURES, PATIENT_RULES
from expectations.rules_plates import (
    CYTOKINE_MEASURES,
    CYTOKINE_RULES,
    PLATE_CURVE_RULES,
    PLATE_WELL_RULES,
)
from expectations.rules_plausibility import PLAUSIBILITY_HELPERS, PLAUSIBILITY_RULES
from expectations.rules_plausibility import TABLE as PLAUSIBILITY
from expectations.rules_tables import FATAL_RULES
from transforms.schemas import (
    COHORT,
    COUNT_PARTS,
    COUNTS,
    CYTOKINES,
    FOLLOW_UP,
    PATIENTS,
    PLATE_CURVES,
    PLATE_WELLS,
    TOXICITIES,
    Column,
    Table,
)

__all__ = ["FATAL_RULES", "HELPERS", "MEASURES", "ROW_RULES", "describe_rules", "every_rule"]

_OF_THE_PATIENT = (
    Column("is_known_patient", pl.Boolean(), "Whether (site, patient_id) has a row in patients"),
    Column("rt_start_date", pl.Date(), "First day of that patient's RT; empty where the patient is unknown"),
)

# Columns that a frame must carry beside its table's own: facts of other tables, joined by the caller.
HELPERS: Mapping[str, tuple[Column, ...]] = {
    **{table.name: _OF_THE_PATIENT for table in (COUNTS, COUNT_PARTS, FOLLOW_UP, TOXICITIES, CYTOKINES)},
    PLAUSIBILITY: PLAUSIBILITY_HELPERS,
}

# Columns that validation computes from the frame for some rules to look at.
MEASURES: Mapping[str, Mapping[str, pl.Expr]] = {
    "patients": PATIENT_MEASURES,
    "counts": COUNT_MEASURES,
    "toxicities": TOXICITY_MEASURES,
    "cytokines": CYTOKINE_MEASURES,
    "cohort": COHORT_MEASURES,
}


_SPELL = "Write one of the words, spelled as they are,"
_SPELL_OR_EMPTY = "Write one of the words, spelled as they are, or leave it empty,"


def _given_rules(table: Table) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            name=f"{table.name}_{column.name}_is_given",
            table=table.name,
            column=column.name,
            **is_given(column.name),
            reason=f"{column.meaning}: the row cannot be used without it.",
            remedy="Fill in the column and send the file again",
        )
        for column in table.columns
        if column.required and not column.is_derived
    )


def _word_rules(table: Table) -> tuple[Rule, ...]:
    return tuple(
        Rule(
            name=f"{table.name}_{column.name}_is_{_either(column.allowed)}",
            table=table.name,
            column=column.name,
            **is_one_of(column.name, column.allowed),
            reason=f"{column.meaning}: the analyses know these words; any other would drop the row unseen.",
            remedy=f"{_SPELL if column.required else _SPELL_OR_EMPTY} and send the file again",
        )
        for column in table.columns
        if column.allowed
    )


def _either(words: tuple[str, ...]) -> str:
    return f"{'_'.join(words[:-1])}_or_{words[-1]}".lower()


def _schema_rules(table: Table) -> tuple[Rule, ...]:
    return _given_rules(table) + _word_rules(table)


def _own_cohort_rules() -> tuple[Rule, ...]:
    """Rules of the cohort's schema, less those that its patients have passed already."""
    checked = {column.name for column in PATIENTS.columns} - set(COHORT.key)
    return tuple(rule for rule in _schema_rules(COHORT) if rule.column not in checked)


def _in_order(table: Table, rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
    return tuple(sorted(rules, key=lambda rule: table.column_names.index(rule.column)))


# Rules for rows: a row that breaks one goes to quarantine.
ROW_RULES: Mapping[str, tuple[Rule, ...]] = {
    table.name: _in_order(table, rules)
    for table, rules in (
        (PATIENTS, _schema_rules(PATIENTS) + PATIENT_RULES),
        (COUNTS, _schema_rules(COUNTS) + COUNT_RULES),
        (COUNT_PARTS, _schema_rules(COUNT_PARTS) + COUNT_PART_RULES),
        (FOLLOW_UP, _schema_rules(FOLLOW_UP) + FOLLOW_UP_RULES),
        (TOXICITIES, _schema_rules(TOXICITIES) + TOXICITY_RULES),
        (CYTOKINES, _schema_rules(CYTOKINES) + CYTOKINE_RULES),
        (PLATE_WELLS, _schema_rules(PLATE_WELLS) + PLATE_WELL_RULES),
        (PLATE_CURVES, _schema_rules(PLATE_CURVES) + PLATE_CURVE_RULES),
        (COHORT, _own_cohort_rules() + COHORT_RULES),
    )
} | {PLAUSIBILITY: PLAUSIBILITY_RULES}


def every_rule() -> tuple[Rule, ...]:
    """Return all rules, those for rows first, in the order of their tables."""
    lists = (*ROW_RULES.values(), *FATAL_RULES.values())
    return tuple(rule for rules in lists for rule in rules)


def describe_rules() -> list[dict[str, str]]:
    """Return a row for each rule, for pages and tables: what it asks, why, and what breaking it does."""
    return [
        {
            "rule": rule.name,
            "table": rule.table,
            "column": rule.column,
            "expected": rule.expected,
            "reason": rule.reason,
            "null_means": rule.null_means,
            "when_broken": _what_follows(rule),
            "remedy": rule.remedy,
        }
        for rule in every_rule()
    ]


def _what_follows(rule: Rule) -> str:
    if rule.is_fatal:
        return "the night stops"
    return (
        "the count is left out of the cohort" if rule.table == PLAUSIBILITY else "the row goes to quarantine"
    )
