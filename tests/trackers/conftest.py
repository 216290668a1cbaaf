"""Servers on loopback, and an environment in which no package asks any other host."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

_STARTS = 300.0  # Seconds: the first start makes the tables, on a machine that may be busy.


@pytest.fixture(autouse=True)
def at_home(monkeypatch: pytest.MonkeyPatch) -> None:
    """No package of a service sends anything to anyone but our own servers."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "WANDB_", "TRACKIO_"))]:
        monkeypatch.delenv(name)
    for name, value in {
        "MLFLOW_DISABLE_TELEMETRY": "true",
        "WANDB_MODE": "offline",
        "WANDB_ERROR_REPORTING": "false",
        "HF_HUB_OFFLINE": "1",
        "HF_HUB_DISABLE_TELEMETRY": "1",
    }.items():
        monkeypatch.setenv(name, value)


@pytest.fixture(scope="session", autouse=True)
def quiet_threads() -> None:
    """Ignore wandb's thread that watches a run, which fails when wandb's process ends before the run, as where a test plays a death.

    The hook is not taken back: such a thread may end later than the last test. pytest sets its own one back when it ends.
    """
    others = threading.excepthook

    def tell(told: threading.ExceptHookArgs) -> None:
        if told.thread is None or not told.thread.name.startswith("NetStatThr"):
            others(told)

    threading.excepthook = tell


class MLflowServer:
    """``mlflow server`` with SQLite, which can be killed and started again on the same port.

    Attributes:
        url: its address.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}"
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start it, and wait until it answers."""
        with (self._folder / "log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(self._port), "--workers", "1",
                    "--backend-store-uri", f"sqlite:///{self._folder / 'db.sqlite'}",
                    "--artifacts-destination", str(self._folder / "artifacts"),
                ],
                stdout=log, stderr=log, cwd=self._folder, start_new_session=True,
                env={**os.environ, "MLFLOW_DISABLE_TELEMETRY": "true", "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"},
            )  # fmt: skip
        until = time.monotonic() + _STARTS
        while time.monotonic() < until:
            if self._process.poll() is not None:
                break
            try:
                with urllib.request.urlopen(f"{self.url}/health", timeout=5):  # noqa: S310 - our own server
                    return
            except (urllib.error.URLError, OSError):
                time.sleep(0.2)
        raise AssertionError(f"mlflow's server does not start:\n{(self._folder / 'log').read_text()}")

    def kill(self) -> None:
        """End it, as SIGKILL does."""
        if self._process is not None:
            os.killpg(self._process.pid, signal.SIGKILL)  # It has a process for each worker.
            self._process.wait()
            self._process = None


@pytest.fixture(scope="session")
def mlflow_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MLflowServer]:
    """A server that runs."""
    pytest.importorskip("mlflow.server")
    server = MLflowServer(tmp_path_factory.mktemp("mlflow"))
    server.start()
    yield server
    server.kill()
