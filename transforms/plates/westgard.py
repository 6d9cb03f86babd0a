"""Westgard's rules: which control values say that a run is out of control.

Here: the rules on z, how many standard deviations a value lies from its guide set's mean. Not here: the guide
sets (`transforms.plates.control_chart`, which calls it). Source: Westgard et al. 1981, Clin Chem 27:493.
"""

from collections.abc import Sequence

import polars as pl

_Z = pl.col("z")


def breaks_1_2s(z: pl.Expr) -> pl.Expr:
    """1_2s, a warning: one value lies more than 2 standard deviations from the mean."""
    return _in_a_row(z, n=1, beyond=2)


def breaks_1_3s(z: pl.Expr) -> pl.Expr:
    """1_3s: one value lies more than 3 standard deviations from the mean."""
    return _in_a_row(z, n=1, beyond=3)


def breaks_2_2s(z: pl.Expr) -> pl.Expr:
    """2_2s: this value and the one before it lie more than 2 standard deviations out, on the same side."""
    return _in_a_row(z, n=2, beyond=2)


def breaks_4_1s(z: pl.Expr) -> pl.Expr:
    """4_1s: this value and the three before it lie more than 1 standard deviation out, on the same side."""
    return _in_a_row(z, n=4, beyond=1)


def breaks_10_x(z: pl.Expr) -> pl.Expr:
    """10_x: this value and the nine before it lie on the same side of the mean."""
    return _in_a_row(z, n=10, beyond=0)


def breaks_2_2s_across(z: pl.Expr, *, run: Sequence[str], is_level: pl.Expr) -> pl.Expr:
    """2_2s across materials: in one run, two levels of the control lie more than 2 out, on the same side."""
    is_high, is_low = is_level & (z > 2), is_level & (z < -2)
    return (is_high & (is_high.sum().over(run) > 1)) | (is_low & (is_low.sum().over(run) > 1))


def breaks_r_4s(z: pl.Expr, *, run: Sequence[str], is_level: pl.Expr) -> pl.Expr:
    """R_4s: in one run, one level of the control lies above +2 and another below -2 standard deviations.

    As in the original it is held within a run, across the levels of the control: a random error, which two
    consecutive runs cannot tell from a shift. Where a run has one level, no value breaks it. It marks the
    values beyond the limits, and no others of the run.
    """
    is_high, is_low = is_level & (z > 2), is_level & (z < -2)
    return (is_high & is_low.any().over(run)) | (is_low & is_high.any().over(run))


# Each is read along one line of the chart, ordered by time.
_ALONG_A_LINE = {
    "1_2s": breaks_1_2s,
    "1_3s": breaks_1_3s,
    "2_2s": breaks_2_2s,
    "4_1s": breaks_4_1s,
    "10_x": breaks_10_x,
}
RULES = ("1_2s", "1_3s", "2_2s", "R_4s", "4_1s", "10_x")
WARNINGS = ("1_2s",)


def judge(
    points: pl.DataFrame, *, line: Sequence[str], run: Sequence[str], is_level: pl.Expr
) -> pl.DataFrame:
    """Return the points with `rules_broken` ('1_2s, 2_2s'; empty for none) and `verdict`.

    'out of control' where any rule but the warning 1_2s breaks, 'warning' where that alone does, 'no guide
    set' where z is empty, else 'in control'. Such a point breaks no rule and ends a row of values.

    points: has z, the columns that name a line (one quantity over time) and those that name a run (one plate
    and analyte); ordered by time within each line. is_level: whether a point is a level of the control.
    """
    broken = {name: breaks(_Z).over(line) for name, breaks in _ALONG_A_LINE.items()}
    broken["2_2s"] |= breaks_2_2s_across(_Z, run=run, is_level=is_level)
    broken["R_4s"] = breaks_r_4s(_Z, run=run, is_level=is_level)
    flags = {name: broken[name].fill_null(value=False) for name in RULES}
    names = [pl.when(name).then(pl.lit(name)) for name in RULES]
    return (
        points.with_columns(**flags)
        .with_columns(
            rules_broken=pl.concat_str(names, separator=", ", ignore_nulls=True).replace("", None),
            verdict=_verdict(),
        )
        .drop(RULES)
    )


def _in_a_row(z: pl.Expr, *, n: int, beyond: float) -> pl.Expr:
    # The lowest of n values tells whether all lie above; where one of them is empty, neither is told.
    return (z.rolling_min(n) > beyond) | (z.rolling_max(n) < -beyond)


def _verdict() -> pl.Expr:
    return (
        pl.when(_Z.is_null())
        .then(pl.lit("no guide set"))
        .when(pl.any_horizontal(name for name in RULES if name not in WARNINGS))
        .then(pl.lit("out of control"))
        .when(pl.any_horizontal(WARNINGS))
        .then(pl.lit("warning"))
        .otherwise(pl.lit("in control"))
    )
