"""What trials wait for, as the engine knows it and people are told. Knows neither pytest nor Ray."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Wait:
    """Why a trial waits.

    Attributes:
        what: what it waits for, in few words that stay the same while it does: ``2 CPUs``.
        why: why it has not got that, and who has, in one sentence: ``node 10.0.0.1 has 1 of 4 free; ...``.
    """

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class WaitingGroup:
    """Trials that wait for the same.

    Attributes:
        wait: for what, and why.
        trials: how many there are.
        sweeps: the names of their sweeps; empty where there are too many trials to look at each.
    """

    wait: Wait
    trials: int
    sweeps: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """What waits at one moment.

    Attributes:
        groups: all that waits, most trials first.
        stalled: for how many seconds no trial has begun, reported or ended; None while that is not worth a word.
        of: says, by key, what a trial waits for; None for one that does not wait.
    """

    groups: tuple[WaitingGroup, ...]
    stalled: float | None
    of: Callable[[str], Wait | None]
