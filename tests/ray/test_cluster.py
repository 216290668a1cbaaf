"""A real cluster: several hosts with resources of their own, of which some do not see the project."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.results import ResultGrid
from tests.ray.hosts import AUTHENTICATION, PORT, Host, Hosts, machines
from tests.support.sessions import LIMIT, Session, wait_for

PROJECT = {
    "pytest.ini": """
        [pytest]
        pythonpath = src
        sweep_env = WANTED_*
        sweep_include = models/small.bin
        """,
    ".gitignore": "models/\n*.log\n",
    "models/small.bin": "small",
    "models/large.bin": "large",
    "debug.log": "",
    "src/inner.py": "THREE = 3\n",
    "helpers/__init__.py": "",
    "helpers/sums.py": """
        from inner import THREE

        def add(number):
            return number + THREE
        """,
    "test_landing.py": """
        import os, sys
        from pathlib import Path
        import pytest, ray
        from pytest_sweep import sweep
        from helpers.sums import add

        HERE = Path(__file__).parent

        def asks(**request):
            return pytest.mark.resources(**request)

        @sweep(grid={"what": [
            pytest.param("label", marks=asks(labels={"zone": "a"})),
            pytest.param("tape", marks=asks(custom={"tape": 2})),
            pytest.param("gpu", marks=asks(gpu=0.5)),
            pytest.param("gpus", marks=asks(gpu=2)),
            pytest.param("cpus", marks=asks(cpu=3)),
        ]})
        def train(what):
            return {
                "at": ray.util.get_node_ip_address(), "sum": add(4), "gpus": os.environ.get("CUDA_VISIBLE_DEVICES", ""),
                "models": sorted(file.name for file in (HERE / "models").iterdir()), "logs": len(list(HERE.glob("*.log"))),
                "wanted": os.environ.get("WANTED_TOKEN"), "unwanted": os.environ.get("UNWANTED_TOKEN"),
                "cwd": str(Path.cwd()), "here": str(HERE), "src": str(HERE / "src") in sys.path,
            }
        """,
}


class RealCluster:
    """A head that has the project, and hosts that do not see it.

    Args:
        hosts: makes hosts.
        folder: the project; hidden on all hosts but the head.
    """

    def __init__(self, hosts: Hosts, folder: Path) -> None:
        self.hosts = hosts
        self.folder = folder
        self.head = hosts.add()
        self.address = f"{self.head.address}:{PORT}"
        self._sessions: list[Session] = []

    def add(self, labels: dict[str, str] | None = None, **options: Any) -> Host:
        """Add a host that does not see the project."""
        host = self.hosts.add(self.folder)
        host.start_ray(self.head, labels, **options)
        return host

    def start(self, *args: str, variables: Mapping[str, str] | None = None, folder: Path | None = None) -> Session:
        """Start a session on the head, in the project unless another folder is given."""
        folder = folder or self.folder
        on = partial(self.head.command, "env", f"--chdir={folder}")
        self._sessions.append(Session(folder, *args, on=on, **AUTHENTICATION, **(variables or {})))
        return self._sessions[-1]

    def close(self) -> None:
        """End all sessions."""
        for session in self._sessions:
            session.close()


@pytest.fixture
def cluster(tmp_path: Path) -> Iterator[RealCluster]:
    """A cluster whose hosts have no Ray yet."""
    with machines() as hosts:
        made = RealCluster(hosts, tmp_path / "project")
        made.folder.mkdir()
        try:
            yield made
        finally:
            made.close()


def write(folder: Path, files: dict[str, str]) -> None:
    """Write a project."""
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(textwrap.dedent(text).lstrip("\n"))


def by_config(grid: ResultGrid, name: str) -> dict[Any, dict[str, Any]]:
    """Return the metrics of all trials by one value of their configurations."""
    return {result.config[name]: dict(result.metrics or {}) for result in grid}


@pytest.mark.slow
def test_trials_land_where_their_marks_allow_and_the_code_goes_with_them(cluster: RealCluster) -> None:
    """Labels, custom resources, GPUs and CPUs decide on the host; there a project runs that is not there, with what it needs, no more."""
    cluster.head.start_ray(num_cpus=3)
    labelled = cluster.add({"zone": "a"}, num_cpus=1)
    taped = cluster.add(num_cpus=1, resources='{"tape": 2}')
    with_gpus = cluster.add(num_cpus=2, num_gpus=2)
    write(cluster.folder, PROJECT)
    # Twice at once: the two sessions have nothing to do with each other, though each ends its own workers.
    secrets = {"WANTED_TOKEN": "very-secret", "UNWANTED_TOKEN": "secret, too", "COLUMNS": "200"}
    second = cluster.folder.parent / "second"
    write(second, {"pytest.ini": "[pytest]\n", "test_it.py": TWO_SECONDS})
    sessions = (
        cluster.start("--sweep-address=auto", variables=secrets),
        cluster.start("--sweep-address=auto", folder=second),
    )
    for session in sessions:
        assert session.process.wait(2 * LIMIT) == 0, session.output
    assert [set(session.results()) for session in sessions] == [{"train"}, {"other"}]
    found = by_config(sessions[0].results()["train"], "what")
    expected = {"label": labelled, "tape": taped, "gpu": with_gpus, "gpus": with_gpus, "cpus": cluster.head}
    assert {what: metrics["at"] for what, metrics in found.items()} == {
        what: host.address for what, host in expected.items()
    }
    assert found["gpus"]["gpus"] == "0,1"
    assert found["gpu"]["gpus"] in {"0", "1"}
    for what, metrics in found.items():
        assert (metrics["sum"], metrics["src"], metrics["cwd"]) == (7, True, metrics["here"])
        assert (metrics["wanted"], metrics["unwanted"]) == ("very-secret", None)
        is_copy = what != "cpus"
        assert (metrics["here"] != str(cluster.folder)) is is_copy
        assert metrics["models"] == (["small.bin"] if is_copy else ["large.bin", "small.bin"])
        assert metrics["logs"] == (0 if is_copy else 1)
    assert re.search(
        r"code: [\d.]+ \S+ in 7 files shipped to 10\.77\.0\.2, 10\.77\.0\.3, 10\.77\.0\.4", sessions[0].output
    )
    for host in (cluster.head, labelled, taped, with_gpus):
        assert host.run("sh", "-c", "grep -rlaF very-secret /tmp/ray || true") == ""
    _hold_the_limit(cluster)


TWO_SECONDS = """
import time
from pytest_sweep import sweep

