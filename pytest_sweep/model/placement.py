"""Where a trial may run, and on how many workers at once. Knows neither pytest nor Ray."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass

from pytest_sweep.model.record import Record
from pytest_sweep.model.resources import shown

STRATEGIES = ("PACK", "SPREAD", "STRICT_PACK", "STRICT_SPREAD")
"""Ray's strategies for the bundles of a placement group."""

MOST_WORKERS = 100_000
"""A gang of more is a mistake; whether there is room for one is tried out worker by worker."""


@dataclass(frozen=True, slots=True)
class Placement(Record):
    """What a trial asks for besides amounts.

    Attributes:
        labels: labels that its node must have, all of them: names and values, sorted.
        workers: how many workers its gang has, each with the trial's resources; None is no gang.
        strategy: how the gang is laid out. PACK: on as few nodes as possible; SPREAD: on as many; STRICT_PACK: on one;
            STRICT_SPREAD: each on a node of its own.
        nodes: the number of nodes that the gang takes, with equally many workers on each; None leaves it to the strategy.
    """

    labels: tuple[tuple[str, str], ...] = ()
    workers: int | None = None
    strategy: str = "PACK"
    nodes: int | None = None

    @classmethod
    def parse(cls, arguments: Mapping[str, object], problems: list[str]) -> Placement:
        """Return what these arguments of ``@pytest.mark.resources`` ask for.

        Args:
            arguments: ``labels``, ``workers``, ``strategy`` and ``nodes``, each of which may be absent.
            problems: gets a sentence for each argument that cannot be.
        """
        labels = _labels(arguments.get("labels", {}), problems)
        workers = _count("workers", arguments.get("workers"), problems)
        nodes = _count("nodes", arguments.get("nodes"), problems)
        strategy = arguments.get("strategy", "PACK")
        if strategy not in STRATEGIES:
            near = difflib.get_close_matches(str(strategy).upper(), STRATEGIES, n=1, cutoff=0.5)
            hint = f"did you mean {near[0]!r}?" if near else f"there are {', '.join(STRATEGIES)}"
            problems.append(f"strategy={strategy!r} does not exist: {hint}")
        elif "strategy" in arguments and nodes is not None:
            problems.append("nodes= says how the workers are laid out: it goes without strategy=")
        elif "strategy" in arguments and workers is None:
            problems.append(f"strategy={strategy!r} is for a gang: say workers=, too")
        if workers is None:
            workers = nodes
        elif nodes is not None and workers % nodes:
            problems.append(f"workers={workers} do not divide into nodes={nodes}")
        return cls(labels, workers, str(strategy), nodes)

    @property
    def bundles(self) -> int:
        """How many times the trial's resources are held at once."""
        return self.workers or 1

    def suits(self, labels: Mapping[str, str]) -> bool:
        """Say whether a node with these labels has all that are asked for."""
        return all(labels.get(name) == value for name, value in self.labels)

    def __str__(self) -> str:
        parts = []
        if self.workers is not None:
            how = self.strategy if self.nodes is None else f"on {self.nodes} node{'' if self.nodes == 1 else 's'}"
            parts.append(f"{self.workers} worker{'' if self.workers == 1 else 's'} ({how})")
        parts += [f"label {name}={value}" for name, value in self.labels]
        return ", ".join(parts)


def _count(name: str, value: object, problems: list[str]) -> int | None:
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int):
        problems.append(f"{name}={shown(value)} is not a whole number")
        return None
    if value < 1:
        problems.append(f"{name}={shown(value)} is less than one")
        return None
    if value > MOST_WORKERS:
        problems.append(f"{name}={shown(value)} is more than {MOST_WORKERS}, the most that a gang can have")
        return None
    return value


def _labels(value: object, problems: list[str]) -> tuple[tuple[str, str], ...]:
    if not isinstance(value, Mapping):
        problems.append(f"labels={value!r} is not a dict of names and values")
        return ()
    problems.extend(
        f"labels={{{name!r}: {label!r}}}: names and values are texts"
        for name, label in value.items()
        if not isinstance(name, str) or not isinstance(label, str)
    )
    return tuple(sorted((str(name), str(label)) for name, label in value.items()))
