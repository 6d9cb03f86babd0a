"""The synthetic cohort as what a night's analyses read, and options that leave out what takes seconds."""

from datetime import timedelta

import numpy as np
import polars as pl

from models.study.data import StudyData
from models.study.options import StudyOptions
from tests.models.synthetic_cohort import make_cohort
from transforms import schemas

# No resampling and no imputation: those have tests of their own.
QUICK = StudyOptions(resamples=0, imputations=0)
TERMS = ("Fatigue", "Nausea", "Gastric ulcer")


def study_data(cohort: pl.DataFrame | None = None, months: pl.DataFrame | None = None) -> StudyData:
    """Return the synthetic study, or the one of a cohort and monthly counts given in its place."""
    everyone, every_month = make_cohort()
    chosen = everyone if cohort is None else cohort
    toxicities = make_toxicities(everyone).join(chosen, on=schemas.PATIENT_KEY, how="semi")
    return StudyData(chosen, every_month if months is None else months, toxicities)


def make_toxicities(cohort: pl.DataFrame, seed: int = 0) -> pl.DataFrame:
    """Return invented toxicities (`schemas.TOXICITIES`): each term in about a third of the patients."""
    rng = np.random.default_rng((seed, 7))
    rows = [
        (site, patient_id, start + timedelta(days=int(rng.integers(7, 60))), term, int(rng.integers(1, 5)))
        for site, patient_id, start in cohort.select("site", "patient_id", "rt_start_date").rows()
        for term in TERMS
        if rng.random() < 1 / 3
    ]
    return pl.DataFrame(rows, schema=schemas.TOXICITIES.polars_schema, orient="row")
