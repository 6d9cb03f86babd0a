"""The hospital of a result whose source does not say it: that of the patient whom only one hospital has.

Here: finding it. Not here: sources that say it themselves (CSV). Called by `flows.load_counts`.
"""

import polars as pl


def with_known_sites(rows: pl.DataFrame, patients: pl.DataFrame) -> pl.DataFrame:
    """Fill in the site of rows that name none, or one that sends no patients (a laboratory's, say).

    A patient_id that one hospital alone has tells the hospital; where several have it, or none, the row stays
    as it is, for the rules to find. rows: site and patient_id; patients: rows of `PATIENTS`.
    """
    only = (
        patients.group_by("patient_id")
        .agg(n_sites=pl.col("site").n_unique(), only_site=pl.col("site").first())
        .filter(pl.col("n_sites") == 1)
        .drop("n_sites")
    )
    sends_patients = pl.col("site").is_in(patients["site"].unique().to_list()).fill_null(value=False)
    return (
        rows.join(only, on="patient_id", how="left", maintain_order="left")
        .with_columns(site=pl.when(sends_patients).then("site").otherwise(pl.coalesce("only_site", "site")))
        .drop("only_site")
    )
