"""Files of a database that are damaged, deleted or replaced while a run writes it: nothing is lost, or it is said."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep.errors import StoreError
from pytest_sweep.model import Trial, TrialState
from pytest_sweep.store import RunReader, RunStore, database, lost_commits
from pytest_sweep.store.files import extend_shared_memory, set_aside
from pytest_sweep.testing.samples import finished, make_trial, reported, started
from tests.support.damage import KINDS, harm
from tests.support.runs import command

TRIALS = [make_trial(number) for number in range(40)]
KINDS_HERE = [kind for kind in KINDS if kind != "unreadable"]
DATABASE_FILES = ("run.db", "run.db-wal", "run.db-shm")


def make_store(folder: Path) -> RunStore:
    return RunStore.create(folder, seed=1, command="", executor="", rootdir=folder, versions={}, git=None)


def run(store: RunStore, trials: list[Trial]) -> None:
    """Have trials begin, report and end, each in transactions of its own."""
    for trial in trials:
        store.record([started(trial), reported(trial, 1, loss=0.5)])
        store.record([reported(trial, 2, loss=0.25, text="x" * 500), finished(trial, metrics={"loss": 0.25})])


def assert_complete(store: RunStore) -> None:
    """Assert that all that was recorded is read back."""
    reader = RunReader(store.path)
    assert [trial.state for trial in reader.trials()] == [TrialState.TERMINATED] * len(TRIALS)
    assert {len(history) for history in reader.histories([trial.key for trial in TRIALS]).values()} == {2}
    assert reader.run().exit_status == 0


def in_another_process(path: Path, kind: str) -> None:
    """Damage a file as others do: closing a file of SQLite's here would drop the locks of this process."""
    script = "import sys; from pathlib import Path; from tests.support.damage import harm; harm(Path(sys.argv[1]), sys.argv[2])"
    subprocess.run([sys.executable, "-c", script, path, kind], check=True, cwd=Path(__file__).parents[2])


@pytest.mark.parametrize("kind", KINDS_HERE)
@pytest.mark.parametrize("file", DATABASE_FILES)
def test_a_file_is_damaged(tmp_path: Path, file: str, kind: str) -> None:
    """Whatever becomes of one of the three files in the middle of a run, all that was recorded is there at its end."""
    store = make_store(tmp_path)
    store.add_trials(TRIALS)
    run(store, TRIALS[:30])
    in_another_process(store.path / file, kind)
    run(store, TRIALS[30:])
    store.finish(0)
    store.close()
    assert_complete(store)
    assert store.path / "run.db" in store.path.iterdir()
    assert all("nothing is lost" in repair for repair in store.repairs)


def test_the_whole_file_is_written_again(tmp_path: Path) -> None:
    """What was damaged is kept beside the new file, under a name that is free, and is said in a sentence that names both."""
    store = make_store(tmp_path)
    store.add_trials(TRIALS)
    for number in (10, 20):
        run(store, TRIALS[number - 10 : number])
        in_another_process(store.path / "run.db", "deleted")
    run(store, TRIALS[20:])
    store.finish(0)
    store.close()
    assert_complete(store)
    assert [repair.partition("run.db was ")[2][:7] for repair in store.repairs] == ["deleted", "deleted"]


def test_everything_is_damaged(tmp_path: Path) -> None:
    """Where no file says anything any more, and SQLite has forgotten, closing is an error that names the database."""
    store = make_store(tmp_path)
    store.add_trials(TRIALS)
    run(store, TRIALS)
    for file in DATABASE_FILES:
        in_another_process(store.path / file, "garbage")
    with pytest.raises(StoreError, match=r"run\.db was damaged"):
        store.close()
    assert store.is_damaged


def test_an_older_state_is_put_back(tmp_path: Path) -> None:
    """A sound database that lacks what was stored since is no proof that all is stored."""
    store = make_store(tmp_path)
    store.add_trials(TRIALS)
    run(store, TRIALS[:20])
    with closing(sqlite3.connect(store.path / "run.db")) as source, closing(sqlite3.connect(tmp_path / "old")) as old:
        source.backup(old)
    run(store, TRIALS[20:])
    (tmp_path / "old").replace(store.path / "run.db")
    store.finish(0)
    store.close()
    assert_complete(store)
    assert "replaced by another file" in store.repairs[0]


def test_rows_are_changed(tmp_path: Path) -> None:
    """A row that somebody else has changed is noticed, though the database is sound."""
    store = make_store(tmp_path)
    store.add_trials(TRIALS)
    with closing(sqlite3.connect(store.path / "run.db")) as other, other:
        other.execute("UPDATE trial SET metrics = '{\"loss\": 0}' WHERE ordinal = 7")
    with pytest.raises(StoreError, match="does not hold what was stored in it"):
        store.close()


def interrupted(store: RunStore, was_committed: bool) -> None:
    """Interrupt a transaction after it was committed, or before."""
    connection = store._database._connection
    with store._database._checksum.transaction():
        with connection.begin():
            connection.exec_driver_sql("UPDATE trial SET attempts = attempts + 1 WHERE ordinal = 0")
            if not was_committed:
                raise KeyboardInterrupt
        raise KeyboardInterrupt


def test_an_interrupt_after_a_commit(tmp_path: Path) -> None:
    """A transaction of which nobody knows whether it was committed is no damage, whether it was or not."""
    store = make_store(tmp_path)
    store.add_trials(TRIALS)
    for was_committed in (True, False):
        with pytest.raises(KeyboardInterrupt):
            interrupted(store, was_committed)
    run(store, TRIALS)
    store.finish(0)
    store.close()
    assert_complete(store)
    assert store.repairs == []


