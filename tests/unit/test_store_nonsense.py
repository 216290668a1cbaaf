"""Rows that hold what is never stored: every reader names the row, or goes on without it, in bounded time."""

from __future__ import annotations

import json
import os
import shutil
import sqlite3
import time
import warnings
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_sweep import list_runs, load_results
from pytest_sweep.errors import StoreError
from pytest_sweep.model import TrialState
from pytest_sweep.model.search_events import Decision, Proposed, TrialConfigured, TrialJudged, TrialResumed
from pytest_sweep.model.source import Source
from pytest_sweep.model.study import Observation, Outcome, Resumption, Verdict, VerdictKind
from pytest_sweep.results import newest_results
from pytest_sweep.store import (
    RunReader,
    RunStore,
    UnsoundError,
    ends,
    last_run,
    made_as,
    made_in,
    origins,
    outcomes,
    starts,
    tried_points,
    unheard,
    unsound,
)
from pytest_sweep.store.decisions import row_of
from pytest_sweep.store.schema import tables
from pytest_sweep.testing.samples import SWEEP, finished, make_trial, reported, started
from tests.support.runs import command

TRIALS = [make_trial(number) for number in range(4)]
KEYS = [trial.key for trial in TRIALS]
SECONDS = 20.0
"""How much of a CPU's time all readers together may take."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a sound run."""
    results = tmp_path_factory.mktemp("results")
    store = RunStore.create(
        results, seed=1, command="c", executor="inline", rootdir=results, versions={}, git=("a", True)
    )
    store.add_trials(TRIALS, {SWEEP.id: Source("f", "m", {}, {"a.py": "a"}, {"python": "3.11"})})
    for trial in TRIALS:
        store.record(
            [started(trial), reported(trial, 1, loss=1.0, checkpoint="c/1-000001"), reported(trial, 2, loss=0.5)]
        )
        store.record([finished(trial, metrics={"loss": 0.5, "text": "x" * 100}, error="e")])
    store.record([started(TRIALS[3], 2)])
    store.close()
    return store.path


@pytest.fixture
def folder(sound: Path, tmp_path: Path) -> Path:
    """The folder of a copy of it, the only one in its folder for results."""
    return shutil.copytree(sound, tmp_path / "results" / sound.name)


def edit(folder: Path, statement: str, *values: Any) -> None:
    """Change the database, whatever it would refuse."""
    with closing(sqlite3.connect(folder / "run.db", isolation_level=None)) as connection:
        connection.execute("PRAGMA ignore_check_constraints=ON")
        connection.execute(statement, values)


def put(folder: Path, table: str, column: str, value: Any) -> None:
    """Put a value into the last row of a table."""
    edit(folder, f"UPDATE {table} SET {column} = ? WHERE rowid = (SELECT max(rowid) FROM {table})", value)  # noqa: S608


