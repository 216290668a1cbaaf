"""Tasks come out of the wire as they went in, whatever their configurations hold."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections import OrderedDict
from pathlib import Path
from typing import Any

import cloudpickle
import pytest

from pytest_sweep.model.trials import Task, Trial
from pytest_sweep.testing.samples import SWEEP
from pytest_sweep.wire.task import PackedTask


def task(**config: Any) -> Task:
    return Task(Trial("k" * 16, "test_it.py::train[a]", "train[a]", SWEEP, config), 2, "/results/train")


class TestPacking:
    @pytest.mark.parametrize(
        "value", [1, 0.5, None, "text", "__main__", [1, {"a": (2, 3)}], Path("x"), OrderedDict(a=1), len, Trial]
    )
    def test_a_task_comes_out_as_it_went_in(self, value: object) -> None:
        """Plain values, and functions and classes that are found by name, are equal afterwards; key and attempt can be read."""
        packed = PackedTask.pack(task(value=value))
        assert (packed.key, packed.attempt) == ("k" * 16, 2)
        assert packed.unpack() == task(value=value)

    def test_a_function_without_a_name_travels(self) -> None:
        """What pickle refuses, cloudpickle takes by value: a lambda, a local function, a local class."""

        class Local:
            size = 3

        config = PackedTask.pack(task(double=lambda x: 2 * x, local=Local)).unpack().trial.config
        assert config["double"](4) == 8
        assert config["local"].size == 3

    def test_what_cannot_travel_is_refused_by_cloudpickle(self) -> None:
        """Its message is the one that is shown."""
        with pytest.raises(TypeError) as refused:
            PackedTask.pack(task(lock=threading.Lock()))
        with pytest.raises(TypeError) as expected:
            cloudpickle.dumps(threading.Lock())
        assert str(refused.value) == str(expected.value)

    def test_what_the_main_module_defines_travels_by_value(self, tmp_path: Path) -> None:
        """A worker's ``__main__`` is another one: a class of the driver's is not looked for there."""
        script = (
            "from pytest_sweep.testing.samples import SWEEP\n"
            "from pytest_sweep.model.trials import Task, Trial\n"
            "from pytest_sweep.wire.task import PackedTask\n"
            "class Mine:\n    size = 7\n"
            "task = Task(Trial('k' * 16, 'i', 'n', SWEEP, {'cls': Mine}), 1, '/r')\n"
            f"open({str(tmp_path / 'packed')!r}, 'wb').write(PackedTask.pack(task).content)\n"
        )
        root = Path(__file__).parent.parent.parent
        subprocess.run([sys.executable, "-c", script], check=True, timeout=60, cwd=root)
        unpacked = PackedTask("k" * 16, 1, (tmp_path / "packed").read_bytes()).unpack()
        assert unpacked.trial.config["cls"].size == 7
