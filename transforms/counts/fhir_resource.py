"""One FHIR resource to laboratory results: exact, one resource at a time.

Here: what each element of an Observation means, in R4, STU3 and DSTU2. Not here: files and bundles
(`transforms.counts.fhir`), many resources at once (`transforms.counts.fhir_template`). Called by both.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from transforms.counts.codes import KIND_OF_CODE
from transforms.counts.fhir_json import Json, number_in, object_in, objects_in, text_in
from transforms.counts.laboratory_results import WITHDRAWN
from transforms.findings import Finding
from transforms.schemas.counts import COMPARATORS

TAKEN_STATUSES = ("preliminary", "final", "amended", "corrected", "appended", "unknown", WITHDRAWN)
NOT_GIVEN_OUT = ("registered", "cancelled")
LOINC = ("http://loinc.org", "urn:oid:2.16.840.1.113883.6.1")
UCUM = "http://unitsofmeasure.org"

# Names of FHIR's own, which a finding may show: anything else in their place could be a patient's.
_ABSENT_REASONS = (
    "unknown",
    "asked-unknown",
    "temp-unknown",
    "not-asked",
    "asked-declined",
    "masked",
    "not-applicable",
    "unsupported",
    "as-text",
    "error",
    "not-a-number",
    "negative-infinity",
    "positive-infinity",
    "not-performed",
    "not-permitted",
)
_OTHER_VALUES = (
    "valueString",
    "valueCodeableConcept",
    "valueBoolean",
    "valueInteger",
    "valueDecimal",
    "valueRange",
    "valueRatio",
    "valueSampledData",
    "valueTime",
    "valueDateTime",
    "valuePeriod",
    "valueAttachment",
)
_PATIENT = re.compile(r"(?:^|/)Patient/([^/?#|\s]+)(?:/_history/[^/]+)?$")
_ORGANIZATION = re.compile(r"(?:^|/)Organization/([^/?#|]+)(?:/_history/[^/]+)?$")
_SEND_AGAIN = "Correct it at the source and send it again"
_A_QUANTITY = "valueQuantity: a number with its unit"


@dataclass
class Reading:
    """What became of resources: results as they are written (`RESULT_TEXTS`), findings, and how many of each.

    A resource that is no laboratory result, such as a Patient, counts as other.
    """

    results: list[tuple[object, ...]] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    n_records: int = 0
    n_other: int = 0


class _RejectedError(Exception):
    def __init__(self, rule: str, found: str, *, expected: str, remedy: str = _SEND_AGAIN) -> None:
        super().__init__(rule)
        self.parts = {"rule": rule, "found": found, "expected": expected, "remedy": remedy}


def read_resource(
    resource: object, reading: Reading, *, line: int, patients: Mapping[str, str] | None = None
) -> None:
    """Add a resource's results and findings to `reading`.

    `line` is its line or its place in the Bundle; `patients` gives the identifier of each patient that the
    Bundle names by a temporary address (urn:uuid).
    """
    reading.n_records += 1
    kind = text_in(resource, "resourceType")
    if not isinstance(resource, dict) or kind is None:
        reading.findings.append(_not_a_resource(line))
    elif kind == "Bundle":
        reading.findings.append(_nested_bundle(line))
    else:
        n_before = len(reading.results) + len(reading.findings)
        for observation in _observations(resource):
            _read_observation(observation, reading, line=line, patients=patients or {})
        reading.n_other += len(reading.results) + len(reading.findings) == n_before


def _observations(resource: Json) -> Iterator[Json]:
    """Yield the resource where it is an Observation, and those that it contains, whose subject is its own."""
    if resource.get("resourceType") == "Observation":
        yield resource
    shared = {name: resource[name] for name in ("subject", "performer") if name in resource}
    for contained in objects_in(resource, "contained"):
        if contained.get("resourceType") == "Observation":
            yield shared | contained


def _read_observation(observation: Json, reading: Reading, *, line: int, patients: Mapping[str, str]) -> None:
    components = objects_in(observation, "component")
    has_members = objects_in(observation, "hasMember") or objects_in(observation, "related")
    is_panel = not _states_a_value(observation) and bool(components or has_members)
    for part in [*([] if is_panel else [observation]), *components]:
        try:
            reading.results.append((line, *_result(observation, part, patients)))
        except _RejectedError as error:
            reading.findings.append(Finding(**error.parts, line=line))


def _states_a_value(part: Json) -> bool:
    return "dataAbsentReason" in part or any(name.startswith("value") for name in part)


def _result(observation: Json, part: Json, patients: Mapping[str, str]) -> tuple[object, ...]:
    """Return the fields of `RESULT_TEXTS` after the line; `part` is the Observation or a component of it."""
    status = _status(observation)
    low, low_unit = _lower_limit(part)
    return (
        _site(observation),
        _patient(observation, patients),
        text_in(observation, "id") or _first_text(objects_in(observation, "identifier"), "value"),
        status,
        _collected(observation),
        text_in(observation, "issued") or text_in(object_in(observation, "meta"), "lastUpdated"),
        _code(part),
        *(_quantity(part) if status != WITHDRAWN else _quantity_if_any(part)),
        low,
        low_unit,
    )


def _status(observation: Json) -> str:
    status = text_in(observation, "status")
    if status in NOT_GIVEN_OUT:
        raise _RejectedError(
            "result_is_given_out",
            f"the status {status}: no result yet, or none to come",
            expected="a result that the laboratory has given out",
            remedy="Nothing to do: the laboratory sends the result when there is one",
        )
    if status not in TAKEN_STATUSES:
        raise _RejectedError(
            "status_is_known", "no status that FHIR knows", expected=", ".join(TAKEN_STATUSES)
        )
    return status


def _patient(observation: Json, patients: Mapping[str, str]) -> str:
    subject = object_in(observation, "subject")
    reference = text_in(subject, "reference")
    named = _PATIENT.search(reference) if reference else None
    patient = (
        named[1]
        if named
        else patients.get(reference or "")
        or _contained_patient(observation, reference)
        or (None if reference else text_in(object_in(subject, "identifier"), "value"))
    )
    if patient is None:
        raise _RejectedError(
            "result_names_its_patient",
            "no patient, or an address that leads to none in this file",
            expected="a subject such as Patient/ID, or a Patient in the same Bundle",
        )
    return patient


def _contained_patient(observation: Json, reference: str | None) -> str | None:
    for one in objects_in(observation, "contained"):
        if one.get("resourceType") == "Patient" and reference == f"#{text_in(one, 'id')}":
            return identifier_of(one)
    return None


def identifier_of(patient: Json) -> str | None:
    """Return the medical record number (an identifier of type MR) of a Patient, else its first identifier."""
    identifiers = objects_in(patient, "identifier")
    numbers = [one for one in identifiers if "MR" in _codes(object_in(one, "type"))]
    return _first_text([*numbers, *identifiers], "value")


def _codes(concept: Json) -> list[str | None]:
    return [text_in(coding, "code") for coding in objects_in(concept, "coding")]


def _first_text(objects: list[Json], name: str) -> str | None:
    return next((text for one in objects if (text := text_in(one, name))), None)


def _site(observation: Json) -> str | None:
    """Return the hospital: the Organization among the performers by identifier, address or name."""
    for performer in objects_in(observation, "performer"):
        reference = text_in(performer, "reference")
        address = _ORGANIZATION.search(reference) if reference else None
        if address or text_in(performer, "type") == "Organization":
            by_identifier = text_in(object_in(performer, "identifier"), "value")
            return by_identifier or (address[1] if address else text_in(performer, "display"))
    return None


def _collected(observation: Json) -> str | None:
    return (
        text_in(observation, "effectiveDateTime")
        or text_in(object_in(observation, "effectivePeriod"), "start")
        or text_in(observation, "effectiveInstant")
    )


def _code(part: Json) -> str:
    """Return the LOINC code that is known here, else the first LOINC code, else the first with its system."""
    codings = [one for one in objects_in(object_in(part, "code"), "coding") if text_in(one, "code")]
    loinc = [one for one in codings if text_in(one, "system") in LOINC]
    known = [one for one in loinc if text_in(one, "code") in KIND_OF_CODE]
    chosen = next(iter([*known, *loinc, *codings]), None)
    if chosen is None:
        raise _RejectedError("result_has_a_code", "no code of the test", expected="a LOINC code")
    system = text_in(chosen, "system")
    is_local = system is not None and system not in LOINC
    return f"{system}|{text_in(chosen, 'code')}" if is_local else str(text_in(chosen, "code"))


def _quantity(part: Json) -> tuple[float, str | None, str | None]:
    quantity = object_in(part, "valueQuantity")
    value = number_in(quantity, "value")
    if value is None:
        raise _no_number(part, quantity)
    comparator = text_in(quantity, "comparator")
    if "comparator" in quantity and comparator not in COMPARATORS:
        raise _RejectedError("comparator_is_known", "another comparator", expected=", ".join(COMPARATORS))
    return value, comparator, _unit(quantity)


def _quantity_if_any(part: Json) -> tuple[float | None, str | None, str | None]:
    try:
        return _quantity(part)
    except _RejectedError:
        return None, None, None


def _no_number(part: Json, quantity: Json) -> _RejectedError:
    if "dataAbsentReason" in part:
        reasons = [code for code in _codes(object_in(part, "dataAbsentReason")) if code in _ABSENT_REASONS]
        found = f"no value; the reason given: {reasons[0] if reasons else 'in words of its own'}"
        remedy = "Nothing to do: the laboratory says that there is no value"
        return _RejectedError("result_has_a_value", found, expected="a value", remedy=remedy)
    others = [name for name in _OTHER_VALUES if name in part]
    if others:
        return _RejectedError("value_is_a_quantity", others[0], expected=_A_QUANTITY)
    if quantity.get("value") is not None:
        return _RejectedError("value_is_a_number", "a value that is not a number", expected="a number")
    return _RejectedError("result_has_a_value", "no value", expected=_A_QUANTITY)


def _unit(quantity: Json) -> str | None:
    """Return the UCUM code where there is one, else the unit as people read it."""
    code, unit = text_in(quantity, "code"), text_in(quantity, "unit")
    return code if code and text_in(quantity, "system") == UCUM else unit or code


def _lower_limit(part: Json) -> tuple[float | None, str | None]:
    for one in objects_in(part, "referenceRange"):
        # DSTU2 says `meaning` where R4 says `type`.
        types = [code for name in ("type", "meaning") for code in _codes(object_in(one, name)) if code]
        low = object_in(one, "low")
        value = number_in(low, "value")
        if value is not None and (not types or "normal" in types):
            return value, _unit(low)
    return None, None


def _not_a_resource(line: int) -> Finding:
    return Finding(
        rule="record_is_a_fhir_resource",
        found="something without a resourceType",
        expected="a FHIR resource",
        remedy=_SEND_AGAIN,
        line=line,
    )


def _nested_bundle(line: int) -> Finding:
    return Finding(
        rule="record_is_a_fhir_resource",
        found="a Bundle within a file of resources",
        expected="single resources, or one Bundle as a file",
        remedy="Send the Bundle as a file of its own",
        line=line,
    )
