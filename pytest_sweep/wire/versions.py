"""Compares the software of a worker with the driver's. Knows no pytest, for its version is one of those that may differ."""

from __future__ import annotations

import platform
import sys
from collections.abc import Mapping
from importlib import metadata

_PACKAGES = ("pytest", "pytest-sweep")


def essential_versions() -> dict[str, str]:
    """Return the versions that a worker must have as the driver has them: of Python without its last part, of pytest, and ours."""
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    return {"Python": python, **{package: _version(package) for package in _PACKAGES}}


def difference(wanted: Mapping[str, str], where: str) -> str | None:
    """Return in a sentence what of this process differs from what the driver has; None where nothing does.

    Args:
        wanted: the driver's `essential_versions`.
        where: the address of this machine.
    """
    found = essential_versions()
    differing = [name for name in wanted if found.get(name) != wanted[name]]
    if not differing:
        return None
    here = ", ".join(f"{name} {found.get(name)}" for name in differing)
    there = ", ".join(f"{name} {wanted[name]}" for name in differing)
    return (
        f"the worker at {where} has {here}, where the driver has {there}: what they send each other may not be understood. Install the "
        f"same there ({sys.executable}, Python {platform.python_version()})"
    )


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "of unknown version"
