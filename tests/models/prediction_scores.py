"""The invented scores that R's prediction.csv is about, as arrays, for the tests of performance."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from tests.reference.expected import expected, read_cohort, read_third_party, read_ties

SCORED = ["cohort", "ties", "lung", "pbc", "gbsg2"]


@dataclass(frozen=True, eq=False)
class Scored:
    has_event: np.ndarray
    probability: np.ndarray
    clusters: np.ndarray


def scored(name):
    if name == "cohort":
        log_odds = -1.2 + 1.4 * pl.col("baseline_lymphopenia") + 0.05 * pl.col("ptv_per_100_cm3")
        return _scored(read_cohort(), pl.col("has_asl"), log_odds, n_clusters=31)
    if name == "ties":
        return _scored(read_ties(), pl.col("event"), 0.2 + 0.3 * pl.col("x"), n_clusters=17)
    log_odds, n_clusters = {
        "lung": (-1 + 0.04 * pl.col("age"), 50),
        "pbc": (-1.5 + 0.2 * pl.col("bili"), 100),
        "gbsg2": (-0.9 + 0.08 * pl.col("pnodes"), 200),
    }[name]
    event = pl.col("cens") == 1 if name == "gbsg2" else pl.col("event")
    return _scored(read_third_party(name), event, log_odds, n_clusters=n_clusters)


def _scored(frame, event, log_odds, n_clusters):
    has_event = frame.select(event).to_series().to_numpy()
    probability = frame.select(1 / (1 + (-log_odds).exp())).to_series().to_numpy()
    return Scored(has_event, probability, np.arange(frame.height) % n_clusters)


def in_r(name):
    return expected(name, of="prediction.csv")


def drawn(seed, n=400):
    """Outcomes drawn with probabilities that are right."""
    rng = np.random.default_rng(seed)
    probability = rng.uniform(0.02, 0.98, n)
    return rng.random(n) < probability, probability


def drawn_of_patients(seed, n_patients=98, n_rows=5, spread=1.0):
    """Weekly rows of patients: the outcome is the patient's, the log-odds have a part of their own each week.

    The probabilities are right on the whole, for two normal classes; the third array is whose row it is.
    """
    rng = np.random.default_rng(seed)
    has_event = rng.permutation(np.arange(n_patients) < 0.42 * n_patients)
    of_patient = rng.normal(np.where(has_event, 1.0, 0.0), spread)
    score = (of_patient[:, None] + rng.normal(0, 0.5, (n_patients, n_rows))).ravel()
    variance, start = spread**2 + 0.25, np.log(has_event.mean() / (1 - has_event.mean()))
    log_odds = start + (score - 0.5) / variance
    patients = np.repeat(np.arange(n_patients), n_rows)
    return has_event[patients], 1 / (1 + np.exp(-log_odds)), patients
