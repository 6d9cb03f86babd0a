"""What the platform writes about its predictors: the ledger of which version serves, and why.

Here: the ledger's table and its words. Not here: scores (`schemas.scores`), how an entry is made or refused
(`transforms.champions`). Called by them and by `models.prediction.promotion`.
"""

from transforms.schemas.table import Table, day, integer, text

PROMOTE, HOLD, REJECT = "PROMOTE", "HOLD", "REJECT"
NOT_ENOUGH_NEW_EVENTS = "NOT_ENOUGH_NEW_EVENTS"
# A night decides with one of four words; the fifth is a person's.
NIGHT_DECISIONS = (PROMOTE, HOLD, REJECT, NOT_ENOUGH_NEW_EVENTS)
ROLLBACK = "ROLLBACK"
# After these the version that the entry names is champion.
CROWNING = (PROMOTE, ROLLBACK)

PROMOTIONS = Table(
    name="promotions",
    key=("question", "entry"),
    columns=(
        text("question", "Which of the predictor's questions: before_rt, during_rt", required=True),
        integer("entry", "Number of the entry for that question, from 1 on without a gap", required=True),
        day("night", "Night of the decision; what it crowns serves from that night on", required=True),
        integer("challenger_version", "Version that was judged, or gone back to", required=True),
        integer("champion_before", "Version that served until then; empty where there was none"),
        text("decision", "What was decided", required=True, allowed=(*NIGHT_DECISIONS, ROLLBACK)),
        text("decided_by", "night, or a person's word for who went back and why", required=True),
        integer("n_events_judged", "New events that the comparison saw; empty where none was made"),
        text("gates", "The gates as JSON: name, is_open, found, required, if_closed", required=True),
        text("figures", "The figures of the gates as JSON, by name", required=True),
        text("data_sha256", "Hash of the rows that were judged", required=True),
        text("definition", "Definition of the outcome, with its version", required=True),
        text("code_version", "Version of Nadir", required=True),
    ),
)
