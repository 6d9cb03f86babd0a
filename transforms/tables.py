"""The report's tables: the night's tidy estimates turned into rows that can be read, every cell a text.

Here: pivots from `schemas.ESTIMATES` and from the quarantine. Not here: the words and formats
(`transforms.wording`) and the page (`flows.report.page`). A null estimate reads "n.e." and `note` says why.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from transforms.wording import (
    LABELS,
    NOT_ESTIMATED,
    NOTHING,
    covariate_label_of,
    group_of,
    label_of,
    level_of,
    step_of,
    write_interval,
    write_number,
    write_p,
    write_ratio,
    write_share,
    write_value,
)

IL7_GROUPS = ("il7_low", "il7_high")
IL7_CONTRAST = "il7_low_vs_high"
ASL_GROUPS = ("asl", "no_asl")
MODELS = ("univariate", "multivariate")


@dataclass(frozen=True)
class Estimate:
    """One number with what it is about; `is_made` is false where the night has no such row at all."""

    value: float | None = None
    n: int | None = None
    events: int | None = None
    definition: str | None = None
    is_made: bool = True


Row = Mapping[str, object]
ABSENT = Estimate(is_made=False)


class Analysis:
    """The estimates of one analysis, found by group, variable, level and statistic."""

    def __init__(self, estimates: pl.DataFrame, name: str) -> None:
        """Take the rows of `estimates` (schemas.ESTIMATES) whose analysis is `name`."""
        self.name = name
        self._rows = {
            (row["group"], row["variable"], row["level"] or "", row["statistic"]): Estimate(
                row["value"], row["n"], row["events"], row["definition"]
            )
            for row in estimates.filter(pl.col("analysis") == name).iter_rows(named=True)
        }

    def find(self, group: str, variable: str, statistic: str, *, level: str = "") -> Estimate:
        """Return the estimate, or `ABSENT` where the night did not make it."""
        return self._rows.get((group, variable, level, statistic), ABSENT)

    def value(self, group: str, variable: str, statistic: str, *, level: str = "") -> float | None:
        """Return the number alone."""
        return self.find(group, variable, statistic, level=level).value

    def groups(self) -> list[str]:
        """Return the groups, in the order of the estimates."""
        return _distinct(group for group, *_ in self._rows)

    def variables(self, group: str) -> list[str]:
        """Return the variables of a group, in the order of the estimates."""
        return _distinct(variable for found, variable, *_ in self._rows if found == group)

    def levels(self, group: str, variable: str) -> list[str]:
        """Return the levels of a variable, in the order of the estimates; none for a continuous one."""
        return _distinct(key[2] for key in self._rows if key[:2] == (group, variable) and key[2])


def describe_patients(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return the study's Table 1: characteristic, is_level, value, note; one row a variable or level.

    Categories are "n (percent%)", continuous variables "median (minimum to maximum)".
    """
    analysis = Analysis(estimates, "describe")
    rows: list[Row] = []
    for variable in _in_label_order(analysis.variables("all")):
        rows += _characteristic(analysis, variable, columns=("all",), write=_median_and_range)
    return _frame(rows, ("characteristic", "is_level", "all", "note"))


