"""The study's variables: what each word means, row by row."""

import polars as pl
import pytest

from models.variables import (
    ASL_VARIABLES,
    CATEGORICAL,
    CONTINUOUS,
    CYTOKINE,
    SURVIVAL_VARIABLES,
    UICC_ORDINAL,
    derive_variables,
    levels_of,
    with_ordinal_stage,
)
from tests.models.synthetic_cohort import make_cohort
from transforms import schemas

EVERY = {variable.word: variable for variable in (*SURVIVAL_VARIABLES, *ASL_VARIABLES)}


def derived(word: str, **columns: list) -> list[float | None]:
    """What the word makes of these columns."""
    frame = pl.DataFrame(columns, schema={name: schemas.COHORT.polars_schema[name] for name in columns})
    return derive_variables(frame, (EVERY[word],))[word].to_list()


@pytest.mark.parametrize(
    ("word", "column", "values", "meaning"),
    [
        ("age_gt_60", "age_years", [60.0, 60.1, 61.0], [0, 1, 1]),
        ("female", "sex", ["male", "female"], [0, 1]),
        ("hepatitis_viral", "viral_type", ["hbv", "hcv", "none"], [1, 1, 0]),
        ("multiple_tumors", "tumor_number", ["single", "multiple"], [0, 1]),
        ("cirrhosis", "cirrhosis", ["no", "yes"], [0, 1]),
        ("child_pugh_b", "child_pugh", ["A", "B"], [0, 1]),
        ("pvtt", "pvtt", ["no", "yes"], [0, 1]),
        ("previous_treatment", "previous_treatment", ["no", "yes"], [0, 1]),
        ("uicc_iii_iv", "uicc_stage", ["II", "III", "IV"], [0, 1, 1]),
        ("afp_per_ng_ml", "afp_ng_ml", [64.4], [64.4]),
        ("pivka_ii_per_mau_ml", "pivka_ii_mau_ml", [1616.0], [1616]),
        ("baseline_lymphopenia", "has_baseline_lymphopenia", [True, False], [1, 0]),
        ("combined_therapy", "combined_treatment", ["chemoradiotherapy", "radiotherapy_alone"], [1, 0]),
        ("dose_per_gy", "dose_gy", [60.0], [60]),
        ("ptv_per_100_cm3", "ptv_cm3", [594.0], [5.94]),
        ("pre_rt_il7_per_pg_ml", "pre_rt_il7_pg_ml", [2.22], [2.22]),
        ("post_rt_il7_per_pg_ml", "post_rt_il7_pg_ml", [2.2], [2.2]),
        ("asl", "has_asl", [True, False], [1, 0]),
    ],
)
def test_a_word_means_this_and_missing_stays_missing(word, column, values, meaning):
    assert derived(word, **{column: [*values, None]}) == [*meaning, None]


def test_a_value_that_is_no_number_is_missing():
    assert derived("afp_per_ng_ml", afp_ng_ml=[float("nan"), 1.0]) == [None, 1]


def test_stage_is_a_number_in_the_multivariate_models_under_the_same_word():
    ordinal = {variable.word: variable for variable in with_ordinal_stage(SURVIVAL_VARIABLES)}
    assert list(ordinal) == [variable.word for variable in SURVIVAL_VARIABLES]
    assert ordinal["uicc_iii_iv"] is UICC_ORDINAL
    stages = pl.DataFrame({"uicc_stage": ["II", "III", "IV", None]})
    assert derive_variables(stages, (UICC_ORDINAL,))["uicc_iii_iv"].to_list() == [2, 3, 4, None]


def test_the_printed_lists_of_candidates_are_kept():
    assert len(SURVIVAL_VARIABLES) == 17
    assert len(ASL_VARIABLES) == 16
    assert {v.word for v in ASL_VARIABLES} - {v.word for v in SURVIVAL_VARIABLES} == {"ptv_per_100_cm3"}


def test_levels_come_from_the_data_dictionary():
    assert levels_of("uicc_stage") == ("II", "III", "IV")
    assert all(levels_of(column) for column in CATEGORICAL)


def test_every_variable_can_be_made_from_a_cohort():
    cohort, _ = make_cohort(20)
    frame = derive_variables(cohort, tuple(EVERY.values()))
    assert frame.shape == (20, 18)
    assert set(frame.dtypes) == {pl.Float64()}
    assert {*CATEGORICAL, *CONTINUOUS, *CYTOKINE} <= set(cohort.columns)
