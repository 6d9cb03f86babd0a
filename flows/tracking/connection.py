"""A client of an open store, and what goes wrong on the way to it.

Here: what goes wrong. A disk, network or server at fault is a `WorldError`, and the caller
tries again; our own mistakes pass through. Called by its siblings alone, for its types are MLflow's.
"""

import json
from collections.abc import Iterator
from contextlib import contextmanager

import mlflow
from mlflow import MlflowClient
from mlflow.exceptions import MlflowException
from sqlalchemy.exc import SQLAlchemyError

from flows.tracked import TrackingStore, without_password
from transforms.errors import WorldError

OUR_MISTAKES = (
    "INVALID_PARAMETER_VALUE",
    "BAD_REQUEST",
    "RESOURCE_ALREADY_EXISTS",
    "RESOURCE_DOES_NOT_EXIST",
)


@contextmanager
def reaching(store: TrackingStore) -> Iterator[MlflowClient]:
    """Give a client; turn what the world does wrong into a `WorldError`, let our own mistakes through."""
    try:
        yield MlflowClient(store.address, store.address)
    except (SQLAlchemyError, OSError, json.JSONDecodeError) as error:
        raise _world_error(store, error) from error
    except MlflowException as error:
        if error.error_code in OUR_MISTAKES:
            raise
        raise _world_error(store, error) from error


def _world_error(store: TrackingStore, error: Exception) -> WorldError:
    found = without_password(str(error)).partition("\n")[0][:300].rstrip(". ")
    remedy = (
        "Check that the server runs and that the address is right"
        if store.artifact_root is None
        else "Check the folder's disk space and rights, and that no other program holds the database"
    )
    return WorldError(f"MLflow at {store.shown_address}: {found}. {remedy}, then run the night again.")


def use(store: TrackingStore) -> None:
    """Make the store the process's own: logging and loading of models know no other."""
    mlflow.set_tracking_uri(store.address)
    mlflow.set_registry_uri(store.address)
