"""The faults that the simulator plants are caught by the night that loads them; clean rows are left alone."""

from dataclasses import dataclass
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from flows.accounts import Account
from flows.night import Loaded, Night
from flows.settings import Settings
from flows.simulate import Delivery, write_landing
from flows.steps import load_landing
from flows.warehouse import Warehouse
from models.simulation.faults import FAULTS
from transforms.counts.results import from_landed_csv, tidy_results
from transforms.landed_csv import parse_landed_csv
from transforms.schemas import COUNTS

pytestmark = pytest.mark.slow

AFTER_THE_LAST_DATE = date(2021, 1, 1)
SEEDS = (1, 2, 3)
MESS = Delivery(has_mess=True, n_plate_patients=40)
PLACE = ["file", "line"]
VALUE = [*COUNTS.key, "tlc_cells_per_ul"]


@dataclass(frozen=True)
class Caught:
    """A loaded landing folder: its faults with `is_caught`, its clean rows and how many of these failed."""

    faults: pl.DataFrame
    n_clean: int
    n_clean_refused: int


def quarantined(loaded: Loaded) -> pl.DataFrame:
    return loaded.quarantine.select(PLACE).unique()


def is_twin(account: Account) -> bool:
    """Whether the file changed nothing: in a first night that is a file that has come twice."""
    return account.rows_in == account.unchanged > 0


def counts_as_read(landing: Path, name: str) -> pl.DataFrame:
    """The lines of a file of counts that can be read, with their keys and cells/uL."""
    rows = parse_landed_csv((landing / name).read_bytes(), COUNTS).rows
    return tidy_results(from_landed_csv(rows)).counts.select(pl.lit(name).alias("file"), "line", *VALUE)


def where(rows: pl.DataFrame, stored: pl.DataFrame) -> pl.DataFrame:
    """The places of the rows whose key and value stand in a table of the warehouse."""
    return rows.join(stored, on=VALUE, how="semi").select(PLACE)


def outcomes(landing: Path, loaded: Loaded, faults: pl.DataFrame) -> dict[str, pl.DataFrame]:
    """The places of which each of the words of faults.csv's column `expected` has come true."""
    names = faults.filter(pl.col("kind").is_in(["corrected_value", "correction"]))["file"].unique()
    rows = pl.concat(counts_as_read(landing, name) for name in names)
    with Warehouse(loaded.working, read_only=True) as warehouse:
        counts, history = warehouse.read("counts"), warehouse.read("counts_history")
    twins = [one.file for one in loaded.accounts if is_twin(one)]
    return {
        "quarantined": quarantined(loaded),
        "loaded": where(rows, counts),
        "replaced": where(rows, history).join(where(rows, counts), on=PLACE, how="anti"),
        "unchanged": pl.DataFrame({"file": twins, "line": None}, schema={"file": str, "line": pl.Int64}),
    }


def load_with_mess(folder: Path, seed: int) -> Caught:
    landing = folder / "landing"
    write_landing(landing, n_patients=400, n_sites=3, seed=seed, delivery=MESS)
    settings = Settings.with_folders(landing=landing, home=folder / "home")
    loaded = load_landing(Night(AFTER_THE_LAST_DATE, settings))
    faults = pl.read_csv(landing / "faults.csv")
    come_true = pl.concat(
        places.with_columns(pl.lit(word).alias("expected"), pl.lit(value=True).alias("is_caught"))
        for word, places in outcomes(landing, loaded, faults).items()
    )
    is_of_a_row = faults.drop_nulls("line")
    return Caught(
        faults.join(come_true, on=[*PLACE, "expected"], how="left", nulls_equal=True).with_columns(
            pl.col("is_caught").fill_null(value=False)
        ),
        n_clean=sum(one.rows_in for one in loaded.accounts if not is_twin(one)) - len(is_of_a_row),
        n_clean_refused=len(quarantined(loaded).join(is_of_a_row, on=PLACE, how="anti")),
    )


@pytest.fixture(scope="module")
def caught(tmp_path_factory: pytest.TempPathFactory) -> list[Caught]:
    return [load_with_mess(tmp_path_factory.mktemp(f"seed{seed}"), seed) for seed in SEEDS]


@pytest.fixture(scope="module")
def faults(caught: list[Caught]) -> pl.DataFrame:
    return pl.concat(one.faults for one in caught)


def test_at_least_99_percent_of_the_faults_end_as_faults_csv_says(faults: pl.DataFrame):
    leaked = faults.filter(~pl.col("is_caught"))["kind"].value_counts()
    assert len(faults) > 300
    assert faults["is_caught"].mean() >= 0.99, leaked


@pytest.mark.parametrize("kind", sorted({fault.kind for fault in FAULTS} | {"correction", "duplicate_file"}))
def test_at_least_95_percent_of_each_kind_are_caught(faults: pl.DataFrame, kind: str):
    assert faults.filter(pl.col("kind") == kind)["is_caught"].mean() >= 0.95


def test_at_most_one_clean_row_in_a_thousand_is_refused(caught: list[Caught]):
    n_clean = sum(one.n_clean for one in caught)
    assert n_clean > 10_000
    assert sum(one.n_clean_refused for one in caught) <= 0.001 * n_clean
