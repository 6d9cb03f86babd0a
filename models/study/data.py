"""What a night's analyses read: the cohort and what stands beside it, of the patients whose parts agree.

Here: the shape. Called by `models.study.analyses`, and by `flows` that fill it.
"""

from dataclasses import dataclass

import polars as pl


@dataclass(frozen=True, eq=False)
class StudyData:
    """Frames of `schemas.COHORT`, `schemas.MONTHLY_COUNTS` and `schemas.TOXICITIES`."""

    cohort: pl.DataFrame
    monthly_counts: pl.DataFrame
    toxicities: pl.DataFrame
