"""Whether scores still say what happens, asked every night of the patients whose outcome is now known.

Here: a test that may be looked at after every outcome, prospective AUC, observed to expected events. Not
here: which scores are judged (`transforms`), drawing, alarms in the report. Called by `flows`.

The test bets against the scores. Under the hypothesis that each patient has the event with just the scored
probability, the money of a gambler who starts with 1 is a martingale, whatever is bet, and by Ville's
inequality (1939) it reaches 20 in the course of any number of outcomes with a probability of at most 5 %
(Ramdas et al. 2023, Stat Sci 38:576). The bets are likelihood ratios, half of the money on the odds being off
by a factor, half on one probability for all being nearer than the scores; part of it waits for later
outcomes, so that a drift that begins late is found as well.

What the hypothesis asks of the rows: one score a patient, made before the outcome, and rows in the order in
which outcomes fell due, that is could be known whichever they are. In the order in which they became known
events come first, and a sound score would be blamed.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal

import numpy as np
import polars as pl
from scipy.special import expit, logit
from scipy.stats import beta

from models.estimate import Estimate, Flags, Floats, Integers
from models.prediction.clustered_auc import estimate_auc
from transforms.errors import NotEstimableError
from transforms.schemas import PATIENT_KEY

# With odds that are off by a factor of 2 from the first outcome on, half of the alarms come within 85 to 190
# outcomes (mean probability 0.41 and 0.20), and three of a hundred sound scores raise one in 500.
State = Literal["in control", "alarm"]

FALSE_ALARMS = 0.05
# The odds of the event, by how much they may be off.
ODDS_FACTORS = (1 / 3, 1 / 2, 2 / 3, 3 / 2, 2.0, 3.0)
# Outcomes after which part of the money is bet anew; the k-th time 1 / (k (k + 1)) of it.
OUTCOMES_TO_A_START = 25
# The constant begins as the scores' mean, which counts as so many outcomes.
OUTCOMES_OF_THE_MEAN = 10.0
SMALLEST_PROBABILITY = 1e-6

COURSE = pl.Schema(
    {
        "due_date": pl.Date(),
        "n": pl.Int64(),
        "n_events": pl.Int64(),
        "n_expected": pl.Float64(),
        "evidence": pl.Float64(),
        "evidence_odds": pl.Float64(),
        "evidence_constant": pl.Float64(),
        "limit": pl.Float64(),
    }
)


@dataclass(frozen=True, eq=False)
class Monitored:
    """Scores judged by their outcomes.

    state: "alarm" from the first time on that the evidence reached `limit`; alarm_since: the day on which it
    did, and after_n_outcomes. because: what the evidence was mostly for. observed_to_expected: events over
    the sum of the scores. auc: None within where it cannot be estimated, and why_no_auc. course: one row a
    day (`COURSE`), evidence as the money of the gambler, 1 at the start.
    """

    n: int
    n_events: int
    state: State
    alarm_since: date | None
    after_n_outcomes: int | None
    because: str | None
    limit: float
    observed_to_expected: Estimate
    auc: Estimate
    why_no_auc: str | None
    course: pl.DataFrame


def judge_scores(scored: pl.DataFrame) -> Monitored:
    """Judge the scores of patients whose outcome has fallen due; the order of the rows does not matter.

    scored: site, patient_id, due_date (the first day on which the outcome would be known whichever it is),
    probability (0 to 1, as scored before the outcome), has_asl. Raises `ValueError` for missing values, for
    probabilities that are none, and for a patient with several rows.
    """
    _refuse_unsound_rows(scored)
    rows = scored.sort("due_date", *PATIENT_KEY)
    has_event = rows["has_asl"].to_numpy().astype(bool)
    probability = rows["probability"].to_numpy().astype(np.float64)
    of_odds, of_constant = evidence_against(has_event, probability)
    evidence = np.logaddexp(of_odds, of_constant) - np.log(2)
    crossed = np.flatnonzero(evidence >= -np.log(FALSE_ALARMS))
    first = int(crossed[0]) if len(crossed) else None
    auc, why_no_auc = _auc(has_event, probability)
    return Monitored(
        n=len(has_event),
        n_events=int(has_event.sum()),
        state="in control" if first is None else "alarm",
        alarm_since=None if first is None else rows["due_date"][first],
        after_n_outcomes=None if first is None else first + 1,
        because=None if first is None else _because(of_odds[first], of_constant[first]),
        limit=1 / FALSE_ALARMS,
        observed_to_expected=observed_to_expected(int(has_event.sum()), probability),
        auc=auc,
        why_no_auc=why_no_auc,
        course=_course(
            rows, {"evidence": evidence, "evidence_odds": of_odds, "evidence_constant": of_constant}
        ),
    )


def observed_to_expected(n_events: int, probability: Floats) -> Estimate:
    """Return events over the sum of n probabilities, with exact 95 % limits; None within where that is 0.

    Clopper and Pearson's limits (1934, Biometrika 26:404) of a share of n, over the mean probability. Where
    the probabilities differ, the sum varies less than a binomial one, and the limits are wide enough.
    """
    n, expected = len(probability), float(np.sort(probability).sum())
    if expected == 0:
        return Estimate(None)
    low = beta.ppf(0.025, n_events, n - n_events + 1) if n_events else 0.0
    high = beta.ppf(0.975, n_events + 1, n - n_events) if n_events < n else 1.0
    return Estimate(n_events / expected, float(low) * n / expected, float(high) * n / expected)


def _refuse_unsound_rows(scored: pl.DataFrame) -> None:
    rows = scored.select(*PATIENT_KEY, "due_date", "probability", "has_asl")
    is_probability = rows["probability"].is_between(0, 1).all()
    if sum(rows.null_count().row(0)) or not is_probability:
        raise ValueError("scores: each row needs a due date, an outcome and a probability from 0 to 1")
    if rows.select(PATIENT_KEY).is_duplicated().any():
        raise ValueError("scores: one row a patient is expected; judge the weeks during RT apart")


def evidence_against(has_event: Flags, probability: Floats) -> tuple[Floats, Floats]:
    """Return the logarithm of the money after each outcome (n,): bet on the odds, and on the constant.

    The two weigh the same: half of their sum is the evidence. Rows stand in the order of their due dates.
    """
    p = np.clip(probability, SMALLEST_PROBABILITY, 1 - SMALLEST_PROBABILITY)
    told = _log_likelihood(has_event, p)
    factors = np.log(np.array(ODDS_FACTORS))
    each = [_money(_log_likelihood(has_event, expit(logit(p) + shift)) - told) for shift in factors]
    of_odds = np.logaddexp.reduce(each, axis=0) - np.log(len(factors))
    return of_odds, _money(_log_likelihood(has_event, _running_share(has_event, p)) - told)


def _log_likelihood(has_event: Flags, p: Floats) -> Floats:
    return np.asarray(np.log(np.where(has_event, p, 1 - p)))


def _running_share(has_event: Flags, p: Floats) -> Floats:
    """For each patient the share with the event among those before, begun with the scores' mean so far."""
    before = np.arange(len(p))
    n_events: Integers = np.cumsum(has_event) - has_event
    mean = np.cumsum(p) / (before + 1)
    return np.asarray((n_events + OUTCOMES_OF_THE_MEAN * mean) / (before + OUTCOMES_OF_THE_MEAN))


