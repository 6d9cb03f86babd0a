"""Staged rows as the night hands them to the rules: healthy ones, and what makes one break a rule."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime

import polars as pl

from expectations.rules import HELPERS
from transforms import schemas

NIGHT = date(2024, 6, 30)
TABLES = {
    **{
        table.name: table
        for table in (
            *schemas.LANDED_TABLES,
            schemas.COUNT_PARTS,
            *schemas.PLATE_TABLES,
            *schemas.DERIVED_TABLES,
        )
    },
    "count_plausibility": schemas.COUNTS,
}
OF_THE_PATIENT = {"is_known_patient": True, "rt_start_date": date(2024, 3, 1)}
PATIENT = {
    "site": "S1",
    "patient_id": "P-0001",
    "sex": "female",
    "age_years": 61.0,
    "viral_type": "hbv",
    "child_pugh": "A",
    "cirrhosis": "yes",
    "tumor_size_cm": 6.5,
    "tumor_number": "single",
    "uicc_stage": "III",
    "bclc_stage": "C",
    "pvtt": "no",
    "afp_ng_ml": 120.0,
    "pivka_ii_mau_ml": 340.0,
    "previous_treatment": "no",
    "combined_treatment": "chemoradiotherapy",
    "rt_start_date": date(2024, 3, 1),
    "rt_end_date": date(2024, 4, 5),
    "fractions": 25,
    "dose_gy": 50.0,
    "ptv_cm3": 310.0,
    "mean_liver_dose_gy": 19.0,
}
HEALTHY: Mapping[str, Mapping[str, object]] = {
    "patients": PATIENT,
    "counts": {
        "site": "S1",
        "patient_id": "P-0001",
        "collected_at": datetime(2024, 3, 8, 7, 30),
        "collected_on": date(2024, 3, 8),
        "code": "731-0",
        "value": 0.42,
        "unit": "10*3/uL",
        "tlc_cells_per_ul": 420.0,
        "method": "measured",
        "status": "final",
        **OF_THE_PATIENT,
    },
    "count_parts": {
        "site": "S1",
        "patient_id": "P-0001",
        "collected_at": datetime(2024, 3, 8, 7, 30),
        "collected_on": date(2024, 3, 8),
        "code": "6690-2",
        "value": 4.2,
        "unit": "10*3/uL",
        "part": "leukocytes",
        "amount": 4200.0,
        "status": "final",
        **OF_THE_PATIENT,
    },
    "count_plausibility": {
        "site": "S1",
        "patient_id": "P-0001",
        "collected_at": datetime(2024, 3, 8, 7, 30),
        "collected_on": date(2024, 3, 8),
        "code": "731-0",
        "value": 0.42,
        "unit": "10*3/uL",
        "tlc_cells_per_ul": 420.0,
        **{helper.name: True for helper in HELPERS["count_plausibility"]},
    },
    "follow_up": {
        "site": "S1",
        "patient_id": "P-0001",
        "last_contact_date": date(2024, 6, 20),
        "death_date": None,
        "progression_date": None,
        **OF_THE_PATIENT,
    },
    "toxicities": {
        "site": "S1",
        "patient_id": "P-0001",
        "onset_date": date(2024, 3, 20),
        "term": "Nausea",
        "ctcae_grade": 2,
        **OF_THE_PATIENT,
    },
    "cytokines": {
        "site": "S1",
        "patient_id": "P-0001",
        "timepoint": "pre_rt",
        "analyte": "IL-7",
        "collected_on": date(2024, 2, 28),
        "concentration_pg_ml": 2.6,
        "range": "within",
        "n_wells": 2,
        "plate_id": "plate-1",
        **OF_THE_PATIENT,
    },
    "plate_wells": {
        "plate_id": "plate-1",
        "well": "A1",
        "sample": "Standard1",
        "kind": "standard",
        "analyte": "IL-7",
        "median_fi": 310.0,
        "net_mfi": 290.0,
        "n_beads": 74,
        "expected_pg_ml": 10.0,
        "concentration_pg_ml": 9.8,
        "range": "within",
        "instrument_result": "9.8",
        "is_excluded": False,
    },
    "plate_curves": {
        "plate_id": "plate-1",
        "analyte": "IL-7",
        "model": "5PL",
        "r_squared": 0.99,
        "n_standards": 14,
        "converged": True,
    },
    "cohort": {
        **PATIENT,
        "baseline_tlc_cells_per_ul": 1400.0,
        "has_baseline_lymphopenia": False,
        "nadir_tlc_cells_per_ul": 180.0,
        "nadir_grade": 4,
        "n_counts_during_rt": 5,
        "has_asl": True,
        "asl_onset_months": 0.75,
        "tlc_month_2_cells_per_ul": 1100.0,
        "has_recovered": True,
        "recovery_months": 2.0,
        "last_count_months": 11.5,
        "pre_rt_il7_pg_ml": 2.6,
        "post_rt_il7_pg_ml": 4.1,
        "pre_rt_il7_range": "within",
        "post_rt_il7_range": "within",
        "delta_il7_pg_ml": 1.5,
        "il7_group": "il7_high",
        "os_months": 12.0,
        "has_died": True,
        "pfs_months": 5.0,
        "has_progressed_or_died": True,
        "has_progressed": True,
    },
}


def staged(table_name: str, changes: Sequence[Mapping[str, object]]) -> pl.DataFrame:
    """Return a staged frame with a healthy row for each of `changes`, changed so; lines count from 2."""
    table = TABLES[table_name]
    schema = {
        **table.polars_schema,
        **{helper.name: helper.dtype for helper in HELPERS.get(table_name, ())},
        "file_id": pl.String(),
        "line": pl.Int64(),
    }
    rows = [
        {**HEALTHY[table_name], "file_id": "f" * 64, "line": line, **change}
        for line, change in enumerate(changes, start=2)
    ]
    return pl.DataFrame(rows, schema=schema)
