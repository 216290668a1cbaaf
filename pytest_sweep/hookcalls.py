"""Calls our hooks one implementation after the other, so that one that raises does not stop the others."""

from __future__ import annotations

import traceback
from typing import Any

import pytest
from pluggy import HookImpl, HookRelay

MOST_CHARACTERS = 20_000
"""How much of a traceback is kept, its start and its end."""


def call_each(relay: HookRelay, name: str, *, without: str = "", **arguments: Any) -> list[tuple[str, str]]:
    """Call every implementation of the hook `name`, but that of the plugin `without`; return failures: plugins and traceback texts.

    Hook wrappers are not supported in our hooks: with one implementation at a time there is nothing to wrap.

    Raises:
        pytest.exit.Exception, KeyboardInterrupt: an implementation ends the session. Everything else that one raises is a failure, also
            ``pytest.fail``, ``pytest.skip`` and ``sys.exit``, which are no subclasses of Exception.
    """
    failures = []
    for implementation in reversed(getattr(relay, name).get_hookimpls()):
        if implementation.plugin_name == without:
            continue
        if implementation.wrapper or implementation.hookwrapper:
            failures.append((_label(implementation), f"{name} cannot be a wrapper: use a plain hookimpl"))
            continue
        try:
            implementation.function(*[arguments[argument] for argument in implementation.argnames])
        except (pytest.exit.Exception, KeyboardInterrupt):
            raise
        except BaseException as error:
            failures.append((_label(implementation), _text(error)))
    return failures


def _label(implementation: HookImpl) -> str:
    """Return the name of the plugin; for one that was registered without a name, whose name is a number, its class and file."""
    plugin, name = implementation.plugin, implementation.plugin_name
    if name != str(id(plugin)):
        return name
    code = getattr(implementation.function, "__code__", None)
    where = type(plugin).__module__ if code is None else code.co_filename
    return f"{type(plugin).__qualname__} ({where})"


def _text(error: BaseException) -> str:
    """Return the traceback of an error without the frame of `call_each`, which tells nobody anything."""
    frames = error.__traceback__.tb_next if error.__traceback__ else None
    try:
        text = "".join(traceback.format_exception(type(error), error, frames)).rstrip()
    except Exception as broken:  # Whatever a user's class raises when it is looked at.
        text = f"{type(error).__qualname__}, which cannot be shown ({type(broken).__name__})"
    missing = len(text) - MOST_CHARACTERS
    if missing <= 0:
        return text
    half = MOST_CHARACTERS // 2
    return f"{text[:half]}\n... {missing} characters are cut here ...\n{text[-half:]}"
