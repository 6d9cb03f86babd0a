"""The report's tables as the page shows them: columns with words, rows, footnotes.

Here: layout for a reader. Not here: the numbers' texts (`transforms.tables`), HTML
(`flows/report/templates`). Called by `flows.report.page`.
"""

import math
from collections.abc import Mapping

import polars as pl

from flows.report.context import PredictorReport, ReportContext
from flows.report.count_tables import lay_out_count_tables
from flows.report.layout import Column, Table, lay_out
from flows.report.plate_tables import lay_out_plate_tables
from transforms.censoring_table import (
    describe_il7_censoring,
    list_censoring_rules,
    read_il7_sensitivity,
)
from transforms.quarantine_tables import count_by_rule, list_refused_files
from transforms.tables import (
    compare_il7_by_asl,
    compare_il7_groups,
    compare_models,
    describe_multivariate,
    describe_patients,
    list_log_rank,
    list_months,
    list_survival,
)
from transforms.wording import (
    label_of,
    write_interval,
    write_number,
    write_ratio,
    write_seconds,
)

SOURCES = {
    "patients": "Patients",
    "counts": "Lymphocyte counts",
    "plates": "Cytokine plates",
    "follow_up": "Follow-up",
    "toxicities": "Toxicities",
    "redcap": "REDCap projects",
}


def lay_out_tables(context: ReportContext) -> dict[str, Table]:
    """Return every table of the report, by name."""
    tables = (
        _sources(context.sources),
        _rules(context.quarantine),
        _refused_files(context.quarantine),
        _patients(context.estimates),
        _months(context.estimates),
        _survival(context.estimates, "os", words="Overall survival"),
        _survival(context.estimates, "pfs", words="Progression-free survival"),
        _log_rank(context.estimates),
        _models(context.estimates, "cox_os", caption="Overall survival: Cox regression", ratio="HR"),
        _models(context.estimates, "logit_asl", caption="ASL: logistic regression", ratio="OR"),
        _il7_by_asl(context.estimates),
        _il7_groups(context.estimates),
        _il7_sensitivity(context.estimates),
        *(lay_out_count_tables(context.completeness) if context.completeness else ()),
        *(lay_out_plate_tables(context.plates) if context.plates else ()),
        *(_predictor_tables(context.predictor) if context.predictor else ()),
        _timings(context.timings),
    )
    return {table.name: table for table in tables}


def lay_out_side_by_side(side_by_side: pl.DataFrame, name: str, *, caption: str) -> Table:
    """Return the published numbers beside ours (`transforms.published.SIDE_BY_SIDE`)."""
    parts = ("analysis", "group", "variable", "level", "statistic")
    rows = side_by_side.with_columns(
        pl.col("where").str.replace("_", " "),
        about=pl.concat_str(parts, separator=" / ", ignore_nulls=True).str.replace_all("_", " "),
        ours_printed=pl.col("ours_printed").fill_null("not estimated"),
        equal=pl.when("is_equal").then(pl.lit("yes")).otherwise(pl.lit("no")),
    ).select("about", "where", "printed", "ours_printed", "equal")
    columns = (
        Column("about", "What the number is about", is_text=True, may_break=True),
        Column("where", "Where it is printed", is_text=True),
        Column("printed", "Published"),
        Column("ours_printed", "Ours"),
        Column("equal", "Equal", is_text=True),
    )
    return lay_out(name, rows, caption=caption, columns=columns)


def _sources(sources: pl.DataFrame) -> Table:
    counts = ("files", "rows_in", "loaded", "unchanged", "quarantined")
    total = sources.select(pl.lit("all").alias("source"), *(pl.col(name).sum() for name in counts)).head(1)
    words = {**SOURCES, "all": "All"}
    rows = pl.DataFrame(
        [
            {"source": words.get(row["source"], row["source"])}
            | {name: write_number(row[name], 0) for name in counts}
            for row in (*sources.iter_rows(named=True), *total.iter_rows(named=True))
        ]
    )
    columns = (
        Column("source", "Source", is_text=True),
        Column("rows_in", "Rows in"),
        Column("loaded", "Loaded"),
        Column("quarantined", "In quarantine"),
        Column("unchanged", "Unchanged"),
        Column("files", "Files"),
    )
    below = "Rows in = loaded + in quarantine + unchanged; the night stops where they do not add up."
    return lay_out("sources", rows, caption="Rows by source", columns=columns, below=below)


