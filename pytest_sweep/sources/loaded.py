"""What a process has imported of the project while trials ran: what no text says beforehand, and what was edited since.

A trial is made of what its files import (`sources/graph.py`). That is known on the driver. Here is what only the trial's own process knows.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import TypeVar

from pytest_sweep import clock
from pytest_sweep.model.code import KnownCode, KnownFile, KnownSweep, Used
from pytest_sweep.sources.files import Files
from pytest_sweep.sources.graph import Closure, CodeGraph, Root
from pytest_sweep.sources.modules import Module, Modules
from pytest_sweep.sources.opening import Opened, OpenWatch
from pytest_sweep.sources.project import Project
from pytest_sweep.sources.watching import ImportWatch

_T = TypeVar("_T")
_NO_SWEEP = KnownSweep(frozenset())


def _of_callers(found: Mapping[str, set[_T]], sweep: KnownSweep) -> Iterator[set[_T]]:
    """Yield what files of a sweep have asked for; "" stands for any."""
    return (its for caller, its in found.items() if not caller or caller in sweep.files)


def _is_as(file: Opened, known: KnownFile) -> bool:
    return (file.stamp.written_ns, file.stamp.size) == (known.written_ns, known.size)


@dataclass(frozen=True)
class _Loaded:
    """A file of the project that this process has imported; `by` is the sweep whose trial did it, or None."""

    digest: str | None
    by: str | None


class LoadedCode:
    """Watches what this process imports from now on. All calls come from the thread that runs trials.

    Args:
        project: knows which files are the project's, on this machine.
        files: reads them.
    """

    def __init__(self, project: Project, files: Files) -> None:
        self._known = KnownCode()
        self._files = files
        self._project = project
        self._watch, self._open_watch = ImportWatch(), OpenWatch(project)
        self._began = clock.wall()
        # What was there before, such as the tests of who runs pytest from Python, is not the trials'.
        self._seen = {"__main__", "__mp_main__", *sys.modules}
        self._last: tuple[int, str] = (0, "")
        self._here: dict[str, None] = {}
        self._edited: dict[str, str | None] = {}
        self._unknown: dict[str, _Loaded] = {}
        self._unwatched: set[str] = set()
        self._at_collection: dict[str, set[str]] = {}
        self._opened_at_collection: dict[str, set[Opened]] = {}
        self._all_opened: set[Opened] = set()
        self._closures: dict[Opened, Closure] = {}
        self._named: dict[str, dict[str, str | None]] = {}
        self._used: dict[tuple[str, frozenset[str], frozenset[Opened]], Used | None] = {}
        self._watch.open()
        self._open_watch.open()

    def begin(self, known: KnownCode) -> None:
        """Take note of what the driver knows, and of what this process has imported to collect the files."""
        self._known = known
        self._look(None)
        for module, callers in self.take_asked().items():
            for caller in callers:
                self._at_collection.setdefault(self._project.key(caller) or "", set()).add(module)
        for file, readers in self._open_watch.take().items():
            if self._project.key(file.path) not in known.tests:
                self._all_opened.add(file)
            for caller in readers:
                self._opened_at_collection.setdefault(self._project.key(caller) or "", set()).add(file)

    def close(self) -> None:
        """Take note no more."""
        self._watch.close()
        self._open_watch.close()

    def take_asked(self) -> dict[str, set[str]]:
        """Return the modules that were imported by their names since the last call, each with the files that asked for it."""
        asked, self._watch.asked = self._watch.asked, {}
        return asked

    def take_opened(self) -> set[Opened]:
        """Return the Python files that were read since the last call, other than by imports that the driver knows of."""
        opened = set(self._open_watch.take())
        if not opened <= self._all_opened:
            self._all_opened |= opened
            self._used.clear()
        return opened

    def used(self, sweep: str, asked: Iterable[str], opened: Iterable[Opened] = ()) -> Used | None:
        """Return what a trial of `sweep` has used of the project beyond what the driver knows; None for nothing.

        Args:
            sweep: the id of the sweep.
            asked: the modules that were imported by their names for the trial.
            opened: the Python files that were read for the trial.
        """
        self._look(sweep)
        place = sweep, frozenset(asked), frozenset(opened)
        if place not in self._used:
            self._used[place] = self._found(*place)
        return self._used[place]

    def _look(self, sweep: str | None) -> None:
        """Take note of what was imported since the last time, by a trial of `sweep` or, where it is None, by none."""
        modules = sys.modules
        last = (len(modules), next(reversed(modules), ""))
        if last == self._last:
            return
        self._last = last
        new = [name for name in list(modules) if name not in self._seen]
        self._seen.update(new)
        for name in new:
            module = modules.get(name)
            file = vars(module).get("__file__") if isinstance(module, ModuleType) else None
            key = self._project.key(file) if isinstance(file, str) else None
            if key is not None and isinstance(file, str):
                self._note(key, file, self._watch.times.get(name, self._began), sweep)
                if any(value is self._watch.original for value in list(vars(module).values())):
                    self._unwatched.add(key)
                self._used.clear()

    def _note(self, key: str, file: str, imported: float, sweep: str | None) -> None:
        self._here[key] = None
        known = self._known.files.get(key)
        try:
            status = os.stat(file)  # noqa: PTH116 - as little as possible
        except OSError:  # In an archive, or gone.
            status = None
        if (
            known is not None
            and status is not None
            and (known.written_ns, known.size) == (status.st_mtime_ns, status.st_size)
        ):
            return
        digest = self._files.digest(file, "" if known is None else known.digest or "")
        if known is not None and digest == known.digest:
            return
        if status is not None and max(status.st_mtime, status.st_ctime) > imported:
            digest = None  # It was edited after it was imported: what it said then, nobody knows.
        if known is None:
            self._unknown[key] = _Loaded(digest, sweep)
        else:
            self._edited[key] = digest

    def _found(self, sweep: str, asked: frozenset[str], opened: frozenset[Opened]) -> Used | None:
        its = self._known.sweeps.get(sweep, _NO_SWEEP)
        by_name = its.by_name or not its.files.isdisjoint(self._unwatched)
        opened = opened.union(*_of_callers(self._opened_at_collection, its))
        files, edited, runs_by_name = self._opened_files(its, opened)
        by_name = by_name or runs_by_name
        if by_name:  # It may have kept what an earlier trial has read, of another sweep, too.
            files, edited, _ = self._opened_files(its, opened | self._all_opened)
        for module in sorted(asked.union(*_of_callers(self._at_collection, its))):
            files |= self._named_files(module)
        unexplained = {key: its for key, its in self._unknown.items() if not self._is_named(key)}
        for key, loaded in (self._unknown if by_name else unexplained).items():
            if by_name or loaded.by == sweep or self._may_share(loaded):
                files[key] = loaded.digest
        if by_name:
            # What another sweep has imported is there for this one, too, and nothing tells whether it asks for it.
            for key in self._here.keys() - self._known.tests - self._unknown.keys():
                files[key] = self._known.files[key].digest
        files = {key: digest for key, digest in files.items() if key not in its.files}
        edited |= {key: digest for key, digest in self._edited.items() if key in its.files or key in files}
        files |= edited
        return Used(tuple(sorted(files.items(), key=lambda item: item[0]))) if files else None

    def _may_share(self, loaded: _Loaded) -> bool:
        """Say whether something that nobody can name has imported a file, so that other sweeps' trials may use it by then."""
        imported_by = None if loaded.by is None else self._known.sweeps.get(loaded.by)
        if imported_by is None:
            return not any(other.by_name for other in self._known.sweeps.values())
        return not imported_by.by_name

    def _opened_files(
        self, its: KnownSweep, opened: Iterable[Opened]
    ) -> tuple[dict[str, str | None], dict[str, str | None], bool]:
        """Return what a trial has read by path: what the driver does not know, with what that imports; what was edited since it was known.

        The third is whether any of that imports modules whose names its text does not say.
        """
        files: dict[str, str | None] = {}
        read: dict[str, str | None] = {}
        edited: dict[str, str | None] = {}
        by_name = False
        for file in sorted(opened):
            key = self._project.key_of_any(file.path)
            known = self._known.files.get(key) if key in its.files else None
            if known is not None:
                digest = known.digest if _is_as(file, known) else self._digest(file, known.digest or "")
                if digest != known.digest:
                    edited[key] = digest
                continue
            if file not in self._closures:
                self._closures[file] = CodeGraph(self._project, self._files).closure([Root(Module("", file.path))])
            closure = self._closures[file]
            by_name |= closure.by_name
            files |= self._as_imported(closure)
            digest = self._digest(file)
            # Of what it said at two times, one digest cannot tell.
            read[key] = digest if read.get(key, digest) == digest else None
        return files | read, edited, by_name

    def _digest(self, file: Opened, like: str = "") -> str | None:
        """Return the digest of what a file said when it was opened; None where nobody knows."""
        now = self._files.read(file.path)
        return self._files.digest(file.path, like) if now is not None and now.stamp == file.stamp else None

    def _named_files(self, name: str) -> dict[str, str | None]:
        """Return the files of a module that was imported by its name: its own, and what that imports."""
        if name not in self._named:
            self._named[name] = {}
            modules = [module for module in Modules().chain(name) if module.file and self._project.key(module.file)]
            if modules:
                closure = CodeGraph(self._project, self._files).closure(map(Root, modules))
                self._named[name] = self._as_imported(closure)
        return self._named[name]

    def _as_imported(self, closure: Closure) -> dict[str, str | None]:
        return {
            key: self._unknown[key].digest if key in self._unknown else digest for key, digest in closure.files.items()
        }

    def _is_named(self, key: str) -> bool:
        return any(key in files for files in self._named.values())
