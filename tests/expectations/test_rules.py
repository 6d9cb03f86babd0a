"""Each rule is seen to refuse a row that breaks it, and to let the edges pass."""

import subprocess
import sys
from datetime import date, datetime, timedelta

import polars as pl
import pytest
from staged_rows import NIGHT, TABLES, staged

from expectations.rule import Given
from expectations.rules import FATAL_RULES, HELPERS, ROW_RULES, describe_rules, every_rule
from expectations.rules_plausibility import PLAUSIBILITY_RULES
from expectations.validation import validate_rows, validate_tables
from transforms.clinical import DAYS_PER_MONTH

TOMORROW = NIGHT + timedelta(days=1)
NEXT_YEAR = NIGHT + timedelta(days=184)
LONG_AGO = date(1899, 12, 31)
NAN = float("nan")
NO_ASL = dict.fromkeys(("has_recovered", "asl_onset_months", "recovery_months"))

# What makes a healthy row break each rule. A second rule may fall with it where one fact breaks two.
BREAKS: dict[str, dict[str, list[dict[str, object]]]] = {
    "patients": {
        "age_is_between_18_and_120_years": [{"age_years": 17.9}, {"age_years": 1958.0}, {"age_years": NAN}],
        "tumor_size_is_above_0_and_at_most_50_cm": [{"tumor_size_cm": 0.0}, {"tumor_size_cm": 65.0}],
        "afp_is_not_negative": [{"afp_ng_ml": -0.1}, {"afp_ng_ml": float("inf")}],
        "pivka_ii_is_not_negative": [{"pivka_ii_mau_ml": -1.0}, {"pivka_ii_mau_ml": NAN}],
        "rt_start_date_is_from_1990_to_half_a_year_ahead": [
            {"rt_start_date": LONG_AGO, "rt_end_date": None},
            {"rt_start_date": NEXT_YEAR, "rt_end_date": None},
        ],
        "rt_end_date_is_from_1990_to_half_a_year_ahead": [{"rt_end_date": NEXT_YEAR}],
        "rt_end_date_is_not_before_rt_start_date": [{"rt_end_date": date(2024, 2, 29)}],
        "rt_lasts_at_most_180_days": [{"rt_start_date": date(2023, 3, 1)}],
        "fractions_are_between_1_and_60": [{"fractions": 0}, {"fractions": 61}],
        "dose_is_between_0_and_150_gy": [{"dose_gy": -1.0}, {"dose_gy": 5000.0}],
        "ptv_is_above_0_and_at_most_20000_cm3": [{"ptv_cm3": 0.0}, {"ptv_cm3": 310_000.0}],
        "mean_liver_dose_is_between_0_and_100_gy": [
            {"mean_liver_dose_gy": -0.1},
            {"mean_liver_dose_gy": 1900.0},
        ],
    },
    "counts": {
        "counts_patient_is_known": [{"is_known_patient": False}, {"is_known_patient": None}],
        "tlc_is_between_0_and_20000_cells_per_ul": [
            {"tlc_cells_per_ul": -1.0},
            {"tlc_cells_per_ul": 20_000.1},
            {"tlc_cells_per_ul": 420_000.0},
            {"tlc_cells_per_ul": NAN},
        ],
        "a_count_with_value_and_unit_is_in_cells_per_ul": [{"tlc_cells_per_ul": None}],
        "blood_is_drawn_between_1990_and_the_night": [
            {"collected_on": date(2024, 7, 1)},
            {
                "collected_at": datetime(1989, 12, 31, 23, 59),
                "collected_on": date(1989, 12, 31),
                "rt_start_date": None,
            },
        ],
        "blood_is_drawn_at_most_a_year_before_rt": [{"collected_on": date(2023, 2, 28)}],
    },
    "count_parts": {
        "count_parts_patient_is_known": [{"is_known_patient": False}],
        "part_of_a_count_is_between_0_and_500000": [{"amount": -1.0}, {"amount": 500_001.0}],
        "part_of_a_count_is_drawn_between_1990_and_the_night": [{"collected_on": TOMORROW}],
    },
    "count_plausibility": {
        rule.name: [{str(rule.arguments["column"]): False}] for rule in PLAUSIBILITY_RULES
    },
    "follow_up": {
        "follow_up_patient_is_known": [{"is_known_patient": False, "rt_start_date": None}],
        "last_contact_is_between_1990_and_the_night": [{"last_contact_date": TOMORROW}],
        "last_contact_is_not_before_rt_start": [{"last_contact_date": date(2024, 2, 29)}],
        "last_contact_is_not_after_death": [{"death_date": date(2024, 6, 19)}],
        "death_is_between_1990_and_the_night": [{"death_date": TOMORROW}],
        "death_is_not_before_rt_start": [{"death_date": date(2024, 2, 29)}],
        "progression_is_between_1990_and_the_night": [{"progression_date": TOMORROW}],
        "progression_is_not_before_rt_start": [{"progression_date": date(2024, 2, 29)}],
        "progression_is_not_after_last_contact": [
            {"progression_date": date(2024, 6, 21)},
            {"death_date": date(2024, 6, 22), "progression_date": date(2024, 6, 22)},
        ],
    },
    "toxicities": {
        "toxicities_patient_is_known": [{"is_known_patient": None}],
        "toxicity_begins_between_1990_and_the_night": [{"onset_date": TOMORROW}],
        "toxicity_begins_at_most_a_year_before_rt": [{"onset_date": date(2023, 2, 28)}],
        "toxicity_grade_is_between_1_and_5": [{"ctcae_grade": 0}, {"ctcae_grade": 6}],
    },
    "cytokines": {
        "cytokines_patient_is_known": [{"is_known_patient": False}],
        "sample_is_drawn_between_1990_and_the_night": [{"timepoint": "post_rt", "collected_on": TOMORROW}],
        "sample_is_drawn_at_most_a_year_before_rt": [{"collected_on": date(2023, 2, 28)}],
        "sample_is_drawn_at_its_timepoint": [
            {"timepoint": "pre_rt", "collected_on": date(2024, 3, 2)},
            {"timepoint": "post_rt", "collected_on": date(2024, 2, 29)},
        ],
        "cytokine_concentration_is_between_0_and_1000000_pg_ml": [
            {"concentration_pg_ml": -0.1},
            {"concentration_pg_ml": NAN},
        ],
        "cytokine_concentration_is_given_exactly_where_it_is_in_range": [
            {"range": "below"},
            {"concentration_pg_ml": None},
        ],
        "sample_has_between_1_and_384_wells": [{"n_wells": 0}],
    },
    "plate_wells": {
        "bead_count_is_not_negative": [{"n_beads": -1}],
        "expected_concentration_is_not_negative": [{"expected_pg_ml": -1.0}],
        "well_concentration_is_between_0_and_1000000000_pg_ml": [{"concentration_pg_ml": -0.1}],
    },
    "plate_curves": {
        "r_squared_is_at_most_1": [{"r_squared": 1.01}],
        "standards_of_a_curve_are_not_negative": [{"n_standards": -1}],
    },
    "cohort": {
        "os_is_between_0_and_600_months": [{"os_months": -0.1, "pfs_months": None}],
        "pfs_is_between_0_and_600_months": [{"pfs_months": -0.1}],
        "pfs_is_not_longer_than_os": [{"pfs_months": 12.1}],
        "counts_end_with_the_patients_life": [{"last_count_months": 12.0 + 2 / DAYS_PER_MONTH}],
        "death_ends_progression_free_survival": [{"has_progressed_or_died": False}],
        "progression_free_survival_ends_by_progression_or_death": [
            {"has_died": False, "has_progressed": False},
            {"has_died": False, "has_progressed_or_died": False},
        ],
        "nadir_is_between_0_and_20000_cells_per_ul": [
            {"nadir_tlc_cells_per_ul": -1.0},
            {"nadir_tlc_cells_per_ul": 20_001.0},
        ],
        "nadir_grade_is_between_0_and_4": [{"nadir_grade": 5}],
        "asl_agrees_with_the_nadir": [{"nadir_tlc_cells_per_ul": 200.0}],
        "asl_has_an_onset_and_nothing_else_has": [
            {"asl_onset_months": None, "recovery_months": None},
            {"has_asl": False, "nadir_tlc_cells_per_ul": 900.0, "has_recovered": None},
            {"has_asl": None, "nadir_tlc_cells_per_ul": None, "has_recovered": None},
        ],
        # RT of these rows lasts 35 days, 1.1499 months.
        "asl_begins_during_rt": [
            {"asl_onset_months": -0.1},
            {"asl_onset_months": -0.1, "rt_end_date": None},
            {"asl_onset_months": 1.183},
        ],
        "recovery_does_not_precede_asl": [{"recovery_months": 0.7}, {"asl_onset_months": None}],
        "recovery_is_told_only_after_asl": [{"has_asl": False, "nadir_tlc_cells_per_ul": 900.0}],
        "il7_before_rt_is_not_negative": [{"pre_rt_il7_pg_ml": -0.1}],
        "il7_after_rt_is_not_negative": [{"post_rt_il7_pg_ml": -0.1}],
    },
}

