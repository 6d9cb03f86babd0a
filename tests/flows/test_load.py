"""Loading: good rows load, bad ones wait in quarantine with a remedy, and nothing is lost between."""

import os
from datetime import date
from pathlib import Path

import polars as pl
import pytest

from flows.night import Loaded, Night
from flows.settings import Settings
from flows.steps import derive, load_landing
from flows.warehouse import Warehouse, publish
from tests.flows.landing_builder import (
    COUNTS_HEADER,
    FOLLOW_UP_HEADER,
    PATIENTS_HEADER,
    count,
    patient,
    write_good_landing,
    write_table,
)
from transforms.errors import UsageError

DAY = date(2026, 1, 15)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return write_good_landing(tmp_path / "landing")


def night_of(landing: Path, day: date = DAY) -> Night:
    return Night(day, Settings(landing=landing, home=landing.parent / "home"))


def load(landing: Path, day: date = DAY) -> Loaded:
    """Load and publish, as a night does."""
    night = night_of(landing, day)
    loaded = load_landing(night)
    with Warehouse(loaded.working) as warehouse:
        warehouse.checkpoint()
    publish(loaded.working, night.paths.current, night.paths.snapshot(night.name))
    return loaded


def table(landing: Path, name: str) -> pl.DataFrame:
    with Warehouse(night_of(landing).paths.current, read_only=True) as warehouse:
        return warehouse.read(name)


def account(loaded: Loaded, file: str) -> tuple[int, int, int, int]:
    (one,) = [one for one in loaded.accounts if one.file == file]
    return one.rows_in, one.loaded, one.unchanged, one.quarantined


def findings(loaded: Loaded, file: str) -> list[tuple[int | None, str]]:
    return loaded.quarantine.filter(pl.col("file") == file).sort("line").select("line", "rule").rows()


def test_good_files_load_whole(landing: Path):
    loaded = load(landing)
    assert account(loaded, "patients/p.csv") == (3, 3, 0, 0)
    assert account(loaded, "counts/c.csv") == (6, 6, 0, 0)
    assert loaded.quarantine.is_empty()
    assert table(landing, "counts")["tlc_cells_per_ul"].sum() == 1101 + 1102 + 1103 + 410 + 150 + 330


def test_the_same_files_again_change_nothing(landing: Path):
    load(landing)
    again = load(landing)
    assert not again.has_changed
    assert account(again, "counts/c.csv") == (6, 0, 6, 0)


def test_a_copy_under_another_name_is_loaded_once(landing: Path):
    (landing / "counts/copy.csv").write_bytes((landing / "counts/c.csv").read_bytes())
    loaded = load(landing)
    assert sorted((one.loaded, one.unchanged) for one in loaded.accounts if one.source == "counts") == [
        (0, 6),
        (6, 0),
    ]


def test_a_corrected_value_replaces_the_former_one_which_is_kept(landing: Path):
    load(landing)
    write_table(landing, "counts/corrected.csv", count("P1", "2024-01-29", 140), header=COUNTS_HEADER)
    load(landing, date(2026, 1, 16))
    of_p1 = table(landing, "counts").filter(patient_id="P1")
    history = table(landing, "counts_history")
    assert of_p1["tlc_cells_per_ul"].sort().to_list() == [140, 1101]
    assert history.select("tlc_cells_per_ul", "loaded_night", "replaced_night").rows() == [
        (410, DAY, date(2026, 1, 16))
    ]


def test_an_older_file_that_comes_again_does_not_undo_a_correction(landing: Path):
    load(landing)
    write_table(landing, "counts/corrected.csv", count("P1", "2024-01-29", 140), header=COUNTS_HEADER)
    load(landing, date(2026, 1, 16))
    (landing / "counts/late_copy.csv").write_bytes((landing / "counts/c.csv").read_bytes())
    load(landing, date(2026, 1, 17))
    assert table(landing, "counts").filter(patient_id="P1")["tlc_cells_per_ul"].min() == 140


def test_files_of_one_night_are_taken_in_the_order_they_came(landing: Path):
    late = write_table(landing, "counts/a.csv", count("P1", "2024-01-29", 140), header=COUNTS_HEADER)
    os.utime(late, ns=(late.stat().st_mtime_ns + 10**9,) * 2)
    load(landing)
    assert table(landing, "counts").filter(patient_id="P1")["tlc_cells_per_ul"].min() == 140


