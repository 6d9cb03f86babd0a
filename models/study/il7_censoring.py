"""How many IL-7 values are known by a limit alone, told as an analysis and beside every analysis of IL-7.

Here: the analysis `il7_censoring`, and the sentence for the definitions of the others. Not here: what the
censored values do to the odds ratio (`models.study.il7_sensitivity`). Called by `models.study.analyses`.
"""

from collections.abc import Iterable
from functools import partial

import polars as pl

from models.study.rows import Finding, Row, Topic, tell

CENSORING = "il7_censoring"
SAMPLES = {"pre_rt": "before RT", "post_rt": "at the end of RT"}
PLACES = ("within", "extrapolated", "below", "above", "unmeasured")
GROUPS = {"all": pl.lit(True), "asl": pl.col("has_asl"), "no_asl": ~pl.col("has_asl")}
STATISTICS = (
    "n_measured",
    *(f"n_{place}" for place in PLACES),
    "n_censored",
    "percent_censored",
    "n_without_limit",
)
COUNTED_AS = (
    "Patients by where their IL-7 lies on its plate's curve. Measured: a number (within or extrapolated) or "
    "censored (below or above, known by its limit alone); percent of the measured. Without limit: censored, "
    "and of no use to any rule"
)

_PRE, _BOTH = ("pre_rt",), ("pre_rt", "post_rt")
# The samples that an analysis' variable is made of.
_SAMPLES_OF = {
    "pre_rt_il7_pg_ml": _PRE,
    "pre_rt_il7_per_pg_ml": _PRE,
    "post_rt_il7_pg_ml": ("post_rt",),
    "post_rt_il7_per_pg_ml": ("post_rt",),
    "delta_il7_pg_ml": _BOTH,
    "pre_vs_post_rt_il7": _BOTH,
}
# Models of several variables, which leave out whoever lacks one of their candidates.
_LISTWISE = {
    **dict.fromkeys(("cox_os", "cox_os_elimination"), _BOTH),
    **dict.fromkeys(("logit_asl", "logit_asl_elimination"), _PRE),
}
_BY_IL7_GROUP = ("compare_il7_groups", "asl_by_il7_group")


def place_of(sample: str) -> pl.Expr:
    """Return one of `PLACES` for IL-7 in a sample (pre_rt, post_rt): a number is within or extrapolated."""
    lies, has_number = pl.col(f"{sample}_il7_range"), pl.col(f"{sample}_il7_pg_ml").is_not_null()
    return (
        pl.when(has_number & (lies == "extrapolated"))
        .then(pl.lit("extrapolated"))
        .when(has_number)
        .then(pl.lit("within"))
        .when(lies.is_in(["below", "above"]))
        .then(lies)
        .otherwise(pl.lit("unmeasured"))
    )


def is_censored(sample: str) -> pl.Expr:
    """Return whether IL-7 in a sample is known by a limit alone."""
    return place_of(sample).is_in(["below", "above"])


def count_censored_il7(cohort: pl.DataFrame) -> list[Row]:
    """Return the patients at each place of the curve before and after RT, in all, with ASL and without."""
    rows: list[Row] = []
    for group, member in GROUPS.items():
        patients = cohort.filter(member)
        for sample in SAMPLES:
            topic = Topic(CENSORING, group, f"{sample}_il7_pg_ml")
            rows += tell(topic, STATISTICS, partial(_count_places, patients, sample))
    return rows


def _count_places(patients: pl.DataFrame, sample: str) -> Finding:
    places = patients.select(place_of(sample)).to_series()
    counts = {place: int((places == place).sum()) for place in PLACES}
    n_measured, n_censored = patients.height - counts["unmeasured"], counts["below"] + counts["above"]
    has_no_limit = is_censored(sample) & pl.col(f"{sample}_il7_limit_pg_ml").is_null()
    numbers = {
        **{f"n_{place}": n for place, n in counts.items()},
        "n_measured": n_measured,
        "n_censored": n_censored,
        "percent_censored": 100 * n_censored / n_measured if n_measured else None,
        "n_without_limit": patients.filter(has_no_limit).height,
    }
    reasons = {"percent_censored": "nobody has a measured value"}
    return Finding(numbers, COUNTED_AS, n=patients.height, reasons=reasons)


def state_censoring(rows: Iterable[Row], cohort: pl.DataFrame) -> list[Row]:
    """Return the rows with, in the definition of each that reads IL-7, how many values are censored.

    Rows stay as they are where nothing is censored, so that a cohort of numbers reads as it always did.
    """
    of_numbers = {samples: _sentence(cohort, samples) for samples in {*_SAMPLES_OF.values()}}
    of_groups = _sentence_of_groups(cohort)
    return [_with_sentence(row, of_numbers, of_groups=of_groups) for row in rows]


def _with_sentence(row: Row, of_numbers: dict[tuple[str, ...], str], *, of_groups: str) -> Row:
    sentence = of_groups if row.analysis in _BY_IL7_GROUP else of_numbers.get(_samples_read(row), "")
    return row._replace(definition=f"{row.definition}. {sentence}") if sentence else row


def _samples_read(row: Row) -> tuple[str, ...]:
    if row.analysis in _LISTWISE and row.group != "univariate":
        return _LISTWISE[row.analysis]
    return _SAMPLES_OF.get(row.variable, ())


def _sentence(cohort: pl.DataFrame, samples: tuple[str, ...]) -> str:
    n = cohort.filter(pl.any_horizontal(is_censored(sample) for sample in samples)).height
    words = " or ".join(SAMPLES[sample] for sample in samples)
    if not n:
        return ""
    return f"IL-7 {words} is censored in {n} of all {cohort.height} patients, who count as without a value"


def _sentence_of_groups(cohort: pl.DataFrame) -> str:
    censored = cohort.filter(is_censored("pre_rt"))
    n_grouped = censored.height - censored["il7_group"].null_count()
    if censored.is_empty():
        return ""
    return (
        f"IL-7 before RT is censored in {censored.height} of all {cohort.height} patients; {n_grouped} of "
        "them are in a group, since the limit tells which"
    )
