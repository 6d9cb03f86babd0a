"""What hospitals send: patients, blood counts, follow-up, toxicities.

Here: their tables. Not here: plates. Read through `transforms.schemas`.
"""

from datetime import date

import polars as pl

from transforms.schemas.table import Column, Table, day, integer, number, text

YES_NO = ("yes", "no")
EARLIEST_DATE = date(1990, 1, 1)

SITE = text("site", "Hospital that sent the row", required=True)
PATIENT_ID = text("patient_id", "The patient's identifier at that site", required=True)
PATIENT_KEY = ("site", "patient_id")

PATIENTS = Table(
    name="patients",
    key=PATIENT_KEY,
    columns=(
        SITE,
        PATIENT_ID,
        text("sex", "Sex", allowed=("male", "female")),
        number("age_years", "Age at the start of RT"),
        text("viral_type", "Viral hepatitis", allowed=("hbv", "hcv", "none")),
        text("child_pugh", "Child-Pugh class", allowed=("A", "B")),
        text("cirrhosis", "Liver cirrhosis", allowed=YES_NO),
        number("tumor_size_cm", "Largest diameter of the tumour"),
        text("tumor_number", "Number of tumours", allowed=("single", "multiple")),
        text("uicc_stage", "UICC stage", allowed=("II", "III", "IV")),
        text("bclc_stage", "Barcelona Clinic Liver Cancer stage", allowed=("A", "B", "C")),
        text("pvtt", "Portal vein tumour thrombosis", allowed=YES_NO),
        number("afp_ng_ml", "Alpha-fetoprotein"),
        number("pivka_ii_mau_ml", "Protein induced by vitamin K absence-II"),
        text("previous_treatment", "Treated before this course of RT", allowed=YES_NO),
        text(
            "combined_treatment",
            "Chemotherapy together with RT",
            allowed=("chemoradiotherapy", "radiotherapy_alone"),
        ),
        day("rt_start_date", "First day of RT; survival counts from here", required=True),
        day("rt_end_date", "Last day of RT; empty while RT goes on"),
        integer("fractions", "Fractions of RT planned"),
        number("dose_gy", "Highest prescribed dose"),
        number("ptv_cm3", "Planning target volume"),
        number("mean_liver_dose_gy", "Mean dose to the liver"),
    ),
)

COUNTS = Table(
    name="counts",
    key=("site", "patient_id", "collected_at", "code"),
    columns=(
        SITE,
        PATIENT_ID,
        Column("collected_at", pl.Datetime("us"), "When the blood was drawn (UTC)", required=True),
        Column(
            "collected_on",
            pl.Date(),
            "Day of the draw by the clock that the file is written in",
            required=True,
            is_derived=True,
        ),
        text("code", "LOINC code as it came", required=True),
        number("value", "The value as it came", required=True),
        text("unit", "The unit as it came (UCUM or a common spelling)", required=True),
        Column(
            "tlc_cells_per_ul",
            pl.Float64(),
            "Total lymphocyte count in cells/uL",
            required=True,
            is_derived=True,
        ),
    ),
)

FOLLOW_UP = Table(
    name="follow_up",
    key=PATIENT_KEY,
    columns=(
        SITE,
        PATIENT_ID,
        day("last_contact_date", "Last day known to be alive, or the day of death", required=True),
        day("death_date", "Day of death; empty while alive"),
        day("progression_date", "Day the disease was seen to progress; empty where it was not"),
    ),
)

TOXICITIES = Table(
    name="toxicities",
    key=("site", "patient_id", "onset_date", "term"),
    columns=(
        SITE,
        PATIENT_ID,
        day("onset_date", "First day of the toxicity", required=True),
        text("term", "CTCAE v4.0 term", required=True),
        integer("ctcae_grade", "CTCAE v4.0 grade, 1 to 5", required=True),
    ),
)

LANDED_TABLES = (PATIENTS, COUNTS, FOLLOW_UP, TOXICITIES)
