"""Many FHIR resources at once: lines that differ only in a few values are read column by column.

A system that exports Observations writes them all alike: the same text but for identifiers, moments and
values. Such a text with gaps is a template. A line is of a template where it is the template's text with
plain values in the gaps, so what the exact reader says of one such line holds for all, apart from what is in
the gaps.

Here: what the lines of a chunk have alike. Not here: what an element means
(`transforms.counts.fhir_resource`, to which every kind of line is shown, and every line that is like no
other). Called by `transforms.counts.fhir`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import groupby
from operator import attrgetter

import polars as pl

from transforms.counts.fhir_json import NotJsonError, parse_json
from transforms.counts.fhir_resource import Reading, read_resource
from transforms.counts.fhir_scan import Path, Scalar, outline_of, scan
from transforms.counts.laboratory_results import RESULT_TEXTS

_MOST_TEMPLATES = 24
# Fewer lines than these are sooner read one by one than learnt from.
_FEWEST_LINES = 200
_N_SAMPLED = 64
# Kinds that fewer lines share than this are no gain over reading line by line.
_LINES_A_KIND = 4
_LONGEST_NEEDLE = 96

# Where each field's own value stands: the first of these that a line has is the one that is read.
_PATHS: dict[str, tuple[Path, ...]] = {
    "result_id": (("id",), ("identifier", 0, "value")),
    "patient_id": (("subject", "reference"),),
    "collected": (("effectiveDateTime",), ("effectivePeriod", "start"), ("effectiveInstant",)),
    "known": (("issued",), ("meta", "lastUpdated")),
    "value": (("valueQuantity", "value"),),
}
# Elements that the exact reader looks into. What varies in any other is of no account.
_READ = frozenset(
    (
        "resourceType",
        "id",
        "identifier",
        "meta",
        "status",
        "code",
        "subject",
        "performer",
        "effectiveDateTime",
        "effectivePeriod",
        "effectiveInstant",
        "issued",
        "valueQuantity",
        "dataAbsentReason",
        "referenceRange",
        "component",
        "contained",
    )
)
_NUMBER = r"^-?(0|[1-9][0-9]{0,15})(\.[0-9]{1,20})?$"
_PLAIN = {
    "result_id": r"^[A-Za-z0-9._-]+$",
    "patient_id": r"^[A-Za-z0-9._-]+$",
    "collected": r"^[0-9T:.Z+-]+$",
    "known": r"^[0-9T:.Z+-]+$",
    "value": _NUMBER,
}
_ANY_TEXT = r'^(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*$'


@dataclass(frozen=True)
class _Gap:
    """A gap in a template: `name` is the field it holds, or its place where it holds none.

    `plain` is what a line must have there, which cannot be taken for anything but a value. A gap of kinds
    needs none: the exact reader is shown all that stands in it, and it decides the other fields.
    """

    name: str
    start: int
    end: int
    plain: str = ""

    @property
    def is_kind(self) -> bool:
        """Whether it is a gap of kinds."""
        return not self.plain


@dataclass(frozen=True)
class _Template:
    line: str
    gaps: tuple[_Gap, ...]

    @property
    def literals(self) -> list[str]:
        """The text before, between and behind the gaps."""
        starts = [0, *(gap.end for gap in self.gaps)]
        ends = [*(gap.start for gap in self.gaps), len(self.line)]
        return [self.line[start:end] for start, end in zip(starts, ends, strict=True)]

    @property
    def kinds(self) -> list[str]:
        """The names of the gaps of kinds."""
        return [gap.name for gap in self.gaps if gap.is_kind]

    def needles(self) -> list[str] | None:
        """Return for each gap but the first a short text that leads to it; None where one has none.

        It is the end of the text before the gap, and stands nowhere earlier in the line: short texts are
        found fast, and the text as a whole is looked at once its place is known.
        """
        starts = [gap.start for gap in self.gaps[1:]]
        shortest = [
            next(
                (
                    self.line[start - length : start]
                    for length in range(min(8, len(literal)), min(_LONGEST_NEEDLE, len(literal)) + 1)
                    if self.line.find(self.line[start - length : start]) == start - length
                ),
                None,
            )
            for start, literal in zip(starts, self.literals[1:-1], strict=True)
        ]
        return [needle for needle in shortest if needle] if all(shortest) else None

    def line_of(self, kinds: Sequence[str]) -> str:
        """Return the template's own line with these texts in the gaps of kinds."""
        texts = iter(kinds)
        filled = [next(texts) if gap.is_kind else self.line[gap.start : gap.end] for gap in self.gaps]
        return "".join(part for pair in zip(self.literals, [*filled, ""], strict=True) for part in pair)


