"""Who is who in a gang, as torch.distributed wants to read it. Imports no Ray."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence


def environments(places: Sequence[tuple[str, str]], port: int) -> list[dict[str, str]]:
    """Return the variables of each worker, by rank: those of https://docs.pytorch.org/docs/stable/elastic/run.html.

    Args:
        places: the node and its address of each worker, by rank.
        port: one that is free on the node of rank 0.
    """
    on_node, seen = Counter(node for node, _ in places), defaultdict[str, int](int)
    nodes = list(on_node)
    found = []
    for rank, (node, _) in enumerate(places):
        found.append({
            "RANK": str(rank),
            "LOCAL_RANK": str(seen[node]),
            "WORLD_SIZE": str(len(places)),
            "LOCAL_WORLD_SIZE": str(on_node[node]),
            "NODE_RANK": str(nodes.index(node)),
            "GROUP_RANK": str(nodes.index(node)),
            "MASTER_ADDR": places[0][1],
            "MASTER_PORT": str(port),
        })  # fmt: skip
        seen[node] += 1
    return found
