"""Gangs: several workers for one trial, all or none, and what they find in their environment."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep import load_results
from pytest_sweep.results import Result
from tests.ray.hosts import AUTHENTICATION, PORT, machines
from tests.support.sessions import Session

ALL_REDUCE = '''
import os, socket, struct, time

NAMES = ("RANK", "LOCAL_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE", "NODE_RANK", "MASTER_ADDR", "MASTER_PORT", "OMP_NUM_THREADS", "TOKEN")

def environment():
    return {name: os.environ.get(name) for name in NAMES}

def all_reduce(rank, world_size, value):
    """Add up what all ranks have, by way of the master, as torch.distributed would."""
    master = os.environ["MASTER_ADDR"], int(os.environ["MASTER_PORT"])
    value += rank
    if rank == 0:
        with socket.create_server(master) as server:
            server.settimeout(60)
            peers = [server.accept()[0] for _ in range(world_size - 1)]
            total = value + sum(struct.unpack("d", peer.recv(8))[0] for peer in peers)
            for peer in peers:
                peer.sendall(struct.pack("d", total))
                peer.close()
            return total, environment()
    limit = time.monotonic() + 60
    while True:
        try:
            peer = socket.create_connection(master)
        except OSError:
            assert time.monotonic() < limit
            time.sleep(0.05)
        else:
            break
    with peer:
        peer.sendall(struct.pack("d", value))
        return struct.unpack("d", peer.recv(8))[0], environment()
'''

ENDINGS = """
import os, time
from pathlib import Path
import pytest, ray
from pytest_sweep import sweep
from reducing import all_reduce, environment

HERE = Path(__file__).parent

@sweep(grid={"n": [1]})
@pytest.mark.resources(cpu=1, workers=2)
def reduces(n, trial):
    first, second = (trial.gang.run(all_reduce, 10.0 * n) for _ in range(2))
    with pytest.raises(TypeError, match="no number"):
        trial.gang.run(raising)
    return {"first": first, "second": second, "third": trial.gang.run(all_reduce, 0.0)}

def raising(rank, world_size):
    raise TypeError("no number")

def fail_together(rank, world_size, attempt):
    (HERE / f"pid-{attempt}-{rank}").write_text(str(os.getpid()))
    limit = time.monotonic() + 60
    while rank == 1 and not (HERE / f"pid-{attempt}-0").exists():
        assert time.monotonic() < limit
        time.sleep(0.05)
    if rank == 0:
        time.sleep(600)
    if attempt == 1:
        raise ValueError("rank 1 had enough")
    os.kill(os.getpid(), 9)

@sweep(grid={"n": [1]}, retries=1)
@pytest.mark.resources(cpu=1, workers=2)
def fails(n, trial):
    trial.gang.run(fail_together, trial.attempt)

@ray.remote
def inside():
    return ray.util.get_current_placement_group() is not None, os.getcwd()

@sweep(grid={"n": [1]})
@pytest.mark.resources(cpu=2)
def has_tasks(n):
    found = ray.get([inside.remote() for _ in range(4)])
    assert [is_inside for is_inside, _ in found] == [True] * 4
    with pytest.raises(ValueError, match="cannot fit into any bundles"):
        inside.options(num_cpus=3).remote()
    with pytest.raises(ValueError, match="cannot fit into any bundles"):
        inside.options(resources={"tape": 1}).remote()

@sweep(grid={"n": [1]})
def has_none(n, trial):
    trial.gang
"""


@pytest.mark.usefixtures("shared_ray")
def test_a_gang_computes_together_and_ends_together(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two workers reduce by a socket; where one fails, both end, and it is one failed attempt; tasks run in the bundle or not at all."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)  # Who sets it wants it.
    monkeypatch.setenv("TOKEN", "of the driver")
    pytester.makepyfile(reducing=ALL_REDUCE, test_endings=ENDINGS)
    result = pytester.runpytest_inprocess("--sweep", "--sweep-env=TOKEN")
    result.assert_outcomes(passed=2, failed=2)
    results = load_results(dir=pytester.path / "sweep_results")
    _check_reduced(results["reduces"][0])
    (failed,) = results["fails"]
    assert [(attempt.state, attempt.number) for attempt in failed.attempt_history] == [("ERROR", 1), ("ERROR", 2)]
    errors = [str(attempt.error) for attempt in failed.attempt_history]
    assert "ValueError: rank 1 had enough" in errors[0]
    assert "worker 1 of 2 of the gang" in errors[1]
    assert "died" in errors[1]
    result.stdout.fnmatch_lines(["*has_none* has no gang: ask for one with @pytest.mark.resources(workers=4)*"])
    for pid in (int(file.read_text()) for file in pytester.path.glob("pid-*")):
        assert not Path(f"/proc/{pid}").exists()


def _check_reduced(result: Result) -> None:
    metrics = result.metrics or {}
    ports = set()
    for name, total in (("first", 21.0), ("second", 21.0), ("third", 1.0)):
        answers = metrics[name]
        assert [answer[0] for answer in answers] == [total, total]
        environments = [answer[1] for answer in answers]
        assert [environ["RANK"] for environ in environments] == ["0", "1"]
        assert [environ["LOCAL_RANK"] for environ in environments] == ["0", "1"]
        same = {
            "WORLD_SIZE": "2",
            "LOCAL_WORLD_SIZE": "2",
            "NODE_RANK": "0",
            "OMP_NUM_THREADS": "1",
            "TOKEN": "of the driver",
        }
        assert all(same.items() <= environ.items() for environ in environments)
        ports.add(environments[0]["MASTER_PORT"])
    assert len(ports) == 3


@pytest.mark.skipif(find_spec("torch") is None, reason="torch is not installed")
def test_the_example(pytester: pytest.Pytester, start: Callable[..., Session], shared_ray: str) -> None:
    """Two workers of torch.distributed agree on a slope, by gloo, and the test that judges it passes."""
    shutil.copytree(Path(__file__).resolve().parents[2] / "examples" / "gang", pytester.path / "gang")
    pytester.makeini("[pytest]")
    session = start("-v", "gang", RAY_ADDRESS=shared_ray)
    assert session.wait() == 0, session.output
    assert "3 passed" in session.output
    assert [(result.metrics or {})["points"] for result in session.results()["train_together"]] == [200.0, 200.0]


CROWD = """
import json, os, time
from pathlib import Path
import pytest
from pytest_sweep import sweep

