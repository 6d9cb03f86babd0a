"""The books of a night: each row of a file is loaded, unchanged or in quarantine, or the night fails."""

from datetime import date
from pathlib import Path

import polars as pl
import pytest

from flows.accounts import Book, Fresh
from flows.count_files import CountsPart
from flows.landed import Landed, LandedFile
from flows.load_counts import CountsBook
from tests.flows.landing_builder import (
    FOLLOW_UP_HEADER,
    PATIENTS_HEADER,
    patient,
    write_good_landing,
    write_table,
)
from tests.flows.test_load import account, load
from transforms.counts.results import ANOTHER_TEST, tidy_results
from transforms.errors import NadirError
from transforms.findings import Finding, findings_frame
from transforms.schemas import LABORATORY_RESULTS

LATER = date(2026, 1, 16)


@pytest.fixture
def landing(tmp_path: Path) -> Path:
    return write_good_landing(tmp_path / "landing")


@pytest.fixture
def landed(landing: Path) -> Landed:
    return LandedFile("counts", landing / "counts/c.csv").read()


@pytest.mark.parametrize(("loaded", "unchanged", "quarantined"), [(1, 0, 0), (1, 1, 1)])
def test_a_row_that_is_lost_or_entered_twice_is_our_bug(landed, loaded, unchanged, quarantined):
    book = Book(landed, rows_in=2, loaded=loaded, unchanged=unchanged, quarantined=quarantined)
    with pytest.raises(NadirError, match="2 rows went in"):
        book.close()


def test_a_note_is_said_once_and_a_file_without_notes_has_none(landed):
    assert Book(landed, notes=["cut short", "old", "cut short"]).close().note == "cut short; old"
    assert Book(landed).close().note is None


def test_every_row_of_a_table_that_cannot_be_read_is_in_quarantine(landing):
    write_table(landing, "follow_up/bad.csv", "a,P1", "a,P2", header="site,patient_id")
    assert account(load(landing), "follow_up/bad.csv") == (2, 0, 0, 2)


def test_rows_that_a_former_night_settled_are_unchanged_when_the_others_come(landing):
    rows = ("a,P9,2025-06-01,,", "a,P3,2025-06-01,,", "a,P8,2025-06-01,,")
    write_table(landing, "follow_up/new.csv", *rows, header=FOLLOW_UP_HEADER)
    assert account(load(landing), "follow_up/new.csv") == (3, 1, 0, 2)
    write_table(landing, "patients/new.csv", patient("P9"), header=PATIENTS_HEADER)
    assert account(load(landing, LATER), "follow_up/new.csv") == (3, 1, 1, 1)


def test_other_tests_are_told_up_to_ten_thousand_lines_over_all_parts_of_a_file(landed):
    book = CountsBook(landed)
    nothing = tidy_results(pl.DataFrame(schema=LABORATORY_RESULTS))
    for first in (1, 6_001):
        other = [Finding(ANOTHER_TEST, "-", "-", "-", line=line) for line in range(first, first + 6_000)]
        part = CountsPart(Fresh(landed), nothing, n_rows=6_000)
        book.enter(part, findings=findings_frame(other), loaded=pl.Series("line", [], dtype=pl.Int64))
    assert len(book.quarantine(LATER)) == 10_000
    assert (book.close().quarantined, book.close().note) == (
        12_000,
        "of the results of other tests only the first 10,000 are told line by line",
    )
