"""The contract of trackers, with those that write files."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from pytest_sweep.model.metrics import AUTO_METRICS
from pytest_sweep.testing.tracker_contract import TrackerContract
from pytest_sweep.trackers.base import Tracker, numbers
from pytest_sweep.trackers.files import CsvTracker, JsonlTracker
from pytest_sweep.trackers.tensorboard import TensorboardTracker
from tests.support.events import scalars

_NUMBER = re.compile(r"-?(\d[\d.e+-]*|inf|nan)")
AUTOMATIC = (*AUTO_METRICS, "sweep/attempt", "sweep/returned")


class TestJsonl(TrackerContract):
    tolerance = 0.0

    def make_tracker(self) -> Tracker:
        return JsonlTracker()

    def settings(self, folder: Path) -> Mapping[str, str]:
        return {"dir": str(folder / "jsonl")}

    def received(self, remote: str) -> Sequence[tuple[int, Mapping[str, float]]]:
        lines = [json.loads(line) for line in Path(remote, "result.json").read_text("utf-8").splitlines()]
        return [(line["training_iteration"], _own(numbers(line))) for line in lines]


class TestCsv(TrackerContract):
    tolerance = 0.0

    def make_tracker(self) -> Tracker:
        return CsvTracker()

    def settings(self, folder: Path) -> Mapping[str, str]:
        return {"dir": str(folder / "csv")}

    def received(self, remote: str) -> Sequence[tuple[int, Mapping[str, float]]]:
        with Path(remote, "progress.csv").open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return [(int(row["training_iteration"]), _own(_parsed(row))) for row in rows]


class TestTensorboard(TrackerContract):
    def make_tracker(self) -> Tracker:
        return TensorboardTracker()

    def settings(self, folder: Path) -> Mapping[str, str]:
        return {"dir": str(folder / "runs")}

    def received(self, remote: str) -> Sequence[tuple[int, Mapping[str, float]]]:
        return scalars(Path(remote))


def _own(values: Mapping[str, float]) -> dict[str, float]:
    return {name: value for name, value in values.items() if name not in AUTOMATIC}


def _parsed(row: Mapping[str, str]) -> dict[str, float]:
    return {
        name: float(cell) for name, cell in row.items() if _NUMBER.fullmatch(cell) and not name.startswith("sweep/")
    }
