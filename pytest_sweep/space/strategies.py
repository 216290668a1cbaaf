"""Strategies of hypothesis as domains: they say what no list and no range can. hypothesis is imported here only, and only to draw."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from pytest_sweep.errors import MissingExtraError, SpaceError
from pytest_sweep.space.domains import RandomDomain
from pytest_sweep.space.entropy import Entropy

_BYTES = 4096
_TRIES = 200


def is_strategy(value: object) -> bool:
    """Say whether `value` is a strategy of hypothesis, without importing it."""
    return any(
        cls.__name__ == "SearchStrategy" and cls.__module__.partition(".")[0] == "hypothesis"
        for cls in type(value).__mro__
    )


@dataclass(frozen=True, eq=False)
class StrategyDomain(RandomDomain):
    """Whatever a strategy of hypothesis generates. Equal entropy gives an equal value with the same version of hypothesis."""

    strategy: Any

    def draw(self, entropy: Entropy) -> Any:
        """Return a value that the strategy generates.

        Raises:
            MissingExtraError: hypothesis cannot be imported.
            SpaceError: the strategy generates nothing, or fails.
        """
        for number in range(_TRIES):
            # A value may need more bytes than the last one had, and a filter may refuse most of them.
            drawn = self._generate(Entropy(f"{entropy.number}/{number}").bytes(_BYTES * (1 + number // 20)))
            if drawn:
                return drawn[0]
        raise SpaceError(f"{self.strategy!r} generated nothing in {_TRIES} tries: loosen its filters")

    @cached_property
    def _generate(self) -> Callable[[bytes], list[Any]]:
        try:
            from hypothesis import given, settings
        except ImportError as error:
            raise MissingExtraError("hypothesis", "hypothesis", f"drawing from {self.strategy!r}") from error
        drawn: list[Any] = []

        # The documented way to drive a strategy with bytes of one's own. `example()` would be random, and is not for programs.
        @settings(database=None, deadline=None)
        @given(self.strategy)
        def take(value: Any) -> None:
            drawn.append(value)

        def generate(data: bytes) -> list[Any]:
            drawn.clear()
            try:
                take.hypothesis.fuzz_one_input(data)
            except Exception as error:
                raise SpaceError(f"{self.strategy!r} failed: {type(error).__name__}: {error}") from error
            return list(drawn)

        return generate
