"""Ten thousand damaged plate files give a plate or a clear error: no crash, no hang, no silent loss."""

import random
import re
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime
from time import monotonic

import polars as pl
import pytest

from transforms.xponent.export import ExportCurve, ExportLevel, ExportPlate, ExportWell, write_xponent
from transforms.xponent.reader import UnreadablePlateError, XponentPlate, parse_xponent

N_MUTATIONS, N_IN_ONE_TEST = 10_000, 500
LONGEST_SECONDS = 5.0
CHECKSUM = b"-- CRC --"
PATIENT, OPERATOR = "Qwertz007", "simulated"


def small_plate() -> ExportPlate:
    """A background, five standards, a control and two samples; two analytes; every section."""
    samples = [
        "Background0",
        *(f"Standard{i}" for i in range(1, 6)),
        "Control1",
        PATIENT,
        f'{PATIENT} "2", diluted',
    ]
    results = [
        ("NaN", "NaN"),
        *((f"{3**i}.5", f"{2**i}.25") for i in range(6)),
        ("< 1.5", "7.5"),
        ("9", "> 32"),
    ]
    wells = tuple(
        ExportWell(
            f"{'ABCDEFGH'[i % 8]}{i // 8 + 1}",
            sample,
            (12.5 + 4**i, 11 + 3**i),
            (60 + i, 25 + i),
            dilution_factor=2.5 if sample == PATIENT else 1.0,
            results=results[i],
        )
        for i, sample in enumerate(samples)
    )
    return ExportPlate(
        batch="fuzz",
        lot="L-1",
        started_at=datetime(2024, 3, 5, 20, 45),
        analytes=("IL7", "TNF-α"),
        wells=wells,
        standards=tuple(ExportLevel(f"Standard{i}", (1.5 * 4**i, 2.25 * 3**i)) for i in range(1, 6)),
        controls=(ExportLevel("Control1", (12.5, 40.25), low=(8.5, 28.5), high=(16.5, 52.5)),),
        curves=(
            ExportCurve(0.5, 40000, 9000, -1.25, 1.5, 0.99),
            ExportCurve(1.5, 45000, 9000, -1.2, 1.1, 0.98),
        ),
    )


def as_saved_by_a_spreadsheet(data: bytes) -> bytes:
    lines = re.sub(r'"([^",]*)"', r"\1", data.decode()).split("\r\n")
    return b"\xef\xbb\xbf" + "\n".join(line + "," * 3 for line in lines).encode()


def as_printed_abroad(data: bytes) -> bytes:
    text = re.sub(r'(?<=")([<>]? ?-?\d+)\.(\d+)(?=")', r"\1,\2", data.decode())
    return text.replace('","', '";"').encode("cp1252", errors="replace")


WRITTEN = write_xponent(small_plate())
WITHOUT_CHECKSUM = WRITTEN[: WRITTEN.index(CHECKSUM)]
BASES = (
    WRITTEN,
    WITHOUT_CHECKSUM,
    as_saved_by_a_spreadsheet(WRITTEN),
    as_printed_abroad(WRITTEN),
    WRITTEN.decode().encode("utf-16"),
)

Mutation = Callable[[random.Random, bytes], bytes]


def flip_bits(rng: random.Random, data: bytes) -> bytes:
    damaged = bytearray(data)
    for _ in range(rng.choice((1, 1, 2, 8))):
        damaged[rng.randrange(len(damaged))] ^= 1 << rng.randrange(8)
    return bytes(damaged)


def change_bytes(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + rng.randbytes(rng.randrange(1, 9)) + data[start + rng.randrange(9) :]


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))] if rng.random() < 0.7 else data[rng.randrange(len(data)) :]


def lines_changed(change: Callable[[random.Random, list[bytes]], None]) -> Mutation:
    def mutate(rng: random.Random, data: bytes) -> bytes:
        lines = data.split(b"\n")
        change(rng, lines)
        return b"\n".join(lines)

    return mutate


