"""An implementation of a hook that raises stops neither the others nor the run, unless it ends the session."""

from __future__ import annotations

import sys
from typing import Any

import pluggy
import pytest

from pytest_sweep.hookcalls import MOST_CHARACTERS, call_each

spec, impl = pluggy.HookspecMarker("hooks"), pluggy.HookimplMarker("hooks")


class Specs:
    """The hook of these tests."""

    @spec
    def happens(self, what: str) -> None:
        """Something happens."""


class Broken(BaseException):
    """An error that nobody can look at."""

    def __str__(self) -> str:
        raise SystemExit(4)

    __repr__ = __str__


def called(raised: Any) -> tuple[list[tuple[str, str]], list[str]]:
    """Call a hook with two implementations, of which one raises; return what failed, and what the other one heard."""
    heard: list[str] = []

    class Raises:
        @impl
        def happens(self, what: str) -> None:  # noqa: ARG002
            raised()

    class Hears:
        @impl
        def happens(self, what: str) -> None:
            heard.append(what)

    manager = pluggy.PluginManager("hooks")
    manager.add_hookspecs(Specs)
    manager.register(Hears(), "hears")
    manager.register(Raises(), "raises")
    return call_each(manager.hook, "happens", what="x"), heard


def broken() -> None:
    """Raise an error without a text."""
    raise Broken


def cannot() -> None:
    """Raise an error with a long text."""
    raise ValueError("x" * 30_000_000)


@pytest.mark.parametrize(
    "raised", [lambda: pytest.fail("no"), lambda: pytest.skip("no"), lambda: sys.exit(3), broken, cannot, lambda: 1 / 0]
)
def test_a_failure(raised: Any) -> None:
    """Whatever one raises, the others are called, and the traceback is of a length that can be shown."""
    ((plugin, text),), heard = called(raised)
    assert (plugin, heard) == ("raises", ["x"])
    assert "Traceback" in text
    assert len(text) < MOST_CHARACTERS + 100


@pytest.mark.parametrize("error", [pytest.exit.Exception("enough", 7), KeyboardInterrupt()])
def test_the_end_of_the_session(error: BaseException) -> None:
    """pytest.exit and Ctrl-C pass."""

    def end() -> None:
        raise error

    with pytest.raises(type(error)):
        called(end)
