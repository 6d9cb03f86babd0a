"""The looks of the Data Docs: what Great Expectations renders, as pages that load nothing from elsewhere.

Here: from its rendered content to HTML of our own, with one style sheet and no script. Not here: building the
site (`expectations.validation`), whose site builder makes these views by their names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from string import Template
from typing import Any, Protocol

from expectations.rule import Rule
from expectations.rules import every_rule

STYLES = Path(__file__).with_name("data_docs.css")
PUBLISHED = "_published"

Block = Mapping[str, Any]
_RESULT_HEADER = ("Status", "Column", "Rule", "Observed", "Why", "What to do")
_RULES = {rule.name: rule for rule in every_rule()}
_ORDER = tuple(_RULES)
_OF_ROWS = "Every row on its own: one that breaks a rule goes to quarantine, the others load."
_OF_TABLES = "The table as a whole, before it is published: a broken rule stops the night."
_NO_VALUES = "These pages show counts and percentages, never a patient's value or identifier."
_NOTHING_OBSERVED = "--"


class Document(Protocol):
    """A page as Great Expectations renders it: sections of blocks, each with its `content_block_type`."""

    def to_json_dict(self) -> dict[str, Any]:
        """Return the page's content."""


@dataclass(frozen=True)
class Outcome:
    """What became of a rule, `observed` in Great Expectations' words; a suite's page has the rule alone."""

    rule: Rule
    holds: bool | None = None
    observed: str = ""


class PageView:
    """Turn a suite or a validation result into a page, what is broken first."""

    def render(self, document: Document, **_unused: object) -> str:
        """Return the page's HTML; a rule that is in no list raises `KeyError`."""
        content = document.to_json_dict()
        suite = str(content["expectation_suite_name"])
        blocks = [block for section in content["sections"] for block in section["content_blocks"]]
        if content["renderer_type"] == "ExpectationSuitePageRenderer":
            return _page(f"Rules of {_title(suite)}", _suite_body(suite, _rules_in(blocks)), depth=1)
        return _page(f"Result of {_title(suite)}", _result_body(suite, _outcomes_in(blocks)), depth=4)


class IndexView:
    """Turn the list of results into the site's first page."""

    def __init__(self, nights: Sequence[str], facts: Mapping[str, Mapping[str, int]]) -> None:
        self._nights = nights
        self._facts = facts

    def render(self, document: Document, **_unused: object) -> str:
        """Return the index page's HTML; a result without facts raises `KeyError`."""
        results = sorted(_results_in(document.to_json_dict()), key=_link_to_result)
        title = f"Data Docs of the night {', '.join(self._nights)}".strip()
        return _page(title, f"<h1>{escape(title)}</h1>{self._verdict()}{self._body(results)}", depth=0)

    def _verdict(self) -> str:
        n_rules = sum(facts["rules"] for facts in self._facts.values())
        n_broken = sum(facts["broken"] for facts in self._facts.values())
        outcome = f"{n_broken} broken" if n_broken else "all of them hold"
        return f'<p class="lead">{_chip(holds=not n_broken)} {n_rules} rules were checked, {outcome}.</p>'

    def _body(self, results: Sequence[Block]) -> str:
        of_rows = [row for row in results if not _suite_of(row).endswith(PUBLISHED)]
        of_tables = [row for row in results if _suite_of(row).endswith(PUBLISHED)]
        return "".join(
            f"<h2>{heading}</h2><p>{words}</p>{self._table(rows)}"
            for heading, words, rows in (("Rows", _OF_ROWS, of_rows), ("Tables", _OF_TABLES, of_tables))
            if rows
        )

    def _table(self, results: Iterable[Block]) -> str:
        header = ("Status", "Table", "Rows", "Rules", "Broken", "All rules")
        return _table("tables", header, map(self._cells, results))

    def _cells(self, row: Block) -> tuple[str, ...]:
        suite = _suite_of(row)
        facts = self._facts[row["_batch_identifier_sort"]]
        result = f'<a href="{escape(_link_to_result(row))}">{_name(_title(suite))}</a>'
        numbers = (f"{facts[name]:,}" for name in ("rows", "rules", "broken"))
        rules = f'<a href="{_link_to_rules(suite)}">rules of {_name(_title(suite))}</a>'
        return (_chip(holds=not facts["broken"]), result, *numbers, rules)


def _title(suite: str) -> str:
    table = suite.removesuffix(PUBLISHED)
    return table if table == suite else f"{table} as a whole"


def _results_in(content: Block) -> list[Block]:
    tabs = [tab for block in content["sections"][0]["content_blocks"] for tab in block.get("tabs", [])]
    tables = (tab["tab_content"] for tab in tabs if tab["tab_name"] == "Validation Results")
    return [row for table in tables for row in table["table_data"]]


def _suite_of(row: Block) -> str:
    return str(row["_expectation_suite_name_sort"])


def _link_to_result(row: Block) -> str:
    return str(row["_table_row_link_path"])


def _link_to_rules(suite: str) -> str:
    return f"expectations/{escape(suite)}.html"


