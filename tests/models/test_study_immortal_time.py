"""Naive and guarded hazard ratios of ASL and of recovery, as rows of the night."""

import polars as pl
import pytest

from models.study.immortal_time import estimate_immortal_time
from models.study.rows import frame_of
from models.study.selected_model import COX_OS, select_model
from models.survival.cox import fit_cox
from models.survival.log_rank import compare_log_rank
from tests.models.study_data import QUICK
from tests.models.synthetic_cohort import make_cohort

COHORT = make_cohort()[0]


def rows_of(cohort: pl.DataFrame = COHORT) -> pl.DataFrame:
    return frame_of(estimate_immortal_time(cohort, select_model(cohort, COX_OS, QUICK), QUICK))


def found(rows: pl.DataFrame, group: str, variable: str, *, level: str = "univariate") -> dict[str, float]:
    chosen = rows.filter(group=group, variable=variable, level=level)
    return dict(chosen.select("statistic", "value").rows())


def test_the_naive_ratio_of_asl_is_the_studys_own():
    fit = fit_cox(
        COHORT.select(asl=pl.col("has_asl").cast(pl.Float64)),
        COHORT["os_months"].to_numpy(),
        COHORT["has_died"].to_numpy(),
    )
    assert found(rows_of(), "naive", "asl")["hr"] == pytest.approx(fit.coefficients[0].ratio.value, rel=1e-9)


def test_the_naive_and_the_guarded_model_are_of_the_same_patients_and_variables():
    counted = rows_of().filter(variable="asl", level="multivariate", statistic="hr")
    assert counted["events"].n_unique() == 1
    assert counted["value"].null_count() == 0


def test_asl_from_the_first_day_on_leaves_nothing_to_guard():
    rows = rows_of(COHORT.with_columns(asl_onset_months=pl.when("has_asl").then(0.0)))
    for level in ("univariate", "multivariate"):
        naive, guarded = (found(rows, group, "asl", level=level) for group in ("naive", "time_dependent"))
        assert guarded == pytest.approx(naive, rel=1e-8)


def test_a_landmark_counts_only_who_is_followed_beyond_it_and_from_it_on():
    rows = rows_of()
    with_asl = COHORT.filter("has_asl")
    followed = with_asl.filter(pl.col("os_months") > 2, pl.col("has_recovered").is_not_null())
    months, died = followed["os_months"].to_numpy() - 2, followed["has_died"].to_numpy()
    fit = fit_cox(followed.select(recovered=pl.col("has_recovered").cast(pl.Float64)), months, died)
    guarded = found(rows, "landmark_2m", "recovered")
    assert guarded["hr"] == pytest.approx(fit.coefficients[0].ratio.value, rel=1e-9)
    assert guarded["n_left_out"] == with_asl.height - followed.height
    assert guarded["p_log_rank"] == pytest.approx(
        compare_log_rank(months, died, followed["has_recovered"]).p, rel=1e-9
    )


def test_whoever_dies_before_the_landmark_changes_the_naive_ratio_alone():
    early = pl.col("has_asl") & pl.col("has_recovered") & (pl.col("patient_id").str.ends_with("1"))
    shortened = COHORT.with_columns(
        os_months=pl.when(early).then(1.0).otherwise("os_months"),
        has_died=pl.when(early).then(True).otherwise("has_died"),
    )
    before, after = rows_of(COHORT.filter(~early.fill_null(False))), rows_of(shortened)
    assert found(after, "naive", "recovered")["hr"] > found(before, "naive", "recovered")["hr"]
    same = ("hr", "ci_low", "ci_high", "p")
    for landmark in ("landmark_2m", "landmark_2_5m"):
        first, second = (found(rows, landmark, "recovered") for rows in (before, after))
        assert [first[name] for name in same] == pytest.approx([second[name] for name in same], rel=1e-9)


def test_without_asl_every_row_says_why():
    rows = rows_of(COHORT.filter(~pl.col("has_asl")))
    assert rows["value"].null_count() == rows.filter(pl.col("statistic") != "n_left_out").height + 3
    assert rows["definition"].str.starts_with("Not estimated: ").all()
