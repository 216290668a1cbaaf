"""The tracker tensorboard: event files with scalars and hyperparameters, in the protocol buffers and records of tensorboardX."""

from __future__ import annotations

import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pytest_sweep import clock
from pytest_sweep.errors import SweepError
from pytest_sweep.model import TrialState
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
from pytest_sweep.trackers.files import Places

_SETTINGS = {"dir": "the folder for all trials; default the folder of each trial in that of the run"}
_SCHEME = "pytest-sweep-appended"
_PLUGIN = "hparams"
_HEADER, _CHECKSUM = 12, 4
"""Bytes of a record besides its data: its length and a checksum of that, and a checksum of the data."""
_SUCCESS = (TrialState.TERMINATED, TrialState.STOPPED, TrialState.CACHED)


class TensorboardTracker:
    """Writes event files: a run of TensorBoard for each trial.

    Trials that are replicates of each other share a group, so that TensorBoard averages them. Each start of the tracker begins a new file,
    since TensorBoard reads nothing behind a record that is incomplete. Nothing is open between two calls.
    """

    @classmethod
    def check(cls, settings: Mapping[str, str]) -> None:
        """Refuse settings that it does not have; look whether tensorboardX is installed."""
        require("tensorboardX", "tensorboard", "tensorboard")
        check_settings("tensorboard", settings, _SETTINGS)
        if settings.get("dir") == "":
            raise SweepError("the tracker tensorboard: dir= names no folder")

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:
        """Take note of where files go."""
        self._run = run
        self._places = Places(run, settings)
        self._protobuf = Protobuf()
        self._trials: dict[str, _Events] = {}

    def begin(self, trial: TrackedTrial, remote: str | None) -> str:
        """Begin a file with the parameters of the trial; in it TensorBoard reads first that later steps of earlier files do not count."""
        folder = self._places.of(trial, remote)
        started = trial.stored.started or clock.wall()
        first = [self._protobuf.session_start(parameters(trial), self._run.id_of(trial.stored.group_key), started)]
        events = _Events(self._protobuf, folder, first, trial.logged)
        if remote is not None or trial.may_exist:
            events.at_last = self._protobuf.values_at(folder, trial.logged)
            events.write([self._protobuf.restart(trial.logged + 1)])
        else:
            events.write([])
        self._trials[str(folder)] = events
        return str(folder)

    def log(self, remote: str, reports: Sequence[StoredReport]) -> None:
        """Write scalars."""
        self._trials[remote].add(reports)

    def restart(self, remote: str, iteration: int) -> None:
        """Have TensorBoard forget the steps from `iteration` on."""
        events = self._trials[remote]
        events.write([self._protobuf.restart(iteration)])
        events.last, events.at_last = iteration - 1, {}

    def end(self, remote: str, trial: TrackedTrial) -> None:
        """Write how the trial ended. Of what TensorBoard reads of this kind the first counts, so one that may go on has none."""
        state = trial.stored.state
        if state is not TrialState.INTERRUPTED and remote in self._trials:
            status = "SUCCESS" if state in _SUCCESS else "FAILURE" if state is TrialState.ERROR else "UNKNOWN"
            ended = trial.stored.finished or clock.wall()
            self._trials[remote].write([self._protobuf.session_end(f"STATUS_{status}", ended)])
        self._trials.pop(remote, None)

    def close(self, run: TrackedRun) -> None:  # noqa: ARG002 - the protocol's
        """Forget what was kept."""
        self._trials.clear()


