"""What is known of the code that makes a sweep's results, to be compared between runs. Reads no file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Source:
    """Digests of a sweep's code; None stands for code that cannot be read.

    Attributes:
        function: of the function, without the space that is written in its decorator.
        module: of the file that the function is in, likewise.
        fixtures: of each fixture that its trials use, by its name, with the file that it is in.
    """

    function: str | None
    module: str | None
    fixtures: Mapping[str, str | None] = field(default_factory=dict, hash=False)

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Source:
        """Return what `as_dict` has made, as far as it is there."""
        found = stored or {}
        return cls(found.get("function"), found.get("module"), found.get("fixtures") or {})

    def as_dict(self) -> dict[str, Any]:
        """Return it as plain data."""
        return {"function": self.function, "module": self.module, "fixtures": dict(self.fixtures)}

    def changes_since(self, earlier: Source, sweep: str) -> list[str]:
        """Return what is different from `earlier`, a few words each; nothing where all of it is known and equal.

        Args:
            earlier: the code then.
            sweep: the node id of the sweep.
        """
        if None in (self.function, self.module, earlier.function, earlier.module):
            return [f"the source of {sweep} is not known"]
        changes = []
        if self.function != earlier.function:
            changes.append(f"{sweep} has changed")
        elif self.module != earlier.module:
            changes.append(f"{_module(sweep)} has changed")
        for name in sorted(self.fixtures.keys() | earlier.fixtures.keys()):
            if name not in earlier.fixtures:
                changes.append(f"the fixture {name} is new")
            elif name not in self.fixtures:
                changes.append(f"the fixture {name} is gone")
            elif None in (self.fixtures[name], earlier.fixtures[name]):
                changes.append(f"the source of the fixture {name} is not known")
            elif self.fixtures[name] != earlier.fixtures[name]:
                changes.append(f"the fixture {name} or its file has changed")
        return changes

    def compared(self, sweep: str) -> str:
        """Return what `changes_since` compares: ``function, module test_models.py and fixtures data, model``."""
        names = ", ".join(sorted(self.fixtures))
        noun = "fixture" if len(self.fixtures) == 1 else "fixtures"
        return f"function, module {_module(sweep)}" + (f" and {noun} {names}" if names else "")


def _module(sweep: str) -> str:
    return sweep.partition("::")[0]
