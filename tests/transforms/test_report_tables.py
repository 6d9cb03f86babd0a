"""The report's tables: a few estimates drawn as text, one call, the table that a reader sees."""

import polars as pl
import pytest

from tests.tables import complete, draw
from transforms.schemas import ESTIMATES
from transforms.tables.courses import describe_follow_up, list_log_rank, list_months, list_survival
from transforms.tables.patients import (
    compare_il7_by_asl,
    compare_il7_groups,
    compare_toxicities,
    count_groups,
    describe_patients,
    list_correlations,
)
from transforms.tables.regressions import compare_models, describe_multivariate, list_ratios


def estimates(drawing: str, **same: str) -> pl.DataFrame:
    drawn = complete(draw(ESTIMATES.polars_schema, drawing, **same), ESTIMATES.polars_schema)
    return drawn.with_columns(pl.col("level").fill_null(""))


def table(frame: pl.DataFrame, *columns: str) -> list[tuple[object, ...]]:
    return frame.select(columns).rows()


def test_categories_are_counts_with_percentages_and_numbers_are_medians_with_ranges():
    found = describe_patients(
        estimates(
            """
            variable  | level  | statistic | value
            sex       | male   | n         | 78
            sex       | male   | percent   | 79.59
            sex       | female | n         | 20
            sex       | female | percent   | 20.41
            patients  |        | n         | 98
            age_years |        | median    | 61
            age_years |        | min       | 33
            age_years |        | max       | 80
            """,
            analysis="describe",
            group="all",
        )
    )
    assert table(found, "characteristic", "is_level", "all") == [
        ("Patients", False, "98"),
        ("Age, years", False, "61 (33 to 80)"),
        ("Sex", False, ""),
        ("Male", True, "78 (79.6%)"),
        ("Female", True, "20 (20.4%)"),
    ]


def test_patients_without_a_value_have_a_row_of_their_own():
    found = describe_patients(
        estimates(
            """
            variable | level | statistic | value
            pvtt     | yes   | n         | 3
            pvtt     | yes   | percent   | 100
            pvtt     |       | n_missing | 2
            """,
            analysis="describe",
            group="all",
        )
    )
    assert table(found, "characteristic", "all")[-1] == ("Not known", "2")


def test_il7_groups_stand_side_by_side_with_one_p_for_each_variable():
    found = compare_il7_groups(
        estimates(
            """
            group           | variable   | level | statistic | value | definition
            il7_low         | child_pugh | A     | n         | 50    |
            il7_low         | child_pugh | A     | percent   | 94.34 |
            il7_high        | child_pugh | A     | n         | 36    |
            il7_high        | child_pugh | A     | percent   | 80    |
            il7_low         | age_years  |       | mean      | 60    |
            il7_low         | age_years  |       | sd        | 10.2  |
            il7_high        | age_years  |       | mean      | 62    |
            il7_low_vs_high | child_pugh |       | p         | 0.031 |
            il7_low_vs_high | age_years  |       | p         |       | Not estimated: one patient
            """,
            analysis="compare_il7_groups",
        )
    )
    assert table(found, "characteristic", "il7_low", "il7_high", "p", "note") == [
        ("Age, years", "60 ± 10", "62", "n.e.", "one patient"),
        ("Child-Pugh class", "", "", "0.031", ""),
        ("A", "50 (94.3%)", "36 (80.0%)", "", ""),
    ]