@sweep(grid={"n": [1, 2, 3]})
def other(n):
    time.sleep(2)
"""


def _hold_the_limit(cluster: RealCluster) -> None:
    (cluster.folder / "data" / "raw").mkdir(parents=True)
    (cluster.folder / "data" / "raw" / "all.bin").write_bytes(bytes(3 * 2**20))
    session = cluster.start(f"--sweep-address={cluster.address}", "--sweep-code-limit=1MiB")
    assert session.wait() == 4, session.output
    assert "--sweep-code-limit is 1.0 MiB. The largest: data/raw/ (3.0 MiB), " in session.output


TURNS = """
import os, time
from pathlib import Path
import ray
from pytest_sweep import sweep

@sweep(grid={"n": list(range(80))})
def train(n):
    at, began = ray.util.get_node_ip_address(), time.time()
    print(f"trial {n} at {at}")
    time.sleep(1)
    return {"at": at, "began": began}
"""


@pytest.mark.slow
def test_a_host_dies_and_another_one_joins(cluster: RealCluster) -> None:
    """Every trial ends well though a host is killed with what it runs; a host that joins runs trials within ten seconds."""
    cluster.head.start_ray(num_cpus=1)
    doomed = cluster.add(num_cpus=1)
    cluster.add(num_cpus=1)
    write(cluster.folder, {"pytest.ini": "[pytest]\n", "test_it.py": TURNS})
    session = cluster.start("-v", f"--sweep-address={cluster.address}")
    wait_for(lambda: f"({doomed.address}:" in session.output, "a trial on the host that will be killed")
    doomed.kill()
    wait_for(lambda: len(session.finished()) >= 12, "trials after the death")
    joined = cluster.add(num_cpus=1)
    since = _time(joined)
    assert session.process.wait(300) == 0, session.output
    results = list(session.results()["train"])
    assert [result.state.value for result in results] == ["TERMINATED"] * 80
    killed = [result for result in results if result.attempts > 1]
    assert len(killed) <= 1
    assert all(str(result.attempt_history[0].location).startswith(f"{doomed.address}:") for result in killed)
    there = [metrics["began"] for result in results if (metrics := result.metrics or {})["at"] == joined.address]
    first = min(there) - since
    print(f"the new host was used {first:.1f} s after it had joined")
    assert first < 10


def _time(host: Host) -> float:
    return float(host.run("date", "+%s.%N"))


@pytest.mark.slow
def test_a_worker_with_other_versions(cluster: RealCluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A host that has another version of the plugin says so, with both, before anything runs there."""
    other = tmp_path / "other" / "pytest_sweep-0.0.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: pytest-sweep\nVersion: 0.0.9\n")
    cluster.head.start_ray(num_cpus=1)
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(other.parent))
        there = cluster.add({"zone": "b"}, num_cpus=1)
    text = TWO_SECONDS.replace("@sweep", "import pytest\n@pytest.mark.resources(labels={'zone': 'b'})\n@sweep")
    write(cluster.folder, {"pytest.ini": "[pytest]\n", "test_it.py": text})
    session = cluster.start("--sweep-address=auto")
    assert session.wait() == 2, session.output
    said = " ".join(session.output.split())
    assert f"the worker at {there.address} has pytest-sweep 0.0.9, where the driver has pytest-sweep 0.1.0" in said


