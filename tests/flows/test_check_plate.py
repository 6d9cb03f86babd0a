"""`nadir plate FILE`: one export checked as the night would, with the contract's columns and exit codes."""

import io
from pathlib import Path

import polars as pl
import pytest

from flows.cli import main
from flows.simulate import write_landing

COLUMNS = [
    "well",
    "sample",
    "kind",
    "analyte",
    "net_mfi",
    "concentration",
    "unit",
    "range",
    "instrument_result",
    "n_beads",
]
REAL = Path(__file__).parents[2].parent / "shared" / "data" / "xponent-magpix-adabi" / "A549.csv"


@pytest.fixture(scope="module")
def export(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    written = write_landing(tmp_path_factory.mktemp("simulated") / "out", n_patients=12, n_sites=1, seed=4)
    path = next(path for path in sorted((written.out / "plates").iterdir()) if ".layout" not in path.name)
    return path.read_bytes()


def run(content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> tuple[int, pl.DataFrame, str]:
    (tmp_path / "plate.csv").write_bytes(content)
    code = main(["plate", str(tmp_path / "plate.csv")])
    printed = capsys.readouterr()
    wells = pl.read_csv(io.StringIO(printed.out), infer_schema=False) if printed.out else pl.DataFrame()
    return code, wells, printed.err


def test_a_good_export_exits_0_and_prints_every_well_and_analyte(export: bytes, tmp_path: Path, capsys):
    code, wells, told = run(export, tmp_path, capsys)
    assert (code, wells.columns) == (0, COLUMNS)
    assert set(wells["kind"]) == {"background", "standard", "control", "unknown"}
    assert wells.select("well", "analyte").is_unique().all()
    assert told.rstrip().endswith(("note.", "notes."))
    assert "it would load clean" in told


def test_ours_and_the_instruments_concentration_stand_side_by_side(export: bytes, tmp_path: Path, capsys):
    _, wells, _ = run(export, tmp_path, capsys)
    within = wells.filter(range="within").select(
        ours=pl.col("concentration").cast(pl.Float64), its=pl.col("instrument_result").cast(pl.Float64)
    )
    assert len(within) > 100
    assert (within["ours"] / within["its"] - 1).abs().max() < 1e-6


def test_a_flipped_byte_exits_3_and_is_named(export: bytes, tmp_path: Path, capsys):
    flipped = bytearray(export)
    flipped[export.index(b'"Median"') + 400] ^= 1
    code, _, told = run(bytes(flipped), tmp_path, capsys)
    assert code == 3
    assert "P01 file_is_as_the_instrument_wrote_it" in told or "P00" in told


def test_a_lost_decimal_mark_in_a_standard_exits_3_and_names_it(export: bytes, tmp_path: Path, capsys):
    section = export.index(b'"Standard Expected Concentration"')
    at = export.index(b".", section)
    code, _, told = run(export[:at] + export[at + 1 :], tmp_path, capsys)
    assert code == 3
    assert "P02 standards_lie_on_their_dilution_ladder (not used), standard" in told


def test_a_cut_export_exits_3_with_the_columns_alone(export: bytes, tmp_path: Path, capsys):
    code, wells, told = run(export[: len(export) // 2], tmp_path, capsys)
    assert (code, wells.columns, len(wells)) == (3, COLUMNS, 0)
    assert told.startswith("P00 export_is_whole (refused)")


@pytest.mark.parametrize(
    "content", [b"", b"a,b\n1,2\n", b"PK\x03\x04 a spreadsheet", b"well,site,patient_id\n"]
)
def test_what_is_no_export_exits_2_and_says_what_to_send(content: bytes, tmp_path: Path, capsys):
    code, wells, told = run(content, tmp_path, capsys)
    assert (code, len(wells.columns)) == (2, 0)
    assert told.startswith("nadir plate: plate.csv")


def test_a_file_that_is_not_there_exits_2(tmp_path: Path, capsys):
    assert main(["plate", str(tmp_path / "nothing.csv")]) == 2
    assert "expected an export that can be read" in capsys.readouterr().err


def test_a_real_export_is_clean_and_agrees_with_its_instrument(tmp_path: Path, capsys):
    if not REAL.exists():
        pytest.skip("the real exports are not beside the checkout")
    code, wells, _ = run(REAL.read_bytes(), tmp_path, capsys)
    its = pl.col("instrument_result").cast(pl.Float64, strict=False)
    numbers = wells.with_columns(its=its).filter(pl.col("its").is_finite())
    apart = (numbers["concentration"].cast(pl.Float64) / numbers["its"] - 1).abs()
    assert (code, len(numbers), bool((apart < 0.01).all())) == (0, 193, True)
