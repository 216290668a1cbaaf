"""Ray is imported beside a session that does what it likes with sys.modules."""

from __future__ import annotations

import logging
import subprocess
import sys
import threading

import pytest

from pytest_sweep.executors.ray.cluster.importing import let_loggers_be_listed

SCRIPT = """
import sys

class Thief:
    def find_spec(self, name, path=None, target=None):
        if name == "ray.exceptions":
            sys.meta_path.remove(self)
            del sys.modules["ray"]  # As coverage does, in another thread.
            raise KeyError(name)

sys.meta_path.insert(0, Thief())
from pytest_sweep.executors.ray.cluster.importing import import_ray
ray = import_ray()
assert sys.modules["ray"] is ray
assert not any(isinstance(finder, Thief) for finder in sys.meta_path)
print("imported", ray.ObjectRef.__name__)
"""


def test_what_is_taken_away_while_ray_is_imported_is_imported_again() -> None:
    """The first import fails with a KeyError, as Python says it; the second one gives a whole Ray."""
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "imported ObjectRef\n", done.stderr


def test_loggers_that_are_made_meanwhile(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who iterates over all loggers, as pytest does, is not disturbed by those that another thread makes."""
    manager = logging.getLogger().manager
    monkeypatch.setattr(manager, "loggerDict", dict(manager.loggerDict))
    let_loggers_be_listed()
    seen = 0
    for logger in manager.loggerDict.values():
        if not seen:
            maker = threading.Thread(target=logging.getLogger, args=("made.while.others.iterate",))
            maker.start()
            maker.join()
        seen += logger is not None
    assert seen
    assert isinstance(manager.loggerDict["made.while.others.iterate"], logging.Logger)
