"""What a row of a table is: values by the names of columns. Knows nothing of runs, nor of how it is shown."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol


class Row(Protocol):
    """One row. Its values are made when they are asked for, as most are not."""

    def columns(self) -> Sequence[str]:
        """Return the names of all its columns, in their order."""

    def value(self, column: str) -> Any:
        """Return the value of a column; None where this row has none."""

    def resolve(self, name: str) -> str | None:
        """Return the column that is meant by a name, which may be shorter or have dots for slashes; None where it has none."""

    def get(self, name: str, default: Any) -> Any:
        """Return what a name stands for in a condition: a value, or a mapping that dots lead into; `default` where it has none."""
