"""From a REDCap export, its dictionary and its mapping to rows of our tables, each with its line.

Here: which lines of the export make a row, and what becomes of those that make none. Not here: single cells
(`transforms.redcap.cells`), loading (`flows`). Called by the night, for each project that landed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import polars as pl

from transforms.findings import FINDING_SCHEMA
from transforms.landed_csv import ParsedFile, type_rows
from transforms.line_rules import LineRule, broken_lines
from transforms.redcap.cells import Cell, ProjectFiles, cell_of, columns_read
from transforms.redcap.checks import check_mapping, is_one_row_a_patient
from transforms.redcap.dictionary import parse_dictionary
from transforms.redcap.export import EVENT, REPEAT_INSTRUMENT, Export, cell_name, parse_export
from transforms.redcap.gathering import gather_records, row_lines
from transforms.redcap.mapping import (
    ConstantSource,
    FieldSource,
    RefusedProjectError,
    Section,
    Source,
    parse_mapping,
)
from transforms.schemas import PATIENT_ID, PATIENTS, SITE, Column, Table

_HAS_RECORD = LineRule(
    "record_id",
    "line_names_its_record",
    pl.col("record").is_not_null(),
    "nothing",
    "the record's identifier",
    "Export the project again",
)


@dataclass(frozen=True, eq=False)
class ParsedRedcap:
    """What became of a project's export, table by table.

    `tables` holds, by name, each table's typed rows (the landed columns and `line`, the line of the export)
    and what was rejected; `rows_in` counts the lines that rows come from, each of which is in `rows` or in
    `rejected`, or in both where it gives several rows. A row gathered from several lines has the first of
    them. `rejected_lines` are lines that no table could read (schema `FINDING_SCHEMA`), `unread_fields` the
    fields of the dictionary that the mapping does not name.
    """

    tables: Mapping[str, ParsedFile]
    rejected_lines: pl.DataFrame
    n_records: int
    notes: tuple[str, ...]
    unread_fields: tuple[str, ...]

    @property
    def rejected(self) -> pl.DataFrame:
        """All findings (schema `FINDING_SCHEMA`), by line; a column is named with its table."""
        of_tables = [
            parsed.rejected.with_columns(pl.format("{}.{}", pl.lit(name), "column").alias("column"))
            for name, parsed in self.tables.items()
        ]
        return pl.concat([self.rejected_lines, *of_tables]).sort("line", maintain_order=True)


def parse_redcap(export: bytes, *, dictionary: bytes, mapping: bytes) -> ParsedRedcap:
    """Return the rows of our tables that a REDCap project holds.

    export: the project's raw data as flat CSV. dictionary: its data dictionary. mapping: which field is which
    column, as `example.mapping.toml` explains. Only the fields that the mapping names are read.

    Raises `UnreadableFileError` where a file cannot be trusted; where the mapping does not fit, it is a
    `RefusedProjectError` with every complaint.
    """
    plan = parse_mapping(mapping)
    parsed = parse_export(export)
    files = ProjectFiles(plan, parse_dictionary(dictionary), parsed.header)
    if complaints := check_mapping(files):
        raise RefusedProjectError(complaints)
    lines, nameless = _lines(parsed, files)
    patients = _Patients.of(lines, files)
    tables = {
        table.name: _parse_table(table, lines, patients=patients, files=files)
        for table in dict.fromkeys(section.table for section in plan.sections)
    }
    return ParsedRedcap(
        tables=tables,
        rejected_lines=pl.concat([parsed.rejected, nameless]).sort("line"),
        n_records=lines["record"].n_unique(),
        notes=(*parsed.text.notes, *_notes(tables, lines, files)),
        unread_fields=_unread(files),
    )


def _project_sources(files: ProjectFiles) -> tuple[tuple[Column, Source], ...]:
    patient_id = FieldSource(files.project.patient_id or files.record_id)
    return ((SITE, files.project.site), (PATIENT_ID, patient_id))


def _all_sources(files: ProjectFiles) -> list[Source]:
    columns = [source for section in files.mapping.sections for source in section.columns.values()]
    return [FieldSource(files.record_id), *(source for _, source in _project_sources(files)), *columns]


def _lines(parsed: Export, files: ProjectFiles) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Return the lines, with `record` and the columns that are read, and findings on those without one."""
    names = [name for source in _all_sources(files) for name in columns_read(source, files)]
    beside = [name for name in (EVENT, REPEAT_INSTRUMENT) if name in files.header]
    lines = parsed.columns([*names, *beside]).with_columns(record=pl.col(cell_name(files.record_id)))
    return lines.filter(_HAS_RECORD.holds), broken_lines(lines, [_HAS_RECORD])


