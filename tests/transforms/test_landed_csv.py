"""A landed CSV file: what is read, what is refused whole, what is rejected by line; nothing is lost."""

import codecs
from datetime import UTC, date, datetime, timedelta

import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.tables import draw
from transforms.findings import FINDING_SCHEMA, UnreadableFileError
from transforms.landed_csv import ParsedFile, count_records, parse_landed_csv
from transforms.schemas import COUNTS, FOLLOW_UP, LANDED_TABLES, Column, Table

HEADER = "site,patient_id,last_contact_date,death_date,progression_date\n"
ROW = "A,1,2024-05-01,,2024-03-02\n"
few = settings(max_examples=60, deadline=None)
many = settings(max_examples=400, deadline=None)


def follow_up(*lines: str) -> ParsedFile:
    return parse_landed_csv((HEADER + "".join(lines)).encode(), FOLLOW_UP)


def rejected(parsed: ParsedFile) -> list[tuple[object, ...]]:
    return parsed.rejected.select("line", "column", "rule").rows()


# What is read


def test_a_file_as_hospitals_send_them_becomes_typed_rows_with_their_lines():
    file = (
        b"\xef\xbb\xbfunit,value,note,code,collected_at,patient_id,site\r\n"
        b'"10*3/uL",1.25,"seen, twice\r\nby the ward",731-0,2024-03-04T08:30:00+09:00,P-1,A\r\n'
        b"\r\n"
        b"cells/uL, 570 ,,26474-7,2024-03-05,P-2,\xc3\x85rhus\r\n"
        b'"","","","","",P-3,"the ""old"" ward"\r\n'
    )
    parsed = parse_landed_csv(file, COUNTS)
    expected = draw(
        {**COUNTS.polars_schema, "line": pl.Int64()},
        """
        site           | patient_id | collected_at     | code    | value | unit     | line | collected_on
        ---------------+------------+------------------+---------+-------+----------+------+-------------
        A              | P-1        | 2024-03-03 23:30 | 731-0   | 1.25  | 10*3/uL  | 2    | 2024-03-04
        Århus          | P-2        | 2024-03-05 00:00 | 26474-7 | 570   | cells/uL | 5    | 2024-03-05
        the "old" ward | P-3        |                  |         |       |          | 6    |
        """,
    )
    assert parsed.rows.equals(expected)
    assert parsed.rows.schema == expected.schema
    assert (parsed.rows_in, len(parsed.rejected)) == (3, 0)


@pytest.mark.parametrize(
    "spelling",
    [
        HEADER + ROW,
        (HEADER + ROW).replace("\n", "\r\n"),
        (HEADER + ROW).replace("\n", "\r"),
        "\ufeff" + HEADER + ROW,
        "\ufeff\n" + HEADER + ROW,
        (HEADER + ROW).removesuffix("\n"),
        "\n \n" + HEADER + "\n\t\n" + ROW + "\n\n",
        HEADER.replace(",", " , ") + ROW.replace(",", " ,\t"),
        HEADER.replace("site", '"site"') + '"A","1","2024-05-01","","2024-03-02"\n',
        "progression_date,death_date,last_contact_date,patient_id,site\n2024-03-02,,2024-05-01,1,A\n",
        "ward," + HEADER + "3," + ROW,
        "ward,ward," + HEADER + "3,4," + ROW,
        '"ward\n\n",' + HEADER + '"3""\r\n"",",' + ROW,
    ],
)
def test_spellings_of_one_content_give_the_same_rows(spelling):
    parsed = parse_landed_csv(spelling.encode(), FOLLOW_UP)
    assert parsed.rows.drop("line").rows() == [("A", "1", date(2024, 5, 1), None, date(2024, 3, 2))]
    assert (parsed.rows_in, count_records(spelling.encode()), len(parsed.rejected)) == (1, 1, 0)


@pytest.mark.parametrize("table", LANDED_TABLES, ids=lambda table: table.name)
def test_a_file_of_a_header_alone_has_no_rows_and_every_column(table):
    parsed = parse_landed_csv(",".join(column.name for column in table.landed_columns).encode(), table)
    days = {"collected_on": pl.Date()} if table is COUNTS else {}
    assert parsed.rows.schema == {c.name: c.dtype for c in table.landed_columns} | {"line": pl.Int64()} | days
    assert (parsed.rows_in, len(parsed.rows), parsed.rejected.schema) == (0, 0, FINDING_SCHEMA)


