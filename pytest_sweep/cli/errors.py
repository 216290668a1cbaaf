"""How the command ends: the exit statuses, and the errors that have one. Prints nothing."""

from __future__ import annotations

import enum

from pytest_sweep.errors import SweepError


class Status(enum.IntEnum):
    """The exit status of the command."""

    OK = 0
    WORSE = 1
    """Of ``compare`` only: the later run is worse."""
    USAGE = 2
    """The command line is wrong, or names more than one run."""
    NO_RUN = 3
    """There is no such run or trial, or it cannot be read; of ``compare`` also: nothing could be compared."""
    FAILED = 4
    """A file could not be written or deleted, or the command has a defect."""
    INTERRUPTED = 130
    """Ctrl-C; as shells have it."""
    BROKEN_PIPE = 141
    """Whoever read the output has ended, as ``head`` does; as shells have it."""


class CommandError(SweepError):
    """The command cannot do what was asked. Its text is shown, and `status` is the exit status."""

    status = Status.FAILED


class UsageError(CommandError):
    """The command line is wrong."""

    status = Status.USAGE


class NoSuchRunError(CommandError):
    """No run, or no trial of a run, is called like that."""

    status = Status.NO_RUN
