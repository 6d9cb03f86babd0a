"""A figure that cannot be drawn says why.

Here: that figure. Called by every other figure and by `flows.report.figures`.
"""

from matplotlib.figure import Figure

from flows.drawing.heading import Heading
from flows.drawing.style import MUTED, WIDTH_INCHES, styled, svg_of


@styled
def draw_reason(heading: Heading, reason: str) -> bytes:
    """Draw an empty figure that says in words why it is empty."""
    figure = Figure(figsize=(WIDTH_INCHES, 2.0))
    axes = figure.subplots()
    axes.axis("off")
    axes.text(0.5, 0.5, reason, ha="center", va="center", color=MUTED, wrap=True, transform=axes.transAxes)
    return svg_of(figure, heading)
