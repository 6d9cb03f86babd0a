"""What is true of the simulated patients: every known coefficient, and where it comes from.

Here: the coefficients as data. Not here: drawing from them (`models.simulation.course`,
`models.simulation.survival`). `flows.simulate` writes it to truth.json for whoever checks an estimate.
"""

from dataclasses import asdict, dataclass

COHORT_IS = "simulated: drawn from a model, no patient's data"


@dataclass(frozen=True)
class AslTruth:
    """Log odds of acute severe lymphopenia (ASL), named as the analyses name their variables.

    Each lies in the study's multivariate 95 % interval, nearer to one than its odds ratio: 2.6 events a
    candidate overfit, and the study's univariate odds ratios ask for less.
    """

    intercept: float = -1.66
    hepatitis_viral: float = 0.70
    baseline_lymphopenia: float = 2.70
    ptv_per_100_cm3: float = 0.11
    pre_rt_il7_per_pg_ml: float = -0.75


@dataclass(frozen=True)
class HazardTruth:
    """Log hazard ratios, all others being zero.

    `uicc_iii_iv` is per step of stage (II, III, IV), as the study's multivariate model must have had it.
    `scale_months` is the Weibull scale of a patient at stage II with nothing else.
    """

    cirrhosis: float
    child_pugh_b: float
    uicc_iii_iv: float
    asl: float
    scale_months: float


@dataclass(frozen=True)
class Truth:
    """The known coefficients of the simulator; those of overall survival are the study's multivariate ones.

    Both hazards are Weibull with one shape, from `quiet_months` after the first day of RT on: one shape
    makes their difference, the hazard of progression, a Weibull hazard as well.
    """

    asl: AslTruth = AslTruth()
    overall_survival: HazardTruth = HazardTruth(
        cirrhosis=0.412, child_pugh_b=0.820, uicc_iii_iv=0.577, asl=0.708, scale_months=90.0
    )
    progression_free_survival: HazardTruth = HazardTruth(
        cirrhosis=0.25, child_pugh_b=0.55, uicc_iii_iv=0.35, asl=0.45, scale_months=22.0
    )
    weibull_shape: float = 0.95
    quiet_months: float = 2.3

    def as_dict(self) -> dict[str, object]:
        """Return the coefficients as plain nested dictionaries, ready for JSON."""
        return {"cohort_is": COHORT_IS, **asdict(self)}


TRUTH = Truth()
