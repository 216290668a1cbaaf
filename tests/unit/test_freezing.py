"""What is there after collection is passed over by the garbage collector, until pytest has looked for garbage at its end."""

from __future__ import annotations

import gc
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pytest_sweep.plugin.session.freezing import Freezer


class Config:
    """Takes clean-ups as pytest's configuration does: the last one that was asked for comes first."""

    def __init__(self) -> None:
        self.cleanups: list[Callable[[], None]] = []

    def add_cleanup(self, function: Callable[[], None]) -> None:
        self.cleanups.insert(0, function)


@pytest.fixture
def config() -> Iterator[Config]:
    gc.unfreeze()  # Python 3.12 starts with some that are frozen.
    yield Config()
    gc.unfreeze()


class TestFreezer:
    def test_what_is_there_is_passed_over(self, config: Config) -> None:
        """Objects are frozen when that is asked for, not before, and thawed by the clean-up."""
        freezer = Freezer(config)  # type: ignore[arg-type]
        assert gc.get_freeze_count() == 0
        freezer.freeze()
        assert gc.get_freeze_count() > 1000
        config.cleanups[0]()
        assert gc.get_freeze_count() == 0

    def test_it_thaws_after_who_asked_later(self, config: Config) -> None:
        """Pytest's own look for garbage, which is set up after the plugins, comes before the thawing."""
        Freezer(config)  # type: ignore[arg-type]
        thaw = config.cleanups[0]
        config.add_cleanup(gc.collect)  # type: ignore[arg-type]
        assert config.cleanups == [gc.collect, thaw]

    def test_garbage_that_comes_later_is_found(self, config: Config) -> None:
        """A cycle that is made after the freezing is collected as ever."""
        Freezer(config).freeze()  # type: ignore[arg-type]
        died = []

        class Noisy:
            def __del__(self) -> None:
                died.append(True)

        one = Noisy()
        one.itself = one  # type: ignore[attr-defined]
        del one
        gc.collect()
        assert died == [True]

    def test_nothing_is_thawed_that_was_not_frozen(self, config: Config) -> None:
        """Where a session comes to nothing to freeze, what somebody else has frozen stays so."""
        Freezer(config)  # type: ignore[arg-type]
        gc.freeze()
        config.cleanups[0]()
        assert gc.get_freeze_count() > 1000

    def test_the_end_of_the_process_loses_nothing(self, tmp_path: Path) -> None:
        """Files are written that a module or a cycle holds, and what a module names is finalized, though nothing is looked for any more."""
        (tmp_path / "conftest.py").write_text(
            "class Noisy:\n"
            "    def __del__(self): print('finalized')\n"
            "class Logger:\n"
            "    def __init__(self):\n"
            "        self.file, self.itself = open('of a cycle', 'w'), self\n"
            "file, logger, noisy = open('of a module', 'w'), Logger(), Noisy()\n"
            "file.write('kept'), logger.file.write('kept')\n"
        )
        source = (
            "import conftest\n"
            "from pytest_sweep.plugin.session.freezing import Freezer\n"
            "class Config:\n"
            "    def add_cleanup(self, function): self.cleanup = function\n"
            "config = Config()\n"
            "freezer = Freezer(config)\n"
            "freezer.freeze()\n"
            "config.cleanup()\n"
        )
        command = [sys.executable, "-W", "ignore", "-c", source]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=True)
        assert (done.stdout, done.stderr) == ("finalized\n", "")
        assert [(tmp_path / name).read_text() for name in ("of a module", "of a cycle")] == ["kept", "kept"]