def readers(folder: Path) -> dict[str, Callable[[], object]]:
    """Return everything that reads a run."""
    reader, results = RunReader(folder), folder.parent

    def everything() -> None:
        for grid in load_results(folder).values():
            for result in grid:
                _ = (
                    repr(result), result.metrics, result.config, result.params, result.metrics_history, result.attempt_history,
                    result.best_checkpoints, result.path, result.ended_well,
                )  # fmt: skip
            _ = (repr(grid), grid.aggregate(), grid.num_errors, grid.get_dataframe())

    def new_run() -> None:
        """Take what can be taken into a new run, as a resume does."""
        taken = [its.key for its in outcomes(folder, KEYS) if its.key not in unsound(folder / "run.db", KEYS)]
        scratch = folder.parent.parent / "scratch"
        shutil.rmtree(scratch, ignore_errors=True)
        store = RunStore.create(scratch, seed=1, command="", executor="", rootdir=scratch, versions={}, git=None)
        store.add_trials(TRIALS)
        store.copy_trials(folder, taken, [])
        store.close()
        for trial in RunReader(store.path).trials(keys=taken):
            assert len(RunReader(store.path).history(trial.key)) <= 10

    def by_command(*words: str) -> Callable[[], None]:
        def told() -> None:
            done = command(*words, results=results)
            assert "Traceback" not in done.err
            if done.status > 1:
                raise StoreError(done.err)

        return told

    return {
        "ls": by_command("ls", "--json"),
        "ls --sort": by_command("ls", "--sort", "best", "--where", "duration is None or duration < 5 or trials > 0"),
        "show": by_command("show", str(folder)),
        "show --json": by_command("show", str(folder), "--json"),
        "show a trial": by_command("show", str(folder), TRIALS[3].key),
        "export": by_command("export", str(folder), "--histories"),
        "compare": by_command("compare", str(folder), str(folder), "--json"),
        "prune": by_command("prune", "--keep", "0"),
        "prune --checkpoints": by_command("prune", "--keep", "0", "--checkpoints"),
        "load_results": everything,
        "list_runs": lambda: [repr(run) for run in list_runs(results)],
        "gate": lambda: newest_results(results, {SWEEP.id: TRIALS}),
        "own gate": lambda: newest_results(results, {SWEEP.id: TRIALS}, folder),
        "last_run": lambda: last_run(results),
        "origins": lambda: list(origins(folder, beside=True)),
        "outcomes": lambda: outcomes(folder, KEYS),
        "unsound": lambda: unsound(folder / "run.db", KEYS),
        "made_in": lambda: made_in(folder, KEYS),
        "ends": lambda: ends(folder, KEYS),
        "starts": lambda: starts(folder, KEYS),
        "histories": lambda: reader.histories(KEYS),
        "attempts": lambda: [reader.attempts(key) for key in KEYS],
        "new run": new_run,
    }


def error_of(read: Callable[[], object]) -> StoreError | None:
    try:
        read()
    except StoreError as error:
        return error
    return None


def read_all(folder: Path) -> dict[str, StoreError]:
    """Read a run in every way; return the errors. Nothing but a StoreError may come out, and all of it in time."""
    errors, began = {}, time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for name, read in readers(folder).items():
            if (error := error_of(read)) is not None:
                errors[name] = error
    assert time.process_time() - began < SECONDS
    return errors


def test_a_sound_run(folder: Path) -> None:
    """Of a run as it is written there is nothing to say."""
    assert read_all(folder) == {}
    assert unsound(folder / "run.db", KEYS) == {}


DEEP = '{"a":' * 5000 + "1" + "}" * 5000
NONSENSE: list[tuple[str, Any]] = [
    ("trial.state", "FOO"),
    ("trial.state", b"\x00\xff"),
    ("trial.attempts", 10**12),
    ("trial.attempts", -1),
    ("trial.attempts", "many"),
    ("trial.metrics", "{"),
    ("trial.metrics", "[1]"),
    ("trial.metrics", DEEP),
    ("trial.metrics", "[" * 100_000 + "]" * 100_000),
    ("trial.metrics", "1" * 100_000),
    ("trial.metrics", b"\xff"),
    ("trial.config", "null"),
    ("trial.config", DEEP),
    ("trial.params", '"text"'),
    ("trial.resources", '{"cpu": "all"}'),
    ("trial.resources", '{"cpu": 1e999}'),
    ("trial.started", 9e999),
    ("trial.finished", "yesterday"),
    ("trial.duration", b"2"),
    ("trial.name", b"\xff"),
    ("trial.error", b"12.5"),
    ("trial.seed", "0x"),
    ("trial.replicate", 2**62),
    ("trial.sweep_id", "test_other.py::nothing"),
    ("attempt.state", "FOO"),
    ("attempt.number", 10**12),
    ("attempt.output", b"\xff"),
    ("report.attempt", 10**12),
    ("report.iteration", "one"),
    ("report.metrics", "not JSON"),
    ("report.metrics", DEEP),
    ("report.checkpoint", b"x"),
    ("sweep.mode", "most"),
    ("sweep.varying", '{"lr": 1}'),
    ("sweep.average_over", "[1]"),
    ("code.content", "[]"),
    ("code.content", '{"fixtures": {"a": [1, 2, 3]}}'),
    ("run.seed", "seven"),
    ("run.started", "now"),
    ("run.versions", "{"),
    ("run.versions", '{"python": 3}'),
    ("run.git_dirty", 7),
]


