"""The study's ratios beside those of other methods: immortal time, penalised fits, ties, other tests.

Here: rows of texts, the study's own number always first. Not here: whether assumptions hold
(`transforms.tables.assumptions`). Called by `flows.report`.
"""

import math
from collections.abc import Iterator

import polars as pl

from transforms.tables.analysis import (
    Analysis,
    Estimate,
    Row,
    count_text,
    distinct,
    first_or_reasons,
    join_reasons,
    n_text,
    number_text,
    p_text,
    text_frame,
)
from transforms.tables.regressions import per_step, ratio_of, ratio_reasons, ratio_text
from transforms.wording import NOTHING, covariate_label_of, write_limits

# What is compared: variable, level, the guard's group, words.
IMMORTAL = (
    ("asl", "univariate", "time_dependent", "Death, ASL against none"),
    ("asl", "multivariate", "time_dependent", "Death, ASL against none, with the variables of Table 2"),
    ("recovered", "univariate", "landmark_2m", "Death, recovered against not, among those with ASL"),
    ("recovered", "univariate", "landmark_2_5m", "Death, recovered against not, from a later landmark"),
)
GUARDS = {
    "time_dependent": "ASL from the day it began",
    "landmark_2m": "Alive at 2 months, counted from there",
    "landmark_2_5m": "Alive at 2.5 months, counted from there",
}
SECTIONS = {"univariate": "Each variable alone", "multivariate": "Together"}