def _outcomes_in(blocks: Iterable[Block]) -> list[Outcome]:
    """Read the results' tables: status, expectation (with a statement where broken), observation."""
    rows = (row for block in blocks if "header_row" in block for row in block["table"])
    return sorted(map(_outcome, rows), key=_place)


def _outcome(row: Sequence[Any]) -> Outcome:
    status, expectation, observed = row
    name, *statements = _texts(expectation)
    classes = status["string_template"]["styling"]["params"]["icon"]["classes"]
    words = " ".join(statements) or " ".join(_texts(observed)).replace(_NOTHING_OBSERVED, "0% unexpected")
    return Outcome(_RULES[name], holds="text-success" in classes, observed=words)


def _rules_in(blocks: Iterable[Block]) -> list[Outcome]:
    """Read the bullet lists of a suite's page, where horizontal lines without words stand between rules."""
    texts = (text for block in blocks for text in _texts(block.get("bullet_list", [])))
    return sorted((Outcome(_RULES[text]) for text in texts if text), key=_place)


def _place(outcome: Outcome) -> int:
    return _ORDER.index(outcome.rule.name)


def _texts(block: object) -> Iterator[str]:
    """Yield the words of strings and string templates, however nested."""
    if isinstance(block, list):
        for part in block:
            yield from _texts(part)
    elif isinstance(block, Mapping):
        template = block["string_template"]
        yield Template(template["template"]).safe_substitute(template.get("params", {})).strip()
    elif block is not None:
        yield str(block)


def _suite_body(suite: str, outcomes: Sequence[Outcome]) -> str:
    header = ("Column", "Rule", "Expected", "Why", "Empty values", "What to do")
    table = _table("rules", header, map(_rule_cells, outcomes))
    return f"<h1>Rules of {_name(_title(suite))}</h1>{_lead(suite)}{table}"


def _rule_cells(outcome: Outcome) -> tuple[str, ...]:
    rule = outcome.rule
    words = (rule.expected, rule.reason, rule.null_means, rule.remedy)
    return (_name(rule.column or "all"), f"<code>{_name(rule.name)}</code>", *map(escape, words))


def _result_body(suite: str, outcomes: Sequence[Outcome]) -> str:
    broken = [outcome for outcome in outcomes if not outcome.holds]
    kept = [outcome for outcome in outcomes if outcome.holds]
    heading = f"<h1>{_name(_title(suite))} {_chip(holds=not broken)}</h1>"
    link = f'<a href="../../../../{_link_to_rules(suite)}">All rules of {_name(_title(suite))}</a>'
    lists = "".join(
        f"<h2>{words} ({len(listed)})</h2>{_table('results', _RESULT_HEADER, map(_outcome_cells, listed))}"
        for words, listed in (("Broken rules", broken), ("Rules that hold", kept))
        if listed
    )
    return f"{heading}{_lead(suite)}<p>{link}</p>{lists}"


def _outcome_cells(outcome: Outcome) -> tuple[str, ...]:
    rule = outcome.rule
    name = f"<code>{_name(rule.name)}</code><br>{escape(rule.expected)}"
    words = (outcome.observed, rule.reason, rule.remedy)
    return (_chip(holds=bool(outcome.holds)), _name(rule.column or "all"), name, *map(escape, words))


def _lead(suite: str) -> str:
    return f'<p class="lead">{_OF_TABLES if suite.endswith(PUBLISHED) else _OF_ROWS}</p>'


def _table(kind: str, header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Write a table of cells that are HTML already; each carries its column's title for narrow screens."""
    titles = "".join(f'<th scope="col">{escape(title)}</th>' for title in header)
    body = "".join(_row(header, row) for row in rows)
    return f'<table class="{kind}"><thead><tr>{titles}</tr></thead>\n<tbody>\n{body}</tbody></table>\n'


def _row(header: Sequence[str], cells: Sequence[str]) -> str:
    labelled = zip(header, cells, strict=True)
    filled = "".join(f'<td data-label="{escape(title)}"><div>{cell}</div></td>' for title, cell in labelled)
    return f"<tr>{filled}</tr>\n"


def _name(name: str) -> str:
    """Escape a name and let it break after an underscore."""
    return escape(name).replace("_", "_<wbr>")


def _chip(*, holds: bool) -> str:
    return '<span class="chip good">Holds</span>' if holds else '<span class="chip bad">Broken</span>'


def _page(title: str, body: str, *, depth: int) -> str:
    root = "../" * depth
    place = f" <span>{escape(title)}</span>" if depth else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<title>{escape(title)}</title>\n<link rel="icon" href="data:,">\n'
        f'<link rel="stylesheet" href="{root}static/{STYLES.name}">\n</head>\n<body>\n'
        f'<header><nav aria-label="Where you are"><a href="{root}index.html">Data Docs</a>{place}</nav>'
        "</header>\n"
        f"<main>\n{body}\n</main>\n<footer>Checked with Great Expectations. {_NO_VALUES}</footer>\n"
        "</body>\n</html>\n"
    )
