"""The words that go with what is logged: notes of runs and experiments, and the predictor's model card.

Here: markdown from frozen results, never a patient's row. Not here: where it is stored (`flows.tracking`) or
the night's report (`flows.report.page`). Called by `flows.tracking`.
"""

from flows.tracked import MODEL_NAME
from models.prediction.performance import Performance
from models.prediction.predictor import FEATURES, N_FOLDS, N_REPEATS, TrainedPredictor
from transforms.origin import LANDED

# Published models of the same outcome reach 0.77 on patients they had not seen.
SUSPICIOUS_AUC = 0.85

# MLflow shows a line break wherever one stands, so that a paragraph is one line here.
ANALYSES_NOTE = (
    "One run a night: every number of the night's survival and lymphopenia analyses, its tables and "
    "figures. A run that a later one of the same night replaced has the tag `nadir.superseded_by`."
)
PREDICTOR_NOTE = (
    "One run for each new set of training patients: the predictor of acute severe lymphopenia before "
    "radiotherapy, with its cross-validation. Its models are registered as `asl-predictor`; the alias "
    "`champion` names the one in use."
)
PURPOSE = (
    "**What it tells.** The probability that a patient about to start radiotherapy (RT) will have acute "
    "severe lymphopenia (ASL): any total lymphocyte count below 200 cells/µL during RT."
)
LIMITS = (
    "**What it is for.** It supports a clinician's judgement and does not replace it. It has not been tried "
    "on patients of any other hospital."
)


def origin_note(data_origin: str) -> str:
    """Say where the data come from, and loudly so where they are no patients'."""
    if data_origin == LANDED:
        return "Data: as landed."
    return (
        f"**Data: {data_origin}.** The numbers show that the platform works; they say nothing about patients."
    )


def analyses_note(*, night: str, data_origin: str, n_estimates: int, n_not_estimable: int) -> str:
    """Describe a night's run of the analyses."""
    return "\n\n".join(
        [
            f"Survival and lymphopenia analyses of night {night}.",
            origin_note(data_origin),
            f"`tables/estimates.csv` holds all {n_estimates:,} estimates with their definitions; "
            f"{n_not_estimable:,} could not be estimated and say why there. `tables/table_...` are the "
            "study's tables, `tables/guard_...` what a careful reader asks of them, `figures/` its figures.",
            "The metrics are the few that are followed from night to night: under *Model metrics* each is "
            "drawn over the nights so far.",
        ]
    )


def model_page(data_origin: str, champion_version: int | None) -> str:
    """Describe the registered model: what it tells, what it reads, how to use it."""
    in_use = "no version yet" if champion_version is None else f"version {champion_version}"
    inputs = [f"- `{feature.name}`: {feature.meaning} ({feature.reason})" for feature in FEATURES]
    return "\n\n".join(
        [
            origin_note(data_origin),
            PURPOSE,
            LIMITS,
            "**What it reads**, all known before the first day of RT:",
            "\n".join(inputs),
            "**What it returns.** Two columns: the probability of no ASL, and of ASL.",
            f"**In use**: {in_use}. `models:/{MODEL_NAME}@champion` names it, and the page of a version "
            "shows its performance. Saved with skops, not with pickle.",
        ]
    )


def version_page(trained: TrainedPredictor, *, night: str, data_origin: str) -> str:
    """Describe one version: its performance first, then its data and what to beware of."""
    found = trained.cross_validated
    return "\n\n".join(
        [
            f"AUC {_auc(found)}, {data_origin} data, night {night}.",
            origin_note(data_origin),
            f"**Trained on** {found.n} patients, {found.n_events} of them with ASL; {trained.n_left_out} "
            "still under treatment, or without a count during RT, were left out.",
            f"**Performance** on held-out patients ({N_FOLDS}-fold cross-validation of the whole procedure, "
            f"{N_REPEATS} times):",
            _performance(found, trained.apparent_auc),
            "**Beware**",
            _caveats(trained),
            LIMITS,
        ]
    )


def _performance(found: Performance, apparent_auc: float) -> str:
    lines = [
        f"AUC {_auc(found)}; on the training patients themselves {apparent_auc:.2f}, which is too high",
        f"Calibration slope {_number(found.calibration_slope)} "
        f"({_number(found.calibration_slope_low)} to {_number(found.calibration_slope_high)}; 1 is right; "
        "below, too sure of itself)",
        f"Calibration intercept {_number(found.calibration_intercept)} (0 is right; above, too low); "
        f"integrated calibration index {_number(found.ici)}",
        f"Brier score {found.brier:.3f} (scaled {_number(found.scaled_brier)}), "
        f"log loss {found.log_loss:.3f}",
    ]
    return "\n".join(f"- {line}" for line in lines)


def _caveats(trained: TrainedPredictor) -> str:
    found = trained.cross_validated
    caveats = [
        trained.sample_size,
        f"{found.n_events} events for {len(FEATURES)} inputs are few: on new patients the AUC may well lie "
        "outside this interval, which leaves out the chance in who was trained on.",
        "An unknown input counts as the training patients' median.",
    ]
    if found.auc > SUSPICIOUS_AUC:
        caveats.append(f"An AUC above {SUSPICIOUS_AUC} calls for suspicion: published models reach 0.77.")
    return "\n".join(f"- {caveat}" for caveat in caveats)


def _auc(found: Performance) -> str:
    return f"{found.auc:.2f} (95% interval {_number(found.auc_low)} to {_number(found.auc_high)})"


def _number(value: float | None) -> str:
    return "not estimable" if value is None else f"{value:.2f}"
