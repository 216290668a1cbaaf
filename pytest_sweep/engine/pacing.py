"""How many trials travel together in one call: as many short ones as fill a moment, a long one alone. Pure arithmetic."""

from __future__ import annotations

CALL_SECONDS = 0.25
"""What a call should last: long beside the 3 ms that it costs, short beside the patience of who watches."""

LARGEST_BATCH = 64
"""More does not pay: at 64 no-op trials a call, the call costs less than a hundredth of their time."""


class Pacing:
    """Measures the duration of each sweep's trials and sizes batches by it."""

    def __init__(self) -> None:
        self._mean: dict[str, float] = {}

    def measure(self, sweep: str, duration: float) -> None:
        """Take note of a finished trial that lasted `duration` seconds; the latest ones weigh most."""
        known = self._mean.get(sweep, duration)
        self._mean[sweep] = known + 0.3 * (duration - known)

    def batch_size(self, sweep: str, waiting: int, workers: int) -> int:
        """Return how many of the `waiting` trials one of `workers` workers should get at once, at least one.

        A sweep of which nothing is known yet starts with one. No worker gets more than half of its even share, so that
        the last trials are spread over all workers.
        """
        mean = self._mean.get(sweep)
        if mean is None:
            return 1
        by_time = int(CALL_SECONDS / max(mean, 1e-6))
        by_share = waiting // (2 * max(workers, 1))
        return max(1, min(LARGEST_BATCH, by_time, by_share))
