"""The variables that say how many threads numerical libraries may use, and how they get into a process in time."""

from __future__ import annotations

import os
import subprocess
import sys

import cloudpickle
import pytest

from pytest_sweep.wire.threads import VARIABLES, ThreadSetting, apply_threads, thread_variables


def test_by_default() -> None:
    """All libraries get the same number."""
    assert thread_variables({"PATH": "/bin"}, 4) == dict.fromkeys(VARIABLES, "4")


def test_what_the_user_has_set() -> None:
    """OMP_NUM_THREADS of the user's holds for all libraries, and a library's own variable for that one."""
    found = thread_variables({"OMP_NUM_THREADS": "8", "MKL_NUM_THREADS": "2"}, 4)
    assert found == {**dict.fromkeys(VARIABLES, "8"), "MKL_NUM_THREADS": "2"}


READ = """
import pickle, sys
assert "numpy" not in sys.modules
cls = pickle.loads(sys.stdin.buffer.read())
import numpy
from threadpoolctl import threadpool_info
print([pool["num_threads"] for pool in threadpool_info() if "numpy.libs" in pool["filepath"]], cls().name())
"""


class Base:
    def name(self) -> str:
        return "base"


def test_a_class_that_carries_them() -> None:
    """A process that unpickles a class with a setting has the variables before it imports numpy."""
    setting = ThreadSetting(tuple(thread_variables({}, 2).items()))
    packed = cloudpickle.dumps(type("Base", (Base,), {"__module__": __name__, "threads": setting}))
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.getcwd()}  # noqa: PTH109
    done = subprocess.run([sys.executable, "-c", READ], input=packed, capture_output=True, env=environ, check=True)
    assert done.stdout.decode().strip() == "[2] base"


LATE = """
import numpy
from threadpoolctl import threadpool_info
from pytest_sweep.wire.threads import apply_threads, thread_variables
apply_threads(thread_variables({}, 2))
print([pool["num_threads"] for pool in threadpool_info() if "numpy.libs" in pool["filepath"]])
"""


def test_a_library_that_is_loaded_already() -> None:
    """Where numpy was imported before, its threads are set all the same."""
    environ = {**os.environ, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-c", LATE], capture_output=True, env=environ, check=True, text=True)
    assert done.stdout.strip() == "[2]"


def test_nothing_to_set(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where no variable is given, the process stays as it is."""
    before = dict(os.environ)
    apply_threads({})
    assert dict(os.environ) == before
