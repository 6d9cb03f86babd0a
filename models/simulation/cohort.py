"""The simulator: a seed and a number of patients in, the tables of the landing folder out, chunk by chunk.

Here: the order of the draws, and arrays turned into frames. Not here: the model (its siblings), files
(`flows.simulate`). Called by `flows.simulate` and by whoever checks an estimate against the truth.
"""

from collections.abc import Iterator
from dataclasses import dataclass, fields

import numpy as np
import polars as pl

from models.simulation.course import Counts, Depletion, draw_counts, draw_depletion, draw_post_rt_il7
from models.simulation.patients import Codes, Days, Flags, Floats, Patients, draw_patients
from models.simulation.sites import Site, list_sites
from models.simulation.survival import TOXIC_EFFECTS, FollowUp, draw_follow_up, draw_toxicities
from models.simulation.truth import TRUTH, Truth
from transforms.schemas import COUNTS, FOLLOW_UP, PATIENTS, TOXICITIES

# Patients are drawn in blocks of this size, each from its own seed: a patient is the same in every chunking.
BLOCK_SIZE = 2_000
_TOPICS = ("patients", "depletion", "il7", "follow_up", "counts", "toxicities", "sites")


@dataclass(frozen=True)
class SimulatedChunk:
    """Some of the patients, in order, as frames of the tables they land in.

    `cytokines` has IL-7 alone: site, patient_id, timepoint, analyte, collected_on, concentration_pg_ml, range
    ('within') and limit_pg_ml (empty). `outcomes` is what only a simulator knows: site, patient_id,
    asl_probability, has_asl, nadir_tlc_cells_per_ul.
    """

    patients: pl.DataFrame
    counts: pl.DataFrame
    cytokines: pl.DataFrame
    follow_up: pl.DataFrame
    toxicities: pl.DataFrame
    outcomes: pl.DataFrame


@dataclass(frozen=True)
class _Block:
    first: int
    site: Codes
    patients: Patients
    depletion: Depletion
    follow_up: FollowUp
    post_rt_il7_pg_ml: Floats
    counts: Counts
    toxicities: tuple[Codes, Codes, Codes, Codes]


def simulate_patients(
    n: int, *, seed: int, n_sites: int = 3, chunk_size: int = 50_000, truth: Truth = TRUTH
) -> Iterator[SimulatedChunk]:
    """Simulate `n` patients, `chunk_size` at a time (the last chunk may hold fewer).

    A patient depends on `seed`, the patient's number and `n_sites`, not on `n` or `chunk_size`; memory is
    bounded by the chunk. Raises `ValueError` where a number is below one or the seed is negative.
    """
    for name, value, least in (
        ("n", n, 1),
        ("n_sites", n_sites, 1),
        ("chunk_size", chunk_size, 1),
        ("seed", seed, 0),
    ):
        if value < least:
            raise ValueError(f"{name} is {value}: it must be {least} or more.")
    sites = list_sites(n_sites)
    return (
        _simulate_chunk(range(start, min(start + chunk_size, n)), seed=seed, sites=sites, truth=truth)
        for start in range(0, n, chunk_size)
    )


