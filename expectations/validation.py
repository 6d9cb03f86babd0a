"""Great Expectations' one home: suites from rules, their results, and the night's Data Docs.

Here: everything that touches great_expectations or pandas. Not here: the rules (`expectations.rules`) and
the pages' looks (`expectations.data_docs`). Called by the steps of `flows`.
"""

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import great_expectations as gx
import pandas as pd
import polars as pl
from great_expectations.core.expectation_validation_result import (
    ExpectationSuiteValidationResult,
    ExpectationValidationResult,
    expectationSuiteValidationResultSchema,
)
from great_expectations.core.run_identifier import RunIdentifier
from great_expectations.data_context import AbstractDataContext
from great_expectations.data_context.types.base import DataContextConfig, InMemoryStoreBackendDefaults
from great_expectations.data_context.types.resource_identifiers import (
    ExpectationSuiteIdentifier,
    ValidationResultIdentifier,
)

from expectations.data_docs import PUBLISHED, STYLES
from expectations.rule import PLANNED_AHEAD_DAYS, Rule
from expectations.rules import FATAL_RULES, HELPERS, MEASURES, ROW_RULES
from transforms.errors import NadirError
from transforms.findings import FINDING_SCHEMA

FAILED_SCHEMA = pl.Schema({"file_id": pl.String(), **FINDING_SCHEMA})

# What a page may show of a result. Everything else that Great Expectations reports holds patients' values.
_SHOWN = (
    "element_count",
    "unexpected_count",
    "unexpected_percent",
    "unexpected_percent_total",
    "unexpected_percent_nonmissing",
    "missing_count",
    "missing_percent",
)
_EVERY_ROW = {"result_format": "COMPLETE", "partial_unexpected_count": 0}
_COUNTS_ONLY = {"result_format": "BASIC", "partial_unexpected_count": 0}


@dataclass(frozen=True)
class Report:
    """A suite's result for a table of the night: Great Expectations' own, as JSON without any value."""

    suite: str
    night: date
    n_rows: int
    content: str


@dataclass(frozen=True)
class Validation:
    """The rows of a table that hold all its rules, and those that do not.

    `passed` has the columns of the frame that was given; `failed` is a frame of `FAILED_SCHEMA`, a row for
    each broken rule and row. The rows of `passed` and the distinct rows behind `failed` add up to the frame.
    """

    table: str
    passed: pl.DataFrame
    failed: pl.DataFrame
    report: Report


@dataclass(frozen=True)
class Audit:
    """The fatal rules of a table that are `broken`; one is enough to stop the night."""

    table: str
    broken: tuple[Rule, ...]
    report: Report


def validate_rows(table_name: str, frame: pl.DataFrame, *, night: date) -> Validation:
    """Check the rules for rows of a table, and split its rows.

    `frame` has the table's columns, those of `HELPERS[table_name]`, and `file_id` and `line` where it was
    loaded from files; further columns pass through. Raises `NadirError` for a table without rules, a column
    that is missing, or a rule that could not be run.
    """
    rules = _rules_of(ROW_RULES, table_name)
    looked_at = _select(_measured(table_name, frame), rules, table_name)
    given = {"night": night, "furthest_plan": night + timedelta(days=PLANNED_AHEAD_DAYS)}
    result = _run(_suite(table_name, rules, given), looked_at, _EVERY_ROW)
    broken = _broken_rows(rules, _rows_by_rule(result))
    return Validation(
        table=table_name,
        passed=_without(frame, broken),
        failed=_with_origin(broken, frame),
        report=_report(result, night=night, n_rows=frame.height),
    )


def validate_tables(
    tables: Mapping[str, pl.DataFrame], *, night: date, former_rows: Mapping[str, int]
) -> list[Audit]:
    """Check the fatal rules of the tables that are about to be published, each as a whole.

    A table needs the columns of its key only; `patients` is among them, since others are counted against it.
    `former_rows` has the rows of the tables last published; one that is not in it had none. Raises
    `NadirError` as `validate_rows` does.
    """
    if "patients" not in tables:
        raise NadirError("No table patients to count the others against: pass it to validate_tables too.")
    n_patients = tables["patients"].height
    return [
        _audit(name, frame, {"former_rows": former_rows.get(name, 0), "n_patients": n_patients}, night=night)
        for name, frame in tables.items()
    ]


