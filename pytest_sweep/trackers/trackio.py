"""What a run is in Trackio: a Trackio run for each trial, in its local database or on a server. Loading it does not import trackio."""

from __future__ import annotations

import hashlib
import os
import re
import sqlite3
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pytest_sweep.errors import SweepError
from pytest_sweep.model.metrics import flattened
from pytest_sweep.store.records import StoredReport
from pytest_sweep.trackers.base import (
    TrackedRun,
    TrackedTrial,
    TrackerDown,
    check_settings,
    numbers,
    parameters,
    require,
    time_of,
)

SETTINGS = {
    "project": "the project; default TRACKIO_PROJECT, or the name of pytest's rootdir",
    "server": "the address of a Trackio server; default TRACKIO_SERVER_URL, or the local database in TRACKIO_DIR",
}
_ADDRESS, _TOKEN = "TRACKIO_SERVER_URL", "TRACKIO_WRITE_TOKEN"
_SECONDS = 5.0
"""How long a server has to answer until it counts as down."""

_WITH_THE_POINT = ("training_iteration", "timestamp")
"""The metrics that are Trackio's step and time of the others."""

_TOO_MANY, _SERVER_ERROR = 429, 500
_REFUSED = (401, 403)
_LONGEST_ERROR = 2000

T = TypeVar("T")


class _Row(NamedTuple):
    """A row of Trackio's: metrics, their step and time, and an id by which it is there once."""

    values: dict[str, Any]
    step: int
    time: float | None
    id: str


@dataclass(slots=True)
class _Open:
    """A trial that goes on: its name, its parameters, and the step and time of what was logged last."""

    name: str
    config: dict[str, Any]
    step: int = 0
    time: float | None = None


