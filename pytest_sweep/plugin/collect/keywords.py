"""What ``-k`` takes beyond pytest's grammar: values (``lr=0.1``), and names and ids of trials as the tables show them."""

from __future__ import annotations

import contextlib
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import pytest

from pytest_sweep.errors import SpaceError
from pytest_sweep.model.trials import name_without_replicate
from pytest_sweep.plugin.collect.searches import refuse_searched
from pytest_sweep.plugin.collect.sweeps import PARAMETERS, TRIAL
from pytest_sweep.space import flatten, value_text

# A key, one or two equals signs, and a value: in quotes, or up to a space or a parenthesis that it has not opened, as (64,32) has.
_PAIR = r"""(?P<key>[\w.\-]+)==?(?P<value>'[^']*'|"[^"]*"|(?:[^\s()]|\((?:[^\s()]|\([^\s()]*\))*\))+)"""
# The first digits of a trial's key, alone or after the name of its sweep: what a table shows where names do not fit.
_SHORT = r"(?<![\w\\:=])(?:[\w.:/\\\-]*_)?(?P<digits>[0-9a-f]{8,16})(?![\w\\:=])"
# A name up to a bracket that ends a word.
_NAME = r"(?P<name>(?<!\w)[\w.:/\\\-]*\w\[.*?\](?=$|[\s)]))"
_REFUSED = re.compile(r"[^\w:+\-.\[\]\\/]")
_BEYOND_PYTEST = re.compile(rf"{_PAIR}|{_SHORT}|\[")
_EARLY = re.compile(rf"{_NAME}|{_PAIR}")


class ExactKeywords:
    """A plugin that rewrites ``-k`` to pytest's grammar, and gives trials the keywords that it then asks for.

    * ``lr=0.1`` is exact. pytest looks for the text of a keyword within an item's names; colons around key and value keep ``lr=0.1``
      from being found in ``lr=0.15``. Values read as they do in node ids.
    * ``train[lr=0.1-depth=2]``, a name or a node id, selects that trial, whatever characters it has. The name of a configuration selects
      all its replicates: that is what its row in a table stands for.
    * ``trial=07`` or ``trial=7`` selects a trial whose configuration is chosen while the sweep runs; what it will be, nobody knows yet.
    * ``1242e7e6`` or ``train_1242e7e6`` selects the trial, or the replicates of the configuration, whose key begins with these digits.
    """

    def __init__(self, config: pytest.Config) -> None:
        self._written: str = config.option.keyword
        # The workers of pytest-xdist are told now. They run no trials, so what names one need not select anything there.
        config.option.keyword = _EARLY.sub(_early, self._written)

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Rewrite the expression, now that names are known, and give trials its keywords, before pytest selects."""
        trials = [item for item in items if TRIAL in item.stash]
        named = _named(trials, self._written)
        names = "|".join(re.escape(name) for name in sorted(named, key=len, reverse=True)) or "(?!)"
        pattern = rf"(?P<name>(?<![\w.:/\\\-])(?:{names}))|{_PAIR}|{_SHORT}"

        def keyword(found: re.Match[str]) -> str:
            chosen = named.get(found["name"]) if found["name"] is not None else _with_key(trials, found["digits"])
            if chosen:
                made = f":named:{found.start()}:"
                for item in chosen:
                    item.extra_keyword_matches.add(made)
                return made
            return found[0] if found["key"] is None else _keyword(found["key"], _unquoted(found["value"]))

        config.option.keyword = re.sub(pattern, keyword, self._written)
        if pairs := [found["key"] for found in re.finditer(_PAIR, self._written)]:
            refuse_searched("-k", self._written, pairs, items)
            for item in trials:
                item.extra_keyword_matches.update(_keywords(item))


def asks_for_trials(config: pytest.Config) -> bool:
    """Return whether ``-k`` has something that pytest's grammar lacks: a pair of key and value, the name of a trial, or digits of a key."""
    return _BEYOND_PYTEST.search(config.option.keyword) is not None


def _named(trials: Iterable[pytest.Item], expression: str) -> dict[str, list[pytest.Item]]:
    """Return the trials whose name or node id, as a table may show it, stands in the expression."""
    named: dict[str, list[pytest.Item]] = defaultdict(list)
    if "[" not in expression:
        return named
    for item in trials:
        trial = item.stash[TRIAL]
        names = {trial.name, name_without_replicate(trial.name, trial.replicate), trial.configuration_name}
        before = trial.id.removesuffix(trial.name)
        for name in (*names, *(before + name for name in names)):
            if name.endswith("]") and name in expression:
                named[name].append(item)
    return named


def _with_key(trials: Iterable[pytest.Item], digits: str | None) -> list[pytest.Item]:
    if digits is None:
        return []
    return [
        item
        for item in trials
        if any(key.startswith(digits) for key in (item.stash[TRIAL].key, item.stash[TRIAL].group_key))
    ]


def _early(found: re.Match[str]) -> str:
    if found["name"] is None:
        return _keyword(found["key"], _unquoted(found["value"]))
    return f":named:{_allowed(found[0])}:" if _REFUSED.search(found[0]) else found[0]


def _keywords(item: pytest.Item) -> Iterator[str]:
    parameters, trial = item.stash[PARAMETERS], item.stash[TRIAL]
    config = trial.config
    if trial.slot is not None:
        numbers = (trial.ident.removeprefix("trial="), str(trial.slot), f"{trial.slot:02d}")
        yield from (_keyword("trial", number) for number in numbers)
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
