"""What a tracker is: its protocol, what it is given, and the error by which it says that its server is down. Sends nothing."""

from __future__ import annotations

import hashlib
import importlib.util
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

from pytest_sweep.errors import MissingExtraError, SweepError
from pytest_sweep.model.metrics import AUTO_METRICS, flattened
from pytest_sweep.space import displayable, restored
from pytest_sweep.store.records import StoredReport, StoredRun, StoredSweep, StoredTrial

_MOST = 2**1023
"""An integer beyond this is a text: not every tracker has numbers of that size."""

ENTRY_POINTS = "pytest_sweep.trackers"
"""The group of entry points: a tracker's name is that of its entry point, and its value is the class."""


class TrackerDown(SweepError):  # noqa: N818 - the name says what is so, and not that the tracker is wrong
    """A tracker's server cannot be reached, or has no time: the same call is repeated later, with longer and longer pauses.

    Every other exception counts as a defect of the tracker: it is told once, and the tracker gets nothing more in this session.

    Args:
        text: what is wrong, as a sentence: ``http://host:5000 refuses connections``.
        retry_after: seconds until the server wants to be asked again, as in its header ``Retry-After``; None where it did not say.
    """

    def __init__(self, text: str, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class TrackedRun:
    """The run that is tracked.

    Attributes:
        stored: what its database knows of it.
        folder: its folder.
        origin: the name of the first run of the chain that it resumes; its own where it resumes none. So what is called by it is the same
            in a resumed run.
        sweeps: its sweeps.
    """

    stored: StoredRun
    folder: Path
    origin: str
    sweeps: Sequence[StoredSweep]

    def id_of(self, name: str) -> str:
        """Return 16 hexadecimal digits for `name`, such as a sweep's id: the same in every run that resumes this one, and in no other."""
        return stable_id(self.origin, name)


@dataclass(frozen=True, slots=True)
class TrackedTrial:
    """A trial of the run, as it is at this moment.

    Attributes:
        stored: what the database knows of it.
        sweep: its sweep.
        id: 16 hexadecimal digits: the same in every run that resumes this one, and in no other.
        may_exist: whether `Tracker.begin` was called for it before, and may have made it there, though nobody has its remote id. Only then
            must `begin` look whether it is there.
        logged: the iteration of the last report that was surely sent, 0 for none. Reports with a higher one may have been sent as well, if
            a process was killed then; they come again.
    """

    stored: StoredTrial
    sweep: StoredSweep
    id: str
    may_exist: bool = False
    logged: int = 0

    @property
    def key(self) -> str:
        """Its key."""
        return self.stored.key

    @property
    def name(self) -> str:
        """Its name, as the terminal shows it: ``train[lr=0.1]``."""
        return self.stored.name


class Tracker(Protocol):
    """Sends a run to where people look at runs. A class with these six methods, and a constructor without arguments.

    It is used in one thread of the follower, a process of its own, so it may wait and may print; nothing of it runs in the session or in
    trials. A call that hangs holds up no other tracker, and ends with the process.

    When a call returns, what it was given must survive the death of the process: then the cursor of the tracker moves on. A call that
    raises, or was cut off by the death of the process, is repeated with the same arguments, maybe together with what has come since. So
    every report comes at least once, and in order for each trial.

    The order of calls: `open` first. For each trial `begin`, then `log` and `restart`, then `end`; calls for different trials alternate. At
    last `close`. In a new process, and in a run that resumes another one, the same begins again with `open`: `begin` gets the remote id
    that it returned, trials that had ended are not begun again, and those that go on, or end in another way, are.

    A class may also have `Checked.check`.
    """

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:
        """Connect, and make what stands for the run or finds it.

        Args:
            run: the run.
            settings: what was written behind the tracker's name: ``mlflow:experiment=nightly`` gives ``{"experiment": "nightly"}``.

        Raises:
            TrackerDown: the server is down; `open` is called again later.
        """
        ...

    def begin(self, trial: TrackedTrial, remote: str | None) -> str:
        """Make what stands for a trial, or find it again.

        Called once a process for each trial that has begun, or whose result was taken from an earlier run. Its configuration is known then.

        Args:
            trial: the trial.
            remote: what an earlier call has returned for it; None where there was none, or it was cut off: see `TrackedTrial.may_exist`.

        Returns:
            What it is called there. This is kept, and handed to all other methods, which get nothing else of the trial.
        """
        ...

    def log(self, remote: str, reports: Sequence[StoredReport]) -> None:
        """Send reports of a trial, in order, at most a thousand.

        The names of metrics are Ray Tune's: ``training_iteration``, ``timestamp`` in seconds since the epoch. `numbers` returns what can be
        drawn. What the trial has returned beside its reports comes as a last report: its `id` is 0, its iteration that of the last one, and
        its metrics are those that are new or differ.

        Args:
            remote: the trial.
            reports: the reports. The same ones may come twice, with the same `attempt` and `iteration`.
        """
        ...

    def restart(self, remote: str, iteration: int) -> None:
        """Take note that another attempt goes on: reports from `iteration` on come again, and what was logged of these does not count.

        Args:
            remote: the trial.
            iteration: the first iteration that is reported once more.
        """
        ...

    def end(self, remote: str, trial: TrackedTrial) -> None:
        """Take note that a trial has ended, and forget what is kept of it.

        One that was INTERRUPTED may go on in another run, or be ended there by its scheduler without another report. It is begun once more
        then.

        Args:
            remote: the trial.
            trial: with its final state, metrics and error.
        """
        ...

    def close(self, run: TrackedRun) -> None:
        """Take note that nothing more comes of this session. Not called where the process is ended because it takes too long.

        Args:
            run: with its end and exit status; these are None where its driver was killed.
        """
        ...


@runtime_checkable
class Checked(Protocol):
    """What a tracker's class may have besides."""

    @classmethod
    def check(cls, settings: Mapping[str, str]) -> None:
        """Look whether it can be used, in the session, before anything runs. It must be quick, import nothing large and ask no server.

        Raises:
            MissingExtraError: a package is not installed; `require` raises this.
            SweepError: a setting makes no sense; `check_settings` raises this for unknown ones.
        """
        ...


def require(package: str, extra: str, tracker: str) -> None:
    """Raise MissingExtraError, which names the extra, if a package is not installed. The package is not imported.

    Example:
        >>> require("tensorboardX", "tensorboard", "tensorboard")
    """
    if importlib.util.find_spec(package) is None:
        raise MissingExtraError(package, extra, f"the tracker {tracker}")


def check_settings(tracker: str, settings: Mapping[str, str], known: Mapping[str, str]) -> None:
    """Raise SweepError if there are settings that a tracker does not know.

    Args:
        tracker: its name.
        settings: what was written.
        known: the settings that it has, each with a few words about it.
    """
    for name in settings:
        if name not in known:
            has = "; ".join(f"{one} ({text})" for one, text in known.items()) or "none"
            raise SweepError(f"the tracker {tracker} has no setting {name!r}. Its settings: {has}")


def stable_id(origin: str, name: str) -> str:
    """Return 16 hexadecimal digits for a name in the chain of runs that began with `origin`."""
    return hashlib.sha256(f"{origin}\0{name}".encode("utf-8", "surrogatepass")).hexdigest()[:16]


def parameters(trial: TrackedTrial) -> dict[str, bool | float | str]:
    """Return the parameters of a trial as a flat dict of texts, numbers and booleans.

    Nested dicts are joined by slashes (``optimizer/lr``), lists and other values are texts of what they are. The values of stacked marks
    and fixtures come after the configuration; where they have a name of it, they get ``params/`` before it. Of a secret there is its name
    only: its value is not stored anywhere.
    """
    config, params = (flattened(_mapping(form)) for form in (trial.stored.config, trial.stored.params))
    named = {f"params/{name}" if name in config else name: value for name, value in params.items()}
    return {name: _plain(value) for name, value in {**config, **named}.items()}


def numbers(metrics: Mapping[str, Any], *, automatic: bool = False) -> dict[str, float]:
    """Return the metrics that are numbers, as a flat dict of floats: names of nested ones are joined by slashes, booleans are 0 and 1.

    NaN and infinities stay. An integer beyond the range of floats is infinite.

    Args:
        metrics: the metrics of a report.
        automatic: whether ``training_iteration``, ``timestamp``, ``time_total_s`` and ``time_this_iter_s`` are among them.
    """
    return {
        name: _float(value)
        for name, value in flattened(metrics).items()
        if isinstance(value, (bool, int, float)) and (automatic or name not in AUTO_METRICS)
    }


def time_of(report: StoredReport) -> float | None:
    """Return when a report was made, in seconds since the epoch; None where it does not say."""
    time = report.metrics.get("timestamp")
    return float(time) if isinstance(time, (int, float)) and math.isfinite(time) else None


def _mapping(form: Any) -> Mapping[str, Any]:
    found = displayable(restored(form))
    return found if isinstance(found, dict) else {}


def _plain(value: Any) -> bool | float | str:
    if isinstance(value, (bool, float, str)) or (isinstance(value, int) and abs(value) < _MOST):
        return value
    return str(value)


def _float(value: float) -> float:
    try:
        return float(value)
    except OverflowError:
        return math.inf if value > 0 else -math.inf