HERE = Path(__file__).parent

def note(kind, n, rank, began):
    (HERE / "notes" / f"{kind}-{n}-{rank}").write_text(json.dumps([began, time.time()]))

def work(rank, world_size, n):
    began = time.time()
    (HERE / "ranks" / f"{n}-{rank}").touch()
    # All four must be there at once: half a gang would wait for the rest until this limit.
    while len(list((HERE / "ranks").glob(f"{n}-*"))) < world_size:
        assert time.time() < began + 60, "the rest of the gang did not come"
        time.sleep(0.01)
    time.sleep(0.1)
    note("gang", n, rank, began)

@sweep(grid={"n": list(range(20))})
@pytest.mark.resources(cpu=1, workers=4)
def gang(n, trial):
    began = time.time()
    trial.gang.run(work, n)
    return {"began": began, "ended": time.time()}

@sweep(grid={"n": list(range(100))})
def single(n):
    began = time.time()
    time.sleep(0.3)
    note("single", n, 0, began)
    return {"began": began, "ended": time.time()}
"""


@pytest.mark.slow
def test_twenty_gangs_of_four_beside_a_hundred_single_trials(
    pytester: pytest.Pytester, start: Callable[..., Session]
) -> None:
    """No deadlock on eight slots, and never half a gang: its four work at the same time, and never more than eight slots are in use."""
    pytester.makepyfile(CROWD)
    for folder in ("notes", "ranks"):
        pytester.mkdir(folder)
    session = start("--sweep-num-cpus=8", RAY_ADDRESS="")
    assert session.process.wait(400) == 0, session.output
    results = session.results()
    assert (results["gang"].num_terminated, results["single"].num_terminated) == (20, 100)
    notes = {file.name: json.loads(file.read_text()) for file in (pytester.path / "notes").iterdir()}
    assert len(notes) == 20 * 4 + 100
    for n in range(20):
        spans = [notes[f"gang-{n}-{rank}"] for rank in range(4)]
        assert max(began for began, _ in spans) < min(ended for _, ended in spans)
    held = [(_span(result.metrics), 4) for result in results["gang"]] + [
        (_span(result.metrics), 1) for result in results["single"]
    ]
    for (began, _), _ in held:
        assert sum(slots for (first, last), slots in held if first <= began < last) <= 8


def _span(metrics: dict[str, Any] | None) -> tuple[float, float]:
    assert metrics is not None
    return metrics["began"], metrics["ended"]


SPREAD = """
import os
import pytest, ray
from pytest_sweep import sweep
from reducing import all_reduce

def reduce_there(rank, world_size):
    return ray.util.get_node_ip_address(), all_reduce(rank, world_size, 1.0)

@sweep(grid={"how": [
    pytest.param("nodes", marks=pytest.mark.resources(cpu=1, workers=4, nodes=2)),
    pytest.param("spread", marks=pytest.mark.resources(cpu=1, workers=2, strategy="SPREAD")),
    pytest.param("pack", marks=pytest.mark.resources(cpu=1, workers=2, strategy="STRICT_PACK")),
    pytest.param("alone", marks=pytest.mark.resources(cpu=1, workers=2, strategy="STRICT_SPREAD")),
]})
def train(how, trial):
    return {"found": trial.gang.run(reduce_there)}
"""


@pytest.mark.slow
def test_gangs_over_two_hosts(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """Workers land as asked for and reduce over the network, though one of the two hosts does not see the project."""
    with machines() as hosts:
        head, other = hosts.add(), hosts.add(pytester.path)
        head.start_ray(num_cpus=2)
        other.start_ray(head, num_cpus=2)
        pytester.makepyfile(reducing=ALL_REDUCE, test_spread=SPREAD)
        pytester.makeini("[pytest]")
        on = partial(head.command, "env", f"--chdir={pytester.path}")
        session = start(f"--sweep-address={head.address}:{PORT}", on=on, **AUTHENTICATION)
        assert session.wait() == 0, session.output
        found = {result.config["how"]: (result.metrics or {})["found"] for result in session.results()["train"]}
        addresses = {how: [address for address, _ in answers] for how, answers in found.items()}
        assert sorted(addresses["nodes"]) == [head.address] * 2 + [other.address] * 2
        assert len(set(addresses["spread"])) == 2
        assert len(set(addresses["pack"])) == 1
        assert len(set(addresses["alone"])) == 2
        environments = [environ for _, (_, environ) in found["nodes"]]
        assert [environ["LOCAL_RANK"] for environ in environments] == ["0", "1", "0", "1"]
        assert [environ["NODE_RANK"] for environ in environments] == ["0", "0", "1", "1"]
        assert {environ["MASTER_ADDR"] for environ in environments} == {addresses["nodes"][0]}
        assert {total for _, (total, _) in found["nodes"]} == {1.0 * 4 + 6}
