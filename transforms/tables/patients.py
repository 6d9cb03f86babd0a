"""Who the patients are, group beside group: Tables 1 and 4, supplementary table 2, IL-7 by ASL and by counts.

Here: rows of texts. Not here: regressions and survival (its siblings). Called by `flows.report`.
"""

from collections.abc import Callable

import polars as pl

from transforms.tables.analysis import (
    Analysis,
    Row,
    count_text,
    distinct,
    mean_and_sd,
    number_text,
    p_text,
    text_frame,
    why_missing,
)
from transforms.wording import (
    LABELS,
    NOT_ESTIMATED,
    NOTHING,
    label_of,
    level_of,
    write_interval,
    write_number,
    write_share,
    write_value,
)

IL7_GROUPS = ("il7_low", "il7_high")
IL7_CONTRAST = "il7_low_vs_high"
ASL_GROUPS = ("asl", "no_asl")
ASL_CONTRAST = "asl_vs_no_asl"
TOXICITY_CONTRASTS = {"asl": ASL_CONTRAST, "il7": IL7_CONTRAST}
TESTS = ("p", "exact_p", "q")
TOXICITY_CELLS = (
    *("toxicity", "is_level", "all", *ASL_GROUPS, *(f"asl_{word}" for word in TESTS)),
    *(*IL7_GROUPS, *(f"il7_{word}" for word in TESTS), "note"),
)


def describe_patients(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return the study's Table 1: characteristic, is_level, value, note; one row a variable or level.

    Categories are "n (percent%)", continuous variables "median (minimum to maximum)".
    """
    analysis = Analysis(estimates, "describe")
    rows: list[Row] = []
    for variable in _in_label_order(analysis.variables("all")):
        rows += _characteristic(analysis, variable, columns=("all",), write=_median_and_range)
    return text_frame(rows, ("characteristic", "is_level", "all", "note"))


def compare_il7_groups(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return the study's Table 4: characteristic, is_level, il7_low, il7_high, p, q, note.

    Categories are "n (percent%)", continuous variables "mean ± SD"; p stands on the variable's row.
    """
    analysis = Analysis(estimates, "compare_il7_groups")
    rows: list[Row] = []
    for variable in _in_label_order(analysis.variables("il7_low")):
        first, *levels = _characteristic(analysis, variable, columns=IL7_GROUPS, write=mean_and_sd)
        test = analysis.find(IL7_CONTRAST, variable, "p")
        rate = analysis.find(IL7_CONTRAST, variable, "q")
        rows += [{**first, "p": p_text(test), "q": p_text(rate), "note": why_missing(test)}]
        rows += [{**level, "p": "", "q": ""} for level in levels]
    return text_frame(rows, ("characteristic", "is_level", *IL7_GROUPS, "p", "q", "note"))


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
    write_cell = count_text if variable == "patients" else write
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


def _share(analysis: Analysis, group: str, variable: str, *, level: str = "") -> str:
    n, percent = (analysis.value(group, variable, name, level=level) for name in ("n", "percent"))
    return write_share(n, percent)


def _median_and_range(analysis: Analysis, group: str, variable: str) -> str:
    numbers = [analysis.value(group, variable, name) for name in ("median", "min", "max")]
    if numbers[0] is None:
        return NOT_ESTIMATED
    median, low, high = (write_value(number, variable) for number in numbers)
    return f"{median} ({low} to {high})"


def compare_toxicities(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return supplementary table 2: toxicity, is_level, all, asl, no_asl, il7_low, il7_high, and for each of
    asl and il7 the columns _p, _exact_p, _q; note.

    A toxicity's row names it; its levels (any grade, grade 3 or worse) are "n (percent%)" of the patients.
    """
    analysis = Analysis(estimates, "toxicities")
    rows: list[Row] = []
    for variable in analysis.variables("all"):
        rows.append(dict.fromkeys(TOXICITY_CELLS, "") | {"toxicity": label_of(variable), "is_level": False})
        rows += [_toxicity(analysis, variable, level) for level in analysis.levels("all", variable)]
    return text_frame(rows, TOXICITY_CELLS)


def _toxicity(analysis: Analysis, variable: str, level: str) -> Row:
    groups = ("all", *ASL_GROUPS, *IL7_GROUPS)
    cells = {group: _share(analysis, group, variable, level=level) for group in groups}
    notes = []
    for name, contrast in TOXICITY_CONTRASTS.items():
        tests = [analysis.find(contrast, variable, word, level=level) for word in ("p", "p_fisher", "q")]
        cells |= {f"{name}_{word}": p_text(test) for word, test in zip(TESTS, tests, strict=True)}
        notes.append(why_missing(tests[0]))
    return {"toxicity": level_of(level), "is_level": True, **cells, "note": " ".join(distinct(notes)).strip()}


def count_groups(estimates: pl.DataFrame, name: str) -> dict[str, int]:
    """Return how many patients each group of an analysis has, as its first estimate says."""
    analysis = Analysis(estimates, name)
    return {group: n for group in analysis.groups() if (n := analysis.n_of(group)) is not None}


def compare_il7_by_asl(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return IL-7 by ASL (mean ± SD, pg/mL): measure, asl, no_asl, p, q, note; last the paired tests' p."""
    analysis, paired = Analysis(estimates, "il7_by_asl"), Analysis(estimates, "il7_paired")
    rows: list[Row] = []
    for variable in analysis.variables("asl"):
        cells = {group: mean_and_sd(analysis, group, variable) for group in ASL_GROUPS}
        test, rate = (analysis.find(ASL_CONTRAST, variable, name) for name in ("p", "q"))
        rows.append(
            {"measure": label_of(variable), **cells, "p": p_text(test), "q": p_text(rate)}
            | {"note": why_missing(test)}
        )
    tests = {group: paired.find(group, "pre_vs_post_rt_il7", "p") for group in ASL_GROUPS}
    if any(test.is_made for test in tests.values()):
        cells = {group: p_text(test) for group, test in tests.items()}
        notes = " ".join(distinct(why_missing(test) for test in tests.values())).strip()
        rows.append({"measure": "p, after against before RT", **cells, "p": "", "q": "", "note": notes})
    return text_frame(rows, ("measure", *ASL_GROUPS, "p", "q", "note"))


def list_correlations(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return pair, n, r (with its 95% interval), p, q, rho, rho_p, note: IL-7 against lymphocyte counts."""
    analysis = Analysis(estimates, "correlations")
    rows: list[Row] = []
    for variable in analysis.variables("all"):
        found = {
            name: analysis.find("all", variable, name)
            for name in ("pearson_r", "ci_low", "ci_high", "p", "q", "spearman_rho", "p_spearman")
        }
        limits = (found[name].value for name in ("pearson_r", "ci_low", "ci_high"))
        n = found["pearson_r"].n
        rows.append(
            {"pair": label_of(variable), "n": NOTHING if n is None else write_number(n, 0)}
            | {"r": write_interval(*limits, decimals=2), "p": p_text(found["p"]), "q": p_text(found["q"])}
            | {"rho": number_text(found["spearman_rho"], 2), "rho_p": p_text(found["p_spearman"])}
            | {"note": why_missing(found["pearson_r"])}
        )
    return text_frame(rows, ("pair", "n", "r", "p", "q", "rho", "rho_p", "note"))