PASSES: dict[str, list[dict[str, object]]] = {
    "patients": [
        {},
        {"age_years": 18.0, "tumor_size_cm": 0.1, "afp_ng_ml": 0.0, "pivka_ii_mau_ml": 0.0, "fractions": 1},
        {
            "age_years": 120.0,
            "tumor_size_cm": 50.0,
            "afp_ng_ml": 9e6,
            "pivka_ii_mau_ml": 9e6,
            "fractions": 60,
        },
        {"dose_gy": 0.0, "ptv_cm3": 0.1, "mean_liver_dose_gy": 0.0},
        {"dose_gy": 150.0, "ptv_cm3": 20_000.0, "mean_liver_dose_gy": 100.0},
        {"rt_start_date": NIGHT, "rt_end_date": NIGHT},
        {"rt_start_date": date(1990, 1, 1), "rt_end_date": date(1990, 6, 30)},
        {"rt_end_date": None},
        {name: None for name in TABLES["patients"].column_names[2:] if name != "rt_start_date"},
    ],
    "counts": [
        *({"tlc_cells_per_ul": float(cells)} for cells in range(200)),
        {"tlc_cells_per_ul": 20_000.0},
        {"collected_on": date(2024, 6, 30)},
        {"collected_on": date(2023, 3, 1)},
    ],
    "follow_up": [
        {"last_contact_date": NIGHT, "death_date": NIGHT, "progression_date": NIGHT},
        {name: date(2024, 3, 1) for name in ("last_contact_date", "death_date", "progression_date")},
        {"last_contact_date": date(2024, 5, 1), "death_date": date(2024, 6, 1)},
        {"last_contact_date": date(2024, 5, 1), "progression_date": date(2024, 5, 1)},
        {
            "last_contact_date": date(2024, 5, 1),
            "death_date": date(2024, 6, 1),
            "progression_date": date(2024, 4, 30),
        },
    ],
    "toxicities": [
        {"ctcae_grade": 1},
        {"ctcae_grade": 5},
        {"onset_date": NIGHT},
        {"onset_date": date(2023, 3, 1)},
    ],
    "cytokines": [
        {"concentration_pg_ml": 0.0},
        {"concentration_pg_ml": None, "range": "below"},
        {"concentration_pg_ml": None, "range": "above"},
        {"range": "extrapolated"},
        {"timepoint": "pre_rt", "collected_on": date(2024, 3, 1)},
        {"timepoint": "post_rt", "collected_on": date(2024, 3, 1)},
        {"timepoint": "post_rt", "collected_on": NIGHT},
    ],
    "plate_wells": [{"n_beads": 0, "expected_pg_ml": 0.0, "kind": None, "range": None, "net_mfi": -3.0}],
    "plate_curves": [{"r_squared": 1.0}, {"r_squared": -2.0, "n_standards": 0, "converged": False}],
    "cohort": [
        {},
        {"nadir_tlc_cells_per_ul": 0.0},
        {"nadir_tlc_cells_per_ul": 199.99},
        {"nadir_tlc_cells_per_ul": 200.0, "has_asl": False, **NO_ASL},
        {"nadir_tlc_cells_per_ul": None, "nadir_grade": None, "has_asl": None, **NO_ASL},
        {"asl_onset_months": 0.0, "recovery_months": 0.0},
        {"asl_onset_months": 35 / DAYS_PER_MONTH, "recovery_months": None},
        {"asl_onset_months": 16.0, "recovery_months": None, "rt_end_date": None},
        {"os_months": 0.0, "pfs_months": 0.0, "last_count_months": 0.0},
        {"last_count_months": 12.0 + 1 / DAYS_PER_MONTH},
        {"last_count_months": 40.0, "has_died": False},
        {"last_count_months": None},
        dict.fromkeys(("os_months", "has_died", "pfs_months", "has_progressed_or_died", "has_progressed")),
        {"has_progressed": False},
        {"has_died": False, "has_progressed_or_died": True},
    ],
}


