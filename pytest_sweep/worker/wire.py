"""Tasks as bytes. A configuration may hold classes of a test file: it is unpickled only where that file has been collected."""

from __future__ import annotations

from dataclasses import dataclass

import cloudpickle

from pytest_sweep.model.trials import Task


@dataclass(frozen=True, slots=True)
class PackedTask:
    """A task on its way to a worker. Key and attempt are readable, so that one that cannot be unpacked can be named."""

    key: str
    attempt: int
    content: bytes

    @classmethod
    def pack(cls, task: Task) -> PackedTask:
        """Return `task` as bytes."""
        return cls(task.trial.key, task.attempt, cloudpickle.dumps(task))

    def unpack(self) -> Task:
        """Return the task; raises whatever its configuration raises when it is unpickled."""
        task = cloudpickle.loads(self.content)
        assert isinstance(task, Task)
        return task