@pytest.mark.parametrize(("place", "value"), NONSENSE, ids=[f"{place}-{str(value)[:12]}" for place, value in NONSENSE])
def test_nonsense(folder: Path, place: str, value: Any) -> None:
    """A value that is never stored is an error that names its row and its column, for every reader that needs it; a list goes on."""
    table, _, column = place.partition(".")
    put(folder, table, column, value)
    errors = read_all(folder)
    if column not in ("seed", "replicate", "taken_from", "git_dirty", "started") or table == "trial":
        assert errors or table in ("run", "code"), errors
    said = [str(error) for error in errors.values() if isinstance(error, UnsoundError)]
    if place != "code.content":
        assert said or list_runs(folder.parent)[0].note
    assert all(table in text and (column in text or "sweep" in text) for text in said), said
    assert all(str(folder / "run.db") in text and len(text) < 1000 for text in said)


@pytest.mark.parametrize("column", ["state", "metrics", "name", "attempts", "sweep_id"])
def test_the_others_can_be_taken(folder: Path, column: str) -> None:
    """Of a run with a row of nonsense, it is known which trials cannot be taken, and why."""
    edit(folder, f"UPDATE trial SET {column} = x'ff' WHERE ordinal = 2")  # noqa: S608
    found = unsound(folder / "run.db", KEYS)
    assert list(found) == [KEYS[2]]
    assert column.removesuffix("_id") in found[KEYS[2]]
    assert {its.key for its in outcomes(folder, KEYS[:2])} == set(KEYS[:2])


def test_what_belongs_to_a_trial(folder: Path) -> None:
    """A trial whose attempts or reports are nonsense cannot be taken either, and the row is named."""
    edit(folder, "UPDATE attempt SET state = 'FOO' WHERE trial_key = ? AND number = 1", KEYS[0])
    edit(folder, "UPDATE report SET metrics = '{' WHERE trial_key = ? AND iteration = 2", KEYS[1])
    found = unsound(folder / "run.db", KEYS)
    assert found[KEYS[0]] == f"attempt 1 of trial {KEYS[0]}: state is 'FOO'"
    assert found[KEYS[1]].startswith(f"report 4 of trial {KEYS[1]}: metrics is '{{'")
    assert len(found) == 2