# Site and patient


@dataclass(frozen=True, eq=False)
class _Patients:
    """Site and patient of each record, and findings on records (`record` and those of `FINDING_SCHEMA`)."""

    rows: pl.DataFrame
    findings: pl.DataFrame

    @classmethod
    def of(cls, lines: pl.DataFrame, files: ProjectFiles) -> "_Patients":
        """Gather site and patient from all lines of a record: often only the first form has them."""
        cells = {column.name: cell_of(source, column, files) for column, source in _project_sources(files)}
        rows = lines.select("line", "record", **{name: cell.text for name, cell in cells.items()})
        gathered, at_odds = gather_records(rows, (SITE, PATIENT_ID), takes={})
        broken = _broken(lines, cells.values()).join(lines.select("line", "record"), on="line", how="left")
        findings = pl.concat([at_odds, broken.select(at_odds.columns)])
        return cls(gathered, findings)

    def findings_on(self, candidates: pl.DataFrame) -> pl.DataFrame:
        """Return the records' findings for each candidate line (`record`, `line`)."""
        found = candidates.unique(maintain_order=True).join(self.findings.drop("line"), on="record")
        return found.select(FINDING_SCHEMA.names())


# Tables


@dataclass(frozen=True, eq=False)
class _Candidates:
    """Lines that say something for a table: typed rows, findings, and (`record`, `line`) of them all."""

    rows: pl.DataFrame
    findings: pl.DataFrame
    lines: pl.DataFrame


def _parse_table(
    table: Table, lines: pl.DataFrame, *, patients: _Patients, files: ProjectFiles
) -> ParsedFile:
    sections = [section for section in files.mapping.sections if section.table is table]
    each = [_candidates(section, lines, patients=patients, files=files) for section in sections]
    found = _Candidates(
        pl.concat(one.rows for one in each),
        pl.concat(one.findings for one in each),
        pl.concat(one.lines for one in each),
    )
    if is_one_row_a_patient(table):
        rows, findings = _one_row_a_patient(found, table, patients=patients, takes=_takes(sections))
    else:
        rows, findings = _one_row_a_line(found, patients)
    rejected = findings.unique(maintain_order=True).sort("line", maintain_order=True)
    return ParsedFile(
        rows=rows.select(*(column.name for column in table.landed_columns), "line").sort("line"),
        rejected=rejected,
        rows_in=pl.concat([rows["line"], rejected["line"]]).n_unique(),
    )


def _takes(sections: list[Section]) -> dict[str, str]:
    sources = [pair for section in sections for pair in section.columns.items()]
    return {name: source.take for name, source in sources if isinstance(source, FieldSource) and source.take}


def _candidates(
    section: Section, lines: pl.DataFrame, *, patients: _Patients, files: ProjectFiles
) -> _Candidates:
    """Return the lines of a section that say something, typed; a line that says nothing there is no row."""
    table = section.table
    cells = {
        column.name: cell_of(section.columns.get(column.name), column, files)
        for column in table.landed_columns
    }
    speaking = [name for name, one in section.columns.items() if not isinstance(one, ConstantSource)]
    here = lines.filter(
        *_restrictions(section),
        pl.any_horizontal(pl.lit(False), *(cells[name].is_given for name in speaking)),
        *(cells[name].is_given for name in section.needs),
    )
    texts = {name: cell.text for name, cell in cells.items() if name not in ("site", "patient_id")}
    raw = here.select("line", "record", **texts).join(
        patients.rows, on="record", how="left", maintain_order="left"
    )
    broken = _broken(here, cells.values())
    typed, mistyped = type_rows(raw.select(*(column.name for column in table.landed_columns), "line"), table)
    rows = typed.join(broken, on="line", how="anti", maintain_order="left")
    return _Candidates(rows, pl.concat([broken, mistyped]), here.select("record", "line"))


