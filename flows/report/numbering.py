"""The study's own numbers for tables and figures, and the files' names that follow from them.

Here: the numbers as data. Not here: any table or figure. Called by `flows.report.figure`,
`flows.report.layout`, `flows.report.page`.
"""

# Name within the report: the study's number, and what the file is called after it.
TABLES = {
    "patients": ("Table 1", "characteristics"),
    "cox_os": ("Table 2", "cox_overall_survival"),
    "logit_asl": ("Table 3", "logistic_asl"),
    "il7_groups": ("Table 4", "characteristics_by_il7"),
    "liver_dose": ("Table S1", "logistic_asl_mean_liver_dose"),
    "toxicities": ("Table S2", "toxicities_by_asl_and_il7"),
}
FIGURES = {
    "counts": ("Figure 1A", "lymphocytes_over_time"),
    "os_by_asl": ("Figure 1B", "os_by_asl"),
    "pfs_by_asl": ("Figure 1C", "pfs_by_asl"),
    "os_with_asl_by_recovery": ("Figure 1D", "os_with_asl_by_recovery"),
    "os_by_recovery": ("Figure 1E", "os_by_recovery_and_no_asl"),
    "il7_by_asl": ("Figure 2A", "il7_by_asl"),
    "il7_pairs": ("Figure 2B", "il7_before_and_after_by_asl"),
    "il7_and_nadir": ("Figure 2C", "il7_before_rt_and_lowest_count"),
    "il7_change_and_nadir": ("Figure 2D", "il7_change_and_lowest_count"),
    "il7_and_month_2": ("Figure 2E", "il7_after_rt_and_count_at_2_months"),
}
# What the study has no number for, where its own name would not explain itself.
TABLE_FILES = {
    "sources": "rows_by_source",
    "rules": "rows_in_quarantine_by_rule",
    "refused_files": "files_refused",
    "timings": "how_long_each_step_took",
    "months": "lymphocytes_by_month",
    "completeness": "completeness_of_counts",
    "agreement": "definitions_of_severe_lymphopenia",
    "survival_os": "overall_survival",
    "survival_pfs": "progression_free_survival",
    "log_rank": "log_rank_tests",
    "il7_sensitivity": "il7_censored_values",
    "correlations": "il7_and_lymphocytes",
    "performance": "predictor_performance",
    "gates": "predictor_gates",
    "inputs": "predictor_inputs",
}
FIGURE_FILES = {
    "counts_by_asl": "lymphocytes_over_time_by_asl",
    "nadirs": "lowest_counts_during_rt",
    "hazards": "hazard_ratios_of_death",
    "odds": "odds_ratios_of_asl",
    "il7_roc": "il7_as_test_for_asl_roc",
    "il7_shares": "asl_by_il7_group",
    "control_chart": "plates_control_chart",
}


def table_number(name: str) -> str:
    """Return the study's number for a table; empty for one that the study does not have."""
    return TABLES.get(name, ("", ""))[0]


def figure_number(name: str) -> str:
    """Return the study's number for a figure; empty for one that the study does not have."""
    return FIGURES.get(name, ("", ""))[0]


def table_file(name: str) -> str:
    """Return a table's file without its ending: table_s2_toxicities_by_asl_and_il7."""
    return _file(TABLES[name]) if name in TABLES else TABLE_FILES.get(name, name)


def figure_file(name: str) -> str:
    """Return a figure's file without its ending: figure_1b_os_by_asl."""
    return _file(FIGURES[name]) if name in FIGURES else FIGURE_FILES.get(name, name)


def _file(numbered: tuple[str, str]) -> str:
    return "_".join(numbered).lower().replace(" ", "_")
