"""Days and moments as text, to UTC, and the day as the hospital's own clock had it.

Here: ISO 8601 as hospitals' systems write it. Not here: the files, dates of other shapes. Called by
`transforms.landed_csv`, which reads a column, and by the readers of counts, who read a feed.
"""

import polars as pl

_DAY = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}$"
_DAY_AND_TIME = (
    r"^[0-9]{4}-[0-9]{2}-[0-9]{2}[T ][0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?(Z|[+-][0-9]{2}:?[0-9]{2})?$"
)
_EXACT = r"^[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[+-][0-9]{2}:[0-9]{2}$"


def parse_moment(text: pl.Expr) -> pl.Expr:
    """Parse ISO days, and days and times, to moments in UTC (microseconds); null where a text is neither.

    With an offset a moment is turned into UTC, without one it is UTC; a day alone is its midnight.
    """
    moment = _with_offset(text).str.to_datetime("%Y-%m-%dT%H:%M:%S%.f%z", time_unit="us", strict=False)
    return in_calendar(moment.dt.replace_time_zone(None))


def in_calendar(moment: pl.Expr) -> pl.Expr:
    """Keep the years 1 to 9999.

    Polars knows the year 0 and, after an offset, 10000; Python's dates and those who read them do not.
    """
    return pl.when(moment.dt.year().is_between(1, 9999)).then(moment)


def to_moments(texts: pl.Series) -> pl.Series:
    """Return the moments of texts as `parse_moment` does, faster where they are many and alike."""
    if texts.str.contains(_EXACT).all():
        return _exact_moments(texts)
    # Days alone and odd spellings take longer, and a feed repeats them.
    distinct = texts.drop_nulls().unique().alias("text")
    moments = distinct.to_frame().select(parse_moment(pl.col("text"))).to_series()
    return texts.replace_strict(distinct, moments, default=None, return_dtype=pl.Datetime("us"))


def to_days(texts: pl.Series) -> pl.Series:
    """Return the days as they are written, which are the hospital's own; null where there is no such day."""
    day = pl.col(texts.name).str.head(10).str.to_date("%Y-%m-%d", strict=False)
    return texts.to_frame().select(in_calendar(day)).to_series()


def _exact_moments(texts: pl.Series) -> pl.Series:
    """Return the moments of texts such as 2024-03-05T08:30:00+09:00: the clock less its offset."""
    text = pl.col(texts.name)
    offsets = {offset: _microseconds(offset) for offset in texts.str.slice(19).drop_nulls().unique()}
    local = text.str.head(19).str.to_datetime("%Y-%m-%dT%H:%M:%S", time_unit="us", strict=False)
    ahead = text.str.slice(19).replace_strict(offsets, default=None, return_dtype=pl.Int64)
    moment = (local.cast(pl.Int64) - ahead).cast(pl.Datetime("us"))
    return texts.to_frame().select(in_calendar(moment)).to_series()


def _microseconds(offset: str) -> int | None:
    """Return how far a clock such as +09:00 is ahead of UTC; None where there is no such clock."""
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    ahead = (hours * 60 + minutes) * 60_000_000
    return (-ahead if offset[0] == "-" else ahead) if hours < 24 and minutes < 60 else None


def _with_offset(text: pl.Expr) -> pl.Expr:
    known = pl.when(text.str.contains(_DAY_AND_TIME) | text.str.contains(_DAY)).then(text)
    spelt = known.str.replace(" ", "T", literal=True).str.replace(r"Z$", "+00:00")
    dated = pl.when(spelt.str.contains("T", literal=True)).then(spelt).otherwise(spelt + "T00:00")
    clock = dated.str.replace(r"(T[0-9]{2}:[0-9]{2})($|[+-])", "${1}:00${2}")
    has_offset = clock.str.contains(r"T.*[+-][0-9]{2}:?[0-9]{2}$")
    return pl.when(has_offset).then(clock).otherwise(clock + "+00:00")
