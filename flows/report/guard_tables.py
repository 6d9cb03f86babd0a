"""The report's tables of how far its numbers may be trusted: the guards, beside the study's own numbers.

Here: layout, and what each guard is for in a clinician's words. Not here: the numbers' texts
(`transforms.tables`), when a guard speaks (`transforms.tables.cautions`). Called by `flows.report.tables`.
"""

import polars as pl

from flows.report.layout import Column, Table, lay_out
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
from transforms.tables.stability import (
    describe_complete,
    list_competing_risks,
    list_inclusion,
    list_missing,
    list_optimism,
)
from transforms.wording import NOTHING

# Of every analysis with guards: its name, the words over its table, its ratio.
GUARDED = (("cox_os", "Table 2", "HR"), ("logit_asl", "Table 3", "OR"))
# In the order of the section; each is its table's name and its files'.
GUARDS = (
    "guard_immortal_time",
    "guard_events_and_separation",
    *(f"guard_fits_{name}" for name, _, _ in GUARDED),
    "guard_selection",
    "guard_optimism",
    "guard_proportional_hazards",
    "guard_functional_form",
    "guard_influence",
    "guard_missing_data",
    "guard_competing_risks",
    "guard_ties",
    *(f"guard_tests_{name}" for name, _, _ in GUARDED),
)


def lay_out_guard_tables(estimates: pl.DataFrame) -> tuple[Table, ...]:
    """Return the tables of the guards; one that the night did not estimate has no rows."""
    return (
        _immortal_time(estimates),
        _events(estimates),
        *(_fits(estimates, name, number=number, ratio=ratio) for name, number, ratio in GUARDED),
        _selection(estimates),
        _optimism(estimates),
        _proportional_hazards(estimates),
        _functional_form(estimates),
        _influence(estimates),
        _missing_data(estimates),
        _competing_risks(estimates),
        _ties(estimates),
        *(_tests(estimates, name, number=number) for name, number, _ in GUARDED),
    )


def _immortal_time(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("comparison", "Hazard ratio of", is_text=True),
        # Side by side, so that on a phone nobody reads the study's ratio without the guarded one.
        Column("naive", "As the study counts", "HR (95% CI)"),
        Column("guarded", "Guarded", "HR (95% CI)"),
        Column("naive_p", "As the study counts", "p"),
        Column("guarded_p", "Guarded", "p"),
        Column("log_rank_p", "Guarded, log-rank", "p", is_optional=True),
        Column("guard", "How", "Guarded", is_text=True),
        Column("n", "Events of patients", "Guarded"),
        Column("left_out", "Left out", "Guarded", is_optional=True),
    )
    above = (
        "Whoever has ASL, or recovers from it, has lived long enough for it to happen. To count that time as "
        "survival with ASL, or with recovery, flatters it; the guarded numbers do not count it."
    )
    below = "Left out: patients with ASL who died or were no longer followed at the landmark, or not classed."
    return lay_out(
        "guard_immortal_time",
        compare_immortal_time(estimates),
        caption="Immortal time",
        columns=columns,
        above=above,
        below=f"{below} {tell_immortal_agreement(estimates)}".strip(),
    )


def _events(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("model", "Multivariate model", is_text=True),
        Column("n", "Patients"),
        Column("events", "Events"),
        Column("candidates", "Candidates"),
        Column("per_candidate", "Events a candidate"),
        Column("separated", "Separates the outcome", is_text=True, is_optional=True),
    )
    above = (
        "A model with many variables and few events learns the accidents of its patients. Below 10 events "
        "for each variable tried, its ratios are likely too far from 1. Data are separated where a yes/no "
        "variable (all, or none, of its patients have the event), a cut-point of a number, or a combination "
        "of variables parts those with the event from those without: then no ratio can be given."
    )
    return lay_out(
        "guard_events_and_separation",
        list_events(estimates),
        caption="Events for each variable, and separation",
        columns=columns,
        above=above,
    )


def _fits(estimates: pl.DataFrame, name: str, *, number: str, ratio: str) -> Table:
    columns = (
        Column("variable", "Variable", is_text=True),
        Column("ratio", f"{ratio} (95% CI, Wald)", "As the study fits"),
        Column("profile", "95% CI, profile likelihood", "Beside it"),
        Column("firth", f"Firth's {ratio} (95% CI)", "Beside it"),
        Column("imputed", f"Imputed {ratio} (95% CI)", "Beside it", is_optional=True),
        Column("missing_information", "Information lost", "Beside it", is_optional=True),
    )
    rows = compare_fits(estimates, name)
    imputed = "The imputed ratio keeps patients with a missing value. " if _is_told(rows, "imputed") else ""
    above = (
        "Firth's ratio corrects the bias that few events bring, and exists where data are separated. The "
        f"profile interval needs no symmetry. {imputed}Where they agree with the study's number, it does "
        "not hang on the method."
    )
    below = "Information lost: the share of what the data could tell that missing values took, 0 to 1."
    return lay_out(
        f"guard_fits_{name}",
        rows,
        caption=f"{number} under other fits",
        columns=columns,
        above=above,
        below=below if _is_told(rows, "missing_information") else "",
    )


def _is_told(rows: pl.DataFrame, column: str) -> bool:
    return not rows.filter(~pl.col(column).is_in(["", NOTHING])).is_empty()


