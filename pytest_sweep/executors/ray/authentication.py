"""Turns Ray's token authentication on. Must be called before Ray is imported, which reads the environment once."""

from __future__ import annotations

import os
from pathlib import Path

from pytest_sweep.errors import ExecutorError

WANTED = (
    "put the cluster's token into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH, or set RAY_AUTH_TOKEN, and "
    "RAY_AUTH_MODE=token"
)
"""What to do about a cluster that wants a token."""


def turn_on(address: str | None) -> None:
    """Set ``RAY_AUTH_MODE=token``, unless it is set: for a Ray of our own always, for a cluster if there is a token for it.

    Ray listens on all interfaces, whatever address it is given, and runs what it is sent. Newer versions do this themselves for a
    local Ray; none does for an explicit address, and a cluster that wants a token then answers with an internal error.

    Args:
        address: of the cluster to join; None for a Ray of our own, which makes a token where there is none.

    Raises:
        ExecutorError: tokens are turned on and there is none, for which Ray would end this process.
    """
    if address is None or _has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")
    elif os.environ.get("RAY_AUTH_MODE") == "token":
        raise ExecutorError(f"the Ray cluster at {address} wants a token that we do not have: {WANTED}")


def _has_token() -> bool:
    path = os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token"
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or Path(path).is_file()
