"""Whether a newly trained predictor may take the champion's place.

Here: the gates and the verdict, as one pure function of recorded figures. Not here: how figures are made
(`models.prediction`), who holds the alias (`flows.tracking`). Called by the night's flow.
"""

from dataclasses import dataclass
from enum import StrEnum

from models.prediction.performance import Performance

MIN_PATIENTS_A_CLASS = 10
CHANCE_AUC = 0.5
AUC_MARGIN = 0.05
SLOPE_RANGE = (0.3, 3.0)


class Decision(StrEnum):
    """What happens to the challenger."""

    PROMOTE = "PROMOTE"
    HOLD = "HOLD"


@dataclass(frozen=True)
class Gate:
    """One condition: its name, whether it holds, what was found, what was required."""

    name: str
    is_open: bool
    found: str
    required: str

    @property
    def reason(self) -> str:
        """The gate as a sentence."""
        return f"{self.name}: {self.found}; required: {self.required}."


@dataclass(frozen=True)
class Verdict:
    """The decision with the gates that it came from."""

    decision: Decision
    gates: tuple[Gate, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why: the closed gates where the challenger is held, all gates where it is promoted."""
        closed = tuple(gate.reason for gate in self.gates if not gate.is_open)
        return closed or tuple(gate.reason for gate in self.gates)


def judge(challenger: Performance, champion: Performance | None) -> Verdict:
    """Compare the challenger's cross-validated figures with those the champion was recorded with.

    PROMOTE where every gate is open, HOLD otherwise; `champion` is None where there is none yet.

    - Patients: at least 10 in each class. With fewer, an AUC's standard error is above 0.1.
    - Chance: a cross-validated AUC above 0.5; below, the ranking is worse than a coin's.
    - Calibration: a slope from 0.3 to 3. Outside, log-odds are wrong by a factor of three, and a probability
      would be read as something it is not. Wide, since chance moves the slope by 0.14 at 41 events of 98.
    - Champion: an AUC no more than 0.05 below the champion's recorded one. The two come from largely the same
      patients, and 0.05 is one standard error at 41 events of 98: a smaller fall is no evidence of harm, and
      newer data are preferred. It is a floor, not a proof of being better.
    """
    gates = (
        _enough_patients(challenger),
        _better_than_chance(challenger),
        _calibrated(challenger),
        *(() if champion is None else (_not_below_champion(challenger, champion),)),
    )
    is_promoted = all(gate.is_open for gate in gates)
    return Verdict(Decision.PROMOTE if is_promoted else Decision.HOLD, gates)


def _enough_patients(challenger: Performance) -> Gate:
    n_events, n_others = challenger.n_events, challenger.n_non_events
    return Gate(
        name="patients in each class",
        is_open=min(n_events, n_others) >= MIN_PATIENTS_A_CLASS,
        found=f"{n_events} with and {n_others} without acute severe lymphopenia",
        required=f"at least {MIN_PATIENTS_A_CLASS} of each",
    )


def _better_than_chance(challenger: Performance) -> Gate:
    return Gate(
        name="better than chance",
        is_open=challenger.auc > CHANCE_AUC,
        found=f"cross-validated AUC {challenger.auc:.3f}",
        required=f"above {CHANCE_AUC}",
    )


def _calibrated(challenger: Performance) -> Gate:
    slope, (low, high) = challenger.calibration_slope, SLOPE_RANGE
    return Gate(
        name="calibration",
        is_open=slope is not None and low <= slope <= high,
        found="no calibration slope could be estimated"
        if slope is None
        else f"calibration slope {slope:.2f}",
        required=f"{low} to {high}",
    )


def _not_below_champion(challenger: Performance, champion: Performance) -> Gate:
    return Gate(
        name="not below the champion",
        is_open=challenger.auc >= champion.auc - AUC_MARGIN,
        found=f"cross-validated AUC {challenger.auc:.3f} against the champion's recorded {champion.auc:.3f}",
        required=f"no more than {AUC_MARGIN} below it",
    )
