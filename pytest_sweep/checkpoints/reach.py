"""Whether the address of a checkpoint lies in a place that may be used: a database may come from anyone, and names what it likes."""

from __future__ import annotations

import os
from collections.abc import Iterable

from pytest_sweep.checkpoints.places import local_path
from pytest_sweep.errors import SweepError


def is_within(address: str, places: Iterable[str]) -> bool:
    """Return whether a checkpoint lies below one of `places`, links and ``..`` considered. Opens no URL.

    Args:
        address: a path or a URL.
        places: paths and URLs.
    """
    return any(_is_below(address, place) for place in places)


def is_real(folder: str, below: str) -> bool:
    """Return whether ``folder/below`` is where it says: no part of `below` is a link."""
    return os.path.realpath(os.path.join(folder, below)) == os.path.join(os.path.realpath(folder), below)  # noqa: PTH118


def _is_below(address: str, place: str) -> bool:
    try:
        path, root = local_path(address), local_path(place)
        if path is None or root is None:
            is_url = path is None and root is None
            return is_url and address.startswith(f"{place.rstrip('/')}/") and ".." not in address.split("/")
        base = os.path.realpath(root)
        # Of its folder, too, since what is half done there is deleted: a link in it may lead to where the checkpoint should be.
        return all(os.path.commonpath([os.path.realpath(real), base]) == base for real in (path, path.parent))
    except (ValueError, OSError, SweepError):  # No path of this machine, such as one with a null byte.
        return False
