"""How words and numbers are written for people: one table of labels, and the formats of the literature.

Here: labels of variables, levels and groups; p values, ratios, counts, percentages as text. Not here: which
numbers go into which table (`transforms.tables`). Used by the tables, the report's figures and its page.
"""

import math
from dataclasses import dataclass
from typing import TypeGuard

NOT_ESTIMATED = "n.e."
NOTHING = "–"
NO_LIMIT = "none"


@dataclass(frozen=True)
class Label:
    """How a variable is written: its words, the decimals of its values, and the step a ratio is shown for.

    `step` above 1 means that a hazard or odds ratio is shown per that many units (the ratio to that power).
    """

    text: str
    decimals: int = 1
    step: int = 1


LABELS = {
    "patients": Label("Patients"),
    "age_years": Label("Age, years", 0),
    "sex": Label("Sex"),
    "viral_type": Label("Viral hepatitis"),
    "child_pugh": Label("Child-Pugh class"),
    "cirrhosis": Label("Liver cirrhosis"),
    "tumor_size_cm": Label("Tumour size, cm"),
    "tumor_number": Label("Number of tumours"),
    "uicc_stage": Label("UICC stage"),
    "bclc_stage": Label("BCLC stage"),
    "pvtt": Label("Portal vein thrombosis"),
    "afp_ng_ml": Label("AFP, ng/mL"),
    "pivka_ii_mau_ml": Label("PIVKA-II, mAU/mL", 0),
    "previous_treatment": Label("Previous treatment"),
    "combined_treatment": Label("Combined treatment"),
    "dose_gy": Label("Radiation dose, Gy", 0),
    "fractions": Label("Fractions", 0),
    "ptv_cm3": Label("Planning target volume, cm³", 0),
    "mean_liver_dose_gy": Label("Mean liver dose, Gy"),
    "baseline_tlc_cells_per_ul": Label("Lymphocytes before RT, cells/µL", 0),
    "nadir_tlc_cells_per_ul": Label("Lowest lymphocytes during RT, cells/µL", 0),
    "tlc_month_2_cells_per_ul": Label("Lymphocytes at 2 months, cells/µL", 0),
    "tlc_cells_per_ul": Label("Lymphocytes, cells/µL", 0),
    "pre_rt_il7_pg_ml": Label("IL-7 before RT, pg/mL", 2),
    "post_rt_il7_pg_ml": Label("IL-7 at the end of RT, pg/mL", 2),
    "delta_il7_pg_ml": Label("Change in IL-7, pg/mL", 2),
    "pre_vs_post_rt_il7": Label("IL-7 before against after RT"),
    "follow_up_months": Label("Follow-up, months"),
    "os": Label("Overall survival"),
    "pfs": Label("Progression-free survival"),
    "age_gt_60": Label("Age > 60 years (vs ≤ 60)"),
    "female": Label("Female (vs male)"),
    "hepatitis_viral": Label("Viral hepatitis (vs none)"),
    "multiple_tumors": Label("Multiple tumours (vs single)"),
    "child_pugh_b": Label("Child-Pugh class B (vs A)"),
    "uicc_iii_iv": Label("UICC stage III or IV (vs II)"),
    "baseline_lymphopenia": Label("Lymphopenia before RT (≤ 1,000 cells/µL)"),
    "combined_therapy": Label("Chemoradiotherapy (vs RT alone)"),
    "dose_per_gy": Label("Radiation dose, per Gy"),
    "ptv_per_100_cm3": Label("Planning target volume, per 100 cm³"),
    "pre_rt_il7_per_pg_ml": Label("IL-7 before RT, per pg/mL"),
    "post_rt_il7_per_pg_ml": Label("IL-7 at the end of RT, per pg/mL"),
    "asl": Label("Acute severe lymphopenia (ASL)"),
    "nadir_grade": Label("CTCAE grade of the lowest count"),
    "mean_liver_dose_per_gy": Label("Mean liver dose, per Gy"),
    "any": Label("Any toxicity"),
    "pre_rt_il7_vs_nadir": Label("IL-7 before RT with the lowest count during RT"),
    "delta_il7_vs_nadir": Label("Change in IL-7 with the lowest count during RT"),
    "post_rt_il7_vs_month_2": Label("IL-7 at the end of RT with the count at 2 months"),
    "progression": Label("Progression"),
    "death_before_progression": Label("Death without progression"),
    "recovery": Label("Recovery, among those with ASL"),
    "death_before_recovery": Label("Death without recovery, among those with ASL"),
    "global": Label("All together"),
    "model": Label("The whole model"),
    "is_chemoradiotherapy": Label("Chemoradiotherapy"),
    "has_pvtt": Label("Portal vein thrombosis"),
}

