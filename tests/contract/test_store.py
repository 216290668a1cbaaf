"""The store keeps its contract, and what SQLite and the file system add to it."""

from __future__ import annotations

import itertools
import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep.errors import NoResultsError, SchemaError, StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialInterrupted, TrialNotRun, TrialRetried, TrialStarted
from pytest_sweep.store import (
    SCHEMA_VERSION,
    NotBegunError,
    RunReader,
    RunStore,
    database,
    find_results_dir,
    folders,
    git_state,
    network,
    package_versions,
    run_folders,
)
from pytest_sweep.testing.samples import finished, make_trial, reported, started
from pytest_sweep.testing.store_contract import StoreContract


def create(results_dir: Path, now: float | None = None) -> RunStore:
    return RunStore.create(
        results_dir,
        seed=1,
        command="pytest --sweep",
        executor="inline",
        rootdir=results_dir.parent,
        versions={"python": "3.11"},
        git=("abc", True),
        now=now,
    )


class TestStore(StoreContract):
    def make_store(self, results_dir: Path) -> RunStore:
        return create(results_dir)


class TestStoreOnNetwork(StoreContract):
    """The same where the file system is a network's, and there is no write-ahead log."""

    @pytest.fixture(autouse=True)
    def _network(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(database, "on_network", lambda _: True)

    def make_store(self, results_dir: Path) -> RunStore:
        store = create(results_dir)
        assert not (store.path / "run.db-wal").exists()
        return store


def test_the_results_folder_ignores_itself(tmp_path: Path) -> None:
    """A new results folder is invisible to git; one that holds something else is left as it is."""
    create(tmp_path / "new" / "results").close()
    assert (tmp_path / "new" / "results" / ".gitignore").read_text() == "*\n"
    (tmp_path / "conftest.py").touch()
    create(tmp_path).close()
    assert not (tmp_path / ".gitignore").exists()


def test_what_is_known_of_a_run(tmp_path: Path) -> None:
    """Where a run came from is stored with it, and its folder tells when it began."""
    store = create(tmp_path / "results", now=1_000_000_000.0)
    store.close()
    run = RunReader(store.path).run()
    assert (run.executor, run.versions, run.git_commit, run.git_dirty) == ("inline", {"python": "3.11"}, "abc", True)
    assert (run.started, run.rootdir) == (1_000_000_000.0, str(tmp_path))
    assert store.path == tmp_path / "results" / run.name == Path(store.run.path)
    assert run.name.startswith("2001-09-09_") or run.name.startswith("2001-09-08_")


def test_two_runs_at_once(tmp_path: Path) -> None:
    """Runs that begin at the same moment in one new folder get a folder each, and none disturbs another."""
    made: list[Path] = []

    def one_run() -> None:
        store = create(tmp_path / "results", now=1e9)
        store.add_trials([make_trial(1)])
        store.close()
        made.append(store.path)

    threads = [threading.Thread(target=one_run) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == 8
    assert sorted(made, reverse=True) == run_folders(tmp_path / "results")
    assert all(len(RunReader(path).trials()) == 1 for path in made)


def test_runs_of_one_second_are_in_order(tmp_path: Path) -> None:
    """The newest run is the first of `run_folders`, even of many in one second and after the names have run out."""
    made = [folders.make_run_folder(tmp_path / "results", 1e9) for _ in range(30)]
    (tmp_path / "results" / f"{made[0].name[:19]}_zzzz").mkdir()
    made.append(folders.make_run_folder(tmp_path / "results", 1e9))
    assert made == sorted(made)


def test_folders_without_a_database_are_no_runs(tmp_path: Path) -> None:
    """Only what holds a database counts as a run, and an absent folder holds none."""
    (tmp_path / "2026-01-01_00-00-00_aaaa").mkdir()
    assert run_folders(tmp_path) == []
    assert run_folders(tmp_path / "absent") == []


@pytest.mark.parametrize("place", ["file", "file/results", "/proc/results"])
def test_an_unwritable_place(tmp_path: Path, place: str) -> None:
    """Where no folder can be made, the error names it, the reason and the option."""
    (tmp_path / "file").touch()
    with pytest.raises(StoreError, match=r"--sweep-dir") as caught:
        create(tmp_path / place)
    assert str(tmp_path / place) in str(caught.value)
    assert any(reason in str(caught.value) for reason in (os.strerror(17), os.strerror(20), os.strerror(2)))


def test_a_closed_database_is_one_file(tmp_path: Path) -> None:
    """After the writer has closed, a copy of `run.db` alone holds everything."""
    store = create(tmp_path / "results")
    store.add_trials([make_trial(1)])
    store.close()
    assert [path.name for path in store.path.iterdir()] == ["run.db"]
    (tmp_path / "copy").mkdir()
    shutil.copy(store.path / "run.db", tmp_path / "copy")
    assert len(RunReader(tmp_path / "copy").trials()) == 1


def test_closing_while_somebody_reads(tmp_path: Path) -> None:
    """A reader in the middle of a query neither fails nor keeps the file from being complete."""
    store = create(tmp_path / "results")
    store.add_trials([make_trial(1)])
    with closing(sqlite3.connect(store.path / "run.db")) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT * FROM trial").fetchall()
        store.close()
        (tmp_path / "copy").mkdir()
        shutil.copy(store.path / "run.db", tmp_path / "copy")
    assert len(RunReader(tmp_path / "copy").trials()) == 1


def test_reading_in_the_process_that_writes(tmp_path: Path) -> None:
    """Readers come and go in the driver's own process without taking the writer's locks away."""
    store = create(tmp_path / "results")
    store.add_trials([make_trial(1)])
    assert RunReader(store.path).trials()
    store.record([started(make_trial(1))])
    with closing(sqlite3.connect(store.path / "run.db")) as other:
        assert other.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    store.close()


@pytest.mark.parametrize("place", ["local", "network"])
def test_every_commit_is_synchronized(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str) -> None:
    """The writer's connection has synchronous=FULL (2), while it writes too: SQLite's default with write-ahead logging is less."""
    monkeypatch.setattr(database, "on_network", lambda _: place == "network")
    with closing(database.create_database(tmp_path / "run.db")) as connection:
        for _ in range(2):
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
            journal = connection.exec_driver_sql("PRAGMA journal_mode").scalar()
            assert journal == ("delete" if place == "network" else "wal")
            connection.commit()
            with connection.begin():
                connection.exec_driver_sql("DELETE FROM trial")


SYNCHRONIZING = """
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int tell(const char *name, int fd) {
    char link[64], path[4096];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    path[length < 0 ? 0 : length] = 0;
    if (strstr(path, "run.db")) dprintf(1, "synchronized %s\\n", path);
    return ((int (*)(int)) dlsym(RTLD_NEXT, name))(fd);
}
int fsync(int fd) { return tell("fsync", fd); }
int fdatasync(int fd) { return tell("fdatasync", fd); }
"""
"""Tells of every call that has the disk keep what was written to a database."""


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("cc") is None, reason="needs a C compiler on Linux")
@pytest.mark.parametrize("place", ["local", "network"])
def test_each_batch_of_events_reaches_the_disk(tmp_path: Path, place: str) -> None:
    """When `record` returns, the operating system has been told to write the database or its log to the disk: power may fail."""
    (tmp_path / "tell.c").write_text(SYNCHRONIZING)
    subprocess.run(["cc", "-shared", "-fPIC", "-o", tmp_path / "tell.so", tmp_path / "tell.c", "-ldl"], check=True)
    writing = WRITER.replace("range(1, 1001)", "range(1, 21)").partition('if sys.argv[2] == "network":\n    # Half')[0]
    command = [sys.executable, "-c", writing, str(tmp_path / "results"), place]
    environment = {**os.environ, "LD_PRELOAD": str(tmp_path / "tell.so")}
    lines = subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.splitlines()
    ends = [lines.index(str(number)) for number in range(1, 21)]
    for number, (begin, end) in enumerate(itertools.pairwise(ends), 2):
        assert any(line.startswith("synchronized") for line in lines[begin + 1 : end]), f"batch {number}"


WRITER = """
import os, sys
from pathlib import Path
from pytest_sweep.store import RunStore, database
from pytest_sweep.testing.samples import make_trial, reported, started

if sys.argv[2] == "network":
    database.on_network = lambda folder: True
store = RunStore.create(
    Path(sys.argv[1]), seed=1, command="", executor="inline", rootdir=Path("."), versions={}, git=None
)
trial = make_trial(1)
store.add_trials([trial])
store.record([started(trial)])
for iteration in range(1, 1001):
    store.record([reported(trial, iteration)])
    os.write(1, f"{iteration}\\n".encode())
if sys.argv[2] == "network":
    # Half a transaction, written to the file: what a power cut in a commit leaves.
    driver = store._database._connection.connection.driver_connection
    driver.execute("PRAGMA cache_size=1")
    driver.execute("BEGIN IMMEDIATE")
    driver.execute("UPDATE report SET metrics = '{}' || hex(zeroblob(2000))")
    os.write(1, b"half\\n")
import time
time.sleep(60)
"""


@pytest.mark.parametrize("place", ["local", "network"])
def test_a_killed_writer_loses_nothing(tmp_path: Path, place: str) -> None:
    """What was recorded before `kill -9` is read afterwards, with a log to recover or a journal to roll back."""
    command = [sys.executable, "-c", WRITER, str(tmp_path / "results"), place]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        last = "half" if place == "network" else "300"
        seen = list(iter(writer.stdout.readline, f"{last}\n"))
        writer.send_signal(signal.SIGKILL)
    (folder,) = run_folders(tmp_path / "results")
    assert (folder / ("run.db-journal" if place == "network" else "run.db-wal")).exists()
    history = RunReader(folder).history(make_trial(1).key)
    assert len(history) >= len(seen)
    assert [row["training_iteration"] for row in history] == list(range(1, len(history) + 1))
    assert RunReader(folder).trials()[0].state is TrialState.INTERRUPTED
    assert RunReader(folder).run().finished is None


def set_schema(folder: Path, version: int) -> None:
    with closing(sqlite3.connect(folder / "run.db")) as connection:
        connection.execute(f"PRAGMA user_version={version}")


def test_a_newer_schema_is_left_untouched(tmp_path: Path) -> None:
    """The database of a newer version is refused by a text that says what to do, and not a byte of it changes."""
    store = create(tmp_path / "results")
    store.close()
    set_schema(store.path, SCHEMA_VERSION + 1)
    before = (store.path / "run.db").read_bytes()
    with pytest.raises(SchemaError, match="left untouched; upgrade pytest-sweep") as caught:
        RunReader(store.path).trials()
    assert str(store.path / "run.db") in str(caught.value)
    assert f"schema {SCHEMA_VERSION + 1}, and this one reads schema 3 to {SCHEMA_VERSION}" in str(caught.value)
    assert (store.path / "run.db").read_bytes() == before
    assert [path.name for path in store.path.iterdir()] == ["run.db"]


def test_an_older_schema_is_no_error_of_sqlite(tmp_path: Path) -> None:
    """The database of an older version, which lacks columns, is refused by a text that says what to do, and kept as it is."""
    store = create(tmp_path / "results")
    store.add_trials([make_trial(1)])
    store.close()
    with closing(sqlite3.connect(store.path / "run.db")) as connection:
        connection.execute("ALTER TABLE trial DROP COLUMN group_key")
        connection.execute("ALTER TABLE trial DROP COLUMN replicate")
    set_schema(store.path, 1)
    before = (store.path / "run.db").read_bytes()
    with pytest.raises(SchemaError) as caught:
        RunReader(store.path).trials()
    assert str(caught.value) == (
        f"{store.path / 'run.db'} was written by an older pytest-sweep: it has schema 1, and this one reads schema"
        f" 3 to {SCHEMA_VERSION}. It was left untouched; run the sweep again, and delete {store.path} when you no longer need it"
    )
    assert (store.path / "run.db").read_bytes() == before


@pytest.mark.parametrize(
    ("content", "said"), [(b"", "nothing of what the run had stored can be read"), (b"x" * 4096, "cannot be read")]
)
def test_a_damaged_database(tmp_path: Path, content: bytes, said: str) -> None:
    """A file that is no database, or an empty one, is an error that names it."""
    (tmp_path / "run.db").write_bytes(content)
    with pytest.raises(StoreError, match=said) as caught:
        RunReader(tmp_path).trials()
    assert str(tmp_path / "run.db") in str(caught.value)


def test_an_absent_database_is_not_made(tmp_path: Path) -> None:
    """Reading what does not exist is an error and leaves no file."""
    with pytest.raises(StoreError, match="no results database"):
        RunReader(tmp_path).run()
    assert list(tmp_path.iterdir()) == []


def test_a_run_that_was_killed_as_it_began(tmp_path: Path) -> None:
    """A database whose run was not stored yet says so."""
    database.create_database(tmp_path / "run.db").close()
    (tmp_path / folders.NOTHING_STORED).touch()
    with pytest.raises(NotBegunError, match="has stored nothing yet"):
        RunReader(tmp_path).run()


def test_events_merge_within_a_batch(tmp_path: Path) -> None:
    """A trial that fails, is tried again and ends within one batch is stored as it is over three."""
    store = create(tmp_path / "results")
    trial = make_trial(1)
    store.add_trials([trial])
    store.record([started(trial), reported(trial, 1), finished(trial, metrics={"loss": 1.0})])
    (found,) = RunReader(store.path).trials()
    assert (found.state, found.started, found.finished) == (TrialState.TERMINATED, 100, 102)
    store.close()


def test_many_keys(tmp_path: Path) -> None:
    """Trials are found by more keys than SQLite takes as values of a query."""
    store = create(tmp_path / "results")
    trials = [make_trial(number) for number in range(33_000)]
    store.add_trials(trials)
    store.close()
    assert len(RunReader(store.path).trials(keys={trial.key for trial in trials[1:]})) == 32_999


def test_the_nearest_results_folder(tmp_path: Path) -> None:
    """The folder is found from below; where there is none, the text names the command that makes one."""
    (tmp_path / "sweep_results").mkdir()
    (tmp_path / "deep" / "er").mkdir(parents=True)
    assert find_results_dir(tmp_path / "deep" / "er") == tmp_path / "sweep_results"
    (tmp_path / "sweep_results").rmdir()
    with pytest.raises(NoResultsError, match="pytest --sweep"):
        find_results_dir(tmp_path / "deep")


@pytest.mark.parametrize(
    ("folder", "shared"),
    [
        ("/home/me/data", True),
        ("/home/me", False),
        ("/home/me/data/local", False),
        ("/mnt/a b/c", True),
        ("/mnt/over", True),
        ("/data", False),
    ],
)
def test_network_file_systems(tmp_path: Path, folder: str, shared: bool) -> None:
    """The mount that holds a folder most closely decides, and the last of those at one place."""
    mounts = tmp_path / "mounts"
    mounts.write_text(
        "/dev/sda / ext4 rw 0 0\nserver:/data /home/me/data nfs4 rw 0 0\ntmpfs /home/me/data/local tmpfs rw 0 0\n"
        "sshfs /mnt/a\\040b fuse.sshfs rw 0 0\n/dev/sdb /mnt/over ext4 rw 0 0\nx /mnt/over lustre rw 0 0\n"
    )
    assert network.on_network(Path(folder), mounts) is shared
    assert not network.on_network(Path(folder), tmp_path / "absent")


def test_versions_without_importing(tmp_path: Path) -> None:
    """Versions are looked up, not imported; what is not installed is left out."""
    versions = package_versions()
    assert versions["python"].startswith(f"{sys.version_info.major}.{sys.version_info.minor}")
    assert versions["pytest"] == pytest.__version__
    assert "jax" not in versions or versions["jax"]


def test_a_trial_that_was_cut_off(tmp_path: Path) -> None:
    """It is stored as INTERRUPTED with its reason, its last metrics, and duration and output of the attempt that ran."""
    store = create(tmp_path / "results")
    running, between, new = (make_trial(number) for number in range(3))
    store.add_trials([running, between, new])
    failed = TrialRetried(finished(between, TrialState.ERROR, error="no"))
    store.record([started(running), reported(running, 1, loss=2.0), started(between), failed])
    said = (("Captured stdout call", "hello"),)
    store.record(
        [
            TrialInterrupted(running.key, 1, "interrupted", {"loss": 1.0}, said, duration=3.0, time=103.0),
            TrialInterrupted(between.key, 1, "the time is up"),
            TrialNotRun(new.key, "interrupted"),
        ]
    )
    store.close()
    reader = RunReader(store.path)
    first, second, third = reader.trials()
    assert (first.state, first.reason, first.metrics) == (TrialState.INTERRUPTED, "interrupted", {"loss": 1.0})
    assert (first.attempts, first.duration, first.finished) == (1, 3.0, 103.0)
    (attempt,) = reader.attempts(running.key)
    assert (attempt.state, attempt.duration, attempt.finished) == ("INTERRUPTED", 3.0, 103.0)
    assert attempt.output == "--- Captured stdout call ---\nhello"
    assert (second.state, second.reason, second.metrics) == (TrialState.INTERRUPTED, "the time is up", None)
    assert [attempt.state for attempt in reader.attempts(between.key)] == ["ERROR"]
    assert (third.state, third.attempts, reader.attempts(new.key)) == (TrialState.NOT_RUN, 0, [])


def test_the_state_of_git(tmp_path: Path) -> None:
    """The commit and whether tracked files differ from it; None without a repository or a commit."""
    assert git_state(tmp_path) is None
    assert git_state(tmp_path / "absent") is None

    def git(*arguments: str) -> None:
        identity = ["-c", "user.name=n", "-c", "user.email=e@x", "-c", "commit.gpgsign=false"]
        subprocess.run(["git", "-C", str(tmp_path), *identity, *arguments], check=True, capture_output=True)

    git("init")
    assert git_state(tmp_path) is None
    (tmp_path / "file").write_text("1")
    git("add", "file")
    git("commit", "-m", "one")
    (tmp_path / "untracked").touch()
    state = git_state(tmp_path)
    assert state is not None
    assert (len(state[0]), state[1]) == (40, False)
    (tmp_path / "file").write_text("2")
    assert git_state(tmp_path) == (state[0], True)
    # A name in another encoding, which git shows as it is.
    latin = tmp_path / os.fsdecode(b"caf\xe9")
    latin.touch()
    git("config", "core.quotePath", "false")
    git("add", "file", str(latin))
    assert git_state(tmp_path) == (state[0], True)


def test_git_is_not_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without git there is no state, and no error."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert git_state(tmp_path) is None


def test_the_duration_of_a_trial_that_paused(tmp_path: Path) -> None:
    """It is that of all legs together, also where the scheduler ends the trial while it is paused; failed attempts do not count."""

    def leg(key: str, number: int, state: TrialState, seconds: float) -> list[Accepted]:
        ended = TrialFinished(key, number, state, None, None, seconds, 100.0, ({"sections": [("out", "said")]},))
        start: Accepted = TrialStarted(key, number, 90.0, "host:1")
        return [start, TrialRetried(ended) if state is TrialState.ERROR else ended]

    store = create(tmp_path / "results")
    trials = [make_trial(number) for number in range(4)]
    store.add_trials(trials)
    stopped, went_on, cut_off, failed = (trial.key for trial in trials)
    paused, done = TrialState.PAUSED, TrialState.TERMINATED
    store.record([*leg(stopped, 1, paused, 2.0), *leg(stopped, 2, paused, 3.0)])
    store.record([TrialFinished(stopped, 2, TrialState.STOPPED, None, "median", 0.0, 200.0)])
    store.record([*leg(went_on, 1, paused, 2.0), *leg(went_on, 2, done, 4.0)])
    store.record([*leg(cut_off, 1, paused, 2.0), TrialInterrupted(cut_off, 1, "the budget is spent")])
    store.record([*leg(failed, 1, TrialState.ERROR, 2.0), *leg(failed, 2, done, 4.0)])
    reader = RunReader(store.path)
    assert [trial.duration for trial in reader.trials()] == [5.0, 6.0, 2.0, 4.0]
    (_, last) = reader.attempts(stopped)
    assert (last.state, last.duration, last.finished, last.output) == ("STOPPED", 3.0, 100.0, "--- out ---\nsaid")
    store.close()
