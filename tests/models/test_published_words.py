"""Every number that the study prints has its row in our estimates, under the same words."""

from pathlib import Path

import polars as pl
import pytest

from models.study.analyses import estimate_study
from tests.models.study_data import QUICK, study_data
from transforms import schemas

PUBLISHED = Path(__file__).parents[2].parent / "shared" / "paper" / "published.csv"
KEY = list(schemas.ESTIMATES.key)


def read_published() -> pl.DataFrame:
    if not PUBLISHED.exists():
        pytest.skip("the table of published numbers lies outside the project, and is not here")
    return pl.read_csv(PUBLISHED, infer_schema=False).with_columns(pl.col("level").fill_null(""))


def test_every_published_key_is_estimated():
    published, estimates = read_published(), estimate_study(study_data(), QUICK).estimates
    absent = published.join(estimates, on=KEY, how="anti")
    # Which variables stay in a multivariate model is the data's decision.
    assert absent.filter(pl.col("group") != "multivariate").select(KEY).rows() == []
    removed = estimates.filter(pl.col("analysis").str.ends_with("_elimination"))
    assert set(absent["variable"]) <= set(removed["variable"])


def test_every_published_statistic_of_the_invented_cohort_has_a_value():
    published, estimates = read_published(), estimate_study(study_data(), QUICK).estimates
    joined = published.join(estimates, on=KEY)
    assert joined.filter(pl.col("value").is_null()).select(KEY).rows() == []


def test_each_published_key_is_one_row_here_and_there():
    published = read_published()
    assert published.height == 425
    assert not published.select(KEY).is_duplicated().any()