def broken_rules(audits: Iterable[Audit]) -> list[Rule]:
    """Return the fatal rules that are broken; none means that the night may publish."""
    return [rule for audit in audits for rule in audit.broken]


def _audit(name: str, frame: pl.DataFrame, given: Mapping[str, object], *, night: date) -> Audit:
    rules = _rules_of(FATAL_RULES, name)
    result = _run(_suite(name + PUBLISHED, rules, given), _select(frame, rules, name), _COUNTS_ONLY)
    broken = {_rule_name(one) for one in result.results if not one.success}
    return Audit(
        table=name,
        broken=tuple(rule for rule in rules if rule.name in broken),
        report=_report(result, night=night, n_rows=frame.height),
    )


def _rules_of(rules: Mapping[str, tuple[Rule, ...]], table_name: str) -> tuple[Rule, ...]:
    if table_name not in rules:
        raise NadirError(
            f"No rules for a table {table_name!r}; there are some for {', '.join(rules)}. "
            "Add the table to expectations.rules."
        )
    return rules[table_name]


def _measured(table_name: str, frame: pl.DataFrame) -> pl.DataFrame:
    """Add the measures that rules look at; a patient of whom nothing is known counts as unknown."""
    measures = MEASURES.get(table_name, {})
    read = [name for measure in measures.values() for name in measure.meta.root_names()]
    _require(frame, [*(column.name for column in HELPERS.get(table_name, ())), *read], table_name)
    measured = frame.with_columns(**measures)
    if "is_known_patient" in measured.columns:
        return measured.with_columns(pl.col("is_known_patient").fill_null(value=False))
    return measured


def _require(frame: pl.DataFrame, columns: Iterable[str], table_name: str) -> None:
    missing = sorted({name for name in columns if name not in frame.columns})
    if missing:
        raise NadirError(
            f"The frame of {table_name} has no column {', '.join(missing)}, which its rules need. "
            "transforms.schemas says its own columns, expectations.rules.HELPERS what the caller joins."
        )


def _select(frame: pl.DataFrame, rules: Sequence[Rule], table_name: str) -> pl.DataFrame:
    names = list(dict.fromkeys(name for rule in rules for name in _columns_of(rule)))
    _require(frame, names, table_name)
    # A table-wide rule may count rows only, and a pandas frame without columns has no rows.
    return frame.select(names or frame.columns[:1])


def _columns_of(rule: Rule) -> list[str]:
    single = (rule.arguments.get(name) for name in ("column", "column_A", "column_B"))
    listed = rule.arguments.get("column_list", ())
    return [str(name) for name in (*single, *(listed if isinstance(listed, list) else ())) if name]


def _suite(name: str, rules: Iterable[Rule], given: Mapping[str, object]) -> gx.ExpectationSuite:
    return gx.ExpectationSuite(name=name, expectations=[_expectation(rule, given) for rule in rules])


def _expectation(rule: Rule, given: Mapping[str, object]) -> gx.expectations.Expectation:
    """Make the expectation; its description is the rule's name, by which Data Docs find the rule's words."""
    arguments = {name: _at_midnight(value) for name, value in rule.arguments_with(given).items()}
    return getattr(gx.expectations, rule.expectation)(
        **arguments, description=rule.name, severity="critical" if rule.is_fatal else "warning"
    )


def _at_midnight(value: object) -> object:
    return datetime.combine(value, time()) if type(value) is date else value


def _rule_name(result: ExpectationValidationResult) -> str:
    return str(result.expectation_config.description)


def _run(
    suite: gx.ExpectationSuite, frame: pl.DataFrame, result_format: Mapping[str, object]
) -> ExpectationSuiteValidationResult:
    asset = _context().data_sources.add_pandas("night").add_dataframe_asset(suite.name)
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": _to_pandas(frame)})
    result = batch.validate(suite, result_format=dict(result_format))
    _require_run(result)
    return result