def test_lines_are_counted_through_blank_lines_and_line_ends_in_quotes():
    parsed = follow_up("\n", 'A,"1\n2\r\n3",2024-05-01,,\n', '\n\n"A\n",bad\n', "A,4,soon,,\n")
    assert parsed.rows.select("patient_id", "line").rows() == [("1\n2\r\n3", 3)]
    assert [line for line, *_ in rejected(parsed)] == [8, 10]


# What is said without rejecting anything


def test_columns_that_are_not_read_are_noted_without_their_names():
    parsed = parse_landed_csv(("secret_of_p1,ward," + HEADER + "x,y," + ROW).encode(), FOLLOW_UP)
    assert parsed.notes == ("2 columns of the file are not read: only the 5 of follow_up are",)


def test_a_last_line_without_an_end_is_read_and_noted():
    assert follow_up(ROW).notes == ()
    parsed = follow_up(ROW, ROW.strip())
    assert len(parsed.rows) == 2
    assert "no line end" in parsed.notes[0]


# What is refused whole


@pytest.mark.parametrize(
    ("file", "rule", "found"),
    [
        (b"", "file_is_not_empty", "the file is empty"),
        (codecs.BOM_UTF8, "file_is_not_empty", "the file is empty"),
        (b" \r\n\t\n", "file_is_not_empty", "the file is empty"),
        ((HEADER + ROW).encode("utf-16"), "file_is_utf_8", "bytes on line 1 that are not UTF-8"),
        ((HEADER + ROW).encode("utf-16-le"), "file_is_utf_8", "bytes on line 1 that are not UTF-8"),
        ((HEADER + ROW + "Zürich,2,,,\n").encode("latin-1"), "file_is_utf_8", "bytes on line 3 that"),
        (codecs.BOM_UTF8 + b"\n\r\n\r\xff\n", "file_is_utf_8", "bytes on line 4 that"),
        ((HEADER + ROW + "A,\0\0\0\0").encode(), "file_is_utf_8", "bytes on line 3 that"),
        ((HEADER + '"A,1,2024-05-01,,\n').encode(), "file_is_csv", "from line 2 on"),
        ((HEADER + ROW + 'A,"1"2,2024-05-01,,\n').encode(), "file_is_csv", "from line 3 on"),
        ((HEADER + "A," + "1" * 200_000 + ",,,\n").encode(), "file_is_csv", "from line 2 on"),
        (ROW.encode(), "file_has_every_column", "no column site, patient_id, last_contact_date"),
        (b'""\n', "file_has_every_column", "no column site"),
        (HEADER.replace("site,", "").encode(), "file_has_every_column", "no column site"),
        (HEADER.replace("site", "Site").encode(), "file_has_every_column", "no column site; column 1 of"),
        (HEADER.replace(",", ";").encode(), "file_has_every_column", "a header separated by semicolons"),
        (HEADER.replace(",", "\t").encode(), "file_has_every_column", "no column site, patient_id"),
        (("site," + HEADER).encode(), "file_has_every_column", "the column site stands more than once"),
    ],
)
def test_a_file_in_which_no_record_can_be_trusted_is_refused_with_its_reason(file, rule, found):
    with pytest.raises(UnreadableFileError) as raised:
        parse_landed_csv(file, FOLLOW_UP)
    finding = raised.value.finding
    assert (finding.rule, found in finding.found) == (rule, True), finding.found
    assert finding.expected in str(raised.value)
    assert finding.remedy in str(raised.value)
    assert raised.value.refusal.line is None


def test_a_refused_header_names_the_columns_that_are_expected_and_none_that_was_found():
    with pytest.raises(UnreadableFileError) as raised:
        parse_landed_csv(HEADER.replace("death_date", "Miller").encode(), FOLLOW_UP)
    assert "site, patient_id, last_contact_date, death_date, progression_date" in str(raised.value)
    assert "Miller" not in str(raised.value)


# What is rejected by line


@pytest.mark.parametrize(
    "line", ["A\n", "A,2\n", "A,2,2024-05-01,\n", "A,2,2024-05-01,,,\n", "\x0c\n", "\xa0\n"]
)
def test_a_row_with_too_few_or_too_many_fields_is_rejected_and_the_others_are_read(line):
    parsed = follow_up(ROW, line, ROW)
    assert rejected(parsed) == [(3, None, "row_has_every_field")]
    assert parsed.rows["line"].to_list() == [2, 4]


