"""Whether the standards of a plate lie on their dilution ladder (rule P02): a lost decimal mark never does.

Here: the rule, from the expected concentrations. Not here: other arithmetic of the file, signals of the
standards (`transforms.plates.replicates`). Called by `transforms.plates.arithmetic`.
"""

import math
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import pairwise
from statistics import median, median_low

import polars as pl

from transforms.plates.findings import PlateRule, no_plate_findings

LADDER = PlateRule(
    code="P02",
    rule="standards_lie_on_their_dilution_ladder",
    severity="not used",
    expected="standards that are dilutions of one another by steps of one size",
    remedy="Correct the expected concentration in the protocol, analyse the batch again and export it again.",
)

# Steps of ladders in use run from 1:2 to 1:10. A lost decimal mark makes a step at least ten times wider or
# narrower, so that it leaves these limits wherever it happens; an irregular step that was meant does not.
WIDEST_STEP = 10.0
NARROWEST_STEP = 1.25
_WIDER_THAN_TYPICAL = math.log(1.5)
_NARROWER_THAN_TYPICAL = math.log(6.0)
_OFF_A_REGULAR_LADDER = math.log(1.5)
_REGULAR = math.log(1.05)
_FEWEST_FOR_A_LADDER = 5
_FEWEST_ANALYTES_AGREEING = 3
_MOST_SKIPPED = 3


@dataclass(frozen=True)
class _Level:
    """A standard above zero: name, expected concentration, how far rounding may have moved it, its tube."""

    name: str
    value: float
    half_digit: float
    position: int

    @property
    def log(self) -> float:
        return math.log(self.value)

    @property
    def slack(self) -> float:
        """How far the logarithm may lie from the true one because the value was printed rounded."""
        return math.log1p(self.half_digit / self.value)


@dataclass(frozen=True)
class _Suspect:
    """A standard off the ladder of the others: log of the factor, and how uneven the ladder without it is."""

    name: str
    off: float
    unevenness: float


Ladder = Sequence[_Level]
Listed = Sequence[tuple[int, str, float | None]]  # position, name, expected concentration


def check_ladder(standards: pl.DataFrame, wells: pl.DataFrame) -> pl.DataFrame:
    """Return what breaks P02, at most one finding an analyte (schema `PLATE_FINDING_SCHEMA`).

    A standard is off where, in the order of the list or of the numbers in the names, a step of the ladder is
    not above 1.25 or is above 10 and unlike the others; where it alone leaves a regular ladder by more than
    half; or where it alone leaves the steps that the plate's other analytes share. Standards of zero and one
    irregular step are no breach, nor is an order of its own that the signals confirm. Places name the
    standard as `standard Standard3`.

    standards, wells: schemas `LEVELS` and `WELLS` of `transforms.xponent.reader`.
    """
    ladders: dict[str, list[tuple[int, str, float | None]]] = {}
    for name, analyte, value in standards.select("sample", "analyte", "expected_concentration").iter_rows():
        listed = ladders.setdefault(analyte, [])
        listed.append((len(listed), name, value))
    signals = _signals(wells)
    found = {analyte: _breach(rows, signals.get(analyte, {})) for analyte, rows in ladders.items()}
    shared = _off_the_shared_steps({a: _levels(rows) for a, rows in ladders.items() if found[a] is None})
    breaches = [(*(found[a] or shared[a]), a) for a in ladders if found[a] or a in shared]
    if not breaches:
        return no_plate_findings()
    return LADDER.findings(pl.DataFrame(breaches, schema=["place", "found", "analyte"], orient="row"))


def _signals(wells: pl.DataFrame) -> dict[str, dict[float, float]]:
    """Return, by analyte and expected concentration, the mean median of the standard's wells."""
    means = (
        wells.filter(pl.col("kind") == "standard")
        .group_by("analyte", "expected_concentration")
        .agg(pl.col("median_fi").mean())
        .drop_nulls()
    )
    signals: dict[str, dict[float, float]] = {}
    for analyte, expected, mean in means.iter_rows():
        signals.setdefault(analyte, {})[expected] = mean
    return signals


def _breach(rows: Listed, signals: dict[float, float]) -> tuple[str | None, str] | None:
    """Return place and what was found, for one analyte's standards; none where they make a ladder."""
    orders = [rows, *_in_order_of_their_numbers(rows)]
    if all(_has_zero_inside(order) for order in orders):
        name = next(name for _, name, value in rows if value == 0)
        return _place([name]), "an expected concentration of 0 between standards above zero"
    ladders = [_ascending(_levels(order)) for order in orders]
    if any(not _is_broken(ladder) and _off_a_regular_ladder(ladder) is None for ladder in ladders):
        return None
    return next(filter(None, map(_named_breach, ladders)), None) or _unnamed_breach(ladders[0], signals)