def _selection(estimates: pl.DataFrame) -> Table:
    groups = {"cox_os": "Overall survival", "logit_asl": "ASL"}
    columns = (
        Column("variable", "Candidate", is_text=True),
        *(
            column
            for name, words in groups.items()
            for column in (
                Column(f"{name}_kept", "In the model", words),
                Column(f"{name}_inclusion", "Of resamples", words),
            )
        ),
    )
    above = (
        "How often elimination would keep a variable if the study were done again, with patients drawn anew "
        "from these. A variable kept in half of them or fewer is there by luck as much as by effect."
    )
    return lay_out(
        "guard_selection",
        list_inclusion(estimates),
        caption="Which variables would be chosen again",
        columns=columns,
        above=above,
    )


def _optimism(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("model", "Multivariate model", is_text=True),
        Column("measure", "Measure", is_text=True),
        Column("apparent", "On its own patients"),
        Column("optimism", "Optimism"),
        Column("corrected", "Optimism-corrected"),
        Column("slope", "Calibration slope"),
        Column("converged", "Resamples with a model"),
        Column("asked", "Resamples asked for"),
    )
    above = (
        "How well the chosen model tells patients apart (0.5 is chance, 1 perfect): on the patients it was "
        "chosen on, and on new ones. A calibration slope below 1 says that its predictions are too extreme."
    )
    return lay_out(
        "guard_optimism",
        list_optimism(estimates),
        caption="Optimism of the chosen models",
        columns=columns,
        above=above,
    )


def _test_columns(words: str) -> tuple[Column, ...]:
    return (
        Column("variable", words, is_text=True),
        Column("chi_square", "Chi-square"),
        Column("degrees_of_freedom", "df"),
        Column("p", "p"),
    )


def _proportional_hazards(estimates: pl.DataFrame) -> Table:
    above = (
        "A hazard ratio is one number for the whole follow-up. A small p says that the ratio changes over "
        "time, so that it is an average and no constant."
    )
    return lay_out(
        "guard_proportional_hazards",
        list_proportional_hazards(estimates),
        caption="Table 2: is the hazard ratio the same at all times?",
        columns=_test_columns("Variable in the model"),
        above=above,
        below="Test of scaled Schoenfeld residuals against time (Grambsch and Therneau).",
    )


def _functional_form(estimates: pl.DataFrame) -> Table:
    above = (
        "A ratio per unit takes the risk to rise or fall evenly with the variable. A small p says that it "
        "does not: that it bends, or levels off."
    )
    return lay_out(
        "guard_functional_form",
        list_functional_form(estimates),
        caption="Does the risk rise evenly with each measured variable?",
        columns=_test_columns("Measured variable"),
        above=above,
        below="Likelihood-ratio test of a curve (restricted cubic spline) against the straight line.",
    )


def _influence(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("variable", "Variable in the model", is_text=True),
        Column("ratio", "HR or OR (95% CI)"),
        Column("without", "Without one patient"),
        Column("max_abs_dfbetas", "Largest shift, SE"),
        Column("n_influential", "Influential patients"),
    )
    above = "Whether a ratio hangs on single patients: its lowest and highest value when one is left out."
    below = (
        "Left out in turn: everybody of up to 200 patients; of more, the ten who move the coefficient most. "
        "Shift: |dfbetas|, in standard errors; influential above 2/√n."
    )
    return lay_out(
        "guard_influence",
        list_influence(estimates),
        caption="Influence of single patients",
        columns=columns,
        above=above,
        below=below,
    )


def _missing_data(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("variable", "Candidate", is_text=True),
        Column("n_missing", "Patients without it"),
        Column("percent", "Of all patients"),
    )
    above = (
        "A multivariate model leaves out every patient who lacks a single candidate. The more are left out, "
        "the less its ratios stand for all patients."
    )
    return lay_out(
        "guard_missing_data",
        list_missing(estimates),
        caption="Missing data",
        columns=columns,
        above=above,
        below=describe_complete(estimates),
    )


def _competing_risks(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("event", "Event and group", is_text=True),
        Column("n", "n"),
        Column("events", "Events"),
        Column("incidence", "Incidence, % (95% CI)"),
        Column("one_minus_km", "1 − Kaplan-Meier, %"),
        Column("difference", "Difference, points"),
    )
    above = (
        "The dead can no longer progress or recover. Kaplan-Meier's method counts them as if they still "
        "could, and so gives too high a share; the incidence does not."
    )
    return lay_out(
        "guard_competing_risks",
        list_competing_risks(estimates),
        caption="Competing risks",
        columns=columns,
        above=above,
        below="Incidence: Aalen-Johansen. Progression counts from the start of RT, recovery from the first "
        "count below 200 cells/µL during RT.",
    )


def _ties(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("variable", "Variable", is_text=True),
        Column("efron", "HR (95% CI)", "Efron (R)"),
        Column("efron_p", "p", "Efron (R)"),
        Column("breslow", "HR (95% CI)", "Breslow (SPSS)"),
        Column("breslow_p", "p", "Breslow (SPSS)"),
    )
    above = (
        "Programs differ in how they treat deaths in the same month or day. Compare with the column of the "
        "program that you use."
    )
    return lay_out(
        "guard_ties",
        compare_ties(estimates),
        caption="Table 2 under both rules for ties",
        columns=columns,
        above=above,
        below=tell_ties(estimates),
    )


def _tests(estimates: pl.DataFrame, name: str, *, number: str) -> Table:
    columns = (
        Column("variable", "Variable", is_text=True),
        Column("wald", "Wald"),
        Column("likelihood_ratio", "Likelihood ratio"),
        Column("score", "Score", is_optional=True),
    )
    above = (
        "Three tests of the same ratio. They agree where there are enough events; where they do not, the "
        "likelihood ratio's is the one to read."
    )
    return lay_out(
        f"guard_tests_{name}",
        compare_tests(estimates, name),
        caption=f"{number}: p by three tests",
        columns=columns,
        above=above,
    )
