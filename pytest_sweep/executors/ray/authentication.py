"""Turns Ray's token authentication on. Must be called before Ray is imported, which reads the environment once."""

from __future__ import annotations

import os
from pathlib import Path


def turn_on(*, is_local: bool) -> None:
    """Set ``RAY_AUTH_MODE=token``, unless it is set: for a Ray of our own always, for a cluster if there is a token for it.

    Ray listens on all interfaces, whatever address it is given, and runs what it is sent. Newer versions do this themselves for a
    local Ray; none does for an explicit address, and a cluster that wants a token then answers with an internal error.
    """
    if is_local or _has_token():
        os.environ.setdefault("RAY_AUTH_MODE", "token")


def _has_token() -> bool:
    path = os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token"
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or Path(path).is_file()