FOREIGN = {
    "a view that never ends": (
        "ALTER TABLE trial RENAME TO other",
        "CREATE VIEW trial AS WITH RECURSIVE c(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM c) SELECT x AS key, * FROM c, other",
    ),
    "a trigger": ("CREATE TRIGGER t AFTER INSERT ON trial BEGIN DELETE FROM report; END",),
    "a computed column": ("ALTER TABLE trial ADD COLUMN more TEXT GENERATED ALWAYS AS (hex(zeroblob(500000000)))",),
    "a virtual table": ("CREATE VIRTUAL TABLE more USING fts5(x)",),
    "no such column": ("ALTER TABLE trial DROP COLUMN metrics",),
    "no such table": ("DROP TABLE report",),
    "two runs": (
        "CREATE TABLE more AS SELECT * FROM run",
        "UPDATE more SET name = 'other'",
        "INSERT INTO run SELECT * FROM more",
    ),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_another_schema(folder: Path, name: str) -> None:
    """A schema that is not ours is an error, and nothing of it is run."""
    for statement in FOREIGN[name]:
        edit(folder, statement)
    assert "load_results" in read_all(folder) or name == "two runs"


def test_in_circles(folder: Path) -> None:
    """A run that was taken from itself, or from a path elsewhere, ends nobody's search."""
    edit(folder, "UPDATE trial SET state = 'CACHED', taken_from = ? WHERE ordinal = 0", folder.name)
    edit(folder, "UPDATE trial SET state = 'CACHED', taken_from = ? WHERE ordinal = 1", str(folder))
    edit(folder, "UPDATE run SET resumed_from = name")
    assert read_all(folder) == {}


@pytest.mark.parametrize("part", ["run.db", "run.db-wal", "run.db-shm", "run.db-journal"])
@pytest.mark.parametrize("kind", ["link", "pipe", "folder"])
def test_other_files(folder: Path, tmp_path: Path, part: str, kind: str) -> None:
    """A link, a pipe and a folder in the place of a file of the database are not opened, and are named."""
    precious = tmp_path / "precious"
    precious.write_bytes((folder / "run.db").read_bytes())
    path = folder / part
    path.unlink(missing_ok=True)
    make: dict[str, Callable[[], object]] = {
        "link": lambda: path.symlink_to(precious), "pipe": lambda: os.mkfifo(path), "folder": path.mkdir,
    }  # fmt: skip
    make[kind]()
    before = precious.stat()
    errors = read_all(folder)
    assert {"load_results", "origins", "outcomes", "starts", "unsound"} <= errors.keys()
    assert all(f"{part} is a" in str(error) and "not a regular file" in str(error) for error in errors.values())
    assert [run.note is not None for run in list_runs(folder.parent)] == [True]
    after = precious.stat()
    assert (before.st_mtime_ns, before.st_atime_ns, before.st_size) == (
        after.st_mtime_ns,
        after.st_atime_ns,
        after.st_size,
    )


def test_what_comes_after_a_deep_one(folder: Path) -> None:
    """Metrics that are nested as deep as may be are read."""
    edit(folder, "UPDATE trial SET metrics = ? WHERE ordinal = 0", '{"a":' * 190 + "1" + "}" * 190)
    assert read_all(folder) == {}


values = st.one_of(
    st.none(), st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False), st.text(max_size=50), st.binary(max_size=50),
    st.sampled_from(["{}", "[]", "{", '{"$type": "int", "value": "0x"}', '{"a": NaN}', DEEP, *(state.value for state in TrialState)]),
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(max_size=5),
                 lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)).map(json.dumps),
)  # fmt: skip
columns = st.sampled_from([(table.name, column.name) for table in tables.sorted_tables for column in table.columns])


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    folder = tmp_path_factory.mktemp("fuzz")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def copied(sound: Path, scratch: Path) -> Path:
    shutil.rmtree(scratch / "results", ignore_errors=True)
    return shutil.copytree(sound, scratch / "results" / sound.name)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(changes=st.lists(st.tuples(columns, values), min_size=1, max_size=3))
def test_any_value_in_any_column(sound: Path, scratch: Path, changes: list[tuple[tuple[str, str], Any]]) -> None:
    """Whatever the columns hold, readers return results or raise StoreError."""
    folder = copied(sound, scratch)
    for (table, column), value in changes:
        with suppress(sqlite3.IntegrityError, UnicodeEncodeError):  # NULL where none may be, half a surrogate pair.
            put(folder, table, column, value)
    read_all(folder)


