"""Survival and progression times: 98 slots (recovered, not, without ASL) before anyone sits in them.

Here: the searches for whole days that give the printed Kaplan-Meier numbers, log-rank tests and the hazard
ratio of ASL. Not here: which patient has which time (`models.reconstruction.seating`). Called by
`models.reconstruction.search`.
"""

from collections.abc import Generator, Sequence

import numpy as np
from scipy.special import erfc

from models.reconstruction.annealing import Progress, Schedule, anneal
from models.reconstruction.blocks import N_PATIENTS, Rows
from models.reconstruction.fits import ratio_statistics
from models.reconstruction.targets import Floats, Key, Printed, pick_targets, regression_keys

DAYS, DIED = 0, 1
CANDIDATES = 24
DAYS_PER_MONTH = 30.4375
TWO_YEARS = 24 * DAYS_PER_MONTH
# Slots 0-19 recovered from ASL, 20-40 did not, 41-97 never had it.
RECOVERED, NOT_RECOVERED, ASL, NO_ASL = np.arange(20), np.arange(20, 41), np.arange(41), np.arange(41, 98)
SHORTEST, LONGEST = 85, 1284
# Enrolment ended 15 months before the last contact of all: a shorter follow-up without death is a loss.
LAST_ENROLLED = 460
MOST_LOST = 3
# The printed intervals of the balanced covariates (age, PVTT, baseline lymphopenia) are those of this many
# deaths.
N_DEATHS = 67

OS_GROUPS: tuple[tuple[str, Rows], ...] = (
    ("asl", ASL),
    ("no_asl", NO_ASL),
    ("asl_recovered", RECOVERED),
    ("asl_not_recovered", NOT_RECOVERED),
)
OS_PAIRS = (
    ("asl_vs_no_asl", ASL, NO_ASL),
    ("recovered_vs_not_recovered", RECOVERED, NOT_RECOVERED),
    ("recovered_vs_no_asl", RECOVERED, NO_ASL),
)


def kaplan_meier_numbers(days: Floats, died: Floats, *, slots: Rows) -> list[Floats]:
    """Return survival in percent at 24 months and the median in months.

    Takes days and deaths (k, n) without tied days in `slots`.
    """
    order = np.argsort(days[:, slots], axis=1)
    ranked = np.take_along_axis(days[:, slots], order, axis=1)
    events = np.take_along_axis(died[:, slots], order, axis=1)
    survival = np.cumprod(1 - events / np.arange(len(slots), 0, -1), axis=1)
    n_before = (ranked <= TWO_YEARS).sum(axis=1)
    at_two_years = np.where(
        n_before > 0, np.take_along_axis(survival, np.maximum(n_before - 1, 0)[:, None], 1)[:, 0], 1.0
    )
    is_half = survival <= 0.5 - 1e-6
    median = np.where(
        is_half.any(axis=1), np.take_along_axis(ranked, is_half.argmax(axis=1)[:, None], 1)[:, 0], 9999.0
    )
    is_even = np.abs(survival - 0.5) < 1e-6
    return [100 * at_two_years, np.where(is_even.any(axis=1), 9999.0, median) / DAYS_PER_MONTH]


def logrank_p(days: Floats, died: Floats, *, first: Rows, second: Rows) -> Floats:
    """Return the log-rank test's p for days (k, n) without ties among the two groups."""
    both = np.concatenate([first, second])
    order = np.argsort(-days[:, both], axis=1)
    events = np.take_along_axis(died[:, both], order, axis=1)
    is_first = order < len(first)
    at_risk = np.arange(1, len(both) + 1)
    share = np.cumsum(is_first, axis=1) / at_risk
    difference = (events * (is_first - share)).sum(axis=1)
    variance = (events * share * (1 - share)).sum(axis=1)
    return np.asarray(erfc(np.abs(difference) / np.sqrt(2 * np.maximum(variance, 1e-9))))


