"""The guards' tables: the study's own number first, the guard's beside it, a reason where there is none."""

import polars as pl
import pytest

from tests.transforms.guard_rows import guard_rows
from transforms.schemas import ESTIMATES
from transforms.tables.alternatives import (
    compare_fits,
    compare_immortal_time,
    compare_tests,
    compare_ties,
    tell_immortal_agreement,
    tell_ties,
)
from transforms.tables.assumptions import (
    list_events,
    list_functional_form,
    list_influence,
    list_proportional_hazards,
)
from transforms.tables.cautions import tell_cautions
from transforms.tables.stability import (
    describe_complete,
    list_competing_risks,
    list_inclusion,
    list_missing,
    list_optimism,
)

GUARDS = guard_rows()
NOTHING = pl.DataFrame(schema=ESTIMATES.polars_schema)
RATIO = "2.16 (1.33–3.51)"


def row(analysis: str, group: str, variable: str, statistic: str, value: float | None, *, level: str = ""):
    definition = "Not estimated: nobody died" if value is None else "Invented"
    found = (analysis, group, variable, level, statistic, value, 98, 41, definition)
    return pl.DataFrame([found], schema=ESTIMATES.polars_schema, orient="row")


def without(**same: str) -> pl.DataFrame:
    """The guards' rows with one value taken away and a reason in its place."""
    is_it = pl.all_horizontal(pl.col(name) == value for name, value in same.items())
    reason = pl.lit("Not estimated: nobody died")
    return GUARDS.with_columns(
        value=pl.when(is_it).then(None).otherwise("value"),
        definition=pl.when(is_it).then(reason).otherwise("definition"),
    )


def test_naive_and_guarded_hazards_stand_side_by_side():
    found = compare_immortal_time(GUARDS)
    assert found.drop("note").rows()[1:3] == [
        (
            "Death, ASL against none, with the variables of Table 2",
            RATIO,
            "0.002",
            "ASL from the day it began",
            "1.30 (1.33–3.51)",
            "0.210",
            "–",
            "67 of 98",
            "–",
        ),
        (
            "Death, recovered against not, among those with ASL",
            "0.41 (1.33–3.51)",
            "0.040",
            "Alive at 2 months, counted from there",
            "0.55 (1.33–3.51)",
            "0.110",
            "0.120",
            "67 of 98",
            "3",
        ),
    ]


def test_a_guard_that_could_not_be_estimated_keeps_its_row_and_says_why():
    found = compare_immortal_time(without(analysis="immortal_time", group="landmark_2m", statistic="hr"))
    kept = found.row(2, named=True)
    assert (kept["naive"], kept["guarded"], kept["note"]) == (
        "0.41 (1.33–3.51)",
        "n.e.",
        "guarded: nobody died",
    )


@pytest.mark.parametrize(
    ("naive", "guarded", "note"),
    [
        ("nobody died", "nobody died", "nobody died"),
        ("nobody died", "one patient", "naive: nobody died. guarded: one patient"),
    ],
)
def test_a_reason_that_all_methods_share_is_told_once_and_others_with_their_method(naive, guarded, note):
    rows = [
        row("immortal_time", group, "recovered", "hr", None, level="univariate").with_columns(
            definition=pl.lit(f"Not estimated: {reason}")
        )
        for group, reason in (("naive", naive), ("landmark_2m", guarded))
    ]
    assert compare_immortal_time(pl.concat(rows))["note"].to_list() == [note]


def test_other_fits_stand_beside_the_studys_alone_and_together():
    found = compare_fits(GUARDS, "logit_asl")
    lymphopenia = "Lymphopenia before RT (≤ 1,000 cells/µL)"
    assert found.drop("note").rows() == [
        ("Each variable alone", False, *[""] * 5),
        (lymphopenia, True, "–", "1.33–3.51", RATIO, RATIO, "0.12"),
        ("Together", False, *[""] * 5),
        (lymphopenia, True, "2.50 (1.20–5.20)", "1.33–3.51", RATIO, RATIO, "0.12"),
    ]


def test_a_fit_that_failed_says_which():
    found = compare_fits(without(analysis="firth", group="cox_os", statistic="hr"), "cox_os")
    assert found["note"].to_list() == ["", "Firth: nobody died", "", "Firth: nobody died"]