def test_every_broken_cell_of_a_row_is_named_and_the_row_is_not_read():
    parsed = follow_up(ROW, "A,2,2024-02-30,no,2024-01-01\n")
    assert rejected(parsed) == [
        (3, "last_contact_date", "value_is_a_date"),
        (3, "death_date", "value_is_a_date"),
    ]
    assert parsed.rows["line"].to_list() == [2]
    assert parsed.rejected.row(0, named=True) == {
        "line": 3,
        "column": "last_contact_date",
        "rule": "value_is_a_date",
        "found": "no such date",
        "expected": "an ISO date, YYYY-MM-DD",
        "remedy": "Correct the cell and send the file again",
    }


# What a cell may hold

MOMENT = pl.Datetime("us")
SPELLINGS = [
    (pl.Float64(), ["1.5", "+1.5", "1.50", "01.5", "15e-1", "0.15E+1", " 1.5 ", "\u00a01.5"], 1.5),
    (pl.Float64(), ["0", "-0", ".0", "0.", "1e-400"], 0.0),
    (pl.Int64(), ["25", "25.0", "25.", "+25", "025", "25.000"], 25),
    (pl.Int64(), ["-9223372036854775808"], -(2**63)),
    (pl.Date(), ["2024-02-29"], date(2024, 2, 29)),
    (MOMENT, ["2024-05-01", "2024-05-01T00:00", "2024-05-01 00:00:00"], datetime(2024, 5, 1)),
    (
        MOMENT,
        [
            "2024-05-01T08:30",
            "2024-05-01 08:30",
            "2024-05-01T08:30Z",
            "2024-05-01T08:30:00.000Z",
            "2024-05-01T08:30:00.0000009Z",
            "2024-05-01T08:30-00:00",
            "2024-05-01T17:30+09:00",
            "2024-05-01 17:30:00+0900",
            "2024-04-30T22:30-1000",
        ],
        datetime(2024, 5, 1, 8, 30),
    ),
    (MOMENT, ["2024-05-01T08:30:15.25"], datetime(2024, 5, 1, 8, 30, 15, 250_000)),
]
NUMBERS = [
    "1 000", "12,5", "NaN", "inf", "-Infinity", "1e400", "1_000", "0x1F", "<200", "12a", "1e", "--1",
    ".", "٣",
]  # fmt: skip
WHOLE_NUMBERS = [
    "25.5", "25.01", "1e3", "NaN", "two", "9223372036854775808", "٣",
]  # fmt: skip
DATES = [
    "2024-02-30", "2023-02-29", "2024-13-01", "2024-00-10", "0000-01-01", "24-02-01", "2024-2-1",
    "20240201", "01/02/2024", "1.2.2024", "2024-02-01T00:00", "2024-W05-4", "٢٠٢٤-٠٢-٠١",
]  # fmt: skip
MOMENTS = [
    "2024-02-30T08:00", "2024-05-01T24:00", "2024-05-01T08:60", "2024-05-01T08", "2024-05-01T8:30:00",
    "2024-5-1", "08:30", "2024-05-01Z", "2024-05-01T08:30+25:00", "2024-05-01T08:30+09", "1714552200",
    "0000-05-01", "9999-12-31T23:00-02:00", "0001-01-01T00:00+01:00", "2024-05-01T08:30 CET",
    "01/02/2024 08:30",
]  # fmt: skip


def parse_cell(text: str, dtype: pl.DataType) -> ParsedFile:
    table = Table("cells", ("row",), (Column("row", pl.String(), ""), Column("cell", dtype, "")))
    return parse_landed_csv(f'row,cell\n1,"{text}"\n'.encode(), table)


@pytest.mark.parametrize(
    ("dtype", "text", "value"), [(dtype, text, value) for dtype, texts, value in SPELLINGS for text in texts]
)
def test_these_spellings_are_read(dtype, text, value):
    parsed = parse_cell(text, dtype)
    assert parsed.rows["cell"].to_list() == [value]
    assert parsed.rows.schema["cell"] == dtype


@pytest.mark.parametrize(
    ("dtype", "text"),
    [(pl.Float64(), text) for text in NUMBERS]
    + [(pl.Int64(), text) for text in WHOLE_NUMBERS]
    + [(pl.Date(), text) for text in DATES]
    + [(MOMENT, text) for text in MOMENTS],
)
def test_these_are_rejected_and_never_read_as_something_else(dtype, text):
    parsed = parse_cell(text, dtype)
    assert parsed.rows.is_empty()
    assert parsed.rejected.select("line", "column").rows() == [(2, "cell")]


@few
@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_comes_back_to_the_last_digit(number):
    assert parse_cell(repr(number), pl.Float64()).rows["cell"].to_list() == [number]


