"""``pytest-sweep`` over many runs, or many trials: makes what it reads, and runs the command as its users do."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path

from pytest_sweep.cli.main import main

RESULTS = "BENCH_RESULTS"
"""The variable that names the folder for results."""

_BEGAN = 1_700_000_000.0
_BATCH = 5000


@contextlib.contextmanager
def results(runs: int, trials: int) -> Iterator[Mapping[str, str]]:
    """Have a folder for results with so many runs of so many trials each."""
    with tempfile.TemporaryDirectory(prefix="bench-runs-") as name:
        first = _store(Path(name), trials)
        for number in range(1, runs):
            folder = first.with_name(f"2023-11-14_22-13-20_{number:04d}")
            folder.mkdir()
            shutil.copy(first / "run.db", folder)
            with contextlib.closing(sqlite3.connect(folder / "run.db")) as connection, connection:
                connection.execute("UPDATE run SET name = ?, started = started + ?", (folder.name, 100 * number))
            # As if it had been written when it ended: by that, `ls` knows which databases it need not open.
            os.utime(folder / "run.db", (_BEGAN + 100 * number + 60,) * 2)
        yield {RESULTS: name}


def _store(results_dir: Path, trials: int) -> Path:
    # Imported here: the command that is measured does not need it.
    from pytest_sweep.model import Sweep, Trial, TrialState
    from pytest_sweep.model.events import Accepted, TrialFinished, TrialReported, TrialStarted
    from pytest_sweep.store import RunStore

    store = RunStore.create(
        results_dir,
        seed=0,
        command="pytest --sweep",
        executor="processes",
        rootdir=results_dir,
        versions={},
        git=None,
        now=_BEGAN,
    )
    sweep = Sweep("test_models.py::train", "train", "loss", "min", varying=("lr", "depth"))
    made = [
        Trial(
            f"{n:016x}",
            f"{sweep.id}[lr={n}-depth={n % 7}]",
            f"train[lr={n}-depth={n % 7}]",
            sweep,
            {"lr": n, "depth": n % 7},
        )
        for n in range(trials)
    ]
    store.add_trials(made)
    for start in range(0, trials, _BATCH):
        events: list[Accepted] = []
        for n, trial in enumerate(made[start : start + _BATCH], start):
            metrics = {
                "loss": n * 7919 % 10007 / 10007,
                "val": {"acc": n % 100 / 100},
                "training_iteration": 1,
                "time_total_s": 0.1,
            }
            failed = n % 50 == 7
            state, error = (TrialState.ERROR, "ValueError: too large") if failed else (TrialState.TERMINATED, None)
            events += [
                TrialStarted(trial.key, 1, _BEGAN, "host:1"),
                TrialReported(trial.key, 1, metrics),
                TrialFinished(trial.key, 1, state, None if failed else metrics, error, 0.1, _BEGAN + 1),
            ]
        store.record(events)
    store.finish(0, _BEGAN + 60)
    store.close()
    return store.path


if __name__ == "__main__":
    sys.exit(main([*sys.argv[1:], "--dir", os.environ[RESULTS]]))