# The same words name a yes/no characteristic in one table and a covariate in another.
COVARIATE_LABELS = LABELS | {
    "cirrhosis": Label("Liver cirrhosis (vs none)"),
    "pvtt": Label("Portal vein thrombosis (vs none)"),
    "previous_treatment": Label("Previous treatment (vs none)"),
    "asl": Label("ASL (vs none)"),
    "afp_per_ng_ml": Label("AFP, per 10,000 ng/mL", step=10_000),
    "pivka_ii_per_mau_ml": Label("PIVKA-II, per 10,000 mAU/mL", step=10_000),
}

# What a covariate is in a model of several, where it is another than alone (`models.variables`).
MULTIVARIATE_LABELS = COVARIATE_LABELS | {"uicc_iii_iv": Label("UICC stage, per stage (II, III, IV)")}

LEVELS = {
    "hbv": "Hepatitis B",
    "hcv": "Hepatitis C",
    "none": "None",
    "yes": "Yes",
    "no": "No",
    "male": "Male",
    "female": "Female",
    "single": "Single",
    "multiple": "Multiple",
    "chemoradiotherapy": "Chemoradiotherapy",
    "radiotherapy_alone": "Radiotherapy alone",
    "any_grade": "Any grade",
    "grade_3_or_worse": "Grade 3 or worse",
    **{str(grade): f"Grade {grade}" for grade in range(5)},
}

GROUPS = {
    "all": "All patients",
    "asl": "ASL",
    "no_asl": "No ASL",
    "asl_recovered": "ASL, recovered",
    "asl_not_recovered": "ASL, not recovered",
    "il7_low": "Low IL-7",
    "il7_high": "High IL-7",
    "il7_low_vs_high": "Low against high IL-7",
    "asl_vs_no_asl": "ASL against no ASL",
    "recovered_vs_not_recovered": "Recovered against not recovered",
    "recovered_vs_no_asl": "Recovered against no ASL",
    "not_recovered_vs_no_asl": "Not recovered against no ASL",
}

MODELS = {
    "cox_os": "Overall survival (Table 2)",
    "logit_asl": "ASL (Table 3)",
    "logit_asl_liver_dose": "ASL, mean liver dose for volume (Table S1)",
}


def label_of(variable: str) -> str:
    """Return the words for a characteristic; an unknown one is its own name without underscores."""
    return LABELS[variable].text if variable in LABELS else _plain(variable)


def covariate_label_of(variable: str, *, is_multivariate: bool = False) -> str:
    """Return the words for a covariate of a regression, with its reference or unit."""
    labels = MULTIVARIATE_LABELS if is_multivariate else COVARIATE_LABELS
    return labels[variable].text if variable in labels else _plain(variable)


def candidate_label_of(variable: str, *, is_multivariate: bool = False) -> str:
    """Return the words for a covariate where no ratio is shown: without the unit that a ratio is for."""
    return covariate_label_of(variable, is_multivariate=is_multivariate).split(", per ")[0]


def step_of(variable: str) -> int:
    """Return how many units a ratio of this covariate is shown for."""
    return COVARIATE_LABELS[variable].step if variable in COVARIATE_LABELS else 1


def level_of(level: str) -> str:
    """Return the words for a level of a categorical variable."""
    return LEVELS.get(level, level)


def group_of(group: str) -> str:
    """Return the words for a group of patients or a comparison of two."""
    return GROUPS.get(group, _plain(group))


