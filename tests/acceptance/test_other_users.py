"""What other users of the machine can do to a run in processes: read what the umask lets all users read, and no more."""

from __future__ import annotations

import os
import re
import shlex
import stat
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from pytest_sweep import list_runs
from tests.support.sessions import Session, wait_for
from tests.support.users import STRANGER, as_stranger, needs_second_user

pytestmark = needs_second_user

SWEEP = """
import logging, os, time
from pathlib import Path
from pytest_sweep import secret, sweep

@sweep(grid={"n": [1], "token": [secret("hunter2" + "-hunter2", name="api")]})
def train(n, token, trial, tmp_path):
    assert token.get_secret_value() != "hunter2"
    print("printed" + " output" * 200, flush=True)
    logging.warning("logged%s", " output" * 200)
    (tmp_path / "state").write_text("state")
    trial.report({"loss": 0.5}, checkpoint=tmp_path / "state")
    Path("inside").write_text(f"{os.getpid()}\\n{tmp_path}\\n")
    while not Path("go").exists():
        time.sleep(0.05)
"""
PLACES = [Path(place) for place in ("/tmp", "/var/tmp", "/dev/shm") if Path(place).is_dir()]


def entries() -> set[Path]:
    """Return what is in the folders that all users share."""
    return {path for place in PLACES for path in place.iterdir()}


class Running:
    """A run whose trial waits, with umask 022, a fresh HOME that others may enter, and temporary files in /tmp."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "home").mkdir()
        for place in (folder, folder / "home"):
            place.chmod(0o755)
        (folder / "sweep_waiting.py").write_text(SWEEP)
        (folder / "pytest.ini").write_text("[pytest]\ncache_dir = cache\n")
        self._before = entries()
        umask = os.umask(0o022)
        try:
            self.session = Session(
                folder, "-p", "no:asyncio", "-p", "cacheprovider", "--sweep-executor=processes", "-n1", HOME=str(folder / "home")
            )  # fmt: skip
        finally:
            os.umask(umask)
        wait_for(lambda: self.is_ready or self.session.process.poll() is not None, "the trial")
        assert self.session.process.poll() is None, self.session.output

    @property
    def is_ready(self) -> bool:
        """Whether the trial waits, and the database is there, which is opened when there is something to store."""
        return bool(self.inside) and any(self.folder.glob("sweep_results/*/run.db"))

    @property
    def inside(self) -> list[str]:
        """The process of the trial, and its temporary folder; empty before it runs."""
        path = self.folder / "inside"
        lines = path.read_text().split() if path.exists() else []
        return lines if len(lines) == 2 else []

    @property
    def run(self) -> Path:
        """The folder of the run."""
        (database,) = (self.folder / "sweep_results").glob("*/run.db")
        return database.parent

    @property
    def root(self) -> Path:
        """The folder of pytest's in which the temporary files of this session and its workers lie: ``/tmp/pytest-of-me/pytest-7``."""
        path = Path(self.inside[1])
        return next(above for above in path.parents if above.parent.parent in PLACES)

    def made(self) -> list[Path]:
        """Return what the run has made in the folders that all users share, as far as it is known to be its own."""
        mine = (path for path in entries() - self._before if path.exists() and path.stat().st_uid == os.geteuid())
        return [self.root.parent, self.root, *(path for path in mine if re.search("pytest|sweep|execnet", path.name))]

    def files(self) -> list[Path]:
        """Return the files that processes of the run keep open, or have made in their temporary folders."""
        return [path for path in self.root.rglob("*") if path.is_file()]


