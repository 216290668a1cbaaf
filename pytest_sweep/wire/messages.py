"""Events as bytes, on their way from a worker to the driver. Who carries them never unpickles what users have put into them.

An event may hold objects of a user's class: a property of a report, for example. It is pickled on its own when it is sent and unpickled
on its own by the driver, so that one that fails at either end costs one trial, and neither its batch nor its worker.
"""

from __future__ import annotations

import pickle
from typing import Any

import cloudpickle

from pytest_sweep import clock
from pytest_sweep.model.events import TrialFinished, WarningRecorded
from pytest_sweep.model.trials import TrialState

Packed = tuple[bytes, str, int, int]
"""An event as bytes, and the key, the attempt and the lease of its trial: readable, so that the trial can be named. "" is no trial."""


def pack(event: object) -> Packed:
    """Return an event as bytes; one that cannot be pickled becomes the error of its trial."""
    key, attempt, lease = getattr(event, "key", None), getattr(event, "attempt", None), getattr(event, "lease", 0)
    trial = (key, attempt, lease) if isinstance(key, str) and isinstance(attempt, int) else ("", 0, 0)
    try:
        return (_dumps(event), *trial)
    except Exception as error:  # Whatever a class of the user's raises.
        return (pickle.dumps(_failure(type(event).__name__, *trial, "pickled in the worker", error)), *trial)


def unpack(packed: Packed) -> Any:
    """Return the event; one that cannot be unpickled becomes the error of its trial."""
    content, key, attempt, lease = packed
    try:
        return pickle.loads(content)
    except Exception as error:  # Whatever a class of the user's raises, or its module when it is imported.
        return _failure("event", key, attempt, lease, "unpickled in the driver's process", error)


def pickled(value: object) -> bytes | None:
    """Return a value as bytes; None where it cannot be pickled."""
    try:
        return _dumps(value)
    except Exception:  # Whatever a class of the user's raises.
        return None


def unpickled(content: bytes) -> Any:
    """Return a new copy of what was pickled; None where it cannot be unpickled here."""
    try:
        return pickle.loads(content)
    except Exception:  # Whatever a class of the user's raises.
        return None


def warning(text: str, file: str = "pytest-sweep", sweep: str = "") -> WarningRecorded:
    """Return a warning of ours about a run, for pytest's summary."""
    return WarningRecorded(text, "pytest:PytestWarning", file, 0, "runtest", sweep, None)


def _dumps(event: object) -> bytes:
    """Return `event` pickled: by cloudpickle only where pickle cannot do it, such as for classes made in functions."""
    try:
        content = pickle.dumps(event, pickle.HIGHEST_PROTOCOL)
    except Exception:
        return bytes(cloudpickle.dumps(event))
    return bytes(cloudpickle.dumps(event)) if b"__main__" in content else content


def _failure(
    what: str, key: str, attempt: int, lease: int, where: str, error: Exception
) -> TrialFinished | WarningRecorded:
    cause = f"{type(error).__name__}: {error}"
    if not key:
        return warning(f"a message of a worker ({what}) is lost, because it cannot be {where}: {cause}")
    advice = "give record_property() and trial.report() plain values, or objects of classes that the driver can import"
    # The last line is what the short summary shows.
    text = f"{advice}\nwhat the trial has left (properties, metrics, reports) cannot be {where}: {cause}"
    now, state = clock.wall(), TrialState.ERROR
    return TrialFinished(key, attempt, state, None, text, 0.0, now, may_retry=False, lease=lease)
