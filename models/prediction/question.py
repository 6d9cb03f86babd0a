"""The predictor's two questions as data: who will have ASL, asked before radiotherapy (RT) and during it.

Here: their inputs, with what each is and why it is among the few. Not here: how an input is derived
(`models.prediction.features`), which candidate takes which (`models.prediction.candidates`).
"""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["log", "number", "flag"]


@dataclass(frozen=True)
class Feature:
    """One input: its column, what it is with its unit, and why it is among the few.

    kind: "log" for an amount of 0 or more whose log1p is taken, "number" as it is, "flag" for 1 or 0.
    """

    name: str
    meaning: str
    reason: str
    kind: Kind


@dataclass(frozen=True)
class Question:
    """A question that the predictor answers: its name, what is asked in words, and its inputs in order."""

    name: str
    words: str
    features: tuple[Feature, ...]

    @property
    def feature_names(self) -> tuple[str, ...]:
        """The columns of the inputs, in order."""
        return tuple(feature.name for feature in self.features)


# All known on the first day of RT. Few, since 98 patients with 41 events carry five parameters at the
# shrinkage of 0.9 that Riley 2020 (BMJ 368:m441) asks for if the AUC is 0.86, and two or three if it is 0.77,
# the best published for this outcome. A penalty pays for the difference.
_KNOWN_BEFORE_RT = (
    Feature(
        "baseline_tlc_cells_per_ul",
        "Total lymphocyte count before RT, cells/µL",
        "the pool that RT depletes; the strongest predictor in every published model",
        "log",
    ),
    Feature(
        "ptv_cm3",
        "Planning target volume, cm³",
        "how much blood and liver the beam crosses",
        "log",
    ),
    Feature(
        "pre_rt_il7_pg_ml",
        "Interleukin-7 before RT, pg/mL; half the limit where below it, the limit where above",
        "the cytokine that keeps and refills the pool; the study's question",
        "log",
    ),
    Feature(
        "pre_rt_il7_is_censored",
        "Interleukin-7 before RT known by its limit alone, 1 or 0",
        "a limit is less than a number says, and more than nothing",
        "flag",
    ),
    Feature(
        "is_chemoradiotherapy",
        "Chemotherapy together with RT, 1 or 0",
        "chemotherapy suppresses the marrow that would refill the pool",
        "flag",
    ),
    Feature(
        "has_pvtt",
        "Portal vein tumour thrombosis, 1 or 0",
        "brings the portal vein, and so much of the flowing blood, into the field",
        "flag",
    ),
    Feature(
        "has_viral_hepatitis",
        "Hepatitis B or C, 1 or 0",
        "in the study's published model",
        "flag",
    ),
    Feature(
        "has_baseline_lymphopenia",
        "Lymphocyte count before RT of 1,000 cells/µL or less, 1 or 0",
        "in the study's published model, and the simple rule by itself",
        "flag",
    ),
)

_KNOWN_DURING_RT = (
    Feature(
        "weeks_done",
        "Weeks since the first day of RT, with their fraction",
        "most of the fall comes in the first weeks; also where on its course a patient is compared",
        "number",
    ),
    Feature(
        "fractions_left_share",
        "Share of the planned fractions not yet due, 0 to 1; five a week from the first day",
        "the time and the dose that are left to fall further",
        "number",
    ),
    Feature(
        "last_tlc_cells_per_ul",
        "The last lymphocyte count, cells/µL",
        "how far the count is from 200",
        "log",
    ),
    Feature(
        "days_since_last_count",
        "Days since the last lymphocyte count",
        "an old count says less of tonight",
        "number",
    ),
    Feature(
        "lowest_tlc_cells_per_ul",
        "The lowest lymphocyte count so far, the baseline among them, cells/µL",
        "how near to 200 the patient has come, whatever the last count says",
        "log",
    ),
    Feature(
        "last_to_baseline_ratio",
        "The last lymphocyte count as a share of the baseline",
        "how much of the pool is gone",
        "number",
    ),
    Feature(
        "tlc_log_slope_per_week",
        "Slope of the logarithm of the counts so far, a week",
        "how fast the count is falling",
        "number",
    ),
    Feature(
        "n_counts_so_far",
        "Counts drawn during RT so far",
        "few counts show little of the course; many may mean a worried team",
        "number",
    ),
)

BEFORE_RT = Question(
    name="before_rt",
    words="Before RT: will the lymphocyte count fall below 200 cells/µL on any day of RT?",
    features=_KNOWN_BEFORE_RT,
)
DURING_RT = Question(
    name="during_rt",
    words=(
        "During RT, of a patient whose counts so far were 200 cells/µL or more: will one fall below 200 "
        "after today, until the last day of RT?"
    ),
    features=(*_KNOWN_BEFORE_RT, *_KNOWN_DURING_RT),
)
