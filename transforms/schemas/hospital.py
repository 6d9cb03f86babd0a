"""What hospitals send of a patient: characteristics and RT, follow-up, toxicities.

Here: their tables. Not here: blood counts and plates (its siblings). Read through `transforms.schemas`.
"""

from datetime import date

from transforms.schemas.table import Table, day, integer, number, text

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