class TrackioTracker:
    """Sends runs to Trackio. `docs/trackers.md` says what is where there.

    It writes by what the dashboard's own importers write with, and not by `trackio.init`: that has one run at a time, writes from a thread
    half a second later, and says of errors only that data may be lost.
    """

    def __init__(self) -> None:
        self._run: TrackedRun
        self._project = ""
        self._send: Callable[..., None]
        self._server: str | None = None
        self._client: Any = None
        self._open: dict[str, _Open] = {}

    @classmethod
    def check(cls, settings: Mapping[str, str]) -> None:
        """Raise MissingExtraError without trackio, SweepError for settings that make no sense."""
        require("trackio", "trackio", "trackio")
        check_settings("trackio", settings, SETTINGS)
        server = settings.get("server") or os.environ.get(_ADDRESS)
        if server and not server.startswith(("http://", "https://")):
            raise SweepError(f"the address of a Trackio server begins with http:// or https://, not as {server!r} does")
        if os.environ.get("TRACKIO_SPACE_ID") and not server:
            raise SweepError(
                "the tracker trackio sends to no Space: unset TRACKIO_SPACE_ID, and call 'trackio sync' after the run, which uploads it"
            )

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:
        """Connect to the server, if there is one."""
        self.check(settings)
        import trackio

        self._run = run
        project = settings.get("project") or os.environ.get("TRACKIO_PROJECT") or Path(run.stored.rootdir).name
        self._project = re.sub(r"[^\w.\- ]", "-", project) or "pytest-sweep"
        try:
            trackio.SQLiteStorage.validate_project_name(self._project)
        except ValueError as error:
            raise SweepError(f"Trackio: {error} Write trackio:project=NAME") from error
        self._server = settings.get("server") or os.environ.get(_ADDRESS)
        if self._server is None:
            self._send = self._send_to_file
        else:
            self._send = self._send_to_server
            self._asking(self._connect)

    def begin(self, trial: TrackedTrial, remote: str | None) -> str:  # noqa: ARG002 - the protocol's
        """Remember its parameters, which Trackio takes with the first metrics: its id follows from the trial's."""
        self._open[trial.id] = self._described(trial)
        return trial.id

    def log(self, remote: str, reports: Sequence[StoredReport]) -> None:
        """Send all metrics that are numbers, with the iteration as the step. What comes twice is there once."""
        rows = []
        for report in reports:
            values = numbers(report.metrics, automatic=True)
            for name in _WITH_THE_POINT:
                values.pop(name, None)
            rows.append(_Row(values, report.iteration, time_of(report), f"{remote}-{_place(report)}"))
        self._send(remote, rows)
        if reports:
            self._open[remote].step, self._open[remote].time = reports[-1].iteration, time_of(reports[-1])

    def restart(self, remote: str, iteration: int) -> None:
        """Do nothing: what was logged stays, and repeated iterations are there once more."""

    def end(self, remote: str, trial: TrackedTrial) -> None:
        """Send how it has ended, as a last row: Trackio knows no status."""
        stored = trial.stored
        how = {"state": stored.state.value, "attempts": stored.attempts, "reason": stored.reason}
        told = {**how, "error": (stored.error or "")[-_LONGEST_ERROR:] or None}  # Its end says most.
        values: dict[str, Any] = {
            name: value if isinstance(value, str) else str(value)
            for name, value in flattened(stored.metrics or {}).items()
            if not isinstance(value, (bool, int, float)) and value is not None
        }
        values |= {f"sweep/{name}": value for name, value in told.items() if value is not None}
        its = self._open.setdefault(
            remote, self._described(trial)
        )  # What has ended is ended once more where nobody has kept that.
        place = f"{remote}-{stored.attempts}-{stored.state.value}-{stored.finished}"
        self._send(remote, [_Row(values, its.step, stored.finished or its.time, place)])
        del self._open[remote]

    def close(self, run: TrackedRun) -> None:
        """Do nothing: all is there."""

    def _described(self, trial: TrackedTrial) -> _Open:
        stored = trial.stored
        names = {f"params/{name}" if name.startswith("_") else name: value for name, value in parameters(trial).items()}
        ours = {"sweep": trial.sweep.name, "key": stored.key, "group": stored.group_key, "seed": stored.seed}
        config = {
            **names,
            **{f"sweep/{name}": value for name, value in ours.items()},
            "_Group": self._run.origin,
            "_Created": _iso(stored.started or self._run.stored.started),
            "_Username": None,
        }
        return _Open(trial.name, config, trial.logged)

    def _send_to_file(self, remote: str, rows: Sequence[_Row]) -> None:
        import trackio

        its = self._open[remote]
        try:
            trackio.SQLiteStorage.bulk_log(
                project=self._project,
                run=_clean(its.name),
                run_id=remote,
                metrics_list=[_clean_all(row.values) for row in rows],
                steps=[row.step for row in rows],
                timestamps=[_iso(row.time or self._run.stored.started) for row in rows],
                config=_clean_all(its.config),
                log_ids=[row.id for row in rows],
            )
        except (sqlite3.Error, OSError) as error:
            raise TrackerDown(
                f"Trackio's database of the project {self._project} cannot be written: {error}"
            ) from error

    def _send_to_server(self, remote: str, rows: Sequence[_Row]) -> None:
        its = self._open[remote]
        # With each row, for the server takes those of some rows as what the run is.
        logs = [
            {
                "project": self._project, "run": _clean(its.name), "run_id": remote, "metrics": _sendable(row.values),
                "step": row.step, "config": _clean_all(its.config), "log_id": row.id,
            }
            for row in rows
        ]  # fmt: skip
        if self._client is None:
            self._asking(self._connect)
        self._asking(lambda: self._client.predict(api_name="/bulk_log", logs=logs, hf_token=None))

    def _connect(self) -> None:
        from trackio.remote_client import RemoteClient

        self._client = RemoteClient(
            str(self._server), write_token=os.environ.get(_TOKEN), httpx_kwargs={"timeout": _SECONDS}
        )

    def _asking(self, call: Callable[[], T]) -> T:
        import httpx

        shown = re.sub(r"//[^/@]*@|\?.*", lambda found: "//" if "@" in found[0] else "", str(self._server))
        try:
            return call()
        except httpx.HTTPStatusError as error:
            status = error.response.status_code
            if status in _REFUSED:
                raise SweepError(f"{shown} refuses to be written to (status {status}): set {_TOKEN}") from error
            if status == _TOO_MANY or status >= _SERVER_ERROR:
                raise TrackerDown(f"{shown} cannot be used now: it answers with status {status}") from error
            raise SweepError(f"{shown} answers with status {status}: is it a Trackio server?") from error
        except (httpx.HTTPError, OSError, ValueError) as error:
            reason = " ".join((str(error) or type(error).__name__).split())
            raise TrackerDown(f"{shown} cannot be used now: {reason}") from error


def _place(report: StoredReport) -> str:
    """Return what tells a report from all others of its trial, and is the same in each run that has it.

    A trial that a resumed run begins anew has its attempts and iterations once more, with other metrics and times.
    """
    told = hashlib.sha256(repr(report.metrics).encode("utf-8", "backslashreplace")).hexdigest()[:16]
    return f"{report.attempt}-{report.iteration}-{told}"


def _iso(time: float) -> str:
    try:
        return datetime.fromtimestamp(time, timezone.utc).isoformat()
    except (OverflowError, OSError, ValueError):
        return datetime.fromtimestamp(0, timezone.utc).isoformat()


def _clean(text: str) -> str:
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def _clean_all(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return names and texts without half surrogate pairs, which its JSON has no room for; integers that it has none for as floats."""
    return {_clean(name): _clean_value(value) for name, value in values.items()}


def _clean_value(value: Any) -> Any:
    if isinstance(value, str):
        return _clean(value)
    return str(value) if type(value) is int and not -(2**63) <= value < 2**64 else value


def _sendable(values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as Trackio stores them: JSON has no NaN and no infinities."""
    import trackio.utils

    return dict(trackio.utils.serialize_values(_clean_all(values)))