def _rules(quarantine: pl.DataFrame) -> Table:
    rows = count_by_rule(quarantine).with_columns(
        pl.col("source").replace(SOURCES),
        pl.col("rule").str.replace_all("_", " "),
        pl.col("rows", "files").map_elements(lambda n: write_number(n, 0), return_dtype=pl.String),
    )
    columns = (
        Column("rule", "Rule", is_text=True),
        Column("source", "Source", is_text=True),
        Column("rows", "Rows"),
        Column("files", "Files"),
        Column("expected", "Expected", is_text=True),
        Column("remedy", "What to do", is_text=True),
    )
    below = "A row that breaks two rules is counted with each. Lines are in the warehouse's quarantine table."
    return lay_out("rules", rows, caption="Rows in quarantine, by rule", columns=columns, below=below)


def _refused_files(quarantine: pl.DataFrame) -> Table:
    rows = list_refused_files(quarantine).with_columns(
        pl.col("source").replace(SOURCES), pl.col("rule").str.replace_all("_", " ")
    )
    columns = (
        Column("file", "File", is_text=True, may_break=True),
        Column("source", "Source", is_text=True),
        Column("rule", "Why", is_text=True),
        Column("expected", "Expected", is_text=True),
        Column("remedy", "What to do", is_text=True),
    )
    return lay_out("refused_files", rows, caption="Files refused as a whole", columns=columns)


def _patients(estimates: pl.DataFrame) -> Table:
    columns = (Column("characteristic", "Characteristic", is_text=True), Column("all", "All patients"))
    return lay_out(
        "patients",
        describe_patients(estimates),
        caption="Patients: n (%) or median (range)",
        columns=columns,
        below="Percentages are of the patients with a known value.",
    )


def _months(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("month", "Month", is_text=True),
        Column("n", "n"),
        Column("mean", "Mean ± SD, cells/µL"),
        Column("percent_of_baseline", "Of month 0"),
        Column("p", "p, Bonferroni"),
    )
    below = "Paired t tests against month 0, times 6."
    return lay_out(
        "months", list_months(estimates), caption="Lymphocytes by month", columns=columns, below=below
    )


def _survival(estimates: pl.DataFrame, endpoint: str, *, words: str) -> Table:
    columns = (
        Column("group", "Group", is_text=True),
        Column("n", "n"),
        Column("events", "Events"),
        Column("median", "Median, months (95% CI)"),
        Column("rate_24m", "At 24 months, % (95% CI)"),
    )
    rows = list_survival(estimates, endpoint)
    return lay_out(f"survival_{endpoint}", rows, caption=f"{words}: Kaplan-Meier", columns=columns)


def _log_rank(estimates: pl.DataFrame) -> Table:
    rows = pl.concat(
        list_log_rank(estimates, endpoint).with_columns(endpoint=pl.lit(label_of(endpoint)))
        for endpoint in ("os", "pfs")
    )
    columns = (
        Column("contrast", "Comparison", is_text=True),
        Column("endpoint", "Of", is_text=True),
        Column("n", "Events of patients"),
        Column("p", "p"),
    )
    return lay_out("log_rank", rows, caption="Log-rank tests", columns=columns)


def _models(estimates: pl.DataFrame, analysis: str, *, caption: str, ratio: str) -> Table:
    columns = (
        Column("variable", "Variable", is_text=True),
        Column("univariate", f"{ratio} (95% CI)", "Univariate"),
        Column("univariate_p", "p", "Univariate"),
        Column("multivariate", f"{ratio} (95% CI)", "Multivariate"),
        Column("multivariate_p", "p", "Multivariate"),
        Column("n", "Events of patients"),
    )
    below = describe_multivariate(estimates, analysis)
    return lay_out(
        analysis, compare_models(estimates, analysis), caption=caption, columns=columns, below=below
    )


def _il7_by_asl(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("measure", "IL-7", is_text=True),
        Column("asl", "ASL"),
        Column("no_asl", "No ASL"),
        Column("p", "p, ASL against no ASL"),
    )
    caption = "IL-7 by ASL: mean ± SD"
    below = describe_il7_censoring(estimates)
    return lay_out("il7_by_asl", compare_il7_by_asl(estimates), caption=caption, columns=columns, below=below)


