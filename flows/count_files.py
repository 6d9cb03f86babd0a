"""Files of counts, in every form that hospitals send, read in parts that fit into memory.

Here: which reader a file needs, and the order of reading. Not here: the readers (`transforms.counts`),
merging (`flows.load_counts`, which calls this).
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import polars as pl

from flows.accounts import Fresh
from transforms.counts.fhir import parse_fhir_bundle, parse_fhir_ndjson
from transforms.counts.formats import kind_of_counts_file
from transforms.counts.laboratory_results import ParsedResults
from transforms.counts.omop import parse_omop
from transforms.counts.results import TidyResults, from_landed_csv, tidy_results
from transforms.counts.sites import with_known_sites
from transforms.errors import NadirError
from transforms.findings import Finding, UnreadableFileError, findings_frame
from transforms.landed_csv import parse_landed_csv
from transforms.schemas import COUNTS, LABORATORY_RESULTS

_HEAD_BYTES = 64 * 1024


@dataclass(frozen=True, eq=False)
class CountsPart:
    """A part of a file, sorted out; `n_rows` are its records that are results, `n_other` those that are not.

    A file that is refused whole has a finding without a line.
    """

    fresh: Fresh
    tidy: TidyResults
    n_rows: int
    n_other: int = 0
    note: str | None = None


def read_counts(fresh: Fresh, patients: pl.DataFrame) -> Iterator[CountsPart]:
    """Yield a file of counts in parts: a long file of FHIR lines in many, any other in one.

    Raises `OSError` where it cannot be read, `NadirError` where a reader loses a record.
    """
    try:
        for parsed, note, names_sites in _parsed(fresh):
            yield _sorted_out(fresh, parsed, patients if not names_sites else None, note=note)
    except UnreadableFileError as error:
        yield _refused(fresh, error.refusal)


def _parsed(fresh: Fresh) -> Iterator[tuple[ParsedResults, str | None, bool]]:
    """Yield results, a note for people, and whether the source itself names the hospitals."""
    landed = fresh.landed
    kind = kind_of_counts_file(landed.file.path.name, landed.head(_HEAD_BYTES))
    if kind == "fhir_ndjson":
        for piece, first_line in landed.pieces():
            yield parse_fhir_ndjson(piece, first_line=first_line), None, False
    elif kind == "fhir_bundle":
        yield parse_fhir_bundle(landed.content), None, False
    elif kind in ("omop_csv", "omop_parquet"):
        yield parse_omop(landed.content, person=landed.beside.get("person")), None, False
    elif kind == "omop_person":
        raise UnreadableFileError(_person_alone())
    else:
        file = parse_landed_csv(landed.content, COUNTS)
        results = ParsedResults(from_landed_csv(file.rows), file.rejected, n_records=landed.n_rows)
        yield results, "; ".join(file.notes) or None, True


def join_parts(parts: Iterable[CountsPart]) -> list[CountsPart]:
    """Join the parts of each file: their rows are compared with one another, and with the table once."""
    by_file: dict[str, list[CountsPart]] = {}
    for part in parts:
        by_file.setdefault(part.fresh.landed.file_id, []).append(part)
    return [_joined(of_file) for of_file in by_file.values()]


def _joined(parts: list[CountsPart]) -> CountsPart:
    first, *others = parts
    if not others:
        return first
    tidy = [one.tidy for one in parts]
    return CountsPart(
        first.fresh,
        TidyResults(
            counts=pl.concat(one.counts for one in tidy),
            parts=pl.concat(one.parts for one in tidy),
            withdrawn=pl.concat(one.withdrawn for one in tidy),
            rejected=pl.concat(one.rejected for one in tidy),
        ),
        n_rows=sum(one.n_rows for one in parts),
        n_other=sum(one.n_other for one in parts),
        note="; ".join(dict.fromkeys(one.note for one in parts if one.note)) or None,
    )


def _sorted_out(
    fresh: Fresh, parsed: ParsedResults, patients: pl.DataFrame | None, *, note: str | None
) -> CountsPart:
    lines = pl.concat([parsed.rows["line"], parsed.rejected["line"]]).unique()
    n_rows = parsed.n_records - parsed.n_other
    if len(lines) != n_rows:
        raise NadirError(
            f"{fresh.landed.file.name}: {n_rows} results went in, {len(lines)} came out of the reader. This "
            "is a fault of Nadir's, so nothing is published: report it with the file's shape, not its "
            "content."
        )
    rows = parsed.rows if patients is None else with_known_sites(parsed.rows, patients)
    tidy = tidy_results(fresh.to_try(rows))
    rejected = pl.concat([fresh.to_try(parsed.rejected), tidy.rejected])
    whole = TidyResults(tidy.counts, tidy.parts, tidy.withdrawn, rejected)
    return CountsPart(fresh, whole, n_rows, parsed.n_other, note)


def _refused(fresh: Fresh, finding: Finding) -> CountsPart:
    empty = tidy_results(pl.DataFrame(schema=LABORATORY_RESULTS))
    tidy = TidyResults(empty.counts, empty.parts, empty.withdrawn, findings_frame([finding]))
    n_rows = fresh.landed.n_rows
    return CountsPart(fresh, tidy, n_rows)


def _person_alone() -> Finding:
    return Finding(
        rule="file_has_its_companions",
        found="an OMOP PERSON table without its MEASUREMENT",
        expected="NAME.person.csv beside NAME.csv, or PERSON.csv beside MEASUREMENT.csv",
        remedy="Put the MEASUREMENT table beside it; the next night loads both",
    )
