"""False discovery rates beside the p values of a table."""

from models.study.multiplicity import add_false_discovery_rates
from models.study.rows import Row


def row(variable: str, p: float | None, *, group: str = "univariate", statistic: str = "p") -> Row:
    return Row("cox_os", group, variable, "", statistic, p, 98, 67, "Cox")


def test_each_p_of_a_family_is_followed_by_its_rate():
    rows = add_false_discovery_rates([row("a", 0.01), row("a", 2.0, statistic="hr"), row("b", 0.04)])
    assert [(one.variable, one.statistic, one.value) for one in rows] == [
        ("a", "p", 0.01),
        ("a", "q", 0.02),
        ("a", "hr", 2.0),
        ("b", "p", 0.04),
        ("b", "q", 0.04),
    ]
    assert "over the 2 p values of cox os, univariate" in rows[1].definition


def test_a_p_that_is_missing_has_no_rate_and_counts_in_none():
    rows = add_false_discovery_rates([row("a", 0.01), row("b", None)])
    assert [one.value for one in rows] == [0.01, 0.01, None, None]
    assert rows[3].definition == "Not estimated: there is no p"


def test_the_multivariate_p_are_no_family_since_elimination_chose_them():
    assert add_false_discovery_rates([row("a", 0.01, group="multivariate")]) == [
        row("a", 0.01, group="multivariate")
    ]
