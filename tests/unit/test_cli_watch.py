"""``watch``: the same lines as the session's own view, from the database alone, until the run has ended or its driver is dead."""

from __future__ import annotations

import hashlib
import sys
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from pytest_sweep.cli import watching
from pytest_sweep.cli.bests import best_of
from pytest_sweep.cli.commands import watch
from pytest_sweep.cli.errors import Status
from pytest_sweep.cli.watching import WatchedRun
from pytest_sweep.model import Sweep, TrialState
from pytest_sweep.model.events import Accepted, TrialFinished, TrialReported, TrialRetried, TrialStarted
from pytest_sweep.reporting import FailureReasons, Leaders, Progress
from pytest_sweep.reporting.live import live_lines
from pytest_sweep.reporting.live_session import SessionView
from pytest_sweep.store import LiveScan, following
from tests.support.runs import BEGAN, begin_run, command, make_run, trial
from tests.support.sessions import wait_for
from tests.support.terminals import Program

OTHER = Sweep("test_models.py::fit", "fit", "accuracy", "max", varying=("lr",), average_over=("lr",))
PLAIN = Sweep("test_models.py::evaluate", "evaluate")


def digits(number: int) -> str:
    """Return a key that begins as no other does."""
    return hashlib.sha256(str(number).encode()).hexdigest()[:16]


def events_of(key: str, value: float | None, began: float, *, name: str = "loss", took: float = 2.0) -> list[Accepted]:
    metrics = {"training_iteration": 1, name: value}
    if value is None:
        return [
            TrialStarted(key, 1, began, "h:1"),
            TrialFinished(key, 1, TrialState.ERROR, None, f"Traceback {key}\nValueError: boom", took, began + took),
        ]
    return [
        TrialStarted(key, 1, began, "h:1"),
        TrialReported(key, 1, metrics),
        TrialFinished(key, 1, TrialState.TERMINATED, metrics, None, took, began + took),
    ]


def test_it_shows_what_the_session_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bar, states, remaining time, bests, failures and running trials read as in the session, of whatever has happened."""
    made = [
        *(trial(number) for number in range(20)),
        *(trial(100 + n, OTHER, group=digits(100 + n // 2 * 2), configuration=f"fit[{n // 2}]") for n in range(4)),
        *(trial(200 + number, PLAIN) for number in range(3)),
    ]
    trials = [replace(one, key=digits(one.seed)) for one in made]
    keys = [one.key for one in trials]
    happened: list[Accepted] = []
    for number in range(8):
        happened += events_of(keys[number], None if number in (2, 5) else 1 / (number + 1), BEGAN + number)
    for number, value in enumerate((0.5, 0.7, 0.9)):  # The second configuration has not all of its trials.
        happened += events_of(keys[20 + number], value, BEGAN + number, name="accuracy")
    happened += [
        TrialStarted(keys[9], 1, BEGAN + 9, "h:1"),
        TrialReported(keys[9], 1, {"training_iteration": 1, "loss": 9.0}),
        TrialReported(keys[9], 1, {"training_iteration": 2, "loss": 8.5, "nan": float("nan")}),
        TrialStarted(keys[8], 1, BEGAN + 10, "h:1"),
        TrialStarted(keys[24], 1, BEGAN + 11, "h:1"),
        TrialReported(keys[24], 1, {"training_iteration": 1, "f1": 0.5}),
    ]
    store = begin_run(tmp_path, [], trials=trials)
    store.record(happened)
    progress = Progress(trials)
    for event in happened:
        progress.update(event)
    now = BEGAN + 20
    monkeypatch.setattr("pytest_sweep.clock.wall", lambda: now)
    session = SessionView(progress, Leaders(progress), FailureReasons(progress)).look(now, 20.0, None)
    watched = WatchedRun(store.path)
    view = watched.look(100)
    assert watched.goes_on
    for width, rows in ((200, 30), (80, 8), (30, 20)):
        assert live_lines(view, width, rows) == live_lines(session, width, rows)
    assert len(live_lines(view, 200, 30)) == 8
    # A trial that is tried again waits.
    store.record([TrialRetried(TrialFinished(keys[8], 1, TrialState.ERROR, None, "Traceback\nOSError: x", 1.0, now))])
    assert watched.look(100).waiting == ["Waiting: 1 trial for another attempt"]
    store.finish(1, now)
    store.close()
    last = watched.look(100)
    assert [watched.goes_on] == [False]
    assert (last.remaining, last.elapsed, last.running) == (None, 20.0, [])


def test_of_a_run_that_has_ended(tmp_path: Path) -> None:
    """One line says how it stands, the next how it has ended: that is all, without an escape."""
    folder = make_run(tmp_path, [0.5, 0.25, None], exit_status=1)
    done = command("watch", results=tmp_path)
    assert (done.status, done.err) == (Status.OK, "")
    assert done.out.splitlines() == [
        "sweep: 3/3 done (2 TERMINATED, 1 ERROR), 00:00:10; Best so far: loss=0.25 (min): train[lr=1]; ERROR train[lr=2]: ValueError: boom",
        f"{folder.name} has ended: failed after 00:00:10",
    ]


def test_of_a_run_whose_driver_is_dead(tmp_path: Path) -> None:
    """It is said, with the command that continues the run."""
    folder = make_run(tmp_path, [0.5], trials=[trial(0), trial(1)], exit_status=None)
    done = command("watch", folder.name, results=tmp_path)
    assert done.status == Status.OK
    assert "1/2 done (1 TERMINATED, 1 NOT_RUN)" in done.out
    assert (
        f"its driver is dead, and has left no exit status; pytest --sweep --sweep-resume={folder.name} continues it"
        in done.out
    )


def test_a_line_a_change(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a pipe there is a line when states have changed, none while they have not, and the last one in the end."""
    monkeypatch.setattr(watch, "LOOK_SECONDS", 0.01)
    monkeypatch.setattr(watch, "LINE_SECONDS", 0.0)
    store = begin_run(tmp_path, [], trials=[trial(0), trial(1)])
    looks = 0
    look = WatchedRun.look

    def counted(self: WatchedRun, most: int) -> object:
        nonlocal looks
        looks += 1
        return look(self, most)

    monkeypatch.setattr(WatchedRun, "look", counted)
    found: list[str] = []
    thread = threading.Thread(target=lambda: found.append(command("watch", results=tmp_path).out))
    thread.start()
    try:
        for number in range(2):
            before = looks
            wait_for(lambda before=before: looks > before + 3, "some looks")  # type: ignore[misc]
            store.record(events_of(trial(number).key, 0.5, BEGAN))
        before = looks
        wait_for(lambda: looks > before + 3, "some looks")
    finally:
        store.finish(0, BEGAN + 10)
        store.close()
        thread.join(60)
    assert [line.partition(" done")[0] for line in found[0].splitlines()[:-1]] == [
        "sweep: 0/2", "sweep: 1/2", "sweep: 2/2", "sweep: 2/2",
    ]  # fmt: skip


