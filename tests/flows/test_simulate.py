"""The written landing folder: the same bytes for a seed, files that load, faults where they are said."""

import json
from datetime import date
from pathlib import Path

import polars as pl
import pytest
from polars.testing import assert_frame_equal

from flows.landing import list_landing
from flows.simulate import MOST_PATIENTS_ON_PLATES, TABLES, Delivery, write_landing
from models.simulation.cohort import simulate_patients
from models.simulation.truth import TRUTH
from transforms.counts.results import from_landed_csv, tidy_results
from transforms.errors import UsageError, WorldError
from transforms.landed_csv import parse_landed_csv
from transforms.plates.layout import parse_layout
from transforms.schemas import COUNTS, PATIENT_KEY
from transforms.xponent.reader import parse_xponent

MESS = Delivery(has_mess=True)


def files_of(folder):
    """Every file below a folder with its bytes, by its path in the folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def lines_of(folder, name):
    return dict(enumerate((folder / name).read_text("utf-8").splitlines(), start=1))


def load(landing, table):
    """The rows of a table's files in the order they came; every record must be taken."""
    parsed = [parse_landed_csv(file.read().content, table) for file in list_landing(landing).of(table.name)]
    assert sum(len(one.rejected) for one in parsed) == 0
    return pl.concat([one.rows for one in parsed])


@pytest.fixture(scope="module")
def clean(tmp_path_factory):
    out = tmp_path_factory.mktemp("clean") / "landing"
    return write_landing(out, n_patients=98, n_sites=4, seed=11)


@pytest.fixture(scope="module")
def messy(tmp_path_factory):
    out = tmp_path_factory.mktemp("messy") / "landing"
    return write_landing(out, n_patients=98, n_sites=4, seed=11, delivery=MESS)


@pytest.fixture(scope="module")
def faults(messy):
    return pl.read_csv(messy.out / "faults.csv")


@pytest.fixture(scope="module")
def nightly(tmp_path_factory):
    out = tmp_path_factory.mktemp("nightly") / "nights"
    delivery = Delivery(n_nights=40, first_night=date(2018, 3, 1))
    return write_landing(out, n_patients=150, n_sites=2, seed=11, delivery=delivery)


# One landing folder


@pytest.mark.parametrize(
    "delivery", [Delivery(), MESS, Delivery(n_nights=5)], ids=["clean", "mess", "nights"]
)
def test_the_same_seed_writes_the_same_bytes_and_another_seed_writes_others(tmp_path, delivery):
    for name, seed in (("first", 3), ("again", 3), ("other", 4)):
        write_landing(tmp_path / name, n_patients=45, n_sites=2, seed=seed, delivery=delivery)
    first, again, other = (files_of(tmp_path / name) for name in ("first", "again", "other"))
    assert first == again
    counts = [name for name in first if "/counts/" in f"/{name}"]
    assert counts
    assert all(first[name] != other.get(name) for name in counts)


def test_the_landing_folder_holds_nothing_that_the_platform_refuses(clean):
    listing = list_landing(clean.out)
    assert listing.refused == ()
    assert {file.source for file in listing.files} == {*(table.name for table in TABLES), "plates"}


@pytest.mark.parametrize("table", TABLES, ids=[table.name for table in TABLES])
def test_every_row_that_was_drawn_is_in_a_file_and_loads(clean, table):
    rows = load(clean.out, table)
    drawn = getattr(next(simulate_patients(98, seed=11, n_sites=4)), table.name)
    if table is COUNTS:
        tidy = tidy_results(from_landed_csv(rows))
        rows = tidy.counts
        assert tidy.rejected.is_empty()
        # Some sites write the day alone.
        rows, drawn = (frame.with_columns(pl.col("collected_at").dt.date()) for frame in (rows, drawn))
    rows = rows.select(drawn.columns)
    assert_frame_equal(rows.sort(rows.columns), drawn.sort(drawn.columns), check_dtypes=False)


def test_sites_differ_in_unit_and_in_how_they_write_dates(clean):
    first_lines = [
        lines_of(clean.out, f"counts/simulated-hospital-{i}-0001.csv")[2].split(",") for i in (1, 2, 3, 4)
    ]
    assert [line[5] for line in first_lines] == ["cells/uL", "10*3/uL", "10*9/L", "cells/uL"]
    assert [len(line[2]) for line in first_lines] == [20, 10, 16, 25]


def layouts_of(landing: Path) -> list[pl.DataFrame]:
    return [parse_layout(file.read().beside["layout"]).rows for file in list_landing(landing).of("plates")]


def test_every_patient_has_il7_before_and_after_rt_on_a_plate(clean):
    layouts = [
        parse_layout(file.read().beside["layout"]).rows for file in list_landing(clean.out).of("plates")
    ]
    samples = pl.concat(layouts).group_by(*PATIENT_KEY, "timepoint").len()
    assert len(samples) == 2 * 98
    assert set(samples["len"]) == {2}


