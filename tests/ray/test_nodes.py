"""Nodes of a cluster die, are cut off, and are drained in mid-run: each a machine of its own, as far as Ray can tell."""

from __future__ import annotations

import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import greenlet
import psutil
import pytest

from pytest_sweep import Result
from tests.ray.hosts import AUTHENTICATION, PORT, Host, Hosts, machines
from tests.support.sessions import Session, wait_for

pytestmark = pytest.mark.slow

PROJECT = """
import json, os, time
from pathlib import Path
import ray
from pytest_sweep import sweep

HERE = Path(__file__).parent

def note(trial, n):
    where = {"pid": os.getpid(), "node": ray.get_runtime_context().get_node_id(), "time": time.time()}
    (HERE / "writing").mkdir(exist_ok=True)
    (HERE / "writing" / f"{n}-{trial.attempt}").write_text(json.dumps(where))
    (HERE / "writing" / f"{n}-{trial.attempt}").rename(HERE / f"began-{n}-{trial.attempt}")

def wait_for(name):
    while not (HERE / name).exists():
        time.sleep(0.05)

def go_on(trial, until):
    step = int((trial.checkpoint / "step").read_text()) if trial.checkpoint else 0
    while not (HERE / until).exists():
        step += 1
        (trial.dir / f"step-{trial.attempt}").mkdir(exist_ok=True)
        (trial.dir / f"step-{trial.attempt}" / "step").write_text(str(step))
        trial.report({"step": step, "by": trial.attempt}, checkpoint=trial.dir / f"step-{trial.attempt}")
        (HERE / f"step-{trial.attempt}").write_text(str(step))
        time.sleep(0.2)
"""


@pytest.fixture
def hosts() -> Iterator[Hosts]:
    """Machines of our own."""
    with machines() as made:
        yield made


class Cluster:
    """A Ray on hosts, whose head runs no trials, and the session whose driver is there."""

    def __init__(self, hosts: Hosts, start: Callable[..., Session], folder: Path) -> None:
        self._hosts = hosts
        self._start = start
        self._folder = folder
        self.head = hosts.add()
        self.head.start_ray(num_cpus=0)

    def add(self, cpus: int, *hidden: Path) -> Host:
        """Add a node, which does not see what is in the folders `hidden`."""
        host = self._hosts.add(*hidden)
        host.start_ray(self.head, num_cpus=cpus)
        return host

    def start(self, *args: str) -> Session:
        """Start the session."""
        address = f"--sweep-address={self.head.address}:{PORT}"
        return self._start("-v", address, *args, on=self._on_head, **AUTHENTICATION)

    def _on_head(self, *command: str) -> list[str]:
        # Who enters the mounts of a host finds itself in its root.
        return self.head.command("env", f"--chdir={self._folder}", *command)

    def began(self, n: int, attempt: int = 1) -> dict[str, object]:
        """Wait until an attempt has begun; return its process, node and time."""
        path = self._folder / f"began-{n}-{attempt}"
        wait_for(path.exists, f"attempt {attempt} of trial {n}")
        found: dict[str, object] = json.loads(path.read_text())
        return found

    def drain(self, node: object, seconds: int) -> None:
        """Drain a node, which is to be gone after so many seconds."""
        ray = [sys.executable, "-m", "ray.scripts.scripts", "drain-node", f"--address={self.head.address}:{PORT}"]
        why = ["--reason=DRAIN_NODE_REASON_PREEMPTION", "--reason-message=the price has risen"]
        self.head.run(*ray, f"--node-id={node}", *why, f"--deadline-remaining-seconds={seconds}")


