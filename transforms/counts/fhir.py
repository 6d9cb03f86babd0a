"""FHIR Observations to laboratory results: newline-delimited JSON in chunks, and Bundles.

Here: lines and entries, each accounted for. Not here: what an Observation means
(`transforms.counts.fhir_resource`), the fast way for lines that are alike
(`transforms.counts.fhir_template`). Called by `flows`.
"""

from codecs import BOM_UTF8
from dataclasses import replace
from typing import Any

import polars as pl

from transforms.counts.fhir_json import NotJsonError, object_in, objects_in, parse_json, text_in
from transforms.counts.fhir_resource import Reading, identifier_of, read_resource
from transforms.counts.fhir_template import read_alike
from transforms.counts.laboratory_results import RESULT_TEXTS, ParsedResults, typed_results
from transforms.findings import Finding, UnreadableFileError, findings_frame, no_findings

_EXPORT_AGAIN = "The file may be cut short or damaged: export it again"


def parse_fhir_ndjson(chunk: bytes, *, first_line: int = 1) -> ParsedResults:
    """Parse FHIR resources, one a line (bulk export), into laboratory results.

    `chunk` is a file or a part of it cut at line ends; `first_line` is the number of its first line in the
    file. Blank lines are passed over and counted nowhere; a line that is no JSON is rejected alone.
    """
    lines, damaged = _lines(chunk.removeprefix(BOM_UTF8), first_line)
    alike, others = read_alike(lines.filter(pl.col("text").str.contains(r"[^ \t\r]")))
    reading = Reading()
    for line, text in others.iter_rows():
        _read_line(text, reading, line=line)
    return replace(_parsed(reading, alike, damaged), n_lines=lines.height + damaged.height)


def parse_fhir_bundle(data: bytes) -> ParsedResults:
    """Parse a Bundle of any type, a JSON array of resources, or a single resource.

    `line` is the place of the entry, from 1. Raises `UnreadableFileError` where the file is no JSON, or
    neither.
    """
    try:
        document = parse_json(data.removeprefix(BOM_UTF8))
    except NotJsonError as error:
        raise UnreadableFileError(_damaged_file(str(error))) from error
    resources = _resources(document)
    patients = _patients_by_address(document)
    reading = Reading()
    for place, resource in enumerate(resources, start=1):
        read_resource(resource, reading, line=place, patients=patients)
    return _parsed(reading, pl.DataFrame(schema=RESULT_TEXTS), no_findings())


def _lines(chunk: bytes, first_line: int) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return line and text of each line, and findings on the lines that are not UTF-8."""
    schema = {"line": pl.Int64(), "text": pl.String()}
    try:
        lines = pl.read_lines(chunk, name="text", row_index_name="line", row_index_offset=first_line)
        return lines.select(pl.col("line").cast(pl.Int64), "text"), no_findings()
    except pl.exceptions.ComputeError:
        texts = [_decoded(one) for one in chunk.removesuffix(b"\n").split(b"\n")]
    numbered = list(enumerate(texts, start=first_line))
    damaged = [_damaged_line(line, "bytes that are not UTF-8") for line, text in numbered if text is None]
    readable = [(line, text) for line, text in numbered if text is not None]
    return pl.DataFrame(readable, schema=schema, orient="row"), findings_frame(damaged)


def _decoded(line: bytes) -> str | None:
    try:
        return line.decode()
    except UnicodeDecodeError:
        return None


def _read_line(text: str, reading: Reading, *, line: int) -> None:
    try:
        resource = parse_json(text)
    except NotJsonError as error:
        reading.n_records += 1
        reading.findings.append(_damaged_line(line, str(error)))
    else:
        read_resource(resource, reading, line=line)


def _parsed(reading: Reading, alike: pl.DataFrame, damaged: pl.DataFrame) -> ParsedResults:
    one_by_one = pl.DataFrame(reading.results, schema=RESULT_TEXTS, orient="row")
    rows, undated = typed_results(pl.concat([alike, one_by_one]))
    findings = pl.concat([findings_frame(reading.findings), undated, damaged])
    return ParsedResults(
        rows=rows if rows["line"].is_sorted() else rows.sort("line", maintain_order=True),
        rejected=findings.sort("line", maintain_order=True),
        n_records=reading.n_records + alike.height + damaged.height,
        n_other=reading.n_other,
    )


def _resources(document: Any) -> list[Any]:  # noqa: ANN401
    if isinstance(document, list):
        return document
    kind = text_in(document, "resourceType")
    if kind is None:
        raise UnreadableFileError(_not_fhir())
    if kind != "Bundle":
        return [document]
    entries = document.get("entry") or []
    listed = entries if isinstance(entries, list) else [entries]
    return [one.get("resource") if isinstance(one, dict) else one for one in listed]


def _patients_by_address(document: Any) -> dict[str, str]:  # noqa: ANN401
    """Return the identifier of each Patient of a Bundle by its temporary address, such as urn:uuid:..."""
    found = {}
    for entry in objects_in(document, "entry"):
        patient, address = object_in(entry, "resource"), text_in(entry, "fullUrl")
        if address and patient.get("resourceType") == "Patient":
            found[address] = identifier_of(patient) or text_in(patient, "id")
    return {address: patient for address, patient in found.items() if patient}


def _damaged_line(line: int, found: str) -> Finding:
    return Finding(
        rule="line_is_json",
        found=found,
        expected="one FHIR resource as JSON",
        remedy=_EXPORT_AGAIN,
        line=line,
    )


def _damaged_file(found: str) -> Finding:
    return Finding(
        rule="file_is_json",
        found=found,
        expected="a FHIR Bundle or resource as JSON",
        remedy=_EXPORT_AGAIN,
    )


def _not_fhir() -> Finding:
    return Finding(
        rule="file_is_a_fhir_resource",
        found="JSON without a resourceType",
        expected="a FHIR Bundle, a list of resources, or one resource",
        remedy="Export the file again as FHIR R4",
    )
