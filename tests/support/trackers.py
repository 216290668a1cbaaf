"""A tracker of somebody else, installed in a folder, that is down, slow, hangs or fails; and what trackers have written to files."""

from __future__ import annotations

import csv
import json
import os
import textwrap
from pathlib import Path
from typing import Any

from pytest_sweep.store import RunReader

_FAULTY = """
    import os, subprocess, time
    from pytest_sweep.trackers.base import TrackerDown

    class Faulty:
        def open(self, run, settings):
            self.mode = settings["mode"]
            if self.mode == "down":
                raise TrackerDown("http://localhost:1 refuses connections")
            if self.mode == "hangs":
                subprocess.Popen(["sleep", "1000"])
                time.sleep(1000)
            if self.mode == "fails":
                raise RuntimeError("boom")

        def begin(self, trial, remote):
            return trial.id

        def log(self, remote, reports):
            print("logged", len(reports))

        def restart(self, remote, iteration): ...

        def end(self, remote, trial): ...

        def close(self, run): ...
"""


def install_faulty(folder: Path) -> dict[str, str]:
    """Install a tracker ``faulty:mode=...`` in a folder, and return the environment in which it is found."""
    metadata = folder / "faulty-1.0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: faulty\nVersion: 1.0\n")
    (metadata / "entry_points.txt").write_text(
        "[pytest_sweep.trackers]\nfaulty = faulty_tracker:Faulty\nmissing = faulty_tracker:Missing\n"
    )
    (folder / "faulty_tracker.py").write_text(textwrap.dedent(_FAULTY))
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(folder), os.environ.get("PYTHONPATH")]))}


def json_lines(folder: Path) -> list[dict[str, Any]]:
    """Return the lines of a trial's ``result.json``, without our own entries; nothing where there is none."""
    path = folder / "result.json"
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text("utf-8").splitlines(keepends=True) if line.endswith("\n")]
    return [{name: value for name, value in line.items() if not name.startswith("sweep/")} for line in lines]


def csv_rows(folder: Path) -> list[dict[str, float]]:
    """Return the rows of a trial's ``progress.csv``, in which all is numbers, without our own columns; none where it is not there."""
    if not (folder / "progress.csv").exists():
        return []
    with (folder / "progress.csv").open(encoding="utf-8", newline="") as file:
        return [
            {name: float(cell) for name, cell in row.items() if not name.startswith("sweep/")}
            for row in csv.DictReader(file)
        ]


def stored_histories(run: Path) -> dict[str, list[dict[str, Any]]]:
    """Return what each trial of a run has reported, by the names of their folders."""
    reader = RunReader(run)
    trials = reader.trials()
    histories = reader.histories([trial.key for trial in trials])
    return {trial.folder: histories[trial.key] for trial in trials}
