"""Exact selection by value: ``-k "lr=0.1 and not depth=4"``, which pytest's own grammar refuses."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from pytest_sweep.errors import SpaceError
from pytest_sweep.plugin.collect.sweeps import PARAMETERS, TRIAL
from pytest_sweep.space import flatten, value_text

# A key, one or two equals signs, and a value: in quotes, or up to a space or a parenthesis.
_PAIR = re.compile(
    r"""(?P<key>[\w.\-]+)==?(?P<value>'[^']*'|"[^"]*"|(?:[^\s()]|\((?:[^\s()]|\([^\s()]*\))*\))+)"""  # (64,32) is a value
)
_REFUSED = re.compile(r"[^\w:+\-.\[\]\\/]")


class ExactKeywords:
    """A plugin that rewrites ``lr=0.1`` in ``-k`` to a keyword of pytest's grammar, and gives trials such keywords.

    pytest looks for the text of a keyword within an item's names. The colons around key and value keep ``lr=0.1`` from being found in
    ``lr=0.15``. Values read as they do in node ids.
    """

    def __init__(self, config: pytest.Config) -> None:
        written = config.option.keyword
        config.option.keyword = _PAIR.sub(lambda pair: _keyword(pair["key"], _unquoted(pair["value"])), written)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Give each trial a keyword for each of its values, before pytest selects."""
        for item in items:
            if TRIAL in item.stash:
                item.extra_keyword_matches.update(_keywords(item))


def asks_for_values(config: pytest.Config) -> bool:
    """Say whether ``-k`` has a pair of key and value."""
    return _PAIR.search(config.option.keyword) is not None


def _keywords(item: pytest.Item) -> Iterator[str]:
    parameters, config = item.stash[PARAMETERS], item.stash[TRIAL].config
    for key, value in (*parameters.items(), *flatten(config).items(), *_levels(config)):
        with contextlib.suppress(SpaceError):  # A value without a text of its own; its id can be selected by.
            yield _keyword(key, value_text(value))


def _levels(config: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Yield the dicts in a configuration, by their dotted keys: one that is a value reads as a whole in the node id."""
    for key, value in config.items():
        if isinstance(value, dict):
            yield f"{prefix}{key}", value
            yield from _levels(value, f"{prefix}{key}.")


def _keyword(key: str, value: str) -> str:
    return f":{_allowed(key)}:{_allowed(value)}:"


def _allowed(text: str) -> str:
    """Return `text` with what pytest's grammar refuses written as its number; not case-folded, since pytest does that."""
    return _REFUSED.sub(lambda char: f"\\{ord(char[0]):x}\\", text)


def _unquoted(value: str) -> str:
    return value[1:-1] if value[0] in "'\"" else value