def read_alike(lines: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Read the lines that are alike.

    lines: columns line (number) and text. Returns (results of `RESULT_TEXTS`, one for each line that was
    read; the lines that were not, in the same columns).
    """
    results, rest, refused = [pl.DataFrame(schema=RESULT_TEXTS)], lines, set[str]()
    for _ in range(_MOST_TEMPLATES):
        template = _learn(rest, refused) if rest.height >= _FEWEST_LINES else None
        if template is None:
            break
        found = _read(rest, template)
        results.append(found)
        if found.height < _FEWEST_LINES // 10:
            refused.add(outline_of(template.line, scan(template.line)))
        if found.height == rest.height:
            rest = rest.clear()
        elif found.height:
            rest = rest.join(found, on="line", how="anti", maintain_order="left")
    return pl.concat(results), rest


def _learn(lines: pl.DataFrame, refused: set[str]) -> _Template | None:
    """Make a template of the commonest outline among lines taken from all over the chunk."""
    sample = lines["text"].gather_every(max(lines.height // _N_SAMPLED, 1)).to_list()
    scanned = {text: scalars for text in sample if (scalars := scan(text))}
    outlines = {text: outline_of(text, scalars) for text, scalars in scanned.items()}
    usual = Counter(outline for outline in outlines.values() if outline not in refused).most_common(1)
    if not usual:
        return None
    alike = [text for text, outline in outlines.items() if outline == usual[0][0]]
    return _Template(alike[0], tuple(_joined(_gaps({text: scanned[text] for text in alike}))))


def _gaps(alike: dict[str, list[Scalar]]) -> Iterator[_Gap]:
    """Yield a gap for each field, and for whatever else is not the same in all lines."""
    line, scalars = next(iter(alike.items()))
    fields = _fields([scalar.path for scalar in scalars])
    for place, scalar in enumerate(scalars):
        field = fields.get(scalar.path)
        if field:
            yield _Gap(field, _start_of(field, line, scalar), scalar.end, _PLAIN[field])
        elif len({text[of[place].start : of[place].end] for text, of in alike.items()}) > 1:
            any_value = _NUMBER if scalar.is_number else _ANY_TEXT
            plain = "" if _is_read(scalar.path, fields) else any_value
            yield _Gap(f"gap {place}", scalar.start, scalar.end, plain)


def _joined(gaps: Iterable[_Gap]) -> Iterator[_Gap]:
    """Make one of gaps of kinds that follow each other: what stands between them comes with them."""
    for is_kind, group in groupby(gaps, key=attrgetter("is_kind")):
        found = list(group)
        if is_kind:
            yield replace(found[0], end=found[-1].end)
        else:
            yield from found


def _fields(paths: list[Path]) -> dict[Path, str]:
    """Return the path of each field that a line has."""
    found = {field: next((path for path in of if path in paths), None) for field, of in _PATHS.items()}
    return {path: field for field, path in found.items() if path}


def _start_of(field: str, line: str, scalar: Scalar) -> int:
    behind = line.rfind("Patient/", scalar.start, scalar.end) + len("Patient/")
    return behind if field == "patient_id" and behind > scalar.start else scalar.start


def _is_read(path: Path, fields: dict[Path, str]) -> bool:
    """Whether the exact reader looks at what stands there, given that it has found each field."""
    is_second_choice = any(path in _PATHS[field] for field in fields.values())
    is_for_people = path[-1] in {"display", "text"} and path[0] != "performer"
    return path[0] in _READ and not (is_second_choice or is_for_people or "high" in path)


def _read(lines: pl.DataFrame, template: _Template) -> pl.DataFrame:
    """Return the results of the lines that are of the template (`RESULT_TEXTS`)."""
    filled = _fill(lines, template)
    kinds = filled.select(template.kinds).unique() if template.kinds else pl.DataFrame(height=1)
    if not filled.height or kinds.height * _LINES_A_KIND > lines.height:
        return pl.DataFrame(schema=RESULT_TEXTS)
    joined = _with_exact(filled, _exact(kinds, template), template)
    own = [pl.col(gap.name).cast(RESULT_TEXTS[gap.name]) for gap in template.gaps if gap.name in _PLAIN]
    named = {f"exact {name}": name for name in RESULT_TEXTS.names() if name not in filled.columns}
    return joined.with_columns(own).rename(named).select(RESULT_TEXTS.names())


def _with_exact(filled: pl.DataFrame, exact: pl.DataFrame, template: _Template) -> pl.DataFrame:
    if template.kinds:
        return filled.join(exact, on=template.kinds, maintain_order="left")
    if exact.is_empty():
        return filled.clear().join(exact, how="cross")
    return filled.with_columns(
        pl.lit(exact[name].item(), exact[name].dtype).alias(name) for name in exact.columns
    )


def _fill(lines: pl.DataFrame, template: _Template) -> pl.DataFrame:
    """Return the lines that are the template's text with plain values in its gaps: line, each gap's text."""
    needles = template.needles()
    if needles is None:
        names = [gap.name for gap in template.gaps]
        return pl.DataFrame(schema={"line": pl.Int64(), **dict.fromkeys(names, pl.String())})
    plan = partial(_plan, template=template, needles=needles)
    # The parts are read side by side, one by each of polars' threads.
    parts = lines.iter_slices(-(-lines.height // pl.thread_pool_size()))
    return pl.concat(pl.collect_all([plan(part.lazy()) for part in parts]))


def _plan(lines: pl.LazyFrame, *, template: _Template, needles: list[str]) -> pl.LazyFrame:
    names = [gap.name for gap in template.gaps]
    first, *_, last = template.literals
    text = pl.col("text").cast(pl.Binary)
    starts = [pl.lit(len(first.encode()), pl.Int64()), *map(_behind, needles)]
    texts: list[pl.Expr | str] = [pl.lit(literal) for literal in template.literals]
    texts[1:] = [part for pair in zip(names, texts[1:], strict=True) for part in pair]
    are_plain = [pl.col(gap.name).str.contains(gap.plain) for gap in template.gaps if gap.plain]
    return (
        lines.filter(text.bin.starts_with(first.encode()) & text.bin.ends_with(last.encode()))
        .with_columns(start.alias(f"start {name}") for name, start in zip(names, starts, strict=True))
        .select("line", "text", *_texts_in(template))
        .filter(pl.concat_str(texts) == pl.col("text"), *are_plain)
        .select("line", *names)
    )


def _behind(needle: str) -> pl.Expr:
    """Return the place (in bytes) behind the first such text of the line; null where there is none."""
    found = pl.col("text").str.find(needle, literal=True)
    return found.cast(pl.Int64) + len(needle.encode())


def _texts_in(template: _Template) -> Iterator[pl.Expr]:
    """Yield the text in each gap: from its start to where the template's text goes on before the next."""
    text = pl.col("text").cast(pl.Binary)
    starts = [pl.col(f"start {gap.name}") for gap in template.gaps]
    ends = [*starts[1:], text.bin.size().cast(pl.Int64)]
    for gap, start, end, literal in zip(template.gaps, starts, ends, template.literals[1:], strict=True):
        length = (end - len(literal.encode()) - start).clip(0)
        yield text.bin.slice(start, length).cast(pl.String, strict=False).alias(gap.name)


def _exact(kinds: pl.DataFrame, template: _Template) -> pl.DataFrame:
    """Return what the exact reader says of one line of each kind, where it says one result and no more."""
    rows = [
        (*kind, *result)
        for kind in (kinds.rows() or [()])
        if (result := _one_result(template, kind)) is not None
    ]
    schema: dict[str, pl.DataType] = {name: pl.String() for name in kinds.columns}
    schema |= {f"exact {name}": dtype for name, dtype in RESULT_TEXTS.items() if name != "line"}
    return pl.DataFrame(rows, schema=schema, orient="row")


def _one_result(template: _Template, kind: Sequence[str]) -> tuple[object, ...] | None:
    """Return the fields behind the line's number, if those in the gaps are what stands in the gaps."""
    reading = Reading()
    try:
        read_resource(parse_json(template.line_of(kind)), reading, line=0)
    except NotJsonError:
        return None
    if len(reading.results) != 1 or reading.findings:
        return None
    fields = dict(zip(RESULT_TEXTS.names(), reading.results[0], strict=True))
    for gap in template.gaps:
        text = template.line[gap.start : gap.end]
        if gap.name in _PLAIN and fields[gap.name] != (float(text) if gap.name == "value" else text):
            return None
    return reading.results[0][1:]