def compare_il7_groups(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return the study's Table 4: characteristic, is_level, il7_low, il7_high, p, note.

    Categories are "n (percent%)", continuous variables "mean ± SD"; p stands on the variable's row.
    """
    analysis = Analysis(estimates, "compare_il7_groups")
    rows: list[Row] = []
    for variable in _in_label_order(analysis.variables("il7_low")):
        first, *levels = _characteristic(analysis, variable, columns=IL7_GROUPS, write=_mean_and_sd)
        test = analysis.find(IL7_CONTRAST, variable, "p")
        rows += [{**first, "p": _p_text(test), "note": why_missing(test)}]
        rows += [{**level, "p": ""} for level in levels]
    return _frame(rows, ("characteristic", "is_level", *IL7_GROUPS, "p", "note"))


def _in_label_order(variables: list[str]) -> list[str]:
    place = {word: i for i, word in enumerate(LABELS)}
    return sorted(variables, key=lambda word: place.get(word, len(place)))


def _characteristic(
    analysis: Analysis,
    variable: str,
    *,
    columns: tuple[str, ...],
    write: Callable[[Analysis, str, str], str],
) -> list[Row]:
    """A variable's row, its levels' rows, and one for patients without a value."""
    levels = analysis.levels(columns[0], variable)
    write_cell = _count if variable == "patients" else write
    cells = {group: "" if levels else write_cell(analysis, group, variable) for group in columns}
    rows: list[Row] = [{"characteristic": label_of(variable), "is_level": False, **cells, "note": ""}]
    for level in levels:
        shares = {group: _share(analysis, group, variable, level=level) for group in columns}
        rows.append({"characteristic": level_of(level), "is_level": True, **shares, "note": ""})
    missing = {group: analysis.value(group, variable, "n_missing") or 0 for group in columns}
    if any(missing.values()):
        counts = {group: write_number(n, 0) for group, n in missing.items()}
        rows.append({"characteristic": "Not known", "is_level": True, **counts, "note": ""})
    return rows


def _count(analysis: Analysis, group: str, variable: str) -> str:
    return write_number(analysis.value(group, variable, "n"), 0)


def _share(analysis: Analysis, group: str, variable: str, *, level: str = "") -> str:
    n, percent = (analysis.value(group, variable, name, level=level) for name in ("n", "percent"))
    return write_share(n, percent)


def _median_and_range(analysis: Analysis, group: str, variable: str) -> str:
    numbers = [analysis.value(group, variable, name) for name in ("median", "min", "max")]
    if numbers[0] is None:
        return NOT_ESTIMATED
    median, low, high = (write_value(number, variable) for number in numbers)
    return f"{median} ({low} to {high})"


def _mean_and_sd(analysis: Analysis, group: str, variable: str) -> str:
    mean, sd = (analysis.value(group, variable, name) for name in ("mean", "sd"))
    if mean is None:
        return NOT_ESTIMATED
    return write_value(mean, variable) + ("" if sd is None else f" ± {write_value(sd, variable)}")


def compare_models(estimates: pl.DataFrame, analysis_name: str) -> pl.DataFrame:
    """Return Table 2 (`cox_os`) or 3 (`logit_asl`): univariate and multivariate side by side.

    Columns variable, n, univariate, univariate_p, multivariate, multivariate_p, note; `n` is "events of
    patients" of the univariate model. A variable outside the multivariate model has a dash there.
    """
    analysis = Analysis(estimates, analysis_name)
    set_aside = Analysis(estimates, f"{analysis_name}_elimination")
    ratio = ratio_of(analysis_name)
    rows: list[Row] = []
    for variable in analysis.variables("univariate"):
        found = {model: analysis.find(model, variable, ratio) for model in MODELS}
        tests = {f"{model}_p": _p_text(analysis.find(model, variable, "p")) for model in MODELS}
        cells = {model: _ratio_text(analysis, model, variable) for model in MODELS}
        rows.append(
            {"variable": covariate_label_of(variable), "n": _n_text(found["univariate"]), **cells, **tests}
            | {"note": _model_notes(found, set_aside.find("set_aside", variable, ratio))}
        )
    columns = ("variable", "n", "univariate", "univariate_p", "multivariate", "multivariate_p", "note")
    return _frame(rows, columns)


def list_ratios(estimates: pl.DataFrame, analysis_name: str) -> pl.DataFrame:
    """Return the ratios that could be estimated, for a forest plot: label, model, ratio, ci_low, ci_high.

    A ratio is of the step its label names (AFP per 10,000 ng/mL), as in `compare_models`.
    """
    analysis = Analysis(estimates, analysis_name)
    rows = []
    for variable in analysis.variables("univariate"):
        for model in MODELS:
            numbers = _ratio(analysis, model, variable)
            if all(number is not None and 0 < number < float("inf") for number in numbers):
                rows.append((covariate_label_of(variable), model, *numbers))
    schema = {"label": pl.String, "model": pl.String} | dict.fromkeys(
        ("ratio", "ci_low", "ci_high"), pl.Float64
    )
    return pl.DataFrame(rows, schema=schema, orient="row")


def ratio_of(analysis_name: str) -> str:
    """Return the statistic that an analysis' ratios stand under: hr for Cox, or for logistic regression."""
    return "hr" if analysis_name.startswith("cox") else "or"


def _ratio(analysis: Analysis, model: str, variable: str) -> tuple[float | None, ...]:
    step = step_of(variable)
    numbers = (
        analysis.value(model, variable, name) for name in (ratio_of(analysis.name), "ci_low", "ci_high")
    )
    return tuple(None if number is None else _power(number, step) for number in numbers)


def _power(ratio: float, step: int) -> float:
    try:
        return ratio**step
    except OverflowError:
        return float("inf")


def _ratio_text(analysis: Analysis, model: str, variable: str) -> str:
    if not analysis.find(model, variable, ratio_of(analysis.name)).is_made:
        return NOTHING
    return write_ratio(*_ratio(analysis, model, variable))


def _model_notes(found: Mapping[str, Estimate], set_aside: Estimate) -> str:
    reasons = {model: why_missing(found[model]) for model in MODELS}
    reasons["multivariate"] = reasons["multivariate"] or why_missing(set_aside)
    notes = [f"{model.capitalize()}: {reason}" for model, reason in reasons.items() if reason]
    if "ordinal" in (found["multivariate"].definition or ""):
        notes.append("Multivariate: stage as an ordinal number (II, III, IV), for one stage more")
    return ". ".join(notes)


def describe_multivariate(estimates: pl.DataFrame, analysis_name: str) -> str:
    """Return in a sentence or two what the multivariate model rests on, or why there is none."""
    analysis = Analysis(estimates, analysis_name)
    kept = analysis.find("multivariate", "model", "n_retained")
    if kept.value is None:
        return f"No multivariate model: {why_missing(kept) or 'it was not estimated'}."
    n, events, left_out, candidates = (
        write_number(analysis.value("multivariate", "model", name), 0)
        for name in ("n", "events", "n_left_out", "n_candidates")
    )
    ratio = write_number(analysis.value("multivariate", "model", "events_per_candidate"), 1)
    return (
        f"Multivariate model: {n} patients with {events} events ({left_out} left out for a missing value). "
        f"Backward elimination kept {kept.value:.0f} of {candidates} candidates ({ratio} events a candidate)."
    )


def _n_text(estimate: Estimate) -> str:
    if estimate.n is None or estimate.events is None:
        return NOTHING
    return f"{estimate.events:,} of {estimate.n:,}"


def list_survival(estimates: pl.DataFrame, endpoint: str) -> pl.DataFrame:
    """Return Kaplan-Meier's numbers for `os` or `pfs`: group, n, events, median, rate_24m, note.

    `median` in months and `rate_24m` in percent, each with its 95% interval; a median that was not reached
    is "not reached".
    """
    analysis = Analysis(estimates, f"km_{endpoint}")
    rows: list[Row] = []
    for group in analysis.groups():
        rate = analysis.find(group, endpoint, "rate_24m")
        counts = {name: write_number(analysis.value(group, endpoint, name), 0) for name in ("n", "events")}
        texts = {
            "median": _curve_text(
                analysis, group, endpoint, statistic="median_months", open_end="not reached"
            ),
            "rate_24m": _curve_text(analysis, group, endpoint, statistic="rate_24m"),
        }
        rows.append({"group": group_of(group), **counts, **texts, "note": why_missing(rate)})
    return _frame(rows, ("group", "n", "events", "median", "rate_24m", "note"))


def _curve_text(analysis: Analysis, group: str, endpoint: str, *, statistic: str, open_end: str = "") -> str:
    names = (statistic, f"{statistic}_ci_low", f"{statistic}_ci_high")
    has_curve = bool(analysis.value(group, endpoint, "n"))
    numbers = [analysis.value(group, endpoint, name) for name in names]
    return write_interval(*numbers, decimals=1, open_end=open_end if has_curve else "")


def list_log_rank(estimates: pl.DataFrame, endpoint: str) -> pl.DataFrame:
    """Return the log-rank tests for `os` or `pfs`: contrast, n, p, note."""
    analysis = Analysis(estimates, f"logrank_{endpoint}")
    tests = {group: analysis.find(group, endpoint, "p") for group in analysis.groups()}
    rows = [
        {"contrast": group_of(group), "n": _n_text(test), "p": _p_text(test), "note": why_missing(test)}
        for group, test in tests.items()
    ]
    return _frame(rows, ("contrast", "n", "p", "note"))


def list_months(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return the course of counts: month, n, mean (± SD), percent_of_baseline, p (Bonferroni), note."""
    analysis, variable = Analysis(estimates, "tlc_trajectory"), "tlc_cells_per_ul"
    rows: list[Row] = []
    for group in (name for name in analysis.groups() if not name.endswith("_vs_0")):
        share = analysis.find(group, variable, "percent_of_baseline")
        test = analysis.find(f"{group}_vs_0", variable, "p_bonferroni")
        rows.append(
            {
                "month": group.removeprefix("month_"),
                "n": _count(analysis, group, variable),
                "mean": _mean_and_sd(analysis, group, variable),
                "percent_of_baseline": NOTHING if not share.is_made else _percent_text(share.value),
                "p": NOTHING if not test.is_made else write_p(test.value),
                "note": why_missing(test),
            }
        )
    return _frame(rows, ("month", "n", "mean", "percent_of_baseline", "p", "note"))


def compare_il7_by_asl(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return IL-7 by ASL (mean ± SD, pg/mL): measure, asl, no_asl, p, note; last the paired tests' p."""
    analysis, paired = Analysis(estimates, "il7_by_asl"), Analysis(estimates, "il7_paired")
    rows: list[Row] = []
    for variable in analysis.variables("asl"):
        cells = {group: _mean_and_sd(analysis, group, variable) for group in ASL_GROUPS}
        test = analysis.find("asl_vs_no_asl", variable, "p")
        rows.append({"measure": label_of(variable), **cells, "p": _p_text(test), "note": why_missing(test)})
    tests = {group: paired.find(group, "pre_vs_post_rt_il7", "p") for group in ASL_GROUPS}
    if any(test.is_made for test in tests.values()):
        cells = {group: _p_text(test) for group, test in tests.items()}
        notes = " ".join(_distinct(why_missing(test) for test in tests.values())).strip()
        rows.append({"measure": "p, after against before RT", **cells, "p": "", "note": notes})
    return _frame(rows, ("measure", *ASL_GROUPS, "p", "note"))


def _percent_text(percent: float | None) -> str:
    return write_number(percent, 0) + ("" if percent is None else "%")


def _p_text(test: Estimate) -> str:
    return write_p(test.value) if test.is_made else NOTHING


def why_missing(estimate: Estimate) -> str:
    """Return why an estimate is null; nothing where it has a value or was never asked for."""
    if estimate.value is not None or not estimate.is_made:
        return ""
    return (estimate.definition or "no reason was given").removeprefix("Not estimated: ")


def _distinct(words: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(words))


def _frame(rows: Sequence[Row], columns: tuple[str, ...]) -> pl.DataFrame:
    schema = {name: pl.Boolean if name == "is_level" else pl.String for name in columns}
    return pl.DataFrame(rows, schema=schema, orient="row").select(columns)
