"""The engine's settings, of which each of its parts reads its own. Knows nothing of where they are written."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Policy:
    """The engine's settings.

    Attributes:
        max_concurrent: how many trials may run at once; None leaves it to the resources.
        idle_release: after how many seconds a worker without work gives its resources back.
        grant_patience: after how many seconds a worker that the cluster does not grant is requested elsewhere, if there is room.
        patience: after how many seconds a trial that needs more room than there is gets a node emptied for it.
        timeout: how many seconds an attempt may take, where its sweep says nothing; None is no limit.
        abort_after: a sweep whose first so many trials fail with the same error ends there; 0 for never.
        budget: after how many seconds nothing new begins; None is no limit.
        grace: how many seconds what runs then has to come to an end, or to a checkpoint.
        stall: after how many seconds in which no trial began, reported or ended people are told what waits, and for what.
    """

    max_concurrent: int | None = None
    idle_release: float = 30.0
    grant_patience: float = 5.0
    patience: float = 30.0
    timeout: float | None = None
    abort_after: int = 20
    budget: float | None = None
    grace: float = 0.0
    stall: float = 60.0