def _simulate_chunk(numbers: range, *, seed: int, sites: tuple[Site, ...], truth: Truth) -> SimulatedChunk:
    blocks = range(numbers.start // BLOCK_SIZE, (numbers.stop - 1) // BLOCK_SIZE + 1)
    parts = [
        _frames(_simulate_block(block, seed=seed, sites=sites, truth=truth), numbers, sites)
        for block in blocks
    ]
    return SimulatedChunk(
        **{
            field.name: pl.concat([getattr(part, field.name) for part in parts])
            for field in fields(SimulatedChunk)
        }
    )


def _simulate_block(block: int, *, seed: int, sites: tuple[Site, ...], truth: Truth) -> _Block:
    # A stream for each topic: a draw more in one part of the model leaves the other parts as they were.
    rng = {
        topic: np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(block, i)))
        for i, topic in enumerate(_TOPICS)
    }
    patients = draw_patients(rng["patients"], BLOCK_SIZE)
    depletion = draw_depletion(rng["depletion"], patients, truth.asl)
    post_rt_il7 = draw_post_rt_il7(rng["il7"], patients, depletion)
    follow_up = draw_follow_up(rng["follow_up"], patients, has_asl=depletion.has_asl, truth=truth)
    counts = draw_counts(
        rng["counts"], patients, depletion, follow_up=follow_up, post_rt_il7_pg_ml=post_rt_il7
    )
    site = (rng["sites"].random(BLOCK_SIZE) * len(sites)).astype(np.int64)
    return _Block(
        first=block * BLOCK_SIZE,
        site=site,
        patients=patients,
        depletion=depletion,
        follow_up=follow_up,
        post_rt_il7_pg_ml=post_rt_il7,
        counts=counts.keep(_is_taken(rng["sites"], counts, np.array([sites[i].share_missed for i in site]))),
        toxicities=draw_toxicities(rng["toxicities"], patients, follow_up.last_contact_day),
    )


def _is_taken(rng: np.random.Generator, counts: Counts, share_missed: Floats) -> Flags:
    is_missed: Flags = rng.random(len(counts.day)) < share_missed[counts.patient]
    return ~(is_missed & counts.may_be_missed)


def _frames(block: _Block, numbers: range, sites: tuple[Site, ...]) -> SimulatedChunk:
    """Return the block's patients whose number is in `numbers` as frames."""
    kept = slice(max(numbers.start - block.first, 0), min(numbers.stop - block.first, BLOCK_SIZE))
    keys = _keys(block, sites)
    is_kept = pl.Series(np.arange(BLOCK_SIZE)).is_between(kept.start, kept.stop, closed="left")
    return SimulatedChunk(
        patients=_patients(keys, block.patients)[kept],
        counts=_counts(keys, block, sites).filter(is_kept.gather(block.counts.patient)),
        cytokines=_cytokines(keys, block).filter(pl.concat([is_kept, is_kept])),
        follow_up=_follow_up(keys, block)[kept],
        toxicities=_toxicities(keys, block).filter(is_kept.gather(block.toxicities[0])),
        outcomes=_outcomes(keys, block.depletion)[kept],
    )


def _keys(block: _Block, sites: tuple[Site, ...]) -> pl.DataFrame:
    number = pl.Series(np.arange(block.first + 1, block.first + 1 + BLOCK_SIZE))
    return pl.select(
        site=pl.Series([site.name for site in sites]).gather(block.site),
        patient_id=pl.format("SIM-{}", number.cast(pl.String).str.zfill(6)),
    )


def _patients(keys: pl.DataFrame, patients: Patients) -> pl.DataFrame:
    columns: dict[str, pl.Series | Floats | Codes | Days] = {
        "sex": _words(patients.is_female, "male", "female"),
        "age_years": patients.age_years,
        "viral_type": _words(patients.viral_type, "hbv", "hcv", "none"),
        "child_pugh": _words(patients.has_child_pugh_b, "A", "B"),
        "cirrhosis": _words(patients.has_cirrhosis, "no", "yes"),
        "tumor_size_cm": patients.tumor_size_cm,
        "tumor_number": _words(patients.has_multiple_tumors, "single", "multiple"),
        "uicc_stage": _words(patients.uicc_stage - 2, "II", "III", "IV"),
        "bclc_stage": _words(patients.bclc_stage, "A", "B", "C"),
        "pvtt": _words(patients.has_pvtt, "no", "yes"),
        "afp_ng_ml": patients.afp_ng_ml,
        "pivka_ii_mau_ml": patients.pivka_ii_mau_ml,
        "previous_treatment": _words(patients.has_previous_treatment, "no", "yes"),
        "combined_treatment": _words(
            patients.has_combined_therapy, "radiotherapy_alone", "chemoradiotherapy"
        ),
        "rt_start_date": patients.rt_start,
        "rt_end_date": patients.rt_end,
        "fractions": patients.fractions,
        "dose_gy": patients.dose_gy,
        "ptv_cm3": patients.ptv_cm3,
        "mean_liver_dose_gy": patients.mean_liver_dose_gy,
    }
    return (
        keys.with_columns(**{name: pl.Series(values) for name, values in columns.items()})
        .select(PATIENTS.column_names)
        .cast(PATIENTS.polars_schema)
    )