@pytest.fixture(scope="module")
def running() -> Iterator[Running]:
    """One run for all attacks."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name, pytest.MonkeyPatch.context() as patch:
        for variable in ("PYTEST_ADDOPTS", "PYTEST_DEBUG_TEMPROOT", "TMPDIR", "TEMP", "TMP"):
            patch.delenv(variable, raising=False)
        running = Running(Path(name))
        try:
            yield running
            (running.folder / "go").touch()
            assert running.session.wait() == 0, running.session.output
        finally:
            running.session.close()


def test_what_lies_in_shared_folders_is_closed(running: Running) -> None:
    """Spools, output, stacks and temporary folders lie below folders of mode 0700 that belong to the user, and hold what they should."""
    names = {path.name for path in running.files()}
    assert names >= {"events-0", "events-1", "stdout", "log", "stacks", "sections"}
    for path in running.made():
        status = path.lstat()
        assert stat.S_ISDIR(status.st_mode) or stat.S_IMODE(status.st_mode) & 0o077 == 0, path
        assert not stat.S_ISDIR(status.st_mode) or stat.S_IMODE(status.st_mode) == 0o700, path
    words = next(path.parent for path in running.files() if path.name == "stacks")
    assert stat.S_IMODE(words.stat().st_mode) == 0o700
    assert {stat.S_IMODE((words / name).stat().st_mode) for name in ("events-0", "events-1", "stdout", "log")} == {
        0o600
    }


def test_its_temporary_files(running: Running) -> None:
    """Another user can neither read, change, delete nor replace any of them."""
    before = {path: path.lstat().st_ino for path in running.files()}
    names = " ".join(shlex.quote(str(path)) for path in before)
    attacks = (
        "cat $file",
        "echo x >> $file",
        "rm $file",
        "mv $file $file.away",
        "ln -sf /etc/passwd $file",
        "truncate -s 0 $file",
    )
    for attack in attacks:
        answer = as_stranger(f"for file in {names}; do {attack} && echo done: $file; done")
        assert answer.stdout == "", attack
    for path, number in before.items():
        assert not path.exists() or path.lstat().st_ino == number


def test_its_folders(running: Running) -> None:
    """Nor can they list, enter, rename or plant anything in its temporary folders, its results, its project or its home."""
    root, run, folder = (shlex.quote(str(path)) for path in (running.root, running.run, running.folder))
    for attack in (
        f"ls {root}",
        f"touch {root}/evil",
        f"mv {root} {root}.away",
        f"rmdir {root}",
        f"touch {run}/evil",
        f"touch {run}/running",
        f"echo x >> {run}/run.db",
        f"rm {run}/run.db",
        f"rm {run}/run.db-wal",
        f"ln -sf /etc/passwd {run}/run.db-journal",
        f"mv {run} {run}.away",
        f"mkdir {folder}/sweep_results/2099-01-01_00-00-00_zzzz",
        f"touch {folder}/conftest.py",
        f"touch {folder}/cache/v/cache/lastfailed",
        f"touch {folder}/home/.evil",
    ):
        answer = as_stranger(attack)
        assert answer.returncode != 0, attack


def test_its_processes(running: Running) -> None:
    """Nor can they signal, trace, or read the memory, the environment or the open files of driver and worker."""
    for process in (running.session.process.pid, int(running.inside[0])):
        for attack in (
            f"kill -0 {process}",
            f"kill -TERM {process}",
            f"cat /proc/{process}/environ",
            f"cat /proc/{process}/mem",
            f"cat /proc/{process}/maps",
            f"ls -l /proc/{process}/fd/",
            f"cat /proc/{process}/fd/0",
        ):
            answer = as_stranger(attack)
            assert (answer.returncode != 0, answer.stdout) == (True, ""), attack
    assert running.session.process.poll() is None


def test_no_port_and_no_socket(running: Running) -> None:
    """Neither driver nor worker listens anywhere: there is nothing to connect to."""
    import psutil

    family = [psutil.Process(running.session.process.pid), *running.session.family()]
    assert len(family) >= 2
    assert [
        one for process in family for one in process.net_connections("all") if one.status == psutil.CONN_LISTEN
    ] == []


def test_what_the_umask_lets_them_read(running: Running) -> None:
    """The database is readable, as the umask says; the secret is neither in it nor anywhere else that others can read."""
    run, folder = shlex.quote(str(running.run)), shlex.quote(str(running.folder))
    assert as_stranger(f"test -r {run}/run.db").returncode == 0
    made = " ".join(shlex.quote(str(path)) for path in running.made())
    # But for what Python compiles of the test file, which has the secret in it.
    search = "grep -rlF --exclude-dir=__pycache__ hunter2-hunter2"
    assert as_stranger(f"{search} {folder} {made} 2>/dev/null").stdout == ""
    assert "hunter2-hunter2" not in as_stranger("cat /proc/[0-9]*/cmdline 2>/dev/null").stdout


class TestPlanted:
    """What another user has put beforehand where a run makes its files is refused or left alone."""

    @pytest.fixture
    def place(self) -> Iterator[Path]:
        """A folder like /tmp: all users may write to it."""
        with tempfile.TemporaryDirectory(dir="/tmp") as name:
            Path(name).chmod(0o1777)
            yield Path(name)

    @pytest.fixture
    def precious(self, place: Path) -> Path:
        """A folder of the user's that an attacker wants changed."""
        folder = place / "precious"
        folder.mkdir(mode=0o700)
        (folder / "thesis").write_text("three years")
        return folder

    def plant(self, script: str) -> None:
        answer = as_stranger(script)
        assert answer.returncode == 0, answer.stderr

    @pytest.mark.parametrize("how", ["mkdir -m 777 {}", "ln -s {precious} {}", "touch {}"])
    def test_the_folder_of_a_node(self, place: Path, precious: Path, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
        """Where a node's folder for a run would be, there is something already: the run uses a folder of its own."""
        from pytest_sweep.permissions import is_private_folder
        from pytest_sweep.wire.code import scratch_folder

        monkeypatch.setattr(tempfile, "tempdir", str(place))
        expected = place / "pytest-sweep-run-0123"
        self.plant(how.replace("{precious}", str(precious)).replace("{}", str(expected)))
        found = Path(scratch_folder("run", "0123"))
        assert found != expected
        assert is_private_folder(found)
        assert [path.name for path in precious.iterdir()] == ["thesis"]

    @pytest.mark.parametrize("how", ["mkdir -m 777 {}", "mkdir -m 700 {}", "ln -s {precious} {}"])
    def test_an_abandoned_session_of_ray(
        self, place: Path, precious: Path, how: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """What looks like the folder of a killed driver, and is another user's, is not entered, and nothing is deleted through it."""
        from pytest_sweep.executors.ray.cluster.session_folder import SessionFolder

        monkeypatch.delenv("RAY_TMPDIR", raising=False)
        monkeypatch.setattr(tempfile, "tempdir", str(place))
        planted = place / "sweep-ray-evil"
        (precious / "in-use").touch()
        os.utime(precious / "in-use", (0, 0))
        self.plant(how.replace("{precious}", str(precious)).replace("{}", str(planted)))
        if not how.startswith("ln"):
            self.plant(f"ln -s {precious}/in-use {planted}/in-use; ln -s {precious} {planted}/r")
        SessionFolder().remove()
        assert planted.is_symlink() or planted.is_dir()
        assert (precious / "thesis").read_text() == "three years"

    def test_the_home_folder(self, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """A ``.ray`` that another user has made in a home folder where all may write is refused, with and without a token in it."""
        from pytest_sweep.errors import ExecutorError
        from pytest_sweep.executors.ray.cluster.token import ensure_token

        for variable in ("RAY_AUTH_TOKEN", "RAY_AUTH_TOKEN_PATH"):
            monkeypatch.delenv(variable, raising=False)
        monkeypatch.setenv("HOME", str(place))
        self.plant(f"mkdir -m 755 {place}/.ray")
        with pytest.raises(ExecutorError, match=f"belongs to the user {STRANGER}"):
            ensure_token()
        self.plant(f"echo {'0' * 64} > {place}/.ray/auth_token")
        with pytest.raises(ExecutorError, match=f"belongs to the user {STRANGER}"):
            ensure_token()

    def test_a_run_that_nobody_else_may_enter(self, place: Path) -> None:
        """In a folder for results that several users share, a run that is closed to this user is not read, and hides no other."""
        (place / "2026-11-23_19-01-19_k3f9").mkdir(mode=0o700)
        assert list_runs(place) == []  # What it imports is imported now: the stranger may not read this Python.
        child = os.fork()
        if not child:
            status = 1
            try:
                os.setgroups([])
                os.setgid(STRANGER)
                os.setuid(STRANGER)
                status = len([run for run in list_runs(place) if run.note is None])
            finally:
                os._exit(status)
        assert os.waitpid(child, 0)[1] == 0
