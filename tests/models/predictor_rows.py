"""Invented rows of the two questions, with the probability that they were drawn with."""

import numpy as np
import polars as pl

from models.prediction.question import DURING_RT
from models.simulation.course import draw_depletion
from models.simulation.patients import draw_patients
from models.simulation.truth import TRUTH

N_LANDMARKS = 4


def invented_patients(n: int, *, seed: int, n_sites: int = 3) -> pl.DataFrame:
    """Rows before RT from the simulator; `asl_probability` is the truth."""
    rng = np.random.default_rng([seed, 7])
    patients = draw_patients(rng, n)
    depletion = draw_depletion(rng, patients, TRUTH.asl)
    flags = {
        "pre_rt_il7_is_censored": np.zeros(n),
        "is_chemoradiotherapy": patients.has_combined_therapy,
        "has_pvtt": patients.has_pvtt,
        "has_viral_hepatitis": patients.has_viral_hepatitis,
        "has_baseline_lymphopenia": patients.has_baseline_lymphopenia,
    }
    return pl.DataFrame(
        {
            "site": [f"invented-{i % n_sites + 1}" for i in range(n)],
            "patient_id": [f"INV-{i:06d}" for i in range(n)],
            "start_date": patients.rt_start,
            "baseline_tlc_cells_per_ul": patients.baseline_tlc_cells_per_ul,
            "ptv_cm3": patients.ptv_cm3,
            "pre_rt_il7_pg_ml": patients.pre_rt_il7_pg_ml,
            **{name: values.astype(np.float64) for name, values in flags.items()},
            "has_asl": depletion.has_asl,
            "asl_probability": depletion.asl_probability,
        }
    )


def invented_noise(n: int, *, seed: int) -> pl.DataFrame:
    """Rows before RT whose outcome has nothing to do with them."""
    rng = np.random.default_rng([seed, 8])
    return invented_patients(n, seed=seed).with_columns(
        has_asl=pl.Series(rng.permutation(np.arange(n) < 0.42 * n))
    )


def invented_landmarks(n: int, *, seed: int) -> pl.DataFrame:
    """Rows during RT, four a patient; the last count before each falls faster in who will have ASL."""
    rng = np.random.default_rng([seed, 9])
    before = invented_patients(n, seed=seed)
    weeks = [before.with_columns(week=pl.lit(week, pl.Int64)) for week in range(1, N_LANDMARKS + 1)]
    rows = pl.concat(weeks)
    fall = np.where(rows["has_asl"], 0.45, 0.3) * rows["week"].to_numpy() + rng.normal(0, 0.25, rows.height)
    baseline = rows["baseline_tlc_cells_per_ul"].to_numpy()
    made = {
        "weeks_done": rows["week"].cast(pl.Float64).to_numpy(),
        "fractions_left_share": 1 - rows["week"].to_numpy() / 5,
        "last_tlc_cells_per_ul": baseline * np.exp(-fall),
        "days_since_last_count": rng.integers(0, 7, rows.height).astype(np.float64),
        "lowest_tlc_cells_per_ul": baseline * np.exp(-fall),
        "last_to_baseline_ratio": np.exp(-fall),
        "tlc_log_slope_per_week": -fall / rows["week"].to_numpy(),
        "n_counts_so_far": rows["week"].cast(pl.Float64).to_numpy(),
    }
    landmark = pl.col("start_date") + pl.duration(weeks=pl.col("week"))
    found = rows.with_columns(landmark_date=landmark, **{name: pl.Series(v) for name, v in made.items()})
    return found.select(
        "site", "patient_id", "start_date", "week", "landmark_date", *DURING_RT.feature_names, "has_asl"
    )