def _money(log_ratios: Floats) -> Floats:
    """The log of the money after each of n bets whose log pay-offs are given, parts of it starting later.

    With S the running sum, the part that starts after j outcomes is worth exp(S_n - S_j) times its share;
    what has not started yet is kept.
    """
    total = np.cumsum(log_ratios)
    before = np.append(0.0, total[:-1])
    k = np.arange(len(total)) // OUTCOMES_TO_A_START + 1.0
    starts = np.arange(len(total)) % OUTCOMES_TO_A_START == 0
    share = np.where(starts, -np.log(k) - np.log1p(k), -np.inf)
    begun = total + np.logaddexp.accumulate(share - before)
    # The shares 1 / (k (k + 1)) from k + 1 on add up to 1 / (k + 1).
    return np.asarray(np.logaddexp(begun, -np.log1p(k)))


def _because(of_odds: float, of_constant: float) -> str:
    if of_odds >= of_constant:
        return "the odds of the event are off on the whole"
    return "one probability for all is nearer than the scores"


def _auc(has_event: Flags, probability: Floats) -> tuple[Estimate, str | None]:
    try:
        return estimate_auc(has_event, probability), None
    except NotEstimableError as failure:
        return Estimate(None), str(failure)


def _course(rows: pl.DataFrame, evidence: Mapping[str, Floats]) -> pl.DataFrame:
    """One row a due date. Beyond e^700 money is no number any more, and nobody needs to know more."""
    last: Integers = np.flatnonzero(rows["due_date"].is_last_distinct().to_numpy())
    columns = {
        "due_date": rows["due_date"].gather(last),
        "n": last + 1,
        "n_events": np.cumsum(rows["has_asl"].to_numpy())[last],
        "n_expected": np.cumsum(rows["probability"].to_numpy())[last],
        **{name: np.exp(np.minimum(of[last], 700.0)) for name, of in evidence.items()},
        "limit": np.full(len(last), 1 / FALSE_ALARMS),
    }
    return pl.DataFrame(columns, schema=COURSE)
