"""Training that reports every epoch, stops when it has done enough, and goes on from its checkpoint when it fails.

Run it with ``pytest --sweep examples/early_stopping``; it needs nothing but pytest-sweep.

* ``stop=`` ends a trial at the first report that meets one of its rules; the trial is STOPPED, which counts as passed.
* ``trial.report(metrics, checkpoint=path)`` keeps a copy of the file with the metrics. ``trial.checkpoint`` is the newest one
  of an earlier attempt, so that with ``retries=`` a training that broke down goes on where it was.
* A body that is a generator reports what it yields.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_sweep import ActiveTrial, ResultGrid, sweep

SLOPE, OFFSET = 3.0, -1.0


def make_points(seed: int, count: int = 200) -> list[tuple[float, float]]:
    """Return points that lie around the line that is to be found."""
    noise = random.Random(seed)
    xs = [noise.uniform(-1, 1) for _ in range(count)]
    return [(x, SLOPE * x + OFFSET + noise.gauss(0, 0.05)) for x in xs]


class Line:
    """A straight line that learns by gradient descent."""

    def __init__(self, slope: float = 0.0, offset: float = 0.0, epoch: int = 0) -> None:
        self.slope = slope
        self.offset = offset
        self.epoch = epoch

    @classmethod
    def load(cls, folder: Path) -> Line:
        """Return the line that was kept in a checkpoint, which is a folder with the file in it."""
        return cls(**json.loads((folder / "line.json").read_text()))

    def save(self, path: Path) -> Path:
        path.write_text(json.dumps(vars(self)))
        return path

    def train(self, points: list[tuple[float, float]], learning_rate: float) -> float:
        """Take one step downhill and return the mean squared error before it."""
        errors = [(x, self.slope * x + self.offset - y) for x, y in points]
        self.slope -= learning_rate * 2 * sum(error * x for x, error in errors) / len(points)
        self.offset -= learning_rate * 2 * sum(error for _, error in errors) / len(points)
        self.epoch += 1
        return sum(error**2 for _, error in errors) / len(points)


@sweep(
    grid={"learning_rate": [0.01, 0.1, 0.5, 1.2]},
    metric="loss",
    mode="min",
    stop={"loss": "< 0.01", "training_iteration": 60},
    retries=1,
)
def fit_line(learning_rate: float, trial: ActiveTrial, tmp_path: Path) -> None:
    """Learn until a stop rule says that it is enough; the power fails once on the way."""
    points = make_points(trial.seed)
    line = Line.load(trial.checkpoint) if trial.checkpoint else Line()
    while True:
        loss = line.train(points, learning_rate)
        trial.report({"loss": loss, "attempt": trial.attempt}, checkpoint=line.save(tmp_path / "line.json"))
        if line.epoch == 5 and trial.attempt == 1 and learning_rate == 0.1:
            raise RuntimeError("the power failed")


@sweep(grid={"optimum": [0.0, 2.0]}, metric="distance", mode="min", stop={"distance": "< 0.001"})
def walk_downhill(optimum: float) -> Iterator[dict[str, float]]:
    """A generator: each yield is a report. It is closed where the stop rule is met."""
    position = 10.0
    for _ in range(100):
        position -= 0.3 * (position - optimum)
        yield {"distance": abs(position - optimum), "position": position}


def test_training_stops_early(sweep_results: Mapping[str, ResultGrid]) -> None:
    best = sweep_results["fit_line"].get_best_result()
    assert best.metrics is not None
    assert best.metrics["loss"] < 0.01
    assert best.metrics["training_iteration"] < 60


def test_training_goes_on_after_a_failure(sweep_results: Mapping[str, ResultGrid]) -> None:
    retried = next(result for result in sweep_results["fit_line"] if result.config["learning_rate"] == 0.1)
    epochs = [report["training_iteration"] for report in retried.metrics_history]
    assert retried.attempts == 2
    assert epochs == list(range(1, len(epochs) + 1))


def test_too_large_steps_lead_nowhere(sweep_results: Mapping[str, ResultGrid]) -> None:
    wild = next(result for result in sweep_results["fit_line"] if result.config["learning_rate"] == 1.2)
    assert wild.metrics is not None
    assert wild.metrics["loss"] > 1 or math.isinf(wild.metrics["loss"])
