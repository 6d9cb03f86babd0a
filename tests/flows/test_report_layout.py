"""What a table of the report is: footnotes, optional columns, the study's number, CSV."""

import polars as pl

from flows.report.figure import ReportFigure
from flows.report.layout import Column, csv_of, lay_out

ROWS = pl.DataFrame(
    {
        "variable": ["Sex", "Male", "Change in IL-7, pg/mL"],
        "is_level": [False, True, False],
        "ratio": ["", "2.16 (1.33–3.51)", "\N{MINUS SIGN}0.66"],
        "q": ["", "–", ""],
        "note": ["", "nobody died", ""],
    }
)
COLUMNS = (
    Column("variable", "Variable", is_text=True),
    Column("ratio", "HR (95% CI)", "Univariate"),
    Column("q", "q", is_optional=True),
)


def test_an_optional_column_is_there_only_where_a_row_has_something_in_it():
    bare = lay_out("patients", ROWS, caption="Patients", columns=COLUMNS)
    full = lay_out("patients", ROWS.with_columns(q=pl.lit("0.01")), caption="Patients", columns=COLUMNS)
    assert [column.name for column in bare.columns] == ["variable", "ratio"]
    assert [column.name for column in full.columns] == ["variable", "ratio", "q"]


def test_a_table_and_a_figure_of_the_study_bear_its_number_and_their_files_too():
    table = lay_out("toxicities", ROWS, caption="Toxicities", columns=COLUMNS)
    assert (table.title, table.file) == ("Table S2. Toxicities", "table_s2_toxicities_by_asl_and_il7")
    figure = ReportFigure("os_by_asl", b"", alt="", caption="")
    assert (figure.number, figure.file) == ("Figure 1B", "figure_1b_os_by_asl")


def test_what_the_study_does_not_have_bears_no_number():
    table = lay_out("guard_ties", ROWS, caption="Ties", columns=COLUMNS)
    assert (table.title, table.file) == ("Ties", "guard_ties")
    figure = ReportFigure("nadirs", b"", alt="", caption="")
    assert (figure.number, figure.file) == ("", "lowest_counts_during_rt")


def test_csv_has_words_as_header_levels_with_their_heading_and_notes_in_full():
    table = lay_out("patients", ROWS, caption="Patients", columns=COLUMNS)
    assert csv_of(table).decode("utf-8-sig").splitlines() == [
        "Variable,Univariate: HR (95% CI),Note",
        "Sex,,",
        "Sex: Male,2.16 (1.33–3.51),nobody died",
        '"Change in IL-7, pg/mL",-0.66,',
    ]


def test_csv_tells_spreadsheets_its_encoding_and_every_row_whose_patients_they_are():
    written = csv_of(lay_out("patients", ROWS, caption="Patients", columns=COLUMNS), stamp="Invented")
    assert written.startswith(b"\xef\xbb\xbf")
    header, *lines = written.decode("utf-8-sig").splitlines()
    assert header.endswith(",Note,Data")
    assert all(line.endswith(",Invented") for line in lines)
