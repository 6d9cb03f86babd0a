"""What a reader must know before quoting a number: one sentence for each guard that speaks.

Here: when a guard speaks, and its words. Not here: its table (the siblings), the numbers (`models.study`).
Called by `flows.report`. A guard that was not estimated says nothing here: its table says why.
"""

from collections.abc import Iterator

import polars as pl

from transforms.tables.alternatives import IMMORTAL
from transforms.tables.analysis import Analysis, why_missing
from transforms.tables.assumptions import (
    REGRESSIONS,
    list_influence,
    ratios_without_one,
    separated_variables,
)
from transforms.tables.regressions import ratio_of
from transforms.tables.stability import INCIDENCES
from transforms.wording import (
    candidate_label_of,
    group_of,
    label_of,
    model_of,
    write_number,
    write_p,
    write_ratio,
)

# Peduzzi, Concato, Feinstein and Holford 1995 for Cox, Peduzzi and others 1996 for logistic regression.
FEWEST_EVENTS = 10
P_LIMIT = 0.05
# Below these the reader should know; they are of convention, not of theory.
LEAST_INCLUSION_PERCENT = 50
LEAST_CONVERGED = 0.9
LEAST_COMPLETE_PERCENT = 90
WIDEST_GAP_PERCENT = 5


def tell_cautions(estimates: pl.DataFrame) -> tuple[str, ...]:
    """Return one sentence for each guard that speaks tonight, the gravest first."""
    makers = (_events, _separation, _immortal, _hazards, _form, _influence, _selection, _missing, _competing)
    return tuple(sentence for make in makers for sentence in make(estimates))


def _events(estimates: pl.DataFrame) -> Iterator[str]:
    told = [_few_events(Analysis(estimates, name)) for name in (*REGRESSIONS, "logit_asl_liver_dose")]
    few = [words for words in told if words]
    if few:
        yield (
            f"Fewer events for each candidate variable than the {FEWEST_EVENTS} that are usual: "
            f"{'; '.join(few)}. With so few, the ratios of a multivariate model tend to lie too far from 1, "
            "or there is no model at all."
        )


def _few_events(analysis: Analysis) -> str:
    """Tell the events of a model, fitted or not, where they are few for its candidates."""
    ratio, events, candidates = (
        analysis.value("multivariate", "model", word)
        for word in ("events_per_candidate", "events", "n_candidates")
    )
    if ratio is None or ratio >= FEWEST_EVENTS:
        return ""
    return (
        f"{model_of(analysis.name)}, {write_number(events, 0)} events for {write_number(candidates, 0)} "
        f"candidates ({write_number(ratio, 1)} for each)"
    )


def _separation(estimates: pl.DataFrame) -> Iterator[str]:
    separation = Analysis(estimates, "separation")
    for name in separation.groups():
        variables = separated_variables(separation, name)
        if variables or separation.value(name, "model", "is_separated"):
            told = "; ".join(variables) if variables else "several variables together"
            yield (
                f"{model_of(name)}: {told} separates patients with and without the event, so that its ratio "
                "has no finite estimate. Read Firth's."
            )


def _immortal(estimates: pl.DataFrame) -> Iterator[str]:
    analysis = Analysis(estimates, "immortal_time")
    for variable, level, guard, words in IMMORTAL:
        pairs = [
            (
                analysis.value(name, variable, "hr", level=level),
                analysis.value(name, variable, "p", level=level),
            )
            for name in ("naive", guard)
        ]
        (naive, naive_p), (guarded, guarded_p) = pairs
        if naive is None or guarded is None or naive_p is None or guarded_p is None:
            continue
        is_other_side = (naive < 1) != (guarded < 1)
        if (naive_p < P_LIMIT) != (guarded_p < P_LIMIT) or (naive_p < P_LIMIT and is_other_side):
            yield (
                f"{words}: the hazard ratio is "
                f"{write_ratio(naive, None, None)} (p {write_p(naive_p)}) as the study counts, and "
                f"{write_ratio(guarded, None, None)} (p {write_p(guarded_p)}) once nobody is credited with "
                "time before the group was known."
            )


def _hazards(estimates: pl.DataFrame) -> Iterator[str]:
    found = _small(estimates, "proportional_hazards", "cox_os")
    if found:
        yield (
            f"{model_of('cox_os')}: the hazard ratio changes over follow-up for {found}. One number is then "
            "an average over time and not what holds at each time."
        )


