"""The versions of installed packages, by the names that they are imported by."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib import metadata

_OWN = frozenset({"pytest-sweep", "pytest_sweep"})
"""Not a part of what a trial computes."""


@dataclass
class Packages:
    """Looks up the versions of installed packages, each of them once."""

    _versions: dict[str, Mapping[str, str]] = field(default_factory=dict)
    _beside: dict[str, Mapping[str, Mapping[str, str]]] = field(default_factory=dict)
    _distributions: Mapping[str, list[str]] | None = None

    def versions(self, name: str) -> Mapping[str, str]:
        """Return the versions of what is imported as `name`, by the names of the distributions: none where nobody knows."""
        if name not in self._versions:
            found = {distribution: version(distribution) for distribution in self._names(name)}
            self._versions[name] = {
                its: number for its, number in found.items() if number is not None and its not in _OWN
            }
        return self._versions[name]

    def beside(self, folder: str, name: str) -> Mapping[str, str]:
        """Return the versions of what is imported as `name`, if its metadata lie in `folder` beside it: a folder of vendored packages."""
        if folder not in self._beside:
            self._beside[folder] = dict(_distributions_in(folder))
        return self._beside[folder].get(name, {})

    def _names(self, name: str) -> Iterable[str]:
        if (
            version(name) is not None
        ):  # Most are called like what they are imported as; the others are looked for among all.
            return [name]
        if self._distributions is None:
            self._distributions = _by_import()
        return sorted(set(self._distributions.get(name, ())))


def version(distribution: str) -> str | None:
    """Return the version of an installed distribution; None where it is not installed."""
    try:
        return metadata.version(distribution)
    except (metadata.PackageNotFoundError, ValueError):
        return None


def _by_import() -> Mapping[str, list[str]]:
    """Return the installed distributions by what is imported of them, as ``metadata.packages_distributions`` does since Python 3.11.

    Before, that one knows only those with a file ``top_level.txt``, which scikit-learn, for example, has not.
    """
    found: dict[str, list[str]] = {}
    for distribution in metadata.distributions():
        for top in (distribution.read_text("top_level.txt") or "").split() or _tops(distribution):
            found.setdefault(top, []).append(distribution.metadata["Name"])
    return found


def _tops(distribution: metadata.Distribution) -> set[str]:
    """Return what its files can be imported as."""
    tops = {
        file.parts[0] if len(file.parts) > 1 else inspect.getmodulename(file.name) for file in distribution.files or ()
    }
    return {top for top in tops if top is not None and top.isidentifier()}


def _distributions_in(folder: str) -> Iterable[tuple[str, Mapping[str, str]]]:
    names = os.listdir(folder) if os.path.isdir(folder) else ()  # noqa: PTH112, PTH208
    if not any(name.endswith(".dist-info") for name in names):
        return
    for distribution in metadata.distributions(path=[folder]):
        name, number = distribution.metadata["Name"], distribution.version
        tops = (distribution.read_text("top_level.txt") or name.replace("-", "_")).split()
        for top in tops:
            yield top, {name: number}
