"""Names on a plate that are one although files spell them apart: analytes, samples, sections.

Here: how a spelling becomes the platform's. Not here: reading files. Called by the reader of exports, by the
rules that hold sections of one file against each other, and by the simulator.
"""

import re

_HYPHENS = str.maketrans("‐‑‒–−", "-----")
_BACKGROUND = re.compile(r"background\d*", re.ASCII)
_IL7 = re.compile(
    r"(?:[(\[]?\d{1,3}[)\]]?[\s_-]+)?(?:human|hu|h|rh)?[\s_-]*(?:il|interleukin)[\s_-]*7(?:[\s_-]*[(\[]\s*\d{1,3}\s*[)\]])?",
    re.IGNORECASE,
)


def standard_analyte_name(name: str) -> str:
    """Return the platform's spelling of an analyte: 'IL-7' for IL7, 'IL-7 (33)', 'Human IL-7', interleukin 7.

    Other names stay as they came, with single spaces and plain hyphens.
    """
    tidy = " ".join(name.translate(_HYPHENS).split())
    # The longest spelling is far shorter; a damaged file may hold a name of any length.
    return "IL-7" if len(tidy) <= 60 and _IL7.fullmatch(tidy) else tidy


def plain_name(name: str) -> str:
    """Return a name without blanks and capitals.

    One file spells the same standard 'Standard 1' in one section and 'Standard1' in another.
    """
    return "".join(name.split()).casefold()


def is_background_name(sample: str) -> bool:
    """Whether a sample name is the instrument's name of a background well: Background0, 'Background 1'."""
    return _BACKGROUND.fullmatch(plain_name(sample)) is not None
