"""The report's table of IL-7 under each rule for censored values, and the sentences below it.

Here: rows and sentences from `il7_sensitivity` and `il7_censoring` in `schemas.ESTIMATES`, every cell a text.
Not here: the numbers (`models.study`), the table's layout (`flows.report.tables`, which calls this).
"""

import polars as pl

from transforms.tables.analysis import Analysis, why_missing
from transforms.wording import label_of, write_number, write_p, write_ratio

RULES = {
    "as_measured": "Numbers alone, censored left out",
    "limit": "The limit",
    "half_limit": "Half the limit",
    "limit_over_root_two": "The limit / √2",
    "censored_likelihood": "Censored likelihood",
}
IL7 = "pre_rt_il7_per_pg_ml"
SAMPLES = {"pre_rt_il7_pg_ml": "before RT", "post_rt_il7_pg_ml": "at the end of RT"}
COLUMNS = ("rule", "n", "events", "odds_ratio", "p", "note")


def list_censoring_rules(estimates: pl.DataFrame) -> pl.DataFrame:
    """Return rule, n, events, odds_ratio (with its 95% interval), p, note: one row a rule, all texts.

    The odds ratio is that of ASL for 1 pg/mL more of IL-7 before RT. No rows where the night has none.
    """
    analysis = Analysis(estimates, "il7_sensitivity")
    rows = [_row(analysis, rule) for rule in analysis.groups()]
    return pl.DataFrame(rows, schema=dict.fromkeys(COLUMNS, pl.String), orient="row")


def _row(analysis: Analysis, rule: str) -> tuple[str, ...]:
    ratio = [analysis.value(rule, IL7, name) for name in ("or", "ci_low", "ci_high")]
    n, events = (write_number(analysis.value(rule, IL7, name), 0) for name in ("n", "events"))
    note = why_missing(analysis.find(rule, IL7, "or"))
    return (RULES.get(rule, label_of(rule)), n, events, write_ratio(*ratio), _p(analysis, rule), note)


def _p(analysis: Analysis, rule: str) -> str:
    return write_p(analysis.value(rule, IL7, "p"))


def describe_il7_censoring(estimates: pl.DataFrame) -> str:
    """Return how many values of IL-7 are censored, a sentence for each sample; nothing for an older night."""
    analysis = Analysis(estimates, "il7_censoring")
    return " ".join(_sample_sentence(analysis, sample) for sample in analysis.variables("all"))


def _sample_sentence(analysis: Analysis, sample: str) -> str:
    def count(statistic: str) -> str:
        return write_number(analysis.value("all", sample, statistic), 0)

    n_all = write_number(analysis.find("all", sample, "n_measured").n, 0)
    return (
        f"IL-7 {SAMPLES[sample]}: {count('n_measured')} of {n_all} patients measured, "
        f"{count('n_extrapolated')} of them extrapolated and {count('n_censored')} censored "
        f"({count('n_below')} below, {count('n_above')} above the limit)."
    )


def read_il7_sensitivity(estimates: pl.DataFrame) -> str:
    """Return in one sentence whether the odds ratio of IL-7 hangs on the rule; nothing for an older night."""
    analysis = Analysis(estimates, "il7_sensitivity")
    n_censored = Analysis(estimates, "il7_censoring").value("all", "pre_rt_il7_pg_ml", "n_censored")
    tests = {
        rule: (analysis.value(rule, IL7, "or"), analysis.value(rule, IL7, "p")) for rule in analysis.groups()
    }
    found = [(ratio, p) for ratio, p in tests.values() if ratio is not None and p is not None]
    if not tests:
        return ""
    if not found:
        return "No rule gives an odds ratio."
    if n_censored == 0:
        return "No value before RT is censored, so all rules give the same odds ratio."
    return _verdict(found, n_rules=len(tests))


def _verdict(found: list[tuple[float, float]], *, n_rules: int) -> str:
    """Say whether the rule decides on which side of 0.05 the p falls, or of 1 a ratio that has a p below."""
    ratios, n_significant = [ratio for ratio, _ in found], sum(p < 0.05 for _, p in found)
    low, high = (write_ratio(ratio, None, None) for ratio in (min(ratios), max(ratios)))
    is_one_sided = max(ratios) < 1 or min(ratios) > 1
    is_same = n_significant == 0 or (n_significant == len(found) and is_one_sided)
    hangs = "does not hang" if is_same else "hangs"
    without = f"; {n_rules - len(found)} of {n_rules} rules give none" if len(found) < n_rules else ""
    return (
        f"The odds ratio lies between {low} and {high}, with p below 0.05 under {n_significant} of "
        f"{len(found)} rules{without}: what it says of IL-7 {hangs} on the rule."
    )
