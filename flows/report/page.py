"""The night's report: one static page, and each of its tables and figures as files beside it.

Here: the page from its parts; the only home of jinja2. Not here: figures (`flows.report.figures`), tables
(`flows.report.tables`), looks (`flows/report/templates`). Called by the night's flow once the night is
published.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

import polars as pl
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from flows.files import write_whole
from flows.report.context import ReportContext
from flows.report.count_tables import tell_silent
from flows.report.figure import ReportFigure
from flows.report.guard_tables import GUARDS
from flows.report.key_figures import tell_key_figures
from flows.report.layout import Table, csv_of
from flows.report.tables import (
    OF_THE_PREDICTOR,
    OF_THE_RUN,
    lay_out_side_by_side,
    lay_out_tables,
)
from transforms.published import tell_equal
from transforms.tables.cautions import tell_cautions

# Not by the locale, which would change the page from machine to machine.
MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)
TEMPLATES = Path(__file__).parent / "templates"


def write_report(context: ReportContext, figures: Mapping[str, ReportFigure], folder: Path) -> Path:
    """Write the report into `folder`: index.html, figures/ and tables/ beside it; return the page's path.

    `figures` are those of `flows.report.figures.draw_figures`. The same context and figures give the same
    bytes. No key of a patient is read. Raises `OSError` where the folder cannot be written.
    """
    tables = lay_out_tables(context)
    for name, content in _files(tables.values(), figures.values(), context).items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
    page = _render(
        "report.html",
        context=context,
        night_in_words=_in_words(context.night),
        figures=figures,
        tables=tables,
        guards=[tables[name] for name in GUARDS],
        cautions=tell_cautions(context.estimates),
        key_figures=tell_key_figures(context),
        silent=tell_silent(context.completeness) if context.completeness else (),
        told_equal="" if context.side_by_side is None else tell_equal(context.side_by_side),
    )
    if context.side_by_side is not None:
        _write_side_by_side(context, context.side_by_side, folder)
    return write_whole(folder / "index.html", page)


def study_files(context: ReportContext, figures: Mapping[str, ReportFigure]) -> dict[str, bytes]:
    """Return the study's tables (CSV and HTML) and figures (SVG), by path: tables/table_1_....csv.

    The files are those that `write_report` writes, without what tells of the night's running (it differs
    though nothing else does) and of the predictor (its runs in MLflow are its own).
    """
    left_out = {*OF_THE_RUN, *OF_THE_PREDICTOR}
    tables = [table for name, table in lay_out_tables(context).items() if name not in left_out]
    drawn = [figure for figure in figures.values() if not figure.name.startswith("predictor")]
    return _files(tables, drawn, context)


def _files(
    tables: Iterable[Table], figures: Iterable[ReportFigure], context: ReportContext
) -> dict[str, bytes]:
    files = {f"figures/{figure.file}.svg": figure.svg for figure in figures}
    for table in tables:
        page = _render(
            "table.html", table_shown=table, stamp=context.stamp, night_in_words=_in_words(context.night)
        )
        files[f"tables/{table.file}.csv"] = csv_of(table, stamp=context.stamp)
        files[f"tables/{table.file}.html"] = page.encode()
    return files


def _write_side_by_side(context: ReportContext, side_by_side: pl.DataFrame, folder: Path) -> None:
    page = _render(
        "published.html",
        stamp=context.stamp,
        night_in_words=_in_words(context.night),
        told=tell_equal(side_by_side),
        every=lay_out_side_by_side(side_by_side, "every", caption="Every printed number"),
        unequal=lay_out_side_by_side(
            side_by_side.filter(~pl.col("is_equal")), "unequal", caption="Numbers that are not equal"
        ),
    )
    write_whole(folder / "published.html", page)


@dataclass(frozen=True)
class NightEntry:
    """A night as the list of nights shows it."""

    name: str
    words: str
    status: str
    headline: str
    has_report: bool


def write_nights_index(nights: Path) -> Path:
    """Write index.html into the folder of nights, the latest first, from each night's summary.json."""
    entries = [_read_entry(path) for path in sorted(nights.glob("*/summary.json"), reverse=True)]
    return write_whole(nights / "index.html", _render("nights.html", entries=entries))


def _read_entry(summary: Path) -> NightEntry:
    name = summary.parent.name
    try:
        words = _in_words(date.fromisoformat(name))
    except ValueError:
        words = name
    content = json.loads(summary.read_text("utf-8"))
    status, headline = (str(content.get(word, "")) for word in ("status", "headline"))
    has_report = (summary.parent / "report" / "index.html").is_file()
    return NightEntry(name, words, status, headline, has_report)


def _in_words(night: date) -> str:
    return f"{night.day} {MONTHS[night.month - 1]} {night.year}"


def _render(template: str, **values: object) -> str:
    return _environment().get_template(template).render(**values)


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
