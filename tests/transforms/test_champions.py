"""The ledger of champions: who served on any date, and what it refuses."""

from dataclasses import replace
from datetime import date

import polars as pl
import pytest

from transforms.champions import (
    Entry,
    PastJudgements,
    champion_on,
    empty_ledger,
    past_judgements,
    reigns,
    require_continuation,
    with_entry,
)
from transforms.errors import DamagedFileError, NadirError, UsageError
from transforms.schemas.prediction import PROMOTIONS

ENTRY = Entry(
    question="before_rt",
    night=date(2026, 3, 1),
    challenger_version=1,
    champion_before=None,
    decision="PROMOTE",
    decided_by="night",
    n_events_judged=41,
    gates="[]",
    figures="{}",
    data_sha256="a" * 64,
    definition="asl 1",
    code_version="0.1.0",
)


def night(month, day):
    return date(2026, month, day)


def ledger_of(*entries):
    ledger = empty_ledger()
    for entry in entries:
        ledger = with_entry(ledger, entry)
    return ledger


SECOND_HELD = replace(
    ENTRY, night=night(4, 1), challenger_version=2, champion_before=1, decision="HOLD", n_events_judged=33
)
THIRD_PROMOTED = replace(
    SECOND_HELD, night=night(5, 1), challenger_version=3, decision="PROMOTE", n_events_judged=70
)
BACK_TO_1 = replace(
    THIRD_PROMOTED,
    night=night(5, 9),
    challenger_version=1,
    champion_before=3,
    decision="ROLLBACK",
    decided_by="Dr Kim: the odds are off at site B",
    n_events_judged=None,
)
WHOLE = ledger_of(ENTRY, SECOND_HELD, THIRD_PROMOTED, BACK_TO_1)


@pytest.mark.parametrize(
    ("day", "version"),
    [
        (night(2, 28), None),
        (night(3, 1), 1),
        (night(4, 1), 1),
        (night(4, 30), 1),
        (night(5, 1), 3),
        (night(5, 8), 3),
        (night(5, 9), 1),
        (date(2030, 1, 1), 1),
    ],
)
def test_the_ledger_says_who_served_on_any_date(day, version):
    assert champion_on(WHOLE, day, "before_rt") == version
    assert champion_on(WHOLE.sample(fraction=1.0, shuffle=True, seed=2), day, "before_rt") == version


def test_questions_have_champions_of_their_own():
    during = replace(ENTRY, question="during_rt", challenger_version=9)
    both = with_entry(WHOLE, during)
    assert champion_on(both, night(6, 1), "during_rt") == 9
    assert champion_on(both, night(6, 1), "before_rt") == 1
    assert both.filter(question="during_rt")["entry"].to_list() == [1]


def test_reigns_follow_one_another():
    assert reigns(WHOLE, "before_rt").rows() == [
        (1, night(3, 1), night(5, 1), "night"),
        (3, night(5, 1), night(5, 9), "night"),
        (1, night(5, 9), None, "Dr Kim: the odds are off at site B"),
    ]


def test_a_ledger_has_its_tables_columns_and_numbers_its_entries():
    assert WHOLE.schema == PROMOTIONS.polars_schema
    assert WHOLE["entry"].to_list() == [1, 2, 3, 4]


def test_of_two_decisions_of_one_night_the_later_counts():
    same_night = replace(BACK_TO_1, night=night(5, 1))
    assert champion_on(ledger_of(ENTRY, THIRD_PROMOTED, same_night), night(5, 1), "before_rt") == 1


def test_comparisons_with_a_champion_are_counted_whatever_came_of_them():
    too_few = replace(SECOND_HELD, night=night(5, 20), decision="NOT_ENOUGH_NEW_EVENTS", n_events_judged=None)
    ledger = with_entry(WHOLE, too_few)
    assert past_judgements(ledger, "before_rt", champion=1) == PastJudgements(2, 70)
    assert past_judgements(ledger, "before_rt", champion=3) == PastJudgements()
    assert past_judgements(ledger, "before_rt", champion=None) == PastJudgements(1, 41)


def test_a_night_run_again_tells_nothing_twice():
    again = with_entry(WHOLE, replace(THIRD_PROMOTED, champion_before=3, decision="HOLD"))
    assert again is WHOLE


def test_an_entry_before_the_last_one_is_refused():
    with pytest.raises(NadirError, match="2026-05-08 came after one of 2026-05-09"):
        with_entry(WHOLE, replace(SECOND_HELD, night=night(5, 8), challenger_version=7))


def test_an_entry_made_against_another_champion_is_refused():
    with pytest.raises(NadirError, match="champion 3, the ledger has 1"):
        with_entry(WHOLE, replace(SECOND_HELD, night=night(6, 1), champion_before=3))


def test_the_champion_is_not_promoted_over_itself():
    with pytest.raises(NadirError, match="promoted over itself"):
        with_entry(WHOLE, replace(THIRD_PROMOTED, night=night(6, 1), challenger_version=1))


@pytest.mark.parametrize("change", [{"decision": "MAYBE"}, {"decided_by": " "}, {"gates": "not json"}])
def test_an_entry_in_other_words_is_refused(change):
    with pytest.raises(NadirError):
        with_entry(empty_ledger(), replace(ENTRY, **change))


@pytest.mark.parametrize("version", [2, 1, 8])
def test_a_rollback_goes_to_a_version_that_served_and_does_not_now(version):
    back = replace(BACK_TO_1, night=night(6, 1), champion_before=1, challenger_version=version)
    with pytest.raises(UsageError, match=r"versions \[1, 3\] have served"):
        with_entry(WHOLE, back)


def test_a_ledger_that_only_grew_is_a_continuation():
    for before in (empty_ledger(), WHOLE.head(2), WHOLE):
        assert require_continuation(before, WHOLE) is None


@pytest.mark.parametrize(
    "after",
    [
        WHOLE.head(3),
        WHOLE.with_columns(decision=pl.col("decision").replace("HOLD", "PROMOTE")),
        WHOLE.filter(pl.col("entry") != 2),
        WHOLE.with_columns(champion_before=pl.lit(None, pl.Int64)),
    ],
)
def test_a_ledger_that_was_rewritten_is_found(after):
    with pytest.raises(DamagedFileError, match="ledger of champions"):
        require_continuation(WHOLE, after)


@pytest.mark.parametrize("change", [{"entry": 6}, {"entry": 5, "night": night(5, 2)}])
def test_entries_put_in_between_are_found(change):
    added = (
        WHOLE.tail(1)
        .with_columns(entry=pl.lit(5, pl.Int64))
        .with_columns(pl.lit(value, WHOLE.schema[name]).alias(name) for name, value in change.items())
    )
    with pytest.raises(DamagedFileError, match="numbered"):
        require_continuation(WHOLE, pl.concat([WHOLE, added]))
