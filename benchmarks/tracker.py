"""A tracker that posts to a server, and servers that hang, are busy, fail and drop connections."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import socket
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from pytest_sweep.store import StoredReport
from pytest_sweep.trackers.base import TrackedRun, TrackedTrial, TrackerDown

_ANSWERS = {
    "answers": b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "429": b"HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    "500": b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
}
MODES = ("answers", "hangs", "429", "500", "drops")


class PostingTracker:
    """Posts all that it is given to ``BENCH_TRACKER``, a request a call."""

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:  # noqa: ARG002 - the protocol's
        """Say which run it is."""
        self._url = os.environ["BENCH_TRACKER"]
        self._post(run.origin)

    def begin(self, trial: TrackedTrial, remote: str | None) -> str:  # noqa: ARG002 - the protocol's
        """Begin a trial."""
        self._post(trial.name)
        return trial.id

    def log(self, remote: str, reports: Sequence[StoredReport]) -> None:  # noqa: ARG002 - the protocol's
        """Post reports."""
        self._post([report.metrics for report in reports])

    def restart(self, remote: str, iteration: int) -> None:  # noqa: ARG002 - the protocol's
        """Post that."""
        self._post(iteration)

    def end(self, remote: str, trial: TrackedTrial) -> None:  # noqa: ARG002 - the protocol's
        """End a trial."""
        self._post(trial.stored.state.value)

    def close(self, run: TrackedRun) -> None:
        """End the run."""
        self._post(run.stored.exit_status)

    def _post(self, content: object) -> None:
        try:
            urllib.request.urlopen(self._url, json.dumps(content).encode(), timeout=10).close()  # noqa: S310 - our own server
        except urllib.error.HTTPError as error:
            raise TrackerDown(f"it answers {error.code}", float(error.headers.get("Retry-After", 1))) from error
        except (OSError, http.client.HTTPException) as error:
            raise TrackerDown(f"it does not answer: {error}") from error


@contextlib.contextmanager
def server(mode: str) -> Iterator[Mapping[str, str]]:
    """Have a server run meanwhile; gives the environment in which the tracker ``bench`` is installed and finds it.

    Args:
        mode: one of `MODES`.
    """
    with socket.create_server(("127.0.0.1", 0), backlog=100) as listening, tempfile.TemporaryDirectory() as folder:
        threading.Thread(target=_serve, args=(listening, mode), daemon=True).start()
        metadata = Path(folder, "bench_tracker-1.0.dist-info")
        metadata.mkdir()
        (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: bench-tracker\nVersion: 1.0\n")
        (metadata / "entry_points.txt").write_text(
            "[pytest_sweep.trackers]\nbench = benchmarks.tracker:PostingTracker\n"
        )
        yield {
            "PYTHONPATH": os.pathsep.join([str(Path(__file__).parent.parent), folder]),
            "BENCH_TRACKER": f"http://127.0.0.1:{listening.getsockname()[1]}/",
        }


def _serve(listening: socket.socket, mode: str) -> None:
    hanging: list[socket.socket] = []
    with contextlib.suppress(OSError):
        while True:
            connection, _ = listening.accept()
            if mode == "hangs":
                hanging.append(connection)
                continue
            with contextlib.suppress(OSError), connection:
                if mode in _ANSWERS:
                    _read(connection)
                    connection.sendall(_ANSWERS[mode])


def _read(connection: socket.socket) -> None:
    connection.settimeout(10)
    data = b""
    while b"\r\n\r\n" not in data and (part := connection.recv(65536)):
        data += part
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(
        (int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")), 0
    )
    while len(body) < length and (part := connection.recv(65536)):
        body += part
