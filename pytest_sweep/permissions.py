"""Which other users of this machine may read a file, or put something else in its place. Reads no contents.

Access control lists are not read: a file that only they open to others counts as private. On Windows, where every user has a folder for
temporary files of their own, everything counts as private.
"""

from __future__ import annotations

import os
import stat
import sys
from pathlib import Path

if sys.platform != "win32":
    import grp
    import pwd


def is_private_folder(path: str | Path) -> bool:
    """Return whether `path` is a folder, not a link, that belongs to this user and that nobody else may enter, list or change.

    Raises:
        FileNotFoundError: there is nothing at `path`.
    """
    status = os.lstat(path)
    if sys.platform == "win32":
        return stat.S_ISDIR(status.st_mode)
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077


def who_may_read(path: Path) -> str | None:
    """Return who, apart from its owner and root, may read `path`: ``"all users"``, ``"the group staff"``, or None for nobody.

    A file that all may read is private if it lies in a folder that nobody else may enter.

    Raises:
        OSError: there is nothing at `path`.
    """
    return _who(path, stat.S_IROTH, stat.S_IRGRP)


def who_may_write(path: Path) -> str | None:
    """Return who, apart from its owner and root, may write to the file or folder `path`: as `who_may_read`.

    Raises:
        OSError: there is nothing at `path`.
    """
    return _who(path, stat.S_IWOTH, stat.S_IWGRP)


def owner(path: Path) -> str | None:
    """Return the name of the user that `path` belongs to; None for this user, and for root.

    Raises:
        OSError: there is nothing at `path`.
    """
    uid = path.stat().st_uid
    return None if sys.platform == "win32" or uid in (0, os.geteuid()) else _user(uid)


def why_replaceable(folder: Path) -> str | None:
    """Return how another user may put something else in the place of what is in `folder`, as a clause; None where nobody can.

    Who owns a folder, or may write to it, may rename what is in it. In a folder with the sticky bit, such as ``/tmp``, only its owner and
    the owner of an entry may.

    Raises:
        OSError: there is no such folder.
    """
    if (other := owner(folder)) is not None:
        return f"{folder} belongs to {other}"
    if folder.stat().st_mode & stat.S_ISVTX or (others := who_may_write(folder)) is None:
        return None
    return f"{others} may write to {folder}"


def why_untrusted(folder: Path) -> str | None:
    """Return as `why_replaceable`, for `folder` and for each folder above it.

    Raises:
        OSError: there is no such folder.
    """
    real = folder.resolve(strict=True)
    return next(filter(None, map(why_replaceable, (real, *real.parents))), None)


def _who(path: Path, others_bit: int, group_bit: int) -> str | None:
    if sys.platform == "win32":
        return None
    real = path.resolve(strict=True)
    needed = [(real, others_bit, group_bit), *((above, stat.S_IXOTH, stat.S_IXGRP) for above in real.parents)]
    groups = set()
    for place, others, group in needed:
        status = place.stat()
        if status.st_mode & others:
            continue
        if not status.st_mode & group:
            return None
        groups.add(status.st_gid)
    if any(map(_is_of_this_user_alone, groups)):
        return None
    return f"the group {' and '.join(sorted(map(_group, groups)))}" if groups else "all users"


def _is_of_this_user_alone(gid: int) -> bool:
    """Return whether a group is what many systems give each user: it has the user's name, and no other member."""
    name = _user(os.geteuid())
    try:
        group = grp.getgrgid(gid)
    except KeyError:
        return False
    return group.gr_name == name and set(group.gr_mem) <= {name}


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"the user {uid}"
