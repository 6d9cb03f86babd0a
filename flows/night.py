"""What one night is and what its steps hand to each other.

Here: frozen records, no work. Filled by `flows.steps`, read by `flows.nightly` and `flows.outcome`.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from importlib.metadata import version
from pathlib import Path

import polars as pl

from expectations.validation import Audit, Validation
from flows.accounts import DERIVED_SOURCE, Account
from flows.derivation import DerivedFrames
from flows.plate_review import PlateReview
from flows.settings import HomePaths, Settings
from flows.tracked import LoggedRun, RegisteredPredictor
from models.prediction.predictor import TrainedPredictor
from models.promotion import Verdict
from models.study.analyses import StudyResults
from models.study.data import StudyData

CODE_VERSION = version("nadir")


@dataclass(frozen=True)
class Night:
    """A night: its logical date, which is its name, and the settings it runs with."""

    day: date
    settings: Settings

    @property
    def name(self) -> str:
        """The night's name, an ISO date."""
        return self.day.isoformat()

    @property
    def paths(self) -> HomePaths:
        """The places in the home folder."""
        return self.settings.paths

    @property
    def folder(self) -> Path:
        """Where the night's results go."""
        return self.paths.night(self.name)


@dataclass(frozen=True)
class Loaded:
    """What a night loaded: accounts of files, what stands in quarantine, verdicts of the rules.

    `working` is the working copy; `rows_before` counts the rows of the tables last published; `has_changed`
    is false where the working copy holds just what is published. `former` holds the tables `estimates`,
    `cytokines`, `cohort`, `nights` and `changes` as they were published last.
    """

    working: Path
    origin: str
    accounts: tuple[Account, ...]
    quarantine: pl.DataFrame
    validations: tuple[Validation, ...]
    rows_before: Mapping[str, int]
    former: Mapping[str, pl.DataFrame]
    has_changed: bool


@dataclass(frozen=True)
class Derived:
    """What was derived: all of it (`frames`), and what is analysed of it once that was checked (`data`).

    `cytokines` are those of the warehouse. `left_out` (`QUARANTINE`) says of whom the parts contradict each
    other; `checks` are the rules' verdicts.
    """

    frames: DerivedFrames
    data: StudyData
    cohort_sha256: str
    left_out: pl.DataFrame
    plates: PlateReview
    cytokines: pl.DataFrame
    checks: tuple[Validation | Audit, ...]

    @property
    def cohort(self) -> pl.DataFrame:
        """The checked cohort (`COHORT`)."""
        return self.data.cohort


@dataclass(frozen=True)
class Analysed:
    """The night's statistics and predictor; without a predictor, `not_trained` says why.

    `side_by_side` (`transforms.published.SIDE_BY_SIDE`) is there on the reconstructed cohort alone. `changes`
    (`CHANGES`) say what is otherwise than the night before; without one, there are none.
    """

    study: StudyResults
    predictor: TrainedPredictor | None
    changes: pl.DataFrame
    not_trained: str = ""
    side_by_side: pl.DataFrame | None = None


@dataclass(frozen=True)
class Results:
    """What a night found, from its rows to its predictor."""

    loaded: Loaded
    derived: Derived
    analysed: Analysed

    @property
    def in_quarantine(self) -> pl.DataFrame:
        """Everything that waits for somebody: rows, files, and patients left out of the cohort."""
        landed = self.loaded.quarantine.filter(pl.col("source") != DERIVED_SOURCE)
        return pl.concat([landed, self.derived.left_out])


@dataclass(frozen=True)
class Snapshot:
    """A closed warehouse file and the hash of its bytes; not new where it is the published one already."""

    path: Path
    sha256: str
    is_new: bool


@dataclass(frozen=True)
class Recorded:
    """What stands in MLflow: the run of the analyses, the predictor's version, what is to become of it."""

    analyses: LoggedRun
    registered: RegisteredPredictor | None
    verdict: Verdict | None
