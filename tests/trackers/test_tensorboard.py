"""The tracker tensorboard, read back by TensorBoard itself: its event reader, and the HTTP API of its HParams page."""

from __future__ import annotations

import json
import math
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.testing.samples import make_replicates
from pytest_sweep.testing.tracked_runs import SWEEP, begin_run
from pytest_sweep.testing.tracker_contract import TrackerContract
from pytest_sweep.trackers.base import Tracker
from pytest_sweep.trackers.patience import Stop
from pytest_sweep.trackers.sending import Sender
from pytest_sweep.trackers.tensorboard import TensorboardTracker
from tests.support.runs import ended

accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

LIMIT = 120.0


class TestTensorboard(TrackerContract):
    def make_tracker(self) -> Tracker:
        return TensorboardTracker()

    def settings(self, folder: Path) -> Mapping[str, str]:
        return {"dir": str(folder / "runs")}

    def received(self, remote: str) -> Sequence[tuple[int, Mapping[str, float]]]:
        reader = accumulator.EventAccumulator(remote, {accumulator.SCALARS: 0})
        reader.Reload()
        points = [(one.step, {tag: one.value}) for tag in reader.Tags()["scalars"] for one in reader.Scalars(tag)]
        return sorted(points, key=lambda point: point[0])


@contextmanager
def tensorboard(logdir: Path, *arguments: str) -> Iterator[str]:
    """Run TensorBoard, and return its address."""
    command = [sys.executable, "-m", "tensorboard.main", "--logdir", str(logdir), "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen([*command, *arguments], stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        try:
            line = next(line for line in process.stderr if "http://" in line)
            yield "http://" + line.partition("http://")[2].split()[0].rstrip("/")
        finally:
            process.kill()


def asked(url: str, body: Mapping[str, Any] | None = None) -> Any:
    """Return what the API answers."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"Content-Type": "application/json"})  # noqa: S310 - our own server
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - likewise
        return json.load(answer)


@pytest.mark.parametrize("loading", ["false", "auto"])
def test_the_page_of_hyperparameters(tmp_path: Path, loading: str) -> None:
    """It has parameters with types and domains, metrics, and how trials ended; replicates are one group, with their mean."""
    configs: Sequence[Mapping[str, Any]] = [
        {"lr": 0.1, "optimizer": {"name": "adam"}, "nesterov": True},
        {"lr": 0.5, "optimizer": {"name": "sgd"}, "nesterov": False},
        {"lr": 0.9, "optimizer": {"name": "sgd"}, "nesterov": False},
    ]
    groups = [
        [replace(one, config=config) for one in make_replicates(number, count, SWEEP)]
        for number, (config, count) in enumerate(zip(configs, (2, 1, 1), strict=True))
    ]
    trials = [one for group in groups for one in group]
    store = begin_run(tmp_path, trials)
    for one, value in zip(trials, ({"loss": 1.0}, {"loss": 2.0}, {"loss": math.nan}, None), strict=True):
        store.record(ended(one.key, value))
    store.finish(1, 1.7e9 + 100)
    store.close()
    stop = Stop()
    stop.run_is_over()
    Sender(store.path, "tensorboard", TensorboardTracker(), {}, stop).send()
    with tensorboard(tmp_path, "--load_fast", loading) as url:
        end = time.monotonic() + LIMIT
        while len(asked(f"{url}/data/runs")) < 4:
            assert time.monotonic() < end
            time.sleep(0.2)
        experiment = asked(f"{url}/data/plugin/hparams/experiment", {"experimentName": "", "hparamsLimit": 0})
        infos = {info["name"]: info for info in experiment["hparamInfos"]}
        assert {name: info["type"] for name, info in infos.items()} == {
            "lr": "DATA_TYPE_FLOAT64", "optimizer/name": "DATA_TYPE_STRING", "nesterov": "DATA_TYPE_BOOL",
        }  # fmt: skip
        assert infos["lr"]["domainInterval"] == {"minValue": 0.1, "maxValue": 0.9}
        assert sorted(infos["optimizer/name"]["domainDiscrete"]) == ["adam", "sgd"]
        assert [info["name"]["tag"] for info in experiment["metricInfos"]] == ["loss"]
        query = {
            "experimentName": "", "startIndex": 0, "sliceSize": 10, "aggregationType": "AGGREGATION_AVG",
            "colParams": [{"metric": info["name"]} for info in experiment["metricInfos"]],
            "allowedStatuses": ["STATUS_SUCCESS", "STATUS_FAILURE", "STATUS_RUNNING", "STATUS_UNKNOWN"],
        }  # fmt: skip
        found = asked(f"{url}/data/plugin/hparams/session_groups", query)["sessionGroups"]
    by_lr = {group["hparams"]["lr"]: group for group in found}
    assert sorted(by_lr) == [0.1, 0.5, 0.9]
    assert [one["status"] for one in by_lr[0.1]["sessions"]] == ["STATUS_SUCCESS"] * 2
    assert by_lr[0.1]["metricValues"][0]["value"] == 1.5
    assert by_lr[0.5]["metricValues"][0]["value"] == "NaN"
    assert by_lr[0.9]["sessions"][0]["status"] == "STATUS_FAILURE"
