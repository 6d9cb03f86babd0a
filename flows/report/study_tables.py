"""The study's own tables: 1 to 4, supplementary 1 and 2, and IL-7 by ASL.

Here: layout for a reader. Not here: the numbers' texts (`transforms.tables`), guards
(`flows.report.guard_tables`). Called by `flows.report.tables`.
"""

import polars as pl

from flows.report.layout import Column, Table, lay_out
from transforms.censoring_table import (
    describe_il7_censoring,
    list_censoring_rules,
    read_il7_sensitivity,
)
from transforms.tables.patients import (
    ASL_GROUPS,
    IL7_GROUPS,
    compare_il7_by_asl,
    compare_il7_groups,
    compare_toxicities,
    count_groups,
    describe_patients,
    list_correlations,
)
from transforms.tables.regressions import compare_models, describe_multivariate
from transforms.wording import NOTHING, group_of

ABOUT_Q = (
    "q: of the results with a q this small or smaller, at most this share is expected to be chance "
    "(Benjamini-Hochberg, over the column)."
)
TOXICITY_GROUPS = (("asl", "By ASL", ASL_GROUPS), ("il7", "By IL-7 before RT", IL7_GROUPS))


def lay_out_study_tables(estimates: pl.DataFrame) -> tuple[Table, ...]:
    """Return the study's tables, in its order."""
    asl = "ASL: logistic regression"
    return (
        _patients(estimates),
        _models(estimates, "cox_os", caption="Overall survival: Cox regression", ratio="HR"),
        _models(estimates, "logit_asl", caption=asl, ratio="OR"),
        _il7_groups(estimates),
        _models(
            estimates,
            "logit_asl_liver_dose",
            caption=f"{asl}, with mean liver dose in place of volume",
            ratio="OR",
            name="liver_dose",
        ),
        _toxicities(estimates),
        _il7_by_asl(estimates),
        _correlations(estimates),
        _il7_sensitivity(estimates),
    )


def _patients(estimates: pl.DataFrame) -> Table:
    columns = (Column("characteristic", "Characteristic", is_text=True), Column("all", "All patients"))
    return lay_out(
        "patients",
        describe_patients(estimates),
        caption="Patients: n (%) or median (range)",
        columns=columns,
        below="Percentages are of the patients with a known value.",
    )


def _models(estimates: pl.DataFrame, analysis: str, *, caption: str, ratio: str, name: str = "") -> Table:
    columns = (
        Column("variable", "Variable", is_text=True),
        Column("univariate", f"{ratio} (95% CI)", "Univariate"),
        Column("univariate_p", "p", "Univariate"),
        Column("univariate_q", "q", "Univariate", is_optional=True),
        Column("multivariate", f"{ratio} (95% CI)", "Multivariate"),
        Column("multivariate_p", "p", "Multivariate"),
        Column("n", "Events of patients"),
    )
    rows = compare_models(estimates, analysis)
    below = f"{describe_multivariate(estimates, analysis)}{_about_q(rows, 'univariate_q')}"
    return lay_out(name or analysis, rows, caption=caption, columns=columns, below=below)


def _about_q(rows: pl.DataFrame, column: str = "q") -> str:
    has_q = not rows.filter(~pl.col(column).is_in(["", NOTHING])).is_empty()
    return f" {ABOUT_Q}" if has_q else ""


def _il7_by_asl(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("measure", "IL-7", is_text=True),
        Column("asl", "ASL"),
        Column("no_asl", "No ASL"),
        Column("p", "p, ASL against no ASL"),
        Column("q", "q", is_optional=True),
    )
    caption = "IL-7 by ASL: mean ± SD"
    rows = compare_il7_by_asl(estimates)
    below = f"{describe_il7_censoring(estimates)}{_about_q(rows)}"
    return lay_out("il7_by_asl", rows, caption=caption, columns=columns, below=below)


def _il7_groups(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("characteristic", "Characteristic", is_text=True),
        Column("il7_low", "Low IL-7 (≤ 2.495 pg/mL)"),
        Column("il7_high", "High IL-7 (> 2.495 pg/mL)"),
        Column("p", "p"),
        Column("q", "q", is_optional=True),
    )
    rows = compare_il7_groups(estimates)
    caption = "Patients by IL-7 before RT: n (%) or mean ± SD"
    below = "Percentages are of the patients with a known value." + _about_q(rows)
    return lay_out("il7_groups", rows, caption=caption, columns=columns, below=below)


def _toxicities(estimates: pl.DataFrame) -> Table:
    n = count_groups(estimates, "toxicities")
    rows = compare_toxicities(estimates)
    columns = (
        Column("toxicity", "Toxicity (CTCAE v4.0)", is_text=True),
        Column("all", _with_n("All", n.get("all"))),
        *(
            column
            for by, words, groups in TOXICITY_GROUPS
            for column in (
                *(Column(group, _with_n(group_of(group), n.get(group)), words) for group in groups),
                Column(f"{by}_p", "p", words),
                Column(f"{by}_exact_p", "p, exact", words),
                Column(f"{by}_q", "q", words, is_optional=True),
            )
        ),
    )
    below = "p: Pearson's chi-square test; exact: Fisher's, to be read where few patients are expected." + (
        _about_q(rows, "asl_q") or _about_q(rows, "il7_q")
    )
    caption = "Toxicities by ASL and by IL-7 before RT: patients, n (%)"
    return lay_out("toxicities", rows, caption=caption, columns=columns, below=below)


def _with_n(words: str, n: int | None) -> str:
    return words if n is None else f"{words} (n\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}{n:,})"


def _correlations(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("pair", "IL-7 and lymphocytes", is_text=True),
        Column("n", "n"),
        Column("r", "Pearson's r (95% CI)"),
        Column("p", "p"),
        Column("q", "q", is_optional=True),
        Column("rho", "Spearman's rho"),
        Column("rho_p", "p of rho"),
    )
    rows = list_correlations(estimates)
    caption = "IL-7 and lymphocyte counts: correlations"
    below = "Over the patients with both numbers." + _about_q(rows)
    return lay_out("correlations", rows, caption=caption, columns=columns, below=below)


def _il7_sensitivity(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("rule", "A value below its limit counts as", is_text=True),
        Column("n", "n"),
        Column("events", "With ASL"),
        Column("odds_ratio", "OR per pg/mL (95% CI)"),
        Column("p", "p"),
    )
    told = (
        describe_il7_censoring(estimates),
        "A value above its limit counts as the limit.",
        read_il7_sensitivity(estimates),
    )
    return lay_out(
        "il7_sensitivity",
        list_censoring_rules(estimates),
        caption="ASL by IL-7 before RT, under each rule for censored values",
        columns=columns,
        below=" ".join(sentence for sentence in told if sentence),
    )