def asl_hazard(days: Floats, died: Floats) -> Floats:
    """Return hazard ratio, limits and p of ASL (k, 4)."""
    order = np.argsort(-days, axis=1)
    has_asl = (order < len(ASL)).astype(float)
    events = np.take_along_axis(died, order, axis=1)
    n_asl, n_rest = np.cumsum(has_asl, axis=1), np.cumsum(1 - has_asl, axis=1)
    coefficient = np.zeros(len(days))
    for _ in range(8):
        risk = n_asl * np.exp(coefficient)[:, None]
        share = risk / (risk + n_rest)
        information = (events * share * (1 - share)).sum(axis=1)
        change = (events * (has_asl - share)).sum(axis=1) / information
        coefficient = coefficient + change
        if np.abs(change).max() < 1e-8:
            break
    return ratio_statistics(coefficient[:, None], 1 / np.sqrt(information)[:, None])


def os_statistics(tables: Floats) -> Floats:
    """Return the numbers of `os_keys` for a stack of (n, 2) tables of days and death."""
    days, died = tables[:, :, DAYS], tables[:, :, DIED]
    numbers = [np.median(days, axis=1) / DAYS_PER_MONTH]
    for _, slots in OS_GROUPS:
        numbers += kaplan_meier_numbers(days, died, slots=slots)
    numbers += [logrank_p(days, died, first=first, second=second) for _, first, second in OS_PAIRS]
    return np.concatenate([np.stack(numbers, axis=-1), asl_hazard(days, died)], axis=-1)


def os_keys() -> list[Key]:
    """Return the keys of `os_statistics`."""
    return [
        ("follow_up", "all", "follow_up_months", "", "median"),
        *_km_keys("km_os", "os", [name for name, _ in OS_GROUPS]),
        *(("logrank_os", name, "os", "", "p") for name, _, _ in OS_PAIRS),
        *regression_keys("cox_os", "univariate", ["asl"]),
    ]


def _km_keys(analysis: str, variable: str, groups: Sequence[str]) -> list[Key]:
    statistics = ("rate_24m", "median_months")
    return [(analysis, group, variable, "", statistic) for group in groups for statistic in statistics]


def pfs_keys() -> list[Key]:
    """Return the keys of `pfs_statistics`."""
    return [*_km_keys("km_pfs", "pfs", ["asl", "no_asl"]), ("logrank_pfs", "asl_vs_no_asl", "pfs", "", "p")]


def pfs_statistics(tables: Floats, os: Floats) -> Floats:
    """Return the numbers of `pfs_keys` for a stack of (n, 1) tables of days beside days and death (n, 2)."""
    days = tables[:, :, 0]
    failed = np.where(days < os[:, DAYS], 1.0, os[:, DIED])
    numbers = [
        *kaplan_meier_numbers(days, failed, slots=ASL),
        *kaplan_meier_numbers(days, failed, slots=NO_ASL),
    ]
    return np.stack([*numbers, logrank_p(days, failed, first=ASL, second=NO_ASL)], axis=-1)


def start_os(rng: np.random.Generator) -> Floats:
    """Draw first times from exponentials of about the printed medians, shortest and longest in place."""
    days = np.zeros(N_PATIENTS)
    for slots, median in ((RECOVERED, 660.0), (NOT_RECOVERED, 330.0), (NO_ASL, 800.0)):
        days[slots] = 90 + rng.exponential((median - 90) / np.log(2), len(slots))
    follow_up = rng.uniform(2 * LAST_ENROLLED, LONGEST - 1, N_PATIENTS)
    died = (days < follow_up).astype(float)
    days = np.floor(np.minimum(days, follow_up))
    days[20], died[20] = SHORTEST, 1.0
    days[41], died[41] = LONGEST, 0.0
    table = np.stack([days, died], axis=-1)
    for slot in range(N_PATIENTS):
        while (table[:, DAYS] == table[slot, DAYS]).sum() > 1:
            table[slot, DAYS] = rng.integers(SHORTEST + 1, LONGEST)
    return table


