"""What a process has imported of the project while trials ran: what no text says beforehand, and what was edited since.

A trial is made of what its files import (`sources/graph.py`). That is known on the driver. Here is what only the trial's own process knows.
"""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib.machinery import ModuleSpec
from types import ModuleType

from pytest_sweep import clock
from pytest_sweep.model.code import KnownCode, KnownSweep, Used
from pytest_sweep.sources.files import Files
from pytest_sweep.sources.project import Project


@dataclass(frozen=True)
class _Loaded:
    """A file of the project that this process has imported; `by` is the sweep whose trial did it, or None."""

    digest: str | None
    by: str | None


class ImportTimes:
    """A finder that finds nothing, and takes note of when modules were looked for: shortly before they are read."""

    def __init__(self) -> None:
        self.times: dict[str, float] = {}

    def find_spec(self, name: str, path: object = None, target: object = None) -> ModuleSpec | None:  # noqa: ARG002 - as importlib calls it
        """Take note of the time."""
        self.times[name] = clock.wall()
        return None


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
        self._times = ImportTimes()
        self._began = clock.wall()
        # What was there before, such as the tests of who runs pytest from Python, is not the trials'.
        self._seen = {"__main__", "__mp_main__", *sys.modules}
        self._last: tuple[int, str] = (0, "")
        self._unknown: dict[str, _Loaded] = {}
        self._edited: dict[str, str | None] = {}
        self._here: dict[str, None] = {}
        self._used: dict[str, Used | None] = {}
        sys.meta_path.insert(0, self._times)

    def begin(self, known: KnownCode) -> None:
        """Take note of what the driver knows, and of what this process has imported to collect the files."""
        self._known = known
        self._look(None)

    def close(self) -> None:
        """Take note no more."""
        if self._times in sys.meta_path:
            sys.meta_path.remove(self._times)

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
                self._note(key, file, self._times.times.get(name, self._began), sweep)
                self._used.clear()

    def used(self, sweep: str) -> Used | None:
        """Return what a trial of `sweep` that has just ended has used of the project beyond what the driver knows; None for nothing."""
        self._look(sweep)
        if sweep not in self._used:
            self._used[sweep] = self._found(sweep)
        return self._used[sweep]

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

    def _found(self, sweep: str) -> Used | None:
        its = self._known.sweeps.get(sweep, KnownSweep(frozenset(), by_name=True))
        files = {key: digest for key, digest in self._edited.items() if key in its.files or its.by_name}
        files |= {key: loaded.digest for key, loaded in self._unknown.items() if self._may_use(sweep, its, loaded)}
        if its.by_name:
            # What another sweep has imported is there for this one, too, and nothing tells whether it asks for it.
            for key in self._here.keys() - its.files - self._known.tests - files.keys():
                files[key] = self._known.files[key].digest
        return Used(tuple(sorted(files.items(), key=lambda item: item[0]))) if files else None

    def _may_use(self, sweep: str, its: KnownSweep, loaded: _Loaded) -> bool:
        if loaded.by == sweep or its.by_name:
            return True
        imported_by = None if loaded.by is None else self._known.sweeps.get(loaded.by)
        if imported_by is None:  # When the files were collected: by one of those that may.
            return not any(other.by_name for other in self._known.sweeps.values())
        return not imported_by.by_name