def _context(data_docs_sites: Mapping[str, object] | None = None) -> AbstractDataContext:
    return gx.get_context(
        mode="ephemeral",
        project_config=DataContextConfig(
            store_backend_defaults=InMemoryStoreBackendDefaults(),
            data_docs_sites=dict(data_docs_sites or {}),
            analytics_enabled=False,
            progress_bars={"globally": False},
        ),
    )


def _require_run(result: ExpectationSuiteValidationResult) -> None:
    """Raise where a rule could not be run; Great Expectations' own message may hold values and stays here."""
    raised = [_rule_name(one) for one in result.results if _has_raised(one.exception_info)]
    if raised:
        raise NadirError(
            f"{result.suite_name}: Great Expectations could not run {', '.join(raised)}. Expected columns of "
            "their table's types: compare the frame's schema with transforms.schemas."
        )


def _has_raised(info: Mapping[str, object]) -> bool:
    """Look into the information on exceptions, which is nested by metric where a metric raised one."""
    nested = [value for value in info.values() if isinstance(value, Mapping)]
    return bool(info.get("raised_exception")) or any(map(_has_raised, nested))


def _to_pandas(frame: pl.DataFrame) -> pd.DataFrame:
    return pd.DataFrame({name: _to_series(frame[name]) for name in frame.columns})


def _to_series(series: pl.Series) -> pd.Series:
    """Convert with an explicit dtype: left alone, pandas turns whole numbers with gaps into floats."""
    match series.dtype:
        case pl.Date() | pl.Datetime():
            return pd.Series(series.cast(pl.Datetime("us")).to_numpy())
        case pl.Boolean():
            return pd.Series(series.to_list(), dtype="boolean")
        case dtype if dtype.is_integer():
            return pd.Series(series.to_list(), dtype="Int64")
        case dtype if dtype.is_float():
            # NaN is no number and not missing either: as infinity, every upper limit refuses it.
            return pd.Series(series.fill_nan(float("inf")).to_numpy(), dtype="float64")
        case _:
            return pd.Series(series.cast(pl.String).to_list(), dtype="object")


def _rows_by_rule(result: ExpectationSuiteValidationResult) -> dict[str, list[int]]:
    """Return the rows that break each rule, by number: the pandas frame's index counts them."""
    return {_rule_name(one): one.result["unexpected_index_list"] for one in result.results if not one.success}


def _finding(rule: Rule) -> dict[str, str]:
    return {
        "column": rule.column,
        "rule": rule.name,
        "found": rule.found,
        "expected": rule.expected,
        "remedy": rule.remedy,
    }


def _broken_rows(rules: Sequence[Rule], rows_by_rule: Mapping[str, list[int]]) -> pl.DataFrame:
    """Return a finding for each broken row and rule, with `row`, in the order of the rows, then the rules."""
    schema = {"row": pl.get_index_type(), **FINDING_SCHEMA}
    del schema["line"]
    findings = [{"row": row} | _finding(rule) for rule in rules for row in rows_by_rule.get(rule.name, ())]
    return pl.DataFrame(findings, schema=schema).sort("row", maintain_order=True)


def _without(frame: pl.DataFrame, broken: pl.DataFrame) -> pl.DataFrame:
    numbers = pl.Series(range(frame.height), dtype=pl.get_index_type())
    return frame.filter(~numbers.is_in(broken["row"].implode()))


def _with_origin(broken: pl.DataFrame, frame: pl.DataFrame) -> pl.DataFrame:
    """Replace `row` by the file and line the row came from; a row that the platform derived has neither."""
    unknown = {
        name: pl.lit(None, FAILED_SCHEMA[name]) for name in ("file_id", "line") if name not in frame.columns
    }
    origin = frame.with_columns(**unknown).select("file_id", "line")[broken["row"]]
    return pl.concat([origin, broken.drop("row")], how="horizontal").cast(FAILED_SCHEMA)