def drop_lines(rng: random.Random, lines: list[bytes]) -> None:
    start = rng.randrange(len(lines))
    del lines[start : start + rng.choice((1, 1, 2, 5, 30))]


def repeat_lines(rng: random.Random, lines: list[bytes]) -> None:
    start = rng.randrange(len(lines))
    again = lines[start : start + rng.choice((1, 1, 3, 30))]
    lines[(place := rng.choice((start, rng.randrange(len(lines))))) : place] = again


def swap_lines(rng: random.Random, lines: list[bytes]) -> None:
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]


def join_lines(rng: random.Random, lines: list[bytes]) -> None:
    place = rng.randrange(max(len(lines) - 1, 1))
    lines[place : place + 2] = [b"".join(lines[place : place + 2])]


def empty_a_field(rng: random.Random, lines: list[bytes]) -> None:
    place = rng.randrange(len(lines))
    parts = lines[place].split(b",")
    parts[rng.randrange(len(parts))] = rng.choice((b"", b'""', b"NaN", b"\xc2\xa0"))
    lines[place] = b",".join(parts)


def drop_a_field(rng: random.Random, lines: list[bytes]) -> None:
    place = rng.randrange(len(lines))
    parts = lines[place].split(b",")
    del parts[rng.randrange(len(parts))]
    lines[place] = b",".join(parts)


def lose_quotes(rng: random.Random, lines: list[bytes]) -> None:
    for place in range(len(lines)) if rng.random() < 0.3 else [rng.randrange(len(lines))]:
        lines[place] = lines[place].replace(b'"', b"", rng.choice((1, 2, -1)))


def change_delimiters(rng: random.Random, lines: list[bytes]) -> None:
    old, new = rng.sample((b",", b";", b"\t", b'","', b'";"', b" "), 2)
    for place in range(len(lines)) if rng.random() < 0.3 else [rng.randrange(len(lines))]:
        lines[place] = lines[place].replace(old, new)


def swap_sections(rng: random.Random, data: bytes) -> bytes:
    parts = re.split(rb'(?="?DataType:)', data)
    first, second = rng.randrange(len(parts)), rng.randrange(len(parts))
    parts[first], parts[second] = parts[second], parts[first]
    return b"".join(parts)


def drop_or_repeat_a_section(rng: random.Random, data: bytes) -> bytes:
    parts = re.split(rb'(?="?DataType:)', data)
    place = rng.randrange(len(parts))
    parts[place : place + 1] = [parts[place]] * rng.choice((0, 2))
    return b"".join(parts)


def change_a_digit(rng: random.Random, data: bytes) -> bytes:
    places = [match.start() for match in re.finditer(rb"\d", data)] or [0]
    place = rng.choice(places)
    return (
        data[:place]
        + rng.choice((b"0", b"7", b"9", b"", b"33", b".", b",", b"-", b"e", b" "))
        + data[place + 1 :]
    )


def insert(rng: random.Random, data: bytes) -> bytes:
    tokens = (
        b",",
        b'"',
        b"\r\n",
        b"\r",
        b"\0",
        b"\xff",
        b"\xef\xbb\xbf",
        b'"DataType:","Median"\r\n',
        b"9e99",
        b"1e999",
    )
    marks = (
        CHECKSUM,
        b"\r\n-- CRC --\r\n",
        b"Infinity",
        b"(1,A1)",
        b'"1(1,A1)","x","1"\r\n',
        b"AssayLotInfo:",
        b"\xe2\x80\xa8",
    )
    place = rng.randrange(len(data) + 1)
    return data[:place] + rng.choice(tokens + marks) * rng.choice((1, 1, 3, 40)) + data[place:]


def move_a_piece(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data))
    piece = data[start : start + rng.randrange(1, 600)]
    rest = data[:start] + data[start + len(piece) :] if rng.random() < 0.5 else data
    place = rng.randrange(len(rest) + 1)
    return rest[:place] + piece + rest[place:]


