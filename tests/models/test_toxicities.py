"""Supplementary table 2, drawn: patients and toxicities in, counts, percents and tests out."""

import polars as pl
import pytest

from models.study.rows import frame_of
from models.study.toxicities import CONTRASTS, COUNTS, GROUPS, TESTS, describe_toxicities
from tests.models.synthetic_cohort import make_cohort
from tests.reference.competing import competing
from tests.tables import complete, draw
from transforms.schemas import COHORT, TOXICITIES

FOUR_PATIENTS = """
    patient_id | has_asl | il7_group
    -----------+---------+----------
    1          | T       | il7_low
    2          | T       | il7_high
    3          | F       | il7_low
    4          |         |
"""
NONE = TOXICITIES.polars_schema.to_frame()


def cohort_of(drawing: str) -> pl.DataFrame:
    schema = COHORT.polars_schema
    return complete(draw(schema, drawing, site="A", rt_start_date="2024-03-01"), schema)


def toxicities_of(drawing: str) -> pl.DataFrame:
    schema = TOXICITIES.polars_schema
    drawn = draw(schema, drawing, site="A")
    if "onset_date" not in drawn.columns:
        drawn = drawn.with_columns(onset_date=pl.date(2024, 3, 20))
    return drawn.select(schema.names())


def described(toxicities: pl.DataFrame, cohort: str = FOUR_PATIENTS) -> pl.DataFrame:
    return frame_of(describe_toxicities(cohort_of(cohort), toxicities))


def counts_of(frame: pl.DataFrame, word: str, level: str = "any_grade") -> dict[str, float]:
    rows = frame.filter(variable=word, level=level, statistic="n")
    return dict(rows.select("group", "value").iter_rows())


def test_a_patient_counts_once_for_a_term_by_the_worst_grade():
    frame = described(
        toxicities_of(
            """
            patient_id | term    | ctcae_grade
            -----------+---------+------------
            1          | Nausea  | 1
            1          | nausea  | 3
            3          | Nausea  | 2
            4          | Fatigue | 4
            """
        )
    )
    by_group = {"all": 2, "asl": 1, "no_asl": 1, "il7_low": 2, "il7_high": 0}
    assert counts_of(frame, "nausea") == by_group
    assert counts_of(frame, "nausea", "grade_3_or_worse") == by_group | {"all": 1, "no_asl": 0, "il7_low": 1}
    assert counts_of(frame, "any")["all"] == 3


def test_a_patient_without_a_row_counts_as_without_and_an_unknown_group_counts_in_all_alone():
    frame = described(toxicities_of("patient_id | term | ctcae_grade \n 1 | Nausea | 1"))
    percent = frame.filter(variable="nausea", level="any_grade", statistic="percent")
    assert dict(percent.select("group", "value").iter_rows()) == {
        "all": 25,
        "asl": 50,
        "no_asl": 0,
        "il7_low": 50,
        "il7_high": 0,
    }
    assert percent["n"].to_list() == [4, 2, 1, 2, 1]


def test_what_began_before_rt_and_who_is_not_in_the_cohort_do_not_count():
    frame = described(
        toxicities_of(
            """
            patient_id | term   | ctcae_grade | onset_date
            -----------+--------+-------------+-----------
            1          | Nausea | 3           | 2024-02-29
            2          | Nausea | 1           | 2024-03-01
            99         | Nausea | 5           | 2024-03-20
            """
        )
    )
    assert counts_of(frame, "nausea")["all"] == 1
    assert counts_of(frame, "nausea", "grade_3_or_worse")["all"] == 0


@pytest.mark.parametrize(
    ("term", "word"),
    [
        ("Blood bilirubin increased", "blood_bilirubin_increased"),
        ("  Weight loss (>10 %) ", "weight_loss_10"),
        ("오심", "오심"),
        ("Any", "term_any"),
        ("other terms", "term_other_terms"),
        ("???", "term_"),
    ],
)
def test_a_term_becomes_a_word_that_is_none_of_the_tables_own(term, word):
    frame = described(
        NONE.clear().vstack(toxicities_of(f"patient_id | term | ctcae_grade \n 1 | {term} | 1"))
    )
    assert frame["variable"].unique().sort().to_list() == sorted(["any", word])


