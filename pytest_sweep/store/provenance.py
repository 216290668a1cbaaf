"""Where results come from: versions and the commit. Looks them up without importing a package."""

from __future__ import annotations

import platform
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

_MOST_IN_0_1_0 = 11
"""How many versions 0.1.0 stored at the most: those of Python, of the platform and of nine packages."""

_DISTRIBUTION = re.compile(r"(?P<name>.+?)-(?P<version>[^-]+)(-py[\d.]+)?\.(dist|egg)-info")
_GIT_SECONDS = 5.0


def package_versions() -> dict[str, str]:
    """Return the versions of ``python``, of the ``platform`` and of all installed packages, by their normalized names.

    Where a package is installed twice, the one that Python would import counts. Copies that an installed package brings for itself do
    not count: ``ray`` and ``setuptools`` put theirs on the search path when they are imported.
    """
    installed = {Path(folder).absolute(): list(_installed_in(folder)) for folder in dict.fromkeys(sys.path)}
    homes = [folder for folder, packages in installed.items() if packages]
    found: dict[str, str] = {}
    for folder, packages in installed.items():
        if packages and not _is_in_a_package(folder, homes):
            for name, version in packages:
                found.setdefault(name, version)
    return {"python": platform.python_version(), "platform": platform.platform()} | dict(sorted(found.items()))


def version_changes(earlier: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    """Return what differs between the versions of two runs, a few words each: ``numpy 1.26.0, now 2.0.1``."""
    changes = []
    knows_all = len(earlier) > _MOST_IN_0_1_0
    for name in sorted(earlier.keys() | now.keys()):
        then, today = earlier.get(name), now.get(name)
        if then == today or (then is None and not knows_all):
            continue
        changes.append(f"{name} {then or 'not installed'}, now {today or 'not installed'}")
    return changes


def git_state(folder: Path) -> tuple[str, bool] | None:
    """Return the commit that is checked out at `folder`, and whether tracked files differ from it.

    None where there is no git, no repository or no commit, and where git takes longer than 5 seconds.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = None if commit is None else _git(folder, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return None
    return commit, bool(changes)


def _installed_in(folder: str) -> Iterator[tuple[str, str]]:
    """Yield names and versions from the names of files, which the standard for wheels lays down: reading each takes 100 times as long."""
    try:
        names = [path.name for path in Path(folder or ".").iterdir()]
    except OSError:  # It is none, or an archive.
        return
    for name in names:
        match = _DISTRIBUTION.fullmatch(name) if name.endswith("-info") else None
        if match is not None:
            yield re.sub(r"[-_.]+", "-", match["name"]).lower(), match["version"]


def _is_in_a_package(folder: Path, homes: Iterable[Path]) -> bool:
    """Say whether `folder` lies in a package that is installed in one of `homes`."""
    return any(
        home in folder.parents and (home / folder.relative_to(home).parts[0] / "__init__.py").is_file()
        for home in homes
    )


def _git(folder: Path, *arguments: str) -> str | None:
    # Without optional locks, because looking must not disturb what someone does in the repository.
    command = ["git", "--no-optional-locks", "-C", str(folder), *arguments]
    try:
        done = subprocess.run(
            command, capture_output=True, stdin=subprocess.DEVNULL, timeout=_GIT_SECONDS, check=True, encoding="utf-8",
            errors="replace",
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