def test_plates_are_read_as_exports_with_a_checksum_that_holds(clean):
    plates = [parse_xponent(file.read().content) for file in list_landing(clean.out).of("plates")]
    assert len(plates) == clean.n_plates == 8
    assert {plate.checksum for plate in plates} == {"ok"}
    assert all("IL-7" in plate.wells["analyte"].to_list() for plate in plates)


def test_notes_beside_the_folders_say_that_it_is_simulated_and_what_is_true(clean):
    origin, truth = (json.loads((clean.out / name).read_text()) for name in ("origin.json", "truth.json"))
    assert origin["origin"] == "simulated"
    assert truth["asl"]["pre_rt_il7_per_pg_ml"] == TRUTH.asl.pre_rt_il7_per_pg_ml
    assert truth["overall_survival"]["asl"] == TRUTH.overall_survival.asl
    assert (truth["seed"], truth["n_patients"]) == (11, 98)
    assert not (clean.out / "faults.csv").exists()


def test_what_is_told_of_the_landing_folder_is_what_is_in_it(clean):
    assert clean.n_counts == len(load(clean.out, COUNTS))
    assert clean.n_files == sum(name.endswith(".csv") for name in files_of(clean.out))
    assert (clean.n_patients, clean.n_faults) == (98, 0)


def test_files_of_another_size_hold_the_same_rows(tmp_path, clean):
    small = Delivery(n_patients_per_file=40)
    out = write_landing(tmp_path / "small", n_patients=98, n_sites=4, seed=11, delivery=small).out
    assert len(list(out.glob("counts/*.csv"))) == 3 * 4
    for table in TABLES:
        ours, theirs = (load(landing, table).drop("line") for landing in (out, clean.out))
        assert_frame_equal(ours.sort(ours.columns), theirs.sort(theirs.columns))


def test_only_the_first_patients_have_plates_where_there_are_many(tmp_path):
    few = Delivery(n_plate_patients=25, n_patients_per_file=20)
    written = write_landing(tmp_path / "few", n_patients=70, n_sites=1, seed=1, delivery=few)
    layouts = [
        parse_layout(file.read().beside["layout"]).rows for file in list_landing(written.out).of("plates")
    ]
    assert written.n_plates == 2
    assert pl.concat(layouts)["patient_id"].unique().sort().to_list() == [
        f"SIM-{i:06d}" for i in range(1, 26)
    ]
    assert Delivery().n_plate_patients == MOST_PATIENTS_ON_PLATES == 2_000


def test_a_folder_that_holds_something_is_left_alone(tmp_path):
    (tmp_path / "mine.csv").write_text("kept")
    with pytest.raises(UsageError, match="new or empty folder"):
        write_landing(tmp_path, n_patients=5)
    assert files_of(tmp_path) == {"mine.csv": b"kept"}


def test_an_empty_folder_is_filled(tmp_path):
    out = tmp_path / "landing"
    out.mkdir()
    write_landing(out, n_patients=5)
    assert (out / "truth.json").is_file()


@pytest.mark.parametrize(
    ("numbers", "delivery"),
    [
        ({"n_patients": 0}, Delivery()),
        ({"n_patients": 5, "n_sites": 0}, Delivery()),
        ({"n_patients": 5, "seed": -1}, Delivery()),
        ({"n_patients": 5}, Delivery(n_nights=-1)),
        ({"n_patients": 5}, Delivery(n_plate_patients=-1)),
    ],
)
def test_a_number_out_of_range_writes_nothing(tmp_path, numbers, delivery):
    with pytest.raises(UsageError, match="must be"):
        write_landing(tmp_path / "landing", delivery=delivery, **numbers)
    assert list(tmp_path.iterdir()) == []


def test_what_a_killed_run_left_is_cleared_away(tmp_path):
    left = tmp_path / ".landing.partial" / "counts"
    left.mkdir(parents=True)
    (left / "half.csv").write_text("half a file")
    write_landing(tmp_path / "landing", n_patients=5)
    assert [path.name for path in tmp_path.iterdir()] == ["landing"]
    assert not (tmp_path / "landing/counts/half.csv").exists()


def test_a_disk_that_does_not_take_it_is_told_and_nothing_is_left(tmp_path):
    (tmp_path / "a_file").write_text("in the way")
    with pytest.raises(WorldError, match="could not be written"):
        write_landing(tmp_path / "a_file" / "landing", n_patients=5)
    assert [path.name for path in tmp_path.iterdir()] == ["a_file"]