COX = """
    group        | variable      | statistic | value | n  | events | definition
    univariate   | asl           | hr        | 2.16  | 98 | 67     |
    univariate   | asl           | ci_low    | 1.33  | 98 | 67     |
    univariate   | asl           | ci_high   | 3.51  | 98 | 67     |
    univariate   | asl           | p         | 0.002 | 98 | 67     |
    univariate   | uicc_iii_iv   | hr        | 2.24  | 97 | 66     |
    univariate   | uicc_iii_iv   | ci_low    | 1.2   | 97 | 66     |
    univariate   | uicc_iii_iv   | ci_high   | 4.2   | 97 | 66     |
    univariate   | uicc_iii_iv   | p         | 0.012 | 97 | 66     |
    univariate   | female        | hr        |       |    |        | Not estimated: no woman died
    univariate   | female        | p         |       |    |        | Not estimated: no woman died
    univariate   | afp_per_ng_ml | hr        | 1.00002 | 98 | 67   |
    univariate   | afp_per_ng_ml | ci_low    | 1.00001 | 98 | 67   |
    univariate   | afp_per_ng_ml | ci_high   | 1.00003 | 98 | 67   |
    univariate   | afp_per_ng_ml | p         | 0.0004  | 98 | 67   |
    multivariate | uicc_iii_iv   | hr        | 1.78  | 97 | 66     | Stage as an ordinal number
    multivariate | uicc_iii_iv   | ci_low    | 1.27  | 97 | 66     | Stage as an ordinal number
    multivariate | uicc_iii_iv   | ci_high   | 2.5   | 97 | 66     | Stage as an ordinal number
    multivariate | uicc_iii_iv   | p         | 0.001 | 97 | 66     | Stage as an ordinal number
    multivariate | model         | n         | 97    | 97 | 66     |
    multivariate | model         | events    | 66    | 97 | 66     |
    multivariate | model         | n_left_out | 1    | 97 | 66     |
    multivariate | model         | n_candidates | 4  | 97 | 66     |
    multivariate | model         | n_retained | 1    | 97 | 66     |
    multivariate | model         | events_per_candidate | 16.5 | 97 | 66 |
"""


def test_both_models_stand_side_by_side_and_a_removed_variable_has_a_dash():
    found = compare_models(estimates(COX, analysis="cox_os"), "cox_os")
    columns = ("variable", "n", "univariate", "univariate_p", "multivariate", "multivariate_p")
    assert table(found, *columns) == [
        ("ASL (vs none)", "67 of 98", "2.16 (1.33–3.51)", "0.002", "–", "–"),
        (
            "UICC stage III or IV (vs II)",
            "66 of 97",
            "2.24 (1.20–4.20)",
            "0.012",
            "1.78 (1.27–2.50)",
            "0.001",
        ),
        ("Female (vs male)", "–", "n.e.", "n.e.", "–", "–"),
        ("AFP, per 10,000 ng/mL", "67 of 98", "1.22 (1.11–1.35)", "<0.001", "–", "–"),
    ]


def test_an_interval_with_one_limit_says_so_and_why():
    rows = estimates(
        """
        group        | variable | statistic | value | definition
        univariate   | asl      | hr        | 5     |
        univariate   | asl      | ci_low    | 1.2   |
        univariate   | asl      | ci_high   |       | Not estimated: no upper limit
        multivariate | asl      | hr        | 4     |
        multivariate | asl      | ci_low    |       | Not estimated: no lower limit
        multivariate | asl      | ci_high   | 9     |
        """,
        analysis="cox_os",
    )
    assert table(compare_models(rows, "cox_os"), "univariate", "multivariate", "note") == [
        (
            "5.00 (1.20–none)",
            "4.00 (none–9.00)",
            "Univariate: no upper limit. Multivariate: no lower limit",
        )
    ]


def test_a_null_estimate_and_an_ordinal_stage_are_explained_beside_their_row():
    found = compare_models(estimates(COX, analysis="cox_os"), "cox_os")
    notes = dict(found.select("variable", "note").rows())
    assert notes["Female (vs male)"] == "Univariate: no woman died"
    assert "ordinal" in notes["UICC stage III or IV (vs II)"]
    assert notes["ASL (vs none)"] == ""


def test_a_candidate_that_was_set_aside_says_why():
    set_aside = estimates(
        """
        analysis           | group     | variable | statistic | definition
        cox_os_elimination | set_aside | asl      | hr        | Not estimated: constant
        """
    )
    found = compare_models(pl.concat([estimates(COX, analysis="cox_os"), set_aside]), "cox_os")
    assert found["note"][0] == "Multivariate: constant"


def test_the_multivariate_model_says_what_it_rests_on():
    said = describe_multivariate(estimates(COX, analysis="cox_os"), "cox_os")
    assert said == (
        "Multivariate model: 97 patients with 66 events (1 left out for a missing value). "
        "Backward elimination kept 1 of 4 candidates (16.5 events a candidate)."
    )


