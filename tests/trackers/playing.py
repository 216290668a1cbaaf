"""Plays a stored run to a tracker, as the follower does; and a server that is broken in the ways that servers are."""

from __future__ import annotations

import socket
import threading
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from pytest_sweep.model import Sweep, TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialReported, TrialStarted
from pytest_sweep.store import RunReader
from pytest_sweep.store.records import StoredReport
from pytest_sweep.trackers.base import TrackedRun, TrackedTrial, Tracker, stable_id
from tests.support.runs import begin_run, trial

BEGAN = 1.7e9
SWEEP = Sweep("test_models.py::train", "train", "loss", "min", varying=("lr",))


def report(number: int, iteration: int, attempt: int = 1, **metrics: Any) -> TrialReported:
    """Return a report of trial `number`, a second after the one before."""
    more = {"training_iteration": iteration, "timestamp": BEGAN + iteration, "time_total_s": float(iteration)}
    return TrialReported(trial(number, SWEEP).key, attempt, {**metrics, **more, "time_this_iter_s": 1.0})


def run_of(results: Path, trials: int, reports: int) -> Path:
    """Store a run whose trials all report a loss that is another one everywhere; return its folder."""
    store = begin_run(results, [], trials=[trial(number, SWEEP) for number in range(trials)])
    for number in range(trials):
        key = trial(number, SWEEP).key
        events: list[Accepted] = [TrialStarted(key, 1, BEGAN, "10.0.0.1:1")]
        events += [report(number, i, loss=number + i / 1000, val={"acc": i / 100}) for i in range(1, reports + 1)]
        store.record(events)
        last = {"loss": number + reports / 1000}
        store.record([TrialFinished(key, 1, TrialState.TERMINATED, last, None, float(reports), BEGAN + reports)])
    store.close()
    return store.path


class Played:
    """A stored run, as a tracker is given it."""

    def __init__(self, folder: Path, origin: str | None = None) -> None:
        self.reader = RunReader(folder)
        stored = self.reader.run()
        self.run = TrackedRun(stored, folder, origin or stored.name, self.reader.sweeps())
        self.reports: defaultdict[str, list[StoredReport]] = defaultdict(list)
        for batch in self.reader.stream_reports():
            for one in batch:
                self.reports[one.trial_key].append(one)

    def trials(self, **more: Any) -> list[TrackedTrial]:
        """Return its trials."""
        sweeps = {sweep.id: sweep for sweep in self.run.sweeps}
        return [
            TrackedTrial(one, sweeps[one.sweep_id], stable_id(self.run.origin, one.key), **more)
            for one in self.reader.trials()
        ]

    def play(self, tracker: Tracker, settings: Mapping[str, str] | None = None) -> dict[str, str]:
        """Send all of it; return the remote id of each trial."""
        tracker.open(self.run, settings or {})
        remotes = {one.key: tracker.begin(one, None) for one in self.trials()}
        for one in self.trials():
            tracker.log(remotes[one.key], self.reports[one.key])
            tracker.end(remotes[one.key], one)
        tracker.close(self.run)
        return remotes


class BrokenServer:
    """A server on loopback that does the same wrong thing with each request: ``hang``, ``drop`` the connection, or answer a status.

    Attributes:
        url: its address.
        mode: what it does.
        requests: how many it got.
    """

    def __init__(self, mode: str) -> None:
        self.mode, self.requests = mode, 0
        self._closing = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def handle_request(self) -> None:
                outer.requests += 1
                self.rfile.read(int(self.headers.get("content-length") or 0))
                if outer.mode == "hang":
                    outer._closing.wait(60)
                if not outer.mode.isdigit():
                    self.close_connection = True
                    self.connection.shutdown(socket.SHUT_RDWR)
                    return
                self.send_response(int(outer.mode))
                self.send_header("Retry-After", "1")
                self.send_header("Content-Length", "4")
                self.end_headers()
                self.wfile.write(b"busy")

            do_GET = do_POST = do_PATCH = do_PUT = handle_request  # noqa: N815 - the names of http.server

            def log_message(self, *arguments: object) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop it."""
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@contextmanager
def broken(mode: str) -> Iterator[BrokenServer]:
    """Have a server that is broken."""
    server = BrokenServer(mode)
    try:
        yield server
    finally:
        server.close()


def refused() -> str:
    """Return an address where nobody listens."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{free.getsockname()[1]}"


def values_of(reports: Sequence[StoredReport], name: str) -> dict[int, Any]:
    """Return a metric by iteration."""
    return {one.iteration: one.metrics[name] for one in reports}
