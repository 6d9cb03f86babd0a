"""What a file in the folder of counts is, told from its name and its first bytes.

Here: the kinds. Not here: reading them. Called by `flows.landing`.
"""

import re
from codecs import BOM_UTF8

from transforms.counts.omop import PERSON_COLUMNS
from transforms.counts.omop_table import PARQUET, header_of

KINDS = ("csv", "fhir_ndjson", "fhir_bundle", "omop_csv", "omop_parquet", "omop_person")


def kind_of_counts_file(name: str, head: bytes) -> str | None:
    """Return which of `KINDS` a file is by its name and its first bytes (64 kB are enough); None for another.

    A JSON file is newline-delimited where its name says so or its first line is a whole object that is no
    Bundle. An OMOP PERSON table stands beside its MEASUREMENT and is told by its columns, in Parquet by its
    name.
    """
    if head.startswith(PARQUET):
        return "omop_person" if "person" in name.lower() else "omop_parquet"
    text = head.removeprefix(BOM_UTF8).lstrip()
    if text.startswith((b"{", b"[")):
        return _kind_of_json(name, text)
    return _kind_of_csv(head) if text else None


def _kind_of_json(name: str, text: bytes) -> str:
    if name.lower().endswith((".ndjson", ".jsonl")):
        return "fhir_ndjson"
    first, *others = text.split(b"\n", 1)
    is_whole = first.rstrip().endswith(b"}") and first.startswith(b"{") and len(first.strip()) > 2
    is_bundle = re.search(rb'"resourceType"\s*:\s*"Bundle"', first) is not None
    has_another = bool(others) and others[0].lstrip().startswith(b"{")
    return "fhir_ndjson" if is_whole and has_another and not is_bundle else "fhir_bundle"


def _kind_of_csv(head: bytes) -> str:
    names = {name.lower() for name in header_of(head)}
    if names.issuperset({"measurement_concept_id", "person_id"}):
        return "omop_csv"
    return "omop_person" if names.issuperset(PERSON_COLUMNS) else "csv"