def _named_breach(ladder: Ladder) -> tuple[str, str] | None:
    if not _is_broken(ladder):
        suspect = _off_a_regular_ladder(ladder)
        return (_place([suspect.name]), _how_far_off(suspect.off)) if suspect else None
    suspects = _suspects(ladder)
    if not suspects:
        return None
    found = _how_far_off(suspects[0].off)
    if len(suspects) > 1:
        found = f"one of the two, or both, off: {suspects[0].name} would be {found}"
    return _place([suspect.name for suspect in suspects]), found


def _unnamed_breach(ladder: Ladder, signals: dict[float, float]) -> tuple[None, str] | None:
    by_value = sorted(ladder, key=lambda level: level.value)
    in_order = [replace(level, position=place) for place, level in enumerate(by_value)]
    measured = [signals.get(level.value, math.nan) for level in in_order]
    if not _is_broken(in_order) and all(low < high for low, high in pairwise(measured)):
        return None
    return None, "more than one standard off the ladder, or standards that changed places"


def _place(names: Sequence[str]) -> str:
    return "standard " + " or ".join(names)


def _how_far_off(off: float) -> str:
    side = f"times too {'high' if off > 0 else 'low'} for the ladder of the others"
    tens = abs(off) / math.log(10)
    if tens > 6:
        return f"more than a million {side}"
    power = round(tens)
    about = f"{10**power:,}" if power and abs(tens - power) < 0.36 else f"{10**tens:.2g}"
    return f"about {about} {side}"


def _levels(rows: Listed) -> list[_Level]:
    above_zero = [(position, name, value) for position, name, value in rows if value]
    half_digit = 0.5 * 10.0 ** -max((_n_decimals(value) for *_, value in above_zero), default=0)
    return [_Level(name, value, half_digit, position) for position, name, value in above_zero]


def _n_decimals(value: float) -> int:
    return max(0, -int(Decimal(repr(value)).normalize().as_tuple().exponent))


def _in_order_of_their_numbers(rows: Listed) -> list[Listed]:
    """Return the standards by the numbers in their names, which are their places where few are skipped."""
    # A list sorted as text has Standard10 before Standard2; one that lost Standard3 has a double step.
    found = [re.findall(r"\d+", name)[-1:] for _, name, _ in rows]
    numbers = [int(digits[0]) for digits in found if digits]
    if len(set(numbers)) < len(rows):
        return []
    in_order = sorted(zip(numbers, rows, strict=True))
    has_places = max(numbers) - min(numbers) < len(rows) + _MOST_SKIPPED
    return [
        [
            (number if has_places else place, name, value)
            for place, (number, (_, name, value)) in enumerate(in_order)
        ]
    ]


def _has_zero_inside(rows: Listed) -> bool:
    is_zero = [value == 0 for *_, value in rows if value is not None]
    above = [place for place, zero in enumerate(is_zero) if not zero]
    return bool(above) and any(is_zero[above[0] : above[-1]])


def _ascending(ladder: Ladder) -> Ladder:
    rises = sum((b.value > a.value) - (b.value < a.value) for a, b in pairwise(ladder))
    return ladder if rises >= 0 else [replace(level, position=-level.position) for level in reversed(ladder)]


def _is_broken(ladder: Ladder) -> bool:
    if len(ladder) < 2:
        return False
    typical = median_low(_mean_steps(ladder))
    steps = _steps(ladder, typical)
    slacks = [_slack_of_step(low, high) for low, high in pairwise(ladder)]
    narrowest = math.log(NARROWEST_STEP)
    if len(steps) > 1:
        narrowest = max(narrowest, typical - _NARROWER_THAN_TYPICAL)
    widest = max(math.log(WIDEST_STEP), typical + _WIDER_THAN_TYPICAL)
    is_wide = any(step - slack > widest for step, slack in zip(steps, slacks, strict=True))
    return min(steps) < narrowest or is_wide


def _mean_steps(ladder: Ladder) -> list[float]:
    """Return the logarithms of the steps, one for each pair; where tubes were left out the mean of theirs."""
    return [(b.log - a.log) / (b.position - a.position) for a, b in pairwise(ladder)]


def _steps(ladder: Ladder, typical: float) -> list[float]:
    """Return the logarithms of the steps, less a typical one for each tube that was left out."""
    return [b.log - a.log - (b.position - a.position - 1) * typical for a, b in pairwise(ladder)]


