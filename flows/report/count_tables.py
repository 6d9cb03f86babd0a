"""The report's tables of blood counts: how complete they are, and what other definitions say.

Here: layout for a reader. Not here: the numbers (`transforms.counts.completeness`, `transforms.definitions`).
Called by `flows.report.tables`.
"""

import polars as pl

from flows.report.context import CountsReport
from flows.report.layout import Column, Table, lay_out
from transforms.definitions import DEFINITIONS
from transforms.wording import NOTHING, write_number


def lay_out_count_tables(counts: CountsReport) -> tuple[Table, ...]:
    """Return the report's tables on the completeness of counts and on definitions."""
    return (_completeness(counts), _agreement(counts.agreement))


def tell_silent(counts: CountsReport) -> tuple[str, ...]:
    """Say of each site whose feed is silent since when, and what follows."""
    return tuple(
        f"{site} is not signed off: no count has come since {since or 'it was set up'}, where "
        f"{write_number(lacking, 0)} were to be expected. What is shown of its patients may be out of date."
        for site, since, lacking in counts.silent.select("site", "silent_since_date", "n_rows_lacking").rows()
    )


def _completeness(counts: CountsReport) -> Table:
    due = pl.col("is_expected")
    seen = due & (pl.col("state") == "seen")
    by_site = counts.weekly.group_by("site").agg(
        patients=pl.col("patient_id").n_unique(),
        due=due.sum(),
        seen=seen.sum(),
        missing=(due & ~seen).sum(),
        patients_without=pl.col("patient_id").filter(due & ~seen).n_unique(),
    )
    latest = counts.feed.sort("week_start_date").group_by("site", maintain_order=True).last()
    silent = counts.silent.select("site", is_silent=pl.lit(value=True))
    rows = (
        by_site.join(latest.select("site", "state"), on="site", how="left")
        .join(silent, on="site", how="left")
        .sort("site")
    )
    texts = [
        {
            "site": row["site"],
            "patients": write_number(row["patients"], 0),
            "due": write_number(row["due"], 0),
            "seen": f"{row['seen']:,} ({row['seen'] / row['due']:.1%})" if row["due"] else NOTHING,
            "missing": write_number(row["missing"], 0),
            "without": write_number(row["patients_without"], 0),
            "feed": row["state"] or NOTHING,
            "signed": "no" if row["is_silent"] else "yes",
        }
        for row in rows.iter_rows(named=True)
    ]
    columns = (
        Column("site", "Site", is_text=True),
        Column("patients", "Patients"),
        Column("due", "Due", "Weeks of RT"),
        Column("seen", "Seen", "Weeks of RT"),
        Column("missing", "Missing", "Weeks of RT"),
        Column("without", "Patients with a week missing"),
        Column("feed", "Feed, last week", is_text=True),
        Column("signed", "Signed off", is_text=True),
    )
    below = (
        "A count is due in each week of RT that is over. With weeks missing the true nadir may be lower: "
        "unmeasured is not normal. A site whose feed is silent is not signed off."
    )
    return lay_out(
        "completeness", pl.DataFrame(texts), caption="Completeness of counts", columns=columns, below=below
    )


def _agreement(agreement: pl.DataFrame) -> Table:
    counts = ("n_both", "n_only_first", "n_only_second", "n_neither", "n_unknown")
    rows = pl.DataFrame(
        [
            {name: row[name] for name in ("first", "second")}
            | {name: write_number(row[name], 0) for name in counts}
            | {"kappa": NOTHING if row["kappa"] is None else write_number(row["kappa"], 2)}
            for row in agreement.iter_rows(named=True)
        ]
    )
    columns = (
        Column("first", "First", is_text=True),
        Column("second", "Second", is_text=True),
        Column("n_both", "Both", "Patients who are cases by"),
        Column("n_only_first", "First alone", "Patients who are cases by"),
        Column("n_only_second", "Second alone", "Patients who are cases by"),
        Column("n_neither", "Neither", "Patients who are cases by"),
        Column("n_unknown", "Unknown"),
        Column("kappa", "Kappa"),
    )
    below = " ".join(f"{one.tag}: {one.sentence[0].lower()}{one.sentence[1:]}." for one in DEFINITIONS)
    return lay_out(
        "agreement", rows, caption="Definitions of severe lymphopenia", columns=columns, below=below
    )