def test_failed_transactions_do_not_count(tmp_path: Path) -> None:
    """What was rolled back is not missed, however often it was tried."""
    store = make_store(tmp_path)
    store.add_trials(TRIALS)
    for _ in range(20):
        with pytest.raises(StoreError):
            store.record([started(TRIALS[0]), started(make_trial(999))])
    run(store, TRIALS)
    store.finish(0)
    store.close()
    assert_complete(store)
    assert store.repairs == []


def test_without_a_log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """On a network's file system, where SQLite reads pages anew, a deleted database is written again all the same."""
    monkeypatch.setattr(database, "on_network", lambda _: True)
    store = make_store(tmp_path)
    store.add_trials(TRIALS)
    run(store, TRIALS[:20])
    in_another_process(store.path / "run.db", "deleted")
    run(store, TRIALS[20:])
    store.finish(0)
    store.close()
    assert_complete(store)


def test_more_than_is_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A database that is larger than what SQLite remembers of it, and damaged, is an error, and never taken for whole."""
    monkeypatch.setattr(database, "_CACHE_KIB", 64)
    store = make_store(tmp_path)
    store.add_trials(TRIALS)
    run(store, TRIALS)
    in_another_process(store.path / "run.db-wal", "garbage")
    with pytest.raises(StoreError, match=r"run\.db"):
        store.close()


@pytest.mark.parametrize("size", [0, 1000, 16384])
def test_shared_memory_is_truncated(tmp_path: Path, size: int) -> None:
    """A driver whose mapped file is truncated lives: SIGBUS would kill it."""
    script = """
        import os, sys
        from pathlib import Path
        from tests.unit.test_store_damage import TRIALS, make_store, run
        store = make_store(Path(sys.argv[1]))
        store.add_trials(TRIALS)
        run(store, TRIALS[:20])
        os.truncate(store.path / "run.db-shm", int(sys.argv[2]))
        run(store, TRIALS[20:])
        os.truncate(store.path / "run.db-shm", int(sys.argv[2]))
        store.finish(0)
        store.close()
        print(store.path)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(script), tmp_path, str(size)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode != -signal.SIGBUS
    assert done.returncode == 0, done.stderr
    reader = RunReader(Path(done.stdout.strip()))
    assert {trial.state for trial in reader.trials()} == {TrialState.TERMINATED}


def test_another_file_is_not_extended(tmp_path: Path) -> None:
    """A link in the place of the mapped file is left alone, and so is what it leads to."""
    (tmp_path / "precious").write_text("three years")
    (tmp_path / "run.db-shm").symlink_to(tmp_path / "precious")
    assert extend_shared_memory(tmp_path / "run.db", 32768) == 32768
    assert (tmp_path / "precious").read_text() == "three years"


def test_what_is_set_aside(tmp_path: Path) -> None:
    """A database goes to a name that is free with all that lies beside it; where nothing is, nothing happens."""
    path = tmp_path / "run.db"
    assert set_aside(path) is None
    for name in ("run.db.damaged-wal", "run.db", "run.db-wal"):
        (tmp_path / name).touch()
    (tmp_path / "run.db-shm").mkdir()
    assert set_aside(path) == tmp_path / "run.db.damaged-2"
    names = sorted(file.name for file in tmp_path.iterdir())
    assert names == ["run.db.damaged-2", "run.db.damaged-2-shm", "run.db.damaged-2-wal", "run.db.damaged-wal"]


class TestKilled:
    """A run whose driver was killed, and whose write-ahead log was damaged afterwards."""

    @pytest.fixture
    def folder(self, tmp_path: Path) -> Path:
        script = """
            import os, signal, sys
            from pathlib import Path
            from tests.unit.test_store_damage import TRIALS, make_store, run
            store = make_store(Path(sys.argv[1]))
            store.add_trials(TRIALS)
            run(store, TRIALS)
            os.kill(os.getpid(), signal.SIGKILL)
        """
        command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path)]
        assert subprocess.run(command, check=False, cwd=Path(__file__).parents[2]).returncode == -signal.SIGKILL
        (folder,) = tmp_path.glob("2*")
        return folder

    def test_nothing_is_lost(self, folder: Path) -> None:
        """An undamaged log has all, also after somebody has read it."""
        assert lost_commits(folder) == 0
        assert len(RunReader(folder).trials()) == len(TRIALS)
        assert lost_commits(folder) == 0

    @pytest.mark.parametrize(
        "damage",
        [
            lambda log: log.unlink(),
            lambda log: log.write_bytes(b""),
            lambda log: log.write_bytes(os.urandom(log.stat().st_size)),
            lambda log: log.write_bytes(bytes(log.stat().st_size)),
            lambda log: os.truncate(log, log.stat().st_size // 2),
            lambda log: os.truncate(log, 32 + 4120 * 7),
        ],
        ids=["deleted", "empty", "garbage", "zeroed", "halved", "at a frame"],
    )
    def test_what_is_lost(self, folder: Path, damage: Callable[[Path], object]) -> None:
        """Readers know that they do not see all that was stored, though SQLite says nothing."""
        damage(folder / "run.db-wal")
        assert lost_commits(folder) > 0
        assert (
            f"the last {lost_commits(folder)} of its transactions are lost" in command("ls", results=folder.parent).err
        )

    def test_nothing_is_left(self, folder: Path) -> None:
        """A run of which all was lost is not taken for one that had not begun, which may be deleted."""
        (folder / "run.db-wal").unlink()
        done = command("prune", "--keep", "0", "--yes", results=folder.parent)
        assert f"{folder.name}: kept, since it cannot be read" in done.out
        assert folder.is_dir()

    def test_the_count_is_damaged(self, folder: Path) -> None:
        """Where nobody knows how much there was, nothing is said."""
        harm(folder / "running", "garbage")
        assert lost_commits(folder) == 0
