"""The actor that is one worker of a gang. Its process imports next to nothing before the user's function does."""

from __future__ import annotations

import contextlib
import os
import socket
import sys
import tempfile
import traceback
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import cloudpickle
import ray

from pytest_sweep.executors.ray.workers.guard import keep_connection
from pytest_sweep.wire.spec import SessionSpec, enter
from pytest_sweep.wire.threads import apply_threads


@dataclass(frozen=True)
class CallOutcome:
    """How a call on a worker has ended.

    Attributes:
        returned: what it returned, pickled; None where it raised.
        error: what it raised, pickled; None where it returned, and where that cannot be pickled.
        trace: its traceback, or "".
        output: what was printed meanwhile.
    """

    returned: bytes | None
    error: bytes | None = None
    trace: str = ""
    output: str = ""


class GangMember:
    """Calls functions on its main thread, since some trainers need that.

    Args:
        spec: of the trial's session: this process gets the same import path, and the same variables.
        cwd: the working directory of the trial, which this process has, too, where its machine has it.
        variables: how many threads numerical libraries may use.

    Raises:
        ExecutorError: this machine has not the driver's files.
    """

    def __init__(self, spec: SessionSpec, cwd: str, variables: Mapping[str, str]) -> None:
        keep_connection()
        enter(spec.localized())
        with contextlib.suppress(OSError):
            os.chdir(cwd)
        apply_threads(variables)

    def where(self) -> tuple[str, str]:
        """Return the id of its node, and its address."""
        return ray.get_runtime_context().get_node_id(), str(ray.util.get_node_ip_address())  # type: ignore[no-untyped-call]

    def free_port(self) -> int:
        """Return a port that nobody listens at on this machine."""
        with socket.socket() as listener:
            listener.bind(("", 0))
            return int(listener.getsockname()[1])

    def call(self, packed: bytes, rank: int, world_size: int, environ: Mapping[str, str]) -> CallOutcome:
        """Call the packed function and say how that ended."""
        os.environ.update(environ)
        with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as file:
            with _written_to(file.fileno()):
                returned, error, trace = _call(packed, rank, world_size)
            file.seek(0)
            return CallOutcome(returned, error, trace, file.read())


def _call(packed: bytes, rank: int, world_size: int) -> tuple[bytes | None, bytes | None, str]:
    try:
        function, args, kwargs = cloudpickle.loads(packed)
        return cloudpickle.dumps(function(rank, world_size, *args, **kwargs)), None, ""
    except BaseException as error:  # Skips and failures of pytest, too, and sys.exit.
        ours = error.__traceback__
        trace = "".join(traceback.format_exception(type(error), error, ours and ours.tb_next))
        try:
            return None, cloudpickle.dumps(error), trace
        except Exception:  # It holds what cannot travel: its traceback says enough.
            return None, None, trace


@contextlib.contextmanager
def _written_to(target: int) -> Iterator[None]:
    """Write what goes to standard output and error, of C code and child processes too, into `target`."""
    streams: list[Any] = [sys.stdout, sys.stderr]
    saved = [os.dup(descriptor) for descriptor in (1, 2)]
    try:
        for stream, descriptor in zip(streams, (1, 2), strict=True):
            stream.flush()
            os.dup2(target, descriptor)
        yield
    finally:
        for stream, descriptor, before in zip(streams, (1, 2), saved, strict=True):
            stream.flush()
            os.dup2(before, descriptor)
            os.close(before)