def compare_immortal_time(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return comparison, naive, naive_p, guard, guarded, guarded_p, log_rank_p, n, left_out, note.

    `naive` and `guarded` are hazard ratios of death (95% interval); `n` is "events of patients" of the guard.
    """
    analysis = Analysis(estimates, "immortal_time")
    rows = [
        _immortal(analysis, variable, level, guard=guard, words=words)
        for variable, level, guard, words in IMMORTAL
        if analysis.find(guard, variable, "hr", level=level).is_made
    ]
    columns = ("comparison", "naive", "naive_p", "guard", "guarded", "guarded_p", "log_rank_p")
    return text_frame(rows, (*columns, "n", "left_out", "note"))


def _immortal(analysis: Analysis, variable: str, level: str, *, guard: str, words: str) -> Row:
    hazard = {name: analysis.find(name, variable, "hr", level=level) for name in ("naive", guard)}
    tests = {name: p_text(analysis.find(name, variable, "p", level=level)) for name in hazard}
    ratios = {name: ratio_text(analysis, name, variable, level=level, statistic="hr") for name in hazard}
    return {
        "comparison": words,
        "naive": ratios["naive"],
        "naive_p": tests["naive"],
        "guard": GUARDS[guard],
        "guarded": ratios[guard],
        "guarded_p": tests[guard],
        "log_rank_p": p_text(analysis.find(guard, variable, "p_log_rank", level=level)),
        "n": n_text(hazard[guard]),
        "left_out": count_text(analysis, guard, variable, level=level, statistic="n_left_out"),
        "note": join_reasons(
            {
                words: ratio_reasons(analysis, name, variable, level=level, statistic="hr")
                for words, name in (("naive", "naive"), ("guarded", guard))
            }
        ),
    }


def tell_immortal_agreement(estimates: pl.DataFrame) -> str:
    """Say when naive and guarded must be the same, where a comparison has them the same in all digits."""
    analysis = Analysis(estimates, "immortal_time")
    equal = (
        _is_equal(analysis, ("naive", guard), variable, level=level) for variable, level, guard, _ in IMMORTAL
    )
    return AGREE_EXACTLY if any(equal) else ""


AGREE_EXACTLY = (
    "They agree exactly where nobody died or was lost before the last onset of ASL (for recovery: before the "
    "landmark)."
)


def _is_equal(analysis: Analysis, groups: tuple[str, str], variable: str, *, level: str) -> bool | None:
    """Whether two groups have the same ratio, limits and p; null where either has no ratio."""
    pairs = list(_pairs(analysis, groups, variable, level=level))
    if None in pairs[0]:
        return None
    return all(
        one is not None and other is not None and math.isclose(one, other, rel_tol=SAME, abs_tol=SAME)
        for one, other in pairs
        if (one, other) != (None, None)
    )


# Two programs of the same estimate differ by less, two estimates by more.
SAME = 1e-7


def _pairs(
    analysis: Analysis, groups: tuple[str, str], variable: str, *, level: str
) -> Iterator[tuple[float | None, float | None]]:
    for statistic in ("hr", "ci_low", "ci_high", "p"):
        one, other = (analysis.value(group, variable, statistic, level=level) for group in groups)
        yield one, other


def compare_fits(estimates: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return the ratios of Table 2 (`cox_os`) or 3 (`logit_asl`) beside those of other fits.

    Columns variable, is_level, ratio (maximum likelihood, Wald's interval), profile (interval by profile
    likelihood), firth, imputed (multiple imputation), missing_information, note. No rows without any.
    """
    found = {word: Analysis(estimates, word) for word in (name, *OTHER_FITS)}
    if Analysis(estimates, "missing_data").value(name, "model", "percent_complete") == 100:
        # Nothing was missing, so nothing was imputed: no reason for that in every row.
        found["multiple_imputation"] = Analysis(estimates.clear(), "multiple_imputation")
    rows: list[Row] = []
    for model, words in SECTIONS.items():
        variables = [found[name].variables(model)]
        variables += [found[fit].variables_at(name, level=model) for fit in OTHER_FITS]
        told = [
            _fits(found, variable, name=name, model=model)
            for variable in distinct(one for some in variables for one in some)
            if any(_has(found[fit], name, variable, model=model) for fit in OTHER_FITS)
        ]
        rows += [dict.fromkeys(FIT_CELLS, "") | {"variable": words, "is_level": False}, *told] if told else []
    return text_frame(rows, FIT_CELLS)


OTHER_FITS = ("firth", "profile_likelihood", "multiple_imputation")
FIT_CELLS = ("variable", "is_level", "ratio", "profile", "firth", "imputed", "missing_information", "note")


def _has(analysis: Analysis, group: str, variable: str, *, model: str) -> bool:
    names = (ratio_of(group), "ci_low")
    return any(analysis.find(group, variable, name, level=model).is_made for name in names)


def _fits(found: dict[str, Analysis], variable: str, *, name: str, model: str) -> Row:
    statistic = ratio_of(name)
    reasons = {
        "Maximum likelihood": ratio_reasons(found[name], model, variable),
        "Profile": first_or_reasons(*_profile(found, name, variable, model=model)),
    } | {
        words: ratio_reasons(found[fit], name, variable, level=model, statistic=statistic)
        for words, fit in (("Firth", "firth"), ("Imputed", "multiple_imputation"))
    }
    firth, imputed = (
        ratio_text(found[fit], name, variable, level=model, statistic=statistic)
        for fit in ("firth", "multiple_imputation")
    )
    information = found["multiple_imputation"].find(
        name, variable, "fraction_missing_information", level=model
    )
    return {
        "variable": _label(variable, model),
        "is_level": True,
        "ratio": ratio_text(found[name], model, variable),
        "profile": _limits(_profile(found, name, variable, model=model), variable),
        "firth": firth,
        "imputed": imputed,
        "missing_information": number_text(information, 2),
        "note": join_reasons(reasons),
    }


def _label(variable: str, model: str) -> str:
    return covariate_label_of(variable, is_multivariate=model == "multivariate")


def _profile(
    found: dict[str, Analysis], name: str, variable: str, *, model: str
) -> tuple[Estimate, Estimate]:
    low, high = (
        found["profile_likelihood"].find(name, variable, limit, level=model)
        for limit in ("ci_low", "ci_high")
    )
    return low, high


def _limits(limits: tuple[Estimate, Estimate], variable: str) -> str:
    if not any(limit.is_made for limit in limits):
        return NOTHING
    low, high = (per_step(limit.value, variable) for limit in limits)
    return write_limits(low, high)


def compare_ties(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return variable, is_level, efron, efron_p, breslow, breslow_p, note: hazard ratios under both rules."""
    analysis = Analysis(estimates, "cox_os_ties")
    rows: list[Row] = []
    cells = ("variable", "is_level", *(f"{rule}{end}" for rule in TIES for end in ("", "_p")), "note")
    for model, words in SECTIONS.items():
        told = [_ties(analysis, variable, model) for variable in analysis.variables_at("efron", level=model)]
        rows += [dict.fromkeys(cells, "") | {"variable": words, "is_level": False}, *told] if told else []
    return text_frame(rows, cells)


TIES = ("efron", "breslow")


def tell_ties(estimates: pl.DataFrame) -> str:
    """Say that there are no ties, where both rules give the same of every variable."""
    analysis = Analysis(estimates, "cox_os_ties")
    equal = [
        _is_equal(analysis, TIES, variable, level=model)
        for model in SECTIONS
        for variable in analysis.variables_at("efron", level=model)
    ]
    known = [one for one in equal if one is not None]
    return "No two deaths share a time tonight." if known and all(known) else ""


def _ties(analysis: Analysis, variable: str, model: str) -> Row:
    ratios = {rule: ratio_text(analysis, rule, variable, level=model, statistic="hr") for rule in TIES}
    tests = {f"{rule}_p": p_text(analysis.find(rule, variable, "p", level=model)) for rule in TIES}
    reasons = {
        rule.capitalize(): ratio_reasons(analysis, rule, variable, level=model, statistic="hr")
        for rule in TIES
    }
    words = {"variable": _label(variable, model), "is_level": True}
    return {**words, **ratios, **tests, "note": join_reasons(reasons)}


def compare_tests(estimates: pl.DataFrame, name: str) -> pl.DataFrame:
    """Return variable, is_level, wald, likelihood_ratio, score, note: p values of one regression's variables.

    Score tests are of one variable alone and of the whole model. No rows where there is Wald's test alone.
    """
    analysis = Analysis(estimates, name)
    rows: list[Row] = []
    for model, words in SECTIONS.items():
        told = [
            _tests(analysis, variable, model)
            for variable in analysis.variables(model)
            if analysis.find(model, variable, "p_likelihood_ratio").is_made
        ]
        rows += (
            [dict.fromkeys(TEST_CELLS, "") | {"variable": words, "is_level": False}, *told] if told else []
        )
    return text_frame(rows, TEST_CELLS)


TEST_CELLS = ("variable", "is_level", "wald", "likelihood_ratio", "score", "note")


def _tests(analysis: Analysis, variable: str, model: str) -> Row:
    names = ("p_wald" if variable == "model" else "p", "p_likelihood_ratio", "p_score")
    tests = {
        words: analysis.find(model, variable, name)
        for words, name in zip(TEST_CELLS[2:5], names, strict=True)
    }
    cells = {words: p_text(test) for words, test in tests.items()}
    reasons = {words.replace("_", " ").capitalize(): test for words, test in tests.items()}
    return {
        "variable": _label(variable, model),
        "is_level": True,
        **cells,
        "note": join_reasons(reasons),
    }
