"""Whether a newly trained predictor may take the champion's place, and by which figures.

Here: the gates and the verdict, as one pure function. Not here: the figures (`models.prediction.comparison`,
which says what a fair comparison is), the ledger that keeps verdicts (`transforms.champions`). Called by
`flows`.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum
from math import inf

from models.estimate import Estimate
from models.prediction.comparison import MIN_SUBGROUP_EVENTS, Comparison, Subgroup, Trial, compare
from transforms.champions import PastJudgements
from transforms.schemas import prediction as words

# Of each outcome. With 30 events among 75 new patients a champion that lacks the strongest variable is
# replaced in 4 of 10, with 60 in 8: with fewer, a comparison spends its share of the errors on nothing.
MIN_NEW_EVENTS = 30
# Nats a patient, worth about 0.02 of the AUC near 0.75. Less is worth no change of champion.
MARGIN = 0.02
SUBGROUP_MARGIN = 0.05
# Outside, log-odds are wrong by a factor of two, or the expected events by a quarter.
SLOPE_RANGE = (0.5, 2.0)
OBSERVED_TO_EXPECTED_RANGE = (0.8, 1.25)
# Both sides, over all comparisons with one champion; the first has half of it, a 95 % interval.
ERROR_IN_ALL = 0.10


class Decision(StrEnum):
    """What happens to the challenger; the words of the ledger."""

    PROMOTE = words.PROMOTE
    HOLD = words.HOLD
    REJECT = words.REJECT
    NOT_ENOUGH_NEW_EVENTS = words.NOT_ENOUGH_NEW_EVENTS


# Of several closed gates the first of these decides.
_GRAVEST_FIRST = (Decision.NOT_ENOUGH_NEW_EVENTS, Decision.REJECT, Decision.HOLD)


@dataclass(frozen=True)
class Gate:
    """One condition: its name, whether it holds, what was found and required, what follows if closed."""

    name: str
    is_open: bool
    found: str
    required: str
    if_closed: Decision = Decision.HOLD

    @property
    def reason(self) -> str:
        """The gate as a sentence."""
        return f"{self.name}: {self.found}; required: {self.required}."


@dataclass(frozen=True)
class Verdict:
    """The decision, the gates that it came from, and their figures by name.

    `n_events_judged`: new events that the comparison saw, None where none was made.
    """

    decision: Decision
    gates: tuple[Gate, ...]
    figures: Mapping[str, float]
    n_events_judged: int | None

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why: the closed gates that decided where there are any, all gates where it is promoted."""
        closed = [gate for gate in self.gates if not gate.is_open]
        closed.sort(key=lambda gate: _GRAVEST_FIRST.index(gate.if_closed))
        return tuple(gate.reason for gate in closed or self.gates)

    @property
    def gates_json(self) -> str:
        """The gates as the ledger keeps them."""
        return json.dumps([asdict(gate) for gate in self.gates], ensure_ascii=False)

    @property
    def figures_json(self) -> str:
        """The figures as the ledger keeps them, to 9 digits."""
        return json.dumps({name: float(f"{value:.9g}") for name, value in self.figures.items()})


def judge(
    trial: Trial, *, seed: int, past: PastJudgements | None = None, data_flags: Sequence[str] = ()
) -> Verdict:
    """Decide on the challenger; the same trial, whatever the order of its rows, has the same verdict.

    past: the comparisons with this champion so far (`transforms.champions.past_judgements`). A further one
    asks for `MIN_NEW_EVENTS` fresh events, and the intervals grow: the k-th errs with `ERROR_IN_ALL` over
    k (k + 1), which adds up to that over any number of nights. data_flags: what the data checks found.

    NOT_ENOUGH_NEW_EVENTS and nothing compared where events are too few; HOLD and nothing compared where the
    data are flagged; REJECT where the challenger is worse by more than a margin beyond doubt; HOLD where it
    is not shown to be better, PROMOTE where every gate is open.
    """
    before = past or PastJudgements()
    doors = (_enough_new_events(trial, before), _sound_data(data_flags))
    figures = _counts(trial, before)
    if not all(gate.is_open for gate in doors):
        return Verdict(_decide(doors), doors, figures, None)
    found = compare(trial, seed=seed, error=ERROR_IN_ALL / ((before.n + 1) * (before.n + 2)))
    gates = (*doors, *_gates(found, has_champion=trial.champion is not None))
    n_events = trial.n_of_each(trial.is_compared)[0]
    return Verdict(_decide(gates), gates, figures | found.figures, n_events)


def _decide(gates: Sequence[Gate]) -> Decision:
    closed = {gate.if_closed for gate in gates if not gate.is_open}
    return next((decision for decision in _GRAVEST_FIRST if decision in closed), Decision.PROMOTE)


