"""Which files a process notes as read by their paths."""

from __future__ import annotations

import importlib.util
import py_compile
import runpy
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_sweep.model.code import KnownCode, KnownSweep, Used
from pytest_sweep.sources import Files, LoadedCode, Project
from pytest_sweep.sources.files import read_code
from pytest_sweep.sources.opening import OpenWatch


class TestOpenWatch:
    """What is noted."""

    @pytest.fixture
    def watch(self, tmp_path: Path) -> Iterator[OpenWatch]:
        """What watches this process, with a file to read."""
        (tmp_path / "model.py").write_text("VALUE = 1\n")
        watch = OpenWatch(Project(tmp_path))
        watch.open()
        yield watch
        watch.close()

    @staticmethod
    def paths(watch: OpenWatch) -> list[str]:
        """Return the names of the files that were noted."""
        return [Path(file.path).name for file in watch.take()]

    def test_bytecode(self, watch: OpenWatch, tmp_path: Path) -> None:
        """A file whose bytecode is read counts as its source."""
        py_compile.compile(str(tmp_path / "model.py"))
        watch.take()
        Path(importlib.util.cache_from_source(str(tmp_path / "model.py"))).read_bytes()
        assert self.paths(watch) == ["model.py"]

    def test_text_that_was_read_before(self, watch: OpenWatch, tmp_path: Path) -> None:
        """A file counts, too, that is compiled from text that the process has had."""
        compile("VALUE = 1", str(tmp_path / "model.py"), "exec")
        assert self.paths(watch) == ["model.py"]

    def test_a_thread(self, watch: OpenWatch, tmp_path: Path) -> None:
        """What a thread reads counts where no file of the project is on its stack, too."""
        thread = threading.Thread(target=runpy.run_path, args=(str(tmp_path / "model.py"),))
        thread.start()
        thread.join()
        assert self.paths(watch) == ["model.py"]

    def test_what_is_no_file(self, watch: OpenWatch, tmp_path: Path) -> None:
        """Who opens or compiles what is no path, or is not there, gets Python's own error, and nothing is noted."""
        with pytest.raises(ValueError, match="null"):
            (tmp_path / "a\0.py").open().close()
        with pytest.raises(FileNotFoundError):
            (tmp_path / "missing.py").open().close()
        compile("1", "missing.py", "eval")
        compile("1", b"\xff.py", "eval")
        assert self.paths(watch) == []

    def test_what_does_not_count(self, watch: OpenWatch, tmp_path: Path) -> None:
        """What is written first, no Python, not there, the library's, or read by this plugin does not count."""
        (tmp_path / "written.py").write_text("VALUE = 1\n")
        runpy.run_path(str(tmp_path / "written.py"))
        (tmp_path / "data.txt").write_text("1")
        (tmp_path / "data.txt").read_text()
        with pytest.raises(FileNotFoundError):
            (tmp_path / "missing.py").read_text()
        Path(runpy.__file__).read_text()
        read_code(str(tmp_path / "model.py"))
        assert self.paths(watch) == []

    def test_it_ends(self, watch: OpenWatch, tmp_path: Path) -> None:
        """After it was closed, it notes nothing more."""
        watch.close()
        (tmp_path / "model.py").read_text()
        assert self.paths(watch) == []


class TestOpenedFiles:
    """What counts as used because of it."""

    @pytest.fixture
    def loaded(self, tmp_path: Path) -> Iterator[LoadedCode]:
        """What watches this process, with a file to run; of two sweeps, one may run what its text does not say."""
        (tmp_path / "model.py").write_text("VALUE = 1\n")
        loaded = LoadedCode(Project(tmp_path), Files())
        loaded.begin(KnownCode({}, {"s": KnownSweep(frozenset()), "exec": KnownSweep(frozenset(), by_name=True)}))
        yield loaded
        loaded.close()

    def test_who_has_used_it(self, tmp_path: Path, loaded: LoadedCode) -> None:
        """A file counts for the trial that has read it, and for later ones that may have kept it; not for others."""
        file = read_code(str(tmp_path / "model.py"))
        assert file is not None
        runpy.run_path(str(tmp_path / "model.py"))
        assert loaded.used("s", (), loaded.take_opened()) == Used((("model.py", file.whole),))
        assert loaded.used("s", (), loaded.take_opened()) is None
        assert loaded.used("exec", (), loaded.take_opened()) == Used((("model.py", file.whole),))

    def test_an_edit_after_it_was_read(self, tmp_path: Path, loaded: LoadedCode) -> None:
        """Of a file that was edited after it was read nobody knows what it said."""
        runpy.run_path(str(tmp_path / "model.py"))
        opened = loaded.take_opened()
        (tmp_path / "model.py").write_text("VALUE = 2222\n")
        assert loaded.used("s", (), opened) == Used((("model.py", None),))
