"""Dates as instruments and spreadsheets print them, and which of day and month comes first.

Here: dates within text, and the order that a file's own dates show. Not here: where a file has its dates
(`transforms.xponent.header`, which alone calls this).
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta

MONTH_FIRST, DAY_FIRST = "month first", "day first"
LONGEST_RUN = timedelta(days=1)

_DATE = re.compile(
    r"(?<![\d.])(?:(\d{4})([-/.])\s?(\d{1,2})\2\s?(\d{1,2})|(\d{1,2})([-/.])\s?(\d{1,2})\6\s?(\d{4}))(?!\d)"
    r"(?:(?:T|[\s,]+)(\d{1,2})[:.](\d{2})(?:[:.](\d{2}))?(?:\.\d+)?(?!\d)(?:\s*([AaPp])\.?\s?[Mm]\b)?)?",
    re.ASCII,
)


@dataclass(frozen=True)
class PrintedDate:
    """A date as printed: `first` and `second` are its month and day in either order.

    `order` is known where the numbers or the marks between them tell: the year in front means the month next,
    a number above 12 is a day, and where dots are printed the day comes first.
    """

    year: int
    first: int
    second: int
    clock: time
    order: str | None

    def at(self, order: str | None) -> datetime | None:
        """Return the moment, its own order going before the one given; none where it stays unknown."""
        order = self.order or order
        if order is None and self.first != self.second:
            return None
        month, day = (self.second, self.first) if order == DAY_FIRST else (self.first, self.second)
        try:
            return datetime.combine(date(self.year, month, day), self.clock)
        except ValueError:
            return None


def find_dates(text: str) -> list[PrintedDate]:
    """Return the dates in a text, in its order; years have four digits."""
    return [found for match in _DATE.finditer(text) if (found := _printed(match)) is not None]


def shown_order(dates: Iterable[PrintedDate]) -> str | None:
    """Return the order that the dates show; none where none of them tells, or where they contradict."""
    shown = {one.order for one in dates if one.order is not None}
    return shown.pop() if len(shown) == 1 else None


def order_of_a_run(start: PrintedDate, stop: PrintedDate) -> str | None:
    """Return the order in which a run takes less than a day; none where both do, or neither."""
    possible = [order for order in (MONTH_FIRST, DAY_FIRST) if _is_a_run(start.at(order), stop.at(order))]
    return possible[0] if len(possible) == 1 else None


def _is_a_run(start: datetime | None, stop: datetime | None) -> bool:
    return start is not None and stop is not None and timedelta(0) <= stop - start <= LONGEST_RUN


def _printed(match: re.Match[str]) -> PrintedDate | None:
    is_year_first = match[1] is not None
    year, first, second = (int(match[i]) for i in ((1, 3, 4) if is_year_first else (8, 5, 7)))
    clock = _clock(match.groups()[8:])
    if clock is None or not (0 < first <= 31 and 0 < second <= 31):
        return None
    order = MONTH_FIRST if is_year_first else _order(first, second, mark=match[6])
    return PrintedDate(year, first, second, clock, order)


def _order(first: int, second: int, *, mark: str) -> str | None:
    if first > 12 or second > 12:
        return DAY_FIRST if first > 12 else MONTH_FIRST
    return DAY_FIRST if mark == "." else None


def _clock(parts: Sequence[str | None]) -> time | None:
    hour, minute, second, half = parts
    if hour is None:
        return time()
    hours = int(hour)
    if half is not None:
        hours = hours % 12 + (12 if half in "Pp" else 0)
    try:
        return time(hours, int(minute or 0), int(second or 0))
    except ValueError:
        return None