def _form(estimates: pl.DataFrame) -> Iterator[str]:
    for name in REGRESSIONS:
        found = _small(estimates, "functional_form", name)
        if found:
            yield (
                f"{model_of(name)}: the risk does not rise or fall evenly with {found}. One ratio per unit "
                "does not describe it well."
            )


def _small(estimates: pl.DataFrame, name: str, group: str) -> str:
    """Return the variables of an analysis with a p below the limit, each with its p."""
    analysis = Analysis(estimates, name)
    tests = {variable: analysis.value(group, variable, "p") for variable in analysis.variables(group)}
    return "; ".join(
        f"{_named(variable)} (p {write_p(p)})"
        for variable, p in tests.items()
        if p is not None and p < P_LIMIT
    )


def _named(variable: str) -> str:
    return "all variables together" if variable == "global" else _candidate(variable)


def _candidate(variable: str) -> str:
    return candidate_label_of(variable, is_multivariate=True)


def _influence(estimates: pl.DataFrame) -> Iterator[str]:
    if list_influence(estimates).is_empty():
        return
    analysis = Analysis(estimates, "influence")
    for name in REGRESSIONS:
        model = Analysis(estimates, name)
        moved = [one for one in analysis.variables(name) if _crosses_one(analysis, model, one)]
        if moved:
            yield (
                f"{model_of(name)}: without one single patient the ratio of "
                f"{'; '.join(map(_candidate, moved))} lies on the other side of 1."
            )


def _crosses_one(analysis: Analysis, model: Analysis, variable: str) -> bool:
    ratio = model.value("multivariate", variable, ratio_of(model.name))
    low, high = (limit.value for limit in ratios_without_one(analysis, model.name, variable))
    if ratio is None or low is None or high is None:
        return False
    return (low < 1 < ratio) or (ratio < 1 < high)


def _selection(estimates: pl.DataFrame) -> Iterator[str]:
    stability = Analysis(estimates, "selection_stability")
    for name in REGRESSIONS:
        model = Analysis(estimates, name)
        shares = {one: stability.value(name, one, "inclusion_percent") for one in stability.variables(name)}
        rare = [
            f"{_candidate(variable)} ({write_number(percent, 0)}%)"
            for variable, percent in shares.items()
            if percent is not None
            and percent < LEAST_INCLUSION_PERCENT
            and model.find("multivariate", variable, ratio_of(name)).is_made
        ]
        if rare:
            yield (
                f"{model_of(name)}: the multivariate model holds {'; '.join(rare)}, which fewer than half of "
                "the resamples would have kept. Other patients would likely have given another model."
            )
        yield from _converged(stability, name)


def _converged(stability: Analysis, name: str) -> Iterator[str]:
    asked, converged = (stability.value(name, "model", word) for word in ("resamples", "resamples_converged"))
    if asked and converged is not None and converged < LEAST_CONVERGED * asked:
        why = why_missing(stability.find(name, "model", "corrected"))
        no_correction = f" No optimism-corrected number is given: {why}." if why else ""
        yield (
            f"{model_of(name)}: {write_number(converged, 0)} of {write_number(asked, 0)} resamples gave "
            "a model. The numbers on selection rest on those alone, and the optimism is understated, since "
            f"the resamples without a model are the hardest ones.{no_correction}"
        )


def _missing(estimates: pl.DataFrame) -> Iterator[str]:
    analysis = Analysis(estimates, "missing_data")
    for name in REGRESSIONS:
        share = analysis.value(name, "model", "percent_complete")
        if share is not None and share < LEAST_COMPLETE_PERCENT:
            yield (
                f"{model_of(name)}: {write_number(share, 0)}% of the patients have every value; the others "
                "are left out of the multivariate model. Read the imputed ratios beside it."
            )


def _competing(estimates: pl.DataFrame) -> Iterator[str]:
    analysis = Analysis(estimates, "competing_risks")
    for months, (variable, _) in INCIDENCES.items():
        gaps = {}
        for group in analysis.groups():
            incidence = analysis.value(group, variable, f"incidence_{months}m")
            naive = analysis.value(group, variable, f"one_minus_km_{months}m")
            if incidence is not None and naive is not None and naive - incidence >= WIDEST_GAP_PERCENT:
                gaps[group] = f"{write_number(naive, 0)}% against {write_number(incidence, 0)}%"
        if gaps:
            told = "; ".join(f"{group_of(group)} {gap}" for group, gap in gaps.items())
            yield (
                f"{label_of(variable)} by {months} months: Kaplan-Meier's curve turned round says more than "
                f"happens, because it treats the dead as if it could still befall them ({told})."
            )
