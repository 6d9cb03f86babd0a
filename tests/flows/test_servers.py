"""`nadir up`, for real: servers start, runs are inserted, a worker completes one, Ctrl-C stops all."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.slow
PATIENCE_SECONDS = 300


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


def wait_for(what: Callable[[], Any], *, why: str) -> Any:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        found = what()
        if found:
            return found
        time.sleep(1)
    raise AssertionError(f"{why} within {PATIENCE_SECONDS} s")


@dataclass(frozen=True)
class Servers:
    """A running `nadir up`."""

    process: subprocess.Popen[bytes]
    home: Path
    api: str
    mlflow: str

    def post(self, path: str, **body: object) -> Any:
        request = urllib.request.Request(
            self.api + path,
            data=json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
            method="POST",
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.loads(answer.read())

    def runs(self, state: str) -> list[dict[str, Any]]:
        return self.post("/flow_runs/filter", flow_runs={"state": {"type": {"any_": [state]}}})


@pytest.fixture(scope="module")
def servers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    home = tmp_path_factory.mktemp("up") / "home"
    prefect, mlflow = free_port(), free_port()
    clean = {name: value for name, value in os.environ.items() if not name.startswith(("NADIR_", "PREFECT_"))}
    settings = {"NADIR_PREFECT_PORT": str(prefect), "NADIR_MLFLOW_PORT": str(mlflow)}
    process = subprocess.Popen(
        [sys.executable, "-m", "flows.cli", "up", "--home", str(home)],
        env=clean | settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    up = Servers(process, home, f"http://127.0.0.1:{prefect}/api", f"http://127.0.0.1:{mlflow}")
    told = wait_for(lambda: _line_with(process, "Ctrl-C"), why="`nadir up` did not say that it is up")
    assert "Ctrl-C" in told
    yield up
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        process.wait(60)


def _line_with(process: subprocess.Popen[bytes], word: str) -> str:
    assert process.stdout is not None
    told = ""
    for line in process.stdout:
        told += line.decode()
        if word in told:
            return told
    raise AssertionError(f"`nadir up` ended with {process.wait()}: {told}")


def test_the_schedule_inserts_runs_at_two_in_the_morning(servers: Servers):
    scheduled = wait_for(lambda: servers.runs("SCHEDULED"), why="no run was inserted")
    assert {run["deployment_id"] is not None for run in scheduled} == {True}
    # Two in the morning in Seoul is five in the afternoon of the day before in UTC.
    assert {run["expected_start_time"][11:16] for run in scheduled} == {"17:00"}


def test_a_worker_picks_a_run_up_and_completes_the_night(servers: Servers):
    (deployment,) = servers.post("/deployments/filter")
    run = servers.post(
        f"/deployments/{deployment['id']}/create_flow_run",
        parameters={"night": "2026-01-15"},
        state={"type": "SCHEDULED"},
    )

    def ended() -> dict[str, Any] | None:
        states = servers.runs("COMPLETED") + servers.runs("FAILED") + servers.runs("CRASHED")
        return next((one for one in states if one["id"] == run["id"]), None)

    done = wait_for(ended, why="the run did not end")
    log = (servers.home / "servers" / "worker.log").read_text()[-3000:]
    assert done["state"]["type"] == "COMPLETED", log
    assert (servers.home / "warehouse" / "current.duckdb").is_file()


def test_the_run_leaves_its_artifacts_in_prefect(servers: Servers):
    keys = {artifact["key"] for artifact in servers.post("/artifacts/filter")}
    assert {"rows-by-source", "night", "report", "data-docs", "mlflow"} <= keys


def test_mlflow_shows_the_night_and_the_champion(servers: Servers):
    address = f"{servers.mlflow}/api/2.0/mlflow/registered-models/alias?name=asl-predictor&alias=champion"
    with urllib.request.urlopen(address, timeout=30) as answer:
        assert json.loads(answer.read())["model_version"]["version"] == "1"


def test_ctrl_c_stops_all_of_them(servers: Servers):
    servers.process.send_signal(signal.SIGINT)
    assert servers.process.wait(60) == 0
    for address in (servers.api + "/health", servers.mlflow + "/health"):
        with pytest.raises(urllib.error.URLError):
            urllib.request.urlopen(address, timeout=5)
