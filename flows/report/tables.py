"""The report's tables, by name: what came in, how long it took, and those of its siblings.

Here: the list, and the tables of the night's own running. Not here: the other tables
(`flows.report.study_tables` and its siblings), HTML (`flows/report/templates`). Called by
`flows.report.page`.
"""

from collections.abc import Mapping

import polars as pl

from flows.report.context import ReportContext
from flows.report.count_tables import lay_out_count_tables
from flows.report.course_tables import lay_out_course_tables
from flows.report.guard_tables import lay_out_guard_tables
from flows.report.layout import Column, Table, lay_out
from flows.report.plate_tables import lay_out_plate_tables
from flows.report.predictor_tables import lay_out_predictor_tables
from flows.report.study_tables import lay_out_study_tables
from transforms.quarantine_tables import count_by_rule, list_refused_files
from transforms.wording import write_number, write_seconds

# Tables of how the night went: they are of no study, and differ though nothing else does.
OF_THE_RUN = ("sources", "rules", "refused_files", "timings")
# Tables of the predictor, whose runs in MLflow are its own.
OF_THE_PREDICTOR = ("performance", "gates", "inputs")
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
        *lay_out_study_tables(context.estimates),
        *lay_out_course_tables(context.estimates),
        *lay_out_guard_tables(context.estimates),
        *(lay_out_count_tables(context.completeness) if context.completeness else ()),
        *(lay_out_plate_tables(context.plates) if context.plates else ()),
        *(lay_out_predictor_tables(context.predictor) if context.predictor else ()),
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
        Column("unchanged", "Already known"),
        Column("files", "Files"),
    )
    below = (
        "Already known: the same file or row again. Rows in = loaded + in quarantine + already known; the "
        "night stops where they do not add up."
    )
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