def _report(result: ExpectationSuiteValidationResult, *, night: date, n_rows: int) -> Report:
    for one in result.results:
        is_about_rows = one.expectation_config.type.startswith("expect_table_row_count")
        shown = (*_SHOWN, "observed_value") if is_about_rows else _SHOWN
        one.result = {name: one.result[name] for name in shown if name in one.result}
        del one.expectation_config.kwargs["batch_id"]
        one.expectation_config.id = None
    result.meta = {"great_expectations_version": gx.__version__}
    return Report(result.suite_name, night, n_rows, content=json.dumps(result.to_json_dict()))


def write_data_docs(checks: Sequence[Validation | Audit], folder: Path) -> Path:
    """Write the Data Docs of a night's validations and audits as a static site; return its index page.

    The site replaces the one that stood in `folder`; the same checks give the same bytes. Pages show counts
    and percentages, never a value. Raises `NadirError` where a page could not be rendered.
    """
    with TemporaryDirectory() as scratch:
        site = Path(scratch) / "site"
        _build_site([check.report for check in checks], site)
        for part in ("expectations", "validations", "static"):
            shutil.rmtree(folder / part, ignore_errors=True)
        shutil.copytree(site, folder, dirs_exist_ok=True)
    return folder / "index.html"


def _build_site(reports: Sequence[Report], site: Path) -> None:
    context = _context({"night": _site_config(site, reports)})
    for number, report in enumerate(reports, start=1):
        _store(context, report, batch=_batch_name(number))
    context.build_data_docs()
    _keep_own_styles(site)
    n_pages = len(list(site.rglob("*.html")))
    n_expected = 1 + len(reports) + len({one.suite for one in reports})
    if n_pages != n_expected:
        raise NadirError(
            f"Data Docs have {n_pages} pages where {n_expected} were expected: Great Expectations could not "
            "render one, and its log says why. Compare its version with requirements.lock."
        )


def _batch_name(number: int) -> str:
    return f"batch-{number}"


def _store(context: AbstractDataContext, report: Report, *, batch: str) -> None:
    result = expectationSuiteValidationResultSchema.load(json.loads(report.content))
    run_time = datetime.combine(report.night, time(), tzinfo=UTC)
    run = RunIdentifier(run_name=report.night.isoformat(), run_time=run_time)
    result.meta["run_id"] = run
    expectations = [one.expectation_config.to_domain_obj() for one in result.results]
    context.suites.add_or_update(gx.ExpectationSuite(name=report.suite, expectations=expectations))
    key = ValidationResultIdentifier(ExpectationSuiteIdentifier(report.suite), run, batch)
    context.validation_results_store.set(key, result)


def _site_config(site: Path, reports: Sequence[Report]) -> dict[str, object]:
    """Configure Great Expectations' site builder with our views: its own ask a dozen outside addresses."""
    facts = {_batch_name(number): _facts(report) for number, report in enumerate(reports, start=1)}
    nights = sorted({report.night.isoformat() for report in reports})
    page = {"module_name": "expectations.data_docs", "class_name": "PageView"}
    index = page | {"class_name": "IndexView", "nights": nights, "facts": facts}
    section = {"class_name": "DefaultSiteSectionBuilder", "view": page}
    return {
        "class_name": "SiteBuilder",
        "show_how_to_buttons": False,
        "store_backend": {"class_name": "TupleFilesystemStoreBackend", "base_directory": str(site)},
        "site_index_builder": {"class_name": "DefaultSiteIndexBuilder", "view": index},
        "site_section_builders": {"expectations": section, "validations": section, "profiling": "None"},
    }


def _facts(report: Report) -> dict[str, int]:
    statistics = json.loads(report.content)["statistics"]
    return {
        "rows": report.n_rows,
        "rules": statistics["evaluated_expectations"],
        "broken": statistics["unsuccessful_expectations"],
    }


def _keep_own_styles(site: Path) -> None:
    """Replace the images and fonts that Great Expectations copies by the one style sheet that pages use."""
    shutil.rmtree(site / "static", ignore_errors=True)
    (site / "static").mkdir()
    (site / "static" / STYLES.name).write_bytes(STYLES.read_bytes())