class Protobuf:
    """Makes events. tensorboardX is imported with the first one of these."""

    def __init__(self) -> None:
        from tensorboardX import record_writer
        from tensorboardX.proto import api_pb2, event_pb2, plugin_hparams_pb2, summary_pb2

        self._api, self._event, self._hparams, self._summary = api_pb2, event_pb2, plugin_hparams_pb2, summary_pb2
        record_writer.register_writer_factory(_SCHEME, _Appending)
        self.record_writer: Callable[[str], Any] = record_writer.RecordWriter

    def version(self) -> Any:
        """Return the first event of a file."""
        return self._event.Event(wall_time=clock.wall(), file_version="brain.Event:2")

    def restart(self, step: int) -> Any:
        """Return the event after which TensorBoard has forgotten the steps from `step` on."""
        log = self._event.SessionLog(status=self._event.SessionLog.START)
        return self._event.Event(wall_time=clock.wall(), step=step, session_log=log)

    def scalars(self, report: StoredReport, known: Mapping[str, str]) -> Any:
        """Return the event of a report; None where it has no numbers but those that are `known`."""
        values = [
            self._summary.Summary.Value(tag=_text(name), simple_value=value)
            for name, value in numbers(report.metrics).items()
        ]
        new = [value for value in values if known.get(value.tag) != repr(value.simple_value)]
        if not new:
            return None
        summary = self._summary.Summary(value=new)
        return self._event.Event(wall_time=time_of(report) or clock.wall(), step=report.iteration, summary=summary)

    def values_at(self, folder: Path, step: int) -> dict[str, str]:
        """Return the scalars of a step that the files in a folder have, by their tags, as texts."""
        return {
            value.tag: repr(value.simple_value)
            for path in sorted(folder.glob("*tfevents*"))
            for event in self._events(path)
            if event.step == step
            for value in event.summary.value
            if value.HasField("simple_value")
        }

    def _events(self, path: Path) -> Iterator[Any]:
        """Yield the events of a file, up to one that is incomplete."""
        data, end = path.read_bytes(), 0
        while end + _HEADER <= len(data):
            start = end + _HEADER
            length = int.from_bytes(data[end : end + 8], "little")
            end = start + length + _CHECKSUM
            if end <= len(data):
                yield self._event.Event.FromString(data[start : start + length])

    def session_start(self, values: Mapping[str, bool | float | str], group: str, started: float) -> Any:
        """Return the event with the hyperparameters of a trial."""
        info = self._hparams.SessionStartInfo(group_name=group, start_time_secs=started)
        for name, value in values.items():
            entry = info.hparams[_text(name)]
            if isinstance(value, bool):
                entry.bool_value = value
            elif isinstance(value, str):
                entry.string_value = _text(value)
            else:
                entry.number_value = float(value)
        return self._of_plugin("_hparams_/session_start_info", started, session_start_info=info)

    def session_end(self, status: str, ended: float) -> Any:
        """Return the event that says how a trial has ended."""
        info = self._hparams.SessionEndInfo(status=self._api.Status.Value(status), end_time_secs=ended)
        return self._of_plugin("_hparams_/session_end_info", ended, session_end_info=info)

    def _of_plugin(self, tag: str, time: float, **content: Any) -> Any:
        data = self._hparams.HParamsPluginData(version=0, **content).SerializeToString()
        plugin = self._summary.SummaryMetadata.PluginData(plugin_name=_PLUGIN, content=data)
        value = self._summary.Summary.Value(tag=tag, metadata=self._summary.SummaryMetadata(plugin_data=plugin))
        return self._event.Event(wall_time=time, summary=self._summary.Summary(value=[value]))


@dataclass
class _Events:
    """The event files of a trial: one, and a further one after each write that failed, behind which nothing would be read.

    Attributes:
        protobuf: makes events.
        folder: where the files are.
        first: the events with which each file begins.
        last: the iteration of the last report that was written.
        at_last: the values that were written of it, by their tags.
    """

    protobuf: Protobuf
    folder: Path
    first: Sequence[Any]
    last: int
    at_last: dict[str, str] = field(default_factory=dict)
    _has_failed: bool = field(default=False, init=False)
    _writer: Any = field(default=None, init=False)

    def add(self, reports: Sequence[StoredReport]) -> None:
        """Append the reports that were not written; what comes again has been, since restarts are told."""
        made = []
        last, at_last = self.last, self.at_last
        for report in reports:
            if 0 < report.iteration < last or (0 < report.iteration == last and report.id and at_last):
                continue
            if report.iteration != last:
                last, at_last = report.iteration, {}
            event = self.protobuf.scalars(report, at_last)
            if event is not None:
                made.append(event)
                at_last = at_last | {value.tag: repr(value.simple_value) for value in event.summary.value}
        self.write(made)
        self.last, self.at_last = last, at_last

    def write(self, events: Sequence[Any]) -> None:
        """Append events.

        Raises:
            TrackerDown: they cannot be written.
        """
        try:
            if self._writer is None:
                self._writer = self.protobuf.record_writer(f"{_SCHEME}:{self._free_path()}")
                again = [self.protobuf.restart(self.last + 1)] if self._has_failed else []
                events = [self.protobuf.version(), *self.first, *again, *events]
            for event in events:
                self._writer.write(event.SerializeToString())
            self._writer.flush()
        except OSError as error:
            self._writer, self._has_failed = None, True
            raise TrackerDown(
                f"{error.filename or self.folder} cannot be written: {error.strerror or error}"
            ) from error

    def _free_path(self) -> Path:
        """Return a name that comes after those that are there: TensorBoard reads the files in the order of their names."""
        count = sum("tfevents" in name for name in os.listdir(self.folder))  # noqa: PTH208 - names are all that is needed
        host = "".join(char if char.isalnum() or char in "-." else "-" for char in platform.node())
        return self.folder / f"events.out.tfevents.{int(clock.wall()):010d}.{count:04d}.{host}"


class _Appending:
    """What tensorboardX writes to: it appends at once what was written since the last time, and keeps no file open."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._parts: list[bytes] = []

    @classmethod
    def open(cls, path: str) -> _Appending:
        """Return one for a path with the scheme; how tensorboardX asks for it."""
        return cls(path.partition(":")[2])

    def write(self, data: bytes) -> None:
        """Remember data."""
        self._parts.append(data)

    def flush(self) -> None:
        """Append what is remembered."""
        data, self._parts = b"".join(self._parts), []
        if data:
            with open(self._path, "ab", buffering=0) as file:  # noqa: PTH123 - quicker, and there is one a batch
                if file.write(data) != len(data):
                    raise OSError(28, "No space left on device", self._path)

    def close(self) -> None:
        """Append the rest."""
        with suppress(OSError):
            self.flush()


def _text(text: str) -> str:
    """Return a text that a protocol buffer may have: without halves of surrogate pairs."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")