def mangle_encoding(rng: random.Random, data: bytes) -> bytes:
    text = data.decode("utf-8", errors="replace")
    written = rng.choice(
        ("utf-16", "utf-16-le", "utf-16-be", "utf-8-sig", "latin-1", "cp1252", "utf-7", "utf-32")
    )
    return text.encode(written, errors="replace")[rng.choice((0, 0, 0, 1)) :]


def change_line_ends(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\r\n", rng.choice((b"\n", b"\r", b"\n\r", b"\r\n\r\n", b" \r\n", b"")))


def concatenate(rng: random.Random, data: bytes) -> bytes:
    return data + rng.choice((b"", b"\r\n", b"\n\n")) + rng.choice(BASES)


def lose_the_checksum(_rng: random.Random, data: bytes) -> bytes:
    return data.split(CHECKSUM)[0]


MUTATIONS: tuple[Mutation, ...] = (
    flip_bits,
    change_bytes,
    cut,
    *map(lines_changed, (drop_lines, repeat_lines, swap_lines, join_lines, empty_a_field, drop_a_field)),
    *map(lines_changed, (lose_quotes, change_delimiters)),
    swap_sections,
    drop_or_repeat_a_section,
    change_a_digit,
    change_a_digit,
    insert,
    move_a_piece,
    mangle_encoding,
    change_line_ends,
    concatenate,
    lose_the_checksum,
)


def mutated(seed: int) -> tuple[bytes, bytes]:
    """Return a file and what became of it."""
    rng = random.Random(seed)
    base = rng.choice(BASES)
    data = base
    for mutate in rng.choices(MUTATIONS, k=rng.choice((1, 1, 1, 2, 3))):
        data = mutate(rng, data) if data else data
    return base, data


def wells_in_the_text(data: bytes) -> set[str]:
    """The wells at the beginnings of the lines of the section Median, counted without the reader."""
    if data[:2] in (b"\xff\xfe", b"\xfe\xff"):
        text = data.decode("utf-16", errors="replace")
    else:
        text = data.decode("latin-1").replace("\0", "")
    text = text.replace("\r", "\n")
    parts = re.split(r'^[\s"]*datatype:?(?=[",;\t])', text, flags=re.IGNORECASE | re.MULTILINE)
    medians = [part for part in parts if re.match(r'[",;\t\s]*median\b', part, re.IGNORECASE)]
    found = re.findall(
        r'^[\s"]*\d+\s*\(\s*\d+\s*"?[,;\t]"?\s*([A-P])0?(\d+)\s*\)', medians[0], re.MULTILINE | re.IGNORECASE
    )
    return {f"{row.upper()}{column}" for row, column in found}


def content(plate: XponentPlate) -> tuple[object, ...]:
    values = [
        getattr(plate, field.name) for field in fields(plate) if field.name not in ("checksum", "unread")
    ]
    return tuple(value.rows() if isinstance(value, pl.DataFrame) else value for value in values)


def read_or_refused(data: bytes, *, name: str) -> XponentPlate | UnreadablePlateError:
    began = monotonic()
    try:
        outcome: XponentPlate | UnreadablePlateError = parse_xponent(data)
    except UnreadablePlateError as error:
        outcome = error
    except Exception as error:
        raise AssertionError(f"{name}: {error!r}") from error
    assert monotonic() - began < LONGEST_SECONDS, f"{name}: too slow"
    return outcome


@pytest.mark.parametrize("first", range(0, N_MUTATIONS, N_IN_ONE_TEST))
def test_a_mutated_file_gives_a_plate_with_all_its_wells_or_a_clear_error(first: int):
    for seed in range(first, first + N_IN_ONE_TEST):
        base, data = mutated(seed)
        outcome = read_or_refused(data, name=f"seed {seed}")
        if isinstance(outcome, UnreadablePlateError):
            assert outcome.finding.column, f"seed {seed}: no place"
            assert 0 < len(outcome.finding.found) < 200, f"seed {seed}: nothing said, or too much"
            assert not {PATIENT, OPERATOR} & set(re.findall(r"\w+", str(outcome))), (
                f"seed {seed}: a value is shown"
            )
            continue
        assert not {PATIENT, OPERATOR} & set(re.findall(r"\w+", str(outcome.unread))), f"seed {seed}: a value"
        assert set(outcome.wells["well"]) == wells_in_the_text(data), f"seed {seed}: wells were lost"
        n_wells = outcome.wells["well"].n_unique()
        assert outcome.wells.height == n_wells * outcome.wells["analyte"].n_unique(), f"seed {seed}: gaps"
        if outcome.checksum == "ok":
            assert content(outcome) == content(parse_xponent(base)), (
                f"seed {seed}: damage passed the checksum"
            )


COMPUTED_WITH = WITHOUT_CHECKSUM[WITHOUT_CHECKSUM.index(b'"DataType:","Median"') :]


def numbers_that_are_read() -> list[tuple[int, int]]:
    """The places of all numbers in sections that the reader reads, but for bead regions and total events."""
    places = []
    offset = WITHOUT_CHECKSUM.index(b'"DataType:"')
    for part in re.split(rb'(?="DataType:)', COMPUTED_WITH):
        is_read = not re.match(rb'"DataType:","(Range|Audit Logs|Warnings/Errors)?"', part) and part
        for line in re.finditer(rb"[^\r\n]+", part) if is_read else ():
            fields_of_line = list(re.finditer(rb'"(?:[^"]|"")*"', line[0]))
            by_well = re.match(rb'"\d+\(', line[0]) is not None
            has_total = by_well and re.match(rb'"DataType:","(Median|Net MFI|Count|Result)"', part)
            values = fields_of_line[2 if by_well else 1 : -1 if has_total else None]
            if not line[0].startswith(
                (b'"BeadID', b'"DataType', b'"Location', b'"Analyte', b'"Sample', b'"Reagent')
            ):
                places += [
                    (offset + line.start() + field.start() + 1, offset + line.start() + field.end() - 1)
                    for field in values
                    if re.fullmatch(rb'"[<>]? ?-?[\d.,]+"', field[0])
                ]
        offset += len(part)
    return places


def test_a_changed_number_is_seen_in_the_plate_or_refused_even_without_a_checksum():
    expected = content(parse_xponent(WITHOUT_CHECKSUM))
    places = numbers_that_are_read()
    assert len(places) > 140
    for start, end in places:
        number = WITHOUT_CHECKSUM[start:end]
        changed = re.sub(rb"\d", lambda match: b"%d" % ((int(match[0]) + 1) % 10), number, count=1)
        outcome = read_or_refused(
            WITHOUT_CHECKSUM[:start] + changed + WITHOUT_CHECKSUM[end:], name=str(start)
        )
        seen = isinstance(outcome, UnreadablePlateError) or content(outcome) != expected
        assert seen, f"{number!r} at {start} became {changed!r} and nobody saw it"


LONG = {
    "digits": b"1" * 200_000,
    "marks": b"1,2.3," * 40_000,
    "quotes": b'"' * 200_000,
    "quoted commas": b'","' * 70_000,
    "brackets": b"1(1,A1)" * 30_000,
    "dashes": b"1" + b"-" * 100_000,
    "blanks": b" " * 200_000,
    "dates": b"1/2/" * 50_000,
    "line ends": b"\r\n" * 100_000,
}


@pytest.mark.parametrize("noise", LONG.values(), ids=LONG.keys())
@pytest.mark.parametrize("place", [0, 30, 900, 1100, 3000])
def test_long_noise_is_read_or_refused_in_time(noise: bytes, place: int):
    outcome = read_or_refused(WRITTEN[:place] + noise + WRITTEN[place:], name=f"at {place}")
    assert isinstance(outcome, XponentPlate) or len(str(outcome)) < 1000
