"""Where a night's data come from, and what must stand beside everything made of them.

Here: the words. Not here: the note in a landing folder that names the origin (`flows.steps`). Read by the
report, the summary and the model card.
"""

LANDED = "landed"
SIMULATED = "simulated"
RECONSTRUCTED = "reconstructed"

_STAMPS = {
    LANDED: "",
    SIMULATED: "Simulated data: no real patient",
    RECONSTRUCTED: "Simulated pseudo-data: no real patient",
}


def stamp_of(origin: str) -> str:
    """Return what every page and figure says of data that are no patients'; nothing for landed data."""
    return _STAMPS.get(origin, f"{origin.capitalize()} data: no real patient")
