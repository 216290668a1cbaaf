"""Ray still has the private names that we use: a new version that drops one is named here, with what we needed it for."""

from __future__ import annotations

import importlib

import pytest

from tests.conftest import import_ray

import_ray()

from pytest_sweep.executors.ray.private import NAMES  # noqa: E402 - Ray is imported in one way only


@pytest.mark.parametrize("name", NAMES)
def test_ray_has_it(name: str) -> None:
    """A private name in use is there in this version of Ray."""
    parts = name.split(".")
    depth = next(n for n in range(len(parts), 0, -1) if _is_module(".".join(parts[:n])))
    found = importlib.import_module(".".join(parts[:depth]))
    for part in parts[depth:]:
        assert hasattr(found, part), (
            f"Ray {import_ray().__version__} has no {name} any more; executors/ray/private.py uses it to {NAMES[name]}"
        )
        found = getattr(found, part)


def _is_module(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
