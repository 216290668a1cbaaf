"""What version 0.1.0 wrote: a run (schema 3) of the sweeps in `sweeps.txt`, made with ``pytest --sweep -n1 --sweep-seed=7``.

It has trials that ended, were stopped, failed, were skipped, passed at their second attempt and were interrupted, replicates and
checkpoints. Never make it anew: it is the only thing that shows that what users have can still be read.
"""

from __future__ import annotations

import shutil
from pathlib import Path

HERE = Path(__file__).parent
RUN = "2026-11-26_06-12-04_5gnt"


def write_project(folder: Path) -> Path:
    """Write the project into `folder`, with its run in ``sweep_results``; return the folder of the run."""
    shutil.copyfile(HERE / "sweeps.txt", folder / "test_sweeps.py")
    run = folder / "sweep_results" / RUN
    shutil.copytree(HERE / RUN, run)
    return run