def test_a_count_of_an_unknown_patient_waits_until_the_patient_comes(landing: Path):
    write_table(landing, "counts/new.csv", count("P9", "2024-03-01", 900), header=COUNTS_HEADER)
    first = load(landing)
    assert findings(first, "counts/new.csv") == [(2, "counts_patient_is_known")]
    write_table(landing, "patients/new.csv", patient("P9"), header=PATIENTS_HEADER)
    second = load(landing, date(2026, 1, 16))
    assert account(second, "counts/new.csv") == (1, 1, 0, 0)
    assert second.quarantine.is_empty()


def test_a_finding_keeps_the_night_that_made_it(landing: Path):
    write_table(landing, "counts/new.csv", count("P9", "2024-03-01", 900), header=COUNTS_HEADER)
    load(landing)
    again = load(landing, date(2026, 1, 16))
    assert again.quarantine["first_night"].to_list() == [DAY]


@pytest.mark.parametrize(
    ("row", "rule"),
    [
        (count("P1", "2024-01-10", 500, unit="mg/dL"), "unit_is_known"),
        (count("P1", "2024-01-10", "n/a"), "value_is_a_number"),
        (count("P1", "2024-02-30", 500), "value_is_a_date_time"),
        (count("P1", "2024-01-10", 500, code="718-7"), "result_is_a_lymphocyte_count"),
        (count("P9", "2024-01-10", 500), "counts_patient_is_known"),
        ("a,P1,2024-01-10,731-0,500", "row_has_every_field"),
        (count("", "2024-01-10", 500), "counts_patient_id_is_given"),
    ],
)
def test_a_bad_row_is_quarantined_and_its_neighbours_load(landing: Path, row: str, rule: str):
    write_table(landing, "counts/x.csv", row, count("P1", "2024-01-11", 480), header=COUNTS_HEADER)
    loaded = load(landing)
    assert account(loaded, "counts/x.csv") == (2, 1, 0, 1)
    assert (2, rule) in findings(loaded, "counts/x.csv")


@pytest.mark.parametrize(
    ("content", "rule"),
    [
        (b"", "file_is_not_empty"),
        (
            b"site,patient_id,collected_at,code,result,unit\na,P1,2024-01-10,731-0,500,/uL\n",
            "file_has_every_column",
        ),
        (COUNTS_HEADER.encode() + b"\na,P\xe9,2024-01-10,731-0,500,/uL\n", "file_is_utf_8"),
        (COUNTS_HEADER.encode("utf-16") + b"\n\0", "file_is_utf_8"),
        (COUNTS_HEADER.encode() + b'\na,P1,"2024-01-10,731-0,500,/uL\n', "file_is_csv"),
    ],
)
def test_a_bad_file_is_quarantined_whole_and_the_others_load(landing: Path, content: bytes, rule: str):
    (landing / "counts/x.csv").write_bytes(content)
    loaded = load(landing)
    assert findings(loaded, "counts/x.csv") == [(None, rule)]
    assert account(loaded, "counts/c.csv") == (6, 6, 0, 0)


def test_what_is_no_file_of_ours_is_told_and_not_read(landing: Path):
    (landing / "counts/folder.csv").mkdir()
    (landing / "counts/notes.txt").write_text("hello")
    (landing / "stray").mkdir()
    loaded = load(landing)
    assert dict(loaded.quarantine.select("file", "rule").rows()) == {
        "counts/folder.csv": "entry_is_a_file_of_its_source",
        "counts/notes.txt": "entry_is_a_file_of_its_source",
        "stray": "landing_holds_only_known_folders",
    }


def test_a_directory_that_is_gone_leaves_the_quarantine(landing: Path):
    (landing / "counts/folder.csv").mkdir()
    load(landing)
    (landing / "counts/folder.csv").rmdir()
    assert load(landing, date(2026, 1, 16)).quarantine.is_empty()


def test_a_mended_file_leaves_the_quarantine_and_its_findings_stay_in_the_history(landing: Path):
    write_table(landing, "counts/x.csv", count("P1", "2024-01-10", "many"), header=COUNTS_HEADER)
    load(landing)
    write_table(landing, "counts/x.csv", count("P1", "2024-01-10", 640), header=COUNTS_HEADER)
    mended = load(landing, date(2026, 1, 16))
    assert mended.quarantine.is_empty()
    history = table(landing, "quarantine_history").select("file", "line", "rule", "replaced_night")
    assert history.rows() == [("counts/x.csv", 2, "value_is_a_number", date(2026, 1, 16))]