KNOCK = """
import sys
from ray._raylet import GcsClient
try:
    GcsClient(address=sys.argv[1]).check_alive([], timeout=10)
except Exception as error:
    print(type(error).__name__, error)
else:
    print("let in")
"""

WAITS = """
import time
from pathlib import Path
import ray
from pytest_sweep import sweep

@sweep(grid={"n": [1]})
def train(n):
    Path("address.new").write_text(ray.get_runtime_context().gcs_address)
    Path("address.new").rename("address")
    limit = time.monotonic() + 60
    while not Path("go").exists() and time.monotonic() < limit:
        time.sleep(0.05)
"""


def test_the_ray_of_a_run_starts_no_monitors(pytester: pytest.Pytester, start: Callable[..., Session]) -> None:
    """A Ray that was started for a run has neither an autoscaler's monitor nor a log monitor: two times a Python that imports Ray."""
    pytester.makepyfile(WAITS)
    session = start(RAY_ADDRESS="")
    wait_for((pytester.path / "address").exists, "the trial")
    commands = [" ".join(process.cmdline()) for process in session.family()]
    (pytester.path / "go").touch()
    assert session.wait() == 0, session.output
    assert any("gcs_server" in command for command in commands)
    assert [command for command in commands if "monitor.py" in command] == []


def test_the_ray_of_a_run_lets_nobody_in(
    pytester: pytest.Pytester, start: Callable[..., Session], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who has no token, or another one, is refused by a Ray that was started for a run; who has the run's is let in."""
    pytester.makepyfile("import ray  # Before the plugin has turned tokens on.\n" + WAITS)
    (tmp_path / "token").write_text("a" * 64)
    for name in ("RAY_AUTH_MODE", "RAY_AUTH_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    session = start(RAY_ADDRESS="", RAY_AUTH_TOKEN_PATH=str(tmp_path / "token"))
    wait_for((pytester.path / "address").exists, "the trial")
    address = (pytester.path / "address").read_text()
    (tmp_path / "other").write_text("b" * 64)
    keys = {
        "none": {"RAY_AUTH_MODE": "disabled"},
        "another": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "other")},
        "the run's": {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN_PATH": str(tmp_path / "token")},
    }
    who = {
        name: subprocess.Popen(
            [sys.executable, "-c", KNOCK, address],
            env={**os.environ, **key},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for name, key in keys.items()
    }
    said = {name: process.communicate(timeout=90)[0] for name, process in who.items()}
    (pytester.path / "go").touch()
    assert session.wait() == 0, session.output
    assert said["the run's"] == "let in\n"
    for name in ("none", "another"):
        assert said[name].startswith("AuthenticationError")
        assert "InvalidAuthToken" in said[name]
