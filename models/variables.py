"""The study's analysis variables: the word, how it is made from the cohort, and what it means.

Here: the variables of Tables 1 to 4 as data. Not here: what is done with them (`models.study.tables`,
`models.study.regression`). Missing stays missing.
"""

from dataclasses import dataclass, replace

import polars as pl

from transforms import schemas


@dataclass(frozen=True, eq=False)
class Variable:
    """A variable of the regressions: its word, its expression over the cohort, its meaning and unit."""

    word: str
    expression: pl.Expr
    meaning: str


def _is(column: str, *levels: str) -> pl.Expr:
    # `is_in` alone would make a missing value a 'no'.
    return pl.when(pl.col(column).is_not_null()).then(pl.col(column).is_in(levels))


AGE_GT_60 = Variable("age_gt_60", pl.col("age_years") > 60, "Age above 60 years, against 60 or less")
FEMALE = Variable("female", _is("sex", "female"), "Female, against male")
HEPATITIS = Variable("hepatitis_viral", _is("viral_type", "hbv", "hcv"), "Hepatitis B or C, against neither")
MULTIPLE = Variable("multiple_tumors", _is("tumor_number", "multiple"), "Multiple tumours, against one")
CIRRHOSIS = Variable("cirrhosis", _is("cirrhosis", "yes"), "Liver cirrhosis, against none")
CHILD_PUGH_B = Variable("child_pugh_b", _is("child_pugh", "B"), "Child-Pugh class B, against A")
PVTT = Variable("pvtt", _is("pvtt", "yes"), "Portal vein tumour thrombosis, against none")
PREVIOUS = Variable("previous_treatment", _is("previous_treatment", "yes"), "Treated before, against not")
UICC_III_IV = Variable("uicc_iii_iv", _is("uicc_stage", "III", "IV"), "UICC stage III or IV, against II")
AFP = Variable("afp_per_ng_ml", pl.col("afp_ng_ml"), "Alpha-fetoprotein, for 1 ng/mL more")
PIVKA = Variable("pivka_ii_per_mau_ml", pl.col("pivka_ii_mau_ml"), "PIVKA-II, for 1 mAU/mL more")
BASELINE = Variable(
    "baseline_lymphopenia", pl.col("has_baseline_lymphopenia"), "Baseline count of 1,000 cells/uL or less"
)
COMBINED = Variable(
    "combined_therapy", _is("combined_treatment", "chemoradiotherapy"), "Chemoradiotherapy, against RT alone"
)
DOSE = Variable("dose_per_gy", pl.col("dose_gy"), "Highest prescribed dose, for 1 Gy more")
PTV = Variable("ptv_per_100_cm3", pl.col("ptv_cm3") / 100, "Planning target volume, for 100 cm3 more")
LIVER_DOSE = Variable(
    "mean_liver_dose_per_gy", pl.col("mean_liver_dose_gy"), "Mean liver dose, for 1 Gy more"
)
PRE_IL7 = Variable("pre_rt_il7_per_pg_ml", pl.col("pre_rt_il7_pg_ml"), "IL-7 before RT, for 1 pg/mL more")
POST_IL7 = Variable("post_rt_il7_per_pg_ml", pl.col("post_rt_il7_pg_ml"), "IL-7 after RT, for 1 pg/mL more")
ASL = Variable("asl", pl.col("has_asl"), "Any count below 200 cells/uL during RT, against none")

_BOTH_TABLES = (
    AGE_GT_60,
    FEMALE,
    HEPATITIS,
    MULTIPLE,
    CIRRHOSIS,
    CHILD_PUGH_B,
    PVTT,
    PREVIOUS,
    UICC_III_IV,
    AFP,
    PIVKA,
    BASELINE,
    COMBINED,
    DOSE,
)
# Table 2 has no volume, Table 3 no IL-7 after RT: the printed lists. Supplementary table 1 takes the mean
# liver dose in place of the volume.
SURVIVAL_VARIABLES = (*_BOTH_TABLES, PRE_IL7, POST_IL7, ASL)
ASL_VARIABLES = (*_BOTH_TABLES, PTV, PRE_IL7)
LIVER_DOSE_VARIABLES = (*_BOTH_TABLES, LIVER_DOSE, PRE_IL7)

_STAGE_ORDER = {"II": 2, "III": 3, "IV": 4}
# The standard error printed for stage in Table 2's multivariate model is too small for a binary covariate.
UICC_ORDINAL = replace(
    UICC_III_IV,
    expression=pl.col("uicc_stage").replace_strict(_STAGE_ORDER, default=None, return_dtype=pl.Float64),
    meaning="UICC stage as an ordinal number (II = 2, III = 3, IV = 4), for one stage more",
)

CATEGORICAL = (
    "sex",
    "viral_type",
    "child_pugh",
    "cirrhosis",
    "tumor_number",
    "uicc_stage",
    "bclc_stage",
    "pvtt",
    "previous_treatment",
    "combined_treatment",
)
CONTINUOUS = (
    "age_years",
    "tumor_size_cm",
    "afp_ng_ml",
    "pivka_ii_mau_ml",
    "dose_gy",
    "ptv_cm3",
    "mean_liver_dose_gy",
)
# Of the regressions' variables, those that are numbers: they could have another shape than a straight line.
CONTINUOUS_COVARIATES = tuple(
    variable.word for variable in (AFP, PIVKA, DOSE, PTV, LIVER_DOSE, PRE_IL7, POST_IL7)
)
CYTOKINE = ("pre_rt_il7_pg_ml", "post_rt_il7_pg_ml", "delta_il7_pg_ml")


def with_ordinal_stage(variables: tuple[Variable, ...]) -> tuple[Variable, ...]:
    """Return the same variables with UICC stage as a number, as the multivariate models take it."""
    return tuple(UICC_ORDINAL if variable.word == UICC_ORDINAL.word else variable for variable in variables)


def levels_of(column: str) -> tuple[str, ...]:
    """Return the levels of a categorical column, in the order of the data dictionary."""
    return schemas.COHORT.column(column).allowed


def derive_variables(cohort: pl.DataFrame, variables: tuple[Variable, ...]) -> pl.DataFrame:
    """Return one Float64 column for each variable, one row a patient; what is missing stays null."""
    return cohort.select(
        variable.expression.cast(pl.Float64).fill_nan(None).alias(variable.word) for variable in variables
    )
