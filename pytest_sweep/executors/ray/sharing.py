"""Finds the nodes that do not see a folder of the driver. Called in the conductor's thread, where Ray is imported already."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from pytest_sweep.model.events import Node

PROBE_SECONDS = 20.0
"""How long nodes may take to answer; one that has not by then is not held against the folder."""


def find_blind_nodes(nodes: Sequence[Node], folder: Path, answer: Callable[[list[str]], None]) -> None:
    """Answer with the addresses of the `nodes` that do not see what is written to `folder` here.

    Args:
        nodes: the nodes to ask.
        folder: made where it is absent. Where it cannot be written nobody is asked: who needs it will say so.
        answer: called once.
    """
    found: list[str] = []
    try:
        found = _blind_nodes(nodes, folder)
    finally:
        answer(found)


def _blind_nodes(nodes: Sequence[Node], folder: Path) -> list[str]:
    import ray
    from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

    # A name that no node has looked for before, so that no network file system remembers that it was not there.
    sign = folder / f".shared-{secrets.token_hex(8)}"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        sign.touch()
    except OSError:
        return []
    try:
        probe: Any = ray.remote(_sees)
        asked = {
            probe.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node.id, soft=False)).remote(
                str(sign)
            ): node
            for node in nodes
        }
        answered, silent = ray.wait(list(asked), num_returns=len(asked), timeout=PROBE_SECONDS)
        for reference in silent:
            ray.cancel(reference, force=True)
        return [asked[reference].address for reference in answered if not _sees_it(ray.get, reference)]
    finally:
        with contextlib.suppress(OSError):
            sign.unlink()


def _sees(path: str) -> bool:
    return os.path.exists(path)  # noqa: PTH110 - runs on a node, with as little as possible


def _sees_it(get: Callable[[Any], Any], reference: Any) -> bool:
    try:
        return bool(get(reference))
    except Exception:  # The node has gone since; the engine hears of that.
        return True