def test_the_15_most_frequent_terms_stand_by_themselves_and_the_rest_together():
    # Term 1 was had by patient 1, term 2 by patients 1 and 2, and so on.
    rows = [f"{patient} | term {term:02} | 1" for term in range(1, 21) for patient in range(1, term + 1)]
    toxicities = toxicities_of("patient_id | term | ctcae_grade\n" + "\n".join(rows))
    patients = "patient_id\n" + "\n".join(str(number) for number in range(1, 31))
    frame = described(toxicities, cohort=patients)
    words = frame["variable"].unique(maintain_order=True).to_list()
    assert words == ["any", *(f"term_{term:02}" for term in range(6, 21)), "other_terms"]
    assert counts_of(frame, "other_terms")["all"] == 5
    assert counts_of(frame, "any")["all"] == 20


def test_the_tests_are_pearsons_and_fishers():
    cohort, _ = make_cohort(98, seed=7)
    cohort = cohort.with_columns(has_asl=pl.int_range(pl.len()) < 41)
    had_it = pl.concat([cohort.head(29), cohort.tail(24)]).select("site", "patient_id", "rt_start_date")
    toxicities = had_it.select(
        "site", "patient_id", onset_date="rt_start_date", term=pl.lit("Nausea"), ctcae_grade=pl.lit(3)
    ).cast(dict(TOXICITIES.polars_schema))
    frame = frame_of(describe_toxicities(cohort, toxicities))
    rows = frame.filter(group="asl_vs_no_asl", variable="nausea", level="grade_3_or_worse")
    found = dict(rows.select("statistic", "value").iter_rows())
    # The study prints 0.005 for this table (29, 12, 24, 33).
    assert round(found["p"], 3) == 0.005
    assert found["p_fisher"] == pytest.approx(competing("fisher")["29_12_24_33"]["p"])
    assert found["smallest_expected"] == pytest.approx(41 * 45 / 98)


def test_every_topic_has_its_statistics():
    frame = described(toxicities_of("patient_id | term | ctcae_grade \n 1 | Nausea | 1"))
    topics = frame.group_by("group", "variable", "level").agg("statistic")
    assert topics.height == 2 * 2 * (len(GROUPS) + len(CONTRASTS))
    for group, _, _, statistics in topics.iter_rows():
        assert tuple(statistics) == (TESTS if group in CONTRASTS else COUNTS)


def test_without_any_toxicity_the_rows_stand_and_the_tests_say_why_not():
    frame = described(NONE)
    assert frame["variable"].unique().to_list() == ["any"]
    shares = frame.filter(pl.col("statistic").is_in(COUNTS))
    assert shares["value"].to_list() == [0] * shares.height
    tests = frame.filter(pl.col("statistic").is_in(TESTS))
    assert tests["value"].null_count() == tests.height
    assert tests["definition"].str.starts_with("Not estimated: nobody in either group had it").all()


def test_an_empty_group_has_no_percent():
    frame = described(NONE, cohort="patient_id | has_asl \n 1 | T \n 2 | T")
    percent = frame.filter(group="no_asl", level="any_grade", statistic="percent")
    assert percent["value"].to_list() == [None]
    assert percent["definition"].item().startswith("Not estimated: nobody is in the group")


def test_the_order_of_rows_does_not_matter():
    toxicities = toxicities_of(
        """
        patient_id | term    | ctcae_grade
        -----------+---------+------------
        1          | Nausea  | 1
        1          | Nausea  | 3
        2          | Fatigue | 2
        4          | Pain    | 1
        """
    )
    one = describe_toxicities(cohort_of(FOUR_PATIENTS), toxicities)
    other = describe_toxicities(cohort_of(FOUR_PATIENTS).reverse(), toxicities.reverse())
    assert one == other
