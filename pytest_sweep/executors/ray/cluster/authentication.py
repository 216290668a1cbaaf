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


HINT = "; tokens are used because there is one on this machine: if the cluster has no authentication, set RAY_AUTH_MODE=disabled"
"""What a failure may come from where a token was found and the cluster wants none: Ray's workers then die without a word."""


def turn_on(address: str | None) -> str:
    """Set ``RAY_AUTH_MODE=token``, unless it is set: for a Ray of our own always, for a cluster if there is a token for it.

    Ray listens on all interfaces, whatever address it is given, and runs what it is sent. Newer versions do this themselves for a
    local Ray; none does for an explicit address, and a cluster that wants a token then answers with an internal error.

    Args:
        address: of the cluster to join; None for a Ray of our own, which makes a token where there is none.

    Returns:
        what to add to the message where no worker starts; empty where tokens were asked for, or have no part in it.

    Raises:
        ExecutorError: tokens are turned on and there is none, for which Ray would end this process.
    """
    mode = os.environ.get("RAY_AUTH_MODE")
    if mode is None and (address is None or _has_token()):
        os.environ["RAY_AUTH_MODE"] = "token"
        return "" if address is None else HINT
    if mode == "token" and address is not None and not _has_token():
        raise ExecutorError(f"the Ray cluster at {address} wants a token that we do not have: {WANTED}")
    return ""


def _has_token() -> bool:
    path = os.environ.get("RAY_AUTH_TOKEN_PATH") or Path.home() / ".ray" / "auth_token"
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or Path(path).is_file()