def _il7_groups(estimates: pl.DataFrame) -> Table:
    columns = (
        Column("characteristic", "Characteristic", is_text=True),
        Column("il7_low", "Low IL-7 (≤ 2.495 pg/mL)"),
        Column("il7_high", "High IL-7 (> 2.495 pg/mL)"),
        Column("p", "p"),
    )
    caption = "Patients by IL-7 before RT: n (%) or mean ± SD"
    return lay_out("il7_groups", compare_il7_groups(estimates), caption=caption, columns=columns)


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


def _predictor_tables(predictor: PredictorReport) -> tuple[Table, ...]:
    return (_performance(predictor), _gates(predictor), _inputs(predictor))


def _performance(predictor: PredictorReport) -> Table:
    found = predictor.cross_validated
    auc = write_interval(found.auc, found.auc_low, found.auc_high, decimals=2)
    measures = (
        ("AUC (95% CI)", auc, write_number(predictor.apparent_auc, 2), "0.5 is chance, 1 is perfect"),
        ("Brier score", write_number(found.brier, 3), "", "0 is perfect"),
        ("Log loss", write_number(found.log_loss, 3), "", "0 is perfect"),
        (
            "Calibration slope",
            write_number(found.calibration_slope, 2),
            "",
            "1 is right, below is overconfident",
        ),
        ("Calibration in the large", write_number(found.calibration_intercept, 2), "", "0 is right"),
    )
    rows = pl.DataFrame(measures, schema=("measure", "cross_validated", "apparent", "meaning"), orient="row")
    columns = (
        Column("measure", "Measure", is_text=True),
        Column("cross_validated", "Cross-validated"),
        Column("apparent", "On its own training data"),
        Column("meaning", "How to read it", is_text=True),
    )
    below = (
        f"{found.n:,} patients, {found.n_events:,} with ASL; {predictor.n_left_out:,} left out, outcome "
        "unknown. The interval is about a fifth too narrow, since it takes the held-out predictions as given."
    )
    return lay_out("performance", rows, caption="How well it predicts", columns=columns, below=below)


def _gates(predictor: PredictorReport) -> Table:
    gates = predictor.verdict.gates if predictor.verdict else ()
    rows = pl.DataFrame(
        [
            {
                "gate": gate.name.capitalize(),
                "found": gate.found,
                "required": gate.required,
                "state": "open" if gate.is_open else "closed",
            }
            for gate in gates
        ]
    )
    columns = (
        Column("gate", "Gate", is_text=True),
        Column("found", "Found", is_text=True),
        Column("required", "Required", is_text=True),
        Column("state", "Gate is", is_text=True),
    )
    return lay_out("gates", rows, caption="What decides whether it serves", columns=columns)


def _inputs(predictor: PredictorReport) -> Table:
    rows = pl.DataFrame(
        [
            {
                "feature": label_of(row["feature"]),
                "odds_ratio": write_ratio(math.exp(row["log_odds_ratio_per_sd"]), None, None),
                "n_unknown": write_number(row["n_unknown"], 0),
            }
            for row in predictor.coefficients.iter_rows(named=True)
        ]
    )
    columns = (
        Column("feature", "Known before RT", is_text=True),
        Column("odds_ratio", "Odds ratio for one SD more"),
        Column("n_unknown", "Patients without it"),
    )
    below = "Shrunken by the model's penalty and given together: no effects, and no intervals."
    return lay_out("inputs", rows, caption="What it looks at", columns=columns, below=below)


def _timings(timings: Mapping[str, float]) -> Table:
    total = sum(timings.values())
    rows = pl.DataFrame(
        [
            (step.replace("_", " ").capitalize(), write_seconds(seconds), f"{seconds / (total or 1):.0%}")
            for step, seconds in (*timings.items(), ("all", total))
        ],
        schema=("step", "seconds", "share"),
        orient="row",
    )
    columns = (Column("step", "Step", is_text=True), Column("seconds", "Took"), Column("share", "Share"))
    return lay_out("timings", rows, caption="How long each step took", columns=columns)
