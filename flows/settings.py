"""What can be set, from the environment (NADIR_...) or a command's options, read once at the door.

Here: settings and the paths that follow from the home folder. Not here: what they do. Read by `flows.cli`
and `flows.nightly`; nothing reads the environment elsewhere.
"""

from pathlib import Path
from typing import Self
from zoneinfo import available_timezones

from pydantic import Field, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from models.comparisons import Variances
from models.selection import REMOVAL_P, RemovalTest
from models.study.options import StudyOptions
from models.survival.partial_likelihood import Ties


class Settings(BaseSettings):
    """Nadir's settings; each is NADIR_ and its name in capitals in the environment."""

    model_config = SettingsConfigDict(env_prefix="NADIR_", frozen=True)

    home: Path = Field(Path(".nadir"), description="Home folder: everything Nadir writes")
    landing: Path | None = Field(None, description="Landing folder; by default landing/ in the home folder")
    timezone: str = Field("Asia/Seoul", description="Time zone in which nights are named and scheduled")
    seed: int = Field(20161, ge=0, description="Seed of cross-validation, resampling and imputation")
    ties: Ties = Field("efron", description="Tied times in Cox regression: efron (as R) or breslow (as SPSS)")
    removal_test: RemovalTest = Field("wald", description="Test by which backward elimination removes")
    removal_p: float = Field(REMOVAL_P, gt=0, le=1, description="A variable with a larger p is removed")
    variances: Variances = Field("equal", description="t tests: equal (Student) or unequal (Welch) variances")
    resamples: int = Field(200, ge=0, description="Bootstrap resamples of the selection; 0 for none")
    imputations: int = Field(20, ge=0, description="Completed data sets of multiple imputation; 0 for none")
    snapshots_kept: int = Field(30, ge=1, description="Published warehouses that are kept")
    mlflow_tracking_uri: str | None = Field(None, description="An MLflow server; by default the home's own")
    prefect_port: int = Field(4200, description="Port of the Prefect server that `nadir up` starts")
    mlflow_port: int = Field(5000, description="Port of the MLflow server that `nadir up` starts")

    @classmethod
    def with_folders(cls, *, landing: Path | str | None = None, home: Path | str | None = None) -> Self:
        """Return the environment's settings with the folders that are given in their place."""
        given = {"landing": landing, "home": home}
        return cls.model_validate(
            {name: Path(folder) for name, folder in given.items() if folder is not None}
        )

    @field_validator("timezone")
    @classmethod
    def _is_a_time_zone(cls, name: str) -> str:
        if name not in available_timezones():
            raise ValueError(f"'{name}' is no time zone: expected a name like Europe/Berlin")
        return name

    @property
    def study(self) -> StudyOptions:
        """How the study's models are fitted and checked."""
        return StudyOptions(
            ties=self.ties,
            removal_test=self.removal_test,
            removal_p=self.removal_p,
            variances=self.variances,
            resamples=self.resamples,
            imputations=self.imputations,
            seed=self.seed,
        )

    @property
    def paths(self) -> "HomePaths":
        """The places in the home folder."""
        return HomePaths(self.home.resolve())

    @property
    def landing_folder(self) -> Path:
        """The landing folder that is read."""
        return (self.landing or self.paths.landing).resolve()


class HomePaths:
    """Where things are in the home folder; making one creates nothing."""

    def __init__(self, home: Path) -> None:
        self.home = home
        self.landing = home / "landing"
        self.warehouse = home / "warehouse"
        self.current = self.warehouse / "current.duckdb"
        self.mlflow = home / "mlflow"
        self.prefect = home / "prefect"
        self.nights = home / "nights"
        self.servers = home / "servers"

    def snapshot(self, night: str) -> Path:
        """The published warehouse of a night."""
        return self.warehouse / f"{night}.duckdb"

    def night(self, night: str) -> Path:
        """The folder of a night's estimates, report and summary."""
        return self.nights / night