def _words(codes: Codes | Flags, *words: str) -> pl.Series:
    return pl.Series(words).gather(pl.Series(codes.astype(np.int64)))


def _counts(keys: pl.DataFrame, block: _Block, sites: tuple[Site, ...]) -> pl.DataFrame:
    counts, site = block.counts, block.site[block.counts.patient]
    day = block.patients.rt_start[counts.patient] + counts.day
    local = day.astype("datetime64[m]") + counts.minute
    hours = np.array([site.utc_offset_hours for site in sites])[site].astype("timedelta64[h]")
    cells_in_unit = np.array([1000.0 if site.is_in_thousands else 1.0 for site in sites])
    columns: dict[str, pl.Series | pl.Expr] = {
        "collected_at": pl.Series((local - hours).astype("datetime64[us]")),
        "collected_on": pl.Series(day),
        "code": _words(site, *(site.loinc_code for site in sites)),
        "value": pl.Series(counts.tlc_cells_per_ul / cells_in_unit[site]),
        "unit": _words(site, *(site.unit for site in sites)),
        "tlc_cells_per_ul": pl.Series(counts.tlc_cells_per_ul),
        "comparator": pl.lit(None),
        "method": pl.lit("measured"),
        "lower_limit_cells_per_ul": pl.lit(None),
        "status": pl.lit("final"),
    }
    return keys[counts.patient].with_columns(**columns).select(COUNTS.column_names).cast(COUNTS.polars_schema)


def _cytokines(keys: pl.DataFrame, block: _Block) -> pl.DataFrame:
    """Return IL-7 before RT of all patients, then IL-7 at the end of RT of all patients."""
    patients = block.patients
    days_before = np.arange(BLOCK_SIZE) % 5
    return pl.concat(
        keys.with_columns(
            timepoint=pl.lit(timepoint),
            analyte=pl.lit("IL-7"),
            collected_on=pl.Series(day),
            concentration_pg_ml=pl.Series(concentration),
            range=pl.lit("within"),
            limit_pg_ml=pl.lit(None, pl.Float64),
        )
        for timepoint, day, concentration in (
            ("pre_rt", patients.rt_start - days_before, patients.pre_rt_il7_pg_ml),
            ("post_rt", patients.rt_end, block.post_rt_il7_pg_ml),
        )
    )


def _follow_up(keys: pl.DataFrame, block: _Block) -> pl.DataFrame:
    start, follow_up = pl.Series(block.patients.rt_start), block.follow_up

    def day(days: Codes) -> pl.Expr:
        seen = pl.Series(days)
        return pl.when(seen >= 0).then(start + pl.duration(days=pl.lit(seen)))

    return keys.with_columns(
        last_contact_date=day(follow_up.last_contact_day),
        death_date=day(follow_up.death_day),
        progression_date=day(follow_up.progression_day),
    ).cast(FOLLOW_UP.polars_schema)


def _toxicities(keys: pl.DataFrame, block: _Block) -> pl.DataFrame:
    patient, effect, onset, grade = block.toxicities
    return (
        keys[patient]
        .with_columns(
            onset_date=pl.Series(block.patients.rt_start[patient] + onset),
            term=_words(effect, *(effect.term for effect in TOXIC_EFFECTS)),
            ctcae_grade=pl.Series(grade),
        )
        .cast(TOXICITIES.polars_schema)
    )


def _outcomes(keys: pl.DataFrame, depletion: Depletion) -> pl.DataFrame:
    return keys.with_columns(
        asl_probability=pl.Series(depletion.asl_probability),
        has_asl=pl.Series(depletion.has_asl),
        nadir_tlc_cells_per_ul=pl.Series(depletion.nadir_cells_per_ul),
    )
