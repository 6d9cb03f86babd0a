"""A night's estimates: the study's analyses, and on the default cohort how they agree with what was printed.

Here: both together, the same for tonight and for a past night. Not here: the analyses (`models.study`), the
comparison (`transforms.published`). Called by `flows.steps` and `flows.as_of`.
"""

from dataclasses import replace

import polars as pl

from flows.reconstruction import read_published
from models.study.analyses import StudyResults, estimate_study
from models.study.data import StudyData
from models.study.options import StudyOptions
from transforms.origin import RECONSTRUCTED
from transforms.published import agreement_estimates, compare_with_published


def estimate_night(
    data: StudyData, options: StudyOptions, *, origin: str
) -> tuple[StudyResults, pl.DataFrame | None]:
    """Return the study's results, and on the reconstructed cohort the printed numbers beside ours.

    The second is of the schema `transforms.published.SIDE_BY_SIDE`, and its agreement stands among the
    estimates.
    """
    study = estimate_study(data, options)
    if origin != RECONSTRUCTED:
        return study, None
    side_by_side = compare_with_published(study.estimates, read_published())
    estimates = pl.concat([study.estimates, agreement_estimates(side_by_side)])
    return replace(study, estimates=estimates), side_by_side
