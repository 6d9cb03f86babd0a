"""A coefficient's Wald test and interval."""

import pytest

from models.estimate import Coefficient, Estimate


def test_a_coefficient_of_1_96_errors_has_p_just_at_five_percent():
    assert Coefficient("x", 1.959963984540054, 1.0).p == pytest.approx(0.05, rel=1e-12)


def test_the_interval_of_the_ratio_is_symmetric_on_the_log_scale():
    ratio = Coefficient("x", 0.77, 0.2475).ratio
    assert ratio.value**2 == pytest.approx(ratio.ci_low * ratio.ci_high)
    # The study's hazard ratio of ASL: 2.16 (1.33 to 3.51).
    assert [round(part, 2) for part in (ratio.value, ratio.ci_low, ratio.ci_high)] == [2.16, 1.33, 3.51]


def test_p_keeps_its_digits_far_out():
    assert Coefficient("x", 30.0, 1.0).p == pytest.approx(9.813279e-198, rel=1e-6)


def test_a_ratio_too_large_to_be_a_number_is_none():
    ratio = Coefficient("x", 1.0, 5000.0).ratio
    assert (ratio.ci_low, ratio.ci_high) == (0.0, None)


def test_an_estimate_in_another_unit_keeps_what_is_missing():
    assert Estimate(0.5, 0.25, None).scaled(100) == Estimate(50, 25, None)
