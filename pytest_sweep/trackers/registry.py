"""Which trackers there are, and which ones a text such as ``tensorboard,mlflow:experiment=nightly`` means. Starts none."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from pytest_sweep.errors import MissingExtraError, SweepError
from pytest_sweep.trackers.base import ENTRY_POINTS, Checked, Tracker

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*")
_SETTING = re.compile(r":(?=[A-Za-z_][A-Za-z0-9_]*=)")
_METHODS = ("open", "begin", "log", "restart", "end", "close")


@dataclass(frozen=True)
class Tracked:
    """A tracker as it is asked for.

    Attributes:
        name: the name of its entry point.
        settings: what is written behind it.
    """

    name: str
    settings: Mapping[str, str]

    @property
    def text(self) -> str:
        """How it is written: ``mlflow:experiment=nightly``."""
        return ":".join([self.name, *(f"{key}={value}" for key, value in sorted(self.settings.items()))])

    @property
    def id(self) -> str:
        """By what its cursors are kept: its name and, as they may hold a password, a digest of its settings."""
        if not self.settings:
            return self.name
        return f"{self.name}:{hashlib.sha256(self.text.encode('utf-8', 'surrogatepass')).hexdigest()[:16]}"


def parse_trackers(texts: Iterable[str]) -> list[Tracked]:
    """Return the trackers that texts mean: names separated by commas, each with its settings behind colons.

    Raises:
        SweepError: a text is none of this kind, or names one twice.

    Example:
        >>> parse_trackers(["tensorboard,mlflow:experiment=nightly:tracking_uri=http://host:5000"])
    """
    found = [_parsed(part.strip()) for text in texts for part in text.split(",") if part.strip()]
    names = [one.text for one in found]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise SweepError(f"the tracker {twice} is named twice: once is enough")
    return found


def known_trackers() -> dict[str, EntryPoint]:
    """Return the entry points of the trackers that are installed, by name."""
    return {entry.name: entry for entry in sorted(entry_points(group=ENTRY_POINTS), key=lambda entry: entry.name)}


def check_tracker(tracked: Tracked) -> None:
    """Check that a tracker can be used, as far as that is known without asking a server.

    Raises:
        MissingExtraError: a package that it needs is not installed.
        SweepError: there is no tracker of this name, its module cannot be imported, or it has no such setting.
    """
    found = _class_of(tracked.name)
    lacks = [name for name in _METHODS if not callable(getattr(found, name, None))]
    if lacks:
        raise SweepError(
            f"the tracker {tracked.name} ({found!r}) has no method {', '.join(lacks)}: see docs/trackers.md for the six that it needs"
        )
    if isinstance(found, Checked):
        try:
            found.check(tracked.settings)
        except SweepError:
            raise
        except Exception as error:  # Somebody else's code, which says in its own way what is wrong.
            raise SweepError(
                f"the tracker {tracked.name} refuses its settings: {type(error).__name__}: {error}"
            ) from error


def make_tracker(tracked: Tracked) -> Tracker:
    """Return a new tracker.

    Raises:
        SweepError: as `check_tracker`.
    """
    check_tracker(tracked)
    made: Tracker = _class_of(tracked.name)()
    return made


def _class_of(name: str) -> Any:
    known = known_trackers()
    if name not in known:
        raise SweepError(
            f"there is no tracker {name!r}: there are {', '.join(known) or 'none'}. Others come with packages that are installed"
        )
    try:
        return known[name].load()
    except MissingExtraError:
        raise
    except Exception as error:  # Whatever somebody's module does.
        raise SweepError(
            f"the tracker {name} cannot be imported from {known[name].value}: {type(error).__name__}: {error}"
        ) from error


def _parsed(text: str) -> Tracked:
    name, *settings = _SETTING.split(text)
    if not _NAME.fullmatch(name):
        raise SweepError(
            f"{text!r} names no tracker: write a name, such as tensorboard, or name:key=value with settings"
        )
    pairs = [setting.partition("=") for setting in settings]
    keys = [key for key, _, _ in pairs]
    if len(set(keys)) < len(keys):
        raise SweepError(f"{text!r} has a setting twice")
    return Tracked(name, {key: value for key, _, value in pairs})
