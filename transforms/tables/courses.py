"""What happens over time: Kaplan-Meier's numbers, log-rank tests, counts by month.

Here: rows of texts. Not here: the curves (`transforms.figure_frames`). Called by `flows.report`.
"""

import polars as pl

from transforms.tables.analysis import (
    Analysis,
    Row,
    count_text,
    mean_and_sd,
    n_text,
    p_text,
    percent_text,
    text_frame,
    why_missing,
)
from transforms.wording import NOTHING, group_of, write_interval, write_number, write_p


def list_survival(estimates: pl.DataFrame, endpoint: str) -> pl.DataFrame:
    """Return Kaplan-Meier's numbers for `os` or `pfs`: group, n, events, median, rate_24m, note.

    `median` in months and `rate_24m` in percent, each with its 95% interval; a median that was not reached
    is "not reached".
    """
    analysis = Analysis(estimates, f"km_{endpoint}")
    rows: list[Row] = []
    for group in analysis.groups():
        rate = analysis.find(group, endpoint, "rate_24m")
        counts = {name: write_number(analysis.value(group, endpoint, name), 0) for name in ("n", "events")}
        texts = {
            "median": _curve_text(
                analysis, group, endpoint, statistic="median_months", open_end="not reached"
            ),
            "rate_24m": _curve_text(analysis, group, endpoint, statistic="rate_24m"),
        }
        rows.append({"group": group_of(group), **counts, **texts, "note": why_missing(rate)})
    return text_frame(rows, ("group", "n", "events", "median", "rate_24m", "note"))


def _curve_text(analysis: Analysis, group: str, endpoint: str, *, statistic: str, open_end: str = "") -> str:
    names = (statistic, f"{statistic}_ci_low", f"{statistic}_ci_high")
    has_curve = bool(analysis.value(group, endpoint, "n"))
    numbers = [analysis.value(group, endpoint, name) for name in names]
    return write_interval(*numbers, decimals=1, open_end=open_end if has_curve else "")


def list_log_rank(estimates: pl.DataFrame, endpoint: str) -> pl.DataFrame:
    """Return the log-rank tests for `os` or `pfs`: contrast, n, p, note."""
    analysis = Analysis(estimates, f"logrank_{endpoint}")
    tests = {group: analysis.find(group, endpoint, "p") for group in analysis.groups()}
    rows = [
        {"contrast": group_of(group), "n": n_text(test), "p": p_text(test), "note": why_missing(test)}
        for group, test in tests.items()
    ]
    return text_frame(rows, ("contrast", "n", "p", "note"))


def list_months(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return the course of counts: month, n, mean (± SD), percent_of_baseline, p (Bonferroni), note."""
    analysis, variable = Analysis(estimates, "tlc_trajectory"), "tlc_cells_per_ul"
    rows: list[Row] = []
    for group in (name for name in analysis.groups() if not name.endswith("_vs_0")):
        share = analysis.find(group, variable, "percent_of_baseline")
        test = analysis.find(f"{group}_vs_0", variable, "p_bonferroni")
        rows.append(
            {
                "month": group.removeprefix("month_"),
                "n": count_text(analysis, group, variable),
                "mean": mean_and_sd(analysis, group, variable),
                "percent_of_baseline": NOTHING if not share.is_made else percent_text(share.value),
                "p": NOTHING if not test.is_made else write_p(test.value),
                "note": why_missing(test),
            }
        )
    return text_frame(rows, ("month", "n", "mean", "percent_of_baseline", "p", "note"))


def describe_follow_up(estimates: pl.DataFrame) -> str:
    """Return in a sentence how long patients were followed; nothing where it was not estimated."""
    analysis, variable = Analysis(estimates, "follow_up"), "follow_up_months"
    if analysis.value("all", variable, "median") is None:
        return ""
    median, low, high = (
        write_number(analysis.value("all", variable, name)) for name in ("median", "min", "max")
    )
    reverse = _curve_text(
        analysis, "all", variable, statistic="reverse_km_median_months", open_end="not reached"
    )
    return (
        f"Followed for a median of {median} months ({low} to {high}); by reverse Kaplan-Meier, which takes "
        f"deaths as the end of watching, {reverse}."
    )
