"""Numbers and words as people read them: the formats of the clinical literature."""

import math

import pytest

from models.variables import ASL_VARIABLES, CATEGORICAL, CONTINUOUS, CYTOKINE, SURVIVAL_VARIABLES
from transforms.wording import (
    COVARIATE_LABELS,
    LABELS,
    NOT_ESTIMATED,
    covariate_label_of,
    label_of,
    write_interval,
    write_number,
    write_p,
    write_ratio,
    write_seconds,
    write_share,
    write_value,
)


@pytest.mark.parametrize(
    ("p", "text"),
    [
        (0.002, "0.002"),
        (0.0014, "0.001"),
        (0.00099, "<0.001"),
        (0.5, "0.500"),
        (0.9996, ">0.999"),
        (1, ">0.999"),
    ],
)
def test_a_p_value_has_three_decimals_and_is_never_written_as_zero_or_one(p, text):
    assert write_p(p) == text


@pytest.mark.parametrize(
    ("numbers", "text"),
    [
        ((2.16, 1.33, 3.51), "2.16 (1.33–3.51)"),
        ((29.81, 6.54, 135.82), "29.81 (6.54–135.82)"),
        ((4000.0, 0.004, 1e30), ">999 (<0.01–>999)"),
        ((2.16, None, None), "2.16"),
    ],
)
def test_a_ratio_is_written_with_its_interval_and_absurd_limits_are_cut(numbers, text):
    assert write_ratio(*numbers) == text


@pytest.mark.parametrize("nothing", [None, math.nan, math.inf])
def test_what_is_no_number_reads_not_estimated_in_every_format(nothing):
    written = {
        write_p(nothing),
        write_number(nothing),
        write_ratio(nothing, 1.0, 2.0),
        write_share(nothing, 10.0),
        write_interval(nothing, 1.0, 2.0, decimals=1),
    }
    assert written == {NOT_ESTIMATED}


def test_a_negative_number_has_a_true_minus_and_minus_zero_has_none():
    assert write_number(-0.66, 2) == "\N{MINUS SIGN}0.66"
    assert write_number(-0.001, 2) == "0.00"


def test_thousands_are_set_apart_and_large_values_lose_their_decimals():
    assert write_number(268408, 0) == "268,408"
    assert write_value(64.4, "afp_ng_ml") == "64.4"
    assert write_value(12311.27, "afp_ng_ml") == "12,311"


def test_an_open_end_of_an_interval_is_said_in_words():
    assert (
        write_interval(25.3, 12.0, None, decimals=1, open_end="not reached") == "25.3 (12.0 to not reached)"
    )
    assert write_interval(None, None, None, decimals=1, open_end="not reached") == "not reached"


def test_a_share_is_a_count_with_its_percentage():
    assert write_share(41, 41.83673) == "41 (41.8%)"
    assert write_share(0, None) == "0"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0.123, "0.12 s"), (9.999, "10.0 s"), (12.34, "12.3 s"), (59.97, "1 min 00 s"), (185, "3 min 05 s")],
)
def test_a_duration_is_written_in_the_unit_that_fits(seconds, text):
    assert write_seconds(seconds) == text


def test_every_word_of_the_study_has_a_label():
    covariates = {variable.word for variable in (*SURVIVAL_VARIABLES, *ASL_VARIABLES)}
    assert covariates <= set(COVARIATE_LABELS)
    assert {*CATEGORICAL, *CONTINUOUS, *CYTOKINE} <= set(LABELS)


def test_a_covariate_says_what_it_is_compared_with_and_a_new_word_is_still_readable():
    assert (label_of("pvtt"), covariate_label_of("pvtt")) == (
        "Portal vein thrombosis",
        "Portal vein thrombosis (vs none)",
    )
    assert label_of("neutrophil_ratio") == "Neutrophil ratio"
