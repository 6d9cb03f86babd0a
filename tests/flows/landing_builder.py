"""Small landing folders for tests: good by default, and spoilt one thing at a time."""

from pathlib import Path

PATIENTS_HEADER = (
    "site,patient_id,sex,age_years,viral_type,child_pugh,cirrhosis,tumor_size_cm,tumor_number,uicc_stage,"
    "bclc_stage,pvtt,afp_ng_ml,pivka_ii_mau_ml,previous_treatment,combined_treatment,rt_start_date,"
    "rt_end_date,fractions,dose_gy,ptv_cm3,mean_liver_dose_gy"
)
COUNTS_HEADER = "site,patient_id,collected_at,code,value,unit"
FOLLOW_UP_HEADER = "site,patient_id,last_contact_date,death_date,progression_date"
TOXICITIES_HEADER = "site,patient_id,onset_date,term,ctcae_grade"


def patient(
    patient_id: str, *, sex: str = "male", rt_start: str = "2024-01-01", rt_end: str = "2024-02-02"
) -> str:
    """One row of patients."""
    return (
        f"a,{patient_id},{sex},61,hbv,A,no,6.5,single,III,B,no,64.4,1616,no,chemoradiotherapy,"
        f"{rt_start},{rt_end},25,100,594,40.1"
    )


def count(patient_id: str, day: str, value: object, unit: str = "cells/uL", code: str = "731-0") -> str:
    """One row of counts."""
    return f"a,{patient_id},{day},{code},{value},{unit}"


def write_table(landing: Path, name: str, *rows: str, header: str) -> Path:
    """Write landing/`name`, for instance counts/c.csv."""
    path = landing / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    return path


def write_good_landing(landing: Path) -> Path:
    """Three patients with counts, follow-up and a toxicity; P2 falls below 200 cells/uL during RT."""
    write_table(landing, "patients/p.csv", *(patient(f"P{n}") for n in (1, 2, 3)), header=PATIENTS_HEADER)
    write_table(
        landing,
        "counts/c.csv",
        *(count(f"P{n}", "2023-12-28", 1100 + n) for n in (1, 2, 3)),
        *(count(f"P{n}", "2024-01-29", value) for n, value in ((1, 410), (2, 150), (3, 330))),
        header=COUNTS_HEADER,
    )
    write_table(
        landing,
        "follow_up/f.csv",
        "a,P1,2025-06-01,,2024-10-01",
        "a,P2,2024-09-01,2024-09-01,2024-05-01",
        "a,P3,2025-05-01,,",
        header=FOLLOW_UP_HEADER,
    )
    write_table(landing, "toxicities/t.csv", "a,P1,2024-01-20,Nausea,2", header=TOXICITIES_HEADER)
    return landing
