"""Asks the cluster's autoscaler for room. Lives in the conductor's thread, which imports it: importing Ray takes a second."""

from __future__ import annotations

from collections.abc import Iterable

from ray.autoscaler.sdk import request_resources

from pytest_sweep.executors.ray.workers.reservations import Bundle
from pytest_sweep.model.resources import Resources


class AutoscalerRequests:
    """What this run has asked the autoscaler for: it holds until the next request, also after the end of the driver."""

    def __init__(self) -> None:
        self._asked: list[dict[str, float]] = []

    def request(self, bundles: Iterable[tuple[Resources, int]]) -> None:
        """Ask for a cluster in which all `bundles`, pairs of resources and how many of them, find room at once; none withdraws that."""
        wanted = [Bundle(resources, {}).amounts for resources, count in bundles for _ in range(count)]
        if wanted != self._asked:
            request_resources(bundles=wanted)
            self._asked = wanted
