"""REDCap projects in a night: three tables from one export, each line accounted for, nothing undone."""

from datetime import date
from pathlib import Path

import pytest

from flows.night import Loaded
from tests.flows.landing_builder import (
    COUNTS_HEADER,
    FOLLOW_UP_HEADER,
    PATIENTS_HEADER,
    write_table,
)
from tests.flows.test_load import account, findings, load, table
from transforms import redcap

FIXTURES = Path(__file__).parents[1] / "fixtures" / "redcap"
EXAMPLE = Path(redcap.__file__).parent / "example.mapping.toml"
FILE = EXPORT = "redcap/registry.csv"
MAPPING, DICTIONARY = "redcap/registry.mapping.toml", "redcap/registry.dictionary.csv"
NEXT_DAY, THIRD_DAY = date(2026, 1, 16), date(2026, 1, 17)
# A toxicity of a record whose patient is screened only, and not in the registry's table of patients.
WAITING = "5;baseline_arm_1;adverse_event;1;north" + ";" * 28 + "1;2024-03-20;1;2\n"

# What stands for record 2 from tumour to adverse event, without and with a toxicity years before RT.
NO_TOXICITY = "2;0,7;2;8;2;2024-03-11;;25;2;50;;1" + ";" * 8
TOXICITY_TOO_EARLY = "2;0,7;2;8;2;2024-03-11;;25;2;50;;1" + ";" * 5 + "1;2014-03-18;1;2"


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    """Make a landing folder with the registry alone, its mapping the example that is shipped."""
    landing = tmp_path / "landing"
    (landing / "redcap").mkdir(parents=True)
    for name in ("registry.csv", "registry.dictionary.csv"):
        (landing / "redcap" / name).write_bytes((FIXTURES / name).read_bytes())
    (landing / MAPPING).write_bytes(EXAMPLE.read_bytes())
    return landing


def change(landing: Path, name: str, before: str, after: str) -> None:
    text = (landing / name).read_text("utf-8-sig")
    assert text.count(before) == 1
    (landing / name).write_text(text.replace(before, after), "utf-8")


def append(landing: Path, name: str, text: str) -> None:
    with (landing / name).open("a", encoding="utf-8") as file:
        file.write(text)


def told(loaded: Loaded) -> list[tuple[int | None, str, str]]:
    return loaded.quarantine.sort("line", "column").select("line", "column", "rule").rows()


def note(loaded: Loaded) -> str:
    (one,) = [one for one in loaded.accounts if one.file == FILE]
    return one.note or ""


def patient_of_csv(patient_id: str, age: int) -> str:
    return f"North Hospital,{patient_id},male,{age}" + "," * 12 + ",2024-03-04,2024-04-12" + "," * 4


def test_the_registry_lands_in_three_tables(landing: Path):
    load(landing)
    assert table(landing, "patients").sort("line")["patient_id"].to_list() == [
        "N-001",
        "S-001",
        "N-002",
        "S-003",
    ]
    assert table(landing, "follow_up").sort("line").select("patient_id", "progression_date").rows() == [
        ("N-001", date(2024, 8, 30)),
        ("N-002", None),
    ]
    assert table(landing, "toxicities").sort("line").select("line", "term", "ctcae_grade").rows() == [
        (6, "Fatigue", 2),
        (7, "Nausea", 1),
    ]


def test_every_line_is_accounted_for_and_those_without_a_row_are_told(landing: Path):
    loaded = load(landing)
    assert account(loaded, FILE) == (14, 8, 3, 3)
    assert "3 of 14 lines have no row of their own" in note(loaded)


def test_a_record_at_odds_is_quarantined_and_its_neighbours_load(landing: Path):
    loaded = load(landing)
    assert told(loaded) == [
        (9, "follow_up.death_date", "record_has_one_value"),
        (12, "toxicities.ctcae_grade", "choice_is_known"),
        (12, "toxicities.onset_date", "value_is_a_date"),
        (14, "patients.age_years", "value_is_a_number"),
        (14, "patients.sex", "choice_is_a_code"),
        (14, "patients.tumor_size_cm", "number_has_the_decimal_mark"),
    ]
    assert table(landing, "follow_up").height == 2


def test_the_same_project_again_changes_nothing(landing: Path):
    load(landing)
    again = load(landing, NEXT_DAY)
    assert not again.has_changed
    assert account(again, FILE) == (14, 0, 11, 3)


def test_a_corrected_mapping_corrects_and_the_former_row_is_kept(landing: Path):
    load(landing)
    change(landing, MAPPING, "scale = 0.1", "scale = 0.2")
    assert account(load(landing, NEXT_DAY), FILE) == (14, 4, 7, 3)
    sizes = table(landing, "patients").sort("line")["tumor_size_cm"]
    assert sizes.to_list() == [11.5, 0.14, 6.2, 20.46]
    history = table(landing, "patients_history").sort("line").select("tumor_size_cm", "replaced_night")
    assert history.row(0) == (5.75, NEXT_DAY)


def test_a_corrected_dictionary_lets_a_refused_record_load(landing: Path):
    load(landing)
    change(landing, DICTIONARY, "number_1dp_comma_decimal", "number_1dp")
    change(landing, EXPORT, "Male;sixty", "1;60")
    assert "patients.tumor_size_cm" in load(landing, NEXT_DAY).quarantine["column"].to_list()
    assert "S-002" in table(landing, "patients")["patient_id"]


