"""Who takes part: ``pytest --sweep`` in all its ways, and the peers."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import closing
from pathlib import Path

from benchmarks.measuring import FailedError, Sample, environment
from benchmarks.model import Contestant

SWEEP = "pytest --sweep"
RUNNING = "pytest --sweep, Ray running"
PROCESSES = "pytest --sweep -n2"
PLAIN_RAY = "plain ray.remote"
XDIST = "pytest-xdist -n2"
IN_PROCESS = "pytest in process"
TUNE = "ray.tune"
TUNE_REUSED = "ray.tune, reuse_actors"
OPTUNA = "Optuna, grid, SQLite"
YARDSTICK = "yardstick"

_RAY_SECONDS = 180.0


def sweep(
    name: str,
    count: int,
    *options: str,
    file: str = "test_trivial.py",
    environ: Mapping[str, str] | None = None,
    read: Callable[[sqlite3.Connection], Sample] = lambda _: {},
    in_ray: bool = False,
    ends: Collection[str] = ("TERMINATED",),
) -> Contestant:
    """Return a run of ``pytest --sweep``; all its trials must end well.

    Args:
        name: as the table has it.
        count: how many trials.
        options: further ones of the command line.
        file: the project.
        environ: what else the project reads.
        read: reads further figures from the run's database.
        in_ray: whether a Ray that runs already is joined.
        ends: the states in which trials may end.
    """
    command = ("-m", "pytest", "--sweep", "-p", "benchmarks.probe", *options)
    own = {"BENCH_COUNT": str(count), "BENCH_AS_SWEEP": "1", **(environ or {})}

    def finish(folder: Path, sample: Sample) -> Sample:
        (database,) = folder.glob("sweep_results/*/run.db")
        with closing(sqlite3.connect(database)) as connection:
            states = dict(connection.execute("SELECT state, count(*) FROM trial GROUP BY state").fetchall())
            if not set(states) <= set(ends) or sum(states.values()) != count:
                raise FailedError(f"{' '.join(command)} ran other than {count} trials to their ends: {states}")
            noted = json.loads((folder / "probe.json").read_text(encoding="utf-8"))
            to_prompt = {"to_prompt": sample["ended"] - noted["last"], "memory": noted["memory"]}
            return {**sample, **to_prompt, **read(connection)}

    if in_ray:  # Its workers inherit nothing of this.
        return Contestant(name, (*command, "--sweep-env=BENCH_*"), (file,), own, finish, running_ray)
    return Contestant(name, command, (file,), own, finish)


def ordinary(name: str, count: int, *options: str) -> Contestant:
    """Return a run of as many ordinary tests by pytest, without this plugin."""
    command = ("-m", "pytest", "-p", "no:sweep", *options)
    return Contestant(name, command, ("test_trivial.py",), {"BENCH_COUNT": str(count)})


def peer(name: str, module: str, *arguments: str, in_ray: bool = False, timeout: float = 900.0) -> Contestant:
    """Return a run of a module of ``benchmarks.peers``."""
    command = ("-m", f"benchmarks.peers.{module}", *arguments)
    if in_ray:
        return Contestant(name, command, beside=running_ray, timeout=timeout)
    return Contestant(name, command, timeout=timeout)


@contextlib.contextmanager
def running_ray() -> Iterator[Mapping[str, str]]:
    """Have a Ray run meanwhile, as a cluster would; gives ``RAY_ADDRESS``.

    Raises:
        FailedError: it did not start.
    """
    port = _free_port()
    options = ["--head", "--block", f"--port={port}", "--num-cpus=2", "--include-dashboard=false"]
    with tempfile.TemporaryFile() as output:
        ray = subprocess.Popen(
            [str(Path(sys.executable).with_name("ray")), "start", *options],
            env=environment({}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
        )
        try:
            if not _answers(f"127.0.0.1:{port}", ray):
                output.seek(0)
                raise FailedError(f"no Ray could be started: {output.read().decode()[-1000:]}")
            yield {"RAY_ADDRESS": f"127.0.0.1:{port}"}
        finally:
            ray.send_signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                ray.wait(20)
            ray.kill()
            ray.wait()


def _answers(address: str, ray: subprocess.Popen[bytes]) -> bool:
    """Wait until a task was run, which also has processes of Ray's started for it, as there are in a cluster that is used."""
    script = f"import ray; ray.init(address={address!r}, log_to_driver=False); ray.get(ray.remote(lambda: 1).remote())"
    deadline = time.monotonic() + _RAY_SECONDS
    while ray.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(subprocess.TimeoutExpired):
            tried = subprocess.run(
                [sys.executable, "-c", script], env=environment({}), check=False, capture_output=True, timeout=30
            )
            if tried.returncode == 0:
                return True
        time.sleep(0.5)
    return False


def _free_port() -> int:
    with closing(socket.socket()) as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


def cpus() -> int:
    """Return how many CPUs this machine has."""
    return os.cpu_count() or 1
