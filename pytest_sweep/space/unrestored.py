"""What stands in a configuration for a value that could not be restored. Knows nothing of how values are stored."""

from __future__ import annotations

from collections.abc import Container
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from typing_extensions import Self


class Unrestored(str):
    """Stands in a configuration that was read for a value that could not be restored: its readable form.

    It equals that text and can be used as such. A class or a function is there again when its module has been imported.

    Attributes:
        reason: why the value could not be restored, a sentence.
    """

    __slots__ = ("reason",)
    reason: str

    def __new__(cls, text: str, reason: str) -> Self:
        """Return the text with its reason."""
        self = super().__new__(cls, text)
        self.reason = reason
        return self

    def told_from(self, others: Container[object]) -> Unrestored:
        """Return this, with a number after the text where the same text is among `others`: ``<Layer> (2)``."""
        number, text = 1, str.__str__(self)
        while text in others:
            number += 1
            text = f"{self!s} ({number})"
        return self if number == 1 else Unrestored(text, self.reason)

    def __repr__(self) -> str:
        return f"<not restored: {self!s} ({self.reason})>"

    def __reduce__(self) -> tuple[Any, ...]:
        return Unrestored, (str.__str__(self), self.reason)