def test_limits_of_other_fits_are_for_the_step_that_the_label_names():
    rows = [
        row("profile_likelihood", "cox_os", "afp_per_ng_ml", name, value, level="univariate")
        for name, value in (("ci_low", 1.00001), ("ci_high", 1.00003))
    ]
    found = compare_fits(pl.concat(rows), "cox_os")
    assert found.row(1)[:4] == ("AFP, per 10,000 ng/mL", True, "–", "1.11–1.35")


def test_ties_stand_under_both_rules_and_tests_three_abreast():
    assert compare_ties(GUARDS).rows()[1] == ("ASL (vs none)", True, RATIO, "0.002", RATIO, "0.002", "")
    found = compare_tests(GUARDS, "cox_os")
    assert found.rows()[-1] == ("The whole model", True, "0.004", "0.003", "0.002", "")


def test_events_stand_beside_candidates_and_name_what_separates():
    model = [
        row("logit_asl", "multivariate", "model", name, value)
        for name, value in (("n", 98), ("events", 41), ("n_candidates", 16), ("events_per_candidate", 2.5625))
    ]
    found = list_events(pl.concat([GUARDS, *model]))
    assert found.rows() == [
        ("ASL (Table 3)", "98", "41", "16", "2.6", "Child-Pugh class B (vs A)", ""),
        ("ASL, mean liver dose for volume (Table S1)", "98", "41", "16", "2.6", "not tested", ""),
    ]


def test_assumptions_are_tested_variable_by_variable():
    assert list_proportional_hazards(GUARDS).rows()[1] == ("All together", "4.20", "1", "0.300", "")
    assert list_functional_form(GUARDS).rows()[1:3] == [
        ("AFP", True, "4.20", "1", "0.040", ""),
        ("Radiation dose", True, "n.e.", "n.e.", "n.e.", "too few"),
    ]


def test_influence_tells_how_far_one_patient_moves_a_ratio():
    assert list_influence(GUARDS).rows()[1] == (
        "Lymphopenia before RT (≤ 1,000 cells/µL)",
        True,
        "2.50 (1.20–5.20)",
        "0.90–2.60",
        "0.61",
        "5",
        "",
    )


def test_selection_tells_what_was_kept_and_how_often_it_would_be_again():
    assert list_inclusion(GUARDS).rows() == [
        ("Lymphopenia before RT (≤ 1,000 cells/µL)", "yes", "44%", "yes", "44%", ""),
        ("Portal vein thrombosis (vs none)", "no", "61%", "no", "61%", ""),
    ]
    numbers = ("200", "150", "0.810", "0.090", "0.720", "0.700")
    assert list_optimism(GUARDS).rows()[1] == ("ASL (Table 3)", "AUC", *numbers, "")


def test_missing_data_are_counted_and_imputations_told():
    known = row("missing_data", "all", "asl", "n_missing", 0)
    assert list_missing(pl.concat([GUARDS, known])).rows() == [
        ("Portal vein thrombosis (vs none)", "4", "4.1%", ""),
        ("The other 1 candidates", "0", "0.0%", ""),
    ]
    assert list_missing(known).rows() == [("All 1 candidates", "0", "0.0%", "")]
    assert "ASL (Table 3): 80 patients (81.6%) are complete. 19 of 20 imputations" in describe_complete(
        GUARDS
    )


def test_incidence_stands_beside_kaplan_meier_turned_round():
    found = list_competing_risks(GUARDS)
    assert found.row(0, named=True)["event"] == "Progression, by 24 months"
    assert found.rows()[2] == ("ASL", True, "41", "30", "61.0 (50.0 to 70.0)", "68.4", "7.4", "")
    assert found["event"].to_list().count("Recovery, among those with ASL, by 6 months") == 1


def cautions(*frames: pl.DataFrame) -> str:
    return "\n".join(tell_cautions(pl.concat(frames)))


def test_a_night_without_guards_warns_of_nothing():
    assert tell_cautions(NOTHING) == ()


@pytest.mark.parametrize(("ratio", "speaks"), [(9.9, True), (10.0, False)])
def test_fewer_than_ten_events_a_candidate_are_a_warning(ratio, speaks):
    told = cautions(row("cox_os", "multivariate", "model", "events_per_candidate", ratio))
    assert ("than the 10 that are usual" in told) is speaks


