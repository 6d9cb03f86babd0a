"""When each row of the simulated patients reaches the platform: new counts, late results, corrections, news.

Here: the day a row arrives, and what is not known yet on that day. Not here: the values, the files. Called by
`flows.simulate` for a run of nights; a landing folder for one night takes the chunk as it is.
"""

from collections.abc import Iterator
from datetime import date

import polars as pl

from models.simulation.cohort import SimulatedChunk
from transforms.schemas import COUNTS, FOLLOW_UP, PATIENT_KEY, PATIENTS, TOXICITIES

MISTYPED_CELLS_PER_UL = 300.0
_SHARES = {"late": 20, "corrected": 97}


def deliver(chunk: SimulatedChunk) -> dict[str, pl.DataFrame]:
    """Return what arrives, by landing folder: the columns of its table and `arrives_on`.

    A row may come again with other contents, as hospitals send it again: a patient at the start and at the
    end of RT, follow-up at each visit, one count in a hundred corrected after it was mistyped. The last
    versions are the rows of the chunk, for what was known by then.
    """
    return {
        "patients": _patients(chunk.patients),
        "counts": _counts(chunk),
        "follow_up": _follow_up(chunk),
        "toxicities": chunk.toxicities.select(
            *TOXICITIES.column_names, arrives_on=pl.col("onset_date").dt.offset_by("1d")
        ),
    }


def take_nights(
    deliveries: pl.DataFrame, *, nights: tuple[date, ...], key: tuple[str, ...]
) -> Iterator[tuple[str, pl.DataFrame]]:
    """Yield each night that something arrives on, as an ISO date, and its rows, the last version of each.

    `nights` are consecutive; the first gets all that has arrived by then.
    """
    arrived = deliveries.filter(pl.col("arrives_on") <= nights[-1]).sort("arrives_on", maintain_order=True)
    by_night = arrived.with_columns(pl.col("arrives_on").clip(lower_bound=nights[0]))
    for night in by_night.partition_by("arrives_on", maintain_order=True):
        rows = night.unique(key, keep="last", maintain_order=True)
        yield str(rows["arrives_on"].first()), rows.drop("arrives_on")


def _patients(patients: pl.DataFrame) -> pl.DataFrame:
    at_start = patients.with_columns(rt_end_date=pl.lit(None, pl.Date), arrives_on=pl.col("rt_start_date"))
    at_end = patients.with_columns(arrives_on=pl.col("rt_end_date"))
    return pl.concat([at_start, at_end]).select(*PATIENTS.column_names, "arrives_on")


def _counts(chunk: SimulatedChunk) -> pl.DataFrame:
    # The minute of the draw is as good as random, and the same however the patients are cut into chunks.
    minute = pl.col("collected_at").dt.hour().cast(pl.Int64) * 60 + pl.col("collected_at").dt.minute()
    day = pl.max_horizontal("collected_on", "rt_start_date")
    days_late = pl.when(minute % _SHARES["late"] == 0).then(2 + minute % 11).otherwise(0)
    is_corrected = minute % _SHARES["corrected"] == 1
    starts = chunk.patients.select(*PATIENT_KEY, "rt_start_date")
    counts = chunk.counts.join(starts, on=PATIENT_KEY, how="left", maintain_order="left").with_columns(
        arrives_on=day + pl.duration(days=days_late)
    )
    mistyped = counts.filter(is_corrected).with_columns(
        value=pl.col("value") * (1 + MISTYPED_CELLS_PER_UL / pl.col("tlc_cells_per_ul")),
        tlc_cells_per_ul=pl.col("tlc_cells_per_ul") + MISTYPED_CELLS_PER_UL,
    )
    right = counts.with_columns(
        arrives_on=pl.col("arrives_on")
        + pl.duration(days=pl.when(is_corrected).then(1 + minute % 7).otherwise(0))
    )
    return pl.concat([mistyped, right]).select(*COUNTS.column_names, "arrives_on")


def _follow_up(chunk: SimulatedChunk) -> pl.DataFrame:
    """Return a row for each day on which something was learnt; it arrives the day after."""
    news = _days_of_news(chunk)
    known_on, death, progression = pl.col("known_on"), pl.col("death_date"), pl.col("progression_date")
    return (
        news.join(chunk.follow_up, on=PATIENT_KEY, how="left", maintain_order="left")
        .filter(known_on <= pl.col("last_contact_date"))
        .with_columns(
            last_contact_date=known_on,
            death_date=pl.when(death <= known_on).then(death),
            progression_date=pl.when(progression <= known_on).then(progression),
            arrives_on=known_on.dt.offset_by("1d"),
        )
        .select(*FOLLOW_UP.column_names, "arrives_on")
    )


def _days_of_news(chunk: SimulatedChunk) -> pl.DataFrame:
    ends = chunk.patients.select(*PATIENT_KEY, known_on="rt_end_date")
    visits = chunk.counts.select(*PATIENT_KEY, known_on="collected_on").join(
        ends.rename({"known_on": "rt_end_date"}), on=PATIENT_KEY, maintain_order="left"
    )
    dates = [
        chunk.follow_up.select(*PATIENT_KEY, known_on=column)
        for column in ("last_contact_date", "progression_date", "death_date")
    ]
    after_rt = visits.filter(pl.col("known_on") > pl.col("rt_end_date")).drop("rt_end_date")
    return pl.concat([ends, after_rt, *dates]).drop_nulls().unique(maintain_order=True)
