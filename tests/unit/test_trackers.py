"""Sending runs to trackers: which ones, from where on, how patiently, and how much is in memory meanwhile."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pytest_sweep.errors import MissingExtraError, StoreError, SweepError
from pytest_sweep.model import Trial, TrialState
from pytest_sweep.model.events import (
    Accepted,
    TrialFinished,
    TrialInterrupted,
    TrialNotRun,
    TrialReported,
    TrialStarted,
)
from pytest_sweep.space.secrets import secret
from pytest_sweep.store import RunReader, StoredReport
from pytest_sweep.store.cursors import TrackerCursors, TrackingLock, TrialCursor
from pytest_sweep.store.unheard import UnheardFile
from pytest_sweep.trackers.base import (
    TrackedRun,
    TrackedTrial,
    TrackerDown,
    numbers,
    parameters,
    require,
    stable_id,
)
from pytest_sweep.trackers.files import JsonlTracker, replace_file
from pytest_sweep.trackers.following import Following, TrackerState
from pytest_sweep.trackers.origins import origin_of
from pytest_sweep.trackers.patience import GivenUp, Patience, Stop
from pytest_sweep.trackers.registry import Tracked, check_tracker, parse_trackers
from pytest_sweep.trackers.sending import Sender
from tests.support.runs import begin_run, command, make_run, trial


class Kept:
    """A tracker that keeps the calls it gets."""

    def __init__(self) -> None:
        self.calls: list[tuple[Any, ...]] = []
        self.trials: list[TrackedTrial] = []
        self.open_now: set[str] = set()
        self.most_open = 0

    def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:  # noqa: ARG002
        self.calls.append(("open", run.origin))

    def begin(self, trial: TrackedTrial, remote: str | None) -> str:
        self.calls.append(("begin", trial.name, remote, trial.may_exist, trial.logged))
        self.trials.append(trial)
        self.open_now.add(trial.name)
        self.most_open = max(self.most_open, len(self.open_now))
        return trial.name

    def log(self, remote: str, reports: Sequence[StoredReport]) -> None:
        self.calls.append(("log", remote, [(one.attempt, one.iteration) for one in reports]))

    def restart(self, remote: str, iteration: int) -> None:
        self.calls.append(("restart", remote, iteration))

    def end(self, remote: str, trial: TrackedTrial) -> None:
        self.calls.append(("end", remote, trial.stored.state.value))
        self.open_now.discard(remote)

    def close(self, run: TrackedRun) -> None:
        self.calls.append(("close", run.stored.exit_status))


def send(folder: Path, tracker: Any, name: str = "kept") -> Any:
    """Send what there is of a run."""
    stop = Stop()
    stop.run_is_over()
    Sender(folder, name, tracker, {}, stop, await_driver=False).send()
    return tracker


def events(
    one: Trial, count: int, attempt: int = 1, state: TrialState | None = TrialState.TERMINATED
) -> list[Accepted]:
    metrics = [{"training_iteration": number, "loss": float(number)} for number in range(1, count + 1)]
    reports: list[Accepted] = [TrialReported(one.key, attempt, its) for its in metrics]
    ended = [TrialFinished(one.key, attempt, state, metrics[-1], None, 1.0, 9.0)] if state is not None else []
    return [TrialStarted(one.key, attempt, 1.0, "host:1"), *reports, *ended]


class TestNames:
    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("tensorboard", [("tensorboard", {})]),
            (" csv , jsonl,", [("csv", {}), ("jsonl", {})]),
            (
                "mlflow:experiment=a b:tracking_uri=http://host:5000/x",
                [("mlflow", {"experiment": "a b", "tracking_uri": "http://host:5000/x"})],
            ),
            ("tensorboard:dir=C:\\runs:runs=best:200", [("tensorboard", {"dir": "C:\\runs", "runs": "best:200"})]),
            ("csv:dir=", [("csv", {"dir": ""})]),
            ("", []),
        ],
    )
    def test_what_is_written(self, text: str, found: list[tuple[str, dict[str, str]]]) -> None:
        """Commas separate trackers, colons settings; a colon in a value stays."""
        assert [(one.name, one.settings) for one in parse_trackers([text])] == found
        assert parse_trackers([one.text for one in parse_trackers([text])]) == parse_trackers([text])

    @pytest.mark.parametrize(
        "text", [":", "a b", "csv:dir", "csv:dir=1:dir=2", "csv,csv", "=", "../x", "csv:dir=x,csv:dir=x"]
    )
    def test_what_makes_no_sense(self, text: str) -> None:
        """Anything else is an error that shows it."""
        with pytest.raises(SweepError):
            parse_trackers([text])

    def test_the_same_tracker_with_other_settings(self) -> None:
        """Settings are part of what cursors are kept by, in any order; they are not readable in it, since one may be a password."""
        ids = [one.id for one in parse_trackers(["a", "a:x=secret:y=1", "a:x=2"])]
        assert len(set(ids)) == 3
        assert Tracked("a", {"y": "1", "x": "secret"}).id == ids[1]
        assert "secret" not in ids[1]

    def test_an_extra_that_is_missing(self) -> None:
        """The error names the package and the extra."""
        with pytest.raises(
            MissingExtraError, match=r"the tracker x needs no_such: pip install 'pytest-sweep\[extra\]'"
        ):
            require("no_such", "extra", "x")

    def test_a_class_that_is_no_tracker(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """What lacks methods is refused, and they are named."""
        monkeypatch.setattr("pytest_sweep.trackers.registry._class_of", lambda _: dict)
        with pytest.raises(SweepError, match="has no method open, begin, log, restart, end, close"):
            check_tracker(Tracked("x", {}))


class TestSending:
    def test_the_order_of_calls(self, tmp_path: Path) -> None:
        """A trial is begun, logged and ended, once; what never began is not shown; nothing is sent twice."""
        first, second = trial(0), trial(1)
        folder = make_run(tmp_path, [], trials=[first, second], events=events(first, 3))
        assert send(folder, Kept()).calls == [
            ("open", folder.name),
            ("begin", first.name, None, False, 0),
            ("log", first.name, [(1, 1), (1, 2), (1, 3)]),
            ("end", first.name, "TERMINATED"),
            ("close", 0),
        ]
        assert send(folder, Kept()).calls == [("open", folder.name), ("close", 0)]
        assert command("track", folder, "--to", "jsonl").err == "jsonl: 3 reports\n"

    def test_a_later_process_goes_on(self, tmp_path: Path) -> None:
        """It gets the remote id and the last iteration that was surely sent; a restarted attempt is told before its first report."""
        one = trial(0)
        store = begin_run(tmp_path, [], trials=[one])
        store.record(events(one, 4, state=None))
        send(store.path, Kept())
        store.record([TrialStarted(one.key, 2, 2.0, "host:1"), TrialReported(one.key, 2, {"training_iteration": 3})])
        assert send(store.path, Kept()).calls[1:-1] == [
            ("begin", one.name, one.name, False, 4),
            ("restart", one.name, 3),
            ("log", one.name, [(2, 3)]),
        ]
        store.close()

    def test_a_begin_that_was_cut_off(self, tmp_path: Path) -> None:
        """Who begins a trial again, without knowing what became of the first time, is told to look whether it is there."""

        class Cut(Kept):
            def begin(self, trial: TrackedTrial, remote: str | None) -> str:
                super().begin(trial, remote)
                if len(self.trials) == 1:
                    raise TrackerDown("the answer was lost", 0.0)
                raise ValueError("a defect")

        folder = make_run(tmp_path, [], trials=[trial(0)], events=events(trial(0), 1))
        cut = Cut()
        with pytest.raises(ValueError, match="a defect"):
            send(folder, cut)
        assert [one.may_exist for one in cut.trials] == [False, True]
        assert send(folder, Kept()).trials[0].may_exist

    def test_few_trials_are_open_at_once(self, tmp_path: Path) -> None:
        """Of a run that is sent afterwards a trial is ended in the same batch in which it is begun; so memory does not grow with trials."""
        trials = [trial(number) for number in range(2500)]
        store = begin_run(tmp_path, [], trials=trials)
        store.record([event for one in trials for event in events(one, 2)])
        store.finish(0, 9.0)
        store.close()
        kept = send(store.path, Kept())
        assert sum(len(call[2]) for call in kept.calls if call[0] == "log") == 5000
        assert kept.most_open <= 501
        assert not kept.open_now

    def test_nothing_is_numbered_before_it_is_stored(self, tmp_path: Path) -> None:
        """What a trial inline has said, and the driver not stored, is sent when it is stored, or when the driver is dead."""
        one = trial(0)
        store = begin_run(tmp_path, [], trials=[one])
        store.record([TrialStarted(one.key, 1, 1.0, "host:1")])
        unheard = UnheardFile()
        unheard.open(str(store.path))
        for event in events(one, 2, state=None)[1:]:
            assert isinstance(event, TrialReported)
            unheard.write(event)
        assert len(RunReader(store.path).reports_after(0)) == 2
        kept = send(store.path, Kept())
        assert [call[0] for call in kept.calls] == ["open", "begin", "close"]
        store.close()
        stop = Stop()
        stop.run_is_over()
        dead = Kept()
        Sender(store.path, "kept", dead, {}, stop).send()
        assert ("log", one.name, [(1, 1), (1, 2)]) in dead.calls
        assert ("end", one.name, "INTERRUPTED") in dead.calls

    def test_a_secret_stays(self, tmp_path: Path) -> None:
        """Its name is sent; its value is in no call and in no file."""
        one = trial(0, config={"token": secret("hunter2", "api"), "nested": {"token": [secret("hunter2", "api")]}})
        folder = make_run(tmp_path, [], trials=[one], events=events(one, 1))
        kept = send(folder, Kept())
        assert parameters(kept.trials[0]) == {"token": "secret(name='api')", "nested/token": "[\"secret(name='api')\"]"}
        assert command("track", folder, "--to", "jsonl,csv,tensorboard").status == 0
        assert b"hunter2" not in b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())

    def test_a_path_that_leads_elsewhere(self, tmp_path: Path) -> None:
        """A database may come from anyone: the folder that it names for a trial is made in the run, wherever it leads."""
        folder = make_run(tmp_path / "results", [], trials=[trial(0)], events=events(trial(0), 1))
        with closing(sqlite3.connect(folder / "run.db")) as connection:
            connection.execute("UPDATE trial SET folder = '../../outside/x'")
            connection.commit()
        command("track", folder, "--to", "jsonl")
        assert (folder / "x" / "result.json").exists()
        assert not (tmp_path / "outside").exists()

    def test_a_remote_that_leads_elsewhere(self, tmp_path: Path) -> None:
        """Nor is the folder written to that somebody's cursors name, or the file that a link leads to."""
        outside = tmp_path / "outside"
        outside.mkdir()
        (outside / "victim").write_text("as it was")
        folder = make_run(
            tmp_path / "results", [], trials=[trial(0), trial(1)], events=events(trial(0), 1) + events(trial(1), 1)
        )
        with TrackerCursors(folder) as cursors:
            cursors.add("jsonl", folder.name, None)
            cursors.save("jsonl", TrialCursor(trial(0).key, str(outside)))
        linked = folder / trial(1).path_name
        linked.mkdir()
        (linked / "result.json").symlink_to(outside / "victim")
        assert command("track", folder, "--to", "jsonl").status == 0
        assert [path.name for path in outside.iterdir()] == ["victim"]
        assert (outside / "victim").read_text() == "as it was"
        assert [(folder / trial(number).path_name / "result.json").is_file() for number in (0, 1)] == [True, True]


