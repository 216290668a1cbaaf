"""What parametrizes a trial besides its sweep: the driver's values, as a worker needs them to run the same ones."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ParameterValue:
    """One value of a stacked ``parametrize`` or of a parametrized fixture, as it is on the driver.

    Attributes:
        name: the argument or the fixture.
        fingerprint: equal for equal values, in every process.
        shown: the value in words, for messages.
        content: the value, pickled; None where it cannot be pickled or is too large to travel with each trial.
        is_certain: whether different fingerprints mean different values. They do not for an object that has nothing stable to tell
            it by, such as a lock.
        problem: why there is no content, or "".
    """

    name: str
    fingerprint: str
    shown: str
    content: bytes | None = field(repr=False)
    is_certain: bool = True
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Parameters:
    """All such values of one trial.

    Attributes:
        values: the values, in pytest's order.
        position: which of the items with the trial's configuration it is on the driver, from 0.
    """

    values: tuple[ParameterValue, ...]
    position: int = 0