@pytest.mark.parametrize(
    ("gone", "found"),
    [
        ((DICTIONARY,), "a file without a data dictionary"),
        ((MAPPING,), "a file without a mapping file"),
        ((DICTIONARY, MAPPING), "a file without a data dictionary and a mapping file"),
    ],
)
def test_a_project_without_its_companions_waits_and_says_so(landing: Path, gone: tuple[str, ...], found: str):
    held = {name: (landing / name).read_bytes() for name in gone}
    for name in gone:
        (landing / name).unlink()
    waiting = load(landing).quarantine
    assert waiting.select("file", "rule", "found").rows() == [(FILE, "file_has_its_companions", found)]
    for name, content in held.items():
        (landing / name).write_bytes(content)
    assert account(load(landing, NEXT_DAY), FILE) == (14, 8, 3, 3)


def test_a_mapping_with_two_mistakes_shows_both_and_the_other_files_load(landing: Path):
    change(landing, MAPPING, 'age_years = "age"', 'age_years = "agee"')
    change(landing, MAPPING, 'death_date = "death_date"', 'death_date = "died"')
    write_table(landing, "patients/p.csv", patient_of_csv("P1", 61), header=PATIENTS_HEADER)
    refused = load(landing)
    assert [(line, column) for line, column, _ in told(refused)] == [
        (None, "follow_up.death_date"),
        (None, "patients.age_years"),
    ]
    assert account(refused, FILE) == (14, 0, 0, 14)
    assert table(landing, "patients")["patient_id"].to_list() == ["P1"]


def test_two_mistakes_at_one_place_of_the_mapping_are_both_shown(landing: Path):
    change(landing, MAPPING, "age_years =", "age_year =")
    change(landing, MAPPING, "afp_ng_ml =", "afp =")
    (found,) = load(landing).quarantine["found"]
    assert "the key age_year," in found
    assert "the key afp," in found


def test_a_mended_mapping_loads_what_was_refused(landing: Path):
    change(landing, MAPPING, "age_years =", "age_year =")
    load(landing)
    change(landing, MAPPING, "age_year =", "age_years =")
    mended = load(landing, NEXT_DAY)
    assert account(mended, FILE) == (14, 8, 3, 3)
    assert mended.quarantine["line"].null_count() == 0


def test_counts_of_a_patient_of_redcap_load_in_the_same_night(landing: Path):
    row = "North Hospital,N-001,2024-03-01,731-0,1100,cells/uL"
    write_table(landing, "counts/c.csv", row, header=COUNTS_HEADER)
    assert account(load(landing), "counts/c.csv") == (1, 1, 0, 0)


def test_a_row_of_an_unknown_patient_waits_until_the_patient_comes(landing: Path):
    append(landing, EXPORT, WAITING)
    first = load(landing)
    assert (17, "toxicities.patient_id", "toxicities_patient_is_known") in told(first)
    write_table(landing, "patients/p.csv", patient_of_csv("N-003", 66), header=PATIENTS_HEADER)
    second = load(landing, NEXT_DAY)
    assert account(second, FILE) == (15, 1, 11, 3)
    assert findings(first, FILE)[:-1] == findings(second, FILE)
    assert table(landing, "toxicities").height == 3


def test_a_line_that_is_tried_again_does_not_undo_what_has_corrected_its_other_rows(landing: Path):
    change(landing, MAPPING, 'repeat_instrument = "adverse_event"', "")
    change(landing, EXPORT, NO_TOXICITY, TOXICITY_TOO_EARLY)
    assert (8, "toxicities.onset_date") in [(line, column) for line, column, _ in told(load(landing))]
    row = patient_of_csv("S-001", 44).replace("North", "South")
    write_table(landing, "patients/p.csv", row, header=PATIENTS_HEADER)
    load(landing, NEXT_DAY)
    load(landing, THIRD_DAY)
    assert table(landing, "patients").filter(patient_id="S-001")["age_years"].to_list() == [44]


def test_a_follow_up_as_csv_corrects_that_of_redcap(landing: Path):
    row = "North Hospital,N-001,2025-01-31,,2024-08-30"
    write_table(landing, "follow_up/f.csv", row, header=FOLLOW_UP_HEADER)
    load(landing)
    of_n1 = table(landing, "follow_up").filter(patient_id="N-001")
    assert of_n1["last_contact_date"].to_list() == [date(2025, 1, 31)]
    assert not load(landing, NEXT_DAY).has_changed


def test_two_projects_of_one_night_load_one_after_the_other(landing: Path):
    for name in (EXPORT, DICTIONARY, MAPPING):
        (landing / name.replace("registry", "second")).write_bytes((landing / name).read_bytes())
    change(landing, "redcap/second.csv", "N-001;Ånglund;1;61", "N-009;Ånglund;1;62")
    loaded = load(landing)
    assert account(loaded, "redcap/second.csv") == (14, 4, 7, 3)
    assert table(landing, "patients").height == 5


def test_an_export_that_cannot_be_read_is_refused_whole(landing: Path):
    (landing / EXPORT).write_bytes(b"")
    loaded = load(landing)
    assert findings(loaded, FILE) == [(None, "file_is_not_empty")]
    assert account(loaded, FILE) == (0, 0, 0, 0)


def test_no_row_is_lost_where_a_line_is_cut_short(landing: Path):
    append(landing, EXPORT, "7;baseline_arm_1\n")
    loaded = load(landing)
    assert account(loaded, FILE) == (15, 8, 3, 4)
    assert findings(loaded, FILE)[-1] == (17, "row_has_every_field")
    assert table(landing, "loads")["rows_in"].to_list() == [15]
