"""The report's tables of what happens over time: counts by month, survival, log-rank tests.

Here: layout for a reader. Not here: the numbers' texts (`transforms.tables.courses`). Called by
`flows.report.tables`.
"""

import polars as pl

from flows.report.layout import Column, Table, lay_out
from transforms.tables.courses import describe_follow_up, list_log_rank, list_months, list_survival
from transforms.wording import label_of


def lay_out_course_tables(estimates: pl.DataFrame) -> tuple[Table, ...]:
    """Return the tables of the report's sections on lymphocytes and on survival."""
    return (
        _months(estimates),
        _survival(estimates, "os", words="Overall survival"),
        _survival(estimates, "pfs", words="Progression-free survival"),
        _log_rank(estimates),
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
    caption = f"{words}: Kaplan-Meier"
    below = describe_follow_up(estimates) if endpoint == "os" else ""
    return lay_out(f"survival_{endpoint}", rows, caption=caption, columns=columns, below=below)


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