def propose_os(table: Floats, rng: np.random.Generator) -> Floats:
    """Propose other days, each day used once, and deaths traded between two slots or made and unmade."""
    stack = np.repeat(table[None], CANDIDATES, axis=0)
    for candidate in stack:
        for _ in range(rng.integers(1, 3)):
            _move_os(candidate, rng)
    return stack


def _move_os(candidate: Floats, rng: np.random.Generator) -> None:
    slot = rng.integers(N_PATIENTS)
    if candidate[slot, DAYS] in (SHORTEST, LONGEST):
        return
    if rng.integers(4) == 0:
        candidate[slot, DIED] = 1.0 - candidate[slot, DIED]
        if rng.integers(3):
            others = np.flatnonzero(candidate[:, DIED] == candidate[slot, DIED])
            other = rng.choice(others)
            if candidate[other, DAYS] not in (SHORTEST, LONGEST):
                candidate[other, DIED] = 1.0 - candidate[other, DIED]
        return
    day = np.round(candidate[slot, DAYS] + (200.0, 30.0, 4.0)[rng.integers(3)] * rng.normal())
    if SHORTEST < day < LONGEST and day not in candidate[:, DAYS]:
        candidate[slot, DAYS] = day


def n_lost_too_many(tables: Floats) -> Floats:
    """Return how many more than `MOST_LOST` slots are alive with a follow-up that loss alone explains."""
    is_lost = (tables[:, :, DIED] == 0) & (tables[:, :, DAYS] < LAST_ENROLLED)
    return np.asarray(np.maximum(is_lost.sum(axis=1) - MOST_LOST, 0).astype(float))


def n_deaths_off(tables: Floats) -> Floats:
    """Return how far the number of deaths is from `N_DEATHS`."""
    return np.asarray(np.abs(tables[:, :, DIED].sum(axis=1) - N_DEATHS))


def search_os(
    printed: Printed, *, rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for days to death or last contact and death, (98, 2), by slot."""
    targets = pick_targets(printed, os_keys())

    def misfit(tables: Floats, softness: float) -> Floats:
        return (
            targets.misfit(os_statistics(tables), softness=softness)
            + n_lost_too_many(tables)
            + n_deaths_off(tables)
        )

    return (
        yield from anneal(
            "survival",
            start_os(rng),
            misfit=misfit,
            propose=propose_os,
            rng=rng,
            schedule=Schedule(steps=5000, rounds=2, again=0.1, temperature=0.3),
        )
    )


def search_pfs(
    printed: Printed, *, os: Floats, rng: np.random.Generator
) -> Generator[Progress, None, tuple[Floats, float]]:
    """Search for days to progression, death or last contact, (98, 1), inside `os` (98, 2)."""
    targets = pick_targets(printed, pfs_keys())

    def misfit(tables: Floats, softness: float) -> Floats:
        return targets.misfit(pfs_statistics(tables, os), softness=softness)

    def propose(table: Floats, rng: np.random.Generator) -> Floats:
        stack = np.repeat(table[None], CANDIDATES, axis=0)
        for candidate in stack:
            for _ in range(rng.integers(1, 4)):
                _move_pfs(candidate[:, 0], os, rng)
        return stack

    is_free = (rng.random(N_PATIENTS) < 0.3)[:, None]
    first = np.where(is_free, os[:, :1], np.floor(os[:, :1] * rng.uniform(0.3, 0.95, (N_PATIENTS, 1))))
    return (
        yield from anneal(
            "progression",
            first,
            misfit=misfit,
            propose=propose,
            rng=rng,
            schedule=Schedule(steps=5000, rounds=2, again=0.1, temperature=0.3),
        )
    )


def _move_pfs(days: Floats, os: Floats, rng: np.random.Generator) -> None:
    slot = rng.integers(N_PATIENTS)
    if rng.integers(8) == 0:
        days[slot] = os[slot, DAYS]
        return
    day = np.round(min(days[slot], os[slot, DAYS] - 8) + (150.0, 30.0, 4.0)[rng.integers(3)] * rng.normal())
    if 35 < day < os[slot, DAYS] - 7 and day not in days:
        days[slot] = day