class TestChains:
    def test_the_origin(self, tmp_path: Path) -> None:
        """A chain of resumed runs is one run to a tracker, by the name of the first, also where one of them was not sent, or is gone."""
        first = make_run(tmp_path, [], trials=[trial(0)])
        second = make_run(tmp_path, [], trials=[trial(0)], resumed_from=first)
        third = make_run(tmp_path, [], trials=[trial(0)], resumed_from=second)
        assert origin_of(third, "kept") == (first.name, None)
        send(first, Kept())
        assert origin_of(third, "kept") == (first.name, first)
        assert origin_of(third, "other") == (first.name, None)
        assert send(third, Kept()).calls[0] == ("open", first.name)
        fourth = make_run(tmp_path, [], trials=[trial(0)], resumed_from=third)
        assert origin_of(fourth, "kept") == (first.name, third)
        for path in (first / "run.db", second / "run.db"):
            path.unlink()
        assert origin_of(fourth, "kept") == (first.name, third)
        assert origin_of(fourth, "other") == (second.name, None)

    def test_what_ends_in_another_way_without_a_report(self, tmp_path: Path) -> None:
        """A trial that was cut off, and is given up by its scheduler after a resume, gets that end, once, also a run later."""
        one = trial(0)
        cut = TrialInterrupted(one.key, 1, "Ctrl-C")
        first = make_run(tmp_path, [], trials=[one], events=[*events(one, 2, state=None), cut])
        assert ("end", one.name, "INTERRUPTED") in send(first, Kept()).calls
        given_up = TrialFinished(one.key, 1, TrialState.STOPPED, {"loss": 2.0, "training_iteration": 2}, "", 0.0, 9.0)
        stopped = self._resumed(first, one, [given_up])
        late = self._resumed(stopped, one, taken=True)
        for run, state in ((late, "CACHED"), (stopped, "STOPPED")):
            assert send(run, Kept()).calls[1:-1] == [
                ("begin", one.name, one.name, False, 2),
                ("end", one.name, state),
            ]
            assert send(run, Kept()).calls == [("open", first.name), ("close", 0)]
        assert len(send(self._resumed(stopped, one, taken=True), Kept()).calls) == 2

    @pytest.mark.parametrize("last", ["interrupted", "not run"])
    def test_what_is_cut_off_once_more(self, tmp_path: Path, last: str) -> None:
        """A trial that was cut off, and gets no turn in the run that resumes it, is not begun again."""
        one = trial(0)
        cut = TrialInterrupted(one.key, 1, "Ctrl-C")
        first = make_run(tmp_path, [], trials=[one], events=[*events(one, 2, state=None), cut])
        send(first, Kept())
        again = self._resumed(first, one, [cut if last == "interrupted" else TrialNotRun(one.key, "no time")])
        assert [call[0] for call in send(again, Kept()).calls] == ["open", "close"]

    @staticmethod
    def _resumed(earlier: Path, one: Trial, after: Sequence[Accepted] = (), *, taken: bool = False) -> Path:
        store = begin_run(earlier.parent, [], trials=[one], resumed_from=earlier)
        store.copy_trials(earlier, *(([one.key], []) if taken else ([], [one.key])))
        store.record(after)
        store.finish(0, 9.0)
        store.close()
        return store.path

    def test_ids_are_stable(self) -> None:
        """The id of a trial depends on the first run and its key only."""
        assert stable_id("run", "key") == "17c75faa4ae6cda1"
        assert stable_id("run", "key") != stable_id("runk", "ey")

    def test_a_run_that_resumes_itself(self, tmp_path: Path) -> None:
        """A database that names itself, or a circle, is followed once."""
        first = make_run(tmp_path, [], trials=[trial(0)])
        again = make_run(tmp_path, [], trials=[trial(0)], resumed_from=first)
        with closing(sqlite3.connect(first / "run.db")) as connection:
            connection.execute("UPDATE run SET resumed_from = ?", (again.name,))
            connection.commit()
        assert origin_of(again, "kept").earlier is None


