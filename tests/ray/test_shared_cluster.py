"""A cluster that others use, too: trials take what is free, at once, and no more. The hosts are network namespaces."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from tests.ray.hosts import AUTHENTICATION, PORT, Host, environ, machines
from tests.support.sessions import LIMIT, Session, wait_for

pytestmark = pytest.mark.slow

TRIALS, SECONDS, CPUS = 20, 2.0, 2

PROJECT = f"""
import time
import ray
from pytest_sweep import sweep

@sweep(grid={{"n": list(range({TRIALS}))}})
def train(n):
    began = time.time()
    time.sleep({SECONDS})
    return {{"began": began, "ended": time.time(), "node": ray.get_runtime_context().get_node_id()}}
"""

FOREIGN = """
import sys, time
from pathlib import Path
import ray
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy as On

ray.init(address="auto", log_to_driver=False, logging_level="ERROR")

@ray.remote
class Foreign:
    def node(self):
        return ray.get_runtime_context().get_node_id()

addresses = {node["NodeManagerAddress"]: node["NodeID"] for node in ray.nodes() if node["Alive"]}
held = [
    Foreign.options(num_cpus=float(cpus), scheduling_strategy=On(addresses[address], soft=False)).remote()
    for address, cpus in (argument.split("=") for argument in sys.argv[1:])
]
ray.get([actor.node.remote() for actor in held])
print("held", flush=True)
sys.stdin.read()
"""


class SharedCluster:
    """Two hosts with two CPUs each, and sessions and others that use them."""

    def __init__(self, head: Host, other: Host, folder: Path) -> None:
        self.head = head
        self.other = other
        self._folder = folder
        self._sessions: list[Session] = []

    @contextmanager
    def foreign(self, **cpus: int) -> Iterator[None]:
        """Have somebody else's actors hold CPUs on the head and on the other host."""
        (self._folder / "foreign.py").write_text(FOREIGN)
        hosts = {"head": self.head, "other": self.other}
        held = [f"{hosts[name].address}={count}" for name, count in cpus.items()]
        command = self.head.command(sys.executable, str(self._folder / "foreign.py"), *held)
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        with subprocess.Popen(command, env=environ(), text=True, **pipes) as process:  # type: ignore[call-overload]
            assert process.stdout.readline() == "held\n"
            yield
            process.stdin.close()

    def start(self, name: str) -> Session:
        """Start a session in a folder of this name."""
        folder = self._folder / name
        folder.mkdir()
        (folder / "pytest.ini").write_text("[pytest]\n")
        (folder / "test_it.py").write_text(PROJECT)
        on = partial(self.head.command, "env", f"--chdir={folder}")
        self._sessions.append(Session(folder, f"--sweep-address={self.head.address}:{PORT}", on=on, **AUTHENTICATION))
        return self._sessions[-1]

    def close(self) -> None:
        """End all sessions."""
        for session in self._sessions:
            session.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[SharedCluster]:
    """A cluster of two hosts that see the same files."""
    with machines() as hosts:
        head, other = hosts.add(), hosts.add()
        head.start_ray(num_cpus=CPUS)
        other.start_ray(head, num_cpus=CPUS)
        made = SharedCluster(head, other, tmp_path)
        try:
            yield made
        finally:
            made.close()


def spans(*sessions: Session) -> list[tuple[float, float]]:
    """Wait for sessions that pass, and return when each trial began and ended."""
    for session in sessions:
        assert session.process.wait(2 * LIMIT) == 0, session.output
    results = [dict(result.metrics or {}) for session in sessions for result in session.results()["train"]]
    assert len(results) == TRIALS * len(sessions)
    return [(result["began"], result["ended"]) for result in results]


def check(found: list[tuple[float, float]], free: int, handover: float = 0.0) -> None:
    """Hold trials to the CPUs that were free: never more at once, and within 1.3 times what these allow, beside a `handover`."""
    took = max(ended for _, ended in found) - min(began for began, _ in found)
    ideal = len(found) * SECONDS / free
    print(
        f"{len(found)} trials took {took:.1f} s on {free} free CPUs, at best {ideal:.1f} s; handover {handover:.1f} s"
    )
    assert took <= 1.3 * ideal + handover
    for began, _ in found:
        assert sum(other <= began < ended for other, ended in found) <= free


@pytest.mark.parametrize("held", [{"head": 2}, {"other": 2}, {"head": 1, "other": 1}], ids="-".join)
def test_others_hold_a_part(cluster: SharedCluster, held: dict[str, int]) -> None:
    """Where somebody's actors hold one of two nodes, or half of each, trials use the rest as if nothing else was there."""
    with cluster.foreign(**held):
        check(spans(cluster.start("one")), 2 * CPUS - sum(held.values()))


def test_what_others_give_back_is_used(cluster: SharedCluster) -> None:
    """CPUs that become free in mid-run are used within seconds, and those that are taken meanwhile are not missed."""
    with cluster.foreign(other=2):
        session = cluster.start("one")
        wait_for(lambda: "." in session.output.partition("test_it.py ")[2], "the first trial")
    found = spans(session)
    assert max(sum(other <= began < ended for other, ended in found) for began, _ in found) == 2 * CPUS


def test_two_sessions_at_once(cluster: SharedCluster) -> None:
    """Two sessions that start at the same time use all CPUs together, and both end as soon as these allow.

    The CPUs of the first are handed to the second, whose processes must start then: that takes as long as it took the first.
    """
    launched = time.time()
    found = spans(cluster.start("one"), cluster.start("two"))
    check(found, 2 * CPUS, handover=min(began for began, _ in found) - launched)
