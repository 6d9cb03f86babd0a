"""A seeded, invented cohort in the shape of `schemas.COHORT`, with the study's margins at 98 patients.

Here: frames for tests of models, figures and reports. Not here: the simulator that writes landing files
(`flows`). Nothing in it is a patient: every value is drawn.
"""

from datetime import date, timedelta

import numpy as np
import polars as pl

from transforms import schemas

DAYS_A_MONTH = 30.4375

# Table 1's counts among 98, used as proportions at any other size.
MARGINS: dict[str, dict[str, int]] = {
    "sex": {"male": 78, "female": 20},
    "viral_type": {"hbv": 72, "hcv": 5, "none": 21},
    "child_pugh": {"A": 86, "B": 12},
    "cirrhosis": {"no": 53, "yes": 45},
    "tumor_number": {"single": 43, "multiple": 55},
    "uicc_stage": {"II": 27, "III": 31, "IV": 40},
    "bclc_stage": {"A": 24, "B": 26, "C": 48},
    "pvtt": {"no": 52, "yes": 46},
    "previous_treatment": {"no": 51, "yes": 47},
    "combined_treatment": {"chemoradiotherapy": 66, "radiotherapy_alone": 32},
}


def make_cohort(n_patients: int = 98, seed: int = 0) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return (cohort, monthly_counts), one row a patient and one a patient and month 0 to 6; no nulls
    but recovery and the course of ASL where there was no ASL, and recovery_months where there was none."""
    rng = np.random.default_rng(seed)
    frame = _add_survival(_add_counts(_patients(n_patients, rng), rng), rng)
    # A stream of its own, so that whatever was drawn before these columns came is drawn still.
    frame = _add_course_of_asl(frame, np.random.default_rng((seed, 6)))
    cohort = frame.select(schemas.COHORT.column_names).cast(dict(schemas.COHORT.polars_schema))
    return cohort, _monthly_counts(cohort, rng)


def _shuffled_levels(levels: dict[str, int], n: int, rng: np.random.Generator) -> list[str]:
    cuts = np.rint(np.cumsum([0, *levels.values()]) / sum(levels.values()) * n).astype(int)
    words = [word for word, count in zip(levels, np.diff(cuts), strict=True) for _ in range(count)]
    return [words[i] for i in rng.permutation(n)]


def _lognormal(n: int, rng: np.random.Generator, *, median: float, sigma: float, limits: tuple[float, float]):
    return np.clip(median * np.exp(sigma * rng.standard_normal(n)), *limits)


def _patients(n: int, rng: np.random.Generator) -> pl.DataFrame:
    start = [date(2016, 7, 1) + timedelta(days=int(day)) for day in rng.integers(0, 840, n)]
    return pl.DataFrame(
        {
            "site": ["SITE1"] * n,
            "patient_id": [f"S{i:04d}" for i in range(n)],
            **{name: _shuffled_levels(levels, n, rng) for name, levels in MARGINS.items()},
            "age_years": np.clip(rng.normal(61, 10, n), 33, 80).round(),
            "tumor_size_cm": _lognormal(n, rng, median=6.5, sigma=0.7, limits=(1.3, 21.0)).round(1),
            "afp_ng_ml": _lognormal(n, rng, median=64.4, sigma=2.6, limits=(1.7, 268408)).round(1),
            "pivka_ii_mau_ml": _lognormal(n, rng, median=1616, sigma=2.0, limits=(15, 75000)).round(),
            "rt_start_date": start,
            "rt_end_date": [day + timedelta(days=34) for day in start],
            "fractions": [25] * n,
            "dose_gy": _doses(n, rng),
            "ptv_cm3": _lognormal(n, rng, median=594, sigma=1.0, limits=(37, 5156)).round(),
            "mean_liver_dose_gy": np.clip(rng.normal(42, 18, n), 2, 95).round(1),
            "pre_rt_il7_pg_ml": _lognormal(n, rng, median=2.22, sigma=0.65, limits=(0.24, 9.79)).round(2),
        }
    )


def _doses(n: int, rng: np.random.Generator):
    """91 of 98 had 100 Gy."""
    lower = rng.permutation(n) < round(n * 7 / 98)
    return np.where(lower, rng.choice([60.0, 75.0, 80.0, 90.0], n), 100.0)


def _add_counts(patients: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    n = patients.height
    baseline = _lognormal(n, rng, median=1030, sigma=0.42, limits=(310, 3200)).round()
    il7 = patients["pre_rt_il7_pg_ml"].to_numpy()
    log_nadir = (
        np.log(240)
        + 0.6 * np.log(baseline / 1030)
        - 0.00018 * (patients["ptv_cm3"].to_numpy() - 900)
        + 0.12 * (il7 - 2.6)
        + 0.4 * rng.standard_normal(n)
    )
    nadir = np.clip(np.exp(log_nadir), 30, baseline).round()
    has_asl = nadir < 200
    month_2 = _lognormal(n, rng, median=1020, sigma=0.5, limits=(150, 4000)).round()
    drift = np.where(has_asl, 0.48, -0.66) + 0.9 * rng.standard_normal(n)
    post = np.clip(il7 + drift, 0.2, 7.33).round(2)
    grade = pl.col("nadir_tlc_cells_per_ul").cut(
        [200, 500, 800, 1000], labels=["4", "3", "2", "1", "0"], left_closed=True
    )
    return patients.with_columns(
        baseline_tlc_cells_per_ul=baseline,
        has_baseline_lymphopenia=pl.Series(baseline <= 1000),
        nadir_tlc_cells_per_ul=nadir,
        n_counts_during_rt=pl.lit(5),
        n_weeks_seen=pl.lit(5),
        n_weeks_expected=pl.lit(5),
        asl_definition=pl.lit("asl-200-during-rt"),
        asl_definition_version=pl.lit(1),
        has_asl=pl.Series(has_asl),
        tlc_month_2_cells_per_ul=month_2,
        has_recovered=pl.Series(
            [bool(tlc > 1000) if asl else None for tlc, asl in zip(month_2, has_asl, strict=True)]
        ),
        post_rt_il7_pg_ml=post,
        pre_rt_il7_range=pl.lit("within"),
        post_rt_il7_range=pl.lit("within"),
        pre_rt_il7_limit_pg_ml=pl.lit(None, pl.Float64),
        post_rt_il7_limit_pg_ml=pl.lit(None, pl.Float64),
        delta_il7_pg_ml=(post - il7).round(2),
        il7_group=pl.Series(np.where(il7 > 2.495, "il7_high", "il7_low")),
    ).with_columns(nadir_grade=grade.cast(pl.String).cast(pl.Int64))


def _add_survival(patients: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    n = patients.height
    log_hazard = (
        0.7 * patients["has_asl"].to_numpy()
        + 0.5 * (patients["uicc_stage"] != "II").to_numpy()
        + 0.7 * (patients["child_pugh"] == "B").to_numpy()
        + 0.4 * (patients["cirrhosis"] == "yes").to_numpy()
    )
    death = rng.exponential(75 / np.exp(log_hazard))
    progression = rng.exponential(26 / np.exp(0.6 * log_hazard))
    contact = rng.uniform(12, 43, n)
    os_days = np.maximum(np.rint(np.minimum(death, contact) * DAYS_A_MONTH), 60)
    pfs_days = np.minimum(np.maximum(np.rint(progression * DAYS_A_MONTH), 20), os_days)
    has_died = death <= contact
    return patients.with_columns(
        os_months=os_days / DAYS_A_MONTH,
        has_died=pl.Series(has_died),
        pfs_months=pfs_days / DAYS_A_MONTH,
        has_progressed_or_died=pl.Series(has_died | (pfs_days < os_days)),
        has_progressed=pl.Series(pfs_days < os_days),
    )


def _add_course_of_asl(patients: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    """ASL begins within RT; who has recovered at 2 months did so by then, of the others half do later."""
    n, os_days = patients.height, patients["os_months"].to_numpy() * DAYS_A_MONTH
    onset, early = rng.integers(0, 35, n), rng.integers(36, 60, n)
    late, recovers_late = 61 + np.rint(rng.exponential(120, n)), rng.random(n) < 0.5
    has_asl = patients["has_asl"].to_numpy()
    has_recovered = patients["has_recovered"].fill_null(value=False).to_numpy()
    recovery = np.where(has_recovered, early, late)
    is_seen = has_asl & (has_recovered | (recovers_late & (late <= os_days)))
    return patients.with_columns(
        asl_onset_months=pl.when(pl.Series(has_asl)).then(pl.Series(onset / DAYS_A_MONTH)),
        recovery_months=pl.when(pl.Series(is_seen)).then(pl.Series(recovery / DAYS_A_MONTH)),
        last_count_months=pl.min_horizontal("os_months", 6.0),
    )


def _monthly_counts(cohort: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    baseline = cohort["baseline_tlc_cells_per_ul"].to_numpy()
    share = {0: 1.0, 1: 0.27, 3: 0.70, 4: 0.69, 5: 0.61, 6: 0.67}
    by_month = {
        month: baseline * part * np.exp(0.3 * rng.standard_normal(cohort.height))
        for month, part in share.items()
    }
    by_month |= {0: baseline, 2: cohort["tlc_month_2_cells_per_ul"].to_numpy()}
    frames = [
        cohort.select(
            "site", "patient_id", month=pl.lit(month, pl.Int64), tlc_cells_per_ul=pl.Series(counts.round())
        )
        for month, counts in sorted(by_month.items())
    ]
    return (
        pl.concat(frames).cast(dict(schemas.MONTHLY_COUNTS.polars_schema)).sort("site", "patient_id", "month")
    )
