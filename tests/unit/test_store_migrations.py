"""Databases of older versions: read through a migrated copy, and never changed."""

from __future__ import annotations

import sqlite3
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from pytest_sweep import load_results
from pytest_sweep.store import SCHEMA_VERSION, RunReader, ends, outcomes, starts
from pytest_sweep.store.database import create_database
from pytest_sweep.store.migrations import OLDEST, STEPS, migrate
from tests.store_0_1_0 import HERE, RUN, write_project


def columns(connection: sqlite3.Connection) -> dict[str, list[tuple[object, ...]]]:
    """Return the columns of each table: name, type, not null, default, primary key."""
    names = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
    return {name: [tuple(row[1:]) for row in connection.execute(f"PRAGMA table_info({name})")] for name in names}


class TestSteps:
    def test_they_lead_to_todays_schema(self, tmp_path: Path) -> None:
        """There is a step for each schema, and a database of 0.1.0 has today's tables after them."""
        assert sorted(STEPS) == list(range(OLDEST + 1, SCHEMA_VERSION + 1))
        new = create_database(tmp_path / "new.db")
        new.close()
        run = write_project(tmp_path)
        with closing(sqlite3.connect(run / "run.db")) as old, closing(sqlite3.connect(tmp_path / "new.db")) as today:
            migrate(old)
            assert columns(old) == columns(today)
            assert old.execute("PRAGMA user_version").fetchone() == (SCHEMA_VERSION,)
            indexes = "SELECT name, sql FROM sqlite_master WHERE type = 'index' ORDER BY name"
            assert old.execute(indexes).fetchall() == today.execute(indexes).fetchall()

    def test_a_step_that_fails_changes_nothing(self, tmp_path: Path) -> None:
        """All steps are one transaction."""
        run = write_project(tmp_path)
        with closing(sqlite3.connect(run / "run.db")) as old:
            old.execute("ALTER TABLE sweep ADD COLUMN average_over TEXT")
            before = columns(old)
            with pytest.raises(sqlite3.OperationalError, match="duplicate column"):
                migrate(old)
            assert columns(old) == before
            assert old.execute("PRAGMA user_version").fetchone() == (OLDEST,)


class TestRunOf010:
    @pytest.fixture
    def run(self, tmp_path: Path) -> Path:
        """The folder of the run that 0.1.0 made."""
        return write_project(tmp_path)

    def test_results(self, run: Path) -> None:
        """All trials are there with their states, metrics, attempts, histories and checkpoints."""
        results = load_results(run)
        replicates = Counter(str(result.state) for result in results["train_replicates"])
        assert replicates == {"STOPPED": 2, "TERMINATED": 2}
        assert [result.replicate for result in results["train_replicates"]] == [0, 0, 1, 1]
        outcomes = {result.config["what"]: result for result in results["train_outcomes"]}
        assert {what: (str(result.state), result.attempts) for what, result in outcomes.items()} == {
            "pass": ("TERMINATED", 1),
            "fail": ("ERROR", 2),
            "skip": ("SKIPPED", 1),
            "flaky": ("TERMINATED", 2),
        }
        assert (outcomes["pass"].metrics or {})["score"] == 3.0
        assert [attempt.error for attempt in outcomes["flaky"].attempt_history][1] is None
        assert "ValueError: flaky fails" in str(outcomes["flaky"].attempt_history[0].error)
        assert "this is flaky, attempt 1" in str(outcomes["flaky"].attempt_history[0].output)
        first, second = results["train_long"]
        assert [report["epoch"] for report in first.metrics_history] == [1, 2]
        assert first.checkpoint is not None
        assert (Path(first.checkpoint) / "epoch.txt").read_text() == "2"
        assert (first.attempts, second.attempts) == (1, 0)

    def test_it_is_left_as_it_is(self, run: Path) -> None:
        """Reading writes nothing into the run's folder, which may even be read-only."""
        before = {path: path.read_bytes() for path in run.rglob("*") if path.is_file()}
        reader = RunReader(run)
        keys = [trial.key for trial in reader.trials()]
        assert reader.run().seed == 7
        assert all(not sweep.average_over for sweep in reader.sweeps())
        assert all(trial.params is None for trial in reader.trials())
        assert len(outcomes(run, keys)) == len(keys) == len(ends(run, keys)) == len(starts(run, keys))
        assert {path: path.read_bytes() for path in run.rglob("*") if path.is_file()} == before
        assert (HERE / RUN / "run.db").read_bytes() == (run / "run.db").read_bytes()
