"""What must be true of a blood count beside the rest of its patient's course.

Here: the rules and the measures they look at. Not here: how these are measured
(`transforms.counts.course_checks`), ranges of single values and dates before RT (`rules_courses`). A count
that breaks one stays in `counts` and is left out of the cohort. Read by `expectations.rules`.
"""

from expectations.rule import Rule, is_true
from transforms.counts import course_checks
from transforms.schemas.table import Column

TABLE = "count_plausibility"

_CHECK_UNIT = "Check value, unit and decimal mark with the laboratory, correct them and send the file again"
_NOTHING_BESIDE = "Nothing stands beside the count to tell by: it passes"

_MEANINGS = {
    "is_no_percentage": "Whether the value is another number than the lymphocyte percentage of its sample",
    "is_within_leukocytes": "Whether the count is no higher than the leukocytes of its sample",
    "is_no_thousandth": "Whether the count is no thousandth of a count",
    "is_not_many_times_its_neighbours": "Whether the count does not tower over the counts around it",
    "is_drawn_in_life": "Whether the blood was drawn before the patient's death",
    "is_undisputed": "Whether no other value of that moment contradicts the count",
}
# What `judge_courses` adds to the counts before they are validated.
PLAUSIBILITY_HELPERS = tuple(
    Column(name, dtype, _MEANINGS[name]) for name, dtype in course_checks.MEASURES.items()
)

PLAUSIBILITY_RULES = (
    Rule(
        name="count_is_drawn_in_life",
        table=TABLE,
        column="collected_at",
        **is_true(
            "is_drawn_in_life",
            found="a count more than a day after the patient's death",
            expected="blood drawn up to the day after death_date, by any clock",
            null_means="The patient is not known to have died: it passes",
        ),
        reason="The date is wrong, or the count is another patient's. Draws on several days after death "
        "pass: then the day of death is in doubt, not they.",
        remedy="Compare collected_at with death_date in follow_up, and send the one that is wrong again",
    ),
    Rule(
        name="count_is_not_its_percentage",
        table=TABLE,
        column="value",
        **is_true(
            "is_no_percentage",
            found="the lymphocyte percentage of the same sample",
            expected="an absolute count; both are equal only where leukocytes are 100 or 100,000 cells/uL",
            null_means="No percentage of the same sample: it passes",
        ),
        reason="A percentage filed as a count reads as less than 100 cells/uL, as severe lymphopenia that is "
        "none, or as thousands where there are hundreds.",
        remedy="Send the absolute count, or the percentage under its own code (LOINC 736-9)",
    ),
    Rule(
        name="count_is_no_thousandth_of_a_count",
        table=TABLE,
        column="tlc_cells_per_ul",
        **is_true(
            "is_no_thousandth",
            found="a count below 5 cells/uL that is a fraction of a cell, or a hundredth of its neighbours",
            expected="whole cells; zero, or 5 cells/uL and more, whatever the course was",
            null_means=_NOTHING_BESIDE,
        ),
        reason="0.35 cells/uL is 0.35 x 10*3/uL under the wrong unit. Counts of 5 cells/uL and more, and "
        "zero, are never refused for being low: low is the finding.",
        remedy=_CHECK_UNIT,
    ),
    Rule(
        name="count_is_not_many_times_its_neighbours",
        table=TABLE,
        column="tlc_cells_per_ul",
        **is_true(
            "is_not_many_times_its_neighbours",
            found="a count many times those before and after it, as a lost decimal mark makes it",
            expected="below 3 times both neighbours within 14 days (and 6 times their mean), below 7 times "
            "both within 45 days, below 5 times the two before it where none follows, and below 8 times the "
            "patient's median above 5,000 cells/uL",
            null_means=_NOTHING_BESIDE,
        ),
        reason="A lost decimal mark or a unit slip makes ten, a hundred or a thousand times of a low count "
        "and hides a nadir. The range alone lets 3,500 for 350 pass. Falls are never judged.",
        remedy=_CHECK_UNIT,
    ),
    Rule(
        name="count_is_within_its_leukocytes",
        table=TABLE,
        column="tlc_cells_per_ul",
        **is_true(
            "is_within_leukocytes",
            found="more lymphocytes than leukocytes in the same sample",
            expected="a count up to the leukocytes and 50 cells/uL of rounding; any count below 200 cells/uL",
            null_means="No leukocytes of the same sample, or below 100 cells/uL and in doubt: it passes",
        ),
        reason="Lymphocytes are leukocytes: one of the two has a wrong unit or value. Below 200 cells/uL it "
        "is severe lymphopenia whichever is right.",
        remedy="Check the units of both results with the laboratory and send the wrong one again",
    ),
    Rule(
        name="count_is_undisputed",
        table=TABLE,
        column="tlc_cells_per_ul",
        **is_true(
            "is_undisputed",
            found="another value of the same moment that differs by more than 50 cells/uL and a tenth",
            expected="one value for one moment, or one that its laboratory calls corrected or amended",
            null_means="The count breaks another rule and is compared with none",
        ),
        reason="Nothing tells which of the two the patient had. Values that all lie below 200 cells/uL, or "
        "that low counts before and after confirm, pass: they say the same.",
        remedy="Ask the laboratory which holds, and send it as corrected or the other as entered in error",
    ),
)
