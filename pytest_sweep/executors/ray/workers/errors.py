"""Ray's errors in our words. Imports no Ray."""

from __future__ import annotations

import re

_ADDRESS = re.compile(r"\bip=([^,)]+)")


def could_not_begin(error: Exception | None) -> bool:
    """Say whether an actor has died of what its own start raised, as where its node has not what it imports: that will not change."""
    return type(error).__name__ == "ActorDiedError" and "raised in its creation task" in str(error)


def is_unavailable(error: Exception | None) -> bool:
    """Say whether Ray does not reach an actor, which may live: the connection to it has broken."""
    return type(error).__name__ == "ActorUnavailableError"


def brief(error: Exception | None) -> str:
    """Return what Ray knows of a death, in a line: its error goes on with identifiers and advice.

    Ray tells neither exit code nor signal: SIGKILL, a segmentation fault and ``os._exit`` are one and the same ActorDiedError.
    """
    name = type(error).__name__
    if could_not_begin(error):
        where = _ADDRESS.search(str(error))
        said = str(error).strip().splitlines()[-1]
        missing = "; every node needs what the driver has installed" if "No module named" in said else ""
        return f"{said} (at {where[1]}){missing}" if where else said
    if name == "ActorDiedError":
        return "its node was lost" if "node has died" in str(error) else "killed or crashed, signal unknown"
    if is_unavailable(error):
        return "the connection to it broke, and it was ended"
    if name == "OutOfMemoryError":
        return "Ray's memory monitor killed it, because its node ran out of memory"
    cause = getattr(error, "cause", None) or error  # What an actor's method raised is wrapped in a RayTaskError.
    text = str(cause).strip()
    return f"{type(cause).__name__}: {text.splitlines()[0]}" if text else type(cause).__name__