@pytest.fixture
def cluster(
    hosts: Hosts, start: Callable[..., Session], pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Cluster:
    """A cluster without nodes for trials, and an empty project."""
    # Ray's own patience with a node that says nothing is over a minute, more than a test should take.
    for name, value in {"period_ms": 1000, "timeout_ms": 3000, "failure_threshold": 4}.items():
        monkeypatch.setenv(f"RAY_health_check_{name}", str(value))
    pytester.makeini("[pytest]\n")
    return Cluster(hosts, start, pytester.path)


def results(session: Session) -> dict[int, Result]:
    """Return what a session has stored, by `n`."""
    return {result.config["n"]: result for result in session.results()["train"]}


def ends_within(pid: object, seconds: float) -> bool:
    """Say whether a process ends in time; hosts share this machine's process ids."""
    try:
        psutil.Process(int(str(pid))).wait(seconds)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


def test_a_lost_node(pytester: pytest.Pytester, cluster: Cluster) -> None:
    """A trial whose node is lost goes on from its checkpoint on another one, whatever its retries; the others are not disturbed."""
    pytester.makepyfile(
        PROJECT
        + """
@sweep(grid={"n": [1, 2]}, worker_retries=0)
def train(n, trial):
    first = int((trial.checkpoint / "step").read_text()) + 1 if trial.checkpoint else 1
    for step in range(first, 4):
        (trial.dir / "step").write_text(str(step))
        trial.report({"step": step}, checkpoint=trial.dir / "step")
        if step == 2:
            note(trial, n)
            wait_for("go")
"""
    )
    lost = cluster.add(1)
    session = cluster.start()
    cluster.began(1)
    cluster.add(1)
    cluster.began(2)
    lost.kill()
    (pytester.path / "go").touch()
    assert session.wait() == 0, session.output
    found = results(session)
    first, second = found[1].attempt_history
    assert first.error is not None
    assert first.error.endswith("its node was lost")
    assert second.state == "TERMINATED"
    assert [report["step"] for report in found[1].metrics_history] == [1, 2, 3]
    assert found[2].attempts == 1


def test_a_link_is_cut_and_healed(pytester: pytest.Pytester, cluster: Cluster) -> None:
    """What an attempt says that lived on behind a cut link is refused; it ends when the link is healed, and counts for nothing."""
    pytester.makepyfile(
        PROJECT
        + """
@sweep(grid={"n": [1]}, worker_retries=0)
def train(n, trial):
    note(trial, n)
    go_on(trial, until="go")
    return {"by": trial.attempt}
"""
    )
    behind = cluster.add(1)
    session = cluster.start()
    old = cluster.began(1)
    cluster.add(1)
    wait_for((pytester.path / "step-1").exists, "the first checkpoint")
    behind.cut()
    new = cluster.began(1, attempt=2)
    assert new["node"] != old["node"]
    before = (pytester.path / "step-1").read_text()
    wait_for(lambda: (pytester.path / "step-1").read_text() != before, "the old attempt, which lives on")
    wait_for((pytester.path / "step-2").exists, "the new attempt")
    behind.heal()
    assert ends_within(old["pid"], 60), session.output
    (pytester.path / "go").touch()
    assert session.wait() == 0, session.output
    (result,) = session.results()["train"]
    first, second = result.attempt_history
    assert (first.state, second.state) == ("ERROR", "TERMINATED")
    assert first.error is not None
    assert first.error.endswith("its node was lost")
    steps = [report["step"] for report in result.metrics_history]
    assert steps == list(range(1, len(steps) + 1))
    assert [report["training_iteration"] for report in result.metrics_history] == steps
    assert result.metrics is not None
    assert result.metrics["by"] == 2


def test_a_drained_node(pytester: pytest.Pytester, cluster: Cluster) -> None:
    """Nothing new begins on a drained node; what runs there goes on elsewhere after its next checkpoint, or before the deadline."""
    pytester.makepyfile(
        PROJECT
        + """
@sweep(grid={"n": [1, 2, 3]}, retries=1, retry_on=ValueError, worker_retries=0)
def train(n, trial):
    note(trial, n)
    if trial.attempt == 1 and n == 1:
        go_on(trial, until="never")
    if trial.attempt == 1 and n == 2:
        wait_for("never")
    if trial.attempt == 1 and n == 3:
        wait_for("go")
        raise ValueError("fails once")
    trial.report({"step": 0 if trial.checkpoint is None else int((trial.checkpoint / "step").read_text()) + 1})
"""
    )
    cluster.add(3)
    session = cluster.start()
    (drained,) = {str(cluster.began(n)["node"]) for n in (1, 2, 3)}
    cluster.add(1)
    wait_for((pytester.path / "step-1").exists, "the first checkpoint")
    began = time.time()
    cluster.drain(drained, seconds=40)
    saved = cluster.began(1, attempt=2)
    (pytester.path / "go").touch()
    failed, unsaved = cluster.began(3, attempt=2), cluster.began(2, attempt=2)
    assert drained not in {saved["node"], failed["node"], unsaved["node"]}
    assert session.wait() == 0, session.output
    assert float(str(saved["time"])) < began + 25
    assert began + 28 < float(str(unsaved["time"])) < began + 55
    found = results(session)
    for n in (1, 2):
        first, second = found[n].attempt_history
        assert second.state == "TERMINATED"
        assert first.error == "its node was drained: the trial goes on elsewhere"
    steps = [report["step"] for report in found[1].metrics_history]
    assert len(steps) > 1
    assert steps == list(range(1, len(steps) + 1))


def test_a_node_that_lacks_a_package(pytester: pytest.Pytester, cluster: Cluster) -> None:
    """A worker that cannot start where a package is not installed says what is missing, on which node, and since when it was asked for."""
    pytester.makepyfile(
        PROJECT
        + """
@sweep(grid={"n": [1]})
def train(n):
    return n
"""
    )
    cluster.add(1, Path(greenlet.__file__).parent)
    session = cluster.start()
    assert session.wait() == 2, session.output
    # The folder of the package is there, and empty.
    asked = r"a worker \(1 CPU, asked for \d+ s ago\) did not start"
    said = rf"{asked}: ImportError: cannot import name '\w+' from 'greenlet' .*\(at 10\.77\.0\.2\)"
    assert "the sweep cannot go on: no worker can be started on any node that could run what waits" in session.output
    assert re.search(f"10\\.77\\.0\\.2.*{said}", session.output), session.output


def test_a_node_without_the_code_joins(pytester: pytest.Pytester, cluster: Cluster) -> None:
    """A node that joins and does not see the code interrupts no trial: all pass on the first node, and the summary names the other."""
    pytester.makepyfile(
        PROJECT
        + """
@sweep(grid={"n": list(range(20))})
def train(n, trial):
    note(trial, n)
    time.sleep(3)
    return {"node": ray.get_runtime_context().get_node_id()}
"""
    )
    first = cluster.add(2)
    session = cluster.start()
    began = cluster.began(0)
    late = cluster.add(2, pytester.path)
    assert session.wait() == 0, session.output
    found = results(session)
    assert {str(result.state) for result in found.values()} == {"TERMINATED"}
    assert {result.attempts for result in found.values()} == {1}
    assert {result.metrics["node"] for result in found.values() if result.metrics} == {began["node"]}
    summary = session.output.rpartition("sweep results")[2]
    assert re.search(rf"node {re.escape(late.address)} is not used: .*does not see the folder", summary), session.output
    assert f"node {first.address} is not used" not in session.output
