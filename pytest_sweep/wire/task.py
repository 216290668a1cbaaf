"""Tasks as bytes. A configuration may hold classes of a test file: it is unpickled only where that file has been collected."""

from __future__ import annotations

import pickle
from dataclasses import dataclass

import cloudpickle

from pytest_sweep.model.trials import Task


@dataclass(frozen=True, slots=True)
class PackedTask:
    """A task on its way to a worker. Key, attempt and lease are readable, so that one that cannot be unpacked can be named.

    `is_judged` says whether the worker may be told verdicts on the trial.
    """

    key: str
    attempt: int
    content: bytes
    lease: int = 0
    is_judged: bool = False

    @classmethod
    def pack(cls, task: Task) -> PackedTask:
        """Return `task` as bytes."""
        return cls(task.trial.key, task.attempt, _dumps(task), task.lease, task.milestones is not None)

    def unpack(self) -> Task:
        """Return the task; raises whatever its configuration raises when it is unpickled."""
        task = cloudpickle.loads(self.content)
        assert isinstance(task, Task)
        return task


def _dumps(task: Task) -> bytes:
    """Return `task` as bytes, by pickle where that does the same as cloudpickle, in half of the time.

    Both name functions and classes by their modules, but of ``__main__``, which is another one in a worker.
    """
    try:
        content = pickle.dumps(task, pickle.HIGHEST_PROTOCOL)
    except Exception:  # Whatever a class of the user's raises: if cloudpickle cannot do it either, it says why.
        content = b"__main__"
    return cloudpickle.dumps(task) if b"__main__" in content else content
