"""How lifelines is called here: silently, and never on data without an event.

Here: what its callers share. Not here: any estimate (its siblings).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np

from models.estimate import Flags
from transforms.errors import NotEstimableError


@contextmanager
def quiet_lifelines() -> Iterator[None]:
    """Silence lifelines, which warns of what is tested exactly here and sets numpy's error state for good."""
    with warnings.catch_warnings(), np.errstate():
        warnings.simplefilter("ignore")
        yield


def refuse_no_events(events: Flags) -> None:
    """Raise `NotEstimableError` where nobody has the event."""
    if not events.any():
        raise NotEstimableError(f"no events among {len(events)} patients")
