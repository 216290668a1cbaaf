"""The tracker, tested with the contract of trackers against a server in a thread."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, ClassVar

import pytest
from webhook import WebhookTracker

from pytest_sweep.testing.tracker_contract import TrackerContract
from pytest_sweep.trackers.base import Tracker


class Server(BaseHTTPRequestHandler):
    """Keeps reports by trial, iteration and whether they were returned: what comes twice replaces itself."""

    trials: ClassVar[dict[str, dict[tuple[int, bool], dict[str, float]]]] = {}

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        trial = self.trials.setdefault(message.get("trial", ""), {})
        if message["kind"] == "restart":
            for mark in [mark for mark in trial if mark[0] >= message["iteration"]]:
                del trial[mark]
        for row in message.get("reports", ()):
            trial[row["iteration"], row["returned"]] = row["metrics"]
        self.send_response(200)
        self.end_headers()

    def log_message(self, *arguments: Any) -> None:
        """Print nothing."""


class TestWebhook(TrackerContract):
    @pytest.fixture(autouse=True)
    def server(self) -> Iterator[None]:
        Server.trials.clear()
        server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{server.server_port}/"
        yield
        server.shutdown()
        server.server_close()

    def make_tracker(self) -> Tracker:
        return WebhookTracker()

    def settings(self, folder: Path) -> Mapping[str, str]:
        return {"url": self.url}

    def received(self, remote: str) -> Sequence[tuple[int, Mapping[str, float]]]:
        return [(iteration, row) for (iteration, _), row in sorted(Server.trials[remote].items())]