def few_events(name: str) -> list[pl.DataFrame]:
    """A model that could not be fitted: what it would have rested on stands all the same."""
    numbers = {"events": 41, "n_candidates": 16, "events_per_candidate": 2.5625, "n_retained": None}
    return [row(name, "multivariate", "model", word, value) for word, value in numbers.items()]


def test_few_events_are_one_warning_for_all_models_also_for_one_that_failed():
    (told,) = tell_cautions(pl.concat([*few_events("cox_os"), *few_events("logit_asl")]))
    assert "Overall survival (Table 2), 41 events for 16 candidates (2.6 for each); ASL (Table 3)" in told
    assert list_events(pl.concat(few_events("cox_os")))["note"].to_list() == ["No model: nobody died"]


@pytest.mark.parametrize(
    ("alone", "together", "words"),
    [
        (0.0, 0.0, "nothing"),
        (0.0, 1.0, "several together"),
        (0.0, None, "nothing alone; together not tested"),
        (None, None, "not tested"),
    ],
)
def test_what_separates_is_told_from_what_was_not_tested(alone, together, words):
    tested = (("asl", alone), ("model", together))
    rows = [row("separation", "cox_os", variable, "is_separated", value) for variable, value in tested]
    found = list_events(pl.concat([*few_events("cox_os"), *rows]))
    assert found["separated"].to_list() == [words]


def one_sided(analysis: str, group: str, variable: str, *, level: str) -> list[pl.DataFrame]:
    """A ratio without an upper limit."""
    numbers = {"hr": 5.0, "ci_low": 1.2, "ci_high": None}
    return [row(analysis, group, variable, word, value, level=level) for word, value in numbers.items()]


def test_an_interval_without_an_upper_limit_keeps_its_lower_one_and_says_why():
    rows = one_sided("firth", "cox_os", "asl", level="univariate")
    rows += one_sided("profile_likelihood", "cox_os", "asl", level="univariate")
    found = compare_fits(pl.concat(rows), "cox_os").row(1, named=True)
    assert (found["firth"], found["profile"]) == ("5.00 (1.20–none)", "1.20–none")
    assert found["note"] == "Profile, Firth: nobody died"
    tied = [
        one
        for rule in ("efron", "breslow")
        for one in one_sided("cox_os_ties", rule, "asl", level="univariate")
    ]
    assert compare_ties(pl.concat(tied))["note"].to_list() == ["", "nobody died"]


def test_stage_is_two_groups_alone_and_a_number_in_a_model_of_several():
    alone, together = "UICC stage III or IV (vs II)", "UICC stage, per stage (II, III, IV)"
    for analysis, make in (("firth", compare_fits), ("cox_os_ties", lambda rows, _: compare_ties(rows))):
        group = "cox_os" if analysis == "firth" else "efron"
        rows = [
            row(analysis, group, "uicc_iii_iv", "hr", 2.0, level=level)
            for level in ("univariate", "multivariate")
        ]
        assert make(pl.concat(rows), "cox_os")["variable"].to_list()[1::2] == [alone, together]
    moved = row("influence", "cox_os", "uicc_iii_iv", "max_abs_dfbetas", 0.3)
    assert list_influence(moved)["variable"][1] == together
    assert list_proportional_hazards(row("proportional_hazards", "cox_os", "uicc_iii_iv", "p", 0.3))[
        "variable"
    ].to_list() == ["UICC stage"]


def test_firth_tells_of_every_candidate_where_elimination_has_no_model():
    rows = [row("firth", "cox_os", name, "hr", 2.0, level="multivariate") for name in ("asl", "pvtt")]
    found = compare_fits(pl.concat([*few_events("cox_os"), *rows]), "cox_os")
    assert found.select("variable", "ratio", "firth").rows()[1:] == [
        ("ASL (vs none)", "–", "2.00"),
        ("Portal vein thrombosis (vs none)", "–", "2.00"),
    ]


def test_naive_and_guarded_that_agree_exactly_are_explained():
    rows = [
        row("immortal_time", group, "asl", "hr", value, level="univariate")
        for group, value in (("naive", 2.0), ("time_dependent", 2.0))
    ]
    assert tell_immortal_agreement(pl.concat(rows)).startswith("They agree exactly where nobody died")
    assert tell_immortal_agreement(GUARDS) == tell_immortal_agreement(NOTHING) == ""