def _schema_breaks(table_name: str) -> dict[str, list[dict[str, object]]]:
    """Empty every required column and misspell every word."""
    table = TABLES[table_name]
    empty = {f"{table_name}_{column.name}_is_given": [{column.name: None}] for column in table.columns}
    words = {
        rule.name: [
            {rule.column: "UNHEARD OF"},
            {rule.column: str(rule.arguments["value_set"][0]).swapcase()},
        ]
        for rule in ROW_RULES[table_name]
        if rule.expected.startswith("one of")
    }
    asked = {rule.name for rule in ROW_RULES[table_name]}
    return {name: rows for name, rows in (empty | words).items() if name in asked}


ALL_BREAKS = {name: _schema_breaks(name) | breaks for name, breaks in BREAKS.items()}
CASES = [
    (table, rule, change)
    for table, rules in ALL_BREAKS.items()
    for rule, changes in rules.items()
    for change in changes
]


@pytest.fixture(scope="module")
def broken_by_line() -> dict[str, dict[int, set[str]]]:
    """For each table, the rules that each line of a frame with all the breaking rows breaks."""
    found = {}
    for table in ALL_BREAKS:
        frame = staged(table, [change for name, _, change in CASES if name == table])
        failed = validate_rows(table, frame, night=NIGHT).failed
        lines = failed.group_by("line").agg("rule")
        found[table] = {line: set(rules) for line, rules in lines.iter_rows()}
    return found


