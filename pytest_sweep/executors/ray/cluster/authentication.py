"""Turns Ray's token authentication on. Must be called before Ray is imported, which reads the environment once."""

from __future__ import annotations

import os

from pytest_sweep.errors import ExecutorError
from pytest_sweep.executors.ray.cluster.token import check_token, ensure_token, has_token

WANTED = (
    "put the cluster's token into ~/.ray/auth_token, or name its file in RAY_AUTH_TOKEN_PATH, or set RAY_AUTH_TOKEN, and "
    "RAY_AUTH_MODE=token"
)
"""What to do about a cluster that wants a token."""


HINT = "; tokens are used because there is one on this machine: if the cluster has no authentication, set RAY_AUTH_MODE=disabled"
"""What a failure may come from where a token was found and the cluster wants none: Ray's workers then die without a word."""


def turn_on(address: str | None) -> str:
    """Set ``RAY_AUTH_MODE=token``, unless it is set: for a Ray of our own always, for a cluster if there is a token for it.

    Ray runs what it is sent. Newer versions turn tokens on themselves for a local Ray; none does for an explicit address, and a cluster
    that wants a token then answers with an internal error. A Ray of our own gets a token that only this user can read. Any other is
    refused, but for a file that ``RAY_AUTH_TOKEN_PATH`` names for a cluster: containers mount such files for all their users.

    Args:
        address: of the cluster to join; None for a Ray of our own, for which a token is made where there is none.

    Returns:
        what to add to the message where no worker starts; empty where tokens were asked for, or have no part in it.

    Raises:
        ExecutorError: others may know the token, it cannot be made, or tokens are turned on for a cluster and there is none, for which
            Ray would end this process.
    """
    mode = os.environ.get("RAY_AUTH_MODE")
    if mode not in (None, "token"):
        return ""
    if address is None:
        ensure_token()
    elif has_token():
        if not os.environ.get("RAY_AUTH_TOKEN_PATH"):
            check_token(for_cluster=True)
    elif mode == "token":
        raise ExecutorError(f"the Ray cluster at {address} wants a token that we do not have: {WANTED}")
    else:
        return ""
    os.environ["RAY_AUTH_MODE"] = "token"
    return "" if mode or address is None else HINT
