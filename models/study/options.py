"""What a statistician may choose so that numbers match other software; the defaults are the study's own.

Here: the choices. Not here: where they are set (`flows.settings`). Called by the modules of this folder.
"""

import json
from dataclasses import asdict, dataclass
from typing import Self

from models.comparisons import Variances
from models.selection import RemovalTest
from models.survival.partial_likelihood import Ties


@dataclass(frozen=True)
class StudyOptions:
    """How the study's models are fitted and checked.

    `ties`: R takes Efron's by default, SPSS Breslow's. `resamples` and `imputations` are how many are asked
    for; 0 leaves the analysis out, with that reason in its rows.
    """

    ties: Ties = "efron"
    removal_test: RemovalTest = "wald"
    removal_p: float = 0.10
    variances: Variances = "equal"
    resamples: int = 200
    imputations: int = 20
    seed: int = 20161

    def as_json(self) -> str:
        """Return the options as JSON, as a night keeps them."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str | None) -> Self:
        """Read what `as_json` wrote; a night from before there were options had the defaults."""
        return cls(**json.loads(text)) if text else cls()