def test_a_multivariate_model_that_does_not_exist_says_why():
    none = estimates(
        """
        group        | variable | statistic  | definition
        multivariate | model    | n_retained | Not estimated: too few patients
        """,
        analysis="cox_os",
    )
    assert describe_multivariate(none, "cox_os") == "No multivariate model: too few patients."


def test_a_forest_has_only_ratios_that_exist_each_per_the_step_its_label_names():
    found = list_ratios(estimates(COX, analysis="cox_os"), "cox_os")
    assert table(found, "label", "model") == [
        ("ASL (vs none)", "univariate"),
        ("UICC stage III or IV (vs II)", "univariate"),
        ("UICC stage, per stage (II, III, IV)", "multivariate"),
        ("AFP, per 10,000 ng/mL", "univariate"),
    ]
    assert found["ratio"].to_list() == pytest.approx([2.16, 2.24, 1.78, 1.00002**10_000])


def test_a_median_that_was_not_reached_is_said_and_rates_have_their_interval():
    found = list_survival(
        estimates(
            """
            group  | statistic              | value | definition
            asl    | n                      | 41    |
            asl    | events                 | 30    |
            asl    | rate_24m               | 30.3  |
            asl    | rate_24m_ci_low        | 17.1  |
            asl    | rate_24m_ci_high       | 44.6  |
            asl    | median_months          | 12    |
            asl    | median_months_ci_low   | 9.5   |
            asl    | median_months_ci_high  |       |
            no_asl | n                      | 3     |
            no_asl | events                 | 0     |
            no_asl | rate_24m               |       | Not estimated: followed too short
            no_asl | median_months          |       | Not estimated: not reached
            """,
            analysis="km_os",
            variable="os",
        ),
        "os",
    )
    assert found.rows() == [
        ("ASL", "41", "30", "12.0 (9.5 to not reached)", "30.3 (17.1 to 44.6)", ""),
        ("No ASL", "3", "0", "not reached", "n.e.", "followed too short"),
    ]


def test_log_rank_tests_name_what_they_compare():
    found = list_log_rank(
        estimates(
            """
            group         | statistic | value | n  | events
            asl_vs_no_asl | p         | 0.066 | 98 | 90
            """,
            analysis="logrank_pfs",
            variable="pfs",
        ),
        "pfs",
    )
    assert found.rows() == [("ASL against no ASL", "90 of 98", "0.066", "")]


def test_months_show_mean_share_of_the_baseline_and_the_adjusted_p():
    found = list_months(
        estimates(
            """
            group        | statistic           | value
            month_0      | n                   | 98
            month_0      | mean                | 1122
            month_0      | sd                  | 480.4
            month_1      | n                   | 97
            month_1      | mean                | 305
            month_1      | sd                  | 150
            month_1      | percent_of_baseline | 27.18
            month_1_vs_0 | p_bonferroni        | 0.0000001
            """,
            analysis="tlc_trajectory",
            variable="tlc_cells_per_ul",
        )
    )
    assert found.rows() == [
        ("0", "98", "1,122 ± 480", "–", "–", ""),
        ("1", "97", "305 ± 150", "27%", "<0.001", ""),
    ]


def test_il7_by_asl_ends_with_the_paired_tests():
    by_asl = estimates(
        """
        group         | statistic | value
        asl           | mean      | 2.07
        asl           | sd        | 1.1
        no_asl        | mean      | 3.01
        no_asl        | sd        | 2
        asl_vs_no_asl | p         | 0.01
        """,
        analysis="il7_by_asl",
        variable="pre_rt_il7_pg_ml",
    )
    paired = estimates(
        """
        group  | statistic | value
        asl    | p         | 0.029
        no_asl | p         | 0.005
        """,
        analysis="il7_paired",
        variable="pre_vs_post_rt_il7",
    )
    assert compare_il7_by_asl(pl.concat([by_asl, paired])).rows() == [
        ("IL-7 before RT, pg/mL", "2.07 ± 1.10", "3.01 ± 2.00", "0.010", "–", ""),
        ("p, after against before RT", "0.029", "0.005", "", "", ""),
    ]


def test_q_stands_beside_p_where_the_night_has_one():
    rates = estimates(
        """
        group      | variable | statistic | value
        univariate | asl      | q         | 0.011
        """,
        analysis="cox_os",
    )
    found = compare_models(pl.concat([estimates(COX, analysis="cox_os"), rates]), "cox_os")
    assert found["univariate_q"].to_list() == ["0.011", "–", "–", "–"]


