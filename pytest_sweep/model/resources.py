"""What a trial asks of a node, and the arithmetic of it. Knows neither pytest nor Ray."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeGuard

from pytest_sweep.model.record import Record
from pytest_sweep.sizes import parse_size

LEAST = 1e-4
"""The least amount of a CPU, a GPU or a custom resource: a ten-thousandth, as with Ray."""

MOST = 1e18
"""More of anything is a mistake: an exbibyte of memory has about as many bytes. Sums of such amounts are still exact enough."""

_MANY = 1e9


@dataclass(frozen=True, slots=True)
class Resources(Record):
    """What one trial holds while it runs, or what a node has.

    Attributes:
        cpu: logical CPUs; fractions are allowed. Default 1.
        gpu: GPUs; fractions are allowed. Default 0.
        memory: bytes of heap. Default 0, which asks for no reservation.
        custom: further resources of the cluster by name, sorted.
    """

    cpu: float = 1.0
    gpu: float = 0.0
    memory: int = 0
    custom: tuple[tuple[str, float], ...] = ()

    @classmethod
    def parse(cls, arguments: Mapping[str, object], problems: list[str]) -> Resources:
        """Return the amounts that ``@pytest.mark.resources(**arguments)`` asks for.

        Args:
            arguments: ``cpu``, ``gpu``, ``memory`` and ``custom``, each of which may be absent.
            problems: gets a sentence for each amount that is negative, infinite, too small to count or too large, or cannot be parsed.
        """
        cpu = _amount("cpu", arguments.get("cpu", 1.0), problems)
        gpu = _amount("gpu", arguments.get("gpu", 0.0), problems)
        if gpu > 1 and not gpu.is_integer():
            problems.append(f"gpu={gpu:g} is neither a part of one GPU nor a whole number of them")
        memory = _memory(arguments.get("memory", 0), problems)
        custom = _custom(arguments.get("custom", {}), problems)
        return cls(cpu, gpu, memory, custom)

    def as_dict(self) -> dict[str, float]:
        """Return the amounts by name, without those that are zero; custom ones under their own names."""
        named = {"cpu": self.cpu, "gpu": self.gpu, "memory": float(self.memory), **dict(self.custom)}
        return {name: amount for name, amount in named.items() if amount}

    def fits(self, room: Resources) -> bool:
        """Say whether `room` is enough for this request. Amounts are compared to a ten-thousandth, as Ray does."""
        if not (self.cpu <= room.cpu + 1e-4 and self.gpu <= room.gpu + 1e-4 and self.memory <= room.memory):
            return False
        if not self.custom:  # Most requests; asked several times with each event.
            return True
        have = dict(room.custom)
        return all(amount <= have.get(name, 0.0) + 1e-4 for name, amount in self.custom)

    def plus(self, other: Resources) -> Resources:
        """Return the sum of both."""
        return self._combined(other, 1)

    def minus(self, other: Resources) -> Resources:
        """Return what is left when `other` is taken away; never checked, so that it may be negative."""
        return self._combined(other, -1)

    def times(self, count: int) -> Resources:
        """Return what `count` such requests ask for together."""
        custom = tuple((name, round(amount * count, 4)) for name, amount in self.custom)
        return Resources(round(self.cpu * count, 4), round(self.gpu * count, 4), self.memory * count, custom)

    def how_often(self, room: Resources) -> float:
        """Return how many such requests fit into `room` at once, up to a billion; infinity for one that asks for nothing."""
        have = dict(room.custom)
        pairs: list[tuple[float, float]] = [(self.cpu, room.cpu), (self.gpu, room.gpu), (self.memory, room.memory)]
        pairs += [(amount, have.get(name, 0.0)) for name, amount in self.custom]
        counts = (_times(amount, there) for amount, there in pairs if amount)
        return min(counts, default=math.inf)

    def _combined(self, other: Resources, sign: int) -> Resources:
        custom = self.custom
        if other.custom:
            sums = dict(custom)
            for name, amount in other.custom:
                sums[name] = round(sums.get(name, 0.0) + sign * amount, 4)
            custom = tuple(sorted(sums.items()))
        # Rounded, so that tenths of a GPU taken and given back ten times leave no crumbs.
        cpu = round(self.cpu + sign * other.cpu, 4)
        gpu = round(self.gpu + sign * other.gpu, 4) if other.gpu else self.gpu
        return Resources(cpu, gpu, self.memory + sign * other.memory, custom)

    def __str__(self) -> str:
        parts = [f"{amount:g} {name.upper()}" for name, amount in (("cpu", self.cpu), ("gpu", self.gpu)) if amount]
        if self.memory:
            parts.append(f"{self.memory / 2**30:.3g} GiB memory")
        parts += [f"{amount:g} {name}" for name, amount in self.custom]
        return ", ".join(parts) or "no resources"


def _times(amount: float, there: float) -> int:
    """Return how often `amount` is in `there`: never for what is infinite, a billion times for what is next to nothing."""
    if amount > there + 1e-4:  # Also what is infinite, or too long a number to be divided by.
        return 0
    times = (there + 1e-4) / amount
    return math.floor(times) if abs(times) < _MANY else int(math.copysign(_MANY, times))


def shown(value: object) -> str:
    """Return a value as an error shows it: a whole number of hundreds of digits only by their number, for Python refuses to write it."""
    if isinstance(value, int) and value.bit_length() > 128:
        return f"{'-' if value < 0 else ''}10**{int(value.bit_length() * math.log10(2))}"
    return repr(value)


def _is_finite(value: object) -> TypeGuard[int | float]:
    if isinstance(value, int):  # It may be too large for `math.isfinite`.
        return not isinstance(value, bool)
    return isinstance(value, float) and math.isfinite(value)


def _amount(name: str, value: object, problems: list[str], least: float = LEAST) -> float:
    if not _is_finite(value):
        problems.append(f"{name}={shown(value)} is not a number")
    elif value < 0:
        problems.append(f"{name}={shown(value)} is negative")
    elif value > MOST:
        problems.append(f"{name}={shown(value)} is more than any node has")
    elif 0 < value < least:
        problems.append(
            f"{name}={shown(value)} is less than {LEAST:g}, the least that is counted: ask for 0, or for more"
        )
    else:
        return float(value)
    return 0.0


def _memory(value: object, problems: list[str]) -> int:
    if not isinstance(value, str):
        return int(_amount("memory", value, problems, least=0.0))
    try:
        size = parse_size(value)
    except ValueError as error:
        problems.append(f"memory={error}")
        return 0
    if size > MOST:
        problems.append(f"memory={value!r} is more than any node has")
        return 0
    return size


def _custom(value: object, problems: list[str]) -> tuple[tuple[str, float], ...]:
    if not isinstance(value, Mapping):
        problems.append(f"custom={value!r} is not a dict of names and amounts")
        return ()
    problems.extend(
        f"custom={{{name!r}: ...}} is not the name of a custom resource"
        for name in value
        if not isinstance(name, str) or name.lower() in ("cpu", "gpu", "memory")
    )
    return tuple(sorted((str(name), _amount(f"custom[{name!r}]", amount, problems)) for name, amount in value.items()))