@settings(max_examples=25, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(data=st.data())
def test_any_bytes(sound: Path, scratch: Path, data: st.DataObject) -> None:
    """Whatever is changed in the bytes of a database, readers return results or raise StoreError."""
    folder = copied(sound, scratch)
    content = bytearray((sound / "run.db").read_bytes())
    for _ in range(data.draw(st.integers(1, 5))):
        start = data.draw(st.integers(0, len(content) - 1) | st.sampled_from([16, 18, 20, 24, 28, 96, 100, 4096, 8192]))
        content[start : start + 40] = data.draw(st.binary(min_size=1, max_size=40))
    (folder / "run.db").write_bytes(content[: data.draw(st.integers(0, len(content)) | st.just(len(content)))])
    read_all(folder)


class TestDecisions:
    @pytest.fixture
    def decided(self, folder: Path) -> Path:
        """The folder of a run in which a searcher and a scheduler have decided."""
        decisions: list[Decision] = [
            TrialConfigured(1, Proposed(KEYS[0], {"lr": 0.1}, "lr=0.1", "p0", {"lr": 0.1}), "s"),
            TrialJudged(2, 1, Observation(KEYS[0], 1, (0.5,)), Verdict(VerdictKind.STOP, "too high"), False, "s"),
            TrialResumed(3, Resumption(KEYS[0], 3), "s"),
        ]
        for decision in decisions:
            row = row_of(decision)
            names = ", ".join(row)
            values = [json.dumps(value) if name == "content" else value for name, value in row.items()]
            edit(folder, f"INSERT INTO decision ({names}) VALUES ({', '.join('?' * len(row))})", *values)  # noqa: S608
        assert len(RunReader(folder).decisions()) == 3
        return folder

    @pytest.mark.parametrize(
        ("column", "value"),
        [
            ("kind", "guessed"), ("kind", None), ("kind", b"\xff"), ("trial_key", 7), ("attempt", "one"), ("iteration", "one"),
            ("iteration", 10**12),
            ("content", "not JSON"), ("content", "[]"), ("content", "{}"), ("content", DEEP), ("content", b"\xff"),
            ("content", '{"config": 3}'),
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("number", [1, 2, 3])
    def test_nonsense(self, decided: Path, number: int, column: str, value: Any) -> None:
        """A row of decisions that is never stored is an error that names it, or is read as what it says; nothing else happens."""
        with suppress(sqlite3.IntegrityError):
            edit(decided, f"UPDATE decision SET {column} = ? WHERE number = ?", value, number)  # noqa: S608
        began = time.process_time()
        error = error_of(lambda: RunReader(decided).decisions())
        if error is not None:
            assert "decision" in str(error)
        for words in (["show"], ["ls", "--json"], ["compare", "last", "last"]):
            assert "Traceback" not in command(*words, results=decided.parent).err
        error_of(lambda: tried_points(decided, [SWEEP.id]))
        error_of(lambda: made_as(decided, KEYS))
        assert time.process_time() - began < SECONDS


def test_what_a_scheduler_has_stopped_was_not_tried_to_the_end(folder: Path) -> None:
    """A configuration whose trial was stopped early is not taken by a later search, also where the result was taken before."""
    edit(folder, "UPDATE trial SET state = 'TERMINATED', reason = NULL, metrics = '{\"loss\": 1}', replicate = 0")
    assert [point.point for _, point in tried_points(folder, [SWEEP.id])] == KEYS
    stop = TrialJudged(
        1, 1, Observation(KEYS[0], 1, (0.5,), Outcome.STOPPED), Verdict(VerdictKind.STOP, "too high"), False, "s"
    )
    row = row_of(stop)
    edit(
        folder,
        f"INSERT INTO decision ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",  # noqa: S608
        *(json.dumps(value) if name == "content" else value for name, value in row.items()),
    )
    for state in ("STOPPED", "CACHED"):
        edit(folder, "UPDATE trial SET state = ? WHERE key = ?", state, KEYS[0])
        assert [point.point for _, point in tried_points(folder, [SWEEP.id])] == KEYS[1:]


GARBAGE = ["garbage\n", '["start"]\n', "\x00\xff\n" * 1000, '["report", "k", 1, {"loss": 1}, 7, null]\n', DEEP + "\n"]


@pytest.mark.parametrize("text", GARBAGE, ids=range(5))
def test_garbage_in_what_is_not_stored_yet(folder: Path, text: str) -> None:
    """A file of events that are not stored yet is read up to the first line that is none of ours; the run is there as before."""
    (folder / unheard.FILE).write_text(text, encoding="latin-1")
    assert read_all(folder) == {}
    assert len(load_results(folder)[SWEEP.id]) == len(TRIALS)