def test_the_model_with_mean_liver_dose_has_odds_ratios():
    found = compare_models(
        estimates(
            """
            group      | variable               | statistic | value
            univariate | mean_liver_dose_per_gy | or        | 1.02
            univariate | mean_liver_dose_per_gy | ci_low    | 1.0
            univariate | mean_liver_dose_per_gy | ci_high   | 1.05
            """,
            analysis="logit_asl_liver_dose",
        ),
        "logit_asl_liver_dose",
    )
    assert table(found, "variable", "univariate") == [("Mean liver dose, per Gy", "1.02 (1.00–1.05)")]


TOXICITIES = """
    group           | statistic | value | n  | definition
    all             | n         | 12    | 98 |
    all             | percent   | 12.24 | 98 |
    asl             | n         | 7     | 41 |
    asl             | percent   | 17.07 | 41 |
    no_asl          | n         | 5     | 57 |
    no_asl          | percent   | 8.77  | 57 |
    asl_vs_no_asl   | p         | 0.215 | 98 |
    asl_vs_no_asl   | p_fisher  | 0.23  | 98 |
    asl_vs_no_asl   | q         | 0.4   | 98 |
    il7_low         | n         | 0     | 53 |
    il7_low         | percent   | 0     | 53 |
    il7_high        | n         | 0     | 45 |
    il7_high        | percent   | 0     | 45 |
    il7_low_vs_high | p         |       |    | Not estimated: nobody has it
"""


def test_toxicities_stand_by_asl_and_by_il7_with_a_test_for_each():
    drawn = estimates(TOXICITIES, analysis="toxicities", variable="gastric_ulcer", level="any_grade")
    found = compare_toxicities(drawn)
    assert table(found, "toxicity", "is_level", "all", "asl", "no_asl", "asl_p", "asl_exact_p", "asl_q") == [
        ("Gastric ulcer", False, "", "", "", "", "", ""),
        ("Any grade", True, "12 (12.2%)", "7 (17.1%)", "5 (8.8%)", "0.215", "0.230", "0.400"),
    ]
    assert table(found, "il7_low", "il7_p", "il7_q", "note")[1] == ("0 (0.0%)", "n.e.", "–", "nobody has it")
    assert count_groups(drawn, "toxicities")["asl"] == 41


def test_correlations_have_their_interval_and_their_ranks():
    found = list_correlations(
        estimates(
            """
            statistic    | value | n
            pearson_r    | 0.274 | 98
            ci_low       | 0.08  | 98
            ci_high      | 0.45  | 98
            p            | 0.006 | 98
            spearman_rho | -0.1  | 98
            p_spearman   | 0.33  | 98
            """,
            analysis="correlations",
            group="all",
            variable="pre_rt_il7_vs_nadir",
        )
    )
    words = "IL-7 before RT with the lowest count during RT"
    assert found.rows() == [(words, "98", "0.27 (0.08 to 0.45)", "0.006", "–", "−0.10", "0.330", "")]


def test_follow_up_is_told_by_reverse_kaplan_meier_as_well():
    said = describe_follow_up(
        estimates(
            """
            statistic                        | value
            median                           | 20.5
            min                              | 2.8
            max                              | 42.2
            reverse_km_median_months         | 35
            reverse_km_median_months_ci_low  | 30.6
            reverse_km_median_months_ci_high |
            n                                | 98
            """,
            analysis="follow_up",
            group="all",
            variable="follow_up_months",
        )
    )
    assert "median of 20.5 months (2.8 to 42.2)" in said
    assert said.endswith("35.0 (30.6 to not reached).")


@pytest.mark.parametrize(
    "make",
    [
        describe_patients,
        compare_il7_groups,
        lambda none: compare_models(none, "cox_os"),
        lambda none: list_survival(none, "os"),
        lambda none: list_log_rank(none, "os"),
        list_months,
        compare_il7_by_asl,
        compare_toxicities,
        list_correlations,
        lambda none: list_ratios(none, "logit_asl"),
    ],
)
def test_a_night_without_estimates_gives_tables_without_rows(make):
    assert make(pl.DataFrame(schema=ESTIMATES.polars_schema)).height == 0
