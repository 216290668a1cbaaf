"""``compare`` and the page on searched sweeps: slots are compared where they have the same configuration, and else the best values are."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.model import Sweep
from pytest_sweep.model.study import Objective
from pytest_sweep.page.against import against_document
from pytest_sweep.store import RunScan
from tests.support.runs import BEGAN, TRAIN, command, make_run, trial

SEVERAL = replace(TRAIN, objectives=(Objective("loss", "min"), Objective("ms", "min")))
ALL_OTHER = ["a", "b"], ["c", "d"]


def searched(results: Path, values: Sequence[Any], points: Sequence[str], now: float, sweep: Sweep = TRAIN) -> Path:
    """Store a run of slots, each with the key of its configuration; "" is a slot without one."""
    slots = [
        trial(number, sweep, {"lr": point}, slot=number, study=sweep.id, point_key=point)
        for number, point in enumerate(points)
    ]
    return make_run(results, values, trials=slots, now=now)


def compared(results: Path, before: Any, now: Any, points: Any, sweep: Sweep = TRAIN) -> Any:
    """Return what ``compare --json`` says of two searches, and the lines of ``compare``."""
    for number, values in enumerate((before, now)):
        searched(results, values, points[number], BEGAN + 60 * number, sweep)
    done = command("compare", "--json", results=results)
    lines = command("compare", results=results)
    assert done.status == lines.status
    return done.status, done.json, lines.out


@pytest.mark.parametrize(
    ("before", "now", "status", "verdict"),
    [
        ([0.9, 0.1], [0.1, 0.9], 0, "same"),
        ([0.9, 0.1], [0.05, 0.9], 0, "better"),
        ([0.9, 0.1], [0.2, 0.3], 1, "worse"),
        ([0.9, 0.1], [None, 0.1], 0, "same"),
        ([0.9, 0.1], [None, None], 1, "worse"),
        ([None, None], [0.1, 0.2], 3, "not compared"),
        ([0.9, 0.1], [], 3, "not compared"),
    ],
)
def test_other_configurations(tmp_path: Path, before: Any, now: Any, status: int, verdict: str) -> None:
    """Slots with nothing in common but their number are not compared, also if they fail; the best values decide."""
    done, document, lines = compared(tmp_path, before, now, ALL_OTHER)
    assert (done, document["verdict"]) == (status, verdict)
    assert [(one["status"], one["base"], one["change"]) for one in document["trials"]] == [
        ("not compared", None, None)
    ] * 2
    assert (document["compared"], document["sweeps"][0]["other_configurations"]) == (0, 2)
    assert not any("fail" in reason for reason in document["reasons"])
    assert "Not compared: 2 of 2 trials (2 other configuration)" in lines
    assert ("; the sweep is judged by its best value" in lines) is (verdict != "not compared")


def test_equal_configurations(tmp_path: Path) -> None:
    """A slot with the same configuration is compared as any trial; the others of its sweep are not."""
    status, document, lines = compared(tmp_path, [0.1, 0.9, 0.5], [0.1, None, None], (["a", "b", "c"], ["a", "b", "d"]))
    assert {one["name"]: one["status"] for one in document["trials"]} == {
        "train[lr=0]": "same", "train[lr=1]": "newly failed", "train[lr=2]": "not compared",
    }  # fmt: skip
    assert (status, document["reasons"]) == (1, ["train: 1 trial fails that did not fail before"])
    assert "Not compared: 1 of 3 trials (1 other configuration)" in lines


def test_several_metrics(tmp_path: Path) -> None:
    """Each metric has its best, and the line says so."""
    before, now = [{"loss": 1.0, "ms": 5.0}], [{"loss": 0.5, "ms": 9.0}]
    status, document, lines = compared(tmp_path, before, now, (["a"], ["b"]), SEVERAL)
    assert (status, document["reasons"]) == (1, ["train: the best ms was 5 and is 9 (min)"])
    assert "(1 other configuration); the sweep is judged by the best value of each of its metrics" in lines


def test_a_slot_without_a_configuration(tmp_path: Path) -> None:
    """A slot that never got one did not end."""
    _, document, lines = compared(tmp_path, [0.5, 0.5], [0.5], (["a", "b"], ["a", ""]))
    assert document["sweeps"][0]["statuses"] == {"same": 1, "not compared": 1}
    assert "(1 did not end well in one of them)" in lines


def test_the_page(tmp_path: Path) -> None:
    """The page has no value of the earlier run for another configuration, and says how many there are."""
    base = searched(tmp_path, [0.9, 0.1], ["a", "b"], BEGAN)
    run = searched(tmp_path, [0.2, 0.3], ["c", "d"], BEGAN + 60)
    with RunScan(base) as base_scan, RunScan(run) as scan:
        document = against_document(base_scan, scan, {0: (0, 0), 1: (0, 1)})
    (sweep,) = document["sweeps"]
    assert document["verdict"] == "worse"
    assert [pair[:4] for pair in sweep["pairs"]] == [[0, "not compared", None, 0.2], [1, "not compared", None, 0.3]]
    assert sweep["note"] == "Not compared: 2 of 2 trials (2 other configuration); the sweep is judged by its best value"