def model_of(analysis: str) -> str:
    """Return the words for one of the study's regressions."""
    return MODELS.get(analysis, _plain(analysis))


def _plain(word: str) -> str:
    return word.replace("_", " ").capitalize()


def write_number(value: float | None, decimals: int = 1) -> str:
    """Write a number with thousands separators and a true minus; null is "n.e." (not estimated)."""
    if not _is_number(value):
        return NOT_ESTIMATED
    text = f"{value:,.{decimals}f}"
    is_minus_zero = text.startswith("-") and not text.strip("-0.,")
    return text[1:] if is_minus_zero else text.replace("-", "\N{MINUS SIGN}")


def write_value(value: float | None, variable: str) -> str:
    """Write a value with the decimals its variable is usually given in; none from 1,000 up."""
    decimals = LABELS[variable].decimals if variable in LABELS else 1
    return write_number(value, decimals if value is None or abs(value) < 1000 else 0)


def write_p(p: float | None) -> str:
    """Write a p value with three decimals; below 0.001 as "<0.001", above 0.999 as ">0.999"."""
    if not _is_number(p):
        return NOT_ESTIMATED
    if p < 0.001:
        return "<0.001"
    return f"{p:.3f}" if p <= 0.999 else ">0.999"


def write_ratio(ratio: float | None, ci_low: float | None, ci_high: float | None) -> str:
    """Write a hazard or odds ratio with its 95% interval: "2.16 (1.33–3.51)"; null is "n.e.".

    An interval with one limit alone says so: "5.00 (1.20–none)"; one without any is left out.
    """
    if not _is_number(ratio):
        return NOT_ESTIMATED
    if not (_is_limit(ci_low) or _is_limit(ci_high)):
        return _one_ratio(ratio)
    return f"{_one_ratio(ratio)} ({write_limits(ci_low, ci_high)})"


def write_limits(low: float | None, high: float | None) -> str:
    """Write the interval of a ratio without the ratio: "1.33–3.51", "1.20–none"; null is "n.e."."""
    if not (_is_limit(low) or _is_limit(high)):
        return NOT_ESTIMATED
    return "–".join(_one_ratio(limit) if _is_limit(limit) else NO_LIMIT for limit in (low, high))


def write_interval(
    value: float | None, ci_low: float | None, ci_high: float | None, *, decimals: int, open_end: str = ""
) -> str:
    """Write an estimate with its 95% interval; `open_end` stands for a limit that was not reached."""
    if not _is_number(value):
        return open_end or NOT_ESTIMATED
    if not (_is_number(ci_low) or _is_number(ci_high)):
        return write_number(value, decimals)
    low, high = (_limit(limit, decimals, open_end) for limit in (ci_low, ci_high))
    return f"{write_number(value, decimals)} ({low} to {high})"


def write_share(n: float | None, percent: float | None) -> str:
    """Write a count with its percentage: "41 (41.8%)"."""
    if not _is_number(n):
        return NOT_ESTIMATED
    return write_number(n, 0) + (f" ({percent:.1f}%)" if _is_number(percent) else "")


def write_seconds(seconds: float | None) -> str:
    """Write a duration: "0.42 s", "12.3 s", "3 min 05 s"."""
    if not _is_number(seconds):
        return NOTHING
    if seconds < 59.95:
        return f"{seconds:.2f} s" if seconds < 9.995 else f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest:02d} s"


def _limit(limit: float | None, decimals: int, open_end: str) -> str:
    return write_number(limit, decimals) if _is_number(limit) else open_end or NOTHING


def _is_limit(limit: float | None) -> TypeGuard[float]:
    # A limit per 10,000 units may be beyond what a float holds: it is there, and large.
    return limit is not None and not math.isnan(limit)


def _one_ratio(ratio: float) -> str:
    if ratio >= 999.995:
        return ">999"
    return f"{ratio:.2f}" if ratio >= 0.005 or ratio == 0 else "<0.01"


def _is_number(value: float | None) -> TypeGuard[float]:
    return value is not None and math.isfinite(value)
