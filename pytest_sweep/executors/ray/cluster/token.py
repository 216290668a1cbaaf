"""The token that lets clients into a Ray: found, made where there is none, and refused where others may have it. Imports no Ray.

Ray makes a token itself, but with the permissions that the umask leaves: usually all users of the machine may read it. Who has the token
may run code as the user whose Ray it is.
"""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path

from pytest_sweep.errors import ExecutorError
from pytest_sweep.permissions import owner, who_may_read, who_may_write, why_replaceable

_RENEW = "delete it, and a new one is made that only you can read; or name another file in RAY_AUTH_TOKEN_PATH"

_REPLACE = (
    "give the cluster a new token, in a file of mode 0600; or name the file in RAY_AUTH_TOKEN_PATH to use it as it is"
)


def token_path() -> Path:
    """Return where Ray looks for the token: the file that ``RAY_AUTH_TOKEN_PATH`` names, or ``~/.ray/auth_token``.

    Raises:
        ExecutorError: there is no home folder.
    """
    named = os.environ.get("RAY_AUTH_TOKEN_PATH")
    try:
        return Path(named) if named else Path.home() / ".ray" / "auth_token"
    except RuntimeError as error:
        raise ExecutorError(
            f"there is no place for Ray's token ({error}): set HOME, or name a file in RAY_AUTH_TOKEN_PATH"
        ) from error


def has_token() -> bool:
    """Return whether Ray would find a token, in the environment or in a file."""
    # Not `Path.is_file`, which raises for a path that is too long, or in a folder that this user may not enter.
    return bool(os.environ.get("RAY_AUTH_TOKEN")) or os.path.isfile(token_path())  # noqa: PTH113


def ensure_token() -> None:
    """Make the token's file where there is none, mode 0600 whatever the umask. Does nothing if ``RAY_AUTH_TOKEN`` holds the token.

    A folder for it is made with mode 0700. What exists is neither changed nor replaced.

    Raises:
        ExecutorError: as `check_token`; or the file cannot be made.
    """
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    path = token_path()
    try:
        if not os.path.lexists(path):
            _make_folder(path.parent)
            _check_folder(path.parent)
            _make_file(path, secrets.token_hex(32))
    except OSError as error:
        raise ExecutorError(
            f"Ray's token cannot be written to {path} ({error.strerror or error}): name another file in RAY_AUTH_TOKEN_PATH"
        ) from error
    check_token()


def check_token(*, for_cluster: bool = False) -> None:
    """Refuse a token that another user may know or have written. Does nothing if ``RAY_AUTH_TOKEN`` holds the token.

    Args:
        for_cluster: whether it is the token of a cluster, which a new one on this machine would not replace.

    Raises:
        ExecutorError: the token's file is no regular file, others may read or write it, or it belongs to another user; the text says
            what to do.
    """
    if os.environ.get("RAY_AUTH_TOKEN"):
        return
    path, advice = token_path(), _REPLACE if for_cluster else _RENEW
    try:
        if not path.is_file():
            raise ExecutorError(f"Ray's token {path} is not a regular file: delete it, and a token is made")
        _check_folder(path.parent)
        if (user := owner(path)) is not None:
            raise ExecutorError(f"Ray's token {path} is refused because it belongs to {user}: {advice}")
        mode = f"mode {path.stat().st_mode & 0o777:04o}"
        if (others := who_may_write(path)) is not None:
            raise ExecutorError(f"Ray's token {path} is refused because {others} may write to it ({mode}): {advice}")
        if (others := who_may_read(path)) is not None:
            raise ExecutorError(
                f"Ray's token {path} is refused because {others} may read it ({mode}), and who has it may run code as you: {advice}"
            )
    except OSError as error:
        raise ExecutorError(f"Ray's token {path} cannot be read ({error.strerror or error}): {advice}") from error


def _check_folder(folder: Path) -> None:
    reason = why_replaceable(folder)
    if reason is not None:
        raise ExecutorError(
            f"Ray's token in {folder} is refused because {reason}, so it could be replaced: let only yourself write there, or name a file "
            "elsewhere in RAY_AUTH_TOKEN_PATH"
        )


def _make_folder(folder: Path) -> None:
    with contextlib.suppress(FileExistsError):
        folder.mkdir(0o700)
        folder.chmod(0o700)  # The umask may have taken more.


def _make_file(path: Path, text: str) -> None:
    """Make a file in one step: whoever finds it finds all of it, and of two that make it at once both get the first one's."""
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            temporary.chmod(0o600)  # The umask may have taken more.
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        with contextlib.suppress(FileExistsError):
            _publish(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def _publish(temporary: Path, path: Path) -> None:
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # A file system without hard links: another process that starts at this moment may replace it.
        if not os.path.lexists(path):
            temporary.replace(path)
