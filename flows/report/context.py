"""What a night hands to its report: plain frames and values, filled once the night's work is done.

Here: the shape alone. Not here: figures (`flows.report.figures`), tables (`flows.report.tables`), the page
(`flows.report.page`). Filled by the night's flow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from types import MappingProxyType

import polars as pl

from models.prediction.performance import Performance
from models.promotion import Verdict
from transforms.origin import stamp_of

# As seen from the report's own folder, nights/<night>/report.
LINKS_BESIDE = MappingProxyType(
    {
        "Every number of the night (estimates.csv)": "../estimates.csv",
        "What was checked (Data Docs)": "../data_docs/index.html",
        "What changed since the night before (changes.csv)": "../changes.csv",
        "The night in short (summary.json)": "../summary.json",
    }
)


@dataclass(frozen=True)
class PredictorReport:
    """The ASL predictor as tonight left it.

    `cross_validated`, `apparent_auc`, `calibration`, `roc`, `coefficients`, `n_left_out`, `sample_size` are
    of `TrainedPredictor`; `out_of_fold` needs only has_asl and probability. `champion` says in words which
    version serves: "version 3, since 2024-05-01". No `verdict`: none was reached yet.
    """

    cross_validated: Performance
    apparent_auc: float
    calibration: pl.DataFrame
    roc: pl.DataFrame
    out_of_fold: pl.DataFrame
    coefficients: pl.DataFrame
    verdict: Verdict | None
    champion: str
    n_left_out: int = 0
    sample_size: str = ""


@dataclass(frozen=True)
class PlateReport:
    """The cytokine plates that the warehouse holds; no well, sample or patient is named.

    `rules`, `curves`, `ranges`: as `transforms.plates.overview` makes them. `exclusions`: as in
    `transforms.schemas`. `drift`, `course`: as `transforms.plates.control_chart` makes them; `course` is of
    one analyte and one kit lot, whose names are `course_of`.
    """

    n_plates: int
    rules: pl.DataFrame
    curves: pl.DataFrame
    ranges: pl.DataFrame
    exclusions: pl.DataFrame
    drift: pl.DataFrame
    course: pl.DataFrame
    course_of: str = ""


@dataclass(frozen=True)
class CountsReport:
    """How complete the blood counts are, and what other definitions would make of them.

    `weekly`, `feed`: as in `transforms.schemas` (`WEEKLY_COUNTS`, `SITE_FEED`). `silent`: as
    `transforms.counts.completeness.silent_sites` makes it. `agreement`: as `transforms.definitions` does.
    """

    weekly: pl.DataFrame
    feed: pl.DataFrame
    silent: pl.DataFrame
    agreement: pl.DataFrame


@dataclass(frozen=True)
class ReportContext:
    """A night, ready to be shown.

    `cohort`, `monthly_counts`, `estimates`: as in `transforms.schemas`. `survival_curves`, `numbers_at_risk`,
    `roc_points`: as in `models.study.analyses.StudyResults`. `sources`: source, files, rows_in, loaded,
    unchanged, quarantined. `quarantine`: as `transforms.quarantine_tables.summarise_quarantine` makes it.
    `timings`: seconds by step, in order. `links`: words and address. Without a `predictor`, its note says
    why. `notes` are of files that loaded and deserve a look. `side_by_side`
    (`transforms.published.SIDE_BY_SIDE`) is there on the reconstructed cohort alone. `changes` say what the
    night found otherwise than the night before it.
    """

    night: date
    origin: str
    status: str
    cohort: pl.DataFrame
    monthly_counts: pl.DataFrame
    estimates: pl.DataFrame
    survival_curves: pl.DataFrame
    numbers_at_risk: pl.DataFrame
    roc_points: pl.DataFrame
    sources: pl.DataFrame
    quarantine: pl.DataFrame
    timings: Mapping[str, float] = field(default_factory=dict)
    links: Mapping[str, str] = field(default_factory=lambda: LINKS_BESIDE)
    predictor: PredictorReport | None = None
    notes: tuple[str, ...] = ()
    side_by_side: pl.DataFrame | None = None
    plates: PlateReport | None = None
    completeness: CountsReport | None = None
    changes: tuple[str, ...] = ()
    predictor_note: str = "The predictor was not trained tonight."

    @property
    def stamp(self) -> str:
        """What every figure and caption says of the data's origin; nothing for landed data."""
        return stamp_of(self.origin)