def _broken(lines: pl.DataFrame, cells: Iterable[Cell]) -> pl.DataFrame:
    rules = [rule for cell in cells for rule in cell.rules]
    return broken_lines(lines, rules)


def _restrictions(section: Section) -> list[pl.Expr]:
    events, instrument = section.events, section.repeat_instrument
    return [
        *([pl.col(cell_name(EVENT)).is_in(events)] if events else []),
        *([pl.col(cell_name(REPEAT_INSTRUMENT)) == instrument] if instrument else []),
    ]


def _one_row_a_line(found: _Candidates, patients: _Patients) -> tuple[pl.DataFrame, pl.DataFrame]:
    of_records = patients.findings_on(found.lines)
    rows = found.rows.join(of_records, on="line", how="anti", maintain_order="left")
    return rows, pl.concat([found.findings, of_records])


def _one_row_a_patient(
    found: _Candidates, table: Table, *, patients: _Patients, takes: Mapping[str, str]
) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Gather the rows of a record into one; a record with a finding gives none."""
    first = row_lines(found.lines)
    rows = found.rows.join(found.lines.unique(), on="line", how="left", maintain_order="left")
    gathered, at_odds = gather_records(rows, table.landed_columns, takes=takes)
    of_lines = found.findings.join(found.lines.unique(), on="line", how="left", maintain_order="left")
    of_records = patients.findings.filter(pl.col("record").is_in(first["record"].implode()))
    findings = pl.concat([of_lines.select(at_odds.columns), at_odds, of_records])
    whole = gathered.join(findings, on="record", how="anti", maintain_order="left")
    return whole.join(first, on="record", how="left", maintain_order="left"), _told_at(findings, first)


def _told_at(findings: pl.DataFrame, rows: pl.DataFrame) -> pl.DataFrame:
    """Give findings on records the line of the record's row; where they stand elsewhere, they say so."""
    placed = findings.rename({"line": "found_on"}).join(rows, on="record", how="left", maintain_order="left")
    elsewhere = pl.when(pl.col("found_on") != pl.col("line")).then(pl.format(" (line {})", "found_on"))
    found = pl.concat_str("found", elsewhere, ignore_nulls=True)
    return placed.with_columns(found).select(FINDING_SCHEMA.names())


# Notes


def _notes(tables: Mapping[str, ParsedFile], lines: pl.DataFrame, files: ProjectFiles) -> list[str]:
    n_unread = len(_unread(files))
    notes = (
        [f"{n_unread} fields of the dictionary are not read: the mapping does not name them"]
        if n_unread
        else []
    )
    n_records = lines["record"].n_unique()
    notes += [
        f"{parsed.rows_in} of {n_records} records have something for {name}"
        for name, parsed in tables.items()
        if name == PATIENTS.name and parsed.rows_in < n_records
    ]
    notes += [
        f"no line of the export has anything for {name}" for name, one in tables.items() if not one.rows_in
    ]
    events = lines[cell_name(EVENT)].unique().to_list() if EVENT in files.header else []
    notes += [
        f"no line of the export is of the event {event}, which {section.place} names"
        for section in files.mapping.sections
        for event in section.events
        if event not in events
    ]
    identifiers = [name for name in _read_fields(files) if _is_identifier(name, files)]
    if identifiers:
        notes.append(f"read although the dictionary marks them as identifiers: {', '.join(identifiers)}")
    return notes


def _is_identifier(name: str, files: ProjectFiles) -> bool:
    field = files.dictionary.fields.get(name)
    return field is not None and field.is_identifier


def _read_fields(files: ProjectFiles) -> list[str]:
    sources = _all_sources(files)
    names = [
        name
        for source in sources
        for key in ("field", "checkbox", "answered_by")
        if (name := getattr(source, key, None))
    ]
    return list(dict.fromkeys(names))


def _unread(files: ProjectFiles) -> tuple[str, ...]:
    read = set(_read_fields(files))
    return tuple(name for name in files.dictionary.fields if name not in read)
