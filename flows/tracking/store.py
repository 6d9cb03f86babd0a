"""Opening the MLflow store: the home's own database, or a team's server.

Here: the door. Not here: what is written there (its siblings). Called by `flows.steps`.
"""

from pathlib import Path

from flows.tracked import TrackingStore
from flows.tracking.connection import reaching
from transforms.errors import UsageError


def open_tracking(folder: Path, *, server: str | None = None) -> TrackingStore:
    """Open the MLflow store: a server's where an address is given, else a SQLite database in `folder`.

    The first call in an empty folder takes some seconds, for MLflow then makes its tables.
    """
    if server is not None and not server.startswith(("http://", "https://")):
        raise UsageError("MLflow's address: http://... or https://... was expected. Correct the setting.")
    if server is None:
        store = TrackingStore(f"sqlite:///{folder.resolve() / 'mlflow.db'}", folder.resolve() / "artifacts")
    else:
        store = TrackingStore(server, None)
    with reaching(store) as client:
        if store.artifact_root is not None:
            store.artifact_root.mkdir(parents=True, exist_ok=True)
        client.search_experiments(max_results=1)
    return store
