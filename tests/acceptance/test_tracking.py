"""Runs that are sent to trackers: whatever happens to trackers, to the process that sends, and to the session itself."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.support.events import scalars
from tests.support.runs import command
from tests.support.sessions import Session, kill, wait_for
from tests.support.trackers import csv_rows, install_faulty, json_lines, stored_histories

from .project import Project

SWEEP = """
    import os, time

    @sweep(grid={"n": list(range(TRIALS))}, metric="loss", mode="min")
    def train(n, trial):
        for iteration in range(REPORTS):
            trial.report({"loss": n + 1 / (iteration + 1), "half": {"n": n / 2}})
            # Waits in its middle for the test, which kills something meanwhile.
            while iteration == REPORTS // 2 and not os.path.exists(f"go{n * GATES // TRIALS}"):
                time.sleep(0.01)
"""


def written(project: Project, trials: int, reports: int, gates: int) -> dict[str, str]:
    """Write the project, and return its environment."""
    text = SWEEP.replace("TRIALS", str(trials)).replace("REPORTS", str(reports)).replace("GATES", str(gates))
    project.write(text)
    return install_faulty(project.path / "installed")


def followers(session: Session) -> list[psutil.Process]:
    """Return the processes that send the run to trackers."""
    return [child for child in session.family() if "trackers.follow" in " ".join(cmdline_of(child))]


def cmdline_of(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.Error:
        return []


def new_follower(session: Session, killed: Collection[int]) -> bool:
    return any(one.pid not in killed for one in followers(session))


def lines_of(project: Project, read: Callable[[Path], Sequence[object]] = json_lines) -> int:
    return sum(len(read(folder)) for run in project.runs() for folder in run.iterdir() if folder.is_dir())


def has_more_lines(project: Project, before: int) -> bool:
    return lines_of(project) > before


@pytest.mark.parametrize(
    ("trials", "reports", "kills"), [(12, 10, 3), pytest.param(100, 100, 10, marks=pytest.mark.slow)]
)
def test_a_follower_that_is_killed(
    project: Project, start: Callable[..., Session], trials: int, reports: int, kills: int
) -> None:
    """The follower is killed again and again: files equal the database; a tracker that is down and one that hangs change nothing."""
    environ = written(project, trials, reports, kills)
    trackers = "jsonl,csv,tensorboard,faulty:mode=down,faulty:mode=hangs"
    arguments = ["-p", "no:xdist", "--sweep-executor=processes", "--sweep-max-concurrent=2"]
    session = start(*arguments, f"--sweep-track={trackers}", "--sweep-track-wait=1h", **environ)
    killed: set[int] = set()
    for number in range(kills):
        before = lines_of(project)
        wait_for(partial(new_follower, session, killed), f"follower {number}")
        wait_for(partial(has_more_lines, project, before if killed else 0), "reports in files")
        for follower in followers(session):
            killed.add(follower.pid)
            kill(follower.pid)
        (project.path / f"go{number}").touch()
    wait_for(lambda: "waiting up to" in session.output, "the end of the run")
    wait_for(lambda: lines_of(project) == trials * reports == lines_of(project, csv_rows), "all reports in files")
    wait_for(lambda: lines_of(project, scalars) == trials * reports, "all reports in event files")
    wait_for(lambda: "has not answered" in session.output, "news of the tracker that hangs")
    session.interrupt()
    assert session.wait() == 0
    output = session.output
    run = project.runs()[-1]
    histories = stored_histories(run)
    assert len(histories) == trials
    for name, history in histories.items():
        assert len(history) == reports
        assert json_lines(run / name) == history
        assert [row["loss"] for row in csv_rows(run / name)] == [metrics["loss"] for metrics in history]
        assert [(step, values["half/n"]) for step, values in scalars(run / name)] == [
            (metrics["training_iteration"], metrics["half"]["n"]) for metrics in history
        ]
        assert [row["half/n"] for row in csv_rows(run / name)] == [metrics["half"]["n"] for metrics in history]
    told = [line for line in output.splitlines() if line.startswith("tracker faulty") and "refuses connections" in line]
    assert len(told) == 2, output
    assert "The run goes on" in told[0]
    assert f"{trials * reports} reports are missing" in told[1].replace(",", "")
    assert f"pytest-sweep track sweep_results/{run.name} --to faulty:mode=down" in told[1]
    hanging = [line for line in output.splitlines() if line.startswith("tracker faulty") and "has not answered" in line]
    assert len(hanging) == 2
    assert "--to faulty:mode=hangs" in hanging[1]


def test_a_driver_that_is_killed(project: Project, start: Callable[..., Session]) -> None:
    """The follower of a driver that was killed sends what is there and ends in time; the resumed run goes on in the same files."""
    environ = written(project, 4, 10, 1)
    arguments = ["-p", "no:xdist", "--sweep-executor=processes", "--sweep-max-concurrent=2"]
    session = start(*arguments, "--sweep-track=jsonl,faulty:mode=hangs", "--sweep-track-wait=8s", **environ)
    wait_for(lambda: followers(session), "the follower")
    wait_for(
        lambda: len(project.runs()) == 1 and sum(map(len, stored_histories(project.runs()[0]).values())) >= 12,
        "reports",
    )
    wait_for(lambda: lines_of(project) > 0, "reports in files")  # On a busy machine it takes a while to start.
    started = [
        one for one in session.family() if "trackers.follow" in " ".join(cmdline_of(one)) or one.name() == "sleep"
    ]
    os.kill(session.process.pid, signal.SIGKILL)
    assert psutil.wait_procs(started, timeout=25)[1] == []
    first = project.runs()[0]
    assert {name: lines for name in stored_histories(first) if (lines := json_lines(first / name))} == {
        name: history for name, history in stored_histories(first).items() if history
    }
    (project.path / "go0").touch()
    session = start(*arguments, "--sweep-resume", "--sweep-track=jsonl", **environ)
    assert session.wait() == 0, session.output
    second = project.runs()[1]
    begun = {folder.name for folder in first.iterdir() if folder.is_dir()}
    histories = {Path(folder).name: history for folder, history in stored_histories(second).items()}
    for name, history in histories.items():
        assert len(history) == 10
        assert json_lines((first if name in begun else second) / name) == history
        assert not (name in begun and (second / name / "result.json").exists())
    # Afterwards, to another tracker, and once more.
    done = command("track", "last", "--to", "csv", results=project.path / "sweep_results")
    assert done.status == 0
    assert re.fullmatch(r"csv: [45]\d reports\n", done.err)  # Also those that a further attempt has repeated.
    for name, history in histories.items():
        assert [row["loss"] for row in csv_rows(second / name)] == [metrics["loss"] for metrics in history]
    done = command("track", "last", "--to", "csv", results=project.path / "sweep_results")
    assert (done.status, done.err) == (0, "csv: nothing was left to send\n")


@pytest.mark.parametrize(
    ("trackers", "text"),
    [
        ("nix", "--sweep-track: there is no tracker 'nix': there are csv, "),
        ("csv:folder=x", "the tracker csv has no setting 'folder'. Its settings: dir ("),
        ("csv,csv", "the tracker csv is named twice"),
        (":=", "':=' names no tracker"),
        ("missing", "the tracker missing cannot be imported from faulty_tracker:Missing: AttributeError"),
    ],
)
def test_what_cannot_be_tracked(project: Project, monkeypatch: pytest.MonkeyPatch, trackers: str, text: str) -> None:
    """A tracker that cannot be used is an error before anything runs; it says what there is."""
    monkeypatch.syspath_prepend(install_faulty(project.path / "installed")["PYTHONPATH"].partition(os.pathsep)[0])
    project.write("@sweep(grid={'n': [1]})\ndef train(n): raise AssertionError('it has run')\n")
    result = project.sweep(f"--sweep-track={trackers}")
    assert result.ret == 4
    assert text in result.stderr.str()
    assert project.runs() == []


def test_the_ini_file(project: Project, start: Callable[..., Session]) -> None:
    """The ini key takes a tracker a line; a failing tracker is told, with the command for the rest, and leaves the exit status alone."""
    project.write(
        "[pytest]\nsweep_track =\n    jsonl:dir=out\n    faulty:mode=fails\nsweep_track_wait = 2m\n", "pytest.ini"
    )
    environ = install_faulty(project.path / "installed")
    project.write(
        "@sweep(grid={'n': [1]})\ndef train(n, trial):\n    trial.report({'loss': float('nan')})\n    return {'best': n}\n"
    )
    session = start("--sweep-executor=inline", **environ)
    assert session.wait() == 0
    (line,) = [line for line in session.output.splitlines() if line.startswith("tracker faulty has failed")]
    assert "1 report is missing: RuntimeError: boom. To send the rest: pytest-sweep track sweep_results/" in line
    run = project.runs()[0]
    (trial,) = (project.path / "out" / run.name).iterdir()
    assert [line.get("best") for line in json_lines(trial)] == [None, 1]
    assert (run / "trackers.log").read_text().count("RuntimeError: boom") == 1  # It was not started again.
