"""A result knows its checkpoints: folders and URLs, and which was reported with the best value."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import NoResultsError
from pytest_sweep.results import QueryError, Result, load_results
from pytest_sweep.store import RunStore
from pytest_sweep.testing.samples import finished, make_trial, reported, started

URL = "memory://bucket/checkpoints"


def result_of(results_dir: Path, *losses: Any) -> Result:
    """Return the result of a trial that has reported a checkpoint with each of these losses."""
    trial = make_trial(1)
    store = RunStore.create(results_dir, seed=1, command="", executor="", rootdir=results_dir, versions={}, git=None)
    store.add_trials([trial])
    reports = [
        reported(trial, number, checkpoint=f"{URL}/1-{number:06d}", loss=loss) for number, loss in enumerate(losses, 1)
    ]
    store.record([started(trial), *reports, finished(trial, metrics={"loss": 0})])
    store.close()
    return load_results(store.path)["train_model"][0]


def test_the_best_of_several(tmp_path: Path) -> None:
    """The lowest or the highest value decides, of equals the oldest; NaN and what is no number take no part."""
    result = result_of(tmp_path, 2.0, 0.5, math.nan, 0.5, "low", 2.0)
    assert result.get_best_checkpoint("loss", "min") == f"{URL}/1-000002"
    assert result.get_best_checkpoint("loss", "max") == f"{URL}/1-000001"
    assert result.checkpoint == f"{URL}/1-000006"


def test_questions_without_an_answer(tmp_path: Path) -> None:
    """A mode that does not exist, a metric that nobody reported and a trial without checkpoints are told apart."""
    result = result_of(tmp_path / "a", 2.0)
    with pytest.raises(QueryError, match="mode='lowest': choose 'min' or 'max'"):
        result.get_best_checkpoint("loss", "lowest")  # type: ignore[arg-type]
    with pytest.raises(
        NoResultsError, match="was reported with a number as 'acc': there are 'loss', 'training_iteration'"
    ):
        result.get_best_checkpoint("acc", "max")
    none = result_of(tmp_path / "b")
    assert none.checkpoint is None
    with pytest.raises(NoResultsError, match="has no checkpoint"):
        none.get_best_checkpoint("loss", "min")


def test_folders_that_are_gone(tmp_path: Path) -> None:
    """Of folders on a disk only those that are still there are listed, as paths; URLs are, without being looked for."""
    trial = make_trial(1)
    store = RunStore.create(tmp_path, seed=1, command="", executor="", rootdir=tmp_path, versions={}, git=None)
    store.add_trials([trial])
    there, gone = store.path / "there", store.path / "gone"
    there.mkdir()
    addresses = [str(there), str(gone), f"{URL}/1-000003"]
    store.record(
        [started(trial), *(reported(trial, number, checkpoint=one) for number, one in enumerate(addresses, 1))]
    )
    store.close()
    result = load_results(store.path)["train_model"][0]
    assert [place for place, _ in result.best_checkpoints] == [there, f"{URL}/1-000003"]
    assert [metrics["training_iteration"] for _, metrics in result.best_checkpoints] == [1, 3]