def test_a_link_to_nowhere_is_told_and_the_others_load(landing: Path):
    (landing / "counts/dangling.csv").symlink_to(landing / "nowhere.csv")
    loaded = load(landing)
    assert findings(loaded, "counts/dangling.csv") == [(None, "entry_is_a_file_of_its_source")]
    assert account(loaded, "counts/c.csv") == (6, 6, 0, 0)


@pytest.mark.parametrize("note", ["", "[]", "{}", '{"origin"'])
def test_a_note_of_origin_that_says_nothing_is_bad_usage(landing: Path, note: str):
    (landing / "origin.json").write_text(note)
    with pytest.raises(UsageError, match="Mend or remove it"):
        load(landing)


def test_two_rows_of_a_file_that_contradict_each_other_are_both_held(landing: Path):
    rows = (count("P1", "2024-01-10", 500), count("P1", "2024-01-10", 700))
    write_table(landing, "counts/x.csv", *rows, header=COUNTS_HEADER)
    loaded = load(landing)
    assert findings(loaded, "counts/x.csv") == [(2, "rows_of_one_key_agree"), (3, "rows_of_one_key_agree")]


def test_a_death_before_radiotherapy_is_quarantined(landing: Path):
    write_table(landing, "follow_up/x.csv", "a,P3,2023-01-01,2023-01-01,", header=FOLLOW_UP_HEADER)
    loaded = load(landing)
    assert account(loaded, "follow_up/x.csv") == (1, 0, 0, 1)


def test_every_finding_says_what_was_found_expected_and_to_be_done(landing: Path):
    write_table(landing, "counts/x.csv", "a,P1,2024-13-01,731-0,SECRET,mg", header=COUNTS_HEADER)
    quarantine = load(landing).quarantine
    assert quarantine.select("found", "expected", "remedy").null_count().sum_horizontal().item() == 0
    assert "SECRET" not in quarantine.write_csv()


def test_a_landing_folder_that_is_not_there_is_bad_usage(tmp_path: Path):
    with pytest.raises(UsageError, match="expected a landing folder, found nothing"):
        load_landing(night_of(tmp_path / "nowhere"))


def test_counts_on_several_days_after_death_leave_the_patient_out_and_say_why(landing: Path):
    late = (count("P2", "2024-09-10", 900), count("P2", "2024-09-17", 950))
    write_table(landing, "counts/late.csv", *late, header=COUNTS_HEADER)
    night = night_of(landing)
    derived = derive(night, load_landing(night))
    assert derived.cohort["patient_id"].to_list() == ["P1", "P3"]
    assert derived.left_out["rule"].to_list() == ["counts_end_with_the_patients_life"]


def test_a_patient_whose_dates_contradict_each_other_is_left_out_and_told(landing: Path):
    load(landing)
    late = patient("P3", rt_start="2025-12-01", rt_end="2025-12-20")
    write_table(landing, "patients/moved.csv", late, header=PATIENTS_HEADER)
    night = night_of(landing, date(2026, 1, 16))
    derived = derive(night, load_landing(night))
    assert derived.cohort["patient_id"].to_list() == ["P1", "P2"]
    told = derived.left_out.select("source", "file", "line", "rule").rows()
    assert ("cohort", "patients/moved.csv", 2, "os_is_between_0_and_600_months") in told


def test_a_whole_feed_of_other_tests_is_counted_whole_and_told_up_to_ten_thousand_lines(landing: Path):
    rows = [count("P1", "2024-01-10", 12, unit="g/dL", code="718-7")] * 10_050
    write_table(landing, "counts/feed.csv", *rows, count("P1", "2024-01-11", 700), header=COUNTS_HEADER)
    loaded = load(landing)
    assert account(loaded, "counts/feed.csv") == (10_051, 1, 0, 10_050)
    assert len(findings(loaded, "counts/feed.csv")) == 10_000
    again = load(landing, date(2026, 1, 16))
    assert account(again, "counts/feed.csv") == (10_051, 0, 51, 10_000)