def test_no_such_run(tmp_path: Path) -> None:
    """A word that names no run is an error, as for the other commands."""
    make_run(tmp_path)
    assert command("watch", "nothing", results=tmp_path).status == Status.NO_RUN


def test_ctrl_c(tmp_path: Path) -> None:
    """On a terminal the view is redrawn in its place; Ctrl-C ends the command with 130, quietly, and nothing of the view is left."""
    store = begin_run(tmp_path, [0.5], trials=[trial(0), trial(1)])
    # The run goes on as long as somebody holds its lock: this process does.
    program = Program([sys.executable, "-m", "pytest_sweep.cli", "watch", "--dir", str(tmp_path)], tmp_path, {}, 60, 12)
    try:
        program.read(lambda: any("1/2 done" in row for row in program.screen.below), "the view")
        store.record(events_of(trial(1).key, 0.25, BEGAN))
        program.read(lambda: any("2/2 done" in row for row in program.screen.below), "the change")
        assert program.screen.below[2].startswith("Best so far: loss=0.25 (min): train[lr=1]")
        program.press("\x03")
        assert program.end() == 130
        assert [row for row in program.screen.rows if row] == [f"Run: {store.path.name}", "^C"]
    finally:
        program.close()
        store.close()


def test_the_best_of_many_parts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However the trials are cut into parts, the best is the one that ``show`` names, of replicates by their mean, of equals the first."""
    made = [
        *(trial(n, group=digits(n // 3 * 3)) for n in range(12)),
        *(trial(100 + n, OTHER, group=digits(100 + n % 4)) for n in range(12)),
    ]
    trials = [replace(one, key=digits(one.seed)) for one in made]
    values: list[object] = [3, 1, 2, 1, 2, 3, 2, 2, 2, None, 1, 9]
    values += [{"accuracy": value} for value in (1, 2, 3, float("nan"), 5, 4, 3, 1, 3, 3, 3, 3)]
    folder = make_run(tmp_path, values, trials=trials)
    with LiveScan(folder) as scan:
        known = [best_of(scan, sweep) for sweep in scan.sweeps]
        for part in (1, 2, 3, 5, 100):
            monkeypatch.setattr(following, "_PART", part)
            assert [watching._best_of(scan, sweep) for sweep in scan.sweeps] == known
    assert [None if best is None else best.value for best in known] == [2.0, 3.0]