class TestPatience:
    def test_longer_and_longer_pauses(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """A call of a tracker that is down is repeated after 0.5, 1, 2 ... 30 s, or when its server wants it; meanwhile it says why."""
        stop, waits, answers = Stop(), list[float](), iter([None] * 8 + [3.0, 100.0])
        monkeypatch.setattr(stop, "wait", lambda seconds, *, over_wakes: waits.append(seconds))  # noqa: PLW0108
        patience = Patience(stop)

        def call() -> str:
            after = next(answers, "end")
            if after == "end":
                return "done"
            assert patience.down == ("gone" if waits else None)
            raise TrackerDown("gone", after)  # type: ignore[arg-type]

        assert patience.call(call) == "done"
        assert waits == [0.5, 1, 2, 4, 8, 16, 30, 30, 3, 30]
        assert patience.trouble is None

    def test_it_gives_up_at_once(self) -> None:
        """When the time is up, a pause ends; the call is not repeated."""
        stop = Stop()
        patience = Patience(stop)
        threading.Timer(0.1, stop.give_up).start()
        began = time.monotonic()
        with pytest.raises(GivenUp):
            patience.call(_raising(TrackerDown("gone", 30.0)))
        assert time.monotonic() - began < 10

    def test_one_that_hangs_holds_up_no_other(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """Each tracker has a thread; the others get all while one hangs, and another one fails."""
        released = threading.Event()

        class Hanging(Kept):
            def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:  # noqa: ARG002
                released.wait(60)

        class Failing(Kept):
            def open(self, run: TrackedRun, settings: Mapping[str, str]) -> None:  # noqa: ARG002
                raise ValueError("a defect")

        made = {"hanging": Hanging(), "failing": Failing(), "good": Kept()}
        monkeypatch.setattr("pytest_sweep.trackers.following.make_tracker", lambda tracked: made[tracked.name])
        folder = make_run(tmp_path, [], trials=[trial(0)], events=events(trial(0), 1))
        stop = Stop()
        stop.run_is_over()
        following = Following(folder, parse_trackers(["hanging,failing,good"]), stop)
        following.start()
        end = time.monotonic() + 60
        while not following.states()[2].is_done:
            assert time.monotonic() < end
            time.sleep(0.01)
        assert not following.join(0.01)
        hanging, failing, good = following.states()
        stop.give_up()
        released.set()
        assert following.join(60)
        assert (hanging.is_done, good.sent) == (False, 1)
        assert failing.failed == "ValueError: a defect"
        assert TrackerState.of(json.loads(json.dumps(good.to_dict()))) == good


class TestCursors:
    def test_they_survive(self, tmp_path: Path) -> None:
        """What is stored of a trial is read again, by another tracker not."""
        cursor = TrialCursor("k", "remote", 2, 7, 90, 2)
        with TrackerCursors(tmp_path) as cursors:
            cursors.add("a", "first", None)
            cursors.save("a", cursor)
            cursors.move("a", 95)
        with TrackerCursors(tmp_path) as cursors:
            assert cursors.of("a", ["k", "l"]) == {"k": cursor}
            assert cursors.of("b", ["k"]) == {}
            assert (cursors.last_report("a"), cursors.last_report("b"), cursors.origin("a")) == (95, 0, "first")

    def test_only_one_sends(self, tmp_path: Path) -> None:
        """While a process sends a run, another one is refused, and told by whom."""
        folder = make_run(tmp_path, [])
        lock = TrackingLock(folder)
        with pytest.raises(StoreError, match=r"process \d+ sends the run in .* at this moment"):
            TrackingLock(folder)
        assert command("track", folder, "--to", "jsonl").status == 4
        lock.release()
        TrackingLock(folder).release()

    @pytest.mark.parametrize(
        "arguments", [["--to", ""], ["--to", "nix"], ["--to", "csv:x=1"], ["--to", "csv", "--wait", "x"], []]
    )
    def test_wrong_usage(self, tmp_path: Path, arguments: Sequence[str]) -> None:
        """A wrong command line is told, and nothing is written."""
        folder = make_run(tmp_path, [])
        done = command("track", folder, *arguments)
        assert (done.status, done.out) == (2, "")
        assert not (folder / "trackers.db").exists()


def test_numbers() -> None:
    """Booleans count, texts do not, names of nested ones have slashes; integers beyond floats are infinite."""
    found = numbers({"a": 1, "b": {"c": True}, "d": "1", "e": None, "f": 10**400, "g": -(10**400), "timestamp": 1.0})
    assert found == {"a": 1.0, "b/c": 1.0, "f": float("inf"), "g": float("-inf")}


def _raising(error: Exception) -> Callable[[], None]:
    def call() -> None:
        raise error

    return call


def test_a_check_that_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever a tracker of somebody else raises for its settings is a sentence that names it."""

    class Picky(JsonlTracker):
        @classmethod
        def check(cls, settings: Mapping[str, str]) -> None:
            raise ValueError(f"{sorted(settings)} makes no sense")

    monkeypatch.setattr("pytest_sweep.trackers.registry._class_of", lambda name: Picky)
    with pytest.raises(SweepError, match=r"the tracker picky refuses its settings: ValueError: \['a'\] makes no sense"):
        check_tracker(Tracked("picky", {"a": "1"}))


def test_trackers_write_the_same_file(tmp_path: Path) -> None:
    """Several trackers write params.json of a trial at the same moment: none takes away what another one is writing."""
    target = tmp_path / "params.json"
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda number: replace_file(target, f"{number}"), range(400)))
    assert [*tmp_path.iterdir()] == [target]


@pytest.mark.parametrize(
    ("state", "said"),
    [
        (TrackerState("mlflow:uri=http://u:secret@host"), ""),
        (TrackerState("mlflow:uri=http://u:secret@host", lag=1), "tracker mlflow is 1 report behind"),
        (TrackerState("csv", lag=1234), "tracker csv is 1,234 reports behind"),
        (TrackerState("csv", lag=1234, failed="a defect"), ""),
    ],
)
def test_how_far_behind(state: TrackerState, said: str) -> None:
    """It is said of a tracker that reports wait for, by its name alone: its settings may hold a password."""
    assert state.behind == said


def test_a_run_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the database of a run that is over is damaged, the command says so after a few tries: it does not get better."""
    waits: list[float] = []
    monkeypatch.setattr(Stop, "wait", lambda self, seconds, **_: waits.append(seconds))
    folder = make_run(tmp_path, [0.5] * 50)
    path = folder / "run.db"
    data = bytearray(path.read_bytes())
    data[len(data) // 2 :] = b"\xde\xad" * ((len(data) - len(data) // 2) // 2)
    path.write_bytes(data)
    done = command("track", "--to", "jsonl", results=tmp_path)
    assert done.status == 4
    assert "cannot be read" in done.err
    assert sum(waits) < 5
