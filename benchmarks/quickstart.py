"""The quickstart beside plain Ray: whole processes in turn, start and end included."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).parent.parent
SWEEP = [sys.executable, "-m", "pytest", "--sweep", str(ROOT / "examples" / "quickstart"), "-q"]
PLAIN = [sys.executable, str(ROOT / "benchmarks" / "plain_ray.py")]


def seconds(command: list[str]) -> float:
    """Run a whole process, in an empty folder, and return how long it took."""
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--sweep-dir={folder}"] if command is SWEEP else []
        began = time.perf_counter()
        subprocess.run(
            [*command, *options], check=True, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        return time.perf_counter() - began


def main(runs: int) -> None:
    """Run both in turn and print each pair, the medians and the median ratio."""
    pairs = []
    for number in range(runs):
        pairs.append((seconds(SWEEP), seconds(PLAIN)))
        sweep, plain = pairs[-1]
        print(
            f"run {number + 1}: quickstart {sweep:.2f} s, plain ray.remote {plain:.2f} s, ratio {sweep / plain:.2f}",
            flush=True,
        )
    sweep, plain, ratio = (statistics.median(column) for column in zip(*((s, p, s / p) for s, p in pairs), strict=True))
    print(f"median: quickstart {sweep:.2f} s, plain ray.remote {plain:.2f} s, ratio {ratio:.2f}")
