"""Where random values come from: numbers that are a function of a text alone, on every machine and with every Python."""

from __future__ import annotations

import hashlib
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager


class Entropy:
    """The randomness of one draw.

    Args:
        text: says which draw it is; equal texts give equal numbers, and others give independent ones.
    """

    def __init__(self, text: str) -> None:
        self._text = text.encode()
        # Not `random.Random`: only `random()` is promised to give the same in every version of Python.
        self.number = int.from_bytes(hashlib.sha256(self._text).digest(), "big")
        """A number in 0..2**256-1."""

    @classmethod
    def at(cls, text: str, unit: float) -> Entropy:
        """Return the randomness of a draw whose number is not drawn but given: that part of the range, from 0 and below 1."""
        entropy = cls(text)
        entropy.number = int(unit * 2**53) << 203
        return entropy

    def part(self, name: str) -> Entropy:
        """Return the randomness of a part of what is drawn."""
        return Entropy(f"{self._text.decode()}{name}")

    def unit(self) -> float:
        """Return a float above 0 and below 1."""
        return ((self.number >> 204) + 0.5) / 2**52

    def below(self, count: int) -> int:
        """Return an integer in 0..count-1."""
        return (self.number * count) >> 256

    def bytes(self, count: int) -> bytes:
        """Return that many bytes, for what eats more than a number."""
        return hashlib.shake_256(self._text).digest(count)

    @contextmanager
    def seeding_globals(self) -> Iterator[random.Random]:
        """Seed the module ``random``, and numpy's old one where it is imported; put them back at the end. Gives a generator, too."""
        before = random.getstate()
        numpy = sys.modules.get("numpy")
        numpy_before = numpy.random.get_state() if numpy is not None else None
        random.seed(self.number)
        if numpy is not None:
            numpy.random.seed(self.number % 2**32)
        try:
            yield random.Random(self.number)
        finally:
            random.setstate(before)
            if numpy is not None:
                numpy.random.set_state(numpy_before)
