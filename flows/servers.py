"""The servers of `nadir up`: Prefect, MLflow and a worker as child processes, stopped together.

Here: starting, waiting until each answers, deploying, stopping. Not here: what runs on them. All listen on
127.0.0.1 alone. Called by `flows.cli`.
"""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

from flows.settings import Settings
from transforms.errors import WorldError

HOST = "127.0.0.1"
WORK_POOL = "nadir"
_PATIENCE_SECONDS = 180.0
_STOP_SECONDS = 15.0
PREFECT_FILE = Path(__file__).resolve().parent.parent / "prefect.yaml"


def run_servers(settings: Settings) -> int:
    """Start everything, print where it is, and stay until Ctrl-C or the end of a server."""
    stop = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _setter(stop))
    with contextlib.ExitStack() as stack:
        processes = stack.enter_context(started(settings, stop))
        if not stop.is_set():
            _announce(settings)
        while not stop.wait(timeout=1.0):
            ended = [name for name, process in processes.items() if process.poll() is not None]
            if ended:
                raise WorldError(
                    f"The {ended[0]} ended by itself. Read {settings.paths.servers / (ended[0] + '.log')}; "
                    "a port that is taken is the usual cause (NADIR_PREFECT_PORT, NADIR_MLFLOW_PORT)."
                )
    return 0


@contextlib.contextmanager
def started(settings: Settings, stop: threading.Event) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Start the servers, deploy the schedule and start a worker; stop all of them at the end."""
    environment = server_environment(settings)
    for folder in (settings.paths.servers, settings.paths.prefect, settings.paths.mlflow):
        folder.mkdir(parents=True, exist_ok=True)
    processes: dict[str, subprocess.Popen[bytes]] = {}
    try:
        processes["prefect-server"] = _start("prefect-server", prefect_server(settings), settings)
        processes["mlflow-server"] = _start("mlflow-server", mlflow_server(settings), settings)
        for url in (f"{prefect_api(settings)}/health", f"{mlflow_url(settings)}/health"):
            _wait_for(url, processes, stop)
        if not stop.is_set():
            _deploy(environment)
            processes["worker"] = _start("worker", worker(), settings)
        yield processes
    finally:
        _stop_all(processes)


def prefect_api(settings: Settings) -> str:
    """Address of the Prefect server's API."""
    return f"http://{HOST}:{settings.prefect_port}/api"


def mlflow_url(settings: Settings) -> str:
    """Address of the MLflow server."""
    return f"http://{HOST}:{settings.mlflow_port}"


def server_environment(settings: Settings) -> dict[str, str]:
    """The environment of the servers and the worker: where things are, and nothing that calls home."""
    return {
        **os.environ,
        "NADIR_HOME": str(settings.paths.home),
        **({"NADIR_LANDING": str(settings.landing_folder)} if settings.landing else {}),
        "PREFECT_HOME": str(settings.paths.prefect),
        "PREFECT_API_URL": prefect_api(settings),
        "PREFECT_SERVER_UI_API_URL": prefect_api(settings),
        "PREFECT_LOGGING_LEVEL": "INFO",
        # Nadir's server shows pages; without this it starts a queue of workers that nothing here uses.
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
    }


def prefect_server(settings: Settings) -> list[str]:
    """The command of the Prefect server."""
    port = str(settings.prefect_port)
    return [sys.executable, "-m", "prefect", "server", "start", "--host", HOST, "--port", port]


def mlflow_server(settings: Settings) -> list[str]:
    """The command of the MLflow server over the home folder's store."""
    store = ["--backend-store-uri", f"sqlite:///{settings.paths.mlflow / 'mlflow.db'}"]
    artifacts = ["--artifacts-destination", str(settings.paths.mlflow / "artifacts")]
    return [
        sys.executable, "-m", "mlflow", "server", "--host", HOST, "--port", str(settings.mlflow_port),
        "--workers", "1", *store, *artifacts,
    ]  # fmt: skip


def worker() -> list[str]:
    """The command of the worker that runs the deployments."""
    return [sys.executable, "-m", "prefect", "worker", "start", "--pool", WORK_POOL, "--type", "process"]


def _setter(stop: threading.Event) -> Callable[[int, FrameType | None], None]:
    def handle(_signal: int, _frame: FrameType | None) -> None:
        stop.set()

    return handle


def _start(name: str, command: list[str], settings: Settings) -> subprocess.Popen[bytes]:
    with (settings.paths.servers / f"{name}.log").open("ab") as log:
        return subprocess.Popen(
            command,
            env=server_environment(settings),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def _wait_for(url: str, processes: dict[str, subprocess.Popen[bytes]], stop: threading.Event) -> None:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline and not stop.is_set():
        ended = [name for name, process in processes.items() if process.poll() is not None]
        if ended:
            raise WorldError(f"The {ended[0]} ended while starting: read its log in the servers/ folder.")
        with contextlib.suppress(urllib.error.URLError, ConnectionError, TimeoutError):
            if urllib.request.urlopen(url, timeout=2).status == 200:
                return
        stop.wait(0.3)
    if not stop.is_set():
        raise WorldError(f"{url} did not answer within {_PATIENCE_SECONDS:.0f} s: read the servers' logs.")


def _deploy(environment: dict[str, str]) -> None:
    prefect = [sys.executable, "-m", "prefect", "--no-prompt"]
    _must_run([*prefect, "work-pool", "create", WORK_POOL, "--type", "process", "--overwrite"], environment)
    _must_run([*prefect, "deploy", "--all", "--prefect-file", str(PREFECT_FILE)], environment)


def _must_run(command: list[str], environment: dict[str, str]) -> None:
    done = subprocess.run(
        command, env=environment, cwd=PREFECT_FILE.parent, capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        raise WorldError(f"`{' '.join(command[1:5])}` failed: {(done.stderr or done.stdout).strip()[-500:]}")


def _announce(settings: Settings) -> None:
    print(f"Prefect   http://{HOST}:{settings.prefect_port}")
    print(f"MLflow    {mlflow_url(settings)}")
    print(f"logs      {settings.paths.servers}")
    print("Nights are scheduled by prefect.yaml. Ctrl-C stops everything.", flush=True)


def _stop_all(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Stop the newest first; each is the head of a group of its own, so that no child is left behind."""
    for process in reversed(processes.values()):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
    deadline = time.monotonic() + _STOP_SECONDS
    for process in processes.values():
        try:
            process.wait(max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