@pytest.mark.parametrize(
    ("table", "rule", "change"), CASES, ids=[f"{rule}-{n}" for n, (_, rule, _) in enumerate(CASES)]
)
def test_a_row_that_breaks_a_rule_is_found_by_it(broken_by_line, table, rule, change):
    line = 2 + [one for one in CASES if one[0] == table].index((table, rule, change))
    assert rule in broken_by_line[table][line]


def test_every_rule_for_rows_has_a_row_that_breaks_it():
    assert {rule for _, rule, _ in CASES} == {rule.name for rules in ROW_RULES.values() for rule in rules}


@pytest.mark.parametrize("table", PASSES)
def test_edges_and_empty_cells_pass(table):
    frame = staged(table, PASSES[table])
    validation = validate_rows(table, frame, night=NIGHT)
    assert validation.failed.is_empty()
    assert validation.passed.equals(frame)


def test_a_severe_lymphopenia_is_never_refused():
    cells = [{"tlc_cells_per_ul": cells} for cells in (0.0, 0.5, 40.0, 199.0, 199.999999)]
    assert validate_rows("counts", staged("counts", cells), night=NIGHT).passed.height == 5


def test_a_date_is_judged_by_the_night_and_not_by_the_clock():
    count = staged("counts", [{"collected_on": date(2024, 6, 30)}])
    assert validate_rows("counts", count, night=date(2024, 6, 30)).failed.is_empty()
    assert not validate_rows("counts", count, night=date(2024, 6, 29)).failed.is_empty()


def _keys(table: str, n_rows: int) -> pl.DataFrame:
    return pl.DataFrame({name: [f"{name} {n}" for n in range(n_rows)] for name in TABLES[table].key})


def _broken(tables: dict[str, pl.DataFrame], former_rows: dict[str, int]) -> set[str]:
    audits = validate_tables(tables, night=NIGHT, former_rows=former_rows)
    return {rule.name for audit in audits for rule in audit.broken}


def test_sound_tables_break_no_fatal_rule():
    tables = {name: _keys(name, 3) for name in FATAL_RULES}
    assert _broken(tables, dict.fromkeys(FATAL_RULES, 3)) == set()


def test_every_fatal_rule_stops_a_table_that_breaks_it():
    doubled = {name: pl.concat([_keys(name, 1)] * 2) for name in FATAL_RULES} | {
        "patients": _keys("patients", 0)
    }
    also = {"patients": pl.concat([_keys("patients", 1)] * 2)}
    found = _broken(doubled, dict.fromkeys(FATAL_RULES, 3)) | _broken(also, {})
    assert found == {rule.name for rules in FATAL_RULES.values() for rule in rules}


def test_a_table_that_was_never_published_has_lost_nothing():
    assert _broken({"patients": _keys("patients", 1)}, {}) == set()


def test_no_rule_name_appears_twice():
    names = [rule.name for rule in every_rule()]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("rule", every_rule(), ids=lambda rule: rule.name)
def test_a_rule_says_what_why_and_what_to_do(rule):
    assert all((rule.reason, rule.found, rule.expected, rule.remedy, rule.null_means))
    assert rule.name.isidentifier()
    assert rule.name.islower()
    assert rule.is_fatal == (rule in FATAL_RULES[rule.table] if rule.table in FATAL_RULES else False)


def test_an_argument_that_the_night_does_not_give_is_an_error():
    (rule,) = (rule for rule in ROW_RULES["counts"] if Given("night") in rule.arguments.values())
    with pytest.raises(KeyError):
        rule.arguments_with({})


def test_each_rule_has_a_line_in_the_docs():
    lines = describe_rules()
    assert [line["rule"] for line in lines] == [rule.name for rule in every_rule()]
    assert {line["when_broken"] for line in lines} == {
        "the count is left out of the cohort",
        "the night stops",
        "the row goes to quarantine",
    }


def test_helper_columns_are_none_of_the_tables_own():
    own = {(name, column) for name in HELPERS for column in TABLES[name].column_names}
    assert not own & {(name, column.name) for name, columns in HELPERS.items() for column in columns}


def test_reading_the_rules_does_not_import_great_expectations():
    code = "import sys, expectations.data_docs; sys.exit('great_expectations' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