def test_the_current_folder_can_be_filled(tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    write_landing(Path(), n_patients=5)
    assert (tmp_path / "here/truth.json").is_file()


def test_it_is_quiet_where_there_is_no_terminal(tmp_path, capsys):
    write_landing(tmp_path / "landing", n_patients=5)
    assert capsys.readouterr() == ("", "")


# Mess


def test_faults_csv_names_exactly_the_lines_that_differ_from_the_clean_files(clean, messy, faults):
    listed = set(faults.filter(pl.col("kind").is_in(["correction", "duplicate_file"]).not_())["file"])
    for name in files_of(clean.out):
        if name.endswith(".csv"):
            ours, theirs = lines_of(messy.out, name), lines_of(clean.out, name)
            differing = [line for line in theirs if ours.get(line) != theirs[line]]
            assert len(ours) == len(theirs)
            assert sorted(faults.filter(pl.col("file") == name)["line"]) == differing
            assert bool(differing) == (name in listed)


def test_every_kind_of_fault_is_there_and_says_what_should_happen(messy, faults):
    expected = dict(faults.select("kind", "expected").unique().iter_rows())
    assert expected == {
        "corrected_value": "replaced",
        "correction": "loaded",
        "duplicate_file": "unchanged",
        "percent_in_place_of_absolute": "quarantined",
        "lost_decimal_mark": "quarantined",
        "swapped_dates": "quarantined",
        "unknown_patient": "quarantined",
    }
    assert messy.n_faults == len(faults)


def test_a_correction_brings_back_the_line_of_the_clean_file_and_comes_later(clean, messy, faults):
    corrections = faults.filter(pl.col("kind") == "correction")
    order = [file.name for file in list_landing(messy.out).of("counts")]
    for name, line in corrections.select("file", "line").iter_rows():
        corrected = name.replace("_corrections", "")
        assert lines_of(messy.out, name)[line] in lines_of(clean.out, corrected).values()
        assert order.index(name) > order.index(corrected)
        assert name > corrected
    assert len(corrections) == (faults["kind"] == "corrected_value").sum()


def test_a_duplicate_is_the_same_file_under_another_name(messy, faults):
    copies = faults.filter(pl.col("kind") == "duplicate_file")["file"]
    assert len(copies) == 1
    for name in copies:
        assert (messy.out / name).read_bytes() == (messy.out / name.replace("_again", "")).read_bytes()


def test_mess_leaves_nothing_that_the_platform_refuses_unread(messy):
    assert list_landing(messy.out).refused == ()


# Nights


def test_every_night_is_a_landing_folder_that_says_it_is_simulated(nightly):
    nights = sorted(path for path in nightly.out.iterdir() if path.is_dir())
    assert [path.name for path in nights][:2] == ["2018-03-01", "2018-03-02"]
    assert len(nights) == 40
    for night in nights:
        assert list_landing(night).refused == ()
        assert json.loads((night / "origin.json").read_text())["origin"] == "simulated"
    assert json.loads((nightly.out / "truth.json").read_text())["n_nights"] == 40


def test_no_night_says_one_thing_twice(nightly):
    for night in nightly.out.glob("20*"):
        for table in TABLES:
            if (night / table.name).is_dir():
                assert not load(night, table).select(table.key).is_duplicated().any()


def test_the_nights_together_tell_what_was_known_by_the_last_one(nightly):
    drawn = next(simulate_patients(150, seed=11, n_sites=2))
    nights = sorted(nightly.out.glob("20*"))
    patients = pl.concat([load(night, TABLES[0]) for night in nights if (night / "patients").is_dir()])
    known = drawn.patients.filter(pl.col("rt_start_date") <= date(2018, 4, 9))
    last = patients.drop("line").unique(PATIENT_KEY, keep="last", maintain_order=True)
    assert set(last["patient_id"]) == set(known["patient_id"])
    on_rt = known.filter(pl.col("rt_end_date") > date(2018, 4, 9))
    assert last["rt_end_date"].null_count() == len(on_rt) > 0


def test_later_nights_bring_new_counts_and_plates_of_patients_known_by_then(nightly):
    later = sorted(nightly.out.glob("20*"))[1:]
    assert sum((night / "counts").is_dir() for night in later) > 30
    known = pl.concat(
        [load(night, TABLES[0]) for night in nightly.out.glob("20*/") if (night / "patients").is_dir()]
    )
    plates = [file for night in later for file in list_landing(night).of("plates")]
    assert plates
    for plate in plates:
        samples = parse_layout(plate.read().beside["layout"]).rows
        assert samples.join(known, on=PATIENT_KEY, how="anti").is_empty()
        assert samples["collected_on"].max() < date.fromisoformat(plate.path.parent.parent.name)


def test_faults_of_nights_name_the_night(tmp_path):
    mess = Delivery(has_mess=True, n_nights=10)
    out = write_landing(tmp_path / "nights", n_patients=60, n_sites=2, seed=11, delivery=mess).out
    faults = pl.read_csv(out / "faults.csv")
    assert set(faults["night"]) <= {path.name for path in out.glob("20*")}
    for night, name, line in faults.drop_nulls("line").select("night", "file", "line").iter_rows():
        assert line in lines_of(out / night, name)
