"""The table of IL-7 under each rule for censored values, and the sentences below it."""

import polars as pl
import pytest

from tests.tables import complete, draw
from transforms.censoring_table import describe_il7_censoring, list_censoring_rules, read_il7_sensitivity
from transforms.schemas import ESTIMATES


def estimates(drawing: str, **same: str) -> pl.DataFrame:
    drawn = complete(draw(ESTIMATES.polars_schema, drawing, **same), ESTIMATES.polars_schema)
    return drawn.with_columns(pl.col("level").fill_null(""))


def rules(**ratios_and_p: tuple[object, object]) -> pl.DataFrame:
    """Two rules at the most, with odds ratio and p; an empty text is an estimate that failed."""
    lines = [
        f"{rule} | {statistic} | {value} | {'' if value != '' else 'Not estimated: too few'}"
        for rule, (ratio, p) in ratios_and_p.items()
        for statistic, value in (("or", ratio), ("p", p))
    ]
    drawing = "group | statistic | value | definition\n" + "\n".join(lines)
    return estimates(drawing, analysis="il7_sensitivity", variable="pre_rt_il7_per_pg_ml")


def censoring(n_below: int, n_above: int = 0) -> pl.DataFrame:
    return estimates(
        f"""
        statistic      | value               | n
        n_measured     | 95                  | 98
        n_extrapolated | 7                   | 98
        n_below        | {n_below}           | 98
        n_above        | {n_above}           | 98
        n_censored     | {n_below + n_above} | 98
        """,
        analysis="il7_censoring",
        group="all",
        variable="pre_rt_il7_pg_ml",
    )


def test_a_rule_is_a_row_with_its_patients_ratio_and_p():
    found = list_censoring_rules(
        estimates(
            """
            group               | statistic | value  | definition
            as_measured         | or        | 0.581  | Numbers alone
            as_measured         | ci_low    | 0.42   | Numbers alone
            as_measured         | ci_high   | 0.8    | Numbers alone
            as_measured         | p         | 0.0009 | Numbers alone
            as_measured         | n         | 90     | Numbers alone
            as_measured         | events    | 38     | Numbers alone
            censored_likelihood | or        |        | Not estimated: separated
            censored_likelihood | n         |        | Not estimated: separated
            """,
            analysis="il7_sensitivity",
            variable="pre_rt_il7_per_pg_ml",
        )
    )
    assert found.columns == ["rule", "n", "events", "odds_ratio", "p", "note"]
    assert found.rows() == [
        ("Numbers alone, censored left out", "90", "38", "0.58 (0.42–0.80)", "<0.001", ""),
        ("Censored likelihood", "n.e.", "n.e.", "n.e.", "n.e.", "separated"),
    ]


def test_the_footnote_counts_what_is_censored_on_either_side():
    assert describe_il7_censoring(censoring(3, 1)) == (
        "IL-7 before RT: 95 of 98 patients measured, 7 of them extrapolated and 4 censored (3 below, 1 above "
        "the limit)."
    )


@pytest.mark.parametrize(
    ("found", "read"),
    [
        (
            {"limit": (0.5, 0.01), "half_limit": (0.6, 0.02)},
            "between 0.50 and 0.60, with p below 0.05 under 2 of 2 rules: what it says of IL-7 does not hang",
        ),
        (
            {"limit": (0.5, 0.01), "half_limit": (0.9, 0.2)},
            "1 of 2 rules: what it says of IL-7 hangs",
        ),
        (
            {"limit": (0.9, 0.3), "half_limit": (1.1, 0.2)},
            "0 of 2 rules: what it says of IL-7 does not hang",
        ),
        (
            {"limit": (0.5, 0.01), "half_limit": (2, 0.02)},
            "2 of 2 rules: what it says of IL-7 hangs",
        ),
        ({"limit": (0.5, 0.01), "half_limit": ("", "")}, "under 1 of 1 rules; 1 of 2 rules give none: what"),
        ({"limit": ("", "")}, "No rule gives an odds ratio."),
    ],
)
def test_the_sentence_says_whether_the_finding_hangs_on_the_rule(found, read):
    assert read in read_il7_sensitivity(pl.concat([rules(**found), censoring(4)]))


def test_where_nothing_is_censored_the_sentence_says_that_the_rules_cannot_differ():
    night = pl.concat([rules(limit=(0.5, 0.01), half_limit=(0.5, 0.01)), censoring(0)])
    assert read_il7_sensitivity(night) == (
        "No value before RT is censored, so all rules give the same odds ratio."
    )


def test_a_night_without_these_analyses_has_no_rows_and_no_sentences():
    night = pl.DataFrame(schema=ESTIMATES.polars_schema)
    assert list_censoring_rules(night).is_empty()
    assert (describe_il7_censoring(night), read_il7_sensitivity(night)) == ("", "")
