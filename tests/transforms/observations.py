"""FHIR Observations for tests: one that is whole, and strategies that spoil it.

Here: resources as Python data. Not here: what is expected of them. Called by tests only.
"""

import copy
import json

from hypothesis import strategies as st

WHOLE = {
    "resourceType": "Observation",
    "id": "r-1",
    "status": "final",
    "category": [{"coding": [{"code": "laboratory"}]}],
    "code": {"coding": [{"system": "http://loinc.org", "code": "731-0", "display": "Lymphocytes"}]},
    "subject": {"reference": "Patient/p-1"},
    "effectiveDateTime": "2024-03-05T08:30:00+09:00",
    "issued": "2024-03-05T11:00:00Z",
    "performer": [{"reference": "Organization/north", "display": "North"}],
    "valueQuantity": {
        "value": 0.57,
        "unit": "K/uL",
        "system": "http://unitsofmeasure.org",
        "code": "10*3/uL",
    },
    "referenceRange": [{"low": {"value": 1.1, "unit": "10*3/uL"}, "high": {"value": 4.8, "unit": "10*3/uL"}}],
}


def observation(*without: str, **other: object) -> dict:
    """The whole Observation, some elements left out or set."""
    return {name: value for name, value in (copy.deepcopy(WHOLE) | other).items() if name not in without}


def quantity(value: object, **other: object) -> dict:
    return copy.deepcopy(WHOLE["valueQuantity"]) | {"value": value} | other


def loinc(code: str) -> dict:
    return {"coding": [{"system": "http://loinc.org", "code": code}]}


def ndjson(*resources: object) -> bytes:
    return b"".join(json.dumps(one, ensure_ascii=False).encode() + b"\n" for one in resources)


def bundle(*resources: object, **other: object) -> bytes:
    entries = [{"fullUrl": f"http://x/{place}", "resource": one} for place, one in enumerate(resources)]
    return json.dumps({"resourceType": "Bundle", "type": "searchset", "entry": entries} | other).encode()


# Values that may stand in an element: some right, some odd, some of a wrong type.
ODD = st.sampled_from(
    [None, "", " ", "x", 'a"b', "a\\b", "é", "日本", 0, -1, 1.5, 1e300, True, [], {}, ["x"], {"value": 1}]
)
_USUAL = {
    "id": st.from_regex(r"[a-z0-9.-]{1,12}", fullmatch=True),
    "status": st.sampled_from(
        ["final", "amended", "preliminary", "entered-in-error", "cancelled", "unknown"]
    ),
    "code": st.sampled_from(["731-0", "26474-7", "6690-2", "736-9", "777-3"]).map(loinc),
    "subject": st.from_regex(r"(https://h\.org/fhir/)?Patient/[a-z0-9-]{1,8}", fullmatch=True).map(
        lambda reference: {"reference": reference}
    ),
    "effectiveDateTime": st.sampled_from(
        ["2024-03-05", "2024-03-05T08:30:00Z", "2024-03-05T08:30:00.125-05:00", "2024-02-30", "2024-03", "x"]
    ),
    "valueQuantity": st.builds(
        quantity,
        st.one_of(st.integers(0, 5000), st.floats(0, 10, allow_nan=False)),
        comparator=st.sampled_from(["<", ">", "ad"]),
    )
    | st.builds(quantity, st.one_of(st.integers(0, 5000), st.floats(0, 10))),
    "meta": st.builds(
        lambda moment: {"lastUpdated": moment, "versionId": "1"}, st.just("2024-03-06T00:00:00Z")
    ),
    "dataAbsentReason": st.just({"coding": [{"code": "error"}]}),
    "valueString": st.text(max_size=5),
    "component": st.just([{"code": loinc("736-9"), "valueQuantity": quantity(21, unit="%", code="%")}]),
    "text": st.text(max_size=10).map(lambda text: {"div": text}),
}


@st.composite
def observations(draw: st.DrawFn) -> dict:
    """An Observation with some elements left out, some set, some spoilt."""
    made = observation(*draw(st.sets(st.sampled_from(sorted(WHOLE)), max_size=2)))
    for name in draw(st.sets(st.sampled_from(sorted(_USUAL)), max_size=5)):
        made[name] = draw(_USUAL[name])
    for name in draw(st.sets(st.sampled_from(sorted({*WHOLE, *_USUAL})), max_size=1)):
        made[name] = draw(ODD)
    return made
