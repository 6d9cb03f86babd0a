"""How lifelines is called here: silently.

Here: what its callers share. Not here: any estimate (its siblings).
"""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np


@contextmanager
def quiet_lifelines() -> Iterator[None]:
    """Silence lifelines, which warns of what is tested exactly here and sets numpy's error state for good."""
    with warnings.catch_warnings(), np.errstate():
        warnings.simplefilter("ignore")
        yield
