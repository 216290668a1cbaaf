"""Events travel as bytes: one that fails at either end costs its own trial, and nothing else."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from pytest_sweep.model.events import OutputWritten, TrialFinished, TrialReported, WarningRecorded
from pytest_sweep.model.trials import TrialState
from pytest_sweep.wire.messages import pack, pickled, unpack, unpickled


class Unpicklable:
    """Cannot be pickled."""

    def __reduce__(self) -> Any:
        raise TypeError("cannot pickle a connection")


def explode() -> None:
    """Stand for a class whose module cannot be imported."""
    raise ModuleNotFoundError("No module named 'theirs'")


class Unreadable:
    """Can be pickled, and not be unpickled."""

    def __reduce__(self) -> Any:
        return explode, ()


def finished(value: object) -> TrialFinished:
    """Return the end of a trial that has left a property."""
    reports = ({"user_properties": [("kind", value)]},)
    return TrialFinished("key", 2, TrialState.TERMINATED, {"x": 1}, None, 1.0, 100.0, reports, lease=7)


def test_there_and_back() -> None:
    """An event arrives as it was; whose it is can be read without unpickling it."""
    event = finished("plain")
    packed = pack(event)
    assert packed[1:] == ("key", 2, 7)
    assert unpack(packed) == event
    assert unpack(pack(OutputWritten("key", "text"))) == OutputWritten("key", "text")


def test_a_class_made_in_a_function() -> None:
    """What pickle cannot name travels by value, as anywhere on Ray."""

    class Local:
        value = 3

    (_, sent), *_ = unpack(pack(finished(Local()))).reports[0]["user_properties"]
    assert sent.value == 3


@pytest.mark.parametrize(
    ("value", "where", "cause"),
    [
        (Unpicklable(), "pickled in the worker", "TypeError: cannot pickle a connection"),
        (Unreadable(), "unpickled in the driver's process", "ModuleNotFoundError: No module named 'theirs'"),
    ],
)
def test_one_that_cannot_travel_is_an_error_of_its_trial(value: object, where: str, cause: str) -> None:
    """The trial fails, under its lease, with a sentence that says what failed where; another attempt would meet the same."""
    arrived = unpack(pack(finished(value)))
    assert isinstance(arrived, TrialFinished)
    assert (arrived.key, arrived.attempt, arrived.lease, arrived.state) == ("key", 2, 7, TrialState.ERROR)
    assert not arrived.may_retry
    assert arrived.error is not None
    assert arrived.error.splitlines()[-1] == (
        f"what the trial has left (properties, metrics, reports) cannot be {where}: {cause}"
    )
    reported = unpack(pack(TrialReported("key", 1, {"x": value})))
    assert isinstance(reported, TrialFinished)


def test_one_without_a_trial_is_a_warning() -> None:
    """What the session itself cannot send is a warning."""
    text: Any = Unpicklable()
    arrived = unpack(pack(OutputWritten(None, text)))
    assert isinstance(arrived, WarningRecorded)
    assert (
        "a message of a worker (OutputWritten) is lost, because it cannot be pickled in the worker" in arrived.message
    )


def test_values() -> None:
    """A value as bytes is a new copy each time it is opened, and nothing where it cannot travel."""
    content = pickled({"a": [1]})
    assert content is not None
    assert unpickled(content) == {"a": [1]}
    assert pickled(Unpicklable()) is None
    assert unpickled(pickle.dumps(Unreadable())) is None
