"""Counts of cells in cells/uL, and percentages, from any accepted spelling of their unit, exact to the digit.

Here: spellings of units and their factors. Not here: codes (`transforms.counts.codes`), what a count means
(`transforms.clinical`). Called by `transforms.counts.results` and `transforms.counts.omop`.
"""

import re
from collections.abc import Mapping

import polars as pl

_CELLS_PER_UL = (
    "/ul",
    "1/ul",
    "cells/ul",
    "cell/ul",
    "#/ul",
    "/mm3",
    "1/mm3",
    "cells/mm3",
    "cell/mm3",
    "#/mm3",
    "10*6/l",
    "10*6cells/l",
    "million/l",
    "mio/l",
    "mpt/l",
    "10*3/ml",
)
_THOUSANDS_PER_UL = (
    "10*3/ul",
    "10*3cells/ul",
    "k/ul",
    "kcells/ul",
    "th/ul",
    "tsd/ul",
    "thou/ul",
    "thous/ul",
    "thousand/ul",
    "1000/ul",
    "10*3/mm3",
    "10*3cells/mm3",
    "k/mm3",
    "th/mm3",
    "thou/mm3",
    "thous/mm3",
    "thousand/mm3",
    "1000/mm3",
    "10*9/l",
    "10*9cells/l",
    "giga/l",
    "gpt/l",
    "10*6/ml",
)
# To cells/uL, and to percent.
CELLS = dict.fromkeys(_CELLS_PER_UL, 1.0) | dict.fromkeys(_THOUSANDS_PER_UL, 1000.0)
PERCENT = dict.fromkeys(("%", "percent", "%ofwbc", "%wbc"), 1.0)

_LETTERS = str.maketrans({"µ": "u", "μ": "u", "×": "x", "³": "^3", "⁶": "^6", "⁹": "^9"})
_GIGA = re.compile(r"G\s*/\s*[lL]")
# "To the power of" is a caret, one star or two, an E, brackets or a blank: without any of these 103 is 103.
_POWER = re.compile(r"^(?:[x*]\s*)?10\s*(?:\^|\*\*?|exp|e\+?|\(|\[|\s)\s*0?([369])(?![0-9])[)\]]?")
_BARE_POWER = re.compile(r"^x?e\+?0?([369])/")
_ORNAMENTS = re.compile(r"^[x*]\s*(?=1000)|[\s\[\]{}().']")
_CUBIC_MM = re.compile(r"/(?:cumm|cmm|mm\*\*3|mm[\^*]3)$")
_MICROLITRE = re.compile(r"/(?:mcl|microlit(?:er|re))$")
_LITRE = re.compile(r"/lit(?:er|re)$")


def spelt_alike(unit: str) -> str:
    """Bring spellings of one unit together: 'x10^3/µL', '10E3/mcL' and '10*3/uL' become '10*3/ul'."""
    text = unit.strip().translate(_LETTERS)
    # Giga and grams part by their case alone.
    if _GIGA.fullmatch(text):
        return "10*9/l"
    text = _POWER.sub(r"10*\1", text.lower())
    text = _BARE_POWER.sub(r"10*\1/", text)
    text = _ORNAMENTS.sub("", text)
    return _LITRE.sub("/l", _MICROLITRE.sub("/ul", _CUBIC_MM.sub("/mm3", text)))


def in_unit(value: str, unit: pl.Series, factors: Mapping[str, float]) -> pl.Expr:
    """Return the column `value` times the factor of its unit, null where `factors` has no such unit.

    `unit` is the column of units beside it, `factors` is `CELLS` (to cells/uL) or `PERCENT`.
    """
    spellings = unit.drop_nulls().unique().to_list()
    known = {one: factors[spelt_alike(one)] for one in spellings if spelt_alike(one) in factors}
    factor = pl.col(unit.name).replace_strict(known, default=None, return_dtype=pl.Float64)
    # Six decimals are far below any analyser's resolution; rounding gives the double nearest to the
    # decimal number that was printed, so that 1.001 x 10*3/uL is 1001 and not 1000.9999999999999.
    return (pl.col(value) * factor).round(6)


def is_known_unit(unit: str) -> bool:
    """Whether a count of cells or a percentage may be given in this unit."""
    return spelt_alike(unit) in CELLS or spelt_alike(unit) in PERCENT
