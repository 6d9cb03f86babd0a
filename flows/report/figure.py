"""What a figure of the report is: its SVG and its words.

Here: the shape, and the figure that says why there is none. Not here: any figure (`flows.report.figures` and
the modules it calls).
"""

from collections.abc import Callable
from dataclasses import dataclass

from flows.drawing.heading import Heading
from flows.drawing.reason import draw_reason
from flows.report.context import ReportContext
from flows.report.numbering import figure_file, figure_number


@dataclass(frozen=True)
class ReportFigure:
    """A figure of the page: its name, its SVG, its words for who cannot see it, its caption."""

    name: str
    svg: bytes
    alt: str
    caption: str

    @property
    def number(self) -> str:
        """The study's own number for it ("Figure 1B"); empty for a figure that the study does not have."""
        return figure_number(self.name)

    @property
    def file(self) -> str:
        """The name of its file, without its ending."""
        return figure_file(self.name)


FigureMaker = Callable[[ReportContext], ReportFigure]


def figure_of_reason(name: str, heading: Heading, note: str) -> ReportFigure:
    """Return the figure that says why there is none."""
    return ReportFigure(name, draw_reason(heading, note), alt=f"Empty: {note}", caption="")