def _slack_of_step(low: _Level, high: _Level) -> float:
    narrower = math.log(high.value - high.half_digit) - math.log(low.value + low.half_digit)
    return high.log - low.log - narrower


def _suspects(ladder: Ladder) -> list[_Suspect]:
    """Return the standards without which the others make a ladder, the likeliest first; two at most."""
    found = [_without(ladder, i) for i in range(len(ladder))]
    suspects = sorted((s for s in found if s is not None), key=lambda suspect: suspect.unevenness)
    return [s for s in suspects if s.unevenness <= suspects[0].unevenness + _REGULAR][:2]


def _without(ladder: Ladder, i: int) -> _Suspect | None:
    rest = [*ladder[:i], *ladder[i + 1 :]]
    if len(rest) < 2:
        return None
    typical = median(_mean_steps(rest))
    steps = _steps(rest, typical)
    widest = max(math.log(WIDEST_STEP) + _REGULAR, typical + _WIDER_THAN_TYPICAL)
    if min(steps) < math.log(NARROWEST_STEP) or (len(steps) > 1 and max(steps) > widest):
        return None
    unevenness = sum(abs(step - typical) for step in steps)
    return _Suspect(ladder[i].name, ladder[i].log - _log_at(rest, ladder[i].position), unevenness)


def _log_at(rest: Ladder, position: int) -> float:
    """Return what the logarithm should be at a place between or beside the others."""
    low = next((level for level in reversed(rest) if level.position < position), rest[0])
    high = next((level for level in rest if level.position > position), rest[-1])
    if low is high:
        return low.log + (position - low.position) * median(_mean_steps(rest))
    return low.log + (high.log - low.log) * (position - low.position) / (high.position - low.position)


def _off_a_regular_ladder(ladder: Ladder) -> _Suspect | None:
    """Return the one standard between others that are on a regular ladder without it."""
    if len(ladder) < _FEWEST_FOR_A_LADDER:
        return None
    for i in range(1, len(ladder) - 1):
        rest = [*ladder[:i], *ladder[i + 1 :]]
        off = ladder[i].log - _log_at(rest, ladder[i].position)
        slack = ladder[i].slack + ladder[i - 1].slack
        if abs(off) > _OFF_A_REGULAR_LADDER + slack and _is_regular(rest):
            return _Suspect(ladder[i].name, off, 0.0)
    return None


def _is_regular(ladder: Ladder) -> bool:
    typical = median(_mean_steps(ladder))
    slacks = [low.slack + high.slack for low, high in pairwise(ladder)]
    return all(
        abs(step - typical) <= _REGULAR + slack
        for step, slack in zip(_steps(ladder, typical), slacks, strict=True)
    )


def _off_the_shared_steps(ladders: dict[str, list[_Level]]) -> dict[str, tuple[str, str]]:
    """Return, by analyte, the one standard that leaves the steps of the plate's other analytes.

    All analytes are diluted in the same tubes, so that their steps are the same whatever their tops are.
    Nothing is said where fewer than three quarters of the analytes agree.
    """
    names = Counter(tuple(level.name for level in ladder) for ladder in ladders.values() if ladder)
    usual = max(names, key=names.__getitem__, default=())
    ladders = {a: ladder for a, ladder in ladders.items() if tuple(x.name for x in ladder) == usual}
    if len(ladders) <= _FEWEST_ANALYTES_AGREEING or not usual:
        return {}
    shared = [median(logs) for logs in zip(*map(_from_the_median, ladders.values()), strict=True)]
    off = {analyte: _off_levels(ladder, shared) for analyte, ladder in ladders.items()}
    n_agreeing = sum(not levels for levels in off.values())
    if n_agreeing < max(_FEWEST_ANALYTES_AGREEING, 0.75 * len(ladders)):
        return {}
    return {
        analyte: (_place([levels[0].name]), _how_far_off(levels[0].off) + ", in the steps of the plate")
        for analyte, levels in off.items()
        if len(levels) == 1 and abs(levels[0].off) > _OFF_A_REGULAR_LADDER
    }


def _from_the_median(ladder: Ladder) -> list[float]:
    middle = median(level.log for level in ladder)
    return [level.log - middle for level in ladder]


def _off_levels(ladder: Ladder, shared: Sequence[float]) -> list[_Suspect]:
    distances = [level.log - log for level, log in zip(ladder, shared, strict=True)]
    middle = median(distances)
    slack = median(level.slack for level in ladder)
    return [
        _Suspect(level.name, distance - middle, 0.0)
        for level, distance in zip(ladder, distances, strict=True)
        if abs(distance - middle) > _REGULAR + slack + level.slack
    ]
