"""Where results come from: versions and the commit. Looks them up without importing a package."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

_PACKAGES = ("pytest-sweep", "pytest", "ray", "sqlalchemy", "numpy", "torch", "scikit-learn", "jax", "pandas")
_GIT_SECONDS = 5.0


def package_versions() -> dict[str, str]:
    """Return the versions of Python, of the platform and of those packages that results depend on, where installed."""
    named = {"python": platform.python_version(), "platform": platform.platform()}
    found = {package: _version(package) for package in _PACKAGES}
    return named | {package: version for package, version in found.items() if version is not None}


def git_state(folder: Path) -> tuple[str, bool] | None:
    """Return the commit that is checked out at `folder`, and whether tracked files differ from it.

    None where there is no git, no repository or no commit, and where git takes longer than 5 seconds.
    """
    commit = _git(folder, "rev-parse", "--verify", "HEAD")
    changes = None if commit is None else _git(folder, "status", "--porcelain", "--untracked-files=no")
    if commit is None or changes is None:
        return None
    return commit, bool(changes)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


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
