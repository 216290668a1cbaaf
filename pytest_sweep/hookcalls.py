"""Calls our hooks one implementation after the other, so that one that raises does not stop the others. Knows pluggy only."""

from __future__ import annotations

import traceback
from typing import Any

from pluggy import HookImpl, HookRelay


def call_each(relay: HookRelay, name: str, *, without: str = "", **arguments: Any) -> list[tuple[str, str]]:
    """Call every implementation of the hook `name`, but that of the plugin `without`; return failures: plugins and traceback texts.

    Hook wrappers are not supported in our hooks: with one implementation at a time there is nothing to wrap.
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
        except Exception as error:
            # Without the frame of this function, which tells nobody anything.
            frames = error.__traceback__.tb_next if error.__traceback__ else None
            text = "".join(traceback.format_exception(type(error), error, frames)).rstrip()
            failures.append((_label(implementation), text))
    return failures


def _label(implementation: HookImpl) -> str:
    """Return the name of the plugin; for one that was registered without a name, whose name is a number, its class and file."""
    plugin, name = implementation.plugin, implementation.plugin_name
    if name != str(id(plugin)):
        return name
    code = getattr(implementation.function, "__code__", None)
    where = type(plugin).__module__ if code is None else code.co_filename
    return f"{type(plugin).__qualname__} ({where})"
