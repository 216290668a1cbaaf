"""A tracker of one's own, which posts each report as JSON to a URL. Its package registers it as an entry point.

[project.entry-points."pytest_sweep.trackers"]
webhook = "webhook:WebhookTracker"
"""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any

from pytest_sweep.errors import SweepError
from pytest_sweep.store import StoredReport
from pytest_sweep.trackers.base import TrackedRun, TrackedTrial, TrackerDown, check_settings, numbers, parameters


class WebhookTracker:
    """Posts to a URL: ``--sweep-track=webhook:url=http://localhost:8080/sweeps``.

    The server gets a report twice if the process was killed before it had the answer. It can tell by trial, attempt and iteration.
    """

    @classmethod
    def check(cls, settings: Mapping[str, str]) -> None:
        check_settings("webhook", settings, {"url": "where to post to"})
        if not settings.get("url", "").startswith(("http://", "https://")):
            raise SweepError("the tracker webhook needs a URL: webhook:url=http://...")

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:
        self.url = settings["url"]
        self.post({"kind": "run", "run": run.origin})

    def begin(self, trial: TrackedTrial, remote: str | None) -> str:
        # The same in a resumed run, so that nothing has to be looked up.
        self.post({"kind": "begin", "trial": trial.id, "name": trial.name, "parameters": parameters(trial)})
        return trial.id

    def log(self, remote: str, reports: Sequence[StoredReport]) -> None:
        rows = [
            {
                "attempt": one.attempt,
                "iteration": one.iteration,
                "returned": one.id == 0,
                "metrics": numbers(one.metrics),
            }
            for one in reports
        ]
        self.post({"kind": "reports", "trial": remote, "reports": rows})

    def restart(self, remote: str, iteration: int) -> None:
        self.post({"kind": "restart", "trial": remote, "iteration": iteration})

    def end(self, remote: str, trial: TrackedTrial) -> None:
        self.post({"kind": "end", "trial": remote, "state": trial.stored.state.value, "error": trial.stored.error})

    def close(self, run: TrackedRun) -> None:
        self.post({"kind": "close", "run": run.origin, "exit_status": run.stored.exit_status})

    def post(self, message: Mapping[str, Any]) -> None:
        content = {"Content-Type": "application/json"}
        request = urllib.request.Request(self.url, json.dumps(message).encode(), content)  # noqa: S310 - see check()
        try:
            urllib.request.urlopen(request, timeout=10).close()  # noqa: S310 - likewise
        except urllib.error.HTTPError as error:
            if error.code != 429 and error.code < 500:
                raise
            after = error.headers.get("Retry-After", "")
            raise TrackerDown(f"{self.url} answers {error.code}", float(after) if after.isdigit() else None) from error
        except OSError as error:
            raise TrackerDown(f"{self.url} does not answer: {error}") from error