@few
@given(
    st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(tzinfo=UTC)),
    st.timedeltas(timedelta(hours=-14), timedelta(hours=14)).map(lambda by: by // timedelta(minutes=1)),
)
def test_a_date_time_with_an_offset_is_the_same_moment_in_utc(at, minutes):
    sign, (hours, rest) = "-" if minutes < 0 else "+", divmod(abs(minutes), 60)
    local = (at + timedelta(minutes=minutes)).replace(tzinfo=None).isoformat()
    parsed = parse_cell(f"{local}{sign}{hours:02d}:{rest:02d}", MOMENT)
    assert parsed.rows["cell"].to_list() == [at.replace(tzinfo=None)]


@few
@given(st.text(st.characters(exclude_categories=["Cs", "Cc"])).filter(lambda text: text.strip() == text))
def test_a_text_comes_back_as_it_was(text):
    parsed = parse_cell(text.replace('"', '""'), pl.String())
    assert parsed.rows["cell"].to_list() == [text or None]


# Laws

FRAGMENTS = [
    '"',
    '""',
    ",",
    "\n",
    "\r",
    "\r\n",
    " ",
    "\t",
    "A",
    "1",
    "2024-05-01",
    "é",
    "\xa0",
    "\x85",
    "\x0b",
    "\u2028",
]
BODIES = st.lists(st.sampled_from(FRAGMENTS), max_size=30).map("".join) | st.lists(
    st.lists(st.sampled_from(["", "A", "1", "2024-05-01", "soon", '"x\ny"', 'x"']), min_size=4, max_size=6)
).map(lambda rows: "\n".join(map(",".join, rows)))
FILES = st.builds(
    lambda start, header, body: (start + header + body).encode(),
    st.sampled_from(["", "\ufeff", "\ufeff\n", ' \r\n""\r\n']),
    st.sampled_from([HEADER, HEADER.replace("\n", "\r"), HEADER.replace("\n", ',"a\nb"\r\n'), ""]),
    BODIES,
)


@many
@given(st.binary() | st.binary().map(lambda tail: (HEADER + ROW).encode() + tail) | FILES)
@example((HEADER + '5" x,1,,,\nA,2,,,\n').encode())
@example((HEADER + "\x1c\n\xa0\n" + ROW).encode())
def test_any_bytes_give_rows_or_a_refusal_and_every_record_is_accounted_for(data):
    try:
        parsed = parse_landed_csv(data, FOLLOW_UP)
    except UnreadableFileError:
        return
    lines = parsed.rows["line"].to_list() + parsed.rejected["line"].unique().to_list()
    assert len(lines) == len(set(lines)) == parsed.rows_in == count_records(data)
    assert (
        parsed.rejected.select("rule", "found", "expected", "remedy").null_count().sum_horizontal().item()
        == 0
    )


WHOLE = HEADER + ROW + '"Å",2,2024-05-01,2024-05-01,\r\n' + '"B ""C""","3\n4",2023-11-30,,2023-10-01\n'


@pytest.mark.parametrize("n_bytes", range(len(WHOLE.encode()) + 1))
def test_a_file_cut_short_anywhere_gives_no_wrong_row_without_a_note(n_bytes):
    data = WHOLE.encode()[:n_bytes]
    whole = parse_landed_csv(WHOLE.encode(), FOLLOW_UP).rows
    try:
        parsed = parse_landed_csv(data, FOLLOW_UP)
    except UnreadableFileError:
        return
    assert len(parsed.rows) + parsed.rejected["line"].n_unique() == parsed.rows_in == count_records(data)
    is_as_it_was = parsed.rows.join(whole, on=whole.columns, how="semi", nulls_equal=True).equals(parsed.rows)
    assert is_as_it_was or any("cut short" in note for note in parsed.notes)


SECRETS = st.text("QXZ0123456789.-", min_size=8).map(lambda text: f"Q{text}")


@many
@given(SECRETS, st.integers(0, 7), st.sampled_from(["", '"', "\n", ",", ";", "\xff", "\0"]))
def test_no_message_ever_shows_a_cell(secret, place, after):
    cells = ["A", "1", "2024-05-01", "", "2024-03-02"]
    header = HEADER.strip().split(",")
    (header if place > 4 else cells)[place % 5] = secret + after
    data = (",".join(header) + "\n" + ROW + ",".join(cells) + "\n").encode("latin-1")
    try:
        parsed = parse_landed_csv(data, FOLLOW_UP)
        said = repr(parsed.rejected.to_dicts()) + repr(parsed.notes)
    except UnreadableFileError as error:
        said = f"{error} {error.finding} {error.__cause__}"
    assert secret not in said
