"""The builders of shared fixtures on Ray, without Ray: what is asked of it, and what the engine is told."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from pytest_sweep.model.events import Death, WarningRecorded
from pytest_sweep.model.shared import FailedFixture, SharedBuilding, SharedLost, SharedReady, SharedStopped
from pytest_sweep.wire.calls import CallResult, LostFixture
from pytest_sweep.wire.lastwords import Ending
from tests.support.driven import make_trials
from tests.support.rayless import DATA, DONE, HERE, THERE, Rayless


def offered(ray: Rayless) -> dict[str, Any]:
    """Return what a worker is handed for a trial that uses the fixture."""
    (trial,) = make_trials(1)
    task: Any = SimpleNamespace(trial=SimpleNamespace(shared=(DATA,), key=trial.key))
    return ray.builders.offers([task])


def test_resources_are_held_while_it_is_built() -> None:
    """A placement group is asked for, and given back when the value is there; the process stays, and its reference is handed on nested."""
    ray = Rayless()
    ray.build()
    assert ray.said == [SharedBuilding("data", "10.0.0.1")]
    assert [group.bundles for group in ray.held] == [[{"CPU": 2.0}]]
    assert offered(ray) == {}
    assert ray.keep("built-1", (DONE, None)) == [SharedReady("data")]
    assert (ray.held, ray.killed) == ([], set())
    assert offered(ray) == {"data": ["value-1"]}


def test_a_lost_node() -> None:
    """When its node is gone the engine is told, and nobody is offered what was there; when it says so, it is built anew."""
    ray = Rayless()
    ray.build()
    ray.keep("built-1", (DONE, None))
    before = len(ray.said)
    ray.builders.note_nodes(["node-2"])
    assert ray.said[before:] == [SharedLost("data")]
    assert offered(ray) == {}
    ray.build()
    ray.keep("built-2", (DONE, None))
    assert offered(ray) == {"data": ["value-2"]}


def test_a_node_that_is_lost_while_it_is_built() -> None:
    """The engine is told, and the resources are given back."""
    ray = Rayless()
    ray.build()
    ray.ending = Ending("its node was lost", Death.NODE_LOST)
    assert ray.die("built-1") == [SharedLost("data")]
    assert ray.held == []


def test_a_process_that_dies_of_it() -> None:
    """It is tried once more, with resources asked for anew; then trials are told how it died."""
    ray = Rayless()
    ray.build()
    assert ray.die("built-1") == []
    ray.start()
    assert ray.die("built-2")[-1] == SharedReady("data")
    assert ray.held == []
    failed = offered(ray)["data"]
    assert isinstance(failed, FailedFixture)
    assert failed.text == (
        "the shared fixture 'data' of conftest.py cannot be had: the process that built it died: killed"
    )
    ray.builders.stop("data", 0.0, 5.0)
    assert ray.said[-1] == SharedStopped("data")


def test_building_that_takes_too_long() -> None:
    """The process is ended at its limit, and trials are told a TimeoutError with what it did; nobody tries again."""
    ray = Rayless()
    ray.builders.build(DATA, within=3.0)
    ray.builders.tick(100.0)
    ray.start()
    ray.builders.tick(102.0)
    assert ray.killed == set()
    ray.ending = Ending("killed", stacks="File conftest.py, line 3 in data")
    ray.builders.tick(103.0)
    ray.keep("mail", ([], frozenset()))
    ray.keep("mail", ([], frozenset()))
    assert ray.said[-1] == SharedReady("data")
    assert (ray.killed, ray.held) == ({1}, [])
    assert offered(ray)["data"].text == (
        "File conftest.py, line 3 in data\n\nthe shared fixture 'data' of conftest.py cannot be had.\n"
        "TimeoutError: building it took longer than 3 s, and its process was ended"
    )


def test_a_node_on_which_no_builder_starts() -> None:
    """It is built on another node; where there is none, trials are told why."""
    ray = Rayless(HERE, THERE)
    ray.builders.build(DATA)
    ray.keep("group")
    ray.keep("up-1", (77, "node-1"))
    ray.keep("start-1", CallResult(0, (), "10.0.0.1:77", failure="pytest 6 is there"))
    (group,) = ray.held
    assert group.bundle_label_selector == [{"ray.io/node-id": "!in(node-1)"}]
    ray.placed_on = "node-2"
    ray.keep("group")
    ray.keep("up-2", (77, "node-2"))
    said = ray.keep("start-2", CallResult(0, (), "10.0.0.2:77", failure="pytest 6 is there, too"))
    assert said == [SharedReady("data")]
    assert offered(ray)["data"].text == (
        "the shared fixture 'data' of conftest.py cannot be had: no process to build it could be started: pytest 6 is there, too"
    )
    ray.builders.stop("data", 0.0, 5.0)
    assert ray.said[-1] == SharedStopped("data")


def test_one_that_it_uses_is_lost() -> None:
    """The engine is told of both, of the one that is lost first."""
    ray = Rayless()
    ray.build()
    assert ray.keep("built-1", (DONE, LostFixture("source"))) == [SharedLost("source"), SharedLost("data")]


def test_the_end() -> None:
    """It is torn down, then its process exits by itself; one that is still being built ends at once."""
    ray = Rayless()
    ray.build()
    ray.keep("built-1", (DONE, None))
    ray.builders.stop("data", 0.0, 5.0)
    assert ray.keep("finish-1", DONE) == []
    assert ray.keep("leave-1", DONE) == []
    assert ray.killed == set()
    assert ray.keep("exit-1", None, RuntimeError("the actor has exited")) == [SharedStopped("data")]
    ray.build()
    ray.builders.stop("data", 0.0, 5.0)
    assert ray.said[-1] == SharedStopped("data")
    assert (2 in ray.killed, ray.held) == (True, [])


def test_a_tear_down_that_takes_too_long() -> None:
    """The process is ended, and a warning says what hung and what it did."""
    ray = Rayless()
    ray.build()
    ray.keep("built-1", (DONE, None))
    ray.builders.stop("data", 0.0, 5.0)
    ray.ending = Ending("killed", stacks="File conftest.py, line 5 in data")
    ray.builders.tick(5.0)
    ray.keep("mail", ([], frozenset()))
    ray.keep("mail", ([], frozenset()))
    warning, stopped = ray.said[-2:]
    assert isinstance(warning, WarningRecorded)
    assert warning.message == (
        "the process that had built the shared fixture 'data' of conftest.py took too long to tear down its fixtures, and its process was "
        "ended: what was left is not torn down\nFile conftest.py, line 5 in data"
    )
    assert stopped == SharedStopped("data")
