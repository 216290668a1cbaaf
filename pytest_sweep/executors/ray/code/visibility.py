"""Finds the nodes that do not see a folder of the driver. Called in the conductor's thread, where Ray is imported already."""

from __future__ import annotations

import contextlib
import secrets
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pytest_sweep.model.events import Node
from pytest_sweep.wire.code import Sign

PROBE_SECONDS = 20.0
"""How long nodes may take to answer."""


def find_blind_nodes(nodes: Sequence[Node], folder: Path, answer: Callable[[list[str]], None]) -> None:
    """Answer with the addresses of the `nodes` that do not see what is written to `folder` here.

    One that has not answered in time is not held against the folder.

    Args:
        nodes: the nodes to ask.
        folder: made where it is absent. Where it cannot be written nobody is asked: who needs it will say so.
        answer: called once.
    """
    found: list[str] = []
    try:
        with contextlib.suppress(OSError), temporary_sign(folder) as sign:
            blind, _ = ask_nodes(nodes, sign)
            found = [node.address for node in blind]
    finally:
        answer(found)


@contextlib.contextmanager
def temporary_sign(folder: Path) -> Iterator[Sign]:
    """Give a sign that is in `folder`, which is made where it is absent.

    Raises:
        OSError: it cannot be written.
    """
    # A name that no node has looked for before, so that no network file system remembers that it was not there.
    path = folder / f".shared-{secrets.token_hex(8)}"
    folder.mkdir(parents=True, exist_ok=True)
    path.touch()
    try:
        yield Sign(str(path))
    finally:
        with contextlib.suppress(OSError):
            path.unlink()


def ask_nodes(nodes: Sequence[Node], sign: Sign, seconds: float = PROBE_SECONDS) -> tuple[list[Node], list[Node]]:
    """Return which `nodes` do not see `sign`, and which have not answered within `seconds`."""
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    probe: Any = ray.remote(_sees)
    asked = {
        probe.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(
            sign
        ): node
        for node in nodes
    }
    answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=seconds)
    for reference in silent:
        ray.cancel(reference, force=True)
    blind = [asked[reference] for reference in answered if not _sees_it(ray.get, reference)]
    return blind, [asked[reference] for reference in silent]


def _sees(sign: Sign) -> bool:
    return sign.is_seen()


def _sees_it(get: Callable[[Any], Any], reference: Any) -> bool:
    try:
        return bool(get(reference))
    except Exception:  # The node has gone since; the engine hears of that.
        return True