def _counts(trial: Trial, past: PastJudgements) -> dict[str, float]:
    n_events, n_others = trial.n_of_each(trial.is_compared)
    return {
        "n_rows": len(trial.has_asl),
        "n_new_events": n_events,
        "n_new_others": n_others,
        "n_comparisons_before": past.n,
    }


def _gates(found: Comparison, *, has_champion: bool) -> tuple[Gate, ...]:
    percent = f"{100 * (1 - found.error):.3g} %"
    return (
        _better_than_rival(found.gain, percent, has_champion=has_champion),
        _better_than_chance(found.auc),
        _better_than_constant(found.gain_over_constant, percent),
        _calibrated("calibration slope", found.slope, SLOPE_RANGE),
        _calibrated("observed to expected events", found.observed_to_expected, OBSERVED_TO_EXPECTED_RANGE),
        _fair_to_subgroups(found.worst),
    )


def _enough_new_events(trial: Trial, past: PastJudgements) -> Gate:
    n_events, n_others = trial.n_of_each(trial.is_compared)
    n_fresh = n_events - past.n_events
    since = "since the champion was trained" if trial.champion is not None else "in all"
    fresh = f", {n_fresh} events since the last comparison" if past.n else ""
    return Gate(
        name="new events",
        is_open=min(n_events, n_others, n_fresh) >= MIN_NEW_EVENTS,
        found=f"{n_events} patients with and {n_others} without the outcome {since}{fresh}",
        required=f"at least {MIN_NEW_EVENTS} of each",
        if_closed=Decision.NOT_ENOUGH_NEW_EVENTS,
    )


def _sound_data(flags: Sequence[str]) -> Gate:
    return Gate("data checks", not flags, "; ".join(flags) or "nothing", "nothing found")


def _better_than_rival(gain: Estimate, percent: str, *, has_champion: bool) -> Gate:
    low, high, value = _numbers(gain)
    return Gate(
        name="better than the champion" if has_champion else "better than no model",
        is_open=low > 0 and value >= MARGIN,
        found=f"{_told(gain)} nats of log loss gained a patient ({percent} interval)",
        required=f"at least {MARGIN}, and an interval above 0",
        if_closed=Decision.REJECT if high < -MARGIN else Decision.HOLD,
    )


def _better_than_chance(auc: Estimate | None) -> Gate:
    return Gate(
        name="better than chance",
        is_open=auc is not None and auc.ci_low is not None and auc.ci_low > 0.5,
        found="no AUC could be estimated" if auc is None else f"out-of-fold AUC {_told(auc)}",
        required="a 95 % interval above 0.5",
    )


def _better_than_constant(gain: Estimate, percent: str) -> Gate:
    return Gate(
        name="better than one probability for all",
        is_open=_numbers(gain)[0] > 0,
        found=f"{_told(gain)} nats of log loss gained a patient ({percent} interval)",
        required="an interval above 0",
    )


def _calibrated(name: str, figure: Estimate | None, bounds: tuple[float, float]) -> Gate:
    if figure is None:
        return Gate(name, False, "could not be estimated", f"{bounds[0]} to {bounds[1]}")
    low, high, value = _numbers(figure)
    is_beyond_doubt = high < bounds[0] or low > bounds[1]
    return Gate(
        name=name,
        is_open=bounds[0] <= value <= bounds[1],
        found=_told(figure),
        required=f"{bounds[0]} to {bounds[1]}",
        if_closed=Decision.REJECT if is_beyond_doubt else Decision.HOLD,
    )


def _fair_to_subgroups(worst: Subgroup | None) -> Gate:
    required = f"no subgroup that loses more than {SUBGROUP_MARGIN} nats a patient"
    if worst is None:
        found = f"no subgroup with {MIN_SUBGROUP_EVENTS} new patients of each outcome"
        return Gate("subgroups", True, found, required)
    _, high, value = _numbers(worst.gain)
    return Gate(
        name="subgroups",
        is_open=value >= -SUBGROUP_MARGIN,
        found=f"least is gained in {worst.name}, {worst.n} patients: {_told(worst.gain)} nats",
        required=required,
        if_closed=Decision.REJECT if high < -SUBGROUP_MARGIN else Decision.HOLD,
    )


def _numbers(estimate: Estimate) -> tuple[float, float, float]:
    """Low, high and value; what is unknown is no bound."""
    low = -inf if estimate.ci_low is None else estimate.ci_low
    high = inf if estimate.ci_high is None else estimate.ci_high
    return low, high, 0.0 if estimate.value is None else estimate.value


def _told(estimate: Estimate) -> str:
    low, high, value = _numbers(estimate)
    return f"{value:.3f} ({low:.3f} to {high:.3f})"