def test_rules_for_ties_that_agree_say_that_there_are_none():
    assert tell_ties(GUARDS) == "No two deaths share a time tonight."
    other = pl.when(pl.col("group") == "breslow").then(pl.col("value") * 1.001).otherwise("value")
    assert tell_ties(GUARDS.with_columns(value=other)) == tell_ties(NOTHING) == ""


def test_resamples_without_a_model_make_the_optimism_too_small_and_may_leave_no_correction():
    assert "optimism is understated" in cautions(GUARDS)
    assert "No optimism-corrected number" not in cautions(GUARDS)
    none = without(analysis="selection_stability", variable="model", statistic="corrected")
    assert "No optimism-corrected number is given: nobody died." in cautions(none)


@pytest.mark.parametrize(("p", "speaks"), [(0.049, True), (0.05, False), (None, False)])
def test_a_hazard_that_changes_over_time_is_a_warning(p, speaks):
    told = cautions(row("proportional_hazards", "cox_os", "asl", "p", p))
    assert ("changes over follow-up for ASL (vs none) (p 0.0" in told) is speaks


def test_a_separated_variable_is_a_warning_that_points_to_firth():
    told = cautions(row("separation", "logit_asl", "child_pugh_b", "is_separated", 1.0))
    assert "Child-Pugh class B (vs A) separates" in told
    assert told.endswith("Read Firth's.")
    assert tell_cautions(row("separation", "logit_asl", "child_pugh_b", "is_separated", 0.0)) == ()


def test_variables_that_separate_only_together_are_a_warning_too():
    assert "several variables together" in cautions(
        row("separation", "cox_os", "asl", "is_separated", 0.0),
        row("separation", "cox_os", "model", "is_separated", 1.0),
    )


def test_a_verdict_that_immortal_time_made_is_a_warning_and_one_that_stands_is_not():
    told = cautions(GUARDS)
    assert "with the variables of Table 2: the hazard ratio is 2.16 (p 0.002) as the study counts" in told
    assert "Death, ASL against none: the" not in told


@pytest.mark.parametrize(
    ("naive", "guarded", "speaks"),
    [
        ((0.4, 0.01), (1.4, 0.04), True),
        ((0.4, 0.01), (0.6, 0.04), False),
        ((0.8, 0.6), (1.2, 0.7), False),
        ((0.8, 0.6), (0.4, 0.01), True),
    ],
)
def test_two_hazards_that_prove_nothing_do_not_contradict_each_other(naive, guarded, speaks):
    rows = [
        row("immortal_time", group, "recovered", name, value, level="univariate")
        for group, numbers in (("naive", naive), ("landmark_2m", guarded))
        for name, value in zip(("hr", "p"), numbers, strict=True)
    ]
    assert ("once nobody is credited" in cautions(*rows)) is speaks


def test_nothing_is_imputed_where_nothing_is_missing():
    complete = row("missing_data", "cox_os", "model", "percent_complete", 100)
    assert set(compare_fits(pl.concat([GUARDS, complete]), "cox_os")["imputed"]) == {"", "–"}


def test_a_multivariate_fit_that_failed_as_a_whole_keeps_a_row():
    failed = row("firth", "cox_os", "model", "hr", None, level="multivariate")
    assert compare_fits(failed, "cox_os").rows() == [
        ("Together", False, *[""] * 6),
        ("The whole model", True, "–", "–", "n.e.", "–", "–", "Firth: nobody died"),
    ]


@pytest.mark.parametrize(
    "words",
    [
        "the risk does not rise or fall evenly with AFP (p 0.040)",
        "without one single patient the ratio of Lymphopenia before RT",
        "holds Lymphopenia before RT (≤ 1,000 cells/µL) (44%)",
        "150 of 200 resamples gave a model",
        "82% of the patients have every value",
        "Progression by 24 months: Kaplan-Meier's curve",
        "All patients 68% against 61%",
    ],
)
def test_each_guard_speaks_in_one_sentence(words):
    assert words in cautions(GUARDS)


@pytest.mark.parametrize(
    "make",
    [
        compare_immortal_time,
        lambda none: compare_fits(none, "cox_os"),
        compare_ties,
        lambda none: compare_tests(none, "cox_os"),
        list_events,
        list_proportional_hazards,
        list_functional_form,
        list_influence,
        list_inclusion,
        list_optimism,
        list_missing,
        list_competing_risks,
    ],
)
def test_a_night_without_estimates_gives_tables_without_rows(make):
    assert make(NOTHING).height == 0
