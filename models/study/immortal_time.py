"""Immortal time: ratios counted from the first day of RT, beside those that wait until the group is known.

Here: ASL as a covariate that begins when it begins, recovery from a landmark on. Not here: the fits
(`models.survival`). Called by `models.study.analyses`. Whoever has ASL, or has recovered from it, lived long
enough to be classed, which a comparison from the first day counts in the group's favour (Anderson 1983).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import polars as pl

from models.estimate import Flags, Floats
from models.study.options import StudyOptions
from models.study.regression import found_coefficient
from models.study.rows import Finding, Row, Topic, tell
from models.study.selected_model import COX_OS, TIES, SelectedModel
from models.survival.cox import CoxFit, fit_cox
from models.survival.log_rank import compare_log_rank
from models.survival.partial_likelihood import Ties
from models.survival.time_dependent import fit_time_dependent_cox, split_at
from models.variables import ASL, derive_variables, with_ordinal_stage
from transforms.errors import NotEstimableError

ANALYSIS = "immortal_time"
RECOVERED = "recovered"
RATIO = ("hr", "ci_low", "ci_high", "p", "coefficient", "standard_error")
LANDMARK_STATISTICS = (*RATIO, "n_left_out", "p_log_rank")
# Months. A count of month 2 may be drawn until 2.5, so only that landmark leaves no immortal time at all.
LANDMARKS = {"naive": 0.0, "landmark_2m": 2.0, "landmark_2_5m": 2.5}

OF_ASL = {
    "naive": (
        "ASL taken as known from the first day of RT, as the study does; whoever has it lived until it came, "
        "which is counted in its favour"
    ),
    "time_dependent": (
        "ASL as a covariate that begins at the first count below 200 cells/uL: time before it counts as "
        "without ASL"
    ),
}
OF_RECOVERY = {
    "naive": "survival counted from the first day of RT, as the study does",
    "landmark_2m": (
        "survival counted from 2 months on, among those alive and followed then; a count of month 2 may be "
        "drawn until 2.5 months"
    ),
    "landmark_2_5m": (
        "survival counted from 2.5 months on, when every count of month 2 has been drawn, among those alive "
        "and followed then"
    ),
}


@dataclass(frozen=True, eq=False)
class _Followed:
    """Complete patients: covariates (ASL among them), months and deaths, onset of ASL (NaN without)."""

    covariates: pl.DataFrame
    months: Floats
    has_died: Flags
    onset: Floats


def estimate_immortal_time(cohort: pl.DataFrame, selected: SelectedModel, options: StudyOptions) -> list[Row]:
    """Return naive and guarded hazard ratios of ASL (alone, and with what Table 2 retained) and of recovery.

    cohort: `schemas.COHORT`; selected: what elimination made of `COX_OS`.
    """
    return [*_tell_asl(cohort, selected, options), *_tell_recovery(cohort, options)]


def _tell_asl(cohort: pl.DataFrame, selected: SelectedModel, options: StudyOptions) -> list[Row]:
    rows: list[Row] = []
    fits: dict[str, Callable[[_Followed, Ties], CoxFit]] = {
        "naive": _fit_naive,
        "time_dependent": _fit_time_dependent,
    }
    for level in ("univariate", "multivariate"):
        for group, fit in fits.items():
            topic = Topic(ANALYSIS, group, ASL.word, level)
            beside = selected if level == "multivariate" else None
            found = partial(_found_asl, cohort, beside, told=OF_ASL[group], fit=fit, ties=options.ties)
            rows += tell(topic, RATIO, found)
    return rows


def _found_asl(
    cohort: pl.DataFrame,
    selected: SelectedModel | None,
    *,
    told: str,
    fit: Callable[[_Followed, Ties], CoxFit],
    ties: Ties,
) -> Finding:
    followed = _followed(cohort, selected)
    fitted = fit(followed, ties)
    asl = next(one for one in fitted.coefficients if one.name == ASL.word)
    beside = ". Together with what Table 2 retained" if selected else ""
    found = found_coefficient(asl, fitted, f"{told}{beside}. {COX_OS.told(ties)}")
    # The fit may count two rows of one patient.
    return Finding(found.numbers, found.definition, n=len(followed.months), events=found.events)


def _followed(cohort: pl.DataFrame, selected: SelectedModel | None) -> _Followed:
    """The patients of Table 2's model, or of ASL alone where there is none given."""
    candidates = (ASL,) if selected is None else with_ordinal_stage(COX_OS.candidates)
    words = [variable.word for variable in candidates]
    frame = derive_variables(cohort, candidates).hstack(cohort.select(*COX_OS.outcome, "asl_onset_months"))
    complete = frame.drop_nulls([*words, *COX_OS.outcome])
    if complete.is_empty():
        raise NotEstimableError("no patient has all values")
    kept = [ASL.word] if selected is None else [*(w for w in selected.retained if w != ASL.word), ASL.word]
    return _Followed(
        complete.select(kept),
        complete["os_months"].to_numpy(),
        complete["has_died"].to_numpy(),
        complete["asl_onset_months"].fill_null(np.nan).to_numpy(),
    )


def _fit_naive(followed: _Followed, ties: Ties) -> CoxFit:
    return fit_cox(followed.covariates, followed.months, followed.has_died, ties=ties)


def _fit_time_dependent(followed: _Followed, ties: Ties) -> CoxFit:
    spells = split_at(followed.onset, followed.months, followed.has_died)
    covariates = followed.covariates[spells.row].with_columns(
        pl.Series(ASL.word, spells.is_after, dtype=pl.Float64)
    )
    return fit_time_dependent_cox(covariates, spells.start, spells.stop, events=spells.events, ties=ties)


def _tell_recovery(cohort: pl.DataFrame, options: StudyOptions) -> list[Row]:
    rows: list[Row] = []
    for group, landmark in LANDMARKS.items():
        topic = Topic(ANALYSIS, group, RECOVERED, "univariate")
        found = partial(_found_recovery, cohort, landmark, OF_RECOVERY[group], ties=options.ties)
        rows += tell(topic, LANDMARK_STATISTICS, found)
    return rows


def _found_recovery(cohort: pl.DataFrame, landmark: float, told: str, *, ties: Ties) -> Finding:
    with_asl = cohort.filter("has_asl")
    known = with_asl.select("has_recovered", *COX_OS.outcome).drop_nulls()
    followed = known.filter(pl.col("os_months") > landmark) if landmark else known
    months, has_died = followed["os_months"].to_numpy() - landmark, followed["has_died"].to_numpy()
    recovered = followed["has_recovered"].cast(pl.Float64)
    fit = fit_cox(pl.DataFrame({RECOVERED: recovered}), months, has_died, ties=ties)
    finding = found_coefficient(
        fit.coefficients[0],
        fit,
        "Recovered (above 1,000 cells/uL at 2 months) against not, among those with ASL; "
        f"{told}. Cox, {TIES[ties]}, Wald's p and 95 % interval; n_left_out: the others with ASL",
    )
    more = {
        "n_left_out": with_asl.height - followed.height,
        "p_log_rank": compare_log_rank(months, has_died, recovered).p,
    }
    return Finding({**finding.numbers, **more}, finding.definition, n=finding.n, events=finding.events)
