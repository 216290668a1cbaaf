"""What is known of the code that makes a sweep's results, to be compared between runs. Reads no file itself."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Protocol

from pytest_sweep.model.code import Used

_MOST_NAMES = 8


class FixtureSource(NamedTuple):
    """A digest of a fixture's function, and the key of the file that it is in."""

    digest: str | None
    file: str = ""


class Today(Protocol):
    """Reads what code says today: what an earlier run has used and today's sweep is not known to use."""

    def file(self, key: str, like: str) -> str | None:
        """Return the digest of a file, of the same kind as `like`; None where it is not there."""

    def fixture(self, name: str) -> FixtureSource | None:
        """Return a fixture that the sweep sees; None where there is none of this name."""

    def of_version_0_1(self) -> Source:
        """Return the sweep's source as version 0.1.0 has compared it."""


@dataclass(frozen=True, slots=True)
class Source:
    """Digests of a sweep's code; None stands for code that cannot be read.

    Attributes:
        function: of the function, without the space that is written in its decorator.
        module: of the file that the function is in, likewise.
        fixtures: of each fixture that its trials use, by its name.
        files: of each file of the project that it is made of, by the path relative to rootdir; None where version 0.1.0 has stored it,
            which looked at function, module and fixtures only.
        packages: versions of Python and of the packages that these files import.
        today: reads more, where this is the code of today.
    """

    function: str | None
    module: str | None
    fixtures: Mapping[str, FixtureSource] = field(default_factory=dict, hash=False)
    files: Mapping[str, str | None] | None = field(default=None, hash=False)
    packages: Mapping[str, str] = field(default_factory=dict, hash=False)
    today: Today | None = field(default=None, compare=False, repr=False)

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Source:
        """Return what `as_dict` has made, as far as it is there."""
        found = stored or {}
        fixtures = {
            name: FixtureSource(*its) if isinstance(its, list) else FixtureSource(its)
            for name, its in (found.get("fixtures") or {}).items()
        }
        packages = found.get("packages") or {}
        return cls(found.get("function"), found.get("module"), fixtures, found.get("files"), packages)

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {
            "function": self.function,
            "module": self.module,
            "fixtures": {name: list(its) for name, its in self.fixtures.items()},
            "files": None if self.files is None else dict(self.files),
            "packages": dict(self.packages),
        }

    def with_used(self, used: Used | None) -> Source:
        """Return it with what a trial has used beyond it."""
        if used is None or self.files is None:
            return self
        asked = {name: FixtureSource(digest, file) for name, digest, file in used.fixtures}
        return replace(self, files={**self.files, **dict(used.files)}, fixtures={**self.fixtures, **asked})

    @property
    def is_partial(self) -> bool:
        """Whether it says nothing of imported files: version 0.1.0 has stored it."""
        return self.files is None and self.function is not None

    def changes_since(self, earlier: Source, sweep: str) -> list[str]:
        """Return what is different from `earlier`, a few words each; nothing where all of it is known and equal.

        Args:
            earlier: the code then.
            sweep: the node id of the sweep.
        """
        if earlier.is_partial and not self.is_partial and self.today is not None:
            return self.today.of_version_0_1().changes_since(earlier, sweep)
        if None in (self.function, self.module, earlier.function, earlier.module):
            return [f"the source of {sweep} is not known"]
        if self.packages.get("python") != earlier.packages.get("python"):
            # Digests of another version may be others of the same code.
            return [f"{_version('python', earlier.packages)} is now {self.packages.get('python', 'unknown')}"]
        changes = []
        if self.function != earlier.function:
            changes.append(f"{sweep} has changed")
        elif self.is_partial and self.module != earlier.module:
            changes.append(f"{_module(sweep)} has changed")
        changes += self._changed_files(earlier, {_module(sweep)} if changes else set())
        changes += self._changed_fixtures(earlier)
        changes += self._changed_packages(earlier)
        return changes

    def compared(self, sweep: str) -> str:
        """Return what `changes_since` compares: ``function, module test_models.py, files conftest.py, helper.py, fixture data``."""
        files = sorted((self.files or {}).keys() - {_module(sweep)})
        packages = [_version(name, self.packages) for name in sorted(self.packages)]
        parts = [
            f"function, module {_module(sweep)}",
            _several("file", files),
            _several("fixture", sorted(self.fixtures)),
            *packages,
        ]
        return ", ".join(filter(None, parts))

    def _changed_files(self, earlier: Source, told: set[str]) -> Iterator[str]:
        """Yield what has become of files, but of those that are `told` already."""
        if self.files is None or earlier.files is None:
            return
        for key in sorted(self.files.keys() | earlier.files.keys()):
            if key in told:
                continue
            if key not in earlier.files:
                yield f"{key} is new"
                continue
            then = earlier.files[key]
            now = self._file_now(key, then)
            if then is None:
                yield f"{key} was edited while it ran, so that its source then is not known"
            elif now is None:
                yield f"{key} is gone"
            elif now != then:
                yield f"{key} has changed"

    def _file_now(self, key: str, then: str | None) -> str | None:
        known = (self.files or {}).get(key)
        if known == then or self.today is None:
            return known
        # A file counts in part, or as a whole.
        return self.today.file(key, then or "")

    def _changed_fixtures(self, earlier: Source) -> Iterator[str]:
        for name in sorted(self.fixtures.keys() | earlier.fixtures.keys()):
            now, then = self.fixtures.get(name), earlier.fixtures.get(name)
            if now is None and self.today is not None:
                now = self.today.fixture(name)
            if then is None:
                yield f"the fixture {name} is new"
            elif now is None:
                yield f"the fixture {name} is gone"
            elif None in (now.digest, then.digest):
                yield f"the source of the fixture {name} is not known"
            elif now.digest != then.digest:
                yield (
                    f"the fixture {name} in {now.file} has changed"
                    if now.file
                    else f"the fixture {name} or its file has changed"
                )
            elif now.file != then.file:
                yield f"the fixture {name} is now in {now.file}"

    def _changed_packages(self, earlier: Source) -> Iterator[str]:
        for name in sorted(self.packages.keys() | earlier.packages.keys()):
            if name not in earlier.packages:
                yield f"{_version(name, self.packages)} is new"
            elif name not in self.packages:
                yield f"{_version(name, earlier.packages)} is gone"
            elif self.packages[name] != earlier.packages[name]:
                yield f"{_version(name, earlier.packages)} is now {self.packages[name]}"


def _version(name: str, packages: Mapping[str, str]) -> str:
    return f"{'Python' if name == 'python' else name} {packages.get(name, 'of an unknown version')}"


def _several(noun: str, names: list[str]) -> str:
    more = [f"and {len(names) - _MOST_NAMES} more"] if len(names) > _MOST_NAMES else []
    listed = ", ".join([*names[:_MOST_NAMES], *more])
    return f"{noun}{'' if len(names) == 1 else 's'} {listed}" if names else ""


def _module(sweep: str) -> str:
    return sweep.partition("::")[0]
