"""What stands over a figure, and in its corner.

Here: the words. Not here: looks (`flows.drawing.style`). Called by whoever has a figure drawn.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Heading:
    """A figure's title, and the stamp in its corner that says where the data come from."""

    title: str
    stamp: str = ""
