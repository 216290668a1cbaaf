"""What all ports of workers and builders on Ray use. Imports no Ray."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from pytest_sweep.executors.awake import AwakeClock
from pytest_sweep.executors.ray.desk import Desk
from pytest_sweep.executors.ray.workers.messages import Messages
from pytest_sweep.executors.ray.workers.postmortem import Postmortem
from pytest_sweep.executors.ray.workers.reservations import Reservations

if TYPE_CHECKING:  # Imports Ray.
    from pytest_sweep.executors.ray.workers.spawn import Spawner


@dataclass(frozen=True)
class RayTools:
    """What all ports use.

    Attributes:
        desk: the conductor.
        spawner: starts and ends actors.
        groups: reserves resources.
        messages: brings what processes say.
        postmortem: finds out how they died.
        clock: by which limits are counted.
        hint: what to say beside the error where a worker does not start.
        exiting: the processes of this machine that have nothing to do but to exit: Ray is not to be ended before them.
    """

    desk: Desk
    spawner: Spawner
    groups: Reservations
    messages: Messages
    postmortem: Postmortem
    clock: AwakeClock
    hint: str = ""
    exiting: set[int] = field(default_factory=set)
